"""The pages of the report: what each says in one sentence, by rule, and the tables it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from clv.evaluation.backtest import MODEL
from clv.evaluation.inputs import ALL
from clv.reporting import (
    background,
    backtest_tables,
    base_tables,
    evidence_tables,
    forecast_tables,
    glossary,
    planning_pages,
    tables,
)
from clv.reporting import thresholds as limits
from clv.reporting.decision import decision, model_error
from clv.reporting.grid import Page, miss, show_value
from clv.units import in_words

if TYPE_CHECKING:
    import pandas as pd

    from clv.evaluation.study import Study
    from clv.fitting.result import Fit
    from clv.reporting.reviews import Review


def pages(review: Review, *, last: Page | None = None, movement: Page | None = None) -> list[Page]:
    """All pages that there is input for, in the order of the report.

    `last` sets the last published forecast against what happened, `movement` the segments of then against
    those of now: both come from an earlier run.
    """
    makers: list[Callable[[Review], Page | None]] = [
        decision,
        reconciliation,
        lambda review: last,
        base,
        backtest,
        holdout,
        formulas,
        planning_pages.bridge,
        planning_pages.units,
        ages,
        lambda review: movement,
        planning_pages.scenarios,
        planning_pages.budget,
        assumptions,
        method,
        words,
    ]
    return [page for make in makers if (page := make(review)) is not None]


def reconciliation(review: Review) -> Page:
    """What became of every row, and of the ledger's revenue."""
    study = review.study
    table = tables.reconciliation(study.orders)
    frame = table.frame.set_index("reason")
    used, total = frame.loc["used"], frame.loc["rows in"]
    left = total["rows"] - used["rows"]
    finding = (
        f"Of {total['rows']:,.0f} rows with {total['money']:,.2f} {study.orders.money_unit}, "
        f"{used['rows']:,.0f} rows with {used['money']:,.2f} are used; {left:,.0f} are left out, each for a "
        "reason that is listed."
    )
    books = [evidence_tables.ledger(review)] if review.books is not None else []
    if books:
        whole = books[0].frame.iloc[-1]
        finding += (
            f" The ledger has {whole['ledger']:,.0f} {study.orders.money_unit} of net revenue for the same "
            f"periods, the log {whole['booked']:,.0f} ({show_value(whole['share'], 'signed')})."
        )
    return Page("reconciliation", "Reconciliation", finding, [*books, table, tables.findings(study)])


def base(review: Review) -> Page:
    """Who the customers are, how few hold how much, and what they are expected to bring, by segment."""
    study = review.study
    repeats, concentration, cohorts = (
        base_tables.repeats(study), tables.concentration(study), base_tables.cohorts(study)
    )  # fmt: skip
    once = repeats.frame.iloc[0]
    tenth = concentration.frame.iloc[-2]
    ordered = sorted(study.comparisons, key=lambda c: not c.behavioural)
    made = [tables.existing_customers(study, c) for c in ordered]
    held = [tables.holdout_segments(study, c) for c in ordered[:1] if c.holdout is not None]
    length = in_words(study.economics.horizon)
    finding = (
        f"{show_value(once['customers_share'], 'share')} of {len(study.rfm):,} customers have ordered once, "
        f"and hold {show_value(once['ahead_share'], 'share')} of the value of the next {length}; the top "
        f"tenth, {tenth['customers']:,} customers, hold {show_value(tenth['ahead'], 'share')}."
    )
    digits, currency = study.orders.digits, study.orders.money_unit
    notes = [f"As of {study.as_of}: {study.cuts.sentence(digits, currency)}"]
    if study.holdout_cuts is not None:
        notes.append(f"At the cut of the hold-out: {study.holdout_cuts.sentence(digits, currency)}")
    return Page(
        "base",
        "State of the base",
        finding,
        [repeats, made[0]],
        [cohorts, concentration],
        notes,
        folded=[
            forecast_tables.periods(review.quarters),
            concentration,
            cohorts,
            *held,
            *made[1:],
        ],
    )


def backtest(review: Review) -> Page | None:
    """Rolling origins: contenders, tracking, calibration, coverage, and the verdict."""
    test = review.tested
    if test is None:
        return None
    shown = backtest_tables
    charts = [shown.cumulative(test), shown.deciles(test), shown.p_purchase(test), shown.pit(test)]
    low, _, high = test.spread
    notes = [
        f"As far as these windows tell, a total of money lies between {show_value(1 - low, 'share')} below "
        f"and {show_value(high - 1, 'share')} above its forecast, nine times in ten: bands of totals here "
        "are as wide as that.",
        *test.notes,
    ]
    scores = evidence_tables.scores(test, review.study.orders.money_unit)
    return Page("backtest", "Back-test", test.verdict, [scores], charts, notes, folded=[charts[0]])


