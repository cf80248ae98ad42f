"""Leave-one-out cross-validation on grouped histories.

[VGG17] Vehtari, Gelman & Gabry (2017), Practical Bayesian Model Evaluation Using Leave-One-Out
Cross-Validation and WAIC, Statistics and Computing 27(5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from clv.errors import ConfigError
from clv.fitting import psis
from clv.models.draws import over_draws
from clv.models.protocols import Array

_COLUMNS = 2000  # histories whose weights are smoothed at a time
_MOST = 1000  # draws that are looked at


@dataclass(frozen=True)
class Loo:
    """Expected log predictive density of customers left out one at a time, summed over all of them.

    `se` is its standard error, `p_loo` the effective number of parameters, `k_hat` the worst of all
    histories and `doubtful` the customers whose own k-hat is above the gate: for them the sum is not to be
    trusted.
    """

    elpd: float
    se: float
    p_loo: float
    k_hat: float
    doubtful: float
    customers: float

    def __repr__(self) -> str:
        doubt = f"; {self.doubtful:,.0f} customers above the gate of {psis.GATE}" if self.doubtful else ""
        return (
            f"elpd_loo {self.elpd:,.2f} (s.e. {self.se:,.2f}) of {self.customers:,.0f} customers, p_loo "
            f"{self.p_loo:.2f}, worst k-hat {self.k_hat:.2f}{doubt}"
        )


def loo(fit: Any, data: Any = None) -> Loo:
    """Sum n·elpd over histories that n customers share: whoever is left out, the others stay. [VGG17].

    Raises ConfigError C012 for a fit without draws, or without its data where it was read from a file.
    """
    if fit.posterior is None:
        raise ConfigError(
            f'C012 loo needs draws; got a fit by {fit.method}. Fit with method="laplace" or "nuts".'
        )
    history = fit.history if data is None else fit.histories_of(data, fit.by if fit.groups else ())
    if history is None:
        raise ConfigError(
            "C012 a fit that was read from a file does not know its data. Give them: fit.loo(rfm)."
        )
    history = history.rescaled(fit.unit / history.unit)
    parts = [_of(fit, history.rows(slice(i, i + _COLUMNS))) for i in range(0, len(history), _COLUMNS)]
    elpd, lpd, k_hat = (np.concatenate(values) for values in zip(*parts, strict=True))
    n = history.weight
    mean = (n * elpd).sum() / n.sum()
    return Loo(
        elpd=float((n * elpd).sum()),
        se=float(np.sqrt((n * (elpd - mean) ** 2).sum() * n.sum() / max(n.sum() - 1, 1.0))),
        p_loo=float((n * (lpd - elpd)).sum()),
        k_hat=float(k_hat[n > 0].max()),
        doubtful=float(n[k_hat > psis.GATE].sum()),
        customers=float(n.sum()),
    )


def _of(fit: Any, history: Any) -> tuple[Array, Array, Array]:
    """Return elpd and lpd of each history, and k-hat."""
    logs = over_draws(fit.at(history), len(history), lambda m: m.log_likelihood(history))
    logs = logs[np.linspace(0, len(logs) - 1, min(_MOST, len(logs))).astype(int)]
    weights, k_hat = psis.smoothed(-logs)
    return logsumexp(logs + weights, axis=0), logsumexp(logs, axis=0) - np.log(len(logs)), k_hat
