"""What follows for every model of contractual retention from its survival curve.

[FH07] Fader & Hardie (2007), How to Project Customer Retention, J. of Interactive Marketing 21(1).
[FH10] Fader & Hardie (2010), Customer-Base Valuation in a Contractual Setting, Marketing Science 29(1).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from clv.models.histories import RetentionHistory
from clv.models.parametric import Parametric, refuse_below
from clv.models.protocols import FAR, NEGLIGIBLE, Array, Limits, Parameter, parameter_names
from clv.models.special import digamma_rise, log_beta_rise, sum_over_periods


class Retention(Parametric):
    """Formulas shared by models of contracts that run on or are lost at each renewal; time counts renewals.

    The chance to be there after k renewals is (1 − θ)^c(k) with θ ~ Beta(a, b), that is B(a, b + c)/B(a, b)
    over all customers. A model gives a and b, which its first two parameters are, and the clock c.
    """

    History: ClassVar[type[Any]] = RetentionHistory

    def _clock(self, k: Array) -> Array:
        """Return c(k), which is 0 at 0 and rises."""
        raise NotImplementedError

    def _clock_slopes(self, k: Array) -> tuple[Array, ...]:
        """Derivatives of c(k) in the parameters behind the first two."""
        raise NotImplementedError

    def _first_after(self, c: Array) -> Array:
        """Return the first k with c(k) ≥ c."""
        raise NotImplementedError

    def _power(self) -> Parameter:
        """Return the power of k that c(k) is like for large k."""
        raise NotImplementedError

    def limits(self) -> Limits:
        """Give the simpler models at the ends of this one's ridges, the simplest first."""
        a, b, *rest = self._fields()
        if a + b < FAR / 2:
            share = a / (a + b)
            sentence = f"all customers leave with the same probability, {share:.3g} a renewal"
            yield (
                sentence,
                parameter_names(type(self))[:2],
                self._with((FAR * share, FAR * (1 - share), *rest)),
            )

    def survival(self, k: Array) -> Array:
        """Share of new customers who are still there after k renewals, (…, k)."""
        refuse_below(0, k=k)
        return np.exp(self._log_survival(0.0, np.asarray(k, dtype=float)))

    def retention_rate(self, k: Array) -> Array:
        """Share of those who face renewal number k (from 1) that stay, (…, k)."""
        refuse_below(1, k=k)
        k = np.asarray(k, dtype=float)
        return np.exp(self._log_survival(k - 1, k))

    def log_likelihood(self, h: RetentionHistory) -> Array:
        """Log of the chance to be lost at renewal number `age`, or to outlast it, (…, histories)."""
        before = h.age - h.churned
        step = self._log_survival(before, h.age)
        with np.errstate(divide="ignore"):
            lost = np.log(-np.expm1(step))
        return np.asarray(self._log_survival(0.0, before) + np.where(h.churned == 1, lost, step))

    def score(self, h: RetentionHistory) -> Array:
        """Return the derivatives of the log-likelihood in all parameters, (parameters, …, histories)."""
        before = h.age - h.churned
        with np.errstate(divide="ignore"):
            odds = np.where(h.churned == 1, 1 / np.expm1(-self._log_survival(before, h.age)), 0.0)
        # Lost: log S(k−1) + log(1 − e^step), whose slope is −odds times that of the step.
        start = np.zeros_like(before)
        parts = [
            whole - odds * step
            for whole, step in zip(self._slopes(start, before), self._slopes(before, h.age), strict=True)
        ]
        return np.stack(np.broadcast_arrays(*parts))

    def expected_renewals(self, h: RetentionHistory, t: float = np.inf) -> Array:
        """Renewals expected of the next t given the history, (…, histories): the residual lifetime at t = ∞.

        0 for who is lost, infinite where the mean is.
        """
        return self.discounted_renewals(h, 0.0, t)

    def discounted_renewals(self, h: RetentionHistory, rate: float, t: float = np.inf) -> Array:
        """Renewals expected of the next t, each discounted by e^(−rate) a period, the first once.

        At t = ∞, times e^rate, [FH10]'s DERL of a contract about to be renewed.
        """
        refuse_below(0, rate=rate, t=t)
        faced = h.age - h.churned
        power, (a, *_) = self._power(), self._fields()
        tail = np.asarray(power * a) - 1  # without a discount, terms fade like k^−(1 + tail)
        endless = rate == 0 and np.isinf(t)
        last = min(t, NEGLIGIBLE / rate) if rate else t
        reach = np.exp(np.minimum(28 / power, 600.0)) if endless else np.floor(last)

        def stays(i: Array, n: Array, *own: Array) -> Array:
            return np.asarray(np.exp(self._with(own)._log_survival(n, n + i) - rate * i))

        total = sum_over_periods(stays, 1.0, reach, faced, *self._fields())
        if endless:
            rest = reach * stays(reach, faced, *self._fields()) / np.where(tail > 0, tail, 1.0)
            total = np.where(tail > 0, total + rest, np.inf)
        return np.asarray(np.where(h.churned == 1, 0.0, total))

    def p_stay(self, h: RetentionHistory, t: float) -> Array:
        """Probability to be there after t more renewals given the history, (…, histories); t is finite."""
        refuse_below(0, t=t)
        return np.asarray(np.where(h.churned == 1, 0.0, np.exp(self._log_survival(h.age, h.age + t))))

    def expected_dropout(self, h: RetentionHistory) -> Array:
        """Posterior mean of θ, (…, histories)."""
        a, b, *_ = self._fields()
        before, after = self._clock(h.age - h.churned), self._clock(h.age)
        share = a / (a + b + before)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = self._log_survival(h.age - h.churned, h.age)
            # E[θ·((1−θ)^before − (1−θ)^after)] over the same without θ
            lost = share * -np.expm1(step + np.log((a + b + before) / (a + b + after))) / -np.expm1(step)
        return np.asarray(np.where(h.churned == 1, lost, share))

    def simulate(self, rng: np.random.Generator, age: Array) -> RetentionHistory:
        """Draw one history for each number of renewals in `age`: lost at one of them, or alive after all."""
        age = np.asarray(age, dtype=float)
        a, b, *_ = (np.broadcast_to(v, age.shape) for v in self._fields())
        leaves = np.maximum(-np.log1p(-rng.beta(a, b)), 1e-300)
        at = np.maximum(self._first_after(np.minimum(rng.exponential(1, age.shape) / leaves, 1e300)), 1)
        return RetentionHistory(np.minimum(at, age), np.where(at <= age, 1.0, 0.0))

    def _log_survival(self, since: Parameter, k: Parameter) -> Array:
        """Log of S(k)/S(since)."""
        a, b, *_ = self._fields()
        from_, to = self._clock(np.asarray(since, dtype=float)), self._clock(np.asarray(k, dtype=float))
        return log_beta_rise(a, b + from_, 0.0, to - from_)

    def _slopes(self, since: Array, k: Array) -> list[Array]:
        """Derivatives of log S(k)/S(since) in all parameters."""
        a, b, *_ = self._fields()
        from_, to = self._clock(since), self._clock(k)
        either = digamma_rise(a + b + from_, to - from_)
        found = [-either, digamma_rise(b + from_, to - from_) - either]
        for slope_from, slope_to in zip(self._clock_slopes(since), self._clock_slopes(k), strict=True):
            found.append(slope_from * digamma_rise(b + from_, a) - slope_to * digamma_rise(b + to, a))
        return found
