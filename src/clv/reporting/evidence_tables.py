"""Tables of what speaks for the figures, and against them: the ledger, the back-test, tested assumptions."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.evaluation.choice import independence, timing
from clv.evaluation.results import Backtest
from clv.models.histories import SpendHistory
from clv.reporting.base_tables import season
from clv.reporting.grid import Column, Table
from clv.units import EPOCH, period_label, period_named

if TYPE_CHECKING:
    from clv.evaluation.study import Study
    from clv.reporting.reviews import Review

_USUAL = 0.95  # of the gaps between days with rows: weekends are usual, a holiday of weeks is not


def ledger(review: Review) -> Table | None:
    """Net revenue of the books beside that of the log, by fiscal year; None where it has none of them."""
    orders, books = review.study.orders, review.books
    if books is None:
        return None
    tally = orders.tally[["day", "money"]].dropna(subset="day")
    day = tally["day"].to_numpy(dtype=float)
    money = tally["money"].to_numpy(dtype=float) / 10.0**orders.digits
    start, end = _start(day), review.study.as_of
    within = books[(books["first"] >= start) & (books["last"] <= end)]
    if within.empty:
        return None
    rows = []
    for first, last, net in within.itertuples(index=False, name=None):
        inside = (day >= (first - EPOCH).days) & (day <= (last - EPOCH).days)
        year = period_label(first, "Y", review.year_start)
        rows.append((year, (last - first).days + 1, net, money[inside].sum()))
    frame = pd.DataFrame(rows, columns=["year", "days", "ledger", "booked"])
    frame = frame.groupby("year", as_index=False).sum()
    frame["year"] = [_part(*row, review.year_start) for row in zip(frame["year"], frame["days"], strict=True)]
    whole = frame.drop(columns="year").sum().to_dict() | {"year": "All"}
    frame = pd.concat([frame, pd.DataFrame([whole])], ignore_index=True)
    frame["gap"] = frame["booked"] - frame["ledger"]
    frame["share"] = frame["booked"] / frame["ledger"].where(frame["ledger"] != 0) - 1
    columns = (
        Column("year", "Year", "text"),
        Column("ledger", f"Ledger ({orders.money_unit})", "money"),
        Column("booked", "In the log", "money"),
        Column("gap", "Log less ledger", "money"),
        Column("share", "… as a share of it", "signed"),
    )
    left = len(books) - len(within)
    basis = (
        f"Net revenue by fiscal year, of the {len(within)} periods of the ledger that are over by {end} and "
        f"covered whole by the log{f'; {left} more are not' if left else ''}."
    )
    title = "The log against the ledger"
    return Table("ledger", title, columns, frame, basis, total=True, unit=orders.money_unit)


def _start(day: Any) -> dt.date:
    """First day that a log covers: as long before its first row as is usual between its days with any."""
    days = np.unique(day)
    usual = np.quantile(np.diff(days), _USUAL, method="higher") if len(days) > 1 else 0
    return EPOCH + dt.timedelta(days=int(days[0] - usual))


def _part(year: str, days: int, year_start: int) -> str:
    """Name of a fiscal year, marked where there is less than all of it."""
    span = period_named(year, year_start)
    return year if days > (span.last - span.first).days else f"{year} (part)"


def scores(test: Backtest, money: str) -> Table:
    """Every contender of a back-test, means over its origins."""
    frame = test.summary.reset_index(names="row")
    columns = (
        Column("row", "Forecast by", "text"),
        Column("value_error", "Total off by", "share"),
        Column("value_bias", "… with its sign", "signed"),
        Column("value_gini", "Ranking (Gini, best 1)", "ratio"),
        Column("value_top10", "Spend of its top 10 %", "share"),
        Column("value_mae", f"Mean miss a customer ({money})", "money"),
        Column("value_crps", "CRPS", "money"),
        Column("value_coverage50", "50 % bands held", "share"),
        Column("value_coverage90", "90 % bands held", "share"),
        Column("value_total_inside90", "Total inside its 90 % band", "share"),
        Column("brier", "Brier score of an order", "number"),
    )
    shown = [column for column in columns if column.key in frame]
    rows = test.table.drop_duplicates("origin")
    windows = "; ".join(f"{a} to {b}" for a, b in zip(rows["origin"], rows["end"], strict=True))
    return Table(
        "scores",
        "Every contender on the same customers",
        shown,
        frame,
        f"Means over {len(rows)} windows: {windows}. Revenue, undiscounted, of customers known at each "
        "start. Bands of totals count chance and parameters alone.",
        unit=money,
    )


def limits(study: Study) -> Table:
    """Assumptions that the data can speak to, and what they say."""
    rows = [
        ("Timing of orders is random", _said(timing(study.rfm.regularity))),
        ("How much is spent says nothing of how often", _said(independence(study.rfm.history(SpendHistory)))),
        ("There is no season", _season(study)),
        ("The log begins with the first customers", _truncation(study)),
    ]
    frame = pd.DataFrame(rows, columns=["assumption", "found"])
    columns = (Column("assumption", "Assumption", "text"), Column("found", "What the data say", "text"))
    return Table("limits", "What the data say of the assumptions", columns, frame)


def _said(sentence: str) -> str:
    _, _, rest = sentence.partition(": ")
    return rest[:1].upper() + rest[1:]


def _season(study: Study) -> str:
    found = season(study)
    if found is None:
        return "Under two whole years of log: a season cannot be told from growth."
    said = f"{found.month} brings {found.strength:.2f} times an average month"
    if not found.told:
        return f"{said}, the most of any: no more than chance may bring, or hardly a season."
    return f"{said}. Forecasts of part of a year do not know it; over whole years it evens out."


def _truncation(study: Study) -> str:
    found = [f for f in study.orders.findings if f.code == "D035"]
    if found:
        return found[0].nameless
    return "Nothing speaks against it: first orders do not crowd in the first days of the log."
