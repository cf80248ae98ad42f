"""Ledger and spending: periods as days, and every fault with its code, all at once."""

import datetime as dt

import pandas as pd
import pytest

import clv
from clv.data.books import read_ledger, read_spending, within
from clv.errors import ConfigError, DataError


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
    year = within(found, dt.date(2025, 9, 30), dt.date(2026, 9, 30))
    assert year["acquisition_spend"].sum() == pytest.approx(
        spend[spend["period"] > "2025-09"]["acquisition_spend"].sum()
    )


def test_a_part_of_a_period_is_left_out(spend):
    found = within(read_spending(spend, "channel"), dt.date(2026, 7, 15), dt.date(2026, 9, 29))
    assert set(found["first"]) == {dt.date(2026, 8, 1)}


@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        ({"period": ["2026-13"], "net_revenue": [1]}, ConfigError, "P003 a period must be"),
        (
            {"period": ["2026-Q1", "2026-03"], "net_revenue": [1, 1]},
            ConfigError,
            "P003 ledger has overlapping",
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
        read_spending(rows, "channel", ["web", "post"])
    assert caught.value.codes == ["P002", "P002", "P001", "P003"]
    assert "acquisition_spend must be 0 or more; got -2.00 in 2026-02" in str(caught.value)
    assert "spend names 'shop', in which no customer is. There are post, web." in str(caught.value)
