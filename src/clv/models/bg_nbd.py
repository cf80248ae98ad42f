"""BG/NBD: purchases at random while alive, dropout only ever right after a purchase.

[FHL05] Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import betainc, expit, gammaln, hyp2f1

from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array, Parameter, Positive, Scale
from clv.models.special import beta_mean, digamma_rise, in_blocks, log_rising, unit_nodes


@dataclass(frozen=True)
class BGNBD:
    """Beta-geometric / negative binomial model of repeat purchases.

    While alive a customer buys at a rate λ ~ Gamma(r, alpha); after each repeat purchase it leaves
    for good with a probability p ~ Beta(a, b). `alpha` is in the time unit of the history.
    """

    History: ClassVar = PurchaseHistory

    r: Positive
    alpha: Scale
    a: Positive
    b: Positive

    @classmethod
    def start(cls, history: PurchaseHistory) -> Sequence[float]:
        """Start from the negative binomial's moments, and a mean dropout of one in five."""
        mean = np.average(history.x, weights=history.weight)
        variance = np.average((history.x - mean) ** 2, weights=history.weight)
        r = float(np.clip(mean**2 / max(variance - mean, 1e-9), 0.05, 20))
        return r, r * history.typical() / max(mean, 1e-9), 0.5, 2.0

    def log_likelihood(self, h: PurchaseHistory) -> Array:
        """Log-likelihood of each history, (…, histories). [FHL05] eq. 6, summed in logs."""
        r, alpha, a, b = self._fields()
        past_tx, past_T = h.by_t(lambda t: np.log1p(t / alpha), alpha)
        counts = h.by_x(lambda x: log_rising(r, x) + log_rising(b, x) - log_rising(a + b, x), r, a, b)
        joint = np.logaddexp(0, self._log_odds(h, past_tx, past_T))
        return counts - h.x * np.log(alpha) - (r + h.x) * past_T + joint

    def score(self, h: PurchaseHistory) -> Array:
        """Return the derivatives of the log-likelihood in (r, alpha, a, b), (4, …, histories)."""
        r, alpha, a, b = self._fields()
        past_tx, past_T = h.by_t(lambda t: np.log1p(t / alpha), alpha)
        odds = self._log_odds(h, past_tx, past_T)
        alive, lost, R = expit(-odds), expit(odds), r + h.x
        total = h.by_x(lambda x: digamma_rise(a + b, x), a, b)
        parts = (
            h.by_x(lambda x: digamma_rise(r, x), r) - alive * past_T - lost * past_tx,
            -(h.x + R * (alive * np.expm1(-past_T) + lost * np.expm1(-past_tx))) / alpha,
            lost / a - total,
            h.by_x(lambda x: digamma_rise(b, x), b) - total - lost / (b + np.maximum(h.x, 1) - 1),
        )
        return np.stack(np.broadcast_arrays(*parts))

    def p_alive(self, h: PurchaseHistory) -> Array:
        """Probability of still being active at T, (…, histories); 1 for one-time buyers by assumption."""
        past_tx, past_T = h.by_t(lambda t: np.log1p(t / self.alpha), self.alpha)
        return np.asarray(expit(-self._log_odds(h, past_tx, past_T)))

    def expected_purchases(self, h: PurchaseHistory, t: float) -> Array:
        """Purchases expected in (T, T + t] given the history, (…, histories). [FHL05] eq. 10.

        Euler-transformed, with quadrature over p where that is not safe: the paper's form overflows for
        x > 150 and has a pole at a = 1.
        """
        alive = h.by_x_T(lambda x, T: self._if_alive(x, T, t), *self._fields())
        return np.asarray(self.p_alive(h) * alive)

    def expected_purchases_new(self, t: float) -> Array:
        """Purchases expected of a new customer in its first t time units, after the first one."""
        return self.expected_purchases(_NEWCOMER, t)

    def purchase_pmf(self, h: PurchaseHistory, t: float, n: int) -> Array:
        """P(X(T, T + t] = n) given the history, (…, histories). [FHL05] eq. 8, updated for the history."""
        r, alpha, a, b = self._fields()
        R, A, B = r + h.x, alpha + h.T, b + h.x
        share = t / (A + t)
        log_beta = log_rising(B, n) - log_rising(a + B, n)
        count = log_rising(R, n) - gammaln(n + 1.0) + R * np.log1p(-share)
        stays = np.exp(log_beta + count + (n * np.log(share) if n and t > 0 else 0.0))
        alive = self.p_alive(h)
        if n == 0:
            return np.asarray(alive * stays + (1 - alive))
        left_after = np.exp(log_beta) * a / (B + n - 1) * betainc(n, R, share)
        return np.asarray(alive * (stays * (t > 0) + left_after))

    def discounted_purchases(self, h: PurchaseHistory, rate: float, t: float) -> Array:
        """Purchases expected in (T, T + t], discounted at a continuous `rate` per time unit.

        t may be infinite (the residual lifetime); without a discount that is infinite where a ≤ 1. The
        purchase rate of the living is integrated over log time.
        """
        if rate == 0:
            return self.expected_purchases(h, t)
        return self.p_alive(h) * h.by_x_T(
            lambda x, T: self._discounted_if_alive(x, T, rate, t), *self._fields()
        )

    def simulate(self, rng: np.random.Generator, T: Array, grain: float = 1 / 7) -> PurchaseHistory:
        """Draw one history for each age in T; purchases in one `grain` of time count once (0: exact)."""
        size = np.shape(T)
        lam = rng.gamma(np.broadcast_to(self.r, size), 1 / np.broadcast_to(self.alpha, size))
        leave = rng.beta(np.broadcast_to(self.a, size), np.broadcast_to(self.b, size))
        clock, t_x, x = np.zeros(size), np.zeros(size), np.zeros(size)
        active = np.ones(size, dtype=bool)
        while active.any():
            clock[active] += rng.exponential(1 / np.maximum(lam[active], 1e-300))
            active &= clock <= T
            at = np.ceil(clock / grain) * grain if grain else clock
            bought = active & (at > t_x) & (at <= T)
            x[bought] += 1
            t_x[bought] = at[bought]
            active &= rng.random(size) >= leave
        return PurchaseHistory(x, t_x, np.asarray(T, dtype=float))

    def _fields(self) -> tuple[Parameter, Parameter, Parameter, Parameter]:
        return self.r, self.alpha, self.a, self.b

    def _log_odds(self, h: PurchaseHistory, past_tx: Array, past_T: Array) -> Array:
        """Log odds of having left after the last purchase; −∞ for one-time buyers.

        `past` is log(1 + time/alpha): differences of log(alpha + time) are lost when alpha is large.
        """
        with np.errstate(divide="ignore"):
            base = h.by_x(
                lambda x: np.where(x > 0, np.log(self.a / (self.b + np.maximum(x, 1) - 1)), -np.inf),
                self.a,
                self.b,
            )
        return base + (self.r + h.x) * (past_T - past_tx)

    def _if_alive(self, x: Array, T: Array, t: float) -> Array:
        """E[X(T, T + t]] of a customer who is alive at T, on distinct pairs (x, T)."""
        r, _, a, b = self._fields()
        if np.isinf(t):
            a = np.asarray(a, dtype=float)
            return np.where(a > 1, (a + b + x - 1) / np.where(a > 1, a - 1, 1.0), np.inf)
        w, c = t / (self.alpha + T), a + b + x - 1
        with np.errstate(all="ignore"):
            far = hyp2f1(c - x - r, a - 1, c, w / (1 + w))
            lost = 1 - np.exp((1 - a) * np.log1p(w)) * far
            series = np.asarray(c / (a - 1) * lost)
        # The closed form cancels near a = 1 and t = 0, and its 2F1 overflows for large a or b.
        safe = (np.abs(lost) > _CANCELS) & (c > 0.01) & np.isfinite(series)
        safe &= np.maximum(a, b) <= _HOMOGENEOUS
        if not np.all(safe):
            columns = np.broadcast_arrays(r + x, w, a, b + x, series)
            hard = ~np.broadcast_to(safe, series.shape)
            series[hard] = in_blocks(_mean_purchases, 1024, *(v[hard] for v in columns[:4]))
        return series

    def _discounted_if_alive(self, x: Array, T: Array, rate: float, t: float) -> Array:
        """∫ e^(−rate·τ) dE(τ) over (0, t] for a customer who is alive at T, on distinct pairs (x, T)."""
        r, alpha, a, b = self._fields()
        return in_blocks(
            lambda r, A, a, b, x: _discounted_mean(r, A, a, b, x, rate, t), 256, r, alpha + T, a, b, x
        )


