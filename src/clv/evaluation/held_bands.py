"""Bands of what a hold-out was forecast to bring, of the segments of many columns in one pass."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clv.data.segments import BEHAVIOURAL
from clv.evaluation.backtest import OTHER
from clv.forecasting.totals import ALL

if TYPE_CHECKING:
    import pandas as pd

    from clv.evaluation.backtest import HoldoutResult
    from clv.evaluation.compare import Comparison
    from clv.forecasting.customers import Forecast

_LINE = "line of a band"


def with_bands(comparisons: Sequence[Comparison], holdout: HoldoutResult | None) -> list[Comparison]:
    """Return comparisons whose hold-out has the 90 % bands of its forecast, and whether the actual is inside.

    Its table gets the columns low and high (5 and 95 % of the model's total) and inside.
    """
    dated = [c for c in comparisons if c.holdout is not None]
    if holdout is None or not dated:
        return list(comparisons)
    bands = _bands(holdout.forecast, {c.by: () if c.by in BEHAVIOURAL else c.pooled for c in dated})

    def banded(c: Comparison) -> Comparison:
        if c.holdout is None:
            return c
        frame = c.holdout.join(bands[c.by])
        frame["inside"] = (frame["actual"] >= frame["low"]) & (frame["actual"] <= frame["high"])
        return dataclasses.replace(c, holdout=frame, tested=_words(holdout))

    return [banded(c) for c in comparisons]


def _bands(expected: Forecast, pooled: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
    """5 and 95 % of revenue by segment and of all customers, for each column; `pooled` ones count together.

    The futures of a customer are those of its history, whatever segments it is in: drawing them once for
    all columns takes a fifth of the time of one column after the other.
    """
    import ibis

    table, names = expected.table, list(pooled)

    def lines(at: int, name: str) -> Any:
        merged = ibis.ifelse(table[name].isin(list(pooled[name])), OTHER, table[name])
        segment = (merged if pooled[name] else table[name]).fill_null("unknown")
        return table.mutate(**{_LINE: ibis.literal(f"{at}:") + segment})

    parts = [lines(at, name) for at, name in enumerate(names)]
    whole = table.mutate(**{_LINE: ibis.literal(f":{ALL}")})
    every = functools.reduce(lambda one, other: one.union(other), parts, whole)
    rfm = dataclasses.replace(expected.rfm, segments=(*expected.rfm.segments, _LINE))
    found = dataclasses.replace(expected, rfm=rfm)
    found.__dict__["table"] = every
    rows = found.totals(_LINE).table.set_index(_LINE)[["revenue_p05", "revenue_p95"]]
    rows = rows.set_axis(["low", "high"], axis=1).drop(index=ALL)  # the sum of all columns

    def of(at: int) -> pd.DataFrame:
        own = rows[[str(line).startswith((f"{at}:", ":")) for line in rows.index]]
        return own.set_axis([str(line).partition(":")[2] for line in own.index], axis=0)

    return {name: of(at) for at, name in enumerate(names)}


def _words(holdout: HoldoutResult) -> str:
    """What the columns of a hold-out are of."""
    held = holdout.holdout
    return (
        f"revenue a customer of the {len(held.rfm):,} known on {held.cut}, from the day after to {held.end} "
        f"({held.days} days), forecast by what was known at the cut; bands: {holdout.forecast.doubt}"
    )
