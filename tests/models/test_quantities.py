"""What people know of their customers, and the parameters that follow from it."""

import itertools

import numpy as np
import pytest

import clv
from clv.fitting.priors import Priors
from clv.fitting.transforms import Quantities
from clv.models.quantities import LOST_AT_PURCHASE, LOST_IN_TIME, PURCHASES

MODELS = [getattr(clv, name) for name in clv._models()]
GIVEN = {clv.BGCNBD: {"k": 3}, clv.MBGCNBD: {"k": 3}}
each_model = pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)


def space(kind):
    priors = Priors.of(kind)
    return Quantities(kind, GIVEN.get(kind, {}), priors, priors.centre)


def model(kind, **values):
    """A model by its quantities as people say them, those not given at the centre of their priors."""
    at = space(kind)
    theta = [
        q.free(values[q.name]) if q.name in values else c
        for q, c in zip(kind.quantities, at.start, strict=True)
    ]
    return kind(**at.parameters(np.array(theta)))


@pytest.mark.parametrize("quantity", [PURCHASES, LOST_AT_PURCHASE, LOST_IN_TIME], ids=lambda q: q.kind)
def test_a_value_comes_back_from_the_real_line(quantity):
    for value in (0.001, 0.2, 0.5, 0.999):
        assert quantity.value(np.array(quantity.free(value))) == pytest.approx(value, rel=1e-12)
    for wrong in (-1.0, *((1.5,) if quantity.kind != "positive" else ())):
        assert np.isnan(quantity.free(wrong))


@each_model
def test_every_quantity_is_named_once_with_a_range_and_words(kind):
    names = [q.name for q in kind.quantities]
    assert len(set(names)) == len(names)
    assert len(names) == len(set(space(kind).parameters(space(kind).start)) - set(GIVEN.get(kind, {})))
    for q in kind.quantities:
        assert q.free(q.low) < q.free(q.high)
        assert len(q.words) > 20


@pytest.mark.parametrize("kind", [clv.NBD, clv.BGNBD, clv.MBGNBD, clv.ParetoNBD, clv.GGompertzNBD])
def test_purchases_and_their_spread_are_those_of_rates(kind):
    m = model(kind, purchases=3.0, purchase_spread=0.7)
    assert m.r / m.alpha == pytest.approx(3.0)  # in a period of 1
    assert 1 / np.sqrt(m.r) == pytest.approx(0.7)


@pytest.mark.parametrize("kind", [clv.BGCNBD, clv.MBGCNBD])
def test_regular_customers_buy_as_often_as_said(kind):
    m = model(kind, purchases=3.0, purchase_spread=0.2, share_lost=1e-9, loss_polarisation=0.02)
    assert m.k == 3
    assert m.expected_purchases_new(100.0) / 100 == pytest.approx(3.0, rel=0.01)


@pytest.mark.parametrize("kind", [clv.BGNBD, clv.MBGNBD])
def test_the_share_lost_at_a_purchase_is_what_a_simulation_loses(kind):
    m = model(kind, purchases=200.0, purchase_spread=0.3, share_lost=0.3, loss_polarisation=0.4)
    assert m.a / (m.a + m.b) == pytest.approx(0.3)
    assert 1 / (1 + m.a + m.b) == pytest.approx(0.4)
    h = m.simulate(np.random.default_rng(1), np.full(20_000, 1.0), grain=0)
    first = 0 if kind is clv.MBGNBD else 1  # who leaves at the first chance has no, or one, repeat purchase
    assert np.mean(h.x == first) == pytest.approx(0.3, abs=0.015)


@pytest.mark.parametrize("kind", [clv.ParetoNBD, clv.GGompertzNBD])
def test_the_share_lost_in_time_is_that_of_the_observed_period(kind):
    m = model(kind, share_lost=0.35, risk_spread=1.4, purchases=10.0)
    assert 1 / np.sqrt(m.s) == pytest.approx(1.4)
    survival = np.exp(-m.s * m._clock(np.array([1.0]))[0])
    assert 1 - survival == pytest.approx(0.35)
    later = model(kind, share_lost=0.35, risk_spread=1.4, purchases=1e3)  # whoever is alive buys all the time
    h = later.simulate(np.random.default_rng(2), np.full(4_000, 1.0), grain=0)
    assert np.mean(h.T - h.t_x > 0.03) == pytest.approx(0.35, abs=0.05)


