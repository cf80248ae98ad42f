"""Tables of the planning pages print what was really done, and what is not there in words."""

import dataclasses
import math

import pytest

import clv
from clv.forecasting.totals import ALL
from clv.planning.what_ifs import scenarios
from clv.reporting.planning_tables import levers, needed, ratios, retention, split, two_way
from clv.reporting.reviews import Review


def column(table, key):
    """Printed cells of a column."""
    at = [c.key for c in table.columns].index(key)
    return [row[at] for row in table.cells()]


def test_what_is_never_paid_back_is_not_what_is_not_known(small_review: Review) -> None:
    """The column stays where no segment pays back: that is when its answer matters."""
    units = small_review.units
    table = units.table.assign(cac=1e6, payback_month=math.nan)
    table.loc[table.index[0], "cac"] = math.nan
    found = column(ratios(dataclasses.replace(units, table=table)), "payback")
    assert found == ["not known"] + [f"not in {units.months} months"] * (len(table) - 1)
    table.loc[ALL, "payback_month"] = 3.0
    assert column(ratios(dataclasses.replace(units, table=table)), "payback")[-1] == "3"
    unknown = ratios(dataclasses.replace(units, table=table.assign(cac=math.nan)))
    assert "payback" not in [c.key for c in unknown.columns]


def test_a_split_adds_up_to_the_budget(small_review: Review) -> None:
    name = str(small_review.comparison.table.index[0])
    spending = clv.Spending(1000.0, {name: clv.ResponseCurve(60, 400.0)}, clv.ResponseCurve(0.05, 300.0))
    found = dataclasses.replace(small_review, spending=spending).budget
    assert found is not None
    assert found.split is not None
    for part in (1.0, 0.5):
        spent = found.split.assign(recommended=lambda f, part=part: f["recommended"] * part)
        table = split(dataclasses.replace(found, split=spent))
        named = table.frame.set_index("row")["recommended"]
        assert table.total
        assert list(named.index[:2]) == list(table.frame["row"][table.frame["use"]])
        assert named["Together"] == 1000.0
        assert named.drop("Together").sum() == pytest.approx(1000.0, rel=0.001)
    assert named["Kept"] >= 500


def test_points_are_no_per_cent_and_of_whom_they_are_is_said(small_review: Review) -> None:
    spending = clv.Spending(1000.0, {}, clv.ResponseCurve(0.05, 300.0))
    found = dataclasses.replace(small_review, spending=spending).budget
    assert found is not None
    table = needed(dataclasses.replace(found, retention=found.retention.assign(points=0.0204)))
    assert set(column(table, "points")) == {"2.0"}
    assert "Points: of a hundred customers who are alive now, so many more" in table.basis
    kept = retention(small_review.scenarios)
    assert column(kept, "alive") == [f"{100 * v:.1f} %" for v in small_review.scenarios.retention["alive"]]
    assert 0 < small_review.scenarios.retention["alive"].iloc[0] < 1


@pytest.fixture(scope="module")
def dear(small_review: Review):
    """Scenarios where the margin is 95 %, and each lever moves by 30 %."""
    study = small_review.study
    economics = dataclasses.replace(study.economics, margin=0.95)
    ahead = clv.forecast(study.purchase, study.spend, study.rfm, margin=0.95, discount=0.1)
    found = clv.compare(ahead, economics, "channel")
    return scenarios(ahead, found, 0.3, pair=("margin", "churn"))


def test_a_lever_that_reaches_its_end_says_how_far_it_moved(dear) -> None:
    found = column(levers(dear), "row")
    assert "Order value ±30 %" in found
    assert "Margin −30 % to +5.263 %" in found
    assert "Margin ±30 %" not in found


def test_moves_that_cannot_be_are_dashes(dear, small_review: Review) -> None:
    table = two_way(dear)
    assert [row[1:] == ["–"] * 5 for row in table.cells()] == [False, False, False, True, True]
    assert "A dash: a lever cannot move as far" in table.basis
    assert "A dash" not in two_way(small_review.scenarios).basis
