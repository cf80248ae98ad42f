"""How soon a just-acquired customer has paid back what it cost: the mean of all, and single ones.

Single customers are simulated: their first order, their rate and the time or purchase at which they leave,
and what each order is worth. Orders are counted month by month, never one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clv.forecasting.newcomers import FirstOrder
from clv.forecasting.stream import MOST, Base, discounted_counts, over_blocks
from clv.models.protocols import Array


def revenues(base: Base, first: FirstOrder, ends: Array, rate: float) -> Iterator[Array]:
    """Yield discounted revenue so far of simulated customers, (draws, futures): at 0, and at each end.

    `base` is a newcomer's, with as many draws in either model; `ends` and 1/`rate` are in its time unit.
    Orders between two ends are discounted at their mean.
    """
    cell = next(next(over_blocks(base, lambda block: block.cells())))
    shape, rng = (base.draws, MOST // base.draws), cell.rng
    p, q, gamma = vars(cell.spend).values()
    level = first.drawn(base.draws) / max(first.mean, 1e-300)
    total = first.values(rng, shape) * level[:, None]
    told = (rng.random(shape) < first.telling) & (total > 0)
    scale = (gamma + told * total) / rng.standard_gamma(q + p * told)
    # Some models let a customer leave right after its first order.
    stays = rng.random(shape) < np.asarray(base.purchase.p_alive(base.history)).reshape(-1, 1)
    yield total
    for count, discount in discounted_counts(rng, next(cell.futures(shape)), ends, rate):
        paid = rng.binomial((count * stays).astype(np.int64), base.paid_share)
        total = total + discount * scale * rng.standard_gamma(p * paid)
        yield total


def paid_back(base: Base, first: FirstOrder, ends: Array, rate: float, needed: Array | float) -> Array:
    """P(a single customer has brought the revenue `needed`) by 0 and by each end, over draws and chance."""
    return np.array([(total >= needed).mean() for total in revenues(base, first, ends, rate)])
