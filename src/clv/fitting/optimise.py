"""The top of a likelihood, or of a posterior, by Newton steps with exact slopes.

[BHHH] Berndt, Hall, Hall & Hausman (1974), Annals of Economic and Social Measurement 3(4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clv.fitting.transforms import Space
from clv.models.protocols import Array, Model

_STEPS = 60  # ten are usual; a flat ridge may take all
_USUAL = 15  # steps after which slopes of single customers have misled: one with thousands of purchases will
_LOCAL = 0.2  # a step so short that the curvature along it is that at its end
_NEAR = 2e-4  # a step so short that one more, by the true Hessian, ends the search
_NOISE = 1e-12  # rounding of the mean log-likelihood: below it only the slope can tell


@dataclass(frozen=True)
class Optimum:
    """Where a search ended: the place, its covariance, and how good the end is."""

    theta: Array
    covariance: Array  # of the place; NaN where the likelihood is flat or the fit at a bound
    gradient: float  # largest slope left, of the mean log-likelihood in free directions
    at_bound: tuple[bool, ...]
    evaluations: int

    @property
    def converged(self) -> bool:
        """Whether the slope is zero for every purpose."""
        return self.gradient < 1e-5


def maximise(space: Space, history: Any, starts: Sequence[float] = (0.0,)) -> Optimum:
    """Maximise the weighted log-likelihood of the space's model, less its penalty, over the space.

    `starts` shift the space's own starting values behind the first two, together: of logs of parameters means
    stay, and customers differ more or less. The best end counts.
    """
    target = _Target(space, history)
    start = space.start
    ends = [
        _search(target, np.clip(start + shift * (np.arange(len(start)) > 1), space.low, space.high))
        for shift in starts
    ]
    theta, point, hessian = min(ends, key=lambda end: end[1].value)
    free = _free(space, theta)
    return Optimum(
        theta=theta,
        covariance=_covariance(hessian * target.customers, free, 1e-14 if space.precision().any() else 1e-8),
        gradient=float(np.max(np.abs(point.slope[_open(space, theta, -point.slope)]), initial=0.0)),
        at_bound=tuple(~free),
        evaluations=target.evaluations,
    )


@dataclass(frozen=True)
class _Point:
    """Minus the mean log-likelihood of a customer, its slope and the mean product of customers' slopes."""

    value: float
    slope: Array
    products: Array


class _Target:
    """Minus the mean log-likelihood, with its part of the penalty, as a function of the place."""

    def __init__(self, space: Space, history: Any) -> None:
        self.space, self.history, self.rows = space, history, space.rows
        self.customers = float(history.weight.sum())
        self.share = history.weight / self.customers
        self.evaluations = 0

    def __call__(self, theta: Array) -> _Point:
        self.evaluations += 1
        likelihood, score = self._at(theta).log_likelihood_and_score(self.history)
        score, slopes = score[self.rows], self.space.slopes(theta)
        penalty, force = self.space.penalty(theta)
        # Sums are einsum and sum, not @: threads of BLAS spin between calls and cost more than they do.
        weighted = score * self.share
        products = np.einsum("ph,qh->pq", weighted, score)
        return _Point(
            float(penalty / self.customers - (likelihood * self.share).sum()),
            force / self.customers - slopes.T @ weighted.sum(axis=1),
            slopes.T @ products @ slopes + self.space.precision() / self.customers,
        )

    def hessian(self, theta: Array, here: _Point) -> Array:
        """Differences of the exact slope, all in one evaluation: error about 1e-6 of the scale."""
        self.evaluations += len(theta)
        step = 1e-6
        moved = theta[:, None] + np.eye(len(theta)) * step  # a column for each direction
        _, score = self._at(moved[..., None]).log_likelihood_and_score(self.history)
        raw = np.einsum("pmh,h->pm", score[self.rows], self.share)
        ends = self.space.penalty(moved)[1] / self.customers - np.einsum(
            "pkm,pm->km", self.space.slopes(moved), raw
        )
        rows = (ends.T - here.slope) / step
        return np.asarray((rows + rows.T) / 2)

    def _at(self, theta: Array) -> Model:
        return self.space.model(**self.space.parameters(theta))


def _search(target: _Target, theta: Array) -> tuple[Array, _Point, Array]:
    """Newton steps; returns the logs of the parameters at the end, the point and the Hessian there.

    Far from the end the products of customers' slopes stand for the Hessian ([BHHH]), corrected by what the
    last step has shown of it: they cost nothing, and never point uphill. The true one takes their place near
    the end, or where they lead nowhere. Directions of no curvature are
    followed too, up to the bounds: there ridges end.
    """
    here, near = target(theta), False
    hessian = here.products
    for taken_so_far in range(_STEPS):
        step = _newton_step(target.space, hessian, here.slope, theta)
        candidate, there = _shortened(target, theta, here, step)
        taken, turned = candidate - theta, there.slope - here.slope
        stuck, theta, here = there is here, candidate, there
        if near and (stuck or np.max(np.abs(taken)) < 1e-5):  # the next step would be 1e-10
            break
        near = near or stuck or np.max(np.abs(step)) < _NEAR or taken_so_far > _USUAL
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
        candidate = np.clip(theta + share * step, target.space.low, target.space.high)
        there = target(candidate)
        flatter = np.linalg.norm(there.slope) < np.linalg.norm(here.slope)
        if there.value < here.value - _NOISE or (there.value <= here.value + _NOISE and flatter):
            return candidate, there
    return theta, here


def _free(space: Space, theta: Array) -> NDArray[np.bool_]:
    return np.asarray((theta > space.low + 1e-6) & (theta < space.high - 1e-6))


def _open(space: Space, theta: Array, downhill: Array) -> NDArray[np.bool_]:
    """Directions inside the bounds, and those at one that a step leads away from it."""
    inward = np.where(theta > (space.low + space.high) / 2, downhill < 0, downhill > 0)
    return _free(space, theta) | inward


def _newton_step(space: Space, hessian: Array, slope: Array, theta: Array) -> Array:
    """Downhill by the curvature of the parameters that can move, at most 2 long in any of them.

    A step that meets a bound ends there whole: cut in one parameter alone, it would leave the ridge.
    """
    moves = _open(space, theta, -slope)
    while moves.any():
        step = np.zeros_like(slope)
        curves, axes = np.linalg.eigh(hessian if moves.all() else hessian[np.ix_(moves, moves)])
        along = axes.T @ slope[moves] / np.maximum(np.abs(curves), max(1e-7 * np.abs(curves).max(), 1e-300))
        step[moves] = -axes @ along
        if (stays := moves & ~_open(space, theta, step)).any():  # the others push it over its bound
            moves &= ~stays
            continue
        step /= max(1.0, np.max(np.abs(step)) / 2)
        room = np.where(step > 0, space.high - theta, theta - space.low) / np.maximum(np.abs(step), 1e-300)
        return np.asarray(step * min(1.0, float(room[moves].min())))
    return np.zeros_like(slope)


def _covariance(hessian: Array, free: NDArray[np.bool_], flat: float) -> Array:
    """Invert the Hessian of the free parameters; NaN where it is not curved down, or `flat` for its largest.

    The least curvature of a likelihood may be noise; of a posterior it is that of a prior.
    """
    covariance = np.full(hessian.shape, np.nan)
    inner = hessian[np.ix_(free, free)]
    values, vectors = np.linalg.eigh(inner)
    if len(values) and values[0] > flat * values[-1]:
        covariance[np.ix_(free, free)] = (vectors / values) @ vectors.T
    return covariance
