"""Customers who are yet to come, by a plan of how many are acquired when: what they will buy and be worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import ndtri

from clv.forecasting.lines import DRAWS, MEASURES, Line, Moments
from clv.forecasting.stream import MOST, Base, Cell, discounted_counts, over_blocks, step_ends
from clv.models.protocols import Array
from clv.models.special import unit_nodes

_NODES = 4  # days of a span of acquisition that means are taken over


@dataclass(frozen=True)
class Wave:
    """So many customers, acquired evenly from time `start` to `end` after T of the base."""

    start: float
    end: float
    customers: float


@dataclass(frozen=True)
class FirstOrder:
    """Mean and variance of a first order's value, and of how many it was measured.

    `telling` is the share of customers whose first order says what the spend model expects of later ones.
    """

    mean: float
    variance: float
    measured: float
    telling: float = 0.0
    seed: int = 0

    def drawn(self, draws: int) -> Array:
        """The mean in each draw of a forecast: it was measured, as the parameters were."""
        places = np.random.default_rng([3, self.seed]).permutation(draws)
        found = self._lognormal(ndtri((places + 0.5) / draws), self.measured)
        return found * (self.mean / found.mean()) if self.mean > 0 else found

    def values(self, rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        """Draw single ones, lognormal."""
        return self._lognormal(rng.standard_normal(shape), 1.0)

    def _lognormal(self, z: Array, of: float) -> Array:
        if self.mean <= 0:
            return np.zeros_like(z)
        spread = np.log1p(self.variance / of / self.mean**2)
        return np.asarray(self.mean * np.exp(np.sqrt(spread) * z - spread / 2))

    def repeats(self, spend: Any, f: Array | float) -> Array:
        """Value expected of a repeat order in each draw, where first orders are worth f on average."""
        untold = spend.expected_spend_terms(np.zeros(1))[0] if self.telling < 1 else np.zeros(1)
        told, each = (np.ravel(v) for v in spend.expected_spend_terms(np.ones(1)))
        tells = float(self.telling > 0)
        return np.asarray((1 - self.telling) * np.ravel(untold) + self.telling * told + tells * each * f)


def just_acquired(base: Base, first: FirstOrder, t: float, rate: float) -> tuple[Array, Array]:
    """Return revenue of a new customer in (0, t], its first order at 0 included, discounted to it.

    The mean in each draw, and single customers, (draws, futures).
    """
    base = base.paired(DRAWS)
    *_, one = revenues(base, first, step_ends(t, rate), rate)
    return mean_revenue(base, first, t, rate), one


def mean_revenue(base: Base, first: FirstOrder, t: float, rate: float) -> Array:
    """Return the mean of that in each draw, `base` having as many in either model."""
    f = first.drawn(base.draws)
    repeats = np.ravel(base.purchase.discounted_purchases(base.history, rate, t))
    return np.asarray(f + base.paid_share * first.repeats(base.spend, f) * repeats)


def revenues(base: Base, first: FirstOrder, ends: Sequence[Any] | Array, rate: float) -> Iterator[Array]:
    """Yield discounted revenue so far of single customers, (draws, futures): at first, and at each end.

    `base` is a newcomer's, with as many draws in either model; `ends` and 1/`rate` are in its time unit.
    Orders between two ends are discounted at their mean.
    """
    cell = next(next(over_blocks(base, lambda block: block.cells())))
    shape, rng = (base.draws, MOST // base.draws), cell.rng
    p, q, gamma = vars(cell.spend).values()
    total = first.values(rng, shape) * (first.drawn(base.draws) / max(first.mean, 1e-300))[:, None]
    told = (rng.random(shape) < first.telling) & (total > 0)
    scale = (gamma + told * total) / rng.standard_gamma(q + p * told)
    stays = _stays(cell, base, shape)
    yield total
    for count, discount in discounted_counts(rng, next(cell.futures(shape)), ends, rate):
        paid = rng.binomial((count * stays).astype(np.int64), base.paid_share)
        total = total + discount * scale * rng.standard_gamma(p * paid)
        yield total


def _stays(cell: Cell, base: Base, shape: tuple[int, int]) -> Array:
    """Whether customers are still there after their first order: in some models they may leave at it."""
    stays = np.asarray(cell.purchase.p_alive(base.history)).reshape(-1, 1)
    return np.asarray(cell.rng.random(shape) < stays)


def newcomers(base: Base, first: FirstOrder, waves: Sequence[Wave], ends: Array, rate: float) -> Line:
    """Return the totals of planned customers of one kind, as `lines_of` does of existing ones.

    `base` has one history, that of a newcomer; `ends` are those of the spans, `rate` discounts to T.
    """
    base = base.paired(DRAWS)
    shape = len(MEASURES), len(ends) + 1
    line = Line(np.zeros(shape), np.zeros((*shape, base.draws)), np.zeros(shape))
    cell = next(next(over_blocks(base, lambda block: block.cells())))
    for wave in waves:
        if wave.start < ends[-1] and wave.customers:
            line = line + _Acquired(base, cell, first, wave, ends, rate).line()
    return line


class _Acquired:
    """One wave, by the spans in which its customers buy."""

    def __init__(
        self, base: Base, cell: Cell, first: FirstOrder, wave: Wave, ends: Array, rate: float
    ) -> None:
        self._base, self._cell, self._first, self._wave = base, cell, first, wave
        self._ends, self._starts, self._rate = ends, np.append(0.0, ends[:-1]), rate

    def line(self) -> Line:
        """Totals of the wave."""
        active, repeats, kept, firsts, firsts_kept = self._means()
        first, paid = self._first, self._base.paid_share
        f = first.drawn(self._base.draws)
        each = paid * first.repeats(self._cell.spend, f)
        drawn = np.stack(
            [active, repeats + firsts, repeats * each + firsts * f, kept * each + firsts_kept * f]
        )
        expected, mean = drawn.mean(axis=-1), paid * first.repeats(self._cell.spend, first.mean).mean()
        expected[2] = repeats.mean(axis=-1) * mean + firsts[:, 0] * first.mean
        expected[3] = kept.mean(axis=-1) * mean + firsts_kept[:, 0] * first.mean
        squares = self._squares()
        squares[0] = expected[0]
        within = np.maximum(squares - np.mean(drawn**2, axis=-1), 0.0)
        n = self._wave.customers
        return Line(n * expected, n * drawn, n * within)

    def _means(self) -> tuple[Array, ...]:
        """Per customer: P(an order), repeat purchases, the same discounted, first orders, and discounted.

        (spans, draws) each, the last span being all; first orders (spans, 1).
        """
        model, h, spans = self._cell.purchase, self._base.history, len(self._ends)
        found = [np.zeros((spans + 1, self._base.draws)) for _ in range(3)]
        firsts, firsts_kept = np.zeros((spans + 1, 1)), np.zeros((spans + 1, 1))

        def value(f: Callable[[float], Array], low: float, high: float) -> Array:
            return np.ravel(f(high)) - (np.ravel(f(low)) if low else 0.0)

        for u, weight in self._days():
            late = np.exp(-self._rate * u)
            for at in np.flatnonzero(self._ends > u):
                low, high = max(self._starts[at] - u, 0.0), self._ends[at] - u
                new = self._starts[at] <= u
                if new:
                    firsts[at] += weight
                    firsts_kept[at] += weight * late
                found[0][at] += weight * (1.0 if new else np.ravel(model.p_purchase(h, high, low)))
                if np.isfinite(high):
                    found[1][at] += weight * value(lambda t: model.expected_purchases(h, t), low, high)
                discounted = value(lambda t: model.discounted_purchases(h, self._rate, t), low, high)
                found[2][at] += weight * late * discounted
        for total in (*found[1:], firsts, firsts_kept):
            total[-1] = total[:-1].sum(axis=0)
        found[0][-1] = firsts[-1]  # whoever comes orders
        return *found, firsts, firsts_kept

    def _days(self) -> Iterator[tuple[float, float]]:
        """Times of acquisition with the share of customers they stand for, none beyond the last end."""
        wave, nodes = self._wave, unit_nodes(_NODES)
        inside = self._ends[(self._ends > wave.start) & (self._ends < wave.end)]
        bounds = np.concatenate([[wave.start], inside, [min(wave.end, self._ends[-1])]])
        for low, high in pairwise(bounds):
            for node, weight in zip(*nodes, strict=True):
                yield low + (high - low) * node, weight * (high - low) / (wave.end - wave.start)

    def _squares(self) -> Array:
        """E[x²] of each measure of one customer, (measures, spans), from futures."""
        cell, shape = self._cell, (self._base.draws, -(-MOST // self._base.draws))
        future, stays = next(cell.futures(shape)), _stays(cell, self._base, shape)
        u = cell.rng.uniform(self._wave.start, self._wave.end, shape)
        sums = np.zeros((5, len(self._ends) + 1, *shape))  # repeats, d, d²; first orders, and theirs d
        for at, (start, end) in enumerate(zip(self._starts, self._ends, strict=True)):
            steps = [np.maximum(step - u, 0.0) for step in start + step_ends(end - start, self._rate)]
            for count, discount in discounted_counts(cell.rng, future, steps, self._rate):
                count, late = count * stays, discount * np.exp(-self._rate * u)
                sums[:3, at] += count, count * late, count * late**2
            new = (u >= start) & (u < end)
            sums[3:, at] = new, new * np.exp(-self._rate * u)
        sums[:, -1] = sums[:, :-1].sum(axis=1)
        repeats, kept, kept_squared, firsts, firsts_kept = sums
        first, moments = self._first, Moments(self._base.paid_share, 0.05 / self._wave.customers)
        f, square, told = first.mean, first.mean**2 + first.variance, first.telling
        pairs, alone = (1 - told) * self._second(moments, 0.0, 1.0, 0.0, 0.0)
        if told:
            more = self._second(moments, 1.0, told, f, square)
            pairs, alone = pairs + more[0], alone + more[1]
        # E[F·z] of a first order F and a later one z, which follows F where it tells.
        both = self._base.paid_share * f * float(np.mean(first.repeats(cell.spend, square / f if f else 0.0)))
        found = [
            firsts,
            (repeats + firsts) ** 2,
            firsts * square + 2 * firsts * both * repeats + pairs * repeats**2 + alone * repeats,
            firsts_kept**2 * square + 2 * firsts_kept * both * kept + pairs * kept**2 + alone * kept_squared,
        ]
        return np.stack(found).mean(axis=(-1, -2))

    def _second(self, moments: Moments, m: float, *sums: float) -> Array:
        """Second moments of the value of purchases after m told orders, whose n, ΣS and ΣS² are given."""
        cell = dataclasses.replace(self._cell, m=m)
        return np.array([v[0] for v in moments.of(cell, np.array(sums)[:, None])])
