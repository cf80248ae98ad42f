"""The rows of a log that are in use, with what is asked of them beside amount and day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.data.cleaning import BESIDE, COST, REFERRER, USED, segment_column

if TYPE_CHECKING:
    from clv.data.contract import Transactions


def rows_in_use(orders: Transactions) -> Any:
    """Rows in use up to as_of, an Ibis table; the log is not checked here.

    Columns: customer_id as in the RFM table, day (since 1970-01-01), `minor` (the amount as booked) and
    `net` (what is left of it, 0 on refunds that are taken off their order), both in minor units, `cost` and
    `referrer` where their columns are named, and the log's own segments as `segment_column` names them.
    """
    rows = orders.typed
    names = [name for name in BESIDE if name in rows.columns]
    names += ["minor", "net", *map(segment_column, orders.own_segments)]
    plain = rows.filter((rows.reason == USED) & (rows.minor >= 0)).mutate(net=lambda t: t.minor)
    if orders.repaired is None:
        return orders.purchase_days(plain, *names)
    repaired = orders.repaired.filter(orders.repaired.reason == USED)
    plain = plain.anti_join(orders.concerned, "customer")
    both = (t.select("customer", "day", *names) for t in (plain, repaired))
    return orders.purchase_days(next(both).union(next(both)), *names)


def goods(orders: Transactions) -> Any:
    """Revenue and cost of the rows in use whose cost is known: customer_id, net and cost in minor units.

    On a refund the cost is that of the goods that came back: below 0 however it is written, and 0 where it
    is blank.
    """
    import ibis

    rows = rows_in_use(orders)
    back = -rows[COST].abs().fill_null(0)
    rows = rows.mutate(cost=ibis.ifelse(rows.minor < 0, back, rows[COST]))
    return rows.filter(rows.cost.notnull()).select("customer_id", "net", "cost")


def referred(orders: Transactions) -> Any:
    """Customers, and whether somebody had referred them by their first day: customer_id, referred."""
    rows = rows_in_use(orders)
    first = rows.day.min(where=rows[REFERRER].notnull())
    return rows.group_by("customer_id").aggregate(referred=(first == rows.day.min()).fill_null(False))


def variety(orders: Transactions) -> Any:
    """Customers, and in how many values of each of the log's own segments they have ordered.

    Columns: customer_id, and the names of the segments; null where none of a customer's orders has any.
    """
    rows = rows_in_use(orders)
    rows = rows.filter(rows.minor >= 0)
    counts = {name: rows[segment_column(name)].nunique().nullif(0) for name in orders.own_segments}
    return rows.group_by("customer_id").aggregate(**counts)
