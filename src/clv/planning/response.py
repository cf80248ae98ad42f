"""A budget and what spending it brings: response curves that flatten out, and the split they call for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from clv.errors import ConfigError
from clv.models.protocols import Array

RETENTION = "retention"
_GRID = 128  # spends that a best one is looked for between, evenly in money and in what it brings
_NEAR = 1e-9  # of a spend: how close to the best one
_NOTHING = 1e-300  # what a unit of money brings where it brings nothing: its logarithm is finite


@dataclass(frozen=True)
class ResponseCurve:
    """ceiling × (1 − e^(−spend ÷ saturation)): what a spend brings, at most `ceiling`.

    Of acquisition the ceiling counts customers of the period that the budget is for; of retention it is what
    a year's retention can rise by, a share: .05 for 5 points. At `saturation`, in money, 63 % are reached.
    Raises ConfigError P002 where one of them is not above 0.
    """

    ceiling: float
    saturation: float

    def __post_init__(self) -> None:
        given = {"ceiling": self.ceiling, "saturation": self.saturation}
        wrong = [
            f"P002 {name} must be a number above 0; got {v!r}." for name, v in given.items() if not _sum(v)
        ]
        if wrong:
            raise ConfigError(*wrong)

    def response(self, spend: Any) -> Any:
        """Customers, or points of retention, that a spend brings; ConfigError P002 where it is below 0."""
        spend = np.asarray(spend)
        if (spend < 0).any():
            raise ConfigError(f"P002 spend must be 0 or more; got {spend.min()}.")
        return -self.ceiling * np.expm1(-spend / self.saturation)

    def marginal(self, spend: Any) -> Any:
        """What one more unit of money brings."""
        return self.ceiling / self.saturation * np.exp(-np.asarray(spend) / self.saturation)


@dataclass(frozen=True)
class Spending:
    """A budget to split: `total` for the horizon, with response curves by segment and of retention.

    `bounds` are the least and the most to spend, by segment and "retention". Raises ConfigError P001 and P002
    with all that cannot be meant.
    """

    total: float
    acquisition: Mapping[str, ResponseCurve] = field(default_factory=dict)
    retention: ResponseCurve | None = None
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = wrong_spending(self.total, self.acquisition, self.retention, self.bounds)
        if wrong:
            raise ConfigError(*wrong)


@dataclass(frozen=True, eq=False)
class Use:
    """Something to spend on: its curve, and what its response is worth, with the slope of that."""

    curve: ResponseCurve
    worth: Callable[[float], float]
    slope: Callable[[float], float]
    low: float = 0.0
    high: float = float("inf")

    def value(self, spend: float) -> float:
        """Contribution that a spend brings."""
        return self.worth(float(self.curve.response(spend)))

    def marginal(self, spend: float) -> float:
        """Contribution that one more unit of money brings."""
        return float(self.slope(float(self.curve.response(spend))) * self.curve.marginal(spend))


def best_split(alike: Sequence[Use], total: float, other: Use | None = None) -> Array:
    """Spend on each use that leaves most after spending, within bounds and not above `total` in all.

    Of the uses `alike` each further response is worth as much as the first, so that the last unit of money
    brings as much in all of them. The worth of the `other` response may have any shape: what to spend on it,
    the last of the spends returned, is searched for. Money stays unspent where it would bring less than
    itself.
    """
    if other is None:
        return _filled(alike, total)

    def lost(spend: float) -> float:
        rest = _filled(alike, total - spend)
        brings = sum(use.value(each) for use, each in zip(alike, rest, strict=True))
        return float(spend + rest.sum() - brings - other.value(spend))

    places = _places(other, total - sum(use.low for use in alike))
    losses = np.array([lost(place) for place in places])
    found = [(losses.min(), places[losses.argmin()])]
    padded = np.pad(losses, 1, constant_values=np.inf)
    for at in map(int, np.flatnonzero((losses <= padded[:-2]) & (losses <= padded[2:]))):
        low, high = places[max(at - 1, 0)], places[min(at + 1, len(places) - 1)]
        if low < high:
            near = _NEAR * high
            best = minimize_scalar(lost, bounds=(low, high), method="bounded", options={"xatol": near})
            found.append((best.fun, best.x))
    spend = min(found)[1]
    return np.append(_filled(alike, total - spend), spend)


def _filled(uses: Sequence[Use], total: float) -> Array:
    """Spend so that the last unit of money brings the same price everywhere, and 1 at least."""
    low, high = (np.array([getattr(use, end) for use in uses]) for end in ("low", "high"))
    saturation = np.array([use.curve.saturation for use in uses])
    first = np.array([max(use.marginal(0.0), _NOTHING) for use in uses])

    def spends(log_price: float) -> Array:
        return np.clip(saturation * (np.log(first) - log_price), low, high)

    if spends(0.0).sum() <= total:
        return spends(0.0)
    dearest = float(np.log(first.max()))  # at which nothing is spent but what has to be
    if spends(dearest).sum() >= total:
        return low
    return spends(brentq(lambda log_price: spends(log_price).sum() - total, 0.0, dearest, xtol=1e-14))


def _places(use: Use, most: float) -> Array:
    """Spends to look at, even in money and even in what it brings, within bounds."""
    low = use.low
    high = max(min(use.high, most), low)
    shares = np.arange(_GRID) / _GRID
    places = np.append(low + (high - low) * shares, -use.curve.saturation * np.log1p(-shares))
    return np.unique(np.append(places[(places >= low) & (places <= high)], high))


def number(value: object) -> bool:
    """Whether something is a number, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _sum(value: object) -> bool:
    """Whether something is a number above 0, and one can be spent."""
    return number(value) and 0 < value < float("inf")  # type: ignore[operator]


