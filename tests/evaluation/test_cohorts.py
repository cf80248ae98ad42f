"""Cohorts at equal age, against the log counted by hand, and against what they were made to be."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import clv
from clv.data.contract import Transactions
from clv.evaluation.cohorts import SURE, CohortLives, cohort_lives
from clv.forecasting.customers import Forecast
from clv.reporting import cohort_tables
from clv.reporting.reviews import Review
from clv.units import DAYS_PER_YEAR

MONTH = DAYS_PER_YEAR / 12
AS_OF = pd.Timestamp("2025-12-31")


def log_of(values: dict[str, float], customers: int = 150, seed: int = 1) -> pd.DataFrame:
    """Cohorts by month, all buying alike, each at its own mean value of an order."""
    rng, rows = np.random.default_rng(seed), []
    for month, value in values.items():
        start = pd.Timestamp(month)
        for i in range(customers):
            day = start + pd.Timedelta(int(rng.integers(0, 27)), "D")
            while day <= AS_OF:
                rows.append((f"{month} {i}", day.date(), round(value * rng.gamma(4, 0.25), 2)))
                if rng.random() < 0.15:
                    break
                day += pd.Timedelta(1 + int(rng.exponential(50)), "D")
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"])


def forecast_of(log: pd.DataFrame) -> tuple[Transactions, Forecast]:
    orders = Transactions(log, as_of="2025-12-31", currency="EUR")
    rfm = orders.rfm()
    fits = (clv.fit(kind, rfm) for kind in (clv.BGNBD, clv.GammaGamma))
    return orders, clv.forecast(*fits, rfm, horizon="12m", margin=0.4, discount=0.1)


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return log_of({f"2025-{month:02d}-01": 40.0 for month in (1, 3, 4, 6, 8)} | {"2025-07-01": 75.0})


@pytest.fixture(scope="module")
def forecast(log: pd.DataFrame) -> tuple[Transactions, Forecast]:
    return forecast_of(log)


@pytest.fixture(scope="module")
def lives(forecast: tuple[Transactions, Forecast]) -> CohortLives:
    return cohort_lives(*forecast)


def counted(log: pd.DataFrame) -> pd.DataFrame:
    """Each order with its customer's cohort and age then, and the customer's age now, in days."""
    day = pd.to_datetime(log["date"])
    first = day.groupby(log["customer_id"]).transform("min")
    known = {"cohort": first.dt.strftime("%Y-%m"), "at": (day - first).dt.days, "T": (AS_OF - first).dt.days}
    return log.assign(**known)


def test_what_a_cohort_brought_by_an_age_is_counted_of_customers_who_all_reached_it(
    log: pd.DataFrame, lives: CohortLives
) -> None:
    orders = counted(log)
    for cohort, own in orders.groupby("cohort"):
        each = own.groupby("customer_id")["T"].first()
        row = lives.table.T[cohort]
        assert row["customers"] == len(each)
        assert row["age"] == pytest.approx(each.mean() / MONTH)
        assert row["reached"] == int(each.min() / MONTH)
        assert row["so_far"] == pytest.approx(0.4 * own["amount"].sum() / len(each))
        for month, value in lives.actual[cohort].items():
            if month > row["reached"]:
                assert np.isnan(value)
            else:
                by_then = own[own["at"] <= month * MONTH]
                assert value == pytest.approx(0.4 * by_then["amount"].sum() / len(each))
    assert lives.actual.notna().any(axis=1).all()


def test_a_cohort_is_set_against_those_before_it_at_its_own_age(
    log: pd.DataFrame, lives: CohortLives
) -> None:
    orders = counted(log)
    assert list(lives.compared.index) == ["2025-03", "2025-04", "2025-06", "2025-07", "2025-08"]
    for cohort, row in lives.compared.iterrows():
        by_then = orders[orders["at"] <= row["at"] * MONTH]
        each = by_then.groupby(["cohort", "customer_id"])["amount"].sum() * 0.4
        own, before = each[cohort], each[each.index.get_level_values("cohort") < cohort]
        assert row["value"] == pytest.approx(own.mean())
        assert row["before"] == pytest.approx(before.mean())
        assert row["gap"] == pytest.approx(own.mean() / before.mean() - 1)
        parts = [part.var() * len(part) for _, part in before.groupby(level="cohort")]
        error = np.sqrt(own.var() / len(own) + sum(parts) / len(before) ** 2)
        assert row["z"] == pytest.approx((own.mean() - before.mean()) / error)


def test_cohorts_made_alike_are_not_called_different_and_one_that_spends_more_is(lives: CohortLives) -> None:
    found = lives.compared["z"]
    assert found["2025-07"] > SURE
    assert found.drop(["2025-07", "2025-08"]).abs().max() < SURE


def test_chance_alone_hardly_ever_passes_for_a_difference(lives: CohortLives) -> None:
    """Of six cohorts one passes in one report of twenty, if z is normal."""
    passed = (np.abs(np.random.default_rng(0).standard_normal((200_000, 6))).max(axis=1) > SURE).mean()
    assert passed == pytest.approx(0.055, abs=0.005)


def test_the_forecast_goes_on_from_what_the_same_customers_have_brought(
    forecast: tuple[Transactions, Forecast], lives: CohortLives
) -> None:
    table = dataclasses.replace(forecast[1], discount=0.0).table
    means = table.group_by("cohort").aggregate(v=table.clv_mean.mean()).to_pandas().set_index("cohort")["v"]
    for cohort, rows in lives.ahead.groupby("cohort"):
        row, start, end = lives.table.T[cohort], rows.iloc[0], rows.iloc[-1]
        assert start[["mean", "low", "high"]].tolist() == [row["so_far"]] * 3
        assert start["months"] == row["age"]
        assert end["months"] == pytest.approx(row["age"] + 365 / MONTH)
        assert end["mean"] == pytest.approx(row["so_far"] + means[cohort], rel=1e-6)
        assert rows["mean"].is_monotonic_increasing
        assert (rows["low"] <= rows["mean"]).all()
        assert (rows["mean"] <= rows["high"]).all()
        assert (rows["high"] - rows["low"]).is_monotonic_increasing


@pytest.fixture
def review(small_review: Review, lives: CohortLives) -> Review:
    found = dataclasses.replace(small_review)
    found.__dict__["cohorts"] = lives
    return found


def test_the_sentence_names_the_cohort_that_differs_most(review: Review, lives: CohortLives) -> None:
    row = lives.table.T["2025-07"]
    differ = (lives.compared["z"].abs() > SURE).sum()
    said = cohort_tables.finding(review)
    assert said.startswith(f"{differ} of 5 cohorts differ{'s' if differ == 1 else ''} from those of the year")
    assert f"customers of 2025-07 had brought {row['value']:.2f} EUR each, {row['gap']:.1%} more" in (
        said.replace(" %", "%")
    )


def test_the_sentence_says_when_no_cohort_differs(review: Review, lives: CohortLives) -> None:
    alike = lives.table.assign(z=lives.table["z"].where(lives.table["z"].isna(), 1.0))
    review.__dict__["cohorts"] = dataclasses.replace(lives, table=alike)
    said = cohort_tables.finding(review)
    assert said.startswith("None of 5 cohorts differs")
    assert "customers of 2025-08 had brought" in said


def test_small_cohorts_are_compared_with_nothing(small_review: Review) -> None:
    assert small_review.cohorts.compared.empty
    assert cohort_tables.finding(small_review) == ""
    marked = cohort_tables.cohort_ages(small_review).frame["cohort"]
    assert marked.str.endswith(" (few)").all()


def test_the_chart_and_the_table_show_the_same_figures(review: Review) -> None:
    chart, table = cohort_tables.cohorts_by_age(review).frame, cohort_tables.cohort_ages(review).frame
    for _, row in table.iterrows():
        own = chart[chart["cohort"] == row["cohort"].removesuffix(" (few)")]
        seen = own.set_index("months")["actual"].dropna()
        assert seen[3] == row["by_3"]
        assert own[["mean", "low", "high"]].iloc[-1].tolist() == row[["mean", "low", "high"]].tolist()
        assert own.dropna(subset=["mean"])["mean"].iloc[0] == seen.iloc[-1]
