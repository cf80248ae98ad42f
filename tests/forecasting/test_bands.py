"""Bands of single customers, against customers who are simulated one event after another."""

import dataclasses

import numpy as np
import pytest

import clv
from clv.errors import ConfigError
from clv.forecasting import stream
from clv.forecasting.stream import Base, bands, quantiles, step_ends
from one_by_one import PURCHASE, RATE, SPEND, jittered, lives

TERMS = {"margin": 0.3, "discount": 0.15}


@pytest.fixture(scope="module")
def drawn(sample_rfm):
    spend = clv.fit(clv.GammaGamma, sample_rfm, method="laplace", first_order="excluded")
    return clv.fit(clv.BGNBD, sample_rfm, method="laplace"), spend


def test_quantiles_weigh_every_draw():
    rng = np.random.default_rng(1)
    values = np.where(rng.random((30, 40)) < 0.3, 0.0, rng.gamma(2.0, size=(30, 40)))
    weights = rng.uniform(0.2, 1.0, (5, 30))
    found = quantiles(values, weights, 30, (0.05, 0.5, 0.95))
    for column, own in zip(found.T, weights, strict=True):
        for level, value in zip((0.05, 0.5, 0.95), column, strict=True):
            near = [
                (own @ (values <= v).mean(axis=1) + 30 - own.sum()) / 30 for v in (value * 0.97, value * 1.03)
            ]
            assert near[0] <= level + 1e-9 or value == 0
            assert near[1] >= level - 1e-9
    waits = quantiles(values, weights, 30, [0.1, 0.9999], last=True)
    assert np.isfinite(waits[0]).all()
    assert np.isinf(waits[1]).all()


@pytest.mark.parametrize("certain", [True, False])
def test_bands_hold_what_simulated_customers_bring(certain):
    """5, 50 and 95 % of discounted revenue, and half of the next purchases, of five histories."""
    rng = np.random.default_rng(2)
    purchase, spend = (m if certain else jittered(m, rng, 0.3) for m in (PURCHASE, SPEND))
    h = clv.PurchaseHistory([0, 1, 3, 12, 12], [0, 20, 55, 58, 30], [30, 60, 60, 60, 60])
    S = np.array([0.0, 12.0, 150.0, 300.0, 400.0])
    base = Base(purchase, spend, h, h.x)
    found = bands(base, S, S, t=52.0, rate=RATE)
    limits = found.value[:, 0] + found.value[:, 1] * S
    reps = 20_000
    lived = np.array([one[2].sum(axis=1) for one in lives(h, h.x, S, purchase, spend, [52.0], rng, reps)])
    for level, limit in zip(stream.LEVELS, limits, strict=True):
        within, below = (lived <= limit).mean(axis=0), (lived < limit).mean(axis=0)
        error = 4 * np.sqrt(level * (1 - level) * (1 / reps + 1 / stream.FEWEST))
        assert (within >= level - error).all()
        assert (below <= level + error).all()


def test_the_next_purchase_is_due_when_the_model_says(sample_fits):
    model = sample_fits[0].model
    h = clv.PurchaseHistory([0, 1, 4, 20], [0, 5, 38, 38], [39.0] * 4)
    found = bands(Base(model, sample_fits[1].model, h, h.x), *np.zeros((2, 4)), t=52.0, rate=RATE)
    np.testing.assert_allclose(found.next_purchase, model.next_purchase(h), rtol=0.12)


def test_spend_is_linear_between_the_least_and_the_greatest():
    """Customers of one history from 5 to 900 spent: each near a band of its own."""
    rng = np.random.default_rng(3)
    base = Base(
        jittered(PURCHASE, rng, 0.05),
        jittered(SPEND, rng, 0.05),
        *(lambda h: (h, h.x))(clv.PurchaseHistory([4], [50], [60])),
    )
    whole = bands(base, np.array([5.0]), np.array([900.0]), t=52.0, rate=RATE)
    for S in (30.0, 100.0, 300.0):
        own = bands(base, np.array([S]), np.array([S]), t=52.0, rate=RATE)
        for name in ("value", "spend"):
            a, b = getattr(whole, name), getattr(own, name)
            np.testing.assert_allclose(a[:, 0] + a[:, 1] * S, b[:, 0], rtol=0.01)


def test_the_size_of_blocks_changes_nothing(monkeypatch, drawn, sample_rfm):
    ahead = clv.forecast(*drawn, sample_rfm, **TERMS)
    found = []
    for cells in (1, 3_000, 10**9):
        monkeypatch.setattr(stream, "_CELLS", cells)
        found.append(dataclasses.replace(ahead)._bands())
    for name, values in found[0].items():
        for other in found[1:]:
            same = [np.asarray(one, dtype=float) for one in (values, other[name])]
            np.testing.assert_allclose(*same, rtol=1e-11)  # sums of another order, no other chance


