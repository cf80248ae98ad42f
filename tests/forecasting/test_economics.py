"""Every assumption that cannot be meant is refused with its code, all of them together."""

import math
from typing import Any

import pytest

from clv.errors import ConfigError
from clv.forecasting.economics import Economics


@pytest.mark.parametrize(
    ("code", "given", "said"),
    [
        ("C002", {"margin": 0}, "got 0"),
        ("C002", {"margin": -0.1}, "got -0.1"),
        ("C002", {"margin": 30}, "Did you mean 0.3?"),
        ("C002", {"margin": math.nan}, "got nan"),
        ("C003", {"discount": -0.01}, "got -0.01"),
        ("C003", {"discount": "10%"}, "got '10%'"),
        ("C002", {"margin": "x"}, "got 'x'"),
        ("C002", {"margin": True}, "got True"),
        ("C004", {"churn": None}, "got None"),
        ("P002", {"cac": {"web": "3"}}, "'3'"),
        ("C003", {"discount": 10}, "Did you mean 0.1?"),
        ("C003", {"discount": 2}, "Did you mean 0.02?"),
        ("C003", {"discount": 100}, "Did you mean 1?"),
        ("C003", {"discount": math.nan}, "got nan"),
        ("C009", {"discount": 1.2}, "got 1.2. Write 0.012 for 1.2 %, or 0.12 for 12 %."),
        ("C009", {"discount": 1.999}, "got 1.999"),
        ("C009", {"discount": 100.5}, "got 100.5"),
        ("C009", {"discount": math.inf}, "got inf"),
        ("C004", {"churn": 0}, "got 0"),
        ("C004", {"churn": 1.2}, "got 1.2"),
        ("C004", {"churn": 20}, "Did you mean 0.2?"),
        ("C004", {"churn": math.nan}, "got nan"),
        ("C004", {"churn": "often"}, "'often'"),
        ("C004", {"churn": "inactive"}, "'inactive'"),
        ("C004", {"churn": "silent:30d"}, "'silent:30d'"),
        ("C004", {"churn": "inactive:30"}, "'inactive:30'"),
        ("C006", {"horizon": "12"}, "'12'"),
        ("C006", {"horizon": "0m"}, "'0m'"),
        ("C006", {"horizon": "lifetime"}, "lifetime"),
        ("C006", {"horizon": 12}, "got 12"),
        ("C006", {"horizon": None}, "got None"),
        ("C008", {"horizon": "9000y"}, "9999"),
        ("C010", {"horizon": ["3m", "12m"]}, "horizon must be one length; got ['3m', '12m']"),
        ("C010", {"horizon": ("12m",)}, "got ['12m']"),
        ("P002", {"cac": -1.0}, "-1.0"),
        ("P002", {"cac": math.nan}, "nan"),
        ("P002", {"cac": {"A": 3.0, "B": -2.0}}, "-2.0"),
    ],
)
def test_each_error_has_its_code_and_the_value(code: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Economics(**({"margin": 0.3} | given))
    assert caught.value.codes == [code]
    assert said in str(caught.value)


def test_all_errors_come_together() -> None:
    with pytest.raises(ConfigError) as caught:
        Economics(30, 15, "12", churn=0, cac=-1)
    assert sorted(caught.value.codes) == ["C002", "C003", "C004", "C006", "P002"]


@pytest.mark.parametrize(
    "given", [{"margin": 1}, {"discount": 0}, {"discount": 1}, {"churn": 1}, {"cac": 0.0}]
)
def test_limits_are_allowed(given: dict[str, Any]) -> None:
    assert Economics(**({"margin": 0.3} | given)).margin > 0


def test_churn_rules_say_what_they_count() -> None:
    inactive = Economics(0.3, churn="inactive:180d").churn_rule()
    assert (inactive.silent_days, inactive.period_days) == (180, 365.25)
    period = Economics(0.3, churn="period:90d").churn_rule()
    assert (period.silent_days, period.period_days) == (89, 90)
    assert Economics(0.3, churn=0.4).churn_rule().share == 0.4
    assert "180 days" in inactive.sentence
    assert "90 days" in period.sentence


def test_a_cost_of_a_segment_that_does_not_exist_is_named_with_the_nearest() -> None:
    economics = Economics(0.3, cac={"Köln": 3.0, "Koln": 1.0, "zzz": 2.0})
    with pytest.raises(ConfigError) as caught:
        economics.check_segments({"Köln", "Brno"})
    assert caught.value.messages == (
        "P001 cac names a segment that no customer is in; got 'Koln'. Did you mean 'Köln'?",
        "P001 cac names a segment that no customer is in; got 'zzz'. Name its column in segments.",
    )


@pytest.mark.parametrize("cac", [None, 0.0, 12.5, {}, {"Köln": 3.0}])
def test_costs_of_segments_that_exist_pass(cac: Any) -> None:
    economics = Economics(0.3, cac=cac)
    economics.check_segments({"Köln"})
    assert economics.cac == cac
