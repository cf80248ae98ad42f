"""The numbers of the report as plain tables: what HTML, workbook and notebook show alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.data.segments import SEGMENT_ORDER
from clv.errors import ConfigError
from clv.evaluation.backtest import MODEL, HoldoutResult
from clv.evaluation.compare import Comparison
from clv.evaluation.inputs import ALL
from clv.evaluation.metrics import top_share
from clv.forecasting import simple
from clv.forecasting.customers import value_of_new
from clv.reporting.grid import Column, Table
from clv.reporting.thresholds import TOP_SHARES
from clv.units import horizon_end, in_words

if TYPE_CHECKING:
    from clv.data.contract import Transactions
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
            Column("money", f"Money ({orders.currency})", "exact"),
        ),
        frame,
        f"All rows of the input, as of {orders.as_of_date}; booked amounts, refunds negative.",
        total=True,
    )


def findings(study: Study) -> Table:
    """What the checks found."""
    words = {"F": "fails", "W": "warning", "A": "mended"}
    rows = [(f.code, words[f.severity], f.message) for f in study.orders.findings]
    return Table(
        "findings",
        "What the checks found",
        (
            Column("code", "Code", "text"),
            Column("severity", "", "text"),
            Column("message", "Finding", "text"),
        ),
        pd.DataFrame(rows or [("–", "", "Nothing to report.")], columns=["code", "severity", "message"]),
    )


def contenders(study: Study) -> Table:
    """Total revenue of the hold-out, by contender, the closest first."""
    tested = _tested(study)
    frame = tested.contenders.join(tested.individual)
    frame = frame.reindex(frame["error"].abs().sort_values(kind="stable").index)
    frame.insert(0, "contender", frame.index)
    return Table(
        "contenders",
        "Who came closest to what customers then spent",
        (
            Column("contender", "Forecast by", "text"),
            Column("forecast", f"Forecast ({study.orders.currency})", "money"),
            Column("actual", "Actual", "money"),
            Column("error", "Error", "signed"),
            Column("top_decile", "Spend of its top 10 %", "share"),
            Column("gini", "Ranking (Gini, best 1)", "ratio"),
            Column("mae", "Mean miss a customer", "money"),
        ),
        frame,
        _holdout_basis(study),
    )


def calibration(study: Study) -> Table:
    """Purchases a customer by repeat purchases before the cut: forecast and actual."""
    frame = _tested(study).calibration
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
        _holdout_basis(study, "purchase days"),
    )


def new_customers(comparison: Comparison, money: str = "") -> Table:
    """Value of a new customer by both formulas and the model, by segment."""
    frame = _segments(comparison)
    costs = frame["cac"].notna().any()
    columns = [
        Column("segment", _heading(comparison.by), "text"),
        Column("customers", "Customers", "count"),
        Column("aov", "Order value", "money"),
        Column("orders_per_customer", "Orders so far", "ratio"),
        Column("churn", "Churn", "share"),
        *([Column("cac", "CAC", "money")] if costs else []),
        Column("formula_1_within", "Formula 1", "money"),
        Column("formula_2_within", "Formula 2", "money"),
        Column("model_new", "Model", "money"),
        Column("ratio", "Model ÷ formula 1", "ratio"),
        *([Column("formula_1", "Formula 1, lifetime so far, after CAC", "money")] if costs else []),
        *([Column("formula_1_contribution", "… charging all of CAC", "money")] if costs else []),
        Column("formula_2", "Formula 2, no end", "money"),
        Column("model_new_discounted", "Model, discounted", "money"),
    ]
    e = comparison.economics
    basis = (
        f"Per newly acquired customer, first order included, {in_words(e.horizon)} from the first "
        f"order, contribution at "
        f"{e.margin:.0%} margin{' in ' + money if money else ''}, before acquisition cost and "
        f"undiscounted unless a "
        f"column says otherwise; as of {comparison.as_of}. Churn: {e.churn_rule().sentence}."
    )
    title = f"What a new customer is worth, by {_words(comparison.by)}"
    return Table(f"new_by_{comparison.by}", title, columns, frame, basis, total=True)


def existing_customers(study: Study, comparison: Comparison) -> Table:
    """Value of existing customers, and the hold-out's forecasts beside what happened, by segment."""
    frame = _segments(comparison)
    columns = [
        Column("segment", _heading(comparison.by), "text"),
        Column("customers", "Customers", "count"),
        Column("model_existing", "Model, a customer", "money"),
        Column("model_existing_total", "Model, in all", "money"),
        Column("run_rate_existing", "Run-rate, a customer", "money"),
    ]
    e = comparison.economics
    basis = (
        f"Existing customers, next {in_words(e.horizon)} after {study.as_of}, contribution at "
        f"{e.margin:.0%} margin in "
        f"{study.orders.currency}; the model discounted at {e.discount:.0%} a year, acquisition cost sunk."
    )
    title = f"What existing customers are worth, by {_words(comparison.by)}"
    return Table(f"existing_by_{comparison.by}", title, columns, frame, basis, total=True)


