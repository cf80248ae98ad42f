"""Tables and pages as values: columns that know how they print, and the basis every number needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

type Kind = Literal["text", "count", "money", "exact", "share", "signed", "number", "ratio"]
FORMATS: dict[Kind, str] = {
    "count": ",.0f",
    "money": ",.2f",
    "exact": ",.2f",
    "share": ".1%",
    "signed": "+.1%",
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
    unit: str = ""  # of what a chart of it shows

    def cells(self) -> list[list[str]]:
        """The rows as printed text."""
        columns = [[show_value(v, self._kind(c)) for v in self.frame[c.key]] for c in self.columns]
        return [list(row) for row in zip(*columns, strict=True)]

    def _kind(self, column: Column) -> Kind:
        """Print money without decimals in a column of large sums, all of it alike."""
        if column.kind != "money":
            return column.kind
        sizes = self.frame[column.key].abs()
        large = sizes[np.isfinite(sizes)].max() >= LARGE_SUMS
        return "count" if large else column.kind


def show_value(value: object, kind: Kind) -> str:
    """Print one value; a dash where there is none."""
    if kind == "text":
        return str(value)
    number = float(value)  # type: ignore[arg-type]
    if np.isnan(number):
        return "–"
    if np.isinf(number):
        return "∞"
    return format(number, FORMATS[kind]).replace("%", " %").replace("-", "−")


@dataclass(frozen=True)
class Light:
    """A status light: good, fair or bad, with the figure behind it in words."""

    name: str
    level: str
    words: str


@dataclass(frozen=True)
class Headline:
    """One of the three numbers of the decision page."""

    label: str
    value: str
    note: str
    band: str = ""  # where the value may lie: "90 %: 1.2 M to 1.6 M"


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
    """Say an error with its direction: "17.3 % too low"."""
    return f"{show_value(abs(error), 'share')} too {'high' if error > 0 else 'low'}"
