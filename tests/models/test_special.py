"""Special functions against mpmath, where the textbook forms lose their digits."""

import itertools

import numpy as np
import pytest
from mpmath import mp, mpf

from clv.models.special import beta_mean, digamma_rise, log_rising, unit_nodes

SIZES = (1e-3, 0.1, 1.0, 7.5, 31.9, 32.1, 100.0, 1e4, 1e6, 1e9)
STEPS = (0.0, 1.0, 2.0, 17.0, 300.0, 1e4)
GRID = np.array(list(itertools.product(SIZES, STEPS)))


def exact(f):
    with mp.workdps(50):
        return np.array([float(f(mpf(z) + mpf(n)) - f(mpf(z))) for z, n in GRID])


def test_log_rising_keeps_its_digits_at_any_size():
    np.testing.assert_allclose(log_rising(*GRID.T), exact(mp.loggamma), rtol=1e-11, atol=1e-15)


def test_digamma_rise_keeps_its_digits_at_any_size():
    np.testing.assert_allclose(digamma_rise(*GRID.T), exact(mp.digamma), rtol=1e-11)


@pytest.mark.parametrize("f", [log_rising, digamma_rise])
def test_rises_broadcast(f):
    z, n = np.array([[0.5], [40.0]]), np.array([0.0, 1.0, 5.0])
    np.testing.assert_array_equal(f(z, n), [[f(v, w) for w in n] for v in z[:, 0]])


def test_unit_nodes_integrate_polynomials():
    nodes, weights = unit_nodes(8)
    assert weights @ nodes**15 == pytest.approx(1 / 16, rel=1e-14)


LARGE = [(60, 40), (1000, 1000), (0.01, 300), (0.5, 1000), (1e-4, 60), (300, 0.5), (1000, 1e-3), (2, 1e6)]


@pytest.mark.parametrize(("a", "b"), LARGE)
@pytest.mark.parametrize("power", [1, 2])
def test_the_mean_of_a_power_of_p(a, b, power):
    want = a / (a + b) if power == 1 else a * (a + 1) / ((a + b) * (a + b + 1))
    bend = np.array(1.0)
    assert beta_mean(lambda p: p**power, a, b, bend) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize(("a", "b"), [(60, 40), (0.01, 300), (0.5, 200), (1e-4, 60), (100, 0.5)])
@pytest.mark.parametrize(("R", "w"), [(0.3, 0.5), (3.0, 40.0), (300.0, 1e-3), (20.0, 1e6)])
def test_the_mean_of_a_power_of_1_plus_wp_is_a_2f1(a, b, R, w):
    # E[(1 + w·p)^−R] = 2F1(R, a; a + b; −w)
    with mp.workdps(40):
        want = float(mp.hyp2f1(mpf(R), mpf(a), mpf(a) + mpf(b), -mpf(w)))
    found = beta_mean(lambda p: np.exp(-R * np.log1p(p * w)), a, b, np.array(1 / (R * w)))
    assert found == pytest.approx(want, rel=1e-8)
