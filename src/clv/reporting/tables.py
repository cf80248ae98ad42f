"""The numbers of the report as plain tables: what HTML, workbook and notebook show alike."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.data.engines import fetch
from clv.data.segments import SEGMENT_ORDER
from clv.errors import ConfigError
from clv.evaluation.backtest import HoldoutResult
from clv.evaluation.compare import SMALL, Comparison
from clv.evaluation.metrics import top_share
from clv.forecasting import simple
from clv.forecasting.totals import ALL
from clv.planning.prospects import Prospect
from clv.reporting.grid import Column, Kind, Table
from clv.reporting.thresholds import TOP_SHARES
from clv.units import DAYS_PER_YEAR, in_words, percent

if TYPE_CHECKING:
    from clv.data.contract import Transactions
    from clv.evaluation.predictive import PredictiveCheck
    from clv.evaluation.study import Study


def reconciliation(orders: Transactions) -> Table:
    """Rows and money in = used + left out by reason."""
    frame = orders.reconciliation()
    total = pd.DataFrame(
        {"reason": ["rows in"], "rows": [frame["rows"].sum()], "money": [frame["money"].sum()]}
    )
    frame = pd.concat([frame, total], ignore_index=True)
    frame["share"] = frame["rows"] / frame["rows"].iloc[-1]
    return Table(
        "reconciliation",
        "Every row is used or left out for a reason",
        (
            Column("reason", "What became of it", "text"),
            Column("rows", "Rows", "count"),
            Column("share", "Share of rows", "share"),
            Column("money", f"Money ({orders.money_unit})", "exact"),
        ),
        frame,
        f"All rows of the input, as of {orders.as_of_date}; booked amounts, refunds negative.",
        total=True,
        unit=orders.money_unit,
    )


def predictive(check: PredictiveCheck, name: str) -> Table:
    """What was seen beside what a model simulates: shares of customers, or purchases by week."""
    frame = check.frequency if name == "frequency" else check.tracking
    if frame is None:
        raise ConfigError("C001 there is no tracking: days of purchases are not known. Check with data=rfm.")
    kind: Kind = "share" if name == "frequency" else "count"
    columns = (
        Column("row", str(frame.index.name).capitalize(), "text"),
        Column("actual", "Actual", kind),
        Column("low", "Model, 5 %", kind),
        Column("middle", "Middle", kind),
        Column("high", "95 %", kind),
    )
    shown = frame.reset_index(names="row")
    return Table(f"check_{name}", check.title, columns, shown, "Simulated customers of the same ages.")


def findings(study: Study) -> Table:
    """What the checks found."""
    words = {"F": "fails", "W": "warning", "A": "mended"}
    rows = [(f.code, words[f.severity], f.nameless) for f in study.orders.findings]
    return Table(
        "findings",
        "What the checks found",
        (
            Column("code", "Code", "text"),
            Column("severity", "Kind", "text"),
            Column("message", "Finding", "text"),
        ),
        pd.DataFrame(rows or [("–", "", "Nothing to report.")], columns=["code", "severity", "message"]),
    )


def contenders(study: Study) -> Table:
    """Total revenue of the hold-out, by contender, the closest first."""
    held = tested(study)
    frame = held.contenders.join(held.individual)
    frame = frame.reindex(frame["error"].abs().sort_values(kind="stable").index)
    frame.insert(0, "contender", frame.index)
    return Table(
        "contenders",
        "Who came closest to what customers then spent",
        (
            Column("contender", "Forecast by", "text"),
            Column("forecast", f"Forecast ({study.orders.money_unit})", "money"),
            Column("actual", f"Actual ({study.orders.money_unit})", "money"),
            Column("error", "Error", "signed"),
            Column("top_decile", "Spend of its top 10 %", "share"),
            Column("gini", "Ranking (Gini, best 1)", "ratio"),
            Column("mae", f"Mean miss a customer ({study.orders.money_unit})", "money"),
        ),
        frame,
        holdout_basis(study),
        unit=study.orders.money_unit,
    )


def calibration(study: Study) -> Table:
    """Purchases a customer by repeat purchases before the cut: forecast and actual."""
    frame = tested(study).calibration
    frame = frame.assign(bin=frame.index)
    return Table(
        "calibration",
        "Purchases a customer in the hold-out, by repeat purchases before it",
        (
            Column("bin", "Repeat purchases before", "text"),
            Column("customers", "Customers", "count"),
            Column("forecast", "Forecast", "ratio"),
            Column("actual", "Actual", "ratio"),
        ),
        frame,
        holdout_basis(study, "purchase days"),
    )


def existing_customers(study: Study, comparison: Comparison) -> Table:
    """Value of existing customers, and the hold-out's forecasts beside what happened, by segment."""
    frame = segments(comparison)
    columns = [
        Column("segment", heading(comparison.by), "text"),
        Column("customers", "Customers", "count"),
        Column("model_existing", "Model, a customer", "money"),
        Column("model_existing_total", "Model, in all", "money"),
        Column("run_rate_existing", "Run-rate, a customer", "money"),
    ]
    e = comparison.economics
    basis = (
        f"Existing customers, next {in_words(e.horizon)} after {study.as_of}, contribution at "
        f"{percent(e.margin)} margin in {study.orders.money_unit}; the model discounted at "
        f"{percent(e.discount)} a year, acquisition cost sunk; the run-rate undiscounted."
    )
    title = f"What existing customers are worth, by {segment_words(comparison.by)}"
    name, money = f"existing_by_{comparison.by}", study.orders.money_unit
    return Table(name, title, columns, frame, basis, total=True, unit=money)


