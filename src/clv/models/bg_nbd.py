"""BG/NBD: purchases at random while alive, dropout only ever right after a repeat purchase.

[FHL05] Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clv.models.dropout_at_purchase import DropoutAtPurchase
from clv.models.histories import PurchaseHistory
from clv.models.protocols import Positive, Scale
from clv.models.repeat_purchases import gamma_start


@dataclass(frozen=True)
class BGNBD(DropoutAtPurchase):
    """Beta-geometric / negative binomial model of repeat purchases.

    While alive a customer buys at a rate λ ~ Gamma(r, alpha); after each repeat purchase it leaves
    for good with a probability p ~ Beta(a, b). `alpha` is in the time unit of the history.
    """

    r: Positive
    alpha: Scale
    a: Positive
    b: Positive

    @classmethod
    def start(cls, history: PurchaseHistory) -> Sequence[float]:
        """Start from the negative binomial's moments, and a mean dropout of one in five."""
        return *gamma_start(history), 0.5, 2.0
