"""Maximum likelihood in log parameters, on time and money scaled to the data.

Scaling makes the path of the optimiser, and so its result, independent of the user's units.
[BHHH] Berndt, Hall, Hall & Hausman (1974), Annals of Economic and Social Measurement 3(4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clv.models.protocols import Array, Model, parameter_kinds

_LOW, _HIGH = (float(v) for v in np.log([1e-4, 1e3]))  # of the data's own scale

_POWERS = {"positive": 0, "scale": 1, "rate": -1}  # of the unit, by kind of parameter
_STEPS = 60  # ten are usual; a flat ridge may take all
_LOCAL = 0.2  # a step so short that the curvature along it is that at its end
_NEAR = 2e-4  # a step so short that one more, by the true Hessian, ends the search
_NOISE = 1e-12  # rounding of the mean log-likelihood: below it only the slope can tell


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


def maximise(
    model: type[Model], history: Any, held: Mapping[str, float], starts: Sequence[float] = (0.0,)
) -> Optimum:
    """Maximise the weighted log-likelihood of `model` over those of its parameters that are not `held`.

    `starts` shift the logs of the model's own starting values behind the first two, together: means stay,
    and customers differ more or less. The best end counts.
    """
    size = history.typical()
    target = _Target(model, history.rescaled(size), _in_unit(model, held, size))
    start = np.log(np.asarray(model.start(target.history), dtype=float)[target.rows])
    ends = [
        _search(target, np.clip(start + shift * (np.arange(len(start)) > 1), _LOW, _HIGH)) for shift in starts
    ]
    theta, point, hessian = min(ends, key=lambda end: end[1].value)
    free, values = _free(theta), np.exp(theta)
    kinds = parameter_kinds(model)
    return Optimum(
        parameters={
            name: float(value * size ** _POWERS[kinds[name]])
            for name, value in zip(target.names, values, strict=True)
        },
        log_covariance=_covariance(hessian * target.history.weight.sum(), free),
        gradient=float(np.max(np.abs(point.slope[_open(theta, -point.slope)]), initial=0.0)),
        at_bound=tuple(~free),
        evaluations=target.evaluations,
    )


def _in_unit(model: type[Model], held: Mapping[str, float], size: float) -> dict[str, float]:
    kinds = parameter_kinds(model)
    return {n: v / size ** _POWERS[kinds[n]] if n in kinds else v for n, v in held.items()}


@dataclass(frozen=True)
class _Point:
    """Minus the mean log-likelihood of a customer, its slope and the mean product of customers' slopes."""

    value: float
    slope: Array
    products: Array


class _Target:
    """Minus the mean log-likelihood as a function of the logs of the free parameters."""

    def __init__(self, model: type[Model], history: Any, given: Mapping[str, float]) -> None:
        self.model, self.history, self.given = model, history, given
        kinds = list(parameter_kinds(model))
        self.names = [name for name in kinds if name not in given]
        self.rows = [kinds.index(name) for name in self.names]
        self.share = history.weight / history.weight.sum()
        self.evaluations = 0

    def __call__(self, theta: Array) -> _Point:
        self.evaluations += 1
        values = np.exp(theta)
        likelihood, score = self._at(values).log_likelihood_and_score(self.history)
        score = score[self.rows] * values[:, None]
        # Sums are einsum and sum, not @: threads of BLAS spin between calls and cost more than they do.
        weighted = score * self.share
        products = np.einsum("ph,qh->pq", weighted, score)
        return _Point(-float((likelihood * self.share).sum()), -weighted.sum(axis=1), products)

    def hessian(self, theta: Array, here: _Point) -> Array:
        """Differences of the exact slope, all in one evaluation: error about 1e-6 of the scale."""
        self.evaluations += len(theta)
        step = 1e-6
        values = np.exp(theta + np.eye(len(theta)) * step)  # a row for each parameter that moves
        _, score = self._at(values.T[..., None]).log_likelihood_and_score(self.history)
        ends = -np.einsum("pmh,h->mp", score[self.rows], self.share) * values
        rows = (ends - here.slope) / step
        return np.asarray((rows + rows.T) / 2)

    def _at(self, values: Array) -> Model:
        return self.model(**dict(zip(self.names, values, strict=True)), **self.given)


