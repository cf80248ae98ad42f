"""Regular buyers: futures when a purchase comes at every k-th event of a Poisson process.

Given λ, p and a stage j (events since the last purchase), the number of events to come is Poisson, so
counts and their means are sums over events: exact, unlike the approximations of [PR16] and [RPS21] for
k > 1. Where those sums are long, roots of unity pick every k-th term, and quadrature averages over p.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.special import betainc, gammaln, hyp2f1

from clv.models.dropout_at_purchase import DropoutAtPurchase
from clv.models.histories import GapHistory
from clv.models.protocols import Array, Count, Limits, Parameter
from clv.models.repeat_purchases import log_count, share
from clv.models.special import beta_mean, in_blocks, log_rising, unit_nodes

_TERMS = 200  # purchases above which quadrature is cheaper than the sum over them
_RARE = 0.02  # chance to stay below which ten terms of the sum are exact


class RegularDropoutAtPurchase(DropoutAtPurchase):
    """Dropout at purchases, and Erlang-k gaps between them; k is given, not estimated."""

    History = GapHistory
    k: Count
    costly: ClassVar = True  # expectations are sums over purchases
    _random: ClassVar[type[DropoutAtPurchase]]  # the same model with k = 1

    @property
    def _k(self) -> int:
        return self.k

    def limits(self) -> Limits:
        """Give the simpler models at the ends of this one's ridges, the simplest first."""
        if self.k == 1:
            yield "k = 1 is random timing", (), self._random(*self._fields())
        else:
            yield from super().limits()

    def _gaps(self, h: Any) -> Array | float:
        if self.k == 1:
            return 0.0
        return np.asarray((self.k - 1) * h.log_gaps - h.x * gammaln(self.k))

    def _bends(self, x: Array, T: Array) -> tuple[Parameter, Parameter, Parameter]:
        R, A, _, _ = self._posterior(x, T)
        return A / (1 + R), 0.0, np.sqrt(1 / self.k + 1 / R) / 2  # the rate swings at first

    def _rate(self, x: Array, T: Array, stage: int, after: Array) -> Array:
        R, A, a, B = self._posterior(x, T)
        return _mean_over_events(self.k, stage, R + stage, A, a, B, after, density=True)

    def _purchases(self, x: Array, T: Array, stage: int, t: Parameter) -> Array:
        R, A, a, B = self._posterior(x, T)
        if np.ndim(t) == 0 and np.isinf(t):
            return super()._purchases(x, T, stage, t)
        return _mean_over_events(self.k, stage, R + stage, A, a, B, t, density=False)

    def _discounted(self, x: Array, T: Array, stage: int, rate: float, t: Parameter) -> Array:
        if rate and np.ndim(t) == 0 and np.isinf(t):
            R, A, a, B = self._posterior(x, T)
            return in_blocks(
                lambda *columns: _lifetime(self.k, stage, rate, *columns), 256, R + stage, A, a, B
            )
        return super()._discounted(x, T, stage, rate, t)

    def _buys(self, x: Array, T: Array, stage: int, start: float, t: float) -> Array:
        """Sum over events up to T + start, of which every k-th may be the last."""
        R, A, a, B = self._posterior(x, T)
        R, total, stay = R + stage, np.zeros(()), np.ones(())
        for n in range(int(_events(R, start / A).max(initial=0) / self.k) + 2):
            for done in range(stage if n == 0 else 0, self.k):
                m = n * self.k + done - stage
                more = betainc(self.k - done, R + m, share(t, A + start))
                total = total + stay * np.exp(log_count(R, A, start, m)) * more
            stay = stay * (B + n) / (a + B + n)
        return np.asarray(total)

    def _pmf(self, x: Array, T: Array, stage: int, t: Parameter, n: int) -> Array:
        R, A, a, B = self._posterior(x, T)
        R, k = R + stage, self.k
        first = n * k - stage  # events that n purchases take
        events = range(max(first, 0), first + k)
        stay = np.exp(log_rising(B, n) - log_rising(a + B, n))
        found = stay * sum(np.exp(log_count(R, A, t, m)) for m in events)
        if n == 0:
            return np.asarray(found)
        return np.asarray(found + stay * a / (B + n - 1) * betainc(first, R, share(t, A)))


