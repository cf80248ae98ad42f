"""Few histories for many: nodes, and weights that give the same sums.

Given x, spend days and parameters, what a model says of a history is a smooth function of its age and its
recency. So a sum of it over many customers needs it at a few nodes only, each with a weight, such that every
polynomial of some degree sums as over the customers: Chebyshev nodes in the logarithm of age, and in that of
age over recency [T13]. Sums over some of the customers share the nodes, with weights of their own.

[T13] Trefethen (2013), Approximation Theory and Approximation Practice, chapters 4, 8 and 19.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array

from clv.forecasting.stream import Base, at_rows, together
from clv.models.draws import evenly, some
from clv.models.gamma_gamma import GammaGamma
from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array

ERROR = 1e-8  # of a sum over all who share x, spend days and parameters, by which nodes may miss it
SINGLE = 1e-6  # the same where each of them counts what it is missed by, whether too much or too little
_AGES, _RECENCIES, _PER_PURCHASE = 8, 8, 2  # nodes: the more purchases, the steeper in recency
_MORE = 1.5  # times as many, where they miss
_AHEAD = 10  # purchases' time, over which they are compared
_WORTH = 1.5  # histories for a node, below which they stay as they are
_ENTRIES = 20  # of nodes by line for a history, above which histories stay: what stands at nodes needs room
_DRAWS, _PROBES = 5, 500  # of the parameters, and histories, that are compared one by one
type _Entries = tuple[Any, ...]  # lines, histories, and for each sum what stands there


@dataclass(frozen=True, eq=False)
class Condensed:
    """Histories, the first of them `nodes`, and what stands at each for every line, (lines, histories)."""

    base: Base
    nodes: int
    sums: list[csc_array]

    @classmethod
    def plain(cls, base: Base, line: NDArray[np.intp], sums: Sequence[Array]) -> Condensed:
        """Return all histories as they are."""
        return cls(base, 0, _standing(line, [(line, np.arange(len(line)), *sums)]))

    @classmethod
    def of(cls, base: Base, line: NDArray[np.intp], sums: Sequence[Array]) -> Condensed:
        """Condense histories by the line and the sums, such as customers and their spend, of each.

        A smooth f has nearly the same sum(sums·f) over a line as before: of all customers together to ERROR,
        of a few of them, where errors do not cancel as well, to SINGLE.
        """
        h, weight = base.history, base.history.weight
        time = float(weight @ h.T) / float(weight @ (h.x + 1)) or 1.0  # for a purchase: all models' scale
        rest, first, found = [np.zeros(0, dtype=np.intp)], [np.zeros(0, dtype=np.intp)], list[_Entries]()
        laid = [(np.zeros(0), np.zeros(0))]
        size = 0
        order, starts = together(h.x, base.spend_days, base.groups)
        for rows in np.split(order, starts[1:-1]):
            grid = _fitting(base, rows, line[rows], sums[0][rows], time)
            if grid is None:
                rest.append(rows)
                continue
            found += grid.entries(line[rows], [values[rows] for values in sums], size)
            laid.append((grid.t_x, grid.T))
            first.append(np.full(len(grid.T), rows[0]))
            size += len(grid.T)
        direct = np.concatenate(rest)
        found.append((line[direct], size + np.arange(len(direct)), *(values[direct] for values in sums)))
        index = np.concatenate([*first, direct])
        t_x, T = (np.concatenate(v) for v in zip(*laid, (h.t_x[direct], h.T[direct]), strict=True))
        fewer = dataclasses.replace(
            base,
            purchase=at_rows(base.purchase, index),
            spend=at_rows(base.spend, index),
            history=dataclasses.replace(h.rows(index), t_x=t_x, T=T, weight=np.ones(len(index))),
            spend_days=base.spend_days[index],
            group=None if base.group is None else base.group[index],
        )
        return cls(fewer, size, _standing(line, found))


def nodes_of(purchase: Any, history: PurchaseHistory) -> tuple[PurchaseHistory, Array]:
    """Return fewer histories, and the customers that stand at each: what follows from purchases alone."""
    none = np.zeros(len(history))
    base = Base(purchase, GammaGamma(1.0, 2.0, 1.0), history, none)  # of a spend that nothing asks for
    found = Condensed.of(base, none.astype(np.intp), [history.weight])
    return found.base.history, found.sums[0].toarray()[0]


@dataclass(frozen=True, eq=False)
class _Grid:
    """Nodes for histories: ages and recencies, and what makes weights of what stands at histories."""

    t_x: Array
    T: Array
    by_age: Array
    by_recency: Array

    @classmethod
    def of(cls, h: PurchaseHistory, time: float, sizes: tuple[int, int]) -> _Grid:
        """Lay out so many nodes in age and recency; one, where histories do not differ in it."""
        t_x, T = h.t_x, h.T
        ages, age = _nodes(np.log1p(T / time), sizes[0])
        if not t_x[0]:
            return cls(np.zeros(len(ages)), time * np.expm1(ages), age, np.ones((len(T), 1)))
        # From 0, for a purchase at T, to 1, for one at 0: nodes of all ages are inside.
        parts, part = _nodes(1 - np.log1p(t_x / time) / np.log1p(T / time), sizes[1])
        found = time * np.expm1(np.outer(ages, 1 - parts))
        T = np.repeat(time * np.expm1(ages), len(parts))
        return cls(np.clip(found.ravel(), np.finfo(float).tiny, T), T, age, part)

    def at(self, values: Array, rows: Any) -> Array:
        """Return what values at nodes, (…, nodes), come to at some of the histories."""
        table = values.reshape(-1, self.by_age.shape[1], self.by_recency.shape[1])
        by = self.by_age[rows], self.by_recency[rows]
        return np.asarray(np.einsum("ra,kap,rp->kr", by[0], table, by[1], optimize=True))

    def weights(self, values: Array, rows: Any = slice(None)) -> Array:
        """Return what stands at nodes for the values of some of the histories."""
        return np.asarray((self.by_age[rows].T * values) @ self.by_recency[rows]).ravel()

    def entries(self, line: NDArray[np.intp], sums: Sequence[Array], first: int) -> Iterator[_Entries]:
        """Yield what stands at the nodes, numbered from `first`, for every line."""
        order, starts = together(line)
        places = first + np.arange(len(self.T))
        for own in np.split(order, starts[1:-1]):
            weights = (self.weights(values[own], own) for values in sums)
            yield np.full(len(places), line[own[0]]), places, *weights


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


def _fitting(
    base: Base, rows: NDArray[np.intp], line: NDArray[np.intp], customers: Array, time: float
) -> _Grid | None:
    """Return as few nodes as tell the same of these customers; None where few are too few."""
    h, own = base.history.rows(rows), at_rows(base.purchase, rows[:1])
    one, few = some(own, slice(0, 1)), evenly(own, _DRAWS)
    probe = np.linspace(0, len(rows) - 1, min(_PROBES, len(rows))).astype(np.intp)
    x, lines = float(h.x[0]), len(np.unique(line))
    ages, recencies = float(_AGES), _RECENCIES + _PER_PURCHASE * x if x else 1.0
    exact: list[Array] = []
    while len(rows) >= int(ages) * int(recencies) * max(_WORTH, lines / _ENTRIES):
        grid = _Grid.of(h, time, (int(ages), int(recencies)))
        at = dataclasses.replace(h.rows(np.zeros(len(grid.T), dtype=int)), t_x=grid.t_x, T=grid.T)
        exact = exact or [_told(one, h, time) @ customers, _told(few, h.rows(probe), time)]
        missed = np.abs(_told(one, at, time) @ grid.weights(customers) - exact[0])
        single = np.abs(grid.at(_told(few, at, time), probe) - exact[1]) @ customers[probe]
        enough = np.all(single <= SINGLE * np.max(exact[1] @ customers[probe]))
        if enough and np.all(missed <= ERROR * np.max(exact[0])):
            return grid
        ages, recencies = _MORE * ages, _MORE * recencies if x else 1.0
    return None


def _told(model: Any, h: Any, time: float) -> Array:
    """What nodes have to get right: whether customers are alive, and purchases, (…, histories)."""
    found = (model.p_stages(h), model.expected_purchases(h, _AHEAD * time))
    return np.concatenate(
        [np.broadcast_to(v, (*np.shape(v)[:-1], len(h))).reshape(-1, len(h)) for v in found]
    )


def _standing(line: NDArray[np.intp], found: Sequence[_Entries]) -> list[csc_array]:
    """What stands at each history for every line, of entries by line and history."""
    rows, columns, *standing = (np.concatenate(v) for v in zip(*found, strict=True))
    shape = int(line.max(initial=0)) + 1, int(columns.max(initial=-1)) + 1
    return [csc_array(coo_array((values, (rows, columns)), shape=shape)) for values in standing]
