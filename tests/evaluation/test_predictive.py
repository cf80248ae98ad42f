"""Predictive checks: simulated customers beside real ones; and how much results owe to priors."""

import numpy as np
import pytest

import clv
from clv import (
    BGBB,
    BGNBD,
    NBD,
    SBG,
    ConfigError,
    GammaGamma,
    OpportunityHistory,
    PurchaseHistory,
    RetentionHistory,
)

RNG = np.random.default_rng(1)
H = BGNBD(0.6, 8.0, 0.8, 2.5).simulate(RNG, RNG.uniform(20, 60, 3000).round())
SPEND = GammaGamma(6.0, 4.0, 15.0).simulate(RNG, np.tile([1.0, 2, 5], 300))
CONTRACTS = RetentionHistory([1, 2, 3, 3], [1, 1, 1, 0], [60, 30, 20, 90])
PERIODS = BGBB(1.2, 0.75, 0.66, 2.8).simulate(RNG, np.full(800, 6))


@pytest.mark.parametrize(
    ("kind", "data"), [(BGNBD, H), (GammaGamma, SPEND), (BGBB, PERIODS), (SBG, CONTRACTS)]
)
def test_a_model_that_is_true_is_not_caught(kind, data):
    check = clv.posterior_predictive(clv.fit(kind, data, method="laplace"))
    assert check.frequency["actual"].sum() == pytest.approx(1)
    assert len(check.outside) <= 2
    assert np.all(check.frequency["low"] <= check.frequency["middle"])
    assert np.all(check.frequency["middle"] <= check.frequency["high"])
    assert check.tracking is None
    assert ("Every row lies" in repr(check)) == (not check.outside)


def test_a_model_that_is_wrong_is_caught():
    alike = PurchaseHistory(np.full(500, 3.0), np.linspace(15, 39, 500).round(), np.full(500, 40.0))
    check = clv.posterior_predictive(clv.fit(NBD, alike, method="laplace"))
    assert {"2", "3", "4"} <= set(check.outside)
    assert "Outside 90 %" in repr(check)
    assert "<table" in check._repr_html_()


def test_bands_are_those_of_counts_and_widen_with_doubt_about_parameters():
    fit = clv.fit(BGNBD, H, method="laplace")
    point = clv.fit(BGNBD, H)
    n = H.weight.sum()
    for one, factor in ((point, 1.0), (fit, 1.0)):
        check = clv.posterior_predictive(one, draws=400)
        share = check.frequency["middle"]["0"]
        width = (check.frequency["high"] - check.frequency["low"])["0"]
        assert width > 0.85 * factor * 3.29 * np.sqrt(share * (1 - share) / n)
    few = clv.fit(BGNBD, PurchaseHistory(H.x[:100], H.t_x[:100], H.T[:100]), method="laplace")
    small = clv.posterior_predictive(few, draws=400).frequency
    assert (small["high"] - small["low"])["0"] > 4 * width


def test_weekly_tracking_counts_what_was_bought(sample_rfm):
    fit = clv.fit(BGNBD, sample_rfm, method="laplace")
    check = clv.posterior_predictive(fit, sample_rfm, draws=100)
    assert len(check.tracking) == 38
    total = sample_rfm.to_pandas()["frequency"].sum()
    found = check.tracking
    days = sample_rfm.days.to_pandas()
    since = days["day"] - days["day"].min()
    assert found["actual"].sum() == (since < 7 * 38).sum() - len(sample_rfm)  # six days are no whole week
    assert total - 90 < found["actual"].sum() < total
    assert ((found["actual"] >= found["low"]) & (found["actual"] <= found["high"])).mean() > 0.5
    assert check.tracking["middle"].sum() == pytest.approx(total, rel=0.06)
    frame = sample_rfm.to_pandas()
    assert check.frequency["actual"]["0"] == pytest.approx((frame["frequency"] == 0).mean())


def test_priors_alone_promise_little():
    check = clv.prior_predictive(BGNBD, H)
    assert not check.outside
    assert (check.frequency["high"] - check.frequency["low"])["0"] > 0.5
    narrow = clv.prior_predictive(BGNBD, H, priors={"purchases": (0.01, 0.02)})
    assert narrow.frequency["low"]["0"] > 0.9
    again = clv.prior_predictive(clv.MBGCNBD, clv.GapHistory(H.x, H.t_x, H.T, log_gaps=0.0), k=3, draws=20)
    assert len(again.frequency) == 8
    with pytest.raises(ConfigError, match="no prior on 'x'"):
        clv.prior_predictive(BGNBD, H, priors={"x": (1, 2)})


def test_what_cannot_be_checked_is_refused(tmp_path):
    grouped = PurchaseHistory(H.x, H.t_x, H.T, group=np.where(np.arange(len(H)) % 2, "a", "b"))
    with pytest.raises(ConfigError, match="one set of parameters"):
        clv.posterior_predictive(clv.fit(BGNBD, grouped, method="map"))
    clv.fit(BGNBD, H).save(tmp_path / "fit.json")
    stored = clv.Fit.load(tmp_path / "fit.json")
    with pytest.raises(ConfigError, match="does not know its data"):
        clv.posterior_predictive(stored)
    assert len(clv.posterior_predictive(stored, H, draws=5).frequency) == 8


