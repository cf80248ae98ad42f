"""What a posterior adds to a fit: draws of quantities, how they were made, and whether they pass."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clv.fitting.psis import GATE
from clv.models.protocols import Array

# Diagnostic → (limit, whether it must stay below, what is wrong otherwise)
_GATES = {
    "k_hat": (GATE, True, "importance sampling has missed a part of the posterior"),
    "r_hat": (1.01, True, "chains do not agree"),
    "ess_bulk": (400.0, False, "there are too few effective draws for means"),
    "ess_tail": (400.0, False, "there are too few effective draws for intervals"),
    "divergent": (0.001, True, "a share of transitions diverged, so a corner may be missing"),
}
_ADVICE = {
    "laplace": 'Use method="nuts".',
    "nuts": "Use more draws, or priors that say more; what is left may be wrong in its tails.",
}


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of equal weight: `theta` are quantities on the real line, (draws, quantities[, groups]).

    `chains` of equal length follow each other in it. `diagnostics` are numbers by name, `stats` what a
    sampler noted of each draw, (chains, draws). `population` has "mean" and "spread" of pooled groups,
    (draws, quantities).
    """

    theta: Array
    diagnostics: dict[str, float]
    chains: int = 1
    stats: dict[str, Array] = field(default_factory=dict)
    population: dict[str, Array] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[str, ...]:
        """What the draws fail, a sentence each."""
        return tuple(
            f"{name} is {value:.3g}, {'above' if below else 'below'} {limit:g}: {meaning}"
            for name, (limit, below, meaning) in _GATES.items()
            if (value := self.diagnostics.get(name)) is not None
            and not (value <= limit if below else value >= limit)
        )

    def message(self, method: str) -> str:
        """Say what the draws are worth."""
        shown = ", ".join(f"{name} {_shown(value)}" for name, value in self.diagnostics.items())
        draws = f"{len(self.theta):,} draws ({shown})"
        if not self.failures:
            return f"{draws}: every gate is passed."
        return f"M002 {'; '.join(self.failures)}. {draws}. {_ADVICE[method]}"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def quantiles(draws: Array, level: float) -> tuple[Array, Array]:
    """Ends of the interval that leaves out equal shares of draws on both sides, over the first axis."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
