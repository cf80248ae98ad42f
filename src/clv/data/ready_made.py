"""A ready-made RFM table, as lifetimes and PyMC-Marketing make them, checked and in our own columns.

| column           | must mean                                   | the trap                       |
|------------------|---------------------------------------------|--------------------------------|
| `frequency`      | repeat purchases (days or periods with one) | the first purchase counted too |
| `recency`        | age at the last purchase: last − first      | time since it                  |
| `T`              | age: end of the observation − first         | another unit                   |
| `monetary_value` | mean of repeat purchases, 0 without any     | the first purchase in the mean |

Times come in `unit`; here they become days. Whole days become int32, as in a table made from orders. Others
(weeks to two decimals, months) keep their value, in float64: nothing is moved, so a fit finds the parameters
that the maker's own library finds. Such a table does not know first orders or dates; their columns are left
out, never filled.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from clv.data.cleaning import segment_column
from clv.data.engines import ROW, keep, plain_text
from clv.data.engines.sources import open_source
from clv.data.ready_made_rules import EXACT, broken_rules, repeated_customers, table_facts
from clv.errors import DataError
from clv.units import days_in

_ROLES = ("frequency", "recency", "T", "monetary_value")  # lifetimes' calibration tables add `_cal`
_FINITE = 1e300  # no engine takes NaN or infinity to be less
_CLOSE = 0.6  # likeness of names that are taken for a slip of the pen


def read_rfm(
    source: Any,
    *,
    unit: str | float,
    customer: str | None = None,
    digits: int = 2,
    segments: Sequence[str] = (),
) -> tuple[Any, list[str]]:
    """Bring a ready-made RFM table into our columns; returns it with every problem found.

    Parameters
    ----------
    source : data frame, Parquet file or Ibis table (see `open_source`); a row a customer
        Columns frequency, recency, T and, for spend, monetary_value (in major units).
    unit : "day", "week", "month" or a number of days
        What recency and T are measured in.
    customer : the column, or named index, of ids; by default customer_id, else the frame's named index
    digits : decimals of the currency
    segments : further columns to keep, as text

    Returns
    -------
    An Ibis table and the problems, each led by its code. Columns, in this order: customer_id (string),
    frequency (int32), recency and T (int32 days, or float64 where they are no whole days); with money
    spend_days (int32), repeat_spend (int64 minor units), monetary_value (float64); then the segments. The
    table is None where columns are missing or hold no numbers, and of no use where there are problems.
    """
    per_unit = days_in(unit)
    table, name = _opened(source, customer)
    roles, problems = _columns(table, name, segments)
    if problems:
        return None, problems
    rows = keep(_typed(table, name, roles, segments))
    facts = table_facts(rows, per_unit)
    if not facts["rows"]:
        return None, ["D002 the RFM table has 0 rows. Check how it was made."]
    problems = repeated_customers(rows, facts) + broken_rules(rows, per_unit, digits, facts)
    whole = facts["off"] is not None and facts["off"] <= EXACT
    return _shaped(rows, per_unit, whole, digits, segments), problems


def need(table: Any, names: Sequence[str], what: str) -> None:
    """Raise DataError D047 where an RFM table lacks the columns that `what` is made of."""
    missing = [name for name in names if name not in table.columns]
    if not missing:
        return
    if "spend_days" in missing:
        answer = "Give the table a column monetary_value."
    else:
        answer = "A ready-made table cannot know it: start from orders, with clv.Transactions(…).rfm()."
    have = ", ".join(table.columns)
    raise DataError(f"D047 {what} needs the column {', '.join(missing)}; this RFM table has {have}. {answer}")


# Opening.


def _opened(source: Any, customer: str | None) -> tuple[Any, str]:
    """Return the source as an Ibis table, and the name of its column of ids.

    lifetimes leaves the ids in the index.
    """
    import pandas as pd

    name = customer or "customer_id"
    if isinstance(source, pd.DataFrame) and name not in source.columns:
        index = source.index.name
        if index is not None and customer in (None, index):
            source = source.rename_axis(index=name).reset_index()
    return open_source(source).table, name


def missing_column(name: str, columns: Sequence[str]) -> str:
    """D001 in words, with the column that may be meant."""
    columns = [column for column in columns if column != ROW]
    close = _close(name, columns)
    hint = f"Did you mean {close!r}? Rename it to {name!r}." if close else "Add it, or rename the right one."
    present = ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")
    return f"D001 Column {name!r} not found. Columns present: {present}. {hint}"


def _close(name: str, columns: Sequence[str]) -> str | None:
    lower = {column.lower(): column for column in columns}
    close = difflib.get_close_matches(name.lower(), lower, 1, _CLOSE)
    return lower[close[0]] if close else None


def _columns(table: Any, customer: str, segments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Where each role stands in the table, and what is missing or of the wrong kind."""
    have = list(table.columns)
    roles = {role: name for role in _ROLES for name in (f"{role}_cal", role) if name in have}
    problems = [missing_column(name, have) for name in (customer, *segments) if name not in have]
    for role in _ROLES:
        if role in roles or (role == "monetary_value" and _close(role, have) is None):
            continue  # money may be missing, but not by a slip of the pen
        problems.append(missing_column(role, have))
        if role == "T" and "recency" in roles:
            problems[-1] += " include_first_transaction=True leaves it out: set it to False."
    problems += [
        f"D046 {name} must hold numbers; got {str(table[name].type()).strip('!')}. Convert the column."
        for name in roles.values()
        if not table[name].type().is_numeric()
    ]
    return roles, problems


