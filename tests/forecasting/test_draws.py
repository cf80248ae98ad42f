"""Forecasts of fits that have draws, or parameters by group."""

import dataclasses

import numpy as np
import pytest

import clv
from clv.errors import ConfigError, DataError
from clv.fitting.result import Fit
from clv.forecasting.value import value_of_new
from clv.models.draws import mean_over_draws, over_draws

TERMS = {"margin": 0.3, "discount": 0.15}


@pytest.fixture(scope="module")
def drawn(sample_rfm: clv.RFM) -> tuple[Fit, Fit]:
    return tuple(
        clv.fit(kind, sample_rfm, method="laplace", draws=120) for kind in (clv.BGNBD, clv.GammaGamma)
    )


def test_a_forecast_is_the_mean_of_those_of_all_draws(drawn: tuple[Fit, Fit], sample_rfm: clv.RFM) -> None:
    found = clv.forecast(*drawn, sample_rfm, **TERMS).customers().to_pandas()
    frame = sample_rfm.to_pandas()
    h = clv.PurchaseHistory.from_days(frame["frequency"], frame["recency"], frame["T"])
    weeks, rate = 365 / 7, np.log(1.15) / 365.25 * 7
    paid_first = (frame["first_amount"] > 0).to_numpy()
    total = frame["repeat_spend"] + frame["first_amount"].clip(lower=0)
    sums = np.zeros((4, len(frame)))
    for i in range(120):
        purchase = clv.BGNBD(*(float(v[i]) for v in drawn[0].draws.values()))
        spend = clv.GammaGamma(*(float(v[i]) for v in drawn[1].draws.values()))
        sums += (
            purchase.p_alive(h),
            purchase.expected_purchases(h, weeks),
            purchase.discounted_purchases(h, rate, weeks),
            spend.expected_spend(frame["spend_days"] + paid_first, total.to_numpy() / 100),
        )
    alive, purchases, discounted, worth = sums / 120
    np.testing.assert_allclose(found["p_alive"], alive, rtol=1e-9)
    np.testing.assert_allclose(found["expected_purchases"], purchases, rtol=1e-9)
    paid = frame["spend_days"].sum() / frame["frequency"].sum()
    np.testing.assert_allclose(found["expected_spend"], paid * worth, rtol=1e-9)
    np.testing.assert_allclose(found["clv_mean"], 0.3 * discounted * paid * worth, rtol=1e-9)


def test_it_is_near_the_forecast_of_the_most_likely_parameters(
    drawn: tuple[Fit, Fit], sample_fits: tuple[Fit, Fit], sample_rfm: clv.RFM
) -> None:
    totals = [clv.forecast(*fits, sample_rfm, **TERMS).sums for fits in (drawn, sample_fits)]
    for name in ("orders", "active", "clv"):
        assert totals[0][name] == pytest.approx(totals[1][name], rel=0.01)


def test_the_size_of_blocks_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    model = clv.BGNBD(*(v * np.exp(0.1 * rng.standard_normal((70, 1))) for v in (0.5, 8.0, 0.8, 2.5)))
    h = clv.PurchaseHistory([0, 2, 5, 1], [0, 20, 25, 3], [30, 30, 40, 9])
    found = []
    for cells in (1, 30, 10**6):
        monkeypatch.setattr("clv.models.draws._CELLS", cells)
        each = over_draws(model, 4, lambda m: m.p_alive(h))
        mean = mean_over_draws(model, 4, lambda m: m.p_alive(h))
        np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-12)
        found.append(each)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    point = clv.BGNBD(0.5, 8.0, 0.8, 2.5)
    np.testing.assert_array_equal(mean_over_draws(point, 4, lambda m: m.p_alive(h)), point.p_alive(h))


def test_each_group_is_forecast_by_its_own_parameters(sample_rfm: clv.RFM, drawn: tuple[Fit, Fit]) -> None:
    purchase = clv.fit(clv.BGNBD, sample_rfm, method="map", by="cohort")
    spend = clv.fit(clv.GammaGamma, sample_rfm, method="laplace", by="cohort", pooling="none", draws=100)
    totals = (
        clv.forecast(purchase, spend, sample_rfm, **TERMS).totals("cohort").to_pandas().set_index("cohort")
    )
    for code, cohort in enumerate(purchase.groups):
        part = sample_rfm.where("cohort", cohort)
        one = dataclasses.replace(
            clv.fit(clv.BGNBD, part),
            model=clv.BGNBD(**{name: float(v[code]) for name, v in purchase.parameters.items()}),
        )
        money = clv.fit(clv.GammaGamma, part, method="laplace", draws=100, seed=code)
        alone = clv.forecast(one, money, part, **TERMS)
        alone.rfm.__dict__["paid_share"] = (
            sample_rfm.paid_share
        )  # of the whole base, as in the forecast of all
        for name, value in alone.sums.items():
            assert totals.loc[cohort, name] == pytest.approx(value, rel=1e-9)


def test_groups_that_a_base_does_not_have_are_refused(
    sample_rfm: clv.RFM, small_orders: clv.Transactions
) -> None:
    spend = clv.fit(clv.GammaGamma, sample_rfm)
    by_cohort = clv.fit(clv.BGNBD, sample_rfm, method="map", by="cohort")
    later = sample_rfm.with_columns(cohort="1998-01")
    with pytest.raises(DataError, match="D041 1998-01"):
        clv.forecast(by_cohort, spend, later, **TERMS).totals()
    small = small_orders.rfm()
    by_channel = clv.fit(clv.BGNBD, small, method="map", by=["channel", "country"])
    assert " · " in by_channel.groups[0]
    timeless = dataclasses.replace(by_channel, as_of=None)
    with pytest.raises(ConfigError, match="C001 by must name a segment; got channel, country"):
        clv.forecast(timeless, spend, sample_rfm, **TERMS).totals()
    ahead = clv.forecast(by_channel, clv.fit(clv.GammaGamma, small), small, **TERMS)
    assert ahead.totals("channel").to_pandas()["clv"].min() > 0


def test_a_new_customer_has_no_group_yet(sample_rfm: clv.RFM) -> None:
    spend, by_cohort = (
        clv.fit(clv.GammaGamma, sample_rfm),
        clv.fit(clv.BGNBD, sample_rfm, method="map", by="cohort"),
    )
    with pytest.raises(ConfigError, match="C012 the value of a new customer"):
        value_of_new(by_cohort, spend, sample_rfm, "12m", **TERMS)


def test_a_fit_that_failed_a_gate_still_forecasts_and_says_so(
    sample_rfm: clv.RFM, drawn: tuple[Fit, Fit]
) -> None:
    failed = dataclasses.replace(
        drawn[0], posterior=dataclasses.replace(drawn[0].posterior, diagnostics={"k_hat": 0.9})
    )
    assert not failed.passed
    assert clv.forecast(failed, drawn[1], sample_rfm, **TERMS).sums["clv"] > 0
