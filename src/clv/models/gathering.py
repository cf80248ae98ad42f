"""Work on distinct rows: formulas are evaluated once for each and gathered; equal rows are counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from clv.models.protocols import Array, Parameter

type Distinct = tuple[tuple[Array, ...], NDArray[np.intp]]  # distinct rows, and the number of each row's like

_SPARSE = 16  # numbers for one that is taken, above which sorting is faster than a table


def by_history(parameters: Sequence[Parameter]) -> bool:
    """Whether a parameter varies by history, so that equal rows are not alike."""
    return any(np.ndim(p) > 0 and np.shape(p)[-1] != 1 for p in parameters)


def gather(
    f: Callable[..., Array],
    rows: Distinct,
    columns: tuple[Array, ...],
    parameters: Sequence[Parameter],
) -> Array:
    """Evaluate f on distinct rows and gather; on all rows where a parameter varies by history."""
    if by_history(parameters):
        return f(*columns)
    values, inverse = rows
    return f(*values).take(inverse, axis=-1)


def distinct(*columns: Array, sizes: Sequence[float] = ()) -> Distinct:
    """Distinct rows, and for each row the number of its like.

    Columns that are whole when multiplied by their size (times in weeks, by 7) make one number a row, and a
    table of those takes no sorting.
    """
    keys, span = _numbered(columns, sizes)
    if keys is not None:
        there = np.zeros(span, dtype=bool)
        there[keys] = True
        inverse = (np.cumsum(there, dtype=np.int32) - 1)[keys].astype(np.intp)
        first = np.empty(int(there.sum()), dtype=np.intp)
        first[inverse] = np.arange(len(inverse))
        return tuple(column[first] for column in columns), inverse
    order = np.lexsort(columns[::-1])
    new = np.any([np.diff(column[order], prepend=np.nan) != 0 for column in columns], axis=0)
    inverse = np.empty(len(order), dtype=np.intp)
    inverse[order] = np.cumsum(new) - 1
    return tuple(column[order[new]] for column in columns), inverse


def _numbered(columns: Sequence[Array], sizes: Sequence[float]) -> tuple[NDArray[np.int64] | None, int]:
    """One number a row, and a bound of them, where columns are whole and the numbers small enough."""
    keys, span = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column, size in zip_longest(columns, sizes, fillvalue=1.0):
        whole = np.rint(column * size)
        top = float(whole.max(initial=0))
        if top >= _SPARSE * len(keys) + 1e5 or not np.array_equal(whole / size, column):
            return None, 0
        span *= int(top) + 1
        if span > _SPARSE * len(keys) + 1e5:
            return None, 0
        keys = keys * (int(top) + 1) + whole.astype(np.int64)
    return keys, span
