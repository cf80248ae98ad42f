"""Orders → RFM, one row per customer: one definition for every engine, kept where the data is."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clv.data.cleaning import segment_column
from clv.data.engines import fetch, keep, to_pandas, write_table
from clv.data.ready_made import need, read_rfm
from clv.data.timing import Regularity, gap_sums, regularity, repeats_by_week
from clv.errors import ConfigError, DataError
from clv.models.histories import GapHistory, PurchaseHistory, SpendHistory
from clv.units import WEEK, as_date, days_in

if TYPE_CHECKING:
    import pandas as pd

    from clv.data.contract import Transactions

_COLUMNS = (
    "customer_id frequency recency T spend_days repeat_spend first_amount monetary_value orders first_date "
    "last_date cohort rfm_segment actual_purchases actual_spend as_of run_id horizon p_alive p_purchase "
    "expected_purchases expected_spend clv_mean clv_median clv_p05 clv_p95 historic_value percentile flags "
    "spend_p05 spend_p95 next_purchase period population flags next_day e0 e1 c0 c1 customers"
    " clv p_purchase_90d spent_days spent_total spent_squares spent_low spent_high horizon_place"
)
RESERVED = frozenset(_COLUMNS.lower().split())  # names that no segment can have, in lower case
_SPEND = ("spend_days", "repeat_spend")
_ASKED = {"by_x", "by_t", "by_state", "x", "t_x", "m", "S"}  # by models, of a history
COHORT_MONTHS = 12  # cohorts are months when first orders span at most this many, else quarters


@dataclass(frozen=True, eq=False, repr=False)
class RFM:
    """One row per customer, as an Ibis table, with the as-of date and the units that go with it.

    `RFM(frame, unit="week")` takes a ready-made table as lifetimes or PyMC-Marketing give it: a pandas,
    Polars, PyArrow or Ibis table, or Parquet, with frequency, recency, T and monetary_value.

    Columns: customer_id, frequency, recency, T (int32 days), spend_days, repeat_spend and first_amount
    (int64 minor units), monetary_value, orders, first_date, last_date, cohort, and the segments. A ready-made
    table has no first_amount, orders, dates and cohort, and its times may be float64 days.

    Parameters
    ----------
    table : the customers
    unit : "day", "week", "month" or days; the time unit of its histories, and of a ready-made table's times
    as_of : the last day that counts; a ready-made table needs it for forecasts only
    digits : decimals of the currency
    segments : names of segment columns
    customer : name of the id column of a ready-made table
    undated : segments of the customers table, which may know the future of an earlier cut
    quarterly : cohorts are quarters, not months
    checked : the table has been counted here
    days : Ibis table of customer_id and day (int32 since 1970-01-01), a row a purchase day, for gaps
    first_orders : spend histories count the first order of a customer too, not its repeat orders alone
    currency : of all money, such as "EUR"; empty where it is not known

    Raises
    ------
    DataError
        D001, D018, D019, D023, D026, D037 to D039, D046 for a ready-made table: all findings together.
    """

    table: Any
    unit: str | float | None = None
    as_of: Any = None
    digits: int = 2
    segments: tuple[str, ...] = ()
    customer: str | None = None
    undated: tuple[str, ...] = ()
    quarterly: bool = False
    checked: bool = False
    days: Any = None
    first_orders: bool = False
    currency: str = ""

    def __post_init__(self) -> None:
        if self.checked:
            return
        if self.unit is None:
            raise ConfigError(
                'C001 unit must say what recency and T are counted in: "day", "week" or "month".'
            )
        taken = [name for name in self.segments if name.lower() in RESERVED]
        if taken:
            raise ConfigError(
                f"C001 {taken[0]!r} is a column of the RFM or forecast table; rename this segment."
            )
        table, problems = read_rfm(
            self.table, unit=self.unit, customer=self.customer, digits=self.digits, segments=self.segments
        )
        if problems:
            raise DataError(*problems)
        as_of = None if self.as_of is None else as_date(self.as_of, "as_of")
        given = {"table": table, "unit": days_in(self.unit), "as_of": as_of, "segments": tuple(self.segments)}
        for name, value in (given | {"checked": True}).items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_orders(cls, orders: Transactions) -> RFM:
        """Count the orders in use; see `Transactions.rfm`, which checks them first.

        Cohorts are months, or quarters where first orders stretch over more than a year.
        """
        table = orders.rfm_table
        days = orders.purchase_days(orders.days())
        return cls.of_counts(orders, table, orders.as_of_date, _spans_years(table), days)

    @classmethod
    def of_counts(cls, orders: Transactions, table: Any, as_of: dt.date, quarterly: bool, days: Any) -> RFM:
        """Name the cohorts and segments of counted customers (see `counting.described`)."""
        names = {name: segment_column(name) for name in orders.segments}
        rest = [name for name in table.columns if name not in names.values()]
        table = table.select(
            *rest,
            cohort=_cohort(table.first_date, quarterly),
            **{name: table[column].fill_null("unknown") for name, column in names.items()},
        )
        undated = () if orders.dated else tuple(n for n in names if n not in orders.own_segments)
        segments = ("cohort", *names)
        return cls(
            table,
            WEEK,
            as_of,
            orders.digits,
            segments,
            undated=undated,
            quarterly=quarterly,
            checked=True,
            days=days,
            currency=orders.money_unit,
        )

    def history[H](self, kind: type[H], by: Sequence[str] = ()) -> H:
        """Return distinct histories with how many customers share each, grouped on the engine.

        `by` names segment columns: the history then knows the group of each row. Raises DataError D047 for a
        kind of history that this table cannot give, ConfigError C001 for a column that is no segment.
        """
        if kind not in _KINDS:
            raise DataError(
                f"D047 an RFM table gives purchase, gap and spend histories; got {kind.__name__}. "
                f"For periods see orders.opportunities, for contracts clv.Renewals."
            )
        self.check_segments(by)
        return _KINDS[kind](self, by)  # type: ignore[return-value]

    def check_segments(self, by: Sequence[str]) -> None:
        """Raise ConfigError C001 for names in `by` that are no segments."""
        unknown = [name for name in by if name not in self.segments]
        if unknown:
            have = ", ".join(self.segments) or "none"
            raise ConfigError(
                f"C001 by must name a segment; got {', '.join(map(str, unknown))}. Segments here: {have}."
            )

    def grouped(self, keys: Sequence[str], **measures: Any) -> dict[str, Any]:
        """Distinct values of `keys` in order, with `customers` and further sums, as NumPy columns."""
        table = self.table.group_by(list(keys)).aggregate(customers=self.table.count(), **measures)
        arrow = fetch(table.order_by(list(keys)))
        return {name: _column(arrow[name]) for name in arrow.column_names}

    @property
    def knows_first_orders(self) -> bool:
        """Whether spend can be learnt from first orders: they are known, and some later ones were paid."""
        return "first_amount" in self.table.columns and self.paid_share > 0

    def with_first_orders(self) -> RFM:
        """Return the same base with spend histories that count first orders too."""
        need(self.table, ["first_amount"], "spend of all orders")
        return dataclasses.replace(self, first_orders=True)

    def spent(self, table: Any, first_orders: bool) -> Any:
        """Return a table with `spent_days` and `spent_total`: of all orders of a customer, or repeat ones."""
        if not first_orders:
            return table.mutate(spent_days=table.spend_days, spent_total=table.repeat_spend)
        need(table, ["first_amount"], "spend of all orders")
        paid = table.first_amount > 0
        return table.mutate(
            spent_days=(table.spend_days + paid.cast("int32")).cast("int32"),
            spent_total=table.repeat_spend + paid.ifelse(table.first_amount, 0),
        )

    @property
    def first_order(self) -> float:
        """Mean value of a first order, in currency units."""
        need(self.table, ["first_amount"], "the value of a new customer")
        return self._known["first"] / 10.0**self.digits

    @property
    def first_paid(self) -> float:
        """Share of customers whose first order brought money."""
        need(self.table, ["first_amount"], "the value of a new customer")
        return self._known["first_paid"]

    @property
    def paid_share(self) -> float:
        """Share of repeat purchase days that brought money: below 1 only where orders of zero count."""
        need(self.table, _SPEND, "a forecast of spend")
        return self._known["paid"] / self._known["repeats"] if self._known["repeats"] else 1.0

    @cached_property
    def _known(self) -> dict[str, float]:
        """What orders have in common, of the columns that there are, by one query; nothing of nobody is 0."""
        t, asked = self.table, dict[str, Any]()
        if "first_amount" in t.columns:
            asked |= {"first": t.first_amount.mean(), "first_paid": (t.first_amount > 0).cast("int32").mean()}
        if "spend_days" in t.columns:
            asked |= {"paid": t.spend_days.sum(), "repeats": t.frequency.sum()}
        return {name: float(v or 0) for name, v in fetch(t.aggregate(**asked)).to_pylist()[0].items()}

    @cached_property
    def regularity(self) -> Regularity:
        """How regular purchases are, by the last two gaps of each customer. [WM90] in `timing`."""
        return regularity(self.purchase_days)

    def repeats_by_week(self, weeks: int) -> list[int]:
        """Repeat purchase days of all customers in each of the first `weeks` weeks after the first order."""
        return repeats_by_week(self.purchase_days, weeks)

    @property
    def purchase_days(self) -> Any:
        """Ibis table of customer_id and day, a row a purchase day; DataError D047 where none are known."""
        if self.days is None:
            raise DataError(
                "D047 gaps between purchases are needed; a ready-made RFM table has none. Build it from "
                "orders: clv.Transactions(…).rfm()."
            )
        return self.days.inner_join(self.table.select("customer_id"), "customer_id")

    def where(self, column: str, value: str) -> RFM:
        """Return the customers of one segment."""
        return dataclasses.replace(self, table=self.table.filter(self.table[column] == value))

    def with_columns(self, **columns: Any) -> RFM:
        """Return the table with further segment columns: Ibis expressions, or one text for all."""
        import ibis

        given = {n: ibis.literal(v) if isinstance(v, str) else v for n, v in columns.items()}
        names = (*self.segments, *(n for n in columns if n not in self.segments))
        return dataclasses.replace(self, table=keep(self.table.mutate(**given)), segments=names)

    def __repr__(self) -> str:
        return f"<RFM of {len(self):,} customers as of {self.as_of}>"

    if not TYPE_CHECKING:  # a checker is to find misspelt names

        def __getattr__(self, name: str) -> Any:
            """Say what to do where a model's method was given this table in place of its histories."""
            hint = " A model reads histories: rfm.history(clv.PurchaseHistory)." if name in _ASKED else ""
            raise AttributeError(f"an RFM table has no attribute {name!r}.{hint}")

    def __len__(self) -> int:
        return int(fetch(self.table.aggregate(n=self.table.count())).to_pylist()[0]["n"])

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a data frame, in the order of customer_id."""
        frame: pd.DataFrame = to_pandas(self.table.order_by("customer_id"))
        return frame

    def to_parquet(self, path: str) -> None:
        """Write all rows to a Parquet file, in the order of customer_id."""
        write_table(self.table.order_by("customer_id"), path)

    def _repr_html_(self) -> str:
        frame: pd.DataFrame = to_pandas(self.table.order_by("customer_id").limit(8))
        caption = f"<p>RFM of {len(self):,} customers as of {self.as_of}; first rows:</p>"
        return caption + str(frame.to_html(index=False))


def _spans_years(table: Any) -> bool:
    """Whether first orders stretch over more months than a table of cohorts should have rows."""
    span = fetch(table.aggregate(low=table["T"].min(), high=table["T"].max())).to_pylist()[0]
    return bool((span["high"] or 0) - (span["low"] or 0) > COHORT_MONTHS * 31)


def _cohort(first_date: Any, quarterly: bool) -> Any:
    """Quarter or month of the first order."""
    import ibis

    year = first_date.year().cast("string")
    if quarterly:
        return year + "-Q" + first_date.quarter().cast("string")
    return year + "-" + ibis.ifelse(first_date.month() < 10, "0", "") + first_date.month().cast("string")


def _purchases(rfm: RFM, by: Sequence[str]) -> PurchaseHistory:
    rows = rfm.grouped(("frequency", "recency", "T", *by))
    return _history(rows, rfm, by)


def _history(rows: dict[str, Any], rfm: RFM, by: Sequence[str]) -> PurchaseHistory:
    unit = days_in(rfm.unit or WEEK)
    h = PurchaseHistory.from_days(rows["frequency"], rows["recency"], rows["T"], rows["customers"], unit)
    return dataclasses.replace(h, group=group_labels(rows, by)) if by else h


def groups_of(rows: Mapping[str, Any], by: Sequence[str]) -> tuple[list[tuple[str, ...]], NDArray[np.intp]]:
    """Return the segments of the columns `by` that occur together, in order, and which each row has."""
    import pandas as pd

    place = np.zeros(len(next(iter(rows.values()))), dtype=np.intp)
    for name in by:
        codes, values = pd.factorize(np.asarray(rows[name], dtype=object), use_na_sentinel=False)
        place = place * len(values) + codes
    first, place = np.unique(place, return_index=True, return_inverse=True)[1:]
    cells = [[rows[name][at] for name in by] for at in first]
    names = [tuple("unknown" if v is None else str(v) for v in own) for own in cells]
    known = sorted(set(names))
    number = {own: at for at, own in enumerate(known)}
    return known, np.array([number[own] for own in names], dtype=np.intp)[place]


def group_labels(rows: Mapping[str, Any], by: Sequence[str]) -> Any:
    """Return the name of each row's group: the segments of the columns `by`."""
    known, place = groups_of(rows, by)
    return np.array([" · ".join(names) for names in known], dtype=object)[place]