def concentration(study: Study) -> Table:
    """Share of value held by the top 1, 5, 10 and 20 % of customers."""
    columns = fetch(study.forecast.table.select("clv_mean", "historic_value"))
    ahead, past = (columns[name].to_numpy() for name in ("clv_mean", "historic_value"))
    whole = {share: max(round(share * len(ahead)), 1) for share in TOP_SHARES}  # no parts of customers
    rows = [
        {
            "top": f"Top {share:.0%}".replace("%", " %"),
            "customers": count,
            "ahead": top_share(ahead, ahead, count / len(ahead)),
            "past": top_share(past, past, count / len(past)),
        }
        for share, count in whole.items()
    ]
    return Table(
        "concentration",
        "How few customers hold how much of the value",
        (
            Column("top", "Customers", "text"),
            Column("customers", "How many", "count"),
            Column("ahead", f"Of the next {in_words(study.economics.horizon)}", "share"),
            Column("past", f"Of contribution to {study.as_of}, ranked by that", "share"),
        ),
        pd.DataFrame(rows),
        f"{study.forecast.basis}.",
    )


def ages(study: Study) -> Table:
    """Value of a customer by age: model, observed, and what formula 1 implies."""
    e, longest = study.economics, int(study.ages["months"].max())
    months = np.arange(0, max(36, longest + 12) + 1, 1)
    newcomer = Prospect(ALL, {}, dataclasses.replace(study.forecast, discount=0.0))
    model = [newcomer.value_by(f"{m}m" if m else "1d") for m in months]
    overall = _overall(study)
    days = months * DAYS_PER_YEAR / 12
    rate = overall["repeat_rate_year"] / DAYS_PER_YEAR
    within = simple.orders_within(overall["orders_per_customer"], rate, days)
    churn_days = e.churn_rule().period_days
    frame = pd.DataFrame({"months": months, "model": model})
    seen = study.ages.set_index("months")["revenue"] * e.margin
    frame["actual"] = frame["months"].map(seen)
    frame["formula_1"] = simple.per_customer(overall["aov"], within, 0.0, e.margin)
    frame["formula_2"] = simple.four_metric_within(
        overall["aov"], overall["frequency"], e.margin, overall["churn"], days / churn_days
    )
    return Table(
        "ages",
        "What a customer has brought in by each month of its life",
        (
            Column("months", "Months", "count"),
            Column("actual", "Actual", "money"),
            Column("model", "Model", "money"),
            Column("formula_1", "Formula 1", "money"),
            Column("formula_2", "Formula 2", "money"),
        ),
        frame,
        f"Per customer from the first order on, contribution at {percent(e.margin)} margin in "
        f"{study.orders.money_unit}, undiscounted, before acquisition cost{study.forecast.levels.words}. "
        "Actual: what each month brought of customers old enough for it, added up. Formula 1 stops at the "
        "orders a customer has placed so far.",
        unit=study.orders.money_unit,
    )


