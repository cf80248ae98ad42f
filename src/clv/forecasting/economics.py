"""What a unit of revenue is worth to the firm: margin, discount, horizon, churn and acquisition cost."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from clv.errors import ConfigError
from clv.units import DAYS_PER_YEAR, LIFETIME, horizon_days, percent

_ANY_DAY = dt.date(2026, 1, 1)
_SURELY_PERCENT = 2.0  # a rate from here to 100 was meant as a percentage


@dataclass(frozen=True)
class Churn:
    """How the simple formulas learn a churn rate.

    `share` of customers per `period_days`: given, or measured as those whose last order is more than
    `silent_days` ago, among those whose first one is: nobody younger can have been silent for so long.
    """

    sentence: str
    period_days: float = DAYS_PER_YEAR
    silent_days: float = 0.0
    share: float | None = None


@dataclass(frozen=True)
class Economics:
    """Assumptions that turn purchases into money; shares are fractions, rates annual.

    Parameters
    ----------
    margin : contribution per unit of revenue, above 0 and at most 1
    discount : annual rate, 0 to 1
    horizon : such as "12m"
    churn : "inactive:180d", "period:1y", or an annual share
        Inactive: the share of customers without an order for more than that long, among those who came
        longer ago, taken as a year's churn. Period: the share of customers at least one period old who did
        not return in the last one.
    cac : acquisition cost of a customer, one for all or by segment; None where unknown (never 0)
    allow_extrapolation : let the horizon reach beyond three times the time observed

    Raises
    ------
    ConfigError C002, C003, C004, C006, C009, C010, P002
    """

    margin: float
    discount: float = 0.10
    horizon: str = "12m"
    churn: str | float = "inactive:180d"
    cac: float | Mapping[str, float] | None = None
    allow_extrapolation: bool = False

    def __post_init__(self) -> None:
        wrong = [*_margin(self.margin), *_discount(self.discount), *_horizon(self.horizon)]
        costs = self.cac.values() if isinstance(self.cac, Mapping) else [self.cac or 0.0]
        if any(not _number(cost) or not 0 <= cost < float("inf") for cost in costs):
            wrong.append(f"P002 cac must be 0 or more; got {self.cac!r}.")
        try:
            self.churn_rule()
        except ConfigError as error:
            wrong += error.messages
        if wrong:
            raise ConfigError(*wrong)

    def check_segments(self, known: Collection[str]) -> None:
        """Raise ConfigError P001 for acquisition costs of segments that are none of `known`."""
        messages = unknown_costs(self.cac if isinstance(self.cac, Mapping) else {}, known)
        if messages:
            raise ConfigError(*messages)

    def churn_rule(self) -> Churn:
        """Read `churn`."""
        if not isinstance(self.churn, str):
            if not _number(self.churn):
                raise ConfigError(f"C004 churn must be a rule or an annual share; got {self.churn!r}.")
            if not 0 < self.churn <= 1:
                raise ConfigError(
                    f"C004 churn must be an annual share above 0 and at most 1; got {self.churn:g}."
                    f"{_as_percent(self.churn)}"
                )
            return Churn(f"{percent(self.churn)} of customers a year (given)", share=float(self.churn))
        kind, _, length = self.churn.partition(":")
        if kind not in ("inactive", "period") or not length:
            raise ConfigError(
                f'C004 churn must be "inactive:180d", "period:1y" or an annual share; got {self.churn!r}.'
            )
        try:
            days = horizon_days(length, _ANY_DAY)
        except ConfigError:
            raise ConfigError(
                f'C004 churn needs a length such as "180d" or "1y"; got {self.churn!r}.'
            ) from None
        if kind == "inactive":
            sentence = (
                f"no order for more than {days:.0f} days, of customers who came longer ago, read as one "
                "year's churn"
            )
            return Churn(sentence, silent_days=days)
        sentence = f"customers at least {days:.0f} days old with no order in the last {days:.0f} days"
        return Churn(sentence, period_days=days, silent_days=days - 1)


def unknown_costs(cac: Collection[str], known: Collection[str]) -> list[str]:
    """P001 for acquisition costs of segments that are none of `known`."""
    messages = []
    for name in cac:
        if name in known:
            continue
        close = difflib.get_close_matches(str(name), known, 1)
        hint = f"Did you mean {close[0]!r}?" if close else "Name its column in segments."
        messages.append(f"P001 cac names a segment that no customer is in; got {name!r}. {hint}")
    return messages


def _margin(margin: float) -> list[str]:
    if not _number(margin):
        return [f"C002 margin must be a share above 0 and at most 1; got {margin!r}."]
    if 0 < margin <= 1:
        return []
    return [f"C002 margin must be a share above 0 and at most 1; got {margin:g}.{_as_percent(margin)}"]


def _discount(discount: float) -> list[str]:
    """C003 where only a percentage makes sense (2 to 100), C009 for all else above 1."""
    if not _number(discount):
        return [f"C003 discount must be an annual rate from 0 to 1; got {discount!r}."]
    if 0 <= discount <= 1:
        return []
    if 1 < discount < _SURELY_PERCENT:
        return [
            f"C009 discount must not be above 1, that is 100 % a year; got {discount:g}. Write "
            f"{discount / 100:g} for {discount:g} %, or {discount / 10:g} for {10 * discount:g} %."
        ]
    if discount > 100:
        return [f"C009 discount must not be above 1, that is 100 % a year; got {discount:g}."]
    return [f"C003 discount must be an annual rate from 0 to 1; got {discount:g}.{_as_percent(discount)}"]


def _horizon(horizon: str) -> list[str]:
    if isinstance(horizon, list | tuple):
        return [f"C010 horizon must be one length; got {list(horizon)!r}. Write a config for each."]
    if horizon == LIFETIME:
        return ['C006 horizon must end; got "lifetime". The lifetime value is reported beside it anyway.']
    try:
        horizon_days(horizon, _ANY_DAY)
    except ConfigError as error:
        return list(error.messages)
    return []


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_percent(value: float) -> str:
    return f" Did you mean {value / 100:g}?" if 1 < value <= 100 else ""
