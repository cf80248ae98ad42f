"""The simple formulas and baselines that a model has to beat, each written once.

Plain arithmetic, so that the arguments may be numbers, arrays or table columns. An order is a purchase
day; `aov` is revenue ÷ orders (one published wording divides by customers and counts orders twice).
Horizons and ages are in days, frequencies and churn in periods of one length.
"""

from __future__ import annotations

from typing import Any

CUSTOMER_MIN_DAYS = 28  # own-rate with first order: a new customer's rate is not taken over less


def per_customer(aov: Any, orders_per_customer: Any, cac: Any, margin: Any) -> Any:
    """Formula 1: [(average order value × orders per lifetime) − CAC] × margin."""
    return (aov * orders_per_customer - cac) * margin


def per_customer_contribution(aov: Any, orders_per_customer: Any, cac: Any, margin: Any) -> Any:
    """Formula 1 with the whole CAC charged: AOV × orders × margin − CAC."""
    return aov * orders_per_customer * margin - cac


def orders_within(orders_per_customer: Any, repeat_rate: Any, days: Any) -> Any:
    """Orders of a new customer within a horizon: min(orders per lifetime, 1 + repeat rate a day × days)."""
    within = 1 + repeat_rate * days
    return orders_per_customer - _positive(orders_per_customer - within)


def four_metric(aov: Any, frequency: Any, margin: Any, churn: Any) -> Any:
    """Formula 2: AOV × purchase frequency × margin ÷ churn; frequency and churn of the same period."""
    return aov * frequency * margin / churn


def four_metric_within(aov: Any, frequency: Any, margin: Any, churn: Any, periods: Any) -> Any:
    """Formula 2 truncated: AOV × frequency × margin × (1 − (1 − churn)^periods) ÷ churn."""
    return aov * frequency * margin * (1 - (1 - churn) ** periods) / churn


def annuity_due(m: Any, r: Any, d: Any) -> Any:
    """Retention annuity, first payment now: m(1 + d)/(1 + d − r)."""
    return m * (1 + d) / (1 + d - r)


def annuity_residual(m: Any, r: Any, d: Any) -> Any:
    """Retention annuity, first payment after the first renewal: m·r/(1 + d − r)."""
    return m * r / (1 + d - r)


def annuity_ordinary(m: Any, r: Any, d: Any) -> Any:
    """Retention annuity, paid at the end of each period: m/(1 + d − r)."""
    return m / (1 + d - r)


def run_rate(revenue: Any, exposure_days: Any, days: Any, customers: Any) -> Any:
    """All revenue ÷ ΣT, carried on for everyone."""
    return revenue / exposure_days * days * customers


def repeat_run_rate(repeats: Any, exposure_days: Any, aov: Any, days: Any, customers: Any) -> Any:
    """Repeat purchases ÷ ΣT at the mean value of a purchase day, carried on for everyone."""
    return repeats / exposure_days * days * customers * aov


def calendar_run_rate(revenue: Any, calendar_days: Any, days: Any) -> Any:
    """Revenue a calendar day of the log, carried on."""
    return revenue / calendar_days * days


def own_rate(frequency: Any, age_days: Any, spend: Any, days: Any) -> Any:
    """Each customer's repeat rate at its own mean order value; `age_days` at least 1."""
    return frequency / age_days * days * spend / (frequency + 1)


def own_rate_with_first(age_days: Any, spend: Any, days: Any) -> Any:
    """Each customer's spend a day carried on; `age_days` at least `CUSTOMER_MIN_DAYS`."""
    return spend / age_days * days


def _positive(value: Any) -> Any:
    """Keep what is above 0: max(value, 0), in arithmetic."""
    return (value + abs(value)) / 2
