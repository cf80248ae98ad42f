"""The contract of every continuous-time purchase model: some lines in MODELS, a story where it is new."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, gammainc, gammaln, log_expit

import clv
from clv import (
    BGCNBD,
    BGNBD,
    MBGCNBD,
    MBGNBD,
    NBD,
    GapHistory,
    GGompertzNBD,
    ParetoNBD,
    PurchaseHistory,
)
from laws import change, check_broadcasting, check_repeated_rows, check_score, in_other_units, names, rows

ONE_EACH = [
    BGNBD(0.243, 4.414, 0.793, 2.426),  # CDNOW, like most of these
    MBGNBD(0.525, 6.183, 0.891, 1.614),
    BGCNBD(0.9, 3.0, 0.8, 2.5, k=2),
    MBGCNBD(1.2, 4.0, 0.9, 1.6, k=3),
    NBD(0.385, 12.07),
    ParetoNBD(0.553, 10.578, 0.606, 11.669),
    GGompertzNBD(0.6, 10.0, 0.05, 0.8, 2.0),
]
MODELS = [
    *ONE_EACH,
    BGNBD(2.0, 10.0, 0.4, 0.3),  # a + b < 1
    BGNBD(0.8, 5.0, 1.0, 2.0),  # a = 1
    BGNBD(1.5, 20.0, 60.0, 90.0),  # dropout hardly differs
    BGNBD(3.0, 8.0, 2.5, 4.0),
    MBGNBD(2.0, 10.0, 0.4, 0.3),
    MBGNBD(0.8, 5.0, 1.0, 2.0),
    MBGNBD(1.5, 20.0, 60.0, 90.0),
    BGCNBD(2.0, 9.0, 1.0, 0.4, k=4),
    MBGCNBD(1.5, 20.0, 60.0, 90.0, k=2),
    NBD(5.0, 30.0),
    ParetoNBD(0.8, 5.0, 1.0, 2.0),  # s = 1
    ParetoNBD(2.0, 2.0, 0.4, 60.0),
    ParetoNBD(1.5, 40.0, 60.0, 900.0),
    GGompertzNBD(1.5, 20.0, 0.3, 1.4, 300.0),  # most leave at an age of about 20
    GGompertzNBD(0.7, 6.0, 0.02, 1.0, 0.1),  # many leave at once
]
HISTORIES = GapHistory(
    [0, 0, 1, 3, 3, 12, 12, 40],
    [0, 0, 0.5, 30, 2, 39, 20, 38.5],
    [0, 39, 39, 30, 39, 39, 39, 39],
    log_gaps=[0, 0, -0.6, 5.9, -1.5, 9.0, 3.1, -4.2],
)
METHODS = {
    "log_likelihood": lambda m, h: m.log_likelihood(h),
    "score": lambda m, h: m.score(h),
    "p_alive": lambda m, h: m.p_alive(h),
    "expected_purchases": lambda m, h: m.expected_purchases(h, 52.0),
    "lifetime": lambda m, h: m.expected_purchases(h, np.inf),
    "none": lambda m, h: m.purchase_pmf(h, 10.0, 0),
    "three": lambda m, h: m.purchase_pmf(h, 10.0, 3),
    "p_purchase": lambda m, h: m.p_purchase(h, 10.0),
    "p_purchase_later": lambda m, h: m.p_purchase(h, 20.0, 5.0),
    "next_purchase": lambda m, h: m.next_purchase(h, 0.01),
    "discounted": lambda m, h: m.discounted_purchases(h, 0.002, 52.0),
    "residual": lambda m, h: m.discounted_purchases(h, 0.002, np.inf),
    "undiscounted": lambda m, h: m.discounted_purchases(h, 0.0, 52.0),
    "expected_rate": lambda m, h: m.expected_rate(h),
    "expected_dropout": lambda m, h: m.expected_dropout(h),
}
NEWCOMER = PurchaseHistory(0, 0, 0)

every_model = pytest.mark.parametrize("model", MODELS, ids=str)
one_of_each = pytest.mark.parametrize("model", ONE_EACH, ids=str)
each_method = pytest.mark.parametrize("method", METHODS)


# 1. The formulas are integrals of one customer's story over the population.


@dataclasses.dataclass(frozen=True)
class Story:
    """A history as customers of known rates live it, integrated over the population on even grids."""

    alive: float  # density of the history and being there at T
    gone: float  # … and having left
    rate: float  # mean of λ over both
    dropout: float  # mean of p or μ over both
    future: object  # (t, discount) → purchases in t of one who is there at T


def grid(low, high, count):
    nodes = np.linspace(low, high, count)
    return nodes, np.log(nodes[1] - nodes[0])


def rates(m):
    """λ on an even grid of log λ, where sums converge exponentially, and its log density."""
    y, dy = grid(-34 / m.r - 8, np.log(60 + 3 * m.r) + 0.5, 1300)
    return y - np.log(m.alpha), m.r * y - np.exp(y) - gammaln(m.r) + dy


def at_purchase(m, h):
    """p on an even grid of logit p, beside λ."""
    k, first = getattr(m, "k", 1), isinstance(m, MBGNBD | MBGCNBD)
    log_lam, prior = rates(m)
    spread = np.sqrt(1 / m.a + 1 / m.b) + 2 / min(m.a, m.b, 4)
    u, du = grid(np.log(m.a / m.b) - 9 * spread - 8, np.log(m.a / m.b) + 9 * spread + 8, 500)
    log_p, log_q = log_expit(u), log_expit(-u)
    leaves = m.a * log_p + m.b * log_q - betaln(m.a, m.b) + du
    y, p, q = np.repeat(log_lam, len(u)), np.tile(log_p, len(log_lam)), np.tile(log_q, len(log_lam))
    prior = (prior[:, None] + leaves).ravel()
    assert np.exp(prior).sum() == pytest.approx(1, rel=1e-10)
    lam, x, silence = np.exp(y), h.x[0], h.T[0] - h.t_x[0]
    gaps = k * x * y + (k - 1) * h.log_gaps[0] - x * gammaln(k)
    with np.errstate(divide="ignore"):
        stages = [j * (y + np.log(silence)) - gammaln(j + 1) if j else 0 * y for j in range(k)]
    stages = np.exp(np.stack(stages) + prior + gaps + (x + first) * q - lam * h.T[0])
    gone = np.exp(prior + gaps + (x + first - 1) * q + p - lam * h.t_x[0]) * (x + first > 0)
    total, density = stages.sum() + gone.sum(), stages.sum(axis=0) + gone

    def future(t, discount):
        return (
            sum(
                w[some] @ erlang(t, discount, lam[some], np.exp(q[some]), k - j)
                for j, w in enumerate(stages)
                for some in [w > 1e-18 * stages.sum()]
            )
            / stages.sum()
        )

    def erlang(t, discount, lam, q, first):
        if np.isinf(t):
            step = lam / (lam + discount)
            return step**first / (1 - q * step**k)
        value, c = 0.0, 0
        while True:
            term = q**c * gammainc(c * k + first, lam * t)
            value, c = value + term, c + 1
            if (term < 1e-13 * value + 1e-300).all():
                return value

    return Story(stages.sum(), gone.sum(), density @ lam / total, density @ np.exp(p) / total, future)


def in_time(m, h):
    """Lifetimes do not depend on λ: two even grids, and one over the time of leaving."""
    log_lam, prior = rates(m)
    lam, x, T = np.exp(log_lam), h.x[0], h.T[0]
    if isinstance(m, NBD):
        weights = np.exp(prior + x * log_lam - lam * T)
        mean = weights @ lam / weights.sum()
        return Story(weights.sum(), 0.0, mean, 0.0,
                     lambda t, d: mean * (t if d == 0 else -np.expm1(-d * t) / d))  # fmt: skip
    log_mu, leaves = rates(ParetoNBD(m.s, m.beta, 1.0, 1.0))
    mu, b = np.exp(log_mu), getattr(m, "b", 0.0)

    def clock(y):
        return np.expm1(np.minimum(b * y, 700)) / b if b else y

    def pace(y):
        return np.exp(np.minimum(b * y, 700))

    mu = mu * (b or 1.0)

    def survives(y):
        return np.exp(leaves - mu * clock(np.asarray(y))[..., None])

    def panels(low, high, first):
        edges = np.concatenate([[low], low + first * 1.5 ** np.arange(-30, 60)])
        edges = np.append(edges[edges < high], high)
        nodes, weights = np.polynomial.legendre.leggauss(12)
        half = np.diff(edges)[:, None] / 2
        return (edges[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()

    y, dy = panels(h.t_x[0], T, 1.0)
    lives = np.exp(prior + x * log_lam - lam * T)
    alive = lives.sum() * survives(T).sum()
    left = np.exp(prior + x * log_lam - lam * y[:, None])
    risk = survives(y) * mu * pace(y)[:, None]
    gone = dy * left.sum(axis=1) * risk.sum(axis=1)
    total = alive + gone.sum()
    rate = (lives @ lam * survives(T).sum() + (dy * (left @ lam) * risk.sum(axis=1)).sum()) / total
    dropout = (lives.sum() * survives(T) @ mu + (dy * left.sum(axis=1) * (risk @ mu)).sum()) / total

    def future(t, discount):
        tau, weight = panels(0.0, min(t, 60 / discount if discount else t), 1.0)
        stays = survives(T + tau).sum(axis=1) / survives(T).sum()
        return lives @ lam / lives.sum() * (weight * stays * np.exp(-discount * tau)).sum()

    return Story(alive, gone.sum(), rate, dropout / (b or 1.0), future)


STORIES = dict.fromkeys((BGNBD, MBGNBD, BGCNBD, MBGCNBD), at_purchase)


@every_model
def test_formulas_are_integrals_over_the_population(model):
    for i in range(len(HISTORIES)):
        h = rows(HISTORIES, [i])
        story = STORIES.get(type(model), in_time)(model, h)
        total = story.alive + story.gone
        assert model.log_likelihood(h) == pytest.approx(np.log(total), rel=1e-9, abs=1e-10)
        assert model.p_alive(h) == pytest.approx(story.alive / total, rel=1e-9)
        assert model.expected_rate(h) == pytest.approx(story.rate, rel=1e-9)
        assert model.expected_dropout(h) == pytest.approx(story.dropout, rel=1e-9)
        for t, discount in [(1.0, 0.0), (20.0, 0.0), (np.inf, 0.02)]:
            want = story.alive / total * story.future(t, discount)
            assert model.discounted_purchases(h, discount, t) == pytest.approx(want, rel=1e-8)


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
    other = in_other_units(model, c)
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
        (h.x == 0, model.purchase_pmf(NEWCOMER, 20.0, 0)),
        (h.x == 2, model.purchase_pmf(NEWCOMER, 20.0, 2)),
    ]:
        assert np.mean(found) == pytest.approx(want[0], abs=4 * np.std(found) / np.sqrt(len(h)))


@every_model
def test_days_merge_purchases_and_keep_histories_valid(model):
    T = np.full(2_000, 39.0)
    exact = model.simulate(np.random.default_rng(5), T, grain=0)
    for grain in (1 / 7, 6.0):
        merged = model.simulate(np.random.default_rng(5), T, grain)
        assert merged.x.sum() < exact.x.sum() or grain < 6
        np.testing.assert_allclose(merged.t_x / grain, np.round(merged.t_x / grain), atol=1e-9)
        assert ((merged.x > 0) == (merged.t_x > 0)).all()


@every_model
def test_futures_are_drawn_as_the_formulas_say(model):
    """Counts of one future after another, and the first purchase, of each stage a history may be in."""
    size, rng = 20_000, np.random.default_rng(8)
    for i in range(len(HISTORIES)):
        h, found = rows(HISTORIES, [i]), 0.0
        for stage, chance in enumerate(model.p_stages(h)[:, 0]):
            future = model.future(rng, h.x[0], h.T[0], stage, (size, 1))
            first = future.first(rng)
            near, there = future.purchases(rng, 5.0)
            far, _ = future.purchases(rng, 20.0)
            assert (there <= 5).all()
            assert (there >= 0).all()
            seen = [near, near + far, near > 0, near == 2, far > 0, first <= 5, first <= 20]
            found = found + np.array(
                [[chance * s.mean(), chance * (s**2).mean()] for s in map(np.asarray, seen)]
            )
        want = [
            model.expected_purchases(h, 5.0),
            model.expected_purchases(h, 20.0),
            model.p_purchase(h, 5.0),
            model.purchase_pmf(h, 5.0, 2),
            model.p_purchase(h, 20.0, 5.0),
            model.p_purchase(h, 5.0),
            model.p_purchase(h, 20.0),
        ]
        error = np.sqrt(np.maximum(found[:, 1], 1e-4) / size)
        assert (np.abs(found[:, 0] - np.ravel(want)) < 4.5 * error).all()


@every_model
def test_a_purchase_after_a_while_is_one_at_once_when_the_while_is_short(model):
    np.testing.assert_allclose(
        model.p_purchase(HISTORIES, 20.0, 1e-9), model.p_purchase(HISTORIES, 20.0), rtol=1e-7
    )
    assert (model.p_purchase(HISTORIES, 20.0, 20.0) < 1e-12).all()
    parts = model.p_purchase(HISTORIES, 7.0) + model.p_purchase(HISTORIES, 20.0, 7.0)
    assert (parts >= model.p_purchase(HISTORIES, 20.0) * (1 - 1e-12)).all()


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
@pytest.mark.parametrize(("rate", "t"), [(0.002, 13.0), (0.0005, 52.0), (0.02, 520.0), (0.3, 52.0)])
def test_a_base_is_discounted_like_its_customers(model, rate, t):
    """Of many histories the purchase rate may be a series in time: each few of them are integrals."""
    rng = np.random.default_rng(1)
    x = np.append(rng.poisson(rng.gamma(0.5, 6.0, 299)), 250).astype(float)
    T = rng.integers(7, 1000, 300) / 7
    h = GapHistory(x, np.where(x > 0, T * rng.uniform(0.1, 1.0, 300), 0.0), T, log_gaps=np.zeros(300))
    apart = [model.discounted_purchases(h.rows(slice(i, i + 30)), rate, t) for i in range(0, 300, 30)]
    np.testing.assert_allclose(model.discounted_purchases(h, rate, t), np.concatenate(apart), rtol=1e-9)


@pytest.mark.parametrize("model", [m for m in MODELS if not m.costly], ids=str)
@pytest.mark.parametrize(("start", "t"), [(1e-9, 13.0), (13.0, 26.0), (39.0, np.inf), (600.0, 700.0)])
def test_a_base_buys_in_later_periods_like_its_customers(model, start, t):
    rng = np.random.default_rng(2)
    x, T = rng.poisson(rng.gamma(0.5, 6.0, 300)).astype(float), rng.integers(7, 1000, 300) / 7
    h = GapHistory(x, np.where(x > 0, T * rng.uniform(0.1, 1.0, 300), 0.0), T, log_gaps=np.zeros(300))
    apart = [model.p_purchase(h.rows(slice(i, i + 30)), t, start) for i in range(0, 300, 30)]
    np.testing.assert_allclose(model.p_purchase(h, t, start), np.concatenate(apart), rtol=1e-9, atol=1e-12)


@every_model
def test_a_low_rate_is_nearly_none(model):
    np.testing.assert_allclose(
        model.discounted_purchases(HISTORIES, 1e-12, 52.0),
        model.expected_purchases(HISTORIES, 52.0),
        rtol=1e-8,
    )


@every_model
def test_quantiles_of_the_next_purchase_are_where_its_probability_is(model):
    for share in (0.01, 0.5, 0.999):
        t = model.next_purchase(HISTORIES, share)
        ever = model.p_purchase(HISTORIES, np.inf)
        assert (np.isinf(t) == (ever <= share)).all()
        for i in np.flatnonzero(np.isfinite(t)):
            found = model.p_purchase(rows(HISTORIES, [i]), t[i])
            assert found == pytest.approx(share, rel=1e-9)
            assert found == pytest.approx(1 - model.purchase_pmf(rows(HISTORIES, [i]), t[i], 0), rel=1e-9)


# 6. Shapes.


@one_of_each
@each_method
@pytest.mark.parametrize("shape", [(3, 1), (8,), (3, 8)], ids=str)
def test_broadcasting_equals_a_loop(model, method, shape):
    check_broadcasting(model, HISTORIES, METHODS[method], shape)


@one_of_each
@each_method
def test_scalars_give_one_value_a_history_and_repeated_rows_the_same(model, method):
    check_repeated_rows(model, HISTORIES, METHODS[method])


@one_of_each
def test_one_parameter_may_vary_alone(model):
    for name in names(model):
        column = getattr(model, name) * np.linspace(0.5, 2, 3)[:, None]
        found = change(model, **{name: column}).expected_purchases(HISTORIES, 9.0)
        alone = [change(model, **{name: float(v)}).expected_purchases(HISTORIES, 9.0) for v in column[:, 0]]
        np.testing.assert_allclose(found, alone, rtol=1e-11)


# 7. Stress; values at extremes are in test_reference.py.


@every_model
def test_the_score_is_the_slope_of_the_likelihood(model):
    check_score(model, HISTORIES)


sizes = st.floats(-3, 3).map(lambda e: 10.0**e)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from([type(model) for model in ONE_EACH]),
    values=st.tuples(sizes, sizes, sizes, sizes, sizes),
    x=st.integers(0, 3000),
    T=sizes,
    share=st.floats(1e-6, 1),
    t=sizes,
)
def test_formulas_are_sane_for_any_parameters(kind, values, x, T, share, t):
    model = kind(*values[: len(names(kind))])
    h = GapHistory(x, T * share if x else 0, T, log_gaps=0.0)
    assert np.isfinite(model.log_likelihood(h)).all()
    assert np.isfinite(model.score(h)).all()
    assert 0 <= model.p_alive(h)[0] <= 1
    soon, late = (model.expected_purchases(h, s)[0] for s in (t, 2 * t))
    assert 0 <= soon <= late * (1 + 1e-9) < np.inf
    assert 0 <= model.discounted_purchases(h, 0.01, t)[0] <= soon * (1 + 1e-8)
    assert 0 <= model.discounted_purchases(h, 0.01, np.inf)[0] < np.inf
    assert 0 <= model.purchase_pmf(h, t, 0)[0] <= 1 + 1e-12
    assert 0 <= model.expected_rate(h)[0] < np.inf
    assert 0 <= model.expected_dropout(h)[0] < np.inf


# 8. Learning.


@every_model
def test_a_fit_recovers_what_can_be_known(model):
    """A year seen, a year forecast: the fit must not be further off than four errors of the plain mean."""
    n = 6_000
    h = model.simulate(np.random.default_rng(8), np.full(n, 52.0), grain=0)
    fit = clv.fit(type(model), h, **({"k": model.k} if hasattr(model, "k") else {}))
    assert fit.converged
    assert fit.log_likelihood >= model.log_likelihood(h) @ h.weight
    for t in (10.0, 52.0):
        error = 4 * h.x.std() / np.sqrt(n)
        found, want = fit.model.expected_purchases_new(t), model.expected_purchases_new(t)
        assert found == pytest.approx(want, abs=error)
