"""Whatever the log: every row and cent is accounted for, and the RFM is the one that a loop would count."""

import datetime as dt
import random
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clv.data.contract import Transactions
from clv.data.holdout import splits
from clv.data.rfm import RFM

START = dt.date(2026, 1, 1)
EPOCH_DAY = (START - dt.date(1970, 1, 1)).days
IN_FULL, LOST, ALONE = "order refunded in full", "refund without its order", "refund on a day without a sale"


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
        "refunds": st.sampled_from(["net_to_original", "net_to_original", "as_booked", "drop"]),
        "duplicates": st.sampled_from([None, "drop", "keep"]),
        "line_items": st.booleans(),
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
    reason = [alone(row, as_of, policies) for row in log]
    net = [row.cents or 0 for row in log]
    parts = [i for i in range(len(log)) if reason[i] in ("used", "to net")]
    for i in parts:
        if repeated(log, i, parts) and (policies["duplicates"] == "drop" or settled(log[i], policies)):
            reason[i] = "duplicate row"
    refunds = [i for i in parts if reason[i] == "to net"]
    if policies["refunds"] == "as_booked":
        days = {(log[i].customer_id, log[i].day) for i in parts if reason[i] == "used"}
        for i in refunds:
            reason[i] = "used" if (log[i].customer_id, log[i].day) in days else ALONE
    else:
        settle(log, reason, net, refunds, parts)
    return reason, net


def settled(row: Row, policies: dict[str, Any]) -> bool:
    """Whether a repeated row is one order for sure."""
    return policies["duplicates"] is None and row.order_id is not None and not policies["line_items"]


def repeated(log: list[Row], i: int, parts: list[int]) -> bool:
    return any(log[j] == log[i] for j in parts if j < i)


def alone(row: Row, as_of: int, policies: dict[str, Any]) -> str:
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
    if row.cents < 0:
        return "refund" if policies["refunds"] == "drop" else "to net"
    return "zero value" if row.cents == 0 and policies["zero_orders"] == "drop" else "used"


def numbers(log: list[Row], parts: list[int]) -> dict[int, int]:
    """Place of each row among its customer's, by content alone."""

    def content(i: int) -> tuple[Any, ...]:
        row = log[i]
        texts = [(text is None, text or "") for text in (row.order_id, row.refund_of)]
        return row.day, row.cents, *texts, i

    return {i: n for n, i in enumerate(sorted(parts, key=content))}


def settle(log: list[Row], reason: list[str], net: list[int], refunds: list[int], parts: list[int]) -> None:
    place = numbers(log, parts)
    sales = sorted((i for i in parts if reason[i] == "used" and net[i] >= 0), key=place.__getitem__)
    orders: dict[Any, list[int]] = defaultdict(list)  # the lines of an order share its number
    for i in sales:
        orders[log[i].customer_id, log[i].order_id or i].append(i)
    worth = {key: sum(net[i] for i in lines) for key, lines in orders.items()}
    day = {key: min(log[i].day for i in lines) for key, lines in orders.items()}
    left, returned = dict(worth), defaultdict(list)
    unnamed = []
    for i in refunds:
        key = (log[i].customer_id, log[i].refund_of or log[i].order_id)
        if key in orders and day[key] <= log[i].day:
            left[key] += net[i]
            returned[key].append(i)
        elif log[i].refund_of is None:
            unnamed.append(i)
        else:
            reason[i] = LOST
    for i in sorted(unnamed, key=lambda i: (log[i].day, net[i], place[i])):
        own = [
            k for k in orders if k[0] == log[i].customer_id and day[k] <= log[i].day and left[k] >= -net[i]
        ]
        if not own:
            reason[i] = LOST
            continue
        key = min(own, key=lambda k: (-day[k], left[k], place[orders[k][0]]))
        left[key] += net[i]
        returned[key].append(i)
    for key, back in returned.items():
        owed = -sum(net[i] for i in back)
        for line in sorted(orders[key], key=lambda i: (log[i].day, net[i], place[i])):
            net[line], owed = max(net[line] - owed, 0), max(owed - net[line], 0)
        reason_of_all(IN_FULL if left[key] <= 0 else "used", reason, [*orders[key], *back])
    for i in refunds:
        net[i] = 0


