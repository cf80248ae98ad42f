"""What the cells of a small table must be: numbers, periods, and segments; each kind of fault told once."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.units import Span, periods_named

if TYPE_CHECKING:
    import pandas as pd

_THOUSANDS, _DECIMAL = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?"), re.compile(r"-?[\d. ']*,\d+")
_NOTHING = "Write 0 where there was nothing."
_SHOWN = 8  # names that a message lists


def read_numbers(frame: pd.DataFrame, columns: Sequence[str], of: str, least: float = -np.inf) -> list[str]:
    """Put numbers in place of what stands in columns; D016 for what is none, P002 for what is below `least`.

    `frame` has a column `period`, by which messages name a row of the table that it is `of`.
    """
    import pandas as pd

    wrong = []
    for column in columns:
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        none, below = frame[~np.isfinite(values)], frame[np.isfinite(values) & (values < least)]
        frame[column] = values
        if len(none):
            period, value = none[["period", column]].iloc[0]
            got, hint = _misread(value)
            wrong.append(
                f"D016 {column} of {of} must be a number; got {got} in {period} ({len(none)} rows). {hint}"
            )
        if len(below):
            period, value = below[["period", column]].iloc[0]
            wrong.append(
                f"P002 {column} of {of} must be {least:g} or more; got {float(value):,.6g} in {period} "
                f"({len(below)} rows). {_NOTHING}"
            )
    return wrong


def _misread(value: Any) -> tuple[str, str]:
    """What stands where a number should, and what to write: decimal commas, and commas between thousands."""
    import pandas as pd

    if pd.isna(value):
        return "an empty cell", _NOTHING
    text = str(value).strip()
    if _THOUSANDS.fullmatch(text):
        hint = f"Write {text.replace(',', '')}: nothing stands between thousands here."
    elif _DECIMAL.fullmatch(text):
        meant = re.sub(r"[. ']", "", text).replace(",", ".")
        hint = f"Write {meant}: numbers here have a decimal point, and nothing between thousands."
    else:
        hint = "Mend the cell, or leave its row out."
    return repr(value), hint


def read_periods(frame: pd.DataFrame, of: str, year_start: int) -> tuple[dict[str, Span], list[str]]:
    """Put labels as texts in place of the column `period`; returns the periods by label, and P003."""
    frame["period"] = frame["period"].astype(object).map(period_text, na_action="ignore")
    spans, wrong = periods_named(frame["period"].dropna(), of, year_start)
    return spans, unnamed(frame, ["period"], of) + wrong


def period_text(value: Any) -> str:
    """Name of a period: a date, as some engines read "2026-10", is its month."""
    return f"{value:%Y-%m}" if isinstance(value, dt.date) else str(value).strip()


def overlapping(spans: Sequence[Span], of: str) -> list[str]:
    """P003 for periods of which one has days of the next."""
    ordered = sorted(spans, key=lambda span: (span.first, span.last))
    return [
        f"P003 {of} has overlapping periods: {one.label} and {other.label}. Add them up, or leave one out."
        for one, other in pairwise(ordered)
        if other.first <= one.last
    ]


def strange(names: Collection[str], known: Collection[str]) -> str:
    """Names that are none of those known, and which may have been meant; empty where there is none."""
    unknown = [name for name in dict.fromkeys(names) if name not in known]
    if not unknown:
        return ""
    near = {name: get_close_matches(name, known, 1) for name in unknown}
    meant = [repr(close[0]) for close in near.values() if close]
    hint = f"Did you mean {', '.join(meant)}?" if meant else f"There are {', '.join(sorted(known)[:_SHOWN])}."
    named = ", ".join(map(repr, unknown[:_SHOWN])) + (", …" if len(unknown) > _SHOWN else "")
    return f"names {named}, in which no customer is. {hint}"


def unnamed(frame: pd.DataFrame, columns: Sequence[str], of: str) -> list[str]:
    """P003 for rows without a period, P001 for rows without a segment."""
    wrong = []
    for column in columns:
        empty = np.flatnonzero(frame[column].isna() | (frame[column].astype(str).str.strip() == ""))
        if len(empty):
            code = "P003" if column == "period" else "P001"
            wrong.append(
                f"{code} row {empty[0] + 1} of {of} has no {column} ({len(empty)} rows). Fill it in."
            )
    return wrong
