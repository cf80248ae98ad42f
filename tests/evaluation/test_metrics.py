"""Scores against hand numbers, and against every order in which ties could fall."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv.evaluation.metrics import mean_absolute_error, normalised_gini, top_share, total_error

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
