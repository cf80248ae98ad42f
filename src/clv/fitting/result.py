"""What a fit returns: the model, how sure it is, and a sentence on whether to trust it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from clv.models.protocols import Array

_UNKNOWN = 1e4  # an interval that ends so many times above its estimate says nothing


@dataclass(frozen=True, repr=False)
class Fit:
    """A fitted model.

    `estimate` is the model at the maximum; `model` is what forecasts use: the same, or the simpler model
    that the data cannot tell from it, which `message` then names. `held` are parameters that were given.
    `log_likelihood` is the sum over customers in the user's unit (`unit` days for purchases, currency
    units for spend). `covariance` is that of the parameters, NaN where the likelihood does not curve.
    `converged` is False when the numbers must not be used; `message` says why, and what to try.
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

    @property
    def at_edge(self) -> bool:
        """Whether the data leave parameters open, so that only forecasts mean something."""
        unknown = bool(np.isnan(self.covariance).any()) and self.method == "mle"
        return bool(self.boundary) or unknown or self.model is not self.estimate

    @property
    def parameters(self) -> dict[str, float]:
        """The estimates by name, in the authors' order."""
        names = [f.name for f in dataclasses.fields(self.estimate) if f.name not in self.held]
        return {name: float(getattr(self.estimate, name)) for name in names}

    @property
    def standard_errors(self) -> dict[str, float]:
        """Standard errors by name; NaN where the data do not determine the parameter."""
        return dict(zip(self.parameters, map(float, np.sqrt(np.diag(self.covariance))), strict=True))

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2k − 2 ln L."""
        return 2 * len(self.parameters) - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k ln n − 2 ln L, with n customers."""
        return len(self.parameters) * float(np.log(self.customers)) - 2 * self.log_likelihood

    def intervals(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """Confidence intervals by name, symmetric on the log scale so that they stay positive."""
        z = float(norm.ppf((1 + level) / 2))
        errors = self.standard_errors
        return {
            name: (value * np.exp(-z * errors[name] / value), value * np.exp(z * errors[name] / value))
            for name, value in self.parameters.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text, for JSON."""
        return {
            "model": type(self.estimate).__name__,
            "method": self.method,
            "held": self.held,
            "parameters": self.parameters,
            "standard_errors": {k: v if np.isfinite(v) else None for k, v in self.standard_errors.items()},
            "log_likelihood": self.log_likelihood,
            "aic": self.aic,
            "bic": self.bic,
            "converged": self.converged,
            "boundary": list(self.boundary),
            "message": self.message,
            "customers": self.customers,
            "histories": self.histories,
            "unit": self.unit,
        }

    def summary(self) -> str:
        """A table of estimates with standard errors and 90 % intervals, and the message."""
        head = f"{type(self.estimate).__name__} by {self.method}: {self.customers:,.0f} customers"
        unit = f"; {self.measured}" if self.measured else ""
        lines = [
            f"{head} ({self.histories:,} distinct histories), log-likelihood {self.log_likelihood:,.3f}{unit}"
        ]
        intervals = self.intervals()
        for name, value in self.parameters.items():
            low, high = intervals[name]
            error = self.standard_errors[name]
            known = np.isfinite(high) and high < _UNKNOWN * value
            doubt = (
                ""
                if self.model is not self.estimate or self.method == "lifetimes"
                else f"s.e. {_number(error):>10}   90 % {_number(low)} to {_number(high)}"
                if known
                else "not determined by the data"
            )
            lines.append(f"  {name:<6} {_number(value):>12}   {doubt}".rstrip())
        lines += [f"  {name:<6} {value:>12g}   given" for name, value in self.held.items()]
        return "\n".join([*lines, f"  {self.message}"])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(self.summary())}</pre>"


def _number(value: float) -> str:
    """Four decimals, or four digits where those would say nothing."""
    return f"{value:.4f}" if 0.01 <= abs(value) < 1e6 or value == 0 else f"{value:.4g}"
