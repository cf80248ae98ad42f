"""The ledger beside the log, key figures and the base, where the log is short, odd or not calendar-like."""

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clv
from clv.data.books import read_ledger
from clv.errors import ConfigError
from clv.evaluation.study import Study
from clv.forecasting.totals import ALL
from clv.reporting import base_tables, evidence_tables, pages
from clv.reporting.grid import Page, Table
from clv.reporting.reviews import Review
from clv.reporting.thresholds import SEASONAL


def books(log: pd.DataFrame, length: str) -> pd.DataFrame:
    """Net revenue by period as the log has it, named as of fiscal years that begin in July."""
    period = pd.to_datetime(log["date"]).dt.to_period(length)
    found = log.groupby(period)["amount"].sum().rename("net_revenue").rename_axis("period").reset_index()
    names = found["period"].astype(str)
    if length.startswith("Q"):  # "2025Q1": the first of the year that ends in June 2025
        names = "FY" + names.str[:4] + "-" + names.str[4:]
    return found.assign(period=names)


def beside(study: Study, ledger: pd.DataFrame, year_start: int = 1) -> Review:
    return Review(study, segment="channel", books=read_ledger(ledger, year_start), year_start=year_start)


def shown(review: Review) -> Table:
    table = evidence_tables.ledger(review)
    assert table is not None
    return table


def test_fiscal_years_stay_whole(small_study: Study, small_log: pd.DataFrame) -> None:
    ledger = books(small_log, "Q-JUN")
    assert {"FY2025-Q1", "FY2025-Q4"} <= set(ledger["period"])
    table = shown(beside(small_study, ledger, 7))
    assert list(table.frame["year"]) == ["FY2024 (part)", "FY2025", "FY2026 (part)", "All"]
    year = ledger[ledger["period"].str.startswith("FY2025")]
    assert table.frame["ledger"][1] == pytest.approx(year["net_revenue"].sum())
    assert table.frame["gap"].to_numpy() == pytest.approx(0, abs=1e-6)


def test_a_period_that_the_log_covers_in_part_is_not_compared(small_study: Study) -> None:
    first = small_study.orders.tally["day"].min()
    start = dt.date(1970, 1, 1) + dt.timedelta(days=int(first))
    assert start <= dt.date(2024, 1, 3)  # the first days of a year may have no order
    ledger = pd.DataFrame({"period": ["2023-12", "2024-01", "2026-01"], "net_revenue": [5.0, 6.0, 7.0]})
    table = shown(beside(small_study, ledger))
    assert table.frame["ledger"].tolist() == [6, 6]
    assert "of the 1 periods of the ledger that are over by 2025-12-31" in table.basis
    assert "; 2 more are not." in table.basis
    late = small_study.orders.source.query("date >= '2024-01-20'")
    orders = clv.Transactions(late, as_of="2025-12-31", currency="EUR")
    assert evidence_tables.ledger(beside(dataclasses.replace(small_study, orders=orders), ledger)) is None


def test_a_ledger_of_periods_to_come_says_so(small_study: Study) -> None:
    review = beside(small_study, pd.DataFrame({"period": ["2026-Q4"], "net_revenue": [10.0]}))
    page = pages.reconciliation(review)
    assert [table.name for table in page.tables] == ["reconciliation", "findings"]
    assert page.finding.endswith(
        " No period of the ledger is over yet and covered by the log, so there is nothing to compare."
    )
    with pytest.raises(ConfigError, match="C001 there is no figure 'ledger'"):
        clv.show(review, "ledger")


def test_revenue_from_customers_of_before_needs_a_before(
    small_study: Study, small_review: Review, small_log: pd.DataFrame
) -> None:
    share = clv.show(small_review, "kpis").table.frame.set_index("segment")["existing"]
    assert share.between(0.3, 1).all()
    young = small_log[small_log["date"] > "2024-12-31"]
    orders = clv.Transactions(young, as_of="2025-12-31", currency="EUR", segments=("channel",))
    study = dataclasses.replace(small_study, orders=orders, rfm=orders.rfm())
    table = clv.show(dataclasses.replace(small_review, study=study), "kpis").table
    assert table.frame["existing"].isna().all()
    assert "existing" not in {column.key for column in table.columns}
    assert table.frame.set_index("segment")["early"][ALL] > 0


def test_nobody_who_bought_once_is_a_row_of_none(small_study: Study) -> None:
    ahead = small_study.forecast
    loyal = ahead.with_columns()
    loyal.__dict__["table"] = ahead.table.filter(ahead.table.frequency > 0)
    study = dataclasses.replace(small_study, forecast=loyal)
    table = base_tables.repeats(study)
    assert list(table.frame["row"]) == ["0", "1", "2", "3–4", "5–9", "10+"]
    assert table.cells()[0] == ["0", "0", "0.0 %", "0.0 %", "0.0 %", "–", "–", "–"]
    assert table.frame["customers"].sum() == (small_study.rfm.to_pandas()["frequency"] > 0).sum()


