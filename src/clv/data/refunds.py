"""Refunds → the orders they belong to, and what those orders keep.

A refund that names its order, by refund_of or by standing under the same order_id, is taken off that order,
whose lines share an order_id. One that names none is taken off its customer's latest earlier order that still
covers it, so that no order gives back more than it brought. A refund that finds no order stays in the books
under a reason of its own.

Rows here are those of `repairs.repair`: they have a number `n` within their customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from clv.data.cleaning import REFUND, USED
from clv.data.engines import fetch, keep, upload

IN_FULL, LOST, ALONE = (
    "order refunded in full",
    "refund without its order",
    "refund on a day without a sale",
)
_KEYS = ("customer", "n")


def dropped(rows: Any) -> Any:
    """Leave refunds out."""
    import ibis

    return rows.mutate(net=rows.minor, over=ibis.literal(False))


def as_booked(rows: Any) -> Any:
    """Count refunds on the day they were booked, where that day has a sale."""
    import ibis

    sales = ((rows.reason == USED) & (rows.minor >= 0)).sum()
    rows = rows.mutate(sales=sales.over(ibis.window(group_by=["customer", "day"])))
    booked = ibis.ifelse(rows.sales > 0, USED, ALONE)
    rows = rows.mutate(reason=ibis.ifelse(rows.reason == REFUND, booked, rows.reason))
    return rows.mutate(net=rows.minor, over=ibis.literal(False)).drop("sales")


def net_to_original(rows: Any) -> Any:
    """Take refunds off their orders.

    Sales get their `net`, refunds a `net` of 0; orders refunded in full and lost refunds get their reason.
    `over` marks refunds of an order that gave back more than it brought.
    """
    import ibis

    sales, orders, links = _links(rows)
    back = links.group_by("customer", "head").aggregate(back=links.minor.sum())
    kept = orders.inner_join(back, ["customer", "head"]).mutate(kept=lambda t: t.worth + t.back)
    kept = kept.select("customer", "head", "back", "kept")
    so_far = ibis.window(group_by=["customer", "head"], order_by=["day", "minor", "n"], following=0)
    lines = sales.inner_join(kept, ["customer", "head"]).mutate(so_far=lambda t: t.minor.sum().over(so_far))
    left = (lines.so_far + lines.back).clip(0, lines.minor).cast("int64")
    lines = lines.select("customer", "n", line_keeps="kept", line_net=left)
    linked = links.inner_join(kept, ["customer", "head"]).select("customer", "n", refund_keeps="kept")
    rows = rows.left_join(lines, _KEYS, rname="line_{name}").drop("line_customer", "line_n")
    rows = rows.left_join(linked, _KEYS, rname="refund_{name}").drop("refund_customer", "refund_n")
    reason = ibis.cases(
        (~rows.reason.isin([USED, REFUND]), rows.reason),
        ((rows.line_keeps <= 0) | (rows.refund_keeps <= 0), IN_FULL),
        ((rows.reason == USED) | rows.refund_keeps.notnull(), USED),
        else_=LOST,
    )
    net = ibis.ifelse(rows.reason == REFUND, 0, rows.line_net.coalesce(rows.minor))
    over = (rows.refund_keeps < 0).fill_null(False)
    return rows.mutate(reason=reason, net=net, over=over).drop("line_keeps", "line_net", "refund_keeps")


POLICIES = {"net_to_original": net_to_original, "as_booked": as_booked, "drop": dropped, None: dropped}


def _links(rows: Any) -> tuple[Any, Any, Any]:
    """Sales by line, orders (head, worth, day), and links (n, minor, head) from refunds to orders.

    The head of an order is the number of its first row.
    """
    import ibis

    sales = rows.filter((rows.reason == USED) & (rows.minor >= 0))
    first = sales.n.min().over(ibis.window(group_by=["customer", "order_id"]))
    sales = sales.mutate(head=ibis.ifelse(sales.order_id.isnull(), sales.n, first))
    # Kept: in one plan with what follows DuckDB joins on `head` alone, which all customers have alike.
    sales = keep(sales.select("customer", "order_id", "day", "n", "minor", "head"))
    orders = sales.group_by("customer", "head").aggregate(
        worth=sales.minor.sum().cast("int64"), day=sales.day.min(), order_id=sales.order_id.min()
    )
    orders = keep(orders)
    refunds = rows.filter(rows.reason == REFUND)
    # Many exports book a refund under the number of its order.
    of = refunds.refund_of.coalesce(refunds.order_id)
    refunds = refunds.select("customer", "refund_of", "n", "minor", of=of, refund_day="day")
    named = refunds.left_join(orders, ["customer", (refunds.of == orders.order_id)], rname="its_{name}")
    covers = (named.day <= named.refund_day).fill_null(False)
    unnamed = named.filter(~covers & named.refund_of.isnull()).select(*refunds.columns)
    named = named.filter(covers).select("customer", "n", "minor", "head")
    found = _match(rows, unnamed, orders, named)
    return sales, orders, keep(named if found is None else named.union(found))


def _match(rows: Any, refunds: Any, orders: Any, named: Any) -> Any:
    """Match refunds that name no order, customer by customer; a table as `named`, or None."""
    import ibis
    import pyarrow as pa

    taken = named.group_by("customer", "head").aggregate(back=named.minor.sum().cast("int64"))
    there = orders.semi_join(refunds, "customer").left_join(taken, ["customer", "head"])
    left = there.worth + there.back.fill_null(0)
    events = (
        there.filter(left > 0)
        .select("customer", "day", amount=left, n="head", order_id="order_id")
        .union(
            refunds.select("customer", day="refund_day", amount="minor", n="n", order_id=ibis.null("string"))
        )
    )
    batches = fetch(events.order_by("customer")).to_batches(max_chunksize=50_000)
    stream = (event for batch in batches for event in batch.to_pylist())
    found = list(_matches(stream))
    if not found:
        return None
    kind = fetch(rows.select("customer").limit(0)).schema.field("customer").type
    columns = dict(zip(("customer", "n", "minor", "head"), zip(*found, strict=True), strict=True))
    schema = pa.schema({"customer": kind, "n": pa.int64(), "minor": pa.int64(), "head": pa.int64()})
    return upload(rows.get_backend(), pa.table(columns, schema=schema))


def _matches(events: Iterable[dict[str, Any]]) -> Iterator[tuple[Any, int, int, int]]:
    """Match refunds, earliest and largest first, to the latest order that covers them.

    Of several on one day, the one that is left with least. Gives (customer, n, minor, head).
    """
    for customer, own in groupby(events, key=lambda event: event["customer"]):
        refunds: list[dict[str, Any]] = []
        orders: list[dict[str, Any]] = []
        for event in own:
            (refunds if event["amount"] < 0 else orders).append(event)
        orders.sort(key=lambda o: (o["day"], o["n"]), reverse=True)
        for refund in sorted(refunds, key=lambda r: (r["day"], r["amount"], r["n"])):
            best = _latest(orders, refund)
            if best is not None:
                best["amount"] += refund["amount"]
                yield customer, refund["n"], refund["amount"], best["n"]


def _latest(orders: list[dict[str, Any]], refund: dict[str, Any]) -> dict[str, Any] | None:
    """Find the order to take a refund off; `orders` are sorted from the latest to the earliest."""
    best: dict[str, Any] | None = None
    for order in orders:
        if best is not None and order["day"] < best["day"]:
            break
        covers = order["day"] <= refund["day"] and order["amount"] + refund["amount"] >= 0
        if covers and (best is None or (order["amount"], order["n"]) < (best["amount"], best["n"])):
            best = order
    return best
