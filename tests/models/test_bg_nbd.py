"""Published numbers of the BG/NBD.

[FHL05] Fader, Hardie & Lee (2005), Marketing Science 24(2). [CLVTools] the tests of that R package.
[S] held by the tests or documents of a reference implementation. [R] recomputed for this project with
scipy and mpmath, on the day counts of the sample.
"""

import numpy as np
import pytest

import clv
from clv import BGNBD, PurchaseHistory

# Ibis 12 asks DuckDB 2 and pandas 3 in ways that both will drop.
pytestmark = pytest.mark.filterwarnings(
    "ignore:fetch_arrow_table:DeprecationWarning", "ignore:.*infer_string:DeprecationWarning"
)

PRINTED = BGNBD(0.243, 4.414, 0.793, 2.426)  # the estimates to three decimals, [FHL05]
NEWCOMER = PurchaseHistory(0, 0, 0)


@pytest.fixture(scope="module")
def fit(cdnow):
    return clv.fit(BGNBD, cdnow.rfm)


def test_the_sample_is_that_of_the_paper(customers):
    assert len(customers) == 2357  # [FHL05]
    assert (customers["frequency"] > 0).sum() == 946  # [FH13]
    assert customers["T"].max() == 272  # a customer of 1 January
    assert customers["actual_purchases"].sum() == 1882  # [R]


def test_the_fit_of_the_paper(fit):
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(-9582.429, abs=5e-4)  # [FHL05] −9582.4; [CLVTools] −9582.429
    found = list(fit.parameters.values())
    np.testing.assert_allclose(found, [0.243, 4.414, 0.793, 2.426], atol=5e-4)  # [FHL05]
    np.testing.assert_allclose(found, [0.2425945, 4.4136019, 0.7929199, 2.4258881], rtol=1e-5)  # [CLVTools]


def test_times_to_two_decimals_move_the_likelihood_a_little(cdnow):
    h = cdnow.rfm.history(PurchaseHistory)
    rounded = PurchaseHistory(h.x, h.t_x.round(2), h.T.round(2), h.weight)
    assert clv.fit(BGNBD, rounded).log_likelihood == pytest.approx(-9582.4256, abs=5e-5)  # [R]


def test_in_days_the_likelihood_is_another_number(cdnow):
    days = cdnow.rfm.history(PurchaseHistory).rescaled(1 / 7)
    fit = clv.fit(BGNBD, days)
    assert fit.log_likelihood == pytest.approx(-14363.53, abs=5e-3)  # [R]
    assert fit.model.alpha == pytest.approx(7 * 4.4136, abs=1e-3)


def test_zeros_left_out_are_other_customers():
    log = clv.datasets.load_cdnow_sample()
    calibration = clv.Transactions(log, as_of="1997-09-30", duplicates="keep")
    fit = clv.fit(BGNBD, calibration.rfm())
    assert fit.customers == 2349  # [R]
    assert fit.log_likelihood == pytest.approx(-9578.197, abs=5e-4)  # [R]


def test_log_likelihood_of_six_customers(fit):
    x, t_x, T = [2, 1, 0, 7, 2, 4], np.array([213, 12, 0, 206, 250, 186]), np.array([272] * 5 + [189])
    found = fit.model.log_likelihood(PurchaseHistory(x, t_x / 7, T / 7))
    want = [-9.4596, -4.4711, -0.5538, -21.8644, -9.5367, -14.1284]  # [S]
    np.testing.assert_allclose(found, want, atol=5e-5)


@pytest.mark.parametrize("model", [PRINTED, BGNBD(0.2425945, 4.4136019, 0.7929199, 2.4258881)], ids=str)
def test_the_customer_of_the_paper(model):
    h = PurchaseHistory(2, 30.43, 38.86)
    assert model.expected_purchases(h, 39.0) == pytest.approx(1.226, abs=5e-4)  # [FHL05]
    assert model.p_alive(h) == pytest.approx(0.7266, abs=5e-5)  # [R]


def test_purchases_of_a_new_customer(fit):
    weeks = [0.1429, 1.0, 3.0, 31.8571, 32.0]
    found = [fit.model.expected_purchases_new(t)[0] for t in weeks]
    np.testing.assert_allclose(found, [0.0078, 0.0532, 0.1506, 1.0405, 1.0437], atol=5e-5)  # [S]
    assert fit.model.expected_purchases_new(52.0) == pytest.approx(1.4440, abs=5e-5)  # [S]


