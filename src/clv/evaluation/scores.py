"""How good forecast distributions are: each customer's actual within its own, and totals within theirs.

Futures are simulated once for all histories that share x, T and spend days (`forecasting.stream`), and every
history weighs them by its own probabilities of being alive. Scores follow from distribution functions on a
grid (`laws`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clv.evaluation.laws import Law
from clv.forecasting.lines import mixed
from clv.forecasting.stream import Base, Block, Cell, over_blocks, samples
from clv.models.draws import mean_over_draws
from clv.models.protocols import Array

LEVELS = (0.05, 0.25, 0.75, 0.95)
_AGES = 0.2  # of their logarithm, between ages that share futures: CRPS moves by .03 %, coverage by .001
DRAWS, FEW = 100, 25  # of the parameters; few where each takes long


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Customers by their history's place `row`: spend so far S, and what they did in t time units."""

    row: NDArray[np.intp]
    S: Array
    purchases: Array
    value: Array
    t: float


@dataclass(frozen=True)
class Mixture:
    """Models by their `places`, in equal parts, with the `levels` that their value is also multiplied by."""

    places: tuple[int, ...]
    levels: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, eq=False)
class Scores:
    """Of each customer: F(y−) and F(y) of its actual y, and CRPS in purchases or currency units."""

    low: Array
    high: Array
    crps: Array

    def put(self, who: NDArray[np.intp], found: Array) -> None:
        """Take the scores of some customers."""
        self.low[who], self.high[who], self.crps[who] = found


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of purchases, of value by level, and the variances of both, (2, customers)."""

    purchases: Scores
    value: dict[float, Scores]
    variance: Array

    @classmethod
    def empty(cls, size: int, levels: Sequence[float]) -> Scored:
        """Return room for so many customers."""
        rooms = {level: Scores(*np.zeros((3, size))) for level in levels}
        return cls(Scores(*np.zeros((3, size))), rooms, np.zeros((2, size)))


@dataclass(init=False, eq=False)
class _Together:
    """Purchase models side by side: the stages of one after those of another.

    It has no field: it is no parameters that broadcast, and those of its models have all draws.
    """

    def __init__(self, models: Sequence[Any]) -> None:
        self.models = models
        counts = [len(model.p_stages(model.History.newcomer())) for model in models]
        self.stages = [(place, stage) for place, count in enumerate(counts) for stage in range(count)]

    def p_stages(self, h: Any) -> Array:
        """Probabilities of being active in each stage of each model, (stages, draws, histories)."""
        found = [np.asarray(model.p_stages(h)) for model in self.models]
        found = [p if p.ndim == 3 else p[:, None] for p in found]
        draws = max(p.shape[1] for p in found)
        return np.concatenate([np.broadcast_to(p, (len(p), draws, p.shape[2])) for p in found])

    def future(self, rng: np.random.Generator, x: float, T: float, stage: int, shape: Any) -> Any:
        """Draw what customers alive in one of the stages will do."""
        place, own = self.stages[stage]
        return self.models[place].future(rng, x, T, own, shape)


def with_draws(base: Base) -> Base:
    """Return a base with as many draws as scores are taken over."""
    return base.paired(FEW if getattr(base.purchase, "costly", False) else DRAWS)


def score(bases: Sequence[Base], seen: Outcomes, mixtures: Sequence[Mixture]) -> list[Scored]:
    """Score forecast distributions: of bases that differ in the purchase model alone, each mixture.

    All are simulated together, so that a blend costs no more than its models.
    """
    most = min(with_draws(base).draws for base in bases)
    reduced = [base.paired(most) for base in bases]
    together: Any = _Together([base.purchase for base in reduced])  # has what futures take of a model
    base = dataclasses.replace(reduced[0], purchase=together, coarse=_AGES)
    rooms = [Scored.empty(len(seen.row), mixture.levels) for mixture in mixtures]
    order = np.argsort(seen.row, kind="stable")
    rows = np.split(order, np.searchsorted(seen.row[order], np.arange(1, len(base.history))))
    places = np.array([place for place, _ in together.stages])

    def of_block(block: Block) -> None:
        for cell in block.cells():
            drawn = _drawn(cell, seen, [rows[row] for row in cell.rows], base.paid_share)
            for mixture, room in zip(mixtures, rooms, strict=True):
                _score(drawn, np.isin(places, mixture.places), len(mixture.places), room)

    list(over_blocks(base, of_block))
    return rooms


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Futures of a cell, (stages, draws, samples), and its customers `who` with the place of each's history.

    `worth` is in units of gamma + S; value in units of `size`, which hardly depends on S.
    """

    count: Array
    worth: Array
    gamma: Array
    stages: Array
    who: NDArray[np.intp]
    own: NDArray[np.intp]
    S: Array
    purchases: Array
    value: Array

    @property
    def middle(self) -> float:
        return float(self.gamma.mean())

    @property
    def size(self) -> Array:
        return self.middle + self.S