@pytest.mark.parametrize("size", [30.4 / 7, 365.25 / 7])
def test_the_unit_of_a_history_changes_no_check(size):
    ours, theirs = (clv.posterior_predictive(clv.fit(BGNBD, h)) for h in (H, H.rescaled(size)))
    np.testing.assert_allclose(theirs.frequency["middle"], ours.frequency["middle"], atol=0.004)


@pytest.mark.parametrize(
    "call",
    [
        lambda: clv.prior_predictive(BGNBD, H, foo=3),
        lambda: clv.prior_predictive(BGNBD, H, r=3),
        lambda: clv.prior_predictive(BGNBD, H, draws=0),
        lambda: clv.prior_predictive(clv.BGCNBD, clv.GapHistory(H.x, H.t_x, H.T, log_gaps=0.0), k=-1),
        lambda: clv.posterior_predictive(clv.fit(BGNBD, H), draws=0),
        lambda: clv.fit(BGNBD, H).profile("r", points=0),
        lambda: clv.fit(BGNBD, H).profile("r", points=2.5),
        lambda: clv.fit(BGNBD, H, by=5),
        lambda: clv.fit(BGNBD, H, by=("cohort", "cohort")),
        lambda: clv.fit(BGNBD, H, method="nuts", seed=2**70),
    ],
)
def test_options_that_mean_nothing_are_refused(call):
    with pytest.raises(ConfigError, match="C012"):
        call()


def test_weights_need_not_be_whole():
    some = PurchaseHistory([0, 1, 3], [0, 10, 25], [30, 30, 30], [0.2, 0.3, 0.1])
    assert clv.posterior_predictive(clv.fit(BGNBD, some), draws=20).frequency.notna().all(axis=None)


def test_a_large_base_is_sampled():
    many = PurchaseHistory(H.x, H.t_x, H.T, 1000.0)
    check = clv.posterior_predictive(clv.fit(BGNBD, many), draws=20)
    assert check.frequency["actual"]["0"] == pytest.approx(np.mean(H.x == 0))
    width = (check.frequency["high"] - check.frequency["low"])["0"]
    assert width == pytest.approx(3.29 * np.sqrt(0.24 / 20_000), rel=0.6)


def test_opportunities_are_simulated_from_draws():
    h = OpportunityHistory([1, 0, 2, 3], [1, 0, 2, 3], [3, 3, 3, 3], [10, 20, 5, 2])
    assert clv.posterior_predictive(clv.fit(BGBB, h, method="laplace"), draws=10).frequency["high"]["7+"] == 0


# How much results owe to priors.


def test_priors_matter_to_few_customers_and_not_to_many():
    few = PurchaseHistory(H.x[:40], H.t_x[:40], H.T[:40])
    small = clv.prior_sensitivity(clv.fit(BGNBD, few, method="laplace"))
    large = clv.prior_sensitivity(clv.fit(BGNBD, H, method="laplace"))
    assert list(small.index) == [*(q.name for q in BGNBD.quantities), "all"]
    assert np.all(large["twice"].abs() < 0.02)
    assert small["twice"].abs().max() > 3 * large["twice"].abs().max()


def test_power_scaling_is_what_a_narrower_prior_gives():
    few = PurchaseHistory(H.x[:200], H.t_x[:200], H.T[:200])
    fit = clv.fit(BGNBD, few, method="laplace", draws=1000, seed=1)
    found = clv.prior_sensitivity(fit).loc["loss_polarisation", "twice"]
    low, high = fit.priors.ranges["loss_polarisation"]
    q = next(q for q in BGNBD.quantities if q.name == "loss_polarisation")
    middle, half = (q.free(low) + q.free(high)) / 2, (q.free(high) - q.free(low)) / 2 / np.sqrt(2)
    narrow = {"loss_polarisation": (float(q.value(middle - half)), float(q.value(middle + half)))}
    other = clv.fit(BGNBD, few, method="laplace", priors=narrow, seed=2)

    def purchases(f):
        return f.model.expected_purchases(few, 365.25 / 7).mean(axis=1)

    a, b = purchases(fit), purchases(other)
    error = np.sqrt(a.var() / 1000 + b.var() / 1000) / a.mean()
    assert found == pytest.approx(b.mean() / a.mean() - 1, abs=4 * error)


def test_sensitivity_needs_draws():
    with pytest.raises(ConfigError, match="needs draws"):
        clv.prior_sensitivity(clv.fit(BGNBD, H))
    with pytest.raises(ConfigError, match="purchases or spend"):
        clv.prior_sensitivity(clv.fit(SBG, CONTRACTS, method="laplace"))
    assert len(clv.prior_sensitivity(clv.fit(GammaGamma, SPEND, method="laplace"))) == 4
