"""Dates as texts: how they may be written, and their day, in regular expressions that engines read alike.

What matches is a date of the years 1 to 9999: the expressions know the length of each month. They keep to
what RE2, PostgreSQL and Java have in common; [0-9] stands for digits, since some take others for digits too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from clv.data.zones import day_in_zone
from clv.errors import ConfigError

BLANK = "[ \t\r\n]"

# Names are English, whatever the locale.
_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_OF_100 = "(?:0[48]|[2468][048]|[13579][26])"  # years of a century that are leap years, without the first
_LEAP = {"Y": f"(?:[0-9]{{2}}{_OF_100}|{_OF_100}00)", "y": f"(?:00|{_OF_100})"}
_HOURS = "(?:0[0-9]|1[0-9]|2[0-3])"
_SIXTY = "(?:0[0-9]|[1-5][0-9])"
_OFFSET = "(?:[Zz]|UTC|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
_FORMS = {  # a directive: how it is written, with leading zeros
    "Y": "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)",
    "y": "[0-9]{2}",
    "m": "[0-9]{1,2}",  # month and day as _CALENDAR has them; these are for groups
    "d": "[0-9]{1,2}",
    "j": "[0-9]{1,3}",
    "b": "[A-Za-z]{3}",
    "B": "[A-Za-z]+",
    "H": _HOURS,
    "I": "(?:0[1-9]|1[0-2])",
    "M": _SIXTY,
    "S": _SIXTY,
    "f": "[0-9]{1,6}",
    "p": "[AaPp][Mm]",
    "z": _OFFSET,
}
_WIDTHS = {"Y": 4, "y": 2, "m": 2, "d": 2, "j": 3, "b": 3, "H": 2, "I": 2, "M": 2, "S": 2, "p": 2}
_NUMBERS = "YymdjHIMSf"
# What the time of day can be at midnight, and within two hours of it; each of them in one of these ways.
_MIDNIGHT = ({"H": "0[0]", "I": "12", "p": "[Aa][Mm]", "M": "0[0]", "S": "0[0]", "f": "0{1,6}"},)
_NEAR = (
    {"H": "(?:0[01]|2[23])", "I": "(?:0[1]|12)", "p": "[Aa][Mm]"},
    {"H": "(?:0[01]|2[23])", "I": "(?:10|11)", "p": "[Pp][Mm]"},
)


def _any_case(text: str) -> str:
    return "".join(f"[{c.upper()}{c.lower()}]" if c.isascii() and c.isalpha() else _plain(c) for c in text)


def _plain(c: str) -> str:
    """The expression for one character."""
    return c if c.isalnum() or not c.isascii() else f"\\{c}" if c in "\\^[]" else f"[{c}]"


def _months(number: str, *months: int) -> dict[str, str]:
    """How these months are written: in digits, short and long."""
    names = [_NAMES[month - 1] for month in months]
    short, long = ("|".join(map(_any_case, some)) for some in ([name[:3] for name in names], names))
    return {"m": f"(?:{number})", "b": f"(?:{short})", "B": f"(?:{long})"}


_CALENDAR = (  # every date fits one of these rows
    {"d": "(?:0[1-9]|1[0-9]|2[0-8])", **_months("0[1-9]|1[0-2]", *range(1, 13))},
    {"d": "(?:29|30)", **_months("0[13-9]|1[0-2]", 1, *range(3, 13))},
    {"d": "31", **_months("0[13578]|1[02]", 1, 3, 5, 7, 8, 10, 12)},
    {"d": "29", **_months("0[2]", 2), **_LEAP},
)
_DAYS_OF_YEAR = (
    {"j": "(?:00[1-9]|0[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-5])"},
    {"j": "366", **_LEAP},
)


@dataclass(frozen=True)
class DateTexts:
    """Texts in which dates are written one way; regular expressions, None where there are no such texts."""

    all: str
    with_offset: str | None
    with_time: str | None  # and no offset
    at_midnight: str | None  # of those with a time
    near_midnight: str | None
    day: Callable[[Any, str], Any]  # of a text in a zone, null where the text is no date


def _alone(*patterns: str) -> str:
    return f"^{BLANK}*(?:{'|'.join(patterns)}){BLANK}*$"


# ISO 8601, with a blank for the T, a slash for the hyphen, or a blank before the offset where people like it.


@cache
def iso_texts() -> DateTexts:
    """Dates such as 2026-01-31, 2026/01/31, 2026-01-31T23:30, 2026-01-31 23:30:59.5 +02:00."""
    days = "|".join(f"{sign}{row['m']}{sign}{row['d']}" for row in _CALENDAR[:3] for sign in "-/")
    date = f"(?:{_FORMS['Y']}(?:{days})|{_LEAP['Y']}(?:-02-29|/02/29))"
    seconds = f"(?::{_SIXTY}(?:[.,][0-9]+)?)?"

    def timed(hours: str, minutes: str, rest: str) -> str:
        return f"{date}[T ]{hours}:{minutes}{rest}"

    time = timed(_HOURS, _SIXTY, seconds)
    local, moment = f"{date}(?:[T ]{_HOURS}:{_SIXTY}{seconds})?", f"{time} ?{_OFFSET}"

    def day(text: Any, zone: str) -> Any:
        """One expression looks whether a text is a date, then fixed places are read."""
        import ibis

        bare = text.translate("T \t\r\n", "")  # what comes after the date is one place further left
        return ibis.cases(
            (text.re_search(f"^{local}$"), _iso_day(text)),
            (text.re_search(f"^{moment}$"), day_in_zone(_iso_day(text), _iso_minute(text, 11), zone)),
            (text.re_search(_alone(local)), _iso_day(bare)),
            (text.re_search(_alone(moment)), day_in_zone(_iso_day(bare), _iso_minute(bare, 10), zone)),
            else_=ibis.null("int64"),
        )

    return DateTexts(
        all=_alone(f"{date}(?:[T ]{_HOURS}:{_SIXTY}{seconds}(?: ?{_OFFSET})?)?"),
        with_offset=_alone(moment),
        with_time=_alone(time),
        at_midnight=_alone(timed("00", "00", "(?::00(?:[.,]0*)?)?")),
        near_midnight=_alone(timed("(?:0[01]|2[23])", _SIXTY, seconds)),
        day=day,
    )


def _iso_day(text: Any) -> Any:
    return _days(*(_number(text.substr(at, width)) for at, width in ((0, 4), (5, 2), (8, 2))))


def _iso_minute(text: Any, at: int) -> Any:
    """Minutes since the day began in UTC, of a text with its time at a place and an offset at its end."""
    return 60 * _number(text.substr(at, 2)) + _number(text.substr(at + 3, 2)) - _east(text)


# Formats of strptime.


@dataclass(frozen=True)
class Format:
    """A strptime format; each part is a directive's letter, or "" and the text that stands there."""

    parts: tuple[tuple[str, str], ...]

    @property
    def letters(self) -> str:
        """The directives in their order."""
        return "".join(letter for letter, _ in self.parts)

    def texts(self) -> DateTexts:
        """The dates in this format: any blanks, any case, and leading zeros or not, as strptime has it."""
        every, zoned = self._pattern(loose=True), "z" in self.letters
        timed = bool(set(self.letters) & set("HI")) and not zoned
        near = _NEAR if "p" in self.letters or "H" in self.letters else _NEAR[:1]
        return DateTexts(
            all=_alone(every),
            with_offset=_alone(every) if zoned else None,
            with_time=_alone(every) if timed else None,
            at_midnight=_alone(*(self._pattern(True, forms) for forms in _MIDNIGHT)) if timed else None,
            near_midnight=_alone(*(self._pattern(True, forms) for forms in near)) if timed else None,
            day=self._day,
        )

    def _day(self, text: Any, zone: str) -> Any:
        import ibis

        wanted = "YymbBdj" + ("HIMpz" if "z" in self.letters else "")
        groups = f"^{BLANK}*{self._row(True, {}, wanted)}{BLANK}*$"
        order = [letter for letter in self.letters if letter in wanted]
        found = {letter: text.re_extract(groups, i + 1) for i, letter in enumerate(order)}
        day = _day_of(found)
        if "z" in found:
            day = day_in_zone(day, _minute_of(found), zone)
        cases = [(text.re_search(_alone(self._pattern(loose=True))), day)]
        places = self._places()
        if "z" not in found and set(order) <= set(places):  # leading zeros everywhere: no need of groups
            fixed = {letter: text.substr(places[letter], _WIDTHS[letter]) for letter in order}
            cases.insert(0, (text.re_search(f"^{self._pattern(loose=False)}$"), _day_of(fixed)))
        return ibis.cases(*cases, else_=ibis.null("int64"))

    def _pattern(self, loose: bool, forms: dict[str, str] | None = None) -> str:
        """The expression for all dates in this format, or for those with some fields in other forms."""
        rows = _DAYS_OF_YEAR if "j" in self.letters else _CALENDAR
        return f"(?:{'|'.join(self._row(loose, {**row, **(forms or {})}) for row in rows)})"

    def _row(self, loose: bool, forms: dict[str, str], wanted: str = "") -> str:
        pieces = []
        for i, (letter, text) in enumerate(self.parts):
            form = forms.get(letter) or _FORMS.get(letter) or _literal(text, loose)
            if loose and letter and letter in "mdjHIMS" and not self._adjoins(i):
                form = re.sub(r"0+(?=\[)", lambda zeros: "0?" * len(zeros[0]), form)
            pieces.append(f"({form})" if letter and letter in wanted else form)
        return "".join(pieces)

    def _adjoins(self, i: int) -> bool:
        """Say whether a number stands next to part i; then zeros stay: 2026111 is of January or November."""

        def digit(part: tuple[str, str], end: int) -> bool:
            letter, text = part
            return letter in _NUMBERS if letter else text[end].isdigit()

        before, after = self.parts[:i][-1:], self.parts[i + 1 :][:1]
        return any(digit(part, -1) for part in before) or any(digit(part, 0) for part in after)

    def _places(self) -> dict[str, int]:
        """Where each field begins in a text with leading zeros, up to the first field of no fixed width."""
        places, at = {}, 0
        for letter, text in self.parts:
            if letter and letter not in _WIDTHS:
                break
            places[letter] = at
            at += _WIDTHS[letter] if letter else len(text)
        return places


