"""What we believe about customers: frozen parameters, and formulas that broadcast them."""

from clv.models.bg_nbd import BGNBD
from clv.models.gamma_gamma import GammaGamma
from clv.models.histories import PurchaseHistory, SpendHistory

MODELS = (BGNBD, GammaGamma)

__all__ = ["BGNBD", "MODELS", "GammaGamma", "PurchaseHistory", "SpendHistory"]
