"""Fewer histories with the same sums."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import clv
from clv.forecasting import condensing
from clv.forecasting.condensing import Condensed
from clv.forecasting.lines import Rows, lines_of
from clv.forecasting.stream import Base
from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array

SPEND = clv.GammaGamma(6.25, 3.74, 15.45)
MODELS = [
    clv.BGNBD(0.24, 4.4, 0.79, 2.43),
    clv.MBGNBD(0.87, 12.8, 1.29, 7.15),
    clv.ParetoNBD(0.55, 10.6, 0.61, 11.7),
    clv.ParetoNBD(0.94, 18.1, 4.86, 579.0),
    clv.GGompertzNBD(0.55, 10.6, 0.02, 0.4, 5.0),
    clv.NBD(0.39, 12.1),
    clv.MBGCNBD(0.9, 8.0, 0.9, 3.0, k=2),
]


def some_histories(size: int = 20_000) -> tuple[PurchaseHistory, Array]:
    """Customers of three years, whose ages and recencies are whole days."""
    rng = np.random.default_rng(7)
    T = rng.integers(0, 1096, size)
    x = np.where(T > 0, rng.geometric(0.25, size) - 1, 0)
    t_x = np.where(x > 0, np.ceil(T * rng.beta(np.maximum(x, 1), 1)), 0)
    return PurchaseHistory.from_days(x, t_x, T), np.round(30 * x * rng.gamma(4, 0.25, size), 2)


def told(model: Any, h: PurchaseHistory) -> dict[str, Array]:
    """What totals take from histories."""
    year = 365.25 / h.unit
    return {
        "alive": model.p_alive(h),
        "active": model.p_purchase(h, year),
        "late": model.p_purchase(h, year, year / 2),
        "orders": model.expected_purchases(h, year),
        "squared": model.expected_purchases(h, year) ** 2,
        # Regular timing takes ten seconds for lifetimes of so many.
        "discounted": model.discounted_purchases(
            h, 0.002, year if isinstance(model, clv.MBGCNBD) else np.inf
        ),
    }


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_nodes_sum_as_the_histories_they_stand_for(model: Any) -> None:
    h, S = some_histories()
    line = (h.T // 13).astype(np.intp)  # cohorts: the hardest of lines, as ages of each are a small range
    found = Condensed.of(Base(model, SPEND, h, h.x), line, (h.weight, S))
    assert found.nodes > 500
    assert len(found.base.history) < len(h) / 2
    exact, fewer = told(model, h), told(model, found.base.history)
    for sums, values in zip(found.sums, (h.weight, S), strict=True):
        for name, each in exact.items():
            by_line = np.bincount(line, values * np.broadcast_to(each, len(h)))
            nearly = sums @ np.broadcast_to(fewer[name], len(found.base.history))
            scale = by_line.sum()
            assert abs(nearly.sum() - scale) < 3e-7 * scale, name
            assert np.abs(nearly - by_line).max() < 1e-6 * scale, name


def test_few_histories_stay_as_they_are() -> None:
    h, S = some_histories(30)
    found = Condensed.of(Base(MODELS[0], SPEND, h, h.x), np.arange(30) % 3, (h.weight, S))
    assert not found.nodes
    assert np.array_equal(np.sort(found.base.history.T), np.sort(h.T))
    assert [v.sum() for v in found.sums] == pytest.approx([30, S.sum()])


def test_histories_of_one_age_have_one_node() -> None:
    n = np.arange(1.0, 41.0)
    for T in (0.0, 30.0):
        h = PurchaseHistory(*(np.full(40, v) for v in (0.0, 0.0, T)))
        found = Condensed.of(Base(MODELS[0], SPEND, h, h.x), np.arange(40) % 2, (n, n))
        assert found.nodes == 1
        (age,) = found.base.history.T
        assert age == pytest.approx(T)
        assert found.sums[0].toarray().ravel() == pytest.approx([400, 420])


def test_histories_that_differ_in_parameters_have_nodes_of_their_own() -> None:
    h, S = some_histories()
    group = (np.arange(len(h)) % 2).astype(np.intp)
    r = np.where(group == 0, 0.24, 1.1)[None, :]
    base = Base(clv.BGNBD(r, 4.4, 0.79, 2.43), SPEND, h, h.x, group=group)
    found = Condensed.of(base, np.zeros(len(h), dtype=np.intp), (h.weight, S))
    assert found.nodes > 500
    assert found.base.group is not None
    assert np.array_equal(np.where(found.base.group == 0, 0.24, 1.1), np.ravel(found.base.purchase.r))
    exact = base.purchase.expected_purchases(h, 52) @ h.weight
    n = found.sums[0].toarray()[0]
    assert found.base.purchase.expected_purchases(found.base.history, 52) @ n == pytest.approx(
        exact, rel=1e-6
    )


def test_nodes_that_would_miss_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    h, S = some_histories(3000)
    base = Base(MODELS[0], SPEND, h, h.x)
    line = np.zeros(len(h), dtype=np.intp)
    some = Condensed.of(base, line, (h.weight, S)).nodes
    monkeypatch.setattr(condensing, "ERROR", 0.0)
    assert some > 0
    assert Condensed.of(base, line, (h.weight, S)).nodes == 0


def test_totals_with_draws_are_those_of_all_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    h, S = some_histories(6000)
    rng = np.random.default_rng(1)
    purchase, spend = (
        type(model)(*(v * rng.lognormal(0, 0.05, (40, 1)) for v in dataclasses.astuple(model)))
        for model in (MODELS[0], SPEND)
    )
    rows = Rows(
        Base(purchase, spend, h, h.x), np.arange(6000) % 2, h.weight, S, S**2, np.array([13.0, 52.0]), 0.002
    )
    monkeypatch.setattr("clv.forecasting.lines._ENOUGH", 20_000)  # so that chance is small in variances too
    monkeypatch.setattr("clv.forecasting.lines._coarse", lambda histories, nodes: np.zeros(histories))
    found = lines_of(rows, one_by_one=False)
    monkeypatch.setattr(condensing, "_WORTH", np.inf)
    exact = lines_of(rows, one_by_one=False)
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_allclose(one.expected, other.expected, rtol=2e-7)
        np.testing.assert_allclose(one.drawn, other.drawn, rtol=2e-7)
        np.testing.assert_allclose(one.variance, other.variance, rtol=0.02)  # of futures
