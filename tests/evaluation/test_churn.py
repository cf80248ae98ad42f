"""Definitions of churn side by side: counted in pandas, and the published figures of CDNOW."""

import dataclasses
import math

import pandas as pd
import pytest

import clv
from clv.data.contract import Transactions
from clv.data.holdout import split
from clv.evaluation.churn import churn_definitions
from clv.evaluation.study import Study
from clv.forecasting.economics import Economics
from clv.forecasting.totals import ALL
from clv.reporting import churn_tables
from clv.reporting.pages import pages
from clv.reporting.reviews import Review

YEAR, AS_OF = 365.25, pd.Timestamp("2025-12-31")
SILENT = {  # definition → days of silence after which a customer is lost, and days of a period
    **{f"Inactive for {days} days": (days, YEAR) for days in (60, 90, 180, 365)},
    "Not returning within 3 months": (89, 90),
    "Not returning within 6 months": (180, 181),
    "Not returning within 12 months": (364, 365),
}


@pytest.fixture(scope="module")
def cut_rfm(cdnow_study: Study) -> clv.RFM:
    """CDNOW as it stood after 39 weeks."""
    return split(cdnow_study.orders, "1997-09-30").rfm


def by_rule(rfm: clv.RFM, economics: Economics, days: float = 365) -> pd.DataFrame:
    return churn_definitions(rfm, economics, days).set_index("definition")


def test_formula_2_on_cdnow_is_as_published(cut_rfm: clv.RFM) -> None:
    frame = by_rule(cut_rfm, Economics(0.40))
    assert frame.loc["Inactive for 60 days", "formula_2"] == pytest.approx(53.6, abs=0.05)
    assert frame.loc["Inactive for 180 days", "formula_2"] == pytest.approx(67.77, abs=0.005)
    assert frame.index[frame["used"]].tolist() == ["Inactive for 180 days"]
    # Nobody is a year old, so nobody can be known to have been silent for one.
    assert list(frame.index) == [name for name in SILENT if "365" not in name and "12" not in name]


def test_the_same_from_the_file_alone() -> None:
    """The published figures by hand: orders of zero left out, orders of a day added up."""
    log = clv.datasets.load_cdnow()
    log = log.assign(date=pd.to_datetime(log["date"])).query("amount > 0 and date <= '1997-09-30'")
    days = log.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    each = days.groupby("customer_id")["date"].agg(["min", "max"])
    end = pd.Timestamp("1997-09-30")
    age, silent = (end - each["min"]).dt.days, (end - each["max"]).dt.days
    value = days["amount"].mean() * len(days) / age.sum() * YEAR * 0.40
    for length, published in ((60, 53.6), (180, 67.77)):
        old = age > length
        assert value / (silent[old] > length).mean() == pytest.approx(published, abs=0.05)


def test_every_row_counted_in_pandas(small_study: Study, small_log: pd.DataFrame) -> None:
    dates = small_log.assign(date=pd.to_datetime(small_log["date"]))
    days = dates.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    each = days.groupby("customer_id")["date"].agg(["min", "max"])
    age, silent = (AS_OF - each["min"]).dt.days, (AS_OF - each["max"]).dt.days
    frame = by_rule(small_study.rfm, small_study.economics)
    assert list(frame.index) == list(SILENT)
    for name, (length, period) in SILENT.items():
        old = age > length
        churn, frequency = (silent[old] > length).mean(), len(days) / age.sum() * period
        value = days["amount"].mean() * frequency * 0.4
        expected = {
            "counted": old.sum(),
            "churn": churn,
            "period_days": period,
            "frequency": frequency,
            "formula_2": value / churn,
            "formula_2_within": sum_of_periods(value, churn, 365 / period),
        }
        assert frame.loc[name, list(expected)].tolist() == pytest.approx(list(expected.values())), name


def sum_of_periods(value: float, churn: float, periods: float) -> float:
    """The value of each period by those who are still there, added up; of the last one a part."""
    whole = int(periods)
    kept = 1 - churn
    rest = kept**whole * (1 - kept ** (periods - whole)) / churn
    return value * (sum(kept**k for k in range(whole)) + rest)


def test_the_row_in_use_is_that_of_the_comparison(small_study: Study) -> None:
    frame = by_rule(small_study.rfm, small_study.economics, small_study.forecast.days)
    whole, used = small_study.comparisons[0].table.loc[ALL], frame[frame["used"]].iloc[0]
    for name in ("churn", "frequency", "formula_2", "formula_2_within"):
        assert used[name] == pytest.approx(whole[name]), name


