"""Levers of the model: closed forms, integrals, and customers who are simulated with other rates."""

import dataclasses

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.special import beta as beta_function

import clv
from clv.forecasting.stream import Base
from clv.forecasting.totals import ALL
from clv.planning import staying
from clv.planning.levers import Existing, Newcomer
from clv.planning.staying import Staying
from one_by_one import PURCHASE, RATE, SPEND

NEW = clv.PurchaseHistory.newcomer()
OLD = clv.PurchaseHistory([0, 3, 7], [0, 40, 59], [52, 55, 60])
PARETO = clv.ParetoNBD(0.55, 10.6, 0.6, 11.7)
YEAR = 365.25 / 7


def at_pace(model, history, pace, rate=RATE, t=YEAR):
    """What the levers say of discounted purchases."""
    return model.discounted_purchases(history, rate / pace, pace * t) / pace


@pytest.mark.parametrize("pace", [0.5, 1.0, 1.7])
def test_who_leaves_in_time_leaves_at_so_many_times_the_rate(pace):
    """μ·c ~ Gamma(s, beta/c) of a new customer; of one alive at T, Gamma(s, (beta + T)/c)."""
    other = dataclasses.replace(PARETO, beta=PARETO.beta / pace)
    assert at_pace(PARETO, NEW, pace) == pytest.approx(other.discounted_purchases(NEW, RATE, YEAR), rel=1e-9)
    alive = PARETO.p_alive(OLD)
    for x, T, p, found in zip(OLD.x, OLD.T, alive, at_pace(PARETO, OLD, pace), strict=True):
        kept = (PARETO.beta + T) / pace
        stays = quad(lambda tau, k=kept: (k / (k + tau)) ** PARETO.s * np.exp(-RATE * tau), 0, YEAR)[0]
        assert found == pytest.approx(p * (PARETO.r + x) / (PARETO.alpha + T) * stays, rel=1e-8)


@pytest.mark.parametrize("pace", [0.5, 1.7])
def test_who_leaves_at_a_purchase_leaves_with_so_many_times_the_probability(pace):
    """E[λ·e^(−c·λ·p·τ)] over λ ~ Gamma(r + x, alpha + T) and p = u^(1/a) ~ Beta(a, b + x)."""
    r, alpha, a, b = vars(PURCHASE).values()
    found = at_pace(PURCHASE, OLD, pace) / PURCHASE.p_alive(OLD)
    for x, T, value in zip(OLD.x, OLD.T, found, strict=True):

        def brings(u: float, tau: float, x: float = x, T: float = T) -> float:
            p, A = u ** (1 / a), alpha + T
            thinned = np.exp(-RATE * tau) * (r + x) / A * (1 + pace * p * tau / A) ** (-r - x - 1)
            return float(thinned * (1 - p) ** (b + x - 1) / (a * beta_function(a, b + x)))

        assert value == pytest.approx(dblquad(brings, 0, YEAR, 0, 1, epsabs=1e-7)[0], rel=1e-5)


def test_twice_as_many_orders_at_the_same_retention():
    """Simulated one event after another: at 2λ, each order ends it with .7·p/2; k = 2, c = .7."""
    rng = np.random.default_rng(2)
    size = 200_000
    rate = 2 * rng.gamma(PURCHASE.r, 1 / PURCHASE.alpha, size)
    leave = 0.7 / 2 * rng.beta(PURCHASE.a, PURCHASE.b, size)
    worth, clock, here = np.zeros(size), np.zeros(size), np.ones(size, dtype=bool)
    while here.any():
        clock[here] += rng.exponential(1 / rate[here])
        here &= clock <= YEAR
        worth[here] += np.exp(-RATE * clock[here])
        here &= rng.random(size) >= leave
    error = worth.std() / np.sqrt(size)
    assert 2 * at_pace(PURCHASE, NEW, 0.7)[0] == pytest.approx(worth.mean(), abs=4 * error)


@pytest.mark.parametrize(
    "model", [clv.GGompertzNBD(0.55, 10.6, 0.02, 0.6, 3.0), clv.MBGNBD(0.5, 6.0, 0.8, 2.4), PARETO, PURCHASE]
)
def test_in_every_model_customers_leave_so_much_sooner(model):
    """Futures of customers alive, each of whom leaves at 1/c of its time, and buys as often until then."""
    rng, pace, size = np.random.default_rng(3), 1.6, (1, 400_000)
    for row in range(len(OLD)):
        one = OLD.rows([row])
        future = model.future(rng, float(one.x[0]), float(one.T[0]), 0, size)
        events = np.broadcast_to(future.last, size).astype(float)
        wait = rng.standard_gamma(np.where(np.isinf(events), 1, events)) / np.maximum(future.rate, 1e-300)
        leaves = np.minimum(np.where(np.isinf(events), np.inf, wait), future.until) / pace
        there = np.minimum(leaves, YEAR)
        worth = future.rate * there
        error = worth.std() / np.sqrt(worth.size)
        found = at_pace(model, one, pace, rate=0.0)[0] / model.p_alive(one)[0]
        assert found == pytest.approx(worth.mean(), abs=5 * error)