def segment_words(segment: str) -> str:
    """A segment column's name as words."""
    return segment.replace("rfm_", "RFM ").replace("_", " ")


def heading(segment: str) -> str:
    """Return the head of a column of segments."""
    words = segment_words(segment)
    return words[:1].upper() + words[1:]


def _overall(study: Study) -> pd.Series:
    return study.comparisons[0].table.T[ALL]


def tested(study: Study) -> HoldoutResult:
    """Return what a study's hold-out told; ConfigError C007 without one."""
    if study.holdout is None:
        raise ConfigError("C007 this needs a hold-out; give the study a holdout date.")
    return study.holdout


def holdout_basis(study: Study, what: str = "revenue") -> str:
    """Say whose spend a hold-out forecast, and over what time."""
    held = tested(study).holdout
    return (
        f"{len(held.rfm):,} customers first seen by {held.cut}; {what} from the day after to {held.end} "
        f"({held.days} days), nobody knowing what came after the cut."
    )


def ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """RFM segments in their own order, others as they are, by name."""
    rank = {name: i for i, name in enumerate(SEGMENT_ORDER)}
    return frame.iloc[np.argsort([rank.get(str(name), len(rank)) for name in frame.index], kind="stable")]


def segments(comparison: Comparison) -> pd.DataFrame:
    """Return the rows of a comparison as they are shown, the whole base last.

    What only a fit can tell is NaN of a segment without one: the whole base's would pass for its own.
    """
    table = comparison.table
    frame = pd.concat([ordered(table.drop(index=ALL)), table.loc[[ALL]]])
    frame.loc[borrowed(frame), _OF_A_FIT] = np.nan
    frame.insert(0, "segment", marked(frame))
    return frame


_OF_A_FIT = [
    *("model_new", "model_new_p05", "model_new_p95", "model_new_discounted"),
    *("model_after_cac", "value_to_cac", "ratio"),
]


def borrowed(table: pd.DataFrame) -> pd.Series:
    """Whether a new customer of a segment is valued by the fit of the whole base, which is another's."""
    shared: pd.Series = ~table["own_fit"].astype(bool) & (table["customers"] < table["customers"].max())
    return shared


def known_now(after: str) -> str:
    """Say what is wrong with segments of a customers table without dates."""
    return f"the customers table says what customers are now, which may know what came after {after}"


def unshown(comparison: Comparison) -> str:
    """Say why the model's value of a new customer is not shown, where it is not."""
    table = comparison.table[borrowed(comparison.table)]
    if comparison.behavioural or table.empty:
        return ""
    few = table["few"].astype(bool)
    why = [f"of fewer than {SMALL} customers"] * bool(few.any())
    why += ["whose customers determine no fit"] * bool((~few).any())
    return f" The model is not shown for segments {' or '.join(why)}: see that of all customers."


def marked(frame: pd.DataFrame) -> list[str]:
    """Names of segments, those with few customers marked, and young ones where the frame tells which."""
    kinds = [kind for kind in ("few", "young") if kind in frame]
    marks = [
        ", ".join(kind for kind, so in zip(kinds, row, strict=True) if so)
        for row in frame[kinds].itertuples(index=False)
    ]
    return [f"{name} ({mark})" if mark else str(name) for name, mark in zip(frame.index, marks, strict=True)]