@pytest.mark.parametrize(
    ("churn", "first", "rows"),
    [
        ("inactive:120d", "Inactive for 120 days", 8),
        ("inactive:26w", "Inactive for 26 weeks", 8),
        (0.3, "30 % a year, as given", 8),
        ("period:1y", "Inactive for 60 days", 7),  # the same as twelve months, and marked there
    ],
)
def test_a_definition_of_ones_own_leads(
    small_study: Study, churn: str | float, first: str, rows: int
) -> None:
    frame = churn_definitions(small_study.rfm, dataclasses.replace(small_study.economics, churn=churn), 365)
    assert frame["definition"].iloc[0] == first
    assert len(frame) == rows
    assert frame["used"].sum() == 1
    own = frame[frame["used"]].iloc[0]
    assert math.isnan(own["counted"]) == (churn == 0.3)
    if churn == 0.3:
        assert own["churn"] == 0.3
        assert own["period_days"] == YEAR
    if churn == "period:1y":
        assert own["definition"] == "Not returning within 12 months"


def test_a_log_too_short_for_all_keeps_the_one_in_use(small_log: pd.DataFrame) -> None:
    few = small_log[small_log["customer_id"] < "C0050"]
    frame = churn_definitions(Transactions(few, as_of="2025-12-31").rfm(), Economics(0.4), 365)
    assert frame["definition"].tolist() == ["Inactive for 180 days"]
    assert frame["counted"].iloc[0] == 50


def test_where_nobody_was_lost_there_is_no_formula_2(small_log: pd.DataFrame) -> None:
    log = small_log.groupby("customer_id", as_index=False).first()
    log = pd.concat([log, log.assign(date="2025-12-31")])
    frame = churn_definitions(Transactions(log, as_of="2025-12-31").rfm(), Economics(0.4), 365)
    assert frame[["churn", "formula_2", "formula_2_within"]].isna().all().all()


def test_the_table_stands_with_the_formulas_and_says_how_far_they_move(
    small_study: Study, small_review: Review
) -> None:
    page = next(page for page in pages(small_review) if page.id == "formulas")
    table = clv.show(small_study, "churn_definitions").table
    assert table.cells() in [other.cells() for other in page.folded]
    said = churn_tables.finding(small_study, table)
    assert said in page.notes
    values = table.frame.set_index("definition")["formula_2"]
    low, high = values.idxmin(), values.idxmax()
    start = f"from {values[low]:.2f} EUR ({low[0].lower()}{low[1:]}) to {values[high]:.2f} EUR ("
    assert said.startswith(
        f"Formula 2 moves with the definition of churn alone: as quoted, without an end, {start}"
    )
    model = small_study.comparisons[0].table.loc[ALL, "model_new"]
    assert said.endswith(f"The model gives {model:.2f} EUR for those 12 months.")
    assert table.frame["model_new"].tolist() == [model] * len(table.frame)
    assert "40 % margin in EUR, undiscounted, before acquisition cost" in table.basis
    assert [row[0] for row in table.cells() if "used here" in row[0]] == ["Inactive for 180 days (used here)"]


def test_rows_of_one_period_are_alike_and_it_is_said_why(small_study: Study) -> None:
    table = churn_tables.churn_definitions(small_study)
    frame = table.frame
    still = frame["still"]
    assert list(still) == [row["period_days"] > 300 for row in frame.to_dict("records")]
    run_rate = frame["formula_2"] * frame["churn"]  # value × orders a period × margin
    assert frame.loc[still, "formula_2_within"].to_numpy() == pytest.approx(
        run_rate[still].to_numpy(), rel=0.01
    )
    said = (
        "Where the period is 365 days, 12 months are one of them, and in the first period churn plays no part"
    )
    assert said in table.basis
    assert "(any with a period of 12 months), " in churn_tables.finding(small_study, table)
    half = dataclasses.replace(small_study.forecast, horizon="6m")
    shorter = dataclasses.replace(small_study, forecast=half)
    assert "one of them" in churn_tables.churn_definitions(shorter).basis  # the rule of six months
    third = dataclasses.replace(small_study, forecast=dataclasses.replace(half, horizon="4m"))
    assert "one of them" not in churn_tables.churn_definitions(third).basis


def test_of_one_definition_no_movement_is_said(small_study: Study) -> None:
    table = churn_tables.churn_definitions(small_study)
    one = dataclasses.replace(table, frame=table.frame.iloc[:1])
    assert churn_tables.finding(small_study, one) == ""


@pytest.mark.parametrize(("high", "said"), [(67.77, "26.4 % more"), (120.0, "2.24 times as much")])
def test_the_movement_in_words(small_study: Study, high: float, said: str) -> None:
    table = churn_tables.churn_definitions(small_study)
    frame = table.frame.iloc[:2].assign(formula_2=[53.6, high], formula_2_within=[39.0, 40.0])
    alike = churn_tables.finding(small_study, dataclasses.replace(table, frame=frame))
    assert (
        "; within 12 months it stands at 40.00 EUR by all of them. " in alike
    )  # both periods are the horizon
    frame = frame.assign(still=False)
    found = churn_tables.finding(small_study, dataclasses.replace(table, frame=frame))
    assert f"from 53.60 EUR (inactive for 60 days) to {high:.2f} EUR (inactive for 90 days), {said};" in found
    assert "within 12 months from 39.00 EUR (inactive for 60 days) to 40.00 EUR" in found
