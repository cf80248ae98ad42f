"""BdW: the sBG with a probability of leaving that changes with the time a customer has been there.

[FH18] Fader, Hardie, Liu, Davin & Steenburgh (2018), "How to Project Customer Retention" Revisited: The
Role of Duration Dependence, J. of Interactive Marketing 43.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clv.models.histories import RetentionHistory
from clv.models.protocols import Array, Parameter, Positive
from clv.models.quantities import DURATION, LOSS_POLARISATION, LOST_AT_RENEWAL, beta_mixing
from clv.models.retention import Retention
from clv.models.shifted_beta_geometric import SBG


@dataclass(frozen=True)
class BdW(Retention):
    """Beta-discrete-Weibull model of retention.

    A customer outlasts k renewals with probability (1 − θ)^(k^c), θ ~ Beta(gamma, delta): its own risk
    rises with time where c > 1, falls where c < 1, and is that of the sBG at c = 1.
    """

    gamma: Positive
    delta: Positive
    c: Positive
    quantities: ClassVar = (LOST_AT_RENEWAL, LOSS_POLARISATION, DURATION)

    @classmethod
    def by_quantities(cls, lost: Any, polarised: Any, power: Any) -> Sequence[Any]:
        """Return the parameters; the first two are odds."""
        return *beta_mixing(lost, polarised), power

    @classmethod
    def start(cls, history: RetentionHistory) -> Sequence[float]:
        """Start from an sBG."""
        return *SBG.start(history), 1.0

    def _clock(self, k: Array) -> Array:
        return np.asarray(k**self.c)

    def _clock_slopes(self, k: Array) -> tuple[Array, ...]:
        return (self._clock(k) * np.log(np.maximum(k, 1e-300)),)

    def _first_after(self, c: Array) -> Array:
        return np.ceil(c ** (1 / np.asarray(self.c)))

    def _power(self) -> Parameter:
        return self.c
