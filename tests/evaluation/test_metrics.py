"""Scores against hand numbers, and against every order in which ties could fall."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from clv.evaluation.metrics import (
    accuracy,
    brier,
    calibration,
    coverage,
    mean_absolute_error,
    mean_share_off,
    normalised_gini,
    pit_histogram,
    tenths,
    top_share,
    total_error,
)

small = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=2, max_size=6)


def orders(forecast: np.ndarray) -> list[list[int]]:
    """Every ranking of the customers that the forecast allows."""
    everyone = itertools.permutations(range(len(forecast)))
    return [list(p) for p in everyone if (np.diff(forecast[list(p)]) <= 0).all()]


def mean_gini(forecast: np.ndarray, actual: np.ndarray) -> float:
    """Area between the curve of captured spend and the diagonal, by trapezoids, over all rankings."""
    areas = []
    for ranking in orders(forecast):
        curve = np.concatenate([[0], np.cumsum(actual[ranking])]) / actual.sum()
        areas.append(2 * np.trapezoid(curve, dx=1 / len(actual)) - 1)
    return float(np.mean(areas))


def mean_top(forecast: np.ndarray, actual: np.ndarray, k: int) -> float:
    return float(np.mean([actual[ranking[:k]].sum() for ranking in orders(forecast)]) / actual.sum())


@given(small)
def test_gini_is_the_mean_over_every_order_of_ties(rows: list[tuple[int, int]]) -> None:
    forecast, actual = np.array(rows, dtype=float).T
    found = normalised_gini(forecast, actual)
    best = mean_gini(actual, actual) if actual.sum() else 0
    if abs(best) < 1e-12:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(mean_gini(forecast, actual) / best)


@given(small, st.data())
def test_top_share_is_the_mean_over_every_order_of_ties(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    forecast, actual = np.array(rows, dtype=float).T
    k = data.draw(st.integers(1, len(rows)))
    found = top_share(forecast, actual, k / len(rows))
    assert math.isnan(found) if not actual.sum() else found == pytest.approx(mean_top(forecast, actual, k))


def test_gini_by_hand() -> None:
    actual = np.array([5.0, 3.0, 2.0, 0.0])
    assert normalised_gini(np.array([4.0, 3, 2, 1]), actual) == pytest.approx(1)
    assert normalised_gini(np.array([1.0, 2, 3, 4]), actual) == pytest.approx(-1)
    assert normalised_gini(np.ones(4), actual) == pytest.approx(0)
    assert normalised_gini(np.exp(actual), actual) == pytest.approx(1)  # the ranking counts, not the level


@pytest.mark.parametrize("value", [0.1, 1 / 3, 7.0])
@pytest.mark.parametrize("size", [3, 7, 1000])
def test_gini_is_unknown_where_everyone_spent_the_same(value: float, size: int) -> None:
    assert math.isnan(normalised_gini(np.arange(float(size)), np.full(size, value)))


def test_gini_is_unknown_where_nothing_was_spent() -> None:
    assert math.isnan(normalised_gini(np.arange(3.0), np.zeros(3)))


def test_top_share_by_hand() -> None:
    actual = np.array([60.0, 20.0, 20.0, 0.0])
    assert top_share(np.array([3.0, 2, 1, 0]), actual, 0.25) == pytest.approx(0.6)
    assert top_share(np.array([0.0, 1, 2, 3]), actual, 0.25) == 0
    assert top_share(np.ones(4), actual, 0.25) == pytest.approx(0.25)
    assert top_share(np.array([1.0, 1, 0, 0]), actual, 0.25) == pytest.approx(0.4)  # half of the tie's 80
    assert top_share(np.array([3.0, 2, 1, 0]), actual, 0.10) == pytest.approx(0.24)  # 0.4 of one customer
    assert math.isnan(top_share(np.ones(3), np.zeros(3)))
    assert math.isnan(top_share(np.zeros(0), np.zeros(0)))


def test_total_error_and_mean_absolute_error_by_hand() -> None:
    assert total_error(80, 100) == pytest.approx(-0.2)
    assert math.isnan(total_error(80, 0))
    assert mean_absolute_error(np.array([1.0, 5]), np.array([3.0, 4])) == pytest.approx(1.5)


def test_correlations_and_errors_are_scipys() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 4, 200).astype(float), rng.integers(0, 5, 200).astype(float)  # ties everywhere
    found = accuracy(x, y)
    assert found["pearson"] == pytest.approx(pearsonr(x, y).statistic)
    assert found["spearman"] == pytest.approx(spearmanr(x, y).statistic)
    assert found["rmse"] == pytest.approx(math.sqrt(((x - y) ** 2).mean()))
    assert found["total"] / found["actual"] - 1 == pytest.approx(found["error"])
    alike = accuracy(np.ones(200), y)
    assert math.isnan(alike["pearson"])
    assert math.isnan(alike["spearman"])
    assert alike["gini"] == pytest.approx(0)


def test_tenths_keep_ties_together() -> None:
    forecast = np.array([0.0] * 15 + [1, 2, 3, 4, 5])
    part = tenths(forecast)
    assert list(part) == [3] * 15 + [7, 8, 8, 9, 9]
    count, said, was = calibration(forecast, forecast * 2, part)
    assert list(count) == [0, 0, 0, 15, 0, 0, 0, 1, 2, 2]
    assert said[[3, 7, 8, 9]] == pytest.approx([0, 1, 2.5, 4.5])
    assert was[[3, 7, 8, 9]] == pytest.approx([0, 2, 5, 9])
    assert mean_share_off(said, was) == pytest.approx(0.5)
    assert list(tenths(np.arange(20.0))) == [i // 2 for i in range(20)]


def test_all_zero_wins_the_mean_absolute_error_of_rare_buyers() -> None:
    actual = np.array([0.0] * 8 + [10, 10])
    zero, fair = accuracy(np.zeros(10), actual), accuracy(np.full(10, 2.0), actual)
    assert zero["mae"] < fair["mae"]
    assert (zero["error"], fair["error"]) == (-1, 0)
    assert zero["rmse"] > fair["rmse"]


def test_brier_by_hand() -> None:
    assert brier(np.array([0.9, 0.2]), np.array([1.0, 0.0])) == pytest.approx((0.01 + 0.04) / 2)


def test_coverage_counts_the_part_of_a_jump_that_lies_inside() -> None:
    low, high = np.array([0.0, 0.5, 0.96, 0.0]), np.array([0.5, 0.5, 0.99, 0.0])
    assert coverage(low, high, 0.9) == pytest.approx((0.9 + 1 + 0 + 0) / 4)
    assert coverage(low, high, 0.5) == pytest.approx((0.5 + 1 + 0 + 0) / 4)
    shares = pit_histogram(low, high, 4)
    assert shares == pytest.approx([(0.5 + 1) / 4, (0.5 + 1) / 4, 0, 1 / 4])
    rng = np.random.default_rng(2)
    u = low[:3] + rng.random((20_000, 3)) * (high - low)[:3]  # the randomised version agrees
    assert coverage(low[:3], high[:3], 0.9) == pytest.approx(((u > 0.05) & (u <= 0.95)).mean(), abs=0.01)