# Our columns.


def _typed(table: Any, customer: str, roles: dict[str, str], segments: Sequence[str]) -> Any:
    """Ids as text, numbers as float64 in the unit they came in; what is not finite is null."""
    import ibis

    numbers = {role: table[name].cast("float64") for role, name in roles.items()}
    nothing = ibis.null("float64")
    return table.select(
        customer_id=plain_text(table[customer]),
        **{role: ibis.ifelse(v.abs() <= _FINITE, v, nothing) for role, v in numbers.items()},
        **{segment_column(name): plain_text(table[name]).fill_null("unknown") for name in segments},
    )


def _shaped(rows: Any, per_unit: float, whole: bool, digits: int, segments: Sequence[str]) -> Any:
    import ibis

    T = _days(rows["T"], per_unit, whole)
    recency = ibis.least(_days(rows.recency, per_unit, whole), T)  # above it only by a float's last digit
    columns: dict[str, Any] = {"frequency": rows.frequency.cast("int32"), "recency": recency, "T": T}
    if "monetary_value" in rows.columns:
        columns |= _spend(rows, digits)
    return rows.select("customer_id", **columns, **{name: rows[segment_column(name)] for name in segments})


def _days(time: Any, per_unit: float, whole: bool) -> Any:
    import ibis

    days = time * per_unit
    if whole:
        return (days + 0.5).floor().cast("int32")
    return ibis.ifelse(days == 0, 0.0, days)  # −0.0 is another key on some engines


def _spend(rows: Any, digits: int) -> dict[str, Any]:
    """Total repeat spend in minor units, half to even, and the days it was spent on."""
    import ibis

    exact = rows.monetary_value.fill_null(0.0) * rows.frequency * 10.0**digits
    low = exact.floor()
    up = (exact - low > 0.5) | ((exact - low == 0.5) & ((low / 2).floor() * 2 != low))
    spend = (low + ibis.ifelse(up, 1.0, 0.0)).cast("int64")
    days = ibis.ifelse(spend > 0, rows.frequency, 0.0).cast("int32")
    return {
        "spend_days": days,
        "repeat_spend": spend,
        "monetary_value": ibis.ifelse(days > 0, spend / days / 10.0**digits, 0.0),
    }
