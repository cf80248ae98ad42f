"""The workbook opens, its names stay names, and its formulas compute what Python computed."""

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from clv.evaluation.compare import Comparison
from clv.evaluation.study import Study
from clv.forecasting import simple
from clv.reporting import tables
from clv.reporting.pages import pages
from clv.reporting.workbook import write

LIVE = {
    "Order value": "aov",
    "Orders a customer": "orders_per_customer",
    "Orders a period": "frequency",
    "Orders within the horizon": "orders_within",
    "Formula 1: (order value × orders − CAC) × margin": "formula_1",
    "… charging all of CAC": "formula_1_contribution",
    "Formula 1 within the horizon, before CAC": "formula_1_within",
    "Formula 2, no end": "formula_2",
    "Formula 2 within the horizon": "formula_2_within",
    "Model, same horizon and basis": "model_new",
    "Model ÷ formula 1": "ratio",
}


class Sheet:
    """Recomputes a sheet's formulas by translating the few operators they use; a blank is NaN."""

    def __init__(self, book: Any, title: str, names: dict[str, float]) -> None:
        self.sheet, self.names = book[title], names
        self.heads = {cell.value: cell.column_letter for cell in self.sheet[3] if cell.value}

    def value(self, at: str) -> float:
        content = self.sheet[at].value
        if content is None:
            return math.nan
        if not (isinstance(content, str) and content.startswith("=")):
            return np.float64(content)
        text = re.sub(r'([A-Z]+\d+)=""', r"blank(\1)", content[1:])
        text = text.replace("=", "==").replace('""', "nan").replace("^", "**")
        text = re.sub(r"\b([A-Z]+\d+)\b", r"value('\1')", text)
        known = {
            "IF": lambda test, yes, no: yes if test else no,
            "OR": lambda *tests: any(tests),
            "MIN": min,
            "blank": math.isnan,
            "value": self.value,
            "nan": np.float64("nan"),
            **{name: np.float64(value) for name, value in self.names.items()},
        }
        with np.errstate(all="ignore"):
            return float(eval(text, {"__builtins__": {}}, known))

    def column(self, heading: str, rows: int) -> list[float]:
        return [self.value(f"{self.heads[heading]}{4 + i}") for i in range(rows)]


