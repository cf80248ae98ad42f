"""Laws of the spend model, and published numbers of the Gamma-Gamma.

[FH13] Fader & Hardie (2013), note 025. [S] held by the tests of a reference implementation. [R] recomputed.
"""

import dataclasses

import numpy as np
import pytest
from scipy.special import gammaln

import clv
from clv import FitError, GammaGamma, SpendHistory

# Ibis 12 asks DuckDB 2 and pandas 3 in ways that both will drop.
pytestmark = pytest.mark.filterwarnings(
    "ignore:fetch_arrow_table:DeprecationWarning", "ignore:.*infer_string:DeprecationWarning"
)

MODELS = [
    GammaGamma(6.25, 3.74, 15.44),  # CDNOW
    GammaGamma(0.4, 1.2, 3.0),
    GammaGamma(25.0, 40.0, 2000.0),
    GammaGamma(1.0, 0.7, 10.0),  # no finite mean for a new customer
]
HISTORIES = SpendHistory([1, 1, 2, 7, 7, 60], [5.0, 900, 40, 25, 300, 2100], [1, 2, 1, 1, 3, 1])
NAMES = ("p", "q", "gamma")
METHODS = {
    "log_likelihood": lambda m, h: m.log_likelihood(h),
    "score": lambda m, h: m.score(h),
    "expected_spend": lambda m, h: m.expected_spend(h.m, h.S),
}

every_model = pytest.mark.parametrize("model", MODELS, ids=str)


@every_model
def test_the_likelihood_and_the_mean_are_integrals_over_customers(model):
    """ν ~ Gamma(q, gamma) on an even grid of log ν; spend of m days is Gamma(p·m, ν)."""
    log_nu = np.linspace(-60 / min(model.q, 2), 8, 40_000) - np.log(model.gamma)
    nu, step = np.exp(log_nu), log_nu[1] - log_nu[0]
    prior = model.q * (log_nu + np.log(model.gamma)) - model.gamma * nu - gammaln(model.q) + np.log(step)
    assert np.exp(prior).sum() == pytest.approx(1, rel=1e-10)
    for i, (m, S) in enumerate(zip(HISTORIES.m, HISTORIES.S, strict=True)):
        shape = model.p * m
        joint = prior + shape * log_nu + (shape - 1) * np.log(S) - nu * S - gammaln(shape)
        top = joint.max()
        joint = np.exp(joint - top)
        density = top + np.log(joint.sum()) + np.log(m)  # of the mean S/m
        assert model.log_likelihood(HISTORIES)[i] == pytest.approx(density, rel=1e-9)
        excess = shape + model.q - 1
        if excess > 0.3:  # else the tail is too long to add up
            want = (joint * model.p / nu).sum() / joint.sum()
            assert model.expected_spend(m, S) == pytest.approx(want, rel=1e-7)


@every_model
def test_the_density_adds_up_to_one(model):
    log_S = np.linspace(-60 / min(model.p, 1), 60 / min(model.q, 4), 60_000) + np.log(model.gamma)
    S = np.exp(log_S)
    for m in (1.0, 3.0):
        density = np.exp(model.log_likelihood(SpendHistory(m, S))) / m  # of S
        assert (density * S).sum() * (log_S[1] - log_S[0]) == pytest.approx(1, rel=1e-8)


@every_model
@pytest.mark.parametrize("c", [0.01, 1e5])
def test_rescaling_money_shifts_the_likelihood_and_scales_the_mean(model, c):
    other = dataclasses.replace(model, gamma=model.gamma * c)
    there = HISTORIES.rescaled(1 / c)
    np.testing.assert_allclose(
        other.log_likelihood(there), model.log_likelihood(HISTORIES) - np.log(c), rtol=1e-12
    )
    np.testing.assert_allclose(
        other.expected_spend(there.m, there.S), c * model.expected_spend(HISTORIES.m, HISTORIES.S), rtol=1e-12
    )


@every_model
def test_the_mean_is_linear_in_total_spend(model):
    e0, e1 = model.expected_spend_terms(HISTORIES.m)
    np.testing.assert_allclose(model.expected_spend(HISTORIES.m, HISTORIES.S), e0 + e1 * HISTORIES.S)
    np.testing.assert_allclose(e0, e1 * model.gamma)
    # [FH13] eq. 5: a weighted mean of the population's and the customer's own
    mean, weight = HISTORIES.S / HISTORIES.m, model.p * HISTORIES.m / (model.p * HISTORIES.m + model.q - 1)
    if model.q > 1:
        blend = (1 - weight) * model.p * model.gamma / (model.q - 1) + weight * mean
        np.testing.assert_allclose(model.expected_spend(HISTORIES.m, HISTORIES.S), blend, rtol=1e-12)


@pytest.mark.parametrize("q", [0.5, 1.0])
def test_without_a_finite_mean_it_says_why(q):
    model = GammaGamma(0.4, q, 15.0)
    with pytest.raises(FitError, match="M004 spend has no finite mean"):
        model.mean_spend()
    assert (np.isfinite(model.expected_spend_terms(np.arange(2.0))[0]) == [False, q + 0.4 > 1]).all()
    assert np.isfinite(model.spend_quantile(0, 0, 0.5))  # a median there is
    assert GammaGamma(0.4, 1.0001, 15.0).mean_spend() > 0


