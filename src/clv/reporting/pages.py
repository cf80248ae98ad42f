"""The pages of the report: what each says in one sentence, by rule, and the tables it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from clv.evaluation.backtest import MODEL
from clv.evaluation.inputs import ALL
from clv.reporting import tables
from clv.reporting import thresholds as limits
from clv.reporting.grid import Table, show_value
from clv.units import in_words

if TYPE_CHECKING:
    import pandas as pd

    from clv.evaluation.study import Study


@dataclass(frozen=True)
class Light:
    """A status light: good, fair or bad, with the figure behind it in words."""

    name: str
    level: str
    words: str


@dataclass(frozen=True)
class Headline:
    """One of the three numbers of the decision page."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Page:
    """A page: its finding leads, tables and charts follow; `charts` names the tables that are drawn."""

    id: str
    title: str
    finding: str
    tables: Sequence[Table] = ()
    charts: Sequence[Table] = ()
    notes: Sequence[str] = ()
    lights: Sequence[Light] = ()
    headlines: Sequence[Headline] = ()
    folded: Sequence[Table] = field(default=())


def pages(study: Study) -> list[Page]:
    """All pages that the study has input for, in the order of the report."""
    makers: list[Callable[[Study], Page | None]] = [
        decision,
        reconciliation,
        holdout,
        formulas,
        existing_customers,
        concentration,
        ages,
        assumptions,
        method,
    ]
    return [page for make in makers if (page := make(study)) is not None]


def decision(study: Study) -> Page:
    """As-of, lights, three numbers, and what is not known."""
    e, base = study.economics, study.forecast.totals().iloc[0]
    money = study.orders.currency
    lifetime = study.lifetime.totals().iloc[0]
    headlines = [
        Headline(
            f"Contribution of the base, next {in_words(e.horizon)}",
            f"{base['clv']:,.0f} {money}",
            f"{base['customers']:,.0f} existing customers, {base['clv_mean']:,.2f} each; discounted",
        ),
        Headline(
            "Customer equity of the base",
            f"{lifetime['clv']:,.0f} {money}",
            f"residual lifetime, {lifetime['clv_mean']:,.2f} each; discounted at {e.discount:.0%} a "
            f"year".replace("%", " %"),
        ),
        _new_customer_headline(study),
    ]
    missed = _missed(study)
    trust = (
        "No hold-out measured it, so nothing here says how far off the figures may be."
        if missed is None
        else f"On the hold-out this method was {show_value(missed, 'signed')} off in total; read the figures "
        "with that in mind."
    )
    finding = (
        f"The {base['customers']:,.0f} customers known on {study.as_of} are expected to bring "
        f"{base['clv']:,.0f} {money} of contribution in the next {in_words(e.horizon)}. {trust}"
    )
    return Page(
        "decision", "Decision", finding, headlines=headlines, lights=lights(study), notes=unknowns(study)
    )


def _new_customer_headline(study: Study) -> Headline:
    e, money, cac = study.economics, study.orders.currency, study.cac
    note = f"first {in_words(e.horizon)}, first order included; discounted"
    if cac is None:
        return Headline("Value of a new customer, before CAC", f"{study.new_value:,.2f} {money}", note)
    return Headline(
        "Value of a new customer, less CAC",
        f"{study.new_value - cac:,.2f} {money}",
        f"{note}; CAC {cac:,.2f}",
    )


def lights(study: Study) -> list[Light]:
    """Data, reconciliation, fit and hold-out, by the thresholds of this folder."""
    findings = study.orders.findings
    warnings = sum(f.severity == "W" for f in findings)
    frame = study.orders.reconciliation().set_index("reason")["money"]
    used, total = frame.get("used", 0.0), frame.sum()
    covered = used / total if total else 0.0
    fits = (study.purchase, study.spend)
    edge = [
        type(f.model).__name__ for f in fits if f.boundary or np.isnan(list(f.standard_errors.values())).any()
    ]
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
        Light(
            "Fit",
            "fair" if edge else "good",
            f"{', '.join(edge)} at a boundary" if edge else "both models at a maximum",
        ),
    ]
    missed = _missed(study)
    if missed is None:
        words = "nothing was bought in it" if study.holdout else "not tested"
        return [*found, Light("Hold-out", "fair", words)]
    level = _level(abs(missed), limits.LEVEL_GOOD, limits.LEVEL_BAD)
    return [*found, Light("Hold-out", level, f"total {show_value(missed, 'signed')} off")]


def _missed(study: Study) -> float | None:
    """Total error of the model in the hold-out; None without one, and where nothing was bought in it."""
    error = study.holdout.model_error if study.holdout else np.nan
    return error if np.isfinite(error) else None


