"""The numbers of the report as plain tables: what HTML, workbook and notebook show alike."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.data.engines import fetch
from clv.data.segments import SEGMENT_ORDER
from clv.errors import ConfigError
from clv.evaluation.backtest import MODEL, HoldoutResult
from clv.evaluation.compare import SMALL, Comparison
from clv.evaluation.metrics import top_share
from clv.forecasting import simple
from clv.forecasting.totals import ALL
from clv.planning.prospects import Prospect
from clv.reporting.grid import Column, Kind, Table
from clv.reporting.held_columns import held_a_customer, with_holdout
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
    tested = _tested(study)
    frame = tested.contenders.join(tested.individual)
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
        _holdout_basis(study),
        unit=study.orders.money_unit,
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
    """Value of a new customer by both formulas and the model, by segment, with what a hold-out says."""
    frame, e = _segments(comparison), comparison.economics
    costs = (
        (
            Column("cac", "CAC", "money"),
            Column("formula_1_charged", "Formula 1, less CAC × margin", "money"),
            Column("formula_1_after_cac", "Formula 1, less CAC", "money"),
            Column("model_after_cac", "Model, discounted, after CAC", "money"),
        )
        if frame["cac"].notna().any()
        else ()
    )
    sure = (Column("model_new_p05", "Model, 5 %", "money"), Column("model_new_p95", "Model, 95 %", "money"))
    frame, held = with_holdout(frame, comparison)
    columns = (
        Column("segment", _heading(comparison.by), "text"),
        Column("customers", "Customers", "count"),
        Column("aov", "Order value", "money"),
        Column("orders_within", "Orders in the horizon", "ratio"),
        Column("churn", "Churn", "share"),
        Column("formula_1_within", "Formula 1", "money"),
        Column("formula_2_within", "Formula 2", "money"),
        Column("model_new", "Model", "money"),
        *(sure if frame["model_new_p05"].notna().any() else ()),
        Column("ratio", "Model ÷ formula 1", "ratio"),
        *held,
        *costs,
    )
    tested = f" Hold-out: {comparison.tested}." if held else ""
    basis = (
        f"Per newly acquired customer, first order included, {in_words(e.horizon)} from the first order, "
        f"contribution at {percent(e.margin)} margin{' in ' + money if money else ''}, before acquisition "
        f"cost and undiscounted unless a column says otherwise (discounted: {percent(e.discount)} a year); "
        f"as of {comparison.as_of}. Churn: {e.churn_rule().sentence}.{_left_out(comparison)}{tested}"
    )
    title = f"What a new customer is worth, by {segment_words(comparison.by)}"
    return Table(f"new_by_{comparison.by}", title, columns, frame, basis, total=True, unit=money)


def quoted_formulas(comparison: Comparison, money: str = "") -> Table:
    """Both formulas as they are usually quoted: over the lifetime so far, and without an end."""
    frame, e = _segments(comparison), comparison.economics
    frame["uncharged"] = frame["formula_1"] - frame["formula_1_contribution"]
    costs = (
        (
            Column("cac", "CAC", "money"),
            Column("formula_1", "Formula 1: (value × orders − CAC) × margin", "money"),
            Column("uncharged", "CAC that it leaves uncharged", "money"),
            Column("formula_1_contribution", "Value × orders × margin − CAC", "money"),
        )
        if frame["cac"].notna().any()
        else ()
    )
    columns = (
        Column("segment", _heading(comparison.by), "text"),
        Column("aov", "Order value", "money"),
        Column("orders_per_customer", "Orders so far", "ratio"),
        *costs,
        Column("frequency", "Orders a period", "ratio"),
        Column("churn", "Churn a period", "share"),
        Column("formula_2", "Formula 2, no end", "money"),
        Column("model_new_discounted", "Model, discounted", "money"),
    )
    basis = (
        f"Per customer at {percent(e.margin)} margin{' in ' + money if money else ''}, as of "
        f"{comparison.as_of}. Orders so far are cut off by the as-of date. Formula 2 is undiscounted and "
        f"runs for ever, before acquisition cost; the model covers {in_words(e.horizon)}. Not one basis: "
        f"the table above has that.{_left_out(comparison)}"
    )
    title = f"The formulas as usually quoted, by {segment_words(comparison.by)}"
    return Table(f"quoted_by_{comparison.by}", title, columns, frame, basis, total=True, unit=money)


def _left_out(comparison: Comparison) -> str:
    """Say why formula 2 is empty, where it is."""
    if comparison.table["formula_2"].notna().all():
        return ""
    whole, period = comparison.table.T[ALL], comparison.economics.churn_rule().period_days
    young = whole["exposure_days"] < period * whole["customers"]
    return (
        " Formula 2 of a segment is empty where nobody was lost, or has been there long enough to be, and "
        f"where customers are on average younger than its period of {period:.0f} days, in which first orders "
        f"would count more than once.{' All customers are younger too, and shown all the same.' * young}"
    )


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
        f"{percent(e.margin)} margin in {study.orders.money_unit}; the model discounted at "
        f"{percent(e.discount)} a year, acquisition cost sunk; the run-rate undiscounted."
    )
    title = f"What existing customers are worth, by {segment_words(comparison.by)}"
    name, money = f"existing_by_{comparison.by}", study.orders.money_unit
    return Table(name, title, columns, frame, basis, total=True, unit=money)


def holdout_segments(study: Study, comparison: Comparison) -> Table:
    """Revenue a customer in the hold-out by segment, forecast by each and actual."""
    if comparison.holdout is None:
        raise ConfigError(f"C007 there is no hold-out by {comparison.by}: none was set, or it has no dates.")
    frame = comparison.holdout
    frame = pd.concat([_ordered(frame.drop(index=ALL)), frame.loc[[ALL]]])
    plain = frame.drop(columns=["inside"])
    per = (
        plain.div(plain["customers"], axis=0)
        .assign(customers=plain["customers"])
        .join(held_a_customer(frame))
    )
    per["few"] = per["customers"] < SMALL
    per.insert(0, "segment", _marked(per))
    per["error"] = per[MODEL] / per["actual"] - 1
    basis = _holdout_basis(study, f"revenue a customer ({study.orders.money_unit})")
    return Table(
        f"holdout_by_{comparison.by}",
        f"Forecast and actual of the hold-out, by {segment_words(comparison.by)} at the cut",
        (
            Column("segment", _heading(comparison.by), "text"),
            Column("customers", "Customers", "count"),
            Column("actual", "Actual", "money"),
            Column(MODEL, "Model", "money"),
            Column("low", "5 %", "money"),
            Column("high", "95 %", "money"),
            Column("held_inside", "Inside the band", "text"),
            Column("error", "Model's error", "signed"),
            Column("Formula 1", "Formula 1", "money"),
            Column("Formula 2", "Formula 2", "money"),
            Column("Run-rate", "Run-rate", "money"),
            Column("Own rate", "Own rate", "money"),
        ),
        per,
        f"{basis} Bands: {_tested(study).forecast.doubt}.",
        total=True,
        unit=study.orders.money_unit,
    )


def concentration(study: Study) -> Table:
    """Share of value held by the top 1, 5, 10 and 20 % of customers."""
    columns = fetch(study.forecast.table.select("clv_mean", "historic_value"))
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
        "Actual: customers old enough for each month. Formula 1 stops at the orders a customer has placed so "
        "far.",
        unit=study.orders.money_unit,
    )


def segment_words(segment: str) -> str:
    """A segment column's name as words."""
    return segment.replace("rfm_", "RFM ").replace("_", " ")


def _heading(segment: str) -> str:
    words = segment_words(segment)
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
    frame.insert(0, "segment", _marked(frame))
    return frame


def _marked(frame: pd.DataFrame) -> list[str]:
    """Names of segments, those with few customers marked."""
    return [f"{name}{' (few)' if few else ''}" for name, few in zip(frame.index, frame["few"], strict=True)]
