"""Orders → RFM, one row per customer: one definition for every engine, kept where the data is."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.cleaning import segment_column
from clv.data.engines import EPOCH
from clv.errors import DataError
from clv.models.histories import PurchaseHistory, SpendHistory
from clv.units import WEEK

if TYPE_CHECKING:
    import pandas as pd

    from clv.data.contract import Transactions

_COLUMNS = (
    "customer_id frequency recency T spend_days repeat_spend first_amount monetary_value orders first_date "
    "last_date cohort rfm_segment actual_purchases actual_spend as_of run_id horizon p_alive p_purchase "
    "expected_purchases expected_spend clv_mean clv_median clv_p05 clv_p95 historic_value percentile flags "
    "e0 e1 c0 c1 customers clv"
)
RESERVED = frozenset(_COLUMNS.lower().split())  # names that no segment can have, in lower case
COHORT_MONTHS = 12  # cohorts are months when first orders span at most this many, else quarters


@dataclass(frozen=True, eq=False, repr=False)
class RFM:
    """One row per customer, as an Ibis table, with the as-of date and the units that go with it.

    Columns: customer_id, frequency, recency, T (int32 days), spend_days, repeat_spend and first_amount
    (int64 minor units), monetary_value, orders, first_date, last_date, cohort, and the segments.
    `unit` is the number of days in a time unit of its histories; `digits` the currency's decimals;
    `undated` names the segments of the customers table, which may know the future of an earlier cut.
    """

    table: Any
    as_of: dt.date
    digits: int = 2
    segments: tuple[str, ...] = ()
    unit: float = WEEK
    undated: tuple[str, ...] = ()
    quarterly: bool = False

    @classmethod
    def from_orders(cls, orders: Transactions, quarterly: bool | None = None) -> RFM:
        """Count the orders in use; see `Transactions.rfm`, which checks them first.

        Cohorts are months, or quarters where first orders stretch over more than a year, unless said.
        """
        names = tuple(orders.segments)
        table = _count(orders).cache()
        quarterly = _spans_years(table) if quarterly is None else quarterly
        table = table.mutate(cohort=_cohort(table.first_date, quarterly))
        outside = orders.customer_segments
        if outside is not None:
            table = table.left_join(outside, "customer_id").drop("customer_id_right")
        where = {name: segment_column(name) for name in names}
        counted = [name for name in table.columns if name not in where.values()]
        table = table.select(*counted, **{n: table[c].fill_null("unknown") for n, c in where.items()})
        undated = tuple(name for name in names if name not in orders.own_segments)
        segments = ("cohort", *names)
        return cls(table.cache(), orders.as_of_date, orders.digits, segments, WEEK, undated, quarterly)

    def history[H](self, kind: type[H], by: Sequence[str] = ()) -> H:
        """Return distinct histories with how many customers share each, grouped on the engine.

        Raises DataError D047 for a kind of history that this table cannot give.
        """
        if by or kind not in _KINDS:
            raise DataError(
                f"D047 an RFM table gives purchase and spend histories; got {kind.__name__}, by={by!r}."
            )
        return _KINDS[kind](self)  # type: ignore[return-value]

    def grouped(self, keys: Sequence[str], **measures: Any) -> dict[str, Any]:
        """Distinct values of `keys` in order, with `customers` and further sums, as NumPy columns."""
        table = self.table.group_by(list(keys)).aggregate(customers=self.table.count(), **measures)
        arrow = table.order_by(list(keys)).to_pyarrow()
        return {name: arrow[name].to_numpy(zero_copy_only=False) for name in arrow.column_names}

    @cached_property
    def first_order(self) -> float:
        """Mean value of a first order, in currency units."""
        mean = self.table.first_amount.mean().to_pyarrow().as_py()
        return float(mean or 0) / 10.0**self.digits

    @cached_property
    def paid_share(self) -> float:
        """Share of repeat purchase days that brought money: below 1 only where orders of zero count."""
        sums = self.table.aggregate(paid=self.table.spend_days.sum(), all=self.table.frequency.sum())
        row = sums.to_pyarrow().to_pylist()[0]
        return float(row["paid"] / row["all"]) if row["all"] else 1.0

    def where(self, column: str, value: str) -> RFM:
        """Return the customers of one segment."""
        return dataclasses.replace(self, table=self.table.filter(self.table[column] == value))

    def with_columns(self, **columns: Any) -> RFM:
        """Return the table with further segment columns: Ibis expressions, or one text for all."""
        import ibis

        given = {n: ibis.literal(v) if isinstance(v, str) else v for n, v in columns.items()}
        names = (*self.segments, *(n for n in columns if n not in self.segments))
        return dataclasses.replace(self, table=self.table.mutate(**given).cache(), segments=names)

    def __repr__(self) -> str:
        return f"<RFM of {len(self):,} customers as of {self.as_of}>"

    def __len__(self) -> int:
        return int(self.table.count().to_pyarrow().as_py())

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a data frame, in the order of customer_id."""
        frame: pd.DataFrame = self.table.order_by("customer_id").execute()
        return frame

    def to_parquet(self, path: str) -> None:
        """Write all rows to a Parquet file, in the order of customer_id."""
        self.table.order_by("customer_id").to_parquet(path)

    def _repr_html_(self) -> str:
        frame: pd.DataFrame = self.table.order_by("customer_id").limit(8).execute()
        caption = f"<p>RFM of {len(self):,} customers as of {self.as_of}; first rows:</p>"
        return caption + str(frame.to_html(index=False))


