"""Customers who buy once a year at most, such as donors or members: BG/BB on yearly opportunities.

Models in continuous time take purchases for random in it; where a year has one occasion to buy, they miss
what the next year brings to those who took it every time.

[FHS10] in `models.bg_bb`.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any, Literal

from clv.data.engines import fetch
from clv.data.opportunities import Opportunities
from clv.data.periods import Period
from clv.data.rfm import RFM
from clv.evaluation.contenders import Contender
from clv.fitting.inference import Inference
from clv.models.bg_bb import BGBB
from clv.models.histories import OpportunityHistory
from clv.units import DAYS_PER_YEAR, measured

NAME = "BGBB, yearly"
YEAR = "1y"
TWICE = 0.02  # of years with a purchase, up to which a second one in them is an exception
_ENOUGH = 100  # years with a repeat purchase, from which the share says something


@dataclasses.dataclass(frozen=True, eq=False)
class Yearly:
    """The purchase days of a base by year, counted back from its as-of date.

    `years` have a repeat purchase: of these, a share of `twice` has more than one, and each `purchases` on
    average.
    """

    rfm: RFM

    @cached_property
    def _counted(self) -> tuple[float, float, float]:
        """Years with a repeat purchase, those with more than one, and purchases in them."""
        rfm = self.rfm
        days = rfm.purchase_days
        back = Period.of(YEAR).before(days.day, rfm.as_of)
        years = days.group_by("customer_id", back=back).aggregate(purchases=days.count())
        latest = years.group_by("customer_id").aggregate(first=years.back.max())
        later = years.inner_join(latest, "customer_id").filter(lambda t: t.back < t["first"])
        found = later.aggregate(
            years=later.count(), twice=(later.purchases > 1).sum(), purchases=later.purchases.sum()
        )
        row = fetch(found).to_pylist()[0]
        return float(row["years"]), float(row["twice"] or 0), float(row["purchases"] or 0)

    @property
    def years(self) -> float:
        """Years with a purchase, of all customers, without the year of the first."""
        return self._counted[0]

    @property
    def twice(self) -> float:
        """Share of them with more than one."""
        return self._counted[1] / self.years if self.years else 1.0

    @property
    def purchases(self) -> float:
        """Mean purchases of one."""
        return self._counted[2] / self.years if self.years else 1.0

    @property
    def one_a_year(self) -> bool:
        """Whether a year is one occasion to buy, by rule."""
        return self.years >= _ENOUGH and self.twice <= TWICE

    @property
    def sentence(self) -> str:
        """What was found, and what to do."""
        return (
            f"Timing: of {self.years:,.0f} years with a customer's repeat purchase {measured(self.twice)} "
            'have a second: a year is one occasion to buy. Fit clv.BGBB to orders.opportunities("1y"), and '
            'back-test it with horizon="12m".'
        )

    def contender(self, first: Contender, inference: Inference, days: int) -> Contender:
        """Return BG/BB as a contender, at the mean spends of `first`; raises FitError.

        It has no draws, and so no bands.
        """
        seen = Opportunities.of_days(self.rfm.purchase_days, self.rfm.as_of, YEAR)
        method: Literal["mle", "map"] = "mle" if inference.method == "mle" else "map"
        fit = dataclasses.replace(inference, method=method).fit(BGBB, seen)
        model: Any = fit.model
        table = fetch(seen.table.order_by("customer_id"))
        h = OpportunityHistory(*(table[name].to_numpy().astype(float) for name in ("x", "t_x", "n")))
        ahead = float(whole_years(days))
        purchases = self.purchases * model.expected_purchases(h, ahead)
        value = purchases * first.value / first.purchases
        return Contender(NAME, purchases, value, len(fit.parameters), model.p_purchase(h, ahead))


def whole_years(days: int) -> int:
    """How many years so many days are; 0 where they are no whole years."""
    years = round(days / DAYS_PER_YEAR)
    return years if abs(days - years * DAYS_PER_YEAR) <= 1 else 0