def holdout(review: Review) -> Page | None:
    """Contenders against what happened in one hold-out, where no back-test did that at several origins."""
    study = review.study
    if review.tested is not None:
        return None
    if study.holdout is None:
        return None
    table = tables.contenders(study)
    notes = [
        "Each contender knew the log up to the cut only. Those without a ranking treat every customer "
        "alike, so they cannot say who will buy. The mean miss alone would favour a forecast of zero.",
        "Run-rate: all revenue ÷ all customers' days, carried on. Repeat run-rate: the same of repeat "
        "orders, at the mean order value. Calendar run-rate: revenue ÷ calendar days. Own rate: each "
        "customer's own repeat rate × own mean order value; with first order: own revenue ÷ own age, at "
        "least 28 days. Formulas 1 and 2: the value of a new customer over the hold-out, charged for every "
        "existing one (formula 2 is the run-rate over just one of its periods).",
    ]
    return Page(
        "holdout",
        "Hold-out",
        verdict(study),
        [table],
        [table, tables.calibration(study)],
        notes,
        folded=[tables.calibration(study)],
    )


def verdict(study: Study) -> str:
    """The contender to use: the best level among those that rank customers about as well as the best.

    Where that one fails on level, level and ranking are recommended apart.
    """
    if model_error(study) is None:
        return "Nothing was bought in the hold-out, so it cannot tell the contenders apart; move the cut."
    frame = tables.contenders(study).frame.set_index("contender")
    able = frame[frame["gini"] >= frame["gini"].max() - limits.GINI_SLACK]
    able = able if len(able) else frame
    best = str(able["error"].abs().idxmin())
    if abs(frame["error"][best]) > limits.LEVEL_BAD:
        return _apart(frame)
    others = "; ".join(
        f"{other.lower()}: {miss(frame['error'][other])}"
        for other in ("Repeat run-rate", "Formula 1", "Formula 2")
        if other != best and np.isfinite(frame["error"][other])
    )
    top = frame["top_decile"][best]
    first = (
        f", and the tenth of customers it put first brought {show_value(top, 'share')} of what was spent"
        if np.isfinite(top)
        else ""
    )
    return (
        f"Use {_name(best)}: its total came out {miss(frame['error'][best])}{first}. "
        f"{others[:1].upper()}{others[1:]}.{_nearer(frame, frame['error'][best])}"
    )


def _apart(frame: pd.DataFrame) -> str:
    """No contender does both: say which is nearest in total, and which ranks best."""
    nearest, first = str(frame["error"].abs().idxmin()), frame.iloc[0]
    level = f"for level take {_name(nearest)}, whose total came out {miss(first['error'])}"
    if abs(first["error"]) > limits.LEVEL_BAD:
        level = f"use none for level (the nearest, {_name(nearest)}, came out {miss(first['error'])})"
    ranked = frame["gini"].dropna()
    if ranked.empty:
        return f"No contender ranks customers better than another; {level}."
    top = str(ranked.idxmax())
    scores = ", ".join(
        f"{_name(name)} {show_value(frame['gini'][name], 'ratio')} "
        f"({show_value(frame['top_decile'][name], 'share')})"
        for name in map(str, ranked.sort_values(ascending=False).index)
    )
    return (
        f"No contender does both: {level}; to rank customers take {_name(top)}. Ranking by Gini, and what "
        f"the tenth put first brought of all spend: {scores}."
    )


def _name(contender: str) -> str:
    return "the model" if contender == MODEL else contender.lower()


def _nearer(frame: pd.DataFrame, error: float) -> str:
    nearer = frame[frame["error"].abs() < abs(error)]
    if nearer.empty:
        return ""
    first = nearer.iloc[0]
    why = "says nothing of who will buy" if np.isnan(first["gini"]) else "ranks customers less well"
    return f" {first.name} came nearer in total ({miss(first['error'])}) but {why}."


