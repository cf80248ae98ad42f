"""Formulas, model and hold-out side by side, by segment: on one basis, after cost, and as usually quoted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from clv.errors import ConfigError
from clv.evaluation.backtest import MODEL
from clv.evaluation.compare import SMALL, Comparison
from clv.forecasting import simple
from clv.forecasting.totals import ALL
from clv.reporting import tables
from clv.reporting.grid import Column, Table
from clv.units import daily_discount, horizon_days, in_words, percent

if TYPE_CHECKING:
    from clv.evaluation.study import Study


def new_customers(comparison: Comparison, money: str = "") -> Table:
    """Value of a new customer by both formulas and the model, by segment, with what a hold-out says."""
    frame = _aged(comparison)
    sure = (Column("model_new_p05", "Model, 5 %", "money"), Column("model_new_p95", "Model, 95 %", "money"))
    frame, held = _with_holdout(frame, comparison)
    columns = (
        Column("segment", tables.heading(comparison.by), "text"),
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
    )
    doubt = f" Hold-out: {comparison.tested}." if held else ""
    basis = (
        f"{_of_the_new(comparison, money)}, before acquisition cost and undiscounted; as of "
        f"{comparison.as_of}. Churn: {comparison.economics.churn_rule().sentence}.{_left_out(comparison)}"
        f"{_of_new(comparison)}{_young(comparison, frame)}{_sure_of(comparison)}{doubt}"
    )
    title = f"What a new customer is worth, by {tables.segment_words(comparison.by)}"
    return Table(f"new_by_{comparison.by}", title, columns, frame, basis, total=True, unit=money)


def after_cac(comparison: Comparison, money: str = "") -> Table | None:
    """Both forms of formula 1 and the model, after CAC, by segment; None where no segment has one."""
    frame, e = _aged(comparison), comparison.economics
    if frame["cac"][:-1].isna().all():  # that of all customers says nothing of segments
        return None
    columns = (
        Column("segment", tables.heading(comparison.by), "text"),
        Column("customers", "Customers", "count"),
        Column("cac", "CAC", "money"),
        Column("formula_1_charged", "Formula 1, less CAC × margin", "money"),
        Column("formula_1_after_cac", "Formula 1, less CAC", "money"),
        Column("model_new_discounted", "Model, discounted", "money"),
        Column("model_after_cac", "Model, discounted, less CAC", "money"),
    )
    basis = (
        f"{_of_the_new(comparison, money)}; discounted: {percent(e.discount)} a year; as of "
        f"{comparison.as_of}. Formula 1 as it is published, (value × orders − CAC) × margin, charges no more "
        f"than margin × CAC.{_of_new(comparison)}{_young(comparison, frame)}"
    )
    title = f"The same after acquisition cost, by {tables.segment_words(comparison.by)}"
    return Table(f"after_cac_by_{comparison.by}", title, columns, frame, basis, total=True, unit=money)


def quoted_formulas(comparison: Comparison, money: str = "") -> Table:
    """Both formulas as they are usually quoted: over the lifetime so far, and without an end."""
    frame, e = _aged(comparison), comparison.economics
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
        Column("segment", tables.heading(comparison.by), "text"),
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
        f"the table above has that.{_left_out(comparison)}{_of_new(comparison)}"
        f"{_young(comparison, frame)}"
    )
    title = f"The formulas as usually quoted, by {tables.segment_words(comparison.by)}"
    return Table(f"quoted_by_{comparison.by}", title, columns, frame, basis, total=True, unit=money)


def annuities(comparison: Comparison, money: str = "") -> Table:
    """Retention annuities of one rate for all, under each of the three conventions, beside formula 2."""
    frame, e = tables.segments(comparison), comparison.economics
    period = e.churn_rule().period_days
    frame["paid"] = frame["aov"] * frame["frequency"] * e.margin
    frame["kept"] = 1 - frame["churn"]
    rate = math.expm1(daily_discount(e.discount) * period)
    made = {
        "due": simple.annuity_due,
        "ordinary": simple.annuity_ordinary,
        "residual": simple.annuity_residual,
    }
    frame = frame.assign(**{name: of(frame["paid"], frame["kept"], rate) for name, of in made.items()})
    columns = (
        Column("segment", tables.heading(comparison.by), "text"),
        Column("paid", "Contribution a period", "money"),
        Column("kept", "Retention a period", "share"),
        Column("due", "First payment now", "money"),
        Column("ordinary", "Paid at the end of each period", "money"),
        Column("residual", "First payment after a renewal", "money"),
        Column("formula_2", "Formula 2, no end", "money"),
    )
    basis = (
        f"Per customer{' in ' + money if money else ''}, as of {comparison.as_of}, for ever, before "
        f"acquisition cost: contribution m at {percent(e.margin)} margin and retention r of a period of "
        f"{period:.0f} days, discounted at d = {percent(round(rate, 4))} a period. Now "
        "m(1 + d) ÷ (1 + d − r), at the end m ÷ (1 + d − r), after a renewal m·r ÷ (1 + d − r); "
        f"formula 2 is the second without a discount.{_left_out(comparison)}{_foretold(comparison)}"
    )
    title = f"Retention annuities, by {tables.segment_words(comparison.by)}"
    return Table(f"annuities_by_{comparison.by}", title, columns, frame, basis, total=True, unit=money)


def holdout_segments(study: Study, comparison: Comparison) -> Table:
    """Revenue a customer in the hold-out by segment, forecast by each and actual."""
    if comparison.holdout is None:
        raise ConfigError(f"C007 there is no hold-out by {comparison.by}: none was set, or it has no dates.")
    frame = comparison.holdout
    frame = pd.concat([tables.ordered(frame.drop(index=ALL)), frame.loc[[ALL]]])
    plain = frame.drop(columns=["inside"])
    per = (
        plain.div(plain["customers"], axis=0)
        .assign(customers=plain["customers"])
        .join(_held_a_customer(frame))
    )
    per["few"] = per["customers"] < SMALL
    per.insert(0, "segment", tables.marked(per))
    per["error"] = per[MODEL] / per["actual"] - 1
    basis = tables.holdout_basis(study, f"revenue a customer ({study.orders.money_unit})")
    return Table(
        f"holdout_by_{comparison.by}",
        f"Forecast and actual of the hold-out, by {tables.segment_words(comparison.by)} at the cut",
        (
            Column("segment", tables.heading(comparison.by), "text"),
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
        f"{basis} Bands: {tables.tested(study).forecast.doubt}.{_nobody_lost(per)}",
        total=True,
        unit=study.orders.money_unit,
    )


def _nobody_lost(frame: pd.DataFrame) -> str:
    """Say why formula 2 is empty in a hold-out, where it is."""
    if frame["Formula 2"].notna().all():
        return ""
    return (
        " Formula 2 is empty where by its rule of churn nobody had been lost by the cut, or been there long "
        "enough to be."
    )


_HELD = (
    Column("held_model", "Hold-out revenue: model", "money"),
    Column("held_actual", "Hold-out revenue: actual", "money"),
    Column("held_inside", "Inside the band", "text"),
)


def _with_holdout(frame: pd.DataFrame, comparison: Comparison) -> tuple[pd.DataFrame, Sequence[Column]]:
    """Return a table by segment with what the hold-out says of each, and the columns; none without one."""
    if comparison.holdout is None:
        return frame, ()
    joined = frame.join(_held_a_customer(comparison.holdout))
    joined["held_inside"] = joined["held_inside"].fillna("–")  # of a segment that nobody was in at the cut
    return joined, _HELD


def _held_a_customer(held: pd.DataFrame) -> pd.DataFrame:
    """Revenue a customer in the hold-out by segment: model, actual, and whether that is inside the band."""
    found = held[[MODEL, "actual"]].div(held["customers"], axis=0)
    found["inside"] = held["inside"].map({True: "yes", False: "no"})
    return found.set_axis([column.key for column in _HELD], axis=1)


def _of_the_new(comparison: Comparison, money: str) -> str:
    """Whose value it is, over what time, and at which margin."""
    e = comparison.economics
    return (
        f"Per newly acquired customer, first order included, {in_words(e.horizon)} from the first order, "
        f"contribution at {percent(e.margin)} margin{' in ' + money if money else ''}"
    )


def _of_new(comparison: Comparison) -> str:
    """What to say of segments of new customers, where there is something."""
    return f"{tables.unshown(comparison)}{_foretold(comparison)}"


def _sure_of(comparison: Comparison) -> str:
    """Say what bands of segments leave out, where their fits are at the mode."""
    at_mode = any(fit.posterior is None for fits in comparison.fits.values() for fit in fits)
    if not at_mode or comparison.table["model_new_p05"].isna().all():
        return ""
    return " Bands of these segments hold how far past totals were off, not how sure their own fits are."


def _foretold(comparison: Comparison) -> str:
    """Say that nobody knows of a new customer what segment it will be in, where that may be so."""
    if not comparison.undated:
        return ""
    said = tables.known_now("the first order")
    return (
        f" {said[:1].upper()}{said[1:]}: where it does, nobody knows which of these a new customer will be."
    )


def _aged(comparison: Comparison) -> pd.DataFrame:
    """The rows of a comparison, those marked whose customers are on average younger than the horizon."""
    frame = tables.segments(comparison)
    days = horizon_days(comparison.economics.horizon, comparison.as_of)
    young = (frame["exposure_days"] < days * frame["customers"]) & (frame.index != ALL)
    frame["young"] = young & frame["formula_1_within"].notna()
    frame["segment"] = tables.marked(frame)
    return frame


def _young(comparison: Comparison, frame: pd.DataFrame) -> str:
    """Say what is wrong with formula 1 where customers are young, if any are."""
    if not frame["young"].any():
        return ""
    return (
        f" (young): customers are on average younger than {in_words(comparison.economics.horizon)}, and "
        "formula 1 knows only the orders that they have had the time for: it is too low there, and nothing "
        "to hold against the model."
    )


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
