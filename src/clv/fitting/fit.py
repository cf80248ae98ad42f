"""The one entry to inference: `clv.fit(Model, data)`."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np

from clv.errors import ConfigError, DataError, FitError
from clv.fitting.optimise import Optimum, maximise
from clv.fitting.result import Fit
from clv.models.protocols import HistorySource, Model


def fit(model: type[Model], data: HistorySource, *, method: Literal["mle"] = "mle") -> Fit:
    """Fit a model class to an RFM table, or to a history built by hand.

    Parameters
    ----------
    model : `clv.BGNBD` or `clv.GammaGamma`
        The class; its parameters are estimated.
    data : HistorySource
        An RFM table or a history. Histories are grouped, so the cost depends on distinct rows.
    method : "mle"
        Maximum likelihood with exact gradients.

    Returns
    -------
    Fit
        A fit that did not converge says so in `converged` and `message`.

    Raises
    ------
    FitError M001
        When no customer can inform the model.
    """
    if method != "mle":
        raise ConfigError(f'C012 method must be "mle"; got {method!r}.')
    if not hasattr(model, "History") or not isinstance(model, type):
        raise ConfigError(f"C012 model must be a class such as clv.BGNBD; got {model!r}.")
    if not hasattr(data, "history"):
        raise DataError(
            f"D047 a fit needs an RFM table or a history; got a {type(data).__name__}. Call orders.rfm() "
            "first."
        )
    history = data.history(model.History)
    _refuse_uninformative(model, history)
    best = maximise(model, history)
    names = [f.name for f in dataclasses.fields(model)]  # type: ignore[arg-type]
    fitted = model(*(float(v) for v in best.parameters))
    boundary = tuple(name for name, at in zip(names, best.at_bound, strict=True) if at)
    return Fit(
        model=fitted,
        log_likelihood=float((fitted.log_likelihood(history) * history.weight).sum()),
        covariance=best.log_covariance * np.outer(best.parameters, best.parameters),
        converged=best.converged,
        boundary=boundary,
        message=_sentence(model.__name__, best, boundary),
        customers=float(history.weight.sum()),
        histories=len(history.weight),
        evaluations=best.evaluations,
        unit=float(history.unit),
        measured=history.measured,
    )


def _refuse_uninformative(model: type[Model], history: Any) -> None:
    moments = {"customers": float(history.weight.sum()), **history.moments()}
    for name, value in moments.items():
        if not value > 0:
            raise FitError(
                f"M001 {model.__name__} cannot be fitted; {name} is {value:g}. Check the extract: does it "
                "hold repeat purchases, and time to make them in?"
            )


def _sentence(name: str, best: Optimum, boundary: tuple[str, ...]) -> str:
    if not best.converged:
        return (
            f"M001 the fit of {name} stopped before a maximum (slope {best.gradient:.1e} a customer). Do "
            "not use these numbers; look for extreme customers, or a unit error, in the input."
        )
    if boundary:
        return (
            f"M003 the likelihood keeps rising as {', '.join(boundary)} leaves the range of the data: the "
            "fit sits on a boundary. Forecasts hold; these parameters and their errors mean nothing alone."
        )
    if np.isnan(best.log_covariance).any():
        return "M003 the likelihood is flat along a ridge: forecasts hold, single parameters do not."
    return "Converged at a maximum."
