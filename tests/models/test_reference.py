"""Every model against mpmath at ordinary and at hard places: the tables of tests/reference.

Nothing in the programs that wrote those tables shares a formula with the package.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import gammaln

from clv import (
    BGBB,
    BGCNBD,
    BGNBD,
    MBGCNBD,
    MBGNBD,
    NBD,
    SBG,
    BdW,
    GapHistory,
    GGompertzNBD,
    OpportunityHistory,
    ParetoNBD,
    RetentionHistory,
)
from laws import names

FOLDER = Path(__file__).parents[1] / "reference"
TABLES = {
    "bg_nbd": BGNBD,
    "mbg_nbd": MBGNBD,
    "bg_cnbd": BGCNBD,
    "mbg_cnbd": MBGCNBD,
    "nbd": NBD,
    "pareto_nbd": ParetoNBD,
    "ggompertz_nbd": GGompertzNBD,
    "bg_bb": BGBB,
    "sbg": SBG,
    "bdw": BdW,
}


@pytest.fixture(scope="module", params=TABLES)
def places(request):
    """What a table says of each set of parameters: (model, rows, histories)."""
    kind = TABLES[request.param]
    table = np.genfromtxt(FOLDER / f"{request.param}.csv", delimiter=",", names=True)
    fields = [*names(kind), *(["stages"] if hasattr(kind, "k") else [])]
    found = []
    for key in np.unique(table[fields]):
        some = table[table[fields] == key]
        model = kind(*map(float, key)) if fields == names(kind) else kind(*list(key)[:-1], k=int(key[-1]))
        found.append((model, some, history(model, some)))
    return found


def history(model, some):
    if model.History is RetentionHistory:
        return RetentionHistory(some["age"], some["churned"])
    if model.History is OpportunityHistory:
        return OpportunityHistory(some["x"], some["t_x"], some["n"])
    k = getattr(model, "k", 1)
    gaps = (
        some["x"] * gammaln(k) / max(k - 1, 1)
    )  # so that what depends on single gaps is 1, as in the tables
    return GapHistory(some["x"], some["t_x"], some["T"], log_gaps=gaps)


def asked(some, quantity, *columns):
    """Where a table has a quantity, by what it was asked for: pairs of (values, rows)."""
    if quantity not in some.dtype.names:
        return
    there = ~np.isnan(some[quantity])
    for key in np.unique(some[there][list(columns)]):
        yield key, there & (some[list(columns)] == key)


def test_there_are_enough_places():
    rows = {name: (FOLDER / f"{name}.csv").read_text().count("\n") - 1 for name in TABLES}
    assert sum(rows.values()) > 5_000
    assert min(rows.values()) > 200


def test_likelihoods(places):
    for model, some, h in places:
        found, score = model.log_likelihood_and_score(h)
        np.testing.assert_allclose(found, some["log_likelihood"], rtol=3e-11, atol=1e-13)
        np.testing.assert_array_equal(model.log_likelihood(h), found)
        assert np.isfinite(score).all()
        if hasattr(model, "p_alive"):
            np.testing.assert_allclose(model.p_alive(h), some["p_alive"], rtol=3e-10, atol=1e-290)
            assert np.isfinite(model.expected_rate(h)).all()
        assert np.isfinite(model.expected_dropout(h)).all()


def test_purchases(places):
    for model, some, h in places:
        discounted = getattr(model, "discounted_purchases", None) or model.discounted_renewals
        for (t, rate), at in asked(some, "purchases", "t", "rate"):
            found = discounted(h, float(rate), float(t))[at]
            np.testing.assert_allclose(found, some["purchases"][at], rtol=1e-9, atol=1e-290)


def test_counts(places):
    for model, some, h in places:
        for (t, n), at in asked(some, "pmf", "t", "k"):
            found = model.purchase_pmf(h, float(t), int(n))[at]
            np.testing.assert_allclose(found, some["pmf"][at], rtol=1e-10, atol=1e-290)
