"""Windows of a back-test, and what happened in them, against the log itself."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import clv
from clv.evaluation import origins
from clv.evaluation.origins import Window, moved, roll, windows

day = dt.date.fromisoformat


@pytest.fixture(scope="module")
def orders():
    log = clv.datasets.load_cdnow_sample()
    return clv.Transactions(log, as_of="1998-06-30", zero_orders="count", duplicates="keep")


@pytest.fixture(scope="module")
def rolled(orders):
    return roll(orders, "3m", 9)


@pytest.fixture(scope="module")
def days():
    log = clv.datasets.load_cdnow_sample()
    found = log.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    return found.assign(first=found.groupby("customer_id")["date"].transform("min"))


def test_ends_of_months_stay_ends_of_months():
    assert moved(day("2026-08-31"), "6m", -1) == day("2026-02-28")
    assert moved(day("1998-06-30"), "3m", -2) == day("1997-12-31")
    assert moved(day("2026-06-15"), "1y", -1) == day("2025-06-15")
    assert moved(day("2026-06-15"), "2w", -2) == day("2026-05-18")


def test_windows_lie_end_to_end_where_there_is_a_log_before_them():
    found = windows(day("1997-01-01"), day("1998-06-30"), "6m", 4)
    assert [str(w) for w in found] == ["1997-12-31 to 1998-06-30", "1997-06-30 to 1997-12-31"]
    assert found[0].steps[:2] == (day("1998-01-31"), day("1998-02-28"))
    assert found[0].steps[-1] == found[0].end
    assert len(windows(day("1997-01-02"), day("1998-06-30"), "6m", 4)) == 1
    weeks = windows(day("1997-01-01"), day("1998-06-30"), "26w", 1)[0]
    assert (weeks.days, len(weeks.steps)) == (182, 26)


def test_the_year_before_is_the_same_days():
    before = Window(day("2025-02-28"), day("2025-08-31"), ()).year_before
    assert str(before) == "2024-02-29 to 2024-08-31"


def test_no_origin_is_an_error(orders):
    with pytest.raises(
        clv.ConfigError, match=r"C007 horizon leaves no origin .* got '10m' after a log of 545"
    ):
        roll(orders, "10m", 4)


def test_actuals_are_those_of_the_log_and_their_window(rolled, days):
    found, _ = rolled
    assert [str(o.window.cut) for o in found] == [
        "1997-03-31",
        "1997-06-30",
        "1997-09-30",
        "1997-12-31",
        "1998-03-31",
    ]
    for o in found:
        known = days[days["first"] <= str(o.window.cut)]
        after = known[(known["date"] > str(o.window.cut)) & (known["date"] <= str(o.window.end))]
        table = o.rfm.to_pandas().set_index("customer_id")
        assert len(table) == known["customer_id"].nunique()
        spent = after.groupby("customer_id")["amount"].sum().reindex(table.index, fill_value=0)
        np.testing.assert_allclose(table["actual_spend"] / 100, spent, atol=1e-9)
        assert table["actual_purchases"].sum() == len(after) == o.purchases.sum()
        assert o.value.sum() == pytest.approx(after["amount"].sum())
        month = after["date"].dt.to_period("M")
        assert list(o.purchases) == list(after.groupby(month).size())


def test_the_year_before_an_origin_where_the_log_is_long_enough(rolled, days):
    found, ahead = rolled
    assert [o.earlier is not None for o in found] == [False, False, False, False, True]
    for e, start, end in (
        (found[-1].earlier, "1997-03-31", "1997-06-30"),
        (ahead, "1997-06-30", "1997-09-30"),
    ):
        assert str(e.window) == f"{start} to {end}"
        known = days[(days["first"] <= start) & (days["date"] > start) & (days["date"] <= end)]
        assert e.revenue == pytest.approx(known["amount"].sum())
        assert str(e.rfm.as_of) == start


def test_bases_are_counted_in_one_pass(orders, monkeypatch):
    calls = []
    splits = origins.splits
    monkeypatch.setattr(origins, "splits", lambda *given: calls.append(given) or splits(*given))
    roll(orders, "3m", 4)
    assert len(calls) == 1


def test_a_refund_counts_from_the_day_it_is_known():
    """What a year earlier brought is taken as it was known at the cut; what came after it, as in the end."""
    rows = [(f"C{i}", date, 10.0, f"{i}{date}", None) for i in range(30) for date in MONTHS]
    rows += [
        ("C0", "2026-11-20", -10.0, "r1", "02025-08-15"),
        ("C0", "2026-11-20", -10.0, "r2", "02026-08-15"),
    ]
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount", "order_id", "refund_of"])
    orders = clv.Transactions(log, as_of="2026-12-31", refunds="net_to_original")
    found, _ = roll(orders, "6m", 1)
    assert found[0].earlier.revenue == pytest.approx(30 * 6 * 10)  # the refund was not known by June 2026
    assert found[0].value.sum() == pytest.approx(30 * 6 * 10 - 10)


MONTHS = [str(d.date()) for d in pd.date_range("2024-12-01", "2026-12-15", freq="MS") + pd.Timedelta(days=14)]
