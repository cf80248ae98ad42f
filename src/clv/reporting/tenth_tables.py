"""Customers by tenth of what they are expected to bring, and whether tenths of a hold-out came out so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.data.quantiles import by_tenth
from clv.errors import ConfigError
from clv.evaluation.compare import SMALL
from clv.forecasting.totals import ALL
from clv.reporting.grid import Column, Table
from clv.units import in_words

if TYPE_CHECKING:
    from clv.evaluation.backtest import HoldoutResult
    from clv.evaluation.study import Study
    from clv.forecasting.customers import Forecast

_NAMES = ["1, worth most", *map(str, range(2, 10)), "10, worth least"]


def enough(forecast: Forecast) -> bool:
    """Whether a base has tenths to speak of: 100 customers."""
    return len(forecast.rfm) >= SMALL


def of_study(study: Study) -> list[Table]:
    """The tenths of a study; none of fewer than 100 customers."""
    return [tenths(study.forecast, study.holdout)] if enough(study.forecast) else []


def tenths(forecast: Forecast, holdout: HoldoutResult | None = None) -> Table:
    """Customers by tenth of expected value, the tenth worth most first.

    With a hold-out also revenue a customer in it, forecast and actual, by tenths as they were ranked at its
    cut, where that had 100 customers. Raises ConfigError C001 for a base of fewer.
    """
    if not enough(forecast):
        raise ConfigError(f"C001 tenths need {SMALL} customers; got {len(forecast.rfm)}.")
    t = forecast.table
    sums = {"value": t.clv_mean.sum(), "orders": t.expected_purchases.sum(), "buys": t.p_purchase.sum()}
    frame = _by_tenth(t, sums)
    frame["ahead_share"] = frame["value"] / frame["value"].iloc[-1]
    for name in sums:
        frame[f"mean_{name}"] = frame[name] / frame["customers"].where(frame["customers"] > 0)
    money, length = forecast.rfm.currency, in_words(forecast.horizon)
    columns = [
        Column("tenth", "Tenth by value", "text"),
        Column("customers", "Customers", "count"),
        Column("ahead_share", f"Share of value, next {length}", "share"),
        Column("mean_value", f"Mean value{f' ({money})' if money else ''}", "money"),
        Column("mean_orders", "Orders expected", "ratio"),
        Column("mean_buys", "P(an order)", "share"),
    ]
    basis = (
        f"{forecast.basis}. Tenths by expected value; customers worth the same are in one together, so that "
        "tenths need not be alike in size."
    )
    if holdout is not None and enough(holdout.forecast):
        frame = frame.join(_held(holdout))
        columns += [
            Column("held_model", "Hold-out revenue: model", "money"),
            Column("held_actual", "Hold-out revenue: actual", "money"),
        ]
        cut, of = holdout.holdout, f" ({money})" if money else ""
        basis += (
            f" Hold-out: revenue a customer{of} of the {len(cut.rfm):,} known on {cut.cut}, from the day "
            f"after to {cut.end}, in tenths of their own, by what was forecast then."
        )
    frame.insert(0, "tenth", [*_NAMES, ALL])
    title = "How much each tenth of customers is worth"
    return Table("tenths", title, columns, frame, basis, total=True, unit=money)


def _held(holdout: HoldoutResult) -> pd.DataFrame:
    """Revenue a customer in the hold-out by tenth at the cut, forecast and actual."""
    t, scale = holdout.forecast.table, 10.0**holdout.holdout.rfm.digits
    sums = {"held_model": t.clv_mean.sum(), "held_actual": t.actual_spend.sum()}
    frame = _by_tenth(t, sums)
    frame["held_actual"] /= scale
    return frame[[*sums]].div(frame["customers"].where(frame["customers"] > 0), axis=0)


def _by_tenth(table: Any, sums: dict[str, Any]) -> pd.DataFrame:
    """Customers and sums by tenth of clv_mean, the highest first, those of all last; 0 of an empty tenth."""
    frame = pd.DataFrame(by_tenth(table, "clv_mean", **sums)).set_index("tenth").astype(float)
    frame = frame.reindex(np.arange(9, -1, -1)).fillna(0.0).rename(columns={"rows": "customers"})
    frame.loc[ALL] = frame.sum()
    return frame
