"""Priors: for each quantity of a model the range that holds nine populations in ten."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import norm

from clv.errors import ConfigError
from clv.models.protocols import Array, Model
from clv.models.quantities import Quantity

_TAIL = float(norm.ppf(0.95))
_FAR = 5.0  # standard deviations of a prior beyond which nothing is looked for

BETWEEN = Quantity("between_groups", "spread of groups in each quantity, as a share or in log odds", 0.05, 1)

type Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, repr=False, eq=False)
class Priors:
    """Independent priors, normal on the real line that each quantity is mapped to.

    `between` is the prior, on the real line too, of how far groups differ in each quantity: centre and
    width of the log of their standard deviation.
    """

    quantities: tuple[Quantity, ...]
    centre: Array
    sd: Array
    between: tuple[float, float]
    box: tuple[Array, Array] | None = None

    @classmethod
    def of(cls, model: type[Model], given: Ranges | None = None, *, pooled: bool = False) -> Priors:
        """Return the priors of a model: its own, but for the ranges `given`.

        Raises ConfigError C012 with every name and range that cannot be meant.
        """
        own: tuple[Quantity, ...] = model.quantities
        known = (*own, BETWEEN) if pooled else own
        names = [q.name for q in known]
        if given is not None and not isinstance(given, Mapping):
            raise ConfigError(
                f'C012 priors must be ranges by name, {{"{names[0]}": (0.5, 5)}}; got {given!r}.'
            )
        wrong = [_wrong(model, q, given[q.name]) for q in known if given and q.name in given]
        wrong += [
            f"C012 {model.__name__} has no prior on {name!r}. It has {', '.join(names)}."
            for name in given or ()
            if name not in names
        ]
        if any(wrong):
            raise ConfigError(*filter(None, wrong))
        ranges = [(given or {}).get(q.name, (q.low, q.high)) for q in (*own, BETWEEN)]
        ends = np.array([[q.free(end) for end in r] for q, r in zip((*own, BETWEEN), ranges, strict=True)])
        centre, sd = ends.mean(axis=1), np.diff(ends, axis=1)[:, 0] / (2 * _TAIL)
        return cls(own, centre[:-1], sd[:-1], (float(centre[-1]), float(sd[-1])))

    def around(self, centre: Array, sd: Array) -> Priors:
        """Return other priors on the same quantities, by their place on the real line, in the same limits."""
        return dataclasses.replace(self, centre=centre, sd=sd, box=self.limits)

    @cached_property
    def limits(self) -> tuple[Array, Array]:
        """Ends of the real line between which anything is looked for."""
        return self.box or (self.centre - _FAR * self.sd, self.centre + _FAR * self.sd)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """What holds nine populations in ten, by name."""
        ends = self.centre[:, None] + self.sd[:, None] * np.array([-_TAIL, _TAIL])
        return {
            q.name: (float(q.value(low)), float(q.value(high)))
            for q, (low, high) in zip(self.quantities, ends, strict=True)
        }

    def values(self, theta: Array) -> dict[str, Array]:
        """Return the quantities at places (quantities, …) of the real line, by name."""
        return {q.name: q.value(at) for q, at in zip(self.quantities, theta, strict=True)}

    def words(self) -> list[str]:
        """Say each prior in a sentence."""
        return [
            f"{q.name}: {q.words}; 90 % between {low:.3g} and {high:.3g}"
            for q, (low, high) in zip(self.quantities, self.ranges.values(), strict=True)
        ]

    def __repr__(self) -> str:
        return "\n".join(self.words())


def priors(model: type[Model], **ranges: tuple[float, float]) -> Priors:
    """Return a model's priors, its own or other ranges by name; they print in words.

    Raises ConfigError C012 for a range that cannot be meant.
    """
    return Priors.of(model, ranges)


def _wrong(model: type[Model], quantity: Quantity, given: Any) -> str | None:
    try:
        low, high = (float(v) for v in given)
    except (TypeError, ValueError):
        low = high = float("nan")
    if (
        quantity.free(low) < quantity.free(high)
        and np.isfinite([quantity.free(low), quantity.free(high)]).all()
    ):
        return None
    limits = "above 0" if quantity.kind == "positive" else "between 0 and 1"
    return (
        f"C012 the prior on {quantity.name} of {model.__name__} must be a range (low, high) {limits} that "
        f"holds nine populations in ten; got {given!r}. It is: {quantity.words}."
    )
