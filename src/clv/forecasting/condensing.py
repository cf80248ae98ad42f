"""Few histories for many: nodes, and weights that give the same sums.

Given x, spend days and parameters, what a model says of a history is a smooth function of its age and its
recency. So a sum of it over many customers needs it at a few nodes only, each with a weight, such that every
polynomial of some degree sums as over the customers: Chebyshev nodes in the logarithm of age, and in that of
age over recency [T13]. Sums over some of the customers share the nodes, with weights of their own.

[T13] Trefethen (2013), Approximation Theory and Approximation Practice, chapters 4, 8 and 19.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array

from clv.forecasting.stream import Base, at_rows, together
from clv.models.draws import some
from clv.models.gamma_gamma import GammaGamma
from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array

ERROR = 1e-8  # of a sum over all who share x, spend days and parameters, by which nodes may miss it
_AGES, _RECENCIES, _PER_PURCHASE = 8, 8, 2  # nodes: the more purchases, the steeper in recency
_MORE = 1.5  # times as many, where they miss
_AHEAD = 10  # purchases' time, over which they are compared
_WORTH = 1.5  # histories for a node, below which they stay as they are


@dataclass(frozen=True, eq=False)
class Condensed:
    """Histories, the last of them `nodes`, and what stands at each for every line, (lines, histories)."""

    base: Base
    nodes: int
    sums: list[csc_array]

    @classmethod
    def plain(cls, base: Base, line: NDArray[np.intp], sums: Sequence[Array]) -> Condensed:
        """Return all histories as they are."""
        return cls(base, 0, _placed(np.arange(len(line)), [], line, sums))

    @classmethod
    def of(cls, base: Base, line: NDArray[np.intp], sums: Sequence[Array]) -> Condensed:
        """Condense histories by the line and the sums, such as customers and their spend, of each.

        A smooth f has nearly the same sum(sums·f) over a line as before. What is checked is the sum over all
        customers, to ERROR; errors of single lines do not cancel as well.
        """
        h, weight = base.history, base.history.weight
        time = float(weight @ h.T) / float(weight @ (h.x + 1)) or 1.0  # for a purchase: all models' scale
        rest, grids = [np.zeros(0, dtype=np.intp)], list[_Grid]()
        order, starts = together(h.x, base.spend_days, base.groups)
        for rows in np.split(order, starts[1:-1]):
            grid = _fitting(base, rows, sums[0][rows], time)
            rest.append(rows) if grid is None else grids.append(grid)
        direct = np.concatenate(rest)
        index = np.concatenate([direct, *(np.full(len(grid.T), grid.rows[0]) for grid in grids)])
        history = dataclasses.replace(
            h.rows(index),
            t_x=np.concatenate([h.t_x[direct], *(grid.t_x for grid in grids)]),
            T=np.concatenate([h.T[direct], *(grid.T for grid in grids)]),
        )
        fewer = dataclasses.replace(
            base,
            purchase=at_rows(base.purchase, index),
            spend=at_rows(base.spend, index),
            history=history,
            spend_days=base.spend_days[index],
            group=None if base.group is None else base.group[index],
        )
        return cls(fewer, len(index) - len(direct), _placed(direct, grids, line, sums))


def nodes_of(purchase: Any, history: PurchaseHistory) -> tuple[PurchaseHistory, Array]:
    """Return fewer histories, and the customers that stand at each: what follows from purchases alone."""
    none = np.zeros(len(history))
    base = Base(purchase, GammaGamma(1.0, 2.0, 1.0), history, none)  # of a spend that nothing asks for
    found = Condensed.of(base, none.astype(np.intp), [history.weight])
    return found.base.history, found.sums[0].toarray()[0]


@dataclass(frozen=True, eq=False)
class _Grid:
    """Nodes for the histories `rows`: ages and recencies, and what makes weights of what stands at rows."""

    rows: NDArray[np.intp]
    t_x: Array
    T: Array
    by_age: Array
    by_recency: Array

    @classmethod
    def of(cls, base: Base, rows: NDArray[np.intp], time: float, sizes: tuple[int, int]) -> _Grid:
        """Lay out so many nodes in age and recency; one, where histories do not differ in it."""
        t_x, T = base.history.t_x[rows], base.history.T[rows]
        ages, age = _nodes(np.log1p(T / time), sizes[0])
        if not t_x[0]:
            return cls(rows, np.zeros(len(ages)), time * np.expm1(ages), age, np.ones((len(rows), 1)))
        # From 0, for a purchase at T, to 1, for one at 0: nodes of all ages are inside.
        parts, part = _nodes(1 - np.log1p(t_x / time) / np.log1p(T / time), sizes[1])
        found = time * np.expm1(np.outer(ages, 1 - parts))
        T = np.repeat(time * np.expm1(ages), len(parts))
        return cls(rows, np.clip(found.ravel(), np.finfo(float).tiny, T), T, age, part)

    def weights(self, values: Array, part: Any = slice(None)) -> Array:
        """Return what stands at nodes for the values of some of the rows."""
        return np.asarray((self.by_age[part].T * values) @ self.by_recency[part]).ravel()


def _nodes(values: Array, size: int) -> tuple[Array, Array]:
    """Chebyshev nodes over the range of values, and the cardinal polynomial of each, (values, nodes)."""
    low, high = values.min(), values.max()
    if high - low < 1e-9 * max(abs(high), 1.0):
        return values[:1], np.ones((len(values), 1))
    at = np.cos(np.pi * (np.arange(size) + 0.5) / size)
    scale = np.full(size, 2 / size)
    scale[0] /= 2
    places = np.clip((2 * values - low - high) / (high - low), -1, 1)
    cardinal = chebvander(places, size - 1) @ (chebvander(at, size - 1) * scale).T
    return (low + high + (high - low) * at) / 2, cardinal


def _fitting(base: Base, rows: NDArray[np.intp], customers: Array, time: float) -> _Grid | None:
    """Return as few nodes as give what the first draw says of these customers; None where few are too few."""
    h, model = base.history.rows(rows), some(at_rows(base.purchase, rows[:1]), slice(0, 1))
    x = float(h.x[0])
    ages, recencies = float(_AGES), _RECENCIES + _PER_PURCHASE * x if x else 1.0
    exact = None
    while len(rows) >= _WORTH * int(ages) * int(recencies):
        grid = _Grid.of(base, rows, time, (int(ages), int(recencies)))
        at = dataclasses.replace(h.rows(np.zeros(len(grid.T), dtype=int)), t_x=grid.t_x, T=grid.T)
        exact = _told(model, h, time) @ customers if exact is None else exact
        found = _told(model, at, time) @ grid.weights(customers)
        if np.all(np.abs(found - exact) <= ERROR * np.max(np.abs(exact))):
            return grid
        ages, recencies = _MORE * ages, _MORE * recencies if x else 1.0
    return None


def _told(model: Any, h: Any, time: float) -> Array:
    """What nodes have to get right: whether customers are alive, and purchases, (…, histories)."""
    found = (model.p_stages(h), model.expected_purchases(h, _AHEAD * time))
    return np.concatenate(
        [np.broadcast_to(v, (*np.shape(v)[:-1], len(h))).reshape(-1, len(h)) for v in found]
    )


def _placed(
    direct: NDArray[np.intp], grids: Sequence[_Grid], line: NDArray[np.intp], sums: Sequence[Array]
) -> list[csc_array]:
    """What stands at each history, and behind them at each node, for every line."""
    found = [(line[direct], np.arange(len(direct)), *(values[direct] for values in sums))]
    size = len(direct)
    for grid in grids:
        order = np.argsort(line[grid.rows], kind="stable")
        starts = np.flatnonzero(np.diff(line[grid.rows][order], prepend=-1))
        places = size + np.arange(len(grid.T))
        for part in np.split(order, starts[1:]):
            own = grid.rows[part]
            weights = (grid.weights(values[own], part) for values in sums)
            found.append((np.full(len(places), line[own[0]]), places, *weights))
        size += len(places)
    rows, columns, *standing = (np.concatenate(v) for v in zip(*found, strict=True))
    shape = int(line.max(initial=0)) + 1, size
    return [csc_array(coo_array((values, (rows, columns)), shape=shape)) for values in standing]