def _level(value: float, good: float, bad: float) -> str:
    return "good" if value <= good else "fair" if value <= bad else "bad"


def unknowns(study: Study) -> list[str]:
    """What a reader must not take from these figures."""
    e, first = study.economics, study.rfm.table.first_date.min().to_pyarrow().as_py()
    span = (study.as_of - first).days
    notes = [
        "All figures are best estimates without bands; the hold-out error is the only measure of doubt here."
    ]
    if e.cac is None:
        notes.append(
            "Acquisition cost is not given (C005): no figure is net of it, and none says what to spend on it."
        )
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
            f"{late.later_customers:,} customers first bought after the cut and spent "
            f"{late.later_spend:,.0f} "
            f"{study.orders.currency}: no forecast of the base can hold that."
        )
    return notes


def reconciliation(study: Study) -> Page:
    """What became of every row."""
    table = tables.reconciliation(study.orders)
    frame = table.frame.set_index("reason")
    used, total = frame.loc["used"], frame.loc["rows in"]
    left = total["rows"] - used["rows"]
    finding = (
        f"Of {total['rows']:,.0f} rows with {total['money']:,.2f} {study.orders.currency}, "
        f"{used['rows']:,.0f} rows with "
        f"{used['money']:,.2f} are used; {left:,.0f} are left out, each for a reason that is listed."
    )
    return Page("reconciliation", "Reconciliation", finding, [table, tables.findings(study)])


def holdout(study: Study) -> Page | None:
    """Contenders against what happened."""
    if study.holdout is None:
        return None
    table = tables.contenders(study)
    return Page(
        "holdout",
        "Hold-out",
        verdict(study),
        [table],
        [table, tables.calibration(study)],
        notes=[
            "Each contender knew the log up to the cut only. Formulas and run-rates treat every "
            "customer alike, "
            "so they cannot say who will buy; the mean miss alone would favour a forecast of zero.",
        ],
        folded=[tables.calibration(study)],
    )


def verdict(study: Study) -> str:
    """The contender to use: the best level among those that rank customers about as well as the best."""
    if _missed(study) is None:
        return "Nothing was bought in the hold-out, so it cannot tell the contenders apart; move the cut."
    frame = tables.contenders(study).frame.set_index("contender")
    able = frame[frame["gini"] >= frame["gini"].max() - limits.GINI_SLACK]
    best = able["error"].abs().idxmin()
    error = frame.loc[best, "error"]
    others = ", ".join(
        f"{name.lower()} {show_value(frame.loc[name, 'error'], 'signed')}"
        for name in ("Repeat run-rate", "Formula 1", "Formula 2")
    )
    name = "the model" if best == MODEL else best.lower()
    caution = " Do not use it for level." if abs(error) > limits.LEVEL_BAD else ""
    nearer = frame.index[frame["error"].abs() < abs(error)]
    closer = (
        f" {nearer[0]} came nearer in total ({show_value(frame.loc[nearer[0], 'error'], 'signed')}) but "
        f"does not rank "
        "customers as well."
        if len(nearer)
        else ""
    )
    return (
        f"Use {name}: it missed the total by {show_value(error, 'signed')}, and its top tenth of "
        f"customers brought "
        f"{show_value(frame.loc[best, 'top_decile'], 'share')} of what was spent. "
        f"{others[0].upper()}{others[1:]}.{closer}{caution}"
    )


def formulas(study: Study) -> Page:
    """CLV of a new customer against both formulas by segment, and hold-out actuals beside."""
    shown = [c for c in study.comparisons if not c.behavioural]
    made = [tables.new_customers(c, study.orders.currency) for c in shown]
    held = [tables.holdout_segments(study, c) for c in shown] if study.holdout else []
    overall = shown[0].table.loc[ALL]
    formula, model = overall["formula_1_within"], overall["model_new"]
    gap = formula / model - 1
    said = (
        "about the same"
        if abs(gap) <= limits.SAME
        else f"{show_value(abs(gap), 'share')} {'less' if gap < 0 else 'more'} than the model"
    )
    finding = (
        f"Over {in_words(study.economics.horizon)} a new customer is worth {model:,.2f} "
        f"{study.orders.currency} by the "
        f"model; formula 1 gives {formula:,.2f}, {said}; formula 2 gives "
        f"{show_value(overall['formula_2_within'], 'money')}."
        f"{_spread(shown[0].table)}{_base_error(study)}"
    )
    notes = [
        "Formula 1: order value × orders within the horizon × margin. Formula 2: order value × "
        "frequency × margin × "
        "(1 − (1 − churn)^periods) ÷ churn. Both columns and the model cover the same horizon, before "
        "acquisition cost.",
        "A segment's model value comes from a fit of its own customers; segments under 100 customers "
        "are marked, those "
        "under 20 merged, and where a fit of its own is not possible the fit of the whole base is used.",
        "In the hold-out each formula's value is charged for every existing customer, which is how it "
        "is often used.",
    ]
    first = [made[0], *held[:1]]
    return Page(
        "formulas", "Against the formulas", finding, first, first, notes, folded=[*made[1:], *held[1:]]
    )


