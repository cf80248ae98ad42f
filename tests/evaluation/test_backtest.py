"""The hold-out on the whole CDNOW log, against published numbers and against the log itself."""

import numpy as np
import pandas as pd
import pytest

import clv
from clv.errors import ConfigError
from clv.evaluation.backtest import MODEL, HoldoutResult, evaluate_holdout
from clv.evaluation.study import Study
from clv.forecasting.economics import Economics
from clv.forecasting.totals import ALL


@pytest.fixture(scope="module")
def result(cdnow_study: Study) -> HoldoutResult:
    assert cdnow_study.holdout is not None
    return cdnow_study.holdout


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """Purchase days of customers in the calibration period, zeros dropped, repeated rows kept."""
    rows = clv.datasets.load_cdnow()
    rows = rows[rows["amount"] > 0].assign(after=rows["date"] > "1997-09-30")
    return rows.groupby(["customer_id", "date", "after"], as_index=False)["amount"].sum()


def test_published_totals_of_the_whole_log(result: HoldoutResult) -> None:
    error = result.contenders["error"]
    assert result.actual_spend == pytest.approx(776_870.70, abs=0.005)
    assert error["Run-rate"] == pytest.approx(1.644, abs=0.0005)
    assert error["Repeat run-rate"] == pytest.approx(0.345, abs=0.0005)
    assert len(result.holdout.rfm) == 23_500
    published = clv.evaluate_holdout(
        result.holdout, clv.Economics(1.0), clv.Inference(first_order="excluded")
    )
    assert published.model_error == pytest.approx(-0.173, abs=0.005)
    assert published.individual.loc[MODEL, "top_decile"] == pytest.approx(0.52, abs=0.006)
    assert result.model_error == pytest.approx(-0.189, abs=0.005)  # spend learnt from all orders
    assert result.individual.loc[MODEL, "gini"] > published.individual.loc[MODEL, "gini"] + 0.02


def test_actuals_are_those_of_the_log(result: HoldoutResult, log: pd.DataFrame) -> None:
    known = log.loc[~log["after"], "customer_id"].unique()
    after = log[log["after"] & log["customer_id"].isin(known)]
    assert result.actual_spend == pytest.approx(after["amount"].sum())
    assert result.holdout.later_customers == log["customer_id"].nunique() - len(known)
    bought = (result.calibration["customers"] * result.calibration["actual"]).sum()
    assert bought == pytest.approx(len(after))


def test_baselines_recomputed_from_the_log(result: HoldoutResult, log: pd.DataFrame) -> None:
    past = log[~log["after"]].groupby("customer_id")
    n, spent = past.size(), past["amount"].sum()
    age = (pd.Timestamp("1997-09-30") - past["date"].min()).dt.days
    days, exposure, people = 273, age.sum(), len(n)
    orders, revenue = n.sum(), spent.sum()
    within = min(orders / people, 1 + (n - 1).sum() / exposure * days)
    silent = ((pd.Timestamp("1997-09-30") - past["date"].max()).dt.days > 180).mean()
    a_year = orders / exposure * 365.25
    expected = {
        "Run-rate": revenue / exposure * days * people,
        "Repeat run-rate": (n - 1).sum() / exposure * days * people * revenue / orders,
        "Own rate": ((n - 1) / age * days * spent / n).sum(),
        "Own rate with first order": (spent / age.clip(lower=28) * days).sum(),
        "Calendar run-rate": revenue / 273 * days,
        "Formula 1": people * revenue / orders * within,
        "Formula 2": people * revenue / orders * a_year * (1 - (1 - silent) ** (days / 365.25)) / silent,
    }
    assert dict(result.contenders["forecast"].drop(MODEL)) == pytest.approx(expected)
    assert list(result.contenders.index) == [MODEL, *expected]


def test_errors_are_of_one_actual(result: HoldoutResult) -> None:
    frame = result.contenders
    assert frame["actual"].nunique() == 1
    assert (frame["forecast"] / frame["actual"] - 1).to_numpy() == pytest.approx(frame["error"].to_numpy())


def test_model_total_is_the_sum_over_customers_in_revenue(result: HoldoutResult) -> None:
    total = result.forecast.sums["clv"]
    assert result.contenders.loc[MODEL, "forecast"] == pytest.approx(total)
    assert (result.forecast.margin, result.forecast.discount) == (1.0, 0.0)


@pytest.mark.parametrize("by", ["cohort", "rfm_segment"])
def test_segments_add_up_to_the_whole(result: HoldoutResult, by: str) -> None:
    parts, whole = result.by_segment(by), result.by_segment(None).loc[ALL]
    for name in ("customers", "actual", MODEL, "Own rate"):
        assert parts[name].sum() == pytest.approx(whole[name])
    assert whole["actual"] == pytest.approx(result.actual_spend)


def test_calibration_bins_hold_everyone(result: HoldoutResult) -> None:
    frame = result.calibration
    assert list(frame.index) == [*map(str, range(7)), "7+"]
    assert frame["customers"].sum() == 23_500
    assert frame["forecast"].is_monotonic_increasing
    expected = result.forecast.sums["orders"]
    assert (frame["customers"] * frame["forecast"]).sum() == pytest.approx(expected)


def test_assumptions_about_money_play_no_part(small_study: Study) -> None:
    held = small_study.holdout
    assert held is not None
    again = evaluate_holdout(held.holdout, Economics(0.9, 0.5, "24m", cac=100.0))
    pd.testing.assert_frame_equal(again.contenders, held.contenders)


def test_a_holdout_without_a_purchase_has_no_error(small_log: pd.DataFrame) -> None:
    quiet = small_log[small_log["date"] <= "2025-06-30"]
    orders = clv.Transactions(quiet, as_of="2025-12-31", allow_gap="200d")
    result = evaluate_holdout(clv.split(orders, "2025-06-30"), Economics(0.4))
    assert result.actual_spend == 0
    assert np.isnan(result.contenders["error"]).all()
    assert np.isnan(result.individual["gini"]).all()


def test_a_calibration_without_repeats_cannot_be_fitted(small_log: pd.DataFrame) -> None:
    once = small_log.drop_duplicates("customer_id")
    with pytest.raises(
        ConfigError, match=r"C007 holdout leaves too little .* 2024-06-30: BGNBD .* Move the cut"
    ):
        evaluate_holdout(clv.split(clv.Transactions(once, as_of="2024-10-30"), "2024-06-30"), Economics(0.4))
