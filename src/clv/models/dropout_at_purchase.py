"""Models of customers who can leave at a purchase only: BG/NBD, MBG/NBD and their regular versions.

[FHL05] Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2).
[PR16] Platzer & Reutterer (2016), Ticking Away the Moments, Marketing Science 35(5): Erlang-k timing.
[RPS21] Reutterer, Platzer & Schröder (2021), Int. J. of Research in Marketing 38(2): MBG/CNBD-k.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray
from scipy.special import betainc, hyp2f1

from clv.models.gathering import by_history, distinct
from clv.models.histories import PurchaseHistory
from clv.models.nbd import NBD
from clv.models.protocols import FAR, NEGLIGIBLE, Array, Limits, Parameter, Positive, Scale
from clv.models.quantities import (
    LOSS_POLARISATION,
    LOST_AT_PURCHASE,
    PURCHASE_SPREAD,
    PURCHASES,
    beta_mixing,
    gamma_mixing,
)
from clv.models.repeat_purchases import RepeatPurchases, log_count, same_rate, share
from clv.models.simulation import Future, Log, Shape, purchase_histories
from clv.models.special import beta_mean, digamma_rise, in_blocks, log_rising, log_sum, unit_nodes


class DropoutAtPurchase(RepeatPurchases):
    """Formulas of models with λ ~ Gamma(r, alpha) and dropout with p ~ Beta(a, b) at purchases.

    A purchase comes at every k-th event of a Poisson process with rate λ. `_first` says how many chances to
    leave the first purchase brings: 0 or 1. With n = x + _first chances taken, p ~ Beta(a, b + n) of a
    customer alive.
    """

    r: Positive
    alpha: Scale
    a: Positive
    b: Positive
    quantities: ClassVar = (PURCHASES, PURCHASE_SPREAD, LOST_AT_PURCHASE, LOSS_POLARISATION)
    _first = 0

    @classmethod
    def by_quantities(
        cls, purchases: Any, spread: Any, lost: Any, polarised: Any, k: int = 1
    ) -> Sequence[Any]:
        """Return the parameters; `lost` and `polarised` are odds."""
        return *gamma_mixing(k * purchases, spread), *beta_mixing(lost, polarised)

    @property
    def _k(self) -> int:
        return 1

    def log_likelihood(self, h: Any) -> Array:
        """Log-likelihood of each history, (…, histories). [FHL05] eq. 6, [RPS21], summed in logs."""
        past_tx, past_T = self._past(h)
        return self._log_density(h, past_T, log_sum(self._log_states(h, past_tx, past_T))[0])

    def _log_density(self, h: Any, past_T: Array, states: Array) -> Array:
        r, alpha, a, b = self._fields()
        events, first = self._k * h.x, self._first
        counts = h.by_x(
            lambda x: log_rising(r, self._k * x) + log_rising(b, x + first) - log_rising(a + b, x + first),
            r,
            a,
            b,
        )
        logs = counts - events * np.log(alpha) - (r + events) * past_T + states
        return np.asarray(logs + self._gaps(h))

    def log_likelihood_and_score(self, h: Any) -> tuple[Array, Array]:
        """Return both, for less than each alone."""
        r, alpha, a, b = self._fields()
        events, n = self._k * h.x, h.x + self._first
        past_tx, past_T = self._past(h)
        states, (*stages, lost) = log_sum(self._log_states(h, past_tx, past_T))
        alive, R = sum(stages), r + events
        bent_tx, bent_T = h.by_t(lambda t: -t / (alpha + t), alpha)
        total = h.by_x(lambda x: digamma_rise(a + b, x + self._first), a, b)
        rise = h.by_x(lambda x: digamma_rise(r, self._k * x), r)
        bent = events + R * (alive * bent_T + lost * bent_tx)
        for j, stage in enumerate(stages[1:], 1):
            rise = rise + stage * sum(1 / (R + i) for i in range(j))
            bent = bent + stage * j * alpha / (alpha + h.T)
        parts = (
            rise - alive * past_T - lost * past_tx,
            -bent / alpha,
            lost / a - total,
            h.by_x(lambda x: digamma_rise(b, x + self._first), b) - total - lost / (b + np.maximum(n, 1) - 1),
        )
        return self._log_density(h, past_T, states), np.stack(np.broadcast_arrays(*parts))

    def expected_rate(self, h: Any) -> Array:
        """Posterior mean of λ: of purchases (k = 1) or of the events they are counted from."""
        *stages, lost = self._states(h)
        R = self.r + self._k * h.x
        alive = sum(stage * (R + j) for j, stage in enumerate(stages))
        return np.asarray(alive / (self.alpha + h.T) + lost * R / (self.alpha + h.t_x))

    def expected_dropout(self, h: Any) -> Array:
        """Posterior mean of p, the probability of leaving at a purchase."""
        return np.asarray((self.a + self._states(h)[-1]) / (self.a + self.b + h.x + self._first))

    def simulate(
        self, rng: np.random.Generator, T: Array, grain: float = 1 / 7, log: Log | None = None
    ) -> PurchaseHistory:
        """Draw one history for each age in T; purchases in one `grain` of time count once (0: exact).

        `log` receives customers and times of repeat purchases.
        """
        size = np.shape(T)
        r, alpha, a, b = (np.broadcast_to(v, size) for v in self._fields())
        leave = rng.beta(a, b)
        until = np.where(rng.random(size) < leave * self._first, 0.0, np.inf)
        rate = rng.gamma(r, 1 / alpha)
        found: PurchaseHistory = purchase_histories(
            rng, T, rate, shape=self._k, until=until, leave=leave, grain=grain, kind=self.History, log=log
        )
        return found

    def future(self, rng: np.random.Generator, x: float, T: float, stage: int, shape: Shape) -> Future:
        """Draw what customers with x repeat purchases, alive at T in one stage, are like and will do."""
        R, A, a, B = self._posterior(np.asarray(x), np.asarray(T))
        rate = rng.standard_gamma(np.broadcast_to(R + stage, shape)) / A
        leave = rng.beta(np.broadcast_to(a, shape), np.broadcast_to(B, shape))
        return Future(rate, last=rng.geometric(np.maximum(leave, 1e-15)), per=self._k, done=stage)

    def limits(self) -> Limits:
        """Give the simpler models at the ends of this one's ridges, the simplest first."""
        if self.a + self.b < FAR / 2:
            p = self.a / (self.a + self.b)
            if self._k == 1:
                yield "nobody seems to leave", ("a", "b"), NBD(self.r, self.alpha)
            else:
                staying = dataclasses.replace(self, a=1.0, b=FAR)  # type: ignore[type-var]
                yield "nobody seems to leave", ("a", "b"), staying
            together = dataclasses.replace(self, a=FAR * p, b=FAR * (1 - p))  # type: ignore[type-var]
            sentence = f"all customers leave with the same probability, {p:.3g} a purchase"
            yield sentence, ("a", "b"), together
        yield from same_rate(self)

    def _gaps(self, h: Any) -> Array | float:
        """The part of the log-likelihood that depends on single gaps and on k only."""
        return 0.0

    def _log_states(self, h: Any, past_tx: Array, past_T: Array) -> list[Array]:
        """Log odds of being alive in each stage, and of having left, against alive in the first."""
        R, a, b, first = self.r + self._k * h.x, self.a, self.b, self._first
        with np.errstate(divide="ignore"):
            leave = h.by_x(
                lambda x: np.where(x + first > 0, np.log(a / (b + np.maximum(x + first, 1) - 1)), -np.inf),
                a,
                b,
            )
            since = np.log((h.T - h.t_x) / (self.alpha + h.T)) if self._k > 1 else 0.0
        stages = [np.zeros(1)]
        for j in range(1, self._k):
            more = h.by_x(lambda x, j=j: np.log((self.r + self._k * x + j - 1) / j), self.r)
            stages.append(stages[-1] + more + since)
        return [*stages, leave + R * (past_T - past_tx)]

    def _past(self, h: Any) -> tuple[Array, Array]:
        """Log of 1 + time/alpha at t_x and T; of log(alpha + time) a large alpha leaves nothing."""
        past_tx, past_T = h.by_t(lambda t: np.log1p(t / self.alpha), self.alpha)
        return past_tx, past_T

    def _states(self, h: Any) -> Array:
        return np.stack(np.broadcast_arrays(*log_sum(self._log_states(h, *self._past(h)))[1]))

    def _posterior(self, x: Array, T: Array) -> tuple[Parameter, Parameter, Parameter, Parameter]:
        """(R, A, a, B): λ ~ Gamma(R, A) and p ~ Beta(a, B) of a customer alive in its first stage."""
        return self.r + self._k * x, self.alpha + T, self.a, self.b + x + self._first

    def _bends(self, x: Array, T: Array) -> tuple[Parameter, Parameter, Parameter]:
        R, A, a, B = self._posterior(x, T)
        return A / (1 + R * a / (a + B)), 0.0, 1.0

    def _rate(self, x: Array, T: Array, stage: int, after: Array) -> Array:
        R, A, a, B = self._posterior(x, T)
        return np.asarray(R / A * _mean_power(R + 1, after / A, a, B, B - x))

    def _buys(self, x: Array, T: Array, stage: int, start: float, t: float) -> Array:
        """There at T + start, e^(−λ·p·start) given λ and p, and then not without a purchase."""
        R, A, _, _ = self._posterior(x, T)
        silent = np.exp(-R * np.log1p(t / A))
        soon, late = (self._there(x, np.asarray(start / (A + more))) for more in (0.0, t))
        return np.asarray(soon - silent * late)

    def _there(self, x: Array, u: Array) -> Array:
        """E[(1 + p·u)^(−R)] of customers alive; of many by a series in log(1 + u) for each x."""

        def exact(model: Any, x: Array, u: Array) -> Array:
            R, _, a, B = model._posterior(x, 0.0)
            return _mean_power(R, u, a, B, B - x)

        fields = self._fields()
        if by_history(fields) or np.size(x) < _FEW:
            return exact(self, x, u)
        (xs,), which = distinct(x)
        found, drawn = [], np.broadcast_arrays(*(np.ravel(v) for v in fields))
        for one, own in zip(zip(*drawn, strict=True), np.reshape(u, (-1, np.size(x))), strict=True):
            model, ends = self._with(one), np.log1p(own)
            top = max(ends.max(), _SHORTEST)
            series = _series(partial(exact, model, xs), top, top)
            if series is None:
                found.append(exact(model, x, own))
            else:
                powers = chebvander(2 * ends / top - 1, len(series) - 1)
                found.append(np.einsum("pn,pn->p", series.T[which], powers))
        return np.asarray(found).reshape(np.shape(u))

    def _discounted(self, x: Array, T: Array, stage: int, rate: float, t: Parameter) -> Array:
        fields = self._fields()
        few = np.size(x) < (_FEW if np.max(t) < np.inf else 1)
        if np.ndim(t) or rate == 0 or by_history(fields) or few or t == 0:
            return super()._discounted(x, T, stage, rate, t)
        states = *distinct(x), *distinct(T)
        drawn = np.broadcast_arrays(*(np.ravel(v) for v in fields))
        found = [self._with(one)._of_one(states, stage, rate, float(t)) for one in zip(*drawn, strict=True)]
        return np.asarray(found if np.ndim(sum(fields)) else found[0])

    def _of_one(self, states: Any, stage: int, rate: float, t: float) -> Array:
        """`_discounted` for one set of parameters, of distinct x and T and the places of each history's."""
        (xs,), which_x, (ages,), which_T = states
        parts = self._apart(xs, self.alpha + ages, stage, rate, t)
        if parts is None:
            return super()._discounted(xs[which_x], ages[which_T], stage, rate, t)
        return _products(*parts, which_x, which_T)

    def _apart(self, xs: Array, A: Array, stage: int, rate: float, t: float) -> tuple[Array, Array] | None:
        """Return ∫ e^(−rate·τ) dE(τ) over (0, t] as terms of x and of T, to be multiplied and added up.

        With u = τ/(alpha + T) the purchase rate depends on x alone, discount and end on T alone. None where
        so many terms do not make it exact to 1e-12.
        """
        if np.isinf(t):
            return self._for_ever(xs, A, stage, rate)
        ends = np.log1p(t / A)
        top = max(ends.max(), _SHORTEST)
        series = _series(
            lambda u: self._rate(xs, np.zeros(1), stage, u * self.alpha) * self.alpha,
            top,
            max(top, rate * t),
        )
        if series is None:
            return None
        nodes, weights = unit_nodes(len(series))
        s = ends[:, None] * nodes
        kept = weights * ends[:, None] * np.exp(s - rate * A[:, None] * np.expm1(s))
        powers = chebvander(2 * s / top - 1, len(series) - 1)
        return series.T, (kept[:, None] @ powers)[:, 0]

    def _for_ever(self, xs: Array, A: Array, stage: int, rate: float) -> tuple[Array, Array]:
        """Over all time: the trapezoidal rule in log u, exact to 1e-12 where both ends have faded."""
        low = np.log(1e-14 / (1 + self.r + xs.max() + rate * A.max()))
        high = np.log(NEGLIGIBLE / (rate * A.min()))
        u = np.exp(np.linspace(low, high, int((high - low) / _SPACING) + 2))[:, None]
        bought = self._rate(xs, np.zeros(1), stage, u * self.alpha) * self.alpha * u
        kept = np.exp(-rate * A[:, None] * u[:, 0]) * np.log(u[1] / u[0])
        return bought.T, kept

    def _purchases(self, x: Array, T: Array, stage: int, t: Parameter) -> Array:
        """[FHL05] eq. 10 of a customer alive, Euler-transformed; by quadrature over p where that is not safe.

        The paper's form overflows for x > 150 and has a pole at a = 1.
        """
        R, A, a, B = self._posterior(x, T)
        c = a + B - 1
        if np.ndim(t) == 0 and np.isinf(t):
            a = np.asarray(a, dtype=float)
            return np.where(a > 1, c / np.where(a > 1, a - 1, 1.0), np.inf)
        w = t / A
        with np.errstate(all="ignore"):
            far = hyp2f1(c - R, a - 1, c, w / (1 + w))
            lost = 1 - np.exp((1 - a) * np.log1p(w)) * far
            series = np.asarray(c / (a - 1) * lost)
        # The closed form cancels near a = 1 and t = 0, and its 2F1 overflows for large a or b.
        safe = (np.abs(lost) > _CANCELS) & (c > 0.01) & np.isfinite(series)
        safe &= np.maximum(a, B - x) <= _HOMOGENEOUS
        if not np.all(safe):
            columns = np.broadcast_arrays(R, w, a, B, series)
            hard = ~np.broadcast_to(safe, series.shape)
            series[hard] = in_blocks(_mean_purchases, 1024, *(v[hard] for v in columns[:4]))
        return series

    def _pmf(self, x: Array, T: Array, stage: int, t: Parameter, n: int) -> Array:
        """[FHL05] eq. 8, updated for the history."""
        R, A, a, B = self._posterior(x, T)
        log_stay = log_rising(B, n) - log_rising(a + B, n)
        stays = np.exp(log_stay + log_count(R, A, t, n))
        if n == 0:
            return stays
        return np.asarray(stays + np.exp(log_stay) * a / (B + n - 1) * betainc(n, R, share(t, A)))


