"""Definitions of churn side by side, with what formula 2 makes of each, and the model beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.evaluation import churn
from clv.evaluation.compare import SMALL
from clv.forecasting.totals import ALL
from clv.reporting.grid import Column, Table, money, show_value
from clv.units import in_words, percent

if TYPE_CHECKING:
    import pandas as pd

    from clv.evaluation.study import Study


def churn_definitions(study: Study) -> Table:
    """Churn of the whole base by each definition, formula 2 by it, and the model over the same horizon."""
    e, unit = study.economics, study.orders.money_unit
    whole, length = study.comparisons[0].table.T[ALL], in_words(e.horizon)
    frame = churn.churn_definitions(study.rfm, e, study.forecast.days)
    frame["row"] = [
        f"{words} (used here)" if used else words
        for words, used in zip(frame["definition"], frame["used"], strict=True)
    ]
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
        "Formula 2 takes all of them for lost for good, those too who will come back; over a horizon of one "
        f"period churn plays no part in it. Definitions that fewer than {SMALL} customers "
        f"are old enough for are left out.{young}"
    )
    title = "The same customers by other definitions of churn"
    return Table("churn_definitions", title, columns, frame, basis, unit=unit)


def finding(study: Study, table: Table) -> str:
    """By how much formula 2 moves with the definition of churn alone; empty where there is one only."""
    frame, unit, length = table.frame, study.orders.money_unit, in_words(study.economics.horizon)
    if frame["formula_2"].notna().sum() < 2:
        return ""
    return (
        f"Formula 2 moves with the definition of churn alone: as quoted, without an end, from "
        f"{_ends(frame, 'formula_2', unit)}; within {length} from {_ends(frame, 'formula_2_within', unit)}. "
        f"The model gives {money(frame['model_new'].iloc[0], unit)} {unit} for those {length}."
    )


def _ends(frame: pd.DataFrame, name: str, unit: str) -> str:
    """The least and the most of a column, by which definitions, and how far apart."""
    values = frame.dropna(subset=name).set_index("definition")[name]
    low, high = str(values.idxmin()), str(values.idxmax())
    times = values[high] / values[low]
    more = f"{show_value(times, 'ratio')} times as much" if times >= 2 else _more(times)
    small, large = (f"{money(values[one], unit)} {unit} ({one[:1].lower()}{one[1:]})" for one in (low, high))
    return f"{small} to {large}, {more}"


def _more(times: float) -> str:
    return f"{show_value(times - 1, 'share')} more"
