"""Drawing purchase histories: renewals at a customer's own rate until it leaves or the watch ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array, Parameter

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
