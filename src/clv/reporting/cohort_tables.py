"""Tables of cohorts at equal age, and what they say in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clv.data.engines import fetch
from clv.evaluation.cohorts import SURE
from clv.reporting.grid import Column, Table, money, show_value
from clv.reporting.tables import marked
from clv.units import DAYS_PER_YEAR, in_words, percent

if TYPE_CHECKING:
    from clv.evaluation.study import Study
    from clv.reporting.reviews import Review

_AGES = (3, 12, 24)  # months of age that have a column, where a cohort has reached them


def cohorts_by_age(review: Review) -> Table:
    """Contribution a customer by cohort and month of age: what was, and where it goes by forecast."""
    lives = review.cohorts
    seen = lives.actual.melt(ignore_index=False, var_name="cohort", value_name="actual").dropna()
    seen = seen.reset_index()
    joint = pd.DataFrame({"cohort": lives.table.index, "months": lives.table["reached"].to_numpy()})
    joint["mean"] = [lives.actual.loc[at, name] for name, at in zip(*joint.to_numpy().T, strict=True)]
    joint = joint.assign(low=joint["mean"], high=joint["mean"])  # where the forecast's line sets in
    frame = pd.concat([seen, joint, lives.ahead], ignore_index=True)
    frame = frame.sort_values(["cohort", "months"], kind="stable", ignore_index=True)
    frame["few"] = frame["cohort"].map(lives.table["few"])
    columns = (
        Column("cohort", "First order in", "text"),
        Column("months", "Months since the first order", "ratio"),
        Column("actual", "Actual", "money"),
        Column("mean", "With the forecast", "money"),
        Column("low", "5 %", "money"),
        Column("high", "95 %", "money"),
    )
    title = "Cohorts at equal age: what was, and the forecast with its band"
    basis = (
        "Solid: what a cohort's customers had brought by an age that all of them have reached; dashed, with "
        f"its 90 % band: from there to what they have brought so far, and the forecast; grey: the others. "
        f"{_basis(review)}"
    )
    return Table("cohorts_by_age", title, columns, frame, basis, unit=review.study.orders.money_unit)


def cohort_ages(review: Review) -> Table:
    """Cohorts at equal age, one against those before it, and by forecast, a row a cohort."""
    lives, study = review.cohorts, review.study
    frame = lives.table.copy()
    frame.insert(0, "cohort", marked(frame))
    ages = [age for age in _AGES if age in lives.actual.index]
    for age in ages:
        frame[f"by_{age}"] = lives.actual.loc[age]
    end = lives.ahead.groupby("cohort").last()
    frame[["months", "mean", "low", "high"]] = end[["months", "mean", "low", "high"]]
    columns = (
        Column("cohort", "First order in", "text"),
        Column("customers", "Customers", "count"),
        *(Column(f"by_{age}", f"By month {age}", "money") for age in ages),
        Column("at", "Compared at", "count"),
        Column("gap", "Against the year before", "signed"),
        Column("so_far", "So far", "money"),
        Column("mean", f"In {in_words(study.economics.horizon)}", "money"),
        Column("low", "5 %", "money"),
        Column("high", "95 %", "money"),
    )
    basis = (
        "Months are of age, and a column holds cohorts all of whose customers have reached it. Compared: at "
        "the greatest such age, with the customers of the year before, in cohorts of 100 or more. "
        f"{_basis(review)}"
    )
    title = "Cohorts at equal age"
    return Table("cohort_ages", title, columns, frame, basis, unit=study.orders.money_unit)


def _basis(review: Review) -> str:
    study, ahead = review.study, review.study.forecast
    return (
        f"Contribution a customer at {percent(study.economics.margin)} margin in {study.orders.money_unit}, "
        f"first order included, undiscounted, before acquisition cost; {review.cohorts.basis}. The forecast "
        f"is of the same customers, {in_words(ahead.horizon)} on{ahead.levels.words}; bands are of a "
        f"cohort's mean: {ahead.doubt}."
    )


def added_up(study: Study) -> list[str]:
    """Say that the curve adds up months of fewer and fewer customers, beside those who have lived them all.

    Up to the horizon, or as far as the curve goes; nothing where all customers are that old.
    """
    curve = study.ages.set_index("months")["revenue"] * study.economics.margin
    month = min(round(study.forecast.days * 12 / DAYS_PER_YEAR), int(curve.index[-1]))
    orders, end = study.orders, month * DAYS_PER_YEAR / 12
    old = study.rfm.table.filter(study.rfm.table["T"] >= end).select("customer_id", "T")
    days = orders.purchase_days(orders.days(), "spent").inner_join(old, "customer_id")
    age = days.day - (orders.as_of_day - days["T"])
    sums = days.aggregate(spent=days.spent.sum(where=age <= end), n=days.customer_id.nunique())
    found = fetch(sums).to_pylist()[0]
    if found["n"] == len(study.rfm):
        return []
    each = found["spent"] / found["n"] / 10.0**orders.digits * study.economics.margin
    chained, lived = (money(value, orders.money_unit) for value in (curve[month], each))
    return [
        "What a customer has brought adds up months of age, each of the customers old enough to have lived "
        f"it, who become fewer: by month {month} that comes to {chained} {orders.money_unit}, while the "
        f"{found['n']:,} customers who are that old had brought {lived} each by then."
    ]


def finding(review: Review) -> str:
    """Say which cohort is ahead of, or behind, those before it, or that none is; empty where none can be."""
    rows = review.cohorts.compared
    if rows.empty:
        return ""
    unit, ahead = review.study.orders.money_unit, review.cohorts.ahead
    sure = rows[rows["z"].abs() > SURE]
    row = (sure.loc[[sure["z"].abs().idxmax()]] if len(sure) else rows).iloc[-1]
    end = ahead[ahead["cohort"] == row.name].iloc[-1]
    differ = f"{len(sure) or 'None'} of {len(rows)} cohorts differ{'s' if len(sure) < 2 else ''}"
    value, size, more = money(row["value"], unit), show_value(abs(row["gap"]), "share"), row["gap"] > 0
    mean, low, high = (money(end[name], unit) for name in ("mean", "low", "high"))
    return (
        f"{differ} from those of the year before at equal age beyond chance. By month {row['at']:.0f} "
        f"customers of {row.name} had brought {value} {unit} each, {size} {'more' if more else 'less'} than "
        f"those before them by then; by month {end['months']:.0f} they are expected to have brought {mean} "
        f"({low} to {high})."
    )
