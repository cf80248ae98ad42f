"""Levels: the rule by hand, and bands that hold what comes as often as they say."""

import numpy as np
import pytest

from clv.evaluation.levels import Level, factor, level


def test_the_factor_is_the_root_of_what_came():
    assert factor(90.0, 160.0) == 0.75
    assert factor(0.0, 160.0) is None
    assert factor(90.0, 0.0) is None


def test_the_rule_corrects_where_that_brought_totals_nearer():
    errors = {1: 0.44, 2: 0.21, 3: 0.10, 4: float("nan")}
    found = level(0.9, {2: 1 / 1.1, 3: 1 / 1.05}, errors)
    assert found.helped
    assert (found.origins, found.factor) == (2, 0.9)
    assert found.with_it == pytest.approx((0.1 + 1.1 / 1.05 - 1) / 2)
    np.testing.assert_allclose(found.misses, [-np.log(1.1), -np.log(1.1 / 1.05)])
    off = level(0.9, {2: 1.1, 3: 1.05}, errors)
    assert (off.helped, off.factor) == (False, 1.0)
    np.testing.assert_allclose(off.misses, [-np.log(1.44), -np.log(1.21), -np.log(1.1)])  # of all origins


def test_without_an_origin_the_level_is_taken_for_certain():
    assert Level(1.2, 0, float("nan"), float("nan")).range == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("origins", [1, 2, 4, 8])
def test_the_range_holds_nine_in_ten(origins):
    """Of misses that come from one normal: 20,000 back-tests, each with one more origin to come."""
    rng = np.random.default_rng(origins)
    misses = rng.normal(0, 0.2, (20_000, origins + 1))
    held = 0
    for row in misses:
        low, middle, high = Level(None, 0, 0.0, 0.0, tuple(row[:-1])).range
        held += low <= middle * np.exp(row[-1]) <= high
    assert held / len(misses) == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / len(misses)))
