"""Forecast distributions against brute force, closed forms, and customers simulated from the truth."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import nbinom

import clv
from clv.evaluation import metrics
from clv.evaluation.laws import Law
from clv.evaluation.scores import Mixture, Outcomes, Totals, log_score, score, totals
from clv.forecasting.stream import Base

SPEND = clv.GammaGamma(6.25, 3.74, 15.44)
MODELS = {
    "BGNBD": clv.BGNBD(0.5, 4.4, 0.79, 2.43),
    "ParetoNBD": clv.ParetoNBD(0.55, 10.6, 0.6, 11.7),
    "BGCNBD": clv.BGCNBD(0.8, 4.4, 0.79, 2.43, k=2),
}
AHEAD = 26.0


def truth(model, size=4000, seed=1):
    """Customers as the models have them: histories, spend so far, and what they do in the time ahead."""
    rng = np.random.default_rng(seed)
    T = np.repeat(np.arange(20.0, 60.0), size // 40)
    x, t_x, after = (np.zeros(size) for _ in range(3))
    log = []
    model.simulate(rng, T + AHEAD, log=log, grain=0.0)
    for who, at in log:
        early = at <= T[who]
        np.add.at(x, who[early], 1)
        np.maximum.at(t_x, who[early], at[early])
        np.add.at(after, who[~early], 1)
    rate = rng.gamma(SPEND.q, 1 / SPEND.gamma, size)

    def worth(n):
        return np.where(n > 0, rng.standard_gamma(SPEND.p * np.maximum(n, 1)) / rate, 0.0)

    seen = Outcomes(np.arange(size), worth(x), after, worth(after), AHEAD)
    return Base(model, SPEND, clv.PurchaseHistory(x, t_x, T), x), seen


@pytest.fixture(scope="module", params=list(MODELS))
def known(request):
    base, seen = truth(MODELS[request.param])
    return base, seen, score([base], seen, [Mixture((0,), (1.0, 2.0))])[0]


def test_bands_of_the_truth_hold_as_often_as_they_say(known):
    _, seen, scored = known
    for found in (scored.purchases, scored.value[1.0]):
        for level in (0.5, 0.9):
            error = 4 * np.sqrt(level * (1 - level) / len(seen.row))
            assert metrics.coverage(found.low, found.high, level) == pytest.approx(level, abs=error)
        shares = metrics.pit_histogram(found.low, found.high)
        assert shares.sum() == pytest.approx(1)
        assert shares == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / len(seen.row)))


def test_a_wrong_level_shows(known):
    _, _, scored = known
    wrong, right = scored.value[2.0], scored.value[1.0]
    assert (
        metrics.pit_histogram(wrong.low, wrong.high)[-1]
        < 0.8 * metrics.pit_histogram(right.low, right.high)[-1]
    )
    assert wrong.crps.mean() > right.crps.mean()


def test_totals_are_expected_values_with_the_spread_of_all_customers(known):
    base, seen, scored = known
    ones, h = np.ones(len(seen.row)), base.history
    found = totals(base, ones, seen.S, scored.variance.sum(axis=1), AHEAD)
    purchases = base.purchase.expected_purchases(h, AHEAD)
    value = purchases @ SPEND.expected_spend(base.spend_days, seen.S)
    assert found.mean[:, 0] == pytest.approx([purchases.sum(), value])
    assert found.sd[0, 0] == pytest.approx(np.sqrt(((seen.purchases - purchases) ** 2).sum()), rel=0.1)
    middle = found.quantiles[:, 1:3].mean(axis=1)
    assert middle == pytest.approx(found.mean[:, 0], rel=1e-3)
    width = found.quantiles[:, 3] - found.quantiles[:, 0]
    assert width == pytest.approx(2 * 1.645 * found.sd[:, 0], rel=0.02)
    assert abs(seen.purchases.sum() - purchases.sum()) < 4 * found.sd[0, 0]


def test_crps_of_counts_is_that_of_their_probabilities():
    """Against E|V − y| − ½E|V − V′| by the model's own distribution function."""
    base, seen = truth(MODELS["BGNBD"], 40)
    n = np.arange(200)
    pmf = np.array([base.purchase.purchase_pmf(base.history, AHEAD, k) for k in n]).T
    exact = (pmf * np.abs(n - seen.purchases[:, None])).sum(1)
    exact -= 0.5 * np.einsum("hi,hj,ij->h", pmf, pmf, np.abs(n[:, None] - n))
    scored = score([base], seen, [Mixture((0,))])[0].purchases
    assert scored.crps == pytest.approx(exact, abs=0.15)
    assert scored.crps.mean() == pytest.approx(exact.mean(), rel=0.03)
    high = np.array([pmf[i, : int(y) + 1].sum() for i, y in enumerate(seen.purchases)])
    assert scored.high == pytest.approx(high, abs=0.06)


