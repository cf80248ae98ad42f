"""The contract of every purchase model of discrete opportunities, and published numbers of the BG/BB.

[FHS10] Fader, Hardie & Shang (2010), Marketing Science 29(6). [S] held by the tests or documents of a
reference implementation. [R] recomputed for this project.
"""

import numpy as np
import pytest
from scipy.special import betaln, log_expit

import clv
from clv import BGBB, OpportunityHistory
from laws import check_broadcasting, check_repeated_rows, check_score, rows

MODELS = [
    BGBB(1.2035, 0.7497, 0.6567, 2.7834),  # donations
    BGBB(0.66, 5.19, 173.76, 1882.93),  # the cruise line
    BGBB(0.5, 0.8, 1.0, 2.0),  # gamma = 1
    BGBB(30.0, 20.0, 0.4, 0.3),
]
HISTORIES = OpportunityHistory(
    [0, 0, 1, 2, 4, 6, 3, 12], [0, 0, 1, 5, 5, 6, 3, 40], [0, 6, 6, 6, 6, 6, 20, 60]
)
METHODS = {
    "log_likelihood": lambda m, h: m.log_likelihood(h),
    "score": lambda m, h: m.score(h),
    "p_alive": lambda m, h: m.p_alive(h),
    "expected_purchases": lambda m, h: m.expected_purchases(h, 10.0),
    "lifetime": lambda m, h: m.expected_purchases(h, np.inf),
    "none": lambda m, h: m.purchase_pmf(h, 10.0, 0),
    "three": lambda m, h: m.purchase_pmf(h, 10.0, 3),
    "never": lambda m, h: m.purchase_pmf(h, np.inf, 0),
    "p_purchase": lambda m, h: m.p_purchase(h, 10.0),
    "next_purchase": lambda m, h: m.next_purchase(h, 0.01),
    "discounted": lambda m, h: m.discounted_purchases(h, 0.1, 10.0),
    "residual": lambda m, h: m.discounted_purchases(h, 0.1, np.inf),
    "expected_rate": lambda m, h: m.expected_rate(h),
    "expected_dropout": lambda m, h: m.expected_dropout(h),
}

every_model = pytest.mark.parametrize("model", MODELS, ids=str)
each_method = pytest.mark.parametrize("method", METHODS)


def grid(a, b):
    """Logs of p, 1 − p and the density of Beta(a, b) on an even grid of logit p."""
    spread = np.sqrt(1 / a + 1 / b) + 2 / min(a, b, 4)
    u = np.linspace(np.log(a / b) - 9 * spread - 8, np.log(a / b) + 9 * spread + 8, 1500)
    log_p, log_q = log_expit(u), log_expit(-u)
    return log_p, log_q, a * log_p + b * log_q - betaln(a, b) + np.log(u[1] - u[0])


@every_model
def test_formulas_are_integrals_over_the_population(model):
    """p and θ are independent: two sums for each opportunity that a customer may have lived to."""
    log_p, log_q, buys = grid(model.alpha, model.beta)
    leaves, stays, goes = grid(model.gamma, model.delta)
    for i in range(len(HISTORIES)):
        h = rows(HISTORIES, [i])
        x, t_x, n = h.x[0], h.t_x[0], h.n[0]

        def lived(last, power=0, gone=0, theta=0, x=x):
            bought = np.exp(buys + (x + power) * log_p + (last - x) * log_q).sum()
            return bought * np.exp(goes + last * stays + (gone + theta) * leaves).sum()

        lasts = np.arange(t_x, n)
        alive, left = lived(n), sum(lived(k, gone=1) for k in lasts)
        total = alive + left
        assert model.log_likelihood(h) == pytest.approx(np.log(total), rel=1e-10, abs=1e-11)
        assert model.p_alive(h) == pytest.approx(alive / total, rel=1e-10)
        rate = (lived(n, power=1) + sum(lived(k, power=1, gone=1) for k in lasts)) / total
        dropout = (lived(n, theta=1) + sum(lived(k, gone=1, theta=1) for k in lasts)) / total
        assert model.expected_rate(h) == pytest.approx(rate, rel=1e-10)
        assert model.expected_dropout(h) == pytest.approx(dropout, rel=1e-10)
        for t, d in [(1.0, 0.0), (7.0, 0.0), (7.0, 0.3), (400.0, 0.1)]:
            ahead = np.arange(1, t + 1)
            p = np.exp(buys + (x + 1) * log_p + (n - x) * log_q).sum()
            there = np.exp(goes + (n + ahead[:, None]) * stays).sum(axis=1)
            want = p * (there * np.exp(-d * ahead)).sum() / total
            assert model.discounted_purchases(h, d, t) == pytest.approx(want, rel=1e-9)


