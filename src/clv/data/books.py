"""Small tables from the books: net revenue by period, and what was spent on customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.checks import check_columns
from clv.data.engines import ROW, fetch
from clv.data.engines.sources import open_source
from clv.errors import ConfigError, DataError
from clv.units import Span, period_named

if TYPE_CHECKING:
    import pandas as pd

SPENT = ("acquisition_spend", "retention_spend")


def read_ledger(source: Any, year_start: int = 1) -> pd.DataFrame:
    """Read net revenue by period: columns first and last (dates of the period), net_revenue.

    Parameters
    ----------
    source : path, data frame or Ibis table with the columns period ("2026-09", "2026-Q3") and net_revenue
    year_start : month that fiscal years begin with

    Raises
    ------
    DataError D001, D016
    ConfigError P003
        For periods that are none, or overlap.
    """
    table = _read(source, "ledger", ("net_revenue",), ())
    return _dated(table, (), "ledger", year_start)


def read_spending(
    source: Any, by: str, known: Collection[str] | None = None, year_start: int = 1
) -> pd.DataFrame:
    """Read what was spent on customers: first, last, the segment, acquisition_spend, retention_spend.

    Parameters
    ----------
    source : path, data frame or Ibis table with the columns period, `by`, acquisition_spend, retention_spend
    by : the segment column
    known : the segments that there are, if they are to be checked

    Raises
    ------
    DataError D001, D016
    ConfigError P001, P002, P003
        Unknown segments, spend below 0, periods that are none or overlap: all at once.
    """
    table = _read(source, "spend", SPENT, (by,))
    table[by] = table[by].astype("string").fillna("unknown").astype(object)
    wrong = []
    for name in SPENT:
        below = table[table[name] < 0]
        if len(below):
            row = below.iloc[0]
            wrong.append(
                f"P002 {name} must be 0 or more; got {row[name]:,.2f} in {row['period']} ({len(below)} rows)."
            )
    strange = sorted(set(table[by]) - set(known)) if known is not None else []
    if strange and known is not None:
        have = ", ".join(sorted(known)[:8])
        named = ", ".join(map(repr, strange))
        wrong.append(f"P001 spend names {named}, in which no customer is. There are {have}.")
    try:
        found = _dated(table, (by,), "spend", year_start)
    except ConfigError as error:
        raise ConfigError(*wrong, *error.messages) from None
    if wrong:
        raise ConfigError(*wrong)
    return found


def read_plan(source: Any, by: str) -> pd.DataFrame:
    """Read how many customers are to be acquired: period as text, `by` and customers, for `Forecast.totals`.

    Raises DataError D001 and D016; what the periods and segments mean is for the forecast to say.
    """
    plan = _read(source, "plan", ("customers",), (by,))
    return plan.assign(**{"period": plan["period"].map(_label), by: plan[by].astype("string").astype(object)})


def within(books: pd.DataFrame, after: dt.date, end: dt.date) -> pd.DataFrame:
    """Return the rows whose whole period lies in (after, end]."""
    return books[(books["first"] > after) & (books["last"] <= end)]


def _read(source: Any, name: str, numbers: Sequence[str], texts: Sequence[str]) -> pd.DataFrame:
    opened = open_source(source)
    roles = {column: column for column in ("period", *texts, *numbers)}
    problems = check_columns([column for column in opened.table.columns if column != ROW], roles)
    if problems:
        raise DataError(*(f"{finding}" for finding in problems))
    frame: pd.DataFrame = fetch(opened.table.select(*roles), opened.name).to_pandas()
    wrong = []
    for column in numbers:
        values = _numbers(frame[column])
        bad = frame[~np.isfinite(values)]
        if len(bad):
            wrong.append(
                f"D016 {column} of the {name} must be a number; got {bad[column].iloc[0]!r} in "
                f"{bad['period'].iloc[0]} ({len(bad)} rows)."
            )
        frame[column] = values
    if wrong:
        raise DataError(*wrong)
    return frame


def _numbers(column: pd.Series) -> Any:
    import pandas as pd

    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _dated(frame: pd.DataFrame, by: Sequence[str], name: str, year_start: int) -> pd.DataFrame:
    """Put the first and last day in place of each period; ConfigError P003 where that cannot be."""
    wrong: list[str] = []
    spans: dict[str, Span] = {}
    for label in dict.fromkeys(map(_label, frame["period"])):
        try:
            spans[label] = period_named(label, year_start)
        except ConfigError as error:
            wrong += error.messages
    ordered = sorted(spans.values(), key=lambda span: (span.first, span.last))
    wrong += [
        f"P003 {name} has overlapping periods: {one.label} and {other.label}."
        for one, other in pairwise(ordered)
        if other.first <= one.last
    ]
    twice = frame[frame.duplicated(["period", *by])]
    if len(twice):
        row = " · ".join(str(twice.iloc[0][column]) for column in ("period", *by))
        wrong.append(
            f"P003 {name} must have one row a period{' and segment' if by else ''}; got {row} twice."
        )
    if wrong:
        raise ConfigError(*wrong)
    found = frame.drop(columns="period")
    found.insert(0, "first", [spans[_label(value)].first for value in frame["period"]])
    found.insert(1, "last", [spans[_label(value)].last for value in frame["period"]])
    return found.sort_values(["first", *by], kind="stable", ignore_index=True)


def _label(value: Any) -> str:
    """Name of a period: a date, as some engines read "2026-10", is its month."""
    return f"{value:%Y-%m}" if isinstance(value, dt.date) else str(value).strip()
