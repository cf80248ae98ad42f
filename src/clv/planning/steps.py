"""Why formula and model differ: a bridge in steps that add up, in total and for every segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.forecasting.customers import Forecast
from clv.forecasting.totals import ALL
from clv.planning.prospects import (
    Compared,
    Prospect,
    as_html,
    check_kinds,
    doubt,
    gain,
    money,
    new_basis,
    prospects_of,
)
from clv.planning.rankings import reversals
from clv.planning.rungs import STEPS, Rungs, daily_churn
from clv.units import daily_discount

if TYPE_CHECKING:
    import pandas as pd

START, REST, END = "formula 1", "rest of the model", "model"
WORDS = dict(
    zip(
        STEPS,
        (
            *("CAC charged in full", "before CAC", "horizon", "discounting", "churn definition"),
            *("heterogeneity", "spend shrinkage"),
        ),
        strict=True,
    )
)


@dataclass(frozen=True, eq=False, repr=False)
class Bridge:
    """From formula 1 as quoted to the model's value of a new customer; `table` is by segment and step.

    amount : what the step adds; of the first row the formula, of the last the model's value: contribution
        over the horizon, first order included, discounted, before CAC
    level : the value with this step taken and all before it
    reversed : what the step adds when all are taken in the reverse order

    What each step means is in `clv.planning.rungs`. "heterogeneity" puts customers who differ, each leaving
    by itself, in place of one average customer: where it comes before "churn definition" it leaves that
    nothing to change. "rest of the model" is what remains: draws of the parameters in place of their mode, a
    simpler model where the data do not tell, the forecast's level. "formula 1" is as quoted; where CAC is not
    known it is before CAC, whose steps are NaN. `reversals` are pairs of segments that the model ranks
    the other way round.
    """

    table: pd.DataFrame
    currency: str
    basis: str
    notes: Sequence[str]
    reversals: Sequence[str]

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table

    @property
    def wide(self) -> pd.DataFrame:
        """Amounts by segment, a column a step."""
        names = [START, *WORDS.values(), REST, END]
        wide = self.table.pivot(index="segment", columns="step", values="amount")
        return wide.loc[list(dict.fromkeys(self.table["segment"])), names]

    @property
    def sentence(self) -> str:
        """From where to where the bridge of the whole base leads, and by which step most."""
        one: Mapping[Any, float] = self.wide.loc[[ALL]].to_dict("records")[0]
        charged = (WORDS["cac_in_full"], WORDS["before_cac"])  # a convention, and no difference of opinion
        steps = {name: one[name] for name in (*WORDS.values(), REST) if name not in charged}
        name = max(steps, key=lambda step: abs(steps[step]))
        said, modelled = (money(one[name], self.currency) for name in (START, END))
        quoted = np.isfinite(one["before CAC"])
        start = f"{START} {'as quoted' if quoted else 'before CAC'}"
        largest = f"{'Beside how CAC is charged, the' if quoted else 'The'} largest step is {name}"
        return (
            f"Of a new customer {start} says {said}, the model {modelled}. "
            f"{largest}: {gain(steps[name], self.currency)}."
        )

    def __repr__(self) -> str:
        return f"<Bridge: {self.basis}>\n" + "\n".join([self.sentence, *self.reversals])

    def _repr_html_(self) -> str:
        return as_html((self.basis, self.sentence, *self.reversals, *self.notes), self.wide)


def bridge(forecast: Forecast, comparison: Compared) -> Bridge:
    """Lead from formula 1 as quoted to the model's value of a new customer, step by step.

    `comparison` is one of this forecast with the formulas, by the wanted segment. Raises ConfigError C010
    where they do not belong together, C012 for fits by groups.
    """
    import pandas as pd

    check_kinds("bridge", forecast, comparison)
    prospects = prospects_of(forecast, comparison)
    rows = [row for one in prospects for row in _rows(one, rungs_of(one, comparison))]
    basis, notes = new_basis(forecast, comparison.by), list(_notes(prospects, comparison))
    return Bridge(pd.DataFrame(rows), forecast.rfm.currency, basis, notes, reversals(prospects))


def rungs_of(prospect: Prospect, comparison: Compared) -> Rungs:
    """Return what formula 1 and the model know of a new customer of a segment."""
    row, forecast, rule = prospect.row, prospect.forecast, comparison.economics.churn_rule()
    purchase, spend, unit = forecast.purchase.estimate, forecast.spend.estimate, forecast.purchase.unit

    def repeats(days: float, discount: float) -> float:
        found = purchase.discounted_purchases(prospect.base.history, discount * unit, days / unit)
        return float(np.ravel(found)[0])

    each = prospect.first.repeats(spend, prospect.first.mean)
    return Rungs(
        aov=row["aov"],
        orders=row["orders_per_customer"],
        lifetime=row["exposure_days"] / row["customers"],
        cac=prospect.cac,
        margin=forecast.margin,
        churn=daily_churn(row["churn"], rule.period_days),
        horizon=forecast.days,
        discount=daily_discount(forecast.discount),
        repeats=repeats,
        first=prospect.first.mean,
        each=prospect.base.paid_share * float(each[0]),
    )


def _rows(prospect: Prospect, rungs: Rungs) -> Iterator[dict[str, Any]]:
    start, level = rungs.value(()), rungs.value(STEPS)
    rest = prospect.value - level
    amounts, backwards = rungs.amounts(), rungs.amounts(STEPS[::-1])
    head = {"segment": prospect.name}
    yield head | {"step": START, "amount": start, "level": start, "reversed": start}
    for at, name in enumerate(STEPS, 1):
        amount = {"amount": amounts[name], "level": rungs.value(STEPS[:at]), "reversed": backwards[name]}
        yield head | {"step": WORDS[name], **amount}
    yield head | {"step": REST, "amount": rest, "level": prospect.value, "reversed": rest}
    yield head | {"step": END, "amount": prospect.value, "level": prospect.value, "reversed": prospect.value}


def _notes(prospects: Sequence[Prospect], comparison: Compared) -> Iterator[str]:
    yield (
        f"Churn: {comparison.economics.churn_rule().sentence}. Steps are what they are in this order; the "
        "reverse order shows how far that matters."
    )
    unknown = [one.name for one in prospects if np.isnan(one.cac)]
    if unknown:
        yield f"CAC is not known of {', '.join(unknown)}: the bridge starts with the formula before CAC."
    still = [one.name for one in prospects if np.isnan(one.row["churn"])]
    if still:
        yield f"Nobody of {', '.join(still)} was seen to leave, so that churn is 0 there."
    shared = [one.name for one in prospects if not one.row["own_fit"] and one.name != ALL]
    if shared:
        yield (
            f"{', '.join(shared)}: valued by the fit of the whole base, having none of its own, so that "
            "from heterogeneity on the steps lead to the whole base's customers."
        )
    yield doubt(prospects[-1].forecast)
