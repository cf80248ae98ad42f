"""What a fit returns: the model, how sure it is, and a sentence on whether to trust it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

from clv.errors import ConfigError
from clv.fitting.posterior import Posterior, quantiles
from clv.fitting.priors import Priors
from clv.models.protocols import Array

if TYPE_CHECKING:
    from clv.fitting.loo import Loo
    from clv.fitting.profile import Profile


@dataclass(frozen=True, repr=False, eq=False)
class Fit:
    """A fitted model.

    `estimate` is the model at the maximum, of the likelihood ("mle") or of the posterior; `model` is what
    forecasts use: the same, or the simpler model that the data cannot tell from it, which `message` then
    names, or draws from the posterior, parameters (draws, 1). By groups parameters are (groups,) or (draws,
    groups), and `at(history)` gathers them. `held` are parameters that were given. `log_likelihood` is that
    of the estimate, the sum over customers in the user's unit (`unit` days for purchases, currency units
    for spend). `covariance` is that of the parameters, NaN where the likelihood does not curve. `converged`
    is False when the numbers must not be used, `passed` when they failed a gate; `message` says why, and
    what to try. `as_of` is the last day of the data, where they had one,
    and `first_order` whether a spend model has learnt from first orders.
    """

    model: Any
    log_likelihood: float
    covariance: Array
    converged: bool
    boundary: tuple[str, ...]
    message: str
    customers: float
    histories: int
    evaluations: int
    unit: float
    estimate: Any
    held: dict[str, float] = dataclasses.field(default_factory=dict)
    measured: str = ""
    method: str = "mle"
    priors: Priors | None = None
    posterior: Posterior | None = None
    by: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    pooling: str | None = None
    history: Any = None
    as_of: dt.date | None = None
    first_order: str = "excluded"

    @property
    def at_edge(self) -> bool:
        """Whether the data leave parameters open, so that only forecasts mean something."""
        unknown = bool(np.isnan(self.covariance).any()) and self.method == "mle"
        simpler = self.method == "mle" and self.model is not self.estimate
        return bool(self.boundary) or unknown or simpler

    @property
    def passed(self) -> bool:
        """Whether the fit converged, and has the draws that its method makes, and they pass every gate."""
        if self.method in ("laplace", "nuts"):
            return self.posterior is not None and not self.posterior.failures
        return self.converged

    @property
    def parameters(self) -> dict[str, Any]:
        """The estimates by name, in the authors' order; (groups,) by groups."""
        names = [f.name for f in dataclasses.fields(self.estimate) if f.name not in self.held]
        values = {name: getattr(self.estimate, name) for name in names}
        return {name: np.asarray(v) if self.groups else float(v) for name, v in values.items()}

    @property
    def draws(self) -> dict[str, Array]:
        """Draws of the parameters by name, (draws,) or (draws, groups); none without a posterior."""
        if self.posterior is None:
            return {}
        drawn = {name: np.asarray(getattr(self.model, name)) for name in self.parameters}
        return {name: v if self.groups else v[:, 0] for name, v in drawn.items()}

    @property
    def quantities(self) -> dict[str, Array]:
        """Draws of the quantities that priors are set in, by name, (draws,) or (draws, groups)."""
        if self.posterior is None or self.priors is None:
            return {}
        return self.priors.values(np.moveaxis(self.posterior.theta, 0, 1))

    @property
    def standard_errors(self) -> dict[str, Any]:
        """Standard errors, or standard deviations of draws, by name; NaN where the data do not tell."""
        if self.posterior:
            return {name: _plain(values.std(axis=0)) for name, values in self.draws.items()}
        errors = np.sqrt(np.diagonal(self.covariance, axis1=-2, axis2=-1))
        return {name: _plain(errors[..., at]) for at, name in enumerate(self.parameters)}

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2k − 2 ln L; NaN for pooled groups, which share what k counts: see `loo`."""
        return 2 * self._size - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k ln n − 2 ln L, with n customers."""
        return self._size * float(np.log(self.customers)) - 2 * self.log_likelihood

    @property
    def _size(self) -> float:
        return np.nan if self.pooling == "partial" else sum(np.size(v) for v in self.parameters.values())

    def intervals(self, level: float = 0.9) -> dict[str, tuple[Any, Any]]:
        """Intervals by name: quantiles of draws, or symmetric on the log scale so that they stay positive."""
        if not 0 < level < 1:
            raise ConfigError(f"C012 level must lie between 0 and 1; got {level!r}.")
        if self.posterior:
            ends = {name: quantiles(values, level) for name, values in self.draws.items()}
            return {name: (_plain(low), _plain(high)) for name, (low, high) in ends.items()}
        z = float(norm.ppf((1 + level) / 2))
        errors = self.standard_errors
        return {
            name: (value * np.exp(-z * errors[name] / value), value * np.exp(z * errors[name] / value))
            for name, value in self.parameters.items()
        }

    def histories_of(self, data: Any, by: tuple[str, ...] = ()) -> Any:
        """Return histories of data as those that were fitted: with first orders, where they counted."""
        from clv.fitting.plan import source_of

        kind = type(self.estimate)
        return source_of(kind, data, self.first_order).history(kind.History, by)

    def at(self, history: Any) -> Any:
        """Return the model with each history's own parameters: gathered by group where there are groups."""
        if not self.groups:
            return self.model
        codes = history.codes(self.groups)
        gathered = {name: np.asarray(getattr(self.model, name))[..., codes] for name in self.parameters}
        return dataclasses.replace(self.model, **gathered)

    def profile(self, parameter: str, points: int = 21) -> Profile:
        """Return the likelihood with one parameter held at each of a range of values, all others refitted."""
        from clv.fitting.profile import profile

        return profile(self, parameter, points)

    def loo(self, data: Any = None) -> Loo:
        """Return the expected log predictive density of a left-out customer, by PSIS on the posterior."""
        from clv.fitting.loo import loo

        return loo(self, data)

    def to_datatree(self) -> Any:
        """Return the posterior as an xarray DataTree for ArviZ: parameters and quantities by chain, draw."""
        from clv.fitting.store import to_datatree

        return to_datatree(self)

    def save(self, path: str | Path) -> None:
        """Write the fit to `path`, JSON, and draws beside it as netCDF; no data of customers.

        Raises OutputError O001 where one of the files exists, O002 where nothing can be written.
        """
        from clv.fitting.store import save

        save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Fit:
        """Read a fit that `save` wrote.

        Raises OutputError O003 for a file of a newer version, DataError I001 for anything else.
        """
        from clv.fitting.store import load

        return load(Path(path))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text, for JSON."""
        from clv.fitting.store import to_dict

        return to_dict(self)

    def summary(self) -> str:
        """A table of estimates with errors and 90 % intervals, and the message."""
        from clv.fitting.summary import text

        return text(self)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(self.summary())}</pre>"


def _plain(value: Array) -> Any:
    return float(value) if np.ndim(value) == 0 else value
