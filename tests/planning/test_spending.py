"""The budget: splits against closed forms and grids, and what is said where curves are missing."""

import dataclasses
from functools import partial

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

import clv
from clv.errors import ConfigError
from clv.evaluation.compare import compare
from clv.forecasting.totals import ALL
from clv.planning.keeping import Keeping
from clv.planning.levers import Existing
from clv.planning.ratios import unit_economics
from clv.planning.response import ResponseCurve, Spending, Use, best_split
from clv.planning.spending import LAST, NOTHING, RECOMMENDED, Budget, budget, mixed
from clv.planning.steps import bridge
from clv.planning.what_ifs import scenarios

CURVES = {
    "Newsletter": ResponseCurve(800, 12_000.0),
    "Suche & Köln": ResponseCurve(1200, 30_000.0),
    "🎁 Gift market": ResponseCurve(500, 40_000.0),
}
KEEP = ResponseCurve(0.06, 9_000.0)
BEFORE = {"Newsletter": 6_000, "Suche & Köln": 14_000, "🎁 Gift market": 15_000, "retention": 5_000}


@pytest.fixture(scope="module")
def found(shop) -> Budget:
    return budget(*shop, 40_000.0, CURVES, KEEP, last_year=BEFORE)


@pytest.fixture(scope="module")
def keeping(shop) -> Keeping:
    return Keeping.of(Existing.of(*shop, ALL))


def linear(curve, value, low=0.0, high=np.inf):
    return Use(curve, lambda made: made * value, lambda made: value, low, high)


def test_a_response_rises_to_its_ceiling():
    curve = ResponseCurve(100, 50.0)
    assert curve.response(0) == 0
    assert curve.response(50) == pytest.approx(100 * (1 - np.exp(-1)))
    assert curve.response(1e6) == 100
    for spend in (1.0, 30.0, 400.0):
        slope = (curve.response(spend + 1e-4) - curve.response(spend - 1e-4)) / 2e-4
        assert curve.marginal(spend) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("total", [500.0, 5_000.0, 40_000.0])
def test_the_last_unit_of_money_brings_as_much_everywhere(total):
    """Against the closed form: spend saturation·log(value·ceiling/(saturation·μ)), with μ from the budget."""
    rows = [(80.0, 800, 12_000.0), (55.0, 1200, 30_000.0), (40.0, 500, 40_000.0)]
    uses = [linear(ResponseCurve(ceiling, s), value) for value, ceiling, s in rows]

    def spends(mu):
        return np.array([max(s * np.log(value * ceiling / s / mu), 0) for value, ceiling, s in rows])

    mu = brentq(lambda m: spends(m).sum() - total, 1e-3, 10)
    split = best_split(uses, total)
    np.testing.assert_allclose(split, spends(mu), rtol=1e-9)
    marginal = [use.marginal(x) for use, x in zip(uses, split, strict=True)]
    for x, slope in zip(split, marginal, strict=True):
        assert slope == pytest.approx(mu, rel=1e-3) if x > 0 else slope < mu


def test_money_that_would_bring_less_than_itself_is_kept():
    uses = [linear(ResponseCurve(100, 1000.0), 30.0), linear(ResponseCurve(100, 1000.0), 5.0)]
    split = best_split(uses, 50_000.0)
    assert split == pytest.approx([1000 * np.log(3), 0], abs=1)


def test_bounds_are_kept():
    curve = ResponseCurve(100, 1000.0)
    split = best_split(
        [linear(curve, 30.0, 0, 400), linear(curve, 5.0, 250, 900), linear(curve, 30.0)], 2000.0
    )
    assert split == pytest.approx([400, 250, 1000 * np.log(3)], abs=1)
    tight = best_split([linear(curve, 30.0, 0, 400), linear(curve, 5.0, 250, 900)], 500.0)
    assert tight == pytest.approx([250, 250], abs=1e-3)


def test_worth_of_any_shape_is_searched_for():
    """A use that pays only once much is spent on it, beside a good small one."""
    late = Use(ResponseCurve(1.0, 1000.0), lambda r: 9000 * r**4, lambda r: 36_000 * r**3)
    small = linear(ResponseCurve(100, 1000.0), 20.0)
    x, y = best_split([small], 6000.0, late)
    assert x == pytest.approx(1000 * np.log(2))
    assert late.marginal(y) == pytest.approx(1, abs=1e-4)
    assert y > 3000
    assert best_split([], 6000.0, late) == pytest.approx([y], rel=1e-6)


