"""The pages that a budget is decided on: the bridge, unit economics, scenarios, and the split."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from clv.planning.what_ifs import BASE, NEW
from clv.reporting import feedback_tables, kpi_tables, loyalty_tables, margin_tables
from clv.reporting import planning_tables as t
from clv.reporting.grid import Page

if TYPE_CHECKING:
    from clv.reporting.reviews import Review


def bridge(review: Review) -> Page:
    """From formula 1 to the model."""
    found, money = review.bridge, review.study.orders.money_unit
    shown = t.steps(found, money)
    reversals = found.reversals or [
        "No two segments of 100 customers or more change places between formula 1 and the model beyond "
        "chance."
    ]
    return Page(
        "bridge",
        "Why they differ",
        f"{found.sentence} {reversals[0]}",
        [shown],
        [shown],
        [*reversals[1:], *found.notes],
        folded=[t.bridges(found, money)],
    )


def units(review: Review) -> Page:
    """Value against acquisition cost, and payback."""
    found, money = review.units, review.study.orders.money_unit
    table, curve = t.ratios(found, money), t.payback(found, money)
    if review.cac_words:
        table = dataclasses.replace(table, basis=f"{table.basis} {review.cac_words}")
    margins = margin_tables.margins(review)
    further = [
        curve,
        kpi_tables.early_loss(review),
        margins,
        feedback_tables.satisfaction(review),
        feedback_tables.recommendation(review),
        feedback_tables.loyalty(review),
        loyalty_tables.referrals(review),
    ]
    return Page(
        "units",
        "Unit economics",
        found.sentence + margin_tables.margin_finding(margins),
        [table, kpi_tables.kpis(review), loyalty_tables.returning(review)],
        [table, curve],
        found.notes,
        folded=[made for made in further if made is not None],
    )


def scenarios(review: Review) -> Page:
    """What levers do."""
    found, money = review.scenarios, review.study.orders.money_unit
    charts = [t.tornado(found, who, money) for who in (BASE, NEW)]
    return Page(
        "scenarios",
        "Scenarios",
        found.sentence,
        [t.retention(found, money), t.two_way(found, money)],
        charts,
        found.notes,
        folded=[t.levers(found, money)],
    )


def budget(review: Review) -> Page | None:
    """The split, or break-evens."""
    found, money = review.budget, review.study.orders.money_unit
    if found is None:
        return None
    split = [t.split(found, money)] if found.split is not None else []
    ways = [t.ways(found, money)] if found.table is not None else []
    return Page(
        "budget",
        "Budget",
        found.sentence,
        [*ways, *split, t.break_evens(found, money), t.needed(found, money)],
        split,
        found.notes,
    )
