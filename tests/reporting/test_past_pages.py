"""What the pages about the past say, by rule, from made-up comparisons."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clv.forecasting.totals import ALL
from clv.reporting import figures
from clv.reporting.movements import GONE, NEW, SOON, Movement, Terms
from clv.reporting.outcomes import Outcome
from clv.reporting.past_pages import by_period, last, movement, outcomes


def outcome_table(actual: dict[str, float]) -> pd.DataFrame:
    frame = pd.DataFrame({"customers": 10.0, "forecast": 100.0, "low": 80.0, "high": 130.0}, index=[*actual])
    frame["actual"] = list(actual.values())
    frame["error"] = frame["forecast"] / frame["actual"] - 1
    frame["inside"] = frame["actual"].between(80, 130)
    return frame


@pytest.fixture
def outcome() -> Outcome:
    by_channel = outcome_table({"Web": 120.0, "<b>Shop</b>": 60.0, ALL: 180.0})
    by_channel.loc[ALL, ["forecast", "low", "high", "inside"]] = [200.0, 170.0, 250.0, True]
    behaviour = outcome_table({"One-time, recent": 90.0, "Repeat, high value, lapsed": 90.0, ALL: 180.0})
    periods = outcome_table({"2026-Q3": 180.0}).assign(partial=False)
    return Outcome(
        "20260701T080000-ab12",
        dt.date(2026, 6, 30),
        dt.date(2026, 9, 30),
        "12m",
        "channel",
        "EUR",
        {"channel": by_channel, "rfm_segment": behaviour},
        periods,
        (3, 45.5),
        (1, 7.0),
        "5 to 95 % of chance and parameters",
    )


@pytest.mark.parametrize(("actual", "where"), [(180.0, "inside"), (160.0, "below it"), (251.0, "above it")])
def test_the_finding_says_band_and_actual(outcome: Outcome, actual: float, where: str) -> None:
    outcome.tables["channel"].loc[ALL, ["actual", "inside"]] = [actual, 170 <= actual <= 250]
    assert last(outcome).finding == (
        "The forecast of 2026-06-30 said 170 to 250 EUR for the quarter to 2026-09-30; it came to "
        f"{actual:.0f}: {where}. By channel, 1 of 2 lie inside their own 90 % band."
    )


def test_one_segment_is_not_counted(outcome: Outcome) -> None:
    tables = {"channel": outcome.tables["channel"].loc[["Web", ALL]]}
    assert "By channel" not in dataclasses.replace(outcome, tables=tables).sentence


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2026-06-30", "2026-09-30", "quarter to 2026-09-30"),
        ("2026-06-30", "2026-07-31", "month to 2026-07-31"),  # both last days
        ("2026-02-28", "2026-08-31", "half-year to 2026-08-31"),
        ("2025-09-30", "2026-09-30", "year to 2026-09-30"),
        ("2026-06-15", "2026-08-15", "2 months to 2026-08-15"),
        ("2026-06-15", "2026-08-14", "60 days to 2026-08-14"),
        ("2026-06-15", "2026-06-16", "1 day to 2026-06-16"),
        ("2026-06-30", "2026-07-12", "12 days to 2026-07-12"),
    ],
)
def test_the_time_compared_has_a_name(outcome: Outcome, start: str, end: str, said: str) -> None:
    days = {"start": dt.date.fromisoformat(start), "end": dt.date.fromisoformat(end)}
    assert dataclasses.replace(outcome, **days).window == said


def test_who_came_and_who_left_stand_apart(outcome: Outcome) -> None:
    table = outcomes(outcome, "channel")
    assert table.total  # the row of all stays below, whatever the others are sorted by
    assert list(table.frame["segment"]) == ["<b>Shop</b>", "Web", ALL]
    assert table.cells()[-1] == [ALL, "10", "200.00", "170.00", "250.00", "180.00", "−44.4 %", "yes"]
    others = last(outcome).tables[1]
    assert others.cells() == [[NEW, "3", "–", "45.50"], [GONE, "1", "7.00", "–"]]
    nobody = dataclasses.replace(outcome, new=(0, 0.0))
    assert last(nobody).tables[1].cells() == [[GONE, "1", "7.00", "–"]]
    assert list(outcomes(outcome, "rfm_segment").frame["segment"]) == [
        "Repeat, high value, lapsed",
        "One-time, recent",
        ALL,
    ]


def test_quarters_are_shown_where_there_are_several_or_a_part(outcome: Outcome) -> None:
    outcome = dataclasses.replace(outcome, new=(0, 0.0), left=(0, 0.0))
    assert [t.name for t in last(outcome).tables] == ["outcome_by_channel", "outcome_by_rfm_segment"]
    part = dataclasses.replace(outcome, periods=outcome.periods.assign(partial=True))
    assert [t.name for t in last(part).tables][1] == "outcome_periods"
    assert list(by_period(part).frame["period"]) == ["2026-Q3 (part)"]
    assert "partly" in last(part).notes[-1]
    two = dataclasses.replace(outcome, periods=pd.concat([outcome.periods] * 2))
    assert [t.name for t in last(two).tables][1] == "outcome_periods"


def test_the_figure_shows_segments_with_a_band_only(outcome: Outcome) -> None:
    (axes,) = figures.draw(last(outcome).charts[0]).axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["Web", "<b>Shop</b>"]
    assert [text.get_text() for text in axes.texts] == ["120", "60, outside"]
    alone = dataclasses.replace(outcome, tables={"channel": outcome.tables["channel"].loc[[ALL]]})
    (axes,) = figures.draw(last(alone).charts[0]).axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [ALL]


@pytest.fixture
def moved() -> Movement:
    a, b = "Repeat, high value, recent", "One-time, lapsed"
    flows = pd.DataFrame(
        [(a, a, 6, 60.0, 50.0), (a, b, 2, 20.0, 4.0), (a, GONE, 1, 9.0, 0.0), (NEW, b, 4, 0.0, 12.0)],
        columns=["before", "after", "customers", "value_then", "value_now"],
    )
    risk = pd.DataFrame({"customers": [2], "value_then": [20.0], "value_now": [4.0]})
    return Movement(
        "20260701T080000-ab12",
        dt.date(2026, 6, 30),
        dt.date(2026, 9, 30),
        "channel",
        "12m",
        "EUR",
        {},
        flows,
        {"channel": risk.set_axis(["Web"]), "rfm_segment": risk.set_axis([a])},
        7,
        2,
        "the table",
    )


def test_the_finding_counts_who_stayed_and_who_is_at_risk(moved: Movement) -> None:
    assert movement(moved).finding == (
        "Of 8 customers known on 2026-06-30, 75.0 % are in the same RFM segment. 2 of the 7 who were worth "
        "most have become 30 % or more less likely to buy within 90 days: 20 EUR of expected contribution "
        "then, 4 now."
    )
    other = dataclasses.replace(moved, changed={"margin": ("30 %", "44 %"), "level": ("1.000", "0.900")})
    assert other.sentence.endswith(
        "within 90 days: 4 EUR of expected contribution now; then it was counted at another margin and level."
    )
    safe = dataclasses.replace(moved, slipping=0)
    assert safe.sentence.endswith(
        "None of the 7 who were worth most has become 30 % or more less likely to buy within 90 days."
    )
    blind = dataclasses.replace(moved, table=None, at_risk={})
    assert blind.sentence.endswith(f"What is at risk cannot be told: run {moved.run_id} did not keep {SOON}.")
    assert not any("at_risk.parquet" in note for note in movement(blind).notes)


def test_tables_of_movement_have_newcomers_and_those_who_left_in_lines_of_their_own(moved: Movement) -> None:
    stays, risk, behaviour, flows = movement(moved).tables
    assert stays.cells() == [
        ["Repeat, high value, recent", "9", "75.0 %", "1", "89.00", "54.00", "−39.3 %"],
        ["All known then", "9", "75.0 %", "1", "89.00", "54.00", "−39.3 %"],
    ]
    assert stays.basis.endswith("Not in it: 4 who are new since then, worth 12 EUR now.")
    assert [column.label for column in flows.columns] == [
        "On 2026-06-30", "Repeat, high value, recent", "One-time, lapsed", GONE, "All",
    ]  # fmt: skip
    assert flows.cells() == [
        ["Repeat, high value, recent", "6", "2", "1", "9"],
        [NEW, "–", "4", "–", "4"],
        [ALL, "6", "6", "1", "–"],
    ]
    assert risk.cells() == [["Web", "2", "20.00", "4.00"]]
    assert behaviour.name == "at_risk_by_rfm_segment"
    other = movement(dataclasses.replace(moved, changed={"horizon": ("6 months", "12 months")}))
    assert np.isnan(other.tables[1].frame["value_then"]).all()
    assert np.isnan(other.tables[0].frame[["value_then", "change"]]).all().all()
    assert "counted otherwise (horizon 6 months, now 12 months)" in other.notes[-1]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("currency", "USD", ("USD", "EUR")),
        ("horizon", "6m", ("6 months", "12 months")),
        ("margin", 0.3, ("30 %", "44 %")),
        ("discount", 0.08, ("8 %", "10 %")),
        ("level", 0.95, ("0.950", "1.000")),
    ],
)
def test_values_are_compared_at_the_same_terms_only(name: str, value: object, said: tuple[str, str]) -> None:
    now = Terms("EUR", "12m", 0.44, 0.1, 1.0)
    assert now.changed(now) == {}
    assert dataclasses.replace(now, **{name: value}).changed(now) == {name: said}  # type: ignore[arg-type]
