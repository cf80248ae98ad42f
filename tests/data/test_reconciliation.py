"""Whatever the log: every row and cent is accounted for, and the RFM is the one that a loop would count."""

import datetime as dt
import random
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clv.data.contract import Transactions
from clv.data.rfm import RFM

START = dt.date(2026, 1, 1)
EPOCH_DAY = (START - dt.date(1970, 1, 1)).days
IN_FULL, LOST = "order refunded in full", "refund without its order"


class Row(NamedTuple):
    """One row of a log: the day counts from START, the amount is in cents."""

    customer_id: str | None
    day: int | None
    cents: int | None
    order_id: str | None
    refund_of: str | None


# Few values each, so that copies, ties, guests, matches and over-refunds all happen often.
NUMBERS = st.sampled_from([None, None, None, "A", "B", "C"])
CENTS = [None, 0, 300, 500, 1000, 1000, 1000, 2500, 2500, 9999, -500, -1000, -1000, -1, -2500]
ROWS = st.builds(
    Row,
    customer_id=st.sampled_from([*["c1", "c2"] * 5, "c3", "c4", "guest", None]),
    day=st.sampled_from([*range(8), *range(8), 20, 30, 40, None]),
    cents=st.one_of(*[st.sampled_from(CENTS)] * 3, st.integers(-3000, 9999)),
    order_id=NUMBERS,
    refund_of=NUMBERS,
)
LOGS = st.builds(
    lambda rows, copies: rows + [rows[i % len(rows)] for i in copies],
    st.lists(ROWS, min_size=30, max_size=50).filter(lambda log: any(row.day is not None for row in log)),
    st.lists(st.integers(0, 49), min_size=3, max_size=6),
)
POLICIES = st.fixed_dictionaries(
    {
        "refunds": st.sampled_from(["net_to_original", "net_to_original", "net_to_original", "drop"]),
        "duplicates": st.sampled_from([None, "drop", "keep"]),
        "zero_orders": st.sampled_from(["drop", "count"]),
    }
)
CUTS = st.sampled_from([3, 6, 7, 20, 40, 40])
SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)


def transactions(log: list[Row], as_of: int, policies: dict[str, Any]) -> Transactions:
    frame = pd.DataFrame(log, columns=Row._fields, dtype=object)
    frame["date"] = [None if row.day is None else str(START + dt.timedelta(row.day)) for row in log]
    frame["amount"] = [None if row.cents is None else f"{row.cents / 100:.2f}" for row in log]
    frame = frame.drop(columns=["day", "cents"])
    day = START + dt.timedelta(as_of)
    return Transactions(frame, as_of=day, guest_ids=["guest"], missing_amount="drop", **policies)


# The same rules, one row at a time.


def reasons(log: list[Row], as_of: int, policies: dict[str, Any]) -> tuple[list[str], list[int]]:
    """Return why each row is out, or 'used', and what each sale keeps after its refunds."""
    reason = [first_reason(log, i, as_of, policies["duplicates"]) for i in range(len(log))]
    net = [row.cents or 0 for row in log]
    refunds = [i for i in range(len(log)) if reason[i] == "used" and net[i] < 0]
    if policies["refunds"] == "drop":
        for i in refunds:
            reason[i] = "refund"
    else:
        settle(log, reason, net, refunds)
    for i, row in enumerate(log):
        if reason[i] == "used" and row.cents == 0 and policies["zero_orders"] == "drop":
            reason[i] = "zero value"
    return reason, net


def first_reason(log: list[Row], i: int, as_of: int, duplicates: str | None) -> str:
    row = log[i]
    again = row in log[:i] and (duplicates == "drop" or (duplicates is None and row.order_id is not None))
    if row.customer_id is None:
        return "no customer id"
    if row.customer_id == "guest":
        return "guest or placeholder id"
    if row.day is None:
        return "no date"
    if row.day > as_of:
        return "after the as-of date"
    if row.cents is None:
        return "no amount"
    return "duplicate row" if again else "used"


