"""The simple formulas and baselines against hand-computed numbers and published identities."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv.data.contract import Transactions
from clv.data.holdout import split
from clv.evaluation.inputs import formula_inputs
from clv.evaluation.study import Study
from clv.forecasting import simple
from clv.forecasting.economics import Churn, Economics
from clv.forecasting.totals import ALL

# Day, value; as of day 100. A: T 100, x 1. B: T 80, x 0. C: T 60, x 2, bought today. D: new today.
BASE = {"A": [(0, 100), (10, 50)], "B": [(20, 30)], "C": [(40, 20), (70, 40), (100, 60)], "D": [(100, 60)]}
REVENUE, ORDERS, REPEATS, EXPOSURE = 360.0, 7, 3, 240.0


@pytest.fixture(scope="module")
def base() -> Transactions:
    rows = [
        (c, pd.Timestamp("2026-01-01") + pd.Timedelta(days=d), v) for c, own in BASE.items() for d, v in own
    ]
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    return Transactions(log, as_of="2026-04-11")


def inputs(base: Transactions, churn: str | float = "inactive:30d", days: float = 30) -> pd.Series:
    return formula_inputs(base.rfm(), Economics(0.4, churn=churn).churn_rule(), days).loc[ALL]


def test_worked_example_of_formula_1() -> None:
    assert simple.per_customer(90, 3, 6, 0.20) == pytest.approx(52.80, abs=1e-12)


@given(cac=st.floats(0, 500), margin=st.floats(0.01, 1))
def test_the_two_forms_differ_by_the_cac_that_margin_does_not_charge(cac: float, margin: float) -> None:
    gap = simple.per_customer(90, 3, cac, margin) - simple.per_customer_contribution(90, 3, cac, margin)
    assert gap == pytest.approx(cac * (1 - margin), abs=1e-9)


def test_order_value_divides_by_orders_not_by_customers(base: Transactions) -> None:
    found = inputs(base)
    assert found["orders"] == ORDERS
    assert found["aov"] == pytest.approx(REVENUE / ORDERS)
    assert found["aov"] * found["orders_per_customer"] == pytest.approx(REVENUE / len(BASE))  # counted once


def test_inputs_of_a_base_computed_by_hand(base: Transactions) -> None:
    found = inputs(base)
    expected = {
        "customers": 4,
        "repeats": REPEATS,
        "revenue": REVENUE,
        "exposure_days": EXPOSURE,
        "orders_per_customer": 1.75,
        "repeat_rate": REPEATS / EXPOSURE,
        "frequency": ORDERS / EXPOSURE * 365.25,
        "own_rate": 1 / 100 * 30 * 75 + 2 / 60 * 30 * 40,
        "own_rate_with_first": 30 * (150 / 100 + 30 / 80 + 120 / 60 + 60 / 28),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_run_rates_of_a_base_computed_by_hand() -> None:
    assert simple.run_rate(REVENUE, EXPOSURE, 30, 4) == pytest.approx(180)
    assert simple.repeat_run_rate(REPEATS, EXPOSURE, REVENUE / ORDERS, 30, 4) == pytest.approx(540 / 7)
    assert simple.calendar_run_rate(REVENUE, 100, 30) == pytest.approx(108)


@pytest.mark.parametrize(
    ("churn", "share"),
    [
        ("inactive:30d", 2 / 3),  # A and B, not C; D came today and cannot have been silent
        ("inactive:79d", 2 / 2),
        ("inactive:80d", 1 / 1),  # A; B came 80 days ago, not more
        ("period:60d", 2 / 3),  # C is 60 days old and counts, D is younger than a period and does not
        ("period:61d", 2 / 2),
        ("period:80d", 2 / 2),  # B bought on the day before the last 80 began
        ("period:1d", 2 / 3),  # C bought on the last day; D has not lived one
        (0.25, 0.25),
    ],
)
def test_churn_rules_on_a_base_counted_by_hand(base: Transactions, churn: str | float, share: float) -> None:
    assert inputs(base, churn)["churn"] == pytest.approx(share)


@pytest.mark.parametrize("churn", ["inactive:200d", "period:1y"])
def test_churn_of_nobody_is_unknown_not_zero(base: Transactions, churn: str) -> None:
    assert math.isnan(inputs(base, churn)["churn"])


def test_frequency_and_churn_are_of_the_same_period(base: Transactions) -> None:
    assert inputs(base, "period:60d")["frequency"] == pytest.approx(ORDERS / EXPOSURE * 60)


@pytest.mark.parametrize(
    ("churn", "value", "within"), [("inactive:60d", 53.6, 0.05), ("inactive:180d", 67.77, 0.01)]
)
def test_formula_2_moves_with_the_churn_definition(
    cdnow_study: Study, churn: str, value: float, within: float
) -> None:
    cut = split(cdnow_study.orders, "1997-09-30").rfm
    i = formula_inputs(cut, Economics(0.4, churn=churn).churn_rule(), 1).loc[ALL]
    assert simple.four_metric(i["aov"], i["frequency"], 0.4, i["churn"]) == pytest.approx(value, abs=within)


def test_four_metric_formula() -> None:
    assert simple.four_metric(50, 4, 0.3, 0.5) == pytest.approx(120)


def test_formula_2_truncated_grows_from_nothing_to_formula_2() -> None:
    whole, cut = simple.four_metric(50, 4, 0.3, 0.5), simple.four_metric_within
    values = cut(50, 4, 0.3, 0.5, np.array([0, 1, 2, 200]))
    assert values == pytest.approx([0, 60, 90, whole])  # 60 in the first period, half of it in the second
    assert cut(50, 4, 0.3, 1.0, 3) == pytest.approx(60)  # when everyone leaves only the first period counts


def test_orders_within_a_horizon_stop_at_the_observed_lifetime() -> None:
    within = simple.orders_within(3.0, 0.01, np.array([0, 100, 200, 10_000]))
    assert within == pytest.approx([1, 2, 3, 3])


@given(m=st.floats(1, 1e4), r=st.floats(0, 0.999), d=st.floats(0.001, 1))
def test_annuities_keep_their_identities(m: float, r: float, d: float) -> None:
    due = simple.annuity_due(m, r, d)
    residual, ordinary = simple.annuity_residual(m, r, d), simple.annuity_ordinary(m, r, d)
    assert due == pytest.approx(m + residual)  # a payment now, then what is left of it
    assert due == pytest.approx(ordinary * (1 + d))  # the same payments one period later
    assert due == pytest.approx(
        sum(m * (r / (1 + d)) ** k for k in range(2000)) + due * (r / (1 + d)) ** 2000
    )


def test_annuities_by_hand() -> None:
    assert simple.annuity_due(100, 0.8, 0.1) == pytest.approx(366.6667, abs=1e-4)
    assert simple.annuity_residual(100, 0.8, 0.1) == pytest.approx(266.6667, abs=1e-4)
    assert simple.annuity_ordinary(100, 0.8, 0.1) == pytest.approx(333.3333, abs=1e-4)


def test_inputs_by_segment_add_up_to_the_whole(sample_rfm: object) -> None:
    rule = Churn("", silent_days=60)
    parts = formula_inputs(sample_rfm, rule, 30, "cohort")  # type: ignore[arg-type]
    whole = formula_inputs(sample_rfm, rule, 30).loc[ALL]  # type: ignore[arg-type]
    for name in (
        "customers",
        "orders",
        "repeats",
        "revenue",
        "exposure_days",
        "own_rate",
        "own_rate_with_first",
    ):
        assert parts[name].sum() == pytest.approx(whole[name])
