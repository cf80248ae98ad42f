"""One definition for every engine: the same dirty log on DuckDB, PostgreSQL and Spark, to the last row.

Sessions are in Pacific/Auckland; the business day is cut in Europe/Prague, around midnight and on both days
on which clocks change.
"""

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pytest

import clv
from clv.data.contract import Transactions
from clv.data.holdout import splits

ODD = "x'; DROP TABLE orders; --"
NAME = 'which "shop"; --'
ROWS: list[tuple[Any, ...]] = [
    # customer, date, amount, order_id, refund_of, type, currency, shop
    ("c1", "2025-03-29T23:30:00+01:00", "10.00", "1", None, "sale", "EUR", "b"),
    ("c1", "2025-03-29T22:30:00Z", "10.00", "2", None, None, "EUR", "a"),  # the same day in Prague
    ("c1", "2025-03-29T23:30:00Z", "2.675", "3", None, "sale", "EUR", "a"),  # the day clocks go forward
    ("c1", "2025-03-30T22:30:00Z", "5.00", "4", None, "sale", "EUR", "a"),  # 00:30 of the next day
    ("c1", "2025-10-25T21:59:00Z", "7.00", "5", None, "sale", "EUR", "a"),
    ("c1", "2025-10-25T22:00:00Z", "7.10", "6", None, "sale", "EUR", "a"),  # the day clocks go back
    ("c1", "2025-10-26T22:59:59Z", "7.20", "7", None, "sale", "EUR", "a"),
    ("c1", "2025-10-26T23:00:00Z", "7.30", "8", None, "sale", "EUR", "a"),
    (" c2 ", "2025-04-01", "20", "9", None, "sale", "EUR", ODD),
    ("c2", "2025-04-01", "20", "9b", None, "sale", "EUR", ODD),
    ("c2", "2025/05/02", "30.5", "10", None, "sale", "EUR", "ž"),
    ("c2", "2025-05-02", "30.5", "11", None, "sale", "EUR", "Z"),
    ("c2", "2025-05-09", "-30.5", "12", "10", "refund", "EUR", None),
    ("c2", "2025-05-10", "5", "13", "11", "refund", "EUR", None),
    ("c2", "2025-06-10", "1e2", "14", None, "sale", "EUR", "a"),
    ("c2", "2025-06-11", "-20", None, None, "sale", "EUR", "a"),
    ("c2", "2025-06-11", "-999", None, None, "sale", "EUR", "a"),
    ("c3", "2025-04-04", "50", "20", None, "sale", "USD", "B"),
    ("c3", "2025-04-06", "12.34", "21", None, "sale", "usd", "B"),  # a Sunday: Friday's rate
    ("c3", "2025-07-07", "15", "22", None, "sale", "EUR", "a"),
    ("c3", "2025-07-07", "15", "22", None, "sale", "EUR", "a"),  # loaded twice
    ("c3", "2025-07-08", "-45", None, "20", "sale", "EUR", "a"),
    ("c3", "2025-07-09", "-1", None, "20", "sale", "EUR", "a"),
    ("c4", "2025-08-01", "0", "30", None, "sale", "EUR", "a"),
    ("c4", "2025-08-02", "9.99", "31", None, "sale", "EUR", "a"),
    ("c4", "2025-08-03", "8.88", "32", None, "test", "EUR", "a"),
    ("c4", "2025-08-04", "8.88", "33", None, "cancel", "EUR", "a"),
    ("c4", "2025-12-31", "8.88", "34", None, "sale", "EUR", "a"),  # after as_of
    ("C4", "2025-08-05", "1.005", "35", None, "sale", "EUR", "Ä"),
    ("c4", "2025-08-02", "9.99", None, None, "sale", "EUR", "a"),
    ("c4", "2025-08-02", "9.99", None, None, "sale", "EUR", "a"),
    ("guest", "2025-08-05", "3", "36", None, "sale", "EUR", "a"),
    ("gone", "2025-08-05", "4", "37", None, "sale", "EUR", "a"),
    ("", "2025-08-05", "5", "38", None, "sale", "EUR", "a"),
    (None, "2025-08-06", "6", "39", None, "sale", "EUR", "a"),
    ("c5", None, "7", "40", None, "sale", "EUR", "a"),
    ("c5", "2025-08-06", None, "41", None, "sale", "EUR", "a"),
    ("c5", "2025-08-06", "nan", "42", None, "sale", "EUR", "a"),
    ("c5", "2025-08-07", "1", "43", None, "sale", "EUR", "a"),
    ("old", "2025-08-07", "2", "44", None, "sale", "EUR", "a"),  # c5 under an earlier id
    ("old", "2025-09-07", "3.5", "45", None, "sale", "EUR", "b"),
    ("名前", "2025-09-08", "100000000.25", "46", None, "sale", "EUR", "店"),
    ("名前", "2025-09-09", "0.005", "47", None, "sale", "EUR", "店"),
    (ODD, "2025-09-10", "3", "48", None, "sale", "EUR", "a"),
    (ODD, "2025-09-12", "-3", "49", None, "sale", "EUR", "a"),
    (ODD, "2025-09-12", "4", "50", None, "sale", "EUR", "_"),
    ('"', "2025-09-13 10:00:00+02", "5", "51", None, "sale", "EUR", "a"),
    ('"', "2025-09-13 23:59:59.999+0000", "5", "52", None, "sale", "EUR", "a"),
    ("%s", "2024-02-29", "1", "53", None, "sale", "EUR", "a"),
    ("%s", "2025-02-28", "1", "54", None, "sale", "EUR", "a"),
]
COLUMNS = ["customer_id", "date", "amount", "order_id", "refund_of", "type", "currency", NAME]
BAD: list[tuple[Any, ...]] = [
    ("c6", "2025-02-29", "1", "60", None, "sale", "EUR", "a"),
    ("c6", "20250228", "1", "61", None, "sale", "EUR", "a"),
    ("c6", "1767571200", "1", "62", None, "sale", "EUR", "a"),
    ("c6", "03/04/2025", "1", "63", None, "sale", "EUR", "a"),
    ("c6", "2025-02-28T10:00:00", "1,50", "64", None, "sale", "EUR", "a"),
    ("c6", "2025-02-28", "five", "65", None, "sale", "EUR", "a"),
    ("c6", "2025-02-28", "inf", "66", None, "sale", "EUR", "a"),
    ("c6", "2025-02-28", "1", "67", None, "gift", "EUR", "a"),
    ("c6", "2025-02-28", "1", "68", None, "sale", "CHF", "a"),
    ("c6", "2025-02-28", "1", "1", None, "sale", "EUR", "a"),
]
FX = pd.DataFrame({"date": ["2025-04-04"], "currency": ["USD"], "rate": [0.905]})
SAME = pd.DataFrame({"customer_id": ["old"], "same_as": ["c5"]})
CUTS = ["2025-04-30", "2025-07-08", "2025-09-10"]

