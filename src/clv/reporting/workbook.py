"""The workbook: the report's tables a sheet each, and live sheets that follow the cells of `Inputs`.

The figures that a formula needs stand as values; what follows from them is recomputed by the reader's
spreadsheet when an input changes. The model cannot be recomputed there: its revenue is a value, so that its
columns follow the margin, and stand empty for a horizon that it was not run for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from clv.evaluation.study import Study
from clv.forecasting.totals import ALL
from clv.reporting.bridge_sheets import bridge_sheets
from clv.reporting.budget_sheet import budget_sheet
from clv.reporting.grid import Headline, Page
from clv.reporting.inputs_sheet import EACH, input_sheet
from clv.reporting.live_sheets import formula_sheet, payback_sheet, value_sheet
from clv.reporting.reviews import Review
from clv.reporting.scenario_sheet import scenario_sheet
from clv.reporting.sheets import Book, Sheet
from clv.reporting.totals_sheet import totals_sheet

# Tables that a live sheet has all of.
_ALIVE = ("new_by_", "ratios", "steps", "bridges", "levers", "ways", "split")


def write(source: Review | Study, pages: Sequence[Page], name: str, path: Path) -> None:
    """Write the workbook; text is written as text, so that a name like =cmd stays a name."""
    import xlsxwriter

    review = source if isinstance(source, Review) else Review(source)
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(path, options) as file:
        file.set_properties({"title": f"Customer value: {name}"})
        study = review.study
        book = Book(file, name, study.as_of, study.orders.digits)
        basis = f"{study.forecast.basis}."
        first = book.add("Summary", f"Customer value: {name}", basis)
        _live_sheets(book, review, input_sheet(book, review))
        seen: set[str] = set()
        for page in pages:
            for table in (*page.tables, *page.folded):
                if table.name not in seen and not table.name.startswith(_ALIVE):
                    seen.add(table.name)
                    book.add(table.name, table.title, table.basis or basis).table(table)
        _summary(first, book, pages, study.orders.money_unit)
        book.finish()


def _live_sheets(book: Book, review: Review, costs: Mapping[str, str]) -> None:
    """Add the sheets that follow the inputs."""
    places, given = {}, review.study.economics.cac
    whole = {ALL: costs[ALL]} if isinstance(given, Mapping) and ALL in given else {}
    for comparison in review.study.comparisons:
        own = comparison.by == review.by
        if own or not comparison.behavioural:
            alike = dict.fromkeys(comparison.table.index, costs[EACH]) if EACH in costs else whole
            places[comparison.by] = formula_sheet(book, comparison, costs if own else alike)
    cells = places[review.by]
    worth = value_sheet(book, review, cells)
    payback_sheet(book, review, cells)
    bridge_sheets(book, review, cells, worth)
    scenario_sheet(book, review, cells[ALL])
    budget_sheet(book, review, cells, worth)
    totals_sheet(book, review)


def _summary(sheet: Sheet, book: Book, pages: Sequence[Page], unit: str) -> None:
    """Headlines, status lights and findings of this run, and where to find what."""
    sheet.note(2, "Figures of this run. Only sheets with a green tab follow the Inputs.")
    row = 4
    for headline in pages[0].headlines:
        _headline(sheet, row, headline, unit)
        row += 1
    for light in pages[0].lights:
        row += 1
        _line(sheet, row, light.name, light.level, light.words, light.level)
    row += 2
    _heads(sheet, row, "Page", "What it found")
    for page in pages:
        row += 1
        _line(sheet, row, page.title, "", page.finding)
    row += 2
    _heads(sheet, row, "Sheet", "What is there")
    for other in book.sheets[1:]:
        row += 1
        sheet.link(row, 0, other)
        sheet.put(row, 3, other.title)
    sheet.widen({0: 36, 1: 18, 2: 8, 3: 100})


def _headline(sheet: Sheet, row: int, headline: Headline, unit: str) -> None:
    """A number of the first page as one, with its currency beside it."""
    band = f". {headline.band}" if headline.band else ""
    known = np.isfinite(headline.amount)
    shown, kind = (headline.amount, headline.kind) if known else (headline.value, "text")
    sheet.put(row, 0, headline.label)
    sheet.put(row, 1, shown, kind, "bold right")
    sheet.put(row, 2, unit if known else "")
    sheet.put(row, 3, f"{headline.note}{band}")


def _line(sheet: Sheet, row: int, name: str, value: str, words: str, look: str = "") -> None:
    sheet.put(row, 0, name)
    if value:
        sheet.put(row, 1, value, "text", look)
    sheet.put(row, 3, words)


def _heads(sheet: Sheet, row: int, first: str, last: str) -> None:
    for j, label in enumerate((first, "", "", last)):
        sheet.head(row, j, label, "text")
