"""The contract of every continuous-time purchase model: one line in MODELS, one in STORIES."""

import dataclasses
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, gammaln, log_expit

import clv
from clv import BGNBD, PurchaseHistory

MODELS = [
    BGNBD(0.243, 4.414, 0.793, 2.426),  # CDNOW
    BGNBD(2.0, 10.0, 0.4, 0.3),  # a + b < 1
    BGNBD(0.8, 5.0, 1.0, 2.0),  # a = 1
    BGNBD(1.5, 20.0, 60.0, 90.0),  # dropout hardly differs
    BGNBD(3.0, 8.0, 2.5, 4.0),
]
HISTORIES = PurchaseHistory(
    [0, 0, 1, 3, 3, 12, 12, 40], [0, 0, 0.5, 30, 2, 39, 20, 38.5], [0, 39, 39, 30, 39, 39, 39, 39]
)
METHODS = {
    "log_likelihood": lambda m, h: m.log_likelihood(h),
    "score": lambda m, h: m.score(h),
    "p_alive": lambda m, h: m.p_alive(h),
    "expected_purchases": lambda m, h: m.expected_purchases(h, 52.0),
    "lifetime": lambda m, h: m.expected_purchases(h, np.inf),
    "none": lambda m, h: m.purchase_pmf(h, 10.0, 0),
    "three": lambda m, h: m.purchase_pmf(h, 10.0, 3),
    "discounted": lambda m, h: m.discounted_purchases(h, 0.002, 52.0),
    "residual": lambda m, h: m.discounted_purchases(h, 0.002, np.inf),
    "undiscounted": lambda m, h: m.discounted_purchases(h, 0.0, 52.0),
}
STRESS = {
    BGNBD: Path(__file__).parents[1] / "reference" / "bg_nbd.csv",
}

every_model = pytest.mark.parametrize("model", MODELS, ids=str)


def names(model):
    return [field.name for field in dataclasses.fields(model)]


def change(model, **changes):
    return dataclasses.replace(model, **{k: v for k, v in changes.items() if k in names(model)})


# 1. The formulas are integrals of one customer's story over the population.


@dataclasses.dataclass(frozen=True)
class Story:
    """Log densities on a grid of customers, and what one customer does, (histories, customers)."""

    prior: np.ndarray
    alive: np.ndarray  # log-likelihood of the history and being alive at T
    gone: np.ndarray  # … and having left
    future: object  # (t, rate) → discounted purchases in t of one who is alive


def grid(low, high, count):
    nodes = np.linspace(low, high, count)
    return nodes, np.log(nodes[1] - nodes[0])


def bg_nbd_story(m, h):
    """λ on an even grid of log λ and p on one of logit p, where sums converge exponentially."""
    y, dy = grid(-34 / m.r - 8, np.log(60 + 3 * m.r) + 0.5 - np.log(m.alpha), 1300)
    u, du = grid(np.log(m.a / m.b) - 9 * spread(m) - 8, np.log(m.a / m.b) + 9 * spread(m) + 8, 500)
    y, u = (v.ravel() for v in np.meshgrid(y, u))
    lam, log_p, log_q = np.exp(y), log_expit(u), log_expit(-u)
    prior = m.r * (y + np.log(m.alpha)) - m.alpha * lam - gammaln(m.r) + dy
    prior += m.a * log_p + m.b * log_q - betaln(m.a, m.b) + du
    x, t_x, T = (v[:, None] for v in (h.x, h.t_x, h.T))
    gone = np.where(x > 0, x * y + (x - 1) * log_q + log_p - lam * t_x, -np.inf)

    def future(t, rate):
        leave = rate + lam * np.exp(log_p)
        return -lam * np.expm1(-leave * t) / leave

    return Story(prior, x * y + x * log_q - lam * T, gone, future)


def spread(m):
    return np.sqrt(1 / m.a + 1 / m.b) + 2 / min(m.a, m.b, 4)


STORIES = {BGNBD: bg_nbd_story}


@every_model
def test_formulas_are_integrals_over_the_population(model):
    for i in range(len(HISTORIES)):
        h = PurchaseHistory(HISTORIES.x[i], HISTORIES.t_x[i], HISTORIES.T[i])
        story = STORIES[type(model)](model, h)
        assert np.exp(story.prior).sum() == pytest.approx(1, rel=1e-10)
        alive = np.exp(story.prior + story.alive[0])
        total = (alive + np.exp(story.prior + story.gone[0])).sum()
        assert model.log_likelihood(h) == pytest.approx(np.log(total), rel=1e-9, abs=1e-10)
        assert model.p_alive(h) == pytest.approx(alive.sum() / total, rel=1e-9)
        for t, rate in [(1.0, 0.0), (52.0, 0.0), (52.0, 0.02), (np.inf, 0.002)]:
            want = (alive * story.future(t, rate)).sum() / total
            assert model.discounted_purchases(h, rate, t) == pytest.approx(want, rel=1e-8)


# 2. Counts are a distribution, and its mean is the expectation.


