"""Splits on dates: a base as it was known at a cut, and what its customers did afterwards."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any

from clv.data.counting import count_cuts, days_of, described, plain_days
from clv.data.engines import fetch, keep, upload
from clv.data.repairs import repair
from clv.data.rfm import RFM
from clv.errors import ConfigError
from clv.units import as_date

if TYPE_CHECKING:
    from clv.data.contract import Transactions

_AT_ONCE = 2_000_000  # customers times cuts that are counted together: engines hold a row of each in memory


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
    return splits(orders, [cut])[0]


def splits(orders: Transactions, cuts: Sequence[dt.date | str]) -> list[Holdout]:
    """Split a log at the ends of many days, in one pass over it, or a few where customers are millions.

    Each base knows only what was known at its cut: refunds, dated attributes, and no later order. Raises
    ConfigError C007 as `split` does, for all cuts together.
    """
    dates = check_cuts(orders, cuts)
    rfm, found = orders.rfm(), dict[dt.date, Holdout]()
    for some in batched(dict.fromkeys(dates), max(1, _AT_ONCE // max(len(rfm), 1))):
        days = days_by_cut(orders, [orders.day_number(day) for day in some])
        counted = keep(count_cuts(days, orders))
        found |= {day: _holdout(orders, days, counted, day, rfm.quarterly) for day in some}
    return [found[day] for day in dates]


def check_cuts(orders: Transactions, cuts: Sequence[dt.date | str]) -> list[dt.date]:
    """Return the cuts as dates; ConfigError C007 for those that leave a side empty."""
    dates, wrong = [as_date(cut, "cut") for cut in cuts], []
    for day in dates:
        if day >= orders.as_of_date:
            wrong.append(f"C007 holdout leaves no data: it is cut at {day}, as_of is {orders.as_of_date}.")
        elif not orders.has_orders_by(day):
            wrong.append(
                f"C007 holdout leaves no data to learn from: no order in use is dated {day} or before."
            )
    if wrong:
        raise ConfigError(*wrong)
    return dates


def days_by_cut(orders: Transactions, cuts: Sequence[int]) -> Any:
    """Purchase days with every cut: before it as they were known then, after it as they are known now."""
    import ibis
    import pyarrow as pa

    table = upload(orders.raw.get_backend(), pa.table({"cut": pa.array(cuts, pa.int32())}))
    days = plain_days(orders).cross_join(table)
    if orders.repaired is None:
        return days
    final = days_of(orders, orders.repaired)
    parts = []
    for cut in cuts:
        then = days_of(orders, repair(orders, orders.taken, cut))
        both = then.union(final.filter(final.day > cut))
        parts.append(both.mutate(cut=ibis.literal(cut, "int32")))
    return days.select(*parts[0].columns).union(*parts)


def _holdout(orders: Transactions, days: Any, counted: Any, cut: dt.date, quarterly: bool) -> Holdout:
    day = orders.day_number(cut)
    own = counted.filter(counted.cut == day)
    known = own.filter(own["first"] <= day)
    table = keep(described(known, orders, day, ("actual_purchases", "actual_spend")))
    later = own.filter(own["first"] > day)
    facts = fetch(later.aggregate(n=later.count(), s=later.actual_spend.sum())).to_pylist()[0]
    then = orders.purchase_days(days.filter((days.cut == day) & (days.day <= day)))
    rfm = RFM.of_counts(orders, table, cut, quarterly, then)
    return Holdout(rfm, cut, orders.as_of_date, int(facts["n"]), int(facts["s"] or 0) / 10**orders.digits)
