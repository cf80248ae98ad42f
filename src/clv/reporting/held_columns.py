"""What a hold-out says of segments, beside their values: forecast, actual, whether it is in the band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clv.evaluation.backtest import MODEL
from clv.reporting.grid import Column

if TYPE_CHECKING:
    import pandas as pd

    from clv.evaluation.compare import Comparison

_HELD = (
    Column("held_model", "Hold-out: model", "money"),
    Column("held_actual", "Hold-out: actual", "money"),
    Column("held_inside", "Inside the band", "text"),
)


def with_holdout(frame: pd.DataFrame, comparison: Comparison) -> tuple[pd.DataFrame, Sequence[Column]]:
    """Return a table by segment with what the hold-out says of each, and the columns; none without one."""
    if comparison.holdout is None:
        return frame, ()
    joined = frame.join(held_a_customer(comparison.holdout))
    joined["held_inside"] = joined["held_inside"].fillna("–")  # of a segment that nobody was in at the cut
    return joined, _HELD


def held_a_customer(held: pd.DataFrame) -> pd.DataFrame:
    """Revenue a customer in the hold-out by segment: model, actual, and whether that is inside the band."""
    found = held[[MODEL, "actual"]].div(held["customers"], axis=0)
    found["inside"] = held["inside"].map({True: "yes", False: "no"})
    return found.set_axis([column.key for column in _HELD], axis=1)