def settle(log: list[Row], reason: list[str], net: list[int], refunds: list[int]) -> None:
    sales = [i for i in range(len(log)) if reason[i] == "used" and net[i] > 0]
    orders: dict[Any, list[int]] = defaultdict(list)  # the lines of an order share its number
    for i in sales:
        orders[log[i].customer_id, log[i].order_id or i].append(i)
    worth = {key: sum(net[i] for i in lines) for key, lines in orders.items()}
    day = {key: min(log[i].day for i in lines) for key, lines in orders.items()}
    left, returned = dict(worth), defaultdict(list)
    for i in (i for i in refunds if log[i].refund_of is not None):
        key = (log[i].customer_id, log[i].refund_of)
        if key in orders and day[key] <= log[i].day:
            left[key] += net[i]
            returned[key].append(i)
        else:
            reason[i] = LOST
    for i in sorted((i for i in refunds if log[i].refund_of is None), key=lambda i: (log[i].day, net[i], i)):
        own = [
            k for k in orders if k[0] == log[i].customer_id and day[k] <= log[i].day and left[k] >= -net[i]
        ]
        if not own:
            reason[i] = LOST
            continue
        key = min(own, key=lambda k: (-day[k], left[k], str(log[orders[k][0]].order_id or "Z"), orders[k][0]))
        left[key] += net[i]
        returned[key].append(i)
    for key, back in returned.items():
        owed = -sum(net[i] for i in back)
        for line in sorted(orders[key], key=lambda i: (log[i].day, net[i], i)):
            net[line], owed = max(net[line] - owed, 0), max(owed - net[line], 0)
        if left[key] <= 0:
            for i in (*orders[key], *back):
                reason[i] = IN_FULL


