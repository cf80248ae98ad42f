"""The rows of customers with refunds or repeated rows, put right; nobody else's need it.

Takes typed rows and the customers concerned; gives their rows with a final reason and net amount. The log
is scanned once for them; what each cut knew is worked out from the rows that are kept here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.data.cleaning import COPY, raw_column, segment_column
from clv.data.engines import fetch, keep, sort_key
from clv.data.refunds import POLICIES

if TYPE_CHECKING:
    from clv.data.contract import Transactions


def concerned(orders: Transactions) -> Any:
    """Customers with refunds to net, or with repeated rows: a table with one column, or None.

    The first count has a row per customer, with `refunds` (a negative amount) and `twice` (rows of one day
    that may
    be copies).
    """
    base = orders.first_count
    there = fetch(base.aggregate(refunds=base.refunds.any(), twice=base.twice.any())).to_pylist()[0]
    parts = orders.typed
    parts = parts.filter(parts.part & (parts.day <= orders.as_of_day))
    tables = []
    if there["refunds"]:
        tables.append(base.filter(base.refunds).select("customer"))
    if there["twice"]:
        maybe = base.filter(base.twice).select("customer")
        same = parts.semi_join(maybe, "customer").group_by([raw_column(name) for name in orders.columns])
        same = same.aggregate(customer=lambda t: t.customer.max(), times=lambda t: t.count())
        tables.append(same.filter(same.times > 1).select("customer"))
    if "order_id" in orders.roles and not orders.line_items:
        numbers = parts.filter(parts.order_id.notnull()).group_by("order_id").aggregate(n=lambda t: t.count())
        numbers = keep(numbers.filter(numbers.n > 1))
        if fetch(numbers.limit(1)).num_rows:
            tables.append(parts.semi_join(numbers, "order_id").select("customer"))
    if not tables:
        return None
    every = keep(tables[0].union(*tables[1:], distinct=True) if tables[1:] else tables[0].distinct())
    return every if fetch(every.limit(1)).num_rows else None


def taken(orders: Transactions, customers: Any) -> Any:
    """Rows of these customers that take part, numbered within each.

    `copy` is 0 for the first of equal rows; `other` marks rows of an order_id whose rows differ.
    """
    import ibis

    rows = orders.typed
    rows = rows.filter(rows.part).semi_join(customers, "customer")
    content = [rows[raw_column(name)] for name in orders.columns]
    rows = rows.mutate(copy=ibis.row_number().over(ibis.window(group_by=content, order_by=rows.row)))
    order = [rows.day, rows.minor, sort_key(rows.order_id), sort_key(rows.refund_of), rows.copy, rows.row]
    number = ibis.row_number().over(ibis.window(group_by=rows.customer, order_by=order))
    # Spark numbers rows in int32, whatever Ibis thinks.
    of_order = ibis.window(group_by=rows.order_id)
    other = rows.order_id.notnull() & ((rows.copy == 0).sum().over(of_order) > 1)
    segments = [segment_column(name) for name in orders.own_segments]
    names = ["row", "customer", "day", "minor", "order_id", "refund_of", "reason", "copy"]
    return keep(
        rows.mutate(n=number.cast("int32").cast("int64"), alone=rows.reason, other=other).select(
            *names, "other", "alone", "n", "date_text", "amount_text", *segments
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
