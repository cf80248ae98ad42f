"""The live sheet of totals by quarter: parts by the model, and sums that add up by formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clv.forecasting.totals import ALL, WHOLE
from clv.reporting.reviews import Review
from clv.reporting.sheets import ALIVE, Book, Live, Sheet, letter, number

if TYPE_CHECKING:
    import pandas as pd

# Measures, what they say, and whether they follow the margin.
_MEASURES = (
    ("contribution", "Contribution, when it comes in", True),
    ("clv", "Contribution, discounted to the as-of day", True),
    ("revenue", "Revenue", False),
)
_WHO = {
    "existing": "of existing customers",
    "new": "of customers still to be acquired, as planned",
    "all": "of both",
}
type Rows = Mapping[tuple[str, str, str], Mapping[Any, Any]]


def totals_sheet(book: Book, review: Review) -> None:
    """Totals by segment and quarter: existing + new = both, segments = all, quarters = whole horizon."""
    table, margin = review.quarters.table, review.study.economics.margin
    spans = table[table["period"] != WHOLE].drop_duplicates("period")
    periods = [str(name) for name in spans["period"]]
    title = f"Totals by {review.by.replace('_', ' ')} and fiscal quarter"
    basis = (
        f"{review.quarters.basis}. The horizon is the model's. Sums are formulas; bands are of the model, "
        "and do not add up, since not all goes well or badly at once."
    )
    sheet = book.add("Totals by quarter", title, basis, ALIVE)
    sheet.head(3, 0, review.by.replace("_", " ").capitalize(), "text")
    for j, (name, partial) in enumerate(zip(periods, spans["partial"], strict=True), start=1):
        sheet.head(3, j, f"{name}{' (part)' if partial else ''}", "count")
    for j, label in enumerate(("Sum", "5 %", "95 %"), start=len(periods) + 1):
        sheet.head(3, j, label, "count")
    sheet.group(2, len(periods) + 1, len(periods) + 3, WHOLE)
    rows: Rows = {
        (str(row[review.by]), row["population"], row["period"]): row for row in table.to_dict("records")
    }
    top = 4
    for measure, words, valued in _MEASURES:
        blocks: dict[str, dict[str, int]] = {}
        for who in [who for who in _WHO if who in set(table["population"])]:
            sheet.block(top, f"{words}, {_WHO[who]}")
            names = _segments(table, review.by, who)
            blocks[who] = {name: top + 1 + i for i, name in enumerate(names)}
            _Block(sheet, rows, periods, measure, margin if valued else None, blocks).write(who)
            top += len(names) + 2
    sheet.freeze(4)


def _segments(table: pd.DataFrame, by: str, who: str) -> Sequence[str]:
    """Segments of a population, the whole last."""
    names = dict.fromkeys(map(str, table.loc[table["population"] == who, by]))
    return [*(name for name in names if name != ALL), ALL]


class _Block:
    """One measure of one population: a row a segment."""

    def __init__(
        self,
        sheet: Sheet,
        rows: Rows,
        periods: Sequence[str],
        measure: str,
        margin: float | None,
        blocks: Mapping[str, Mapping[str, int]],
    ) -> None:
        self._sheet, self._rows, self._periods = sheet, rows, periods
        self._measure, self._margin, self._blocks = measure, margin, blocks

    def write(self, who: str) -> None:
        """Write the segments, and what they add up to."""
        for name, at in self._blocks[who].items():
            total = "total" if name == ALL else ""
            self._sheet.put(at, 0, name, "text", total)
            for j, period in enumerate(self._periods, start=1):
                found = float(self._rows[name, who, period][self._measure])
                formula = self._formula(who, name, j, found)
                look = total if formula else "run"
                self._sheet.put(at, j, Live(formula, found) if formula else found, "count", look)
            self._ends(who, name, at, total)

    def _formula(self, who: str, name: str, column: int, found: float) -> str:
        """How a cell follows from others; empty for a value of the run."""
        at = letter(column)
        if name == ALL and len(self._blocks[who]) > 1:
            first = min(self._blocks[who].values())
            return f"SUM({at}{first + 1}:{at}{self._blocks[who][ALL]})"
        if who == "all":
            parts = [rows[name] for part, rows in self._blocks.items() if part != "all" and name in rows]
            return "+".join(f"{at}{row + 1}" for row in parts)
        return "" if self._margin is None else f"{number(found / self._margin)}*MARGIN"

    def _ends(self, who: str, name: str, at: int, total: str) -> None:
        """The whole horizon as a sum, and its band."""
        count, whole = len(self._periods), self._rows[name, who, WHOLE]
        cells = f"{letter(1)}{at + 1}:{letter(count)}{at + 1}"
        self._sheet.put(at, count + 1, Live(f"SUM({cells})", float(whole[self._measure])), "count", total)
        for j, end in enumerate(("p05", "p95"), start=count + 2):
            value: Any = float(whole[f"{self._measure}_{end}"])
            if self._margin is not None:
                value = Live(f"{number(value / self._margin)}*MARGIN", value)
            self._sheet.put(at, j, value, "count", f"run {total}".strip())
