"""Tenths of customers by expected value, against pandas on the forecast's own rows."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clv
from clv.errors import ConfigError
from clv.evaluation.backtest import HoldoutResult
from clv.evaluation.metrics import tenths as in_memory
from clv.evaluation.study import Study
from clv.forecasting.customers import Forecast
from clv.forecasting.totals import ALL
from clv.reporting import tenth_tables
from clv.reporting.pages import pages
from clv.reporting.reviews import Review


def some(forecast: Forecast, customers: int) -> Forecast:
    """The forecast of its first customers by id."""
    part = dataclasses.replace(
        forecast, rfm=dataclasses.replace(forecast.rfm, table=first(forecast.rfm.table, customers))
    )
    part.__dict__["table"] = first(forecast.table, customers)
    return part


def first(table: Any, customers: int) -> Any:
    return table.order_by("customer_id").limit(customers)


def ranked(frame: pd.DataFrame) -> pd.Series:
    """Tenth of each row, 1 worth most: the place of the middle of those who tie, in pandas."""
    middle = frame["clv_mean"].rank(ascending=False) - 0.5
    return np.ceil(10 * middle / len(frame)).astype(int)


def test_tenths_counted_in_pandas(small_study: Study) -> None:
    each = small_study.forecast.customers().to_pandas()
    shown = tenth_tables.tenths(small_study.forecast).frame.drop(index=ALL)
    by = each.groupby(ranked(each))
    assert shown["customers"].tolist() == by.size().tolist()
    assert shown["customers"].sum() == 320
    assert by.size().between(30, 34).all()
    for key, column in (
        ("mean_value", "clv_mean"),
        ("mean_orders", "expected_purchases"),
        ("mean_buys", "p_purchase"),
    ):
        assert shown[key].to_numpy() == pytest.approx(by[column].mean().to_numpy()), key
    share = by["clv_mean"].sum() / each["clv_mean"].sum()
    assert shown["ahead_share"].to_numpy() == pytest.approx(share.to_numpy())
    assert shown["mean_value"].is_monotonic_decreasing


def test_the_last_row_is_all_customers(small_study: Study) -> None:
    each = small_study.forecast.customers().to_pandas()
    table = tenth_tables.tenths(small_study.forecast)
    whole = table.frame.loc[ALL]
    assert table.total
    assert (whole["tenth"], whole["customers"], whole["ahead_share"]) == (ALL, 320, pytest.approx(1))
    assert whole["mean_value"] == pytest.approx(each["clv_mean"].mean())
    assert whole["mean_orders"] == pytest.approx(each["expected_purchases"].mean())


def test_the_hold_out_is_ranked_by_what_was_known_at_the_cut(
    small_study: Study, small_log: pd.DataFrame
) -> None:
    held = small_study.holdout
    assert held is not None
    shown = tenth_tables.tenths(small_study.forecast, held).frame
    then = held.forecast.customers().to_pandas().set_index("customer_id")
    later = small_log[small_log["date"] > "2025-06-30"]  # counted in the log, not by the engine
    spent = later.groupby("customer_id")["amount"].sum().reindex(then.index).fillna(0.0)
    by = ranked(then.reset_index()).set_axis(then.index)
    assert shown["held_actual"].drop(ALL).to_numpy() == pytest.approx(spent.groupby(by).mean().to_numpy())
    model = then["clv_mean"].groupby(by).mean()
    assert shown["held_model"].drop(ALL).to_numpy() == pytest.approx(model.to_numpy())
    assert shown.loc[ALL, "held_actual"] == pytest.approx(held.actual_spend / len(then))
    basis = tenth_tables.tenths(small_study.forecast, held).basis
    assert "of the 320 known on 2025-06-30, from the day after to 2025-12-31" in basis


def test_without_a_hold_out_nothing_is_said_of_one(small_study: Study) -> None:
    table = tenth_tables.tenths(small_study.forecast)
    assert "Hold-out" not in table.basis + " ".join(column.label for column in table.columns)
    assert "next 12 months after 2025-12-31, contribution in EUR at 40 % margin" in table.basis


def test_those_worth_the_same_are_never_split(small_study: Study) -> None:
    whole = small_study.forecast
    level = np.sort(whole.customers().to_pandas()["clv_mean"])[-100]
    tied = some(whole, 320)
    tied.__dict__["table"] = whole.table.mutate(clv_mean=whole.table.clv_mean.clip(upper=level))
    frames = [tenth_tables.tenths(tied).frame for _ in range(3)]
    assert all(frame.equals(frames[0]) for frame in frames[1:])
    counts = frames[0]["customers"].drop(ALL).tolist()
    assert counts[:4] == [0, 100, 0, 28]  # the middle of the first hundred of 320 is in the second tenth
    cells = tenth_tables.tenths(tied).cells()
    assert cells[0] == ["1, worth most", "0", "0.0 %", "–", "–", "–"]


def test_everyone_worth_the_same_is_in_one_tenth(small_study: Study) -> None:
    tied = some(small_study.forecast, 100)
    tied.__dict__["table"] = tied.table.mutate(clv_mean=tied.table.clv_mean * 0)
    frame = tenth_tables.tenths(tied).frame.drop(index=ALL)
    assert frame["customers"].tolist() == [0, 0, 0, 0, 100, 0, 0, 0, 0, 0]
    assert frame["ahead_share"].isna().all()  # of nothing there are no shares
    assert in_memory(np.zeros(100)).tolist() == [5] * 100


def test_small_bases_have_no_tenths(small_study: Study) -> None:
    few = dataclasses.replace(small_study, forecast=some(small_study.forecast, 99))
    assert tenth_tables.of_study(few) == []
    with pytest.raises(ConfigError, match=r"C001 tenths need 100 customers; got 99"):
        tenth_tables.tenths(few.forecast)
    with pytest.raises(ConfigError) as error:
        clv.show(few.forecast, "tenths")
    assert "value_by_age." in str(error.value)
    many = some(small_study.forecast, 100)
    assert tenth_tables.tenths(many).frame["customers"].tolist() == [10] * 10 + [100]


def test_a_small_base_at_the_cut_leaves_the_hold_out_out(small_study: Study) -> None:
    held = small_study.holdout
    assert held is not None
    few: HoldoutResult = dataclasses.replace(held, forecast=some(held.forecast, 99))
    assert "held_model" not in tenth_tables.tenths(small_study.forecast, few).frame


def test_they_stand_beside_the_concentration_and_are_shown_by_name(
    small_study: Study, small_review: Review
) -> None:
    base = next(page for page in pages(small_review) if page.id == "base")
    names = [table.name for table in base.folded]
    assert names.index("tenths") == names.index("concentration") + 1
    shown = clv.show(small_study, "tenths").table.cells()
    assert shown == base.folded[names.index("tenths")].cells()
    assert [row[:6] for row in shown] == clv.show(small_study.forecast, "tenths").table.cells()
