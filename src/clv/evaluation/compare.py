"""CLV against the simple formulas, segment by segment, like with like."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from clv.data.engines import fetch
from clv.data.segments import BEHAVIOURAL
from clv.errors import ConfigError, FitError
from clv.evaluation.backtest import OTHER, HoldoutResult
from clv.evaluation.held_bands import with_bands
from clv.evaluation.inputs import formula_inputs
from clv.fitting.inference import at_mode, like
from clv.fitting.result import Fit
from clv.forecasting import simple
from clv.forecasting.customers import Forecast
from clv.forecasting.economics import Economics
from clv.forecasting.equity import band_of_new
from clv.forecasting.totals import ALL
from clv.forecasting.value import value_of_new
from clv.units import DAYS_PER_YEAR, percent

if TYPE_CHECKING:
    import pandas as pd

SMALL, TINY = 100, 20  # customers: flagged below the first, merged below the second
REPEATERS = 20  # customers with repeat spend that a segment's own fit needs


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Simple formulas and model by segment; `table` is indexed by segment, the whole base last.

    Per new customer, contribution over `horizon` and undiscounted unless named otherwise:
    formula_1, formula_1_contribution (over the observed lifetime, after CAC), formula_1_within and
    formula_2_within (the horizon, before CAC), formula_1_charged and formula_1_after_cac (the horizon, less
    CAC × margin and less CAC), formula_2 (infinite), model_new (the horizon), model_new_p05 and
    model_new_p95 (5 and 95 % of that mean, NaN where nothing is drawn), model_new_discounted,
    model_after_cac (discounted, less CAC), value_to_cac, ratio (model_new ÷ formula_1_within), own_fit. Per
    existing customer: model_existing (discounted) and its total.
    Formula and model columns for new customers are NaN where segments are made of past behaviour. The
    frequency of a segment, and with it formula 2, is NaN where its customers are on average younger than the
    churn rule's period: their first orders would count more than once a period.

    `fits` are those of segments that have their own, of purchases and of spend; `level` is the forecast's.
    `undated` segments are of the customers table as it is now, which may know what came after a first order.

    `holdout` has the total revenue of each segment in the hold-out, forecast by each contender and
    actual, low and high (5 and 95 % of the model's) and inside, and `tested` says of whom and when; None
    without a hold-out, and for undated segments of the customers table, which may know
    what came after the cut.
    """

    by: str
    table: pd.DataFrame
    economics: Economics
    as_of: dt.date
    basis: str
    holdout: pd.DataFrame | None = None
    pooled: Sequence[str] = ()
    fits: Mapping[str, tuple[Fit, Fit]] = field(default_factory=dict)
    level: float = 1.0
    tested: str = ""
    undated: bool = False

    @property
    def members(self) -> set[str]:
        """Every value of the segment column, those merged into others included."""
        return {*map(str, self.table.index), *self.pooled} - {ALL, OTHER}

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
        return f"<p>{escape(self.basis)}</p>{self.table.to_html(float_format='{:,.2f}'.format, na_rep='–')}"


def compare(
    forecast: Forecast,
    economics: Economics | None = None,
    by: str = "cohort",
    holdout: HoldoutResult | None = None,
    *,
    draws: bool = True,
) -> Comparison:
    """Set the model's value of new and existing customers beside both simple formulas.

    Parameters
    ----------
    forecast : the base, its fits, margin and discount
    economics : churn rule, CAC and horizon; by default those of the forecast
    by : a segment column; segments under 20 customers are merged, those under 100 flagged
    holdout : adds what each segment spent after the cut, and what was forecast
    draws : fits of segments have draws where the forecast's have; without, they are at their mode

    The value of a new customer comes from a fit of the segment's own customers, where they are enough,
    else from the fit of the whole base.
    """
    return with_bands([compared(forecast, economics, by, holdout, draws=draws)], holdout)[0]


def compared(
    forecast: Forecast, economics: Economics | None, by: str, holdout: HoldoutResult | None, *, draws: bool
) -> Comparison:
    """Return the comparison without the bands of its hold-out, which many can be given in one pass."""
    economics = economics or Economics(forecast.margin, forecast.discount, forecast.horizon)
    if by not in forecast.rfm.segments:
        have = ", ".join(forecast.rfm.segments)
        raise ConfigError(f"C001 by must name a segment; got {by!r}. Segments here: {have}.")
    counts = _counts(forecast, by)
    forecast, pooled = _merge_tiny(forecast, by, counts)
    table = _formulas(forecast, economics, by, _cac(economics, counts, pooled))
    fits: dict[str, tuple[Fit, Fit]] = {}
    for segment in table.index:
        shared = segment == ALL or by in BEHAVIOURAL or table.loc[segment, "few"]
        own = None if shared else _own_fits(forecast, by, str(segment), draws)
        purchase, spend = own or (forecast.purchase, forecast.spend)
        base = forecast.base.where(by, str(segment)) if own else forecast.base
        fits |= {str(segment): own} if own else {}
        table.loc[segment, "own_fit"] = own is not None
        for name, discount in (("model_new", 0.0), ("model_new_discounted", economics.discount)):
            terms = {"margin": economics.margin, "discount": discount}
            value = value_of_new(purchase, spend, base, economics.horizon, **terms)
            table.loc[segment, name] = forecast.level * value
        plain = dataclasses.replace(forecast, purchase=purchase, spend=spend, rfm=base, discount=0.0)
        table.loc[segment, _BAND] = band_of_new(plain)
    table["model_after_cac"] = table["model_new_discounted"] - table["cac"]
    table["value_to_cac"] = table["model_new_discounted"] / table["cac"].where(table["cac"] > 0)
    table["ratio"] = table["model_new"] / table["formula_1_within"]
    if by in BEHAVIOURAL:
        table.loc[table.index != ALL, _NEW_CUSTOMER] = np.nan
    basis = (
        f"By {by.replace('_', ' ')}, as of {forecast.rfm.as_of}; contribution at "
        f"{percent(economics.margin)} margin over {economics.horizon}; churn: "
        f"{economics.churn_rule().sentence}."
    )
    held = _holdout(holdout, by, pooled) if holdout is not None else None
    rfm, level = forecast.rfm, forecast.level
    undated = by in rfm.undated
    return Comparison(by, table, economics, rfm.as_of, basis, held, pooled, fits, level, undated=undated)


