"""Tables of what the numbers rest on: assumptions, estimates and priors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.evaluation.sensitivity import prior_sensitivity
from clv.fitting.posterior import quantiles
from clv.models.histories import SpendHistory
from clv.reporting.grid import Column, Table, money, show_value
from clv.units import horizon_end, in_words, percent

if TYPE_CHECKING:
    from clv.evaluation.study import Study
    from clv.fitting.result import Fit


def assumptions(study: Study) -> Table:
    """What the numbers rest on."""
    o, e = study.orders, study.economics
    repeated = "one kept, where they share an order_id" if "order_id" in o.roles else "none in the data"
    rows = [
        ("As-of date", f"{study.as_of}, the end of that day"),
        (
            "Horizon",
            f"{in_words(e.horizon)} to {horizon_end(e.horizon, study.as_of)}, and the residual lifetime",
        ),
        ("Margin", f"{percent(e.margin)} of revenue, the same for every customer"),
        ("Discount rate", f"{percent(e.discount)} a year; a year has 365.25 days"),
        ("Acquisition cost", _cost_words(study)),
        ("Churn in formula 2", e.churn_rule().sentence),
        ("An order", "a day with purchases; what a customer buys in one day adds up"),
        ("Refunds", {None: "none in the data", "drop": "left out"}.get(o.refunds, "taken off their order")),
        (
            "Repeated rows",
            {"keep": "kept as orders of their own", "drop": "one kept"}.get(o.duplicates or "", repeated),
        ),
        ("Orders of zero", "a purchase without spend" if o.zero_orders == "count" else "not counted"),
        ("Purchases and spend", "independent: how often says nothing of how much (Gamma-Gamma)"),
        ("Seasons", "none: a forecast for part of a year has the level of a whole one"),
        ("RFM segments", study.cuts.sentence(o.digits, o.money_unit)),
    ]
    frame = pd.DataFrame(rows, columns=["what", "value"])
    columns = (Column("what", "Assumption", "text"), Column("value", "What is assumed", "text"))
    return Table("assumptions", "What the numbers rest on", columns, frame)


def _cost_words(study: Study) -> str:
    cac, unit = study.economics.cac, study.orders.money_unit
    if cac is None:
        return "not given: nothing after acquisition cost is shown"
    if isinstance(cac, Mapping):
        return "; ".join(f"{name} {money(cost, unit)}" for name, cost in cac.items())
    return f"{money(cac, unit)} {unit} a customer"


_SLIGHT = 0.0005  # a change that prints as nothing
METHODS = {
    "mle": "Maximum likelihood",
    "map": "The mode of the posterior",
    "laplace": "Draws from the posterior by importance sampling (PSIS)",
    "nuts": "Draws from the posterior by Hamiltonian Monte Carlo (NUTS)",
}


def how(fit: Fit) -> str:
    """Say how a fit was made; one that could not be drawn from is at its mode."""
    return METHODS["map" if fit.priors and not fit.posterior else fit.method]


def estimates(study: Study) -> Table:
    """Parameters of both models with errors and 90 % intervals; of draws their means, and quantities too."""
    rows: list[tuple[object, ...]] = []
    for fit in (study.purchase, study.spend):
        model, intervals, errors = type(fit.estimate).__name__, fit.intervals(), fit.standard_errors
        means = {name: float(draws.mean()) for name, draws in fit.draws.items()}
        rows += [
            (model, name, means.get(name, value), errors[name], *intervals[name])
            for name, value in fit.parameters.items()
        ]
        rows += [
            (model, name, float(v.mean()), float(v.std()), *map(float, quantiles(v, 0.9)))
            for name, v in fit.quantities.items()
        ]
    drawn = study.purchase.posterior is not None
    frame = pd.DataFrame(rows, columns=["model", "parameter", "value", "error", "low", "high"])
    columns = (
        Column("model", "Model", "text"),
        Column("parameter", "Parameter", "text"),
        Column("value", "Mean" if drawn else "Estimate", "number"),
        Column("error", "Standard deviation" if drawn else "Standard error", "number"),
        Column("low", "90 % from", "number"),
        Column("high", "to", "number"),
    )
    buys, likelihood = study.purchase, show_value(study.purchase.log_likelihood, "number")
    basis = (
        f"{how(buys)}. Purchases: of {buys.customers:,.0f} customers ({buys.histories:,} distinct histories; "
        f"log-likelihood {likelihood}). Spend: {_learnt(study)}. Time in weeks, money in "
        f"{study.orders.money_unit}."
    )
    return Table("estimates", "What was estimated", columns, frame, basis)


def _learnt(study: Study) -> str:
    """Whose orders the spend model has learnt from."""
    spend, likelihood = study.spend, show_value(study.spend.log_likelihood, "number")
    if spend.first_order == "excluded":
        return f"repeat orders of {spend.customers:,.0f} customers (log-likelihood {likelihood})"
    again = study.rfm.history(SpendHistory).weight.sum()
    return (
        f"all paid orders of {spend.customers:,.0f} customers, the first included (log-likelihood "
        f"{likelihood}); {again:,.0f} of them have repeat spend"
    )


def priors(study: Study) -> Table:
    """What was believed of each quantity, and how much the two models' results owe to that."""
    rows = []
    for fit in (study.purchase, study.spend):
        words = {q.name: q.words for q in fit.priors.quantities} if fit.priors else {}
        ranges = fit.priors.ranges if fit.priors else {}
        moved = prior_sensitivity(fit) if fit.posterior else pd.DataFrame(index=list(ranges))
        for name, row in moved.iterrows():
            low, high = ranges.get(str(name), (np.nan, np.nan))
            changes = [_slight(row[power]) if fit.posterior else "–" for power in ("half", "twice")]
            rows.append(
                (type(fit.estimate).__name__, words.get(str(name), "all of them"), low, high, *changes)
            )
    columns = (
        Column("model", "Model", "text"),
        Column("quantity", "Prior on", "text"),
        Column("low", "90 % from", "ratio"),
        Column("high", "to", "ratio"),
        Column("half", "Counting half", "text"),
        Column("twice", "Counting twice", "text"),
    )
    return Table(
        "priors",
        "What was believed before, and what it matters",
        columns,
        pd.DataFrame(rows, columns=[c.key for c in columns]),
        "The range holds nine populations in ten. The last columns: how far expected purchases in a year, or "
        "the mean value of a purchase, would move if this prior counted half, or twice.",
    )


def _slight(change: float) -> str:
    return "under 0.1 %" if abs(change) < _SLIGHT else show_value(change, "signed")
