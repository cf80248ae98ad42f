"""What every model is: a frozen set of parameters that broadcast; and what it refuses to be asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from clv.errors import ConfigError
from clv.models.protocols import Array, Parameter, parameter_names


class Parametric:
    """Parameters by name and in order; ConfigError C012 for single ones that are not above 0."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if (isinstance(value, float) or np.ndim(value) == 0) and not value > 0:
                raise ConfigError(
                    f"C012 {name} of {type(self).__name__} must be above 0; got {value!r}. All "
                    "parameters are shapes and scales."
                )

    def log_likelihood(self, h: Any) -> Array:
        """Log-likelihood of each history."""
        raise NotImplementedError

    def score(self, h: Any) -> Array:
        """Return the derivatives of the log-likelihood in all parameters, (parameters, …, histories)."""
        return self.log_likelihood_and_score(h)[1]

    def log_likelihood_and_score(self, h: Any) -> tuple[Array, Array]:
        """Return both, where they share work for less than each alone; a model gives this or `score`."""
        return self.log_likelihood(h), self.score(h)

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in parameter_names(type(self)))

    def _with(self, parameters: Sequence[Parameter]) -> Self:
        """Return the same model with other parameters, in order."""
        return dataclasses.replace(
            self,  # type: ignore[type-var]
            **dict(zip(parameter_names(type(self)), parameters, strict=True)),
        )


def refuse_below(least: float, **values: Parameter) -> None:
    """ConfigError C012 for what is asked with a value below `least`, or with none at all."""
    for name, value in values.items():
        if not np.all(np.asarray(value) >= least):
            raise ConfigError(f"C012 {name} must be {least:g} or more; got {value!r}.")


def refuse_share(share: Parameter) -> None:
    """ConfigError C012 for a probability that is not between 0 and 1."""
    if not np.all((np.asarray(share) > 0) & (np.asarray(share) < 1)):
        raise ConfigError(f"C012 share must lie between 0 and 1; got {share!r}.")
