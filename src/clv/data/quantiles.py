"""Quantiles and tenths by sorting, which every engine can; not all have a function for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from clv.data.engines import fetch


def quantiles(column: Any, shares: Sequence[float]) -> list[float]:
    """Quantiles of a numeric column at `shares` in [0, 1], linear between neighbours; NaN of nothing.

    Source: type 7 of Hyndman & Fan 1996, The American Statistician 50(4), 361–365.
    """
    values = column.name("value").as_table().filter(lambda t: t.value.notnull())
    last = fetch(values.aggregate(n=values.count())).to_pylist()[0]["n"] - 1
    found = []
    for share in shares:
        place = math.floor(last * share)
        near = values.order_by("value").limit(2, offset=max(place, 0))
        near = near.select(value=near.value + 0)  # on Spark, Ibis leaves a row number beside it
        pair = fetch(near)["value"].to_pylist()
        low, high = (float(v) for v in (pair + pair[-1:] + [math.nan] * 2)[:2])
        found.append(low + (last * share - place) * (high - low))
    return found


def by_tenth(table: Any, column: str, /, **sums: Any) -> list[dict[str, Any]]:
    """Rows and further `sums` by tenth of the rows by a column, tenth 0 the lowest; those without rows lack.

    Rows of one value are in the tenth of their middle, all of them, whatever their order: as
    `metrics.tenths` has it in memory. Only the distinct values are sorted, of which there are fewer.
    """
    import ibis

    distinct = table.group_by(ranked=table[column]).aggregate(rows=table.count(), **sums)
    up_to = distinct.rows.sum().over(ibis.cumulative_window(order_by=distinct.ranked))
    # Whole numbers up to the division: a share of rows may come out on either side of a tenth.
    tenth = 5 * (2 * up_to - distinct.rows) // distinct.rows.sum().over()
    placed = distinct.mutate(tenth=tenth)
    names = ("rows", *sums)
    found = placed.group_by("tenth").aggregate(**{name: placed[name].sum() for name in names})
    rows: list[dict[str, Any]] = fetch(found.order_by("tenth")).to_pylist()
    return rows
