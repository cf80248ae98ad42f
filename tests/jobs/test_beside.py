"""What stands beside the log is checked with it, before anything is fitted."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from clv.jobs.checking import check
from clv.jobs.config import load

CONFIG = """
[input]
path = "log.csv"
as_of = 2025-12-31
currency = "EUR"
{}
[segments]
columns = ["country"]
[economics]
margin = 0.4
{}
[report]
name = "Small shop"
"""
SPEND = {"period": ["2025-11", "2025-11"], "country": ["AT", "CZ"], "acquisition_spend": [5, 6]}
SPEND |= {"retention_spend": [0, 0]}
PLAN = {"period": ["2026-Q1", "2026-Q1"], "country": ["AT", "CZ"], "customers": [10, 20]}
PLANNED = '[plan]\npath = "plan.csv"\n'
CURVES = "[budget]\ntotal = 100\n[budget.acquisition]\n{} = {{ ceiling = 5, saturation = 50 }}\n"


@pytest.fixture
def found(job: Callable[..., Path], tmp_path: Path) -> Callable[..., list[tuple[str, str, str]]]:
    """Write what stands beside the log; returns what a check finds, code, severity and message."""

    def findings(inputs: str = "", sections: str = "", **tables: object) -> list[tuple[str, str, str]]:
        for name, columns in tables.items():
            pd.DataFrame(columns).to_csv(tmp_path / f"{name}.csv", index=False)
        config = load(job(config=CONFIG.format(inputs, sections)))
        said = check(config).findings
        return [(f.code, f.severity, f.message) for f in said if f.code[0] in "PI" or f.severity == "F"]

    return findings


def test_good_books_are_not_spoken_of(found: Callable[..., list[tuple[str, str, str]]]) -> None:
    ledger = {"period": ["2025-10", "2025-Q3"], "net_revenue": [1.0, 2.0]}
    sections = '[plan]\npath = "plan.csv"\n' + CURVES.format("AT")
    inputs = 'ledger = "ledger.csv"\nspend = "spend.csv"'
    assert found(inputs, sections, ledger=ledger, spend=SPEND, plan=PLAN) == []


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        (
            {"acquisition_spend": [5, -6]},
            "P002",
            "acquisition_spend of the spend must be 0 or more; got -6 in 2025-11 (1 row). Write 0",
        ),
        (
            {"period": ["2025-13", "2025-13"]},
            "P003",
            'periods of the spend must be months "2026-10", quarters "2026-Q4" or years "2026"; got \'2025',
        ),
        (
            {"retention_spend": [0, "x"]},
            "D016",
            "retention_spend of the spend must be a number; got 'x' in 2025-11 (1 row). Mend the cell",
        ),
        (
            {"retention_spend": ["0,5", "1.040,5"]},
            "D016",
            "retention_spend of the spend must be a number; got '0,5' in 2025-11 (2 rows). Write 0.5: number",
        ),
        (
            {"retention_spend": ["0", "1,040"]},
            "D016",
            "retention_spend of the spend must be a number; got '1,040' in 2025-11 (1 row). Write 1040: noth",
        ),
        (
            {"retention_spend": [0, None]},
            "D016",
            "retention_spend of the spend must be a number; got an empty cell in 2025-11 (1 row). Write 0",
        ),
        (
            {"country": ["AT", "AT"]},
            "P003",
            "the spend must have one row a period and segment; got 2025-11 · AT twice (1 row). Add them up.",
        ),
    ],
)
def test_spend_that_cannot_be_meant_is_named(
    found: Callable[..., list[tuple[str, str, str]]], changed: dict[str, object], code: str, said: str
) -> None:
    told = found('spend = "spend.csv"', spend=SPEND | changed)
    assert [(c, s, m[: len(said)]) for c, s, m in told] == [(code, "F", said)]


def test_spend_on_what_nobody_is_in_is_a_fact_and_may_be_a_typo(
    found: Callable[..., list[tuple[str, str, str]]],
) -> None:
    after = "What was spent on them counts in the cost of all customers alone."
    for name, hint in (("xyz", "There are AT, CZ, LT."), ("ATT", "Did you mean 'AT'?")):
        said = f"spend names {name!r}, in which no customer is. {hint} {after}"
        assert found('spend = "spend.csv"', spend=SPEND | {"country": ["AT", name]}) == [("P001", "W", said)]


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        (
            {"country": ["AT", "xyz"]},
            "P001",
            "plan names 'xyz', in which no customer is. There are AT, CZ, LT. Plan customers of a new one in",
        ),
        ({"country": ["AT", None]}, "P001", "row 2 of the plan has no country (1 row). Fill it in."),
        ({"period": ["2026-Q1", None]}, "P003", "row 2 of the plan has no period (1 row). Fill it in."),
        ({"customers": [10, -2]}, "P002", "customers of the plan must be 0 or more; got -2 in 2026-Q1"),
        ({"customers": ["many", 2]}, "D016", "customers of the plan must be a number; got 'many' in 2026-Q1"),
        (
            {"period": ["2025-Q4", "2027-Q1"]},
            "P003",
            "the plan must have customers still to come by 2026-12-31; got 2025-Q4 (over by as_of 2025-12-31)"
            "; 2027-Q1 (after the horizon ends on 2026-12-31). Give it periods after as_of 2025-12-31.",
        ),
        (
            {"country": ["AT", "AT"]},
            "P003",
            "plan of AT has overlapping periods: 2026-Q1 and 2026-Q1. Add them up",
        ),
    ],
)
def test_a_plan_that_cannot_be_meant_is_named(
    found: Callable[..., list[tuple[str, str, str]]], changed: dict[str, object], code: str, said: str
) -> None:
    told = found(sections=PLANNED, plan=PLAN | changed)
    assert [(c, s, m[: len(said)]) for c, s, m in told] == [(code, "F", said)]


def test_a_plan_may_reach_further_than_the_forecast_both_ways(
    found: Callable[..., list[tuple[str, str, str]]],
) -> None:
    """A plan of two years is no mistake, and next quarter's run needs no other."""
    plan = {"period": ["2025-Q4", "2026-Q1", "2027-Q1"], "country": "AT", "customers": 5}
    left = "2025-Q4 (over by as_of 2025-12-31); 2027-Q1 (after the horizon ends on 2026-12-31)"
    told = found(sections=PLANNED, plan=plan)
    assert told == [("P003", "A", f"Periods of the plan that are left out: {left}.")]


