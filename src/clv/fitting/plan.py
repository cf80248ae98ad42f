"""What a fit is asked to do, checked as a whole before anything is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from clv.errors import ClvError, ConfigError, DataError, FitError
from clv.fitting.priors import Priors, Ranges
from clv.models.histories import SpendHistory
from clv.models.protocols import Model, parameter_names

METHODS = ("mle", "map", "laplace", "nuts")
POOLINGS = ("none", "partial", "complete")


@dataclass(frozen=True)
class Plan:
    """A fit as it was asked for; `held` also has what is never estimated."""

    model: type[Model]
    method: str
    priors: Priors | None
    by: tuple[str, ...]
    pooling: str | None
    seed: int
    draws: int
    chains: int
    held: Mapping[str, Any]
    first_order: str = "excluded"


def planned(
    model: type[Model],
    data: Any,
    method: str,
    priors: Ranges | None,
    by: str | Sequence[str] | None,
    pooling: str | None,
    first_order: str | None,
    seed: int,
    draws: int,
    chains: int,
    held: Mapping[str, Any],
) -> Plan:
    """Return the plan; ConfigError C012 with all that cannot be meant, DataError D047 for no data."""
    if not hasattr(model, "History") or not isinstance(model, type):
        raise ConfigError(f"C012 model must be a class such as clv.BGNBD; got {model!r}.")
    if not hasattr(data, "history"):
        raise DataError(
            f"D047 a fit needs an RFM table or a history; got a {type(data).__name__}. Call orders.rfm() "
            "first."
        )
    names = _names(by)
    grouped = bool(names) or bool(getattr(data, "labels", ()))
    chosen = pooling or ("partial" if grouped else None)
    wrong = [*_wrong_method(method, priors), *_wrong_pooling(method, pooling, chosen, grouped)]
    wrong += _wrong_numbers({"seed": (seed, 0), "draws": (draws, 100), "chains": (chains, 2)})
    wrong += _wrong_held(model, held, method)
    wrong += _wrong_first_order(first_order, model, data)
    ranges = None
    try:
        ranges = None if method == "mle" else Priors.of(model, priors, pooled=chosen == "partial")
    except ClvError as error:
        wrong += error.messages
    if wrong:
        raise ConfigError(*wrong)
    fields = {f.name: f for f in dataclasses.fields(model)}  # type: ignore[arg-type]
    free = parameter_names(model)
    never = {name: f.default for name, f in fields.items() if name not in free}
    kept = never | {name: float(v) if name in free else int(v) for name, v in held.items()}
    known = "included" if _knows_first_orders(model, data) else "excluded"
    return Plan(model, method, ranges, names, chosen, seed, draws, chains, kept, first_order or known)


def source_of(model: type[Any], data: Any, first_order: str | None = None) -> Any:
    """Return where a model's histories come from: with first orders where they count, by default if known."""
    counted = first_order == "included" if first_order else _knows_first_orders(model, data)
    return data.with_first_orders() if counted and hasattr(data, "with_first_orders") else data


def _knows_first_orders(model: type[Any], data: Any) -> bool:
    return issubclass(model.History, SpendHistory) and getattr(data, "knows_first_orders", False)


def _wrong_first_order(first_order: str | None, model: type[Any], data: Any) -> list[str]:
    if first_order not in ("included", "excluded", None):
        return [f'C012 first_order must be "included" or "excluded"; got {first_order!r}.']
    if first_order == "included" and not _knows_first_orders(model, data):
        return [
            "C012 first_order is of spend models and RFM tables that know first orders; got "
            f"{model.__name__} and a {type(data).__name__}. Leave it out."
        ]
    return []


def _wrong_method(method: str, priors: Ranges | None) -> list[str]:
    if method not in METHODS:
        return [f"C012 method must be one of {', '.join(METHODS)}; got {method!r}."]
    if method == "mle" and priors is not None:
        return ['C012 priors say nothing to method="mle"; choose "map", "laplace" or "nuts".']
    return []


