"""The same base by several definitions of churn: what of formula 2 is the definition's doing alone."""

from __future__ import annotations

import dataclasses

import pandas as pd

from clv.data.rfm import RFM
from clv.evaluation.compare import SMALL
from clv.evaluation.inputs import churn_counts, churn_share, formula_inputs
from clv.forecasting import simple
from clv.forecasting.economics import Economics
from clv.forecasting.totals import ALL
from clv.units import in_words, percent

RULES = (
    *("inactive:60d", "inactive:90d", "inactive:180d", "inactive:365d"),
    *("period:3m", "period:6m", "period:12m"),
)


def churn_definitions(rfm: RFM, economics: Economics, days: float) -> pd.DataFrame:
    """Formula 2 of the whole base by the churn rule of `economics` and by usual ones, a row a definition.

    Columns: definition, in words; used, whether it is the one of `economics`; period_days; counted,
    customers who are old enough for it (NaN of a given share); churn, share of those lost in a period;
    frequency, orders a customer in a period; formula_2_within, contribution of a new customer over `days`,
    and formula_2 without an end, in currency units, both undiscounted and before acquisition cost. NaN where
    nobody was lost. Usual rules that fewer than 100 customers are old enough for are left out.
    """
    own = economics.churn_rule()
    words = {dataclasses.replace(economics, churn=rule).churn_rule(): _words(rule) for rule in RULES}
    if own not in words:
        words = {own: _words(economics.churn), **words}
    churns = list(words)
    sums = {
        f"{name}_{at}": count
        for at, churn in enumerate(churns)
        for name, count in churn_counts(rfm.table, churn).items()
    }
    whole = formula_inputs(rfm, own, days, **sums).loc[ALL]
    at = range(len(churns))
    frame = pd.DataFrame(
        {
            "definition": list(words.values()),
            "used": [churn == own for churn in churns],
            "period_days": [churn.period_days for churn in churns],
            "counted": [whole[f"counted_{i}"] for i in at],
        }
    )
    silent = pd.Series([whole[f"silent_{i}"] for i in at])
    given = pd.Series([churn.share for churn in churns], dtype=float)
    frame["churn"] = given.fillna(churn_share(silent, frame["counted"]))
    frame["counted"] = frame["counted"].where(given.isna())
    frame["frequency"] = whole["orders"] / whole["exposure_days"] * frame["period_days"]
    terms = (whole["aov"], frame["frequency"], economics.margin, frame["churn"])
    frame["formula_2_within"] = simple.four_metric_within(*terms, days / frame["period_days"])
    frame["formula_2"] = simple.four_metric(*terms)
    return frame[frame["used"] | (frame["counted"] >= SMALL)].reset_index(drop=True)


def _words(rule: str | float) -> str:
    """A churn rule as its row is called."""
    if not isinstance(rule, str):
        return f"{percent(rule)} a year, as given"
    kind, _, length = rule.partition(":")
    return f"{'Inactive for' if kind == 'inactive' else 'Not returning within'} {in_words(length)}"
