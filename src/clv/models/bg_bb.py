"""BG/BB: customers who are offered regular opportunities, to each of which they buy or not.

[FHS10] Fader, Hardie & Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual Setting,
Marketing Science 29(6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import gammaln

from clv.models.histories import OpportunityHistory
from clv.models.parametric import refuse_share
from clv.models.protocols import FAR, NEGLIGIBLE, Array, Limits, Parameter, Positive
from clv.models.quantities import (
    LOSS_POLARISATION,
    LOST_AT_OPPORTUNITY,
    TAKEN,
    TAKEN_POLARISATION,
    beta_mixing,
)
from clv.models.repeat_purchases import RepeatPurchases
from clv.models.special import digamma_rise, in_blocks, log_beta_rise, log_rising, sum_over_periods


@dataclass(frozen=True)
class BGBB(RepeatPurchases):
    """Beta-geometric / beta-Bernoulli model of repeat purchases; time is counted in opportunities.

    While alive a customer buys at an opportunity with probability p ~ Beta(alpha, beta); before each it
    leaves for good with probability θ ~ Beta(gamma, delta).
    """

    History = OpportunityHistory

    alpha: Positive
    beta: Positive
    gamma: Positive
    delta: Positive
    quantities: ClassVar = (TAKEN, TAKEN_POLARISATION, LOST_AT_OPPORTUNITY, LOSS_POLARISATION)

    @classmethod
    def by_quantities(cls, taken: Any, takes: Any, lost: Any, polarised: Any) -> Sequence[Any]:
        """Return the parameters; all four are odds."""
        return *beta_mixing(taken, takes), *beta_mixing(lost, polarised)

    @classmethod
    def start(cls, history: OpportunityHistory) -> Sequence[float]:
        """Start from the mean share of opportunities taken, and a mean dropout of one in five."""
        taken = (history.weight * history.x).sum() / (history.weight * history.n).sum()
        return 2 * taken, 2 * (1 - taken) + 1e-3, 0.5, 2.0

    def limits(self) -> Limits:
        """Give the simpler models at the ends of this one's ridges, the simplest first."""
        if self.gamma + self.delta < FAR / 2:
            share = self.gamma / (self.gamma + self.delta)
            yield "nobody seems to leave", ("gamma", "delta"), BGBB(self.alpha, self.beta, 1.0, FAR)
            together = BGBB(self.alpha, self.beta, FAR * share, FAR * (1 - share))
            sentence = f"all customers leave with the same probability, {share:.3g} an opportunity"
            yield sentence, ("gamma", "delta"), together
        if self.alpha + self.beta < FAR / 2:
            share = self.alpha / (self.alpha + self.beta)
            alike = BGBB(FAR * share, FAR * (1 - share), self.gamma, self.delta)
            yield "all customers buy with the same probability", ("alpha", "beta"), alike

    def log_likelihood(self, h: OpportunityHistory) -> Array:
        """Log-likelihood of each history, (…, histories). [FHS10] eq. 2, summed in logs."""
        found = self._over_leaving(h, lambda model, x, n, last, weight: np.zeros((0, *weight.shape[1:])))
        return np.asarray(found[0])

    def log_likelihood_and_score(self, h: OpportunityHistory) -> tuple[Array, Array]:
        """Return both, for less than each alone."""

        def means(model: BGBB, x: Array, n: Array, last: Array, weight: Array) -> Array:
            a, b, c, d = model._fields()
            left = last < n
            stayed = digamma_rise(c + d, last + left)
            tried = digamma_rise(a + b, last)
            values = (
                digamma_rise(a, x) - tried,
                digamma_rise(b, last - x) - tried,
                left / c - stayed,
                digamma_rise(d, last) - stayed,
            )
            return np.stack([(weight * v).sum(axis=0) for v in values])

        found = self._over_leaving(h, means)
        return found[0], found[1:]

    def expected_rate(self, h: OpportunityHistory) -> Array:
        """Posterior mean of p, the probability of buying at an opportunity while alive."""

        def mean(m: BGBB, x: Array, n: Array, last: Array, weight: Array) -> Array:
            return np.asarray((weight * (m.alpha + x) / (m.alpha + m.beta + last)).sum(0)[None])

        return np.asarray(self._over_leaving(h, mean)[1])

    def expected_dropout(self, h: OpportunityHistory) -> Array:
        """Posterior mean of θ, the probability of leaving before an opportunity."""

        def mean(m: BGBB, x: Array, n: Array, last: Array, weight: Array) -> Array:
            left = last < n
            return np.asarray((weight * (m.gamma + left) / (m.gamma + m.delta + last + left)).sum(0)[None])

        return np.asarray(self._over_leaving(h, mean)[1])

    def next_purchase(self, h: OpportunityHistory, share: float = 0.5) -> Array:
        """Return the first opportunity by which the next purchase has come with probability `share`.

        Infinite where the customer will never buy again with a probability above 1 − share.
        """
        refuse_share(share)
        open_ = self.p_purchase(h, np.inf) > share
        low, high = np.zeros(open_.shape), np.where(open_, 1.0, np.inf)
        while (short := open_ & (self._by_time(h, high) < share)).any():  # double, …
            low, high = np.where(short, high, low), np.where(short, 2 * high, high)
        while (wide := open_ & (high - low > 1)).any():  # … then halve
            middle = np.where(wide, np.floor((low + high) / 2), high)
            reached = self._by_time(h, middle) >= share
            low, high = np.where(wide & ~reached, middle, low), np.where(wide & reached, middle, high)
        return high

    def _by_time(self, h: OpportunityHistory, t: Array) -> Array:
        """Probability of a purchase in the next t opportunities, with a t for each history."""
        found = np.zeros(t.shape)
        for value in np.unique(t[np.isfinite(t)]):
            found = np.where(t == value, self.p_purchase(h, float(value)), found)
        return found

    def simulate(self, rng: np.random.Generator, n: Array) -> OpportunityHistory:
        """Draw one history for each number of opportunities in n."""
        n = np.asarray(n, dtype=float)
        a, b, c, d = (np.broadcast_to(v, n.shape) for v in self._fields())
        lived = np.minimum(rng.geometric(np.maximum(rng.beta(c, d), 1e-12)) - 1, n)
        p = rng.beta(a, b)
        x, t_x = np.zeros(n.shape), np.zeros(n.shape)
        for i in range(1, int(n.max(initial=0)) + 1):
            bought = (i <= lived) & (rng.random(n.shape) < p)
            x[bought] += 1
            t_x[bought] = i
        return OpportunityHistory(x, t_x, n)

    def _over_leaving(self, h: OpportunityHistory, means: Callable[..., Array]) -> Array:
        """Log-likelihood, and behind it posterior means over the last opportunity that a customer lived to.

        That is one of t_x, …, n. `means(model, x, n, last, weight)` gets them and their probabilities,
        (candidates, rows), and returns (…, rows).
        """

        def sums(x: Array, t_x: Array, n: Array, *own: Array) -> Array:
            model = self._with(own)
            a, b, c, d = own
            last = t_x + np.arange(int((n - t_x).max(initial=0)) + 1)[:, None]
            left = np.where(last < n, 1.0, 0.0)
            logs = log_beta_rise(a, b, x, np.maximum(last - x, 0)) + log_beta_rise(c, d, left, last)
            logs = np.where(last <= n, logs, -np.inf)
            total = np.logaddexp.reduce(logs, axis=0)
            found = means(model, x, n, np.minimum(last, n), np.exp(logs - total))
            return np.concatenate([total[None], found])

        size = max(1, 65_536 // (1 + int((h.n - h.t_x).max(initial=0))))
        return in_blocks(sums, size, h.x, h.t_x, h.n, *self._fields())

    def _states(self, h: OpportunityHistory) -> Array:
        def left(m: BGBB, x: Array, n: Array, last: Array, weight: Array) -> Array:
            return np.asarray(np.where(last < n, weight, 0.0).sum(0)[None])

        total, gone = self._over_leaving(h, left)
        here = log_beta_rise(self.alpha, self.beta, h.x, h.n - h.x)
        here = here + log_beta_rise(self.gamma, self.delta, 0.0, h.n)
        return np.stack([np.exp(here - total), gone])

    def _purchases(self, x: Array, T: Array, stage: int, t: Parameter) -> Array:
        """[FHS10] eq. 13 of a customer alive; t counts whole opportunities."""
        if np.ndim(t) == 0 and np.isinf(t):
            more = np.asarray(self.gamma) - 1
            lasts = np.where(more > 0, (self.delta + T) / np.where(more > 0, more, 1.0), np.inf)
            return np.asarray((self.alpha + x) / (self.alpha + self.beta + T) * lasts)
        return self._discounted(x, T, stage, 0.0, t)

    def _discounted(self, x: Array, T: Array, stage: int, rate: float, t: Parameter) -> Array:
        """Those of each opportunity to come, discounted by e^(−rate) from one to the next. [FHS10] eq. 14."""
        last = np.floor(np.minimum(t, NEGLIGIBLE / rate if rate else np.inf))

        def lives(i: Array, gamma: Array, D: Array) -> Array:
            return np.exp(log_beta_rise(gamma, D, 0.0, i) - rate * i)

        buys = (self.alpha + x) / (self.alpha + self.beta + T)
        return np.asarray(buys * sum_over_periods(lives, 1.0, last, self.gamma, self.delta + T))

    def _pmf(self, x: Array, T: Array, stage: int, t: Parameter, n: int) -> Array:
        """[FHS10] eq. 8 of a customer alive: n of the opportunities that it lives to, all t or fewer."""
        a, b, c, d = self.alpha + x, self.beta + T - x, self.gamma, self.delta + T

        def count(i: Array, a: Array, b: Array, left: Parameter, c: Parameter, d: Array) -> Array:
            i = np.maximum(i, n)
            ways = log_rising(i - n + 1.0, n) - gammaln(n + 1.0)
            return np.exp(ways + log_beta_rise(a, b, n, i - n) + log_beta_rise(c, d, left, i))

        t = np.floor(np.minimum(t, 1e15))
        left = sum_over_periods(count, n, t - 1, a, b, 1.0, c, d, width=1 / np.sqrt(n + 1))
        with np.errstate(invalid="ignore"):
            return np.asarray(left + np.where(t >= n, count(np.maximum(t, n), a, b, 0.0, c, d), 0.0))
