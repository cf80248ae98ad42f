"""The bridge: every rung by hand, every step a difference, and what it says of rankings."""

import dataclasses
from itertools import permutations

import numpy as np
import pytest
from scipy.integrate import quad

import clv
from clv.errors import ConfigError
from clv.evaluation.compare import compare
from clv.forecasting import simple
from clv.forecasting.totals import ALL
from clv.planning.prospects import band, prospects_of
from clv.planning.rankings import reversals
from clv.planning.rungs import STEPS, Rungs, daily_churn, present
from clv.planning.steps import END, REST, START, WORDS, Bridge, bridge, rungs_of

YEAR = 365.0
# A worked example: AOV 90, 3 orders, CAC 6, margin 20 %. Two repeat orders in 500 days, churn 40 % a year.
MODEL = clv.ParetoNBD(0.55, 10.6, 0.6, 11.7)
EXAMPLE = Rungs(
    aov=90.0,
    orders=3.0,
    lifetime=500.0,
    cac=6.0,
    margin=0.2,
    churn=daily_churn(0.4, 365.25),
    horizon=YEAR,
    discount=np.log(1.1) / 365.25,
    repeats=lambda days, rate: float(
        MODEL.discounted_purchases(clv.PurchaseHistory.newcomer(), rate * 7, days / 7)[0]
    ),
    first=80.0,
    each=85.0,
)


@pytest.fixture(scope="module")
def found(shop) -> Bridge:
    return bridge(*shop)


def integral(rate, upto, discount=0.0):
    """Orders that come at a rate a day, each counting e^(−discount·τ)."""
    return quad(lambda tau: rate(tau) * np.exp(-discount * tau), 0, upto, epsabs=1e-12)[0]


def test_it_starts_with_the_worked_example():
    assert EXAMPLE.value(()) == pytest.approx(52.80, rel=1e-15)
    assert EXAMPLE.value(()) == pytest.approx(simple.per_customer(90, 3, 6, 0.2), rel=1e-15)


def test_every_rung_is_what_it_says_it_is():
    kappa, delta = -np.log(0.6) / 365.25, np.log(1.1) / 365.25
    often = 2 / integral(lambda tau: np.exp(-kappa * tau), 500)

    def there(tau):
        return often * np.exp(-kappa * tau)

    def even(tau):
        return 2 / 500 * (tau <= 500)

    by_hand = [
        52.8,
        90 * 3 * 0.2 - 6,
        90 * 3 * 0.2,
        90 * 0.2 * (1 + integral(even, YEAR)),
        90 * 0.2 * (1 + integral(even, YEAR, delta)),
        90 * 0.2 * (1 + integral(there, YEAR, delta)),
        90 * 0.2 * (1 + EXAMPLE.repeats(YEAR, delta)),
        0.2 * (80 + 85 * EXAMPLE.repeats(YEAR, delta)),
    ]
    for taken, value in enumerate(by_hand):
        assert EXAMPLE.value(STEPS[:taken]) == pytest.approx(value, rel=1e-9), STEPS[:taken]
    assert EXAMPLE.value(["churn"]) == pytest.approx(52.8)  # as often as brings the same within a lifetime
    assert EXAMPLE.value(["discounting"]) == pytest.approx(90 * 0.2 * (1 + integral(even, 500, delta)) - 1.2)
    assert EXAMPLE.value(["spend"]) == pytest.approx(0.2 * (80 + 85 * 2) - 1.2)
    backwards = 0.2 * (80 + 85 * EXAMPLE.repeats(500, 0.0)) - 1.2
    assert EXAMPLE.value(["spend", "mixed"]) == pytest.approx(backwards)
    assert EXAMPLE.value(["spend", "mixed", "churn"]) == pytest.approx(backwards)


def test_steps_add_up_in_any_order():
    for order in list(permutations(STEPS))[::97]:
        amounts = EXAMPLE.amounts(order)
        assert 52.8 + sum(amounts.values()) == pytest.approx(EXAMPLE.value(STEPS), abs=1e-12)
        assert amounts["cac_in_full"] == pytest.approx(-6 * 0.8)
        assert amounts["before_cac"] == pytest.approx(6)


