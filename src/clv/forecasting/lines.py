"""Totals of many customers, with bands that are computed inside the draws.

Given the parameters, a total is a sum over customers: its mean is exact, and chance adds to it what single
customers' chances add up to. Few customers are drawn one by one. Of more, chance is as good as gamma (within
a tenth of a standard deviation from 20 customers on; a normal needs 500), with a variance from simulated
futures. A line holds a total's mean in every draw and the variance around it, so that lines add up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, gammaln, ndtri

from clv.forecasting.condensing import Condensed
from clv.forecasting.stream import Base, Block, Cell, discounted_counts, over_blocks, samples, step_ends
from clv.models.draws import at_hand, some
from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array
from clv.models.simulation import Future
from clv.models.special import unit_nodes

MEASURES = ("active", "orders", "revenue", "value")
FEW = 50  # customers of a line that are drawn one by one: of more, chance is as good as gamma
DRAWS = 250  # of the parameters
FUTURES = 4  # of each, where customers are drawn one by one
_PARTS = {DRAWS: 20_000, 125: 40_000, 50: np.inf}  # draws, and up to how many histories
MOST = 4096  # histories at a time: the more share their ages, the less a draw costs
# Of the logarithm, between ages whose chance around a total is taken for the same: up to so many histories,
# and at most; between them it grows with the root of their number, as what it moves averages out.
_AGES, _FOR, _COARSEST = 0.02, 500, 0.2
_ENOUGH = 2000  # futures of a cell for its part of a variance, to which many cells add up
_TOGETHER = 64  # customers that are drawn at a time
_NORMALS = ndtri((np.arange(32) + 0.5) / 32)


@dataclass(frozen=True, eq=False)
class Line:
    """Totals of some customers by measure and span: expected, in each draw, and the variance within a draw.

    Arrays of (measures, spans), with draws behind; the last span is all of them together.
    """

    expected: Array
    drawn: Array
    variance: Array

    def __add__(self, other: Line) -> Line:
        """Return the totals of both, of draws of the same parameters."""
        size = max(self.drawn.shape[-1], other.drawn.shape[-1])
        one, two = (stretched(line.drawn, size) for line in (self, other))
        return Line(self.expected + other.expected, one + two, self.variance + other.variance)

    def scaled(self, level: Array, middle: float) -> Line:
        """Return the same with revenue and value at another level: of each draw, and mean."""
        drawn, each = self._beside(level, middle)
        by = np.array([1.0, 1.0, middle, middle])[:, None]
        money = np.array([False, False, True, True])[:, None, None]
        return Line(self.expected * by, np.where(money, drawn * each, drawn), self.variance * by**2)

    def _beside(self, factor: Array, middle: float) -> tuple[Array, Array | float]:
        """Draws of the totals, and as many of a factor: one where it is certain."""
        certain = not np.ptp(factor)
        size = max(self.drawn.shape[-1], 1 if certain else len(factor))
        return stretched(self.drawn, size), middle if certain else stretched(factor, size)

    def valued(self, margin: Array, middle: float) -> Line:
        """Return the same with contribution behind revenue, value at the margin: of each draw, and mean."""
        drawn, each = self._beside(margin, middle)
        active, orders, revenue, value = range(4)
        kept, worth = [active, orders, revenue], [revenue, value]
        return Line(
            np.concatenate([self.expected[kept], self.expected[worth] * middle]),
            np.concatenate([drawn[kept], drawn[worth] * each]),
            np.concatenate([self.variance[kept], self.variance[worth] * middle**2]),
        )

    def quantiles(self, levels: Sequence[float]) -> Array:
        """Quantiles over draws and chance, (levels, measures, spans): a mixture of gammas."""
        return mixed(self.drawn, self.variance[..., None], levels)


def stretched(drawn: Array, size: int) -> Array:
    """Draws, (…, draws), each so often that there are `size`, beside those of which they are some evenly."""
    here = drawn.shape[-1]
    return drawn[..., np.arange(size) * here // size]


def mixed(drawn: Array, variance: Array, levels: Sequence[float]) -> Array:
    """Quantiles, (levels, …), of a mixture of gammas of means `drawn`, (…, draws), and such variances.

    [WH31] Wilson & Hilferty (1931), PNAS 17: the cube root of a gamma is normal.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.nan_to_num(np.sqrt(variance) / drawn, posinf=0.0, neginf=0.0)[..., None] / 3
    points = drawn[..., None] * np.maximum(1 - part**2 + part * _NORMALS, 0.0) ** 3
    return np.asarray(np.quantile(points.reshape(*drawn.shape[:-1], -1), levels, axis=-1, method="hazen"))


