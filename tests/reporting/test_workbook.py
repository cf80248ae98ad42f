"""The workbook opens, its names stay names, and a spreadsheet computes from it what Python computes."""

import dataclasses
import datetime as dt
import math
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

import clv
from clv.evaluation.compare import compare
from clv.evaluation.study import Study, study
from clv.fitting.inference import Inference
from clv.forecasting import simple
from clv.forecasting.totals import ALL, WHOLE
from clv.planning.keeping import Keeping
from clv.planning.levers import LEVERS, Existing, Newcomer
from clv.planning.prospects import prospects_of
from clv.planning.response import RETENTION
from clv.planning.spending import LAST, NOTHING, RECOMMENDED
from clv.planning.steps import WORDS, rungs_of
from clv.planning.what_ifs import KNOWS, MODEL, NEW, ONE, TWO, Business, scenarios
from clv.reporting import formula_tables
from clv.reporting.decision import decision
from clv.reporting.grid import Page
from clv.reporting.pages import pages
from clv.reporting.reviews import Review
from clv.reporting.workbook import write

ODD = {"Příliš žluťoučký kůň": "@SUM(A1)", "Dovanų gidas ąčęėįšž": "+1"}  # more names that ask for trouble
UNKNOWN = "Suche & Köln"  # its CAC is not known
USES = ("<script>alert(1)</script>", "=cmd|' /C calc'!A0", "小红书")
LIVE = {  # the column of each formula by segment, and what Python calls it
    "Order value": "aov",
    "Orders a customer": "orders_per_customer",
    "Orders a period": "frequency",
    "Orders within the horizon": "orders_within",
    "(value × orders − CAC) × margin": "formula_1",
    "… charging all of CAC": "formula_1_contribution",
    "Formula 1: Within the horizon, before CAC": "formula_1_within",
    "Without an end, before CAC": "formula_2",
    "Formula 2: Within the horizon, before CAC": "formula_2_within",
    "Model of this run: Within the horizon, before CAC": "model_new",
    "Model ÷ formula 1": "ratio",
}
SHEETS = [
    "Summary",
    "Inputs",
    "Formulas by channel",
    "Formulas by country",
    "Formulas by cohort",
    "Value and CAC",
    "Payback by segment",
    "Bridge",
    "Bridge by segment",
    "Scenarios",
    "Budget",
    "Totals by quarter",
]
# A fresh profile that has every formula computed anew when a workbook is opened.
ALWAYS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item></oor:items>"""


class Sheet:
    """Finds cells by the words that stand beside and above them."""

    def __init__(self, book: Any, title: str) -> None:
        self.sheet = book[title]
        self.name = title

    def row(self, words: str, after: int = 0) -> int:
        marked = (words, f"{words} (few)")
        return next(cell.row for cell in self.sheet["A"] if cell.value in marked and cell.row > after)

    def column(self, words: str, row: int = 4) -> str:
        """The column of a heading; "group: heading" where a heading stands in several."""
        group, label = "", words
        if words not in [cell.value for cell in self.sheet[row]]:
            group, _, label = words.partition(": ")
        heads = [cell for cell in self.sheet[row] if cell.value == label]
        above = [self.sheet.cell(row - 1, j).value for j in range(1, self.sheet.max_column + 1)]
        for head in heads:
            over = next((text for text in reversed(above[: head.column]) if text), "")
            if not group or str(over).startswith(group):
                return head.column_letter
        raise KeyError(words)

    def at(self, words: str, heading: str, after: int = 0) -> Any:
        return self.sheet[f"{self.column(heading)}{self.row(words, after)}"].value


@pytest.fixture(scope="module")
def review(small_log: pd.DataFrame) -> Review:
    """The small shop with draws, a channel without CAC, a plan, last year's spend and a budget."""
    log = small_log.assign(channel=small_log["channel"].replace(ODD))
    orders = clv.Transactions(log, as_of="2025-12-31", segments=("channel", "country"), currency="EUR")
    names = sorted(set(log["channel"]))
    cac = {name: 4.0 + i for i, name in enumerate(names) if name != UNKNOWN}
    found = study(orders, clv.Economics(0.4, 0.1, cac=cac), inference=Inference("laplace"))
    plan = pd.DataFrame({"period": "2026-Q2", "customers": [30.0, 12.0], "channel": [UNKNOWN, "+1"]})
    spent = pd.DataFrame(
        {
            "first": dt.date(2025, 1, 1),
            "last": dt.date(2025, 12, 31),
            "channel": names,
            "acquisition_spend": [300.0 + 10 * i for i in range(len(names))],
            "retention_spend": 40.0,
        }
    )
    curves = {name: clv.ResponseCurve(60.0 + 20 * i, 900.0) for i, name in enumerate(USES)}
    spending = clv.Spending(3000.0, curves, clv.ResponseCurve(0.03, 400.0))
    return Review(found, segment="channel", plan=plan, spent=spent, spending=spending)


