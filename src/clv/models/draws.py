"""Models whose parameters are draws: evaluated a block of draws at a time, so that memory stays small."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from clv.models.protocols import Array

_CELLS = 32_768  # draws × histories at a time: what a processor keeps at hand
WORKERS = 2  # NumPy lets other threads run while it computes
_FEW = 25  # where each number takes a long integral: a fifth
_MOST = 250  # draws that a mean is taken over: its error is a sixteenth of their standard deviation


def over_draws(model: Any, histories: int, f: Callable[[Any], Array]) -> Array:
    """Apply f to models with a few of the draws each and join the results along draws, in order.

    Parameters of `model` are (draws, 1), (draws, histories) or numbers; f returns (draws, …).
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        return np.concatenate(list(pool.map(f, _blocks(model, histories))))


def mean_over_draws(model: Any, histories: int, f: Callable[[Any], Array]) -> Array:
    """Mean over draws of f(model), (…, histories); f(model) itself where parameters are no draws.

    Of many draws evenly spaced ones count, fewer where the model's expectations are costly.
    """
    if not draws_of(model):
        return f(model)
    model = evenly(model, _FEW if getattr(model, "costly", False) else _MOST)
    with ThreadPoolExecutor(WORKERS) as pool:
        sums = pool.map(lambda block: f(block).sum(axis=-2), _blocks(model, histories))
        return np.asarray(sum(sums) / draws_of(model))


def evenly(model: Any, most: int) -> Any:
    """Return a model with at most so many of its draws, evenly spaced."""
    draws = draws_of(model)
    return some(model, np.linspace(0, draws - 1, most).astype(int)) if draws > most else model


def draws_of(model: Any) -> int:
    """How many draws a model holds; none where its parameters are no draws."""
    values = [getattr(model, f.name) for f in dataclasses.fields(model)]
    return max((len(v) for v in values if np.ndim(v) == 2), default=0)


def at_hand(draws: int, histories: int) -> Iterator[slice]:
    """Yield parts of the draws, in order: as many as a processor keeps at hand for so many histories."""
    step = max(1, _CELLS // max(histories, 1))
    return (slice(first, first + step) for first in range(0, draws, step))


def _blocks(model: Any, histories: int) -> Iterator[Any]:
    """Return models with a few of the draws each, in order."""
    return (some(model, part) for part in at_hand(draws_of(model), histories))


def some(model: Any, draws: Any) -> Any:
    """Return a model with some of its draws: numbers of them, or a slice."""
    fields = {f.name: getattr(model, f.name) for f in dataclasses.fields(model)}
    return dataclasses.replace(model, **{n: v[draws] if np.ndim(v) == 2 else v for n, v in fields.items()})
