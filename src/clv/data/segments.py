"""RFM segments: quantile classes of recency and value, with readable names and stored cut points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from clv.data.quantiles import quantiles
from clv.data.ready_made import need
from clv.data.rfm import RFM

_VALUES = ("One-time", "Repeat, lower value", "Repeat, high value")
_AGES = ("recent", "cooling", "lapsed")
BEHAVIOURAL = ("rfm_segment",)  # segments made of what customers did: nobody is new in one
SEGMENT_ORDER = tuple(f"{value}, {age}" for value in reversed(_VALUES) for age in _AGES)


def segment_names(rfm: RFM) -> set[str]:
    """Every name that a segment of a report can have."""
    names = set(SEGMENT_ORDER)
    for column in rfm.segments:
        names.update(map(str, rfm.grouped((column,))[column]))
    return names


@dataclass(frozen=True)
class RFMCuts:
    """Cut points, taken from one base and reusable on a later one.

    `recent` and `old` are terciles of the days since the last order; `spend` is the median total spend
    of repeat buyers, in minor units: it joins frequency and monetary value in one figure.
    """

    recent: float
    old: float
    spend: float

    @classmethod
    def of(cls, rfm: RFM) -> RFMCuts:
        """Measure the cut points on a base."""
        need(rfm.table, ["first_amount"], "a segment by value")
        t = rfm.table
        again = t.filter(t.frequency > 0)
        points = quantiles(t["T"] - t.recency, (1 / 3, 2 / 3))
        points += quantiles(again.repeat_spend + again.first_amount, (1 / 2,))
        return cls(*(0.0 if math.isnan(point) else point for point in points))

    def apply(self, rfm: RFM) -> RFM:
        """Return the RFM table with a column `rfm_segment`."""
        import ibis

        t: Any = rfm.table
        since, spend = t["T"] - t.recency, t.repeat_spend + t.first_amount

        value = ibis.cases(
            (t.frequency == 0, _VALUES[0]), (spend <= self.spend, _VALUES[1]), else_=_VALUES[2]
        )
        age = ibis.cases((since <= self.recent, _AGES[0]), (since <= self.old, _AGES[1]), else_=_AGES[2])
        return rfm.with_columns(rfm_segment=value + ", " + age)

    def sentence(self, digits: int, currency: str) -> str:
        """Say the cut points in words."""
        return (
            f"Recent: last order within {self.recent:.0f} days; cooling: within {self.old:.0f}; lapsed: "
            f"longer ago. High value: repeat buyers with more than {self.spend / 10**digits:,.2f} {currency} "
            "in all."
        )
