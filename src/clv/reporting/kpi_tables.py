"""Key figures by segment, on the user's own data: what is observed beside what the model values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.data.engines import fetch, keep
from clv.evaluation.compare import SMALL
from clv.forecasting.totals import ALL
from clv.reporting import tables
from clv.reporting.by_segment import by_segment, segment_of
from clv.reporting.grid import Column, Table
from clv.units import EPOCH, add_months, in_words

if TYPE_CHECKING:
    from clv.reporting.reviews import Review

SECOND = 90  # days within which a customer that will be lost early has no second order
_YEAR = 12  # months


def kpis(review: Review) -> Table:
    """Churn, retention, order value, repeat share, early loss, cost and its return, by segment."""
    comparison, e = review.comparison, review.study.economics
    frame = tables.segments(comparison).join(_observed(review))
    frame["retained"] = 1 - frame["churn"]
    frame["multiple"] = frame["model_new"] / (frame["first_order"] * e.margin)
    frame["roi"] = frame["model_after_cac"] / frame["cac"].where(frame["cac"] > 0)
    frame["few"] |= frame["old"] < SMALL
    frame["segment"] = tables.marked(frame)
    money = review.study.orders.money_unit
    columns = [
        Column("segment", review.by.replace("_", " ").capitalize(), "text"),
        Column("aov", f"Order value ({money})", "money"),
        Column("frequency", "Orders a period", "ratio"),
        Column("churn", "Churn a period", "share"),
        Column("retained", "Returned in a period", "share"),
        Column("early", f"No second order in {SECOND} days", "share"),
        Column("existing", "Revenue of a year from customers of before", "share"),
        Column("multiple", "Value ÷ first order", "ratio"),
        Column("cac", "CAC", "money"),
        Column("keep", "Retention spend a customer a year", "money"),
        Column("roi", "Return on CAC", "signed"),
    ]
    shown = [column for column in columns if column.key == "segment" or frame[column.key].notna().any()]
    spent = f" Retention spend: of {review.spent_span}." if "keep" in {c.key for c in shown} else ""
    basis = (
        f"{len(review.study.rfm):,} customers as of {review.study.as_of}. Churn: {e.churn_rule().sentence}; "
        f"orders and churn of the same period. Value: of a new customer, {in_words(e.horizon)}, before CAC, "
        "undiscounted, against the contribution of its first order. Return on CAC: discounted value less "
        f"CAC, ÷ CAC. Early loss: of customers at least {SECOND} days old.{spent}"
        f"{tables.unshown(comparison)}{_few(frame)}"
    )
    title = f"Key figures, by {review.by.replace('_', ' ')}"
    return Table("kpis", title, shown, frame, basis, total=True, unit=money)


def early_loss(review: Review) -> Table:
    """Share of customers without a second order soon after the first, by cohort."""
    old = review.people.filter(lambda t: t["T"] >= SECOND)
    sums = {"old": old.count(), "lost": (~old.again).sum()}
    parts = [
        fetch(old.group_by("cohort").aggregate(**sums).order_by("cohort")).to_pandas(),
        fetch(old.aggregate(**sums)).to_pandas().assign(cohort=ALL),
    ]
    frame = pd.concat(parts, ignore_index=True).astype({"old": float, "lost": float})
    frame["early"] = frame["lost"] / frame["old"].where(frame["old"] > 0)
    frame["few"] = frame["old"] < SMALL
    frame["segment"] = tables.marked(frame.set_index("cohort"))
    columns = (
        Column("segment", "First order in", "text"),
        Column("old", f"Customers at least {SECOND} days old", "count"),
        Column("lost", f"No second order in {SECOND} days", "count"),
        Column("early", "Share", "share"),
    )
    basis = f"Customers as of {review.study.as_of}, by their first order; repeat orders on later days count."
    basis += _few(frame)
    return Table("early_loss", "Early loss, by cohort", columns, frame, basis, total=True)


def _few(frame: pd.DataFrame) -> str:
    """Say what marks a segment with few customers, where any is marked."""
    said = f" (few): fewer than {SMALL} customers, or fewer than {SMALL} of them {SECOND} days old."
    return said * bool(frame["few"].any())


def _observed(review: Review) -> pd.DataFrame:
    """Early loss, share of a year's revenue from earlier customers, first orders, and retention spend."""
    joined, digits = review.people, review.study.rfm.digits
    old = joined["T"] >= SECOND
    frame = by_segment(
        review,
        joined,
        old=old.sum(),
        lost=(old & ~joined.again).sum(),
        year=joined.year.sum(),
        before=joined.before.sum(),
        of_before=joined.year.sum(where=joined.before),
        first_order=joined.first_amount.mean() / 10.0**digits,
        people=joined.count(),
    )
    found = frame[["first_order", "old"]].copy()
    found["early"] = frame["lost"] / frame["old"].where(frame["old"] > 0)
    known = (frame["year"] > 0) & (frame["before"][ALL] > 0)  # a log of a year has nobody of before
    found["existing"] = frame["of_before"].fillna(0.0) / frame["year"].where(known)
    found["keep"] = _kept(review) / frame["people"]
    return found


def people(review: Review) -> Any:
    """Return customers with segment, cohort, age, first order, and whether they ordered `again` early; kept.

    Also what they brought in the last `year`, in minor units, and whether they are of `before` it.
    """
    import ibis

    study, rfm = review.study, review.study.rfm
    start = (add_months(study.as_of, -_YEAR) - EPOCH).days
    days = study.orders.purchase_days(study.orders.days(), "spent")
    days = days.mutate(first=days.day.min().over(ibis.window(group_by=days.customer_id)))
    last = ibis.ifelse(days.day > start, days.spent.clip(lower=0), 0)
    seen = days.group_by("customer_id").aggregate(
        again=((days.day > days["first"]) & (days.day <= days["first"] + SECOND)).any(),
        year=last.sum(),
        before=(days["first"] <= start).any(),
    )
    named = rfm.table.select(
        "customer_id", "first_amount", "cohort", T="T", segment=segment_of(rfm.table, review)
    )
    return keep(named.inner_join(seen, "customer_id"))


def _kept(review: Review) -> pd.Series:
    """Retention spend of the last twelve months, by segment and in all; NaN where it is not known."""
    spent = review.spent_of_year
    if spent is None:
        return pd.Series(dtype=float)
    sums = spent.groupby(review.by)["retention_spend"].sum()
    sums[ALL] = sums.sum()
    return sums.where(np.isfinite(sums))