@every_model
@pytest.mark.parametrize("t", [0.0, 0.1, 5.0])
def test_counts_add_up_to_one_and_to_the_expectation(model, t):
    pmf = np.array([model.purchase_pmf(HISTORIES, t, n) for n in range(250)])
    assert (pmf >= 0).all()
    np.testing.assert_allclose(pmf.sum(axis=0), 1, rtol=1e-10)
    expected = model.expected_purchases(HISTORIES, t)
    np.testing.assert_allclose(np.arange(250) @ pmf, expected, rtol=1e-9, atol=1e-14)


# 3. Units of time.


@every_model
@pytest.mark.parametrize("c", [7.0, 1e-3])
def test_rescaling_time_shifts_the_likelihood_and_nothing_else(model, c):
    hints = get_type_hints(type(model), include_extras=True)
    scales = [name for name in names(model) if "scale" in getattr(hints[name], "__metadata__", ())]
    other = change(model, **{name: getattr(model, name) * c for name in scales})
    h, g = HISTORIES, HISTORIES.rescaled(1 / c)
    shift = -h.x * np.log(c)
    np.testing.assert_allclose(
        other.log_likelihood(g), model.log_likelihood(h) + shift, rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(other.p_alive(g), model.p_alive(h), rtol=1e-12)
    np.testing.assert_allclose(
        other.expected_purchases(g, 52.0 * c), model.expected_purchases(h, 52.0), rtol=1e-11
    )
    np.testing.assert_allclose(
        other.discounted_purchases(g, 0.01 / c, np.inf),
        model.discounted_purchases(h, 0.01, np.inf),
        rtol=1e-11,
    )


# 4. Tower: what is expected of histories not yet seen is what is expected of a new customer.


@every_model
def test_expectations_average_to_those_of_a_new_customer(model):
    h = model.simulate(np.random.default_rng(4), np.full(40_000, 20.0), grain=0)
    later = model.expected_purchases(h, 30.0)
    for found, want in [
        (h.x, model.expected_purchases_new(20.0)),
        (later, model.expected_purchases_new(50.0) - model.expected_purchases_new(20.0)),
        (h.x == 0, model.purchase_pmf(PurchaseHistory(0, 0, 0), 20.0, 0)),
        (h.x == 2, model.purchase_pmf(PurchaseHistory(0, 0, 0), 20.0, 2)),
    ]:
        assert np.mean(found) == pytest.approx(want[0], abs=4 * np.std(found) / np.sqrt(len(h)))


@every_model
def test_days_merge_purchases_and_keep_histories_valid(model):
    T = np.full(2_000, 39.0)
    exact = model.simulate(np.random.default_rng(5), T, grain=0)
    days = model.simulate(np.random.default_rng(5), T)
    assert days.x.sum() < exact.x.sum()
    np.testing.assert_allclose(days.t_x * 7, np.round(days.t_x * 7), atol=1e-9)
    assert ((days.x > 0) == (days.t_x > 0)).all()


# 5. Order.


@every_model
def test_expectations_start_at_zero_and_rise(model):
    horizons = [0.0, 1e-6, 0.1, 1.0, 10.0, 52.0, 1e3, 1e6]
    path = np.array([model.expected_purchases(HISTORIES, t) for t in horizons])
    assert (path[0] == 0).all()
    assert (path[1:5] > path[:4]).all()
    assert (path[1:] > path[:-1] * (1 - 1e-12)).all()  # level off where nobody is left
    assert (path[-1] <= model.expected_purchases(HISTORIES, np.inf) * (1 + 1e-12)).all()
    assert (model.expected_purchases_new(0.0) == 0).all()
    alive = model.p_alive(HISTORIES)
    assert ((alive >= 0) & (alive <= 1)).all()


@every_model
@pytest.mark.parametrize("t", [0.5, 52.0, 2_000.0, np.inf])
def test_discounting_lowers_and_more_of_it_lowers_more(model, t):
    rates = [0.0, 1e-7, 1e-4, 0.002, 0.05, 1.0, 50.0]
    values = np.array([model.discounted_purchases(HISTORIES, rate, t) for rate in rates])
    assert (values > 0).all()
    assert (values[1:] < values[:-1] * (1 + 1e-9)).all()
    np.testing.assert_array_equal(values[0], model.expected_purchases(HISTORIES, t))
    assert (model.discounted_purchases(HISTORIES, 0.1, 0.0) == 0).all()


@every_model
@pytest.mark.parametrize("rate", [0.002, 0.1])
def test_a_lifetime_is_a_long_horizon(model, rate):
    np.testing.assert_allclose(
        model.discounted_purchases(HISTORIES, rate, np.inf),
        model.discounted_purchases(HISTORIES, rate, 60 / rate),
        rtol=1e-9,
    )


@every_model
def test_a_low_rate_is_nearly_none(model):
    np.testing.assert_allclose(
        model.discounted_purchases(HISTORIES, 1e-12, 52.0),
        model.expected_purchases(HISTORIES, 52.0),
        rtol=1e-8,
    )


# 6. Shapes.


@every_model
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(3, 1), (8,), (3, 8)], ids=str)
def test_broadcasting_equals_a_loop(model, method, shape):
    rng = np.random.default_rng(6)
    draws = {n: getattr(model, n) * rng.uniform(0.5, 2, shape) for n in names(model)}
    found = METHODS[method](change(model, **draws), HISTORIES)
    columns = {n: np.broadcast_to(v, np.broadcast_shapes(shape, (8,))) for n, v in draws.items()}
    lead = (len(draws),) if method == "score" else ()
    assert found.shape == lead + columns[names(model)[0]].shape
    for index in np.ndindex(columns[names(model)[0]].shape):
        one = change(model, **{n: float(v[index]) for n, v in columns.items()})
        row = index[-1]
        h = PurchaseHistory(HISTORIES.x[row], HISTORIES.t_x[row], HISTORIES.T[row])
        want = METHODS[method](one, h)[..., 0]
        np.testing.assert_allclose(found[(..., *index)], want, rtol=1e-11, atol=1e-13)


