"""Sums and means by the segment that customers are acquired in, and the tables made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from clv.data.engines import fetch
from clv.evaluation.backtest import OTHER
from clv.evaluation.compare import TINY
from clv.forecasting.totals import ALL
from clv.reporting.grid import Column, Table
from clv.units import in_words

if TYPE_CHECKING:
    from clv.reporting.reviews import Review

FEW = f"Values of fewer than {TINY} customers are left out"


def by_segment(review: Review, table: Any, **sums: Any) -> pd.DataFrame:
    """Sums over a table with a column `segment`, in the order of the comparison, over all rows last."""
    parts = [
        fetch(table.group_by("segment").aggregate(**sums)).to_pandas(),
        fetch(table.aggregate(**sums)).to_pandas().assign(segment=ALL),
    ]
    frame = pd.concat(parts, ignore_index=True).set_index("segment").astype(float)
    ordered: pd.DataFrame = frame.reindex(review.comparison.table.index)
    return ordered


def segment_of(table: Any, review: Review) -> Any:
    """The segment of customers as the comparison has it: small ones together."""
    import ibis

    pooled = list(review.comparison.pooled)
    column = table[review.by]
    return ibis.ifelse(column.isin(pooled), OTHER, column) if pooled else column


def valued(review: Review, beside: Any, *columns: str) -> Any:
    """Join a table by customer_id to `segment`, `clv_mean`, and further columns of the forecast."""
    t = review.study.forecast.table
    named = t.select("customer_id", "clv_mean", *columns, segment=segment_of(t, review))
    return named.inner_join(beside, "customer_id")


def group(name: str, where: Any, worth: Any) -> dict[str, Any]:
    """How many customers there are in a group, and their mean worth."""
    return {name: where.sum(), f"value_{name}": worth.mean(where=where)}


def hide_few(frame: pd.DataFrame) -> None:
    """Leave out means over fewer customers than a segment needs to stand in the comparison."""
    for name in frame.columns:
        if f"value_{name}" in frame:
            frame[f"value_{name}"] = frame[f"value_{name}"].where(frame[name] >= TINY)


def ahead(review: Review) -> str:
    """What the value of an existing customer is, in words."""
    span = f"{in_words(review.study.economics.horizon)} after {review.study.as_of}"
    return f"Value: mean discounted contribution of the {span} by the model"


def segment_table(
    review: Review, name: str, title: str, columns: Sequence[Column], frame: pd.DataFrame, basis: str
) -> Table:
    """A table by segment, of the columns that there is anything in."""
    words = review.by.replace("_", " ")
    shown = [c for c in columns if c.key in frame and frame[c.key].notna().any()]
    frame.insert(0, "segment", [str(one) for one in frame.index])
    first = Column("segment", words.capitalize(), "text")
    unit = review.study.orders.money_unit
    return Table(name, f"{title}, by {words}", [first, *shown], frame, basis, total=True, unit=unit)
