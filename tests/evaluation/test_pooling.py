"""Poolings side by side on what happened after a cut."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import clv
from clv import BGNBD, ConfigError, GammaGamma


def log_of_shops(seed):
    """Thirty channels of 10 to 80 customers, who buy and leave at rates that channels differ in."""
    rng, rows = np.random.default_rng(seed), []
    for channel in range(30):
        lost = 1 / (1 + np.exp(1.2 - 0.8 * rng.standard_normal()))
        often = np.exp(0.5 * rng.standard_normal()) / 40
        for i in range(int(rng.choice([10, 25, 80]))):
            rate, leave = rng.gamma(2.0, often / 2), rng.beta(6 * lost, 6 * (1 - lost))
            day, first = float(rng.integers(0, 60)), True
            while day < 420:
                rows.append((f"{channel}-{i}", int(day), f"c{channel:02d}"))
                if not first and rng.random() < leave:
                    break
                first = False
                day += 1 + rng.exponential(1 / rate)
    frame = pd.DataFrame(rows, columns=["customer_id", "day", "channel"])
    frame["date"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(frame.pop("day"), "D")).dt.date.astype(str)
    return frame.assign(amount=10.0)


@pytest.fixture(scope="module")
def held():
    orders = clv.Transactions(log_of_shops(3), as_of="2025-02-20", segments=("channel",), duplicates="drop")
    return clv.split(orders, dt.date(2024, 8, 20))


@pytest.fixture(scope="module")
def found(held):
    return clv.compare_pooling(held, BGNBD, "channel")


def test_drawn_together_small_groups_forecast_better_than_alone_or_alike(found):
    assert list(found.index) == ["complete", "partial", "none"]
    assert found["log_score"].idxmax() == "partial"
    assert found["group_error"].idxmin() == "partial"
    assert np.all(found["worst_group"] >= found["group_error"])


def test_scores_are_those_of_single_customers(held, found):
    found = found.loc["complete"]
    fit = clv.fit(BGNBD, held.rfm, method="map", by="channel", pooling="complete")
    frame = held.rfm.to_pandas()
    h = clv.PurchaseHistory.from_days(frame["frequency"], frame["recency"], frame["T"])
    weeks, actual = held.days / 7, frame["actual_purchases"].to_numpy()
    each = np.array([fit.model.purchase_pmf(h, weeks, int(n))[i] for i, n in enumerate(actual)])
    assert found["log_score"] == pytest.approx(np.log(each).mean())
    expected = fit.model.expected_purchases(h, weeks)
    assert found["total_error"] == pytest.approx(expected.sum() / actual.sum() - 1)
    off = pd.Series(expected - actual).groupby(frame["channel"]).mean().abs()
    assert found["worst_group"] == pytest.approx(off.max())


def test_what_cannot_be_compared_is_refused(held):
    with pytest.raises(ConfigError, match="C012 pooling is compared for purchase models"):
        clv.compare_pooling(held, GammaGamma, "channel")
    with pytest.raises(ConfigError, match="C001 by must name a segment"):
        clv.compare_pooling(held, BGNBD, "country")
