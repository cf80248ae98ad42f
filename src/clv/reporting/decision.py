"""The decision page: status lights, three numbers, and what they do not say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.engines import fetch
from clv.evaluation.backtest import OTHER
from clv.evaluation.verdict import FAR, TWICE
from clv.forecasting.totals import ALL, WHOLE
from clv.reporting import forecast_tables, planning_tables
from clv.reporting import thresholds as limits
from clv.reporting.base_tables import season
from clv.reporting.grid import Headline, Light, Page, miss, money, show_value
from clv.reporting.tables import borrowed
from clv.units import in_words, percent

if TYPE_CHECKING:
    from clv.data.holdout import Holdout
    from clv.evaluation.study import Study
    from clv.reporting.reviews import Review

COHORT = "cohort"
_NAMED = 3  # segments that the first sentence has room for


def decision(review: Review) -> Page:
    """As-of, lights, three numbers with their bands, and what is not known."""
    study = review.study
    e, unit = study.economics, study.orders.money_unit
    whole = totals_of(review)
    finding = (
        f"The {whole['customers']:,.0f} customers known on {study.as_of} are expected to bring "
        f"{_whole(whole['clv'])} {unit} of contribution in the next {in_words(e.horizon)}. "
        f"{_trust(review)}{_unearned(review)}"
    )
    headlines = [
        Headline(
            f"Contribution of the base, next {in_words(e.horizon)}",
            f"{_whole(whole['clv'])} {unit}",
            f"{whole['customers']:,.0f} existing customers, {money(whole['clv'] / whole['customers'], unit)} "
            "each; discounted",
            _band(whole["clv_p05"], whole["clv_p95"], _whole),
            whole["clv"],
        ),
        _equity(review),
        _new_customer(review),
    ]
    quarters = forecast_tables.periods(review.quarters)
    found = review.budget
    split = [planning_tables.split(found, unit)] if found and found.split is not None else []
    return Page(
        "decision",
        "Decision",
        finding,
        split,
        [quarters],
        unknowns(review),
        lights(review),
        headlines,
    )


def totals_of(review: Review) -> dict[str, float]:
    """Totals of all existing customers over the whole horizon."""
    table = review.quarters.table
    rows = table[(table["population"] == "existing") & (table["period"] == WHOLE)]
    return numbers(rows[rows[review.by] == ALL].iloc[0])


def numbers(row: Any) -> dict[str, float]:
    """Return the numbers of a row by their column."""
    return {str(name): float(value) for name, value in row.items() if isinstance(value, int | float)}


def _trust(review: Review) -> str:
    """How far off the same method was."""
    if review.judged is not None:
        times, off = review.judged["origins"], show_value(review.judged["value_error"], "share")
        over, mean = ("back-tests", " on average") if times > 1 else ("back-test", "")
        return (
            f"Over {times:.0f} {over} the same method was {off} off in total{mean}; the bands below have "
            f"that in them.{_held(review.study)}"
        )
    missed = model_error(review.study)
    if missed is None:
        return "Nothing measured it, so nothing here says how far off the figures may be."
    return f"In the hold-out the same method came out {miss(missed)} in total."


def _held(study: Study) -> str:
    """Which way, and how far, a hold-out came out beside a back-test."""
    missed = model_error(study)
    if missed is None or study.holdout is None:
        return ""
    held = study.holdout.holdout
    return f" From {held.cut} to {held.end} it came out {miss(missed)}."


def _whole(value: float) -> str:
    """Print a large sum, without decimals."""
    return show_value(value, "count")


def _band(low: float, high: float, shown: Callable[[float], str]) -> str:
    return f"90 %: {shown(low)} to {shown(high)}" if np.isfinite(low) else ""


def _equity(review: Review) -> Headline:
    study, title = review.study, "Customer equity of the base"
    if review.lifetime is None:
        return Headline(title, "–", "infinite without a discount: nobody is sure ever to leave")
    total, unit = numbers(review.lifetime.table.iloc[-1]), study.orders.money_unit
    return Headline(
        title,
        f"{_whole(total['clv'])} {unit}",
        f"whole residual lifetime, {money(total['clv'] / total['customers'], unit)} each, discounted at "
        f"{percent(study.economics.discount)} a year; {show_value(study.beyond_five_years, 'share')} of it "
        "lies beyond five years, where nothing has tested it",
        _band(total["clv_p05"], total["clv_p95"], _whole),
        total["clv"],
    )


def _new_customer(review: Review) -> Headline:
    study = review.study
    row, unit = numbers(review.units.table.loc[ALL]), study.orders.money_unit
    cac, value = row["cac"], row["value"]
    note = f"first {in_words(study.economics.horizon)}, first order included; discounted"
    known = np.isfinite(cac)
    less = cac if known else 0.0
    return Headline(
        "Value of a new customer, less CAC" if known else "Value of a new customer, before CAC",
        f"{money(value - less, unit)} {unit}",
        f"{note}; CAC {money(cac, unit)}" if known else note,
        _band(row["value_p05"] - less, row["value_p95"] - less, lambda v: money(v, unit)),
        value - less,
        "money",
    )


def _unearned(review: Review) -> str:
    """Name the segments whose new customers do not bring back what they cost within the horizon.

    Of those that customers are acquired in, which is the latest alone where these are cohorts.
    """
    found, unit = review.comparison, review.study.orders.money_unit
    table = found.table[~borrowed(found.table)].drop(index=ALL).sort_values("model_after_cac")
    if found.by == COHORT:
        table = table[table.index == max(found.members)]
    lost = [
        f"{name} ({money(row['model_new_discounted'], unit)} against {money(row['cac'], unit)})"
        for name, row in table.iterrows()
        if row["model_after_cac"] < 0 and not row["few"]
    ]
    said = "New customers do not earn back their acquisition cost in that time in"
    more = [f"and {len(lost) - _NAMED} more"] if len(lost) > _NAMED else []
    return f" {said}: {'; '.join([*lost[:_NAMED], *more])}." if lost else ""


def lights(review: Review) -> list[Light]:
    """Data, reconciliation, fit, and back-test or hold-out, by the thresholds of this folder."""
    study = review.study
    warnings = sum(f.severity == "W" for f in study.orders.findings)
    money = study.orders.reconciliation().set_index("reason")["money"].abs()
    covered = money.get("used", 0.0) / money.sum() if money.sum() else 0.0
    found = [
        Light(
            "Data",
            "fair" if warnings else "good",
            f"{warnings} warning{'s' * (warnings != 1)}" if warnings else "no warning",
        ),
        Light(
            "Reconciliation",
            _level(1 - covered, 1 - limits.COVERAGE_GOOD, 1 - limits.COVERAGE_BAD),
            f"{show_value(covered, 'share')} of booked money is modelled",
        ),
        _fit(study),
    ]
    if review.judged is not None:
        return [*found, _tested(review.judged)]
    missed = model_error(study)
    if missed is None:
        words = "nothing was bought in it" if study.holdout else "not tested"
        return [*found, Light("Hold-out", "fair", words)]
    level = _level(abs(missed), limits.LEVEL_GOOD, limits.LEVEL_BAD)
    return [*found, Light("Hold-out", level, f"total {miss(missed)}")]


def _tested(judged: Mapping[Any, float]) -> Light:
    """Red where the verdict of a back-test speaks against the level."""
    off, far = judged["value_error"], judged["value_far"]
    words = f"totals {show_value(off, 'share')} off on average"
    if far >= TWICE:
        return Light("Back-test", "bad", f"{words}, at {far:.0f} origins more than {percent(FAR)}")
    return Light("Back-test", "good" if off <= limits.LEVEL_GOOD else "fair", words)


def _fit(study: Study) -> Light:
    """Red where draws fail a gate, of the hold-out too; amber where a model sits at a boundary."""
    failed = dict.fromkeys(type(f.estimate).__name__ for f in study.fits if not f.passed)
    if failed:
        return Light("Fit", "bad", f"{', '.join(failed)} failed: see Method")
    edge = [type(f.estimate).__name__ for f in (study.purchase, study.spend) if f.at_edge]
    if edge:
        return Light("Fit", "fair", f"{', '.join(edge)} at a boundary")
    drawn = study.purchase.posterior is not None
    return Light("Fit", "good", "every gate is passed" if drawn else "both models at a maximum")


def model_error(study: Study) -> float | None:
    """Total error of the model in the hold-out; None without one, and where nothing was bought in it."""
    error = study.holdout.model_error if study.holdout else np.nan
    return error if np.isfinite(error) else None


def _level(value: float, good: float, bad: float) -> str:
    return "good" if value <= good else "fair" if value <= bad else "bad"


def unknowns(review: Review) -> list[str]:
    """What a reader must not take from these figures."""
    study = review.study
    table = study.rfm.table
    first = fetch(table.aggregate(first=table.first_date.min())).to_pylist()[0]["first"]
    span = (study.as_of - first).days
    doubt = study.forecast.doubt
    if not study.forecast.levels.range.certain:
        doubt += "; what is called expected is at the middle of that, since so few misses tell no mean"
    notes = [f"Bands hold {doubt}.", *_seasons(study), *_costs(study), *review.notes]
    if review.spending is None or not (review.spending.acquisition or review.spending.retention):
        notes.append("No budget split is recommended: that needs to know how customers respond to spending.")
    if study.forecast.days > span:
        notes.append(
            f"The log spans {span} days, the horizon {study.forecast.days:.0f}: part of it is extrapolated."
        )
    if span < 2 * 365:
        notes.append(
            "The log is shorter than two years, so a yearly season cannot be told from growth or decline."
        )
    late = study.holdout.holdout if study.holdout else None
    if late is not None and late.later_customers:
        notes.append(
            f"{late.later_customers:,} customers placed their first order after {late.cut}, the last day "
            f"that the forecast tested in the hold-out knew, and spent {_whole(late.later_spend)} "
            f"{study.orders.money_unit} up to {late.end}: no forecast of existing customers can hold that."
            f"{_gone(study, late)}"
        )
    return notes


def _gone(study: Study, late: Holdout) -> str:
    """Why customers known at a cut and those who came later are more than there are."""
    gone = len(late.rfm) + late.later_customers - len(study.rfm)
    if gone <= 0:
        return ""
    verb = "is" if gone == 1 else "are"
    return f" {gone:,} of those known then {verb} no customer now, all their orders being taken back since."


def _seasons(study: Study) -> list[str]:
    found = season(study)
    if found is None or not found.told:
        return []
    said = f"{found.month} brings {found.strength:.1f} times an average month; forecasts know no season"
    return [f"{said}: over a year that evens out, a single quarter comes out higher or lower."]


def _costs(study: Study) -> list[str]:
    cac = study.economics.cac
    if cac is None:
        return [
            "Acquisition cost is not given (C005): no figure is net of it, and none says what to spend on it."
        ]
    if not isinstance(cac, Mapping):
        return []
    missing = [
        str(name)
        for c in study.comparisons
        if any(member in cac for member in c.members)
        for name in c.table.index
        if name not in cac and name not in (ALL, OTHER)
    ]
    if not missing:
        return []
    return [
        f"Acquisition cost is not given for {', '.join(missing)} (C005): nothing after it is shown there."
    ]
