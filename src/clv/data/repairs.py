"""The rows of customers with refunds or repeated rows, put right; nobody else's need it.

Takes typed rows and the customers concerned; gives their rows with a final reason and net amount. The log
is scanned once for them; what each cut knew is worked out from the rows that are kept here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.data.cleaning import BESIDE, COPY, raw_column, segment_column
from clv.data.engines import fetch, keep, sort_key
from clv.data.refunds import POLICIES

if TYPE_CHECKING:
    from clv.data.contract import Transactions


def concerned(orders: Transactions) -> Any:
    """Customers with refunds to net, or with repeated rows: a table with one column, or None.

    The first count has a row per customer, with `again` (who has some for certain) and `twice` (who may).
    """
    base = orders.first_count
    there = {name: base[name].any() for name in ("again", "twice", "untidy")}
    there = fetch(base.aggregate(**there)).to_pylist()[0]
    tables = []
    if there["again"]:
        tables.append(base.filter(base.again).select("customer"))
    if there["twice"]:
        maybe, rows = base.filter(base.twice).select(one="customer"), orders.typed
        columns = list(map(raw_column, orders.columns))
        # Equal rows that take no part are found as well: that costs less than asking all rows.
        key = "customer" if there["untidy"] else raw_column(orders.roles["customer"])
        same = rows.semi_join(maybe, rows[key] == maybe.one).group_by(list(dict.fromkeys([key, *columns])))
        same = same.aggregate(times=lambda t: t.count())
        tables.append(same.filter(same.times > 1).select(customer=key))
    if not tables:
        return None
    every = keep(tables[0].union(*tables[1:], distinct=True) if tables[1:] else tables[0].distinct())
    return every if fetch(every.limit(1)).num_rows else None


def sharing_a_number(orders: Transactions) -> Any:
    """Sales whose order_id stands on sales of other content as well; None where there is none."""
    if "order_id" not in orders.roles or orders.line_items:
        return None
    numbers = orders.typed.group_by("order_id").aggregate(n=lambda t: t.count())
    twice = keep(numbers.filter((numbers.n > 1) & numbers.order_id.notnull()).select("order_id"))
    if not fetch(twice.limit(1)).num_rows:
        return None
    sales = taking_part(orders).filter(lambda t: t.minor >= 0)
    rows = keep(sales.semi_join(twice, "order_id"))  # Ibis loses the second of two such joins
    contents = rows.group_by(list(map(raw_column, orders.columns))).aggregate(order_id=rows.order_id.max())
    numbers = contents.group_by("order_id").aggregate(n=contents.count())
    return rows.semi_join(numbers.filter(numbers.n > 1), "order_id")


def taking_part(orders: Transactions) -> Any:
    """Typed rows up to as_of that take part."""
    rows = orders.typed
    return rows.filter(rows.part & (rows.day <= orders.as_of_day))


def taken(orders: Transactions, customers: Any) -> Any:
    """Rows of these customers that take part, numbered within each.

    `copy` is 0 for the first of equal rows.
    """
    import ibis

    rows = orders.typed
    rows = rows.filter(rows.part).semi_join(customers, "customer")
    content = [rows[raw_column(name)] for name in orders.columns]
    rows = rows.mutate(copy=ibis.row_number().over(ibis.window(group_by=content, order_by=rows.row)))
    order = [rows.day, rows.minor, sort_key(rows.order_id), sort_key(rows.refund_of), rows.copy, rows.row]
    number = ibis.row_number().over(ibis.window(group_by=rows.customer, order_by=order))
    beside = [name for name in BESIDE if name in rows.columns]
    segments = [segment_column(name) for name in orders.own_segments]
    names = ["row", "customer", "day", "minor", "order_id", "refund_of", "reason", "copy"]
    return keep(
        # Spark numbers rows in int32, whatever Ibis thinks.
        rows.mutate(n=number.cast("int32").cast("int64"), alone=rows.reason).select(
            *names, "alone", "n", "date_text", "amount_text", *beside, *segments
        )
    )


def repair(orders: Transactions, rows: Any, as_of: int) -> Any:
    """Rows of `taken` up to a day, with their final reason, `net`, and `over` (see `refunds`)."""
    import ibis

    rows = rows.filter(rows.day <= as_of)
    numbered = rows.order_id.notnull() & ibis.literal(not orders.line_items)
    if orders.duplicates != "keep":
        again = (rows.copy > 0) & (numbered | ibis.literal(orders.duplicates == "drop"))
        rows = rows.mutate(reason=ibis.ifelse(again, COPY, rows.reason))
    return POLICIES[orders.refunds](rows)
