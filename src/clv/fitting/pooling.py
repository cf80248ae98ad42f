"""Parameters by group: each for itself, or each drawn towards what all groups have in common.

Partial pooling takes the quantities of groups, on the real line, for normal around a population mean, with a
spread of their own. Groups with little data keep close to the mean.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clv.errors import FitError
from clv.fitting.bayes import in_unit
from clv.fitting.hierarchy import Population, sample
from clv.fitting.likelihood import about, total
from clv.fitting.optimise import maximise
from clv.fitting.plan import Plan, refuse_uninformative
from clv.fitting.posterior import Posterior
from clv.fitting.priors import Priors
from clv.fitting.result import Fit
from clv.fitting.transforms import Quantities
from clv.models.protocols import Array

_ROUNDS = 200  # of finding groups given their population, and it given them
_STILL = 1e-3  # change of the log of spreads below which rounds end


def by_groups(plan: Plan, history: Any, fit_history: Callable[[Plan, Any], Fit]) -> Fit:
    """Fit parameters by the groups of a history; `fit_history` fits one set of them."""
    size = np.bincount(history.group, history.weight, len(history.labels))
    empty = [label for label, n in zip(history.labels, size, strict=True) if not n > 0]
    if empty:
        raise FitError(f"M001 {', '.join(empty[:5])} ({len(empty)} groups) has no customers. Leave it out.")
    if plan.pooling == "none":
        return _separately(plan, history, fit_history)
    population = _empirical_bayes(plan, history)
    if plan.method == "map":
        return _assembled(plan, history, population, None)
    return _assembled(plan, history, population, sample(plan, history.rescaled(population.size), population))


def _separately(plan: Plan, history: Any, fit_history: Callable[[Plan, Any], Fit]) -> Fit:
    """Fit each group for itself; FitError M001 for all groups that cannot be fitted."""
    parts, fits, wrong = history.parts(), [], []
    for at, (label, part) in enumerate(zip(history.labels, parts, strict=True)):
        try:
            if plan.method == "mle":
                refuse_uninformative(plan, part)
            fits.append(fit_history(dataclasses.replace(plan, seed=plan.seed + at), part))  # draws of its own
        except FitError as error:
            wrong += [f"{message} Group: {label}." for message in error.messages]
    if wrong:
        raise FitError(*wrong)
    estimate = _stacked(plan, [f.estimate for f in fits])
    posterior = None
    if fits[0].posterior:
        posterior = _together([f.posterior for f in fits if f.posterior])
    return dataclasses.replace(
        fits[0],
        estimate=estimate,
        model=_stacked(plan, [f.model for f in fits]) if posterior else estimate,
        log_likelihood=sum(f.log_likelihood for f in fits),
        covariance=np.stack([f.covariance for f in fits]),
        converged=all(f.converged for f in fits),
        boundary=tuple(sorted({name for f in fits for name in f.boundary})),
        message=_worst(plan, history.labels, fits, posterior),
        evaluations=sum(f.evaluations for f in fits),
        posterior=posterior,
        by=plan.by,
        groups=history.labels,
        pooling="none",
        **about(history),
    )


def _stacked(plan: Plan, models: Sequence[Any]) -> Any:
    """Return one model with the parameters of several, (…, groups)."""
    names = [f.name for f in dataclasses.fields(models[0]) if f.name not in plan.held]
    columns = {
        name: np.concatenate([np.atleast_1d(getattr(m, name)) for m in models], axis=-1) for name in names
    }
    return plan.model(**columns, **plan.held)


def _together(parts: Sequence[Posterior]) -> Posterior:
    """Return posteriors of groups as one, with the worst of their diagnostics."""
    worst = {
        name: (min if name.startswith("ess") else max)(p.diagnostics[name] for p in parts)
        for name in parts[0].diagnostics
    }
    return Posterior(np.stack([p.theta for p in parts], axis=-1), worst, parts[0].chains)


def _worst(plan: Plan, labels: Sequence[str], fits: Sequence[Fit], posterior: Posterior | None) -> str:
    failed = [label for label, f in zip(labels, fits, strict=True) if not f.converged]
    if failed:
        return f"M001 no maximum was found for {', '.join(failed)}. Do not use these numbers."
    if posterior:
        return posterior.message(plan.method)
    edge = [label for label, f in zip(labels, fits, strict=True) if f.at_edge]
    if edge:
        return (
            f"M003 the data leave parameters open in {len(edge)} of {len(labels)} groups "
            f"({', '.join(edge[:5])}). "
            'Partial pooling lends them what all groups have in common: method="nuts" or "map".'
        )
    return "Converged at a maximum in every group."


def _empirical_bayes(plan: Plan, history: Any) -> Population:
    """Find the population that makes the groups likeliest, and the groups given it, in turns (EM)."""
    size, priors = history.typical(), plan.priors or Priors.of(plan.model)
    scaled = history.rescaled(size)
    parts = scaled.parts()
    alone = scaled.whole()
    whole = maximise(Quantities.of(plan.model, plan.held, priors, alone), alone)
    mean, (centre, width) = whole.theta, priors.between
    spread = np.full(len(mean), np.exp(centre))
    modes, covariances = np.tile(mean, (len(parts), 1)), np.empty((len(parts), len(mean), len(mean)))
    evaluations, converged = whole.evaluations, False
    for _ in range(_ROUNDS):
        own, found = priors.around(mean, spread), True
        for at, part in enumerate(parts):
            end = maximise(Quantities(plan.model, plan.held, own, modes[at]), part)
            known = np.isfinite(end.covariance).all()
            modes[at], covariances[at] = end.theta, end.covariance if known else np.diag(spread**2)
            evaluations, found = evaluations + end.evaluations, found and end.converged
        precision = len(parts) / spread**2 + priors.sd**-2
        mean = (modes.sum(axis=0) / spread**2 + priors.centre / priors.sd**2) / precision
        squares = ((modes - mean) ** 2 + covariances.diagonal(axis1=1, axis2=2)).sum(axis=0) + len(
            parts
        ) / precision
        before, spread = spread, _likeliest_spread(squares, len(parts), centre, width)
        converged = found and bool(np.max(np.abs(np.log(spread / before))) < _STILL)
        if converged:
            break
    return Population(size, priors, mean, spread, modes, covariances, evaluations, converged)


def _likeliest_spread(squares: Array, groups: int, centre: float, width: float) -> Array:
    """Maximise −groups·s − squares·e^(−2s)/2 − ((s − centre)/width)²/2 in the log s of spreads."""
    s = np.full_like(squares, centre)
    for _ in range(50):
        pull = squares * np.exp(-2 * s)
        slope = -groups + pull - (s - centre) / width**2
        s = s + np.clip(slope / (2 * pull + width**-2), -1, 1)
    return np.exp(s)


def _assembled(plan: Plan, history: Any, population: Population, posterior: Posterior | None) -> Fit:
    space = Quantities(plan.model, plan.held, population.priors, population.mean)
    estimate = plan.model(**in_unit(space, population.modes.T, population.size))
    model = estimate
    if posterior:
        model = plan.model(**in_unit(space, np.moveaxis(posterior.theta, 0, 1), population.size))
    fit = Fit(
        model=model,
        estimate=estimate,
        held=dict(plan.held),
        log_likelihood=0.0,
        covariance=np.full_like(population.covariances, np.nan),
        converged=population.converged,
        boundary=(),
        message=_sentence(plan, population, posterior),
        evaluations=population.evaluations,
        method=plan.method,
        priors=population.priors,
        posterior=posterior,
        by=plan.by,
        groups=history.labels,
        pooling="partial",
        **about(history),
    )
    likelihood = total(dataclasses.replace(fit, model=estimate).at(history), history)
    return dataclasses.replace(fit, log_likelihood=likelihood)


def _sentence(plan: Plan, population: Population, posterior: Posterior | None) -> str:
    if not population.converged:
        return "M001 no mode was found for every group. Do not use these numbers; look for extreme customers."
    if posterior:
        return posterior.message(plan.method)
    return (
        "Converged: groups at their modes, in the population that makes them likeliest. No bands: see nuts."
    )