@pytest.fixture(scope="module")
def shown(review: Review) -> list[Page]:
    return pages(review)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("book")


@pytest.fixture(scope="module")
def path(review: Review, shown: list[Page], folder: Path) -> Path:
    write(review, shown, "Small & shop", folder / "report.xlsx")
    return folder / "report.xlsx"


@pytest.fixture(scope="module")
def book(path: Path) -> Any:
    return openpyxl.load_workbook(path)


@pytest.fixture(scope="module")
def stored(path: Path) -> Any:
    """What Python found, as readers show it that do not compute."""
    return openpyxl.load_workbook(path, data_only=True)


def recosted(review: Review, margin: float, factor: float) -> Review:
    """The same review at another margin, and with every acquisition cost multiplied."""
    was = review.study
    cac = {name: cost * factor for name, cost in was.economics.cac.items()}
    economics = dataclasses.replace(was.economics, margin=margin, cac=cac)
    ahead = clv.forecast(was.purchase, was.spend, was.rfm, margin=margin, discount=economics.discount)
    found = dataclasses.replace(
        was,
        economics=economics,
        forecast=ahead,
        comparisons=[compare(ahead, economics, c.by) for c in was.comparisons if not c.behavioural],
    )
    return dataclasses.replace(review, study=found)


@pytest.fixture(scope="module")
def other(review: Review) -> Review:
    return recosted(review, 0.55, 1.7)


@pytest.fixture(scope="module")
def expected(other: Review, shown: list[Page], folder: Path) -> Any:
    """What Python finds at the other margin and acquisition costs."""
    write(other, shown[:1], "Other", folder / "other.xlsx")
    return openpyxl.load_workbook(folder / "other.xlsx", data_only=True)


# What a spreadsheet makes of the workbook, and of copies in which inputs were changed


def named(book: Any, name: str) -> Any:
    """The cell of a named input."""
    title, at = book.defined_names[name].attr_text.split("!")
    return book[title.strip("'")][at.replace("$", "")]


SPENDS = (500.0, 1234.5, 80.0, 333.0)
CHANGES = {"order_value": 0.05, "frequency": 0.2, "margin": 0.15, "churn": 0.3, "cac": 0.25}


def untouched(book: Any, review: Review, other: Review) -> None:
    """Nothing is changed."""


def costs(book: Any, review: Review, other: Review) -> None:
    """Another margin, other acquisition costs, and the split that is best for them."""
    named(book, "MARGIN").value = other.study.economics.margin
    inputs = Sheet(book, "Inputs")
    start = inputs.row("Segment")
    for name, cac in other.study.economics.cac.items():
        inputs.sheet[f"B{inputs.row(name, start)}"].value = cac
    sheet = Sheet(book, "Budget")
    for row, spend in enumerate(other.budget.split["recommended"], start=5):
        sheet.sheet[f"{sheet.column('Your split: Spend')}{row}"].value = float(spend)


def horizon(book: Any, review: Review, other: Review) -> None:
    """A shorter horizon."""
    named(book, "HORIZON_DAYS").value = 91


def plans(book: Any, review: Review, other: Review) -> None:
    """A split of the reader's own, and levers that move by other amounts."""
    for lever, change in CHANGES.items():
        named(book, f"CHANGE_{lever.upper()}").value = change
    sheet = Sheet(book, "Budget")
    for row, spend in enumerate(SPENDS, start=5):
        sheet.sheet[f"{sheet.column('Your split: Spend')}{row}"].value = spend


CASES: dict[str, Callable[[Any, Review, Review], None]] = {
    "untouched": untouched,
    "costs": costs,
    "horizon": horizon,
    "plans": plans,
}