@dataclass(frozen=True, eq=False)
class Rows:
    """Customers counted by history and line: how many, and their S summed and squared.

    `ends` are those of the spans in time units; `rate` discounts value. Spans follow one another, or start
    all at once where they are `nested`, each with what is in the one before it.
    """

    base: Base
    line: NDArray[np.intp]
    customers: Array
    spend: Array
    squares: Array
    ends: Array
    rate: float
    nested: bool = False

    @property
    def sums(self) -> tuple[Array, Array, Array]:
        """What customers of a history add up to: n, ΣS and ΣS²."""
        return self.customers, self.spend, self.squares

    @property
    def lines(self) -> int:
        """How many there are."""
        return int(self.line.max()) + 1

    @property
    def starts(self) -> Array:
        """Where the spans start."""
        return np.zeros(len(self.ends)) if self.nested else self.steps

    @property
    def steps(self) -> Array:
        """Where the time between two ends starts."""
        return np.append(0.0, self.ends[:-1])

    def spanned(self, steps: Array) -> Array:
        """Return what comes in each step, (steps, …), by span and in all of them together: (spans + 1, …)."""
        reached = np.cumsum(steps, axis=0)
        return np.concatenate([reached if self.nested else steps, reached[-1:]])


def lines_of(rows: Rows, *, one_by_one: bool) -> list[Line]:
    """Return the totals of every line, their customers drawn one by one, or taken together as gamma."""
    found = (Condensed.plain if one_by_one else Condensed.of)(rows.base, rows.line, rows.sums)
    size = len(found.base.history)
    base = found.base.paired(enough(size))
    base = (
        base.repeated(FUTURES) if one_by_one else dataclasses.replace(base, coarse=_coarse(size, found.nodes))
    )
    rows = dataclasses.replace(rows, base=base)
    shape = (len(MEASURES), rows.lines, len(rows.ends) + 1)
    expected, variance = np.zeros(shape), np.zeros(shape)
    drawn = np.zeros((*shape, FUTURES * DRAWS if one_by_one and base.draws == 1 else base.draws))
    moments = Moments(base.paid_share, 0.05 / max(rows.customers.sum(), 1.0))

    def of_block(block: Block) -> tuple[Array, Array, Array]:
        sums = _Sums(rows, block, [values[:, block.rows].toarray() for values in found.sums])
        if one_by_one:
            return sums.expected(), np.zeros(()), _drawn_one_by_one(rows, block, drawn.shape[-1])
        return sums.expected(), sums.within(moments), sums.drawn

    for parts in over_blocks(base, of_block, whole=one_by_one, most=0 if one_by_one else MOST):
        for total, part in zip((expected, variance, drawn), parts, strict=True):
            total += part
    expected, variance, drawn = (np.maximum(v, 0.0) for v in (expected, variance, drawn))  # weights round
    return [Line(expected[:, at], drawn[:, at], variance[:, at]) for at in range(rows.lines)]


def enough(histories: int) -> int:
    """Draws for so many histories: the more there are, the better their parameters are known."""
    return next(draws for draws, most in _PARTS.items() if histories <= most)


def _coarse(histories: int, nodes: int) -> Array:
    """How far ages that share futures may be apart, in logarithm; nodes, the first, have their own."""
    rest = histories - nodes
    step = float(np.clip(_AGES * np.sqrt(rest / _FOR), _AGES, _COARSEST))
    return np.repeat([0.0, step], [nodes, rest])


