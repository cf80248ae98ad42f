"""Scenarios: what each lever does by arithmetic, tables in order, and what cannot be asked."""

import dataclasses

import numpy as np
import pytest

import clv
from clv.errors import ConfigError
from clv.evaluation.compare import compare
from clv.forecasting.totals import ALL
from clv.planning.levers import LEVERS, Existing, Newcomer
from clv.planning.prospects import prospects_of
from clv.planning.what_ifs import BASE, MODEL, NEW, ONE, TWO, Scenarios, scenarios


@pytest.fixture(scope="module")
def found(shop) -> Scenarios:
    return scenarios(*shop, segment="Newsletter")


def row(found: Scenarios, who: str, by: str, lever: str):
    t = found.table
    return t[(t["who"] == who) & (t["by"] == by) & (t["lever"] == lever)].iloc[0]


def test_levers_of_the_model_do_what_they_say(found, shop):
    ahead, comparison = shop
    (prospect,) = prospects_of(ahead, comparison, ["Newsletter"])
    one, base = Newcomer(prospect), Existing.of(ahead, comparison, "Newsletter")
    value, cac, total = prospect.value, prospect.cac, base.value()
    for sign, end in ((-0.1, "down"), (0.1, "up")):
        expected = {
            "order_value": value * (1 + sign) - cac,
            "margin": value * (1 + sign) - cac,
            "frequency": value + sign * one.later() - cac,
            "churn": one.first + one.later(1 + sign) - cac,
            "cac": value - cac * (1 + sign),
        }
        for lever, wanted in expected.items():
            assert row(found, NEW, MODEL, lever)[end] == pytest.approx(wanted), lever
        for lever in ("order_value", "margin", "frequency"):
            assert row(found, BASE, MODEL, lever)[end] == pytest.approx(total * (1 + sign))
        assert row(found, BASE, MODEL, "churn")[end] == pytest.approx(base.value(1 + sign))
    assert (found.table["change"] == 0.1).all()
    assert row(found, NEW, MODEL, "cac")["base"] == pytest.approx(value - cac)


def test_levers_of_the_formulas_do_what_they_say(found, shop):
    """AOV, orders, CAC, margin, frequency and churn of the comparison, by hand."""
    t = shop[1].table.loc["Newsletter"]
    days = 365.0

    def one(aov=1.0, often=1.0, margin=1.0, cac=1.0):
        orders = min(
            1 + (t["orders_per_customer"] - 1) * often, 1 + t["repeat_rate_year"] * often / 365.25 * days
        )
        return (t["aov"] * aov * orders - t["cac"] * cac) * 0.44 * margin

    def two(aov=1.0, often=1.0, margin=1.0, churn=1.0):
        c = min(t["churn"] * churn, 1)
        lasts = (1 - (1 - c) ** (days / 365)) / c
        return t["aov"] * aov * t["frequency"] * often * 0.44 * margin * lasts

    names = {"order_value": "aov", "frequency": "often", "margin": "margin", "cac": "cac", "churn": "churn"}
    for lever, name in names.items():
        if lever != "churn":
            assert row(found, NEW, ONE, lever)["up"] == pytest.approx(one(**{name: 1.1}))
            assert row(found, NEW, ONE, lever)["base"] == pytest.approx(one())
        if lever != "cac":
            assert row(found, NEW, TWO, lever)["down"] == pytest.approx(two(**{name: 0.9}))
            assert row(found, BASE, TWO, lever)["up"] == pytest.approx(t["customers"] * two(**{name: 1.1}))


def test_a_tornado_is_sorted_and_leaves_out_what_is_not_in_it(found):
    t = found.table
    assert len(t) == 25
    for _, part in t.groupby(["who", "by"], sort=False):
        assert set(part["lever"]) == set(LEVERS)
        widths = part["width"].dropna()
        assert (np.diff(widths) <= 1e-6).all()
        assert part["width"].isna().sum() == (~part["up"].notna()).sum()
    assert np.isnan(row(found, NEW, ONE, "churn")["up"])
    assert np.isnan(row(found, NEW, TWO, "cac")["down"])
    assert np.isnan(row(found, BASE, MODEL, "cac")["width"])
    assert t["base"].notna().all()


