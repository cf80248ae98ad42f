"""What fitting and forecasting may ask of a model and of data: shapes, not classes to inherit from.

A model is a frozen dataclass whose fields are its parameters. A parameter's type says what an
optimiser must respect: `Positive` for a pure number, `Scale` for a number in the history's own unit
(time or money), so that a fit can work in a unit of its own and convert back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Protocol, Self, get_type_hints

import numpy as np
from numpy.typing import NDArray

NEGLIGIBLE = 40.0  # e^(−40) of anything is left out
FAR = 1e12  # a parameter so large that nothing differs from its limit any more

type Array = NDArray[np.float64]
type Parameter = float | Array
# What customers have in common, the parameters that it leaves without a meaning, and the simpler model.
type Limits = Iterator[tuple[str, tuple[str, ...], Any]]

Positive = Annotated[Parameter, "positive"]
"""A positive number without a unit."""

Scale = Annotated[Parameter, "scale"]
"""A positive number in the unit of the history: time for purchase models, money for spend models."""

Rate = Annotated[Parameter, "rate"]
"""A positive number per unit of the history."""

Count = Annotated[int, "count"]
"""A whole number, 1 or more, that is given and not estimated."""


class History(Protocol):
    """Distinct histories with the number of customers who share each."""

    weight: Array
    nobody: ClassVar[str]  # what to say where there are no customers

    def typical(self) -> float:
        """Return a typical size of the measured quantity, in the history's unit."""
        ...

    def rescaled(self, size: float) -> Self:
        """Return the same histories measured in multiples of `size`."""
        ...

    def moments(self) -> dict[str, float]:
        """Return what must be above zero for a fit to mean anything, by what is wrong otherwise."""
        ...


class HistorySource(Protocol):
    """Anything that can hand over histories: an RFM table, or a history itself."""

    def history[H](self, kind: type[H], by: Sequence[str] = ()) -> H:
        """Return the distinct histories of one kind."""
        ...


class Model(Protocol):
    """What a fit needs of any model."""

    History: ClassVar[type[Any]]
    quantities: ClassVar[tuple[Any, ...]]

    @classmethod
    def by_quantities(cls, *quantities: Any, **given: Any) -> Sequence[Any]:
        """Return the parameters that follow from `quantities`, in a unit in which the data are 1."""
        ...

    def __init__(self, *parameters: Parameter, **named: Parameter) -> None: ...

    @classmethod
    def start(cls, history: Any) -> Sequence[float]:
        """Return starting values for the parameters, in order."""
        ...

    def limits(self) -> Limits:
        """Give the simpler models at the ends of ridges of the likelihood, the simplest first."""
        ...

    def log_likelihood(self, h: Any) -> Array:
        """Log-likelihood of each history."""
        ...

    def score(self, h: Any) -> Array:
        """Return the derivatives of the log-likelihood, (parameters, …, histories)."""
        ...

    def log_likelihood_and_score(self, h: Any) -> tuple[Array, Array]:
        """Return both, for less than each alone."""
        ...


class PurchaseModel(Model, Protocol):
    """A model of repeat purchases; times are in the history's unit."""

    def p_alive(self, h: Any) -> Array:
        """Probability that a customer is still active at T."""
        ...

    def p_stages(self, h: Any) -> Array:
        """Probabilities of being active at T in each stage of waiting, (stages, …, histories)."""
        ...

    def future(self, rng: np.random.Generator, x: float, T: float, stage: int, shape: Any) -> Any:
        """Draw what customers alive at T will do: a `simulation.Future`."""
        ...

    def p_purchase(self, h: Any, t: float, start: float = 0.0) -> Array:
        """Probability of at least one purchase in (T + start, T + t]."""
        ...

    def expected_purchases(self, h: Any, t: float) -> Array:
        """Purchases expected in (T, T + t]."""
        ...

    def purchase_pmf(self, h: Any, t: float, n: int) -> Array:
        """Probability of exactly n purchases in (T, T + t]."""
        ...

    def discounted_purchases(self, h: Any, rate: float, t: float) -> Array:
        """Purchases expected in (T, T + t], discounted to T at a continuous rate per time unit."""
        ...


class SpendModel(Model, Protocol):
    """A model of the value of a purchase, linear in a customer's total repeat spend."""

    def expected_spend_terms(self, x: Array) -> tuple[Array, Array]:
        """Return (e0, e1): a customer with x spend days of total value S expects e0 + e1·S a purchase."""
        ...


@cache
def parameter_kinds(model: type) -> dict[str, str]:
    """Return "positive", "scale" or "rate" by parameter that can be estimated, in the authors' order."""
    hints = get_type_hints(model, include_extras=True)
    kinds = {f.name: hints[f.name].__metadata__[0] for f in dataclasses.fields(model)}
    return {name: kind for name, kind in kinds.items() if kind != "count"}


def parameter_names(model: type) -> tuple[str, ...]:
    """Return the names of the parameters that can be estimated, in the authors' order."""
    return _names(model)


@cache
def _names(model: type) -> tuple[str, ...]:
    return tuple(parameter_kinds(model))