@every_model
@pytest.mark.parametrize("method", METHODS)
def test_scalars_give_one_value_a_history_and_repeated_rows_the_same(model, method):
    found = METHODS[method](model, HISTORIES)
    twice = PurchaseHistory(*(np.tile(v, 2) for v in (HISTORIES.x, HISTORIES.t_x, HISTORIES.T)))
    assert found.shape[-1:] == (len(HISTORIES),)
    np.testing.assert_array_equal(METHODS[method](model, twice), np.concatenate([found, found], axis=-1))


@every_model
def test_one_parameter_may_vary_alone(model):
    for name in names(model):
        column = getattr(model, name) * np.linspace(0.5, 2, 3)[:, None]
        found = change(model, **{name: column}).expected_purchases(HISTORIES, 9.0)
        alone = [change(model, **{name: float(v)}).expected_purchases(HISTORIES, 9.0) for v in column[:, 0]]
        np.testing.assert_allclose(found, alone, rtol=1e-11)


# 7. Stress.


@pytest.mark.parametrize("kind", STRESS)
def test_formulas_are_right_on_a_stress_grid(kind):
    rows = np.genfromtxt(STRESS[kind], delimiter=",", names=True)
    assert len(rows) > 300
    for p in np.unique(rows[names(kind)]):
        some = rows[rows[names(kind)] == p]
        model = kind(*map(float, p))
        h = PurchaseHistory(some["x"], some["t_x"], some["T"])
        np.testing.assert_allclose(model.log_likelihood(h), some["log_likelihood"], rtol=1e-11)
        np.testing.assert_allclose(model.p_alive(h), some["p_alive"], rtol=1e-11)
        assert np.isfinite(model.score(h)).all()
        for t, rate in np.unique(some[["t", "rate"]]):
            at = (some["t"] == t) & (some["rate"] == rate)
            found = model.discounted_purchases(h, rate, t)[at]
            np.testing.assert_allclose(found, some["purchases"][at], rtol=2e-9)


@every_model
def test_the_score_is_the_slope_of_the_likelihood(model):
    def slope(name):
        value = getattr(model, name)
        step = 1e-5 * value
        up, down = (change(model, **{name: value + d}).log_likelihood(HISTORIES) for d in (step, -step))
        return (up - down) / (2 * step)

    want = [slope(name) for name in names(model)]
    np.testing.assert_allclose(model.score(HISTORIES), want, rtol=1e-6, atol=1e-8)


sizes = st.floats(-3, 3).map(lambda e: 10.0**e)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from([BGNBD]),
    values=st.tuples(sizes, sizes, sizes, sizes),
    x=st.integers(0, 3000),
    T=sizes,
    share=st.floats(1e-6, 1),
    t=sizes,
)
def test_formulas_are_sane_for_any_parameters(kind, values, x, T, share, t):
    model = kind(*values)
    h = PurchaseHistory(x, T * share if x else 0, T)
    assert np.isfinite(model.log_likelihood(h)).all()
    assert np.isfinite(model.score(h)).all()
    assert 0 <= model.p_alive(h)[0] <= 1
    soon, late = (model.expected_purchases(h, s)[0] for s in (t, 2 * t))
    assert 0 <= soon <= late < np.inf
    assert 0 <= model.discounted_purchases(h, 0.01, t)[0] <= soon * (1 + 1e-8)
    assert 0 <= model.discounted_purchases(h, 0.01, np.inf)[0] < np.inf
    assert 0 <= model.purchase_pmf(h, t, 0)[0] <= 1 + 1e-12


# 8. Learning.


@every_model
def test_a_fit_recovers_what_can_be_known(model):
    """A year seen, a year forecast: the fit must not be further off than four errors of the plain mean."""
    n = 6_000
    h = model.simulate(np.random.default_rng(8), np.full(n, 52.0), grain=0)
    fit = clv.fit(type(model), h)
    assert fit.converged
    assert fit.log_likelihood >= model.log_likelihood(h) @ h.weight
    for t in (10.0, 52.0):
        error = 4 * h.x.std() / np.sqrt(n)
        found, want = fit.model.expected_purchases_new(t), model.expected_purchases_new(t)
        assert found == pytest.approx(want, abs=error)
