"""A way in for users of the lifetimes package: its fitted models, as fits of this one."""

from __future__ import annotations

from typing import Any

import numpy as np

from clv.errors import ConfigError
from clv.fitting.result import Fit
from clv.models.bg_bb import BGBB
from clv.models.bg_nbd import BGNBD
from clv.models.gamma_gamma import GammaGamma
from clv.models.histories import OpportunityHistory, PurchaseHistory, SpendHistory
from clv.models.mbg_nbd import MBGNBD
from clv.models.pareto_nbd import ParetoNBD
from clv.units import days_in

# Fitter → model, and the names of its parameters there in our order.
_MODELS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "BetaGeoFitter": (BGNBD, ("r", "alpha", "a", "b")),
    "ModifiedBetaGeoFitter": (MBGNBD, ("r", "alpha", "a", "b")),
    "ParetoNBDFitter": (ParetoNBD, ("r", "alpha", "s", "beta")),
    "BetaGeoBetaBinomFitter": (BGBB, ("alpha", "beta", "gamma", "delta")),
    "GammaGammaFitter": (GammaGamma, ("p", "q", "v")),
}


def from_lifetimes(fitter: Any, unit: str | float | None = None) -> Fit:
    """Take over a fitted model of the lifetimes package, with its data.

    Parameters
    ----------
    fitter : a fitted BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter, BetaGeoBetaBinomFitter or
        GammaGammaFitter
    unit : "day", "week", "month", "year" or days: what frequency, recency and T were counted in, or a period
        of a BetaGeoBetaBinomFitter; a model of spend needs none

    Returns
    -------
    Fit
        The same parameters; log-likelihood in this package's terms; `method` says where it is from. A
        penalised fit is not at a maximum, so no standard errors are taken over.

    Raises
    ------
    ConfigError C001, C012
        For something else, a fitter that was not fitted, or a purchase model without `unit`.
    """
    name = type(fitter).__name__
    if name not in _MODELS or not hasattr(fitter, "params_"):
        raise ConfigError(
            f"C012 a fitted model of lifetimes is needed; got a {name}. Known: {', '.join(_MODELS)}; "
            "call fit() first."
        )
    kind, names = _MODELS[name]
    if kind is not GammaGamma and unit is None:
        raise ConfigError(
            'C012 unit must say what times are counted in here: "day", "week", "month" or "year".'
        )
    size = 1.0 if unit is None else days_in(unit)
    if getattr(fitter, "data", None) is None or any(key not in fitter.params_ for key in names):
        raise ConfigError(
            f"C012 a {name} needs its data and {', '.join(names)}; got one saved without. Save it with "
            "save_data=True, or fit it again."
        )
    model = kind(*(float(fitter.params_[key]) for key in names))
    history = _history(kind, fitter.data, size).history(kind.History)
    return Fit(
        model=model,
        estimate=model,
        log_likelihood=float((model.log_likelihood(history) * history.weight).sum()),
        covariance=np.full((len(names),) * 2, np.nan),
        converged=True,
        boundary=(),
        message=f"Taken over from lifetimes' {name}.",
        customers=float(history.weight.sum()),
        histories=len(history),
        evaluations=0,
        unit=float(history.unit),
        measured=history.measured,
        method="lifetimes",
    )


def _history(kind: type[Any], data: Any, unit: float) -> Any:
    weight = np.asarray(data["weights"], dtype=float)
    x = np.asarray(data["frequency"], dtype=float)
    if kind is GammaGamma:
        return SpendHistory(x, x * np.asarray(data["monetary_value"], dtype=float), weight)
    t_x = np.asarray(data["recency"], dtype=float)
    if kind is BGBB:
        return OpportunityHistory(x, t_x, np.asarray(data["n_periods"], dtype=float), weight, unit)
    return PurchaseHistory(x, t_x, np.asarray(data["T"], dtype=float), weight, unit)
