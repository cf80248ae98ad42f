"""Posteriors: against integration, against NUTS, and free of what must not matter."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.special import expit, gammaln
from scipy.stats import norm

import clv
from clv import (
    BGBB,
    BGCNBD,
    BGNBD,
    MBGCNBD,
    MBGNBD,
    NBD,
    SBG,
    BdW,
    ConfigError,
    GammaGamma,
    GGompertzNBD,
    ParetoNBD,
    PurchaseHistory,
    RetentionHistory,
)
from clv.fitting.posterior import Posterior


def purchases(customers=400, seed=1, kind=None):
    rng = np.random.default_rng(seed)
    ages = rng.uniform(20, 60, customers).round()
    return (kind or BGNBD(0.6, 8.0, 0.8, 2.5)).simulate(rng, ages)


CONTRACTS = RetentionHistory([1, 2, 3, 4, 4], [1, 1, 1, 1, 0], [31, 20, 12, 9, 60])
SPEND = GammaGamma(6.0, 4.0, 15.0).simulate(np.random.default_rng(2), np.tile([1.0, 2, 5], 100))
GAPS = BGCNBD(0.9, 4.0, 0.8, 2.5, 2).simulate(np.random.default_rng(3), np.full(300, 40.0))
PERIODS = BGBB(1.2, 0.75, 0.66, 2.8).simulate(np.random.default_rng(4), np.full(500, 6))
CASES = {
    NBD: purchases(),
    BGNBD: purchases(),
    MBGNBD: purchases(),
    ParetoNBD: purchases(),
    GGompertzNBD: purchases(),
    BGCNBD: GAPS,
    MBGCNBD: GAPS,
    BGBB: PERIODS,
    SBG: CONTRACTS,
    BdW: CONTRACTS,
    GammaGamma: SPEND,
}
each_model = pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)


# Against integration on a grid, with densities written down here.


def integrated(log_density, centres, sds, points=401):
    """Means and standard deviations of two coordinates on a grid, six deviations to each side."""
    axes = [c + s * np.linspace(-6, 6, points) for c, s in zip(centres, sds, strict=True)]
    logs = log_density(*np.meshgrid(*axes, indexing="ij"))
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    found = []
    for axis, share in ((axes[0], weight.sum(axis=1)), (axes[1], weight.sum(axis=0))):
        mean = share @ axis
        found.append((mean, np.sqrt(share @ (axis - mean) ** 2)))
    return found


def within(fit, found, errors=4.0):
    """Means and sds of a thousand draws lie within Monte Carlo error of those found otherwise."""
    theta = fit.posterior.theta
    for column, (mean, sd) in zip(theta.T, found, strict=True):
        assert column.mean() == pytest.approx(mean, abs=errors * sd / np.sqrt(len(theta)))
        assert column.std() == pytest.approx(sd, rel=errors * 1.2 / np.sqrt(2 * len(theta)))


def test_contracts_against_integration():
    fit = clv.fit(SBG, CONTRACTS, method="laplace", priors={"share_lost": (0.1, 0.5)})
    z = norm.ppf(0.95)

    def log_density(u, v):  # logits of the mean of Beta(a, b) and of 1/(1 + a + b)
        total = np.exp(-v)
        a, b = total * expit(u), total * expit(-u)
        ends = [np.log(0.1 / 0.9), np.log(0.5 / 0.5)], [np.log(0.02 / 0.98), np.log(0.8 / 0.2)]
        prior = sum(
            norm.logpdf(at, (lo + hi) / 2, (hi - lo) / 2 / z)
            for at, (lo, hi) in zip((u, v), ends, strict=True)
        )
        alive, likelihood = 1.0, 0.0
        for age, lost in ((1, 31), (2, 20), (3, 12), (4, 9)):
            hazard = a / (a + b + age - 1)
            likelihood += lost * np.log(alive * hazard)
            alive *= 1 - hazard
        return prior + likelihood + 60 * np.log(alive)

    within(fit, integrated(log_density, fit.posterior.theta.mean(axis=0), fit.posterior.theta.std(axis=0)))


def test_purchases_without_dropout_against_integration():
    h = NBD(0.8, 10.0).simulate(np.random.default_rng(5), np.full(60, 30.0))
    fit = clv.fit(NBD, h, method="laplace")
    x, counts = np.unique(h.x, return_counts=True)
    z = norm.ppf(0.95)

    def log_density(u, v):  # logs of r/alpha·30 and of 1/√r; the count of purchases is negative binomial
        r = np.exp(-2 * v)
        share = np.exp(u) / (r + np.exp(u))
        prior = norm.logpdf(u, 0, np.log(50) / z) + norm.logpdf(v, np.log(0.9) / 2, np.log(10) / 2 / z)
        for n, count in zip(x, counts, strict=True):
            each = gammaln(r + n) - gammaln(r) + n * np.log(share) + r * np.log1p(-share)
            prior = prior + count * each
        return prior

    found = integrated(log_density, fit.posterior.theta.mean(axis=0), fit.posterior.theta.std(axis=0), 201)
    within(fit, found)


# For every model.


@each_model
def test_every_model_gets_draws_that_pass(kind):
    fit = clv.fit(kind, CASES[kind], method="laplace")
    assert fit.passed
    assert fit.posterior.theta.shape == (1000, len(kind.quantities))
    assert len(np.unique(fit.posterior.theta[:, 0])) > 700
    assert fit.posterior.diagnostics["k_hat"] < 0.5
    assert fit.posterior.diagnostics["ess"] > 1500
    for name, draws in fit.draws.items():
        low, high = fit.intervals(0.9)[name]
        assert low < np.median(draws) < high
        assert fit.standard_errors[name] == pytest.approx(draws.std())
    assert set(fit.quantities) == {q.name for q in kind.quantities}
    json.dumps(fit.to_dict(), allow_nan=False)
    assert fit.message in fit.summary()
    assert all(q.words in fit.summary() for q in kind.quantities)


@each_model
def test_the_mode_is_the_top_of_likelihood_and_prior(kind):
    fit = clv.fit(kind, CASES[kind], method="map")
    top = clv.fit(kind, CASES[kind])
    assert fit.converged
    assert fit.log_likelihood <= top.log_likelihood + 1e-6
    wide = {}
    for q in kind.quantities:
        low, high = (float(q.value(q.free(end) + shift)) for end, shift in ((q.low, -9), (q.high, 9)))
        wide[q.name] = (low, min(high, 1 - 1e-12) if q.kind != "positive" else high)
    if not top.at_edge and kind is not GammaGamma:
        flat = clv.fit(kind, CASES[kind], method="map", priors=wide)
        assert flat.log_likelihood == pytest.approx(top.log_likelihood, abs=0.05)


# What must not matter, and what must.


@pytest.mark.parametrize("size", [1 / 7, 1e4, 1e-6])
@pytest.mark.parametrize("kind", [BGNBD, GammaGamma])
def test_the_unit_changes_no_draw(kind, size):
    one = clv.fit(kind, CASES[kind], method="laplace")
    other = clv.fit(kind, CASES[kind].rescaled(size), method="laplace")
    np.testing.assert_allclose(other.posterior.theta, one.posterior.theta, rtol=1e-6, atol=1e-6)
    scale = "alpha" if kind is BGNBD else "gamma"
    np.testing.assert_allclose(other.draws[scale] * size, one.draws[scale], rtol=1e-5)


def test_neither_order_nor_grouping_changes_a_draw():
    h = CASES[BGNBD]
    order = np.random.default_rng(0).permutation(len(h))
    once = clv.fit(BGNBD, h, method="laplace")
    mixed = PurchaseHistory(h.x[order], h.t_x[order], h.T[order])
    np.testing.assert_allclose(clv.fit(BGNBD, mixed, method="laplace").posterior.theta, once.posterior.theta)
    twice = PurchaseHistory(h.x, h.t_x, h.T, 2.0)
    rows = PurchaseHistory(*(np.tile(v, 2) for v in (h.x, h.t_x, h.T)))
    a, b = (clv.fit(BGNBD, data, method="laplace").posterior.theta for data in (twice, rows))
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_a_seed_gives_the_same_draws_and_another_one_others():
    first, second, third = (clv.fit(BGNBD, CASES[BGNBD], method="laplace", seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.posterior.theta, second.posterior.theta)
    assert not np.array_equal(first.posterior.theta, third.posterior.theta)


def test_a_prior_moves_what_few_customers_leave_open():
    h = purchases(30)
    for low, high in ((0.01, 0.03), (0.5, 0.7)):
        drawn = clv.fit(BGNBD, h, method="laplace", priors={"share_lost": (low, high)}).quantities[
            "share_lost"
        ]
        assert low / 2 < np.median(drawn) < high * 1.2


def test_few_customers_hear_that_the_prior_speaks():
    assert "there the prior speaks" in clv.fit(BGNBD, purchases(5), method="laplace").message
    assert "prior" not in clv.fit(BGNBD, purchases(4000), method="laplace").message


def test_a_prior_that_the_data_object_to_is_called_that():
    fit = clv.fit(BGNBD, CASES[BGNBD], method="laplace", priors={"share_lost": (0.0001, 0.0002)})
    assert "The data object to the prior on share_lost" in fit.message
    assert "say little of share_lost" not in fit.message


def test_data_that_contradict_a_prior_give_no_draws():
    fit = clv.fit(BGNBD, CASES[BGNBD], method="laplace", priors={"purchases": (1e-3, 1.01e-3)})
    assert fit.message.startswith("M003 the data contradict the prior on purchase_spread")
    assert not fit.passed
    assert fit.posterior is None
    assert not fit.draws


def test_models_of_draws_give_forecasts_for_each_of_them():
    h = CASES[BGNBD]
    fit = clv.fit(BGNBD, h, method="laplace", draws=200)
    found = fit.model.expected_purchases(h, 52.0)
    assert found.shape == (200, len(h))
    one = BGNBD(*(float(v[7]) for v in fit.draws.values())).expected_purchases(h, 52.0)
    np.testing.assert_allclose(found[7], one, rtol=1e-9)


# Gates.


@pytest.mark.parametrize(
    ("diagnostics", "words"),
    [
        ({"k_hat": 0.71}, "k_hat is 0.71, above 0.7"),
        ({"k_hat": np.inf}, "k_hat is inf"),
        ({"k_hat": np.nan}, "k_hat is nan"),
        ({"r_hat": 1.02}, "chains do not agree"),
        ({"ess_bulk": 399.0}, "below 400"),
        ({"ess_tail": 10.0}, "intervals"),
        ({"divergent": 0.01}, "diverged"),
    ],
)
def test_a_gate_that_is_failed_marks_the_fit(diagnostics, words):
    good = {"k_hat": 0.5, "r_hat": 1.001, "ess_bulk": 900.0, "ess_tail": 800.0, "divergent": 0.0}
    assert not Posterior(np.zeros((9, 1)), good).failures
    failed = Posterior(np.zeros((9, 1)), good | diagnostics)
    assert len(failed.failures) == 1
    assert words in failed.failures[0]
    assert failed.message("laplace").startswith("M002")
    assert 'method="nuts"' in failed.message("laplace")
    fit = clv.fit(SBG, CONTRACTS, method="laplace")
    assert not dataclasses.replace(fit, posterior=failed).passed


# Options.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "mcmc"}, "method must be one of mle, map, laplace, nuts"),
        ({"priors": {"purchases": (1, 2)}}, "priors say nothing"),
        ({"method": "map", "priors": {"purchase": (1, 2)}}, "has no prior on 'purchase'"),
        ({"method": "map", "priors": {"purchases": (2, 1)}}, r"range \(low, high\) above 0"),
        ({"method": "map", "priors": {"purchases": (-1, 1)}}, r"range \(low, high\) above 0"),
        ({"method": "map", "priors": {"share_lost": (0.2, 1.0)}}, "between 0 and 1"),
        ({"method": "map", "priors": {"share_lost": 0.2}}, "between 0 and 1"),
        ({"method": "map", "priors": {"between_groups": (0.1, 1.0)}}, "has no prior on 'between_groups'"),
        ({"method": "map", "priors": (0.1, 1.0)}, "ranges by name"),
        ({"method": "laplace", "r": 0.5}, 'held by method="mle" only'),
        ({"method": "laplace", "seed": -1}, "seed must be a whole number"),
        ({"method": "laplace", "draws": 10}, "draws must be a whole number, 100 or more"),
        ({"method": "nuts", "chains": 1}, "chains must be a whole number, 2 or more"),
        ({"method": "laplace", "pooling": "none"}, "pooling needs groups"),
        ({"tune": 100}, "tune must be a parameter of BGNBD"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        clv.fit(BGNBD, CASES[BGNBD], **options)
    assert set(caught.value.codes) == {"C012"}


def test_all_that_cannot_be_meant_is_said_at_once():
    with pytest.raises(ConfigError) as caught:
        clv.fit(BGNBD, CASES[BGNBD], method="bayes", priors={"x": 1}, pooling="some", seed=0.5, q=1)
    assert len(caught.value.messages) == 5


def test_priors_print_in_words():
    said = str(clv.priors(BGNBD, share_lost=(0.05, 0.4)))
    assert "share_lost: share of customers lost at a purchase; 90 % between 0.05 and 0.4" in said
    assert len(said.splitlines()) == 4
    with pytest.raises(ConfigError, match="no prior on 'p'"):
        clv.priors(BGNBD, p=(0.1, 0.2))
    theta = (
        np.random.default_rng(1).standard_normal((4, 100_000)).T * clv.priors(BGNBD).sd
        + clv.priors(BGNBD).centre
    )
    for name, values in clv.priors(BGNBD).values(theta.T).items():
        low, high = clv.priors(BGNBD).ranges[name]
        assert np.mean((values > low) & (values < high)) == pytest.approx(0.9, abs=0.01)
