"""Smoothed weights against ArviZ, and what is left of them."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from clv.fitting import psis


@pytest.mark.parametrize("draws", [60, 226, 1000, 4000])
@pytest.mark.parametrize("spread", [0.01, 0.5, 2.0, 5.0])
def test_weights_and_k_hat_are_those_of_arviz(draws, spread):
    logs = spread * np.random.default_rng(1).standard_t(4, size=(draws, 3))
    weights, k_hat = psis.smoothed(logs)
    for j in range(3):
        theirs, k = array_stats.psislw(-logs[:, j])
        np.testing.assert_allclose(weights[:, j], theirs, atol=1e-11)
        assert k_hat[j] == pytest.approx(float(k), rel=1e-11)
        alone, k = psis.smoothed(logs[:, j])
        np.testing.assert_allclose(alone, weights[:, j], atol=1e-12)
        assert k == pytest.approx(k_hat[j])


@pytest.mark.parametrize("k", [0.3, 0.6, 0.9])
def test_k_hat_finds_the_tail_of_a_pareto_distribution(k):
    logs = -k * np.log(np.random.default_rng(2).random((20_000, 20)))
    assert psis.smoothed(logs)[1].mean() == pytest.approx(k, abs=0.05)


def test_weights_that_do_not_differ_and_one_that_takes_all():
    weights, k_hat = psis.smoothed(np.full(1000, 3.0))
    assert k_hat == -np.inf
    assert psis.effective(weights) == pytest.approx(1000)
    weights, k_hat = psis.smoothed(np.append(np.zeros(999), 50.0))
    assert k_hat > psis.GATE
    assert psis.effective(weights) < 2
    weights, k_hat = psis.smoothed(np.append(np.full(998, -np.inf), [0.0, 0.0]))
    assert k_hat > psis.GATE
    assert np.isfinite(weights[-2:]).all()


def test_resampling_is_within_one_of_what_weights_ask_for():
    rng = np.random.default_rng(3)
    weights = rng.gamma(0.5, size=4000)
    weights /= weights.sum()
    picked = psis.resampled(np.log(weights), 1000, rng)
    counts = np.bincount(picked, minlength=4000)
    assert len(picked) == 1000
    assert np.all(np.abs(counts - 1000 * weights) < 1)