def random_case(rng):
    """Uses whose response is worth the same throughout, and one whose worth rises by leaps, in bounds."""
    total = 10 ** rng.uniform(2, 6)

    def bounds():
        low = total * rng.choice([0.0, rng.uniform(0, 0.3)])
        return low, low + total * rng.choice([0.0, rng.uniform(0.05, 0.6), np.inf])

    alike = [
        linear(ResponseCurve(each, total * 10 ** rng.uniform(-2, 0.5)), total * 10 ** rng.uniform(-1.5, 0.5))
        for each in 10 ** rng.uniform(-1, 0.5, rng.integers(0, 3))
    ]
    alike = [dataclasses.replace(use, low=low, high=high) for use in alike for low, high in [bounds()]]
    points, leaps = np.linspace(0, 0.3, 14), rng.gamma(0.3, 1, 13) * total * 10 ** rng.uniform(-1.5, 0)
    worth = PchipInterpolator(points, np.append(0, np.cumsum(leaps)))
    curve = ResponseCurve(rng.uniform(0.1, 0.3), total * 10 ** rng.uniform(-2, 0.5))
    return alike, total, Use(curve, lambda r: float(worth(r)), lambda r: float(worth(r, 1)), *bounds())


@pytest.mark.parametrize("seed", range(25))
def test_no_split_on_a_grid_leaves_more(seed):
    """Of every split into hundredths of the budget that keeps the bounds, and then of all near the best."""
    alike, total, other = random_case(np.random.default_rng(seed))
    uses = [*alike, other]
    split = best_split(alike, total, other)
    low, high = (np.array([getattr(use, end) for use in uses]) for end in ("low", "high"))
    assert (split >= low).all()
    assert (split <= high).all()
    assert split.sum() <= total * (1 + 1e-12)

    def most(centre, reach):
        """The most that splits of 61 steps a use leave, about one of them, and which."""
        steps = [
            np.unique(np.clip(np.linspace(c - reach, c + reach, 61), *ends))
            for c, *ends in zip(centre, low, np.minimum(high, total), strict=True)
        ]
        spent = sum(np.ix_(*steps))
        left = sum(
            np.ix_(*(np.array([use.value(x) - x for x in row]) for use, row in zip(uses, steps, strict=True)))
        )
        at = np.unravel_index(np.argmax(np.where(spent <= total, left, -np.inf)), spent.shape)
        return left[at], np.array([row[i] for row, i in zip(steps, at, strict=True)])

    coarse, near = most(np.full(len(uses), total / 2), total / 2)
    fine, _ = most(near, total / 60)
    left = sum(use.value(x) - x for use, x in zip(uses, split, strict=True))
    assert left >= max(coarse, fine) - 1e-9 * total
    assert left - fine < 0.01 * total  # and not more than there is


def test_a_budget_of_nothing_and_equals_are_split():
    curve = ResponseCurve(100, 1000.0)
    late = Use(ResponseCurve(1.0, 1000.0), lambda r: 9000 * r**4, lambda r: 36_000 * r**3)
    assert best_split([linear(curve, 30.0)], 0.0, late) == pytest.approx([0, 0])
    assert best_split([linear(curve, 30.0), linear(curve, 30.0)], 800.0) == pytest.approx([400, 400])
    assert best_split([linear(curve, 0.0)], 800.0) == pytest.approx([0])


def test_the_shop_spends_where_the_margin_is(found, shop_prospects, keeping):
    split, table = found.split, found.table
    assert list(split.index) == [*CURVES, "retention"]
    assert split["recommended"].sum() == pytest.approx(40_000)
    spent = split[split["recommended"] > 0]
    np.testing.assert_allclose(spent["marginal"], spent["marginal"].iloc[0], rtol=1e-3)
    assert (split.loc[split["recommended"] == 0, "marginal"] < spent["marginal"].iloc[0]).all()
    assert list(split["last_year"]) == list(BEFORE.values())
    (one,) = (one for one in shop_prospects if one.name == "Newsletter")
    x = split.loc["Newsletter", "recommended"]
    step = one.value * (CURVES["Newsletter"].response(x + 1) - CURVES["Newsletter"].response(x - 1)) / 2
    assert split.loc["Newsletter", "marginal"] == pytest.approx(step, rel=1e-4)
    assert split.loc["Newsletter", "cac"] == pytest.approx(x / split.loc["Newsletter", "response"])
    assert np.isnan(split.loc["retention", "cac"])
    x = split.loc["retention", "recommended"]
    gain = [keeping.worth(float(KEEP.response(at))) for at in (x - 50, x + 50)]
    assert split.loc["retention", "marginal"] == pytest.approx((gain[1] - gain[0]) / 100, rel=1e-3)
    assert table.loc[RECOMMENDED, "net"] > table.loc[LAST, "net"]


