"""What each contender forecasts for the customers of an origin, and how good that was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import methodcaller
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clv.data.engines import fetch
from clv.data.rfm import RFM
from clv.evaluation import baselines
from clv.evaluation.inputs import formula_inputs
from clv.evaluation.origins import Window
from clv.fitting.result import Fit
from clv.forecasting import simple
from clv.forecasting.customers import KEYS, forecast
from clv.forecasting.economics import Churn
from clv.forecasting.stream import Base
from clv.forecasting.value import value_terms
from clv.models.draws import evenly, mean_over_draws
from clv.models.gathering import distinct
from clv.models.protocols import Array

BLEND, CALIBRATED = "Equal blend", ", calibrated"
_CURVE = 25  # draws that the way of a forecast through its window is taken over


@dataclass(frozen=True, eq=False)
class Customers:
    """The customers of a base in the order of their ids, as columns; money in currency units.

    `spent_total` is what the spend model goes by, on `spent_days`. `rows` are the distinct histories, with
    how many `customers` share each, and `row` the place of each customer's.
    """

    columns: Mapping[str, Array]

    @classmethod
    def of(cls, rfm: RFM, *, first_orders: bool = False) -> Customers:
        """Fetch them from the engine, their spend of all orders or of repeat ones."""
        names = [*KEYS, "spent_total", "repeat_spend", "first_amount"]
        names += [name for name in ("actual_purchases", "actual_spend") if name in rfm.table.columns]
        table = fetch(rfm.spent(rfm.table, first_orders).order_by("customer_id").select(*names))
        found = {name: table[name].to_numpy().astype(float) for name in names}
        for name in {"spent_total", "repeat_spend", "first_amount", "actual_spend"} & set(names):
            found[name] /= 10.0**rfm.digits
        return cls(found)

    def __len__(self) -> int:
        return len(self.columns["T"])

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def some(self, most: int) -> Customers:
        """Return `most` of them at most, evenly taken."""
        places = np.linspace(0, len(self) - 1, min(most, len(self))).astype(int)
        return Customers({name: column[places] for name, column in self.columns.items()})

    @cached_property
    def _distinct(self) -> tuple[tuple[Array, ...], NDArray[np.intp]]:
        return distinct(*(self[name] for name in KEYS))

    @property
    def row(self) -> NDArray[np.intp]:
        """Place of each customer's history in `rows`."""
        return self._distinct[1]

    @cached_property
    def rows(self) -> dict[str, Any]:
        """Columns of the distinct histories."""
        values, inverse = self._distinct
        return {**dict(zip(KEYS, values, strict=True)), "customers": self.over_rows(np.ones(len(inverse)))}

    def over_rows(self, values: Array) -> Array:
        """Sum values over the customers of each history."""
        return np.bincount(self.row, values, minlength=len(self._distinct[0][0]))


@dataclass(frozen=True, eq=False)
class Contender:
    """A forecast for every customer; `numbers` is how many a model had to estimate.

    A model has the probability of a purchase, and `bases` whose futures say how sure it is: one, or those of
    a blend, which count alike. `level` has multiplied its value.
    """

    name: str
    purchases: Array
    value: Array
    numbers: int = 0
    p_purchase: Array | None = None
    bases: tuple[Fitted, ...] = ()
    level: float = 1.0

    def calibrated(self, level: float) -> Contender:
        """Return the same with its value at another level."""
        name = self.name + CALIBRATED
        return Contender(
            name, self.purchases, level * self.value, self.numbers + 1, self.p_purchase, self.bases, level
        )


@dataclass(frozen=True, eq=False)
class Fitted:
    """Fits at a cut, what they say of any customers of the base, and the time ahead of them."""

    purchase: Fit
    spend: Fit
    rfm: RFM
    days: int

    @property
    def t(self) -> float:
        """Length of the window in time units of the purchase model."""
        return self.days / self.purchase.unit

    def base(self, customers: Customers) -> Base:
        """Return the histories of some customers with the models; raises FitError for fits of no use."""
        length = f"{self.days}d"
        ahead = forecast(
            self.purchase, self.spend, self.rfm, length, margin=1.0, discount=0.0, allow_extrapolation=True
        )
        return ahead.streamed(customers.rows)

    def expected(self, customers: Customers) -> tuple[Array, Array, Array]:
        """Purchases, value, and the probability of a purchase of each customer."""
        b = self.base(customers)
        terms = value_terms(
            b.purchase,
            b.spend,
            b.history,
            b.spend_days,
            t=self.t,
            rate=0.0,
            paid_share=b.paid_share,
        )
        row = customers.row
        value = terms.c0[row] + terms.c1[row] * customers["spent_total"]
        return terms.expected_purchases[row], value, terms.p_purchase[row]

    def contender(self, name: str, customers: Customers) -> Contender:
        """Return the model as a contender."""
        purchases, value, p = self.expected(customers)
        numbers = len(self.purchase.parameters) + len(self.purchase.held)
        return Contender(name, purchases, value, numbers, p, (self,))

    def curve(self, customers: Customers, window: Window) -> Array:
        """Shares of the window's purchases and value that come up to the end of each step, (2, steps)."""
        b, n = self.base(customers), customers.rows["customers"]
        S = customers.over_rows(customers["spent_total"])
        model = evenly(b.purchase, _CURVE)
        e0, e1 = mean_over_draws(b.spend, len(n), lambda m: np.stack(m.expected_spend_terms(b.spend_days)))
        found = []
        for end in window.steps:
            t = (end - window.cut).days / self.purchase.unit
            expected = mean_over_draws(model, len(n), methodcaller("expected_purchases", b.history, t))
            found.append((expected @ n, expected @ (e0 * n + e1 * S)))
        sums = np.array(found).T
        return sums / sums[:, -1:]


def blended(parts: Sequence[Contender]) -> Contender:
    """Return the mean of models, as a contender."""

    def mean(columns: Sequence[Any]) -> Array:
        return np.asarray(np.mean(np.stack(columns), axis=0))

    return Contender(
        BLEND,
        mean([c.purchases for c in parts]),
        mean([c.value for c in parts]),
        sum(c.numbers for c in parts),
        mean([c.p_purchase for c in parts]),
        tuple(base for c in parts for base in c.bases),
    )


def simple_contenders(rfm: RFM, customers: Customers, churn: Churn, days: int) -> Iterator[Contender]:
    """Yield the baselines, the simplest first, and the forecast of nothing."""
    n, x, age = len(customers), customers["frequency"], customers["T"]
    first = fetch(rfm.table.aggregate(day=rfm.table.first_date.min())).to_pylist()[0]["day"]
    inputs = formula_inputs(rfm, churn, days).iloc[0]
    calendar = (rfm.as_of - first).days + 1
    columns = []
    for money in (False, True):
        made = customers["repeat_spend"] + np.maximum(customers["first_amount"], 0) if money else x + 1
        found = baselines.alike(inputs, churn, days, calendar, money=money)
        each = {name: np.full(n, total / n) for name, total in found.items()}
        each[baselines.OWN] = simple.own_rate(x, np.maximum(age, 1), made, days)
        old = np.maximum(age, simple.CUSTOMER_MIN_DAYS)
        each[baselines.OWN_WITH_FIRST] = simple.own_rate_with_first(old, made, days)
        columns.append(each)
    for name in baselines.BASELINES:
        if np.isfinite(columns[1][name]).all():  # formula 2 is not, where nobody was lost
            yield Contender(name, columns[0][name], columns[1][name])
    yield Contender(baselines.ZERO, np.zeros(n), np.zeros(n))
