"""The workbook: the report's tables a sheet each, and the simple formulas as live formulas.

The figures that a formula needs stand as values; what follows from them is recomputed by the reader's
spreadsheet when an input changes. Model columns are values: they cannot be recomputed there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.evaluation.compare import Comparison
from clv.reporting import tables
from clv.reporting.grid import Kind, Table
from clv.reporting.pages import Page

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
    ("model_new", "Model, same horizon and basis", "money", None),
    ("ratio", "Model ÷ formula 1", "ratio", '=IF({formula_1_within}="","",{model_new}/{formula_1_within})'),
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
        self.heading = book.add_format({"bold": True, "text_wrap": True, "bottom": 1, "valign": "bottom"})
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.soft = book.add_format({"font_color": "#5a6572", "text_wrap": True, "valign": "top"})
        self.wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        self.cells = {kind: book.add_format({"num_format": form}) for kind, form in _NUMBER_FORMATS.items()}

    def add(self, name: str, title: str) -> Any:
        clean = "".join(" " if c in "[]:*?/\\'" else c for c in name.replace("_", " ")).strip()[:31]
        sheet = self.book.add_worksheet(clean.capitalize())
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.hide_gridlines(2)
        sheet.write_string(0, 0, title, self.title)
        return sheet

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
            sheet.set_column(j, j, float(min(max(wide, 12), 80)))
            sheet.write_string(2, j, column.label, self.heading)
            for i, value in enumerate(table.frame[column.key]):
                self.put(sheet, 3 + i, j, value, column.kind)
        sheet.freeze_panes(3, 1)
        sheet.repeat_rows(2)
        if table.basis:
            sheet.write_string(4 + len(table.frame), 0, table.basis)


def _summary(sheets: _Sheets, name: str, pages: Sequence[Page]) -> None:
    sheet = sheets.add("Summary", f"Customer value: {name}")
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 1, 24)
    sheet.set_column(2, 2, 80)
    row = 2
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
        ("HORIZON_DAYS", study.forecast.days, "#,##0", "Days of the horizon of formulas and model"),
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
    sheet.write_string(6, 0, "CAC is an input of each segment: it stands on the formula sheets.", sheets.soft)


def _live(sheets: _Sheets, comparison: Comparison) -> None:
    """One row a segment: inputs as values, formulas alive, with Python's result stored beside each."""
    shown = tables.new_customers(comparison)
    frame = shown.frame
    sheet = sheets.add(f"Formulas by {comparison.by}", shown.title)
    letters = {key: _letter(j) for j, (key, *_) in enumerate(_LIVE, start=1)}
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, len(_LIVE), 14)
    sheet.write_string(2, 0, shown.columns[0].label, sheets.heading)
    for i, segment in enumerate(frame["segment"]):
        sheet.write_string(3 + i, 0, str(segment))
    for j, (key, label, kind, formula) in enumerate(_LIVE, start=1):
        sheet.write_string(2, j, label, sheets.heading)
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
    sheet.write_string(4 + len(frame), 0, shown.basis)


def _letter(column: int) -> str:
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(column))