def _wrong_pooling(method: str, pooling: str | None, chosen: str | None, grouped: bool) -> list[str]:
    if pooling is not None and pooling not in POOLINGS:
        return [f"C012 pooling must be one of {', '.join(POOLINGS)}; got {pooling!r}."]
    if pooling is not None and not grouped:
        return ['C012 pooling needs groups; give by="channel", or another column of segments.']
    if chosen == "partial" and method not in ("nuts", "map"):
        return [
            f'C012 partial pooling is done by method="nuts", or by "map" without bands; got {method!r}. Else '
            'set pooling="none" or "complete".'
        ]
    return []


def _names(by: Any) -> tuple[str, ...]:
    """Return the columns of groups; ConfigError C012 for anything but different names."""
    names = () if by is None else (by,) if isinstance(by, str) else by
    if not isinstance(names, Sequence) or not all(isinstance(n, str) for n in names):
        raise ConfigError(f"C012 by must be a segment column, or a list of them; got {by!r}.")
    if len(set(names)) < len(names):
        raise ConfigError(f"C012 by must name each column once; got {', '.join(names)}.")
    return tuple(names)


def _wrong_numbers(numbers: Mapping[str, tuple[Any, int]]) -> list[str]:
    return [
        f"C012 {name} must be a whole number, {least} or more; got {value!r}."
        for name, (value, least) in numbers.items()
        if not isinstance(value, Integral) or isinstance(value, bool) or not least <= int(value) < 2**32
    ]


def refuse_unless_whole(least: int, **numbers: Any) -> None:
    """ConfigError C012 for numbers that are not whole, or below `least`."""
    wrong = _wrong_numbers({name: (value, least) for name, value in numbers.items()})
    if wrong:
        raise ConfigError(*wrong)


def never_estimated(model: type[Model], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model never estimates, as given or by default; ConfigError C012 for other names."""
    free = parameter_names(model)
    own = {f.name: f.default for f in dataclasses.fields(model) if f.name not in free}  # type: ignore[arg-type]
    wrong = [name for name, value in given.items() if name not in own or not _usable(value, whole=True)]
    if wrong:
        raise ConfigError(
            f"C012 {', '.join(wrong)} cannot be given to {model.__name__}. Whole numbers above 0 can, by "
            f"these names: {', '.join(own) or 'none'}."
        )
    return own | {name: int(value) for name, value in given.items()}


def _wrong_held(model: type[Model], given: Mapping[str, Any], method: str) -> list[str]:
    fields = [f.name for f in dataclasses.fields(model)]  # type: ignore[arg-type]
    free = parameter_names(model)
    wrong = [
        f"C012 {name} must be a parameter of {model.__name__} and a number above 0"
        f"{'' if name in free else ', whole'}; got {name}={value!r}. It has {', '.join(fields)}."
        for name, value in given.items()
        if name not in fields or not _usable(value, whole=name not in free)
    ]
    if not wrong and set(free) <= set(given):
        wrong = [f"C012 {model.__name__} needs a parameter to estimate; got all of them held. Leave one out."]
    if not wrong and method != "mle" and set(free) & set(given):
        wrong = [
            f'C012 {", ".join(sorted(set(free) & set(given)))} can be held by method="mle" only; got '
            f"{method!r}. A prior with a narrow range does the like."
        ]
    return wrong


def _usable(value: Any, *, whole: bool) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 < float(value) < np.inf:
        return False
    return not whole or float(value).is_integer()


def refuse_uninformative(plan: Plan, history: Any) -> None:
    """FitError M001 where no customer can inform the model."""
    known = {history.nobody: float(history.weight.sum()), **history.moments()}
    wrong = [sentence for sentence, value in known.items() if not value > 0]
    if wrong:
        raise FitError(
            f"M001 {plan.model.__name__} cannot be fitted: {wrong[0]}. Check the extract: does it hold what "
            "this model learns from, and time for it to happen in?"
        )


def alike(history: Any) -> str:
    """Say so, where all customers have the same history and nothing shows how they differ."""
    if len(history) > 1:
        return ""
    size = float(history.weight.sum())
    who = "there is only one customer" if size <= 1 else f"all {size:,.0f} customers have the same history"
    return f"M003 {who}, so nothing shows how customers differ. "
