"""Tables that the figures of a forecast draw: totals, maps of histories, concentration, and value by age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.data.engines import fetch
from clv.errors import ConfigError
from clv.evaluation.metrics import top_share
from clv.forecasting.checks import REACH
from clv.forecasting.customers import Forecast
from clv.forecasting.totals import ALL, WHOLE, Totals
from clv.models.draws import mean_over_draws
from clv.models.histories import PurchaseHistory
from clv.planning.prospects import Prospect, band, doubt
from clv.reporting.grid import Column, Table, show_value
from clv.reporting.thresholds import CURVE_MONTHS, CURVE_SHARES
from clv.units import DAYS_PER_YEAR, horizon_days, in_words, percent

if TYPE_CHECKING:
    from clv.models.protocols import Array

_MONTH = DAYS_PER_YEAR / 12
_FREQUENCIES = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500)
_ROWS, _COLUMNS = 9, 9  # of a map, at most


def periods(totals: Totals) -> Table:
    """Revenue of each fiscal period, of existing and new customers, with the band of their sum."""
    frame = totals.table
    if "period" not in frame:
        raise ConfigError('C001 these totals have no periods; make them with period="Q", or "M" or "Y".')
    by = frame.columns[0]
    if by != "population":
        frame = frame[frame[by] == ALL]
    shown = _stacked(frame[frame["period"] != WHOLE], "period", "revenue")
    partial = frame[frame["partial"]]["period"].unique()
    shown["row"] = [f"{name} (part)" if name in partial else name for name in shown["row"]]
    length = "month" if "-Q" not in shown["row"].iloc[0] else "quarter"
    length = length if "-" in shown["row"].iloc[0] else "year"
    return Table(
        "periods",
        f"Expected revenue by {length}",
        _stacked_columns(length.capitalize(), "money", "new" in shown),
        shown,
        _revenue_basis(totals),
        unit=totals.currency,
    )


def segments(totals: Totals) -> Table:
    """Value of each segment over the whole horizon, of existing and new customers, the largest first."""
    frame, by = totals.table, str(totals.table.columns[0])
    if "period" in frame:
        frame = frame[frame["period"] == WHOLE]
    title = f"Expected value by {by.replace('_', ' ')}"
    if by == "population":
        frame, by, title = frame.assign(segment=ALL), "segment", "Expected value of all customers"
    elif frame[by].nunique() > 1:
        frame = frame[frame[by] != ALL]
    shown = _stacked(frame, by, "clv").sort_values("total", ascending=False, ignore_index=True)
    label = by.replace("_", " ").capitalize()
    return Table(
        "segments",
        title,
        _stacked_columns(label, "money", "new" in shown),
        shown,
        f"{totals.basis}.",
        unit=totals.currency,
    )


def _stacked(frame: pd.DataFrame, key: str, measure: str) -> pd.DataFrame:
    """Rows of `key` with existing, new (where there are), their total, and the band of it."""
    parts = {name: rows.set_index(key) for name, rows in frame.groupby("population", sort=False)}
    whole = parts["all" if "all" in parts else "existing"]
    shown = pd.DataFrame({"existing": parts["existing"][measure].reindex(whole.index)})
    if "new" in parts:
        shown["new"] = parts["new"][measure].reindex(whole.index).fillna(0.0)
    shown["total"] = whole[measure]
    shown["low"], shown["high"] = whole[f"{measure}_p05"], whole[f"{measure}_p95"]
    return shown.rename_axis("row").reset_index()


def _stacked_columns(label: str, kind: Any, new: bool) -> Sequence[Column]:
    parts = (Column("existing", "Existing customers", kind), Column("new", "New customers", kind))
    return (
        Column("row", label, "text"),
        *(parts if new else ()),
        Column("total", "Expected", kind),
        Column("low", "5 %", kind),
        Column("high", "95 %", kind),
    )


def _revenue_basis(totals: Totals) -> str:
    """The basis of totals for what is neither contribution nor discounted."""
    population, _, _ = totals.basis.partition(", contribution")
    _, _, bands = totals.basis.rpartition("; bands: ")
    planned = ", and new customers as planned" if "all" in set(totals.table["population"]) else ""
    return f"{population}{planned}; revenue as it comes in, before margin and undiscounted; bands: {bands}."


def p_alive(forecast: Forecast) -> Table:
    """P(alive) by repeat orders and time since the last order, for customers of the base's median age."""
    return _map(forecast, "p_alive", "How likely a customer is still active", "share")


def frequency_recency(forecast: Forecast) -> Table:
    """Orders expected over the horizon, by the same."""
    length = in_words(forecast.horizon)
    return _map(forecast, "frequency_recency", f"Orders to expect of a customer, next {length}", "ratio")