type Load = Callable[[pa.Table], ibis.Table]


def table(rows: list[tuple[Any, ...]]) -> pa.Table:
    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    return pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in rows], schema=schema)


def orders(source: Any, **options: Any) -> Transactions:
    given: dict[str, Any] = {
        "as_of": "2025-11-30",
        "segments": [NAME],
        "timezone": "Europe/Prague",
        "currency": "EUR",
        "fx": FX,
        "identities": SAME,
        "erased": ["gone"],
        "guest_ids": ["guest"],
        "refunds": "net_to_original",
        "duplicates": "drop",
        "missing_amount": "drop",
        "allow_gap": "1y",
    }
    return Transactions(source, **given | options)


def said(log: Transactions) -> list[tuple[str, str, int]]:
    """Findings without the places of rows, which only a file has."""
    return [(f.code, f.severity, f.rows) for f in log.findings]


@pytest.fixture(scope="module")
def reference() -> Transactions:
    return orders(table(ROWS))


@pytest.fixture(scope="module")
def there(engine: Load) -> Transactions:
    return orders(engine(table(ROWS)))


def test_the_business_day(reference: Transactions) -> None:
    days = reference.days().filter(lambda t: t.customer == "c1").order_by("day").to_pyarrow().to_pylist()
    found = [
        (str(dt.date(1970, 1, 1) + dt.timedelta(day["day"])), day["spent"], day["orders"]) for day in days
    ]
    assert found == [
        ("2025-03-29", 2000, 2),
        ("2025-03-30", 268, 1),
        ("2025-03-31", 500, 1),
        ("2025-10-25", 700, 1),
        ("2025-10-26", 1430, 2),
        ("2025-10-27", 730, 1),
    ]


