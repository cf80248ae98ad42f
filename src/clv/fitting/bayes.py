"""Fits with priors: the mode of the posterior, or draws from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from clv.fitting.laplace import sample
from clv.fitting.likelihood import about, most_likely, total
from clv.fitting.optimise import Optimum, maximise
from clv.fitting.plan import Plan, alike
from clv.fitting.posterior import Posterior
from clv.fitting.priors import Priors
from clv.fitting.result import Fit
from clv.fitting.transforms import Quantities, rescaled
from clv.models.protocols import Array, parameter_names

_OBJECT = 8.0  # log-likelihood that a prior may cost: as far as four standard deviations of what is known
_VAGUE = 0.8  # of the prior's standard deviation: a posterior that is wider has learned next to nothing


def most_probable(plan: Plan, history: Any) -> Fit:
    """Fit by the mode of the posterior, with draws where the method makes them."""
    space, scaled, mode = at_mode(plan, history)
    posterior = None
    if mode.converged and plan.method != "map" and np.isfinite(mode.covariance).all():
        found = sample(
            space, scaled, mode, plan.draws, np.random.default_rng([plan.seed, *plan.model.__name__.encode()])
        )
        posterior = Posterior(found.theta.T, {"k_hat": found.k_hat, "ess": found.effective})
        if plan.method == "nuts":
            posterior = _chains(plan, space, scaled, mode, posterior)
    return assembled(plan, history, space, mode, posterior)


def _chains(plan: Plan, space: Quantities, scaled: Any, mode: Optimum, near: Posterior) -> Posterior:
    """Sample by NUTS, in the frame of draws that are nearly right, or of the mode."""
    from clv.fitting import nuts

    def density(theta: Array) -> tuple[float, Array]:
        parameters = space.parameters(theta)
        free = {name: v for name, v in parameters.items() if name not in plan.held}
        value, slopes = nuts.likelihood(plan.model, scaled, free, plan.held)
        penalty, force = space.penalty(theta)
        return value - float(penalty), space.slopes(theta).T @ slopes - force

    good = near.diagnostics["k_hat"] < 1
    frame = (
        nuts.Frame.around(near.theta) if good else nuts.Frame(mode.theta, np.linalg.cholesky(mode.covariance))
    )
    return nuts.sample(density, frame, plan.seed, plan.draws, plan.chains)


def at_mode(plan: Plan, history: Any) -> tuple[Quantities, Any, Optimum]:
    """Return the space of the plan's priors, the history in its scale, and the mode."""
    scaled = history.rescaled(history.typical())
    space = Quantities.of(plan.model, plan.held, plan.priors or Priors.of(plan.model), scaled)
    mode = maximise(space, scaled)
    if not mode.converged:
        mode = maximise(space, scaled, starts=(1.0, -1.0))
    return space, scaled, mode


def assembled(plan: Plan, history: Any, space: Quantities, mode: Optimum, posterior: Posterior | None) -> Fit:
    """Return the fit with its mode at `mode`."""
    size = history.typical()
    estimate = plan.model(**in_unit(space, mode.theta, size))
    model = estimate
    if posterior:
        drawn = in_unit(space, posterior.theta.T, size)
        model = plan.model(**{n: v[:, None] if np.ndim(v) else v for n, v in drawn.items()})
    slopes = space.slopes(mode.theta)
    scale = rescaled(plan.model, dict.fromkeys(parameter_names(plan.model), 1.0), size)
    slopes = slopes * np.array(list(scale.values()))[:, None]
    return Fit(
        model=model,
        estimate=estimate,
        held=dict(plan.held),
        log_likelihood=total(estimate, history),
        covariance=slopes @ mode.covariance @ slopes.T,
        converged=mode.converged,
        boundary=tuple(q.name for q, at in zip(space.priors.quantities, mode.at_bound, strict=True) if at),
        message=alike(history) + _sentence(plan, space, history, mode, posterior),
        evaluations=mode.evaluations,
        method=plan.method,
        priors=space.priors,
        posterior=posterior,
        **about(history),
    )


def in_unit(space: Quantities, theta: Array, size: float) -> dict[str, Any]:
    """Return parameters at places (quantities, …), in the unit that `size` is measured in."""
    found = rescaled(space.model, space.parameters(theta), size)
    return {n: float(v) if np.ndim(v) == 0 and n not in space.held else v for n, v in found.items()}


def _sentence(plan: Plan, space: Quantities, history: Any, mode: Optimum, posterior: Posterior | None) -> str:
    if not mode.converged:
        return (
            f"M001 the search for the mode of {plan.model.__name__} stopped at a slope of "
            f"{mode.gradient:.1e} a customer. Do not use these numbers; look for extreme customers, or "
            "priors that contradict the data."
        )
    quantities = space.priors.quantities
    far = [q.name for q, at in zip(quantities, mode.at_bound, strict=True) if at]
    if far:
        return (
            f"M003 the data contradict the prior on {', '.join(far)}, so that there is nothing to draw from. "
            "Look for extreme customers, or give a range that allows for them."
        )
    if posterior is None and plan.method != "map":
        return "M001 the posterior does not curve down at its mode, so that there is nothing to draw from."
    if posterior is None:
        return "Converged at the mode of the posterior."
    return posterior.message(plan.method) + _owed(plan, space, history, posterior)


def _owed(plan: Plan, space: Quantities, history: Any, posterior: Posterior) -> str:
    """Say where the prior is all there is: because the data say little, or against what they say."""
    names = np.array([q.name for q in space.priors.quantities])
    owed = names[posterior.theta.std(axis=0) > _VAGUE * space.priors.sd]
    if not len(owed):
        return ""
    middle = plan.model(**in_unit(space, posterior.theta.mean(axis=0), history.typical()))
    lost = most_likely(plan, history).log_likelihood - total(middle, history)
    if lost > _OBJECT:
        return f" The data object to the prior on {', '.join(owed)}: it costs {lost:,.0f} of log-likelihood."
    return f" The data say little of {', '.join(owed)}: there the prior speaks."
