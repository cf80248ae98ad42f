"""What a lever moves in the model: five factors, and one way to turn them for every purchase model.

Histories stay as they were, and so does the probability of being alive: levers move what comes after. With

    D(rate, t)  the discounted purchases of the next t, at a continuous discount `rate`,

the same customers bring (k/c)·D(rate/c, c·t) when they buy k times as often while they are customers, and
leave c times as fast. For let time after today run c times as fast: then both buying and leaving do, and
discount and horizon have to be stretched to match; divided by c, buying is as before. In a model where
customers leave at a purchase, each leaves with c times its probability; in one where they leave in time, at c
times its rate. So "frequency" changes orders a year at the same retention, and "churn" the retention at the
same orders a year.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from clv.forecasting.condensing import Condensed
from clv.forecasting.customers import Forecast
from clv.forecasting.lines import MOST, enough, stretched
from clv.forecasting.stream import Base, Block, over_blocks
from clv.forecasting.value import new_customer_value
from clv.models.draws import evenly, mean_over_draws
from clv.models.protocols import Array
from clv.planning.prospects import Compared, Prospect, part_of
from clv.planning.staying import Staying
from clv.units import DAYS_PER_YEAR

LEVERS = {
    "order_value": "the value of every order to come",
    "frequency": "orders a year while a customer, at the same retention; a first order stays one",
    "margin": "contribution per unit of revenue",
    "churn": "how fast customers leave, at the same orders a year while they stay",
    "cac": "what a customer costs to acquire",
}


WEAK = (
    "Who is still a customer is not seen: models that forecast alike put retention at different levels, and "
    "points of it are worth more in one than in another. Compare models before much is spent on it."
)
_SOME = 25  # draws that the effect of a pace is taken over, as a ratio


@dataclass(frozen=True, eq=False)
class Existing:
    """Existing customers of a segment by distinct history: how many there are, and their spend so far.

    `today` is the contribution that the forecast expects of them.
    """

    forecast: Forecast
    base: Base
    customers: Array
    spent: Array
    today: float

    @classmethod
    def of(cls, forecast: Forecast, comparison: Compared, segment: str) -> Existing:
        """Count the customers of a segment; their fits are those of the whole base."""
        part = part_of(forecast.base, comparison, segment)
        table = forecast.spent(part.table)
        sums = {"spent_total": table.spent_total.sum(), "clv": table.clv_mean.sum()}
        rows = dataclasses.replace(part, table=table).grouped(forecast.keys, **sums)
        spent, today = rows["spent_total"] / 10.0**part.digits, float(rows["clv"].sum())
        return cls(forecast, forecast.streamed(rows), rows["customers"].astype(float), spent, today)

    def value(self, pace: float = 1.0) -> float:
        """Contribution of the horizon, discounted, when they leave at `pace` times the speed."""
        if pace == 1:
            return self.today
        few, today = self._few
        return self.today * self._revenue(few, pace) / today if today else self.today

    @cached_property
    def _few(self) -> tuple[Any, float]:
        """A few of the draws, and the revenue that they expect."""
        few = evenly(self._nodes.base.purchase, _SOME)
        return few, self._revenue(few, 1.0)

    def _revenue(self, purchase: Any, pace: float) -> float:
        history, forecast = self._nodes.base.history, self.forecast
        made = mean_over_draws(purchase, len(history), lambda m: _at_pace(m, history, forecast, pace))
        return float(made @ self._worth)

    def drawn(self, pace: float = 1.0) -> Array:
        """The same in each draw of the parameters."""
        nodes, forecast = self._nodes.base, self.forecast
        base, (customers, spent) = nodes.paired(enough(len(nodes.history))), self._standing

        def of_block(block: Block) -> Array:
            at = block.rows
            e0, e1 = block.spend.expected_spend_terms(base.spend_days[at])
            worth = base.paid_share * (e0 * customers[at] + e1 * spent[at])
            made = np.atleast_2d(_at_pace(block.purchase, block.history, forecast, pace) * worth)
            return np.asarray(made.sum(axis=-1), dtype=float)

        draws = forecast.draws
        total = stretched(np.sum(list(over_blocks(base, of_block, most=MOST)), axis=0), draws)
        return np.asarray(forecast.levels.drawn(draws) * forecast.margins.drawn("", draws) * total)

    @cached_property
    def staying(self) -> Staying:
        """When they leave."""
        return Staying.of(self.base, self.customers, DAYS_PER_YEAR / self.forecast.purchase.unit)

    @cached_property
    def _nodes(self) -> Condensed:
        """A few histories with the same sums."""
        line = np.zeros(len(self.customers), dtype=np.intp)
        return Condensed.of(self.base, line, (self.customers, self.spent))

    @cached_property
    def _standing(self) -> tuple[Array, Array]:
        """Customers and their spend at each node."""
        customers, spent = (values.toarray()[0] for values in self._nodes.sums)
        return customers, spent

    @cached_property
    def _worth(self) -> Array:
        """Value expected of one purchase of each customer, summed by node."""
        base, (customers, spent) = self._nodes.base, self._standing
        e0, e1 = mean_over_draws(
            base.spend,
            len(customers),
            lambda m: np.stack(np.broadcast_arrays(*m.expected_spend_terms(base.spend_days))),
        )
        return np.asarray(base.paid_share * (e0 * customers + e1 * spent), dtype=float)


@dataclass(frozen=True, eq=False)
class Newcomer:
    """A just-acquired customer of a segment."""

    prospect: Prospect

    @cached_property
    def first(self) -> float:
        """Contribution of its first order."""
        forecast = self.prospect.forecast
        return forecast.level * forecast.margin * forecast.rfm.first_order

    def later(self, pace: float = 1.0) -> float:
        """Contribution of later orders in the horizon, discounted, when it leaves at that pace."""
        f = self.prospect.forecast
        value = new_customer_value(
            f.purchase.model,
            f.spend.model,
            f.rfm.first_order,
            t=pace * f.t,
            rate=f.rate / pace,
            margin=f.margin,
            paid_share=f.rfm.paid_share,
            telling=f.rfm.first_paid if f.told else 0.0,
        )
        return (f.level * value - self.first) / pace

    @cached_property
    def staying(self) -> Staying:
        """When it leaves."""
        prospect = self.prospect
        return Staying.of(prospect.base, np.ones(1), DAYS_PER_YEAR / prospect.forecast.purchase.unit)


def _at_pace(model: Any, history: Any, forecast: Forecast, pace: float) -> Array:
    """Discounted purchases of the horizon, when customers leave at `pace` times the speed."""
    made = model.discounted_purchases(history, forecast.rate / pace, pace * forecast.t)
    return np.asarray(made / pace)
