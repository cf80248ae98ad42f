"""Profile likelihood: how well the data know one parameter, whatever the others are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2

from clv.errors import ConfigError
from clv.fitting.likelihood import most_likely
from clv.fitting.plan import planned, refuse_unless_whole
from clv.fitting.summary import number
from clv.models.protocols import Array

_SPAN = 3.5  # standard errors to either side, on the log scale
_OPEN = 6.0  # natural logs to either side where there is no standard error


@dataclass(frozen=True, repr=False)
class Profile:
    """Log-likelihood at values of one parameter, all others at their best for each.

    `estimate` is the value at the maximum, whose log-likelihood is `best`.
    """

    parameter: str
    values: Array
    log_likelihood: Array
    estimate: float
    best: float

    def __repr__(self) -> str:
        low, high = self.interval()
        rows = (
            f"  {number(float(v)):>12} {below:>10.3f}"
            for v, below in zip(self.values, self.log_likelihood - self.best, strict=True)
        )
        head = f"{self.parameter}: 90 % of the profile likelihood {number(low)} to {number(high)}"
        return "\n".join([head, f"  {self.parameter:>12} {'below top':>10}", *rows])

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """Values whose likelihood is not too low for `level`, by χ² with one degree of freedom.

        An end that the profile does not reach is 0 or infinite: the data leave it open.
        """
        if not 0 < level < 1:
            raise ConfigError(f"C012 level must lie between 0 and 1; got {level!r}.")
        drop = self.best - self.log_likelihood - chi2.ppf(level, 1) / 2
        logs, top = np.log(self.values), int(np.argmin(drop))
        low = _crossing(logs[top::-1], drop[top::-1])
        high = _crossing(logs[top:], drop[top:])
        return (0.0 if low is None else float(np.exp(low))), (np.inf if high is None else float(np.exp(high)))


def _crossing(places: Array, drop: Array) -> float | None:
    """Return where the drop, going outward, passes zero; nothing where it does not."""
    above = np.flatnonzero(drop > 0)
    if not len(above) or above[0] == 0:
        return None
    at = above[0]
    roots = np.sqrt(
        np.maximum(drop[at - 1 : at + 1] - drop[0], 0.0)
    )  # a parabola in places: its root is a line
    share = (np.sqrt(-drop[0]) - roots[0]) / (roots[1] - roots[0])
    return float(places[at - 1] + share * (places[at] - places[at - 1]))


def profile(fit: Any, parameter: str, points: int) -> Profile:
    """Refit with the parameter held at each of `points` values around its estimate; see `Fit.profile`.

    Raises ConfigError C012 for a fit by another method than "mle", one by groups, one that was read from a
    file, or a parameter that was not estimated.
    """
    refuse_unless_whole(3, points=points)
    if fit.method != "mle" or fit.groups or fit.history is None:
        raise ConfigError(
            'C012 a profile needs a fit by method="mle", with its data and without groups. Fit again.'
        )
    if parameter not in fit.parameters:
        raise ConfigError(f"C012 {parameter!r} was not estimated. This fit has {', '.join(fit.parameters)}.")
    centre, error = fit.parameters[parameter], fit.standard_errors[parameter]
    half = min(_SPAN * error / centre, _OPEN) if np.isfinite(error) else _OPEN
    values = centre * np.exp(np.linspace(-half, half, points))
    kind, history = type(fit.estimate), fit.history
    given = {name: v for name, v in fit.held.items()}
    found = [
        most_likely(
            planned(
                kind,
                history,
                "mle",
                None,
                None,
                None,
                "excluded",
                0,
                1000,
                4,
                given | {parameter: float(value)},
            ),
            history,
        )
        for value in values
    ]
    return Profile(parameter, values, np.array([f.log_likelihood for f in found]), centre, fit.log_likelihood)