def _series(f: Callable[[Array], Array], top: float, reach: float) -> Array | None:
    """Coefficients of Chebyshev polynomials in log(1 + u) up to `top`, (terms, …), of f at u, (terms, 1).

    As many as it takes for 1e-12, where the last have faded; None where too many.
    """
    for n in (n for n, most in _TERMS.items() if reach < most):
        angles = np.pi * (np.arange(n) + 0.5) / n
        cosines = np.cos(np.outer(np.arange(n), angles)) * 2 / n
        cosines[0] /= 2
        series = cosines @ f(np.expm1(top * (1 + np.cos(angles)) / 2)[:, None])
        if (np.abs(series[-2:]) <= _PRECISE * np.abs(series).max(axis=0)).all():
            return np.asarray(series)
    return None


def _products(of_x: Array, of_T: Array, which_x: NDArray[np.intp], which_T: NDArray[np.intp]) -> Array:
    """Sums of products of the terms of each history's x and T: for all pairs at once where they are few."""
    if len(of_x) * len(of_T) <= _FEW_PAIRS * len(which_x):
        return np.asarray((of_x @ of_T.T)[which_x, which_T])
    size = max(1, _BLOCK // of_x.shape[1])
    parts = [slice(i, i + size) for i in range(0, len(which_x), size)]
    sums = [np.einsum("pu,pu->p", of_x[which_x[some]], of_T[which_T[some]]) for some in parts]
    return np.concatenate([np.zeros(0), *sums])


def _mean_purchases(R: Array, w: Array, a: Array, B: Array) -> Array:
    """Purchases of a customer alive, averaged over p: E[(1 − (1 + p·w)^(−R))/p], w = t/(alpha + T)."""
    bend = 1 / np.maximum(R * w, 1e-300)
    return beta_mean(lambda p: -np.expm1(-R * np.log1p(p * w)) / p, a, B, bend)


def _mean_power(R: Parameter, w: Parameter, a: Parameter, B: Parameter, b: Parameter) -> Array:
    """E[(1 + p·w)^(−R)], p ~ Beta(a, B) with b ≤ B: no pole at a = 1, none at a + b < 1."""
    with np.errstate(all="ignore"):
        mean = np.asarray(np.exp(-a * np.log1p(w)) * hyp2f1(a + B - R, a, a + B, w / (1 + w)))
    hard = (np.maximum(a, b) > _HOMOGENEOUS) | ~np.isfinite(mean)
    if hard.any():
        *columns, hard = np.broadcast_arrays(R, w, a, B, hard)
        mean[hard] = in_blocks(_mean_power_hard, 1024, *(column[hard] for column in columns))
    return mean


def _mean_power_hard(R: Array, w: Array, a: Array, B: Array) -> Array:
    bend = 1 / np.maximum(R * w, 1e-300)
    return beta_mean(lambda p: np.exp(-R * np.log1p(p * w)), a, B, bend)


_CANCELS = 1e-5  # a difference from 1 below which the closed form has lost five digits
_SPACING = 0.3  # of nodes in log time
_TERMS = {16: 2.0, 24: 5.0, 64: np.inf}  # of a series, and what log(1 + u) and rate·t may reach with so many
_SHORTEST = 1e-300  # of a stretch of time that is divided by
_PRECISE = 1e-13  # of a series' largest term, the last ones
_FEW = 256  # histories, below which all draws at once cost less than a series for each
_FEW_PAIRS = 4  # of x and T for one that is there
_BLOCK = 2**18  # numbers at a time
_HOMOGENEOUS = 50.0  # a or b above which dropout hardly differs, or hardly happens, and 2F1 overflows