def test_who_never_leaves_has_no_pace():
    model = clv.NBD(0.5, 6.0)
    assert at_pace(model, OLD, 0.5) == pytest.approx(model.discounted_purchases(OLD, RATE, YEAR))
    found = Staying.of(Base(model, SPEND, OLD, OLD.x), np.ones(3), YEAR)
    assert not found.leaves
    assert found.share() == 1
    assert np.isnan(found.pace(0.05))


def test_regular_buyers_have_stages_too():
    model = clv.BGCNBD(0.9, 6.0, 0.8, 2.4, k=2)
    assert (at_pace(model, OLD, 0.8) > at_pace(model, OLD, 1.0)).all()
    found = Staying.of(Base(model, SPEND, OLD, OLD.x), np.ones(3), YEAR)
    assert 0.3 < found.share() < found.share(0.5) < 1


def test_the_share_that_stays_is_known_in_closed_form():
    """Of Pareto/NBD ((beta + T)/(beta + T + year))^s; of BG/NBD E[e^(−λ·p·year)]; weighed by P(alive)."""
    customers = np.array([100.0, 20.0, 3.0])
    weight = customers * PARETO.p_alive(OLD)
    kept = ((PARETO.beta + OLD.T) / (PARETO.beta + OLD.T + YEAR)) ** PARETO.s
    found = Staying.of(Base(PARETO, SPEND, OLD, OLD.x), customers, YEAR)
    assert found.share() == pytest.approx(weight @ kept / weight.sum(), abs=0.004)
    assert found.leaves
    weight = customers * PURCHASE.p_alive(OLD)
    r, alpha, a, b = vars(PURCHASE).values()
    stays = [
        quad(
            lambda u, x=x, T=T: (
                (1 + u ** (1 / a) * YEAR / (alpha + T)) ** (-r - x)
                * (1 - u ** (1 / a)) ** (b + x - 1)
                / (a * beta_function(a, b + x))
            ),
            0,
            1,
        )[0]
        for x, T in zip(OLD.x, OLD.T, strict=True)
    ]
    found = Staying.of(Base(PURCHASE, SPEND, OLD, OLD.x), customers, YEAR)
    assert found.share() == pytest.approx(weight @ stays / weight.sum(), abs=0.004)
    assert found.share(2.0) < found.share() < found.share(0.5)


def test_a_pace_keeps_so_many_more():
    found = Staying.of(Base(PURCHASE, SPEND, OLD, OLD.x), np.ones(3), YEAR)
    for points in (-0.05, 0.01, 0.05):
        pace = found.pace(points)
        assert (pace < 1) == (points > 0)
        assert found.share(pace) == pytest.approx(found.share() + points, abs=1e-4)
    assert np.isnan(found.pace(1 - found.share()))
    assert np.isnan(found.pace(-found.share()))


def test_a_part_of_many_histories_stands_for_all(monkeypatch):
    rng = np.random.default_rng(4)
    h = PARETO.simulate(rng, rng.uniform(20, 90, 3000))
    customers = rng.integers(1, 9, 3000).astype(float)
    whole = Staying.of(Base(PARETO, SPEND, h, h.x), customers, YEAR)
    monkeypatch.setattr(staying, "_HISTORIES", 512)
    part = Staying.of(Base(PARETO, SPEND, h, h.x), customers, YEAR)
    fewer, counted = staying._fewer(Base(PARETO, SPEND, h, h.x), customers)
    assert len(fewer.history) == len(counted) <= 512 == counted.sum()
    assert part.share() == pytest.approx(whole.share(), abs=0.02)


def test_the_base_of_today_is_the_forecasts(shop):
    ahead, comparison = shop
    whole = Existing.of(ahead, comparison, ALL)
    assert whole.value() == pytest.approx(ahead.sums["clv"], rel=1e-12)
    assert whole.drawn().shape == (250,)
    assert whole.drawn().mean() == pytest.approx(whole.value(), rel=2e-3)
    assert whole.drawn(0.6).mean() == pytest.approx(whole.value(0.6), rel=2e-3)
    for name in ("Newsletter", "توصية"):
        part = Existing.of(ahead, comparison, name)
        assert part.value() == pytest.approx(comparison.table.loc[name, "model_existing_total"], rel=1e-12)
        assert part.customers.sum() == comparison.table.loc[name, "customers"]


def test_a_new_customer_of_today_is_the_comparisons(shop_prospects):
    for prospect in shop_prospects:
        one = Newcomer(prospect)
        assert one.first + one.later() == pytest.approx(prospect.value, rel=1e-12)
        assert one.later(0.5) > one.later() > one.later(2.0) > 0
        assert one.first == pytest.approx(0.44 * prospect.forecast.rfm.first_order)
