"""Pareto/NBD: purchases at random while alive, and a lifetime of its own that ends at any time.

[SMC87] Schmittlein, Morrison & Colombo (1987), Counting Your Customers, Management Science 33(1).
[FH05] Fader & Hardie (2005), A Note on Deriving the Pareto/NBD Model, note 009.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clv.models.dropout_in_time import DropoutInTime
from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array, Parameter, Positive, Scale
from clv.models.quantities import (
    LOST_IN_TIME,
    PURCHASE_SPREAD,
    PURCHASES,
    RISK_SPREAD,
    gamma_mixing,
    risk_mixing,
)
from clv.models.repeat_purchases import gamma_start


@dataclass(frozen=True)
class ParetoNBD(DropoutInTime):
    """Pareto / negative binomial model of repeat purchases.

    While alive a customer buys at a rate λ ~ Gamma(r, alpha); it leaves for good at a rate
    μ ~ Gamma(s, beta), unseen. `alpha` and `beta` are in the time unit of the history.
    """

    r: Positive
    alpha: Scale
    s: Positive
    beta: Scale
    quantities: ClassVar = (PURCHASES, PURCHASE_SPREAD, LOST_IN_TIME, RISK_SPREAD)

    @classmethod
    def by_quantities(cls, purchases: Any, spread: Any, risk: Any, risks: Any) -> Sequence[Any]:
        """Return the parameters; `risk` is −log of the share that stays through the observed period."""
        return *gamma_mixing(purchases, spread), *risk_mixing(risk, risks)

    @classmethod
    def start(cls, history: PurchaseHistory) -> Sequence[float]:
        """Start from the negative binomial's moments, and a median lifetime of three observed periods."""
        return *gamma_start(history), 0.5, history.typical()

    def _clock(self, y: Array) -> tuple[Array, Array]:
        G = np.log1p(y / self.beta)
        return G, -np.log(self.beta) - G

    def _clock_slopes(self, y: Array, G: Array) -> dict[str, tuple[Array, Array]]:
        leaving = 1 / (self.beta + y)
        return {"beta": (-y * leaving / self.beta, -leaving)}

    def _clock_bends(self) -> tuple[Parameter, Parameter]:
        return self.beta, 0.0

    def _age(self, g: Array) -> Array:
        return g

    def _purchases(self, x: Array, T: Array, stage: int, t: Parameter) -> Array:
        """[FH05] eq. 41 of a customer alive; the pole at s = 1 is removed."""
        rate, more = (self.r + x) / (self.alpha + T), np.asarray(self.s) - 1
        if np.ndim(t) == 0 and np.isinf(t):
            return np.where(more > 0, rate * (self.beta + T) / np.where(more > 0, more, 1.0), np.inf)
        log_age = np.log1p(t / (self.beta + T))
        power = more * log_age
        small = np.abs(power) < 1e-8
        mean = np.where(small, 1 - power / 2, -np.expm1(-power) / np.where(small, 1.0, power))
        return np.asarray(rate * (self.beta + T) * log_age * mean)