def reason_of_all(said: str, reason: list[str], rows: list[int]) -> None:
    for i in rows:
        reason[i] = said


def counted(log: list[Row], as_of: int, policies: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the RFM table, customer by customer."""
    reason, net = reasons(log, as_of, policies)
    days: dict[str, dict[int, int]] = defaultdict(Counter)
    orders: dict[str, set[Any]] = defaultdict(set)
    used = [i for i in range(len(log)) if reason[i] == "used"]
    bought = {(log[i].customer_id, log[i].day) for i in used if log[i].cents >= 0}
    for i in used:
        row = log[i]
        if (row.customer_id, row.day) in bought:
            days[row.customer_id][row.day] += net[i]
        if row.cents >= 0:
            orders[row.customer_id].add((row.day, row.order_id or i) if policies["line_items"] else i)
    rows = []
    for customer, by_day in sorted(days.items()):
        first = min(by_day)
        repeat = [value for day, value in by_day.items() if day != first and value > 0]
        rows.append(
            {
                "customer_id": customer,
                "frequency": len(by_day) - 1,
                "recency": max(by_day) - first,
                "T": as_of - first,
                "spend_days": len(repeat),
                "repeat_spend": sum(repeat),
                "first_amount": by_day[first],
                "orders": len(orders[customer]),
            }
        )
    return rows


COLUMNS = ["customer_id", "frequency", "recency", "T", "spend_days", "repeat_spend", "first_amount", "orders"]


def table(log: Transactions) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = RFM.from_orders(log).to_pandas()[COLUMNS].to_dict("records")
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

    assert dict(zip(book["reason"], book["customers"], strict=True)) == {
        why: len({row.customer_id for row, w in zip(log, reason, strict=True) if w == why} - {None})
        for why in book["reason"]
    }
    assert table(read) == counted(log, as_of, policies)
    sold = {(row.customer_id, row.day) for row in log if (row.cents or 0) >= 0}
    days = read.days().to_pyarrow().to_pylist()
    assert sum(day["spent"] for day in days) == cents["used"]
    assert {(day["customer"], day["day"] - EPOCH_DAY) for day in days} <= sold  # no refund creates a purchase


@given(log=LOGS, cut=CUTS, policies=POLICIES, seed=st.integers(0, 2**31))
@settings(SLOW, max_examples=7)
def test_no_later_knowledge_and_no_order(
    log: list[Row], cut: int, policies: dict[str, Any], seed: int
) -> None:
    then = transactions(log, cut, policies)
    shuffled = [row for row in log if row.day is None or row.day <= cut]
    random.Random(seed).shuffle(shuffled)
    expected = counted(log, cut, policies)
    assert table(then) == expected
    if shuffled:
        assert table(transactions(shuffled, cut, policies)) == expected


@given(log=LOGS, cuts=st.sets(CUTS, min_size=1), policies=POLICIES)
@settings(SLOW, max_examples=7)
def test_many_cuts_at_once(log: list[Row], cuts: set[int], policies: dict[str, Any]) -> None:
    read = transactions(log, 41, policies)
    read.__dict__["findings"] = []  # what the checks say is not the question here
    cuts = {cut for cut in cuts if counted(log, cut, policies)}
    reason, net = reasons(log, 41, policies)
    after: dict[Any, int] = Counter()
    for row, why, value in zip(log, reason, net, strict=True):
        if why == "used":
            after[row.customer_id, row.day] += value
    bought = {
        (row.customer_id, row.day)
        for row, why in zip(log, reason, strict=True)
        if why == "used" and row.cents >= 0
    }
    for held, cut in zip(splits(read, [START + dt.timedelta(cut) for cut in cuts]), cuts, strict=True):
        found = held.rfm.to_pandas()
        assert found[COLUMNS].to_dict("records") == counted(log, cut, policies)
        for one in found.to_dict("records"):
            days = [day for customer, day in bought if customer == one["customer_id"] and day > cut]
            assert one["actual_purchases"] == len(days)
            assert one["actual_spend"] == sum(max(after[one["customer_id"], day], 0) for day in days)


NET = {"refunds": "net_to_original", "duplicates": None, "line_items": False, "zero_orders": "drop"}


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