@cache
def read_format(date_format: str) -> Format:
    """Return the parts of a strptime format; ConfigError C001 where it has unknown ones, or is no date."""
    parts = []
    for letter, text in re.findall(r"%(.?)|([^%]+)", str(date_format).strip(), re.DOTALL):
        known = letter in _FORMS
        if not (known or text or letter == "%"):
            raise ConfigError(
                f"C001 date_format knows {' '.join('%' + name for name in _FORMS)}; got %{letter} in "
                f"{date_format!r}."
            )
        parts.append((letter if known else "", text or letter))
    has = Counter(letter for letter, _ in parts if letter)
    year, month, day, hour = (sum(has[letter] for letter in some) for some in ("Yy", "mbB", "dj", "HI"))
    if year != 1 or day != 1 or month != (not has["j"]) or hour > 1 or max(has.values()) > 1:
        raise ConfigError(
            "C001 date_format must have year, month and day, and nothing twice; "
            f'got {date_format!r}. Write it such as "%d/%m/%Y".'
        )
    return Format(tuple(parts))


def _literal(text: str, loose: bool) -> str:
    if not loose:
        return "".join(map(_plain, text))
    return "".join(f"{BLANK}+" if piece.isspace() else _any_case(piece) for piece in re.split(r"(\s+)", text))