def test_customers_who_are_all_alike_are_the_average_one():
    """A Pareto/NBD without spread, at the formula's churn and frequency: nothing is left to heterogeneity."""
    kappa = EXAMPLE.churn
    often = 2 / present(kappa, 500)
    alike = clv.ParetoNBD(1e9, 1e9 / often, 1e9, 1e9 / kappa)
    new = clv.PurchaseHistory.newcomer()
    same = dataclasses.replace(
        EXAMPLE, repeats=lambda days, rate: float(alike.discounted_purchases(new, rate, days)[0])
    )
    assert same.amounts()["mixed"] == pytest.approx(0, abs=1e-5)
    assert same.amounts()["churn"] == pytest.approx(EXAMPLE.amounts()["churn"])


def test_edges():
    assert present(0.0, 12.0) == 12
    assert daily_churn(float("nan"), YEAR) == 0
    assert np.isfinite(daily_churn(1.0, YEAR))
    unknown = dataclasses.replace(EXAMPLE, cac=float("nan"))
    assert unknown.value(()) == 54
    assert np.isnan([unknown.amounts()[name] for name in ("cac_in_full", "before_cac")]).all()
    today = dataclasses.replace(EXAMPLE, orders=1.0, lifetime=0.0, cac=0.0)
    assert today.value(["horizon", "churn"]) == 18
    gone = dataclasses.replace(EXAMPLE, churn=daily_churn(1.0, YEAR))
    assert gone.value([*STEPS[:3], "churn"]) == pytest.approx(54)
    stays = dataclasses.replace(EXAMPLE, churn=0.0, horizon=1000.0)
    assert stays.value([*STEPS[:3], "churn"]) == pytest.approx(18 * 5)


def test_steps_sum_to_the_difference_in_every_segment(found, shop):
    comparison = shop[1]
    wide, table = found.wide, found.table.set_index(["segment", "step"])
    assert list(wide.index) == list(comparison.table.index)
    steps = [*WORDS.values(), REST]
    assert list(wide.columns) == [START, *steps, END]
    of = comparison.table
    np.testing.assert_allclose(wide[START] + wide[steps].sum(axis=1), wide[END], rtol=1e-14)
    np.testing.assert_allclose(wide[END], of["model_new_discounted"], rtol=1e-14)
    known = of["cac"].notna()
    np.testing.assert_allclose(wide[START][known], of["formula_1"][known], rtol=1e-14)
    for name, row in of.iterrows():
        level = table.loc[name, "level"]
        assert level["before CAC"] == pytest.approx(of.loc[name, "aov"] * row["orders_per_customer"] * 0.44)
        assert level["horizon"] == pytest.approx(row["formula_1_within"])
        if known[name]:
            assert level["CAC charged in full"] == pytest.approx(row["formula_1_contribution"])
        backwards = table.loc[name, "reversed"].drop([END])
        assert backwards.sum() == pytest.approx(wide.loc[name, END], rel=1e-12)
        assert backwards["churn definition"] == 0
        assert backwards[REST] == wide.loc[name, REST]
    assert (wide[REST].abs() < 0.02 * wide[END]).all()  # draws in place of the mode


def test_nothing_remains_of_a_point_fit(sample):
    ahead, comparison = sample
    found = bridge(ahead, comparison)
    np.testing.assert_allclose(found.wide[REST], 0, atol=1e-9)
    np.testing.assert_allclose(found.wide[START], comparison.table["formula_1"])
    at_half = clv.forecast(ahead.purchase, ahead.spend, ahead.rfm, margin=0.3, discount=0.15, level=0.5)
    half = bridge(at_half, clv.compare(at_half, comparison.economics, comparison.by)).wide
    np.testing.assert_allclose(half[END], found.wide[END] / 2)
    np.testing.assert_allclose(half[REST], -found.wide[END] / 2)


def test_the_model_at_its_mode_is_an_integral(sample):
    """Discounted repeat orders of the BG/NBD, from its expectation by differences."""
    one = prospects_of(*sample)[-1]
    rungs, model = rungs_of(one, sample[1]), one.forecast.purchase.model
    days = np.linspace(0, 365, 3001)
    made = np.array([model.expected_purchases_new(t / 7)[0] for t in days])
    middle = (days[1:] + days[:-1]) / 2
    wanted = np.sum(np.diff(made) * np.exp(-rungs.discount * middle))
    assert rungs.repeats(365.0, rungs.discount) == pytest.approx(wanted, rel=1e-6)


