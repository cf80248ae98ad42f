"""Maximum likelihood, and where a likelihood has no top but a ridge, the simpler model at its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from clv.fitting.optimise import Optimum, maximise
from clv.fitting.plan import Plan, alike
from clv.fitting.result import Fit
from clv.fitting.summary import UNKNOWN
from clv.fitting.transforms import Logs, rescaled
from clv.models.protocols import Model

_TELLS = 0.01  # a difference of log-likelihoods too small to tell two models apart by


def most_likely(plan: Plan, history: Any) -> Fit:
    """Fit by maximum likelihood."""
    model, held, size = plan.model, plan.held, history.typical()
    scaled = history.rescaled(size)
    space = Logs.of(model, rescaled(model, held, 1 / size), scaled)
    best = maximise(space, scaled)
    found = _ended(model, history, held, space, best, size)
    if not best.converged or (found.boundary and not found.shared):  # other starts may lead elsewhere
        again = maximise(space, scaled, starts=(2.0, -2.0))
        other = _ended(model, history, held, space, again, size)
        if (again.converged, other.likelihood) > (best.converged, found.likelihood):
            best, found = again, other
    values = np.array([getattr(found.estimate, name) for name in space.names])
    return Fit(
        model=found.simpler,
        estimate=found.estimate,
        held=dict(held),
        log_likelihood=found.likelihood,
        covariance=best.covariance * np.outer(values, values),
        converged=best.converged,
        boundary=found.boundary,
        message=alike(history) + _sentence(model.__name__, space.names, best, found),
        evaluations=best.evaluations,
        **about(history),
    )


def about(history: Any) -> dict[str, Any]:
    """Return what every fit says of its data."""
    return {
        "customers": float(history.weight.sum()),
        "histories": len(history),
        "unit": float(history.unit),
        "measured": history.measured,
        "history": history,
    }


def total(model: Model, history: Any) -> float:
    """Log-likelihood of all customers."""
    return float((model.log_likelihood(history) * history.weight).sum())


@dataclass(frozen=True)
class _End:
    """Where a search ended: the estimate, what ran to a bound, and what a simpler model shares."""

    estimate: Any
    likelihood: float
    boundary: tuple[str, ...]
    shared: tuple[str, ...]
    simpler: Any


def _ended(
    model: type[Model], history: Any, held: Mapping[str, float], space: Logs, best: Optimum, size: float
) -> _End:
    found = rescaled(model, space.parameters(best.theta), size)
    estimate = model(**{name: float(found[name]) for name in space.names}, **held)
    boundary = tuple(name for name, at in zip(space.names, best.at_bound, strict=True) if at)
    likelihood = total(estimate, history)
    if not best.converged:
        return _End(estimate, likelihood, boundary, (), estimate)
    shared, simpler = _limit(estimate, history, likelihood, set(boundary), set(held))
    return _End(estimate, likelihood, boundary, shared, simpler)


def _limit(
    model: Any, history: Any, likelihood: float, at_bound: set[str], held: set[str]
) -> tuple[tuple[str, ...], Any]:
    """Follow ridges to where models are simpler and as likely: what customers share there, and the model."""
    for sentence, names, simpler in model.limits():
        loses = float(len(names)) if at_bound & set(names) else _TELLS
        if not held & set(names) and total(simpler, history) > likelihood - loses:
            sentences, simplest = _limit(simpler, history, likelihood, at_bound, held)
            return (sentence, *sentences), simplest
    return (), model


def _sentence(name: str, names: Sequence[str], best: Optimum, found: _End) -> str:
    if not best.converged:
        return (
            f"M001 the fit of {name} stopped before a maximum (slope {best.gradient:.1e} a customer). Do "
            "not use these numbers; look for extreme customers, or a unit error, in the input."
        )
    if found.shared:
        return (
            f"M003 {', and '.join(found.shared)}: {name} is hardly likelier than a simpler model, which "
            f"forecasts use: {_brief(found.simpler)}. Single parameters of {name} mean nothing."
        )
    if found.boundary:
        return (
            f"M003 the likelihood keeps rising as {' and '.join(found.boundary)} "
            f"{'leave' if len(found.boundary) > 1 else 'leaves'} the range of the data. "
            "No simpler model does as well, so forecasts may depend on where the fit stopped. Look for "
            "extreme customers, and test the forecast on a hold-out."
        )
    if np.isnan(best.covariance).any():
        return "M003 the likelihood is flat along a ridge: forecasts hold, single parameters do not."
    open_ends = np.sqrt(np.diag(best.covariance)) * norm.ppf(0.95) > np.log(UNKNOWN)
    vague = [name for name, at in zip(names, open_ends, strict=True) if at]
    if vague:
        return f"Converged at a maximum; the data hardly determine {' and '.join(vague)}."
    return "Converged at a maximum."


def _brief(model: Any) -> str:
    values = (f"{f.name}={getattr(model, f.name):.4g}" for f in dataclasses.fields(model))
    return f"{type(model).__name__}({', '.join(values)})"
