"""Scores of a forecast against what happened; one value per customer unless it says total."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from clv.models.protocols import Array

_ROUNDING = 1e-9  # a best Gini below this is what rounding leaves of 0: everyone spent the same


def accuracy(forecast: Array, actual: Array) -> dict[str, float]:
    """Every score of point forecasts, by name. None of them ranks contenders alone."""
    return {
        "total": float(forecast.sum()),
        "actual": float(actual.sum()),
        "error": total_error(float(forecast.sum()), float(actual.sum())),
        "mae": mean_absolute_error(forecast, actual),
        "rmse": root_mean_square_error(forecast, actual),
        "pearson": correlation(forecast, actual),
        "spearman": correlation(rankdata(forecast), rankdata(actual)),
        "gini": normalised_gini(forecast, actual),
        "decile_mape": mean_share_off(*calibration(forecast, actual, tenths(forecast))[1:]),
        "top10": top_share(forecast, actual, 0.10),
        "top20": top_share(forecast, actual, 0.20),
    }


def total_error(forecast: float, actual: float) -> float:
    """Forecast total ÷ actual total − 1; NaN when nothing happened."""
    return forecast / actual - 1 if actual else float("nan")


def mean_absolute_error(forecast: Array, actual: Array) -> float:
    """Mean of |forecast − actual|. A forecast of zero can win it: never use it alone."""
    return float(np.mean(np.abs(forecast - actual)))


def root_mean_square_error(forecast: Array, actual: Array) -> float:
    """Root of the mean of (forecast − actual)²."""
    return float(np.sqrt(np.mean((forecast - actual) ** 2)))


def correlation(forecast: Array, actual: Array) -> float:
    """Pearson's correlation; of ranks, Spearman's. NaN where one of both is the same for everyone."""
    x, y = forecast - forecast.mean(), actual - actual.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    alike = np.ptp(forecast) == 0 or np.ptp(actual) == 0
    return float("nan") if alike or scale == 0 else float(x @ y) / scale


def brier(probability: Array, happened: Array) -> float:
    """Mean of (probability − what happened, 0 or 1)²."""
    return float(np.mean((probability - happened) ** 2))


def tenths(forecast: Array) -> NDArray[np.intp]:
    """The tenth of customers each is in by forecast, 0 the lowest; those who tie are in one together."""
    place = (rankdata(forecast) - 0.5) / len(forecast)
    return np.asarray(np.minimum(place * 10, 9), dtype=np.intp)


def calibration(forecast: Array, actual: Array, part: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """Customers, mean forecast and mean actual of each tenth; NaN of those without a customer."""
    count = np.bincount(part, minlength=10).astype(float)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(part, values, minlength=10) / count for values in (forecast, actual)]
    return count, means[0], means[1]


def mean_share_off(forecast: Array, actual: Array) -> float:
    """Mean of |forecast ÷ actual − 1| over the tenths in which something happened."""
    known = actual > 0
    return float(np.mean(np.abs(forecast[known] / actual[known] - 1))) if known.any() else float("nan")


def coverage(low: Array, high: Array, level: float) -> float:
    """Share of actuals in the middle `level` of their forecast distributions, F(y−) = low and F(y) = high.

    Where an actual has probability F(y) − F(y−), as much of it counts as lies inside: for counts too the
    share is `level` where forecasts are right, which the ends of a band cannot give.
    """
    return float(_part_between(low, high, (1 - level) / 2, (1 + level) / 2).mean())


def pit_histogram(low: Array, high: Array, bins: int = 10) -> Array:
    """Shares of actuals in equal bins of F(y), flat where forecasts are right.

    The mean over all ways to place an actual within F(y−) and F(y): nothing is drawn.
    """
    edges = np.linspace(0, 1, bins + 1)
    return np.array([_part_between(low, high, *ends).mean() for ends in pairwise(edges)])


def _part_between(low: Array, high: Array, start: float, end: float) -> Array:
    """Part of the interval (low, high) that is in (start, end], of each; a point is in it or not."""
    width = high - low
    inside = np.clip(np.minimum(high, end) - np.maximum(low, start), 0, None)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(width > 0, inside / width, (high > start) & (high <= end))
    return np.asarray(np.where((width <= 0) & (high <= 0) & (start <= 0), 1.0, part), dtype=float)


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