def counted(log: list[Row], as_of: int, policies: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the RFM table, customer by customer."""
    reason, net = reasons(log, as_of, policies)
    days: dict[str, dict[int, int]] = defaultdict(Counter)
    orders: Counter[str] = Counter()
    for i, row in enumerate(log):
        if reason[i] == "used" and row.cents >= 0:
            days[row.customer_id][row.day] += net[i]
            orders[row.customer_id] += 1
    return [
        {
            "customer_id": customer,
            "frequency": len(by_day) - 1,
            "recency": max(by_day) - min(by_day),
            "T": as_of - min(by_day),
            "spend_days": sum(value > 0 for day, value in by_day.items() if day != min(by_day)),
            "repeat_spend": sum(value for day, value in by_day.items() if day != min(by_day)),
            "first_amount": by_day[min(by_day)],
            "orders": orders[customer],
        }
        for customer, by_day in sorted(days.items())
    ]


def table(log: Transactions) -> list[dict[str, Any]]:
    columns = [
        "customer_id",
        "frequency",
        "recency",
        "T",
        "spend_days",
        "repeat_spend",
        "first_amount",
        "orders",
    ]
    rows: list[dict[str, Any]] = RFM.from_orders(log).to_pandas()[columns].to_dict("records")
    return rows


@given(log=LOGS, as_of=CUTS, policies=POLICIES)
@settings(SLOW, max_examples=28)
def test_rows_money_and_rfm(log: list[Row], as_of: int, policies: dict[str, Any]) -> None:
    read = transactions(log, as_of, policies)
    reason, _ = reasons(log, as_of, policies)
    book = read.reconciliation()
    assert dict(zip(book["reason"], book["rows"], strict=True)) == Counter(reason)
    assert book["rows"].sum() == len(log)

    cents: Counter[str] = Counter()
    for row, why in zip(log, reason, strict=True):
        cents[why] += row.cents or 0
    found = {why: round(money * 100) for why, money in zip(book["reason"], book["money"], strict=True)}
    assert found == {why: cents[why] for why in found}
    assert sum(found.values()) == sum(row.cents or 0 for row in log)

    assert table(read) == counted(log, as_of, policies)
    sales = read.orders.to_pyarrow().to_pylist()
    assert sum(sale["net"] for sale in sales) == cents["used"]
    for sale in sales:  # no refund creates a purchase
        row = log[sale["row"] - 1]
        assert (row.customer_id, row.day) == (sale["customer"], sale["day"] - EPOCH_DAY)
        assert 0 <= sale["net"] <= row.cents


@given(log=LOGS, cut=CUTS, policies=POLICIES, seed=st.integers(0, 2**31))
@settings(SLOW, max_examples=7)
def test_no_later_knowledge_and_no_order(
    log: list[Row], cut: int, policies: dict[str, Any], seed: int
) -> None:
    then = transactions(log, 40, policies).until(START + dt.timedelta(cut))
    shuffled = [row for row in log if row.day is None or row.day <= cut]
    random.Random(seed).shuffle(shuffled)
    expected = counted(log, cut, policies)
    assert table(then) == expected
    if shuffled:
        assert table(transactions(shuffled, cut, policies)) == expected


NET = {"refunds": "net_to_original", "duplicates": None, "zero_orders": "drop"}


def net(*rows: tuple[int, int] | tuple[int, int, str | None, str | None]) -> dict[str, Any]:
    """The one row of RFM of a customer with these days and amounts; checked against the loop as well."""
    log = [Row("c1", *row) if len(row) == 4 else Row("c1", *row, None, None) for row in rows]
    found = table(transactions(log, 40, NET))
    assert found == counted(log, 40, NET)
    return {"frequency": -1, "orders": 0} | (found[0] if found else {})


def test_a_full_refund_takes_the_purchase_away() -> None:
    assert net((1, 1000), (5, 2000), (6, -2000))["frequency"] == 0
    assert net((1, 1000), (6, -1000))["orders"] == 0


def test_a_partial_refund_leaves_it() -> None:
    assert net((1, 1000), (1, -400))["first_amount"] == 600
    assert net((1, 1000), (5, 2000), (6, -500))["repeat_spend"] == 1500


def test_several_refunds_of_one_order() -> None:
    assert net((1, 1000), (5, 2000), (6, -500), (7, -600))["repeat_spend"] == 900
    assert net((1, 1000), (5, 2000), (6, -1500), (7, -1500))["repeat_spend"] == 500
    assert net((1, 5000), (2, 5000), (3, -5000), (4, -5000))["orders"] == 0


def test_the_lines_of_an_order_are_refunded_together() -> None:
    lines = [(1, 3000, "A", None), (1, 7000, "A", None)]
    assert net(*lines, (2, -10000, None, "A"))["orders"] == 0
    assert net(*lines, (2, -4000, None, "A"))["first_amount"] == 6000


def test_an_order_that_gave_back_too_much_is_listed() -> None:
    log = [Row("c1", 1, 3000, "A", None), Row("c1", 1, 7000, "B", None), Row("c1", 2, -10000, None, "A")]
    found = transactions(log, 40, NET)
    assert "D021" in [f.code for f in found.findings]
    assert table(found) == counted(log, 40, NET)


def test_the_latest_order_that_covers_a_refund() -> None:
    assert net((1, 3000), (5, 2000), (9, 500), (10, -1500))["repeat_spend"] == 1000
    assert net((1, 3000), (5, 2000), (9, 500), (10, -2500))["first_amount"] == 500
    assert net((1, 3000), (5, 2000), (4, -2000))["first_amount"] == 1000


def test_the_closest_of_one_day() -> None:
    assert net((1, 2000), (1, 1000), (2, -1000)) == net((1, 1000), (1, 2000), (2, -1000))
    assert net((1, 2000), (1, 1000), (2, -1000))["orders"] == 1


def test_a_named_order_comes_first() -> None:
    rows = [(1, 1000, "A", None), (5, 2000, "B", None)]
    assert net(*rows, (6, -1000, None, "A"))["first_amount"] == 2000
    assert net(*rows, (6, -1500, None, "A"))["orders"] == 1
    assert net(*rows, (6, -1500, None, "unknown"))["repeat_spend"] == 2000
    assert net(*rows, (0, -1000, None, "A"))["orders"] == 2


def test_an_order_of_somebody_else_is_no_match() -> None:
    log = [Row("c1", 1, 1000, "A", None), Row("c2", 2, -1000, None, "A")]
    assert reasons(log, 40, NET)[0] == ["used", LOST]
    assert table(transactions(log, 40, NET)) == counted(log, 40, NET)
