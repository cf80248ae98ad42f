"""Key figures by segment, on the user's own data: what is observed beside what the model values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.data.engines import fetch
from clv.forecasting.totals import ALL
from clv.reporting.grid import Column, Table
from clv.units import EPOCH, add_months, in_words

if TYPE_CHECKING:
    from clv.reporting.reviews import Review

SECOND = 90  # days within which a customer that will be lost early has no second order
_YEAR = 12  # months


def kpis(review: Review) -> Table:
    """Churn, retention, order value, repeat share, early loss, cost and its return, by segment."""
    comparison, e = review.comparison, review.study.economics
    frame = comparison.table.join(_observed(review))
    frame["retained"] = 1 - frame["churn"]
    frame["multiple"] = frame["model_new"] / (frame["first_order"] * e.margin)
    frame["roi"] = frame["model_after_cac"] / frame["cac"].where(frame["cac"] > 0)
    frame.insert(0, "segment", [str(name) for name in frame.index])
    money = review.study.orders.money_unit
    columns = [
        Column("segment", review.by.replace("_", " ").capitalize(), "text"),
        Column("aov", f"Order value ({money})", "money"),
        Column("frequency", "Orders a period", "ratio"),
        Column("churn", "Churn a period", "share"),
        Column("retained", "Retention a period", "share"),
        Column("early", f"No second order in {SECOND} days", "share"),
        Column("existing", "Revenue of a year from customers of before", "share"),
        Column("multiple", "Value ÷ first order", "ratio"),
        Column("cac", "CAC", "money"),
        Column("keep", "Retention spend a customer a year", "money"),
        Column("roi", "Return on CAC", "signed"),
    ]
    shown = [column for column in columns if column.key == "segment" or frame[column.key].notna().any()]
    basis = (
        f"{len(review.study.rfm):,} customers as of {review.study.as_of}. Churn: {e.churn_rule().sentence}; "
        f"orders and churn of the same period. Value: of a new customer, {in_words(e.horizon)}, before CAC, "
        "undiscounted, against the contribution of its first order. Return on CAC: discounted value less "
        f"CAC, ÷ CAC. Early loss: of customers at least {SECOND} days old."
    )
    title = f"Key figures, by {review.by.replace('_', ' ')}"
    return Table("kpis", title, shown, frame, basis, total=True, unit=money)


def _observed(review: Review) -> pd.DataFrame:
    """Early loss, share of a year's revenue from earlier customers, first orders, and retention spend."""
    import ibis

    study, by = review.study, review.by
    rfm = study.rfm
    start = (add_months(study.as_of, -_YEAR) - EPOCH).days
    days = study.orders.purchase_days(study.orders.days(), "spent")
    days = days.mutate(first=days.day.min().over(ibis.window(group_by=days.customer_id)))
    last = ibis.ifelse(days.day > start, days.spent.clip(lower=0), 0)
    people = days.group_by("customer_id").aggregate(
        again=((days.day > days["first"]) & (days.day <= days["first"] + SECOND)).any(),
        year=last.sum(),
        before=(days["first"] <= start).any(),
    )
    named = rfm.table.select("customer_id", "first_amount", T="T", segment=_segment(rfm.table[by], review))
    joined = named.inner_join(people, "customer_id")
    old = joined["T"] >= SECOND
    sums = {
        "old": old.sum(),
        "lost": (old & ~joined.again).sum(),
        "year": joined.year.sum(),
        "of_before": joined.year.sum(where=joined.before),
        "first_order": joined.first_amount.mean() / 10.0**rfm.digits,
        "people": joined.count(),
    }
    parts = [
        fetch(joined.group_by("segment").aggregate(**sums)).to_pandas(),
        fetch(joined.aggregate(**sums)).to_pandas().assign(segment=ALL),
    ]
    frame = pd.concat(parts, ignore_index=True).set_index("segment").astype(float)
    found = pd.DataFrame({"first_order": frame["first_order"]})
    found["early"] = frame["lost"] / frame["old"].where(frame["old"] > 0)
    found["existing"] = frame["of_before"].fillna(0.0) / frame["year"].where(frame["year"] > 0)
    found["keep"] = _kept(review) / frame["people"]
    return found


def _segment(column: Any, review: Review) -> Any:
    """The segment as the comparison has it: small ones together."""
    import ibis

    from clv.evaluation.backtest import OTHER

    pooled = list(review.comparison.pooled)
    return ibis.ifelse(column.isin(pooled), OTHER, column) if pooled else column


def _kept(review: Review) -> pd.Series:
    """Retention spend of the last twelve months, by segment and in all; NaN where it is not known."""
    spent = review.spent_of_year
    if spent is None:
        return pd.Series(dtype=float)
    sums = spent.groupby(review.by)["retention_spend"].sum()
    sums[ALL] = sums.sum()
    return sums.where(np.isfinite(sums))