def test_two_levers_move_at_once(found):
    t = found.two_way
    assert len(t) == 25
    middle = t[(t["order_value"] == 0) & (t["churn"] == 0)].iloc[0]
    assert middle["new customer, model"] == pytest.approx(row(found, NEW, MODEL, "cac")["base"])
    assert t["new customer, formula 1"].isna().all()
    one = t[(t["order_value"] == 0.1) & (t["churn"] == -0.2)].iloc[0]
    other = t[(t["order_value"] == 0) & (t["churn"] == -0.2)].iloc[0]
    assert one["existing base, model"] == pytest.approx(1.1 * other["existing base, model"])
    assert other["existing base, model"] > middle["existing base, model"]


def test_points_of_retention_are_worth_something(found, shop):
    t = found.retention
    np.testing.assert_allclose(t["retention_after"], t["retention"] + 0.05, atol=1e-3)
    np.testing.assert_allclose(t["worth"], t["value_after"] - t["value"])
    assert (t["worth"] > 0).all()
    now = shop[0].customers().to_pandas()
    channel = shop[0].rfm.to_pandas().set_index("customer_id")["channel"]
    now = now[now["customer_id"].map(channel) == "Newsletter"]
    assert t.loc[BASE, "alive"] == pytest.approx(now["p_alive"].mean(), rel=0.01)
    assert t.loc[NEW, "alive"] == pytest.approx(1)
    base = Existing.of(*shop, "Newsletter")
    assert t.loc[BASE, "value_after"] == pytest.approx(base.value(t.loc[BASE, "pace"]), rel=1e-6)
    worse = scenarios(*shop, segment="Newsletter", points=-0.05).retention
    assert (worse["worth"] < 0).all()
    assert (worse["pace"] > 1).all()


def test_what_it_says(found):
    assert "+5 points of annual retention (8" in found.sentence
    assert "for the existing base, and " in found.sentence
    alive = found.retention["alive"]
    assert f" of the {100 * alive[BASE]:.0f} % who are alive now) are worth " in found.sentence
    alike = "order value, frequency and margin move most, each alike: +10 % of it, +"
    assert found.sentence.startswith(f"Of the existing base {alike}")
    assert (
        " Of the new customer order value and margin move most, each alike: +10 % of it, +" in found.sentence
    )
    for part in ("Newsletter, 1,6", "12 months", "44 % margin", "a new customer less CAC of 12.00"):
        assert part in found.basis
        assert part in repr(found)
        assert part in found._repr_html_()
    assert "not causal claims" in found.notes[0]
    assert "models that forecast alike put retention at different levels" in found.notes[-1]
    assert "Frequency" not in found.notes[1]
    assert "frequency: orders a year while a customer, at the same retention" in found.notes[1]
    assert found.to_pandas() is found.table


def test_cac_that_is_not_known_is_not_moved(shop):
    found = scenarios(*shop, segment="Каталог")
    assert "a new customer before CAC, which is not known" in found.basis
    assert np.isnan(row(found, NEW, MODEL, "cac")["up"])
    assert np.isnan(row(found, NEW, ONE, "cac")["up"])
    value = shop[1].table.loc["Каталог", "model_new_discounted"]
    assert row(found, NEW, MODEL, "margin")["base"] == pytest.approx(value)


def test_a_model_without_dropout_has_no_churn_lever(sample, sample_rfm):
    ahead = clv.forecast(clv.fit(clv.NBD, sample_rfm), sample[0].spend, sample_rfm, margin=0.3, discount=0.15)
    found = scenarios(ahead, compare(ahead, sample[1].economics, "cohort"))
    assert np.isnan(row(found, NEW, MODEL, "churn")["up"])
    assert np.isnan(row(found, BASE, MODEL, "churn")["up"])
    assert np.isfinite(row(found, BASE, TWO, "churn")["up"])
    assert (found.retention["retention"] == 1).all()
    assert found.retention["worth"].isna().all()
    assert "+5 points of annual retention are not in reach of this model" in found.sentence
    assert "Nobody leaves in NBD" in found.notes[-1]


