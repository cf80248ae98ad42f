"""Spend by customer age: what the average customer had brought in by each month of its life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clv.data.engines import fetch
from clv.units import DAYS_PER_YEAR

if TYPE_CHECKING:
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
