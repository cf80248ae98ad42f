"""How much a result owes to priors: draws weighed as if a prior counted half, or twice.

[KPBV24] Kallioinen, Paananen, Bürkner & Vehtari (2024), Detecting and Diagnosing Prior and Likelihood
Sensitivity with Power-Scaling, Statistics and Computing 34.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clv.errors import ConfigError
from clv.fitting import psis
from clv.fitting.result import Fit
from clv.forecasting.condensing import nodes_of
from clv.models.draws import over_draws
from clv.models.histories import PurchaseHistory, SpendHistory
from clv.models.protocols import Array

if TYPE_CHECKING:
    import pandas as pd

_YEAR = 365.25  # days over which purchases are expected
_DRAWS = 1000


def prior_sensitivity(fit: Fit) -> pd.DataFrame:
    """Return how far a fit's main result moves when a prior counts half, or twice.

    The result is the mean number of purchases that a customer of the data makes in the next year, or the mean
    value of a purchase. One row a prior, and one for all: `half` and `twice` are changes of the result as
    shares, `k_hat` the worse of both weightings (above .7 the change is only its sign).

    Raises ConfigError C012 for a fit without draws, by groups, or of neither purchases nor spend.
    """
    import pandas as pd

    if fit.posterior is None or fit.priors is None or fit.groups:
        raise ConfigError('C012 prior sensitivity needs draws, without groups. Fit with method="laplace".')
    most = _DRAWS // 8 if getattr(fit.model, "costly", False) else _DRAWS
    some = np.linspace(0, len(fit.posterior.theta) - 1, min(most, len(fit.posterior.theta))).astype(int)
    result = _result(fit, some)
    off = (fit.posterior.theta[some] - fit.priors.centre) / fit.priors.sd
    logs = -(off**2) / 2
    rows = {q.name: logs[:, i] for i, q in enumerate(fit.priors.quantities)} | {"all": logs.sum(axis=1)}
    table = {}
    for name, log_prior in rows.items():
        weights, k_hat = zip(*(psis.smoothed((power - 1) * log_prior) for power in (0.5, 2.0)), strict=True)
        half, twice = (float(np.exp(w) @ result / result.mean() - 1) for w in weights)
        table[name] = {"half": half, "twice": twice, "k_hat": float(max(k_hat))}
    return pd.DataFrame(table).T.rename_axis("prior")


def _result(fit: Fit, some: Any) -> Array:
    """The main result of some draws."""
    history: Any = fit.history
    model = type(fit.model)(**{name: v[some, None] for name, v in fit.draws.items()}, **fit.held)
    if isinstance(history, SpendHistory):
        return np.asarray(model.mean_spend()[:, 0])
    if not isinstance(history, PurchaseHistory):
        raise ConfigError("C012 prior sensitivity is of purchases or spend; ask the draws of other models.")
    at, customers = nodes_of(model, history)
    share = customers / customers.sum()
    return over_draws(model, len(at), lambda m: m.expected_purchases(at, _YEAR / fit.unit) @ share)