class _Sums:
    """What the histories of a block add to lines, by what stands there: n, ΣS and ΣS², (lines, histories)."""

    def __init__(self, rows: Rows, block: Block, sums: Sequence[Array]) -> None:
        at = block.rows
        self._rows, self._block, self._sums = rows, block, sums
        terms = block.spend.expected_spend_terms(rows.base.spend_days[at])
        shape = block.stages.shape[1:]
        self._e = [rows.base.paid_share * np.broadcast_to(e, shape) for e in terms]
        self._means, self._squares = (np.zeros((3, len(rows.ends) + 1, len(at))) for _ in range(2))
        self.drawn = np.zeros((len(MEASURES), rows.lines, len(rows.ends) + 1, shape[0]))
        for part in at_hand(shape[0], len(at)):
            self._take(part)
        self._means /= shape[0]
        self._squares /= shape[0]

    def _take(self, draws: slice) -> None:
        """Add what customers do in some of the draws."""
        n, spend, _ = self._sums
        a, b = (e[draws] for e in self._e)
        model = some(self._block.purchase, draws)
        active, counts, kept = found = _means(self._rows, self._block.history, model, a.shape)
        worth = (((v * a) @ n.T + (v * b) @ spend.T) for v in (counts, kept))
        self.drawn[..., draws] = np.moveaxis(np.stack([active @ n.T, counts @ n.T, *worth]), -1, 1)
        for at, values in enumerate(found):
            self._means[at] += values.sum(axis=1)
            self._squares[at] += np.einsum("sdh,sdh->sh", values, values)

    def expected(self) -> Array:
        """Sums (measures, lines, spans) of means over draws, purchases and spend apart, as of a customer."""
        n, spend, _ = self._sums
        a, b = (e.mean(axis=0) for e in self._e)
        active, counts, kept = self._means
        worth = a * n + b * spend
        return np.stack([n @ active.T, n @ counts.T, worth @ counts.T, worth @ kept.T])

    def within(self, moments: Moments) -> Array:
        """Variances within a draw, (measures, lines, spans): of squares what the squared means leave."""
        n, spend, squares = self._sums
        (a, b), mean = self._e, np.mean
        worth = mean(a**2, axis=0) * n + 2 * mean(a * b, axis=0) * spend + mean(b**2, axis=0) * squares
        active, counts, kept = self._squares
        taken = [n @ active.T, n @ counts.T, worth @ counts.T, worth @ kept.T]
        found = -np.stack(taken)
        found[0] += n @ self._means[0].T
        first = 0
        for cell in self._block.cells():
            here = slice(first, first + len(cell.rows))
            first = here.stop
            single, square = _futures(self._rows, cell)
            found[1] += n[:, here] @ square[0].T
            pairs, alone = moments.of(cell, np.stack([v[:, here] for v in self._sums]))
            found[2:] += pairs @ np.moveaxis(square, 1, 2) + alone @ np.moveaxis(single, 1, 2)
        return found


