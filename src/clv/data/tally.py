"""Rows and money by day and reason, in one pass over the log: for the checks and the reconciliation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clv.data.cleaning import BEFORE_DATE, LATE, USED
from clv.data.engines import fetch

if TYPE_CHECKING:
    import pandas as pd

    from clv.data.contract import Transactions


def tally(
    rows: Any, conditions: Sequence[Any], by: Sequence[str] = ("day", "reason"), of: str | None = None
) -> pd.DataFrame:
    """Count rows and money (minor units), in all and where each condition holds; `of` names the source.

    Columns: `by`, rows, money, highest, sold (the money of amounts above 0), and `rows 0`, `money 0`, … for
    the conditions.
    """
    measures: dict[str, Any] = {"rows": rows.count(), "money": _sum(rows.minor), "highest": rows.minor.max()}
    measures["sold"] = _sum(rows.minor, rows.minor > 0)
    for i, condition in enumerate(conditions):
        measures[f"rows {i}"] = condition.sum().fill_null(0).cast("int64")
        measures[f"money {i}"] = _sum(rows.minor, condition)
    counted = rows.group_by(list(by)).aggregate(**measures) if by else rows.aggregate(**measures)
    frame: pd.DataFrame = fetch(counted, of).to_pandas(integer_object_nulls=True)
    return frame


def _sum(minor: Any, where: Any = None) -> Any:
    return minor.sum(where=where).fill_null(0).cast("int64")


def reconciliation(orders: Transactions) -> pd.DataFrame:
    """Rows, money and customers in = used + left out by reason."""
    import pandas as pd

    book = orders.tally[["day", "reason", "rows", "money"]].assign(customers=0)
    book["reason"] = final_reasons(book, orders.as_of_day)
    changed = _changed(orders)
    book = pd.concat([book.drop(columns="day"), *changed]).groupby("reason", as_index=False).sum()
    book["customers"] = book["reason"].map(_customers(orders)).fillna(0).astype("int64")
    book = book[(book["rows"] != 0) | (book["reason"] == USED)]
    book["money"] = book["money"].astype("int64") / 10**orders.digits
    book["last"] = book["reason"] != USED
    book = book.sort_values(["last", "rows", "reason"], ascending=[True, False, True])
    return book.drop(columns="last").reset_index(drop=True)[["reason", "rows", "money", "customers"]]


def final_reasons(book: pd.DataFrame, as_of: int) -> pd.Series:
    """Put the as-of date among the reasons that rows alone have."""
    late = book["day"].notna() & (book["day"].fillna(as_of) > as_of) & ~book["reason"].isin(BEFORE_DATE)
    return book["reason"].where(~late, LATE)


def _changed(orders: Transactions) -> list[pd.DataFrame]:
    """What repaired rows take from the reason that they had alone, and give to the one that they have."""
    if orders.repaired is None:
        return []
    rows = orders.repaired
    counted = rows.group_by("alone", "reason").aggregate(rows=rows.count(), money=_sum(rows.minor))
    frame = fetch(counted).to_pandas()
    minus = frame.assign(reason=frame["alone"], rows=-frame["rows"], money=-frame["money"])
    return [part[["reason", "rows", "money"]].assign(customers=0) for part in (minus, frame)]


def _customers(orders: Transactions) -> dict[str, int]:
    """Distinct customers by reason; a customer can be in several."""
    import ibis

    rows = orders.typed
    late = (rows.day > orders.as_of_day).fill_null(False) & ~rows.reason.isin(BEFORE_DATE)
    rows = rows.select("customer", reason=ibis.ifelse(late, LATE, rows.reason))
    rows = rows.filter(rows.reason != USED)
    if orders.repaired is not None:  # every refund that takes part is among the repaired rows
        repaired = orders.repaired.filter(orders.repaired.reason != USED).select("customer", "reason")
        rows = rows.filter(~rows.reason.isin(orders.parts)).union(repaired)
    counts = rows.group_by("reason").aggregate(n=rows.customer.nunique())
    out = {row["reason"]: int(row["n"]) for row in fetch(counts).to_pylist()}
    return out | {USED: orders.customers_used}
