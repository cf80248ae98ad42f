"""Hamiltonian Monte Carlo (NUTS) in PyMC, or in nutpie where that is installed.

Whatever the model, a sampler sees one function: a log density with its gradient, on grouped histories, so
that its cost does not grow with customers who share one. It works where mode and covariance are 0 and 1,
which leaves it little to adapt. PyMC and ArviZ are imported where they are used.
[HG14] Hoffman & Gelman (2014), The No-U-Turn Sampler, JMLR 15.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.errors import ConfigError
from clv.fitting.plan import source_of
from clv.fitting.posterior import Posterior
from clv.models.protocols import Array, HistorySource, Model, parameter_names

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

_TUNE = 500  # steps that set the length of a leap; shape and scale are known before
_ACCEPT = 0.9
_WIDER = 1.5  # starts, than the posterior: chains that agree have forgotten theirs
_STATS = {  # as ArviZ calls them, from PyMC's and from nutpie's names
    "diverging": ("diverging", "diverging"),
    "energy": ("energy", "energy"),
    "lp": ("lp", "logp"),
    "tree_depth": ("tree_depth", "depth"),
    "n_steps": ("n_steps", "n_steps"),
    "acceptance_rate": ("acceptance_rate", "mean_tree_accept"),
}

type Density = Callable[[Array], tuple[float, Array]]


def log_likelihood(model: type[Model], data: HistorySource, **variables: Any) -> TensorVariable[Any, Any]:
    """Return the log-likelihood of all customers as a PyTensor scalar, for a `pm.Model` of one's own.

    Parameters
    ----------
    model : a class such as `clv.BGNBD`
    data : HistorySource
        An RFM table or a history, possibly by groups.
    variables : the model's parameters by name, in the unit of the history (weeks, currency units)
        Scalars, or vectors with an entry for each group of the history, in the order of its labels; whole
        numbers such as `k` are given as they are.

    Returns
    -------
    TensorVariable
        Scalar with a gradient: `pm.Potential("purchases", clv.nuts.log_likelihood(clv.BGNBD, rfm, r=r, …))`.

    Raises
    ------
    ConfigError C012
        For a parameter that is missing or unknown.
    """
    import pytensor.tensor as pt

    names = parameter_names(model)
    given = {name: value for name, value in variables.items() if name not in names}
    known = set(names) | {name for name in vars(model) if name == "k"}
    if set(names) - set(variables) or set(variables) - known:
        raise ConfigError(
            f"C012 {model.__name__} needs {', '.join(names)}; got {', '.join(variables) or 'nothing'}. Give "
            "each as a variable of the model, or a number."
        )
    history = source_of(model, data).history(model.History, ())
    groups = len(history.labels)
    columns = [pt.as_tensor(variables[name], dtype="float64") for name in names]
    stacked = pt.stack([column * pt.ones(groups) for column in columns] if groups else columns)

    def density(values: Array) -> tuple[float, Array]:
        if not np.all(values > 0):
            return -np.inf, np.zeros_like(values)
        return likelihood(model, history, dict(zip(names, values, strict=True)), given)

    scalar: TensorVariable[Any, Any] = _op(_finite(density))(stacked)[0]
    return scalar


def likelihood(
    model: type[Model], history: Any, parameters: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[float, Array]:
    """Return the log-likelihood of all customers and its slopes, (parameters[, groups])."""
    if not history.labels:
        value, score = model(**parameters, **given).log_likelihood_and_score(history)
        return float((value * history.weight).sum()), np.einsum("ph,h->p", score, history.weight)
    gathered = {name: np.asarray(v)[history.group] for name, v in parameters.items()}
    value, score = model(**gathered, **given).log_likelihood_and_score(history)
    slopes = [np.bincount(history.group, row * history.weight, len(history.labels)) for row in score]
    return float((value * history.weight).sum()), np.stack(slopes)


@dataclass(frozen=True)
class Frame:
    """Where a density is about as wide in every direction: centre + factor @ z, z standard normal."""

    centre: Array
    factor: Array

    @classmethod
    def around(cls, draws: Array) -> Frame:
        """Return the frame of some draws (draws, size)."""
        covariance = np.atleast_2d(np.cov(draws.T)) + 1e-10 * np.eye(draws.shape[1])
        return cls(draws.mean(axis=0), np.linalg.cholesky(covariance))

    def place(self, z: Array) -> Array:
        """Return the places of z (…, size)."""
        return self.centre + z @ self.factor.T

    def inside(self, density: Density) -> Density:
        """Return the density of z."""

        def of(z: Array) -> tuple[float, Array]:
            value, slope = density(self.place(z))
            return value, self.factor.T @ slope

        return _finite(of)


def _finite(density: Density) -> Density:
    """Return a density that is nowhere, −inf without a slope, where it cannot be computed."""

    def of(x: Array) -> tuple[float, Array]:
        with np.errstate(all="ignore"):
            value, slope = density(x)
        if np.isfinite(value) and np.isfinite(slope).all():
            return value, slope
        return -np.inf, np.zeros_like(x)

    return of


def sample(density: Density, frame: Frame, seed: int, draws: int, chains: int) -> Posterior:
    """Sample a density of places (size,), from `chains` dispersed starts, and judge the chains."""
    use = _by_nutpie if importlib.util.find_spec("nutpie") else _by_pymc
    z, stats = use(frame.inside(density), len(frame.centre), seed, draws, chains)
    theta = frame.place(z)
    return Posterior(theta.reshape(chains * draws, -1), diagnostics(theta, stats), chains, stats)


def _start(seed: Any, size: int) -> Array:
    """Return a place wider off than most of a standard normal."""
    return _WIDER * np.random.default_rng(seed).standard_normal(size)


def _by_pymc(
    density: Density, size: int, seed: int, draws: int, chains: int
) -> tuple[Array, dict[str, Array]]:
    import pymc as pm
    from pymc.step_methods.hmc.quadpotential import QuadPotentialFull

    with _quietly(), pm.Model() as model:
        z = pm.Flat("z", shape=size)
        pm.Potential("posterior", _op(density)(z)[0])
        compiled = {"compile_kwargs": {"mode": "CVM"}}  # the density is Python: nothing gains from Numba
        step = pm.NUTS(potential=QuadPotentialFull(np.eye(size)), target_accept=_ACCEPT, **compiled)
        found = pm.sample(
            draws,
            tune=_TUNE,
            chains=chains,
            cores=1,  # a process for each chain costs more than it saves, and cannot always be had
            step=step,
            initvals=[{"z": _start((seed, chain), size)} for chain in range(chains)],
            random_seed=seed,
            progressbar=False,
            compute_convergence_checks=False,
            model=model,
            **compiled,
        )
    return found.posterior["z"].values, {
        name: found.sample_stats[a].values for name, (a, _) in _STATS.items()
    }


def _by_nutpie(
    density: Density, size: int, seed: int, draws: int, chains: int
) -> tuple[Array, dict[str, Array]]:
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    compiled = from_pyfunc(
        size,
        lambda: density,
        lambda *shared: lambda z: {"z": np.asarray(z, dtype=float)},
        [np.dtype("float64")],
        [(size,)],
        ["z"],
        make_initial_point_fn=lambda seed: _start(seed, size),
    )
    found = nutpie.sample(
        compiled,
        draws=draws,
        tune=_TUNE,
        chains=chains,
        cores=1,
        seed=seed,
        target_accept=_ACCEPT,
        progress_bar=False,
    )
    return found.posterior["z"].values, {
        name: found.sample_stats[b].values for name, (_, b) in _STATS.items()
    }


@contextmanager
def _quietly() -> Iterator[None]:
    """Leave out what PyMC tells of its steps, and that a function runs in Python."""
    log = logging.getLogger("pymc")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*object mode", category=UserWarning)
            yield
    finally:
        log.setLevel(level)


def _op(density: Density) -> Any:
    """Return a PyTensor operation with two outputs: a density, and its gradient, which its pullback uses."""
    import pytensor.tensor as pt
    from pytensor.graph.basic import Apply
    from pytensor.graph.op import Op

    class LogDensity(Op):
        def make_node(self, *inputs: Any) -> Any:
            x = pt.as_tensor(inputs[0], dtype="float64")
            return Apply(self, [x], [pt.dscalar(), x.type()])

        def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
            value, slope = density(inputs[0])
            outputs[0][0], outputs[1][0] = np.asarray(value), np.asarray(slope)

        def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> Any:
            return [cotangents[0] * outputs[1]]

    return LogDensity()


def diagnostics(theta: Array, stats: Mapping[str, Array]) -> dict[str, float]:
    """Return the worst of each diagnostic over places (chains, draws, size)."""
    from arviz_stats.base import array_stats

    stats_of: Any = array_stats
    axes = {"chain_axis": 0, "draw_axis": 1}
    return {
        "r_hat": float(np.max(stats_of.rhat(theta, **axes))),
        "ess_bulk": float(np.min(stats_of.ess(theta, method="bulk", **axes))),
        "ess_tail": float(np.min(stats_of.ess(theta, method="tail", prob=(0.05, 0.95), **axes))),
        "divergent": float(np.mean(stats["diverging"])),
    }
