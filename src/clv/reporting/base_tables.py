"""Tables of the base as it is: by repeat orders, and revenue by when customers were acquired."""

from __future__ import annotations

from calendar import month_name
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from clv.data.dates import date_of
from clv.data.engines import fetch
from clv.reporting.grid import Column, Table
from clv.reporting.thresholds import SEASONAL
from clv.units import in_words

if TYPE_CHECKING:
    from clv.evaluation.study import Study

_BINS = ((0, 0), (1, 1), (2, 2), (3, 4), (5, 9), (10, 10**9))  # repeat orders of a row
_MANY = 8  # cohorts that can be told apart in a chart
_SHORT = 2 * 366  # days of a log whose cohorts are quarters
_FALSE = 0.03  # of logs without a season, of which one may be claimed


def repeats(study: Study) -> Table:
    """Customers by repeat orders: how many, what they have brought, and what they are expected to bring."""
    import ibis

    t = study.forecast.table
    place = ibis.cases(*((t.frequency <= high, at) for at, (_, high) in enumerate(_BINS)))
    sums = t.group_by(place=place).aggregate(
        customers=t.count(),
        past=t.historic_value.sum(),
        ahead=t.clv_mean.sum(),
        mean=t.clv_mean.mean(),
        median=t.clv_mean.quantile(0.5),
        buys=t.p_purchase.mean(),
    )
    frame: pd.DataFrame = fetch(sums).to_pandas().set_index("place").reindex(range(len(_BINS)))
    frame["row"] = [_bin(*ends) for ends in _BINS]
    for name in ("customers", "past", "ahead"):
        frame[name] = frame[name].fillna(0.0)
        frame[f"{name}_share"] = frame[name] / frame[name].sum()
    length, money = in_words(study.economics.horizon), study.orders.money_unit
    columns = (
        Column("row", "Repeat orders so far", "text"),
        Column("customers", "Customers", "count"),
        Column("customers_share", "Share of customers", "share"),
        Column("past_share", "Share of value so far", "share"),
        Column("ahead_share", f"Share of value, next {length}", "share"),
        Column("mean", f"Mean value ({money})", "money"),
        Column("median", "Median", "money"),
        Column("buys", "P(an order)", "share"),
    )
    title = "Who the customers are, by repeat orders"
    return Table("repeats", title, columns, frame, f"{study.forecast.basis}.", unit=money)


def _bin(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}+" if high >= 10**9 else f"{low}–{high}"


def cohorts(study: Study) -> Table:
    """Revenue by quarter of the calendar, and by when its customers placed their first order."""
    import ibis

    days = study.orders.days()
    first = days.day.min().over(ibis.window(group_by=days.customer))
    dated = days.mutate(when=date_of(days.day), since=date_of(first))
    span = fetch(dated.aggregate(low=dated.since.min(), high=dated.since.max())).to_pylist()[0]
    yearly = (span["high"] - span["low"]).days > _SHORT
    named = dated.mutate(
        quarter=_quarter(dated.when), cohort=_year(dated.since) if yearly else _quarter(dated.since)
    )
    sums = fetch(named.group_by("quarter", "cohort").aggregate(spent=named.spent.clip(lower=0).sum()))
    wide = sums.to_pandas().pivot(index="quarter", columns="cohort", values="spent").sort_index()
    wide = wide.astype(float).fillna(0.0) / 10.0**study.orders.digits
    names = [str(name) for name in sorted(wide.columns)]
    frame = _folded(wide[names], names).reset_index(names="row")
    kept = [name for name in frame.columns if name != "row"]
    money = study.orders.money_unit
    columns = (
        Column("row", "Quarter", "text"),
        *(Column(name, f"First order {name}", "money") for name in kept),
    )
    return Table(
        "cohorts",
        "Revenue by when its customers first bought",
        columns,
        frame,
        f"Revenue ({money}) of orders in use to {study.as_of}, by calendar quarter; the first and the last "
        "may be cut off.",
        unit=money,
    )


def _folded(wide: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Put the oldest cohorts together where there are more than can be told apart."""
    if len(names) <= _MANY:
        return wide
    old = names[: len(names) - _MANY + 1]
    together = wide[old].sum(axis=1).rename(f"up to {old[-1]}")
    return pd.concat([together, wide[names[len(old) :]]], axis=1)


def _quarter(date: Any) -> Any:
    return date.year().cast("string") + "-Q" + date.quarter().cast("string")


def _year(date: Any) -> Any:
    return date.year().cast("string")


@dataclass(frozen=True)
class Season:
    """The strongest month: how many times an average one it brings, and what chance alone may bring.

    Without a season the strongest of twelve passes `chance` in three logs of a hundred.
    """

    strength: float
    month: str
    chance: float

    @property
    def told(self) -> bool:
        """Whether it is strong enough to matter, and more than chance brings."""
        return self.strength >= max(SEASONAL, self.chance)


def season(study: Study) -> Season | None:
    """Return the strongest month of a log; None under two years."""
    book = study.orders.tally
    book = book[(book["reason"] == "used") & book["day"].notna()]
    return strongest(book["day"].to_numpy(), book["money"].to_numpy(dtype=float))


def strongest(day: Any, money: Any) -> Season | None:
    """Return the strongest month of sums of money by day, against the growth of a year around each month."""
    months = np.asarray(day).astype("datetime64[D]").astype("datetime64[M]")
    sums = pd.Series(money).groupby(months).sum()
    whole = sums.iloc[1:-1] if len(sums) > 2 else sums  # the ends may be cut off
    if len(whole) < 24:
        return None
    growth = whole.rolling(12, center=True, min_periods=12).mean().interpolate(limit_direction="both")
    of_year = np.array([month.month for month in pd.DatetimeIndex(whole.index)])
    against = whole / growth
    by = against.groupby(of_year)
    best, free = 1 + int(by.mean().to_numpy().argmax()), len(whole) - 12
    apart = float(np.sqrt(((against - by.transform("mean")) ** 2).sum() / free / by.count()[best]))
    chance = 1 + float(student.ppf(1 - _FALSE / 12, free)) * apart
    return Season(float(by.mean()[best]), month_name[best], chance)