@pytest.fixture(scope="module")
def computed(path: Path, folder: Path, review: Review, other: Review) -> Mapping[str, Any]:
    """The workbook and changed copies of it, computed by LibreOffice; it is started once."""
    office = shutil.which("soffice")
    if office is None:
        if os.environ.get("CLV_REQUIRE_ALL") == "1":
            pytest.fail("CLV_REQUIRE_ALL=1, but there is no LibreOffice")
        pytest.skip("needs LibreOffice: install libreoffice-calc-nogui")
    for name, change in CASES.items():
        book = openpyxl.load_workbook(path)
        change(book, review, other)
        book.save(folder / f"{name}.xlsx")  # openpyxl keeps no result of a formula
        bare = openpyxl.load_workbook(folder / f"{name}.xlsx", data_only=True)
        assert all(bare[title][at].value is None for title, at in formulas(book))
    profile, out = folder / "profile", folder / "computed"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(ALWAYS)
    command = [office, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--convert-to", "xlsx"]
    files = [str(folder / f"{name}.xlsx") for name in CASES]
    subprocess.run([*command, "--outdir", str(out), *files], check=True, capture_output=True, timeout=300)
    return {name: openpyxl.load_workbook(out / f"{name}.xlsx", data_only=True) for name in CASES}


def formulas(book: Any) -> Iterator[tuple[str, str]]:
    """Sheet and place of every formula."""
    for sheet in book:
        for row in sheet:
            yield from ((sheet.title, cell.coordinate) for cell in row if cell.data_type == "f")


def same(found: Any, wanted: Any) -> bool:
    """Whether two cells hold the same; an empty text is an empty cell."""
    found, wanted = (None if value == "" else value for value in (found, wanted))
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
    return bool(found == wanted)


def test_every_formula_computes_what_python_found(
    book: Any, stored: Any, computed: Mapping[str, Any]
) -> None:
    cells = list(formulas(book))
    assert len(cells) > 1000
    assert {title for title, _ in cells} == set(SHEETS[1:])
    wrong = [
        (title, at, computed["untouched"][title][at].value, stored[title][at].value)
        for title, at in cells
        if not same(computed["untouched"][title][at].value, stored[title][at].value)
    ]
    assert not wrong


@pytest.mark.parametrize("case", CASES)
def test_no_cell_shows_an_error(computed: Mapping[str, Any], case: str) -> None:
    for sheet in computed[case]:
        for row in sheet:
            for cell in row:
                assert cell.data_type != "e", (sheet.title, cell.coordinate, cell.value)
                assert not str(cell.value).startswith(("#", "Err:")), (sheet.title, cell.coordinate)


def test_margin_and_acquisition_costs_are_followed_everywhere(
    book: Any, computed: Mapping[str, Any], expected: Any
) -> None:
    """The changed copy is Python's workbook of those inputs, but for what only a run knows: that is empty."""
    guards = re.compile(r"AS_RUN|MODEL_MARGIN")
    budget = Sheet(book, "Budget")
    skipped = [  # the recommended split is another one there
        budget.column(f"Recommended: {label}")
        for label in ("Brings", "Contribution", "Next unit of money brings", "Spend")
    ]
    kept, emptied = 0, 0
    for title, at in formulas(book):
        found, formula = computed["costs"][title][at].value, str(book[title][at].value)
        if title == "Budget" and (
            at.rstrip("0123456789") in skipped or "Short of" in _words(book, title, at)
        ):
            continue
        if guards.search(formula) and title != "Inputs":
            emptied += found in (None, "")
            assert found in (None, ""), (title, at)
        elif title != "Inputs":
            kept += 1
            assert same(found, expected[title][at].value), (title, at, formula)
    assert kept > 800
    assert emptied > 40
    assert named(computed["costs"], "AS_RUN").value == "no"


def _words(book: Any, title: str, at: str) -> str:
    return str(book[title][f"A{book[title][at].row}"].value)


def test_a_change_of_margin_marks_the_recommended_split(computed: Mapping[str, Any]) -> None:
    sheet = Sheet(computed["costs"], "Budget")
    words = "Is the recommended split still the best?"
    assert sheet.at(words, "Recommended: Contribution") == "no: run again"
    assert Sheet(computed["untouched"], "Budget").at(words, "Recommended: Contribution") == "yes"


def test_formulas_follow_the_horizon(computed: Mapping[str, Any], review: Review) -> None:
    shown = formula_tables.new_customers(review.comparison).frame
    sheet = Sheet(computed["horizon"], "Formulas by channel")
    within = simple.orders_within(shown["orders_per_customer"], shown["repeat_rate_year"] / 365.25, 91)
    values = simple.four_metric_within(shown["aov"], shown["frequency"], 0.4, shown["churn"], 91 / 365.25)
    for row, (orders, value) in enumerate(zip(within, values, strict=True), start=5):
        assert sheet.sheet[f"{sheet.column('Orders within the horizon')}{row}"].value == pytest.approx(orders)
        found = sheet.sheet[f"{sheet.column('Formula 2: Within the horizon, before CAC')}{row}"].value
        assert found == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("title", "heading"),
    [
        ("Formulas by channel", "Model ÷ formula 1"),
        ("Value and CAC", "Value ÷ CAC: Value ÷ CAC"),
        ("Value and CAC", "above 3"),
        ("Bridge by segment", "Heterogeneity"),
        ("Bridge by segment", "To: Model: their sum"),
        ("Budget", "Your split: Contribution"),
        ("Scenarios", "Model: As it is"),
    ],
)
def test_the_model_is_empty_for_a_horizon_that_it_was_not_run_for(
    computed: Mapping[str, Any], title: str, heading: str
) -> None:
    was, now = Sheet(computed["untouched"], title), Sheet(computed["horizon"], title)
    column = was.column(heading)
    rows = [cell.row for cell in was.sheet[column][4:] if isinstance(cell.value, int | float)]
    assert rows
    assert {now.sheet[f"{column}{row}"].value for row in rows} <= {None, ""}


