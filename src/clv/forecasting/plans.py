"""A plan of acquisition: how many customers are to come in which period, by segment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from clv.data.book_rules import overlapping, read_numbers, read_periods, strange, unnamed
from clv.data.engines import fetch
from clv.data.ready_made import need
from clv.data.rfm import RFM, groups_of
from clv.errors import ConfigError, error_of
from clv.forecasting.newcomers import FirstOrder
from clv.units import Span

if TYPE_CHECKING:
    import pandas as pd

MEASURED = 20  # first orders, below which a segment's are taken to be as everyone's


@dataclass(frozen=True)
class Plan:
    """Periods of acquisition with their numbers of customers, by the values of the segment columns.

    `left_out` says which periods are not among them, and why; empty where all are.
    """

    waves: Mapping[tuple[str, ...], list[tuple[Span, float]]]
    left_out: str = ""

    @classmethod
    def of(
        cls,
        plan: pd.DataFrame,
        columns: Sequence[str],
        known: Collection[tuple[str, ...]],
        as_of: dt.date,
        year_start: int,
        end: dt.date | None,
    ) -> Plan:
        """Read a table of period, customers and the segment columns.

        A period that has begun means customers still to come in it; those that are over, or begin after
        `end`, are left out. Raises DataError D016 for numbers that are none, ConfigError P001 for segments
        that no customer is in, P002 for numbers of customers below 0, P003 for periods that are none,
        overlap, or are all left out: all at once.
        """
        if not hasattr(plan, "to_dict") or not hasattr(plan, "columns"):
            raise ConfigError(
                f"P003 a plan must be a data frame; got a {type(plan).__name__}. Its columns are "
                f"{', '.join(('period', *columns, 'customers'))}."
            )
        missing = [name for name in ("period", "customers", *columns) if name not in plan.columns]
        if missing:
            have = ", ".join(map(str, plan.columns))
            raise ConfigError(f"P001 a plan needs the columns {', '.join(missing)}; got {have}.")
        frame = plan[["period", *columns, "customers"]].reset_index(drop=True)
        spans, wrong = read_periods(frame, "the plan", year_start)
        wrong += read_numbers(frame, ["customers"], "the plan", least=0)
        wrong += [*unnamed(frame, columns, "the plan"), *_unknown(frame, columns, known)]
        waves = _waves(frame, columns, spans)
        for label, found in waves.items():
            of = f"plan of {' · '.join(label)}" if label else "plan"
            wrong += overlapping([span for span, _ in found], of)
        over = [span.label for span in spans.values() if span.last <= as_of]
        later = [span.label for span in spans.values() if end and span.first > end]
        if spans and len(over) + len(later) == len(spans):
            wrong.append(
                f"P003 the plan must have customers still to come by {end or 'then'}; got "
                f"{_when(over, later, as_of, end)}. Give it periods after as_of {as_of}."
            )
        if wrong:
            raise error_of(wrong)
        kept = {
            label: [wave for wave in found if wave[0].label not in (*over, *later)]
            for label, found in waves.items()
        }
        told = f"Periods of the plan that are left out: {_when(over, later, as_of, end)}."
        return cls({label: found for label, found in kept.items() if found}, told if over or later else "")


def _waves(
    frame: pd.DataFrame, columns: Sequence[str], spans: Mapping[str, Span]
) -> dict[tuple[str, ...], list[tuple[Span, float]]]:
    """Periods that can be read and their customers, by segment."""
    waves: dict[tuple[str, ...], list[tuple[Span, float]]] = {}
    for row in frame.to_dict("records"):
        if row["period"] in spans:
            label = tuple(str(row[name]) for name in columns)
            waves.setdefault(label, []).append((spans[row["period"]], float(row["customers"])))
    return waves


def _unknown(frame: pd.DataFrame, columns: Sequence[str], known: Collection[tuple[str, ...]]) -> list[str]:
    """P001 for segments that no customer is in."""
    named = frame.dropna(subset=list(columns))[list(columns)].astype(str).itertuples(index=False)
    said = strange(list(map(" · ".join, named)), list(map(" · ".join, known)))
    if not said:
        return []
    return [f"P001 plan {said} Plan customers of a new one in the one that they will be most like."]


def _when(over: Sequence[str], later: Sequence[str], as_of: dt.date, end: dt.date | None) -> str:
    """Periods that are over, and those that begin too late, in words."""
    parts = ((over, f"over by as_of {as_of}"), (later, f"after the horizon ends on {end}"))
    return "; ".join(f"{', '.join(labels)} ({why})" for labels, why in parts if labels)


def first_orders(rfm: RFM, columns: Sequence[str], *, telling: bool) -> dict[tuple[str, ...], FirstOrder]:
    """Measure first orders by segment; few of them are taken to be as everyone's.

    `telling` says that the spend model has learnt from them, so that they say what repeat orders will bring.
    """
    need(rfm.table, ["first_amount"], "a plan of new customers")
    amount = rfm.table.first_amount.cast("float64") / 10.0**rfm.digits
    sums = {"customers": rfm.table.count(), "total": amount.sum(), "squares": (amount**2).sum()}
    sums["paid"] = (rfm.table.first_amount > 0).sum()
    grouped = rfm.table.group_by(list(columns)).aggregate(**sums) if columns else rfm.table.aggregate(**sums)
    rows = fetch(grouped).to_pydict()
    known, place = groups_of(rows, columns)

    def measured(label: tuple[str, ...], customers: float, total: float, squares: float, paid: float) -> Any:
        mean, seed = total / customers, crc32(" · ".join(label).encode())
        variance = max(squares / customers - mean**2, 0.0)
        return FirstOrder(mean, variance, customers, paid / customers * telling, seed)

    whole = measured((), *(sum(rows[name]) for name in sums))
    found = {}
    for at, label in enumerate(known[number] for number in place):
        enough = rows["customers"][at] >= MEASURED
        found[label] = measured(label, *(rows[name][at] for name in sums)) if enough else whole
    return found