def holdout_segments(study: Study, comparison: Comparison) -> Table:
    """Revenue a customer in the hold-out by segment, forecast by each and actual."""
    frame = _tested(study).by_segment(comparison.by)
    whole = _tested(study).by_segment(None)
    frame = pd.concat([_ordered(frame), whole])
    per = frame.div(frame["customers"], axis=0).assign(customers=frame["customers"])
    per.insert(0, "segment", per.index)
    per["error"] = per[MODEL] / per["actual"] - 1
    return Table(
        f"holdout_by_{comparison.by}",
        f"Forecast and actual of the hold-out, by {_words(comparison.by)} at the cut",
        (
            Column("segment", _heading(comparison.by), "text"),
            Column("customers", "Customers", "count"),
            Column("actual", "Actual", "money"),
            Column(MODEL, "Model", "money"),
            Column("error", "Model's error", "signed"),
            Column("Formula 1", "Formula 1", "money"),
            Column("Formula 2", "Formula 2", "money"),
            Column("Run-rate", "Run-rate", "money"),
            Column("Own rate", "Own rate", "money"),
        ),
        per,
        _holdout_basis(study, f"revenue a customer ({study.orders.currency})"),
        total=True,
    )


def concentration(study: Study) -> Table:
    """Share of value held by the top 1, 5, 10 and 20 % of customers."""
    columns = study.forecast.table.select("clv_mean", "historic_value").to_pyarrow()
    ahead, past = (columns[name].to_numpy() for name in ("clv_mean", "historic_value"))
    rows = [
        {
            "top": f"Top {share:.0%}".replace("%", " %"),
            "customers": round(share * len(ahead)),
            "ahead": top_share(ahead, ahead, share),
            "past": top_share(past, past, share),
        }
        for share in TOP_SHARES
    ]
    return Table(
        "concentration",
        "How few customers hold how much of the value",
        (
            Column("top", "Customers", "text"),
            Column("customers", "How many", "count"),
            Column("ahead", f"Of the next {in_words(study.economics.horizon)}", "share"),
            Column("past", "Of the past", "share"),
        ),
        pd.DataFrame(rows),
        f"{study.forecast.basis}. Past: contribution to {study.as_of}; each column ranked by itself.",
    )


def ages(study: Study) -> Table:
    """Value of a customer by age: model, observed, and what formula 1 implies."""
    e, longest = study.economics, int(study.ages["months"].max())
    months = np.arange(0, max(36, longest + 12) + 1, 1)
    model = [
        value_of_new(
            study.purchase, study.spend, study.rfm, f"{m}m" if m else "1d", margin=e.margin, discount=0.0
        )
        for m in months
    ]
    overall = _overall(study)
    days = months * 365.25 / 12
    within = simple.orders_within(overall["orders_per_customer"], overall["repeat_rate_year"] / 365.25, days)
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
        f"Per customer from the first order on, contribution at {e.margin:.0%} margin in "
        f"{study.orders.currency}, "
        "undiscounted, before acquisition cost. Actual: customers old enough for each month.",
    )