def test_the_bridge_follows_the_horizon_as_far_as_it_is_arithmetic(
    computed: Mapping[str, Any], review: Review
) -> None:
    sheet = Sheet(computed["horizon"], "Bridge by segment")
    for prospect in prospects_of(review.study.forecast, review.comparison):
        rungs = dataclasses.replace(rungs_of(prospect, review.comparison), horizon=91.0)
        amounts = rungs.amounts()
        assert sheet.at(prospect.name, "Horizon") == pytest.approx(amounts["horizon"], rel=1e-9)
        full = sheet.at(prospect.name, "CAC charged in full")
        assert same(full, None if prospect.name == UNKNOWN else amounts["cac_in_full"]) or np.isnan(
            prospect.cac
        )
    assert Sheet(computed["horizon"], "Payback by segment").at("+1", "Paid back in month") is not None


def test_a_split_of_the_readers_own(computed: Mapping[str, Any], review: Review) -> None:
    """Responses, their worth, what is left and what the next unit brings, by planning in Python."""
    sheet = Sheet(computed["plans"], "Budget")
    keeping = Keeping.of(Existing.of(review.study.forecast, review.comparison, ALL))
    spending, brought = review.spending, 0.0
    for row, (use, spend) in enumerate(zip((*USES, RETENTION), SPENDS, strict=True), start=5):
        curve = spending.retention if use == RETENTION else spending.acquisition[use]
        made = float(curve.response(spend))
        if use == RETENTION:
            value, slope = keeping.worth(made), keeping.slope(made)
        else:
            slope = review.units.table.loc[use, "value"]
            value = made * slope
        found = {
            label: sheet.sheet[f"{sheet.column(f'Your split: {label}')}{row}"].value
            for label in ("Brings", "Contribution", "Next unit of money brings")
        }
        wanted = {
            "Brings": made,
            "Contribution": value,
            "Next unit of money brings": slope * float(curve.marginal(spend)),
        }
        assert found == pytest.approx(wanted, rel=1e-9)
        brought += value
    base = review.budget.table.loc[NOTHING, "value"]
    net = base + brought - sum(SPENDS)
    assert sheet.at("Less what is spent", "Your split: Contribution") == pytest.approx(net, rel=1e-9)
    short = review.budget.table.loc[RECOMMENDED, "net"] - net
    assert sheet.at("Short of the recommended", "Your split: Contribution") == pytest.approx(short, rel=1e-9)
    left = spending.total - sum(SPENDS)
    assert sheet.at("Left of the budget", "Your split: Spend") == pytest.approx(left, rel=1e-9)


