"""CLV against the simple formulas, segment by segment, like with like."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.data.rfm import RFM
from clv.data.segments import BEHAVIOURAL
from clv.errors import ConfigError, FitError
from clv.evaluation.inputs import ALL, formula_inputs
from clv.fitting.fit import fit
from clv.fitting.result import Fit
from clv.forecasting import simple
from clv.forecasting.customers import Forecast, value_of_new
from clv.forecasting.economics import Economics

if TYPE_CHECKING:
    import pandas as pd

    from clv.evaluation.backtest import HoldoutResult

SMALL, TINY = 100, 20  # customers: flagged below the first, merged below the second
OTHER = "Other small segments"
REPEATERS = 20  # customers with repeat spend that a segment's own fit needs


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Simple formulas and model by segment; `table` is indexed by segment, the whole base last.

    Per new customer, contribution over `horizon` and undiscounted unless named otherwise:
    formula_1, formula_1_contribution (over the observed lifetime, after CAC), formula_1_within and
    formula_2_within (the horizon, before CAC), formula_2 (infinite), model_new (the horizon),
    model_new_discounted, ratio (model_new ÷ formula_1_within), own_fit. Per existing customer:
    model_existing (discounted), its total, and where there is a hold-out its actual and forecasts.
    Formula and model columns for new customers are NaN where segments are made of past behaviour.
    """

    by: str
    table: pd.DataFrame
    economics: Economics
    as_of: dt.date
    basis: str

    @property
    def behavioural(self) -> bool:
        """Whether customers are in a segment because of what they did, so that none is new in it."""
        return self.by in BEHAVIOURAL

    def __repr__(self) -> str:
        return f"<Comparison: {self.basis}>"

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def _repr_html_(self) -> str:
        return f"<p>{self.basis}</p>{self.table.to_html(float_format='{:,.2f}'.format, na_rep='–')}"


def compare(
    forecast: Forecast,
    economics: Economics | None = None,
    by: str = "cohort",
    holdout: HoldoutResult | None = None,
) -> Comparison:
    """Set the model's value of new and existing customers beside both simple formulas.

    Parameters
    ----------
    forecast : the base, its fits, margin and discount
    economics : churn rule, CAC and horizon; by default those of the forecast
    by : a segment column; segments under 20 customers are merged, those under 100 flagged
    holdout : adds what each segment spent after the cut, beside what was forecast

    The value of a new customer comes from a fit of the segment's own customers, where they are enough,
    else from the fit of the whole base.
    """
    economics = economics or Economics(forecast.margin, forecast.discount, forecast.horizon)
    if by not in forecast.rfm.segments:
        have = ", ".join(forecast.rfm.segments)
        raise ConfigError(f"C001 by must name a segment; got {by!r}. Segments here: {have}.")
    forecast = _merge_tiny(forecast, by)
    table = _formulas(forecast, economics, by)
    for segment in table.index:
        shared = segment == ALL or by in BEHAVIOURAL or table.loc[segment, "few"]
        own = None if shared else _own_fits(forecast, by, str(segment))
        purchase, spend = own or (forecast.purchase, forecast.spend)
        base = forecast.rfm.where(by, str(segment)) if own else forecast.rfm
        table.loc[segment, "own_fit"] = own is not None
        for name, discount in (("model_new", 0.0), ("model_new_discounted", economics.discount)):
            table.loc[segment, name] = value_of_new(
                purchase, spend, base, economics.horizon, margin=economics.margin, discount=discount
            )
    table["ratio"] = table["model_new"] / table["formula_1_within"]
    if by in BEHAVIOURAL:
        table.loc[table.index != ALL, _NEW_CUSTOMER] = np.nan
    if holdout is not None:
        table = table.join(_actuals(holdout, by))
    basis = (
        f"By {by.replace('_', ' ')}, as of {forecast.rfm.as_of}; contribution at {economics.margin:.0%} "
        f"margin over "
        f"{economics.horizon}; churn: {economics.churn_rule().sentence}."
    )
    return Comparison(by, table, economics, forecast.rfm.as_of, basis)


_NEW_CUSTOMER = [
    "formula_1",
    "formula_1_contribution",
    "formula_1_within",
    "formula_2",
    "formula_2_within",
    "model_new",
    "model_new_discounted",
    "ratio",
]


