"""Ridges of the likelihood: a fit must recognise each, name it, and forecast by its end."""

import json

import numpy as np
import pytest

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
    GapHistory,
    GGompertzNBD,
    ParetoNBD,
    PurchaseHistory,
)

FAR = 1e12
N = 4_000
AGE = np.full(N, 40.0)

NOBODY, ONE_P = "nobody seems to leave", "leave with the same probability, 0."
ONE_MU, ONE_RATE = "leave at the same rate", "buy at the same rate"

# Who is fitted, the population, what forecasts must use, and what they are told.
RIDGES = {
    "BG/NBD, nobody leaves": (BGNBD, NBD(1.0, 10.0), NBD, NOBODY),
    "MBG/NBD, nobody leaves": (MBGNBD, NBD(1.0, 10.0), NBD, NOBODY),
    "Pareto/NBD, nobody leaves": (ParetoNBD, NBD(1.0, 10.0), NBD, NOBODY),
    "GGompertz/NBD, nobody leaves": (GGompertzNBD, NBD(1.0, 10.0), NBD, NOBODY),
    "BG/NBD, one dropout": (BGNBD, BGNBD(0.8, 6.0, 0.2 * FAR, 0.8 * FAR), BGNBD, ONE_P),
    "MBG/NBD, one dropout": (MBGNBD, MBGNBD(0.8, 6.0, 0.2 * FAR, 0.8 * FAR), MBGNBD, ONE_P),
    "Pareto/NBD, one dropout": (ParetoNBD, ParetoNBD(0.8, 6.0, FAR, 20 * FAR), ParetoNBD, ONE_MU),
    "NBD, one rate": (NBD, NBD(FAR, 10 * FAR), NBD, ONE_RATE),
    "BG/NBD, one rate": (BGNBD, BGNBD(FAR, 10 * FAR, 0.8, 2.5), BGNBD, ONE_RATE),
    "Pareto/NBD, one rate": (ParetoNBD, ParetoNBD(FAR, 10 * FAR, 0.8, 12.0), ParetoNBD, ONE_RATE),
    "Pareto/NBD, all alike": (ParetoNBD, ParetoNBD(FAR, 5 * FAR, FAR, 20 * FAR), ParetoNBD, ", and all "),
    "GGompertz/NBD, steady": (GGompertzNBD, ParetoNBD(0.6, 8.0, 0.7, 12.0), ParetoNBD, "not change with age"),
    "BG/CNBD, nobody leaves": (BGCNBD, BGCNBD(1.0, 6.0, 1.0, FAR, k=2), BGCNBD, NOBODY),
    "BG/BB, nobody leaves": (BGBB, BGBB(1.2, 2.0, 1.0, FAR), BGBB, NOBODY),
    "BG/BB, one dropout": (BGBB, BGBB(1.2, 2.0, 0.1 * FAR, 0.9 * FAR), BGBB, ONE_P),
    "BG/BB, one propensity": (BGBB, BGBB(0.4 * FAR, 0.6 * FAR, 0.6, 2.0), BGBB, "buy with the same prob"),
    "sBG, one dropout": (SBG, SBG(0.2 * FAR, 0.8 * FAR), SBG, ONE_P),
}
# In about half of all samples from such a population the maximum is a little off the ridge.
SEEDS = {
    "MBG/NBD, nobody leaves": 22,
    "Pareto/NBD, one rate": 20,
    "Pareto/NBD, all alike": 20,
    "GGompertz/NBD, steady": 20,
}


@pytest.mark.parametrize("ridge", RIDGES)
def test_a_fit_names_the_ridge_and_forecasts_by_its_end(ridge):
    kind, truth, end, words = RIDGES[ridge]
    exact = {} if isinstance(truth, BGBB | SBG) else {"grain": 0}
    h = truth.simulate(
        np.random.default_rng(SEEDS.get(ridge, 21)), AGE if exact else np.full(N, 10.0), **exact
    )
    fit = clv.fit(kind, h)
    assert fit.converged
    assert fit.at_edge
    assert fit.message.startswith("M003")
    assert words in fit.message
    assert type(fit.model) is end
    assert type(fit.estimate) is kind
    best = max(fit.log_likelihood, fit.model.log_likelihood(h) @ h.weight)
    assert best >= truth.log_likelihood(h) @ h.weight - 0.01
    assert fit.model.log_likelihood(h) @ h.weight >= truth.log_likelihood(h) @ h.weight - 1
    json.dumps(fit.to_dict(), allow_nan=False)
    if kind is SBG:
        np.testing.assert_allclose(fit.model.survival(np.arange(12)), 0.8 ** np.arange(12), rtol=0.1)
        return
    seen = h.T[0]
    error = 4 * h.x.std() / np.sqrt(N)
    assert fit.model.expected_purchases_new(seen) == pytest.approx(h.x.mean(), abs=error)
    for t in (1.0, 52.0):
        found, want = (m.expected_purchases(h, t) for m in (fit.model, truth))
        assert np.isfinite(found).all()
        assert found.mean() == pytest.approx(want.mean(), rel=0.15)
        none, near = (m.purchase_pmf(h, t, 0).mean() for m in (fit.model, fit.estimate))
        assert none == pytest.approx(near, abs=0.02)
    assert np.isfinite(fit.model.expected_purchases(h, 520.0)).all()
    residual = fit.model.discounted_purchases(h, 0.002, np.inf)
    assert np.isfinite(residual).all()
    assert np.isfinite(fit.model.next_purchase(h, 1e-6)).any()