def test_all_that_is_wrong_with_a_table_comes_together(
    found: Callable[..., list[tuple[str, str, str]]],
) -> None:
    plan = {
        "period": ["2026-Q1", "2026-Q1", "soon", "2026-Q2", "2026-Q3"],
        "country": ["AT", "CZ", "CZ", "moon", None],
        "customers": ["10", "40,5", "5", "-3", "7"],
    }
    codes = [code for code, _, _ in found(sections=PLANNED, plan=plan)]
    assert sorted(codes) == ["D016", "P001", "P001", "P002", "P003"]
    spend = {
        "period": ["2025-11", "2025-Q4", "soon"],
        "country": ["AT", "AT", "CZ"],
        "acquisition_spend": ["1", "-1", "x"],
        "retention_spend": ["1", "1", "-2"],
    }
    told = found('spend = "spend.csv"', spend=spend)
    assert sorted(code for code, _, _ in told) == ["D016", "P002", "P002", "P003", "P003"]


@pytest.mark.parametrize(
    ("begins", "period", "said"),
    [
        (
            4,
            "2026-Q4",
            "must say that their years are fiscal, as those begin in April; got '2026-Q4' and 1 more. Write "
            '"FY2027-Q3", or months such as "2026-10".',
        ),
        (
            2,
            "2026-Q4",
            "must say that their years are fiscal, as those begin in February; got '2026-Q4' and 1 more. "
            'Write months such as "2026-10".',
        ),
        (
            4,
            "2026-Q5",
            'must be months "2026-10", quarters "FY2027-Q4" or years "FY2027"; got \'2026-Q5\' and 1 more.',
        ),
        (
            1,
            "FY2026-Q4",
            "name fiscal years, which begin in January here; got 'FY2026-Q4' and 1 more. Write \"2026-Q4\", "
            "or set fiscal_year_start.",
        ),
    ],
)
def test_periods_of_another_year_are_told_once_for_each_table(
    found: Callable[..., list[tuple[str, str, str]]], begins: int, period: str, said: str
) -> None:
    other = period.replace("2026", "2027")
    rows = {"country": ["AT", "AT", "CZ"], "period": [period, other, period]}
    spend = rows | {"acquisition_spend": 1, "retention_spend": 1}
    sections = f"{PLANNED}fiscal_year_start = {begins}\n"
    told = found('spend = "spend.csv"', sections, spend=spend, plan=rows | {"customers": 5})
    assert told == [("P003", "F", f"periods of {of} {said}") for of in ("the spend", "the plan")]


def test_a_plan_of_months_may_be_read_as_dates(
    found: Callable[..., list[tuple[str, str, str]]], tmp_path: Path
) -> None:
    months = pd.DataFrame(PLAN | {"period": pd.to_datetime(["2026-01-01", "2026-02-01"])})
    months.to_parquet(tmp_path / "plan.parquet")
    assert found(sections='[plan]\npath = "plan.parquet"\n') == []


def test_a_column_or_file_that_is_missing_is_named(
    found: Callable[..., list[tuple[str, str, str]]],
) -> None:
    columns = dict(zip(("quarter", "coutry", "customers"), PLAN.values(), strict=True))
    told = found(sections=PLANNED, plan=columns)
    have = "Columns present: quarter, coutry, customers."
    assert told == [
        ("D001", "F", f"Column {name!r} not found in the plan (plan.csv). {have} {step}")
        for name, step in (
            ("period", "Name the right one 'period' there."),
            ("country", "Did you mean 'coutry'? Rename it to 'country' there."),
        )
    ]
    ((code, _, said),) = found('ledger = "none.csv"')
    assert (code, said.split(": ")[0]) == ("I001", "file not found")
    assert "none.csv, of 'input.ledger'. " in said


def test_a_curve_of_an_unknown_segment_is_named(
    found: Callable[..., list[tuple[str, str, str]]],
) -> None:
    assert found(sections=CURVES.format("ATT")) == [
        (
            "P001",
            "F",
            "'budget.acquisition.ATT' names no country that a customer is in. Did you mean 'AT'?",
        )
    ]
    assert found(sections=CURVES.format("xyz"))[0][2].endswith("There are AT, CZ, LT.")
    assert found(sections=CURVES.format("LT"))[0][2].startswith(
        "'budget.acquisition.LT' names a country of 12 customers: those under 20 are valued together"
    )
