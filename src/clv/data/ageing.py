"""Spend by customer age: what customers, all of them or by cohort, had brought in by each month of life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clv.data.engines import fetch
from clv.units import DAYS_PER_YEAR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import pandas as pd

    from clv.data.contract import Transactions
    from clv.data.rfm import RFM

_MONTH = DAYS_PER_YEAR / 12
_FEWEST = 100  # customers that a month of age must have been observed for


def spend_by_age(orders: Transactions, rfm: RFM) -> pd.DataFrame:
    """Cumulative revenue a customer by age in months; month 0 is the first order alone.

    Each month's increment is the mean over customers old enough to have lived through all of it, so
    that younger cohorts do not drag the curve down. Columns: months, customers, revenue.
    """
    import ibis
    import pandas as pd

    days = orders.days()
    first = days.day.min().over(ibis.window(group_by=days.customer))
    lived = days.mutate(month=((days.day - first) / _MONTH).ceil().cast("int32"), T=orders.as_of_day - first)
    lived = lived.filter(lived["T"] >= lived.month * _MONTH)
    spent = fetch(
        lived.group_by("month").aggregate(spent=lived.spent.sum().cast("int64")).order_by("month")
    ).to_pandas()
    starts = rfm.table.select("T")
    reached = (starts["T"] / _MONTH).floor().cast("int32")
    alive = fetch(starts.group_by(reached=reached).aggregate(n=starts.count())).to_pandas()
    longest = int(alive["reached"].max())
    by_reached = np.bincount(alive["reached"], alive["n"], minlength=longest + 1)
    customers = by_reached[::-1].cumsum()[::-1]
    increments = np.bincount(spent["month"], spent["spent"], minlength=longest + 1)[: longest + 1]
    frame = pd.DataFrame({"months": np.arange(longest + 1), "customers": customers.astype(int)})
    frame["revenue"] = np.cumsum(increments / customers) / 10.0**rfm.digits
    enough = frame["customers"] >= min(_FEWEST, customers[0])
    kept: pd.DataFrame = frame[enough].reset_index(drop=True)
    return kept


def spend_by_cohort(orders: Transactions, rfm: RFM) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return cohorts as they are, and their cumulative revenue a customer by age.

    The first is indexed by cohort: customers, age (mean, in months), reached (whole months that all of its
    customers have lived) and so_far (revenue a customer to as_of). The second has a row a month of age from
    0, the first order alone, and a column a cohort, NaN beyond what it has reached.
    """
    import pandas as pd

    t = rfm.table
    counts = t.group_by("cohort").aggregate(customers=t.count(), age=t["T"].mean(), youngest=t["T"].min())
    frame = fetch(counts.order_by("cohort")).to_pandas().set_index("cohort")
    frame["reached"] = np.floor(frame["youngest"] / _MONTH).astype(int)
    frame["age"] = frame["age"].astype(float) / _MONTH
    lived = _by_month(orders, rfm)
    sums = fetch(
        lived.group_by("cohort", "month").aggregate(spent=lived.spent.sum().cast("int64"))
    ).to_pandas()
    wide = sums.pivot(index="month", columns="cohort", values="spent").astype(float)
    wide = wide.reindex(index=range(int(wide.index.max()) + 1), columns=frame.index).fillna(0.0)
    brought = wide.cumsum() / frame["customers"] / 10.0**rfm.digits
    frame["so_far"] = brought.iloc[-1]
    known = brought.reindex(range(int(frame["reached"].max()) + 1)).ffill()
    months = pd.Series(known.index, index=known.index)
    by_age = known.apply(lambda column: column.where(months <= frame["reached"][column.name]))
    return frame.drop(columns="youngest"), by_age.rename_axis(index="months")


def spread_by_cohort(orders: Transactions, rfm: RFM, months: Sequence[int]) -> pd.DataFrame:
    """Standard deviations, between the customers of a cohort, of revenue up to some ages in months.

    A row a cohort and a column an age, for customers as old as they are: ask for ages that all have reached.
    """
    lived = _by_month(orders, rfm)
    each = lived.group_by("customer_id", "cohort").aggregate(
        **{f"by_{age}": lived.spent.cast("float64").sum(where=lived.month <= age) for age in months}
    )
    spread = each.group_by("cohort").aggregate(
        **{f"by_{age}": each[f"by_{age}"].fill_null(0.0).std(how="sample") for age in months}
    )
    frame: pd.DataFrame = fetch(spread.order_by("cohort")).to_pandas().set_index("cohort")
    return frame.set_axis(list(months), axis=1).astype(float) / 10.0**rfm.digits


def _by_month(orders: Transactions, rfm: RFM) -> Any:
    """Purchase days with their customer's cohort and the month of its life, 0 that of the first order."""
    starts = rfm.table.select("customer_id", "cohort", "T")
    days = orders.purchase_days(orders.days(), "spent").inner_join(starts, "customer_id")
    age = days.day - (orders.as_of_day - days["T"])
    return days.mutate(month=(age / _MONTH).ceil().cast("int32"))