def _search(target: _Target, theta: Array) -> tuple[Array, _Point, Array]:
    """Newton steps; returns the logs of the parameters at the end, the point and the Hessian there.

    Far from the end the products of customers' slopes stand for the Hessian ([BHHH]), corrected by what the
    last step has shown of it: they cost nothing, and never point uphill. Directions of no curvature are
    followed too, up to the bounds: there ridges end.
    """
    here, near = target(theta), False
    hessian = here.products
    for _ in range(_STEPS):
        step = _newton_step(hessian, here.slope, theta)
        candidate, there = _shortened(target, theta, here, step)
        taken, turned = candidate - theta, there.slope - here.slope
        stuck, theta, here = there is here, candidate, there
        if near and (stuck or np.max(np.abs(taken)) < 1e-5):  # the next step would be 1e-10
            break
        near = near or stuck or np.max(np.abs(step)) < _NEAR
        hessian = target.hessian(theta, here) if near else _corrected(here.products, taken, turned)
    return theta, here, hessian if near else target.hessian(theta, here)


def _corrected(hessian: Array, taken: Array, turned: Array) -> Array:
    """Make a Hessian turn the slope as the last step did (the update of BFGS), where that step curved up."""
    along, curved = hessian @ taken, float(turned @ taken)
    if curved <= 0 or np.max(np.abs(taken)) > _LOCAL:
        return hessian
    return hessian - np.outer(along, along) / (along @ taken) + np.outer(turned, turned) / curved


def _shortened(target: _Target, theta: Array, here: _Point, step: Array) -> tuple[Array, _Point]:
    """Take the step, or as much of it as leads downhill; nothing where none does."""
    for share in (1.0, 0.25, 0.05, 0.005):
        candidate = np.clip(theta + share * step, _LOW, _HIGH)
        there = target(candidate)
        flatter = np.linalg.norm(there.slope) < np.linalg.norm(here.slope)
        if there.value < here.value - _NOISE or (there.value <= here.value + _NOISE and flatter):
            return candidate, there
    return theta, here


def _free(theta: Array) -> NDArray[np.bool_]:
    return (theta > _LOW + 1e-6) & (theta < _HIGH - 1e-6)


def _open(theta: Array, downhill: Array) -> NDArray[np.bool_]:
    """Parameters inside the bounds, and those at one that a direction leads away from it."""
    inward = np.where(theta > (_LOW + _HIGH) / 2, downhill < 0, downhill > 0)
    return _free(theta) | inward


def _newton_step(hessian: Array, slope: Array, theta: Array) -> Array:
    """Downhill by the curvature of the parameters that can move, at most 2 long in any of them.

    A step that meets a bound ends there whole: cut in one parameter alone, it would leave the ridge.
    """
    moves = _open(theta, -slope)
    while moves.any():
        step = np.zeros_like(slope)
        curves, axes = np.linalg.eigh(hessian if moves.all() else hessian[np.ix_(moves, moves)])
        along = axes.T @ slope[moves] / np.maximum(np.abs(curves), max(1e-7 * np.abs(curves).max(), 1e-300))
        step[moves] = -axes @ along
        if (stays := moves & ~_open(theta, step)).any():  # the others push it over its bound
            moves &= ~stays
            continue
        step /= max(1.0, np.max(np.abs(step)) / 2)
        room = np.where(step > 0, _HIGH - theta, theta - _LOW) / np.maximum(np.abs(step), 1e-300)
        return np.asarray(step * min(1.0, float(room[moves].min())))
    return np.zeros_like(slope)


def _covariance(hessian: Array, free: NDArray[np.bool_]) -> Array:
    """Invert the Hessian of the free parameters; NaN when the likelihood is flat or not curved down."""
    covariance = np.full(hessian.shape, np.nan)
    inner = hessian[np.ix_(free, free)]
    values, vectors = np.linalg.eigh(inner)
    if len(values) and values[0] > 1e-8 * values[-1]:
        covariance[np.ix_(free, free)] = (vectors / values) @ vectors.T
    return covariance