def formulas(review: Review) -> Page:
    """CLV of a new customer against both formulas by segment, and hold-out actuals beside."""
    study = review.study
    shown = [c for c in study.comparisons if not c.behavioural]
    made = [tables.new_customers(c, study.orders.money_unit) for c in shown]
    held = [tables.holdout_segments(study, c) for c in shown if c.holdout is not None]
    quoted = [tables.quoted_formulas(c, study.orders.money_unit) for c in shown]
    overall = shown[0].table.loc[ALL]
    formula, model = overall["formula_1_within"], overall["model_new"]
    gap = formula / model - 1
    said = (
        "about the same"
        if abs(gap) <= limits.SAME
        else f"{show_value(abs(gap), 'share')} {'less' if gap < 0 else 'more'} than the model"
    )
    finding = (
        f"Over {in_words(study.economics.horizon)} and undiscounted, a new customer is worth {model:,.2f} "
        f"{study.orders.money_unit} by the model; formula 1 gives {formula:,.2f}, {said}; formula 2 gives "
        f"{show_value(overall['formula_2_within'], 'money')}.{_spread(shown[0].table)}{_base_error(study)}"
    )
    notes = [
        "Formula 1: order value × orders within the horizon × margin. Formula 2: order value × orders a "
        "period × margin × (1 − (1 − churn)^periods) ÷ churn. Both columns and the model cover the same "
        "horizon, before acquisition cost. The model counts the first order at what first orders brought, "
        "repeat orders by the fit.",
        "A segment's model value comes from a fit of its own customers. Segments under 100 customers are "
        "marked, left out of the chart, and use the fit of the whole base; those under 20 are merged.",
        "In the hold-out each formula's value is charged for every existing customer, which is how it is "
        "often used.",
    ]
    undated = [tables.segment_words(c.by) for c in shown if study.holdout and c.holdout is None]
    if undated:
        notes.append(
            f"No hold-out by {', '.join(undated)}: the customers table says what customers are now, which "
            "may know what came after the cut."
        )
    first = [made[0], *held[:1]]
    folded = [quoted[0], *made[1:], *quoted[1:], *held[1:]]
    return Page("formulas", "Against the formulas", finding, first, first, notes, folded=folded)


def _base_error(study: Study) -> str:
    """What the same formula said of the existing base in the hold-out."""
    if study.holdout is None or model_error(study) is None:
        return ""
    error = study.holdout.contenders["error"]
    return (
        " Charged for every existing customer over the hold-out, formula 1 came out "
        f"{miss(error['Formula 1'])}, the model {miss(error[MODEL])}."
    )


def _story(fit: Fit) -> str:
    """What a model believes of customers, in its own words."""
    text = " ".join((type(fit.estimate).__doc__ or "").split())
    return text if text.endswith(".") else f"{text}."


def _spread(table: pd.DataFrame) -> str:
    segments = table.drop(index=ALL)
    solid = segments.loc[~segments["few"].astype(bool), "model_new"]
    if len(solid) < 2:
        return ""
    low, high = (f"{value:,.2f} ({solid[solid == value].index[0]})" for value in (solid.min(), solid.max()))
    return f" Among the segments it runs from {low} to {high}."


def ages(review: Review) -> Page:
    """Value over customer age."""
    study = review.study
    table = tables.ages(study)
    seen = table.frame.dropna(subset=["actual"])
    last = seen.iloc[-1]
    gap = last["model"] / last["actual"] - 1
    finding = (
        f"By month {last['months']:.0f} the average customer has brought {last['actual']:,.2f} "
        f"{study.orders.money_unit} of contribution; the model's curve says {last['model']:,.2f} "
        f"({show_value(gap, 'signed')}; it was fitted on these customers, so this is no test), formula 1 "
        f"{last['formula_1']:,.2f}."
    )
    return Page("ages", "Value over age", finding, charts=[table], folded=[table])


def assumptions(review: Review) -> Page:
    """What the numbers rest on, and what the data say of it."""
    finding = "These choices move the figures; change them in the config and run again."
    shown = [background.assumptions(review.study), evidence_tables.limits(review.study)]
    return Page("assumptions", "Assumptions and limits", finding, shown)


def words(review: Review) -> Page:
    """What words and columns mean."""
    finding = "One word, one meaning: what the tables call things, and the columns of the files beside them."
    shown = [glossary.terms(), glossary.columns()]
    return Page("words", "Words and columns", finding, shown)


def method(review: Review) -> Page:
    """How it was computed."""
    study = review.study
    drawn = study.purchase.posterior is not None
    sampled = "means are over draws" if drawn else "no sampling is involved"
    notes = [
        f"Purchases: {_story(study.purchase)} Judge customers by the chance of an order within the horizon, "
        "not by the chance of being alive, which is only weakly known.",
        "Spend: Gamma-Gamma (Fader and Hardie 2013). The value of a customer's orders varies around a mean "
        "of its own; few orders pull the estimate towards the average of all.",
        "Value: margin × expected purchases, discounted at each purchase's time × expected spend a "
        f"purchase. Customers with the same history share one computation; {sampled}.",
        *(f"{type(fit.estimate).__name__}: {fit.message}" for fit in (study.purchase, study.spend)),
    ]
    finding = (
        f"Two published models. {background.how(study.purchase)}; the formulas can be "
        "recomputed in the workbook."
    )
    shown = [background.estimates(study)]
    if study.purchase.priors:
        shown.append(background.priors(study))
    return Page("method", "Method", finding, shown, notes=notes)
