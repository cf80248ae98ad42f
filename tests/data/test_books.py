"""Ledger and spending: periods as days, and every fault with its code, all at once."""

import datetime as dt

import pandas as pd
import pytest

import clv
from clv.data.books import latest, read_ledger, read_spending
from clv.errors import ConfigError, DataError
from clv.units import as_date


@pytest.fixture(scope="module")
def spend():
    return clv.datasets.load_shop().spend


def test_periods_become_days():
    books = read_ledger(pd.DataFrame({"period": ["2026-Q2", "2026-01"], "net_revenue": ["10.5", 2]}))
    assert books.to_dict("list") == {
        "first": [dt.date(2026, 1, 1), dt.date(2026, 4, 1)],
        "last": [dt.date(2026, 1, 31), dt.date(2026, 6, 30)],
        "net_revenue": [2.0, 10.5],
    }
    fiscal = read_ledger(pd.DataFrame({"period": ["FY2027-Q1"], "net_revenue": [1]}), year_start=4)
    assert fiscal["first"][0] == dt.date(2026, 4, 1)


def test_a_file_and_a_frame_say_the_same(tmp_path, spend):
    spend.to_csv(tmp_path / "spend.csv", index=False)
    spend.to_parquet(tmp_path / "spend.parquet")
    found = read_spending(spend, "channel")
    for name in ("spend.csv", "spend.parquet"):
        pd.testing.assert_frame_equal(read_spending(tmp_path / name, "channel"), found)
    year = latest(found, dt.date(2026, 9, 30), 12)
    assert year["acquisition_spend"].sum() == pytest.approx(
        spend[spend["period"] > "2025-09"]["acquisition_spend"].sum()
    )


@pytest.mark.parametrize(
    ("periods", "end", "first", "last"),
    [
        (["2024-Q3", "2024-Q4", "2025-Q1", "2025-Q2", "2025-Q3"], "2025-09-29", "2024-07-01", "2025-06-30"),
        (["2024-Q3", "2024-Q4", "2025-Q1", "2025-Q2", "2025-Q3"], "2025-09-30", "2024-10-01", "2025-09-30"),
        (["2023", "2024", "2025"], "2025-09-29", "2024-01-01", "2024-12-31"),
        ([f"2024-{m:02}" for m in range(1, 13)], "2024-03-15", "2024-01-01", "2024-02-29"),
        (
            [f"{y}-{m:02}" for y in (2023, 2024) for m in range(1, 13)],
            "2024-02-29",
            "2023-03-01",
            "2024-02-29",
        ),
    ],
)
def test_a_year_ends_with_the_last_whole_period(periods, end, first, last):
    """A day before a quarter ends there are still four whole ones, from the one before."""
    found = latest(
        read_ledger(pd.DataFrame({"period": periods, "net_revenue": 1.0})), as_date(end, "end"), 12
    )
    assert (str(found["first"].min()), str(found["last"].max())) == (first, last)


def test_books_that_end_a_year_before_say_nothing_of_it():
    books = read_ledger(pd.DataFrame({"period": ["2024-11", "2024-12"], "net_revenue": 1.0}))
    assert len(latest(books, dt.date(2025, 12, 30), 12)) == 2
    assert latest(books, dt.date(2025, 12, 31), 12).empty
    assert latest(books, dt.date(2024, 11, 29), 12).empty


@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        ({"period": ["2026-13"], "net_revenue": [1]}, ConfigError, "P003 periods of the ledger must be"),
        (
            {"period": ["2026-Q1", "2026-03"], "net_revenue": [1, 1]},
            ConfigError,
            "P003 the ledger has overlapping",
        ),
        (
            {"period": ["2026-03"] * 2, "net_revenue": [1, 1]},
            ConfigError,
            "one row a period; got 2026-03 twice",
        ),
        (
            {"period": ["2026-03"], "net_revenue": ["x"]},
            DataError,
            "D016 net_revenue of the ledger .* got 'x'",
        ),
        ({"period": ["2026-03"], "net_revenue": [None]}, DataError, "D016 net_revenue"),
        ({"month": ["2026-03"], "net_revenue": [1]}, DataError, "D001 Column 'period' not found"),
    ],
)
def test_a_faulty_ledger_is_refused(rows, error, said):
    with pytest.raises(error, match=said):
        read_ledger(pd.DataFrame(rows))


def test_faulty_spending_is_refused_with_all_that_is_wrong():
    rows = pd.DataFrame(
        {
            "period": ["2026-Q1", "2026-02", "2026-04"],
            "channel": ["web", "shop", "web"],
            "acquisition_spend": [1.0, -2.0, 3.0],
            "retention_spend": [0.0, 0.0, -1.0],
        }
    )
    with pytest.raises(ConfigError) as caught:
        read_spending(rows, "channel")
    assert caught.value.codes == ["P002", "P002", "P003"]
    assert "acquisition_spend of the spend must be 0 or more; got -2 in 2026-02" in str(caught.value)
    with pytest.raises(DataError) as caught:
        read_spending(rows.assign(retention_spend=["0", "x", "-1"]), "channel")
    assert caught.value.codes == ["P002", "D016", "P002", "P003"]