def test_a_published_series_stops_early(fit):
    """[S] has 1.8576 at 78 weeks: what 150 terms of the 2F1 give, where 1.8580 needs more."""
    m, t, terms = fit.model, 78.0, np.arange(149)
    z, c = t / (m.alpha + t), m.a + m.b - 1
    series = 1 + np.cumprod((m.r + terms) * (m.b + terms) / ((c + terms) * (1 + terms)) * z).sum()
    assert c / (m.a - 1) * (1 - (1 - z) ** m.r * series) == pytest.approx(1.8576, abs=5e-5)
    assert m.expected_purchases_new(t) == pytest.approx(1.8580, abs=5e-5)


def test_a_frequent_customer(fit):
    h = PurchaseHistory(26, 30.857, 31)  # customer 1516 of the sample
    assert fit.model.expected_purchases(h, 52.0) == pytest.approx(25.757, abs=5e-4)  # [S]
    assert fit.model.p_alive(h) == pytest.approx(0.96885, abs=5e-6)  # [S]


def test_more_purchases_and_then_silence_mean_less(fit):
    h = PurchaseHistory([10, 15, 20, 25], np.full(4, 20.0), np.full(4, 39.0))
    found = fit.model.expected_purchases(h, 52.0)
    # [S] has .34746 .04283 .00416 .00036: its search stopped where the fifth digit still moved.
    np.testing.assert_allclose(found, [0.3475, 0.0428, 0.0042, 0.0004], atol=5e-5)
    np.testing.assert_allclose(found[1:], [0.04283, 0.00416, 0.00036], atol=1e-5)


def test_counts_of_a_new_customer():
    """At the printed estimates; [R]."""
    assert PRINTED.purchase_pmf(NEWCOMER, 39.0, 0) == pytest.approx(0.57379, abs=5e-6)
    assert PRINTED.purchase_pmf(NEWCOMER, 2.0, 10) == pytest.approx(1.0787e-7, abs=5e-12)


@pytest.fixture(scope="module")
def holdout(fit, customers):
    h = PurchaseHistory(customers["frequency"], customers["recency"] / 7, customers["T"] / 7)
    return fit.model.expected_purchases(h, 39.0), customers["actual_purchases"].to_numpy()


def test_the_holdout_of_the_paper(holdout):
    model, actual = holdout
    assert model.sum() == pytest.approx(1653.4, abs=0.05)  # [R]
    assert np.abs(model - actual).mean() == pytest.approx(0.7855, abs=5e-5)  # [R]
    assert np.corrcoef(model, actual)[0, 1] == pytest.approx(0.626, abs=5e-4)  # [R]


def test_the_holdout_by_past_purchases(holdout, customers):
    model, actual = holdout
    bins = np.minimum(customers["frequency"], 7)
    by_bin = [[values[bins == k].mean() for k in range(8)] for values in (actual, model)]
    want = [
        [0.2367, 0.6970, 1.3925, 1.5600, 2.5323, 2.9474, 3.8621, 6.3594],  # actual, [S]
        [0.2251, 0.5231, 1.0441, 1.5203, 2.1638, 2.6538, 3.5040, 6.1570],  # model, [S]
    ]
    np.testing.assert_allclose(by_bin, want, rtol=6e-5)  # searched to about five digits


def test_the_whole_cohort_by_the_end_of_the_holdout(cdnow):
    """Unconditional: repeat purchases to week 78 from the day each joined; at four-decimal estimates, [R]."""
    model = BGNBD(0.2426, 4.4136, 0.7929, 2.4259)
    h = cdnow.rfm.history(PurchaseHistory)
    joined = {T: model.expected_purchases_new(T + 39.0)[0] for T in np.unique(h.T)}
    assert sum(w * joined[T] for T, w in zip(h.T, h.weight, strict=True)) == pytest.approx(4160.8, abs=0.05)


def test_what_the_78_weeks_say():
    log = clv.datasets.load_cdnow_sample()
    orders = clv.Transactions(log, as_of="1998-06-30", zero_orders="count", duplicates="keep")
    fit = clv.fit(BGNBD, orders.rfm())
    np.testing.assert_allclose(
        list(fit.parameters.values()), [0.2536, 5.4473, 0.6074, 2.6472], atol=5e-5
    )  # [R]
    assert fit.log_likelihood == pytest.approx(-17138.23, abs=5e-3)  # [R]