def test_what_it_says(found):
    assert found.sentence.startswith("Of a new customer formula 1 before CAC says 8")
    assert ". The largest step is horizon: −" in found.sentence  # no step charges a CAC that is not known
    for part in ("first 12 months", "44 % margin", "discounted at 10 % a year", "before acquisition cost"):
        assert part in repr(found)
        assert part in found._repr_html_()
    assert "CAC is not known of Каталог, All customers" in " ".join(found.notes)
    assert found.to_pandas() is found.table


def test_nobody_is_new_in_a_segment_of_behaviour(small_study):
    (comparison,) = (c for c in small_study.comparisons if c.by == "rfm_segment")
    assert list(bridge(small_study.forecast, comparison).wide.index) == [ALL]


def test_segments_without_a_fit_of_their_own_are_named(small_study):
    (comparison,) = (c for c in small_study.comparisons if c.by == "channel")
    found = bridge(small_study.forecast, comparison)
    assert "valued by the fit of the whole base" in " ".join(found.notes)
    np.testing.assert_allclose(found.wide[REST], 0, atol=1e-9)


def ranked(prospects, few=(), **formulas):
    """The same prospects with other values of formula 1, by segment."""
    return [
        dataclasses.replace(
            one,
            row={
                **one.row,
                "formula_1_within": formulas.get(one.name, one.row["formula_1_within"]),
                "few": one.name in few,
            },
        )
        for one in prospects
    ]


def test_two_segments_that_change_places_are_named(shop_prospects, found):
    assert found.reversals == []
    of = {one.name: one for one in shop_prospects}
    market, letter = of["🎁 Gift market"], of["Newsletter"]
    swapped = ranked(shop_prospects, Newsletter=market.row["formula_1_within"] - 0.01)
    texts = reversals(swapped)
    assert len(texts) > 1  # those in between change places too; the largest difference comes first
    one = texts[0]
    assert one.startswith("Formula 1 ranks 🎁 Gift market above Newsletter (38.5")
    assert f"({letter.value:.2f} against {market.value:.2f})" in one
    assert one.endswith("it moves budget.")
    low, high = band(letter.drawn(letter.forecast.t))
    assert f"({low:.2f} to {high:.2f}, " in one
    assert reversals(ranked(shop_prospects, few=["Newsletter"], Newsletter=0.0)) == []
    shared = [dataclasses.replace(one, row={**one.row, "own_fit": False}) for one in swapped]
    assert reversals(shared) == []


def test_bands_that_overlap_and_points_reverse_nothing(shop_prospects, sample):
    """小红书 and Katalog Plzeň: 65 and 68, with bands of 6 and 4 either way."""
    values = {one.name: one.value for one in shop_prospects}
    low, high = sorted(("小红书", "Katalog Plzeň"), key=values.__getitem__)
    assert reversals(ranked(shop_prospects, **{**values, low: values[high] + 0.01})) == []
    points = prospects_of(*sample)
    assert reversals(ranked(points, **{one.name: -one.value for one in points})) == []


@pytest.mark.parametrize("purchase", [clv.MBGNBD, clv.ParetoNBD, clv.GGompertzNBD, clv.NBD])
def test_other_models_lead_there_too(purchase, sample, sample_rfm):
    spend, economics = sample[0].spend, sample[1].economics
    fit = clv.fit(purchase, sample_rfm)
    ahead = clv.forecast(fit, spend, sample_rfm, margin=0.3, discount=0.15)
    found = bridge(ahead, compare(ahead, economics, "cohort")).wide.loc[ALL]
    assert found.drop(END).sum() == pytest.approx(found[END])


def test_a_forecast_by_groups_is_refused(sample):
    ahead, comparison = sample
    by_cohort = clv.fit(clv.BGNBD, ahead.rfm, by="cohort", pooling="none")
    with pytest.raises(ConfigError, match="C012 planning needs fits of all customers together"):
        bridge(dataclasses.replace(ahead, purchase=by_cohort), comparison)
