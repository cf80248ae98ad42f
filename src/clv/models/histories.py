"""All that a model may see of a customer, as distinct rows with a weight.

| symbol   | column           | meaning                                  | unit           |
|----------|------------------|------------------------------------------|----------------|
| `x`      | `frequency`      | repeat purchase days                     | count          |
| `t_x`    | `recency`        | age at the last purchase                 | time unit      |
| `T`      | `T` (age)        | first purchase to the as-of date         | time unit      |
| `m`      | `spend_days`     | repeat days with positive value          | count          |
| `S`      | `repeat_spend`   | their total value (mean: S / m)          | currency       |
| `n`      | `n`              | opportunities to buy (then `x` of them   | count          |
|          |                  | were taken, the last was number `t_x`)   |                |
| `age`    | `age`            | renewals faced by a contract             | count          |
| `weight` | `customers`      | customers who share the row              | count          |
| `group`  | a segment column | number of the row's label in `labels`    |                |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from clv.models.gathering import Distinct, by_history, distinct, gather
from clv.models.protocols import Array, Parameter
from clv.models.rows import CountedRows, Rows, counts, refuse, store
from clv.units import DAYS_PER_YEAR, WEEK, days_in


@dataclass(frozen=True)
class PurchaseHistory(Rows):
    """Repeat-purchase histories; `unit` is the number of days in one time unit, a week by default.

    `t_x` and `T` are in that unit; `from_days` takes days.

    Raises DataError D037 and following when a row cannot be a history.
    """

    x: Array
    t_x: Array
    T: Array
    weight: Array = dataclasses.field(default_factory=lambda: np.ones(1))
    unit: float = WEEK

    def __post_init__(self) -> None:
        store(self, "x", "t_x", "T", "weight")
        object.__setattr__(self, "unit", days_in(self.unit))
        x, t_x, T = self.x, self.t_x, self.T
        refuse(
            self,
            (~np.isfinite(x + t_x + T), "D046 frequency, recency and age must be finite numbers"),
            ((x < 0) | (x != np.floor(x)), "D046 frequency must be a whole number, 0 or more"),
            (t_x > T, "D037 recency must not exceed age (recency is age at the last purchase)"),
            ((t_x < 0) | (T < 0), "D046 recency and age must not be negative"),
            ((x > 0) & (t_x == 0), "D046 a repeat purchase needs a recency above 0"),
            ((x == 0) & (t_x > 0), "D039 recency without a repeat purchase: is the first order counted?"),
        )

    @classmethod
    def from_days(
        cls, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, weight: ArrayLike = 1.0, unit: float = WEEK
    ) -> Self:
        """Build histories from times in days, such as the columns of an RFM table."""
        x, t_x, T, weight = (np.asarray(v, dtype=float) for v in (x, t_x, T, weight))
        return cls(x, t_x / unit, T / unit, weight, unit)

    @property
    def measured(self) -> str:
        """The unit in words."""
        known = {1.0: "days", WEEK: "weeks", DAYS_PER_YEAR / 12: "months", DAYS_PER_YEAR: "years"}
        return f"time in {known.get(self.unit) or f'units of {self.unit:g} days'}"

    def typical(self) -> float:
        """Mean age, in time units."""
        return float(np.average(self.T, weights=self.weight)) or 1.0

    def moments(self) -> dict[str, float]:
        """Return what must be above zero for a fit to mean anything, by what is wrong otherwise."""
        return {
            "nobody was observed for any time": float((self.weight * self.T).sum()),
            "nobody bought again": float((self.weight * self.x).sum()),
        }

    def rescaled(self, size: float) -> Self:
        """Return the same histories in a time unit that is `size` times as long."""
        found = dataclasses.replace(self, t_x=self.t_x / size, T=self.T / size, unit=self.unit * size)
        (times,), inverse = self._distinct_t
        # Rows are as distinct in any unit: what was worked out of them stays.
        vars(found).update(_distinct_x=self._distinct_x, _distinct_t=((times / size,), inverse))
        return found

    @property
    def _measured_in(self) -> dict[str, float]:
        return {"t_x": self.unit, "T": self.unit}  # days

    def by_x(self, f: Callable[[Array], Array], *parameters: Parameter) -> Array:
        """Evaluate f on the distinct x and gather; directly when a parameter varies by history."""
        return gather(f, self._distinct_x, (self.x,), parameters)

    def by_t(self, f: Callable[[Array], Array], *parameters: Parameter) -> tuple[Array, Array]:
        """Evaluate f on the distinct times; returns f(t_x), f(T)."""
        if by_history(parameters):
            return f(self.t_x), f(self.T)
        (values,), inverse = self._distinct_t
        found = f(values)
        return found.take(inverse[: len(self)], axis=-1), found.take(inverse[len(self) :], axis=-1)

    def by_state(self, f: Callable[[Array, Array], Array], *parameters: Parameter) -> Array:
        """Evaluate f on the distinct pairs (x, T), which the future of those alive depends on, and gather."""
        return gather(f, self._distinct_state, (self.x, self.T), parameters)

    @cached_property
    def _distinct_x(self) -> Distinct:
        return distinct(self.x)

    @cached_property
    def _distinct_t(self) -> Distinct:
        return distinct(np.concatenate([self.t_x, self.T]), sizes=(self.unit,))

    @cached_property
    def _distinct_state(self) -> Distinct:
        return distinct(self.x, self.T, sizes=(1.0, self.unit))

    @classmethod
    def newcomer(cls) -> Self:
        """One customer who has just made its first purchase."""
        return cls.simulated(*np.zeros((4, 1)))

    @classmethod
    def simulated(cls, x: Array, t_x: Array, T: Array, log_gaps: Array) -> Self:
        """Return histories of this kind from all that a simulation knows of them."""
        return cls(x, t_x, T)


@dataclass(frozen=True)
class GapHistory(PurchaseHistory):
    """Purchase histories that also know how regular the purchases were.

    `log_gaps` is the sum of the natural logs of a customer's gaps between purchases, in time units; where
    customers share a row, the mean of their sums. It is no key: it only shifts the likelihood.
    """

    log_gaps: Array = dataclasses.field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "log_gaps", np.broadcast_to(np.asarray(self.log_gaps, float), self.x.shape))
        refuse(self, (~np.isfinite(self.log_gaps), "D046 log_gaps must be finite numbers"))

    @classmethod
    def simulated(cls, x: Array, t_x: Array, T: Array, log_gaps: Array) -> Self:
        """Return histories of this kind from all that a simulation knows of them."""
        return cls(x, t_x, T, log_gaps=log_gaps)

    def rescaled(self, size: float) -> Self:
        """Return the same histories in a time unit that is `size` times as long."""
        shifted = self.log_gaps - self.x * np.log(size)
        return dataclasses.replace(super().rescaled(size), log_gaps=shifted)


@dataclass(frozen=True)
class SpendHistory(Rows):
    """Repeat spend: m days of positive value that add up to S; `unit` is currency units per 1.0."""

    nobody: ClassVar[str] = "nobody has repeat purchases with a value"

    m: Array
    S: Array
    weight: Array = dataclasses.field(default_factory=lambda: np.ones(1))
    unit: float = 1.0

    def __post_init__(self) -> None:
        store(self, "m", "S", "weight")
        refuse(
            self,
            (~np.isfinite(self.m + self.S), "D046 spend days and repeat spend must be finite numbers"),
            (self.m < 1, "D046 a spend history needs at least one repeat day with positive value"),
            (self.S <= 0, "D046 repeat spend must be above 0"),
        )

    @property
    def measured(self) -> str:
        """The unit in words."""
        return "money in currency units" if self.unit == 1 else f"money in units of {self.unit:g}"

    def typical(self) -> float:
        """Mean value per repeat day, in currency units."""
        return float((self.weight * self.S).sum() / (self.weight * self.m).sum())

    def moments(self) -> dict[str, float]:
        """Return what must be above zero for a fit to mean anything, by what is wrong otherwise."""
        return {}

    def rescaled(self, size: float) -> Self:
        """Return the same histories in a currency unit that is `size` times as large."""
        return dataclasses.replace(self, S=self.S / size, unit=self.unit * size)

    def by_m(self, f: Callable[[Array], Array], *parameters: Parameter) -> Array:
        """Evaluate f on the distinct m and gather; directly when a parameter varies by history."""
        return gather(f, self._distinct_m, (self.m,), parameters)

    @cached_property
    def _distinct_m(self) -> Distinct:
        return distinct(self.m)


@dataclass(frozen=True)
class OpportunityHistory(CountedRows):
    """Discrete opportunities to buy: x of n periods had a purchase, the last of them was number t_x.

    Periods are numbered from 1, after the one with the first purchase; `unit` is the days in a period.
    """

    x: Array
    t_x: Array
    n: Array
    weight: Array = dataclasses.field(default_factory=lambda: np.ones(1))
    unit: float = DAYS_PER_YEAR

    def __post_init__(self) -> None:
        store(self, "x", "t_x", "n", "weight")
        object.__setattr__(self, "unit", days_in(self.unit))
        x, t_x, n = self.x, self.t_x, self.n
        refuse(
            self,
            (~counts(x, t_x, n), "D046 x, t_x and n must be whole numbers, 0 or more"),
            (t_x > n, "D037 t_x must not exceed n (it is the number of the last period with a purchase)"),
            (x > t_x, "D046 x must not exceed t_x: it counts periods with a purchase, not purchases"),
            ((x == 0) & (t_x > 0), "D039 t_x without a repeat purchase: is the first period counted?"),
        )

    @property
    def measured(self) -> str:
        """The unit in words."""
        return f"opportunities of {self.unit:g} days"

    def moments(self) -> dict[str, float]:
        """Return what must be above zero for a fit to mean anything, by what is wrong otherwise."""
        return {
            "nobody took an opportunity to buy again": float((self.weight * self.x).sum()),
            "nobody had an opportunity to buy again": float((self.weight * self.n).sum()),
        }

    @property
    def T(self) -> Array:
        """Time watched, in periods: n."""
        return self.n

    def by_state(self, f: Callable[[Array, Array], Array], *parameters: Parameter) -> Array:
        """Evaluate f on the distinct pairs (x, n), which the future of those alive depends on, and gather."""
        return gather(f, self._distinct_state, (self.x, self.n), parameters)

    @cached_property
    def _distinct_state(self) -> Distinct:
        return distinct(self.x, self.n)

    @classmethod
    def newcomer(cls) -> Self:
        """One customer who has just made its first purchase."""
        return cls(*np.zeros((3, 1)))


@dataclass(frozen=True)
class RetentionHistory(CountedRows):
    """Contracts by age: lost at renewal number `age` where `churned` is 1, still alive after it where 0.

    `unit` is the number of days between two renewals.
    """

    age: Array
    churned: Array
    weight: Array = dataclasses.field(default_factory=lambda: np.ones(1))
    unit: float = DAYS_PER_YEAR

    def __post_init__(self) -> None:
        store(self, "age", "churned", "weight")
        object.__setattr__(self, "unit", days_in(self.unit))
        refuse(
            self,
            (~counts(self.age), "D046 age must be a whole number of renewals, 0 or more"),
            (~np.isin(self.churned, (0, 1)), "D046 churned must be 1 (lost) or 0 (alive)"),
            ((self.age == 0) & (self.churned == 1), "D046 nobody is lost before the first renewal, age 1"),
        )

    @property
    def measured(self) -> str:
        """The unit in words."""
        return f"renewals every {self.unit:g} days"

    def moments(self) -> dict[str, float]:
        """Return what must be above zero for a fit to mean anything, by what is wrong otherwise."""
        return {
            "no contract has come up for renewal": float((self.weight * self.age).sum()),
            "no contract was lost": float((self.weight * self.churned).sum()),
        }
