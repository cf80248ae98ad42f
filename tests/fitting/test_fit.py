"""What a fit may depend on, how sure it says it is, and what it says when the data say little."""

import json

import numpy as np
import pytest

import clv
from clv import BGNBD, ConfigError, FitError, GammaGamma, PurchaseHistory, SpendHistory

TRUTH = {BGNBD: BGNBD(0.6, 8.0, 0.8, 2.5), GammaGamma: GammaGamma(6.0, 4.0, 15.0)}


def simulated(kind, customers=3_000):
    rng = np.random.default_rng(11)
    ages = np.round(rng.uniform(20, 60, customers))
    counts = rng.integers(1, 9, customers).astype(float)
    return TRUTH[kind].simulate(rng, ages if kind is BGNBD else counts)


@pytest.fixture(scope="module", params=TRUTH, ids=lambda kind: kind.__name__)
def fitted(request):
    history = simulated(request.param)
    return history, clv.fit(request.param, history)


def columns(history):
    return {n: getattr(history, n) for n in ("x", "t_x", "T", "m", "S") if hasattr(history, n)}


def rows(history, order, weight=None):
    """Return the history with its rows picked by index."""
    picked = {n: v[order] for n, v in columns(history).items()}
    weights = history.weight[order] if weight is None else weight
    return type(history)(**picked, weight=weights, unit=history.unit)


def forecasts(fit, history):
    """All that a forecast takes from a fit, in days or single currency units."""
    if isinstance(history, SpendHistory):
        return fit.model.expected_spend(history.m, history.S) * fit.unit
    horizon = 52 * 7 / fit.unit
    return np.stack([fit.model.p_alive(history), fit.model.expected_purchases(history, horizon)])


def test_a_fit_is_at_a_maximum(fitted):
    history, fit = fitted
    assert fit.converged
    assert fit.message == "Converged at a maximum."
    assert fit.log_likelihood == pytest.approx(fit.model.log_likelihood(history) @ history.weight)
    for name, value in fit.parameters.items():
        for factor in (0.999, 1.001):
            near = type(fit.model)(**{**fit.parameters, name: value * factor})
            assert near.log_likelihood(history) @ history.weight < fit.log_likelihood


@pytest.mark.parametrize("size", [1 / 7, 30.4, 1e4, 1e-6])
def test_the_unit_changes_no_forecast(fitted, size):
    history, fit = fitted
    other = history.rescaled(size)
    again = clv.fit(type(fit.model), other)
    np.testing.assert_allclose(forecasts(again, other), forecasts(fit, history), rtol=1e-9)
    counts = history.x if hasattr(history, "x") else np.ones(len(history))
    shift = counts.sum() * np.log(size)
    assert again.log_likelihood == pytest.approx(fit.log_likelihood + shift, rel=1e-12, abs=1e-6)
    assert again.unit == pytest.approx(fit.unit * size)


def test_the_order_of_rows_changes_no_forecast(fitted):
    history, fit = fitted
    again = clv.fit(type(fit.model), rows(history, np.random.default_rng(0).permutation(len(history))))
    np.testing.assert_allclose(forecasts(again, history), forecasts(fit, history), rtol=1e-9)


def test_grouping_changes_no_forecast(fitted):
    history, fit = fitted
    table = np.stack(list(columns(history).values()))
    distinct, counts = np.unique(table, axis=1, return_counts=True)
    grouped = type(history)(*distinct, weight=counts, unit=history.unit)
    again = clv.fit(type(fit.model), grouped)
    np.testing.assert_allclose(forecasts(again, history), forecasts(fit, history), rtol=1e-9)
    assert again.customers == fit.customers == len(history)
    assert again.histories == len(counts)
    assert again.log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-12)


def test_rows_without_customers_change_nothing(fitted):
    history, fit = fitted
    order = np.arange(len(history)).repeat(2)
    again = clv.fit(type(fit.model), rows(history, order, np.tile([1.0, 0.0], len(history))))
    np.testing.assert_allclose(forecasts(again, history), forecasts(fit, history), rtol=1e-9)


def test_the_covariance_is_the_inverse_of_the_observed_information(fitted):
    history, fit = fitted
    kind, at = type(fit.model), np.array(list(fit.parameters.values()))

    def slope(parameters):
        return kind(*parameters).score(history) @ history.weight

    step = 1e-5 * at
    units = np.diag(step)
    information = -np.array(
        [(slope(at + u) - slope(at - u)) / (2 * d) for u, d in zip(units, step, strict=True)]
    )
    error = np.sqrt(np.diag(fit.covariance))
    scaled = np.linalg.inv(information) / np.outer(error, error)
    np.testing.assert_allclose(fit.covariance / np.outer(error, error), scaled, atol=1e-5)
    np.testing.assert_allclose(list(fit.standard_errors.values()), np.sqrt(np.diag(fit.covariance)))


def test_intervals_stay_positive_widen_with_the_level_and_mostly_hold_the_truth(fitted):
    _, fit = fitted
    wide, narrow = fit.intervals(0.999), fit.intervals(0.5)
    for name, value in fit.parameters.items():
        assert 0 < wide[name][0] < narrow[name][0] < value < narrow[name][1] < wide[name][1]
        assert np.sqrt(wide[name][0] * wide[name][1]) == pytest.approx(value)
        assert wide[name][0] < getattr(TRUTH[type(fit.model)], name) < wide[name][1]
    error = fit.standard_errors
    for name, (low, high) in fit.intervals(0.9).items():
        half = 1.6448536 * error[name] / fit.parameters[name]
        assert (np.log(high) - np.log(low)) / 2 == pytest.approx(half)