def _mean_purchases(R: Array, w: Array, a: Array, B: Array) -> Array:
    """Purchases of a customer alive, averaged over p: E[(1 − (1 + p·w)^(−R))/p], w = t/(alpha + T)."""
    bend = 1 / np.maximum(R * w, 1e-300)
    return beta_mean(lambda p: -np.expm1(-R * np.log1p(p * w)) / p, a, B, bend)


def _discounted_mean(r: Array, A: Array, a: Array, b: Array, x: Array, rate: float, t: float) -> Array:
    """Integrate the discounted purchase rate of a customer alive over w = τ/(alpha + T).

    The rate is R·(1 + w)^(−a)·2F1(a+b−r−1, a; a+b+x; w/(1+w)): no pole at a = 1, none at a + b < 1. It
    bends about w = 1/(1 + R·E[p]), so the nodes are even in the log of time in units of that.
    """
    R, B = r + x, b + x
    bend = 1 / (1 + R * a / (a + B))
    end = np.log1p(min(t, _NEGLIGIBLE / rate) / (A * bend))
    nodes, weights = (v[:, None] for v in unit_nodes(64))
    w = bend * np.expm1(end * nodes)
    with np.errstate(all="ignore"):
        series = np.exp(-a * np.log1p(w)) * hyp2f1(a + b - r - 1, a, a + B, w / (1 + w))
    hard = (np.maximum(a, b) > _HOMOGENEOUS) | ~np.isfinite(series).all(axis=0)
    if hard.any():
        R1, v = R[hard] + 1, w[:, hard]
        knee = 1 / np.maximum(R1 * v, 1e-300)
        series[:, hard] = beta_mean(lambda p: np.exp(-R1 * np.log1p(p * v)), a[hard], B[hard], knee)
    density = R * series * np.exp(-rate * A * w) * (w + bend)
    return np.asarray((density * weights).sum(axis=0) * end)


_CANCELS = 1e-5  # a difference from 1 below which the closed form has lost five digits
_HOMOGENEOUS = 50.0  # a or b above which dropout hardly differs, or hardly happens, and 2F1 overflows
_NEGLIGIBLE = 40.0  # e^(−40) of a purchase is left out of a discounted lifetime
_NEWCOMER = PurchaseHistory(np.zeros(1), np.zeros(1), np.zeros(1))