def test_steps_of_discounting_add_up_to_the_exact_value():
    """The mean over steps, of many futures, against the model's integral."""
    rng, size = np.random.default_rng(4), 400_000
    for t in (52.0, np.inf):
        rate = 6 * RATE
        future = PURCHASE.future(rng, 3.0, 39.0, 0, (size, 1))
        parts = stream.discounted_counts(rng, future, step_ends(t, rate), rate)
        found = sum(count * discount for count, discount in parts)
        h = clv.PurchaseHistory(3, 38.9, 39)
        alive = PURCHASE.p_alive(h)
        want = PURCHASE.discounted_purchases(h, rate, t) / alive
        assert found.mean() == pytest.approx(want[0], abs=4 * found.std() / np.sqrt(size))


def test_a_customer_has_a_median_between_its_bands(drawn, sample_rfm):
    ahead = clv.forecast(*drawn, sample_rfm, **TERMS)
    frame = ahead.customers(horizons=["3m", "12m", "lifetime"]).to_pandas()
    assert list(frame["horizon"][:3]) == ["3m", "12m", "lifetime"]
    assert len(frame) == 3 * len(sample_rfm)
    assert (frame["clv_p05"] <= frame["clv_median"]).all()
    assert (frame["clv_median"] <= frame["clv_p95"]).all()
    assert (frame["clv_p05"] >= 0).all()
    assert (frame["spend_p05"] < frame["expected_spend"]).all()
    assert (frame["expected_spend"] < frame["spend_p95"]).all()
    assert (frame["clv_median"][frame["p_purchase"] < 0.48] == 0).all()
    assert (frame["clv_median"][frame["p_purchase"] > 0.52] > 0).all()
    year = frame[frame["horizon"] == "12m"]
    due = (year["next_purchase"] - year["as_of"]).dt.days
    assert (due[year["p_purchase"] > 0.55] <= 365).all()
    assert not (due[year["p_purchase"] < 0.45] <= 365).any()


def test_bands_can_be_left_out(drawn, sample_rfm):
    plain = clv.forecast(*drawn, sample_rfm, **TERMS).customers(bands=False)
    frame = plain.to_pandas()
    assert "clv_p05" not in frame
    assert "next_purchase" not in frame
    assert "bands" not in repr(plain)


def test_what_bands_count_is_said(drawn, sample_fits, sample_rfm):
    said = {
        "chance and parameters": drawn,
        "chance and some parameters": (sample_fits[0], drawn[1]),
        "chance alone: parameters are taken for certain": sample_fits,
    }
    for words, fits in said.items():
        assert f"bands: 5 to 95 % of {words}" in repr(clv.forecast(*fits, sample_rfm, **TERMS).customers())


def test_horizons_are_a_list(drawn, sample_rfm):
    ahead = clv.forecast(*drawn, sample_rfm, **TERMS)
    with pytest.raises(ConfigError, match=r'C010 horizons must be a list; got .3m.. Write \["3m"\]'):
        ahead.customers(horizons="3m")
    with pytest.raises(ConfigError, match="C006 horizon must be a number with a unit; got '3'"):
        ahead.customers(horizons=["3"])


def test_all_orders_tell_more_of_one_time_buyers(drawn, sample_rfm):
    """Their expected spend follows their first order, where the spend model has learnt from those."""
    spend = clv.fit(clv.GammaGamma, sample_rfm, method="laplace")
    assert spend.first_order == "included"  # where a table knows first orders
    frame = clv.forecast(drawn[0], spend, sample_rfm, **TERMS).customers().to_pandas()
    base = sample_rfm.to_pandas()
    model = spend.model
    m = base["spend_days"] + (base["first_amount"] > 0)
    S = (base["repeat_spend"] + base["first_amount"].clip(lower=0)) / 100
    e0, e1 = (v.mean(axis=0) for v in _thinned(model).expected_spend_terms(m.to_numpy(dtype=float)))
    np.testing.assert_allclose(frame["expected_spend"], e0 + e1 * S, rtol=1e-9)
    once = base["frequency"] == 0
    assert frame.loc[once, "expected_spend"].std() > 5
    plain = clv.forecast(*drawn, sample_rfm, **TERMS).customers(bands=False).to_pandas()
    assert plain.loc[once, "expected_spend"].std() < 1e-9
    np.testing.assert_allclose(frame["historic_value"], plain["historic_value"])


def _thinned(model):
    some = np.linspace(0, 999, 250).astype(int)
    return clv.GammaGamma(*(v[some] for v in vars(model).values()))


def test_a_horizon_far_beyond_the_history_is_refused(sample_fits, sample_rfm):
    with pytest.raises(
        ConfigError, match=r"C008 horizon must not reach beyond 3 times the history; got '3y'"
    ):
        clv.forecast(*sample_fits, sample_rfm, "3y", **TERMS)
    assert clv.forecast(*sample_fits, sample_rfm, "3y", **TERMS, allow_extrapolation=True).days > 1000


def test_a_fit_that_knows_the_future_is_refused(sample_rfm):
    later = clv.Transactions(clv.datasets.load_cdnow_sample(), as_of="1998-06-30", duplicates="keep").rfm()
    fits = [clv.fit(kind, later) for kind in (clv.BGNBD, clv.GammaGamma)]
    with pytest.raises(
        clv.FitError, match="M004 BGNBD has seen data up to 1998-06-30; the base ends before, on 1997-09-30"
    ):
        clv.forecast(*fits, sample_rfm, **TERMS)
