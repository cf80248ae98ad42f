"""Splits on dates: a base as it was known at a cut, and what its customers did afterwards."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv.data.rfm import RFM
from clv.errors import ConfigError

if TYPE_CHECKING:
    from clv.data.contract import Transactions


@dataclass(frozen=True, eq=False, repr=False)
class Holdout:
    """A calibration base with, for each of its customers, purchases and spend after the cut.

    `rfm` is the base at the end of `cut` (the split day belongs to it); its table also has the columns
    `actual_purchases` (days with an order in the hold-out) and `actual_spend` (minor units).
    `later_customers` and `later_spend` are those first seen after the cut: in no forecast.
    """

    rfm: RFM
    cut: dt.date
    end: dt.date
    later_customers: int
    later_spend: float

    def __repr__(self) -> str:
        return f"<Holdout: {len(self.rfm):,} customers at {self.cut}, followed to {self.end}>"

    def with_rfm(self, rfm: RFM) -> Holdout:
        """Return the same split with further columns in its table."""
        return dataclasses.replace(self, rfm=rfm)

    @property
    def days(self) -> int:
        """Length of the hold-out."""
        return (self.end - self.cut).days


def split(orders: Transactions, cut: dt.date | str) -> Holdout:
    """Split a log at the end of the day `cut`; the hold-out runs to the log's as-of date.

    Raises ConfigError C007 when the hold-out, or the calibration period, would be empty.
    """
    import ibis

    known, rows = known_at(orders, cut), orders.orders
    cut = known.as_of_date
    base = RFM.from_orders(known, orders.rfm().quarterly)
    after = rows.filter(rows.day > known.as_of_day)
    days = after.group_by("customer", "day").aggregate(spent=after.net.sum())
    actual = days.group_by(customer_id="customer").aggregate(
        actual_purchases=days.count(),
        actual_spend=ibis.ifelse(days.spent > 0, days.spent, 0).sum().cast("int64"),
    )
    table = base.table.left_join(actual, "customer_id", rname="actual: {name}").drop("actual: customer_id")
    table = table.fill_null({"actual_purchases": 0, "actual_spend": 0})
    new = actual.anti_join(base.table, "customer_id")
    later: dict[str, Any] = new.aggregate(n=new.count(), s=new.actual_spend.sum()).to_pyarrow().to_pylist()[0]
    rfm = dataclasses.replace(base, table=table.cache())
    return Holdout(rfm, cut, orders.as_of_date, int(later["n"]), (later["s"] or 0) / 10**base.digits)


def known_at(orders: Transactions, cut: dt.date | str) -> Transactions:
    """Return a log as it was known at the end of a day that can split it; see `split` for what it raises."""
    from clv.data.contract import as_date

    cut = as_date(cut, "cut")
    if cut >= orders.as_of_date:
        raise ConfigError(f"C007 holdout leaves no data: it is cut at {cut}, as_of is {orders.as_of_date}.")
    known = orders.until(cut)
    if not known.orders.count().to_pyarrow().as_py():
        raise ConfigError(
            f"C007 holdout leaves no data to learn from: no order in use is dated {cut} or before."
        )
    return known