# Fields → numbers.


def _number(text: Any) -> Any:
    return text.try_cast("int32")


def _days(year: Any, month: Any, day: Any) -> Any:
    """Days since 1970-01-01."""
    import ibis

    return ibis.date(year, month, day).delta(ibis.date(1970, 1, 1), unit="day")


def _day_of(found: dict[str, Any]) -> Any:
    year = _number(found["Y"]) if "Y" in found else 1969 + (_number(found["y"]) + 31) % 100
    if "j" in found:
        return _days(year, 1, 1) + _number(found["j"]) - 1
    name = found.get("b", found.get("B"))
    month = _number(found["m"]) if name is None else _month(name)
    return _days(year, month, _number(found["d"]))


def _month(name: Any) -> Any:
    """The number of a month by its name; not by lower(), which has its own mind in Turkish."""
    import ibis

    small = name.left(3).translate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
    return ibis.literal("".join(long[:3].lower() for long in _NAMES)).find(small) // 3 + 1


def _minute_of(found: dict[str, Any]) -> Any:
    """Minutes since the day began in UTC."""
    import ibis

    hour = _number(found["H"]) if "H" in found else ibis.literal(0)
    if "I" in found:
        hour = _number(found["I"]) % 12
        if "p" in found:
            hour = hour + ibis.ifelse(found["p"].left(1).isin(["P", "p"]), 12, 0)
    return 60 * hour + (_number(found["M"]) if "M" in found else 0) - _east(found["z"])


def _east(text: Any) -> Any:
    """Minutes east of UTC in a text that ends in an offset: 150 for +02:30, +0230."""
    import ibis

    end = text.replace(":", "").right(5)
    return ibis.cases(
        (text.right(1).isin(["Z", "z", "C"]), 0),
        (end.startswith("+") | end.startswith("-"), _number(end) - 40 * _number(end.substr(0, 3))),
        else_=60 * _number(text.right(3)),
    )
