"""Groups, and the population they come from, sampled together by NUTS.

theta = m + S·e, where m and S² are mean and variance of a group given its population if its likelihood
were normal: at the mean of all where the group knows nothing (the non-centred form), at its own mode where it
knows all (the centred form), and in between else. So e is about standard normal whatever the population is,
and no funnel is left.
[BG13] Betancourt & Girolami (2013), Hamiltonian Monte Carlo for Hierarchical Models, arXiv 1312.0906.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from clv.fitting import nuts
from clv.fitting.plan import Plan
from clv.fitting.posterior import Posterior
from clv.fitting.priors import Priors
from clv.fitting.transforms import Quantities
from clv.models.protocols import Array


@dataclass(frozen=True)
class Population:
    """What groups have in common, on the real line, and each group's mode and covariance given that."""

    size: float  # the unit in which histories are measured
    priors: Priors
    mean: Array
    spread: Array
    modes: Array  # (groups, quantities)
    covariances: Array  # (groups, quantities, quantities)
    evaluations: int
    converged: bool


@dataclass(frozen=True)
class _Places:
    """What a vector (means, logs of spreads, e of groups; all about standard normal) stands for."""

    mean: Array
    spread: Array
    e: Array  # (…, groups, quantities)
    variance: Array
    middle: Array

    @property
    def theta(self) -> Array:
        """Quantities of groups, (…, groups, quantities)."""
        return self.middle + np.sqrt(self.variance) * self.e


def sample(plan: Plan, history: Any, population: Population) -> Posterior:
    """Sample the groups of a history that is measured in the population's unit."""
    hierarchy = _Hierarchy(plan, history, population)
    found = nuts.sample(hierarchy.density, hierarchy.frame(), plan.seed, plan.draws, plan.chains)
    places = hierarchy.places(found.theta)
    groups = places.theta.reshape(len(found.theta), -1)
    shown = np.concatenate([places.mean, np.log(places.spread), groups], axis=1)
    return dataclasses.replace(
        found,
        theta=np.moveaxis(places.theta, 1, 2),
        diagnostics=nuts.diagnostics(shown.reshape(plan.chains, plan.draws, -1), found.stats),
        population={"mean": places.mean, "spread": places.spread},
    )


class _Hierarchy:
    """The density of such vectors, with its gradient."""

    def __init__(self, plan: Plan, history: Any, population: Population) -> None:
        self.plan, self.history, self.population = plan, history, population
        self.priors = population.priors
        self.space = Quantities(plan.model, plan.held, self.priors, self.priors.centre)
        before = population.spread**-2
        known = 1 / population.covariances.diagonal(axis1=1, axis2=2)
        self.known = np.maximum(known - before, 0.0)  # precision of a group's own likelihood
        self.pull = (self.known + before) * population.modes - before * population.mean

    def places(self, v: Array) -> _Places:
        """Return what vectors (…, size) stand for."""
        groups, size = self.known.shape
        centre, width = self.priors.between
        mean = self.priors.centre + self.priors.sd * v[..., :size]
        spread = np.exp(centre + width * v[..., size : 2 * size])
        precision = spread[..., None, :] ** -2
        variance = 1 / (self.known + precision)
        middle = variance * (self.pull + precision * mean[..., None, :])
        e = v[..., 2 * size :].reshape(*v.shape[:-1], groups, size)
        return _Places(mean, spread, e, variance, middle)

    def density(self, v: Array) -> tuple[float, Array]:
        """Return the log density of one vector, but for a constant, and its gradient."""
        at, size = self.places(v), self.known.shape[1]
        theta, precision, root = at.theta, at.spread**-2, np.sqrt(at.variance)
        parameters = self.space.parameters(theta.T)
        free = {name: value for name, value in parameters.items() if name not in self.plan.held}
        value, slopes = nuts.likelihood(self.plan.model, self.history, free, self.plan.held)
        off = theta - at.mean
        inward = precision * off
        outer = v[: 2 * size]
        value += float((np.log(root) - np.log(at.spread) - inward * off / 2).sum() - outer @ outer / 2)
        down = np.einsum("pkg,pg->gk", self.space.slopes(theta.T), slopes) - inward
        share = precision * at.variance  # of the population in a group's middle
        bent = 2 * share * (at.middle - at.mean) + share * root * at.e  # dθ/d log spread
        _, width = self.priors.between
        parts = [
            self.priors.sd * (share * down + inward).sum(axis=0),
            width * (bent * down + inward * off - 1 + share).sum(axis=0),
            (root * down).ravel(),
        ]
        return value, np.concatenate([*parts[:2], parts[2]]) - np.concatenate([outer, np.zeros(theta.size)])

    def frame(self) -> nuts.Frame:
        """Return the frame in which vectors are about standard normal, given the spread found."""
        population, (centre, width) = self.population, self.priors.between
        groups, size = self.known.shape
        before = np.diag(population.spread**-2)
        precision = np.eye((groups + 2) * size)
        precision[2 * size :, 2 * size :] = 0
        mean, spread = slice(0, size), slice(size, 2 * size)
        for at, covariance in enumerate(population.covariances):
            values, axes = np.linalg.eigh(np.linalg.inv(covariance) - before)
            curved = (axes * np.maximum(values, 0.0)) @ axes.T
            share = population.spread**-2 / (self.known[at] + population.spread**-2)
            root = np.diag(population.spread * np.sqrt(share))
            own = slice((at + 2) * size, (at + 3) * size)
            to_theta, to_off = np.diag(share * self.priors.sd), np.diag((share - 1) * self.priors.sd)
            precision[mean, mean] += to_theta @ curved @ to_theta + to_off @ before @ to_off
            precision[own, own] += root @ (curved + before) @ root
            precision[mean, own] += to_theta @ curved @ root + to_off @ before @ root
            precision[own, mean] = precision[mean, own].T
            precision[spread, spread] += np.diag(2 * width**2 * (1 - share) ** 2)
        middle = np.concatenate(
            [
                (population.mean - self.priors.centre) / self.priors.sd,
                (np.log(population.spread) - centre) / width,
                np.zeros(groups * size),
            ]
        )
        return nuts.Frame(middle, np.linalg.inv(np.linalg.cholesky(precision)).T)
