"""Profile likelihoods: what the data say of one parameter, whatever the others are."""

import numpy as np
import pytest
from scipy.optimize import minimize

import clv
from clv import BGNBD, ConfigError

H = BGNBD(0.6, 8.0, 0.8, 2.5).simulate(np.random.default_rng(7), np.full(800, 40.0))
FIT = clv.fit(BGNBD, H)


def test_each_value_has_the_others_at_their_best():
    found = FIT.profile("a", points=5)
    assert found.values[2] == pytest.approx(FIT.parameters["a"])
    assert found.log_likelihood[2] == pytest.approx(FIT.log_likelihood)
    for value, top in zip(found.values, found.log_likelihood, strict=True):

        def low(logs, value=value):
            r, alpha, b = np.exp(logs)
            return -BGNBD(r, alpha, value, b).log_likelihood(H).sum()

        start = np.log([FIT.parameters[name] for name in ("r", "alpha", "b")])
        best = minimize(
            low, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-8, "maxiter": 4000}
        )
        assert top == pytest.approx(-best.fun, abs=1e-4)


def test_its_interval_is_near_that_of_the_covariance_and_is_what_it_says():
    found = FIT.profile("r", points=31)
    low, high = found.interval(0.9)
    near = FIT.intervals(0.9)["r"]
    assert low == pytest.approx(near[0], rel=0.02)
    assert high == pytest.approx(near[1], rel=0.02)
    for end in (low, high):
        drop = FIT.log_likelihood - clv.fit(BGNBD, H, r=end).log_likelihood
        assert drop == pytest.approx(2.705543 / 2, rel=0.01)
    wide = found.interval(0.99)
    assert wide[0] < low < high < wide[1]
    assert "90 % of the profile likelihood" in repr(found)


def test_an_end_that_the_data_leave_open_is_open():
    few = BGNBD(0.8, 10.0, 0.8, 2.5).simulate(np.random.default_rng(5), np.full(60, 30.0))
    low, high = clv.fit(BGNBD, few).profile("b").interval()
    assert high == np.inf
    assert low == pytest.approx(0.28, abs=0.02)


@pytest.mark.parametrize(
    ("fit", "name", "words"),
    [
        (FIT, "lambda", "was not estimated. This fit has r, alpha, a, b"),
        (clv.fit(BGNBD, H, method="map"), "r", 'needs a fit by method="mle"'),
        (clv.fit(BGNBD, H, r=0.5), "r", "was not estimated"),
    ],
)
def test_what_has_no_profile_is_refused(fit, name, words):
    with pytest.raises(ConfigError, match=words):
        fit.profile(name)