@every_model
def test_a_purchase_is_distributed_as_simulated(model):
    """ν | m, S ~ Gamma(q + p·m, gamma + S), and a purchase is Gamma(p, ν)."""
    for m, S in [(0.0, 0.0), (3.0, 40.0)]:
        shares = np.array([0.01, 0.3, 0.5, 0.9, 0.999])
        values = model.spend_quantile(m, S, shares)
        np.testing.assert_allclose(model.spend_cdf(m, S, values), shares, rtol=1e-10)
        rng = np.random.default_rng(3)
        rate = rng.gamma(model.q + model.p * m, 1 / (model.gamma + S), 40_000)
        drawn = rng.gamma(model.p, 1 / rate)
        found = [(drawn <= value).mean() for value in values]
        np.testing.assert_allclose(found, shares, atol=4 * np.sqrt(0.25 / 40_000))
        if model.q + model.p * m > 2.5:
            points = (np.arange(20_000) + 0.5) / 20_000
            mean = model.spend_quantile(m, S, points).mean()
            assert model.expected_spend(m, S) == pytest.approx(mean, rel=0.02)


def test_an_infinite_mean_in_one_draw_leaves_the_others_alone():
    model = GammaGamma(*np.array([[2.0, 2.0], [0.9, 3.0], [10.0, 10.0]])[..., None])
    assert model.mean_spend().tolist() == [[np.inf], [10.0]]


@every_model
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(3, 1), (6,), (3, 6)], ids=str)
def test_broadcasting_equals_a_loop(model, method, shape):
    rng = np.random.default_rng(6)
    draws = [getattr(model, n) * rng.uniform(0.5, 2, shape) for n in NAMES]
    found = METHODS[method](GammaGamma(*draws), HISTORIES)
    columns = [np.broadcast_to(v, np.broadcast_shapes(shape, (6,))) for v in draws]
    for index in np.ndindex(columns[0].shape):
        one = GammaGamma(*(float(v[index]) for v in columns))
        h = SpendHistory(HISTORIES.m[index[-1]], HISTORIES.S[index[-1]])
        np.testing.assert_allclose(found[(..., *index)], METHODS[method](one, h)[..., 0], rtol=1e-12)


@every_model
def test_the_score_is_the_slope_of_the_likelihood(model):
    def slope(name):
        value = getattr(model, name)
        up, down = (
            dataclasses.replace(model, **{name: value * (1 + d)}).log_likelihood(HISTORIES)
            for d in (1e-5, -1e-5)
        )
        return (up - down) / (2e-5 * value)

    np.testing.assert_allclose(model.score(HISTORIES), [slope(n) for n in NAMES], rtol=1e-6, atol=1e-8)


def test_extremes_are_right():
    """Against mpmath: p·m to 10⁶, and a customer 10⁹ times the others."""
    from mpmath import mp, mpf

    model, h = GammaGamma(100.0, 1e4, 1e-3), SpendHistory([1, 1e4, 1e4, 3], [1e-9, 1e9, 1.0, 1e-4])
    with mp.workdps(40):
        p, q = mpf(100), mpf(10**4)
        want = [
            mp.loggamma(p * m + q) - mp.loggamma(p * m) - mp.loggamma(q)
            + q * mp.log(mpf(model.gamma)) + p * m * mp.log(mpf(S)) - mp.log(mpf(S)) + mp.log(m)
            - (p * m + q) * mp.log(mpf(model.gamma) + mpf(S))
            for m, S in zip(h.m, h.S, strict=True)
        ]  # fmt: skip
    np.testing.assert_allclose(model.log_likelihood(h), [float(v) for v in want], rtol=1e-10)
    assert np.isfinite(model.score(h)).all()


@pytest.mark.parametrize("model", MODELS[:3], ids=str)
def test_a_fit_recovers_what_can_be_known(model):
    rng = np.random.default_rng(8)
    h = model.simulate(rng, rng.integers(1, 12, 8_000).astype(float))
    fit = clv.fit(GammaGamma, h)
    assert fit.converged
    assert fit.log_likelihood >= model.log_likelihood(h) @ h.weight
    for name, error in fit.standard_errors.items():
        assert fit.parameters[name] == pytest.approx(getattr(model, name), abs=4 * error)
    # the median value of a first purchase, which exists where a mean may not
    draws = [m.simulate(np.random.default_rng(9), np.ones(4_000)).S for m in (model, fit.model)]
    assert np.median(draws[1]) == pytest.approx(np.median(draws[0]), rel=0.1)


# Published numbers.


@pytest.fixture(scope="module")
def fit(cdnow):
    return clv.fit(GammaGamma, cdnow.rfm, first_order="excluded")


def test_the_fit_of_the_note(fit):
    assert fit.customers == 946  # [FH13]
    found = list(fit.parameters.values())
    np.testing.assert_allclose(found, [6.25, 3.74, 15.44], atol=5e-3)  # [FH13]
    np.testing.assert_allclose(found, [6.2496, 3.7442, 15.4435], atol=5e-5)  # [R]
    assert fit.log_likelihood == pytest.approx(-4055.918, abs=5e-4)  # [FH13] −4055.92, [R]


def test_the_likelihood_of_totals_is_another_number(fit, cdnow):
    """That of S instead of S/m lacks Σ log m; [R]."""
    h = cdnow.rfm.history(SpendHistory)
    assert fit.log_likelihood - h.weight @ np.log(h.m) == pytest.approx(-4659.29, abs=5e-3)


def test_the_first_ten_customers(fit, customers):
    """In the order of the log; [S] to two decimals."""
    log = clv.datasets.load_cdnow_sample()
    ten = customers.loc[log["customer_id"].unique()[:10]]
    found = fit.model.expected_spend(ten["spend_days"].to_numpy(float), ten["repeat_spend"].to_numpy() / 100)
    want = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
    np.testing.assert_allclose(found, want, atol=5.1e-3)


def test_no_value_is_above_infinity_and_none_below_zero():
    found = GammaGamma(6.0, 4.0, 15.0).spend_cdf(
        np.array([2.0]), np.array([30.0]), np.array([0.0, 1e300, np.inf])
    )
    np.testing.assert_array_equal(found, [0.0, 1.0, 1.0])
