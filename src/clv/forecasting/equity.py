"""What a new customer is worth, and all customers together: the three values that must not be mixed up.

A just-acquired customer's value counts its first order; an existing customer's is the residual one, of what
is still to come; historic value is past. Customer equity is the residual value of those who are there, and
the value of those to come, less what it costs to acquire them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.errors import ConfigError
from clv.forecasting.economics import unknown_costs
from clv.forecasting.lines import DRAWS
from clv.forecasting.newcomers import just_acquired, mean_revenue
from clv.forecasting.plans import Plan, first_orders
from clv.forecasting.stream import LEVELS
from clv.forecasting.totals import ALL, Totals, columns_of
from clv.units import LIFETIME, daily_discount, in_words

if TYPE_CHECKING:
    import pandas as pd

    from clv.forecasting.customers import Forecast


def new_customers(forecast: Forecast, by: str | None) -> Totals:
    """Return the value of a new customer by segment; see `Forecast.new_customers`."""
    import pandas as pd

    forecast.rfm.check_segments([by] if by else [])
    if forecast.margins.by not in (None, by):
        raise ConfigError(
            f"C002 margin differs by {forecast.margins.by}, so a new customer's value does; got by={by!r}."
        )
    firsts = first_orders(forecast.rfm, (by,) if by else (), telling=forecast.told)
    rows = []
    for label in sorted(firsts):
        segment = {by: label[0]} if by else {}
        base = forecast.newcomer(segment)
        mean, one = just_acquired(base, firsts[label], forecast.t, forecast.rate)
        margin = forecast.margins.drawn(label[0] if by else "", forecast.draws)
        if not np.isfinite(mean).all():
            raise ConfigError(
                "C011 the undiscounted lifetime of a new customer is infinite. Set discount above 0, or a "
                'horizon such as "5y".'
            )
        level = forecast.levels.drawn(forecast.draws)
        sure = np.quantile(margin * level * mean, LEVELS, method="hazen")
        low, middle, high = np.quantile(margin.mean() * forecast.level * one, LEVELS)
        rows.append(
            {
                **(segment or {"population": "new"}),
                "first_order": firsts[label].mean,
                "clv_mean": float(
                    forecast.margins.expected(label[0] if by else "") * forecast.level * mean.mean()
                ),
                "clv_mean_p05": sure[0],
                "clv_mean_p95": sure[-1],
                "clv_p05": low,
                "clv_median": middle,
                "clv_p95": high,
            }
        )
    length = "whole lifetime" if forecast.horizon == LIFETIME else f"first {in_words(forecast.horizon)}"
    basis = (
        f"A just-acquired customer as of {forecast.rfm.as_of}, {length}, first order included; "
        f"{forecast.terms}; bands: {forecast.doubt}"
    )
    return Totals(pd.DataFrame(rows), basis, forecast.rfm.currency)


def band_of_new(forecast: Forecast) -> tuple[float, float]:
    """5 and 95 % of the mean value of just-acquired customers of a base, first order included.

    By draws of the parameters and of the level; NaN where there is one value only, which says nothing of how
    sure it is. Margins by segment and fits by groups are not for this.
    """
    first = first_orders(forecast.rfm, (), telling=forecast.told)[()]
    mean = mean_revenue(forecast.newcomer({}).paired(DRAWS), first, forecast.t, forecast.rate)
    level, margin = forecast.levels.drawn(forecast.draws), forecast.margins.drawn("", forecast.draws)
    drawn = np.asarray(margin * level * mean)
    if np.ptp(drawn) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [LEVELS[0], LEVELS[-1]], method="hazen")
    return float(low), float(high)


def equity(
    forecast: Forecast,
    plan: pd.DataFrame | None,
    cac: float | Mapping[str, float] | None,
    by: str | None,
    year: int,
) -> Totals:
    """Return customer equity by its parts; see `Forecast.equity`."""
    import pandas as pd

    _check_cost(forecast, cac, by)
    found = forecast.over(LIFETIME).totals(by, plan=plan, fiscal_year_start=year)
    table = found.to_pandas()
    table = table[table[by] == ALL] if by else table
    parts = table.set_index("population")[["customers", "clv", "clv_p05", "clv_p95"]]
    rows = {"existing customers, still to come": parts.loc["existing"]}
    total = parts.loc["existing"].copy()
    if plan is not None:
        cost = _cost(forecast, plan, cac, by, year)
        rows["planned customers, from their first order"] = parts.loc["new"]
        spent = [parts.loc["new", "customers"], -cost, -cost, -cost]
        rows["their acquisition cost"] = pd.Series(spent, index=parts.columns)
        total = parts.loc["all"].copy()
        total[["clv", "clv_p05", "clv_p95"]] -= cost
    rows["customer equity"] = total
    basis = found.basis.replace("before acquisition cost", "acquisition cost on a line of its own")
    return Totals(pd.DataFrame(rows).T.rename_axis("part").reset_index(), basis, found.currency)


def _check_cost(forecast: Forecast, cac: Any, by: str | None) -> None:
    given = [cost for cost in (cac.values() if isinstance(cac, Mapping) else [cac]) if cost is not None]
    if not all(isinstance(cost, int | float) and 0 <= cost < np.inf for cost in given):
        raise ConfigError(f"P002 cac must be 0 or more for every segment; got {cac!r}.")
    if isinstance(cac, Mapping) and by is None:
        raise ConfigError(
            f"C005 cac by segment needs by, the segment column; got {dict(cac)!r} and no by. Give both, or "
            "one number for all."
        )


def _cost(
    forecast: Forecast, plan: pd.DataFrame, cac: float | Mapping[str, float] | None, by: str | None, year: int
) -> float:
    """What the planned customers cost, discounted from the middle of their period."""
    columns = columns_of(forecast, by)
    labels = set(first_orders(forecast.rfm, columns, telling=False))
    planned = Plan.of(plan, columns, labels, forecast.rfm.as_of, year, None)
    names = {label: label[columns.index(by)] if by else "" for label in planned.waves}
    of = cac if isinstance(cac, Mapping) else dict.fromkeys(names.values(), cac)
    known = {label[columns.index(by)] for label in labels} if by else of
    wrong = unknown_costs(of, known)
    missing = sorted({name for name in names.values() if of.get(name) is None})
    if missing:
        wrong.append(
            f"C005 cac must be known of all planned customers; got none{' of ' if by else ''}"
            f"{', '.join(missing)}. Customer equity is the value of those to come less what they cost."
        )
    if wrong:
        raise ConfigError(*wrong)
    delta, total = daily_discount(forecast.discount), 0.0
    for label, spans in planned.waves.items():
        each: Any = of[names[label]]
        for span, customers in spans:
            first = max((span.first - forecast.rfm.as_of).days, 1)
            middle = (first + (span.last - forecast.rfm.as_of).days) / 2
            total += customers * each * float(np.exp(-delta * middle))
    return total
