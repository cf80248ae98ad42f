"""Unit economics, against orders that are drawn one after another, and against the comparison."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import dblquad
from scipy.special import beta as beta_function

import clv
from clv.errors import ConfigError
from clv.evaluation.compare import OTHER, compare
from clv.forecasting.newcomers import FirstOrder, revenues
from clv.forecasting.stream import Base
from clv.forecasting.totals import ALL
from clv.planning.prospects import band, part_of, prospects_of
from clv.planning.ratios import UnitEconomics, paid_back, unit_economics
from one_by_one import PURCHASE, RATE, SPEND, jittered, lives

MONTHS = np.array([365.25 / 12 / 7 * month for month in (1, 3, 6, 12)])
NEW = clv.PurchaseHistory.newcomer()


@pytest.fixture(scope="module")
def found(shop) -> UnitEconomics:
    return unit_economics(*shop, months=24)


@pytest.mark.parametrize(("telling", "unsure"), [(0.0, 0.0), (1.0, 0.0), (0.0, 0.8)])
def test_single_customers_pay_back_as_those_who_are_simulated_one_by_one(telling, unsure):
    """To four standard errors of 16 000 futures and as many simulated ones: .016 at most.

    What is kept of revenue differs by draw, which is drawn for each customer there.
    """
    rng = np.random.default_rng(1)
    kept = np.exp(unsure * rng.standard_normal(250))
    purchase, spend = jittered(PURCHASE, rng), jittered(SPEND, rng)
    base = Base(purchase, spend, NEW, NEW.x)
    first = FirstOrder(40.0, 400.0, 1e12, telling)
    everyone = clv.PurchaseHistory(*np.zeros((3, 64)))
    sums = []
    for _ in range(250):
        order = first.values(rng, (1, 64))[0]
        told = telling * np.ones(64)
        one = next(lives(everyone, told, told * order, purchase, spend, MONTHS, rng, 1))
        sums.append(np.concatenate([order[:, None], order[:, None] + one[2].cumsum(axis=1)], axis=1))
    sums = np.concatenate(sums)
    sums = sums * rng.choice(kept, (len(sums), 1))
    for cost in (35.0, 60.0, 120.0):
        back = paid_back(base, first, MONTHS, RATE, cost, kept[:, None])
        np.testing.assert_allclose(back, (sums >= cost).mean(axis=0), atol=0.016)
        assert (np.diff(back) >= 0).all()


@pytest.mark.parametrize("model", [clv.MBGNBD(0.5, 4.0, 0.8, 2.4), clv.ParetoNBD(0.55, 10.6, 0.6, 11.7)])
def test_single_customers_bring_on_average_what_is_expected(model):
    """Also where a customer may leave at its first order."""
    base, first = Base(model, SPEND, NEW, NEW.x), FirstOrder(40.0, 400.0, 1e12)
    each = float(SPEND.mean_spend()[0])
    for t, total in zip((0.0, *MONTHS), revenues(base, first, MONTHS, RATE), strict=True):
        expected = 40.0 + each * float(model.discounted_purchases(NEW, RATE, t)[0])
        assert total.mean() == pytest.approx(expected, abs=5 * total.std() / np.sqrt(total.size))


def test_the_mean_of_a_new_customer_is_an_integral(sample):
    """Over time and dropout: orders thin out as E[λ·e^(−λ·p·τ)] given p, with p = u^(1/a)."""
    one = prospects_of(*sample)[-1]
    model, spend = one.forecast.purchase.model, one.forecast.spend.model
    r, alpha, a, b = vars(model).values()
    delta, t = np.log(1.15) / 365.25 * 7, 365 / 7

    def brings(u: float, tau: float) -> float:
        p = u ** (1 / a)
        thinned = np.exp(-delta * tau) * r / alpha * (1 + p * tau / alpha) ** (-r - 1)
        return float(thinned * (1 - p) ** (b - 1) / (a * beta_function(a, b)))

    repeats, _ = dblquad(brings, 0, t, 0, 1, epsabs=1e-7)
    first = one.forecast.rfm.to_pandas()["first_amount"] / 100
    each = spend.p * (spend.gamma + first * (first > 0)) / (spend.p * (first > 0) + spend.q - 1)
    paid = one.forecast.rfm.to_pandas()[["spend_days", "frequency"]].sum()
    value = 0.3 * (first.mean() + repeats * each.mean() * paid["spend_days"] / paid["frequency"])
    assert one.forecast.told
    assert one.drawn(t)[0] == pytest.approx(value, rel=1e-6)
    assert one.value == pytest.approx(value, rel=1e-6)


def test_values_are_those_of_the_comparison(found, shop, shop_prospects):
    ahead, comparison = shop
    t, of = found.table, comparison.table
    assert list(t.index) == list(of.index)
    np.testing.assert_allclose(t["value"], of["model_new_discounted"])
    np.testing.assert_allclose(t["value_to_cac"], of["value_to_cac"])
    assert (t["break_even_cac"] == t["value"]).all()
    assert ((t["value_p05"] < t["value"]) & (t["value"] < t["value_p95"])).all()
    for prospect in shop_prospects:  # refitted as the comparison was, with the same draws
        assert prospect.value_by("12m") == pytest.approx(prospect.value)
        assert prospect.drawn(ahead.t).mean() == pytest.approx(prospect.value, rel=2e-3)


def test_probabilities_are_shares_of_draws(found, shop_prospects):
    for prospect in shop_prospects:
        ratio = prospect.drawn(prospect.forecast.t) / prospect.cac
        row = found.table.loc[prospect.name]
        if np.isnan(prospect.cac):
            assert np.isnan(
                row[["p_above_1", "p_above_3", "value_to_cac", "p_paid_back"]].to_numpy(float)
            ).all()
            continue
        assert row["p_above_1"] == (ratio > 1).mean()
        assert row["p_above_3"] == (ratio > 3).mean()
        assert row["value_to_cac_p95"] == pytest.approx(np.quantile(ratio, 0.95, method="hazen"))


def test_the_curve_ends_at_the_value_and_starts_at_the_first_order(found, shop_prospects):
    curve = found.curve.set_index(["segment", "month"])
    for prospect in shop_prospects:
        one = curve.loc[prospect.name]
        assert list(one.index) == list(range(25))
        assert one.loc[12, "contribution"] == pytest.approx(prospect.value)
        assert one.loc[0, "contribution"] == pytest.approx(0.44 * prospect.forecast.rfm.first_order)
        assert (np.diff(one["contribution"]) > 0).all()
        np.testing.assert_array_equal(one["net"], one["contribution"] - prospect.cac)
        if np.isnan(prospect.cac):
            assert one["p_paid_back"].isna().all()
            continue
        month, row = found.table.loc[prospect.name, "payback_month"], found.table.loc[prospect.name]
        if np.isnan(month):
            assert one["contribution"].iloc[-1] < prospect.cac
        else:
            assert one.loc[month, "net"] >= 0
            assert month == 0 or one.loc[month - 1, "net"] < 0
        assert row["p_paid_back"] == one["p_paid_back"].iloc[-1] < 1  # some never do
        paid = prospect.forecast.rfm.to_pandas()["first_amount"] * 0.0044 >= prospect.cac
        assert one.loc[0, "p_paid_back"] == pytest.approx(paid.mean(), abs=0.06)  # first orders as lognormal


def test_what_it_says(found):
    assert found.sentence.startswith("توصية brings most: 1")
    assert " times its CAC over the horizon. Not earned back: 🎁 Gift market (0.4" in found.sentence
    assert "CAC is not known of Каталог: what needs it is not shown." in found.notes
    for part in (
        "first 12 months, first order included",
        "44 % margin",
        "before acquisition cost",
        "2026-09-30",
    ):
        assert part in found.basis
        assert part in repr(found)
        assert part in found._repr_html_()
    assert "of the mean over 12 months" in " ".join(found.notes)
    assert found.to_pandas() is found.table


def test_a_point_fit_has_ratios_and_no_bands(sample):
    found = unit_economics(*sample)
    t = found.table
    assert t.filter(regex="p05|p95|p_above").isna().all(axis=None)
    assert (t["value_to_cac"] == t["value"] / 20).all()
    assert t["p_paid_back"].between(0.1, 0.9).all()
    assert 'Fit with method="laplace" for bands.' in found.notes[0]
    assert set(found.curve["month"]) == set(range(13))


def test_customers_who_cost_nothing_have_no_ratio(sample):
    ahead, comparison = sample
    free = dataclasses.replace(comparison, table=comparison.table.assign(cac=0.0))
    found = unit_economics(ahead, free)
    assert found.table["value_to_cac"].isna().all()
    assert (found.table["payback_month"] == 0).all()
    assert (found.table["p_paid_back"] == 1).all()
    assert "cost nothing to acquire" in " ".join(found.notes)
    free_of_charge = found.sentence
    unknown = unit_economics(
        ahead, dataclasses.replace(comparison, table=comparison.table.assign(cac=np.nan))
    )
    assert free_of_charge == "A customer costs nothing to acquire: no ratio is shown."
    assert unknown.sentence == "What a customer costs is not known: no ratio is shown."
    assert (unknown.table["break_even_cac"] > 0).all()


def test_nobody_is_new_in_a_segment_of_behaviour(small_study):
    (comparison,) = (c for c in small_study.comparisons if c.by == "rfm_segment")
    found = unit_economics(small_study.forecast, comparison)
    assert list(found.table.index) == [ALL]
    assert "only the whole base is shown" in " ".join(found.notes)


def test_small_segments_are_those_of_the_comparison(small_study):
    (comparison,) = (c for c in small_study.comparisons if c.by == "country")
    pooled = part_of(small_study.rfm, comparison, OTHER)
    assert len(pooled) == 12 == comparison.table.loc[OTHER, "customers"]
    assert len(part_of(small_study.rfm, comparison, ALL)) == 320
    found = unit_economics(small_study.forecast, comparison)
    assert f"having none of its own: {OTHER}" in " ".join(found.notes)


def test_values_at_another_level(sample):
    ahead, comparison = sample
    at_half = clv.forecast(ahead.purchase, ahead.spend, ahead.rfm, margin=0.3, discount=0.15, level=0.5)
    with pytest.raises(ConfigError, match=r"C010 the forecast has level 0\.5, the comparison 1"):
        unit_economics(at_half, comparison)
    half = unit_economics(at_half, clv.compare(at_half, comparison.economics, comparison.by))
    whole = unit_economics(ahead, comparison)
    np.testing.assert_allclose(half.table["value"], whole.table["value"] / 2)
    np.testing.assert_allclose(half.curve["contribution"], whole.curve["contribution"] / 2)


def test_the_margin_may_be_unsure(sample):
    ahead, comparison = sample
    unsure = clv.forecast(ahead.purchase, ahead.spend, ahead.rfm, margin=(0.2, 0.3, 0.4), discount=0.15)
    found = unit_economics(unsure, compare(unsure, comparison.economics, "cohort"))
    assert "by draws of the margin;" in found.notes[0]
    row = found.table.loc[ALL]
    assert row["value_p05"] == pytest.approx(row["value"] * 2 / 3, rel=0.02)
    assert 0 < row["p_above_1"] < 1


def test_a_level_that_is_not_sure_counts_for_single_customers_too(sample):
    """Half normals about the middle, drawn apart from the orders; a certain level says .13 more."""
    ahead, comparison = sample
    unsure = clv.forecast(
        ahead.purchase, ahead.spend, ahead.rfm, margin=0.3, discount=0.15, level=(0.5, 1, 2)
    )
    found = unit_economics(unsure, compare(unsure, comparison.economics, "cohort"))
    one = prospects_of(*sample)[-1]
    *_, total = revenues(one.base, one.first, [unsure.t], unsure.rate)
    rng = np.random.default_rng(3)
    z = rng.standard_normal(total.shape)
    kept = 0.3 * np.maximum(1 + np.where(z < 0, 0.5, 1.0) * z / 1.6449, 0)
    assert found.table.loc[ALL, "p_paid_back"] == pytest.approx((kept * total >= 20).mean(), abs=0.015)
    sure = unit_economics(ahead, comparison)
    assert abs(found.table.loc[ALL, "p_paid_back"] - sure.table.loc[ALL, "p_paid_back"]) > 0.02
    expected = ["value", "value_to_cac", "break_even_cac", "payback_month"]  # draws are higher on average
    pd.testing.assert_frame_equal(found.table[expected], sure.table[expected])
    assert found.notes[0].endswith("Values are at the middle of the level.")
    assert "middle of the level" not in sure.notes[0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"web": 100.0, ALL: 90.0}, "web brings 2.00 times its CAC over the horizon."),
        ({ALL: 40.0}, "A new customer brings 0.80 times its CAC over the horizon: that is not earned back."),
        (
            {"web": 49.99, ALL: 50.0},
            "web brings 0.9998 times its CAC over the horizon: that is not earned back.",
        ),
        ({"web": 50.0, ALL: 50.0}, "web brings 1.00 times its CAC over the horizon."),
        (
            {"web": 100.0, "shop": 100.001, "post": 60.0, ALL: 90.0},
            "web and shop bring most: 2.00 times their CAC over the horizon. Every segment whose CAC is "
            "known earns it back on the mean.",
        ),
        (
            {"web": 49.9, "shop": 20.0, ALL: 30.0},
            "web brings most: 0.998 times its CAC over the horizon. Not earned back: shop (0.40), web "
            "(0.998).",
        ),
        (
            {"web": 20.0, "shop": 20.0, ALL: 20.0},
            "Every segment whose CAC is known brings 0.40 times its CAC over the horizon: that is not earned "
            "back.",
        ),
    ],
)
def test_who_brings_most_is_said_of_those_alone_who_do(values, said, sample):
    """One segment is not the most of anything, equals are named together, and what is below 1 is not 1.00."""
    table = pd.DataFrame({"value": values, "cac": 50.0, "own_fit": True})
    table["value_to_cac"], table["p_above_1"] = table["value"] / table["cac"], np.nan
    assert dataclasses.replace(unit_economics(*sample), table=table).sentence == said


def test_a_value_that_is_the_whole_bases_is_no_segments_best(sample):
    """Those without a fit of their own are left out where any have one: they differ in CAC alone."""
    table = pd.DataFrame({"value_to_cac": [1.5, 9.0, 2.0, 1.0], "cac": 50.0, "p_above_1": np.nan})
    table.index, table["own_fit"] = pd.Index(["web", "fair", "shop", ALL]), [True, False, True, False]
    found = dataclasses.replace(unit_economics(*sample), table=table)
    assert found.sentence == (
        "shop brings most: 2.00 times its CAC over the horizon. Every segment whose CAC is known and which "
        "has a fit of its own earns it back on the mean."
    )
    table["own_fit"] = False
    assert found.sentence.startswith("fair brings most: 9.00 times")


@pytest.mark.parametrize(
    ("chances", "said"),
    [
        ([0.628, 0.999, 0.9], "earns it back on the mean. The chance of earning it back is 62.8 % for web."),
        ([0.95, 0.05, 0.5], "Every segment whose CAC is known earns it back on the mean."),
        (
            [0.3, 0.55, 0.5],
            "The chance of earning it back is 55.0 % for shop; 30.0 % for web.",
        ),
    ],
)
def test_the_chance_is_said_where_it_is_open(chances, said, sample):
    table = pd.DataFrame({"value": 60.0, "cac": 50.0, "p_above_1": chances}, index=["web", "shop", ALL])
    table["value_to_cac"], table["own_fit"] = [1.1, 1.2, 1.15], True
    assert dataclasses.replace(unit_economics(*sample), table=table).sentence.endswith(said)


def test_three_chances_are_named(sample):
    chances = dict(zip("abcde", (0.5, 0.6, 0.2, 0.9, 0.94), strict=True)) | {ALL: 0.5}
    table = pd.DataFrame({"cac": 50.0, "value_to_cac": 1.1, "p_above_1": chances, "own_fit": True})
    assert dataclasses.replace(unit_economics(*sample), table=table).sentence.endswith(
        "The chance of earning it back is 50.0 % for a; 60.0 % for b; 20.0 % for c; 2 more are open too."
    )


def test_a_band_needs_more_than_one_value():
    assert np.isnan(band(np.full(5, 2.0))).all()
    assert band(np.arange(101.0)) == pytest.approx((4.55, 95.45))


@pytest.mark.parametrize("months", [0, 121, 12.0, True, "12"])
def test_months_are_a_whole_number(months, sample):
    with pytest.raises(ConfigError, match="C012 months must be a whole number from 1 to 120"):
        unit_economics(*sample, months=months)


def test_what_does_not_belong_together_is_refused(sample, shop):
    ahead, comparison = sample
    with pytest.raises(ConfigError, match="C008 months must not reach beyond"):
        unit_economics(ahead, comparison, months=60)
    with pytest.raises(ConfigError) as error:
        unit_economics(ahead, shop[1])
    assert error.value.codes == ["C010"] * 3
    assert re.search("C010 the forecast has as_of 1997-09-30, the comparison 2026-09-30", str(error.value))
    by_cohort = clv.fit(clv.BGNBD, ahead.rfm, by="cohort", pooling="none")
    pooled = clv.forecast(by_cohort, ahead.spend, ahead.rfm, margin=0.3, discount=0.15)
    with pytest.raises(ConfigError, match="C012 planning needs fits of all customers together"):
        unit_economics(pooled, comparison)
