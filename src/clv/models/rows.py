"""Distinct rows with a weight, and what can be done to any of them: what every kind of history is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clv.errors import DataError
from clv.models.gathering import distinct
from clv.models.protocols import Array


@dataclass(frozen=True)
class Rows:
    """Distinct rows with a weight; rows of different groups differ.

    `group` holds a label for each row, or its number in `labels`, where those are given.
    """

    group: NDArray[Any] | None = dataclasses.field(default=None, kw_only=True)
    labels: tuple[str, ...] = dataclasses.field(default=(), kw_only=True)

    nobody: ClassVar[str] = "there are no customers, or all have weight 0"

    if TYPE_CHECKING:

        @property
        def weight(self) -> Array:
            """Customers who share each row."""

    @property
    def _measured_in(self) -> dict[str, float]:
        """How many of what is likely to be whole go into one, for columns that are not whole themselves."""
        return {}

    def __len__(self) -> int:
        return len(self.weight)

    def history[H](self, kind: type[H], by: Sequence[str] = ()) -> H:
        """Return its distinct rows, so that a history built by hand can be fitted directly.

        Raises DataError D047 for another kind of history.
        """
        if not isinstance(self, kind) or (by and not self.labels):
            raise DataError(
                f"D047 {kind.__name__} is needed{' by ' + ', '.join(by) if by else ''}; got a "
                f"{type(self).__name__}. Pass an RFM table, or build the history this model reads."
            )
        return self._grouped()

    def codes(self, labels: Sequence[str]) -> NDArray[np.intp]:
        """Return each row's place among `labels`; DataError D041 for a group that is not there."""
        if self.group is None:
            raise DataError("D047 a fit by groups needs a history by groups; got one without. Give group=…")
        unknown = sorted(set(self.labels) - set(labels))
        if unknown:
            raise DataError(
                f"D041 {', '.join(unknown[:5])} ({len(unknown)} groups) was not there when the fit was made. "
                "Fit again, or leave these customers out."
            )
        places = np.array([list(labels).index(label) for label in self.labels], dtype=np.intp)
        return np.asarray(places[self.group])

    def parts(self) -> list[Self]:
        """Return the rows of each group as a history of its own, in the order of `labels`."""
        alone = [self.rows(np.asarray(self.group == code)) for code in range(len(self.labels))]
        return [dataclasses.replace(part, group=None, labels=()) for part in alone]

    def whole(self) -> Self:
        """Return the distinct rows of all groups together."""
        return dataclasses.replace(self, group=None, labels=())._grouped()

    def rows(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Self:
        """Return some of the rows."""
        columns: dict[str, Any] = {name: column[rows] for name, column in self._columns().items()}
        return dataclasses.replace(self, **columns)

    def _columns(self) -> dict[str, NDArray[Any]]:
        names = [f.name for f in dataclasses.fields(self) if f.name not in ("unit", "labels")]
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _grouped(self) -> Self:
        """Return the distinct rows with the sum of their weights, and the mean of what is no key."""
        columns = self._columns()
        weight, gaps = columns.pop("weight"), columns.pop("log_gaps", None)
        sizes = [self._measured_in.get(name, 1.0) for name in columns]
        values, inverse = distinct(*columns.values(), sizes=sizes)
        if len(values[0]) == len(weight):
            return self
        found: dict[str, Any] = dict(zip(columns, values, strict=True)) | {
            "weight": np.bincount(inverse, weight)
        }
        if gaps is not None:
            found["log_gaps"] = np.bincount(inverse, gaps * weight) / np.maximum(found["weight"], 1e-300)
        return dataclasses.replace(self, **found)


@dataclass(frozen=True)
class CountedRows(Rows):
    """Rows in which time is counted, not measured."""

    def typical(self) -> float:
        """One: the unit of counting."""
        return 1.0

    def rescaled(self, size: float) -> Self:
        """Return itself; DataError D047 for any size but 1: what was counted cannot be split afterwards."""
        if size != 1:
            raise DataError(
                f"D047 a {type(self).__name__} has periods of its own; got a scale of {size:g}. Count the "
                "periods anew."
            )
        return self


def store(history: Rows, *names: str) -> None:
    """Turn the columns into float arrays of one length."""
    columns: list[ArrayLike] = [getattr(history, name) for name in names]
    try:
        arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(c, dtype=float)) for c in columns))
    except ValueError as error:
        raise DataError(f"D046 the columns of a history must be numbers of one length; {error}.") from None
    if arrays[0].ndim > 1:
        raise DataError(f"D046 the columns of a history must have one axis; got {arrays[0].ndim}.")
    for name, array in zip(names, arrays, strict=True):
        object.__setattr__(history, name, np.ascontiguousarray(array))
    if history.group is not None:
        _store_group(history, len(arrays[0]))


def _store_group(history: Rows, rows: int) -> None:
    """Turn labels into their numbers; DataError D046 where they are not one a row."""
    group = np.asarray(history.group)
    if group.shape != (rows,):
        raise DataError(f"D046 group must have a label for each of {rows} rows; got {group.shape}.")
    if not history.labels:
        names, group = np.unique(group.astype(str), return_inverse=True)
        object.__setattr__(history, "labels", tuple(map(str, names)))
    elif not np.isin(group, np.arange(len(history.labels))).all():
        raise DataError(f"D046 group must hold numbers of {len(history.labels)} labels, from 0 on.")
    object.__setattr__(history, "group", group.astype(np.intp))


def refuse(history: Rows, *rules: tuple[NDArray[np.bool_], str]) -> None:
    """DataError with every rule that rows break, and where it is broken first."""
    weights = (~(np.isfinite(history.weight) & (history.weight >= 0)), "D046 weights must be 0 or more")
    messages = [
        f"{rule}; first at row {int(np.argmax(broken))} ({int(broken.sum())} rows)."
        for broken, rule in (*rules, weights)
        if broken.any()
    ]
    if messages:
        raise DataError(*messages)


def counts(*columns: Array) -> NDArray[np.bool_]:
    """Rows whose columns are all whole numbers, 0 or more."""
    values = np.stack(columns)
    whole: NDArray[np.bool_] = (np.isfinite(values) & (values >= 0) & (values == np.floor(values))).all(
        axis=0
    )
    return whole
