"""Bands of a hold-out by segment, in one pass, against the totals of one column after the other."""

import dataclasses

import numpy as np
import pytest

import clv
from clv.data.rfm import RFM
from clv.evaluation.backtest import MODEL, OTHER
from clv.evaluation.compare import Comparison
from clv.evaluation.held_bands import with_bands
from clv.evaluation.study import Study
from clv.forecasting.equity import band_of_new
from clv.forecasting.totals import ALL
from clv.forecasting.value import new_customer_value


def of(study: Study, by: str) -> Comparison:
    return next(c for c in study.comparisons if c.by == by)


@pytest.mark.parametrize("by", ["channel", "cohort", "rfm_segment"])
def test_bands_of_many_columns_are_those_of_each(small_study: Study, by: str) -> None:
    assert small_study.holdout is not None
    held = of(small_study, by).holdout
    single = small_study.holdout.forecast.totals(by).table.set_index(by)
    assert set(held.index) == set(single.index)
    for name in held.index:
        found = held.loc[name, ["low", "high"]].to_numpy(dtype=float)
        wanted = single.loc[name, ["revenue_p05", "revenue_p95"]].to_numpy(dtype=float)
        # Small segments are drawn: an end of 1,000 futures is a twentieth of the band off.
        assert found == pytest.approx(wanted, abs=0.15 * (wanted[1] - wanted[0])), name


def test_merged_segments_have_one_band(small_study: Study) -> None:
    held = of(small_study, "country").holdout
    assert set(held.index) == {"AT", "CZ", OTHER, ALL}
    assert (held["low"] < held[MODEL]).all()
    assert (held[MODEL] < held["high"]).all()
    # Chance of few customers is wider than of many, and of all less than the parts' together.
    wide = (held["high"] - held["low"]) / held[MODEL]
    assert wide[OTHER] > wide["CZ"] > wide["AT"] > wide[ALL]
    parts = held.drop(index=ALL)
    assert held.loc[ALL, "high"] - held.loc[ALL, "low"] < (parts["high"] - parts["low"]).sum()


def test_every_comparison_has_the_same_band_of_all_customers(small_study: Study) -> None:
    ends = {tuple(c.holdout.loc[ALL, ["low", "high"]]) for c in small_study.comparisons if c.by != "country"}
    assert len(ends) == 1


def test_inside_is_between_the_ends(small_study: Study) -> None:
    first = of(small_study, "country")
    plain = dataclasses.replace(first, holdout=first.holdout.drop(columns=["low", "high", "inside"]))
    (once,) = with_bands([plain], small_study.holdout)
    ends = once.holdout.loc["AT", ["low", "high"]].tolist()
    for actual, inside in ((ends[0], True), (ends[1], True), (ends[0] - 1, False), (ends[1] + 1, False)):
        told = plain.holdout.copy()
        told.loc["AT", "actual"] = actual
        (found,) = with_bands([dataclasses.replace(plain, holdout=told)], small_study.holdout)
        assert found.holdout.loc["AT", "inside"] == inside, actual


def test_where_nothing_was_held_out_nothing_changes(small_study: Study) -> None:
    bare = dataclasses.replace(of(small_study, "country"), holdout=None, tested="")
    assert with_bands([bare], small_study.holdout) == [bare]
    assert with_bands([bare], None) == [bare]
    assert of(small_study, "country").tested.startswith("revenue a customer of the 320 known on 2025-06-30")


def test_one_comparison_alone_has_bands_too(small_study: Study) -> None:
    alone = clv.compare(small_study.forecast, small_study.economics, "country", small_study.holdout)
    assert alone.holdout["inside"].tolist() == of(small_study, "country").holdout["inside"].tolist()
    wanted = of(small_study, "country").holdout[["low", "high"]].to_numpy()
    wide = float((wanted[:, 1] - wanted[:, 0]).max())
    assert alone.holdout[["low", "high"]].to_numpy() == pytest.approx(wanted, abs=0.05 * wide)


def test_the_band_of_a_new_customers_value_is_over_draws_one_by_one(sample_rfm: RFM) -> None:
    purchase, spend = (clv.fit(kind, sample_rfm, method="laplace") for kind in (clv.BGNBD, clv.GammaGamma))
    ahead = clv.forecast(purchase, spend, sample_rfm, horizon="26w", margin=0.3, discount=0.0)
    level = (0.8, 1.0, 1.25)
    off = clv.forecast(purchase, spend, sample_rfm, horizon="26w", margin=0.3, discount=0.0, level=level)

    def at(model: object, place: int) -> object:
        return type(model)(*(np.ravel(v)[place] for v in vars(model).values()))

    size, rng = np.size(purchase.model.r), np.random.default_rng(2)
    spread = sample_rfm.table.first_amount.std().execute() / 100 / np.sqrt(len(sample_rfm))
    firsts = sample_rfm.first_order + spread * rng.standard_normal(size)  # measured, as parameters were
    values = [
        new_customer_value(
            at(purchase.model, place),
            at(spend.model, place),
            firsts[place],
            t=26.0,
            rate=0.0,
            margin=0.3,
            paid_share=sample_rfm.paid_share,
            telling=sample_rfm.first_paid,
        )
        for place in range(size)
    ]
    low, high = band_of_new(ahead)
    assert low < np.mean(values) < high
    apart = np.quantile(values, [0.05, 0.95])
    assert [low, high] == pytest.approx(apart, abs=0.1 * (apart[1] - apart[0]))
    assert band_of_new(off)[1] - band_of_new(off)[0] > 2 * (high - low)


def test_a_point_has_no_band(small_study: Study) -> None:
    assert np.isnan(band_of_new(small_study.forecast)).all()
    assert of(small_study, "country").table[["model_new_p05", "model_new_p95"]].isna().all().all()
