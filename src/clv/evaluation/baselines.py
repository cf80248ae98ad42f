"""What a model has to beat: run-rates, own rates, both simple formulas, and a forecast of nothing."""

from __future__ import annotations

from typing import Any

from clv.forecasting import simple
from clv.forecasting.economics import Churn

ZERO = "All zero"
OWN, OWN_WITH_FIRST = "Own rate", "Own rate with first order"
BASELINES = (
    "Run-rate",
    "Repeat run-rate",
    OWN,
    OWN_WITH_FIRST,
    "Calendar run-rate",
    "Formula 1",
    "Formula 2",
)


def alike(i: Any, churn: Churn, days: float, calendar: float, *, money: bool = True) -> dict[str, Any]:
    """Totals over `days` of the baselines that forecast the same for everyone, by name.

    `i` has the columns of `formula_inputs`, `calendar` is the length of the log in days. Without `money` an
    order counts 1, whatever it is worth.
    """
    made, each = (i.revenue, i.aov) if money else (i.orders, 1.0)
    within = simple.orders_within(i.orders_per_customer, i.repeat_rate, days)
    periods = days / churn.period_days
    return {
        "Run-rate": simple.run_rate(made, i.exposure_days, days, i.customers),
        "Repeat run-rate": simple.repeat_run_rate(i.repeats, i.exposure_days, each, days, i.customers),
        "Calendar run-rate": simple.calendar_run_rate(made, calendar, days),
        "Formula 1": i.customers * simple.per_customer(each, within, 0.0, 1.0),
        "Formula 2": i.customers * simple.four_metric_within(each, i.frequency, 1.0, i.churn, periods),
    }
