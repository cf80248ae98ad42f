"""What a study puts together, and spend by age against a plain computation."""

import numpy as np
import pandas as pd
import pytest

import clv
from clv.data.ageing import spend_by_age
from clv.data.contract import Transactions
from clv.evaluation.study import Study, study
from clv.forecasting.economics import Economics

MONTH = 365.25 / 12


def test_spend_by_age_equals_brute_force(sample_orders: Transactions, sample_rfm: clv.RFM) -> None:
    log = clv.datasets.load_cdnow_sample()
    log = log[log["date"] <= "1997-09-30"]
    first = log.groupby("customer_id")["date"].min()
    age = (pd.Timestamp("1997-09-30") - first).dt.days
    log = log.assign(at=(log["date"] - log["customer_id"].map(first)).dt.days)
    found = spend_by_age(sample_orders, sample_rfm)
    total = 0.0
    for month in range(len(found)):
        old = age[age >= month * MONTH].index  # customers who have lived through all of it
        new = log[(log["at"] <= month * MONTH) & (log["at"] > (month - 1) * MONTH)]
        total += new.loc[new["customer_id"].isin(old), "amount"].sum() / len(old)
        assert found["customers"].iloc[month] == len(old)
        assert found["revenue"].iloc[month] == pytest.approx(total), month
    assert list(found["months"]) == list(range(len(found)))
    assert found["customers"].min() >= 100


def test_a_study_is_of_one_base(small_study: Study) -> None:
    s = small_study
    assert [c.by for c in s.comparisons] == ["channel", "country", "cohort", "rfm_segment"]
    assert s.forecast.rfm is s.rfm
    assert s.lifetime.rfm is s.rfm
    assert (s.forecast.horizon, s.lifetime.horizon) == ("12m", "lifetime")
    assert s.purchase.customers == 320
    assert s.cac is None  # by channel, so there is no one figure
    assert str(s.as_of) == "2025-12-31"
    assert s.holdout is not None
    assert str(s.holdout.holdout.cut) == "2025-06-30"


def test_steps_are_told_in_order(small_log: pd.DataFrame) -> None:
    steps: list[str] = []
    orders = Transactions(small_log, as_of="2025-12-31")
    made = study(orders, Economics(0.4, cac=9.0), progress=steps.append)
    assert made.holdout is None
    assert made.cac == 9.0
    assert steps[0] == "Counting customers"
    assert len(steps) == 4
    assert not any("Testing" in step for step in steps)


def test_segments_of_the_holdout_are_those_known_at_the_cut(small_study: Study) -> None:
    held = small_study.holdout
    assert held is not None
    table = held.holdout.rfm.to_pandas()
    since = table["T"] - table["recency"]
    recent = table["rfm_segment"].str.endswith("recent")
    assert since[recent].max() <= since[~recent].min()
    assert np.isclose(recent.mean(), 1 / 3, atol=0.02)


def test_without_a_discount_there_may_be_no_lifetime_value(sample_orders: Transactions) -> None:
    made = study(sample_orders, Economics(0.4, discount=0.0))
    assert made.purchase.model.a <= 1
    assert made.lifetime is None
    assert made.forecast.sums["clv"] > 0


def test_what_lies_beyond_five_years(cdnow_study: Study) -> None:
    lifetime = cdnow_study.lifetime
    assert lifetime is not None
    near = clv.forecast(
        cdnow_study.purchase,
        cdnow_study.spend,
        cdnow_study.rfm,
        "5y",
        margin=0.30,
        discount=0.15,
        allow_extrapolation=True,
    )
    share = 1 - near.sums["clv"] / lifetime.sums["clv"]
    assert cdnow_study.beyond_five_years == pytest.approx(share)
    assert 0.3 < share < 0.4