def test_levers_move_by_what_the_inputs_say(computed: Mapping[str, Any], review: Review) -> None:
    """Both formulas follow; the model stands empty, having been run for other changes."""
    table = scenarios(review.study.forecast, review.comparison, CHANGES).table.set_index(
        ["who", "by", "lever"]
    )
    sheet = Sheet(computed["plans"], "Scenarios")
    heads = {ONE: "Formula 1", TWO: "Formula 2", MODEL: "Model of this run"}
    for (who, by, lever), row in table.iterrows():
        start = sheet.row("A new customer" if who == NEW else "The existing base")
        words = "CAC" if lever == "cac" else lever.replace("_", " ").capitalize()
        for side, label in (("down", "Lower"), ("up", "Higher"), ("width", "Apart")):
            found = sheet.at(words, f"{heads[by]}: {label}", start)
            empty = by == MODEL or np.isnan(row[side])
            assert found in (None, "") if empty else found == pytest.approx(row[side], rel=1e-9), (
                who,
                by,
                lever,
            )


def test_all_levers_at_once(computed: Mapping[str, Any], review: Review) -> None:
    """By the same arithmetic as planning has."""
    ahead, comparison = review.study.forecast, review.comparison
    (prospect,) = prospects_of(ahead, comparison, [ALL])
    business = Business(Newcomer(prospect), Existing.of(ahead, comparison, ALL), comparison)
    sheet = Sheet(computed["plans"], "Scenarios")
    for sign, label in ((-1, "Lower"), (0, "As it is"), (1, "Higher")):
        values = business.values(**{lever: 1 + sign * CHANGES[lever] for lever in LEVERS})
        for who, by in KNOWS:
            if by != MODEL:
                start = sheet.row("A new customer" if who == NEW else "The existing base")
                head = f"{'Formula 1' if by == ONE else 'Formula 2'}: {label}"
                found = sheet.at("All together", head, start)
                assert found == pytest.approx(values[who, by], rel=1e-9), (who, by, label)


# What stands in it as written


def test_every_table_has_a_sheet(book: Any, shown: list[Page]) -> None:
    """Or a live sheet that has all of it."""
    titles = {sheet["A1"].value for sheet in book}
    alive = ("new_by_", "ratios", "steps", "bridges", "levers", "ways", "split")
    for page in shown:
        for table in (*page.tables, *page.folded):
            assert table.title in titles or table.name.startswith(alive), table.name
    assert book.sheetnames[: len(SHEETS)] == SHEETS


@pytest.mark.parametrize("name", ["quoted_by_channel", "existing_by_country", "payback"])
def test_sheets_hold_the_tables_values(book: Any, shown: list[Page], name: str) -> None:
    made = [table for page in shown for table in (*page.tables, *page.folded)]
    table = next(table for table in made if table.name == name)
    sheet = next(sheet for sheet in book if sheet["A1"].value == table.title)
    assert sheet["A2"].value == table.basis
    for j, column in enumerate(table.columns, start=1):
        assert sheet.cell(3, j).value == column.label
        for i, value in enumerate(table.frame[column.key], start=4):
            found = sheet.cell(i, j).value
            expected = value if column.kind == "text" else pytest.approx(value)
            assert found is None if value != value else found == expected


def test_inputs_have_names_units_and_words(book: Any, review: Review) -> None:
    days = review.study.forecast.days
    values = {name: named(book, name).value for name in book.defined_names if name != "AS_RUN"}
    changes = {f"CHANGE_{lever.upper()}": 0.1 for lever in LEVERS}
    terms = {"MARGIN": 0.4, "HORIZON_DAYS": days, "BUDGET": 3000.0, "PERIOD_DAYS": 365.25, "MODEL_DAYS": days}
    assert values == terms | changes | {"MODEL_MARGIN": 0.4, "DISCOUNT": 0.1}
    asked = {"MARGIN", "HORIZON_DAYS", "BUDGET", *changes}
    for name in values:
        cell = named(book, name)
        assert (cell.fill.fgColor.rgb == "FFFFF2C4") == (name in asked), name
        assert all(book["Inputs"].cell(cell.row, j).value for j in (1, 3, 4)), name


