"""Orders → days → customers: one definition for every engine. Two group-bys, nothing else.

The log is scanned once for all customers. Those with refunds or repeated rows are counted again from their
repaired rows (`repairs`), and take the place of what the first count gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clv.data.cleaning import USED, segment_column
from clv.data.dates import date_of
from clv.data.engines import keep, least, sha256

if TYPE_CHECKING:
    from clv.data.contract import Transactions


def first_count(orders: Transactions) -> Any:
    """Count every customer as if no refund were to be netted; with `refunds` and `twice` (see `repairs`)."""
    rows = orders.typed
    rows = rows.filter(rows.part & (rows.day <= orders.as_of_day)).mutate(net=rows.minor)
    numbered = "order_id" in orders.roles and not orders.line_items  # their copies are found by the number
    alone = rows.count(where=rows.order_id.isnull()) if numbered else rows.count()
    days = _days(rows, orders, low=rows.minor.min(), high=rows.minor.max(), alone=alone)
    twice = (days.alone > 2) | ((days.alone == 2) & (days.low == days.high))
    counted = _count(days, orders, ["customer"], refunds=days.low.min() < 0, twice=twice.any())
    return keep(counted)


def days_of(orders: Transactions, rows: Any) -> Any:
    """Purchase days of repaired rows."""
    used = rows.filter(rows.reason == USED)
    days = _days(used, orders)
    return days.filter(days.orders > 0)


def plain_days(orders: Transactions) -> Any:
    """Purchase days up to as_of of the customers who need no repair."""
    rows = orders.typed
    rows = rows.filter(rows.part & (rows.minor >= 0) & (rows.day <= orders.as_of_day))
    days = _days(rows.mutate(net=rows.minor), orders)
    return days if orders.concerned is None else days.anti_join(orders.concerned, "customer")


def _days(rows: Any, orders: Transactions, **further: Any) -> Any:
    """One row per customer and day: what was spent, and in how many orders."""
    sale = rows.minor >= 0
    count = rows.count(where=sale)
    if orders.line_items and "order_id" in orders.roles:
        count = rows.order_id.nunique(where=sale) + (sale & rows.order_id.isnull()).sum()
    names = [segment_column(name) for name in orders.own_segments]
    return rows.group_by("customer", "day").aggregate(
        spent=rows.net.sum().cast("int64"),
        orders=count.cast("int64"),
        **{n: least(rows[n]).fill_null("unknown") for n in names},
        **further,
    )


def final_count(orders: Transactions) -> Any:
    """Take the first count, with the customers concerned counted again from repaired rows."""
    first = orders.first_count.drop("refunds", "twice")
    if orders.repaired is None:
        return first
    again = _count(days_of(orders, orders.repaired), orders, ["customer"])
    return keep(first.anti_join(orders.concerned, "customer").union(again.select(*first.columns)))


def count_cuts(days: Any, orders: Transactions) -> Any:
    """Count purchase days that have a `cut` by customer and cut, before and after it."""
    import ibis

    after = days.day > days.cut
    gain = ibis.ifelse(days.spent > 0, days.spent, 0)
    actual = {
        "actual_purchases": after.sum().cast("int64"),
        "actual_spend": gain.sum(where=after).fill_null(0).cast("int64"),
    }
    return _count(days, orders, ["cut", "customer"], where=~after, **actual)


def _count(days: Any, orders: Transactions, keys: Sequence[str], where: Any = None, **further: Any) -> Any:
    """One row per customer. Only positive repeat days are spend days."""
    paid = days.spent > 0
    names = [segment_column(name) for name in orders.own_segments]
    return days.group_by(list(keys)).aggregate(
        days=days.count(where=where).cast("int32"),
        first=days.day.min(),
        last=days.day.max(where=where),
        first_amount=days.spent.argmin(days.day).cast("int64"),
        gain=days.spent.clip(lower=0).sum(where=where).cast("int64"),
        paid_days=days.count(where=paid if where is None else paid & where).cast("int32"),
        orders=days.orders.sum(where=where).cast("int64"),
        **{n: days[n].argmin(days.day) for n in names},
        **further,
    )


def _shaped(counted: Any, orders: Transactions, as_of: int, further: Sequence[str]) -> Any:
    """RFM columns from counts."""
    import ibis

    paid_first = counted.first_amount > 0
    spend_days = counted.paid_days - paid_first.cast("int32")
    repeat_spend = counted.gain - ibis.ifelse(paid_first, counted.first_amount, 0)
    value = ibis.ifelse(spend_days > 0, repeat_spend / spend_days / 10.0**orders.digits, 0.0)
    customer = counted.customer.cast("string")
    return counted.select(
        customer_id=customer if orders.hash_ids is None else sha256(customer, orders.hash_ids),
        frequency=(counted.days - 1).cast("int32"),
        recency=(counted["last"] - counted["first"]).cast("int32"),
        T=(as_of - counted["first"]).cast("int32"),
        spend_days=spend_days.cast("int32"),
        repeat_spend=repeat_spend.cast("int64"),
        first_amount=counted.first_amount,
        monetary_value=value.cast("float64"),
        orders=counted.orders,
        first_date=date_of(counted["first"]),
        last_date=date_of(counted["last"]),
        **{name: counted[name] for name in further},
    )


def described(counted: Any, orders: Transactions, as_of: int, further: Sequence[str] = ()) -> Any:
    """RFM columns, with the segments of the customers table as they were known on a day; kept."""
    outside = orders.attributes(as_of)
    table = counted
    if outside is not None:
        table = table.mutate(person=table.customer.cast("string"))
        table = table.left_join(outside, "person").drop("person")
    names = [segment_column(name) for name in orders.segments]
    shape = _shaped(table, orders, as_of, [*names, *further])
    return keep(shape) if outside is not None else shape
