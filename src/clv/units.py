"""Time and money units: the only place that converts them.

A week has 7 days, a year 365.25; `"12m"` means calendar months. Discount rates are annual.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import re
from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real

from clv.errors import ConfigError

DAYS_PER_YEAR = 365.25
WEEK = 7.0
LIFETIME = "lifetime"
_UNITS = {"day": 1.0, "week": WEEK, "month": DAYS_PER_YEAR / 12, "year": DAYS_PER_YEAR}
_DURATION = re.compile(r"\s*(\d+)\s*([dwmy])\s*", re.IGNORECASE)
_PERIOD = re.compile(r"(FY)?(\d{4})(?:-Q([1-4])|-(\d{2}))?")
EPOCH = dt.date(1970, 1, 1)  # days are counted from here
# ISO 4217: codes by decimals where these are not 2.
CODES = {
    0: (
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
        *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    ),
    3: ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"),
    4: ("CLF", "UYW"),
}


def as_date(value: dt.date | str, name: str) -> dt.date:
    """Return a day given as a date, a timestamp or "YYYY-MM-DD"; ConfigError C001 for anything else."""
    with contextlib.suppress(ValueError):
        if isinstance(value, str):
            return dt.date.fromisoformat(value)
    if isinstance(value, dt.date) and value == value:  # not pandas' NaT
        return value.date() if isinstance(value, dt.datetime) else value
    raise ConfigError(f'C001 {name} must be a date such as "2026-09-30"; got {value!r}.')


def days_in(unit: str | float) -> float:
    """Number of days in "day", "week", "month" (30.4375) or "year", or in a unit that is given in days.

    Raises ConfigError C001 for anything else.
    """
    if isinstance(unit, str) and unit in _UNITS:
        return _UNITS[unit]
    if isinstance(unit, Real) and not isinstance(unit, bool) and math.isfinite(unit) and unit > 0:
        return float(unit)
    close = [name for name in _UNITS if name[0] == str(unit).lower()[:1]]
    hint = f' Did you mean "{close[0]}"?' if close else ""
    raise ConfigError(
        'C001 unit must be "day", "week", "month", "year" or a number of days, what times are measured in; '
        f"got {unit!r}.{hint}"
    )


def minor_digits(currency: str) -> int:
    """Decimal places of a currency's minor unit (ISO 4217): 2 for most, 0 for JPY, 3 for KWD."""
    return next((digits for digits, codes in CODES.items() if currency.upper() in codes), 2)


