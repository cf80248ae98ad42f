"""MBG/NBD: the BG/NBD with a chance to leave at the first purchase too, so one-time buyers may be gone.

[BDM07] Batislam, Denizel & Filiztekin (2007), Empirical Validation and Comparison of Models for Customer
Base Analysis, Int. J. of Research in Marketing 24(3), with the erratum of 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clv.models.dropout_at_purchase import DropoutAtPurchase
from clv.models.histories import PurchaseHistory
from clv.models.protocols import Positive, Scale
from clv.models.repeat_purchases import gamma_start


@dataclass(frozen=True)
class MBGNBD(DropoutAtPurchase):
    """Modified beta-geometric / negative binomial model of repeat purchases.

    While alive a customer buys at a rate λ ~ Gamma(r, alpha); after every purchase, the first included,
    it leaves for good with a probability p ~ Beta(a, b). `alpha` is in the time unit of the history.
    """

    r: Positive
    alpha: Scale
    a: Positive
    b: Positive
    _first = 1

    @classmethod
    def start(cls, history: PurchaseHistory) -> Sequence[float]:
        """Start from the negative binomial's moments, and a mean dropout of one in three."""
        return *gamma_start(history), 1.0, 2.0