def test_rows_are_what_they_say(found, shop, shop_prospects, keeping):
    table, ahead = found.table, shop[0]
    assert list(table.index) == [RECOMMENDED, LAST, NOTHING]
    np.testing.assert_allclose(table["net"], table["value"] - table["spend"])
    np.testing.assert_allclose(table["regret"], table["net"].iloc[0] - table["net"])
    assert table.loc[NOTHING, "value"] == pytest.approx(ahead.sums["clv"])
    assert table.loc[NOTHING, "spend"] == 0
    assert table.loc[LAST, "spend"] == 40_000
    value = {one.name: one for one in shop_prospects if one.name in CURVES}
    points = float(KEEP.response(5_000))
    wanted = ahead.sums["clv"] + keeping.worth(points)
    drawn = keeping.existing.drawn(keeping.existing.staying.pace(points))
    for name, one in value.items():
        customers = CURVES[name].ceiling * (1 - np.exp(-BEFORE[name] / CURVES[name].saturation))
        wanted += customers * one.value
        drawn = drawn + customers * mixed(one)
    assert table.loc[LAST, "value"] == pytest.approx(wanted)
    assert table.loc[LAST, "net_p10"] == pytest.approx(np.quantile(drawn, 0.1, method="hazen") - 40_000)
    assert (table["net_p10"] < table["net"]).all()
    assert drawn.mean() == pytest.approx(wanted, rel=3e-3)


def test_segments_with_fits_of_their_own_are_not_drawn_together(shop_prospects):
    of = {one.name: one for one in shop_prospects}
    one, other = of["Newsletter"], of["Suche & Köln"]
    alike = np.corrcoef(one.revenue(one.forecast.t), other.revenue(other.forecast.t))[0, 1]
    assert abs(np.corrcoef(mixed(one), mixed(other))[0, 1]) < max(abs(alike), 0.2)
    np.testing.assert_allclose(np.sort(mixed(one)), np.sort(one.drawn(one.forecast.t)))
    whole = of[ALL]
    np.testing.assert_array_equal(mixed(whole), whole.drawn(whole.forecast.t))


def test_points_of_retention_are_worth_what_the_levers_say(keeping):
    existing, today = keeping.existing, keeping.existing.value()
    for points in (0.013, 0.05, 0.11):
        exact = existing.value(existing.staying.pace(points)) - today
        assert keeping.worth(points) == pytest.approx(exact, rel=2e-3)
        assert keeping.needed(keeping.worth(points)) == pytest.approx(points, rel=1e-3)
        slope = (keeping.worth(points + 1e-4) - keeping.worth(points - 1e-4)) / 2e-4
        assert keeping.slope(points) == pytest.approx(slope, rel=1e-3)
    assert keeping.worth(0.0) == 0
    assert np.isnan(keeping.needed(1e9))
    assert keeping.most == pytest.approx(1 - existing.staying.share(), abs=1e-3)


def test_break_evens_are_there_in_any_case(found, shop):
    t = found.acquisition
    np.testing.assert_allclose(t["break_even_cac"], shop[1].table["model_new_discounted"])
    assert (t["break_even_p10"] < t["break_even_cac"]).all()
    assert list(found.retention.index) == [2_000, 4_000, 8_000, 20_000, 40_000]
    assert (np.diff(found.retention["points"]) > 0).all()


def test_without_curves_nothing_is_recommended(sample):
    found = budget(*sample, 2_000.0)
    assert found.table is None
    assert found.split is None
    assert found.sentence.startswith("No split is recommended without response curves")
    assert "on retention pays if it brings " in found.sentence
    assert found.to_pandas() is found.acquisition
    assert found.acquisition["break_even_p10"].isna().all()  # a point fit
    assert "break_even_cac" in found._repr_html_()
    dear = budget(*sample, 1e9)
    assert dear.retention["points"].isna().all()
    assert "No gain of retention pays" in dear.sentence


def test_one_side_alone_is_split_and_said_so(sample):
    ahead, comparison = sample
    name = str(comparison.table.index[0])
    found = budget(ahead, comparison, 5_000.0, {name: ResponseCurve(100, 4_000.0)})
    assert "There is no curve of retention" in " ".join(found.notes)
    assert list(found.table.index) == [RECOMMENDED, NOTHING]
    assert found.table["net_p10"].isna().all()
    assert found.split["last_year"].isna().all()
    kept = budget(ahead, comparison, 5_000.0, retention=ResponseCurve(0.05, 200.0))
    assert "There is no curve of acquisition" in " ".join(kept.notes)
    assert "is better kept: it would bring less than itself." in kept.sentence


