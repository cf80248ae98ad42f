"""Work on distinct rows: formulas are evaluated once for each and gathered; equal rows are counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from clv.models.protocols import Array, Parameter

type Distinct = tuple[tuple[Array, ...], NDArray[np.intp]]  # distinct rows, and the number of each row's like

_SPARSE = 16  # numbers for one that is taken, above which sorting is faster than a table


def by_history(parameters: Sequence[Parameter]) -> bool:
    """Whether a parameter varies by history, so that equal rows are not alike."""
    return any(not isinstance(p, float) and np.ndim(p) > 0 and np.shape(p)[-1] != 1 for p in parameters)


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
    keys, tops = _numbered(columns, sizes)
    if keys is not None:
        there = np.zeros(math.prod(tops), dtype=bool)
        there[keys] = True
        rest = np.flatnonzero(there)
        codes = np.empty(len(there), dtype=np.int32)
        codes[rest] = np.arange(len(rest))
        values = []
        for top, size in reversed(list(zip_longest(tops, sizes, fillvalue=1.0))):
            rest, whole = np.divmod(rest, top)
            values.append(whole / size)
        return tuple(reversed(values)), codes[keys].astype(np.intp)
    order = np.lexsort(columns[::-1])
    new = np.any([np.diff(column[order], prepend=np.nan) != 0 for column in columns], axis=0)
    inverse = np.empty(len(order), dtype=np.intp)
    inverse[order] = np.cumsum(new) - 1
    return tuple(column[order[new]] for column in columns), inverse


def _numbered(columns: Sequence[Array], sizes: Sequence[float]) -> tuple[NDArray[np.int64] | None, list[int]]:
    """One number a row, and a bound of each column, where columns are whole and the numbers few enough."""
    keys, tops = np.zeros(len(columns[0]), dtype=np.int64), list[int]()
    most = _SPARSE * len(keys) + 1e5
    for column, size in zip_longest(columns, sizes, fillvalue=1.0):
        whole = np.rint(column * size)
        if not whole.max(initial=0) < most or not np.array_equal(whole / size, column):
            return None, tops
        tops.append(int(whole.max(initial=0)) + 1)
        if math.prod(tops) > most:
            return None, tops
        keys = keys * tops[-1] + whole.astype(np.int64)
    return keys, tops