def seasonless(rng: np.random.Generator) -> tuple[Any, Any]:
    """Days and sums of 150 orders a month for three years, more and more of them, in no season."""
    day = (3 * 365 * rng.uniform(size=36 * 150) ** 0.7).astype(int) + 19_000
    return day, rng.lognormal(3.0, 1.0, len(day))


def test_a_season_is_claimed_of_more_than_chance_alone() -> None:
    rng = np.random.default_rng(7)
    logs = [seasonless(rng) for _ in range(120)]
    found = [base_tables.strongest(*log) for log in logs]
    assert np.mean([s.strength >= SEASONAL for s in found]) > 0.3  # what a fixed limit would claim
    assert np.mean([s.told for s in found]) <= 0.05
    for day, money in logs[:20]:
        month = day.astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12
        twice = base_tables.strongest(day, money * (1 + (month == 11)))
        assert (twice.month, twice.told) == ("December", True)


def of_review(review: Review) -> list[str]:
    with pytest.raises(ConfigError) as error:
        clv.show(review, "x")
    return str(error.value).split("there are ")[1].rstrip(".").split(", ")


def found(made: list[Page], name: str) -> Table:
    return next(t for page in made for t in (*page.tables, *page.charts, *page.folded) if t.name == name)


def test_every_table_of_a_page_is_shown_by_its_name(
    small_review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pages.pages(small_review)
    # One table is looked for on pages that are made anew; that they come out the same is tested elsewhere.
    assert clv.show(small_review, "estimates").table.cells() == found(made, "estimates").cells()
    monkeypatch.setattr("clv.reporting.figures.pages", lambda _: made)
    names = of_review(small_review)
    for page in made:
        for table in (*page.tables, *page.charts, *page.folded):
            assert table.name in names
            assert clv.show(small_review, table.name).table.cells() == table.cells()
    for name in ("reconciliation", "findings", "assumptions", "estimates", "terms", "quoted_by_channel"):
        assert name in names


def test_without_a_hold_out_nothing_of_one_is_offered(small_study: Study) -> None:
    bare = [dataclasses.replace(c, holdout=None) for c in small_study.comparisons]
    study = dataclasses.replace(small_study, holdout=None, holdout_cuts=None, comparisons=bare)
    assert clv.show(study).table.name == "concentration"
    assert clv.show(small_study).table.name == "contenders"
    names = of_review(Review(study, segment="channel"))
    assert not [n for n in names if n.startswith(("holdout_by", "contenders", "calibration"))]


def test_money_has_the_decimals_of_its_currency(small_study: Study) -> None:
    log = small_study.orders.source.assign(amount=lambda f: f["amount"].round())
    orders = clv.Transactions(log, as_of="2025-12-31", currency="JPY", segments=("channel",))
    study = clv.study(orders, small_study.economics, holdout=dt.date(2025, 6, 30))
    made = pages.pages(Review(study, segment="channel"))
    assert [t.name for t in of_money(made) if t.unit != "JPY"] == []
    table = next(t for page in made for t in page.tables if t.name == "new_by_channel")
    assert table.cells()[-1][7] == f"{table.frame['model_new'].iloc[-1]:,.0f}"
    finding = next(page.finding for page in made if page.id == "formulas")
    assert f"is worth {table.cells()[-1][7]} JPY by the model" in finding


def of_money(made: Any) -> list[Table]:
    found = [t for page in made for t in (*page.tables, *page.charts, *page.folded)]
    return [t for t in found if {"money", "exact"} & {column.kind for column in t.columns}]


def test_a_chart_prints_the_decimals_of_its_currency(small_study: Study) -> None:
    table = clv.show(small_study.forecast, "value_by_age").table
    for unit, digits in (("EUR", 2), ("JPY", 0), ("KWD", 3)):
        (axes,) = clv.reporting.figures.draw(dataclasses.replace(table, unit=unit)).axes
        said = [text.get_text() for text in axes.texts]
        assert f"{table.frame['value'][0]:.{digits}f}" in said


def test_the_log_starts_as_long_before_as_is_usual() -> None:
    days = np.array([4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 18.0])  # Mondays to Fridays
    assert evidence_tables._start(days) == dt.date(1970, 1, 2)
    assert evidence_tables._start(np.array([9.0])) == dt.date(1970, 1, 10)
