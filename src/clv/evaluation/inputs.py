"""From an RFM table to the inputs of the simple formulas, by segment, in one group-by on the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.engines import fetch
from clv.data.ready_made import need
from clv.data.rfm import RFM
from clv.errors import DataError
from clv.forecasting import simple
from clv.forecasting.economics import Churn
from clv.forecasting.totals import ALL

if TYPE_CHECKING:
    import pandas as pd


def formula_inputs(rfm: RFM, churn: Churn, days: float, by: str | None = None, **sums: Any) -> pd.DataFrame:
    """One row a segment, or one for the whole base, indexed by segment; money in currency units.

    Columns: customers, orders (purchase days), repeats, revenue, exposure_days, aov, orders_per_customer,
    repeat_rate (a day), frequency and churn (of the churn rule's period), own_rate and
    own_rate_with_first (their totals over `days`), and further `sums` of columns of the table.
    """
    import ibis

    need(rfm.table, ["first_amount"], "a simple formula")
    t, scale = rfm.table, 10.0**rfm.digits
    spend = (t.repeat_spend + ibis.ifelse(t.first_amount > 0, t.first_amount, 0)) / scale
    age = t["T"].cast("float64")
    measures = {
        "customers": t.count(),
        "orders": (t.frequency + 1).sum(),
        "repeats": t.frequency.sum(),
        "revenue": spend.sum(),
        "exposure_days": age.sum(),
        **churn_counts(t, churn),
        "own_rate": simple.own_rate(t.frequency, age.clip(lower=1), spend, days).sum(),
        "own_rate_with_first": simple.own_rate_with_first(
            age.clip(lower=simple.CUSTOMER_MIN_DAYS), spend, days
        ).sum(),
        **sums,
    }
    segment = t[by] if by else ibis.literal(ALL)
    frame: pd.DataFrame = fetch(
        t.group_by(segment=segment).aggregate(**measures).order_by("segment")
    ).to_pandas()
    if by and (frame["segment"] == ALL).any():
        raise DataError(
            f"D041 a segment of {by!r} is called {ALL!r}, as the line of totals is. Rename it in the data."
        )
    frame = frame.set_index("segment").astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        frame["aov"] = frame["revenue"] / frame["orders"]
        frame["orders_per_customer"] = frame["orders"] / frame["customers"]
        frame["repeat_rate"] = frame["repeats"] / frame["exposure_days"]
        frame["frequency"] = frame["orders"] / frame["exposure_days"] * churn.period_days
    frame["churn"] = churn_share(frame["silent"], frame["counted"]) if churn.share is None else churn.share
    return frame.drop(columns=["counted", "silent"])


def churn_counts(table: Any, churn: Churn) -> dict[str, Any]:
    """Customers that a churn rule counts, and those of them that it takes for lost, as sums on the engine."""
    age = table["T"].cast("float64")
    return {
        "counted": (age > churn.silent_days).sum(),
        "silent": (age - table.recency > churn.silent_days).sum(),
    }


def churn_share(silent: Any, counted: Any) -> Any:
    """Share of those counted who are lost, both columns of a frame; NaN where nobody is."""
    measured = silent / counted
    return measured.where(measured > 0)
