"""NUTS: by PyMC and by nutpie, against importance sampling, and inside a model of one's own."""

import numpy as np
import pytest

import clv
from clv import BGNBD, ConfigError, GammaGamma, ParetoNBD
from clv.fitting import nuts

H = BGNBD(0.6, 8.0, 0.8, 2.5).simulate(
    np.random.default_rng(7), np.random.default_rng(8).uniform(20, 60, 300).round()
)
SPEND = GammaGamma(6.0, 4.0, 15.0).simulate(np.random.default_rng(9), np.tile([1.0, 2, 5], 60))


@pytest.fixture
def sampler(request, monkeypatch):
    """Samples by PyMC where nutpie is not found."""
    if request.param == "pymc":
        monkeypatch.setattr(nuts.importlib.util, "find_spec", lambda name: None)
    return request.param


both = pytest.mark.parametrize("sampler", ["pymc", "nutpie"], indirect=True)


def agree(one, other, errors=4.0):
    """Means and standard deviations of two posteriors agree within Monte Carlo error."""
    for a, b, size_a, size_b in zip(
        one.theta.T, other.theta.T, *(_sizes(p) for p in (one, other)), strict=True
    ):
        error = np.sqrt(a.var() / size_a + b.var() / size_b)
        assert a.mean() == pytest.approx(b.mean(), abs=errors * error)
        spread = np.sqrt(1 / (2 * size_a) + 1 / (2 * size_b))
        assert np.log(a.std() / b.std()) == pytest.approx(
            0, abs=errors * 1.5 * spread
        )  # tails are not normal


def _sizes(posterior):
    from arviz_stats.base import array_stats

    chains = posterior.theta.reshape(posterior.chains, -1, posterior.theta.shape[1])
    return array_stats.ess(chains, method="bulk", chain_axis=0, draw_axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "sampler"),
    [(BGNBD, "pymc"), (BGNBD, "nutpie"), (GammaGamma, "pymc"), (ParetoNBD, "nutpie")],
    indirect=["sampler"],
)
def test_chains_agree_with_importance_sampling(kind, sampler):
    data = SPEND if kind is GammaGamma else H
    fit = clv.fit(kind, data, method="nuts", seed=1, draws=500)
    assert fit.passed, fit.message
    assert fit.posterior.theta.shape == (2000, len(kind.quantities))
    assert fit.posterior.chains == 4
    assert set(fit.posterior.diagnostics) == {"r_hat", "ess_bulk", "ess_tail", "divergent"}
    assert all(v.shape == (4, 500) for v in fit.posterior.stats.values())
    agree(fit.posterior, clv.fit(kind, data, method="laplace", seed=2, draws=2000).posterior)


@pytest.mark.slow
def test_chains_agree_with_importance_sampling_on_cdnow(sample_rfm):
    exact = clv.fit(BGNBD, sample_rfm, method="nuts", seed=1)
    assert exact.passed, exact.message
    agree(exact.posterior, clv.fit(BGNBD, sample_rfm, method="laplace", seed=2, draws=4000).posterior)


