"""Models of the lifetimes package: taken over, and compared with ours, live and frozen.

The frozen numbers are what lifetimes 0.11.3 gives for the CDNOW sample in weeks, and for the donors.
"""

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import clv
from clv import BGBB, BGNBD, MBGNBD, ConfigError, GammaGamma, OpportunityHistory, ParetoNBD, PurchaseHistory

# Ibis 12 asks DuckDB 2 and pandas 3 in ways that both will drop; lifetimes warns of its own overflows.
pytestmark = pytest.mark.filterwarnings(
    "ignore:fetch_arrow_table:DeprecationWarning",
    "ignore:.*infer_string:DeprecationWarning",
    "ignore::UserWarning:lifetimes",
    "ignore::RuntimeWarning",
    "ignore:pkg_resources",
)

PLACES = PurchaseHistory([0, 2, 26, 4], [0, 30.43, 30.857, 10.0], [38.86, 38.86, 31.0, 39.0])
# fitter: our model, parameters, log-likelihood, p_alive and purchases of 39 weeks at PLACES
FROZEN = {
    "BetaGeoFitter": (
        BGNBD,
        {"r": 0.242595, "alpha": 4.413603, "a": 0.792922, "b": 2.425906},
        -9582.429206673933,
        [1.0, 0.72660915, 0.96885124, 0.05982339],
        [0.19478205, 1.22590681, 20.74883521, 0.18535376],
    ),
    "ModifiedBetaGeoFitter": (
        MBGNBD,
        {"r": 0.524843, "alpha": 6.183082, "a": 0.89136, "b": 1.614003},
        -9582.135715553766,
        [0.38971519, 0.7061257, 0.96548124, 0.05702017],
        [0.15395428, 1.26266922, 19.44653977, 0.17747099],
    ),
    "ParetoNBDFitter": (
        ParetoNBD,
        {"r": 0.553267, "alpha": 10.577585, "s": 0.606273, "beta": 11.669787},
        -9594.976178985593,
        [0.29509629, 0.869112, 0.99787112, 0.08883606],
        [0.10705661, 1.45508025, 20.11467515, 0.26459323],
    ),
}


@pytest.fixture(scope="module")
def sample():
    orders = clv.Transactions(
        clv.datasets.load_cdnow_sample(), as_of="1998-06-30", zero_orders="count", duplicates="keep"
    )
    return clv.split(orders, dt.date(1997, 9, 30)).rfm.to_pandas()


@pytest.fixture(scope="module")
def weeks(sample):
    """The data frame that lifetimes keeps of a fit."""
    table = sample[["frequency", "recency", "T"]].astype(float)
    table[["recency", "T"]] /= 7
    return table.assign(weights=1.0)


def fitted(name, parameters, data):
    """What a fitter of lifetimes looks like from outside."""
    return type(name, (SimpleNamespace,), {})(params_=parameters, data=data)


@pytest.mark.parametrize("name", FROZEN)
def test_a_purchase_model_taken_over_says_what_it_said_there(name, weeks):
    kind, parameters, likelihood, alive, purchases = FROZEN[name]
    fit = clv.from_lifetimes(fitted(name, parameters, weeks), unit="week")
    assert isinstance(fit.model, kind)
    assert fit.parameters == parameters
    assert (fit.unit, fit.customers, fit.histories) == (7.0, 2357, 1016)
    assert fit.log_likelihood == pytest.approx(likelihood, abs=1e-4)
    np.testing.assert_allclose(fit.model.p_alive(PLACES), alive, rtol=1e-5)
    np.testing.assert_allclose(fit.model.expected_purchases(PLACES, 39.0), purchases, rtol=1e-5)
    assert not fit.at_edge
    assert name in fit.summary()
    ours = clv.fit(kind, PurchaseHistory(weeks["frequency"], weeks["recency"], weeks["T"]))
    assert ours.log_likelihood >= fit.log_likelihood - 1e-6
    assert ours.log_likelihood == pytest.approx(likelihood, abs=1e-4)