def test_a_cac_that_is_not_known_stays_empty(stored: Any, review: Review) -> None:
    """And is never taken for 0: nor is that of all customers, who are acquired by its channel too."""
    inputs = Sheet(stored, "Inputs")
    assert inputs.sheet[f"B{inputs.row(UNKNOWN)}"].value is None
    for title, headings in (
        ("Formulas by channel", ("CAC", "… charging all of CAC")),
        ("Value and CAC", ("CAC", "Value less CAC", "above 1")),
        ("Payback by segment", ("CAC", "Paid back in month", "Contribution so far less CAC, by month: 12")),
        ("Bridge by segment", ("CAC", "Before CAC")),
    ):
        for heading in headings:
            for name in (UNKNOWN, ALL):
                assert Sheet(stored, title).at(name, heading) in (None, ""), (title, heading)
    assert (
        Sheet(stored, "Value and CAC").at(UNKNOWN, "Value before CAC: the most it may cost (break-even)") > 0
    )


def test_one_cac_for_all_is_one_input(small_study: Study, shown: list[Page], tmp_path: Path) -> None:
    economics = dataclasses.replace(small_study.economics, cac=12.0)
    found = dataclasses.replace(
        small_study,
        economics=economics,
        comparisons=[compare(small_study.forecast, economics, by) for by in ("channel", "country")],
    )
    write(Review(found), shown[:1], "One", tmp_path / "one.xlsx")
    book = openpyxl.load_workbook(tmp_path / "one.xlsx")
    assert named(book, "CAC_EACH").value == 12.0
    for by in ("channel", "country"):
        sheet = Sheet(book, f"Formulas by {by}")
        column = sheet.column("CAC")
        cells = {cell.value for cell in sheet.sheet[column][4 : sheet.row(ALL)]}
        assert cells == {"=CAC_EACH"}
    assert "Budget" not in book.sheetnames


def test_break_evens_stand_where_responses_are_not_known(
    review: Review, shown: list[Page], tmp_path: Path
) -> None:
    plain = dataclasses.replace(review, spending=clv.Spending(3000.0))
    write(plain, shown[:1], "Plain", tmp_path / "plain.xlsx")
    sheet = Sheet(openpyxl.load_workbook(tmp_path / "plain.xlsx", data_only=True), "Budget")
    for name, row in plain.budget.acquisition.iterrows():
        assert sheet.at(name, "Break-even CAC") == pytest.approx(row["break_even_cac"])
        assert same(sheet.at(name, "In the lowest of ten cases"), row["break_even_p10"])
    start = sheet.row("What spending on retention has to bring") + 1
    for row, (spend, points) in enumerate(plain.budget.retention["points"].items(), start + 1):
        assert sheet.sheet[f"B{row}"].value == pytest.approx(spend)
        assert same(sheet.sheet[f"C{row}"].value, None if np.isnan(points) else 100 * points)


def test_formulas_by_segment_are_pythons(stored: Any, review: Review) -> None:
    for comparison in review.study.comparisons:
        if comparison.behavioural:
            continue
        shown = formula_tables.new_customers(comparison).frame
        sheet = Sheet(stored, f"Formulas by {comparison.by}")
        assert [sheet.sheet[f"A{5 + i}"].value for i in range(len(shown))] == list(shown["segment"])
        for heading, key in LIVE.items():
            column = sheet.column(heading)
            for i, value in enumerate(shown[key], start=5):
                assert same(sheet.sheet[f"{column}{i}"].value, None if np.isnan(value) else value), heading


def test_a_frequency_that_was_left_out_stays_empty(
    small_study: Study, shown: list[Page], tmp_path: Path
) -> None:
    first = small_study.comparisons[0]
    table = first.table.copy()
    young = str(table.index[1])
    table.loc[young, ["frequency", "formula_2", "formula_2_within"]] = math.nan
    told = [dataclasses.replace(first, table=table), *small_study.comparisons[1:]]
    write(dataclasses.replace(small_study, comparisons=told), shown, "Shop", tmp_path / "young.xlsx")
    sheet = Sheet(openpyxl.load_workbook(tmp_path / "young.xlsx"), "Formulas by channel")
    assert sheet.at(young, "Orders a period") is None
    assert sheet.at(young, "Orders a customer").startswith("=")
    assert "PERIOD_DAYS" in sheet.at(ALL, "Orders a period")