@pytest.fixture(scope="module")
def path(small_study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("book") / "report.xlsx"
    write(small_study, pages(small_study), "Small shop", made)
    return made


@pytest.fixture(scope="module")
def book(path: Path) -> Any:
    return openpyxl.load_workbook(path)


def inputs(book: Any) -> dict[str, float]:
    """The named cells of the Inputs sheet."""
    found = {}
    for name, defined in book.defined_names.items():
        title, at = defined.attr_text.split("!")
        found[name] = book[title.strip("'")][at.replace("$", "")].value
    return found


def comparison(study: Study, by: str) -> Comparison:
    return next(c for c in study.comparisons if c.by == by)


def test_every_table_has_a_sheet(book: Any, small_study: Study) -> None:
    titles = {sheet["A1"].value for sheet in book}
    for page in pages(small_study):
        for table in (*page.tables, *page.folded):
            assert table.title in titles, table.name
    assert book.sheetnames[:2] == ["Summary", "Inputs"]
    assert {"Formulas by channel", "Formulas by country", "Formulas by cohort"} <= set(book.sheetnames)
    assert not any("rfm" in name.lower() and "formulas" in name.lower() for name in book.sheetnames)


@pytest.mark.parametrize("name", ["contenders", "quoted_by_channel", "holdout_by_country"])
def test_sheets_hold_the_tables_values(book: Any, small_study: Study, name: str) -> None:
    made = [table for page in pages(small_study) for table in (*page.tables, *page.folded)]
    table = next(table for table in made if table.name == name)
    sheet = next(sheet for sheet in book if sheet["A1"].value == table.title)
    for j, column in enumerate(table.columns, start=1):
        assert sheet.cell(3, j).value == column.label
        for i, value in enumerate(table.frame[column.key], start=4):
            found = sheet.cell(i, j).value
            expected = value if column.kind == "text" else pytest.approx(value)
            assert found is None if value != value else found == expected


def test_inputs_have_names(book: Any, small_study: Study) -> None:
    days = small_study.forecast.days
    assert inputs(book) == {"MARGIN": 0.4, "HORIZON_DAYS": days, "PERIOD_DAYS": 365.25, "MODEL_DAYS": days}


def test_every_formula_column_is_alive(book: Any, small_study: Study) -> None:
    for by in ("channel", "country", "cohort"):
        sheet = Sheet(book, f"Formulas by {by}", {})
        rows = len(comparison(small_study, by).table)
        for heading in LIVE:
            for i in range(rows):
                content = sheet.sheet[f"{sheet.heads[heading]}{4 + i}"].value
                assert str(content).startswith("="), (by, heading)


@pytest.mark.parametrize("by", ["channel", "country", "cohort"])
def test_recomputed_formulas_equal_pythons(book: Any, small_study: Study, by: str) -> None:
    shown = tables.new_customers(comparison(small_study, by)).frame
    sheet = Sheet(book, f"Formulas by {by}", inputs(book))
    for heading, key in LIVE.items():
        found = sheet.column(heading, len(shown))
        assert found == pytest.approx(shown[key].to_list(), rel=1e-9, nan_ok=True), heading
    segments = [sheet.sheet[f"A{4 + i}"].value for i in range(len(shown))]
    assert segments == shown["segment"].to_list()


def test_stored_results_equal_the_recomputed_ones(path: Path, book: Any, small_study: Study) -> None:
    """Readers that do not compute, such as a preview, show what Python found."""
    stored = openpyxl.load_workbook(path, data_only=True)["Formulas by channel"]
    sheet = Sheet(book, "Formulas by channel", inputs(book))
    for heading in LIVE:
        for i in range(len(comparison(small_study, "channel").table)):
            at = f"{sheet.heads[heading]}{4 + i}"
            value = stored[at].value
            expected = sheet.value(at)
            assert math.isnan(expected) if value in (None, "") else value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("margin", [0.2, 0.8])
def test_formulas_follow_the_margin(book: Any, small_study: Study, margin: float) -> None:
    c = comparison(small_study, "channel")
    shown = tables.new_customers(c).frame
    sheet = Sheet(book, "Formulas by channel", inputs(book) | {"MARGIN": margin})
    orders = (shown["aov"], shown["orders_per_customer"], shown["cac"], margin)
    expected = {
        "Formula 1: (order value × orders − CAC) × margin": simple.per_customer(*orders),
        "… charging all of CAC": simple.per_customer_contribution(*orders),
        "Formula 1 within the horizon, before CAC": shown["aov"] * shown["orders_within"] * margin,
        "Formula 2, no end": simple.four_metric(shown["aov"], shown["frequency"], margin, shown["churn"]),
    }
    for heading, values in expected.items():
        assert sheet.column(heading, len(shown)) == pytest.approx(values.to_list(), rel=1e-9, nan_ok=True), (
            heading
        )


def test_the_ratio_stays_like_with_like_when_the_margin_changes(book: Any, small_study: Study) -> None:
    """Value is proportional to margin by both, so their ratio does not move."""
    shown = tables.new_customers(comparison(small_study, "channel")).frame
    sheet = Sheet(book, "Formulas by channel", inputs(book) | {"MARGIN": 0.8})
    assert sheet.column("Model ÷ formula 1", len(shown)) == pytest.approx(shown["ratio"].to_list(), rel=1e-9)


def test_formulas_follow_the_horizon(book: Any, small_study: Study) -> None:
    shown = tables.new_customers(comparison(small_study, "channel")).frame
    sheet = Sheet(book, "Formulas by channel", inputs(book) | {"HORIZON_DAYS": 90.0})
    within = simple.orders_within(shown["orders_per_customer"], shown["repeat_rate_year"] / 365.25, 90)
    assert sheet.column("Orders within the horizon", len(shown)) == pytest.approx(within.to_list())
    values = simple.four_metric_within(shown["aov"], shown["frequency"], 0.4, shown["churn"], 90 / 365.25)
    assert sheet.column("Formula 2 within the horizon", len(shown)) == pytest.approx(values.to_list())
    assert all(math.isnan(v) for v in sheet.column("Model ÷ formula 1", len(shown)))  # it was run for a year


def test_names_that_look_like_formulas_are_text(book: Any, hostile: tuple[str, ...]) -> None:
    sheet = book["Formulas by channel"]
    cells = {cell.value.removesuffix(" (few)"): cell for cell in sheet["A"] if cell.value}
    for name in hostile:
        assert cells[name].data_type == "s", name
    formulas = [
        (sheet.title, cell.coordinate)
        for sheet in book
        for row in sheet
        for cell in row
        if cell.data_type == "f"
    ]
    assert {title for title, _ in formulas} == {
        "Formulas by channel",
        "Formulas by country",
        "Formulas by cohort",
    }
    assert not any(cell.hyperlink for sheet in book for row in sheet for cell in row)


def test_an_infinite_equity_is_a_dash_on_the_summary(small_study: Study, tmp_path: Path) -> None:
    endless = dataclasses.replace(small_study, lifetime=None, beyond_five_years=math.nan)
    write(endless, pages(endless), "Endless", tmp_path / "endless.xlsx")
    rows = openpyxl.load_workbook(tmp_path / "endless.xlsx")["Summary"].iter_rows(values_only=True)
    assert [row[1] for row in rows if row[0] == "Customer equity of the base"] == ["–"]


def test_long_and_odd_column_names_get_sheets_of_their_own(small_study: Study, tmp_path: Path) -> None:
    made = pages(small_study)
    names = ["existing_by_" + "a" * 30 + "1", "existing_by_" + "a" * 30 + "2", "x[]:*?/\\'", "'quoted'"]
    odd = [dataclasses.replace(made[1].tables[0], name=name, basis="=1+1") for name in names]
    first = dataclasses.replace(made[0], tables=odd, finding="=1+1")
    write(small_study, [first, *made[1:]], "=1+1", tmp_path / "odd.xlsx")
    book = openpyxl.load_workbook(tmp_path / "odd.xlsx")
    sheets = book.sheetnames
    words = [cell for sheet in book for row in sheet for cell in row if cell.value == "=1+1"]
    assert len(words) == 1 + len(names)
    assert {cell.data_type for cell in words} == {"s"}
    assert len({name.lower() for name in sheets}) == len(sheets)
    assert all(0 < len(name) <= 31 for name in sheets)
