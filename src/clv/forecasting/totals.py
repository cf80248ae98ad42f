"""Totals of a base, and of customers yet to come, by segment and fiscal period."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.engines import upload
from clv.data.rfm import groups_of
from clv.errors import ConfigError
from clv.forecasting.checks import check_finite
from clv.forecasting.lines import FEW, Line, Rows, lines_of
from clv.forecasting.newcomers import Wave, newcomers
from clv.forecasting.plans import Plan, first_orders
from clv.forecasting.stream import LEVELS, Base, at_rows
from clv.forecasting.value import finite_spend
from clv.models.draws import mean_over_draws
from clv.units import LIFETIME, Span, fiscal_periods, horizon_end

if TYPE_CHECKING:
    import pandas as pd

    from clv.forecasting.customers import Forecast

ALL = "All customers"
WHOLE = "Whole horizon"
_LOW_HIGH = (LEVELS[0], LEVELS[-1])
_COLUMNS = ("active", "orders", "revenue", "contribution", "clv")


@dataclass(frozen=True, eq=False, repr=False)
class Totals:
    """Totals with 90 % bands: `table` has a row a segment, period and population, the whole last.

    customers (of new ones, those acquired in the period), active (with an order in it), orders, revenue,
    contribution (revenue at the margin, when it comes in) and clv (contribution discounted to as_of), each
    expected, and `_p05` and `_p95`. Expected values add up; bands do not. Of a lifetime there are customers,
    active and clv only.
    """

    table: pd.DataFrame
    basis: str
    currency: str = ""

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def __repr__(self) -> str:
        return f"<Totals: {self.basis}>"

    def _repr_html_(self) -> str:
        shown = self.table.to_html(index=False, float_format="{:,.0f}".format, na_rep="–")
        return f"<p>{escape(self.basis)}</p>{shown}"


def totals(
    forecast: Forecast,
    by: str | None,
    period: str | None,
    plan: pd.DataFrame | None,
    fiscal_year_start: int,
) -> Totals:
    """Return totals; see `Forecast.totals`."""
    import pandas as pd

    if by is not None:
        forecast.rfm.check_segments([by])
    spans = _spans(forecast, period, fiscal_year_start)
    columns = columns_of(forecast, by)
    ends = np.array([_time(forecast, span.last) for span in spans]) if spans else np.array([forecast.t])
    existing = _existing(forecast, columns, ends)
    new: _Lines = {}
    population = ""
    if plan is not None:
        planned = Plan.of(plan, columns, set(existing), forecast.rfm.as_of, fiscal_year_start, _end(forecast))
        new = _new(forecast, planned, columns, ends)
        population = f", and new customers as planned{planned.left_out and f'. {planned.left_out[:-1]}'}"
    shown = list(_rows(forecast, by, columns, spans, existing, new if plan is not None else None))
    table = pd.DataFrame(shown)
    if forecast.horizon == LIFETIME:
        dropped = ("orders", "revenue", "contribution")
        table = table.drop(columns=[name for name in table.columns if name.split("_p")[0] in dropped])
    return Totals(table, f"{forecast.basis}{population}; bands: {forecast.doubt}", forecast.rfm.currency)


def reached(forecast: Forecast, by: str, lengths: Sequence[str]) -> pd.DataFrame:
    """Return totals by segment from now to the end of each of some horizons, the shortest first.

    `period` names the horizon; the other columns are those of `Totals`, without the whole.
    """
    import pandas as pd

    columns, as_of = columns_of(forecast, by), forecast.rfm.as_of
    spans = [Span(length, as_of + dt.timedelta(days=1), horizon_end(length, as_of)) for length in lengths]
    ends = np.array([_time(forecast, span.last) for span in spans])
    existing = _existing(forecast, columns, ends, nested=True)
    table = pd.DataFrame(list(_rows(forecast, by, columns, spans, existing, None)))
    return table[(table["period"] != WHOLE) & (table[by] != ALL)].reset_index(drop=True)


def worth(forecast: Forecast) -> float:
    """Return the expected value of a base, the sum of `clv_mean`, without a table of its customers.

    Raises ConfigError C011 where it is infinite.
    """
    columns = columns_of(forecast, None)
    base = dataclasses.replace(forecast.rfm, table=forecast.spent(forecast.rfm.table))
    keys = tuple(dict.fromkeys((*forecast.keys, *columns)))
    rows = base.grouped(keys, spent_total=base.table.spent_total.sum())
    b = forecast.streamed(rows)
    days = b.spend_days
    made = mean_over_draws(
        b.purchase, len(days), lambda m: m.discounted_purchases(b.history, forecast.rate, forecast.t)
    )
    check_finite(made, forecast.purchase.model)
    e0, e1 = finite_spend(b.spend, days)
    money = e0 * rows["customers"] + e1 * rows["spent_total"] / 10.0**forecast.rfm.digits
    margins = forecast.margins
    known, place = groups_of(rows, columns)
    margin = np.array([margins.expected(label[0] if label else "") for label in known])[place]
    return float(forecast.level * b.paid_share * np.sum(margin * made * money))


def columns_of(forecast: Forecast, by: str | None) -> tuple[str, ...]:
    """Return the segments that lines go by: margins by another one are applied to their own customers."""
    return tuple(dict.fromkeys(name for name in (by, forecast.margins.by) if name))


def _spans(forecast: Forecast, period: str | None, year_start: int) -> list[Span]:
    as_of = forecast.rfm.as_of
    if period is None:
        return []
    if forecast.horizon == LIFETIME:
        raise ConfigError('C006 a lifetime has no end to count periods to. Forecast a horizon, such as "2y".')
    return fiscal_periods(as_of, horizon_end(forecast.horizon, as_of), period, year_start)


def _end(forecast: Forecast) -> dt.date | None:
    """Last day of the horizon, where it has one."""
    lasting = forecast.horizon == LIFETIME
    return None if lasting else horizon_end(forecast.horizon, forecast.rfm.as_of)


def _time(forecast: Forecast, day: dt.date) -> float:
    return float((day - forecast.rfm.as_of).days / forecast.purchase.unit)


type _Lines = Mapping[tuple[str, ...], tuple[Any, Line]]  # customers by span, and their totals


def _existing(forecast: Forecast, columns: tuple[str, ...], ends: Any, *, nested: bool = False) -> _Lines:
    """Totals of the base by the values of columns."""
    # Segments may have come with the forecast's own table; totals need nothing else of it.
    table = vars(forecast).get("table", forecast.rfm.table)
    base = dataclasses.replace(forecast.rfm, table=forecast.spent(table))
    base.check_segments([*forecast.purchase.by, *forecast.spend.by])
    spend = base.table.spent_total
    keys = tuple(dict.fromkeys((*forecast.keys, *columns)))
    sums = {"spent_total": spend.sum(), "spent_squares": (spend.cast("float64") ** 2).sum()}
    rows = base.grouped(keys, **sums)
    known, place = groups_of(rows, columns)
    customers = np.bincount(place, rows["customers"], len(known))
    few = [label for label, n in zip(known, customers, strict=True) if n <= FEW]
    kept = customers[place] > FEW
    rows = {name: values[kept] for name, values in rows.items()}
    found = _lines(forecast, rows, columns, ends, one_by_one=False, nested=nested)
    if few:
        table = base.table
        if columns:
            wanted = dict(zip(columns, zip(*few, strict=True), strict=True))
            table = table.semi_join(upload(table.get_backend(), _arrow(wanted)), list(columns))
        single = dataclasses.replace(base, table=table).grouped((*keys, "spent_total"))
        each = single["spent_total"]
        single |= {
            "spent_total": each * single["customers"],
            "spent_squares": each.astype(float) ** 2 * single["customers"],
        }
        found |= _lines(forecast, single, columns, ends, one_by_one=True, nested=nested)
    size = len(ends) + 1
    return {label: (np.full(size, n), found[label]) for label, n in zip(known, customers, strict=True)}


def _arrow(columns: Mapping[str, Sequence[str]]) -> Any:
    import pyarrow as pa

    return pa.table({name: pa.array(list(values)) for name, values in columns.items()})


def _lines(
    forecast: Forecast,
    rows: dict[str, Any],
    columns: Sequence[str],
    ends: Any,
    *,
    one_by_one: bool,
    nested: bool,
) -> dict[tuple[str, ...], Line]:
    known, line = groups_of(rows, columns)
    if not known:
        return {}
    money = 10.0**forecast.rfm.digits
    base = forecast.streamed(rows)
    _check(forecast, base)
    counted = Rows(
        base,
        line,
        np.asarray(rows["customers"], dtype=float),
        rows["spent_total"] / money,
        rows["spent_squares"] / money**2,
        ends,
        forecast.rate,
        nested,
    )
    return dict(zip(known, lines_of(counted, one_by_one=one_by_one), strict=True))


def _check(forecast: Forecast, base: Base) -> None:
    """Raise ConfigError C011 or FitError M001 where a mean is infinite."""
    # Whether it is depends on parameters, and on how many orders spend was seen in.
    rows = np.unique(np.stack([base.groups, base.spend_days]), axis=1, return_index=True)[1]
    purchase, history = at_rows(base.purchase, rows), base.history.rows(rows)
    made = mean_over_draws(
        purchase, len(rows), lambda m: m.discounted_purchases(history, forecast.rate, forecast.t)
    )
    check_finite(made, forecast.purchase.model)
    finite_spend(at_rows(base.spend, rows), base.spend_days[rows])


def _new(forecast: Forecast, plan: Plan, columns: tuple[str, ...], ends: Any) -> _Lines:
    """Totals of planned customers by the values of columns."""
    firsts = first_orders(forecast.base, columns, telling=forecast.told)
    starts = np.append(0.0, ends[:-1])
    found = {}
    for label, spans in plan.waves.items():
        waves = [
            Wave(
                max(_time(forecast, span.first) - 1 / forecast.purchase.unit, 0.0),
                _time(forecast, span.last),
                n,
            )
            for span, n in spans
        ]
        line = newcomers(
            forecast.newcomer(dict(zip(columns, label, strict=True))),
            firsts[label],
            waves,
            ends,
            forecast.rate,
        )
        acquired = sum(
            w.customers
            * np.clip(np.minimum(w.end, ends) - np.maximum(w.start, starts), 0, None)
            / (w.end - w.start)
            for w in waves
        )
        found[label] = np.append(acquired, np.sum(acquired)), line
    return found


def _rows(
    forecast: Forecast,
    by: str | None,
    columns: Sequence[str],
    spans: Sequence[Span],
    existing: _Lines,
    new: _Lines | None,
) -> Iterator[dict[str, Any]]:
    populations = {"existing": existing} if new is None else {"existing": existing, "new": new}
    worth = {
        name: {label: (n, _valued(forecast, columns, label, line)) for label, (n, line) in lines.items()}
        for name, lines in populations.items()
    }
    if new is not None:
        worth["all"] = {}
        for label in existing:
            parts = [worth[name][label] for name in ("existing", "new") if label in worth[name]]
            worth["all"][label] = _sum(parts)
    names = sorted({label[columns.index(by)] for label in existing}) if by else []
    for name in [*names, ALL]:
        for population, lines in worth.items():
            parts = [v for label, v in lines.items() if name == ALL or label[columns.index(by or "")] == name]
            if parts:
                head = {by: name} if by else {}
                yield from _spelled({**head, "population": population}, spans, *_sum(parts))


def _valued(forecast: Forecast, columns: Sequence[str], label: tuple[str, ...], line: Line) -> Line:
    margins = forecast.margins
    segment = label[list(columns).index(margins.by)] if margins.by else ""
    return line.scaled(forecast.levels.drawn(forecast.draws), forecast.level).valued(
        margins.drawn(segment, forecast.draws), margins.expected(segment)
    )


def _sum(parts: Sequence[tuple[Any, Line]]) -> tuple[Any, Line]:
    customers, line = parts[0]
    for more, other in parts[1:]:
        customers, line = customers + more, line + other
    return customers, line


def _spelled(
    head: dict[str, Any], spans: Sequence[Span], customers: Any, line: Line
) -> Iterator[dict[str, Any]]:
    low, high = line.quantiles(_LOW_HIGH)
    for at in range(len(spans) + 1):
        row = dict(head)
        if spans:
            span = spans[at] if at < len(spans) else Span(WHOLE, spans[0].first, spans[-1].last)
            row |= {"period": span.label, "first": span.first, "last": span.last, "partial": span.partial}
            place = at
        else:
            place = -1
        row["customers"] = float(customers[place])
        for measure, name in enumerate(_COLUMNS):
            row[name] = line.expected[measure, place]
            row[f"{name}_p05"], row[f"{name}_p95"] = low[measure, place], high[measure, place]
        if head["population"] == "existing":  # a gamma knows no most
            row["active_p95"] = min(row["active_p95"], row["customers"])
        yield row
