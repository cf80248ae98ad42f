"""What more retention of the existing base is worth, and how much of it a spend has to bring."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import PchipInterpolator

from clv.models.protocols import Array
from clv.planning.levers import Existing

SLOWEST = 1e-3  # pace of leaving at which hardly anybody does
_PACES = np.append(np.linspace(1.0, 1 / 12, 12), SLOWEST)


@dataclass(frozen=True, eq=False)
class Keeping:
    """Worth of the base by the points that a year's retention rises, between paces of leaving."""

    existing: Existing
    points: Array
    worths: Array

    @classmethod
    def of(cls, existing: Existing) -> Keeping:
        """Value the base at each pace."""
        staying = existing.staying
        if not staying.leaves:
            return cls(existing, np.zeros(1), np.zeros(1))
        today = existing.value()
        points = np.array([staying.share(float(pace)) for pace in _PACES]) - staying.share()
        worths = np.array([existing.value(float(pace)) for pace in _PACES]) - today
        return cls(existing, points, worths)

    @property
    def most(self) -> float:
        """Points by which retention can rise at all; 0 where nobody leaves."""
        return float(self.points[-1])

    def worth(self, points: float) -> float:
        """Contribution that so many points bring."""
        return float(self._curve(points))

    def slope(self, points: float) -> float:
        """Contribution that one more of them brings, per 1.0."""
        return float(self._slope(points))

    def needed(self, spend: float) -> float:
        """Points that have to be gained for a spend to pay; NaN where none are enough."""
        if self.most == 0 or spend > self.worths[-1]:
            return float("nan")
        return float(PchipInterpolator(self.worths, self.points)(spend))

    def drawn(self, points: float) -> Array:
        """Contribution of the base in each draw, with so many points more of retention."""
        if points == 0:
            return self.existing.drawn()
        return self.existing.drawn(self.existing.staying.pace(points))

    @cached_property
    def _curve(self) -> PchipInterpolator:
        return PchipInterpolator(self.points, self.worths)

    @cached_property
    def _slope(self) -> PchipInterpolator:
        return self._curve.derivative()