def test_the_reference_by_hand(reference: Transactions) -> None:
    found = reference.rfm().to_pandas().set_index("customer_id")
    assert found.loc["c2", ["frequency", "first_amount", "repeat_spend", "orders"]].tolist() == [
        2,
        4000,
        10550,
        4,
    ]
    assert found.loc["c3", ["frequency", "first_amount", "repeat_spend"]].tolist() == [1, 1117, 1500]
    assert found.loc["c5", ["frequency", "recency", "repeat_spend"]].tolist() == [1, 31, 350]
    assert found.loc["名前", ["first_amount", "repeat_spend"]].tolist() == [10_000_000_025, 0]
    assert found.loc["c2", NAME] == ODD
    assert reference.reconciliation()["rows"].sum() == len(ROWS)


def test_findings(there: Transactions, reference: Transactions) -> None:
    assert said(there) == said(reference)
    assert [f.code for f in reference.findings if f.severity == "F"] == []


def test_rows_and_money(there: Transactions, reference: Transactions) -> None:
    pd.testing.assert_frame_equal(there.reconciliation(), reference.reconciliation())


def test_customers(there: Transactions, reference: Transactions) -> None:
    one, two = there.rfm().to_pandas(), reference.rfm().to_pandas()
    order = ["customer_id"]
    one, two = (frame.sort_values(order, ignore_index=True) for frame in (one, two))
    pd.testing.assert_frame_equal(one, two)


def test_cuts(there: Transactions, reference: Transactions) -> None:
    for one, two in zip(splits(there, CUTS), splits(reference, CUTS), strict=True):
        frames = (held.rfm.to_pandas().sort_values("customer_id", ignore_index=True) for held in (one, two))
        pd.testing.assert_frame_equal(*frames)
        assert (one.later_customers, one.later_spend) == (two.later_customers, two.later_spend)


def test_histories_and_forecasts(there: Transactions, reference: Transactions) -> None:
    """Grouping and the join of forecasts run on the engine as well."""
    purchase = clv.fit(
        clv.BGNBD, clv.PurchaseHistory([0, 2, 4, 1], [0, 9, 20, 30], [30, 30, 40, 40], weight=[9, 4, 2, 5])
    )
    spend = clv.fit(clv.GammaGamma, clv.SpendHistory([1, 2, 3, 1], [10, 30, 20, 5]))
    included = dataclasses.replace(spend, first_order="included")
    frames, totals = [], []
    for log in (there, reference):
        rfm = log.rfm()
        assert rfm.history(clv.PurchaseHistory).weight.sum() == len(rfm)
        forecast = clv.forecast(purchase, included, rfm, "12m", margin=0.3, allow_extrapolation=True)
        frame = forecast.customers(horizons=["3m", "12m"]).to_pandas()
        frames.append(frame.sort_values(["customer_id", "horizon"], ignore_index=True))
        totals.append(forecast.totals("cohort", "Q").to_pandas())
    pd.testing.assert_frame_equal(*frames, rtol=1e-12)
    pd.testing.assert_frame_equal(*totals, rtol=1e-9)


def test_what_is_wrong_is_found_on_every_engine(engine: Load) -> None:
    options: dict[str, Any] = {"timezone": None, "duplicates": None, "type": None, "missing_amount": None}
    found = said(orders(engine(table(ROWS + BAD)), **options))
    assert found == said(orders(table(ROWS + BAD), **options))
    codes = {code for code, severity, _ in found if severity == "F"}
    assert codes == {f"D{n:03}" for n in (7, 8, 9, 10, 12, 16, 17, 18, 23, 26, 27, 29, 46)}
