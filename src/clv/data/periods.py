"""Periods of a length such as "1y", "3m", "4w" or "30d", counted on the engine from days since 1970-01-01.

Months are calendar months: what begins on a month's 31st goes on at each later month's last day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from clv.data.dates import date_of
from clv.errors import ConfigError
from clv.units import DAYS_PER_YEAR, EPOCH, horizon_end

_DAYS, _MONTHS = {"d": 1, "w": 7}, {"m": 1, "y": 12}


@dataclass(frozen=True)
class Period:
    """A length of `size` months, or of `size` days."""

    size: int
    monthly: bool

    @classmethod
    def of(cls, text: str) -> Period:
        """Read a length; ConfigError C001 when it has no number with a unit."""
        try:
            horizon_end(text, EPOCH)
        except ConfigError:
            raise ConfigError(
                f'C001 period must be a number with a unit; got {text!r}. Write "1y", "3m" (calendar '
                'months), "4w" or "30d".'
            ) from None
        unit, number = text.strip()[-1].lower(), int(text.strip()[:-1])
        monthly = unit in _MONTHS
        return cls(number * (_MONTHS if monthly else _DAYS)[unit], monthly)

    @property
    def days(self) -> float:
        """Mean length in days."""
        return self.size * (DAYS_PER_YEAR / 12 if self.monthly else 1.0)

    def before(self, day: Any, end: dt.date) -> Any:
        """How many whole periods lie between the period of `day` and the one that ends with `end`, 0 or more.

        An `end` that is the last day of its month makes months calendar months.
        """
        if not self.monthly:
            return ((end - EPOCH).days - day) // self.size
        last = 31 if (end + dt.timedelta(days=1)).day == 1 else end.day
        date = date_of(day)
        month = date.year() * 12 + date.month() + (date.day() > last).cast("int32")
        return (end.year * 12 + end.month - month) // self.size

    def between(self, start: Any, day: Any) -> Any:
        """How many periods that begin with `start` are over by `day`: the anniversaries in (start, day]."""
        if not self.monthly:
            return (day - start) // self.size
        first, now = date_of(start), date_of(day)
        months = (now.year() - first.year()) * 12 + now.month() - first.month()
        short = (now.day() < first.day()) & (date_of(day + 1).day() != 1)
        return (months - short.cast("int32")) // self.size