def _column(column: Any) -> Any:
    """A column of Arrow in NumPy, a text of it once for all rows that have it."""
    import pyarrow as pa

    if not pa.types.is_string(column.type):
        return column.to_numpy(zero_copy_only=False)
    coded = column.combine_chunks().dictionary_encode("encode")
    return coded.dictionary.to_numpy(zero_copy_only=False)[coded.indices.to_numpy()]


def _gaps(rfm: RFM, by: Sequence[str]) -> GapHistory:
    gaps = gap_sums(rfm.purchase_days).select("customer_id", "sum_log_gaps")
    table = rfm.table.inner_join(gaps, "customer_id")
    counted = dataclasses.replace(rfm, table=table)
    rows = counted.grouped(("frequency", "recency", "T", *by), log_gaps=table.sum_log_gaps.mean())
    h = _history(rows, rfm, by)
    log_gaps = rows["log_gaps"] - h.x * np.log(h.unit)
    return GapHistory(h.x, h.t_x, h.T, h.weight, h.unit, log_gaps=log_gaps, group=h.group, labels=h.labels)


def _spend(rfm: RFM, by: Sequence[str]) -> SpendHistory:
    need(rfm.table, _SPEND, "a spend history")
    table = rfm.spent(rfm.table, rfm.first_orders)
    payers = dataclasses.replace(rfm, table=table.filter(table.spent_days > 0))
    rows = payers.grouped(("spent_days", "spent_total", *by))
    return SpendHistory(
        rows["spent_days"].astype(float),
        rows["spent_total"] / 10.0**rfm.digits,
        weight=rows["customers"],
        group=group_labels(rows, by) if by else None,
    )


