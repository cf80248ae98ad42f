"""The verdict's rule, branch by branch, on tables made by hand; the level's rule, and summaries."""

import numpy as np
import pandas as pd
import pytest

from clv.evaluation.levels import factor, level
from clv.evaluation.summary import summarise
from clv.evaluation.verdict import preferred, ranked, verdict


def table(**contenders):
    """Rows of (error, standard error, gini, numbers, far, origins) by name, with a forecast of nothing."""
    columns = ["value_error", "value_error_se", "value_gini", "numbers", "value_far", "origins"]
    rows = {name.replace("_", " "): row for name, row in contenders.items()}
    rows["All zero"] = (0.001, 0.0, 0.99, 0, 0, 4)  # better than anything, were it ranked
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).assign(value_mae=1.0)


def test_the_closest_total_wins():
    found = table(BG=(0.08, 0.01, 0.65, 4, 0, 4), Pareto=(0.12, 0.01, 0.66, 4, 0, 4))
    assert preferred(found) == "BG"
    assert verdict(found) == (
        "Over 4 origins, use BG: its totals of value were on average 8.0 % off. It ranks customers with a "
        "normalised Gini of 0.65, the best being Pareto's 0.66."
    )


def test_who_ranks_customers_badly_is_out():
    """A run-rate may hit the total: it tells nobody from anybody."""
    found = table(Run_rate=(0.02, 0.01, 0.0, 0, 0, 4), BG=(0.15, 0.01, 0.65, 4, 0, 4))
    assert list(ranked(found).index) == ["BG"]
    assert "the best of all" in verdict(found)
    near = table(Run_rate=(0.02, 0.01, 0.631, 0, 0, 4), BG=(0.15, 0.01, 0.65, 4, 0, 4))
    assert preferred(near) == "Run rate"


def test_a_tie_within_one_standard_error_goes_to_the_simpler():
    tied = table(BG=(0.105, 0.01, 0.65, 4, 0, 4), CNBD=(0.08, 0.03, 0.65, 5, 0, 4))
    assert preferred(tied) == "BG"
    assert (
        "CNBD came closer, 8.0 %, but by no more than one standard error (3.0 %), and BG is simpler"
        in verdict(tied)
    )
    apart = table(BG=(0.115, 0.01, 0.65, 4, 0, 4), CNBD=(0.08, 0.03, 0.65, 5, 0, 4))
    assert preferred(apart) == "CNBD"
    equals = table(MBG=(0.09, 0.01, 0.65, 4, 0, 4), BG=(0.08, 0.03, 0.65, 4, 0, 4))
    assert preferred(equals) == "BG"  # as simple, and closer


def test_too_far_off_twice_is_no_level():
    found = table(BG=(0.3, 0.01, 0.65, 4, 2, 4), Calendar=(0.1, 0.01, 0.1, 0, 1, 4))
    assert "Do not use it for the level: its total was more than 25 % off at 2 origins." in verdict(found)
    assert verdict(found).endswith("Use it to rank customers only; the level of Calendar was 10.0 % off.")
    assert "Do not use" not in verdict(table(BG=(0.3, 0.01, 0.65, 4, 1, 4)))


def test_nothing_is_never_ranked_whatever_it_wins():
    found = table(BG=(0.3, 0.01, 0.65, 4, 0, 4))
    found.loc["All zero", "value_mae"] = 0.0
    assert preferred(found) == "BG"
    assert "All zero" not in verdict(found)


def test_who_was_not_at_every_origin_is_out():
    found = table(BG=(0.3, 0.01, 0.65, 4, 0, 4), Formula_2=(0.1, 0.01, 0.65, 0, 0, 3))
    assert preferred(found) == "BG"


def test_one_origin_says_little():
    found = table(BG=(0.1, np.nan, 0.65, 4, 0, 1), Pareto=(0.09, np.nan, 0.65, 4, 0, 1))
    found["origins"] = 1
    assert preferred(found) == "Pareto"
    assert verdict(found).startswith("Over one origin, use Pareto: its totals of value were 9.0 % off.")
    assert verdict(found).endswith("One origin says little: a longer log, or a shorter horizon, gives more.")


def test_without_a_purchase_there_is_no_verdict():
    found = table(BG=(np.nan, np.nan, np.nan, 4, 0, 4))
    assert preferred(found) is None
    assert verdict(found).startswith("No verdict: nothing was bought")


def test_a_level_is_the_root_of_actual_by_forecast():
    assert factor(81.0, 100.0) == pytest.approx(0.9)
    assert factor(0.0, 100.0) is None
    assert factor(10.0, 0.0) is None


def test_the_rule_of_the_level():
    helped = level(0.9, {"a": 0.9, "b": 0.8}, {"a": 0.10, "b": 0.20, "c": 9.0})
    assert (helped.without, helped.with_it) == pytest.approx((0.15, (0.01 + 0.04) / 2))
    assert helped.factor == 0.9
    assert helped.sentence("BG") == (
        "Level of BG: the year before would lower it by 10.0 % in forecasts as long as a window, and by the "
        "rule may: over 2 origins totals were 15.0 % off on average, and 2.5 % when corrected so."
    )
    hurt = level(0.9, {"a": 0.9, "b": 0.8}, {"a": -0.10, "b": -0.20})
    assert hurt.factor == 1.0
    assert (
        "not corrected. The year before would lower it by 10.0 %, but over 2 origins totals were 15.0 % off"
        in hurt.sentence("BG")
    )
    once = level(0.9, {"a": 0.9}, {"a": 0.10})
    assert once.factor == 1.0
    assert "asks for 2 origins with a window a year earlier; got 1." in once.sentence("BG")
    never = level(None, {}, {})
    assert never.factor == 1.0
    assert "not corrected, for no window a year before as_of" in never.sentence("BG")


def test_a_summary_by_hand():
    errors = {"BG": [0.1, -0.3, 0.2], "Zero": [-1.0, -1.0, -1.0]}
    rows = [
        {"origin": i, "end": i, "contender": name, "customers": 10, "numbers": 4, "value_error": error}
        | {"purchases_error": -error, "value_gini": 0.6, "value_total": 5.0}
        for name, values in errors.items()
        for i, error in enumerate(values)
    ]
    found = summarise(pd.DataFrame(rows))
    assert list(found.index) == ["BG", "Zero"]
    row = found.loc["BG"]
    assert row["value_error"] == pytest.approx(0.2)
    assert row["value_error_se"] == pytest.approx(0.1 / np.sqrt(3))
    assert (row["value_bias"], row["purchases_bias"]) == pytest.approx((0, 0), abs=1e-12)
    assert (row["value_far"], row["origins"]) == (1, 3)
    assert "value_total" not in found.columns
