"""Definitions of churn side by side, with what formula 2 makes of each, and the model beside."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from clv.evaluation import churn
from clv.evaluation.compare import SMALL
from clv.forecasting.totals import ALL
from clv.reporting.grid import Column, Table, money, show_value
from clv.units import in_words, percent

if TYPE_CHECKING:
    import pandas as pd

    from clv.evaluation.study import Study

_ONE = 0.01  # of a period, by which a horizon may miss it: a year has 365 days or 366


def churn_definitions(study: Study) -> Table:
    """Churn of the whole base by each definition, formula 2 by it, and the model over the same horizon."""
    e, unit = study.economics, study.orders.money_unit
    whole, length = study.comparisons[0].table.T[ALL], in_words(e.horizon)
    frame = churn.churn_definitions(study.rfm, e, study.forecast.days)
    frame["row"] = [
        f"{words} (used here)" if used else words
        for words, used in zip(frame["definition"], frame["used"], strict=True)
    ]
    frame["still"] = abs(study.forecast.days / frame["period_days"] - 1) < _ONE
    frame["model_new"] = whole["model_new"]
    frame["ratio"] = frame["formula_2_within"] / frame["model_new"]
    columns = (
        Column("row", "Churn is", "text"),
        Column("counted", "Customers old enough", "count"),
        Column("churn", "Churn a period", "share"),
        Column("period_days", "Period (days)", "count"),
        Column("frequency", "Orders a period", "ratio"),
        Column("formula_2_within", f"Formula 2, {length}", "money"),
        Column("formula_2", "Formula 2, no end", "money"),
        Column("model_new", f"Model, {length}", "money"),
        Column("ratio", f"Formula 2 ÷ model, {length}", "ratio"),
    )
    age = whole["exposure_days"] / whole["customers"]
    young = (
        f" Customers are {age:.0f} days old on average: in periods longer than that first orders count more "
        "than once."
        if (frame["period_days"] > age).any()
        else ""
    )
    basis = (
        f"Per newly acquired customer of the whole base of {whole['customers']:,.0f}, first order included, "
        f"contribution at {percent(e.margin)} margin{' in ' + unit if unit else ''}, undiscounted, before "
        f"acquisition cost, {length} from the first order and without an end; as of {study.as_of}. "
        "Inactive: no order for more than that long, of customers who came longer ago, read as one year's "
        "churn. Not returning: no order in the last period, of customers at least one period old. "
        "Formula 2 takes all of them for lost for good, those too who will come "
        f"back.{_standing(frame, length)} Definitions that fewer than {SMALL} customers are old enough for "
        f"are left out.{young}"
    )
    title = "The same customers by other definitions of churn"
    return Table("churn_definitions", title, columns, frame, basis, unit=unit)


def _standing(frame: pd.DataFrame, length: str) -> str:
    """Say why rows are alike whose period is as long as the horizon, where there are such."""
    still = frame["still"]
    if not still.any():
        return ""
    return (
        f" Where the period is {frame.loc[still, 'period_days'].iloc[0]:.0f} days, {length} are one of them, "
        "and in the first period churn plays no part: within it formula 2 is order value × orders × margin, "
        "the run-rate, and the same in all those rows. What their churn does shows without an end."
    )


def finding(study: Study, table: Table) -> str:
    """By how much formula 2 moves with the definition of churn alone; empty where there is one only."""
    frame, unit, length = table.frame, study.orders.money_unit, in_words(study.economics.horizon)
    if frame["formula_2"].notna().sum() < 2:
        return ""
    named = frame["definition"].str[:1].str.lower() + frame["definition"].str[1:]
    within = named.mask(frame["still"], f"any with a period of {length}")  # which of them, does not matter
    of_all = frame["formula_2_within"]
    moved = (
        f"it stands at {money(of_all.max(), unit)} {unit} by all of them"
        if frame.loc[of_all.notna(), "still"].all()
        else f"from {_ends(of_all, within, unit)}"
    )
    return (
        f"Formula 2 moves with the definition of churn alone: as quoted, without an end, from "
        f"{_ends(frame['formula_2'], named, unit)}; within {length} {moved}. "
        f"The model gives {money(frame['model_new'].iloc[0], unit)} {unit} for those {length}."
    )


def _ends(values: pd.Series, names: pd.Series, unit: str) -> str:
    """The least and the most of a column, by which definitions, and how far apart."""
    known = [(float(value), name) for value, name in zip(values, names, strict=True) if np.isfinite(value)]
    ends = min(known, key=itemgetter(0)), max(known, key=itemgetter(0))
    times = ends[1][0] / ends[0][0]
    more = f"{show_value(times, 'ratio')} times as much" if times >= 2 else _more(times)
    small, large = (f"{money(value, unit)} {unit} ({name})" for value, name in ends)
    return f"{small} to {large}, {more}"


def _more(times: float) -> str:
    return f"{show_value(times - 1, 'share')} more"
