"""A published forecast against what happened since, for the customers of then.

Bands of a sum do not add up from bands of its parts, so the window that is over is forecast anew from the
fits of then, which know nothing of what came later: the same draws, from the same base.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.contract import Transactions
from clv.data.engines import fetch, keep
from clv.data.rfm import RFM
from clv.fitting.result import Fit
from clv.forecasting.customers import Forecast, forecast
from clv.forecasting.totals import ALL, WHOLE
from clv.units import EPOCH, add_months, horizon_end

if TYPE_CHECKING:
    import pandas as pd

BY_BEHAVIOUR = "rfm_segment"
_NAMES = {1: "month", 3: "quarter", 6: "half-year", 12: "year"}


@dataclass(frozen=True, eq=False)
class Published:
    """A forecast as it was published: its base, with the segments of then, its fits, and its terms."""

    run_id: str
    rfm: RFM
    purchase: Fit
    spend: Fit
    by: str
    horizon: str
    margin: float
    discount: float
    level: tuple[float, float, float]
    year_start: int = 1

    @property
    def as_of(self) -> dt.date:
        """The last day that it knew."""
        return self.rfm.as_of  # type: ignore[no-any-return]

    def end(self, today: dt.date) -> dt.date:
        """Last day that can be compared: today, or the end of its horizon."""
        return min(today, horizon_end(self.horizon, self.as_of))

    def over(self, table: Any, end: dt.date) -> Forecast:
        """Return the forecast of then of some of its customers, up to a day."""
        return forecast(
            self.purchase,
            self.spend,
            dataclasses.replace(self.rfm, table=table),
            f"{(end - self.as_of).days}d",
            margin=self.margin,
            discount=self.discount,
            level=self.level,
            allow_extrapolation=True,
        )


@dataclass(frozen=True, eq=False, repr=False)
class Outcome:
    """What a published forecast said of the time since, in revenue, and what came.

    tables : by segment column: a row a segment, all customers last: customers, forecast, low and high (5 and
        95 %), actual, error (forecast ÷ actual − 1), inside (whether actual lies from low to high)
    periods : the same by fiscal period, with `partial`
    new, left : customers who came since, with what they spent; and those of then who are no longer in the
        log, with what was expected of them: neither is in the error
    """

    run_id: str
    start: dt.date
    end: dt.date
    horizon: str
    by: str
    currency: str
    tables: Mapping[str, pd.DataFrame]
    periods: pd.DataFrame
    new: tuple[int, float]
    left: tuple[int, float]
    doubt: str

    @property
    def total(self) -> pd.Series:
        """The row of all customers."""
        found: pd.Series = self.tables[self.by].T[ALL]
        return found

    @property
    def sentence(self) -> str:
        """What was said, what came, and in how many segments it lay in the band."""
        row = self.total
        where = "inside" if row["inside"] else "above it" if row["actual"] > row["high"] else "below it"
        parts = self.tables[self.by].drop(index=ALL)
        said = (
            f"The forecast of {self.start} said {row['low']:,.0f} to {row['high']:,.0f} {self.currency} for "
            f"the {self.window}; it came to {row['actual']:,.0f}: {where}."
        )
        if len(parts) < 2:
            return said
        name = self.by.replace("_", " ")
        return f"{said} By {name}, {parts['inside'].sum()} of {len(parts)} lie inside their own 90 % band."

    @property
    def window(self) -> str:
        """The time compared, in words: "quarter to 2026-09-30"."""
        months = (self.end.year - self.start.year) * 12 + self.end.month - self.start.month
        both_last = all((day + dt.timedelta(days=1)).day == 1 for day in (self.start, self.end))
        if months and (both_last or add_months(self.start, months) == self.end):
            return f"{_NAMES.get(months, f'{months} months')} to {self.end}"
        days = (self.end - self.start).days
        return f"{days} day{'s' * (days != 1)} to {self.end}"


def outcome(then: Published, orders: Transactions) -> Outcome | None:
    """Compare; None where nobody of then is in the log any more, or nothing is over."""
    import pandas as pd

    now, end = orders.rfm().table, then.end(orders.as_of_date)
    known = keep(then.rfm.table.semi_join(now, "customer_id"))
    gone = then.rfm.table.anti_join(now, "customer_id")
    if end <= then.as_of or not _count(known):
        return None
    columns = tuple(dict.fromkeys((then.by, BY_BEHAVIOUR)))
    came = _came(then, orders, known, columns, end)
    ahead, tables, periods = then.over(known, end), {}, pd.DataFrame()
    for by in columns:
        quarterly = by == then.by
        said = ahead.totals(by, "Q" if quarterly else None, fiscal_year_start=then.year_start).table
        whole = (said[said["period"] == WHOLE] if quarterly else said).set_index(by)
        actual = came.groupby(by)["spent"].sum().to_dict() | {ALL: came["spent"].sum()}
        tables[by] = _row(whole, [float(actual.get(name, 0.0)) for name in whole.index])
        if quarterly:
            periods = _by_period(said[(said[by] == ALL) & (said["period"] != WHOLE)], came)
    lost = _count(gone)
    missing = then.over(keep(gone), end).totals().table.iloc[-1]["revenue"] if lost else 0.0
    return Outcome(
        then.run_id,
        then.as_of,
        end,
        then.horizon,
        then.by,
        then.rfm.currency,
        tables,
        periods,
        _new(then, orders, end),
        (lost, float(missing)),
        ahead.doubt,
    )


def _count(table: Any) -> int:
    return int(fetch(table.aggregate(n=table.count())).to_pylist()[0]["n"])


def _spent(orders: Transactions, start: dt.date, end: dt.date) -> Any:
    """What was spent after `start` up to `end`: customer_id, day, spent; a day below 0 brought nothing."""
    days = orders.purchase_days(orders.days(), "spent")
    days = days.filter((days.day > (start - EPOCH).days) & (days.day <= (end - EPOCH).days))
    return days.mutate(spent=days.spent.clip(lower=0).cast("int64"))


def _came(
    then: Published, orders: Transactions, known: Any, columns: tuple[str, ...], end: dt.date
) -> pd.DataFrame:
    """Revenue of the customers of then by their segments and day, in currency units."""
    days = _spent(orders, then.as_of, end).inner_join(known.select("customer_id", *columns), "customer_id")
    found: pd.DataFrame = fetch(
        days.group_by([*columns, "day"]).aggregate(spent=days.spent.sum())
    ).to_pandas()
    return found.assign(spent=found["spent"].astype(float) / 10.0**then.rfm.digits)


def _new(then: Published, orders: Transactions, end: dt.date) -> tuple[int, float]:
    days = _spent(orders, then.as_of, end).anti_join(then.rfm.table, "customer_id")
    sums = days.aggregate(n=days.customer_id.nunique(), spent=days.spent.sum().fill_null(0))
    row = fetch(sums).to_pylist()[0]
    return int(row["n"]), float(row["spent"]) / 10.0**then.rfm.digits


def _row(said: pd.DataFrame, actual: Any) -> pd.DataFrame:
    """Set what was said beside what came."""
    import pandas as pd

    found = pd.DataFrame(
        {
            "customers": said["customers"],
            "forecast": said["revenue"],
            "low": said["revenue_p05"],
            "high": said["revenue_p95"],
            "actual": actual,
        }
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        found["error"] = (found["forecast"] / found["actual"] - 1).replace([np.inf, -np.inf], np.nan)
    found["inside"] = (found["actual"] >= found["low"]) & (found["actual"] <= found["high"])
    return found


def _by_period(said: pd.DataFrame, came: pd.DataFrame) -> pd.DataFrame:
    said = said.set_index("period")
    first, last = ([(day - EPOCH).days for day in said[name]] for name in ("first", "last"))
    sums = [
        float(came["spent"][(came["day"] >= a) & (came["day"] <= b)].sum())
        for a, b in zip(first, last, strict=True)
    ]
    return _row(said, sums).assign(partial=said["partial"])
