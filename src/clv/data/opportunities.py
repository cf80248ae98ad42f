"""Customer-days → (x, t_x, n): in which of n periods a customer bought, for discrete models.

[FHS10] Fader, Hardie & Shang 2010, Marketing Science 29(6): the BG/BB model.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv.data.engines import fetch
from clv.data.periods import Period
from clv.errors import DataError
from clv.models.histories import OpportunityHistory
from clv.units import EPOCH, in_words

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Opportunities:
    """One row per customer, as an Ibis table: customer_id and x, t_x, n (int32).

    Of the n periods after the one with the first purchase, x had a purchase; the last of these was number
    t_x, or 0. Periods are counted back from `as_of`, so that the last one is whole and a forecast starts
    where it ends: none is cut off or dropped. With as_of on 31 December "1y" means calendar years; at the
    end of a month "1m" means calendar months. The period with the first purchase is no opportunity, so it
    does not matter if the log begins in the middle of it.
    """

    table: Any
    as_of: dt.date
    period: str

    @classmethod
    def of_days(cls, days: Any, as_of: dt.date, period: str) -> Opportunities:
        """Count the periods of each customer.

        Parameters
        ----------
        days : Ibis table of customer_id and day (int32 since 1970-01-01), a row a purchase day
        as_of : the last day that counts; later days are left out
        period : "1y", "3m", "4w", "30d"

        Raises
        ------
        ConfigError C001
            When the period is not such a text.
        """
        length = Period.of(period)
        days = days.filter(days.day <= (as_of - EPOCH).days)
        days = days.select(customer_id=days.customer_id.cast("string"), back=length.before(days.day, as_of))
        counted = days.group_by("customer_id").aggregate(
            periods=days.back.nunique(), first=days.back.max(), latest=days.back.min()
        )
        table = counted.select(
            "customer_id",
            x=(counted.periods - 1).cast("int32"),
            t_x=(counted["first"] - counted.latest).cast("int32"),
            n=counted["first"].cast("int32"),
        )
        return cls(table, as_of, period)

    def history[H](self, kind: type[H], by: Sequence[str] = ()) -> H:
        """Return distinct histories with how many customers share each, grouped on the engine.

        Raises DataError D047 for a kind of history other than `OpportunityHistory`.
        """
        if by or kind is not OpportunityHistory:
            raise DataError(
                f"D047 a table of opportunities gives opportunity histories; got {kind.__name__}, by={by!r}."
            )
        keys = ["x", "t_x", "n"]
        groups = self.table.group_by(keys).aggregate(customers=self.table.count()).order_by(keys)
        rows = fetch(groups).to_pydict()
        found = OpportunityHistory(
            rows["x"], rows["t_x"], rows["n"], rows["customers"], Period.of(self.period).days
        )
        return found  # type: ignore[return-value]

    def __len__(self) -> int:
        return int(fetch(self.table.aggregate(n=self.table.count())).to_pylist()[0]["n"])

    def __repr__(self) -> str:
        words = in_words(self.period.strip())
        return f"<Opportunities of {len(self):,} customers, one every {words} up to {self.as_of}>"

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a data frame, in the order of customer_id."""
        frame: pd.DataFrame = fetch(self.table.order_by("customer_id")).to_pandas()
        return frame
