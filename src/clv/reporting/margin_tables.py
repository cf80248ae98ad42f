"""The margin that the cost of goods leaves, beside the one that values are reckoned with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.data.in_use import goods
from clv.forecasting.totals import ALL
from clv.reporting.by_segment import by_segment, segment_table, valued
from clv.reporting.grid import Column, Table, show_value
from clv.reporting.thresholds import MARGIN_GAP

if TYPE_CHECKING:
    from clv.reporting.reviews import Review


def margins(review: Review) -> Table | None:
    """Margin measured by segment, 1 − Σ cost of goods ÷ Σ revenue; None where no column of costs is named."""
    study = review.study
    orders, unit = study.orders, 10.0**study.orders.digits
    if "cogs" not in orders.roles:
        return None
    t = valued(review, goods(orders))
    frame = by_segment(review, t, revenue=t.net.sum() / unit, cogs=t.cost.sum() / unit)
    frame["measured"] = 1 - frame["cogs"] / frame["revenue"].where(frame["revenue"] > 0)
    frame["assumed"] = study.economics.margin
    frame["gap"] = 100 * (frame["measured"] - frame["assumed"])
    columns = (
        Column("revenue", f"Revenue ({orders.money_unit})", "money"),
        Column("cogs", "Cost of goods", "money"),
        Column("measured", "Margin measured", "share"),
        Column("assumed", "Margin assumed", "share"),
        Column("gap", "Measured less assumed, in points", "points"),
    )
    basis = (
        f"All orders in use up to {study.as_of} whose cost of goods is known, net of refunds and of goods "
        "that came back. Measured: 1 − cost of goods ÷ revenue; what else an order costs, such as payment, "
        "shipping and rewards, is not in it."
    )
    return segment_table(review, "margins", "Margin measured and assumed", columns, frame, basis)


def margin_finding(table: Table | None) -> str:
    """What to say of a margin that is not the one assumed; nothing where it is about the same."""
    if table is None:
        return ""
    row = table.frame.loc[ALL]
    if not abs(row["gap"]) > 100 * MARGIN_GAP:
        return ""
    measured, assumed, change = (
        show_value(abs(v), "share")
        for v in (row["measured"], row["assumed"], row["measured"] / row["assumed"] - 1)
    )
    minus = "−" if row["measured"] < 0 else ""
    return (
        f" The cost of goods in the log leaves a margin of {minus}{measured}, where {assumed} are assumed: "
        f"with it, every value is {change} {'lower' if row['gap'] < 0 else 'higher'}, before any other cost "
        "of an order."
    )