def test_ageing_is_the_growth_of_the_risk():
    m = model(clv.GGompertzNBD, ageing=0.8)
    assert m.b == pytest.approx(0.8)


def test_opportunities_taken_and_lost():
    m = model(clv.BGBB, share_taken=0.6, taken_polarisation=0.1, share_lost=0.2, loss_polarisation=0.3)
    h = m.simulate(np.random.default_rng(3), np.full(40_000, 1))
    assert h.x.mean() == pytest.approx(0.8 * 0.6, abs=0.01)
    assert 1 / (1 + m.alpha + m.beta) == pytest.approx(0.1)
    assert 1 / (1 + m.gamma + m.delta) == pytest.approx(0.3)


@pytest.mark.parametrize("kind", [clv.SBG, clv.BdW])
def test_contracts_lost_at_the_first_renewal(kind):
    m = model(kind, share_lost=0.15)
    assert m.survival(1) == pytest.approx(0.85)
    assert model(clv.BdW, duration=1.3).c == pytest.approx(1.3)


def test_spend_its_spread_and_a_customers_own_weight():
    m = model(clv.GammaGamma, spend=1.2, spend_spread=0.5, own_weight=0.7)
    assert m.mean_spend()[0] == pytest.approx(1.2)
    assert 1 / np.sqrt(m.p) == pytest.approx(0.5)
    first = np.array([0.4])  # the value of the only repeat purchase
    assert m.expected_spend(np.ones(1), first)[0] == pytest.approx(0.7 * 0.4 + 0.3 * 1.2)
    assert m.q > 1


@each_model
def test_slopes_are_those_of_differences(kind):
    at = space(kind)
    theta = at.start + np.linspace(-0.7, 0.9, len(at.start))
    found = at.slopes(theta)

    def values(theta):
        return np.array([v for n, v in at.parameters(theta).items() if n not in at.held], dtype=float)

    for j in range(len(theta)):
        step = 1e-6 * np.eye(len(theta))[j]
        both = (values(theta + step) - values(theta - step)) / 2e-6
        np.testing.assert_allclose(found[:, j], both, rtol=1e-6, atol=1e-9 * np.abs(values(theta)).max())
    many = at.slopes(np.stack([theta, at.start], axis=1))
    np.testing.assert_allclose(many[..., 0], found)


HISTORIES = {
    clv.PurchaseHistory: clv.PurchaseHistory(
        [0, 0, 0, 1, 1, 1, 2, 10, 100, 5, 300],
        [0, 0, 0, 0.01, 0.5, 1, 0.3, 0.9, 0.99, 1, 2],
        [0.01, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2],
        unit=200,
    ),
    clv.GapHistory: clv.GapHistory(
        [0, 1, 2, 100], [0, 0.5, 0.3, 0.99], [1, 1, 2, 1], unit=200, log_gaps=[0, -0.7, -4.0, -460]
    ),
    clv.OpportunityHistory: clv.OpportunityHistory(
        [0, 1, 3, 2, 12, 0, 40], [0, 1, 6, 4, 12, 0, 50], [0, 6, 6, 6, 12, 36, 60]
    ),
    clv.RetentionHistory: clv.RetentionHistory([0, 1, 2, 5, 12], [0, 1, 0, 1, 0]),
    clv.SpendHistory: clv.SpendHistory([1, 2, 5, 50, 1], [0.01, 2, 9, 50, 90]),
}


@pytest.mark.filterwarnings(
    "ignore:.*encountered:RuntimeWarning"
)  # as a sampler asks: it looks at what is finite
@each_model
def test_hardly_a_place_where_samplers_look_is_out_of_reach(kind):
    at, h = space(kind), HISTORIES[kind.History]
    bad = 0
    for corner in itertools.product((0.1, 0.5, 0.9), repeat=len(at.start)):  # four standard deviations out
        theta = at.low + (at.high - at.low) * np.array(corner)
        value, score = kind(**at.parameters(theta)).log_likelihood_and_score(h)
        bad += not (np.isfinite(value).all() and np.isfinite(score).all())
    assert bad == 0
