"""A plan of acquisition: how many customers are to come in which period, by segment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from clv.data.engines import fetch
from clv.data.ready_made import need
from clv.data.rfm import RFM, group_labels
from clv.errors import ConfigError
from clv.forecasting.newcomers import FirstOrder
from clv.units import Span, period_named

if TYPE_CHECKING:
    import pandas as pd

MEASURED = 20  # first orders, below which a segment's are taken to be as everyone's


@dataclass(frozen=True)
class Plan:
    """Periods of acquisition with their numbers of customers, by the values of the segment columns."""

    waves: Mapping[tuple[str, ...], list[tuple[Span, float]]]

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

        A period that has begun means customers still to come in it. Raises ConfigError P001 for segments that
        no customer is in, P002 for numbers of customers below 0, P003 for periods that are none, are over,
        begin after `end`, or overlap: all at once.
        """
        if not hasattr(plan, "to_dict") or not hasattr(plan, "columns"):
            raise ConfigError(f"P003 a plan must be a data frame; got a {type(plan).__name__}.")
        missing = [name for name in ("period", "customers", *columns) if name not in plan.columns]
        if missing:
            have = ", ".join(map(str, plan.columns))
            raise ConfigError(f"P001 a plan needs the columns {', '.join(missing)}; got {have}.")
        wrong: list[str] = []
        waves: dict[tuple[str, ...], list[tuple[Span, float]]] = {}
        for row in plan.to_dict("records"):
            label = tuple(str(row[name]) for name in columns)
            wrong += _wrong_row(row, label, known)
            try:
                span = period_named(row["period"], year_start)
            except ConfigError as error:
                wrong += error.messages
                continue
            wrong += _wrong_span(span, label, [other for other, _ in waves.get(label, [])], as_of, end)
            waves.setdefault(label, []).append((span, row["customers"]))
        if wrong:
            raise ConfigError(*dict.fromkeys(wrong))
        return cls(waves)


def _wrong_row(
    row: Mapping[Any, Any], label: tuple[str, ...], known: Collection[tuple[str, ...]]
) -> list[str]:
    wrong, customers = [], row["customers"]
    if label not in known:
        have = ", ".join(" · ".join(one) for one in sorted(known)[:8])
        wrong.append(f"P001 plan names {' · '.join(label)!r}, in which no customer is. There are {have}.")
    if not isinstance(customers, int | float) or not 0 <= customers < float("inf"):
        wrong.append(f"P002 plan must have 0 customers or more in {row['period']}; got {customers!r}.")
    return wrong


def _wrong_span(
    span: Span, label: tuple[str, ...], others: Sequence[Span], as_of: dt.date, end: dt.date | None
) -> list[str]:
    wrong = []
    if span.last <= as_of:
        wrong.append(f"P003 plan has customers for {span.label}, which is over by as_of {as_of}.")
    if end and span.first > end:
        wrong.append(f"P003 plan has customers for {span.label}, after the horizon ends on {end}.")
    for other in others:
        if span.first <= other.last and other.first <= span.last:
            of = f" of {' · '.join(label)}" if label else ""
            wrong.append(f"P003 plan has overlapping periods{of}: {other.label} and {span.label}.")
    return wrong


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
    labels = list(zip(*(group_labels(rows, (name,)) for name in columns), strict=True)) if columns else [()]

    def measured(label: tuple[str, ...], customers: float, total: float, squares: float, paid: float) -> Any:
        mean, seed = total / customers, crc32(" · ".join(label).encode())
        variance = max(squares / customers - mean**2, 0.0)
        return FirstOrder(mean, variance, customers, paid / customers * telling, seed)

    whole = measured((), *(sum(rows[name]) for name in sums))
    found = {}
    for at, label in enumerate(labels):
        enough = rows["customers"][at] >= MEASURED
        found[label] = measured(label, *(rows[name][at] for name in sums)) if enough else whole
    return found