def wrong_spending(total: Any, acquisition: Any, retention: Any, bounds: Any) -> list[str]:
    """P001 and P002 for parts of a budget that cannot be meant, whatever customers there are."""
    wrong = []
    if isinstance(total, Spending):
        wrong.append(
            "P002 total must be a sum of money above 0; got a Spending. Give its parts: s.total, "
            "s.acquisition, s.retention, bounds=s.bounds."
        )
    elif not _sum(total):
        wrong.append(f"P002 total must be a sum of money above 0; got {total!r}.")
    for name, given, example in (
        ("acquisition", acquisition, '{"Newsletter": clv.ResponseCurve(500, 4000)}'),
        ("bounds", bounds, '{"Newsletter": (0, 5000)}'),
    ):
        if not isinstance(given, Mapping):
            kind = type(given).__name__
            wrong.append(f"P002 {name} must be by segment; got a {kind}. Write {example}.")
    acquisition, bounds = (x if isinstance(x, Mapping) else {} for x in (acquisition, bounds))
    kept = {} if retention is None else {RETENTION: retention}
    for name, curve in [*acquisition.items(), *kept.items()]:
        if not isinstance(curve, ResponseCurve):
            wrong.append(
                f"P002 the curve of {name} must be a ResponseCurve(ceiling, saturation); got {curve!r}."
            )
    if isinstance(retention, ResponseCurve) and retention.ceiling >= 1:
        wrong.append(
            f"P002 ceiling of retention must be a share below 1; got {retention.ceiling!r}. Write 0.05 for 5 "
            "points."
        )
    return wrong + wrong_bounds(bounds, [*acquisition, *kept], total)


def wrong_spends(named: str, spends: Mapping[Any, Any]) -> list[str]:
    """P002 for spends that are no amounts."""
    if not isinstance(spends, Mapping):
        return [f"P002 {named} must be by segment; got a {type(spends).__name__}."]
    return [
        f"P002 {named} must be 0 or more for every use; got {spend!r} for {name!r}."
        for name, spend in spends.items()
        if not number(spend) or not 0 <= spend < float("inf")
    ]


def wrong_bounds(bounds: Mapping[Any, Any], known: Sequence[str], total: Any) -> list[str]:
    """P001 for uses that are not known, P002 for bounds that are none or leave no room."""
    have, least = ", ".join(map(str, known)) or "none", 0.0
    wrong = [
        f"P001 bounds names {name!r}, which has no response curve. There are {have}."
        for name in bounds
        if name not in known
    ]
    for name, ends in bounds.items():
        pair = isinstance(ends, tuple | list) and len(ends) == 2 and all(map(number, ends))
        if not pair or not 0 <= ends[0] <= ends[1]:
            wrong.append(f"P002 bounds of {name} must be the least and the most to spend; got {ends!r}.")
        else:
            least += ends[0]
    if number(total) and least > total > 0:
        wrong.append(f"P002 bounds must leave room in the budget; got {least:,.2f} at least of {total:,.2f}.")
    return wrong
