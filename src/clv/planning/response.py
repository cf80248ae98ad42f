"""What spending brings: response curves that flatten out, and the split of a budget that they call for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import LinearConstraint, minimize

from clv.models.protocols import Array

_ENOUGH = 1e-13  # of the budget: what a better split may still bring
_NOTHING = 1e-9  # of the budget: what is not worth spending


@dataclass(frozen=True)
class ResponseCurve:
    """ceiling × (1 − e^(−spend ÷ saturation)): what a spend brings, at most `ceiling`.

    Of acquisition the ceiling counts customers of the period that the budget is for; of retention it is what
    a year's retention can rise by, a share: .05 for 5 points. At `saturation`, in money, 63 % are reached.
    """

    ceiling: float
    saturation: float

    def response(self, spend: Any) -> Any:
        """Customers, or points of retention, that a spend brings."""
        return -self.ceiling * np.expm1(-np.asarray(spend) / self.saturation)

    def marginal(self, spend: Any) -> Any:
        """What one more unit of money brings."""
        return self.ceiling / self.saturation * np.exp(-np.asarray(spend) / self.saturation)

    def wrong(self, named: str) -> list[str]:
        """What cannot be meant, P002."""
        return [
            f"P002 {part} of {named} must be above 0; got {value!r}."
            for part, value in (("ceiling", self.ceiling), ("saturation", self.saturation))
            if not number(value) or not 0 < value < float("inf")
        ]


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


def best_split(uses: Sequence[Use], total: float) -> Array:
    """Spend on each use that leaves most after spending, within bounds and not above `total` in all.

    Money stays unspent where it would bring less than itself. From several starts, since the worth of
    retention need not be concave.
    """
    bounds = [(use.low / total, min(use.high / total, 1.0)) for use in uses]

    def lost(shares: Array) -> float:
        spends = shares * total
        brings = sum(use.value(spend) for use, spend in zip(uses, spends, strict=True))
        return float((spends.sum() - brings) / total)

    def slopes(shares: Array) -> Array:
        return np.array([1 - use.marginal(s * total) for use, s in zip(uses, shares, strict=True)])

    low, high = np.array(bounds).T
    within = LinearConstraint(np.ones((1, len(uses))), -np.inf, 1.0)
    found = []
    for start in _starts(low, high):
        split = minimize(
            lost,
            start,
            jac=slopes,
            bounds=bounds,
            constraints=[within],
            method="SLSQP",
            options={"ftol": _ENOUGH, "maxiter": 500},
        )
        shares = np.clip(np.where(split.x - low < _NOTHING, low, split.x), low, high)
        found.append((lost(shares), shares))
    return np.asarray(min(found, key=lambda row: row[0])[1] * total)


def _starts(low: Array, high: Array) -> list[Array]:
    """Splits to start from: the least of everything, evenly more, and most of the rest on one use."""
    rest = 1 - low.sum()
    even = np.minimum(low + rest / len(low), high)
    favoured = [
        np.minimum(low + rest * np.where(np.arange(len(low)) == at, 0.9, 0.0), high) for at in range(len(low))
    ]
    return [low, even, *favoured]


def number(value: object) -> bool:
    """Whether something is a number, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def wrong_spends(named: str, spends: Mapping[Any, Any], known: Sequence[str]) -> list[str]:
    """P001 for uses that are not known, P002 for spends that are no amounts."""
    wrong = _unknown(named, spends, known)
    for name, spend in spends.items():
        if not number(spend) or not 0 <= spend < float("inf"):
            wrong.append(f"P002 {named} must be 0 or more for every use; got {spend!r} for {name!r}.")
    return wrong


def wrong_bounds(bounds: Mapping[Any, Any], known: Sequence[str], total: Any) -> list[str]:
    """P001 for uses that are not known, P002 for bounds that are none or leave no room."""
    wrong, least = _unknown("bounds", bounds, known), 0.0
    for name, ends in bounds.items():
        pair = isinstance(ends, tuple | list) and len(ends) == 2 and all(map(number, ends))
        if not pair or not 0 <= ends[0] <= ends[1]:
            wrong.append(f"P002 bounds of {name} must be the least and the most to spend; got {ends!r}.")
        else:
            least += ends[0]
    if number(total) and least > total > 0:
        wrong.append(f"P002 bounds must leave room in the budget; got {least:,.2f} at least of {total:,.2f}.")
    return wrong


def _unknown(named: str, given: Mapping[Any, Any], known: Sequence[str]) -> list[str]:
    have = ", ".join(known) or "none"
    return [
        f"P001 {named} names {name!r}, which has no response curve. There are {have}."
        for name in given
        if name not in known
    ]
