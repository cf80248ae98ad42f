"""Every draw of every distinct history, in blocks: simulated once for all who share x, T and spend days.

What a customer will do follows from its draw of the parameters, from whether it is alive, and from x and T
alone. So futures are simulated of customers alive, a draw of each at a time, and every history weighs them
by its own probabilities of being alive: no chance is left to the part that is known. Spend enters as
(gamma + S)·W: quantiles are linear in S between the least and the greatest S of the customers who share W.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clv.models.draws import WORKERS, draws_of, evenly, some
from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array, Parameter, PurchaseModel, SpendModel
from clv.models.simulation import Future

LEVELS = (0.05, 0.5, 0.95)
DRAWS = 100  # of the parameters that a customer's band is taken over: chance is by far the larger part of it
FEWEST, MOST = 1000, 16_000  # futures a history is weighed over: ranks at 5 and 95 % are right to .7 and .2 %
_AGES = 0.02  # of their logarithm, between ages that share futures: 1 % at most, where chance leaves 3 %
_SEED = 0  # the same futures for the same x, age and spend days, whatever stands beside them
_GRID = 256  # values between which quantiles are looked for
_CELLS = 2**17  # probabilities of being alive at a time
_STEP = 0.1  # part of 1/rate over which purchases are discounted at one mean
_GROWTH = 0.25  # of steps, against the time behind them
_FADED = 14.0  # times 1/rate after which a millionth is left


@dataclass(frozen=True, eq=False)
class Base:
    """Distinct histories with the models of each, and how many of their purchases bring money.

    Parameters of the models are numbers, (draws, 1) or (draws, histories). `group` numbers histories whose
    parameters differ. With `coarse`, ages whose logarithms are less than that apart share their futures,
    though not their chance to be alive; it is one number, or each history's.
    """

    purchase: PurchaseModel
    spend: SpendModel
    history: PurchaseHistory
    spend_days: Array
    paid_share: float = 1.0
    group: NDArray[np.intp] | None = None
    coarse: Array | float = 0.0

    @property
    def groups(self) -> Array:
        """The group of each history, 0 where all have the same parameters."""
        return np.zeros(len(self.history)) if self.group is None else self.group.astype(float)

    def ages(self, rows: Any) -> Array:
        """Ages of some histories that their futures are drawn of."""
        T, step = self.history.T[rows], np.broadcast_to(self.coarse, len(self.history))[rows]
        moved = (T > 0) & (step > 0)
        log_T, step = np.log(np.where(moved, T, 1.0)), np.where(moved, step, 1.0)
        return np.where(moved, np.exp(step * np.rint(log_T / step)), T)

    def paired(self, most: int) -> Base:
        """Return the same with as many draws in either model, `most` at most, evenly from those there are."""
        sizes = [size for size in (draws_of(self.purchase), draws_of(self.spend)) if size]
        size = min([most, *sizes])
        return dataclasses.replace(self, purchase=evenly(self.purchase, size), spend=evenly(self.spend, size))

    def repeated(self, times: int) -> Base:
        """Return the same with each draw several times over, where there are draws."""
        purchase, spend = (
            some(model, np.repeat(np.arange(draws_of(model)), times)) for model in (self.purchase, self.spend)
        )
        return dataclasses.replace(self, purchase=purchase, spend=spend)

    @property
    def draws(self) -> int:
        """Draws of the parameters, 1 where they are numbers."""
        return max(draws_of(self.purchase), draws_of(self.spend), 1)


@dataclass(frozen=True, eq=False)
class Cell:
    """Histories that share x, T, spend days and parameters, (draws, 1), with a source of chance of their own.

    `stages` are their probabilities of being alive, (stages, draws, histories); `rows` their places.
    """

    rows: NDArray[np.intp]
    x: float
    T: float
    m: float
    purchase: Any
    spend: Any
    stages: Array
    rng: np.random.Generator

    def futures(self, shape: tuple[int, int]) -> Iterator[Future]:
        """Draw customers alive in each stage, (draws, samples)."""
        for stage in range(len(self.stages)):
            yield self.purchase.future(self.rng, self.x, self.T, stage, shape)


@dataclass(frozen=True, eq=False)
class Block:
    """Some histories, the `rows` of a base, with their models and probabilities of being alive."""

    base: Base
    rows: NDArray[np.intp]
    bounds: NDArray[np.intp]

    @cached_property
    def history(self) -> PurchaseHistory:
        """Their histories, in the order of rows."""
        return self.base.history.rows(self.rows)

    @cached_property
    def purchase(self) -> Any:
        """Their purchase model."""
        return at_rows(self.base.purchase, self.rows)

    @cached_property
    def spend(self) -> Any:
        """Their spend model."""
        return at_rows(self.base.spend, self.rows)

    @cached_property
    def stages(self) -> Array:
        """Probabilities of being alive, (stages, draws, histories)."""
        found = np.asarray(self.purchase.p_stages(self.history))
        shape = len(found), self.base.draws, len(self.rows)
        return np.broadcast_to(found.reshape(len(found), -1, len(self.rows)), shape)

    def cells(self) -> Iterator[Cell]:
        """Yield the cells in it."""
        base = self.base
        for start, end in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            first = self.rows[start]
            x, T, m = base.history.x[first], base.ages(first), base.spend_days[first]
            group = 0 if base.group is None else int(base.group[first])
            own = [_SEED, int(x), int(np.float64(T * base.history.unit).view(np.uint64)), int(m), group]
            yield Cell(
                self.rows[start:end],
                float(x),
                float(T),
                float(m),
                at_rows(self.purchase, [start]),
                at_rows(self.spend, [start]),
                self.stages[..., start:end],
                np.random.Generator(np.random.SFC64(own)),
            )


def over_blocks[R](
    base: Base, work: Callable[[Block], R], *, whole: bool = False, most: int = 0
) -> Iterator[R]:
    """Yield what `work` finds of every block, on a few threads, in order.

    Pieces of a cell too large for a block have the same futures; `whole` keeps it together. A block has
    `most` histories, by default as many as all draws at once leave room for.
    """
    order, starts = _cells(base)
    most = most or max(1, _CELLS // base.draws)
    blocks = (Block(base, order[b[0] : b[-1]], b - b[0]) for b in _blocks(starts, most, whole))
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(work, blocks)


def _cells(base: Base) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order histories by cell; returns also where each cell starts, and the end."""
    return together(base.history.x, base.ages(slice(None)), base.spend_days, base.groups)


