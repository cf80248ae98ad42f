"""What a purchase model and a spend model say of each distinct history, and of a new customer.

Spend enters as c0 + c1·S: under Gamma-Gamma the expected value of a purchase is linear in the
customer's total repeat spend S, so two numbers a history serve every customer who shares it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clv.data.rfm import RFM
from clv.errors import ConfigError, FitError
from clv.fitting.result import Fit
from clv.models.draws import mean_over_draws
from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array, PurchaseModel, SpendModel
from clv.units import daily_discount, horizon_days


@dataclass(frozen=True)
class ValueTerms:
    """Per history: probabilities, purchases in the horizon, and the terms of spend (e) and revenue (c)."""

    p_alive: Array
    p_purchase: Array
    expected_purchases: Array
    e0: Array
    e1: Array
    c0: Array
    c1: Array


def value_terms(
    purchase: PurchaseModel,
    spend: SpendModel,
    h: PurchaseHistory,
    spend_days: Array,
    *,
    t: float,
    rate: float,
    paid_share: float = 1.0,
) -> ValueTerms:
    """Evaluate both models on distinct histories; `t` and `rate` are in the history's time unit.

    `paid_share` of the purchases bring money: the spend model knows those only. Of parameters that are draws
    the means count; the two models' draws have nothing to do with each other.
    """
    e0, e1 = (paid_share * e for e in finite_spend(spend, spend_days))

    def mean(f: Callable[[PurchaseModel], Array]) -> Array:
        return mean_over_draws(purchase, len(h.x), f)

    discounted = mean(lambda m: m.discounted_purchases(h, rate, t))
    return ValueTerms(
        p_alive=mean(lambda m: m.p_alive(h)),
        p_purchase=mean(lambda m: m.p_purchase(h, t)),
        expected_purchases=mean(lambda m: m.expected_purchases(h, t)),
        e0=e0,
        e1=e1,
        c0=discounted * e0,
        c1=discounted * e1,
    )


def new_customer_value(
    purchase: PurchaseModel,
    spend: SpendModel,
    first_order: float,
    *,
    t: float,
    rate: float,
    margin: float,
    paid_share: float = 1.0,
    telling: float = 0.0,
) -> float:
    """Value of a just-acquired customer over (0, t], its first order included, before acquisition cost.

    `first_order` is the mean value of a first order; `telling` the share of customers whose first order the
    spend model takes as saying what later ones bring.
    """
    e0, e1 = finite_spend(spend, np.array([0.0, 1.0]) if telling < 1 else np.ones(2))
    mean = (1 - telling) * e0[0] + telling * e0[1] + (e1[1] * first_order if telling else 0.0)
    newcomer = PurchaseHistory(np.zeros(1), np.zeros(1), np.zeros(1))
    repeats = mean_over_draws(purchase, 1, lambda m: m.discounted_purchases(newcomer, rate, t))
    return float(margin * (first_order + paid_share * mean * repeats[0]))


def value_of_new(
    purchase: Fit, spend: Fit, rfm: RFM, horizon: str, *, margin: float, discount: float
) -> float:
    """Value of a just-acquired customer over a horizon, before acquisition cost.

    Its first order counts at the mean of the first orders in `rfm`, its repeat orders by the models. Raises
    ConfigError C012 for fits by groups, of which a new customer has none yet.
    """
    if purchase.groups or spend.groups:
        raise ConfigError(
            "C012 the value of a new customer needs fits of all customers together; got one by groups. Use "
            'pooling="complete", or fit the segment it will belong to.'
        )
    return new_customer_value(
        purchase.model,
        spend.model,
        rfm.first_order,
        t=horizon_days(horizon, rfm.as_of) / purchase.unit,
        rate=daily_discount(discount) * purchase.unit,
        margin=margin,
        paid_share=rfm.paid_share,
        telling=rfm.first_paid if spend.first_order == "included" else 0.0,
    )


def finite_spend(spend: SpendModel, spend_days: Array) -> tuple[Array, Array]:
    """Terms of the mean value of a purchase, over draws; FitError M001 where it has none."""
    e0, e1 = mean_over_draws(spend, len(spend_days), lambda m: np.stack(m.expected_spend_terms(spend_days)))
    if not np.all(np.isfinite(e0)):
        raise FitError(
            f"M001 {type(spend).__name__} has no finite mean spend here; got {spend}. A few very large "
            "orders carry the fit: look for test orders or a currency mix in the input."
        )
    return e0, e1