def assumptions(study: Study) -> Table:
    """What the numbers rest on."""
    o, e = study.orders, study.economics
    cac = "not given: nothing after acquisition cost is shown" if e.cac is None else f"{e.cac}"
    rows = [
        ("As-of date", f"{study.as_of}, the end of that day"),
        (
            "Horizon",
            f"{in_words(e.horizon)} to {horizon_end(e.horizon, study.as_of)}, and the residual lifetime",
        ),
        ("Margin", f"{e.margin:.1%} of revenue, the same for every customer"),
        ("Discount rate", f"{e.discount:.1%} a year; a year has 365.25 days"),
        ("Acquisition cost", cac),
        ("Churn in formula 2", e.churn_rule().sentence),
        ("An order", "a day with purchases; what a customer buys in one day adds up"),
        ("Refunds", {None: "none in the data", "drop": "left out"}.get(o.refunds, "taken off their order")),
        (
            "Repeated rows",
            {"keep": "kept as orders of their own", "drop": "one kept"}.get(
                o.duplicates or "", "one kept, by order_id"
            ),
        ),
        ("Orders of zero", "a purchase without spend" if o.zero_orders == "count" else "not counted"),
        ("Purchases and spend", "independent: how often says nothing of how much (Gamma-Gamma)"),
        ("Seasons", "none: a forecast for part of a year has the level of a whole one"),
        ("RFM segments", study.cuts.sentence(o.digits, o.currency)),
    ]
    frame = pd.DataFrame(rows, columns=["what", "value"]).replace("%", " %", regex=True)
    columns = (Column("what", "Assumption", "text"), Column("value", "What is assumed", "text"))
    return Table("assumptions", "What the numbers rest on", columns, frame)


def estimates(study: Study) -> Table:
    """Parameters of both models with standard errors and 90 % intervals."""
    rows = []
    for fit in (study.purchase, study.spend):
        intervals, errors = fit.intervals(), fit.standard_errors
        for name, value in fit.parameters.items():
            rows.append((type(fit.model).__name__, name, value, errors[name], *intervals[name]))
    frame = pd.DataFrame(rows, columns=["model", "parameter", "value", "error", "low", "high"])
    columns = (
        Column("model", "Model", "text"),
        Column("parameter", "Parameter", "text"),
        Column("value", "Estimate", "number"),
        Column("error", "Standard error", "number"),
        Column("low", "90 % from", "number"),
        Column("high", "to", "number"),
    )
    basis = (
        f"Maximum likelihood on {study.purchase.customers:,.0f} customers ({study.purchase.histories:,} "
        f"distinct "
        f"histories; log-likelihood {study.purchase.log_likelihood:,.3f}) and "
        f"{study.spend.customers:,.0f} with repeat "
        f"spend ({study.spend.log_likelihood:,.3f}). Time in weeks, money in {study.orders.currency}."
    )
    return Table("estimates", "What was estimated", columns, frame, basis)


def _words(segment: str) -> str:
    """A segment column's name as words."""
    return segment.replace("rfm_", "RFM ").replace("_", " ")


def _heading(segment: str) -> str:
    words = _words(segment)
    return words[:1].upper() + words[1:]


def _overall(study: Study) -> pd.Series:
    return study.comparisons[0].table.T[ALL]


def _tested(study: Study) -> HoldoutResult:
    if study.holdout is None:
        raise ConfigError("C007 this needs a hold-out; give the study a holdout date.")
    return study.holdout


def _holdout_basis(study: Study, what: str = "revenue") -> str:
    held = _tested(study).holdout
    return (
        f"{len(held.rfm):,} customers first seen by {held.cut}; {what} from the day after to {held.end} "
        f"({held.days} days), nobody knowing what came after the cut."
    )


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """RFM segments in their own order, others as they are, by name."""
    rank = {name: i for i, name in enumerate(SEGMENT_ORDER)}
    return frame.iloc[np.argsort([rank.get(str(name), len(rank)) for name in frame.index], kind="stable")]


def _segments(comparison: Comparison) -> pd.DataFrame:
    table = comparison.table
    frame = pd.concat([_ordered(table.drop(index=ALL)), table.loc[[ALL]]])
    marks = np.where(frame["few"], " (few)", "")
    frame.insert(0, "segment", [f"{name}{mark}" for name, mark in zip(frame.index, marks, strict=True)])
    return frame