def test_a_blend_has_the_mean_of_its_models_distributions():
    base, seen = truth(MODELS["BGNBD"], 400)
    other = dataclasses.replace(base, purchase=MODELS["ParetoNBD"])
    one, two, both = score([base, other], seen, [Mixture((0,)), Mixture((1,)), Mixture((0, 1))])
    for part in ("low", "high"):
        mean = (getattr(one.purchases, part) + getattr(two.purchases, part)) / 2
        assert getattr(both.purchases, part) == pytest.approx(mean)
        mean = (getattr(one.value[1.0], part) + getattr(two.value[1.0], part)) / 2
        assert getattr(both.value[1.0], part) == pytest.approx(mean, abs=0.01)
    assert (both.purchases.crps <= (one.purchases.crps + two.purchases.crps) / 2 + 1e-9).all()
    parts = [Totals(np.full((2, 3), m), np.ones((2, 3))) for m in (40.0, 50.0)]
    assert Totals.blended(parts).quantiles[0] == pytest.approx([38.72, 40, 50, 51.28], abs=0.7)


def test_a_law_on_a_grid_is_that_of_its_samples():
    rng = np.random.default_rng(3)
    values = rng.gamma(2.0, 10.0, (1, 40_000))
    law = Law.of(values, np.ones((1, 1)), counts=False)
    y = np.array([0.0, 5.0, 20.0, 60.0, 500.0])
    low, high, crps = law.at(np.zeros(5, dtype=int), y)
    sample = np.sort(values[0])
    pairs = np.abs(sample - rng.permutation(sample)).mean() / 2
    assert crps == pytest.approx([np.abs(sample - one).mean() - pairs for one in y], abs=0.15)
    assert high == pytest.approx([(sample <= one).mean() for one in y], abs=0.005)
    assert low == pytest.approx(high)


def test_what_weights_lack_is_nothing():
    """A tenth never buys: F starts there, and a y of 0 lies anywhere up to it."""
    law = Law.of(np.full((2, 50), 3.0), np.array([[0.5, 0.4]]), counts=True)
    low, high, crps = law.at(np.zeros(3, dtype=int), np.array([0.0, 3.0, 5.0]))
    assert low == pytest.approx([0, 0.1, 1])
    assert high == pytest.approx([0.1, 1, 1])
    assert crps == pytest.approx([3 * 0.81, 3 * 0.01, 3 * 0.01 + 2])
    none = Law.of(np.zeros((1, 50)), np.ones((1, 1)), counts=False)
    assert none.at(np.zeros(2, dtype=int), np.array([0.0, 4.0]))[2] == pytest.approx([0, 4])


def test_log_score_of_the_nbd_is_the_negative_binomials():
    model = clv.NBD(0.8, 9.0)
    h = clv.PurchaseHistory([0, 2, 5], [0, 11, 20], [30, 30, 26])
    found = log_score(model, h, np.array([0, 1, 2, 1]), np.array([0.0, 3, 1, 0]), 13.0)
    x, T, n = h.x[[0, 1, 2, 1]], h.T[[0, 1, 2, 1]], [0, 3, 1, 0]
    exact = nbinom.logpmf(n, 0.8 + x, (9.0 + T) / (9.0 + T + 13.0))
    assert found == pytest.approx(exact)
