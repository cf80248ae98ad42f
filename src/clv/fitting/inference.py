"""How fits are made, where several have to be made alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from clv.errors import ConfigError
from clv.fitting.fit import fit
from clv.fitting.priors import Priors, Ranges
from clv.fitting.result import Fit
from clv.models.histories import SpendHistory
from clv.models.protocols import HistorySource, Model


@dataclass(frozen=True)
class Inference:
    """A method, a seed for its draws, and ranges for the priors of whichever model knows their names.

    `accept` says that draws which fail a gate are to be used all the same; `held` are given parameters;
    `first_order` is of spend models.
    """

    method: Literal["mle", "map", "laplace", "nuts"] = "mle"
    seed: int = 0
    priors: Ranges = field(default_factory=dict)
    accept: bool = False
    held: Mapping[str, Any] = field(default_factory=dict)
    first_order: Literal["included", "excluded"] | None = None

    def fit(self, model: type[Model], data: HistorySource) -> Fit:
        """Fit a model to data by this method, with those of the priors that it has."""
        options: dict[str, Any] = {
            "method": self.method,
            "seed": self.seed,
            "priors": self.own(model) or None,
        }
        if issubclass(model.History, SpendHistory):
            options["first_order"] = self.first_order
        return fit(model, data, **options, **self.held)

    def own(self, model: type[Model]) -> dict[str, tuple[float, float]]:
        """Return the ranges that a model has a prior for."""
        names = {q.name for q in model.quantities}
        return {name: ends for name, ends in self.priors.items() if name in names}

    def check(self, *models: type[Model]) -> None:
        """Raise ConfigError C012 for priors that none of the models has, or that cannot be meant."""
        known = [q.name for model in models for q in model.quantities]
        wrong = [
            f"C012 priors has no quantity {name!r}. There are {', '.join(known)}."
            for name in self.priors
            if name not in known
        ]
        if self.priors and self.method == "mle":
            wrong.append('C012 priors say nothing to method "mle"; choose "map", "laplace" or "nuts".')
        for model in models:
            try:
                Priors.of(model, self.own(model))
            except ConfigError as error:
                wrong += error.messages
        if wrong:
            raise ConfigError(*wrong)


MAXIMUM_LIKELIHOOD = Inference()


def like(fitted: Fit) -> Inference:
    """Return how a fit was made, for parts of its customers; chains give way to the faster draws."""
    method: Any = {"nuts": "laplace", "lifetimes": "mle"}.get(fitted.method, fitted.method)
    ranges = {} if fitted.priors is None else fitted.priors.ranges
    first_order: Any = fitted.first_order
    return Inference(method, priors=ranges, held=fitted.held, first_order=first_order)


def at_mode(fitted: Fit) -> Inference:
    """Return the same without draws: the mode of the posterior, or the maximum of the likelihood."""
    made = like(fitted)
    return made if made.method == "mle" else replace(made, method="map")