_BAND = ["model_new_p05", "model_new_p95"]
_NEW_CUSTOMER = [
    *_BAND,
    "formula_1",
    "formula_1_contribution",
    "formula_1_within",
    "formula_1_charged",
    "formula_1_after_cac",
    "formula_2",
    "formula_2_within",
    "model_new",
    "model_new_discounted",
    "model_after_cac",
    "value_to_cac",
    "ratio",
]


def _counts(forecast: Forecast, by: str) -> pd.Series:
    """Customers of each segment."""
    t = forecast.table
    rows = fetch(t.group_by(segment=t[by]).aggregate(customers=t.count())).to_pandas()
    found: pd.Series = rows.set_index("segment")["customers"]
    return found


def _merge_tiny(forecast: Forecast, by: str, counts: pd.Series) -> tuple[Forecast, list[str]]:
    """Merge the segments with fewer than `TINY` customers into one; returns which they were."""
    import ibis

    t = forecast.table
    tiny = sorted(counts.index[counts < TINY])
    if not tiny or len(counts) == 1:
        return forecast, []
    merged = {by: ibis.ifelse(t[by].isin(tiny), OTHER, t[by])}
    return forecast.with_columns(**merged), tiny


def _formulas(forecast: Forecast, economics: Economics, by: str, cac: pd.Series) -> pd.DataFrame:
    """Inputs and both formulas, a row a segment, the whole base last."""
    import pandas as pd

    rule, days = economics.churn_rule(), _days(forecast, economics)
    t, rfm = forecast.table, forecast.base
    sums = {"model_existing_total": t.clv_mean.sum()}
    parts, whole = (formula_inputs(rfm, rule, days, of, **sums) for of in (by, None))
    grown = parts["exposure_days"] >= rule.period_days * parts["customers"]
    i = pd.concat([parts.assign(frequency=parts["frequency"].where(grown)), whole])
    cac, margin = cac[i.index], economics.margin
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
            "repeat_rate_year": i.repeat_rate * DAYS_PER_YEAR,
            "frequency": i.frequency,
            "churn": i.churn,
            "cac": cac,
            "formula_1": simple.per_customer(*lifetime),
            "formula_1_contribution": simple.per_customer_contribution(*lifetime),
            "orders_within": within,
            "formula_1_within": simple.per_customer(i.aov, within, 0.0, margin),
            "formula_1_charged": simple.per_customer(i.aov, within, cac, margin),
            "formula_1_after_cac": simple.per_customer_contribution(i.aov, within, cac, margin),
            "formula_2": simple.four_metric(i.aov, i.frequency, margin, i.churn),
            "formula_2_within": simple.four_metric_within(
                i.aov, i.frequency, margin, i.churn, days / rule.period_days
            ),
            "model_existing": i.model_existing_total / i.customers,
            "model_existing_total": i.model_existing_total,
            "run_rate_existing": simple.run_rate(i.revenue, i.exposure_days, days, 1.0) * margin,
        }
    )


def _cac(economics: Economics, counts: pd.Series, pooled: Sequence[str]) -> pd.Series:
    """Acquisition cost by row: of the pool and of the whole base, unless given, the mean over customers.

    NaN where it is not known of all of them.
    """
    import pandas as pd

    rows = {name: OTHER if name in pooled else name for name in counts.index}
    members = {**counts.groupby(rows).groups, ALL: counts.index}
    given = economics.cac
    if not isinstance(given, Mapping):
        return pd.Series(given, index=list(members), dtype=float)
    cost = pd.Series({name: given.get(name) for name in counts.index}, dtype=float)
    means = {str(row): np.average(cost[own], weights=counts[own]) for row, own in members.items()}
    return pd.Series({row: given.get(row, mean) for row, mean in means.items()}, dtype=float)


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


def _own_fits(forecast: Forecast, by: str, segment: str, draws: bool) -> tuple[Fit, Fit] | None:
    """Fits of one segment's customers, or None when they are too few or do not determine one."""
    part = forecast.base.where(by, segment)
    try:
        fits = [(like(f) if draws else at_mode(f), f) for f in (forecast.purchase, forecast.spend)]
        purchase, spend = (inference.fit(type(f.estimate), part) for inference, f in fits)
    except FitError:
        return None
    enough = purchase.customers >= SMALL and spend.customers >= REPEATERS
    usable = purchase.passed and spend.passed and not spend.boundary
    finite = np.isfinite(spend.model.expected_spend_terms(np.zeros(1))[0]).all()
    return (purchase, spend) if enough and usable and finite else None


def _holdout(holdout: HoldoutResult, by: str, pooled: Sequence[str]) -> pd.DataFrame | None:
    """Hold-out totals by segment as it was known at the cut, the whole base last."""
    import pandas as pd

    if by in holdout.holdout.rfm.undated:
        return None
    merged = () if by in BEHAVIOURAL else pooled  # who is in a behavioural segment was another matter then
    return pd.concat([holdout.by_segment(by, merged), holdout.whole])