def test_what_it_says(found):
    assert found.sentence.startswith("Of 40,000 EUR spend 1")
    assert " on Newsletter, " in found.sentence
    assert "Gift market" not in found.sentence
    assert "Less what it costs, that brings 2" in found.sentence
    assert " more than last year's split and " in found.sentence
    assert found.sentence.endswith(" more than doing nothing.")
    for part in ("A budget of 40,000", "12 months after 2026-09-30", "44 % margin", "discounted at 10 %"):
        assert part in repr(found)
        assert part in found._repr_html_()
    assert "10th percentile is over draws" in found.notes[-1]
    assert found.to_pandas() is found.table


def test_another_sum_last_year_is_noted(sample):
    ahead, comparison = sample
    name = str(comparison.table.index[0])
    curve = {name: ResponseCurve(100, 4_000.0)}
    found = budget(ahead, comparison, 5_000.0, curve, last_year={name: 9_000})
    assert "Last year's split spent 9,000, another sum" in " ".join(found.notes)
    bound = budget(ahead, comparison, 5_000.0, curve, bounds={name: (3_000, 4_000)})
    assert 3_000 <= bound.split.loc[name, "recommended"] <= 4_000


def test_last_year_is_compared_on_what_has_a_curve(shop):
    """34,000 of it went elsewhere, which the recommended split says nothing of."""
    found = budget(*shop, 40_000.0, {"Newsletter": CURVES["Newsletter"]}, last_year=BEFORE)
    assert found.table.loc[LAST, "spend"] == 6_000
    assert found.elsewhere == 34_000
    assert " more than last year's split on the same uses and " in found.sentence
    said = " ".join(found.notes)
    assert "Last year 6,000 went to what has a response curve, and 34,000 to what has none, Suche" in said
    assert "🎁 Gift market, retention: that is compared with nothing here." in said
    assert "Last year's split spent 6,000 on the same uses, another sum" in said
    none = budget(*shop, 40_000.0, {"Каталог": CURVES["Newsletter"]}, last_year=BEFORE)
    assert LAST not in none.table.index
    assert none.elsewhere == 40_000


def test_money_that_bounds_leave_would_bring_more_than_itself(shop):
    some = {name: CURVES[name] for name in ("Newsletter", "🎁 Gift market")}
    left = budget(*shop, 100_000.0, some, bounds={"Newsletter": (0, 1_000)})
    worth = left.split.loc["Newsletter", "marginal"]
    assert worth > 4
    assert (
        f"99,000 EUR is better kept: it would bring less than itself, but on Newsletter ({worth:.2f}), where "
        "a bound is reached." in left.sentence
    )
    kept = budget(*shop, 100_000.0, some, bounds={"🎁 Gift market": (0, 1_000)})
    assert " is better kept: it would bring less than itself." in kept.sentence


def test_a_curve_is_refused_where_it_is_made():
    with pytest.raises(ConfigError) as error:
        ResponseCurve("a", 0)
    assert list(error.value.messages) == [
        "P002 ceiling must be a number above 0; got 'a'.",
        "P002 saturation must be a number above 0; got 0.",
    ]
    with pytest.raises(ConfigError, match=r"P002 spend must be 0 or more; got -5"):
        ResponseCurve(10, 50.0).response(-5)


def test_a_budget_is_refused_where_it_is_made():
    with pytest.raises(ConfigError) as error:
        Spending("10k", {"a": 3}, ResponseCurve(4, 50), {"b": (0, 1)})
    for part in (
        "P002 total must be a sum of money above 0; got '10k'",
        "P002 the curve of a must be a ResponseCurve(ceiling, saturation); got 3",
        "P002 ceiling of retention must be a share below 1; got 4. Write 0.05 for 5 points",
        "P001 bounds names 'b', which has no response curve. There are a, retention",
    ):
        assert part in str(error.value)
    with pytest.raises(ConfigError, match="P002 acquisition must be by segment; got a ResponseCurve"):
        Spending(10, ResponseCurve(4, 50))