def _lifetime(k: int, stage: int, rate: float, R: Array, A: Array, a: Array, B: Array) -> Array:
    """Discounted purchases of a lifetime, of a customer alive with λ ~ Gamma(R, A) and p ~ Beta(a, B).

    Each event comes with the transform u = λ/(λ + rate), and each purchase but the first with a chance to
    stay: u^(k − stage)·E[1/(1 − (1 − p)·u^k)], a 2F1 that is benign; quadrature over log λ.
    """
    nodes, weights = (v[:, None] for v in unit_nodes(128))
    low = -9 / np.sqrt(R) - 40 / (R + k - stage)
    high = np.log((R + 9 * np.sqrt(R) + 40) / R)
    v = low + (high - low) * nodes  # log of λ against its mean
    # Log of R^R·e^(−R)/Γ(R): of a large R its terms would leave no digit.
    far = np.maximum(R, 30.0)
    size = np.where(
        R < 30,
        R * np.log(R) - R - gammaln(R),
        np.log(far / (2 * np.pi)) / 2 - (1 - 1 / (30 * far**2)) / (12 * far),
    )
    density = np.exp(size + R * (v - np.expm1(v))) * weights * (high - low)
    odds = rate * A / R * np.exp(-v)  # of u: 1/u − 1
    power = -k * np.log1p(odds)
    columns = np.broadcast_arrays(a, B, np.expm1(-power))  # the last is the bend in p: (1 − u^k)/u^k
    with np.errstate(all="ignore"):
        mean = np.asarray(hyp2f1(1, B, a + B, np.exp(power)))
    hard = ~np.isfinite(mean) | (np.maximum(a, B) > 1e3)
    mean[hard] = in_blocks(
        lambda a, B, bend: beta_mean(lambda p: (1 + bend) / (p + bend), a, B, bend),
        1024,
        *(column[hard] for column in columns),
    )
    return np.asarray((density * (1 + odds) ** (stage - k) * mean).sum(axis=0))


def _mean_over_events(
    k: int, stage: int, R: Parameter, A: Parameter, a: Parameter, B: Parameter, t: Parameter, *, density: bool
) -> Array:
    """Purchases in t, or their rate at t, of a customer alive with λ ~ Gamma(R, A) and p ~ Beta(a, B)."""

    def both(R: Array, A: Array, a: Array, B: Array, t: Array) -> Array:
        w = t / A
        events = _events(R, w)
        few = events < _TERMS * k
        found = np.empty(t.shape)
        columns = (R, A, a, B, t)
        terms = int(events[few].max(initial=0) / k) + 2
        found[few] = _sum(k, stage, density, terms, *(column[few] for column in columns))
        found[~few] = in_blocks(
            lambda *some: _mean(k, stage, density, *some), 256, *(column[~few] for column in columns)
        )
        return found

    return in_blocks(both, 65_536, R, A, a, B, t)


def _events(R: Parameter, w: Parameter) -> Array:
    """How many events hardly ever come, of R·w expected, w being time against the scale of the rate."""
    return np.asarray(R * w + 8 * np.sqrt(R * w * (1 + w)) + 36 * (1 + w))


def _term(k: int, stage: int, R: Array, A: Array, t: Array, c: int, density: bool) -> Array:
    """Chance that purchase number c + 1 comes in t if nobody leaves, or its density at t."""
    n = (c + 1) * k - stage
    if density:
        return np.asarray(np.exp(log_count(R, A, t, n - 1)) * (R + n - 1) / (A + t))
    return np.asarray(betainc(n, R, share(t, A)))


def _sum(
    k: int, stage: int, density: bool, terms: int, R: Array, A: Array, a: Array, B: Array, t: Array
) -> Array:
    total, stay = np.zeros(t.shape), np.ones(t.shape)
    for c in range(terms):
        total += stay * _term(k, stage, R, A, t, c, density)
        stay = stay * (B + c) / (a + B + c)
    return total


def _mean(k: int, stage: int, density: bool, R: Array, A: Array, a: Array, B: Array, t: Array) -> Array:
    """The same by quadrature over p: with ρᵏ = 1 − p, Σ ρ^(ck)·[purchase c + 1] over k roots of unity."""
    w, roots = t / A, np.exp(2j * np.pi * np.arange(k) / k)
    rare = [_term(k, stage, R, A, t, c, density) for c in range(10)]

    def kernel(p: Array) -> Array:
        log_rho = np.log1p(-np.minimum(p, 1 - _RARE)) / k
        total = np.zeros(np.broadcast_shapes(p.shape, w.shape))
        for root in roots:
            gap = -np.expm1(log_rho) if root == 1 else 1 - np.exp(log_rho) * root
            power = np.log1p(w * gap)
            part = R / A * np.exp(-(R + 1) * power) if density else -np.expm1(-R * power) / gap
            total += np.real(part * root ** (stage + 1 - k))
        total *= np.exp((stage + 1 - k) * log_rho) / k
        left = np.maximum(1 - p, 0.0)
        series = sum(term * left**c for c, term in enumerate(rare))
        return np.where(left < _RARE, series, total)

    return beta_mean(kernel, a, B, 1 / np.maximum(R * w, 1e-300))