@every_model
@pytest.mark.parametrize("t", [0.0, 1.0, 12.0, 300.0])
def test_counts_add_up_to_one_and_to_the_expectation(model, t):
    pmf = np.array([model.purchase_pmf(HISTORIES, t, n) for n in range(int(t) + 1)])
    assert (pmf >= 0).all()
    np.testing.assert_allclose(pmf.sum(axis=0), 1, rtol=1e-10)
    np.testing.assert_allclose(np.arange(t + 1) @ pmf, model.expected_purchases(HISTORIES, t), rtol=1e-9)
    assert (model.purchase_pmf(HISTORIES, t, int(t) + 1) == 0).all()


@every_model
def test_expectations_average_to_those_of_a_new_customer(model):
    h = model.simulate(np.random.default_rng(4), np.full(40_000, 8.0))
    newcomer, new = OpportunityHistory(0, 0, 0), model.expected_purchases_new
    for found, want in [
        (h.x, new(8.0)),
        (model.expected_purchases(h, 5.0), new(13.0) - new(8.0)),
        (h.x == 0, model.purchase_pmf(newcomer, 8.0, 0)),
        (h.x == 2, model.purchase_pmf(newcomer, 8.0, 2)),
    ]:
        assert np.mean(found) == pytest.approx(want[0], abs=4 * np.std(found) / np.sqrt(len(h)))


@every_model
def test_expectations_rise_with_time_and_fall_with_the_discount(model):
    path = np.array([model.expected_purchases(HISTORIES, t) for t in (0.0, 1.0, 2.0, 200.0, 1e4, 1e6)])
    assert (path[0] == 0).all()
    assert (np.diff(path[:3], axis=0) > 0).all()
    assert (np.diff(path, axis=0) >= 0).all()  # until nobody is left
    assert (path[-1] <= model.expected_purchases(HISTORIES, np.inf) * (1 + 1e-12)).all()
    np.testing.assert_array_equal(model.expected_purchases(HISTORIES, 2.9), path[2])  # whole ones count
    for t in (3.0, 1000.0, np.inf):
        values = [model.discounted_purchases(HISTORIES, rate, t) for rate in (0.0, 1e-6, 0.01, 1.0, 50.0)]
        assert (np.diff(values, axis=0) < 0).all()
    np.testing.assert_allclose(
        model.discounted_purchases(HISTORIES, 0.05, np.inf),
        model.discounted_purchases(HISTORIES, 0.05, 1200.0),
        rtol=1e-11,
    )


@every_model
def test_the_next_purchase_is_due_when_its_probability_is(model):
    for share in (0.01, 0.5, 0.9):
        t = model.next_purchase(HISTORIES, share)
        assert (np.isinf(t) == (model.p_purchase(HISTORIES, np.inf) <= share)).all()
        for i in np.flatnonzero(np.isfinite(t)):
            h = rows(HISTORIES, [i])
            assert model.p_purchase(h, t[i]) >= share > model.p_purchase(h, t[i] - 1)


@every_model
@each_method
@pytest.mark.parametrize("shape", [(3, 1), (8,), (3, 8)], ids=str)
def test_broadcasting_equals_a_loop(model, method, shape):
    check_broadcasting(model, HISTORIES, METHODS[method], shape)


@every_model
@each_method
def test_repeated_rows_give_the_same(model, method):
    check_repeated_rows(model, HISTORIES, METHODS[method])


@every_model
def test_the_score_is_the_slope_of_the_likelihood(model):
    check_score(model, HISTORIES)


