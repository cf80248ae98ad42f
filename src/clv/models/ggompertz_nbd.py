"""GGompertz/NBD: the Pareto/NBD with a risk of leaving that grows, or falls, with age.

[BG12] Bemmaor & Glady (2012), Modeling Purchasing Behavior with Sudden "Death", Management Science 58(5),
with Adler's erratum 69(3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clv.models.dropout_in_time import DropoutInTime
from clv.models.histories import PurchaseHistory
from clv.models.pareto_nbd import ParetoNBD
from clv.models.protocols import NEGLIGIBLE, Array, Limits, Parameter, Positive, Rate, Scale
from clv.models.quantities import (
    AGEING,
    LOST_IN_TIME,
    PURCHASE_SPREAD,
    PURCHASES,
    RISK_SPREAD,
    gamma_mixing,
    risk_mixing,
)
from clv.models.repeat_purchases import gamma_start
from clv.models.special import softplus_ratio


@dataclass(frozen=True)
class GGompertzNBD(DropoutInTime):
    """Gamma-Gompertz / negative binomial model of repeat purchases.

    While alive a customer buys at a rate λ ~ Gamma(r, alpha); its risk of leaving is η·b·e^(b·age), with
    η ~ Gamma(s, beta). `alpha` is in the time unit of the history, `b` per time unit, `beta` a pure number.
    """

    r: Positive
    alpha: Scale
    b: Rate
    s: Positive
    beta: Positive
    quantities: ClassVar = (PURCHASES, PURCHASE_SPREAD, AGEING, LOST_IN_TIME, RISK_SPREAD)

    @classmethod
    def by_quantities(cls, purchases: Any, spread: Any, ageing: Any, risk: Any, risks: Any) -> Sequence[Any]:
        """Return the parameters; `risk` is −log of the share that stays through the observed period."""
        return *gamma_mixing(purchases, spread), ageing, *risk_mixing(risk, risks, np.expm1(ageing))

    @classmethod
    def start(cls, history: PurchaseHistory) -> Sequence[float]:
        """Start from the negative binomial's moments, and a risk that hardly changes while observed."""
        return *gamma_start(history), 1 / history.typical(), 0.5, 1.5

    def limits(self) -> Limits:
        """Give the simpler models at the ends of this one's ridges, the simplest first."""
        steady = ParetoNBD(self.r, self.alpha, self.s, self.beta / self.b)
        yield "the risk of leaving does not change with age", ("b", "beta"), steady
        yield from super().limits()

    def _clock(self, y: Array) -> tuple[Array, Array]:
        G = softplus_ratio(self.b * y, self.beta)
        return G, self.b * y - G + np.log(self.b / self.beta)

    def _clock_slopes(self, y: Array, G: Array) -> dict[str, tuple[Array, Array]]:
        pace, young = np.exp(self.b * y - G) / self.beta, np.expm1(-self.b * y)
        return {
            "b": (y * pace, 1 / self.b + y - y * pace),
            "beta": (young * pace / self.beta, -pace * (1 + young)),
        }

    def _clock_bends(self) -> tuple[Parameter, Parameter]:
        return self.beta / self.b, self.b

    def _age(self, g: Array) -> Array:
        return np.log1p(g) / self.b

    def _exhausted(self, x: Array, T: Array) -> Parameter:
        return (np.maximum(np.log(self.beta), 0.0) + NEGLIGIBLE) / self.b + NEGLIGIBLE / (self.s * self.b)