_KINDS: dict[type, Callable[[RFM, Sequence[str]], PurchaseHistory | SpendHistory]] = {
    PurchaseHistory: _purchases,
    GapHistory: _gaps,
    SpendHistory: _spend,
}


def value_histories(rfm: RFM, by: Sequence[str] = (), *, first_orders: bool = False) -> dict[str, Any]:
    """Return the distinct rows that forecasts follow from, as columns in the order of their keys.

    Keys are (frequency, recency, T, spent_days) and the segments `by`: int32, text, or floats that nothing
    was done to, so that results join back exactly. Beside them `customers`, and the least and the greatest
    of their spends, `spent_low` and `spent_high` in minor units; see `RFM.spent`.
    """
    need(rfm.table, _SPEND, "a forecast of spend")
    rfm.check_segments(by)
    counted = dataclasses.replace(rfm, table=rfm.spent(rfm.table, first_orders))
    spend = counted.table.spent_total
    ends = {"spent_low": spend.min(), "spent_high": spend.max()}
    return counted.grouped(("frequency", "recency", "T", "spent_days", *by), **ends)


def history_of(rows: dict[str, Any], rfm: RFM, unit: float) -> PurchaseHistory:
    """Return rows with keys as those of `value_histories` as histories in units of so many days."""
    found = _history(rows, rfm, ())
    return found.rescaled(unit / found.unit)
