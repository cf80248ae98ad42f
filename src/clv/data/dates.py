"""A column → the day in the business zone, in whole days since 1970-01-01, the same on every engine.

No engine parses a date, knows a time zone, or asks its session for one: texts are read by `date_texts`,
moments are moved by `zones`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clv.data.date_texts import BLANK, DateTexts, iso_texts, read_format
from clv.data.engines import epoch_seconds, plain_text
from clv.data.zones import DAY, FIRST_DAY, LAST_DAY, day_in_zone, known_zone
from clv.errors import ConfigError

__all__ = ["Parsed", "date_of", "date_shapes", "known_zone", "read_day", "read_format"]

_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000}
_NUMBER = f"^{BLANK}*[+-]?[0-9]{{1,18}}(?:[.][0-9]{{1,18}})?{BLANK}*$"


@dataclass(frozen=True)
class Parsed:
    """What was read of one column: Ibis expressions on the column's table."""

    value: Any  # int32 day since 1970-01-01, or int64 minor units; null where missing or unreadable
    missing: Any  # boolean, never null: nothing is there
    unreadable: Any  # boolean, never null: something is there that cannot be read
    text: Any  # what messages show


def read_day(
    column: Any, *, timezone: str | None = None, date_format: str | None = None, time_unit: str | None = None
) -> Parsed:
    """Read the days of a column of dates, times, texts, or of numbers as `date_format` or `time_unit` say.

    Dates and times without an offset are local already. Moments (a column with a zone, a text with an
    offset, Unix time) are cut in `timezone`, by default UTC. `time_unit` is "s", "ms" or "us" since 1970.
    Without a format, texts are ISO 8601 (`iso_texts`). Readable are the years 1 to 9999.

    Raises ConfigError C001 where an option cannot be meant.
    """
    zone = known_zone(timezone)
    if time_unit is not None and (time_unit not in _UNITS or date_format is not None):
        raise ConfigError(
            f"C001 time_unit must be one of s, ms, us, without a date_format; got {time_unit!r}."
        )
    texts = iso_texts() if date_format is None else read_format(date_format).texts()
    missing = _missing(column)
    value, readable = _read(
        column, zone, None if time_unit is None else _UNITS[time_unit], date_format, texts
    )
    return Parsed(value.cast("int32"), missing, ~missing & ~readable.fill_null(False), plain_text(column))


def _read(
    column: Any, zone: str, units: int | None, date_format: str | None, texts: DateTexts
) -> tuple[Any, Any]:
    """The day of a column, and whether it can be read."""
    import ibis

    kind = column.type()
    if kind.is_date() or (kind.is_timestamp() and kind.timezone is None):
        return _of_date(column.cast("date"))
    if kind.is_timestamp():
        return _of_moment(epoch_seconds(column), 1, zone)
    if units is not None and (kind.is_numeric() or kind.is_string()):
        return _of_moment(_unix_time(column), units, zone)
    if kind.is_string() or (kind.is_numeric() and date_format is not None):
        text = column if kind.is_string() else plain_text(column)
        return texts.day(text, zone), text.re_search(texts.all)
    return ibis.null("int64"), ibis.literal(False)


def date_of(day: Any) -> Any:
    """Return a day since 1970-01-01 as a date."""
    import ibis

    # A date plus days is a time on most engines, and Ibis, which takes it for a date, would not cast it.
    return (ibis.timestamp("1970-01-01 00:00:00") + day.as_interval("D")).date()


def _missing(column: Any) -> Any:
    kind = column.type()
    if kind.is_string():
        return ~column.re_search("[^ \t\r\n]").fill_null(False)
    return (column.isnull() | column.isnan()) if kind.is_floating() else column.isnull()


def _of_date(date: Any) -> tuple[Any, Any]:
    """PostgreSQL's infinite dates cannot be read."""
    import ibis

    known = date.between(ibis.date(1, 1, 1), ibis.date(9999, 12, 31))
    return ibis.ifelse(known, date, ibis.null("date")).delta(ibis.date(1970, 1, 1), unit="day"), known


def _of_moment(time: Any, units: int, zone: str) -> tuple[Any, Any]:
    """`time` counts units since 1970 in UTC, of which a second has `units`."""
    import ibis

    units *= 60
    known = (time >= FIRST_DAY * DAY * units) & (time < (LAST_DAY + 1) * DAY * units)
    whole = (time if time.type().is_integer() else time.floor()).cast("int64")
    day = whole // (DAY * units)
    minute = (whole - day * (DAY * units)) // units
    return ibis.ifelse(known, day_in_zone(day, minute, zone), ibis.null("int64")), known


