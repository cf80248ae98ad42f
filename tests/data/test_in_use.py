"""What is asked of an order beside amount and day, on logs by hand: cost of goods, referrers, variety."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from clv.data.contract import Transactions
from clv.data.engines import fetch
from clv.data.in_use import goods, referred, rows_in_use, variety

COLUMNS = ["order_id", "customer_id", "date", "amount", "cogs", "refund_of", "referred_by", "channel"]
ROWS: list[tuple[Any, ...]] = [
    ("1", "a", "2024-01-01", 10.0, 4.0, None, "b", "web"),
    ("2", "a", "2024-01-05", 20.0, 9.0, None, None, "shop"),
    ("3", "a", "2024-01-09", 30.0, 20.0, None, None, "web"),
    ("4", "a", "2024-01-10", -30.0, -20.0, "3", None, "web"),  # in full: the order and its cost are gone
    ("5", "b", "2024-01-02", 50.0, 25.0, None, None, "web"),
    ("6", "b", "2024-01-04", -10.0, None, "5", None, "shop"),  # goodwill: nothing came back
    ("7", "b", "2024-01-06", 40.0, 16.0, None, "a", "web"),  # referred too late
    ("8", "b", "2024-01-08", -20.0, 8.0, "7", None, "web"),  # half of it came back, without a sign
    ("9", "c", "2024-01-03", 7.0, None, None, " ", None),  # of unknown cost
    ("1", "a", "2024-01-01", 10.0, 4.0, None, "b", "web"),  # loaded twice
    ("10", "c", "2024-03-03", 70.0, 1.0, None, "a", "shop"),  # after as_of
]


def orders(rows: list[tuple[Any, ...]] = ROWS, **options: Any) -> Transactions:
    frame = pd.DataFrame(rows, columns=COLUMNS)
    given = {"as_of": "2024-02-01", "refunds": "net_to_original", "segments": ("channel",)}
    return Transactions(frame, **{**given, "cogs": "cogs", "referred_by": "referred_by"} | options)


def rows_of(table: Any) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in fetch(table).to_pylist():
        found.setdefault(row.pop("customer_id"), []).append(tuple(row.values()))
    return {name: sorted(own, key=str) for name, own in found.items()}


def test_cost_is_net_of_what_came_back() -> None:
    found = rows_of(goods(orders()))
    assert found == {
        "a": [(1000, 400), (2000, 900)],
        "b": [(0, -800), (0, 0), (2000, 1600), (4000, 2500)],
    }


def test_cost_of_refunds_as_booked_and_dropped() -> None:
    booked = rows_of(goods(orders(refunds="as_booked")))
    assert booked["a"] == [(1000, 400), (2000, 900), (3000, 2000)]  # booked on days without a sale
    dropped = rows_of(goods(orders(refunds="drop")))
    assert sorted(dropped["b"]) == [(4000, 1600), (5000, 2500)]


def test_referred_are_those_who_were_on_their_first_day() -> None:
    assert rows_of(referred(orders())) == {"a": [(True,)], "b": [(False,)], "c": [(False,)]}


def test_variety_counts_values_of_a_customer() -> None:
    assert rows_of(variety(orders())) == {"a": [(2,)], "b": [(1,)], "c": [(None,)]}


def test_engines_agree(engine: Callable[[pa.Table], Any]) -> None:
    log = pa.Table.from_pandas(pd.DataFrame(ROWS, columns=COLUMNS), preserve_index=False)
    given = {"as_of": "2024-02-01", "refunds": "net_to_original", "segments": ("channel",)}
    made = Transactions(engine(log), cogs="cogs", referred_by="referred_by", **given)
    here = orders()
    for of in (goods, referred, variety, rows_in_use):
        assert rows_of(of(made)) == rows_of(of(here))


def test_rows_in_use_are_those_of_the_reconciliation() -> None:
    made = orders(hash_ids="salt")
    rows = fetch(rows_in_use(made)).to_pandas()
    book = made.reconciliation().set_index("reason")
    assert len(rows) == book["rows"]["used"]
    assert rows["minor"].sum() / 100 == pytest.approx(book["money"]["used"])
    ids = set(made.rfm().to_pandas()["customer_id"])
    assert set(rows["customer_id"]) == ids
    once = [row for row in ROWS if row[3] > 0 and row[1] != "c"][:2]
    plain = orders(once, refunds=None, cogs=None, referred_by=None, segments=())
    assert rows_of(rows_in_use(plain)) == {"a": [(19723, 1000, 1000), (19727, 2000, 2000)]}


def test_costs_that_cannot_be_meant() -> None:
    found = {f.code: f for f in orders().findings if "cogs" in f.message}
    assert found["D018"].severity == "W"
    assert found["D018"].message.startswith("1 row (9.1 %) has no cogs, first at row 9.")
    odd = [(*row[:4], "4,5x" if row[0] == "1" else "-9", *row[5:]) for row in ROWS[:2]]
    told = {f.code: str(f) for f in orders(odd).findings if f.severity == "F"}
    assert told["D016"].startswith("D016 cogs is not a number, or too large, in 1 row, first at row 1")
    assert told["D050"].startswith("D050 cogs must be 0 or more on a sale; got less in 1 row, first at row 2")
    missing = {f.code: f.message for f in orders(cogs="cost", referred_by="friend").findings}
    assert missing["D001"].startswith("Column")
    both = [f.message for f in orders(cogs="cost", referred_by="friend").findings]
    assert len(both) == 2