def test_money_has_the_decimals_of_its_currency_in_cells(
    small_study: Study, shown: list[Page], tmp_path: Path
) -> None:
    log = small_study.orders.source
    for unit, form in (("JPY", "#,##0"), ("KWD", "#,##0.000")):
        orders = clv.Transactions(log, as_of="2025-12-31", currency=unit, segments=("channel", "country"))
        found = dataclasses.replace(small_study, orders=orders)
        write(found, shown, "Shop", tmp_path / f"{unit}.xlsx")
        sheet = Sheet(openpyxl.load_workbook(tmp_path / f"{unit}.xlsx"), "Formulas by channel")
        cell = sheet.sheet[f"{sheet.column('Order value')}{sheet.row(ALL)}"]
        assert cell.number_format == f"{form};[Red]-{form}"


def test_payback_is_pythons(stored: Any, review: Review) -> None:
    sheet, units = Sheet(stored, "Payback by segment"), review.units
    for name, row in units.table.iterrows():
        curve = units.curve[units.curve["segment"] == name]
        months = [sheet.at(name, f"Contribution so far less CAC, by month: {m}") for m in curve["month"]]
        if np.isnan(row["cac"]):
            assert {*months} <= {None, ""}
            continue
        assert months == pytest.approx(list(curve["net"]), rel=1e-9)
        late = np.isnan(row["payback_month"])
        found = sheet.at(name, "Paid back in month")
        assert found == ("not in 12 months" if late else row["payback_month"])
        assert sheet.at(name, "Customers paid back") == pytest.approx(row["p_paid_back"])


def test_the_bridge_is_pythons(stored: Any, review: Review) -> None:
    sheet = Sheet(stored, "Bridge")
    rows = review.bridge.table[review.bridge.table["segment"] == ALL]
    for at, row in enumerate(rows.to_dict("records"), start=4):
        assert sheet.sheet[f"A{at}"].value.lower() == row["step"].lower()
        for column, key in (("B", "amount"), ("C", "level"), ("D", "reversed")):
            assert same(sheet.sheet[f"{column}{at}"].value, None if np.isnan(row[key]) else row[key]), row[
                "step"
            ]
    assert len(rows) == len(WORDS) + 3


def test_quarters_add_up(computed: Mapping[str, Any], stored: Any, review: Review) -> None:
    """Segments to all customers, existing and new ones to both, quarters to the whole horizon."""
    table, sheet = review.quarters.table, Sheet(computed["untouched"], "Totals by quarter")
    assert {*table["population"]} == {"existing", "new", "all"}
    start = sheet.row("Contribution, when it comes in, of both")
    both = table[(table["population"] == "all") & (table["channel"] == ALL)].set_index("period")[
        "contribution"
    ]
    for period, value in both.items():
        heading = "Whole horizon: Sum" if period == WHOLE else str(period)
        assert sheet.at(ALL, heading, start) == pytest.approx(value, rel=1e-9)
    assert sheet.at(ALL, "Whole horizon: Sum", start) == pytest.approx(both.drop(WHOLE).sum(), rel=1e-9)


def test_last_years_split_is_pythons(stored: Any, review: Review) -> None:
    sheet, table = Sheet(stored, "Budget"), review.budget.table
    for way, group in ((RECOMMENDED, "Recommended"), (LAST, "Last year"), (NOTHING, "Do nothing")):
        for words, key in (
            ("Value in all", "value"),
            ("Less what is spent", "net"),
            ("In one case of ten less than", "net_p10"),
            ("Short of the recommended", "regret"),
        ):
            found = sheet.at(words, f"{group}: Contribution")
            assert found == pytest.approx(table.loc[way, key], rel=1e-9, abs=1e-6), (way, words)


# How it looks, and that text stays text


def test_names_that_look_like_formulas_are_text(book: Any, review: Review) -> None:
    names = [str(name) for name in review.comparison.table.index]
    assert {"@SUM(A1)", "+1", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "توصية 🎁"} <= set(names)
    for title in ("Inputs", "Formulas by channel", "Value and CAC", "Totals by quarter"):
        cells = {str(cell.value).removesuffix(" (few)"): cell for cell in book[title]["A"] if cell.value}
        for name in set(names) - ({ALL} if title == "Inputs" else set()):
            assert cells[name].data_type == "s", (title, name)
    for sheet in book:
        for row in sheet:
            for cell in row:
                assert cell.data_type != "f" or "cmd|" not in str(cell.value).replace("'Formulas", "")
                link = cell.hyperlink
                assert link is None or (sheet.title == "Summary" and link.location and not link.target)