def _count(orders: Transactions) -> Any:
    """Two group-bys: customer and day, then customer. Only positive repeat days are spend days."""
    import ibis

    rows, names = orders.orders, [segment_column(name) for name in orders.own_segments]
    days = rows.group_by("customer", "day").aggregate(
        spent=rows.net.sum(), orders=rows.count(), **{n: rows[n].argmin(rows.row) for n in names}
    )
    base = days.group_by("customer").aggregate(
        frequency=(days.count() - 1).cast("int32"),
        first=days.day.min(),
        last=days.day.max(),
        first_amount=days.spent.argmin(days.day),
        spent=days.spent.sum().cast("int64"),
        paid_days=(days.spent > 0).sum(),
        orders=days.orders.sum().cast("int64"),
        **{n: days[n].argmin(days.day) for n in names},
    )
    spend_days = (base.paid_days - (base.first_amount > 0).cast("int64")).cast("int32")
    repeat_spend = (base.spent - base.first_amount).cast("int64")
    return base.select(
        customer_id=base.customer,
        frequency=base.frequency,
        recency=(base["last"] - base["first"]).cast("int32"),
        T=(ibis.literal(orders.as_of_day) - base["first"]).cast("int32"),
        spend_days=spend_days,
        repeat_spend=repeat_spend,
        first_amount=base.first_amount.cast("int64"),
        monetary_value=ibis.ifelse(spend_days > 0, repeat_spend / spend_days / 10**orders.digits, 0.0),
        orders=base.orders,
        first_date=_date(base["first"]),
        last_date=_date(base["last"]),
        **{n: base[n] for n in names},
    )


def _date(day: Any) -> Any:
    import ibis

    return (ibis.date(EPOCH) + day.as_interval("D")).cast("date")


def _spans_years(table: Any) -> bool:
    """Whether first orders stretch over more months than a table of cohorts should have rows."""
    span = table.aggregate(low=table["T"].min(), high=table["T"].max()).to_pyarrow().to_pylist()[0]
    return bool((span["high"] or 0) - (span["low"] or 0) > COHORT_MONTHS * 31)


def _cohort(first_date: Any, quarterly: bool) -> Any:
    """Quarter or month of the first order."""
    import ibis

    year = first_date.year().cast("string")
    if quarterly:
        return year + "-Q" + first_date.quarter().cast("string")
    return year + "-" + ibis.ifelse(first_date.month() < 10, "0", "") + first_date.month().cast("string")


def _purchases(rfm: RFM) -> PurchaseHistory:
    rows = rfm.grouped(("frequency", "recency", "T"))
    return _history(rows, rfm.unit)


def _history(rows: dict[str, Any], unit: float) -> PurchaseHistory:
    return PurchaseHistory.from_days(rows["frequency"], rows["recency"], rows["T"], rows["customers"], unit)


def _spend(rfm: RFM) -> SpendHistory:
    repeaters = dataclasses.replace(rfm, table=rfm.table.filter(rfm.table.spend_days > 0))
    rows = repeaters.grouped(("spend_days", "repeat_spend"))
    return SpendHistory(
        rows["spend_days"].astype(float), rows["repeat_spend"] / 10.0**rfm.digits, weight=rows["customers"]
    )


_KINDS: dict[type, Callable[[RFM], PurchaseHistory | SpendHistory]] = {
    PurchaseHistory: _purchases,
    SpendHistory: _spend,
}


def value_histories(rfm: RFM) -> tuple[dict[str, Any], PurchaseHistory, Any]:
    """Return what a forecast needs of the base: key columns, their purchase history, and spend days.

    Keys are (frequency, recency, T, spend_days), all int32, so that results join back exactly.
    """
    rows = rfm.grouped(("frequency", "recency", "T", "spend_days"))
    return rows, _history(rows, rfm.unit), np.asarray(rows["spend_days"], dtype=float)