def _means(rows: Rows, h: PurchaseHistory, model: Any, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """P(a purchase), purchases and discounted purchases by span and of all, each (spans, *shape)."""
    ends = rows.ends

    def each(values: Sequence[Array]) -> Array:
        return np.stack([np.broadcast_to(v, shape) for v in values])

    def spans(reached: Array) -> Array:
        return np.concatenate([reached if rows.nested else np.diff(reached, axis=0, prepend=0), reached[-1:]])

    active = [model.p_purchase(h, t, start) for start, t in zip(rows.starts, ends, strict=True)]
    active.append(active[-1] if rows.starts[-1] == 0 else model.p_purchase(h, ends[-1]))
    # Of a lifetime only the discounted purchases have a mean for certain.
    counts = each([model.expected_purchases(h, t) if np.isfinite(t) else np.zeros(1) for t in ends])
    same = rows.rate == 0 and np.isfinite(ends[-1])
    kept = counts if same else each([model.discounted_purchases(h, rows.rate, t) for t in ends])
    return each(active), spans(counts), spans(kept)


def _futures(rows: Rows, cell: Cell) -> tuple[Array, Array]:
    """Means of Σ d and Σ d² over futures: (2, spans, histories) of Σ d², and of the square of Σ d.

    The first of both has d = 1, the second the discount of each purchase.
    """
    draws = rows.base.draws
    size, coarse = samples(cell.x, draws), np.broadcast_to(rows.base.coarse, len(rows.base.history))
    if coarse[cell.rows[0]]:  # nodes are few, and each stands for many customers
        size = min(size, -(-_ENOUGH // draws))
    shape = draws, size
    single, square = [], []
    for future in cell.futures(shape):
        steps = np.zeros((len(rows.ends), 3, *shape))  # purchases, their discounts, and those squared
        for at, count, discount in _by_step(rows, cell.rng, future):
            steps[at] += count, count * discount, count * discount**2
        sums = np.moveaxis(rows.spanned(steps), 0, 1)
        single.append(sums[[0, 2]].mean(axis=-1))
        square.append((sums[:2] ** 2).mean(axis=-1))
    weigh = "jdh,jmsd->msh"
    return tuple(np.einsum(weigh, cell.stages, np.stack(v)) / draws for v in (single, square))


def _by_step(rows: Rows, rng: np.random.Generator, future: Future) -> Iterator[tuple[int, Array, Array]]:
    """Yield the step between two ends, the purchases and their mean discount, of each part of a future."""
    for at, (start, end) in enumerate(zip(rows.steps, rows.ends, strict=True)):
        steps = start + step_ends(end - start, rows.rate)
        for count, discount in discounted_counts(rng, future, steps, rows.rate):
            yield at, count, discount


def _drawn_one_by_one(rows: Rows, block: Block, size: int) -> Array:
    """Sums of the customers of a block, each drawn for itself, (measures, lines, spans, draws)."""
    total = np.zeros((len(MEASURES), rows.lines, len(rows.ends) + 1, size))
    everyone = (
        (cell, who[at : at + _TOGETHER])
        for cell in block.cells()
        for who in [np.repeat(np.arange(len(cell.rows)), rows.customers[cell.rows].astype(int))]
        for at in range(0, len(who), _TOGETHER)
    )
    for cell, who in everyone:
        spend = (rows.spend / np.maximum(rows.customers, 1))[cell.rows][who]
        member = np.equal.outer(np.arange(rows.lines), rows.line[cell.rows][who]).astype(float)
        shape = (size, len(who))
        p, q, gamma = vars(cell.spend).values()
        each = (gamma + spend) / cell.rng.standard_gamma(np.broadcast_to(q + p * cell.m, shape))
        stage = (cell.rng.random(shape) > np.cumsum(cell.stages, axis=0)[..., who]).sum(axis=0)
        for number, future in enumerate(cell.futures(shape)):
            here = stage == number
            steps = np.zeros((len(rows.ends), len(MEASURES), *shape))
            for at, count, discount in _by_step(rows, cell.rng, future):
                bought = count * here
                paid = cell.rng.binomial(bought.astype(np.int64), rows.base.paid_share)
                worth = each * cell.rng.standard_gamma(p * paid)
                steps[at, 1:] += bought, worth, worth * discount
            found = np.moveaxis(rows.spanned(steps), 0, 1)
            found[0] = found[1] > 0
            total += np.einsum("msdc,lc->mlsd", found, member)
    return total


class Moments:
    """Second moments of the value of purchases: E[(Σ d·z)²] = pairs·(Σ d)² + alone·Σ d².

    1/pace² has no mean where q + p·m ≤ 2: it is taken over all but what comes once in twenty bases.
    """

    def __init__(self, paid_share: float, rare: float) -> None:
        self._paid, self._rare = paid_share, rare
        self._known: dict[tuple[float, ...], tuple[Array, Array]] = {}

    def of(self, cell: Cell, sums: Array) -> tuple[Array, Array]:
        """Return (pairs, alone) of histories, summed over their customers; `sums` are n, ΣS and ΣS²."""
        p, q, gamma = (np.ravel(v) for v in vars(cell.spend).values())
        key = (cell.m, float(p[0]), float(q[0]), float(gamma[0]))
        if key not in self._known:
            pace = _inverse_square(q + p * cell.m, self._rare)
            scales = np.stack(np.broadcast_arrays(gamma**2, 2 * gamma, 1.0)) * pace
            once = self._paid * p + self._paid * (1 - self._paid) * p**2
            self._known[key] = (scales * (self._paid * p) ** 2).mean(axis=1), (scales * once).mean(axis=1)
        pairs, alone = self._known[key]
        return np.tensordot(pairs, sums, 1), np.tensordot(alone, sums, 1)


def _inverse_square(a: Array, rare: float) -> Array:
    """E[1/G²] of G ~ Gamma(a), without the smallest G, which come with probability `rare`."""
    nodes, weights = (v[:, None] for v in unit_nodes(128))
    low = np.log(np.maximum(gammaincinv(a, rare), 1e-300))
    high = np.log(a + 12 * np.sqrt(a) + 40)
    log_g = low + (high - low) * nodes
    density = np.exp((a - 2) * log_g - np.exp(log_g) - gammaln(a))
    return np.asarray((weights * (high - low) * density).sum(axis=0))
