"""A number that is known by its 5, 50 and 95 %, such as a margin, or the level of a forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from clv.errors import ConfigError
from clv.models.protocols import Array
from clv.units import measured

_SURE = float(ndtri(0.95))


@dataclass(frozen=True)
class Range:
    """Two halves of normals that meet in the middle: 5 % lie below `low`, 5 % above `high`."""

    low: float
    middle: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether it is one number."""
        return self.low == self.high

    def drawn(self, draws: int, seed: Sequence[int]) -> Array:
        """So many values, evenly taken, in an order of their own for each seed."""
        if self.certain:
            return np.full(draws, self.middle)
        z = np.random.default_rng(seed).permutation(ndtri((np.arange(draws) + 0.5) / draws))
        side = np.where(z < 0, self.middle - self.low, self.high - self.middle)
        return np.asarray(self.middle + side * z / _SURE)


@dataclass(frozen=True)
class Level:
    """What values of a forecast are multiplied by: a factor, and how far off it may be.

    By past misses it has a t distribution in logarithms, and a handful of them does not tell its mean. What
    is called expected is therefore at the middle; draws, whose mean is a little higher, are for quantiles
    and probabilities alone.
    """

    range: Range

    @classmethod
    def of(cls, level: Any) -> Level:
        """Read a factor, or (low, middle, high); ConfigError C012 for what is none."""
        given = level if isinstance(level, Sequence) and not isinstance(level, str) else [level] * 3
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) and 0 < v < 10 for v in given)
        if len(given) != 3 or not numbers or list(given) != sorted(given):
            raise ConfigError(
                f"C012 level must be a factor above 0 and below 10, or low, middle and high; got {level!r}."
            )
        return cls(Range(*map(float, given)))

    @property
    def factor(self) -> float:
        """The factor in the middle, by which whatever is called expected goes."""
        return self.range.middle

    def drawn(self, draws: int) -> Array:
        """The factor in so many draws, the same for every total: 5 % below `low`, half below the factor."""
        return np.maximum(self.range.drawn(draws, [4]), 0.0)

    @property
    def words(self) -> str:
        """The level for people; empty where there is none."""
        if self.factor == 1 and self.range.certain:
            return ""
        moved = "" if self.factor == 1 else f", value at {self.factor:.3f} of the model's level"
        if self.range.certain:
            return moved
        below, above = (measured(abs(end / self.factor - 1)) for end in (self.range.low, self.range.high))
        return (
            f"{moved} (by past misses totals come out between {below} below and {above} above the forecast, "
            "nine times in ten)"
        )
