"""Models of customers who can leave at any time, whatever they buy: Pareto/NBD and GGompertz/NBD.

The likelihood integrates over the time of leaving: the closed forms with 2F1 overflow on real data.
[FH05] Fader & Hardie (2005), A Note on Deriving the Pareto/NBD Model, note 009, eq. 8–13.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from clv.models.histories import PurchaseHistory
from clv.models.nbd import NBD
from clv.models.protocols import FAR, NEGLIGIBLE, Array, Limits, Parameter, Positive, Scale, parameter_names
from clv.models.repeat_purchases import RepeatPurchases, log_count, same_rate, share
from clv.models.simulation import Future, Log, Shape, purchase_histories
from clv.models.special import digamma_rise, log_rising, log_sum, over_time


class DropoutInTime(RepeatPurchases):
    """Formulas of models with λ ~ Gamma(r, alpha) and a lifetime of its own.

    The chance to survive to age y is e^(−μ·g(y)) with μ ~ Gamma(s, beta), that is e^(−s·G(y)) over all
    customers with the clock G = log(1 + g/beta). A model gives its clock.
    """

    r: Positive
    alpha: Scale
    s: Positive
    beta: Positive

    def _clock(self, y: Array) -> tuple[Array, Array]:
        """Return G(y) and log G′(y)."""
        raise NotImplementedError

    def _clock_slopes(self, y: Array, G: Array) -> dict[str, tuple[Array, Array]]:
        """Derivatives of G(y) and of log G′(y) in each parameter of the clock; beta comes last."""
        raise NotImplementedError

    def _clock_bends(self) -> tuple[Parameter, Parameter]:
        """Age at which the clock first bends, and the rate of exponentials in it."""
        raise NotImplementedError

    def _age(self, g: Array) -> Array:
        """Return the age y with g(y) = g."""
        raise NotImplementedError

    def log_likelihood(self, h: Any) -> Array:
        """Log-likelihood of each history, (…, histories)."""
        return self._log_density(h, log_sum([self._log_alive(h), self._left(h)[0]])[0])

    def _log_density(self, h: Any, either: Array) -> Array:
        counts = h.by_x(lambda x: log_rising(self.r, x), self.r)
        return np.asarray(counts - h.x * np.log(self.alpha) + either)

    def log_likelihood_and_score(self, h: Any) -> tuple[Array, Array]:
        """Return both, for less than each alone."""
        R, alpha, s = self.r + h.x, self.alpha, self.s
        past_T, G = np.log1p(h.T / alpha), self._clock(h.T)[0]
        log_left, past, bent, _, G_left, *slopes = self._left(h, means=True)
        either, (alive, left) = log_sum([self._log_alive(h), log_left])
        rise = h.by_x(lambda x: digamma_rise(self.r, x), self.r)
        parts = {
            "r": rise - alive * past_T - left * past,
            "alpha": (R * (alive * h.T / (alpha + h.T) + left * bent) - h.x) / alpha,
            "s": left / s - alive * G - left * G_left,
        }
        at_T = self._clock_slopes(h.T, G)
        for name, dG, dslope in zip(at_T, slopes[::2], slopes[1::2], strict=True):
            parts[name] = left * dslope - s * (alive * at_T[name][0] + left * dG)
        score = np.stack(np.broadcast_arrays(*(parts[name] for name in parameter_names(type(self)))))
        return self._log_density(h, either), score

    def expected_rate(self, h: Any) -> Array:
        """Posterior mean of λ."""
        log_left, *means = self._left(h, means=True)
        _, (alive, left) = log_sum([self._log_alive(h), log_left])
        return np.asarray((self.r + h.x) * (alive / (self.alpha + h.T) + left * means[2]))

    def expected_dropout(self, h: Any) -> Array:
        """Posterior mean of μ, the rate of leaving on the model's clock g."""
        log_left, *means = self._left(h, means=True)
        _, (alive, left) = log_sum([self._log_alive(h), log_left])
        at_T = self._clock_slopes(h.T, self._clock(h.T)[0])["beta"][1]
        return np.asarray(-self.s * alive * at_T - (self.s + 1) * left * means[-1])

    def simulate(
        self, rng: np.random.Generator, T: Array, grain: float = 1 / 7, log: Log | None = None
    ) -> PurchaseHistory:
        """Draw one history for each age in T; purchases in one `grain` of time count once (0: exact).

        `log` receives customers and times of repeat purchases.
        """
        r, alpha, s, beta = (np.broadcast_to(v, np.shape(T)) for v in (self.r, self.alpha, self.s, self.beta))
        rate = rng.gamma(r, 1 / alpha)
        leaving = np.maximum(rng.gamma(s, 1 / beta), 1e-300)
        until = self._age(rng.exponential(1 / leaving))
        return purchase_histories(rng, T, rate, until=until, grain=grain, kind=PurchaseHistory, log=log)

    def future(self, rng: np.random.Generator, x: float, T: float, stage: int, shape: Shape) -> Future:
        """Draw what customers with x repeat purchases, alive at T, are like and will do."""
        rate = rng.standard_gamma(np.broadcast_to(self.r + x, shape)) / (self.alpha + T)
        risk = np.maximum(rng.standard_gamma(np.broadcast_to(self.s, shape)), 1e-300)
        G = self._clock(np.asarray(T))[0] + np.log1p(rng.standard_exponential(shape) / risk)
        until = self._age(self.beta * np.expm1(np.minimum(G, 690.0))) - T
        return Future(rate, until=np.maximum(until, 0.0))

    def limits(self) -> Limits:
        """Give the simpler models at the ends of this one's ridges, the simplest first."""
        if self.s < FAR:
            yield "nobody seems to leave", ("s", "beta"), NBD(self.r, self.alpha)
            alike = dataclasses.replace(self, s=FAR, beta=FAR * self.beta / self.s)  # type: ignore[type-var]
            yield "all customers leave at the same rate", ("s", "beta"), alike
        yield from same_rate(self)

    def _states(self, h: Any) -> Array:
        return np.stack(log_sum([self._log_alive(h), self._left(h)[0]])[1])

    def _log_alive(self, h: Any) -> Array:
        return np.asarray(-(self.r + h.x) * np.log1p(h.T / self.alpha) - self.s * self._clock(h.T)[0])

    def _left(self, h: Any, *, means: bool = False) -> Array:
        """Log of ∫ (1 + y/alpha)^(−r−x) dS(y) over ages of leaving y in (t_x, T], (1, …, histories).

        With `means`, behind it the means over those y of log(1 + y/alpha), y/(alpha + y), 1/(alpha + y),
        G(y), and the slopes of the clock.
        """
        bend, decay = self._clock_bends()
        scale = np.minimum(self.alpha, bend) + h.t_x
        R = self.r + h.x
        with np.errstate(divide="ignore", invalid="ignore"):
            (G, log_slope), G_T = self._clock(h.t_x), self._clock(h.T)[0]
            growth = np.maximum(np.log(np.maximum(decay, 1e-300)) - log_slope, 0.0)
            fall = scale * (R / (self.alpha + h.t_x) + self.s * np.exp(log_slope)) - 1
            reach = scale * np.expm1(np.minimum((NEGLIGIBLE + growth) / np.maximum(fall, 1e-9), 700.0))
            start, end = np.log1p(h.t_x / self.alpha), h.t_x + self._exhausted(h.x, h.t_x)
            drop = R * (np.log1p(h.T / self.alpha) - start) + self.s * (G_T - G)
            found = over_time(
                lambda *columns: self._leaving(*columns, means=means),
                h.t_x,
                np.minimum(np.where(fall > 0, np.minimum(h.T, h.t_x + reach), h.T), end),
                scale,
                decay,
                h.x,
                start,
                G,
                log_slope,
                *self._fields(),
                drop=drop,
            )
            log_mass = np.log(found[:1]) + np.log(self.s) + log_slope - R * start - self.s * G
            return np.concatenate([log_mass, np.nan_to_num(found[1:] / found[:1])])

    def _leaving(
        self,
        y: Array,
        weight: Array,
        x: Array,
        start: Array,
        G0: Array,
        slope0: Array,
        *own: Array,
        means: bool,
    ) -> Array:
        """Sums over ages of leaving y, of the density against that at t_x and of what `_left` promises."""
        model = self._with(own)
        G, log_slope = model._clock(y)
        past = np.log1p(y / model.alpha)
        mass = weight * np.exp(log_slope - slope0 - (model.r + x) * (past - start) - model.s * (G - G0))
        if not means:
            return np.asarray(mass.sum(axis=0)[None])
        slopes = [v for pair in model._clock_slopes(y, G).values() for v in pair]
        near = 1 / (model.alpha + y)
        values = [past, y * near, near, G, *slopes]
        return np.stack([mass.sum(axis=0), *(np.einsum("nr,nr->r", mass, v) for v in values)])

    def _survival(self, T: Array, after: Parameter) -> Array:
        """Chance to be there at T + after of one who is at T."""
        return np.exp(-self.s * (self._clock(T + after)[0] - self._clock(T)[0]))

    def _bends(self, x: Array, T: Array) -> tuple[Parameter, Parameter, Parameter]:
        bend, decay = self._clock_bends()
        return np.minimum(bend + T, 1 / self._hazard(T)), decay, 1.0

    def _hazard(self, T: Array) -> Array:
        return np.asarray(self.s * np.exp(self._clock(T)[1]))

    def _rate(self, x: Array, T: Array, stage: int, after: Array) -> Array:
        return np.asarray((self.r + x) / (self.alpha + T) * self._survival(T, after))

    def _buys(self, x: Array, T: Array, stage: int, start: float, t: float) -> Array:
        """The first purchase after T + start comes at some τ, the customer being there."""
        scale, decay, width = self._bends(x, T + start)

        def density(tau: Array, weight: Array, x: Array, T: Array, *own: Array) -> Array:
            model = self._with(own)
            R, A = model.r + x, model.alpha + T
            logs = -(R + 1) * np.log1p(tau / A)
            return np.asarray((weight * R / A * np.exp(logs) * model._survival(T, start + tau)).sum(axis=0))

        R, A = self.r + x, self.alpha + T
        end = np.minimum(
            np.minimum(t, self._exhausted(x, T)), A * np.expm1(np.minimum(NEGLIGIBLE / R, 600.0))
        )
        return over_time(
            density, 0.0, end, 1 / (1 / scale + R / A), decay, x, T, *self._fields(), width=width
        )

    def _pmf(self, x: Array, T: Array, stage: int, t: Parameter, n: int) -> Array:
        """Either there to the end, or gone at some τ: an integral over the place where n are made by then."""
        R, A = self.r + x, self.alpha + T
        bend, decay = self._clock_bends()
        busy = R / A + self._hazard(T)
        reach = A * (n + 1) / R * np.exp(np.minimum(9 * np.sqrt(1 / (n + 1) + 1 / R) + NEGLIGIBLE / R, 600.0))
        high = np.minimum(np.minimum(t, reach), self._exhausted(x, T))
        low, width = np.zeros_like(high), 1 / np.sqrt(n + 1)
        if n:
            start = share(np.minimum((n + 1) / busy, high), A) * np.exp(-9 * width - NEGLIGIBLE / (n + 1))
            falls = np.maximum(self._hazard(T), self._hazard(T + high)) * high
            rises = np.maximum((n * A - R * high) / (A + high) - falls, 1e-300)  # in log τ, at the end
            low = np.maximum(A * start / (1 - start), high * np.exp(-NEGLIGIBLE / rises))

        def gone(tau: Array, weight: Array, x: Array, T: Array, *own: Array) -> Array:
            model = self._with(own)
            leaves = model._hazard(T + tau) * model._survival(T, tau)
            made = np.exp(log_count(model.r + x, model.alpha + T, tau, n))
            return np.asarray((weight * leaves * made).sum(axis=0))

        scale = low if n else 1 / (1 / (bend + T) + busy)
        left = over_time(gone, low, high, scale, decay, x, T, *self._fields(), width=width)
        end = np.where(np.isinf(t), 0.0, t)
        stays = np.exp(log_count(R, A, end, n)) * self._survival(T, end)
        return np.asarray(left + np.where(np.isinf(t), 0.0, stays))
