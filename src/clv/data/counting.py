"""Orders → days → customers: one definition for every engine. Two group-bys, nothing else.

The log is scanned once for all customers. Those with refunds or repeated rows are counted again from their
repaired rows (`repairs`), and take the place of what the first count gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clv.data.cleaning import REFUND, USED, raw_column, segment_column
from clv.data.dates import date_of
from clv.data.engines import fetch, keep, least, plain_text, sha256

if TYPE_CHECKING:
    from clv.data.contract import Transactions

_EXACT = 2.0**53  # floats are whole numbers below, and sums of them exact


def first_count(orders: Transactions) -> Any:
    """Count the sales of every customer as if nothing had to be repaired; with `again` and `twice`.

    `again` marks customers with refunds to be netted, or with sums that floats cannot hold; `twice` those who
    have rows of one day that may be copies, see `repairs`; `untidy` says that ids of the log are not as here.
    """
    rows = orders.typed
    raw = rows[raw_column(orders.roles["customer"])]
    if raw.type().is_string() and orders.identities is None:
        # Trimming what was counted is faster than counting what was trimmed. If ids differ then: once more.
        counted = _first(rows.mutate(customer=raw), orders)
        if not fetch(counted.aggregate(any=counted.untidy.any())).to_pylist()[0]["any"]:
            return counted
    return _first(rows, orders).mutate(untidy=True)


def _first(rows: Any, orders: Transactions) -> Any:
    """Count in one pass, in floats, which are faster than integers; whatever does not sell counts nothing."""
    import ibis

    rows = rows.filter(~rows.barred & (rows.day <= orders.as_of_day))
    sale = rows.minor >= 0 if orders.zero_orders == "count" else rows.minor > 0
    rows = rows.mutate(sale=sale, net=ibis.ifelse(sale, rows.minor, 0).cast("float64"))
    nets = REFUND in orders.parts
    back = {"back": rows.minor.min() < 0} if nets else {}
    days = _days(rows, orders, lines=rows.count(where=rows.sale), high=rows.net.max(), **back)
    days = days.filter((days.orders > 0) | days.back if nets else days.orders > 0)
    twice = (days.lines > 2) | ((days.lines == 2) & (days.high * 2 == days.spent))
    again = (days.spent.sum() >= _EXACT) | (days.back.any() if nets else ibis.literal(False))
    counted = _count(days, orders, ["customer"], again=again, twice=twice.any())
    name = counted.customer
    plain = plain_text(name) if name.type().is_string() else name
    return keep(counted.mutate(untidy=plain != name).filter(lambda t: t.untidy.notnull()))


def days_of(orders: Transactions, rows: Any) -> Any:
    """Purchase days of repaired rows."""
    used = rows.filter(rows.reason == USED)
    days = _days(used.mutate(sale=used.minor >= 0), orders)
    return days.filter(days.orders > 0)


def plain_days(orders: Transactions) -> Any:
    """Purchase days up to as_of of the customers who need no repair."""
    import ibis

    rows = orders.typed
    rows = rows.filter(rows.part & (rows.minor >= 0) & (rows.day <= orders.as_of_day))
    days = _days(rows.mutate(net=rows.minor, sale=ibis.literal(True)), orders)
    return days if orders.concerned is None else days.anti_join(orders.concerned, "customer")


def _days(rows: Any, orders: Transactions, **further: Any) -> Any:
    """One row per customer and day: the `net` spent, and in how many orders, of which there are sales."""
    import ibis

    count = rows.count(where=rows.sale)
    if orders.line_items and "order_id" in orders.roles:
        count = rows.order_id.nunique(where=rows.sale) + (rows.sale & rows.order_id.isnull()).sum()
    names = [segment_column(name) for name in orders.own_segments]
    own = {name: ibis.ifelse(rows.sale, rows[name], ibis.null("string")) for name in names}
    return rows.group_by("customer", "day").aggregate(
        spent=rows.net.sum(),
        orders=count.cast("int64"),
        **{name: least(column).fill_null("unknown") for name, column in own.items()},
        **further,
    )


def final_count(orders: Transactions) -> Any:
    """Take the first count, with the customers concerned counted again from repaired rows."""
    first = orders.first_count.drop("again", "twice", "untidy")
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
        first_amount=_whole(days.spent.argmin(days.day)),
        gain=_whole(days.spent.clip(lower=0).sum(where=where)),
        paid_days=days.count(where=paid if where is None else paid & where).cast("int32"),
        orders=days.orders.sum(where=where).cast("int64"),
        **{n: days[n].argmin(days.day) for n in names},
        **further,
    )


def _whole(money: Any) -> Any:
    return (money.clip(upper=_EXACT) if money.type().is_floating() else money).cast("int64")


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
