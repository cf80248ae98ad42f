"""sBG: contracts lost at each renewal with a probability that differs between customers.

[FH07] Fader & Hardie (2007), How to Project Customer Retention, J. of Interactive Marketing 21(1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clv.models.histories import RetentionHistory
from clv.models.protocols import Array, Parameter, Positive
from clv.models.quantities import LOSS_POLARISATION, LOST_AT_RENEWAL, beta_mixing
from clv.models.retention import Retention


@dataclass(frozen=True)
class SBG(Retention):
    """Shifted beta-geometric model of retention.

    At each renewal a customer leaves with the same probability θ ~ Beta(alpha, beta) of its own; the
    retention rate of a cohort rises because those who leave easily have left.
    """

    alpha: Positive
    beta: Positive
    quantities: ClassVar = (LOST_AT_RENEWAL, LOSS_POLARISATION)

    @classmethod
    def by_quantities(cls, lost: Any, polarised: Any) -> Sequence[Any]:
        """Return the parameters; both are odds."""
        return beta_mixing(lost, polarised)

    @classmethod
    def start(cls, history: RetentionHistory) -> Sequence[float]:
        """Start from the share lost a renewal."""
        lost = float((history.weight * history.churned).sum() / (history.weight * history.age).sum())
        return 2 * lost, 2 * (1 - lost) + 1e-3

    def _clock(self, k: Array) -> Array:
        return k

    def _clock_slopes(self, k: Array) -> tuple[Array, ...]:
        return ()

    def _first_after(self, c: Array) -> Array:
        return np.ceil(c)

    def _power(self) -> Parameter:
        return 1.0