def test_a_spend_model_taken_over():
    data = pd.DataFrame({"frequency": [1.0, 3.0], "monetary_value": [20.0, 40.0], "weights": [1.0, 1.0]})
    parameters = {"p": 6.249572277633075, "q": 3.7442246747587054, "v": 15.44352101837153}
    fit = clv.from_lifetimes(fitted("GammaGammaFitter", parameters, data))
    assert isinstance(fit.model, GammaGamma)
    found = fit.model.expected_spend(np.array([1, 3]), np.array([20.0, 120.0]))
    np.testing.assert_allclose(found, [24.6288467, 39.38335169], rtol=1e-8)


def test_a_discrete_model_taken_over():
    parameters = {
        "alpha": 1.2035223936081028, "beta": 0.7497163581757851,
        "gamma": 0.6567181695498653, "delta": 2.7834419828870645,
    }  # fmt: skip
    data = pd.DataFrame({"frequency": [0.0, 4.0], "recency": [0.0, 5.0], "n_periods": 6.0, "weights": 1.0})
    fit = clv.from_lifetimes(fitted("BetaGeoBetaBinomFitter", parameters, data), unit="year")
    assert isinstance(fit.model, BGBB)
    h = OpportunityHistory([0, 4], [0, 5], [6, 6])
    np.testing.assert_allclose(fit.model.expected_purchases(h, 5.0), [0.07286334, 2.03002403], rtol=1e-7)
    np.testing.assert_allclose(fit.model.p_alive(h), [0.11621816, 0.74889829], rtol=1e-7)


def test_a_model_taken_over_forecasts(sample, weeks):
    """The value of the base is that of a fit of our own."""
    rfm = clv.RFM(
        sample[["customer_id", "frequency", "recency", "T", "monetary_value"]].assign(
            recency=sample["recency"] / 7, T=sample["T"] / 7
        ),
        unit="week",
        as_of="1997-09-30",
    )
    spend = clv.fit(GammaGamma, rfm)
    theirs = clv.from_lifetimes(fitted("BetaGeoFitter", FROZEN["BetaGeoFitter"][1], weeks), unit="week")
    worth = [
        clv.forecast(fit, spend, rfm, horizon="12m", margin=0.3).sums["clv"]
        for fit in (theirs, clv.fit(BGNBD, rfm))
    ]
    assert worth[0] == pytest.approx(worth[1], rel=1e-4)


@pytest.mark.parametrize(
    ("fitter", "unit", "words"),
    [
        (
            SimpleNamespace(params_={}),
            "week",
            "C012 a fitted model of lifetimes is needed; got a Simple",
        ),
        (type("BetaGeoFitter", (), {})(), "week", "call fit"),
        (fitted("BetaGeoFitter", FROZEN["BetaGeoFitter"][1], None), None, "C012 unit must say"),
        (fitted("BetaGeoFitter", FROZEN["BetaGeoFitter"][1], None), "fortnight", "C001 unit must be"),
    ],
)
def test_what_cannot_be_taken_over_is_refused(fitter, unit, words):
    with pytest.raises(ConfigError, match=words):
        clv.from_lifetimes(fitter, unit)


@pytest.mark.parametrize("name", FROZEN)
def test_parity_with_the_package_itself(name, weeks):
    lifetimes = pytest.importorskip("lifetimes")
    fitter = getattr(lifetimes, name)()
    fitter.fit(weeks["frequency"], weeks["recency"], weeks["T"])
    fit = clv.from_lifetimes(fitter, unit=7)
    ours = clv.fit(type(fit.model), PurchaseHistory(weeks["frequency"], weeks["recency"], weeks["T"]))
    assert ours.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-4)
    columns = [np.asarray(weeks[c]) for c in ("frequency", "recency", "T")]
    h = PurchaseHistory(*columns)
    np.testing.assert_allclose(
        fit.model.p_alive(h), fitter.conditional_probability_alive(*columns), rtol=1e-7
    )
    there = fitter.conditional_expected_number_of_purchases_up_to_time(39.0, *columns)
    np.testing.assert_allclose(fit.model.expected_purchases(h, 39.0), there, rtol=1e-7)
