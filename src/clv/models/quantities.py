"""What people know of their customers: unit-free quantities in which priors are set.

Each model says how its parameters follow from a few of these, in a unit in which the mean observed period
of a customer, or the mean value of a purchase in the data, is 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import expit, logit

from clv.models.protocols import Array


@dataclass(frozen=True)
class Quantity:
    """A quantity, and the range that holds nine populations in ten.

    `kind` says how it meets the real line, where its prior is normal: the log of a "positive" number, the log
    odds of a "share", the log of the cumulated risk, −log(1 − share), of the share that a "risk" leaves.
    """

    name: str
    words: str
    low: float
    high: float
    kind: Literal["positive", "share", "risk"] = "positive"

    def free(self, value: float) -> float:
        """Return where a value lies on the real line; NaN outside the quantity's range."""
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.kind == "share":
                return float(logit(value))
            return float(np.log(-np.log1p(-value) if self.kind == "risk" else value))

    def value(self, free: Array) -> Array:
        """Return the values at places on the real line."""
        if self.kind == "share":
            return np.asarray(expit(free))
        grown = np.exp(free)
        return np.asarray(-np.expm1(-grown) if self.kind == "risk" else grown)


PURCHASES = Quantity("purchases", "repeat purchases a customer would make in the observed period", 0.02, 50)
PURCHASE_SPREAD = Quantity("purchase_spread", "spread of purchase rates: standard deviation ÷ mean", 0.3, 3)
LOST_AT_PURCHASE = Quantity("share_lost", "share of customers lost at a purchase", 0.02, 0.7, "share")
LOST_IN_TIME = Quantity(
    "share_lost", "share of customers lost within the observed period", 0.05, 0.95, "risk"
)
LOST_AT_OPPORTUNITY = Quantity(
    "share_lost", "share of customers lost before an opportunity", 0.01, 0.6, "share"
)
LOST_AT_RENEWAL = Quantity("share_lost", "share of contracts lost at the first renewal", 0.01, 0.8, "share")
LOSS_POLARISATION = Quantity(
    "loss_polarisation", "how far customers differ in it: 0 not at all, 1 all or nothing", 0.02, 0.8, "share"
)
RISK_SPREAD = Quantity("risk_spread", "spread of risks to leave: standard deviation ÷ mean", 0.3, 3)
AGEING = Quantity("ageing", "growth of the risk to leave over the observed period, in powers of e", 0.05, 3)
DURATION = Quantity("duration", "power of time in the risk to leave: 1 constant, above it rises", 0.4, 2.5)
TAKEN = Quantity("share_taken", "share of opportunities taken while a customer", 0.02, 0.9, "share")
TAKEN_POLARISATION = Quantity(
    "taken_polarisation", "how far customers differ in it: 0 not at all, 1 all or nothing", 0.02, 0.8, "share"
)
SPEND = Quantity("spend", "mean value of a purchase, relative to the mean in the data", 1 / 3, 3)
SPEND_SPREAD = Quantity(
    "spend_spread", "spread of one customer's purchases: standard deviation ÷ mean", 0.1, 1.5
)
OWN_WEIGHT = Quantity(
    "own_weight", "weight of a customer's first repeat purchase against the mean of all", 0.1, 0.95, "share"
)

_STEEP = 50.0  # exponent beyond which a gamma-distributed risk takes nearly all its losses at once


def gamma_mixing(mean: Any, spread: Any) -> tuple[Any, Any]:
    """Return shape and rate of a gamma distribution with this mean and coefficient of variation."""
    shape = spread**-2
    return shape, shape / mean


def beta_mixing(odds: Any, polarisation: Any) -> tuple[Any, Any]:
    """Return a, b of a beta distribution by the odds of its mean and of its polarisation 1/(1 + a + b)."""
    return odds / (1 + odds) / polarisation, 1 / (1 + odds) / polarisation


def risk_mixing(risk: Any, spread: Any, clock: Any = 1.0) -> tuple[Any, Any]:
    """Return (s, beta) with (1 + clock/beta)^(−s) = e^(−risk): who stays while the clock runs to `clock`."""
    s = spread**-2
    return s, clock / np.expm1(np.minimum(risk / s, _STEEP))
