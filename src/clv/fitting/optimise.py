"""Maximum likelihood in log parameters, on time and money scaled to the data.

Scaling makes the path of the optimiser, and so its result, independent of the user's units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from clv.models.protocols import Array, Model, parameter_kinds

_LOW, _HIGH = (float(v) for v in np.log([1e-4, 1e3]))  # of the data's own scale

_POWERS = {"positive": 0, "scale": 1, "rate": -1}  # of the unit, by kind of parameter
_POLISH_STEPS = 25  # two are usual; a flat ridge may take all
_NOISE = 1e-12  # rounding of the mean log-likelihood: below it only the slope can tell
_SEARCH: Any = {"maxiter": 500, "maxcor": 20, "ftol": 1e-13, "gtol": 1e-6}


@dataclass(frozen=True)
class Optimum:
    """Where a search ended: parameters in the history's unit, and how good the end is."""

    parameters: dict[str, float]
    log_covariance: Array  # of log parameters; NaN where the likelihood is flat or the fit at a bound
    gradient: float  # largest slope left, of the mean log-likelihood in free log parameters
    at_bound: tuple[bool, ...]
    evaluations: int

    @property
    def converged(self) -> bool:
        """Whether the slope is zero for every purpose."""
        return self.gradient < 1e-5


def maximise(model: type[Model], history: Any, held: Mapping[str, float]) -> Optimum:
    """Maximise the weighted log-likelihood of `model` over those of its parameters that are not `held`."""
    size = history.typical()
    scaled = history.rescaled(size)
    share = scaled.weight / scaled.weight.sum()
    kinds = parameter_kinds(model)
    grows = {name: size ** _POWERS[kind] for name, kind in kinds.items()}
    given = {name: value / grows.get(name, 1.0) for name, value in held.items() if name in kinds}
    given |= {name: value for name, value in held.items() if name not in kinds}
    names = [name for name in kinds if name not in held]
    rows = [list(kinds).index(name) for name in names]
    evaluations = 0

    def at(values: Array) -> Model:
        return model(**dict(zip(names, values, strict=True)), **given)

    # Sums here are einsum and sum, not @: threads of BLAS spin between calls and cost more than they do.
    def slope(theta: Array) -> Array:
        nonlocal evaluations
        evaluations += 1
        values = np.exp(theta)
        return np.asarray(-np.einsum("ph,h->p", at(values).score(scaled)[rows], share) * values)

    def objective(theta: Array) -> Any:  # (value, slope), as scipy wants it
        return -float((at(np.exp(theta)).log_likelihood(scaled) * share).sum()), slope(theta)

    start = np.clip(np.log(np.asarray(model.start(scaled))[rows]), _LOW, _HIGH)
    found = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(_LOW, _HIGH)] * len(start),
        options=_SEARCH,
    )
    theta, hessian = _polish(objective, slope, found.x)
    free = _free(theta)
    return Optimum(
        parameters={name: float(np.exp(v) * grows[name]) for name, v in zip(names, theta, strict=True)},
        log_covariance=_covariance(hessian * scaled.weight.sum(), free),
        gradient=float(np.max(np.abs(slope(theta)[free]), initial=0.0)),
        at_bound=tuple(~free),
        evaluations=evaluations,
    )


def _free(theta: Array) -> NDArray[np.bool_]:
    return (theta > _LOW + 1e-6) & (theta < _HIGH - 1e-6)


def _polish(
    objective: Callable[[Array], Any], slope: Callable[[Array], Array], theta: Array
) -> tuple[Array, Array]:
    """Newton steps to the last digits; returns theta and the Hessian there.

    Directions of no curvature are followed too, up to the bounds: that is where a ridge ends.
    """
    (value, here), hessian = objective(theta), _hessian(slope, theta)
    for _ in range(_POLISH_STEPS):
        step = _newton_step(hessian, here, theta)
        for share in (1.0, 0.25, 0.05):
            candidate = np.clip(theta + share * step, _LOW, _HIGH)
            found, there = objective(candidate)
            flatter = np.linalg.norm(there) < np.linalg.norm(here)
            if found < value - _NOISE or (found <= value + _NOISE and flatter):
                break
        else:
            break
        moved = np.max(np.abs(candidate - theta))
        theta, value, here = candidate, found, there
        if moved < 1e-5:  # the next step would be 1e-10, and the Hessian is as good as new
            break
        hessian = _hessian(slope, theta)
    return theta, hessian


def _newton_step(hessian: Array, slope: Array, theta: Array) -> Array:
    """Downhill by the curvature of the free parameters, at most 2 long in any of them.

    A step that meets a bound ends there whole: cut in one parameter alone, it would leave the ridge.
    """
    step, free = np.zeros_like(slope), _free(theta)
    if not free.any():
        return step
    curves, axes = np.linalg.eigh(hessian[np.ix_(free, free)])
    along = axes.T @ slope[free] / np.maximum(np.abs(curves), 1e-7 * np.abs(curves).max())
    step[free] = -axes @ along
    step /= max(1.0, np.max(np.abs(step)) / 2)
    room = np.where(step > 0, _HIGH - theta, theta - _LOW) / np.maximum(np.abs(step), 1e-300)
    return np.asarray(step * min(1.0, float(room[free].min())))


def _hessian(slope: Callable[[Array], Array], theta: Array) -> Array:
    """Central differences of the exact gradient: error about 1e-10 of the scale."""
    step = 1e-5
    units = np.eye(len(theta)) * step
    rows = np.array([(slope(theta + unit) - slope(theta - unit)) / (2 * step) for unit in units])
    return np.asarray((rows + rows.T) / 2)


def _covariance(hessian: Array, free: NDArray[np.bool_]) -> Array:
    """Invert the Hessian of the free parameters; NaN when the likelihood is flat or not curved down."""
    covariance = np.full(hessian.shape, np.nan)
    inner = hessian[np.ix_(free, free)]
    values, vectors = np.linalg.eigh(inner)
    if len(values) and values[0] > 1e-9 * values[-1]:
        covariance[np.ix_(free, free)] = (vectors / values) @ vectors.T
    return covariance
