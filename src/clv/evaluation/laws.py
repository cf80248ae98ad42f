"""Distribution functions on a grid, and how an actual lies in them.

With F, the score CRPS = E|V − y| − ½E|V − V′| is ∫ (F(z) − 1{z ≥ y})² dz. [GR07]

[GR07] Gneiting & Raftery (2007), Strictly Proper Scoring Rules, JASA 102.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clv.models.protocols import Array

_GRID = np.concatenate([np.linspace(0, 0.95, 192), 1 - np.geomspace(0.05, 1e-4, 64)[1:], [1.0]])


@dataclass(frozen=True, eq=False)
class Law:
    """Distribution functions F of several histories on one grid from 0 on, (histories, points).

    Between points they are straight lines, or of counts flat; what is at 0 is there at once.
    """

    grid: Array
    F: Array
    counts: bool

    @classmethod
    def of(cls, values: Array, weights: Array, *, counts: bool) -> Law:
        """Distribute samples, (draws, samples), where draws count by `weights`, (histories, draws).

        What weights lack of 1 is worth 0.
        """
        rows, samples = values.shape
        grid = np.arange(values.max(initial=0) + 1)
        if not counts:
            above = values[values > 0]
            grid = np.append(0.0, np.unique(np.quantile(above, _GRID))) if above.size else np.zeros(1)
        place = np.searchsorted(grid, values) + np.arange(rows)[:, None] * len(grid)
        shares = np.bincount(place.ravel(), minlength=rows * len(grid)).reshape(rows, -1) / samples
        below = 1 - weights.sum(axis=1, keepdims=True)
        F = np.minimum(below + weights @ shares.cumsum(axis=1), 1.0)
        F[:, -1] = 1.0  # but for rounding it is
        return cls(grid, F, counts)

    @cached_property
    def _end(self) -> Array:
        """F where the way from each point to the next ends."""
        return self.F if self.counts else np.column_stack([self.F[:, 1:], self.F[:, -1]])

    @cached_property
    def _sides(self) -> tuple[Array, Array]:
        """∫ F² up to each point, and ∫ (1 − F)² from it on."""
        width = np.diff(self.grid)
        up = np.cumsum(width * _mean_square(self.F, self._end)[:, :-1], axis=1)
        down = np.cumsum((width * _mean_square(1 - self.F, 1 - self._end)[:, :-1])[:, ::-1], axis=1)
        none = np.zeros((len(self.F), 1))
        return np.hstack([none, up]), np.hstack([down[:, ::-1], none])

    def at(self, rows: NDArray[np.intp], y: Array) -> Array:
        """Return F(y−), F(y) and CRPS of actuals in the histories `rows`, (3, actuals)."""
        i = np.searchsorted(self.grid, y, side="right") - 1
        over, start, end = y - self.grid[i], self.F[rows, i], self._end[rows, i]
        there = start + (end - start) * over / np.append(np.diff(self.grid), 1.0)[i]
        left, right = self._sides
        inside = over * (_mean_square(start, there) - _mean_square(1 - start, 1 - there))
        low = np.where(i > 0, self.F[rows, i - 1], 0.0) if self.counts else np.where(y > 0, there, 0.0)
        return np.stack([np.where(over > 0, there, low), there, left[rows, i] + right[rows, i] + inside])


def _mean_square(start: Array, end: Array) -> Array:
    """Mean of the square of a straight line from start to end."""
    return (start**2 + start * end + end**2) / 3
