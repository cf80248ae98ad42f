"""A fit in words: estimates or draws with their intervals, quantities people know, and the message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clv.fitting.posterior import quantiles
from clv.models.protocols import Array

UNKNOWN = 1e4  # an interval that ends so many times above its estimate says nothing
_GROUPS = 30  # rows of a table that are still read


def text(fit: Any) -> str:
    """Return the summary of a fit."""
    head = f"{type(fit.estimate).__name__} by {fit.method}: {fit.customers:,.0f} customers"
    pooled = f", {fit.pooling} pooling by {', '.join(fit.by) or 'group'}" if fit.groups else ""
    unit = f"; {fit.measured}" if fit.measured else ""
    at = "" if fit.posterior is None else " at the mode"
    lines = [
        f"{head} ({fit.histories:,} distinct histories){pooled}, log-likelihood{at} "
        f"{fit.log_likelihood:,.3f}{unit}"
    ]
    if fit.groups:
        lines += _by_group(fit)
    elif fit.posterior:
        lines += ["", *_drawn(fit.draws), "", *_drawn(fit.quantities, _words(fit)), ""]
    else:
        lines += _estimated(fit)
    lines += [f"  {name:<6} {value:>12g}   given" for name, value in fit.held.items()]
    return "\n".join([*lines, f"  {fit.message}"])


def _estimated(fit: Any) -> list[str]:
    intervals, lines = fit.intervals(), []
    for name, value in fit.parameters.items():
        low, high = intervals[name]
        known = np.isfinite(high) and high < UNKNOWN * value
        doubt = (
            ""
            if fit.model is not fit.estimate or fit.method == "lifetimes"
            else f"s.e. {number(fit.standard_errors[name]):>10}   90 % {number(low)} to {number(high)}"
            if known
            else "not determined by the data"
        )
        lines.append(f"  {name:<6} {number(value):>12}   {doubt}".rstrip())
    return lines


def _drawn(draws: Mapping[str, Array], words: Mapping[str, str] | None = None) -> list[str]:
    width = max(map(len, draws))
    lines = [f"  {'':<{width}} {'mean':>10} {'sd':>10} {'5 %':>10} {'95 %':>10}"]
    for name, values in draws.items():
        low, high = quantiles(values, 0.9)
        row = " ".join(f"{number(float(v)):>10}" for v in (values.mean(), values.std(), low, high))
        lines.append(f"  {name:<{width}} {row}   {(words or {}).get(name, '')}".rstrip())
    return lines


def _by_group(fit: Any) -> list[str]:
    """Quantities, or parameters where there are none, by group: means and 90 % intervals."""
    draws = fit.quantities
    values = draws or fit.parameters
    names = list(values)
    width = max(map(len, fit.groups[:_GROUPS]))
    lines = ["", f"  {'':<{width}} " + " ".join(f"{name:>26}" for name in names)]
    for at, group in enumerate(fit.groups[:_GROUPS]):
        cells = (_cell(values[name][..., at], drawn=bool(draws)) for name in names)
        lines.append(f"  {group:<{width}} " + " ".join(f"{cell:>26}" for cell in cells))
    if len(fit.groups) > _GROUPS:
        lines.append(f"  … and {len(fit.groups) - _GROUPS} more")
    words = [f"  {name}: {said}" for name, said in (_words(fit).items() if draws else ())]
    return [*lines, "", *words]


def _cell(values: Any, *, drawn: bool) -> str:
    if not drawn:
        return number(float(values))
    low, high = quantiles(values, 0.9)
    return f"{number(float(values.mean()))} ({number(float(low))} to {number(float(high))})"


def _words(fit: Any) -> dict[str, str]:
    return {q.name: q.words for q in fit.priors.quantities}


def number(value: float) -> str:
    """Four decimals, or four digits where those would say nothing."""
    return f"{value:.4f}" if 0.01 <= abs(value) < 1e6 or value == 0 else f"{value:.4g}"