def together(*keys: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order rows so that equal ones stand together; returns also where each run starts, and the end."""
    order = np.lexsort(keys[::-1])
    new = np.any([np.diff(key[order], prepend=np.nan) != 0 for key in keys], axis=0)
    return order, np.append(np.flatnonzero(new), len(order))


def _blocks(starts: NDArray[np.intp], most: int, whole: bool) -> Iterator[NDArray[np.intp]]:
    """Boundaries of cells in blocks: as many as fit, and no cell in pieces but one too large."""
    first = 0
    while first < len(starts) - 1:
        last = int(np.searchsorted(starts, starts[first] + most, side="right")) - 1
        last = max(last, first + whole)
        if last > first:
            yield starts[first : last + 1]
        else:
            pieces = range(starts[first], starts[first + 1], most)
            yield from (np.array([at, min(at + most, starts[first + 1])]) for at in pieces)
            last = first + 1
        first = last


def at_rows(model: Any, rows: Any) -> Any:
    """Return a model with the parameters of some histories, where they differ by history."""
    fields = {f.name: getattr(model, f.name) for f in dataclasses.fields(model)}
    own = {name: v[..., rows] for name, v in fields.items() if np.ndim(v) and v.shape[-1] > 1}
    return dataclasses.replace(model, **own) if own else model


@dataclass(frozen=True, eq=False)
class Bands:
    """Quantiles of each history, linear in S: (levels, 2, histories), intercept and slope.

    `value` is discounted revenue at LEVELS; `spend` the customer's own mean value of a purchase at the first
    and the last of them; `next_purchase` the time after T by which half would have bought again, infinite
    where fewer ever will.
    """

    value: Array
    spend: Array
    next_purchase: Array


def bands(base: Base, low: Array, high: Array, *, t: float, rate: float) -> Bands:
    """Return quantiles over parameters and chance of what histories do in (T, T + t].

    `low` and `high` are the least and the greatest S of each history's customers; `t` and `rate` are in the
    history's time unit.
    """
    base, size = dataclasses.replace(base.paired(DRAWS), coarse=_AGES), len(base.history)
    found = Bands(np.zeros((3, 2, size)), np.zeros((2, 2, size)), np.zeros(size))
    ends = step_ends(t, rate)
    low, high = _over_cell(np.minimum, base, low), _over_cell(np.maximum, base, high)

    def of_cell(cell: Cell) -> None:
        shape = base.draws, samples(cell.x, base.draws)
        p, q, gamma = (np.broadcast_to(v, (base.draws, 1)) for v in vars(cell.spend).values())
        pace = cell.rng.standard_gamma(np.broadcast_to(q + p * cell.m, shape))
        lived = [_lived(cell, future, ends, rate, base.paid_share) for future in cell.futures(shape)]
        first, worth = (np.concatenate(values) for values in zip(*lived, strict=True))
        weights = cell.stages.reshape(-1, len(cell.rows)).T
        nodes = low[cell.rows[0]], high[cell.rows[0]]
        own = [(gamma + S) / pace for S in dict.fromkeys(nodes)]
        stages = len(lived)
        value = [quantiles(worth * np.tile(v, (stages, 1)), weights, base.draws, LEVELS) for v in own]
        found.value[..., cell.rows] = _line(nodes, value)
        mean = [np.quantile(p * v, [LEVELS[0], LEVELS[-1]])[:, None] for v in own]
        found.spend[..., cell.rows] = _line(nodes, mean)
        found.next_purchase[cell.rows] = quantiles(first, weights, base.draws, [0.5], last=True)[0]

    def of_block(block: Block) -> None:
        for cell in block.cells():
            of_cell(cell)

    list(over_blocks(base, of_block))
    return found


def samples(x: float, draws: int) -> int:
    """Futures to take of each draw: the more, the less a customer has shown of itself."""
    return -(-max(FEWEST, int(MOST / (1 + x) ** 2)) // draws)


def _over_cell(reduce: np.ufunc, base: Base, values: Array) -> Array:
    """Reduce values over each cell, and give them to all its histories."""
    order, starts = _cells(base)
    found = np.empty_like(values)
    found[order] = np.repeat(reduce.reduceat(values[order], starts[:-1]), np.diff(starts))
    return found


def _lived(cell: Cell, future: Future, ends: Array, rate: float, paid_share: float) -> tuple[Array, Array]:
    """Time of the first purchase, and what purchases are worth in the end, against 1/pace·(gamma + S)."""
    first, worth = future.first(cell.rng), np.zeros(future.rate.shape)
    for count, discount in discounted_counts(cell.rng, future, ends, rate):
        paid = count if paid_share == 1 else cell.rng.binomial(count.astype(np.int64), paid_share)
        worth += discount * cell.rng.standard_gamma(cell.spend.p * paid)
    return first, worth


def discounted_counts(
    rng: np.random.Generator, future: Future, ends: Sequence[Parameter] | Array, rate: float
) -> Iterator[tuple[Array, Array]]:
    """Yield purchases up to each end, and the mean of their discount to T."""
    for end in ends:
        start = future.clock
        count, there = future.purchases(rng, end)
        if rate == 0:
            yield count, np.ones(count.shape)
            continue
        span = rate * there
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(span > 0, -np.expm1(-span) / span, 1.0)
            # Who leaves at a purchase makes it at the end, and the others before.
            last = (mean * (count - 1) + np.exp(-span)) / count
        mean = np.where((future.rate == 0) & (count > 0), last, mean)
        yield count, np.exp(-rate * start) * mean


def step_ends(t: float, rate: float) -> Array:
    """Return ends of steps up to t so short, against 1/rate, that a discount serves each."""
    if rate == 0:
        return np.array([t])
    ends, at = [], 0.0
    while at < min(t * rate, _FADED):
        at = min(at + max(_STEP, _GROWTH * at), t * rate)
        ends.append(at / rate)
    return np.array(ends)


def quantiles(values: Array, weights: Array, total: float, levels: Any, last: bool = False) -> Array:
    """Quantiles (levels, columns) of values (draws, samples), draws weighing `weights` (columns, draws).

    What the weights of a column lack of `total` is worth 0, less than all values; or infinity, with `last`.
    """
    draws, samples = values.shape
    grid = np.sort(values, axis=None)[np.linspace(0, values.size - 1, _GRID).astype(int)]
    place = np.searchsorted(grid, values) + np.arange(draws)[:, None] * (_GRID + 1)
    counts = np.bincount(place.ravel(), minlength=draws * (_GRID + 1)).reshape(draws, -1)[:, :_GRID]
    reached = np.ascontiguousarray(np.cumsum(counts, axis=1).T / (samples * total))
    below = np.zeros(len(weights)) if last else 1 - weights.sum(axis=1) / total

    def share(place: NDArray[np.intp]) -> Array:  # of what is no more than the grid's value there
        return np.asarray(below + np.einsum("lcd,cd->lc", reached[place], weights))

    asked = np.asarray(levels)[:, None]
    low, high = (np.full((len(asked), len(weights)), at) for at in (-1, _GRID - 1))
    for _ in range(_GRID.bit_length()):
        middle = (low + high) // 2
        enough = share(np.maximum(middle, 0)) >= asked
        low, high = np.where(enough, low, middle), np.where(enough, np.maximum(middle, 0), high)
    left = np.maximum(low, 0)
    start, end = share(left), share(high)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.clip((asked - start) / (end - start), 0.0, 1.0)
        value = np.where(high > left, grid[left] + part * (grid[high] - grid[left]), grid[high])
    value = np.where((end < asked) | np.isinf(grid[high]), np.inf, value)
    return np.where(asked <= below, 0.0, value)


def _line(nodes: tuple[float, float], values: Any) -> Array:
    """Intercept and slope, (levels, 2, …), of a line through values at two nodes."""
    low, high = nodes
    slope = (values[1] - values[0]) / (high - low) if len(values) > 1 else np.zeros_like(values[0])
    return np.stack([values[0] - slope * low, slope], axis=1)