@pytest.mark.parametrize("model", [MODELS[0], MODELS[2]], ids=str)
def test_a_fit_recovers_what_can_be_known(model):
    h = model.simulate(np.random.default_rng(8), np.full(6_000, 10.0))
    fit = clv.fit(BGBB, h)
    assert fit.converged
    assert fit.log_likelihood >= model.log_likelihood(h) @ h.weight
    found, want = fit.model.expected_purchases_new(10.0), model.expected_purchases_new(10.0)
    assert found == pytest.approx(want, abs=4 * h.x.std() / np.sqrt(len(h)))


# Published numbers.

CRUISE = [
    (4, 4, 4, 18), (3, 4, 4, 66), (2, 4, 4, 98), (1, 4, 4, 216), (3, 3, 4, 34), (2, 3, 4, 180),
    (1, 3, 4, 292), (2, 2, 4, 64), (1, 2, 4, 342), (1, 1, 4, 302), (0, 0, 4, 4482),
]  # fmt: skip
"""Cruises in the four years after the first, [FHS10]: x, t_x, n and how many customers."""


@pytest.fixture(scope="module")
def cruise():
    return OpportunityHistory(*np.array(CRUISE, dtype=float).T)


def test_the_cruise_line(cruise):
    fit = clv.fit(BGBB, cruise)
    assert fit.customers == 6094
    printed = BGBB(0.66, 5.19, 173.76, 1882.93)
    assert printed.log_likelihood(cruise) @ cruise.weight == pytest.approx(-7130.76, abs=5e-3)  # [FHS10]
    assert fit.log_likelihood == pytest.approx(
        -7130.75, abs=5e-3
    )  # [R]: dropout of all alike fits better still
    assert "leave with the same probability, 0.0845" in fit.message
    # Discounted residual purchases at 10 % by x, from the latest last cruise on, [FHS10]
    found = printed.discounted_purchases(cruise, np.log(1.1), np.inf)
    order = np.lexsort((-cruise.t_x, -cruise.x))
    want = [2.35, 1.85, 1.60, 1.34, 1.19, 0.99, 0.84, 0.75, 0.66, 0.56, 0.22]
    np.testing.assert_allclose(found[order], want, atol=6e-3)


DONATIONS = [
    (0, 0, 6, 3464), (1, 1, 6, 1091), (1, 2, 6, 277), (1, 3, 6, 129), (1, 4, 6, 78), (1, 5, 6, 119),
    (1, 6, 6, 129), (2, 2, 6, 613), (2, 3, 6, 255), (2, 4, 6, 155), (2, 5, 6, 173), (2, 6, 6, 234),
    (3, 3, 6, 322), (3, 4, 6, 181), (3, 5, 6, 225), (3, 6, 6, 357), (4, 4, 6, 240), (4, 5, 6, 284),
    (4, 6, 6, 512), (5, 5, 6, 335), (5, 6, 6, 728), (6, 6, 6, 1203),
]  # fmt: skip
"""Donations in the six years after the first, [FHS10]: x, t_x, n and how many donors."""


def test_the_donors():
    h = OpportunityHistory(*np.array(DONATIONS, dtype=float).T)
    fit = clv.fit(BGBB, h)
    assert fit.customers == 11_104  # [FHS10]
    assert fit.message == "Converged at a maximum."
    assert fit.log_likelihood == pytest.approx(-33225.58, abs=5e-3)  # [FHS10]
    np.testing.assert_allclose(list(fit.parameters.values()), [1.2035, 0.7497, 0.6567, 2.7834], atol=1e-4)
    m = fit.model
    assert m.expected_purchases_new(10.0) == pytest.approx(3.1798, abs=1e-4)  # [S]
    ahead = m.expected_purchases(OpportunityHistory([0, 4], [0, 5], [6, 6]), 10.0)
    np.testing.assert_allclose(ahead, [0.1302, 3.6279], atol=1e-4)  # [S]
    assert m.expected_purchases(h, 5.0) @ h.weight == pytest.approx(12_884, abs=1)  # [FHS10]
    # Probabilities of being alive in 2002, after one more chance to leave, [FHS10]
    alive = m.p_alive(OpportunityHistory([0, 2, 6], [0, 4, 6], [6, 6, 6]))
    survives = (m.delta + 6) / (m.gamma + m.delta + 6)
    np.testing.assert_allclose(alive * survives, [0.11, 0.59, 0.93], atol=6e-3)
