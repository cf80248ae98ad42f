"""What follows for every model of repeat purchases from the little that sets it apart.

A customer's history says with what probability it is alive at T, and in which stage of waiting for the
next purchase (most models know one stage only). All that it will do depends on that, on x and on T.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import elementwise
from scipy.special import gammaln

from clv.errors import ConfigError
from clv.models.histories import PurchaseHistory
from clv.models.parametric import Parametric, refuse_below, refuse_share
from clv.models.protocols import FAR, NEGLIGIBLE, Array, Limits, Parameter
from clv.models.simulation import Future, Shape
from clv.models.special import log_rising, over_time


class RepeatPurchases(Parametric):
    """Formulas shared by purchase models; times are in the unit of the history.

    A model gives `_states`, `_pmf`, and `_rate` with `_bends`; `_purchases` where it has a closed form. They
    see x and T as columns, parameters that broadcast against them, and times that do.
    """

    History: ClassVar[type[Any]] = PurchaseHistory
    costly: ClassVar[bool] = False  # whether an expectation takes microseconds a history

    def _states(self, h: Any) -> Array:
        """Probabilities of being alive at T in each stage, and of having left, (stages + 1, …, histories)."""
        raise NotImplementedError

    def _rate(self, x: Array, T: Array, stage: int, after: Array) -> Array:
        """Purchases expected per time unit at T + after, of a customer alive at T."""
        raise NotImplementedError

    def _pmf(self, x: Array, T: Array, stage: int, t: Parameter, n: int) -> Array:
        """P(n purchases in (T, T + t]) of a customer alive at T."""
        raise NotImplementedError

    def _buys(self, x: Array, T: Array, stage: int, start: float, t: float) -> Array:
        """P(a purchase in (T + start, T + start + t]) of a customer alive at T."""
        raise NotImplementedError

    def _bends(self, x: Array, T: Array) -> tuple[Parameter, Parameter, Parameter]:
        """What `over_time` has to know of the purchase rate after T: scale, rate, and width."""
        raise NotImplementedError

    def _purchases(self, x: Array, T: Array, stage: int, t: Parameter) -> Array:
        """Purchases in (T, T + t] of a customer alive at T."""
        return self._discounted(x, T, stage, 0.0, t)

    def future(self, rng: np.random.Generator, x: float, T: float, stage: int, shape: Shape) -> Future:
        """Draw what customers with x repeat purchases, alive at T in one stage, are like and will do."""
        raise NotImplementedError

    def p_alive(self, h: Any) -> Array:
        """Probability of still being active at T, (…, histories)."""
        return np.asarray(np.minimum(self.p_stages(h).sum(axis=0), 1.0))

    def p_stages(self, h: Any) -> Array:
        """Probabilities of being active at T in each stage of waiting, (stages, …, histories)."""
        return self._states(h)[:-1]

    def expected_purchases(self, h: Any, t: float) -> Array:
        """Purchases expected in (T, T + t] given the history, (…, histories); t may be infinite."""
        refuse_below(0, t=t)
        return self._expect(h, lambda x, T, stage: self._purchases(x, T, stage, t))

    def expected_purchases_new(self, t: float) -> Array:
        """Purchases expected of a new customer in its first t time units, after the first one."""
        return self.expected_purchases(self.History.newcomer(), t)

    def discounted_purchases(self, h: Any, rate: float, t: float) -> Array:
        """Purchases expected in (T, T + t], discounted to T at a continuous `rate` per time unit.

        t may be infinite: the discounted expected residual transactions (DERT).
        """
        refuse_below(0, rate=rate, t=t)
        if rate == 0:
            return self.expected_purchases(h, t)
        return self._expect(h, lambda x, T, stage: self._discounted(x, T, stage, rate, t))

    def purchase_pmf(self, h: Any, t: float, n: int) -> Array:
        """P(X(T, T + t] = n) given the history, (…, histories)."""
        refuse_below(0, t=t, n=n)
        if n != int(n):
            raise ConfigError(f"C012 n must be a whole number of purchases; got {n!r}.")
        found = self._expect(h, lambda x, T, stage: self._pmf(x, T, stage, t, n))
        return found if n else found + self._states(h)[-1]

    def p_purchase(self, h: Any, t: float, start: float = 0.0) -> Array:
        """Probability of at least one purchase in (T + start, T + t] given the history, (…, histories)."""
        refuse_below(0, start=start, t=t)
        if start == 0:
            return self._expect(h, lambda x, T, stage: 1 - self._pmf(x, T, stage, t, 0))
        return self._expect(h, lambda x, T, stage: self._buys(x, T, stage, start, max(t - start, 0.0)))

    def next_purchase(self, h: Any, share: float = 0.5) -> Array:
        """Time after T by which the next purchase has come with probability `share`, (…, histories).

        Infinite where the customer will never buy again with a probability above 1 − share.
        """
        refuse_share(share)
        stages = self.p_stages(h)
        shape = np.broadcast_shapes(stages.shape[1:], *(np.shape(v) for v in self._fields()))
        columns = [np.broadcast_to(v, shape).ravel() for v in (*stages, h.x, h.T, *self._fields())]
        ever = np.broadcast_to(self.p_purchase(h, np.inf), shape).ravel()
        found = np.full(ever.shape, np.inf)
        rows = ever > share

        def excess(log_t: Array, *some: Array) -> Array:
            (*alive, x, T), model = some[: len(stages) + 2], self._with(some[len(stages) + 2 :])
            t = np.exp(log_t)
            return np.asarray(sum(p * (1 - model._pmf(x, T, j, t, 0)) for j, p in enumerate(alive)) - share)

        some = tuple(column[rows] for column in columns)
        if rows.any():
            start = np.log(np.broadcast_to(self._bends(h.x, h.T)[0], shape).ravel()[rows])
            bracket = elementwise.bracket_root(excess, start - 1, start + 1, xmax=690.0, args=some).bracket
            log_t = elementwise.find_root(excess, bracket, args=some).x
            found[rows] = np.exp(np.where(np.isnan(log_t), np.inf, log_t))
        return found.reshape(shape)

    def _expect(self, h: Any, f: Callable[[Array, Array, int], Array]) -> Array:
        """Mean of f over the stages a customer may be in; nothing of those who have left."""
        total: Array | None = None
        for stage, alive in enumerate(self.p_stages(h)):
            value = h.by_state(lambda x, T, stage=stage: f(x, T, stage), *self._fields())
            part = np.where(alive > 0, alive * np.where(alive > 0, value, 0.0), 0.0)
            total = part if total is None else total + part
        return np.asarray(total)

    def _discounted(self, x: Array, T: Array, stage: int, rate: float, t: Parameter) -> Array:
        """∫ e^(−rate·τ) dE(τ) over (0, t] for a customer who is alive at T."""
        scale, decay, width = self._bends(x, T)
        end = np.minimum(np.minimum(t, self._exhausted(x, T)), NEGLIGIBLE / rate if rate else np.inf)

        def value(tau: Array, weight: Array, x: Array, T: Array, *parameters: Array) -> Array:
            purchases = self._with(parameters)._rate(x, T, stage, tau)
            return np.asarray((weight * np.exp(-rate * tau) * purchases).sum(axis=0))

        # Within its scale the purchase rate hardly falls: only the discount does.
        falls = {"width": width, "drop": rate * end}
        return over_time(value, 0.0, end, scale, decay + rate / 4, x, T, *self._fields(), **falls)

    def _exhausted(self, x: Array, T: Array) -> Parameter:
        """Time after T from which on nothing is expected any more."""
        return np.inf


def gamma_start(history: PurchaseHistory) -> tuple[float, float]:
    """Starting values of (r, alpha): the negative binomial's moments."""
    mean = np.average(history.x, weights=history.weight)
    variance = np.average((history.x - mean) ** 2, weights=history.weight)
    r = float(np.clip(mean**2 / max(variance - mean, 1e-9), 0.05, 20))
    return r, r * history.typical() / max(mean, 1e-9)


def same_rate(model: Any) -> Limits:
    """Give the limit r, alpha → ∞ of a model, unless it is there."""
    if model.r < FAR:
        rate = model.r / model.alpha
        alike = dataclasses.replace(model, r=FAR, alpha=FAR / rate)
        yield "all customers buy at the same rate", ("r", "alpha"), alike


def share(t: Parameter, A: Parameter) -> Array:
    """t/(A + t); t may be infinite."""
    with np.errstate(divide="ignore"):
        return np.asarray(1 / (1 + A / np.asarray(t, dtype=float)))


def log_count(R: Parameter, A: Parameter, t: Parameter, n: int) -> Array:
    """Log P(n purchases in t) of one who buys at a rate λ ~ Gamma(R, A) and stays; t may be infinite."""
    with np.errstate(divide="ignore"):
        bought = n * np.log(share(t, A)) if n else 0.0
    return np.asarray(log_rising(R, n) - gammaln(n + 1.0) + bought - R * np.log1p(t / A))
