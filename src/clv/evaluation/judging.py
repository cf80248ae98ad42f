"""Contenders at one origin against what happened: rows of every table of a back-test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clv.evaluation import metrics, scores
from clv.evaluation.contenders import Contender, Customers
from clv.evaluation.origins import Origin
from clv.models.protocols import Array

QUANTITIES = ("purchases", "value")
_BANDS = {0.5: (1, 2), 0.9: (0, 3)}  # ends of a band among the levels of totals


@dataclass(frozen=True)
class Rows:
    """Rows of the tables of a back-test, by table."""

    table: list[dict[str, Any]] = field(default_factory=list)
    calibration: list[dict[str, Any]] = field(default_factory=list)
    p_purchase: list[dict[str, Any]] = field(default_factory=list)
    pit: list[dict[str, Any]] = field(default_factory=list)
    tracking: list[dict[str, Any]] = field(default_factory=list)


def judge(
    origin: Origin, contenders: Sequence[Contender], customers: Customers, rows: Rows, scored: int
) -> None:
    """Add the rows of an origin, with forecast distributions scored of so many customers."""
    actual = {
        name: customers[f"actual_{was}"] for name, was in zip(QUANTITIES, ("purchases", "spend"), strict=True)
    }
    at = {"origin": origin.window.cut, "end": origin.window.end}
    spread = _spread(contenders, customers, scored)
    for c in contenders:
        row: dict[str, Any] = {**at, "contender": c.name, "customers": len(customers)}
        row |= {"numbers": c.numbers, "level": c.level}
        for name in QUANTITIES:
            found = metrics.accuracy(getattr(c, name), actual[name])
            row |= {f"{name}_{key}": value for key, value in found.items()}
            rows.calibration.extend(_tenths(at, c, name, getattr(c, name), actual[name]))
        if c.p_purchase is not None:
            happened = (actual["purchases"] > 0).astype(float)
            row["brier"] = metrics.brier(c.p_purchase, happened)
            rows.p_purchase.extend(_tenths(at, c, "p_purchase", c.p_purchase, happened))
        for name, (own, total) in spread.get(c.name, {}).items():
            row |= _covered(name, own, total, row[f"{name}_actual"])
            shares = metrics.pit_histogram(own.low, own.high)
            rows.pit.extend(
                {"origin": at["origin"], "contender": c.name, "quantity": name, "bin": b / 10, "share": share}
                for b, share in enumerate(shares)
            )
        rows.table.append(row)
    rows.tracking.extend(_tracked(origin, contenders, customers))


def _tenths(at: dict[str, Any], c: Contender, name: str, said: Array, was: Array) -> Iterator[dict[str, Any]]:
    """Rows of a calibration: tenths of customers by forecast, those of the same forecast together."""
    found = zip(*metrics.calibration(said, was, metrics.tenths(said)), strict=True)
    for tenth, (count, forecast, actual) in enumerate(found, start=1):
        if count:
            row = {"origin": at["origin"], "contender": c.name, "quantity": name, "tenth": tenth}
            yield {**row, "customers": int(count), "forecast": forecast, "actual": actual}


type _Spread = dict[str, dict[str, tuple[scores.Scores, Array]]]


def _spread(contenders: Sequence[Contender], customers: Customers, scored: int) -> _Spread:
    """Scores of distributions and quantiles of totals, by contender and quantity.

    Contenders of the same models, at different levels, are scored together.
    """
    some = customers.some(scored)
    n, S = customers.rows["customers"], customers.over_rows(customers["spent_total"])
    models = list(dict.fromkeys(fitted for c in contenders for fitted in c.bases))
    if not models:
        return {}
    t = models[0].t
    seen = scores.Outcomes(some.row, some["spent_total"], some["actual_purchases"], some["actual_spend"], t)
    alike: dict[tuple[int, ...], list[Contender]] = defaultdict(list)
    for c in contenders:
        if c.bases:
            alike[tuple(models.index(fitted) for fitted in c.bases)].append(c)
    mixtures = [scores.Mixture(places, tuple({c.level for c in same})) for places, same in alike.items()]
    found_scores = scores.score([fitted.base(some) for fitted in models], seen, mixtures)
    by_places = dict(zip(alike, found_scores, strict=True))
    totals = []
    for place, fitted in enumerate(models):
        variance = by_places[place,].variance.mean(axis=1) * len(customers)
        totals.append(scores.totals(fitted.base(customers), n, S, variance, t))
    found: _Spread = {}
    for places, same in alike.items():
        total = scores.Totals.blended([totals[place] for place in places]).quantiles
        for c in same:
            found[c.name] = {
                "purchases": (by_places[places].purchases, total[0]),
                "value": (by_places[places].value[c.level], c.level * total[1]),
            }
    return found


def _covered(name: str, own: scores.Scores, total: Array, actual: float) -> dict[str, Any]:
    """How often bands held: by the distributions, by the ends of each customer's band, and of the total."""
    row: dict[str, Any] = {f"{name}_crps": float(own.crps.mean())}
    for level, (low, high) in _BANDS.items():
        percent = f"{100 * level:.0f}"
        row[f"{name}_coverage{percent}"] = metrics.coverage(own.low, own.high, level)
        inside = (own.low < scores.LEVELS[high]) & (own.high >= scores.LEVELS[low])
        row[f"{name}_inside{percent}"] = float(inside.mean())
        row[f"{name}_total_inside{percent}"] = float(total[low] <= actual <= total[high])
    ends = zip(scores.LEVELS, total, strict=True)
    return row | {f"{name}_total_p{100 * level:02.0f}": float(end) for level, end in ends}


def _tracked(
    origin: Origin, contenders: Sequence[Contender], customers: Customers
) -> Iterator[dict[str, Any]]:
    """Purchases and value of each step of the window, and up to it: what happened, and each model."""
    found = {"Actual": (np.cumsum(origin.purchases), np.cumsum(origin.value))}
    curves: dict[Any, Array] = {}
    for c in contenders:
        for fitted in c.bases:
            if fitted not in curves:
                curves[fitted] = fitted.curve(customers, origin.window)
        if c.bases:
            shape = np.mean([curves[fitted] for fitted in c.bases], axis=0)
            found[c.name] = (shape[0] * c.purchases.sum(), shape[1] * c.value.sum())
    for name, (purchases, value) in found.items():
        steps = zip(
            origin.window.steps, np.diff(purchases, prepend=0), np.diff(value, prepend=0), purchases, value,
            strict=True,
        )  # fmt: skip
        for end, *numbers in steps:
            names = (*QUANTITIES, *(f"cumulative_{name}" for name in QUANTITIES))
            yield {"origin": origin.window.cut, "contender": name, "end": end} | dict(
                zip(names, numbers, strict=True)
            )