def test_every_sheet_says_what_it_is_of_and_prints(book: Any, review: Review) -> None:
    for sheet in book:
        words = str(sheet["A2"].value)
        assert len(words) > 20, sheet.title
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.page_setup.fitToWidth in (None, 1)
        assert sheet.oddHeader.left.text == "Small && shop" or sheet.oddHeader.left.text == "Small & shop"
        assert str(review.study.as_of) in sheet.oddFooter.left.text
        assert "&P" in sheet.oddFooter.right.text
        if sheet.title != "Summary":
            assert sheet.freeze_panes, sheet.title
            assert sheet.print_title_rows, sheet.title


def test_the_first_numbers_are_numbers_beside_their_currency(book: Any, review: Review) -> None:
    rows = [[cell.value for cell in row[:3]] for row in book["Summary"].iter_rows(min_row=5, max_row=7)]
    shown = decision(review).headlines
    assert [row[0] for row in rows] == [h.label for h in shown]
    assert [row[1] for row in rows] == pytest.approx([h.amount for h in shown])
    assert {row[2] for row in rows} == {"EUR"}
    assert shown[0].value == f"{rows[0][1]:,.0f} EUR"


def test_columns_are_as_wide_as_what_they_hold(book: Any) -> None:
    """A number that does not fit would show as ###."""
    for sheet in book:
        for row in sheet.iter_rows(min_row=4):
            for cell in row:
                if isinstance(cell.value, float):
                    width = sheet.column_dimensions[cell.column_letter].width
                    assert width >= len(f"{cell.value:,.0f}") + 1, (sheet.title, cell.coordinate)


def test_an_infinite_equity_is_a_dash_on_the_summary(review: Review, tmp_path: Path) -> None:
    endless = dataclasses.replace(review.study, lifetime=None, beyond_five_years=math.nan)
    changed = dataclasses.replace(review, study=endless, spending=None)
    write(changed, pages(changed), "Endless", tmp_path / "endless.xlsx")
    rows = openpyxl.load_workbook(tmp_path / "endless.xlsx")["Summary"].iter_rows(values_only=True)
    assert [row[1] for row in rows if row[0] == "Customer equity of the base"] == ["–"]


def test_a_study_is_enough(small_study: Study, small_review: Review, tmp_path: Path) -> None:
    write(small_study, pages(small_review), "Study", tmp_path / "study.xlsx")
    names = openpyxl.load_workbook(tmp_path / "study.xlsx").sheetnames
    assert names[:11] == [name for name in SHEETS if name != "Budget"]


def test_long_and_odd_names_get_sheets_of_their_own(
    review: Review, shown: list[Page], tmp_path: Path
) -> None:
    names = ["existing_by_" + "a" * 30 + "1", "existing_by_" + "a" * 30 + "2", "x[]:*?/\\'", "'quoted'"]
    names += ["history", "", "?*", "🎁" * 20, "کانال\u202e", "=cmd|' /C calc'!A0", "Inputs"]
    odd = [dataclasses.replace(shown[1].tables[0], name=name, basis="=1+1") for name in names]
    first = dataclasses.replace(shown[0], tables=odd, finding="=1+1")
    write(review, [first, *shown[1:]], "=1+1 &P \n" + "x" * 300, tmp_path / "odd.xlsx")
    book = openpyxl.load_workbook(tmp_path / "odd.xlsx")
    words = [cell for sheet in book for row in sheet for cell in row if cell.value == "=1+1"]
    assert len(words) == 1 + len(names)
    assert {cell.data_type for cell in words} == {"s"}
    assert len({name.casefold() for name in book.sheetnames}) == len(book.sheetnames)
    for name in book.sheetnames:
        assert 0 < len(name.encode("utf-16-le")) <= 62
        assert not re.search(r"[\[\]:*?/\\]", name)
        assert name[0] != "'"
        assert name.lower() != "history"
