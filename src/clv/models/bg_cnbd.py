"""BG/CNBD: the BG/NBD for customers who buy at more regular intervals than chance.

[PR16] Platzer & Reutterer (2016), Marketing Science 35(5). [RPS21] Reutterer, Platzer & Schröder (2021),
Leveraging Purchase Regularity for Predicting Customer Behavior the Easy Way, IJRM 38(2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clv.models.bg_nbd import BGNBD
from clv.models.histories import GapHistory
from clv.models.protocols import Count, Positive, Scale
from clv.models.regular_timing import RegularDropoutAtPurchase
from clv.models.repeat_purchases import gamma_start


@dataclass(frozen=True)
class BGCNBD(RegularDropoutAtPurchase):
    """BG/CNBD-k model of repeat purchases.

    While alive a customer buys at every k-th event of a Poisson process with rate λ ~ Gamma(r, alpha);
    after each repeat purchase it leaves for good with a probability p ~ Beta(a, b). `alpha` is
    in the time unit of the history. `k` is given: 1 is the BG/NBD, and larger is more regular.
    """

    r: Positive
    alpha: Scale
    a: Positive
    b: Positive
    k: Count = 2
    _random = BGNBD

    @classmethod
    def start(cls, history: GapHistory) -> Sequence[float]:
        """Start from the BG/NBD's start, with twice its events."""
        r, alpha = gamma_start(history)
        return 2 * r, alpha, 0.5, 2.0