def _drawn(cell: Cell, seen: Outcomes, rows: Sequence[NDArray[np.intp]], paid_share: float) -> _Drawn:
    """Draw purchases in (T, T + t], and their worth, for the customers `rows` of each history of a cell."""
    draws = cell.stages.shape[1]
    shape = draws, samples(cell.x, draws)
    p, q, gamma = (np.broadcast_to(v, (draws, 1)) for v in (cell.spend.p, cell.spend.q, cell.spend.gamma))
    pace = cell.rng.standard_gamma(np.broadcast_to(q + p * cell.m, shape))
    counts, worths = [], []
    for future in cell.futures(shape):
        count, _ = future.purchases(cell.rng, seen.t)
        paid = count if paid_share == 1 else cell.rng.binomial(count.astype(np.int64), paid_share)
        counts.append(count)
        worths.append(cell.rng.standard_gamma(p * paid) / pace)
    who, own = np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    counted = seen.S[who], seen.purchases[who], seen.value[who]
    return _Drawn(np.stack(counts), np.stack(worths), gamma, cell.stages, who, own, *counted)


def _score(drawn: _Drawn, stages: NDArray[np.bool_], models: int, room: Scored) -> None:
    """Score the customers of a cell by some of its stages, those of models in equal parts."""
    draws = drawn.stages.shape[1]
    weights = drawn.stages[stages].reshape(-1, drawn.stages.shape[2]).T / (draws * models)
    count, worth = (v[stages].reshape(len(weights.T), -1) for v in (drawn.count, drawn.worth))
    gamma = np.tile(drawn.gamma, (int(stages.sum()), 1))
    own, who, S = drawn.own, drawn.who, drawn.S
    room.purchases.put(who, Law.of(count, weights, counts=True).at(own, drawn.purchases))
    nodes = np.unique([S.min(), S.max()])  # laws at two of them serve all: see `size`
    units = drawn.middle + nodes
    laws = [
        Law.of(worth * (gamma + s) / unit, weights, counts=False)
        for s, unit in zip(nodes, units, strict=True)
    ]
    part = np.zeros(len(S)) if len(nodes) == 1 else (1 / drawn.size - 1 / units[0]) / np.diff(1 / units)
    for level, scores in room.value.items():
        at = [law.at(own, drawn.value / (level * drawn.size)) for law in laws]
        found = at[0] + part * (at[-1] - at[0])
        found[2] *= level * drawn.size
        scores.put(who, found)
    room.variance[:, who] = _variances(count, worth, gamma, weights, own, S)


def _variances(
    count: Array, worth: Array, gamma: Array, weights: Array, own: NDArray[np.intp], S: Array
) -> Array:
    """Variance of each customer's purchases and value, (2, customers)."""

    def mean(values: Array) -> Array:
        return np.asarray((weights @ values.mean(axis=1))[own])

    purchases = mean(count**2) - mean(count) ** 2
    first = mean(gamma * worth) + mean(worth) * S
    second = mean(gamma**2 * worth**2) + 2 * mean(gamma * worth**2) * S + mean(worth**2) * S**2
    return np.stack([purchases, second - first**2])


@dataclass(frozen=True, eq=False)
class Totals:
    """What totals of purchases and value may be: a gamma distribution for each draw, (2, draws)."""

    mean: Array
    sd: Array

    @property
    def quantiles(self) -> Array:
        """Quantiles at LEVELS, (2, levels)."""
        return mixed(self.mean, self.sd**2, LEVELS).T

    @classmethod
    def blended(cls, parts: Sequence[Totals]) -> Totals:
        """Return the totals of models in equal parts."""
        fewest = min(part.mean.shape[1] for part in parts)
        picked = [np.linspace(0, part.mean.shape[1] - 1, fewest).astype(int) for part in parts]
        return cls(
            np.hstack([part.mean[:, at] for part, at in zip(parts, picked, strict=True)]),
            np.hstack([part.sd[:, at] for part, at in zip(parts, picked, strict=True)]),
        )


def totals(base: Base, customers: Array, S: Array, variance: Array, t: float) -> Totals:
    """Return the totals of histories by their customers and the sum of their spends, (histories,) each.

    Means are each draw's own; `variance`, (2,), is the sum of all customers', who act independently.
    """
    base = with_draws(base)

    def of_block(block: Block) -> Array:
        n, s = customers[block.rows], S[block.rows]
        expected = block.purchase.expected_purchases(block.history, t)
        e0, e1 = block.spend.expected_spend_terms(base.spend_days[block.rows])
        value = base.paid_share * expected * (e0 * n + e1 * s)
        sums = (np.atleast_2d(v).sum(axis=-1) for v in (expected * n, value))
        return np.stack(np.broadcast_arrays(*sums))

    mean = np.sum(list(over_blocks(base, of_block)), axis=0)
    return Totals(mean, np.broadcast_to(np.sqrt(variance)[:, None], mean.shape))


def log_score(purchase: Any, h: Any, row: NDArray[np.intp], purchases: Array, t: float) -> Array:
    """Log probability of each customer's number of purchases in (T, T + t], by its history's place `row`."""
    found = np.empty(len(row))
    for n in np.unique(purchases):
        who = np.flatnonzero(purchases == n)
        rows, own = np.unique(row[who], return_inverse=True)
        pmf = mean_over_draws(purchase, len(rows), methodcaller("purchase_pmf", h.rows(rows), t, int(n)))
        with np.errstate(divide="ignore"):
            found[who] = np.log(pmf)[own]
    return found
