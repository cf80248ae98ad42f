"""The workbook: the report's tables a sheet each, and the simple formulas as live formulas.

The figures that a formula needs stand as values; what follows from them is recomputed by the reader's
spreadsheet when an input changes. The model cannot be recomputed there: its revenue is a value, so its
columns follow the margin, and stand empty for a horizon that it was not run for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.evaluation.compare import Comparison
from clv.reporting import tables
from clv.reporting.grid import Kind, Page, Table

if TYPE_CHECKING:
    from clv.evaluation.study import Study

_NUMBER_FORMATS: dict[Kind, str] = {
    "text": "@",
    "count": "#,##0",
    "money": "#,##0.00",
    "exact": "#,##0.00",
    "share": "0.0%",
    "signed": "+0.0%;-0.0%",
    "number": "#,##0.000",
    "ratio": "0.00",
}
_WIDEST = 80.0  # characters in a column of text; longer ones wrap
# Columns of a live sheet: heading, kind, and a key of the comparison's table or a formula of its row.
# In a formula, {name} is the cell of that column; capitals are names of the Inputs sheet.
_LIVE: Sequence[tuple[str, str, Kind, str | None]] = (
    ("customers", "Customers", "count", None),
    ("orders", "Orders (purchase days)", "count", None),
    ("repeats", "Repeat orders", "count", None),
    ("revenue", "Revenue", "money", None),
    ("exposure_days", "Customer days observed", "count", None),
    ("churn", "Churn a period", "share", None),
    ("cac", "CAC", "money", None),
    ("aov", "Order value", "money", "{revenue}/{orders}"),
    ("orders_per_customer", "Orders a customer", "ratio", "{orders}/{customers}"),
    (
        "frequency",
        "Orders a period",
        "ratio",
        '=IF({exposure_days}=0,"",{orders}/{exposure_days}*PERIOD_DAYS)',
    ),
    (
        "orders_within",
        "Orders within the horizon",
        "ratio",
        '=IF({exposure_days}=0,"",MIN({orders_per_customer},1+{repeats}/{exposure_days}*HORIZON_DAYS))',
    ),
    (
        "formula_1",
        "Formula 1: (order value × orders − CAC) × margin",
        "money",
        '=IF({cac}="","",({aov}*{orders_per_customer}-{cac})*MARGIN)',
    ),
    (
        "formula_1_contribution",
        "… charging all of CAC",
        "money",
        '=IF({cac}="","",{aov}*{orders_per_customer}*MARGIN-{cac})',
    ),
    (
        "formula_1_within",
        "Formula 1 within the horizon, before CAC",
        "money",
        '=IF({orders_within}="","",{aov}*{orders_within}*MARGIN)',
    ),
    (
        "formula_2",
        "Formula 2, no end",
        "money",
        '=IF(OR({churn}="",{frequency}=""),"",{aov}*{frequency}*MARGIN/{churn})',
    ),
    (
        "formula_2_within",
        "Formula 2 within the horizon",
        "money",
        '=IF(OR({churn}="",{frequency}=""),"",{aov}*{frequency}*MARGIN*(1-(1-{churn})^(HORIZON_DAYS/PERIOD_DAYS))/{churn})',
    ),
    ("model_revenue", "Model, revenue", "money", None),
    (
        "model_new",
        "Model, same horizon and basis",
        "money",
        '=IF(HORIZON_DAYS=MODEL_DAYS,{model_revenue}*MARGIN,"")',
    ),
    (
        "ratio",
        "Model ÷ formula 1",
        "ratio",
        '=IF(OR({formula_1_within}="",{model_new}=""),"",{model_new}/{formula_1_within})',
    ),
)


def write(study: Study, pages: Sequence[Page], name: str, path: Path) -> None:
    """Write the workbook; text is written as text, so that a name like =cmd stays a name."""
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(path, options) as book:
        book.set_properties({"title": f"Customer value: {name}"})
        sheets = _Sheets(book)
        _summary(sheets, name, pages)
        _inputs(sheets, study)
        for comparison in study.comparisons:
            if not comparison.behavioural:
                _live(sheets, comparison)
        seen: set[str] = set()
        for page in pages:
            for table in (*page.tables, *page.folded):
                if table.name not in seen and not table.name.startswith("new_by_"):
                    seen.add(table.name)
                    sheets.table(table)


class _Sheets:
    """Worksheets of one look, with unique names within Excel's 31 characters."""

    def __init__(self, book: Any) -> None:
        self.book = book
        self.taken: set[str] = set()
        heading = {"bold": True, "text_wrap": True, "bottom": 1, "valign": "bottom"}
        self.heading = book.add_format(heading)
        self.number_heading = book.add_format({**heading, "align": "right"})
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.soft = book.add_format({"font_color": "#5a6572", "text_wrap": True, "valign": "top"})
        self.wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        self.cells = {kind: book.add_format({"num_format": form}) for kind, form in _NUMBER_FORMATS.items()}

    def add(self, name: str, title: str) -> Any:
        sheet = self.book.add_worksheet(self._free(name))
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.hide_gridlines(2)
        sheet.write_string(0, 0, title, self.title)
        return sheet

    def _free(self, name: str) -> str:
        words = re.sub(r"[\[\]:*?/\\'_]+", " ", name).strip().capitalize()
        endings = ("", *(f" {i}" for i in range(2, 1000)))
        title = next(t for end in endings if (t := words[: 31 - len(end)] + end).lower() not in self.taken)
        self.taken.add(title.lower())
        return title

    def put(self, sheet: Any, row: int, column: int, value: Any, kind: Kind) -> None:
        """Write one value; nothing where there is none."""
        if kind == "text":
            sheet.write_string(row, column, str(value), self.wrapped)
        elif np.isfinite(value):
            sheet.write_number(row, column, float(value), self.cells[kind])
        elif np.isinf(value):
            sheet.write_string(row, column, "∞")

    def table(self, table: Table) -> None:
        """Write a table on a sheet of its own."""
        sheet = self.add(table.name, table.title)
        for j, column in enumerate(table.columns):
            wide = table.frame[column.key].astype(str).str.len().max() if column.kind == "text" else 12
            width = float(min(max(wide + 2, 14), _WIDEST))
            sheet.set_column(j, j, width)
            self.head(sheet, j, column.label, column.kind)
            for i, value in enumerate(table.frame[column.key]):
                self.put(sheet, 3 + i, j, value, column.kind)
                if column.kind == "text" and len(str(value)) > _WIDEST:
                    sheet.set_row(3 + i, 15 * (1 + len(str(value)) // int(_WIDEST)))
        sheet.set_row(2, 32)
        sheet.freeze_panes(3, 1)
        sheet.repeat_rows(2)
        self.note(sheet, 4 + len(table.frame), table.basis, len(table.columns))

    def head(self, sheet: Any, column: int, label: str, kind: Kind) -> None:
        """Write a heading in the third row, on the side of its values."""
        sheet.write_string(2, column, label, self.heading if kind == "text" else self.number_heading)

    def note(self, sheet: Any, row: int, text: str, columns: int) -> None:
        """Write a note below a table, wrapped over its columns so that it does not widen the print."""
        if text:
            last = max(columns - 1, 3)
            sheet.merge_range(row, 0, row, last, text, self.soft)
            sheet.set_row(row, 15 * (1 + len(text) // (14 * last)))


def _summary(sheets: _Sheets, name: str, pages: Sequence[Page]) -> None:
    sheet = sheets.add("Summary", f"Customer value: {name}")
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 1, 24)
    sheet.set_column(2, 2, 80)
    sheet.write_string(1, 0, "Figures of this run; only the formula sheets follow the Inputs.", sheets.soft)
    row = 3
    for headline in pages[0].headlines:
        for j, text in enumerate((headline.label, headline.value, headline.note)):
            sheet.write_string(row, j, text, sheets.wrapped)
        row += 1
    for light in pages[0].lights:
        for j, text in enumerate((light.name, light.level, light.words)):
            sheet.write_string(row + 1, j, text, sheets.wrapped)
        row += 1
    for page in pages:
        sheet.write_string(row + 2, 0, page.title, sheets.wrapped)
        sheet.merge_range(row + 2, 1, row + 2, 2, page.finding, sheets.wrapped)
        sheet.set_row(row + 2, 15 * (1 + len(page.finding) // 105))
        row += 1


def _inputs(sheets: _Sheets, study: Study) -> None:
    """Inputs that the live sheets refer to by name; change a yellow cell and they follow."""
    sheet = sheets.add("Inputs", "Inputs: change a yellow cell, the formula sheets follow")
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 14)
    sheet.set_column(2, 2, 70)
    e = study.economics
    rows = (
        ("MARGIN", e.margin, "0.0%", "Contribution per unit of revenue"),
        ("HORIZON_DAYS", study.forecast.days, "#,##0", "Days of the formulas' horizon"),
        (
            "PERIOD_DAYS",
            e.churn_rule().period_days,
            "#,##0.00",
            f"Period of churn and frequency: {e.churn_rule().sentence}",
        ),
    )
    for i, (name, value, form, words) in enumerate(rows, start=2):
        cell = sheets.book.add_format({"num_format": form, "bg_color": "#fff6dd", "border": 1})
        sheet.write_string(i, 0, name)
        sheet.write_number(i, 1, value, cell)
        sheet.write_string(i, 2, words)
        sheets.book.define_name(name, f"=Inputs!$B${i + 1}")
    sheet.write_string(5, 0, "MODEL_DAYS")
    sheet.write_number(5, 1, study.forecast.days)
    sheet.write_string(
        5, 2, "Days that the model was run for; its columns stand empty for others. Run again."
    )
    sheets.book.define_name("MODEL_DAYS", "=Inputs!$B$6")
    sheets.note(sheet, 7, "CAC is an input of each segment: it stands on the formula sheets.", 3)


def _live(sheets: _Sheets, comparison: Comparison) -> None:
    """One row a segment: inputs as values, formulas alive, with Python's result stored beside each."""
    shown = tables.new_customers(comparison)
    frame = shown.frame.assign(model_revenue=shown.frame["model_new"] / comparison.economics.margin)
    sheet = sheets.add(f"Formulas by {comparison.by}", shown.title)
    letters = {key: _letter(j) for j, (key, *_) in enumerate(_LIVE, start=1)}
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, len(_LIVE), 11.5)
    sheet.fit_to_pages(2, 0)
    sheet.repeat_columns(0)
    sheet.write_string(2, 0, shown.columns[0].label, sheets.heading)
    for i, segment in enumerate(frame["segment"]):
        sheet.write_string(3 + i, 0, str(segment))
    for j, (key, label, kind, formula) in enumerate(_LIVE, start=1):
        sheets.head(sheet, j, label, kind)
        for i, value in enumerate(frame[key]):
            if formula is None:
                sheets.put(sheet, 3 + i, j, value, kind)
                continue
            cells = {name: f"{letter}{4 + i}" for name, letter in letters.items()}
            text = "=" + formula.lstrip("=").format(**cells)
            sheet.write_formula(
                3 + i, j, text, sheets.cells[kind], float(value) if np.isfinite(value) else ""
            )
    sheet.set_row(2, 62)
    sheet.freeze_panes(3, 1)
    sheets.note(sheet, 4 + len(frame), shown.basis, 10)


def _letter(column: int) -> str:
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(column))