def test_criteria(fitted):
    _, fit = fitted
    k = len(fit.parameters)
    assert fit.aic == pytest.approx(2 * k - 2 * fit.log_likelihood)
    assert fit.bic == pytest.approx(k * np.log(3_000) - 2 * fit.log_likelihood)


def test_a_fit_can_be_written_and_read(fitted):
    _, fit = fitted
    record = json.loads(json.dumps(fit.to_dict(), allow_nan=False))
    assert record["parameters"] == fit.parameters
    assert record["model"] == type(fit.model).__name__
    assert record["converged"] is True
    for text in (fit.summary(), str(fit), fit._repr_html_()):
        assert "log-likelihood" in text
        assert all(name in text for name in fit.parameters)
        assert fit.message in text


# Populations at the edge of a model: usual in practice, and no reason for NaN.

EDGES = {
    "no dropout": BGNBD(1.0, 10.0, 1e-9, 1.0),
    "homogeneous dropout": BGNBD(0.8, 6.0, 4e5, 16e5),
    "homogeneous rate": BGNBD(1e5, 1e6, 0.8, 2.5),
    "all the same": BGNBD(1e5, 1e6, 4e5, 16e5),
    "everybody leaves at once": BGNBD(0.8, 6.0, 1.0, 1e-9),
}


@pytest.mark.parametrize("edge", EDGES)
def test_a_population_at_the_edge_gives_an_honest_fit_and_sane_forecasts(edge):
    truth = EDGES[edge]
    h = truth.simulate(np.random.default_rng(12), np.full(4_000, 40.0), grain=0)
    fit = clv.fit(BGNBD, h)
    assert fit.converged
    assert fit.log_likelihood >= truth.log_likelihood(h) @ h.weight - 0.01
    assert fit.at_edge == fit.message.startswith("M003")
    error = 4 * h.x.std() / np.sqrt(len(h))
    assert fit.model.expected_purchases_new(40.0) == pytest.approx(h.x.mean(), abs=error)
    for t in (1.0, 52.0, 520.0):
        found = fit.model.expected_purchases(h, t)
        assert np.isfinite(found).all()
        assert found.mean() == pytest.approx(truth.expected_purchases(h, t).mean(), rel=0.15, abs=1e-6 * t)
    assert np.isfinite(fit.model.discounted_purchases(h, 0.002, np.inf)).all()
    assert np.isfinite(fit.model.score(h)).all()
    json.dumps(fit.to_dict(), allow_nan=False)
    assert fit.message in fit.summary()


def test_equal_spend_of_everybody_is_an_edge_too():
    h = GammaGamma(50.0, 1e5, 1e5).simulate(np.random.default_rng(13), np.tile([1.0, 3, 8], 700))
    fit = clv.fit(GammaGamma, h)
    assert fit.converged
    np.testing.assert_allclose(fit.model.expected_spend(h.m, h.S), 50, rtol=0.1)


@pytest.mark.parametrize(
    "history", [PurchaseHistory([3], [20], [30]), PurchaseHistory([3, 0], [20, 0], [30, 30])]
)
def test_a_handful_of_customers_never_looks_like_a_good_fit(history):
    fit = clv.fit(BGNBD, history)
    assert not fit.converged or fit.message.startswith("M003")
    assert np.isfinite(fit.model.expected_purchases(history, 52.0)).all()


# What cannot be fitted at all.


@pytest.mark.parametrize(
    ("kind", "history", "why"),
    [
        (
            BGNBD,
            PurchaseHistory(np.zeros(9), np.zeros(9), np.full(9, 30.0)),
            "nobody bought again",
        ),
        (BGNBD, PurchaseHistory(np.zeros(9), np.zeros(9), np.zeros(9)), "nobody was observed for any time"),
        (BGNBD, PurchaseHistory([2], [3], [9], [0]), "there are no customers"),
        (BGNBD, PurchaseHistory([], [], []), "there are no customers"),
        (GammaGamma, SpendHistory([], []), "nobody has repeat purchases with a value"),
        (GammaGamma, SpendHistory([1, 2], [10, 30], [0, 0]), "nobody has repeat purchases with a value"),
    ],
)
def test_data_that_say_nothing_are_refused(kind, history, why):
    with pytest.raises(FitError, match=f"M001 {kind.__name__} cannot be fitted") as caught:
        clv.fit(kind, history)
    assert why in "\n".join(caught.value.messages)


def test_an_unknown_method_is_refused():
    with pytest.raises(ConfigError, match="C012 method must be") as caught:
        clv.fit(BGNBD, simulated(BGNBD, 50), method="guess")
    assert caught.value.codes == ["C012"]


@pytest.mark.parametrize(("kind", "other"), [(BGNBD, GammaGamma), (GammaGamma, BGNBD)])
def test_a_history_of_the_other_kind_is_refused(kind, other):
    with pytest.raises(clv.DataError, match="D047"):
        clv.fit(kind, simulated(other, 50))
