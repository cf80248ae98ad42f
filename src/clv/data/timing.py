"""How regular purchases are: gaps between a customer's purchase days.

[WM90] Wheat & Morrison 1990, Journal of Marketing Research 27(1), 87–93: of two successive gaps that are
Gamma(k) with any rate, the share of the first is Beta(k, k), with variance 1/(4(2k + 1)). So k can be
read off customers with very different rates: 1 is purely random timing, more is regular, less is clumped.

Tables of customer-days have a row per customer and day: customer_id, day (int32 since 1970-01-01).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clv.data.engines import fetch


@dataclass(frozen=True)
class Regularity:
    """The share M of the earlier of each customer's two last gaps: how many, mean, and variance."""

    customers: int
    mean: float
    variance: float

    @property
    def k(self) -> float:
        """The shape k = (1 − 4·variance)/(8·variance), (0, ∞]; NaN under two customers. [WM90]."""
        if math.isnan(self.variance):
            return math.nan
        return max(1 - 4 * self.variance, 0.0) / (8 * self.variance) if self.variance else math.inf


def gap_sums(days: Any) -> Any:
    """Sums over each customer's gaps, an Ibis table with a row a customer.

    Columns: customer_id, n_gaps (int32), sum_gaps (int32, days), sum_log_gaps (float64, of natural logs of
    days; 0 without gaps). A sum of logs differs in its last digits from engine to engine: an aggregate,
    never a key.
    """
    gaps = _gaps(days)
    return gaps.group_by("customer_id").aggregate(
        n_gaps=gaps.gap.count().cast("int32"),
        sum_gaps=gaps.gap.sum().fill_null(0).cast("int32"),
        sum_log_gaps=gaps.gap.cast("float64").ln().sum().fill_null(0.0),
    )


def repeats_by_week(days: Any, weeks: int) -> list[int]:
    """Count the purchase days of all customers, but for everybody's first, in the first `weeks` weeks."""
    first = days.group_by("customer_id").aggregate(first=days.day.min())
    start = fetch(days.aggregate(day=days.day.min())).to_pylist()[0]["day"]
    repeats = days.inner_join(first, "customer_id")
    repeats = repeats.filter(repeats.day > repeats["first"])
    repeats = repeats.select(week=((repeats.day - (start or 0)) / 7).floor().cast("int64"))
    found = fetch(repeats.group_by("week").aggregate(n=repeats.count())).to_pylist()
    counts = {row["week"]: int(row["n"]) for row in found}
    return [counts.get(week, 0) for week in range(weeks)]


def gap_shares(days: Any, intervals: Sequence[tuple[int, int]]) -> tuple[int, list[float]]:
    """Count all gaps, and the share that lies in each interval of days, ends included; NaN without gaps."""
    gap = _gaps(days).gap
    inside = {f"n{i}": gap.between(*ends).sum() for i, ends in enumerate(intervals)}
    row = fetch(_gaps(days).aggregate(all=gap.count(), **inside)).to_pylist()[0]
    total = int(row["all"])
    return total, [(row[name] or 0) / total if total else math.nan for name in inside]


def regularity(days: Any) -> Regularity:
    """Measure M = t1/(t1 + t2) over the two last gaps t1, t2 of every customer with two or more. [WM90].

    Distinct pairs are grouped on the engine, so the result is the same on each. Days are whole: gaps of very
    few days look more regular than they are.
    """
    import ibis

    by_day = ibis.window(group_by=days.customer_id, order_by=days.day)
    seen = days.select(
        t2=days.day - days.day.lag(1).over(by_day),
        t1=days.day.lag(1).over(by_day) - days.day.lag(2).over(by_day),
        last=days.day.lead(1).over(by_day).isnull(),
    )
    pairs = seen.filter(seen["last"] & seen.t1.notnull()).group_by("t1", "t2")
    rows = fetch(pairs.aggregate(customers=lambda t: t.count()).order_by("t1", "t2")).to_pydict()
    t1, t2, weight = (np.asarray(rows[name], dtype=float) for name in ("t1", "t2", "customers"))
    count = float(weight.sum())
    share = t1 / (t1 + t2)
    mean = float(weight @ share / count) if count else math.nan
    variance = float(weight @ (share - mean) ** 2 / (count - 1)) if count > 1 else math.nan
    return Regularity(int(count), mean, variance)


def _gaps(days: Any) -> Any:
    """Each purchase day with the days since the one before; null at the first."""
    import ibis

    by_day = ibis.window(group_by=days.customer_id, order_by=days.day)
    return days.select("customer_id", gap=days.day - days.day.lag(1).over(by_day))
