"""NBD: purchases at random for ever, at a rate that differs between customers.

[E59] Ehrenberg (1959), The Pattern of Consumer Purchases, Applied Statistics 8(1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array, Limits, Parameter, Positive, Scale
from clv.models.quantities import PURCHASE_SPREAD, PURCHASES, gamma_mixing
from clv.models.repeat_purchases import RepeatPurchases, gamma_start, log_count, same_rate
from clv.models.simulation import Future, Log, Shape, purchase_histories
from clv.models.special import digamma_rise, log_rising


@dataclass(frozen=True)
class NBD(RepeatPurchases):
    """Negative binomial model of repeat purchases, without dropout.

    A customer buys at a rate λ ~ Gamma(r, alpha) and never leaves. `alpha` is in the time unit of the
    history. The likelihood is that of the purchase times, like those of its relatives, not of the count.
    """

    r: Positive
    alpha: Scale
    quantities: ClassVar = (PURCHASES, PURCHASE_SPREAD)

    @classmethod
    def by_quantities(cls, purchases: Any, spread: Any) -> Sequence[Any]:
        """Return the parameters."""
        return gamma_mixing(purchases, spread)

    @classmethod
    def start(cls, history: PurchaseHistory) -> Sequence[float]:
        """Start from the moments."""
        return gamma_start(history)

    def log_likelihood(self, h: PurchaseHistory) -> Array:
        """Log-likelihood of each history, (…, histories)."""
        _, past_T = h.by_t(lambda t: np.log1p(t / self.alpha), self.alpha)
        counts = h.by_x(lambda x: log_rising(self.r, x), self.r)
        return np.asarray(counts - h.x * np.log(self.alpha) - (self.r + h.x) * past_T)

    def score(self, h: PurchaseHistory) -> Array:
        """Return the derivatives of the log-likelihood in (r, alpha), (2, …, histories)."""
        _, past_T = h.by_t(lambda t: np.log1p(t / self.alpha), self.alpha)
        rise = h.by_x(lambda x: digamma_rise(self.r, x), self.r)
        bent = -(h.x + (self.r + h.x) * np.expm1(-past_T)) / self.alpha
        return np.stack(np.broadcast_arrays(rise - past_T, bent))

    def expected_rate(self, h: PurchaseHistory) -> Array:
        """Posterior mean of λ."""
        return np.asarray((self.r + h.x) / (self.alpha + h.T))

    def expected_dropout(self, h: PurchaseHistory) -> Array:
        """Zero: nobody leaves."""
        return 0 * self.expected_rate(h)

    def simulate(
        self, rng: np.random.Generator, T: Array, grain: float = 1 / 7, log: Log | None = None
    ) -> PurchaseHistory:
        """Draw one history for each age in T; purchases in one `grain` of time count once (0: exact).

        `log` receives customers and times of repeat purchases.
        """
        r, alpha = (np.broadcast_to(v, np.shape(T)) for v in self._fields())
        return purchase_histories(rng, T, rng.gamma(r, 1 / alpha), grain=grain, kind=PurchaseHistory, log=log)

    def future(self, rng: np.random.Generator, x: float, T: float, stage: int, shape: Shape) -> Future:
        """Draw what customers with x repeat purchases are like and will do."""
        return Future(rng.standard_gamma(np.broadcast_to(self.r + x, shape)) / (self.alpha + T))

    def limits(self) -> Limits:
        """Give the simpler models at the ends of this one's ridges, the simplest first."""
        return same_rate(self)

    def _states(self, h: PurchaseHistory) -> Array:
        always = np.ones_like(self.expected_rate(h))
        return np.stack([always, 0 * always])

    def _bends(self, x: Array, T: Array) -> tuple[Parameter, Parameter, Parameter]:
        return self.alpha + T, 0.0, 1.0

    def _purchases(self, x: Array, T: Array, stage: int, t: Parameter) -> Array:
        return np.asarray((self.r + x) / (self.alpha + T) * t)

    def _discounted(self, x: Array, T: Array, stage: int, rate: float, t: Parameter) -> Array:
        return self._purchases(x, T, stage, -np.expm1(-rate * t) / rate)

    def _pmf(self, x: Array, T: Array, stage: int, t: Parameter, n: int) -> Array:
        return np.exp(log_count(self.r + x, self.alpha + T, t, n))

    def _buys(self, x: Array, T: Array, stage: int, start: float, t: float) -> Array:
        return 1 - self._pmf(x, T, stage, t, 0)
