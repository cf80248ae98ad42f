"""Pareto-smoothed importance sampling: weights with a steadied tail, and k-hat, how heavy that tail is.

[V24] Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto Smoothed Importance Sampling, JMLR 25(72).
[ZS09] Zhang & Stephens (2009), A New and Efficient Estimation Method for the Generalized Pareto
Distribution, Technometrics 51(3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from clv.models.protocols import Array

GATE = 0.7  # k-hat above which importance sampling cannot be trusted at any practical number of draws


def smoothed(log_weights: Array) -> tuple[Array, Array]:
    """Smooth log weights (draws, …); returns them normalised, and k-hat (…). [V24] sections 2 and 3.

    k-hat is −inf where weights do not differ, and inf where no tail can be fitted to them.
    """
    draws = len(log_weights)
    size = int(3 * np.sqrt(draws) if draws > 225 else draws / 5)
    w = np.asarray(log_weights - np.max(log_weights, axis=0))
    order = np.argsort(w, axis=0)
    tail = np.exp(np.take_along_axis(w, order[-size:], axis=0))
    cutoff = np.exp(np.take_along_axis(w, order[-size - 1 : -size], axis=0))
    with np.errstate(all="ignore"):
        k, sigma = _generalised_pareto(tail - cutoff)
        p = ((np.arange(size) + 0.5) / size).reshape(-1, *[1] * (w.ndim - 1))
        excess = np.where(k == 0, -np.log1p(-p), np.expm1(-k * np.log1p(-p)) / np.where(k == 0, 1.0, k))
        fitted = np.log(np.minimum(cutoff + sigma * excess, 1.0))
    usable = np.isfinite(k) & np.isfinite(fitted).all(axis=0)
    np.put_along_axis(w, order[-size:], np.where(usable, fitted, np.log(np.maximum(tail, 1e-300))), axis=0)
    constant = tail[-1] - cutoff[0] < np.finfo(float).tiny
    return w - logsumexp(w, axis=0), np.where(constant, -np.inf, np.where(usable, k, np.inf))


def _generalised_pareto(x: Array) -> tuple[Array, Array]:
    """Shape, drawn a little to 1/2, and scale of sorted excesses (draws, …). [ZS09], [V24] appendix C."""
    n = len(x)
    grid = 30 + int(np.sqrt(n))
    quartile = x[int(n / 4 + 0.5) - 1]
    steps = 1 - np.sqrt(grid / (np.arange(grid) + 0.5))
    b = steps.reshape(-1, *[1] * (x.ndim - 1)) / (3 * quartile) + 1 / x[-1]
    shapes = np.stack([np.log1p(-row * x).mean(axis=0) for row in b])
    likelihood = n * (np.log(-b / shapes) - shapes - 1)
    weight = np.exp(likelihood - logsumexp(likelihood, axis=0))
    mean = (b * weight).sum(axis=0) / weight.sum(axis=0)
    shape = np.log1p(-mean * x).mean(axis=0)
    return np.where(quartile > x[0], (n * shape + 10 * 0.5) / (n + 10), np.inf), -shape / mean


def effective(log_weights: Array) -> float:
    """Effective number of draws behind normalised log weights."""
    return float(np.exp(-logsumexp(2 * log_weights)))


def resampled(log_weights: Array, size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw `size` numbers of draws so that all weigh the same: systematic, the least noise there is."""
    ends = np.cumsum(np.exp(log_weights))
    return np.asarray(np.searchsorted(ends / ends[-1], (np.arange(size) + rng.random()) / size))