def _merge_tiny(forecast: Forecast, by: str) -> Forecast:
    """Merge the segments with fewer than `TINY` customers into one."""
    import ibis

    t = forecast.table
    counts = t.group_by(by).aggregate(n=t.count()).execute()
    tiny = sorted(counts.loc[counts["n"] < TINY, by])
    if not tiny or len(counts) == 1:
        return forecast
    column = forecast.rfm.table[by]
    merged = forecast.rfm.with_columns(**{by: ibis.ifelse(column.isin(tiny), OTHER, column)})
    return dataclasses.replace(forecast, rfm=merged)


def _formulas(forecast: Forecast, economics: Economics, by: str) -> pd.DataFrame:
    """Inputs and both formulas, a row a segment, the whole base last."""
    import pandas as pd

    rule, days = economics.churn_rule(), _days(forecast, economics)
    t = forecast.table
    rfm = RFM(t, forecast.rfm.as_of, forecast.rfm.digits, forecast.rfm.segments)
    sums = {"model_existing_total": t.clv_mean.sum()}
    i = pd.concat(
        [formula_inputs(rfm, rule, days, by, **sums), formula_inputs(rfm, rule, days, None, **sums)]
    )
    cac = pd.Series([economics.cac_of(str(s)) for s in i.index], index=i.index, dtype=float)
    margin = economics.margin
    within = simple.orders_within(i.orders_per_customer, i.repeat_rate, days)
    lifetime = (i.aov, i.orders_per_customer, cac, margin)
    return pd.DataFrame(
        {
            "customers": i.customers,
            "few": i.customers < SMALL,
            "orders": i.orders,
            "repeats": i.repeats,
            "revenue": i.revenue,
            "exposure_days": i.exposure_days,
            "aov": i.aov,
            "orders_per_customer": i.orders_per_customer,
            "repeat_rate_year": i.repeat_rate * 365.25,
            "frequency": i.frequency,
            "churn": i.churn,
            "cac": cac,
            "formula_1": simple.per_customer(*lifetime),
            "formula_1_contribution": simple.per_customer_contribution(*lifetime),
            "orders_within": within,
            "formula_1_within": simple.per_customer(i.aov, within, 0.0, margin),
            "formula_2": simple.four_metric(i.aov, i.frequency, margin, i.churn),
            "formula_2_within": simple.four_metric_within(
                i.aov, i.frequency, margin, i.churn, days / rule.period_days
            ),
            "model_existing": i.model_existing_total / i.customers,
            "model_existing_total": i.model_existing_total,
            "run_rate_existing": simple.run_rate(i.revenue, i.exposure_days, days, 1.0) * margin,
        }
    )


def _days(forecast: Forecast, economics: Economics) -> float:
    """Days in the comparison's horizon; its assumptions have to be the forecast's."""
    problems = [
        f"C010 the forecast has {name} {getattr(forecast, name)}, economics {getattr(economics, name)}; "
        "they must be one."
        for name in ("horizon", "margin", "discount")
        if getattr(forecast, name) != getattr(economics, name)
    ]
    if problems:
        raise ConfigError(*problems)
    return forecast.days


def _own_fits(forecast: Forecast, by: str, segment: str) -> tuple[Fit, Fit] | None:
    """Fits of one segment's customers, or None when they are too few or do not determine one."""
    part = forecast.rfm.where(by, segment)
    try:
        purchase, spend = fit(type(forecast.purchase.model), part), fit(type(forecast.spend.model), part)
    except FitError:
        return None
    enough = purchase.customers >= SMALL and spend.customers >= REPEATERS
    usable = purchase.converged and spend.converged and not spend.boundary
    finite = np.isfinite(spend.model.expected_spend_terms(np.zeros(1))[0]).all()
    return (purchase, spend) if enough and usable and finite else None


def _actuals(holdout: HoldoutResult, by: str) -> pd.DataFrame:
    """Hold-out revenue a customer, forecast and actual; segments as they were known at the cut."""
    import pandas as pd

    from clv.evaluation.backtest import MODEL

    parts = []
    for column in (by, None):
        totals = holdout.by_segment(column)
        per_customer = totals.div(totals["customers"], axis=0)
        parts.append(
            pd.DataFrame(
                {
                    "holdout_customers": totals["customers"],
                    "holdout_actual": per_customer["actual"],
                    "holdout_model": per_customer[MODEL],
                    "holdout_formula_1": per_customer["Formula 1"],
                    "holdout_formula_2": per_customer["Formula 2"],
                    "holdout_run_rate": per_customer["Run-rate"],
                }
            )
        )
    return pd.concat(parts)
