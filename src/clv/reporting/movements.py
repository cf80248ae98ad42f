"""Where customers went since an earlier run: from segment to segment, and who may be slipping away."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv.data.engines import fetch, keep
from clv.data.rfm import RFM
from clv.data.segments import SEGMENT_ORDER, RFMCuts
from clv.evaluation.study import Study
from clv.forecasting.customers import Forecast
from clv.reporting.grid import show_value
from clv.reporting.thresholds import AT_RISK_DAYS, AT_RISK_FALL, AT_RISK_TOP
from clv.units import in_words, percent

if TYPE_CHECKING:
    import pandas as pd

NEW, GONE = "New since then", "No longer in the log"
SOON = f"p_purchase_{AT_RISK_DAYS}d"  # the column of a run's forecast table


@dataclass(frozen=True)
class Terms:
    """What values are counted at, without which two of them cannot be compared."""

    currency: str
    horizon: str
    margin: float
    discount: float
    level: float

    def changed(self, now: Terms) -> dict[str, tuple[str, str]]:
        """What is another now, as it prints then and now."""
        shown: dict[str, Callable[[Any], str]] = {
            "currency": str,
            "horizon": in_words,
            "margin": percent,
            "discount": percent,
            "level": "{:.3f}".format,
        }
        pairs = {name: (f(getattr(self, name)), f(getattr(now, name))) for name, f in shown.items()}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@dataclass(frozen=True, eq=False)
class Before:
    """An earlier run: its base, with the RFM segments of then, their cut points, and its forecast table."""

    run_id: str
    rfm: RFM
    cuts: RFMCuts
    customers: Any
    terms: Terms


@dataclass(frozen=True, eq=False, repr=False)
class Movement:
    """Customers by their RFM segment then and now, both by the cut points of then.

    flows : a row a pair, `before` and `after`: customers, value_then and value_now, expected contribution
        over the horizons of both runs; newcomers come from `NEW`, who left the log went to `GONE`
    at_risk : by column, "segment acquired in" and "rfm_segment" of then: customers, value_then, value_now
    changed : what values were counted at otherwise then, by name, then and now: if anything, they are not
        compared
    top, slipping : customers who were worth most then, and those of them who are at risk
    table : the customers at risk, on the engine, worth most first; None where an earlier run did not keep
        what it takes
    """

    run_id: str
    since: dt.date
    today: dt.date
    by: str
    horizon: str
    currency: str
    changed: Mapping[str, tuple[str, str]]
    flows: pd.DataFrame
    at_risk: Mapping[str, pd.DataFrame]
    top: int
    slipping: int
    table: Any

    @property
    def comparable(self) -> bool:
        """Whether values of then can stand beside those of now."""
        return not self.changed

    @property
    def sentence(self) -> str:
        """How many stayed where they were, and what is at risk."""
        known = self.flows[~self.flows["before"].isin([NEW]) & ~self.flows["after"].isin([GONE])]
        stayed = known.loc[known["before"] == known["after"], "customers"].sum()
        total = known["customers"].sum()
        same = show_value(stayed / max(total, 1), "share")
        said = f"Of {total:,} customers known on {self.since}, {same} are in the same RFM segment. "
        if self.table is None:
            return f"{said}What is at risk cannot be told: run {self.run_id} did not keep {SOON}."
        rule = f"{percent(AT_RISK_FALL)} or more less likely to buy within {AT_RISK_DAYS} days"
        if not self.slipping:
            return f"{said}None of the {self.top:,} who were worth most has become {rule}."
        sums = self.at_risk[self.by][["value_then", "value_now"]].sum()
        value = f"{self.currency} of expected contribution"
        worth = f"{sums['value_then']:,.0f} {value} then, {sums['value_now']:,.0f} now"
        if not self.comparable:
            other = " and ".join(self.changed)
            worth = f"{sums['value_now']:,.0f} {value} now; then it was counted at another {other}"
        return f"{said}{self.slipping:,} of the {self.top:,} who were worth most have become {rule}: {worth}."


def chance_soon(forecast: Forecast) -> Any:
    """Return customer_id and `SOON`, the chance of a purchase in the next 90 days, on the engine."""
    t = forecast.p_purchase(AT_RISK_DAYS)
    return t.select("customer_id", **{SOON: t.p_purchase})


def movement(before: Before, study: Study, by: str, soon: Any) -> Movement | None:
    """Compare an earlier base with today's; None where they have nobody in common.

    `by` is the segment that customers are acquired in, `soon` what `chance_soon` gives of today's forecast.
    """
    both = keep(_both(before, study, by, soon))
    flows = _flows(both)
    if flows[~flows["before"].isin([NEW]) & ~flows["after"].isin([GONE])].empty:
        return None
    told = SOON in before.customers.columns
    at_risk, table, counts = {}, None, (0, 0)
    if told:
        worth_most = both.filter(
            both.before.notnull() & both.after.notnull() & (both.percentile >= 100 * (1 - AT_RISK_TOP))
        )
        table = worth_most.filter(worth_most.soon_now <= (1 - AT_RISK_FALL) * worth_most.soon_then)
        at_risk = {name: _sums(table, key) for name, key in ((by, "acquired_in"), ("rfm_segment", "before"))}
        counts = int(_count(worth_most)), int(_count(table))
    currency, ahead = study.orders.money_unit, study.forecast
    terms = Terms(currency, ahead.horizon, ahead.margin, ahead.discount, ahead.level)
    return Movement(
        before.run_id,
        before.rfm.as_of,
        study.as_of,
        by,
        study.economics.horizon,
        currency,
        before.terms.changed(terms),
        flows,
        at_risk,
        *counts,
        None if table is None else _listed(table, by),
    )


def _both(before: Before, study: Study, by: str, soon: Any) -> Any:
    """Join customers of then and now: what is null of one was not there."""
    import ibis

    old, new = before.rfm.table, before.cuts.apply(study.rfm).table
    said, ahead = before.customers, study.forecast.table
    told = {"soon_then": said[SOON]} if SOON in said.columns else {"soon_then": ibis.null("float64")}
    then = old.select("customer_id", before=old.rfm_segment).inner_join(
        said.select("customer_id", "percentile", value_then=said.clv_mean, **told), "customer_id"
    )
    now = (
        new.select(who="customer_id", after=new.rfm_segment, acquired_in=new[by])
        .inner_join(ahead.select(who=ahead.customer_id, value_now=ahead.clv_mean), "who")
        .inner_join(soon.select(who=soon.customer_id, soon_now=soon[SOON]), "who")
    )
    return then.outer_join(now, then.customer_id == now.who)


def _flows(both: Any) -> pd.DataFrame:
    """Sum up pairs of segments, in their order."""
    named = both.mutate(before=both.before.fill_null(NEW), after=both.after.fill_null(GONE))
    sums = {name: named[name].sum().fill_null(0.0) for name in ("value_then", "value_now")}
    rows = fetch(named.group_by("before", "after").aggregate(customers=named.count(), **sums)).to_pandas()
    rank = {name: at for at, name in enumerate((*SEGMENT_ORDER, NEW, GONE))}
    found: pd.DataFrame = rows.sort_values(["before", "after"], key=lambda v: v.map(rank), ignore_index=True)
    return found


def _sums(table: Any, key: str) -> pd.DataFrame:
    sums = {name: table[name].sum() for name in ("value_then", "value_now")}
    rows = fetch(table.group_by(key).aggregate(customers=table.count(), **sums)).to_pandas()
    found: pd.DataFrame = rows.set_index(key).sort_values("value_then", ascending=False)
    return found


def _count(table: Any) -> int:
    return int(fetch(table.aggregate(n=table.count())).to_pylist()[0]["n"])


def _listed(table: Any, by: str) -> Any:
    """The customers at risk, for those who may write to them; no report shows one."""
    found = table.select(
        "customer_id",
        **{by: table.acquired_in} if by != "rfm_segment" else {},
        rfm_segment_then=table.before,
        rfm_segment_now=table.after,
        clv_mean_then=table.value_then,
        clv_mean_now=table.value_now,
        **{f"{SOON}_then": table.soon_then, f"{SOON}_now": table.soon_now},
    )
    return found.order_by(found.clv_mean_then.desc(), "customer_id")
