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
CURVES = "[budget]\ntotal = 100\n[budget.acquisition]\n{} = {{ ceiling = 5, saturation = 50 }}\n"


@pytest.fixture
def found(job: Callable[..., Path], tmp_path: Path) -> Callable[..., list[tuple[str, str, str]]]:
    """Write what stands beside the log; returns what a check finds, code, severity and message."""

    def findings(inputs: str = "", sections: str = "", **tables: object) -> list[tuple[str, str, str]]:
        for name, columns in tables.items():
            pd.DataFrame(columns).to_csv(tmp_path / f"{name}.csv", index=False)
        config = load(job(config=CONFIG.format(inputs, sections)))
        return [(f.code, f.severity, f.message) for f in check(config).failing]

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
            {"country": ["AT", "XX"]},
            "P001",
            "spend names 'XX', in which no customer is. There are AT, CZ, LT.",
        ),
        ({"acquisition_spend": [5, -6]}, "P002", "acquisition_spend must be 0 or more; got -6.00 in 2025-11"),
        ({"period": ["2025-13", "2025-13"]}, "P003", "a period must be a month"),
        ({"retention_spend": [0, "x"]}, "D016", "retention_spend of the spend must be a number; got 'x'"),
    ],
)
def test_spend_that_cannot_be_meant_is_named(
    found: Callable[..., list[tuple[str, str, str]]], changed: dict[str, object], code: str, said: str
) -> None:
    told = found('spend = "spend.csv"', spend=SPEND | changed)
    assert [(c, s, m[: len(said)]) for c, s, m in told] == [(code, "F", said)]


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"country": ["AT", "XX"]}, "P001", "plan names 'XX', in which no customer is."),
        ({"customers": [10, -2]}, "P002", "plan must have 0 customers or more in 2026-Q1; got -2"),
        ({"customers": ["many", 2]}, "D016", "customers of the plan must be a number; got 'many' in 2026-Q1"),
        (
            {"period": ["2025-Q4", "2026-Q1"]},
            "P003",
            "plan has customers for 2025-Q4, which is over by as_of",
        ),
        (
            {"period": ["2027-Q1", "2026-Q1"]},
            "P003",
            "plan has customers for 2027-Q1, after the horizon ends",
        ),
        ({"country": ["AT", "AT"]}, "P003", "plan has overlapping periods of AT: 2026-Q1 and 2026-Q1."),
    ],
)
def test_a_plan_that_cannot_be_meant_is_named(
    found: Callable[..., list[tuple[str, str, str]]], changed: dict[str, object], code: str, said: str
) -> None:
    told = found(sections='[plan]\npath = "plan.csv"\n', plan=PLAN | changed)
    assert [(c, s, m[: len(said)]) for c, s, m in told] == [(code, "F", said)]


def test_a_plan_of_months_may_be_read_as_dates(
    found: Callable[..., list[tuple[str, str, str]]], tmp_path: Path
) -> None:
    months = pd.DataFrame(PLAN | {"period": pd.to_datetime(["2026-01-01", "2026-02-01"])})
    months.to_parquet(tmp_path / "plan.parquet")
    assert found(sections='[plan]\npath = "plan.parquet"\n') == []


def test_a_column_or_file_that_is_missing_is_named(
    found: Callable[..., list[tuple[str, str, str]]],
) -> None:
    bare = {name: values for name, values in PLAN.items() if name != "country"}
    told = found(sections='[plan]\npath = "plan.csv"\n', plan=bare)
    assert [(c, m[:27]) for c, _, m in told] == [("D001", "Column 'country' not found.")]
    told = found('ledger = "none.csv"')
    assert [(c, m[:26]) for c, _, m in told] == [("I001", "file not found: none.csv. ")]


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