def _base_error(study: Study) -> str:
    """What the same formula said of the existing base in the hold-out."""
    if study.holdout is None or _missed(study) is None:
        return ""
    error = study.holdout.contenders["error"]
    return (
        f" Charged for every existing customer, formula 1 was "
        f"{show_value(error['Formula 1'], 'signed')} off in the "
        f"hold-out, the model {show_value(error[MODEL], 'signed')}."
    )


def _spread(table: pd.DataFrame) -> str:
    segments = table.drop(index=ALL)
    solid = segments.loc[~segments["few"].astype(bool), "model_new"]
    if len(solid) < 2:
        return ""
    low, high = (f"{value:,.2f} ({solid[solid == value].index[0]})" for value in (solid.min(), solid.max()))
    return f" Among the segments it runs from {low} to {high}."


def existing_customers(study: Study) -> Page:
    """Residual value of the base by segment, and hold-out actuals beside forecasts."""
    ordered = sorted(study.comparisons, key=lambda c: not c.behavioural)
    made = [tables.existing_customers(study, c) for c in ordered]
    held = [tables.holdout_segments(study, ordered[0])] if study.holdout else []
    rfm = next(c for c in study.comparisons if c.behavioural).table.drop(index=ALL)
    rfm = rfm.sort_values("model_existing_total", ascending=False)
    top, shares = rfm.index[0], rfm.iloc[0] / rfm.sum(numeric_only=True)
    finding = (
        f"‘{top}’ holds {show_value(shares['model_existing_total'], 'share')} of the value of the next "
        f"{in_words(study.economics.horizon)} with {show_value(shares['customers'], 'share')} of the "
        "customers."
    )
    notes = [study.cuts.sentence(study.orders.digits, study.orders.currency)]
    return Page("existing", "Existing customers", finding, [made[0], *held], held, notes, folded=made[1:])


def concentration(study: Study) -> Page:
    """How few customers hold how much of the value."""
    table = tables.concentration(study)
    last = table.frame.iloc[-2]
    finding = (
        f"The top tenth, {last['customers']:,} customers, hold {show_value(last['ahead'], 'share')} of "
        f"the value expected in the "
        f"next {in_words(study.economics.horizon)}; of the value so far the best tenth held "
        f"{show_value(last['past'], 'share')}."
    )
    return Page("concentration", "Concentration", finding, [table], [table])


def ages(study: Study) -> Page:
    """Value over customer age."""
    table = tables.ages(study)
    seen = table.frame.dropna(subset=["actual"])
    last = seen.iloc[-1]
    gap = last["model"] / last["actual"] - 1
    finding = (
        f"By month {last['months']:.0f} the average customer has brought {last['actual']:,.2f} "
        f"{study.orders.currency} of "
        f"contribution; the model's curve says {last['model']:,.2f} ({show_value(gap, 'signed')}), formula 1 "
        f"{last['formula_1']:,.2f}."
    )
    return Page("ages", "Value over age", finding, charts=[table], folded=[table])


def assumptions(study: Study) -> Page:
    """What the numbers rest on."""
    finding = "These choices move the figures; change them in the config and run again."
    return Page("assumptions", "Assumptions", finding, [tables.assumptions(study)])


def method(study: Study) -> Page:
    """How it was computed."""
    notes = [
        "Purchases: BG/NBD (Fader, Hardie and Lee 2005). While active a customer buys at random at a "
        "rate of its own; "
        "after any repeat purchase it may leave for good. A customer who bought once counts as active "
        "by assumption, "
        "so judge it by the chance of a purchase within the horizon.",
        "Spend: Gamma-Gamma (Fader and Hardie 2013). The value of a customer's orders varies around a "
        "mean of its own; "
        "few orders pull the estimate towards the average of all.",
        "Value: margin × expected purchases, discounted at each purchase's time × expected spend a "
        "purchase. Customers with the "
        "same history share one computation; no sampling is involved.",
        f"{study.purchase.message} "
        f"{study.spend.message if study.spend.message != study.purchase.message else ''}".strip(),
    ]
    finding = (
        "Two published models, fitted by maximum likelihood; every figure can be recomputed from the tables."
    )
    return Page("method", "Method", finding, [tables.estimates(study)], notes=notes)
