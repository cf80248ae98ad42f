"""The rungs between formula 1 and the model: one value for every set of steps that are taken.

Each step is a switch of a quantity that can be computed by hand, so that steps may be taken in any order.
With AOV, n orders a customer, their mean age L, the horizon H, margin m and a discount δ a day:

| step          | before                                  | after                                           |
|---------------|-----------------------------------------|-------------------------------------------------|
| `cac_in_full` | m·CAC is charged                        | CAC is charged                                  |
| `before_cac`  | CAC is charged                          | no CAC is charged                               |
| `horizon`     | orders are counted over L               | over H                                          |
| `discounting` | orders count in full                    | a repeat order after τ days counts e^(−δτ)      |
| `churn`       | n − 1 repeat orders come evenly over L, | customers leave at a constant rate κ, the       |
|               | and none after it                       | formula's churn; while there they order so      |
|               |                                         | often that n − 1 repeat orders come within L    |
| `mixed`       | all customers are this average one      | each has its own rate and its own dropout: the  |
|               |                                         | repeat orders of the purchase model at its mode |
| `spend`       | every order is worth AOV                | a first order its own mean, later ones what the |
|               |                                         | spend model expects at its mode                 |
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from clv.forecasting import simple

STEPS = ("cac_in_full", "before_cac", "horizon", "discounting", "churn", "mixed", "spend")
_SURE = 1 - 1e-12  # churn at most: who leaves at once has no rate


@dataclass(frozen=True)
class Rungs:
    """One segment's new customer, as formula 1 and as the model see it.

    `lifetime` and `horizon` are in days, `churn` is a rate a day, `discount` continuous a day. `repeats(days,
    discount)` are the model's repeat orders, `first` is the mean of first orders and `each` that of later
    ones.
    """

    aov: float
    orders: float
    lifetime: float
    cac: float
    margin: float
    churn: float
    horizon: float
    discount: float
    repeats: Callable[[float, float], float]
    first: float
    each: float

    def value(self, taken: Collection[str]) -> float:
        """Value of a new customer with these steps taken; CAC that is not known is not charged."""
        repeats = self._repeats(taken)
        if "spend" in taken:
            gross = self.margin * (self.first + self.each * repeats)
        else:
            gross = simple.per_customer(self.aov, 1 + repeats, 0.0, self.margin)
        return float(gross - (0.0 if np.isnan(self.cac) else self._charged(taken)))

    def amounts(self, order: Collection[str] = STEPS) -> dict[str, float]:
        """What each step adds when they are taken in this order; NaN for those of a CAC not known."""
        taken = [tuple(order)[:count] for count in range(len(order) + 1)]
        found = {to[-1]: self.value(to) - self.value(one) for one, to in pairwise(taken)}
        if np.isnan(self.cac):
            found |= dict.fromkeys(("cac_in_full", "before_cac"), float("nan"))
        return found

    def _charged(self, taken: Collection[str]) -> float:
        """The formula's charge, and what the steps change of it: the same in any order."""
        quoted = -simple.per_customer(0.0, 0.0, self.cac, self.margin)
        full = -simple.per_customer_contribution(0.0, 0.0, self.cac, self.margin)
        return float(quoted + (full - quoted) * ("cac_in_full" in taken) - full * ("before_cac" in taken))

    def _repeats(self, taken: Collection[str]) -> float:
        """Repeat orders, discounted where that step is taken."""
        days = self.horizon if "horizon" in taken else self.lifetime
        discount = self.discount if "discounting" in taken else 0.0
        if "mixed" in taken:
            return self.repeats(days, discount)
        if self.lifetime == 0:  # nobody has had the time to order again
            return 0.0
        churn = self.churn if "churn" in taken else 0.0
        lasts = days if "churn" in taken else min(days, self.lifetime)
        return (self.orders - 1) * present(churn + discount, lasts) / present(churn, self.lifetime)


def present(rate: float, days: float) -> float:
    """∫ e^(−rate·τ) dτ over so many days."""
    return float(-np.expm1(-rate * days) / rate) if rate else days


def daily_churn(share: float, period_days: float) -> float:
    """Rate of leaving a day of a churn per period; 0 where nobody was seen to leave."""
    return 0.0 if np.isnan(share) else float(-np.log1p(-min(share, _SURE)) / period_days)
