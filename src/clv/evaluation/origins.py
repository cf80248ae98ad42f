"""Rolling origins: bases as they were known at several cuts, and what their customers did after each.

Windows lie end to end up to as_of. Where the log is long enough, each has an earlier one, the same days of
the year before, whose outcome was known at the cut: it says how far the level of a forecast was off.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clv.data.contract import Transactions
from clv.data.engines import fetch, keep, upload
from clv.data.holdout import Holdout, days_by_cut, splits
from clv.data.rfm import RFM
from clv.errors import ConfigError
from clv.models.protocols import Array
from clv.units import EPOCH, add_months, horizon_end

_YEAR = "12m"
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """The days after `cut` up to `end`, in steps that end on each of `steps`."""

    cut: dt.date
    end: dt.date
    steps: tuple[dt.date, ...]

    @property
    def days(self) -> int:
        """Its length."""
        return (self.end - self.cut).days

    @property
    def year_before(self) -> Window:
        """The same days a year earlier."""
        cut, end = (moved(day, _YEAR, -1) for day in (self.cut, self.end))
        return Window(cut, end, (end,))

    def __str__(self) -> str:
        return f"{self.cut} to {self.end}"


@dataclass(frozen=True, eq=False)
class Origin:
    """A base at a cut, whose table says what each customer did in the window, and the sums of every step.

    `earlier` is the base of the window a year before, with the revenue that came in it as far as it was
    known at the cut; None where the log is too short for it.
    """

    window: Window
    rfm: RFM
    purchases: Array
    value: Array
    earlier: Earlier | None


@dataclass(frozen=True, eq=False)
class Earlier:
    """The base at the cut of an earlier window, and the revenue that its customers then brought."""

    window: Window
    rfm: RFM
    revenue: float


def moved(day: dt.date, horizon: str, times: int) -> dt.date:
    """Return a day so many horizons later; the end of a month stays one."""
    first = dt.date(2001, 1, 1)
    end = horizon_end(horizon, first)
    if horizon.strip()[-1].lower() in "my":
        months = 12 * (end.year - first.year) + end.month - first.month
        return add_months(day + _DAY, months * times) - _DAY
    return day + times * (end - first)


def windows(first: dt.date, as_of: dt.date, horizon: str, count: int) -> list[Window]:
    """Return the windows, the last first, before which there is a log as long as they are."""
    cuts = [moved(as_of, horizon, -times) for times in range(count + 1)]
    ends = zip(cuts[1:], cuts[:-1], strict=True)
    found = [Window(*days, _steps(*days, horizon)) for days in ends if _fits(days[0], first, horizon)]
    if not found:
        raise ConfigError(
            f"C007 horizon leaves no origin with as much log before it; got {horizon!r} after a log of "
            f"{(as_of - first).days:,} days, cut at {cuts[1]}. Shorten it, or supply a longer log."
        )
    return found


def _steps(cut: dt.date, end: dt.date, horizon: str) -> tuple[dt.date, ...]:
    """Ends of months, or of weeks where the horizon is in weeks or days."""
    step = "1m" if horizon.strip()[-1].lower() in "my" else "1w"
    ends: list[dt.date] = []
    while (day := moved(cut, step, len(ends) + 1)) < end:
        ends.append(day)
    return (*ends, end)


def _fits(cut: dt.date, first: dt.date, horizon: str) -> bool:
    return moved(cut, horizon, -1) + _DAY >= first


def roll(orders: Transactions, horizon: str, count: int) -> tuple[list[Origin], Earlier | None]:
    """Return the origins, the first first, and the earlier window of a forecast that starts at as_of.

    One pass over the log counts all bases, one more what came after. Raises ConfigError C007 where there
    is no origin.
    """
    as_of = orders.as_of_date
    first = fetch(orders.rfm().table.aggregate(day=lambda t: t.first_date.min())).to_pylist()[0]["day"]
    found = windows(first, as_of, horizon, count)
    ahead = Window(as_of, moved(as_of, horizon, 1), ())
    before = {w: w.year_before for w in (*found, ahead)}
    before = {w: b for w, b in before.items() if _fits(b.cut, first, horizon) and b.end <= w.cut}
    cuts = list(dict.fromkeys([*(w.cut for w in found), *(b.cut for b in before.values())]))
    held = {cut: holdout for cut, holdout in zip(cuts, splits(orders, cuts), strict=True)}
    known = [(w.cut, w) for w in found] + [(w.cut, b) for w, b in before.items()]
    lived = _lived(orders, known)

    def earlier(w: Window) -> Earlier | None:
        if w not in before:
            return None
        b = before[w]
        return Earlier(b, held[b.cut].rfm, float(_sums(lived, w.cut, b, held[b.cut])[1].sum()))

    origins = []
    for w in reversed(found):
        purchases, value = _sums(lived, w.cut, w, held[w.cut])
        origins.append(Origin(w, _with_actuals(lived, w, held[w.cut]), purchases, value, earlier(w)))
    return origins, earlier(ahead)


def _lived(orders: Transactions, known: Sequence[tuple[dt.date, Window]]) -> Any:
    """Purchases and spend by cut, window, step and customer: of each window as known at the cut beside it.

    After a cut it is known what the log says in the end.
    """
    import pyarrow as pa

    rows = [
        (orders.day_number(cut), orders.day_number(w.cut), at, day)
        for cut, w in known
        for at, (start, end) in enumerate(_spans(w))
        for day in range(orders.day_number(start) + 1, orders.day_number(end) + 1)
    ]
    columns = zip(("cut", "start", "step", "day"), zip(*rows, strict=True), strict=True)
    calendar = pa.table({name: pa.array(values, pa.int32()) for name, values in columns})
    days = days_by_cut(orders, list(dict.fromkeys(row[0] for row in rows)))
    named = orders.purchase_days(days, "cut", "spent")
    table = named.inner_join(upload(orders.raw.get_backend(), calendar), ["cut", "day"])
    return keep(
        table.group_by("cut", "start", "step", "customer_id").aggregate(
            purchases=table.count().cast("int64"), spend=table.spent.clip(lower=0).sum().cast("int64")
        )
    )


def _spans(w: Window) -> Iterable[tuple[dt.date, dt.date]]:
    return zip((w.cut, *w.steps[:-1]), w.steps, strict=True)


def _of(lived: Any, cut: dt.date, w: Window) -> Any:
    number = [(day - EPOCH).days for day in (cut, w.cut)]
    return lived.filter((lived.cut == number[0]) & (lived.start == number[1])).drop("cut", "start")


def _sums(lived: Any, cut: dt.date, w: Window, held: Holdout) -> tuple[Array, Array]:
    """Purchases and revenue of a base in each step of a window."""
    known = _of(lived, cut, w).semi_join(held.rfm.table, "customer_id")
    sums = known.group_by("step").aggregate(n=known.purchases.sum(), s=known.spend.sum())
    found = np.zeros((2, len(w.steps)))
    for row in fetch(sums).to_pylist():
        found[:, row["step"]] = row["n"], row["s"] / 10.0**held.rfm.digits
    return found[0], found[1]


def _with_actuals(lived: Any, w: Window, held: Holdout) -> RFM:
    """Return the base with what each customer did within the window, not up to as_of."""
    own = _of(lived, w.cut, w).group_by("customer_id")
    sums = own.aggregate(
        actual_purchases=lambda t: t.purchases.sum().cast("int64"),
        actual_spend=lambda t: t.spend.sum().cast("int64"),
    )
    table = held.rfm.table.drop("actual_purchases", "actual_spend").left_join(sums, "customer_id")
    whole = {name: table[name].fill_null(0) for name in ("actual_purchases", "actual_spend")}
    return dataclasses.replace(held.rfm, table=keep(table.mutate(**whole).drop("customer_id_right")))
