"""The pages of the report: what each says in one sentence, by rule, and the tables it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clv.evaluation.backtest import MODEL
from clv.forecasting.totals import ALL
from clv.reporting import (
    background,
    backtest_tables,
    base_tables,
    churn_tables,
    cohort_tables,
    evidence_tables,
    forecast_tables,
    formula_tables,
    glossary,
    holdout_page,
    planning_pages,
    tables,
    tenth_tables,
)
from clv.reporting import thresholds as limits
from clv.reporting.decision import decision, model_error
from clv.reporting.grid import Page, miss, money, show_value
from clv.units import in_words

if TYPE_CHECKING:
    import pandas as pd

    from clv.evaluation.compare import Comparison
    from clv.evaluation.results import Backtest
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
        holdout_page.holdout,
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
    unit = study.orders.money_unit
    finding = (
        f"Of {total['rows']:,.0f} rows with {money(total['money'], unit)} {unit}, {used['rows']:,.0f} rows "
        f"with {money(used['money'], unit)} are used; {left:,.0f} are left out, each for a reason that is "
        "listed."
    )
    books = evidence_tables.ledger(review)
    if books is not None:
        whole = books.frame.iloc[-1]
        finding += (
            f" The ledger has {show_value(whole['ledger'], 'count')} {unit} of net revenue for periods that "
            f"the log covers, the log {show_value(whole['booked'], 'count')} "
            f"({show_value(whole['share'], 'signed')})."
        )
    elif review.books is not None:
        finding += (
            " No period of the ledger is over yet and covered by the log, so there is nothing to compare."
        )
    shown = [*([books] if books is not None else []), table, tables.findings(study)]
    return Page("reconciliation", "Reconciliation", finding, shown)


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
    held = [formula_tables.holdout_segments(study, c) for c in ordered[:1] if c.holdout is not None]
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
            *tenth_tables.of_study(study),
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
    unit = review.study.orders.money_unit
    tracks = [shown.cumulative(test, unit), shown.tracking(test, unit)]
    charts = [*tracks, shown.deciles(test, unit), shown.p_purchase(test), shown.pit(test)]
    low, high = review.spread
    notes = [
        f"As far as these windows tell, a total of money lies between {show_value(1 - low, 'share')} below "
        f"and {show_value(high - 1, 'share')} above its forecast, nine times in ten: bands of totals here "
        "are as wide as that.",
        *test.notes,
        *_level(review, test),
    ]
    scores = evidence_tables.scores(test, unit)
    return Page("backtest", "Back-test", test.verdict, [scores], charts, notes, folded=tracks)


def _level(review: Review, test: Backtest) -> list[str]:
    """Whether the forecasts of this report are corrected, where the back-test says how they would be."""
    ahead = review.study.forecast
    if not test.levels[test.choice].helped:
        return []
    if ahead.level != 1:
        return ["The forecasts of this report are as long as the windows, and are corrected so."]
    return [
        f"The forecasts of this report are not corrected: they reach {in_words(ahead.horizon)}, which is not "
        "the length of a window."
    ]


def formulas(review: Review) -> Page:
    """CLV of a new customer against both formulas by segment, and hold-out actuals beside."""
    study = review.study
    shown = [c for c in study.comparisons if not c.behavioural]
    unit = study.orders.money_unit
    made = [formula_tables.new_customers(c, unit) for c in shown]
    held = [formula_tables.holdout_segments(study, c) for c in shown if c.holdout is not None]
    quoted = [formula_tables.quoted_formulas(c, unit) for c in shown]
    overall = shown[0].table.loc[ALL]
    formula, model = overall["formula_1_within"], overall["model_new"]
    gap = formula / model - 1
    said = (
        "about the same"
        if abs(gap) <= limits.SAME
        else f"{show_value(abs(gap), 'share')} {'less' if gap < 0 else 'more'} than the model"
    )
    finding = (
        f"Over {in_words(study.economics.horizon)} and undiscounted, a new customer is worth "
        f"{money(model, unit)} {unit} by the model; formula 1 gives {money(formula, unit)}, {said}; formula "
        f"2 gives {money(overall['formula_2_within'], unit)}.{_spread(shown[0].table, unit)}"
        f"{_base_error(study)}{_inside(shown[0])}"
    )
    notes = [
        "Formula 1: order value × orders within the horizon × margin. Formula 2: order value × orders a "
        "period × margin × (1 − (1 − churn)^periods) ÷ churn. Both columns and the model cover the same "
        "horizon, before acquisition cost. The model counts the first order at what first orders brought, "
        "repeat orders by the fit.",
        "A segment's model value comes from a fit of its own customers. Segments under 100 customers are "
        "marked, left out of the chart, and have no value by the model here; bridge, unit economics and "
        "budget value them by the fit of the whole base, and say so. Those under 20 are merged.",
        "In the hold-out each formula's value is charged for every existing customer, which is how it is "
        "often used.",
    ]
    undated = [tables.segment_words(c.by) for c in shown if study.holdout and c.holdout is None]
    if undated:
        notes.append(f"No hold-out by {', '.join(undated)}: {tables.known_now('the cut')}.")
    churn = churn_tables.churn_definitions(study)
    notes += [said] if (said := churn_tables.finding(study, churn)) else []
    costs = [table for c in shown if (table := formula_tables.after_cac(c, unit)) is not None]
    charts = [made[0], *held[:1]]
    first = [made[0], *costs[:1], *held[:1]]
    folded = [
        quoted[0],
        churn,
        formula_tables.annuities(shown[0], unit),
        *made[1:],
        *costs[1:],
        *quoted[1:],
        *held[1:],
    ]
    return Page("formulas", "Against the formulas", finding, first, charts, notes, folded=folded)


def _base_error(study: Study) -> str:
    """What the same formula said of the existing base in the hold-out."""
    if study.holdout is None or model_error(study) is None:
        return ""
    error = study.holdout.contenders["error"]
    return (
        " Charged for every existing customer over the hold-out, formula 1 came out "
        f"{miss(error['Formula 1'])}, the model {miss(error[MODEL])}."
    )


def _inside(comparison: Comparison) -> str:
    """In how many segments the hold-out came out where the model had said."""
    if comparison.holdout is None:
        return ""
    inside = comparison.holdout.drop(index=ALL)["inside"]
    name = tables.segment_words(comparison.by)
    return f" By {name}, {inside.sum()} of {len(inside)} came out inside the model's 90 % band."


def _story(fit: Fit) -> str:
    """What a model believes of customers, in its own words."""
    text = " ".join((type(fit.estimate).__doc__ or "").split())
    return text if text.endswith(".") else f"{text}."


def _spread(table: pd.DataFrame, unit: str) -> str:
    segments = table.drop(index=ALL)
    solid = segments.loc[~segments["few"].astype(bool) & ~tables.borrowed(table), "model_new"]
    if len(solid) < 2:
        return ""
    ends = ((solid.min(), solid.idxmin()), (solid.max(), solid.idxmax()))
    low, high = (f"{money(value, unit)} ({name})" for value, name in ends)
    return f" Among the segments it runs from {low} to {high}."


def ages(review: Review) -> Page:
    """Cohorts at equal age, and value over customer age."""
    study, unit = review.study, review.study.orders.money_unit
    table = tables.ages(study)
    seen = table.frame.dropna(subset=["actual"])
    last = seen.iloc[-1]
    gap = last["model"] / last["actual"] - 1
    lives = cohort_tables.cohorts_by_age(review)
    finding = (
        f"{cohort_tables.finding(review)} Month by month of age, customers bring "
        f"{money(last['actual'], unit)} {unit} of contribution by month {last['months']:.0f}; the model says "
        f"{money(last['model'], unit)} ({show_value(gap, 'signed')}; it was fitted on these customers, so "
        f"this is no test), formula 1 {money(last['formula_1'], unit)}."
    ).strip()
    shown = [cohort_tables.cohort_ages(review)]
    notes = cohort_tables.added_up(study)
    return Page("ages", "Value over age", finding, shown, [lives, table], notes, folded=[table])


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