@both
@pytest.mark.slow
def test_a_seed_gives_the_same_chains(sampler):
    once, again, other = (
        clv.fit(GammaGamma, SPEND, method="nuts", seed=s, draws=100, chains=2) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(once.posterior.theta, again.posterior.theta)
    assert not np.array_equal(once.posterior.theta, other.posterior.theta)


def test_too_few_draws_fail_their_gate():
    fit = clv.fit(GammaGamma, SPEND, method="nuts", draws=100, chains=2)
    assert not fit.passed
    assert fit.message.startswith("M002")
    assert "below 400: there are too few effective draws for means" in fit.message
    assert fit.converged


@both
def test_a_density_that_is_no_number_is_nowhere(sampler):
    def density(theta):
        if theta[0] < -1:
            return np.nan, np.full(1, np.nan)
        return -float(theta @ theta) / 2, -theta

    found = nuts.sample(density, nuts.Frame(np.zeros(1), np.eye(1)), 1, 400, 2)
    assert found.theta.min() >= -1
    assert found.theta.mean() == pytest.approx(0.2876, abs=0.15)  # φ(−1)/(1 − Φ(−1))


# In a model of one's own.


def test_the_log_likelihood_is_a_variable_with_a_gradient():
    import pytensor
    import pytensor.tensor as pt

    at = {"r": 0.5, "alpha": 7.0, "a": 0.9, "b": 2.0}
    variables = {name: pt.dscalar(name) for name in at}
    value = clv.nuts.log_likelihood(BGNBD, H, **variables)
    f = pytensor.function(
        list(variables.values()), [value, *pytensor.grad(value, list(variables.values()))], mode="CVM"
    )
    found = f(**at)
    model = BGNBD(**at)
    assert found[0] == pytest.approx(float(model.log_likelihood(H).sum()))
    np.testing.assert_allclose(found[1:], model.score(H).sum(axis=1))


def test_the_log_likelihood_takes_a_vector_for_groups():
    import pytensor
    import pytensor.tensor as pt

    half = len(H) // 2
    grouped = clv.PurchaseHistory(H.x, H.t_x, H.T, group=["a"] * half + ["b"] * (len(H) - half))
    alpha = pt.dvector("alpha")
    value = clv.nuts.log_likelihood(BGNBD, grouped, r=0.5, alpha=alpha, a=0.9, b=2.0)
    found, slope = pytensor.function([alpha], [value, pytensor.grad(value, alpha)], mode="CVM")([6.0, 9.0])
    parts = [BGNBD(0.5, a, 0.9, 2.0) for a in (6.0, 9.0)]
    each = [
        (m.log_likelihood(p).sum(), m.score(p)[1].sum()) for m, p in zip(parts, grouped.parts(), strict=True)
    ]
    assert found == pytest.approx(sum(v for v, _ in each))
    np.testing.assert_allclose(slope, [s for _, s in each])


def test_places_where_there_is_no_model_are_nowhere():
    import pytensor
    import pytensor.tensor as pt

    r = pt.dscalar("r")
    value = clv.nuts.log_likelihood(BGNBD, H, r=r, alpha=7.0, a=0.9, b=2.0)
    f = pytensor.function([r], [value, pytensor.grad(value, r)], mode="CVM")
    assert f(-1.0) == [-np.inf, 0.0]
    assert f(0.0) == [-np.inf, 0.0]
    assert np.isfinite(f(0.5)).all()


def test_a_given_number_is_passed_on_and_unknown_names_are_refused():
    gaps = clv.GapHistory([0, 2], [0, 20], [30, 30], log_gaps=[0, 4.5])
    value = clv.nuts.log_likelihood(clv.BGCNBD, gaps, r=0.5, alpha=7.0, a=0.9, b=2.0, k=2)
    assert value.eval(mode="CVM") == pytest.approx(
        clv.BGCNBD(0.5, 7.0, 0.9, 2.0, 2).log_likelihood(gaps).sum()
    )
    for wrong in ({"r": 1.0}, {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": 1.0, "q": 2.0}):
        with pytest.raises(ConfigError, match="C012 BGNBD needs r, alpha, a, b"):
            clv.nuts.log_likelihood(BGNBD, H, **wrong)


@pytest.mark.slow
def test_a_model_of_ones_own_samples():
    import pymc as pm

    with pm.Model():
        logs = pm.Normal("logs", [np.log(0.6), np.log(8.0), np.log(0.8), np.log(2.5)], 1.0, shape=4)
        r, alpha, a, b = (pm.math.exp(logs)[i] for i in range(4))
        pm.Potential("purchases", clv.nuts.log_likelihood(BGNBD, H, r=r, alpha=alpha, a=a, b=b))
        found = pm.sample(
            200, tune=300, chains=2, cores=1, random_seed=1, progressbar=False, compile_kwargs={"mode": "CVM"}
        )
    top = clv.fit(BGNBD, H)
    middle = np.exp(found.posterior["logs"].mean(("chain", "draw")).values)
    for value, (low, high) in zip(middle, top.intervals(0.99).values(), strict=True):
        assert low < value < high
