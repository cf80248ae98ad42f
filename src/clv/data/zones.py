"""Time zones without an engine's help: the offsets come from Python, an engine only adds and compares."""

from __future__ import annotations

import datetime as dt
import difflib
from bisect import bisect_left
from functools import cache
from itertools import pairwise
from typing import Any

from clv.errors import ConfigError

FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # the years 1 to 9999, as Python's dates have them
DAY = 1_440  # minutes
_UNTIL = 47_482 * DAY  # 2100-01-01; from there on, and before 1970, clocks stay as they are


def known_zone(timezone: str | None) -> str:
    """Return the name of a time zone, UTC by default; ConfigError C001 when there is none of this name."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        return ZoneInfo(timezone or "UTC").key
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        names = {name.split("/")[-1].lower(): name for name in sorted(available_timezones())}
        close = difflib.get_close_matches(str(timezone).split("/")[-1].lower(), names, 1, 0.75)
        hint = f" Did you mean {names[close[0]]!r}?" if close else ""
        raise ConfigError(
            f"C001 timezone must be a name such as 'Europe/Prague'; got {timezone!r}.{hint}"
        ) from None


def day_in_zone(day: Any, minute: Any, zone: str) -> Any:
    """The day in a zone, at the moment that is `minute` minutes after `day` began in UTC.

    Both are integer expressions without nulls; the minute may lie in the day before or after. Seconds make no
    difference, since clocks are put on at full minutes. The answer is kept within the years 1 to 9999.
    """
    import ibis

    first, changes = clock_changes(zone)
    offsets = [first, *(offset for _, offset in changes)]
    low, high = min(offsets), max(offsets)
    if low == high:
        local = day + (minute + low) // DAY
    else:
        # Most moments are so far from midnight that any offset of the zone will do: minute + low and
        # minute + high lie in one day. With between(), engines would work `minute` out twice.
        sure = [
            ((2 * minute + low + high + 1 - (2 * days + 1) * DAY).abs() < DAY + low - high, day + days)
            for days in ((0, 1, -1) if high > 0 else (0, -1, 1))
        ]
        local = ibis.cases(*sure, else_=day + (minute + _offset(day, minute, zone)) // DAY)
    return ibis.greatest(ibis.least(local, LAST_DAY), FIRST_DAY)


def _offset(day: Any, minute: Any, zone: str) -> Any:
    """Minutes east of UTC, looked up by the run of days in which `day` is.

    Such a run has one change of the clocks at most, even with the day before and after it, where `minute` may
    lie. The tables are texts of fixed columns, since in a list Ibis writes out list and place several times.
    """
    import ibis

    first, changes = clock_changes(zone)
    times, offsets = [time for time, _ in changes], [first, *(offset for _, offset in changes)]
    days = min((b - a for a, b in pairwise(times)), default=LAST_DAY * DAY) // DAY - 2
    start, moments, pairs = times[0] // DAY, [], []
    for begin in range(start, times[-1] // DAY + 1, days):
        i, end = bisect_left(times, (begin - 1) * DAY), (begin + days + 1) * DAY
        moments.append(min([*times[i : i + 1], end]))
        pairs += [offsets[i], offsets[i + (moments[-1] < end)]]
    place = ibis.greatest(ibis.least((day - start) // days, len(moments) - 1), 0)
    later = (day * DAY + minute >= _entry(moments, place)).cast("int32")
    return _entry(pairs, 2 * place + later)


def _entry(table: list[int], place: Any) -> Any:
    import ibis

    width = max(len(str(value)) for value in table)
    text = "".join(f"{value:0{width}d}" for value in table)
    return ibis.literal(text).left(((place + 1) * width).cast("int32")).right(width).cast("int64")


@cache
def clock_changes(zone: str) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Return the offset of a zone in 1970, and each later change: (minutes since 1970, offset)."""
    from zoneinfo import ZoneInfo

    local = ZoneInfo(zone)

    def offset(minute: int) -> int:
        east = dt.datetime.fromtimestamp(60 * minute, local).utcoffset() or dt.timedelta()
        return int(east.total_seconds() // 60)

    changes, first = [], offset(0)
    known = first
    for start in range(0, _UNTIL, DAY):
        if (then := offset(start + DAY)) != known:
            before, after = start, start + DAY
            while after - before > 1:
                middle = (before + after) // 2
                before, after = (middle, after) if offset(middle) == known else (before, middle)
            changes.append((after, then))
            known = then
    return first, tuple(changes)
