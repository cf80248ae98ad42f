"""The decision page: status lights, three numbers, and what they do not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from clv.data.engines import fetch
from clv.evaluation.backtest import OTHER
from clv.evaluation.inputs import ALL
from clv.reporting import thresholds as limits
from clv.reporting.grid import Headline, Light, Page, miss, show_value
from clv.units import in_words, percent

if TYPE_CHECKING:
    from clv.evaluation.study import Study


def decision(study: Study) -> Page:
    """As-of, lights, three numbers, and what is not known."""
    e, base, money = study.economics, study.forecast.sums, study.orders.money_unit
    missed = model_error(study)
    trust = (
        "No hold-out measured it, so nothing here says how far off the figures may be."
        if missed is None
        else f"In the hold-out the same method came out {miss(missed)} in total."
    )
    finding = (
        f"The {base['customers']:,.0f} customers known on {study.as_of} are expected to bring "
        f"{base['clv']:,.0f} {money} of contribution in the next {in_words(e.horizon)}. "
        f"{trust}{_unearned(study)}"
    )
    headlines = [
        Headline(
            f"Contribution of the base, next {in_words(e.horizon)}",
            f"{base['clv']:,.0f} {money}",
            f"{base['customers']:,.0f} existing customers, {base['clv'] / base['customers']:,.2f} each; "
            "discounted",
        ),
        _equity(study),
        _new_customer(study),
    ]
    return Page(
        "decision", "Decision", finding, headlines=headlines, lights=lights(study), notes=unknowns(study)
    )


def _equity(study: Study) -> Headline:
    title = "Customer equity of the base"
    if study.lifetime is None:
        return Headline(title, "–", "infinite without a discount: nobody is sure ever to leave")
    total = study.lifetime.sums
    return Headline(
        title,
        f"{total['clv']:,.0f} {study.orders.money_unit}",
        f"whole residual lifetime, {total['clv'] / total['customers']:,.2f} each, discounted at "
        f"{percent(study.economics.discount)} a year; {show_value(study.beyond_five_years, 'share')} of it "
        "lies beyond five years, where nothing has tested it",
    )


def _new_customer(study: Study) -> Headline:
    e, money, cac = study.economics, study.orders.money_unit, study.cac
    note = f"first {in_words(e.horizon)}, first order included; discounted"
    if cac is None:
        return Headline("Value of a new customer, before CAC", f"{study.new_value:,.2f} {money}", note)
    return Headline(
        "Value of a new customer, less CAC",
        f"{study.new_value - cac:,.2f} {money}",
        f"{note}; CAC {cac:,.2f}",
    )


def _unearned(study: Study) -> str:
    """Name the segments whose new customers do not bring back what they cost within the horizon."""
    lost = [
        f"{name} ({row['model_new_discounted']:,.2f} against {row['cac']:,.2f})"
        for c in study.comparisons
        for name, row in c.table.drop(index=ALL).sort_values("model_after_cac").iterrows()
        if row["model_after_cac"] < 0 and not row["few"]
    ]
    return (
        f" New customers do not earn back their acquisition cost in that time in: {'; '.join(lost)}."
        if lost
        else ""
    )


def lights(study: Study) -> list[Light]:
    """Data, reconciliation, fit and hold-out, by the thresholds of this folder."""
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
    missed = model_error(study)
    if missed is None:
        words = "nothing was bought in it" if study.holdout else "not tested"
        return [*found, Light("Hold-out", "fair", words)]
    level = _level(abs(missed), limits.LEVEL_GOOD, limits.LEVEL_BAD)
    return [*found, Light("Hold-out", level, f"total {miss(missed)}")]


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


def unknowns(study: Study) -> list[str]:
    """What a reader must not take from these figures."""
    table = study.rfm.table
    first = fetch(table.aggregate(first=table.first_date.min())).to_pylist()[0]["first"]
    span = (study.as_of - first).days
    tested = (
        "the hold-out error is the only measure of doubt here"
        if study.holdout
        else "nothing measures the doubt"
    )
    kind = "means over draws" if study.purchase.posterior else "best estimates"
    notes = [f"All figures are {kind} without bands; {tested}.", *_costs(study)]
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
            f"{late.later_customers:,} customers placed their first order in use after the cut and spent "
            f"{late.later_spend:,.0f} {study.orders.money_unit}: no forecast of the base can hold that."
        )
    return notes


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
