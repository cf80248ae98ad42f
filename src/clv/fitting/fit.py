"""The one entry to inference: `clv.fit(Model, data)`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np

from clv.errors import ConfigError, DataError, FitError
from clv.fitting.optimise import Optimum, maximise
from clv.fitting.result import Fit
from clv.models.protocols import HistorySource, Model, parameter_names

_TELLS = 0.01  # a difference of log-likelihoods too small to tell two models apart by


def fit(model: type[Model], data: HistorySource, *, method: Literal["mle"] = "mle", **held: float) -> Fit:
    """Fit a model class to an RFM table, or to a history built by hand.

    Parameters
    ----------
    model : a class such as `clv.BGNBD`, `clv.ParetoNBD` or `clv.GammaGamma`
        Its parameters are estimated.
    data : HistorySource
        An RFM table or a history. Histories are grouped, so the cost depends on distinct rows.
    method : "mle"
        Maximum likelihood with exact gradients.
    held : parameters held at a value, by name
        In the unit of the history; `k=3` sets the regularity of the CNBD models, which is never estimated.

    Returns
    -------
    Fit
        A fit that did not converge says so in `converged` and `message`. One that ends on a ridge of the
        likelihood names the simpler model that is as likely (to .01; where a parameter that it does without
        ran to its bound, to 1 for each of those, as AIC has it), and forecasts by it: `estimate` is what was
        asked for, `model` what forecasts use.

    Raises
    ------
    FitError M001
        When no customer can inform the model.
    ConfigError C012
        For a model, a method or a held parameter that is not known.
    """
    _check(model, data, method)
    held = _held(model, held)
    history = data.history(model.History)
    _refuse_uninformative(model, history)
    best = maximise(model, history, held)
    found = _ended(model, history, held, best)
    if not best.converged or (found.boundary and not found.shared):  # other starts may lead elsewhere
        again = maximise(model, history, held, starts=(2.0, -2.0))
        other = _ended(model, history, held, again)
        if (again.converged, other.likelihood) > (best.converged, found.likelihood):
            best, found = again, other
    values = np.array(list(best.parameters.values()))
    return Fit(
        model=found.simpler,
        estimate=found.estimate,
        held=held,
        log_likelihood=found.likelihood,
        covariance=best.log_covariance * np.outer(values, values),
        converged=best.converged,
        boundary=found.boundary,
        message=_sentence(model.__name__, best, found),
        customers=float(history.weight.sum()),
        histories=len(history.weight),
        evaluations=best.evaluations,
        unit=float(history.unit),
        measured=history.measured,
    )


@dataclass(frozen=True)
class _End:
    """Where a search ended: the estimate, what ran to a bound, and what a simpler model shares."""

    estimate: Any
    likelihood: float
    boundary: tuple[str, ...]
    shared: tuple[str, ...]
    simpler: Any


def _ended(model: type[Model], history: Any, held: Mapping[str, float], best: Optimum) -> _End:
    estimate = model(**best.parameters, **held)
    boundary = tuple(name for name, at in zip(best.parameters, best.at_bound, strict=True) if at)
    likelihood = _total(estimate, history)
    if not best.converged:
        return _End(estimate, likelihood, boundary, (), estimate)
    shared, simpler = _limit(estimate, history, likelihood, set(boundary), set(held))
    return _End(estimate, likelihood, boundary, shared, simpler)


def _check(model: object, data: object, method: str) -> None:
    if method != "mle":
        raise ConfigError(f'C012 method must be "mle"; got {method!r}.')
    if not hasattr(model, "History") or not isinstance(model, type):
        raise ConfigError(f"C012 model must be a class such as clv.BGNBD; got {model!r}.")
    if not hasattr(data, "history"):
        raise DataError(
            f"D047 a fit needs an RFM table or a history; got a {type(data).__name__}. Call orders.rfm() "
            "first."
        )


def _held(model: type[Model], given: Mapping[str, float]) -> dict[str, float]:
    """Return what is not estimated: what was given, and what never is; ConfigError C012 otherwise."""
    fields = {f.name: f for f in dataclasses.fields(model)}  # type: ignore[arg-type]
    free = parameter_names(model)
    wrong = [
        f"C012 {name} must be a parameter of {model.__name__} and a number above 0"
        f"{'' if name in free else ', whole'}; got {name}={value!r}. It has {', '.join(fields)}."
        for name, value in given.items()
        if name not in fields or not _usable(value, whole=name not in free)
    ]
    if not wrong and set(free) <= set(given):
        wrong = [f"C012 {model.__name__} needs a parameter to estimate; got all of them held. Leave one out."]
    if wrong:
        raise ConfigError(*wrong)
    never: dict[str, Any] = {name: f.default for name, f in fields.items() if name not in free}
    return never | {name: float(v) if name in free else int(v) for name, v in given.items()}


def _usable(value: Any, *, whole: bool) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 < float(value) < np.inf:
        return False
    return not whole or float(value).is_integer()


def _total(model: Model, history: Any) -> float:
    return float((model.log_likelihood(history) * history.weight).sum())


def _limit(
    model: Any, history: Any, likelihood: float, at_bound: set[str], held: set[str]
) -> tuple[tuple[str, ...], Any]:
    """Follow ridges to where models are simpler and as likely: what customers share there, and the model."""
    for sentence, names, simpler in model.limits():
        loses = float(len(names)) if at_bound & set(names) else _TELLS
        if not held & set(names) and _total(simpler, history) > likelihood - loses:
            sentences, simplest = _limit(simpler, history, likelihood, at_bound, held)
            return (sentence, *sentences), simplest
    return (), model


def _refuse_uninformative(model: type[Model], history: Any) -> None:
    moments = {"customers": float(history.weight.sum()), **history.moments()}
    for name, value in moments.items():
        if not value > 0:
            raise FitError(
                f"M001 {model.__name__} cannot be fitted; {name} is {value:g}. Check the extract: does it "
                "hold what this model learns from, and time for it to happen in?"
            )


def _sentence(name: str, best: Optimum, found: _End) -> str:
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
            f"M003 the likelihood keeps rising as {', '.join(found.boundary)} leaves the range of the data. "
            "No simpler model does as well, so forecasts may depend on where the fit stopped. Look for "
            "extreme customers, and test the forecast on a hold-out."
        )
    if np.isnan(best.log_covariance).any():
        return "M003 the likelihood is flat along a ridge: forecasts hold, single parameters do not."
    return "Converged at a maximum."


def _brief(model: Any) -> str:
    values = (f"{f.name}={getattr(model, f.name):.4g}" for f in dataclasses.fields(model))
    return f"{type(model).__name__}({', '.join(values)})"
