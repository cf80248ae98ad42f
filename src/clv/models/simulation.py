"""Drawing purchases: a customer's events at its own rate until it leaves, from the first or from T on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array, Parameter

type Shape = tuple[int, ...]
type Log = list[tuple[NDArray[np.intp], Array]]  # numbers of customers, and the times of a purchase of each


def purchase_histories[H: PurchaseHistory](
    rng: np.random.Generator,
    T: Array,
    rate: Array,
    *,
    shape: int = 1,
    until: Parameter = np.inf,
    leave: Parameter = 0.0,
    grain: float,
    kind: type[H],
    log: Log | None = None,
) -> H:
    """Draw a history of `kind` for each age in T.

    Gaps are Erlang(shape) at `rate`; a customer leaves at age `until`, and after each repeat purchase with
    probability `leave`. Purchases in one `grain` of time count once, at its end; `log` receives them.
    """
    T = np.atleast_1d(np.asarray(T, dtype=float))
    size, rate = T.shape, np.atleast_1d(rate)
    clock, t_x, x, log_gaps = (np.zeros(size) for _ in range(4))
    active = np.ones(size, dtype=bool)
    while active.any():
        clock[active] += rng.gamma(shape, 1 / np.maximum(rate[active], 1e-300))
        active &= (clock <= T) & (clock <= until)
        at = np.ceil(clock / grain) * grain if grain else clock
        bought = active & (at > t_x) & (at <= T)
        log_gaps[bought] += np.log(at[bought] - t_x[bought])
        x[bought] += 1
        t_x[bought] = at[bought]
        if log is not None:
            log.append((np.flatnonzero(bought), at[bought]))
        active &= rng.random(size) >= leave
    return kind.simulated(x, t_x, T, log_gaps)


@dataclass
class Future:
    """What simulated customers, alive at T, do after it: counted from one time to the next, exactly.

    Every `per`-th event at `rate` is a purchase, and `done` have happened since the last. A customer leaves
    at time `until` after T, or with its purchase number `last`. Arrays of one shape.
    """

    rate: Array
    until: Parameter = np.inf
    last: Parameter = np.inf
    per: int = 1
    done: Parameter = 0
    clock: Parameter = 0.0

    def purchases(self, rng: np.random.Generator, end: Parameter) -> tuple[Array, Array]:
        """Count purchases from where the last call ended to time `end`; returns also how long each was there.

        Of those who leave at a purchase the mean of that length, given all counts.
        """
        there = np.minimum(np.maximum(self.until - self.clock, 0.0), end - self.clock)
        with np.errstate(invalid="ignore"):  # nobody's rate, for ever
            expected = np.where(self.rate > 0, np.minimum(self.rate * there, 1e15), 0.0)
        events = self.done + rng.poisson(expected)
        bought, self.done = np.divmod(events, self.per)
        left = bought >= self.last
        with np.errstate(invalid="ignore"):
            there = np.where(left, there * self.last * self.per / (events + 1.0), there)
        bought = np.minimum(bought, self.last)
        self.last = self.last - bought
        self.rate = np.where(left, 0.0, self.rate)
        self.clock = end
        return bought, there

    def first(self, rng: np.random.Generator) -> Array:
        """Draw the time of the first purchase after T, infinite for those who leave before; call it first."""
        with np.errstate(divide="ignore"):
            wait = rng.standard_gamma(np.broadcast_to(self.per - self.done, self.rate.shape)) / self.rate
        return np.where(wait <= self.until, wait, np.inf)
