"""How many of those who are customers today still are a year on, and what it takes to keep more.

Futures of customers alive say when each leaves: at a time of its own, or with its purchase number `last`, of
which the time is a gamma given the rate, so that no purchase has to be drawn.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincc

from clv.forecasting.stream import Base, Block, over_blocks
from clv.models.protocols import Array

_DRAWS = 64  # of the parameters
_FUTURES = 2**18  # in all, at least _DRAWS of each history
_HISTORIES = 2**13  # of a larger base so many stand for all
_LEAST = 1e-6  # of the pace of leaving, below which nobody leaves


@dataclass(frozen=True, eq=False)
class Staying:
    """When customers who are alive leave; `year` is in the same time unit, and `weight` counts customers.

    `alive` is the share of all customers who are.

    The `events`-th event at `rate` is the one they leave with; at time `until` they leave at the latest.
    """

    rate: Array
    events: Array
    until: Array
    weight: Array
    year: float
    alive: float

    @classmethod
    def of(cls, base: Base, customers: Array, year: float) -> Staying:
        """Draw futures of the customers of each history in a base, by their probability of being alive."""
        base, customers = _fewer(base.paired(_DRAWS), customers)
        shape = base.draws, -(-max(_FUTURES // len(customers), _DRAWS) // base.draws)

        def drawn(block: Block) -> Array:
            found = [np.zeros((4, 0))]
            for cell in block.cells():
                for alive, future in zip(cell.stages, cell.futures(shape), strict=True):
                    weight = (alive @ customers[cell.rows])[:, None] / shape[1]
                    events = np.asarray(future.last * future.per - future.done, dtype=float)
                    row = np.broadcast_arrays(future.rate, events, future.until, weight)
                    found.append(np.stack([np.broadcast_to(v, shape).ravel() for v in row]))
            return np.concatenate(found, axis=1)

        rate, events, until, weight = np.concatenate(list(over_blocks(base, drawn)), axis=1)
        alive = float(weight.sum() / (base.draws * customers.sum()))
        return cls(rate, events, until, weight, year, alive)

    def share(self, pace: float = 1.0) -> float:
        """Share of customers alive who are alive a year on, when they leave at `pace` times the speed."""
        time = pace * self.year
        there = np.where(self.until > time, gammaincc(self.events, self.rate * time), 0.0)
        return min(float(self.weight @ there / self.weight.sum()), 1.0) if self.leaves else 1.0

    def pace(self, points: float) -> float:
        """Pace of leaving at which the share that stays is higher by `points`; NaN where none is."""
        wanted = self.share() + points
        if not self.leaves or not 0 < wanted < self.share(_LEAST):
            return float("nan")

        def excess(log_pace: float) -> float:
            return self.share(float(np.exp(log_pace))) - wanted

        return float(np.exp(brentq(excess, np.log(_LEAST), np.log(1 / _LEAST), xtol=1e-9)))

    @property
    def leaves(self) -> bool:
        """Whether anybody ever leaves in this model."""
        return bool(np.isfinite(self.until).any() or np.isfinite(self.events).any())


def _fewer(base: Base, customers: Array) -> tuple[Base, Array]:
    """Return some of many histories, taken evenly from customers in the order of their histories."""
    if len(customers) <= _HISTORIES:
        return base, customers
    places = (np.arange(_HISTORIES) + 0.5) / _HISTORIES * customers.sum()
    rows, times = np.unique(np.searchsorted(np.cumsum(customers), places), return_counts=True)
    some = dataclasses.replace(base, history=base.history.rows(rows), spend_days=base.spend_days[rows])
    return some, times.astype(float)