def test_what_cannot_be_meant_is_refused_at_once(sample):
    with pytest.raises(ConfigError) as error:
        budget(
            *sample,
            -5,
            {"moon": ResponseCurve(5, 10.0), "1997-02": 3},
            ResponseCurve(5.0, 100.0),
            last_year={"1997-01": -2},
            bounds={"1997-02": (5, 1), "1997-03": (0, 1), "moon": 7},
        )
    said = str(error.value)
    for part in (
        "P001 acquisition names 'moon', which customers cannot be new in",
        "P002 the curve of 1997-02 must be a ResponseCurve(ceiling, saturation); got 3",
        "P002 ceiling of retention must be a share below 1; got 5.0. Write 0.05 for 5 points",
        "P002 total must be a sum of money above 0; got -5",
        "P002 last_year must be 0 or more for every use; got -2 for '1997-01'",
        "P002 bounds of 1997-02 must be the least and the most to spend; got (5, 1)",
        "P002 bounds of moon must be the least and the most to spend; got 7",
        "P001 bounds names '1997-03'",
    ):
        assert part in said
    assert set(error.value.codes) == {"P001", "P002"}
    with pytest.raises(
        ConfigError, match=r"P002 bounds must leave room in the budget; got 70.00 at least of 50"
    ):
        budget(*sample, 50, {"1997-01": ResponseCurve(10, 5.0)}, bounds={"1997-01": (70, 80)})
    with pytest.raises(
        ConfigError, match=r"P001 bounds names 'x', which has no response curve. There are none"
    ):
        budget(*sample, 50, bounds={"x": (1, 2)})


def test_a_budget_and_its_parts_are_told_apart(sample):
    with pytest.raises(ConfigError, match=r"got a Spending. Give its parts: s.total, s.acquisition"):
        budget(*sample, Spending(10_000))
    with pytest.raises(ConfigError, match="P002 acquisition must be by segment; got a DataFrame"):
        budget(*sample, 1000, sample[1].table)


@pytest.mark.parametrize("plan", [unit_economics, bridge, scenarios, partial(budget, total=1000)])
def test_plans_are_of_a_forecast_and_its_comparison(plan, sample):
    with pytest.raises(ConfigError) as error:
        plan(sample[1], sample[0])
    assert error.value.codes == ["C012", "C012"]
    assert "C012 forecast must be what clv.forecast makes; got a Comparison. Write " in str(error.value)
    with pytest.raises(ConfigError, match=r"got a DataFrame\. Write \w+\(forecast, comparison\)"):
        plan(sample[0], sample[1].table)


def test_no_more_can_be_kept_than_would_leave(sample):
    """A ceiling above that is one that is never reached: the same as the highest that is."""
    most = budget(*sample, 20_000).keeping.most
    found = budget(*sample, 20_000, retention=ResponseCurve(0.99, 100_000))
    assert most < 0.99
    assert found.notes[0] == (
        f"The ceiling of retention is taken as {most:.3f}, not 0.99: so many leave within a year, and no "
        "more can be kept."
    )
    assert found.curves == {"retention": ResponseCurve(most, 100_000)}
    same = budget(*sample, 20_000, retention=ResponseCurve(most, 100_000))
    assert found.table.equals(same.table)
    assert found.notes[1:] == same.notes


def test_retention_cannot_rise_where_nobody_leaves(sample, sample_rfm):
    ahead = clv.forecast(clv.fit(clv.NBD, sample_rfm), sample[0].spend, sample_rfm, margin=0.3, discount=0.15)
    comparison = compare(ahead, sample[1].economics, "cohort")
    found = budget(ahead, comparison, 100.0, retention=KEEP)
    assert found.notes[0] == "Retention cannot rise: nobody leaves in this model. Its curve is left out."
    assert found.split is None
    assert found.retention["points"].isna().all()


def test_last_year_may_have_been_spent_on_what_nobody_is_in(sample):
    curves = {"1997-01": ResponseCurve(10, 5.0)}
    found = budget(*sample, 50, curves, last_year={"1997-01": 50, "Radio": 30})
    assert found.elsewhere == 30
    assert any("30.00 to what has none, Radio" in note for note in found.notes)


def test_fits_by_groups_are_refused(sample):
    ahead, comparison = sample
    by_cohort = clv.fit(clv.BGNBD, ahead.rfm, by="cohort", pooling="none")
    with pytest.raises(ConfigError, match="C012 planning needs fits of all customers together"):
        budget(dataclasses.replace(ahead, purchase=by_cohort), comparison, 100.0)


def test_whose_value_is_the_whole_bases_is_said(small_study, found):
    (comparison,) = (c for c in small_study.comparisons if c.by == "country")
    said = "Valued by the fit of the whole base, having none of its own: Other small segments."
    assert budget(small_study.forecast, comparison, 1000.0).notes[-1] == said
    assert not any("having none" in note for note in found.notes)
