"""From the real line, where fits search and sample, to the parameters of a model; in the data's own scale.

Scaling makes the path of a search, and so its result, independent of the user's units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from clv.fitting.priors import Priors
from clv.models.protocols import Array, Model, parameter_kinds

_LOW, _HIGH = (float(v) for v in np.log([1e-4, 1e3]))  # of the data's own scale
_TINY = 1e-30  # an imaginary step: no difference is taken, so nothing cancels
_POWERS = {"positive": 0, "scale": 1, "rate": -1}  # of the unit, by kind of parameter


def rescaled(model: type[Model], parameters: Mapping[str, Any], size: float) -> dict[str, Any]:
    """Return parameters, in multiples of `size`, in the unit that `size` is measured in."""
    kinds = parameter_kinds(model)
    return {n: v * size ** _POWERS[kinds[n]] if n in kinds else v for n, v in parameters.items()}


type Space = Logs | Quantities


@dataclass(frozen=True)
class Logs:
    """Logs of the parameters that are not held; every value is as good as another."""

    model: type[Model]
    held: Mapping[str, Any]
    start: Array
    names: tuple[str, ...]

    @classmethod
    def of(cls, model: type[Model], held: Mapping[str, Any], history: Any) -> Logs:
        """Return the space in which `model` is fitted to a history, with its own start."""
        kinds = list(parameter_kinds(model))
        names = [name for name in kinds if name not in held]
        start = np.asarray(model.start(history), dtype=float)[[kinds.index(name) for name in names]]
        return cls(model, held, np.log(start), tuple(names))

    @cached_property
    def low(self) -> Array:
        """Least values."""
        return np.full(len(self.names), _LOW)

    @cached_property
    def high(self) -> Array:
        """Largest values."""
        return np.full(len(self.names), _HIGH)

    @property
    def rows(self) -> list[int]:
        """Which of the model's parameters vary."""
        return [list(parameter_kinds(self.model)).index(name) for name in self.names]

    def parameters(self, theta: Array) -> dict[str, Any]:
        """Return all parameters at places (names, …)."""
        return dict(zip(self.names, np.exp(theta), strict=True)) | dict(self.held)

    def slopes(self, theta: Array) -> Array:
        """Return the derivatives of parameters in places, (parameters, names, …)."""
        return np.asarray(np.einsum("p...,pk->pk...", np.exp(theta), np.eye(len(self.names))))

    def penalty(self, theta: Array) -> tuple[Array, Array]:
        """Return minus the log of the prior, and its slope."""
        return np.zeros(theta.shape[1:]), np.zeros_like(theta)

    def precision(self) -> Array:
        """Return the curvature of the penalty."""
        return np.zeros((len(self.names),) * 2)


@dataclass(frozen=True)
class Quantities:
    """The quantities that priors are set in, on the real line, where those are normal."""

    model: type[Model]
    held: Mapping[str, Any]
    priors: Priors
    start: Array

    @classmethod
    def of(cls, model: type[Model], held: Mapping[str, Any], priors: Priors, history: Any) -> Quantities:
        """Return the space in which `model` is fitted to a history, with its own start."""
        space = cls(model, held, priors, priors.centre)
        start = np.log(np.asarray(model.start(history), dtype=float))
        for _ in range(20):  # Newton: the place whose parameters are those of the start
            at = np.array([v for n, v in space.parameters(space.start).items() if n not in held], dtype=float)
            step = np.linalg.solve(space.slopes(space.start) / at[:, None], start - np.log(at))
            space = cls(
                model, held, priors, np.clip(space.start + np.clip(step, -2, 2), space.low, space.high)
            )
        return space

    @cached_property
    def low(self) -> Array:
        """Least values."""
        return self.priors.limits[0]

    @cached_property
    def high(self) -> Array:
        """Largest values."""
        return self.priors.limits[1]

    @property
    def rows(self) -> list[int]:
        """Which of the model's parameters vary: all."""
        return list(range(len(self.priors.centre)))

    def parameters(self, theta: Array) -> dict[str, Any]:
        """Return all parameters at places (quantities, …)."""
        values: Any = self.model.by_quantities(*np.exp(theta), **self.held)
        return dict(zip(parameter_kinds(self.model), values, strict=True)) | dict(self.held)

    def slopes(self, theta: Array) -> Array:
        """Return the derivatives of parameters in places, (parameters, quantities, …), by complex steps."""
        size = len(theta)
        moved = np.eye(size).reshape(size, size, *[1] * (theta.ndim - 1)) * (1j * _TINY)
        at = np.exp(theta[:, None] + moved)
        values = np.broadcast_arrays(*self.model.by_quantities(*at, **self.held))
        return np.imag(np.stack(values)) / _TINY

    def penalty(self, theta: Array) -> tuple[Array, Array]:
        """Return minus the log of the prior, and its slope."""
        shape = (-1, *[1] * (theta.ndim - 1))
        off = (theta - self.priors.centre.reshape(shape)) / self.priors.sd.reshape(shape)
        return (off**2).sum(axis=0) / 2, off / self.priors.sd.reshape(shape)

    def precision(self) -> Array:
        """Return the curvature of the penalty."""
        return np.diag(self.priors.sd**-2)
