"""Refunds → the orders they belong to, and what those orders keep.

A refund that names its order is taken off that order, whose lines share an order_id. One that names none
is taken off its customer's latest earlier order that still covers it, so that no order gives back more
than it brought. A refund that finds no order stays in the books under a reason of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

IN_FULL, LOST = "order refunded in full", "refund without its order"


def net_refunds(rows: Any, used: str) -> Any:
    """Give sales their `net`, orders refunded in full and lost refunds their reason.

    `over` marks refunds of an order that gave back more than it brought. Only rows whose reason is `used`
    take part.
    """
    import ibis

    sales, orders, links = _links(rows.filter(rows.reason == used))
    back = links.group_by("head").aggregate(back=links.minor.sum())
    kept = (
        orders.inner_join(back, "head").mutate(kept=lambda t: t.worth + t.back).select("head", "back", "kept")
    )
    so_far = ibis.window(group_by="head", order_by=["day", "minor", "row"], preceding=None, following=0)
    lines = sales.inner_join(kept, "head").mutate(so_far=lambda t: t.minor.sum().over(so_far))
    left = lines.so_far + lines.back
    lines = lines.select(line="row", line_keeps="kept", line_net=left.clip(0, lines.minor).cast("int64"))
    linked = links.inner_join(kept, "head").select(refund="row", refund_keeps="kept")
    rows = rows.left_join(lines, rows.row == lines.line)
    rows = rows.left_join(linked, rows.row == linked.refund)
    reason = ibis.cases(
        (rows.reason != used, rows.reason),
        ((rows.line_keeps <= 0) | (rows.refund_keeps <= 0), IN_FULL),
        ((rows.minor >= 0) | rows.refund.notnull(), used),
        else_=LOST,
    )
    over = (rows.refund_keeps < 0).fill_null(False)
    rows = rows.mutate(reason=reason, net=rows.line_net.coalesce(rows.net), over=over)
    return rows.drop("line", "line_keeps", "line_net", "refund", "refund_keeps")


def _links(used: Any) -> tuple[Any, Any, Any]:
    """Sales by line, orders (head, worth, day), and links (row, minor, head) from refunds to orders.

    The head of an order is its first row.
    """
    import ibis

    first = used.row.min().over(ibis.window(group_by=[used.customer, used.order_id, used.minor > 0]))
    heads = used.mutate(head=ibis.ifelse(used.order_id.isnull(), used.row, first))
    sales = heads.filter(heads.minor > 0).select("customer", "order_id", "day", "row", "minor", "head")
    orders = sales.group_by("customer", "head").aggregate(
        worth=sales.minor.sum(), day=sales.day.min(), order_id=sales.order_id.min()
    )
    refunds = used.filter(used.minor < 0).select("customer", "refund_of", "row", "minor", refund_day="day")
    named = refunds.inner_join(
        orders, [refunds.customer == orders.customer, refunds.refund_of == orders.order_id]
    )
    named = named.filter(named.day <= named.refund_day).select("row", "minor", "head").cache()
    unnamed = refunds.filter(refunds.refund_of.isnull())
    taken = named.group_by("head").aggregate(back=named.minor.sum())
    open_orders = orders.semi_join(unnamed, "customer").left_join(taken, "head")
    open_orders = open_orders.mutate(left=open_orders.worth + open_orders.back.fill_null(0))
    found = _match(
        unnamed.order_by("refund_day", "minor", "row").to_pyarrow().to_pylist(),
        open_orders.order_by("day", "order_id", "head").to_pyarrow().to_pylist(),
    )
    return sales, orders, named.union(_as_table(found)) if found else named


def _match(refunds: Iterable[dict[str, Any]], orders: Iterable[dict[str, Any]]) -> list[tuple[int, int, int]]:
    """Match refunds, earliest and largest first, to the latest order that covers them.

    Of several on one day, the one that is left with least. Returns (row, minor, head).
    """
    by_customer: dict[str, list[dict[str, Any]]] = {}
    for order in orders:
        by_customer.setdefault(order["customer"], []).append(order)
    found = []
    for refund in refunds:
        best: dict[str, Any] | None = None
        for order in reversed(by_customer.get(refund["customer"], [])):
            if best is not None and order["day"] < best["day"]:
                break
            covers = order["day"] <= refund["refund_day"] and order["left"] + refund["minor"] >= 0
            if covers and (best is None or order["left"] <= best["left"]):
                best = order
        if best is not None:
            best["left"] += refund["minor"]
            found.append((refund["row"], refund["minor"], best["head"]))
    return found


def _as_table(links: list[tuple[int, int, int]]) -> Any:
    import ibis

    columns = dict(zip(("row", "minor", "head"), zip(*links, strict=True), strict=True))
    schema = ibis.schema({"row": "int64", "minor": "int64", "head": "int64"})
    return ibis.memtable({name: list(values) for name, values in columns.items()}, schema=schema)