def _unix_time(column: Any) -> Any:
    import ibis

    kind = column.type()
    if kind.is_string():
        number = ibis.ifelse(column.re_search(_NUMBER), column.translate(" \t\r\n", ""), ibis.null("string"))
        return number.try_cast("float64")
    return column if kind.is_integer() or kind.is_floating() else column.try_cast("float64")


# What dates look like, for findings.


def date_shapes(column: Any, *, date_format: str | None = None) -> dict[str, Any]:
    """Booleans, never null, on what the texts or numbers of a date column look like.

    Of texts that are no ISO dates, whether or not `date_format` or `time_unit` reads them: `integer_date`
    (20260131), `epoch_s`, `epoch_ms` (numbers of 10 or 13 digits), `slashed` (d/m/yyyy or m/d/yyyy, with
    / . or -), `first_over_12`, `second_over_12` (slashed, which tells the order). Of readable dates:
    `with_time` (a time of day but no zone), `near_midnight` (such a time, within two hours of it),
    `with_offset`.
    """
    import ibis

    kind = column.type()
    no = ibis.literal(False)
    shapes = dict.fromkeys(
        ("integer_date", "epoch_s", "epoch_ms", "slashed", "first_over_12", "second_over_12"), no
    )
    shapes |= dict.fromkeys(("with_time", "near_midnight", "with_offset"), no)
    texts = iso_texts() if date_format is None else read_format(date_format).texts()
    if kind.is_timestamp() and kind.timezone is not None:
        shapes["with_offset"] = column.notnull()
    elif kind.is_timestamp():
        timed = column.hour() * 3600 + column.minute() * 60 + column.second() > 0
        shapes["with_time"] = timed.fill_null(False)
        shapes["near_midnight"] = (timed & ((column.hour() < 2) | (column.hour() >= 22))).fill_null(False)
    elif kind.is_integer() or kind.is_floating():
        number = ibis.ifelse(column.abs() < 1e15, column, 0) if kind.is_floating() else column
        for name, low, high in (
            ("integer_date", 19_000_000, 20_999_999),
            ("epoch_s", 10**9, 10**10 - 1),
            ("epoch_ms", 10**12, 10**13 - 1),
        ):
            shapes[name] = (number.between(low, high) & (number == number.floor())).fill_null(False)
    elif kind.is_string():
        shapes |= _odd_texts(column) | _timed_texts(column, texts)
    return shapes


def _odd_texts(text: Any) -> dict[str, Any]:
    """The shapes of texts that are no ISO dates; one look sends most texts away."""
    import ibis

    two, over_12 = "[0-9]{1,2}", "(?:1[3-9]|2[0-9]|3[01])"
    year = "[0-9]{4}(?:[T ].*)?"
    odd = text.re_search(f"^{BLANK}*[0-9](?:[0-9]{{7}}|[0-9]?[/.-])").fill_null(False)
    patterns = {
        "integer_date": "(?:19|20)[0-9]{6}",
        "epoch_s": "[0-9]{10}",
        "epoch_ms": "[0-9]{13}",
        "slashed": f"{two}[/.-]{two}[/.-]{year}",
        "first_over_12": f"{over_12}[/.-]{two}[/.-]{year}",
        "second_over_12": f"{two}[/.-]{over_12}[/.-]{year}",
    }
    return {
        name: ibis.ifelse(odd, text.re_search(f"^{BLANK}*{pattern}{BLANK}*$"), False)
        for name, pattern in patterns.items()
    }


def _timed_texts(text: Any, texts: DateTexts) -> dict[str, Any]:
    import ibis

    no = ibis.literal(False)
    timed, near = no, no
    if texts.with_time is not None:
        local = text.re_search(texts.with_time).fill_null(False)
        late = ~text.re_search(texts.at_midnight)
        timed = ibis.ifelse(local, late, False)
        near = ibis.ifelse(local, late & text.re_search(texts.near_midnight), False)
    zoned = no if texts.with_offset is None else text.re_search(texts.with_offset).fill_null(False)
    return {"with_time": timed, "near_midnight": near, "with_offset": zoned}