def test_a_clear_case_is_no_ridge():
    """Where customers differ in all that a model has, it forecasts by itself."""
    for truth in (
        BGNBD(0.6, 8.0, 0.8, 2.5), MBGNBD(0.8, 8.0, 0.8, 2.5), ParetoNBD(0.8, 6.0, 0.8, 12.0),
        MBGCNBD(1.0, 4.0, 0.8, 2.5, k=2), BGBB(1.2, 0.75, 0.66, 2.8), SBG(0.7, 1.2), BdW(0.5, 0.9, 1.6)
    ):  # fmt: skip
        ages = np.full(20_000, 60.0 if hasattr(truth, "r") else 12.0)
        fit = clv.fit(type(truth), truth.simulate(np.random.default_rng(3), ages))
        assert fit.message == "Converged at a maximum.", fit
        assert fit.model is fit.estimate
        assert not fit.at_edge


def test_regularity_of_one_is_random_timing():
    h = BGCNBD(0.6, 8.0, 0.8, 2.5, k=1).simulate(np.random.default_rng(4), AGE, grain=0)
    fit = clv.fit(BGCNBD, h, k=1)
    assert isinstance(fit.model, BGNBD)
    assert "k = 1 is random timing" in fit.message
    assert fit.log_likelihood == pytest.approx(clv.fit(BGNBD, h).log_likelihood, abs=1e-6)


def test_a_parameter_can_be_held():
    h = BGNBD(0.6, 8.0, 0.8, 2.5).simulate(np.random.default_rng(4), AGE)
    free = clv.fit(BGNBD, h)
    held = clv.fit(BGNBD, h.rescaled(2.0), alpha=3.0, a=0.8)
    assert held.parameters.keys() == {"r", "b"}
    assert (held.estimate.alpha, held.estimate.a) == (3.0, 0.8)
    assert held.log_likelihood < clv.fit(BGNBD, h.rescaled(2.0)).log_likelihood
    assert held.covariance.shape == (2, 2)
    assert held.aic == pytest.approx(4 - 2 * held.log_likelihood)
    assert "given" in held.summary()
    again = clv.fit(BGNBD, h, a=free.parameters["a"])
    np.testing.assert_allclose(
        list(again.parameters.values()), [free.parameters[n] for n in ("r", "alpha", "b")], rtol=1e-5
    )


@pytest.mark.parametrize(
    "held",
    [
        {"k": 2},
        {"a": -1.0},
        {"Alpha": 3.0},
        {"a": 0.0},
        {"a": np.nan},
        {"a": np.inf},
        {"a": "x"},
        {"a": None},
    ],
    ids=str,
)
def test_what_cannot_be_held_is_refused(held):
    h = BGNBD(0.6, 8.0, 0.8, 2.5).simulate(np.random.default_rng(4), AGE[:50])
    with pytest.raises(clv.ConfigError, match=r"C012 .* must be a parameter of BGNBD"):
        clv.fit(BGNBD, h, **held)


def test_regularity_is_whole():
    h = BGCNBD(0.6, 8.0, 0.8, 2.5).simulate(np.random.default_rng(4), AGE[:50])
    with pytest.raises(clv.ConfigError, match="C012 k must be"):
        clv.fit(BGCNBD, h, k=1.5)


def test_held_values_stay_as_they_are():
    h = BGNBD(0.8, 6.0, 0.2 * FAR, 0.8 * FAR).simulate(np.random.default_rng(21), AGE, grain=0)
    fit = clv.fit(BGNBD, h, a=50.0)
    assert fit.model.a == 50.0
    with pytest.raises(clv.ConfigError, match="C012 BGNBD needs a parameter to estimate"):
        clv.fit(BGNBD, h, r=1, alpha=2, a=1, b=2)
    assert clv.fit(BGCNBD, GapHistory([0, 1, 4], [0, 3.0, 30], 40.0, log_gaps=0.0), k=2.0).held == {"k": 2}


@pytest.mark.parametrize("seed", range(6))
def test_a_model_is_as_likely_as_those_within_it(seed):
    """One customer of a bygone age stretches the scale, and a search may stop early."""
    rng = np.random.default_rng(seed)
    h = BGNBD(0.25, 4.5, 0.8, 2.5).simulate(rng, np.ceil(rng.uniform(1, 52, 1000) * 7) / 7)
    h = PurchaseHistory(np.append(h.x, 3.0), np.append(h.t_x, 100.0), np.append(h.T, 2800.0))
    nbd, pareto, gompertz = (clv.fit(kind, h).log_likelihood for kind in (NBD, ParetoNBD, GGompertzNBD))
    assert gompertz >= pareto - 0.01
    assert pareto >= nbd - 0.01


def test_a_simpler_model_is_taken_only_for_what_ran_to_a_bound():
    """Where r ran to its bound, dropout keeps its differences."""
    for seed in range(12):
        h = ParetoNBD(3.0, 30.0, 0.5, 20.0).simulate(np.random.default_rng(seed), np.full(400, 30.0), grain=0)
        fit = clv.fit(ParetoNBD, h)
        lost = fit.log_likelihood - fit.model.log_likelihood(h) @ h.weight
        if "leave" in fit.message:
            assert lost < 0.02 or {"s", "beta"} & set(fit.boundary)
        else:
            assert lost < 0.02 or {"r", "alpha"} & set(fit.boundary)
