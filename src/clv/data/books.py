"""Small tables from the books: net revenue by period, and what was spent on customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.book_rules import overlapping, read_numbers, read_periods, strange
from clv.data.checks import RENAME, check_columns
from clv.data.engines import ROW, fetch
from clv.data.engines.sources import open_source
from clv.errors import DataError, error_of
from clv.units import add_months

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
        For periods that are none, or overlap. All problems at once.
    """
    table = _read(source, "ledger", ("net_revenue",))
    return _dated(table, (), ("net_revenue",), "the ledger", year_start)


def read_spending(source: Any, by: str, year_start: int = 1) -> pd.DataFrame:
    """Read what was spent on customers: first, last, the segment, acquisition_spend, retention_spend.

    Parameters
    ----------
    source : path, data frame or Ibis table with the columns period, `by`, acquisition_spend, retention_spend
    by : the segment column

    Raises
    ------
    DataError D001, D016
    ConfigError P002, P003
        Spend below 0, periods that are none or overlap. All problems at once.
    """
    table = _read(source, "spend", (by, *SPENT))
    table[by] = table[by].astype("string").fillna("unknown").astype(object)
    return _dated(table, (by,), SPENT, "the spend", year_start, least=0)


def read_plan(source: Any, by: str) -> pd.DataFrame:
    """Read how many customers are to be acquired: period, `by` and customers, for `Forecast.totals`.

    Raises DataError D001; what the cells mean is for the forecast to say.
    """
    return _read(source, "plan", (by, "customers"))


def spent_on_nobody(spent: pd.DataFrame, by: str, known: Collection[str]) -> str:
    """Say which segments money was spent on that no customer is in; empty where there is none."""
    said = strange(spent[by], known)
    return said and f"spend {said} What was spent on them counts in the cost of all customers alone."


def latest(books: pd.DataFrame, end: dt.date, months: int) -> pd.DataFrame:
    """Return whole periods of so many months, up to the last that is over by `end`.

    No row where that one was over as many months before: then nothing is known of them.
    """
    over = books[(books["last"] <= end) & (books["last"] > add_months(end, -months))]
    start = add_months(over["last"].max(), -months) if len(over) else end
    return books[(books["first"] > start) & (books["last"] <= end)]


def _read(source: Any, name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return period and further columns of a small table; DataError D001 for those that are not there."""
    opened = open_source(source)
    present = [column for column in opened.table.columns if column != ROW]
    wanted = {column: column for column in ("period", *columns)}
    problems = check_columns(present, wanted, f" in the {name} ({opened.name})", RENAME)
    if problems:
        raise DataError(*map(str, problems))
    frame: pd.DataFrame = fetch(opened.table.select(*wanted), opened.name).to_pandas()
    return frame


def _dated(
    frame: pd.DataFrame,
    by: Sequence[str],
    numbers: Sequence[str],
    of: str,
    year_start: int,
    least: float = -np.inf,
) -> pd.DataFrame:
    """Read the cells, with the first and last day in place of each period; or raise all that is wrong."""
    spans, periods = read_periods(frame, of, year_start)
    wrong = [*read_numbers(frame, numbers, of, least), *periods, *overlapping(list(spans.values()), of)]
    twice = frame[frame.duplicated(["period", *by]) & frame["period"].notna()]
    if len(twice):
        row = " · ".join(str(twice.iloc[0][column]) for column in ("period", *by))
        what = "a period and segment" if by else "a period"
        wrong.append(f"P003 {of} must have one row {what}; got {row} twice ({len(twice)} rows). Add them up.")
    if wrong:
        raise error_of(wrong)
    found = frame.drop(columns="period")
    found.insert(0, "first", [spans[label].first for label in frame["period"]])
    found.insert(1, "last", [spans[label].last for label in frame["period"]])
    return found.sort_values(["first", *by], kind="stable", ignore_index=True)
