"""Scores of a forecast against what happened; one value per customer unless it says total."""

from __future__ import annotations

import numpy as np

from clv.models.protocols import Array

_ROUNDING = 1e-9  # a best Gini below this is what rounding leaves of 0: everyone spent the same


def total_error(forecast: float, actual: float) -> float:
    """Forecast total ÷ actual total − 1; NaN when nothing happened."""
    return forecast / actual - 1 if actual else float("nan")


def mean_absolute_error(forecast: Array, actual: Array) -> float:
    """Mean of |forecast − actual|. A forecast of zero can win it: never use it alone."""
    return float(np.mean(np.abs(forecast - actual)))


def top_share(forecast: Array, actual: Array, share: float = 0.10) -> float:
    """Share of the actual total that the top `share` of customers by forecast brought in.

    Customers who tie at the edge count in proportion, so that their order plays no part.
    """
    total = actual.sum()
    if total == 0 or len(actual) == 0:
        return float("nan")
    wanted = share * len(actual)
    level = np.sort(forecast)[::-1][min(len(forecast) - 1, int(np.ceil(wanted)) - 1)]
    above, tied = forecast > level, forecast == level
    part = (wanted - above.sum()) / tied.sum()
    return float((actual[above].sum() + part * actual[tied].sum()) / total)


def normalised_gini(forecast: Array, actual: Array) -> float:
    """How well the forecast ranks customers: Gini of the actual in its order ÷ the best possible."""

    def gini(order_by: Array) -> float:
        values, inverse, counts = np.unique(-order_by, return_inverse=True, return_counts=True)
        mean = np.bincount(inverse, actual) / counts  # ties share what they brought in
        captured = np.cumsum((mean * counts) / actual.sum())
        middle = captured - (mean * counts) / actual.sum() / 2
        return float(2 * (middle * counts).sum() / len(actual) - 1) if len(values) else float("nan")

    if actual.sum() == 0:
        return float("nan")
    best = gini(actual)
    return gini(forecast) / best if best > _ROUNDING else float("nan")
