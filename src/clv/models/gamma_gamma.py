"""Gamma-Gamma: the value of a purchase, independent of how often a customer buys.

[FH13] Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value, note 025.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import betainc, betaincinv, betaln

from clv.errors import FitError
from clv.models.histories import SpendHistory
from clv.models.parametric import Parametric
from clv.models.protocols import Array, Limits, Positive, Scale
from clv.models.quantities import OWN_WEIGHT, SPEND, SPEND_SPREAD
from clv.models.special import digamma_rise


@dataclass(frozen=True)
class GammaGamma(Parametric):
    """Gamma-Gamma model of spend.

    A customer's purchases are worth Gamma(p, ν) each, and ν ~ Gamma(q, gamma) differs between
    customers. `gamma` is in the currency unit of the history.
    """

    History: ClassVar = SpendHistory

    p: Positive
    q: Positive
    gamma: Scale
    quantities: ClassVar = (SPEND, SPEND_SPREAD, OWN_WEIGHT)

    @classmethod
    def by_quantities(cls, spend: Any, spread: Any, own: Any) -> Sequence[Any]:
        """Return the parameters, with a finite mean, q > 1; `own` are the odds p/(q − 1)."""
        p = spread**-2
        return p, 1 + p / own, spend / own

    @classmethod
    def start(cls, history: SpendHistory) -> Sequence[float]:
        """Start from p = 2, q = 3 and the mean of the data."""
        return 2.0, 3.0, history.typical()

    def limits(self) -> Limits:
        """Give nothing: its ridges keep the mean spend."""
        return iter(())

    def log_likelihood(self, h: SpendHistory) -> Array:
        """Log density of the mean value S/m given m, (…, histories). [FH13] eq. 1a."""
        p, q, gamma = self.p, self.q, self.gamma
        beta = h.by_m(lambda m: betaln(p * m, q) - np.log(m), p, q)
        return -np.log(h.S) - beta - q * np.log1p(h.S / gamma) - p * h.m * np.log1p(gamma / h.S)

    def score(self, h: SpendHistory) -> Array:
        """Return the derivatives of the log-likelihood in (p, q, gamma), (3, …, histories)."""
        p, q, gamma = self.p, self.q, self.gamma
        parts = (
            h.m * (h.by_m(lambda m: digamma_rise(p * m, q), p, q) - np.log1p(gamma / h.S)),
            h.by_m(lambda m: digamma_rise(q, p * m), p, q) - np.log1p(h.S / gamma),
            (q * h.S / gamma - p * h.m) / (gamma + h.S),
        )
        return np.stack(np.broadcast_arrays(*parts))

    def mean_spend(self) -> Array:
        """Mean value of a purchase over all customers, (…, 1); FitError M004 when q ≤ 1 in every draw."""
        mean = self.expected_spend_terms(np.zeros(1))[0]
        if np.isinf(mean).all():
            raise FitError(
                f"M004 spend has no finite mean over customers; got q = {np.max(self.q):.4g}, and a mean "
                "needs q above 1. A few very large orders carry the fit: test orders, or a currency mix?"
            )
        return mean

    def spend_cdf(self, m: Array, S: Array, value: Array) -> Array:
        """P(a purchase is worth at most `value`) given m spend days of total value S (0, 0: a new customer).

        value/(value + gamma + S) is Beta(p, q + p·m) over purchases and customers like this one.
        """
        own = self.gamma + np.asarray(S)
        with np.errstate(divide="ignore"):
            share = 1 / (1 + own / np.asarray(value, dtype=float))
        return np.asarray(betainc(self.p, self.q + self.p * np.asarray(m), share))

    def spend_quantile(self, m: Array, S: Array, share: Array) -> Array:
        """Value that a purchase does not exceed with probability `share`, given m spend days of total S."""
        rest = betaincinv(self.q + self.p * np.asarray(m), self.p, 1 - np.asarray(share))
        return np.asarray((self.gamma + np.asarray(S)) * (1 - rest) / rest)

    def expected_spend(self, m: Array, S: Array) -> Array:
        """Value expected of a purchase given m spend days of total value S. [FH13] eq. 5."""
        e0, e1 = self.expected_spend_terms(m)
        return e0 + e1 * np.asarray(S)

    def expected_spend_terms(self, x: Array) -> tuple[Array, Array]:
        """Return (e0, e1) of e0 + e1·S; e0 is infinite where p·x + q ≤ 1, which has no finite mean."""
        excess = self.p * np.asarray(x) + np.asarray(self.q) - 1
        e1 = np.where(excess > 0, self.p / np.where(excess > 0, excess, 1.0), np.inf)
        return np.asarray(e1 * self.gamma), np.asarray(e1)

    def simulate(self, rng: np.random.Generator, m: Array) -> SpendHistory:
        """Draw a total spend for each number of purchase days in m (at least 1)."""
        size = np.shape(m)
        rate = rng.gamma(np.broadcast_to(self.q, size), 1 / np.broadcast_to(self.gamma, size))
        return SpendHistory(m, rng.gamma(self.p * np.asarray(m)) / rate)