@pytest.mark.parametrize("model", [clv.ParetoNBD, clv.MBGNBD, clv.GGompertzNBD])
def test_every_model_has_the_same_levers(model, sample, sample_rfm):
    ahead = clv.forecast(clv.fit(model, sample_rfm), sample[0].spend, sample_rfm, margin=0.3, discount=0.15)
    found = scenarios(ahead, compare(ahead, sample[1].economics, "cohort"), segment=ALL)
    churn = row(found, BASE, MODEL, "churn")
    assert churn["down"] > churn["base"] > churn["up"]
    assert churn["base"] == pytest.approx(ahead.sums["clv"])
    assert (found.retention["worth"] > 0).all()


def test_changes_may_differ_by_lever(sample):
    found = scenarios(*sample, {"margin": 0.2, "churn": 0.05}, pair=("margin", "frequency"))
    changes = found.table.set_index("lever")["change"].to_dict()
    assert changes == {"margin": 0.2, "churn": 0.05, "order_value": 0.1, "frequency": 0.1, "cac": 0.1}
    assert found.two_way["margin"].max() == 0.4
    dear = clv.forecast(sample[0].purchase, sample[0].spend, sample[0].rfm, margin=0.95, discount=0.15)
    economics = dataclasses.replace(sample[1].economics, margin=0.95)
    found = scenarios(dear, compare(dear, economics, "cohort"), 0.3, pair=("margin", "churn"))
    most = row(found, NEW, MODEL, "margin")
    assert most["up"] + 20 == pytest.approx((most["base"] + 20) / 0.95)  # a margin is 1 at most
    assert (most["change"], most["moved_down"]) == (0.3, pytest.approx(-0.3))
    assert most["moved_up"] == pytest.approx(1 / 0.95 - 1)
    assert "Of the new customer order value moves most: +30 % of it, +" in found.sentence
    two = found.two_way.set_index(["margin", "churn"])[f"{NEW}, {MODEL}"].unstack()
    assert two.loc[two.index > 0].isna().all(axis=None)
    assert two.loc[two.index <= 0].notna().all(axis=None)


def test_churn_of_formula_2_is_1_at_most(sample):
    """Of .95, a tenth more is everybody; two tenths more is nothing that it could be."""
    ahead, comparison = sample
    sure = dataclasses.replace(comparison, table=comparison.table.assign(churn=0.95))
    found = scenarios(ahead, sure)
    assert row(found, NEW, TWO, "churn")["moved_up"] == pytest.approx(1 / 0.95 - 1)
    assert row(found, NEW, MODEL, "churn")["moved_up"] == pytest.approx(0.1)
    last = found.two_way[found.two_way["churn"] == 0.2]
    assert last[f"{NEW}, {TWO}"].isna().all()
    assert last[f"{NEW}, {MODEL}"].notna().all()


def test_what_cannot_be_meant_is_refused_at_once(sample):
    with pytest.raises(ConfigError) as error:
        scenarios(
            *sample,
            {"margin": 10, "churn": 0, "price": 0.1},
            segment="moon",
            pair=("margin", "cost"),
            points=5,
        )
    assert error.value.codes == ["P001", "P001", "P001", "P002", "P002", "P002"]
    for part in (
        "a lever must be one of order_value, frequency, margin, churn, cac; got 'cost'",
        "segment must be one that customers can be new in; got 'moon'",
        "change of margin must be above 0 and below .5; got 10. Write 0.1 for 10 %",
        "points of retention must be a share, not 0; got 5",
    ):
        assert part in str(error.value)
    with pytest.raises(ConfigError, match="P001 pair must name two levers"):
        scenarios(*sample, pair=("margin", "margin"))
    with pytest.raises(ConfigError, match=r"P002 change of order_value must be .* got True"):
        scenarios(*sample, True)