def _map(forecast: Forecast, name: str, title: str, kind: Any) -> Table:
    if forecast.purchase.groups:
        raise ConfigError(
            "C012 a map is of one set of parameters; got a fit by groups. Fit a segment alone, or with "
            'pooling="complete".'
        )
    rows = forecast.rfm.grouped(("frequency", "T"))
    age = float(_middle(rows["T"], rows["customers"], 0.5))
    unit, since = _since(age)
    most = max(float(_middle(rows["frequency"], rows["customers"], 0.99)), 5.0)
    frequencies = [x for x in _FREQUENCIES if x <= most][:_COLUMNS]
    grid = pd.DataFrame([(x, s, age - s * unit[1]) for s in since for x in frequencies])
    grid = grid.set_axis(["frequency", "since", "recency"], axis=1)
    never = pd.DataFrame([{"frequency": 0, "since": age / unit[1], "recency": 0.0}])
    grid = pd.concat([grid, never], ignore_index=True)
    grid.insert(3, "age", age)
    possible = grid["recency"] >= grid["frequency"]  # that many days with an order there must have been
    some = grid[possible]
    grid[name] = np.nan
    h = PurchaseHistory.from_days(
        some["frequency"], some["recency"], some["age"], unit=forecast.purchase.unit
    )
    grid.loc[possible, name] = _said(forecast, name, h)
    once = show_value(grid[name].iloc[-1], kind)
    basis = (
        f"A customer whose first order was {age:,.0f} days before {forecast.rfm.as_of}, the median of "
        f"{len(forecast.rfm):,} existing customers; by {type(forecast.purchase.estimate).__name__}. One who "
        f"has not ordered again: {once}{_why(name, grid[name].iloc[-1])}."
        f"{'' if possible.all() else ' Empty: too many orders for the time.'}"
    )
    columns = (
        Column("frequency", "Repeat orders so far", "count"),
        Column("since", f"{unit[0].capitalize()} since the last order", "number"),
        Column("recency", "Days from first to last order", "count"),
        Column(name, title, kind),
    )
    return Table(name, title, columns, grid, basis)


def _why(name: str, once: float) -> str:
    """Say why somebody who has bought once is certain to be there."""
    return ", as in this model nobody leaves before a repeat order" if name == "p_alive" and once == 1 else ""


def _said(forecast: Forecast, name: str, h: PurchaseHistory) -> Array:
    if name == "p_alive":
        return mean_over_draws(forecast.purchase.model, len(h), lambda m: m.p_alive(h))
    return mean_over_draws(
        forecast.purchase.model, len(h), lambda m: m.expected_purchases(h, forecast.t)
    )  # fmt: skip


def _since(age: float) -> tuple[tuple[str, float], list[int]]:
    """Unit and steps of the time since the last order, from 0 to less than the age."""
    units = (("months", _MONTH), ("weeks", 7.0), ("days", 1.0))
    name, days = next((u for u in units if age >= 4 * u[1]), units[-1])
    steps = next(s for s in (1, 2, 3, 6, 12, 24, 60, 120) if age / days / s <= _ROWS or s == 120)
    return (name, days), [k * steps for k in range(_ROWS) if k * steps * days < age] or [0]


def _middle(values: Any, weights: Any, share: float) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / np.sum(weights)
    return float(values[order][np.searchsorted(reached, share - 1e-12)])


def lorenz(forecast: Forecast) -> Table:
    """Share of the forecast value that the best customers hold, from none to all of them."""
    value = fetch(forecast.table.select("clv_mean"))["clv_mean"].to_numpy()
    counts = [round(share * len(value)) for share in CURVE_SHARES]
    held = [top_share(value, value, count / len(value)) if count else 0.0 for count in counts]
    frame = pd.DataFrame({"share": CURVE_SHARES, "customers": counts, "value": held})
    columns = (
        Column("share", "Best customers", "share"),
        Column("customers", "How many", "count"),
        Column("value", "Share of forecast value", "share"),
    )
    title = "How few customers hold how much of the value ahead"
    return Table("lorenz", title, columns, frame, f"{forecast.basis}; ranked by the forecast.")


def value_by_age(forecast: Forecast) -> Table:
    """Value of a just-acquired customer by month, first order included; the band is of the mean."""
    rfm = forecast.rfm
    longest = float(fetch(rfm.table.aggregate(T=rfm.table["T"].max())).to_pylist()[0]["T"] or 0)
    wanted = forecast.days / _MONTH if np.isfinite(forecast.days) else 0.0
    last = int(np.clip(np.ceil(max(CURVE_MONTHS, wanted)), 1, max(REACH * longest / _MONTH, 1)))
    months = np.arange(last + 1)
    lengths = [f"{m}m" for m in months[1:]]
    one = Prospect(ALL, {}, forecast)
    first = forecast.level * forecast.margin * one.first.mean
    frame = pd.DataFrame({"months": months, "value": [first, *map(one.value_by, lengths)]})
    days = [0.0, *(horizon_days(length, rfm.as_of) for length in lengths)]
    frame[["low", "high"]] = [band(one.drawn(d / forecast.purchase.unit)) for d in days]
    frame["watched"] = np.where(months * _MONTH <= longest + _MONTH / 2, "yes", "beyond")
    columns = (
        Column("months", "Months since the first order", "count"),
        Column("value", "Value", "money"),
        Column("low", "5 %", "money"),
        Column("high", "95 %", "money"),
        Column("watched", "Within the data", "text"),
    )
    basis = (
        f"Per newly acquired customer, first order included, contribution at {forecast.margins.words}, "
        f"discounted at {percent(forecast.discount)} a year to the first order{forecast.levels.words}, "
        f"before acquisition cost; by customers known on {rfm.as_of}. {doubt(forecast)}"
    )
    title = "What a new customer is worth by age"
    return Table("value_by_age", title, columns, frame, basis, unit=rfm.currency)