def add_months(day: dt.date, months: int) -> dt.date:
    """Return the same day `months` later, or that month's last day where it has none."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return dt.date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@dataclass(frozen=True)
class Span:
    """Days from `first` to `last` of the period that `label` names, `partial` where it has more."""

    label: str
    first: dt.date
    last: dt.date
    partial: bool = False


def fiscal_periods(start: dt.date, end: dt.date, period: str, year_start: int = 1) -> list[Span]:
    """Months ("M"), quarters ("Q") or years ("Y") after `start` up to `end`.

    Fiscal years begin with month `year_start` and are called after the year they end in: "FY2027-Q1".
    Raises ConfigError C001 for another period or month.
    """
    check_year_start(year_start)
    months = {"M": 1, "Q": 3, "Y": 12}.get(period)
    if months is None:
        raise ConfigError(f'C001 period must be "M", "Q" or "Y"; got {period!r}.')
    found, day = [], start + dt.timedelta(days=1)
    while day <= end:
        into = (day.month - year_start) % months
        whole = add_months(day.replace(day=1), -into)
        last = add_months(whole, months) - dt.timedelta(days=1)
        partial = day > whole or last > end
        found.append(Span(period_label(whole, period, year_start), day, min(last, end), partial))
        day = last + dt.timedelta(days=1)
    return found


def check_year_start(month: int) -> None:
    """Raise ConfigError C001 for a fiscal_year_start that is no month."""
    if isinstance(month, bool) or month not in range(1, 13):
        raise ConfigError(f"C001 fiscal_year_start must be a month from 1 to 12; got {month!r}.")


def period_label(first: dt.date, period: str, year_start: int = 1) -> str:
    """Name of the period that begins on a day: "2026-10", "2026-Q4", "2026", "FY2027-Q1" or "FY2027"."""
    if period == "M":
        return f"{first:%Y-%m}"
    ends = add_months(first, 11 - (first.month - year_start) % 12)
    year = f"{ends.year:04d}" if year_start == 1 else f"FY{ends.year:04d}"
    return year if period == "Y" else f"{year}-Q{(first.month - year_start) % 12 // 3 + 1}"


def period_named(label: str, year_start: int = 1) -> Span:
    """Return the period of a label such as "2026-10", "2026-Q4" or "FY2027"; ConfigError P003 for others."""
    spans, wrong = periods_named([label], "a table", year_start)
    if wrong:
        raise ConfigError(*wrong)
    return spans[label]


def periods_named(labels: Iterable[str], of: str, year_start: int = 1) -> tuple[dict[str, Span], list[str]]:
    """Return the periods of labels, and what is wrong with those that are none: a sentence for all alike.

    P003 for labels that are none, and for years that say too little, or too much, of when they begin: "FY"
    stands where fiscal years do not begin in January, and there alone. `of` names what the periods are of.
    Raises ConfigError C001 where `year_start` is no month.
    """
    check_year_start(year_start)
    spans: dict[str, Span] = {}
    wrong: dict[bool, list[str]] = {}
    for label in dict.fromkeys(labels):
        match = _PERIOD.fullmatch(str(label).strip())
        span = None if match is None else _span(match, year_start if match[1] else 1)
        if match and span and (match[4] or bool(match[1]) == (year_start > 1)):
            spans[label] = span
        else:
            wrong.setdefault(span is None, []).append(label)
    said = {True: _no_period, False: _other_year}
    return spans, [said[none](found, of, year_start) for none, found in wrong.items()]


def _span(match: re.Match[str], year_start: int) -> Span | None:
    """The period that a label means; None for a month 13, or a year that dates have not."""
    with contextlib.suppress(ValueError):
        if match[4]:
            first, months = dt.date(int(match[2]), int(match[4]), 1), 1
        else:
            begins = dt.date(int(match[2]) - (year_start > 1), year_start, 1)
            first = add_months(begins, 3 * (int(match[3]) - 1) if match[3] else 0)
            months = 3 if match[3] else 12
        return Span(match[0], first, add_months(first, months) - dt.timedelta(days=1))
    return None


def _no_period(labels: Sequence[str], of: str, year_start: int) -> str:
    year = "2026" if year_start == 1 else "FY2027"
    return (
        f'P003 periods of {of} must be months "2026-10", quarters "{year}-Q4" or years "{year}"; got '
        f"{_first(labels)}."
    )


def _other_year(labels: Sequence[str], of: str, year_start: int) -> str:
    """Labels with "FY" where fiscal years are calendar years, or without it where they are not."""
    first, month = labels[0].strip(), f"{dt.date(2000, year_start, 1):%B}"
    if year_start == 1:
        return (
            f"P003 periods of {of} name fiscal years, which begin in January here; got {_first(labels)}. "
            f'Write "{first.removeprefix("FY")}", or set fiscal_year_start.'
        )
    day = dt.date(int(first[:4]), 3 * int(first[-1]) - 2 if "Q" in first else 1, 1)
    same = "Q" in first and (day.month - year_start) % 3 == 0
    fiscal = f'"{period_label(day, "Q", year_start)}", or ' if same else ""
    return (
        f"P003 periods of {of} must say that their years are fiscal, as those begin in {month}; got "
        f'{_first(labels)}. Write {fiscal}months such as "{day:%Y-%m}".'
    )


def _first(labels: Sequence[str]) -> str:
    return repr(labels[0]) + (f" and {len(labels) - 1} more" if len(labels) > 1 else "")


def horizon_end(horizon: str, start: dt.date, name: str = "horizon") -> dt.date:
    """Last day of a horizon such as `"12m"`, `"39w"`, `"90d"` or `"2y"` that begins after `start`.

    Raises ConfigError C006 when the text has no number with a unit, or no length; `name` is what it is of.
    """
    match = _DURATION.fullmatch(horizon) if isinstance(horizon, str) else None
    if match is None or int(match[1]) == 0:
        raise ConfigError(
            f"C006 {name} must be a number with a unit; got {horizon!r}. "
            'Write "12m" (calendar months), "39w", "90d" or "2y".'
        )
    number, unit = int(match[1]), match[2].lower()
    try:
        if unit in "my":
            return add_months(start, number * (12 if unit == "y" else 1))
        return start + dt.timedelta(days=number * (7 if unit == "w" else 1))
    except (OverflowError, ValueError):
        raise ConfigError(f"C008 {name} {horizon!r} ends after the year 9999. Shorten it.") from None


def horizon_days(horizon: str, start: dt.date, name: str = "horizon") -> float:
    """Length of a horizon in days, counted from `start`; infinite for `"lifetime"`."""
    return math.inf if horizon == LIFETIME else float((horizon_end(horizon, start, name) - start).days)


def daily_discount(annual_rate: float) -> float:
    """Continuous discount per day, δ = ln(1 + annual rate) / 365.25."""
    return math.log1p(annual_rate) / DAYS_PER_YEAR


def in_words(horizon: str) -> str:
    """Print a horizon for people: "12 months", "1 week", "residual lifetime"."""
    match = _DURATION.fullmatch(horizon)
    if match is None:
        return "residual lifetime" if horizon == LIFETIME else horizon
    name = {"d": "day", "w": "week", "m": "month", "y": "year"}[match[2].lower()]
    return f"{int(match[1])} {name}{'s' * (int(match[1]) != 1)}"


def percent(share: float) -> str:
    """Print a rate that somebody chose, with the digits they chose: "30 %", "12.5 %"."""
    return f"{100 * share:.6g} %"


def measured(share: float, sign: str = "") -> str:
    """Print a share that was measured: "15.3 %"; with sign="+" also which way: "+15.3 %"."""
    return f"{100 * share:{sign}.1f} %".replace("-", "−")
