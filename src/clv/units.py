"""Time and money units: the only place that converts them.

A week has 7 days, a year 365.25; `"12m"` means calendar months. Discount rates are annual.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import re
from calendar import monthrange
from numbers import Real

from clv.errors import ConfigError

DAYS_PER_YEAR = 365.25
WEEK = 7.0
LIFETIME = "lifetime"
_UNITS = {"day": 1.0, "week": WEEK, "month": DAYS_PER_YEAR / 12, "year": DAYS_PER_YEAR}
_DURATION = re.compile(r"\s*(\d+)\s*([dwmy])\s*", re.IGNORECASE)
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


def horizon_end(horizon: str, start: dt.date) -> dt.date:
    """Last day of a horizon such as `"12m"`, `"39w"`, `"90d"` or `"2y"` that begins after `start`.

    Raises ConfigError C006 when the text has no number with a unit, or no length.
    """
    match = _DURATION.fullmatch(horizon) if isinstance(horizon, str) else None
    if match is None or int(match[1]) == 0:
        raise ConfigError(
            f"C006 horizon must be a number with a unit; got {horizon!r}. "
            'Write "12m" (calendar months), "39w", "90d" or "2y".'
        )
    number, unit = int(match[1]), match[2].lower()
    try:
        if unit in "my":
            return add_months(start, number * (12 if unit == "y" else 1))
        return start + dt.timedelta(days=number * (7 if unit == "w" else 1))
    except (OverflowError, ValueError):
        raise ConfigError(f"C008 horizon {horizon!r} ends after the year 9999. Shorten it.") from None


def horizon_days(horizon: str, start: dt.date) -> float:
    """Length of a horizon in days, counted from `start`; infinite for `"lifetime"`."""
    return math.inf if horizon == LIFETIME else float((horizon_end(horizon, start) - start).days)


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
