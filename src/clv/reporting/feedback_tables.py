"""What customers say and who is a member, by segment, beside what the same customers are worth.

[Rei03] Reichheld (2003), The one number you need to grow, Harvard Business Review 81(12): promoters answer 9
or 10, detractors 6 or less, and the Net Promoter Score is the share of the former less that of the latter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.data.companions import answers
from clv.data.feedback import asked
from clv.reporting.by_segment import FEW, ahead, by_segment, group, hide_few, segment_table, valued
from clv.reporting.grid import Column, Table
from clv.reporting.thresholds import DETRACTORS, DISSATISFIED, PROMOTERS, SATISFIED

if TYPE_CHECKING:
    import pandas as pd

    from clv.reporting.reviews import Review


def satisfaction(review: Review) -> Table | None:
    """Satisfied and dissatisfied customers by segment, and their value; None without such answers."""
    if "satisfaction" not in asked(review.study.orders):
        return None
    t = _answered(review)
    frame = _rated(review, t, t.satisfaction, t.satisfaction >= SATISFIED, t.satisfaction < DISSATISFIED)
    columns = (
        Column("answers", "Answers", "count"),
        Column("high", f"Satisfied ({SATISFIED} or more of 5)", "share"),
        Column("low", f"Dissatisfied (under {DISSATISFIED})", "share"),
        Column("value_answers", f"Value of who answered ({review.study.orders.money_unit})", "money"),
        Column("value_high", "Value of the satisfied", "money"),
        Column("value_low", "Value of the dissatisfied", "money"),
    )
    basis = f"{ahead(review)}. {_SILENT} {FEW}."
    return segment_table(review, "satisfaction", "Satisfaction", columns, frame, basis)


def recommendation(review: Review) -> Table | None:
    """Net Promoter Score by segment, and the value of promoters and detractors; None without answers."""
    if "recommendation" not in asked(review.study.orders):
        return None
    t = _answered(review)
    score = t.recommendation
    frame = _rated(review, t, score, score >= PROMOTERS, score <= DETRACTORS)
    frame["nps"] = 100 * (frame["high"] - frame["low"])
    columns = (
        Column("answers", "Answers", "count"),
        Column("high", f"Promoters ({PROMOTERS} or 10 of 10)", "share"),
        Column("low", f"Detractors (up to {DETRACTORS})", "share"),
        Column("nps", "Net Promoter Score", "count"),
        Column("value_answers", f"Value of who answered ({review.study.orders.money_unit})", "money"),
        Column("value_high", "Value of promoters", "money"),
        Column("value_low", "Value of detractors", "money"),
    )
    basis = (
        "Net Promoter Score: share of promoters less share of detractors, in points from −100 to 100. "
        f"{ahead(review)}. {_SILENT} {FEW}."
    )
    return segment_table(review, "recommendation", "Willingness to recommend", columns, frame, basis)


def loyalty(review: Review) -> Table | None:
    """Members of the loyalty scheme by segment, and their value against others'; None where unknown."""
    if "loyalty" not in asked(review.study.orders):
        return None
    t = _answered(review)
    member, worth = t.loyalty, t.clv_mean
    frame = by_segment(
        review,
        t,
        **group("members", member, worth),
        **group("others", ~member, worth),
        held=worth.sum(where=member),
        of=worth.sum(where=member.notnull()),
    )
    hide_few(frame)
    known = frame["members"] + frame["others"]
    frame["share"] = frame["members"] / known.where(known > 0)
    frame["held"] = frame["held"] / frame["of"].where(frame["of"] > 0)
    frame["times"] = frame["value_members"] / frame["value_others"].where(frame["value_others"] > 0)
    columns = (
        Column("members", "Members", "count"),
        Column("share", "Share of customers", "share"),
        Column("held", "Share of value", "share"),
        Column("value_members", f"Value of a member ({review.study.orders.money_unit})", "money"),
        Column("value_others", "Value of others", "money"),
        Column("times", "Member ÷ other", "ratio"),
    )
    basis = (
        f"{ahead(review)}. Of customers of whom it is known. Who buys more joins more easily: the "
        "difference is not what membership brings, and its cost is not counted."
    )
    return segment_table(review, "loyalty", "Members of the loyalty scheme", columns, frame, basis)


_SILENT = "Those who did not answer may think otherwise."


def _rated(review: Review, t: Any, score: Any, high: Any, low: Any) -> pd.DataFrame:
    """Answers by segment, shares of high and low ones, and the mean value of who gave them."""
    worth = t.clv_mean
    sums = group("answers", score.notnull(), worth) | group("high", high, worth) | group("low", low, worth)
    frame = by_segment(review, t, **sums)
    hide_few(frame)
    for name in ("high", "low"):
        frame[name] = frame[name] / frame["answers"].where(frame["answers"] > 0)
    return frame


def _answered(review: Review) -> Any:
    """Customers with their segment, value and answers."""
    return valued(review, answers(review.study.orders))
