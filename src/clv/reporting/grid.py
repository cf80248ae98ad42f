"""Tables and pages as values: columns that know how they print, and the basis every number needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from clv.forecasting.totals import ALL
from clv.units import minor_digits

type Kind = Literal["text", "count", "money", "exact", "gain", "share", "signed", "points", "number", "ratio"]
FORMATS: dict[Kind, str] = {
    "count": ",.0f",
    "money": ",.{digits}f",
    "exact": ",.{digits}f",
    "gain": "+,.{digits}f",
    "share": ",.1%",
    "signed": "+,.1%",
    "points": ",.1f",  # percentage points
    "number": ",.3f",
    "ratio": ".2f",
}
LARGE_SUMS = 10_000  # from here a column of money prints without decimals


@dataclass(frozen=True)
class Column:
    """A column: its key in the frame, the heading a reader sees, and how values print."""

    key: str
    label: str
    kind: Kind


@dataclass(frozen=True, eq=False)
class Table:
    """A named table with the basis every number needs: population, horizon, rate, what it counts."""

    name: str
    title: str
    columns: Sequence[Column]
    frame: pd.DataFrame
    basis: str = ""
    total: bool = False  # whether the last row sums or averages the others
    unit: str = ""  # of its money: charts name it, and it says how many decimals there are

    def __post_init__(self) -> None:
        """Fold a row of all customers away that says again what the one segment above it says."""
        if not self.total or len(self.frame) != 2 or str(self.frame[self.columns[0].key].iloc[-1]) != ALL:
            return
        one, whole = self.cells()
        if one[1:] == whole[1:]:
            object.__setattr__(self, "frame", self.frame.iloc[:1])
            object.__setattr__(self, "total", False)

    def cells(self) -> list[list[str]]:
        """The rows as printed text."""
        columns = [
            [show_value(v, self._kind(c), self.digits) for v in self.frame[c.key]] for c in self.columns
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    @property
    def digits(self) -> int:
        """Decimals of its money."""
        return minor_digits(self.unit)

    def _kind(self, column: Column) -> Kind:
        """Print money without decimals in a column of large sums, all of it alike."""
        if column.kind != "money":
            return column.kind
        sizes = self.frame[column.key].abs()
        large = sizes[np.isfinite(sizes)].max() >= LARGE_SUMS
        return "count" if large else column.kind


def show_value(value: object, kind: Kind, digits: int = 2) -> str:
    """Print one value, money with so many decimals; a dash for none, no sign of what rounds to 0."""
    if kind == "text":
        return str(value)
    number = float(value)  # type: ignore[arg-type]
    if np.isnan(number):
        return "–"
    if np.isinf(number):
        return "∞"
    text = format(number, FORMATS[kind].format(digits=digits))
    text = text if re.search("[1-9]", text) else text.lstrip("+-")
    return text.replace("%", " %").replace("-", "−")


def money(value: object, unit: str) -> str:
    """Print a sum with the decimals of its currency, which the caller names."""
    return show_value(value, "money", minor_digits(unit))


@dataclass(frozen=True)
class Light:
    """A status light: good, fair or bad, with the figure behind it in words."""

    name: str
    level: str
    words: str


@dataclass(frozen=True)
class Headline:
    """One of the three numbers of the decision page; a workbook takes `amount`, of the kind `kind`."""

    label: str
    value: str
    note: str
    band: str = ""  # where the value may lie: "90 %: 1.2 M to 1.6 M"
    amount: float = float("nan")
    kind: Kind = "count"


@dataclass(frozen=True)
class Page:
    """A page: its finding leads, tables and charts follow; `charts` names the tables that are drawn."""

    id: str
    title: str
    finding: str
    tables: Sequence[Table] = ()
    charts: Sequence[Table] = ()
    notes: Sequence[str] = ()
    lights: Sequence[Light] = ()
    headlines: Sequence[Headline] = ()
    folded: Sequence[Table] = field(default=())


def miss(error: float) -> str:
    """Say an error with its direction, if it is any: "17.3 % too low"."""
    size = show_value(abs(error), "share")
    if size == show_value(0, "share"):
        return "on the mark"
    return f"{size} too {'high' if error > 0 else 'low'}"
