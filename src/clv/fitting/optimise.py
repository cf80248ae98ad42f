"""Maximum likelihood in log parameters, on time and money scaled to the data.

Scaling makes the path of the optimiser, and so its result, independent of the user's units.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from clv.models.protocols import Array, Model

_LOW, _HIGH = (float(v) for v in np.log([1e-4, 1e3]))  # of the data's own scale

_SEARCH: Any = {"maxiter": 500, "maxcor": 20, "ftol": 1e-13, "gtol": 1e-6}


@dataclass(frozen=True)
class Optimum:
    """Where a search ended: parameters in the history's unit, and how good the end is."""

    parameters: Array
    log_covariance: Array  # of log parameters; NaN where the likelihood is flat or the fit at a bound
    gradient: float  # largest slope left, of the mean log-likelihood in free log parameters
    at_bound: tuple[bool, ...]
    evaluations: int

    @property
    def converged(self) -> bool:
        """Whether the slope is zero for every purpose."""
        return self.gradient < 1e-5


def maximise(model: type[Model], history: Any) -> Optimum:
    """Maximise the weighted log-likelihood of `model` over its parameters."""
    size = history.typical()
    scaled = history.rescaled(size)
    share = scaled.weight / scaled.weight.sum()
    evaluations = 0

    def slope(theta: Array) -> Array:
        nonlocal evaluations
        evaluations += 1
        values = np.exp(theta)
        return np.asarray(-(model(*values).score(scaled) @ share) * values)

    def objective(theta: Array) -> Any:  # (value, slope), as scipy wants it
        return -float(model(*np.exp(theta)).log_likelihood(scaled) @ share), slope(theta)

    start = np.clip(np.log(model.start(scaled)), _LOW, _HIGH)
    found = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(_LOW, _HIGH)] * len(start),
        options=_SEARCH,
    )
    theta, hessian = _polish(slope, found.x)
    free = _free(theta)
    grows = np.array([size if scale else 1.0 for scale in _scales(model)])
    return Optimum(
        parameters=np.exp(theta) * grows,
        log_covariance=_covariance(hessian * scaled.weight.sum(), free),
        gradient=float(np.max(np.abs(slope(theta)[free]), initial=0.0)),
        at_bound=tuple(~free),
        evaluations=evaluations,
    )


def _scales(model: type[Model]) -> list[bool]:
    """Which parameters are in the unit of the history, in order."""
    hints = get_type_hints(model, include_extras=True)
    return ["scale" in getattr(hints[f.name], "__metadata__", ()) for f in dataclasses.fields(model)]  # type: ignore[arg-type]


def _free(theta: Array) -> NDArray[np.bool_]:
    return (theta > _LOW + 1e-6) & (theta < _HIGH - 1e-6)


def _polish(slope: Callable[[Array], Array], theta: Array) -> tuple[Array, Array]:
    """Newton steps to the last digits; returns theta and the Hessian there."""
    here, hessian = slope(theta), _hessian(slope, theta)
    for _ in range(5):
        free = _free(theta)
        step = np.zeros_like(theta)
        step[free] = -np.linalg.lstsq(hessian[np.ix_(free, free)], here[free], rcond=1e-10)[0]
        size = np.max(np.abs(step), initial=0.0)
        candidate = np.clip(theta + step, _LOW, _HIGH)
        there = slope(candidate)
        if size > 1 or np.linalg.norm(there[free]) >= np.linalg.norm(here[free]):
            break
        theta, here = candidate, there
        if size < 1e-4:  # the next step would be 1e-8, and the Hessian is as good as new
            break
        hessian = _hessian(slope, theta)
    return theta, hessian


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
