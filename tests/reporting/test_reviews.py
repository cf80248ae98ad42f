"""A review of a small shop: what it takes from the books, what it shows, and what folds away."""

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clv
from clv.data.books import read_spending
from clv.errors import ConfigError, DataError
from clv.evaluation.levels import Level
from clv.evaluation.study import Study
from clv.evaluation.verdict import verdict
from clv.forecasting.ranges import Level as Levels
from clv.forecasting.totals import ALL
from clv.jobs import manifest
from clv.planning.response import Spending
from clv.reporting import reviews, workbook
from clv.reporting.decision import decision, lights
from clv.reporting.figures import Chart
from clv.reporting.pages import pages
from clv.reporting.reviews import Review, _window, measured_cac, review

FAST = clv.Inference("mle")
CURVE = clv.ResponseCurve(60, 400.0)


@pytest.fixture(scope="module")
def books(small_study: Study) -> pd.DataFrame:
    """Net revenue by month as the log has it, 10 too much in one of them."""
    log = small_study.orders.source.assign(period=lambda f: f["date"].str[:7])
    found = log.groupby("period", as_index=False)["amount"].sum().rename(columns={"amount": "net_revenue"})
    found.loc[found["period"] == "2025-03", "net_revenue"] += 10
    return found


@pytest.fixture(scope="module")
def spend(hostile: tuple[str, ...]) -> pd.DataFrame:
    rows = [
        (f"2024-{month:02}", name, 20.0 * (1 + at), 1.0)
        for month in range(1, 13)
        for at, name in enumerate(hostile)
    ]
    return pd.DataFrame(rows, columns=["period", "channel", "acquisition_spend", "retention_spend"])


@pytest.fixture(scope="module")
def whole(small_study: Study, books: pd.DataFrame, spend: pd.DataFrame, hostile: tuple[str, ...]) -> Review:
    later = spend.assign(period=spend["period"].str.replace("2024", "2025"))
    plan = pd.DataFrame({"period": ["2026-Q1", "2026-Q2"], "channel": hostile[0], "customers": [20, 10]})
    return review(
        small_study.orders,
        dataclasses.replace(small_study.economics, cac=None),
        model=clv.BGNBD,
        inference=FAST,
        origins=1,
        holdout=dt.date(2025, 6, 30),
        plan=plan,
        ledger=books,
        spend=pd.concat([spend, later]),
        spending=Spending(1000.0, {hostile[0]: CURVE}, clv.ResponseCurve(0.05, 300.0)),
    )


def test_a_review_has_every_page_that_there_is_input_for(whole: Review) -> None:
    made = pages(whole)
    assert [page.id for page in made] == [
        *("decision", "reconciliation", "base", "backtest", "formulas", "bridge", "units", "ages"),
        *("scenarios", "budget", "assumptions", "method", "words"),
    ]
    for page in made:
        assert page.finding.strip().endswith("."), page.id
        assert "nan" not in page.finding
        for table in (*page.tables, *page.charts, *page.folded):
            assert not any(cell in ("nan", "inf") for row in table.cells() for cell in row), table.name
            assert all(column.label for column in table.columns), table.name
    (units,) = (page for page in made if page.id == "units")
    span = "2025-01-01 to 2025-12-31, whole periods of 12 months at most"
    assert f"customers first seen in the same time, {span}." in units.tables[0].basis
    assert f"Retention spend: of {span}." in units.tables[1].basis
    first = made[0]
    assert "Over 1 back-test the same method was" in first.finding
    assert all(headline.band.startswith("90 %: ") for headline in first.headlines[:2])
    assert [light.name for light in first.lights] == ["Data", "Reconciliation", "Fit", "Back-test"]
    assert "of how far past ones were off" in first.notes[0]


def test_pages_fold_away_without_books(small_study: Study) -> None:
    plain = Review(small_study)
    assert "budget" not in {page.id for page in pages(plain)}
    assert plain.by == "channel"
    assert plain.budget is None
    assert plain.last_year == {}


def test_the_ledger_stands_beside_the_log(whole: Review, books: pd.DataFrame) -> None:
    table = clv.show(whole, "ledger").table.frame.set_index("year")
    assert table.loc["All", "ledger"] == pytest.approx(books["net_revenue"].sum())
    assert table["gap"].to_dict() == pytest.approx({"2024": 0.0, "2025": -10.0, "All": -10.0}, abs=1e-6)


def test_acquisition_cost_is_spend_over_those_who_came_then(
    small_study: Study, spend: pd.DataFrame, hostile: tuple[str, ...]
) -> None:
    orders = clv.Transactions(small_study.orders.source, as_of="2024-12-31", segments=("channel",))
    found, _ = measured_cac(orders, read_spending(spend, "channel"), "channel")
    people = orders.rfm().to_pandas()
    for at, name in enumerate(hostile):
        came = (people["channel"] == name).sum()  # all of them came in 2024
        assert found[name] == pytest.approx(12 * 20 * (1 + at) / came)
    late = clv.Transactions(small_study.orders.source, as_of="2025-12-31", segments=("channel",))
    assert measured_cac(late, read_spending(spend, "channel"), "channel")[0] == {}  # nothing is known since


def test_spend_that_won_nobody_is_said_and_counts_in_all(
    small_study: Study, spend: pd.DataFrame, hostile: tuple[str, ...]
) -> None:
    """All of one channel's customers came before the quarter that was spent in."""
    log = small_study.orders.source
    early = log[(log["channel"] != hostile[0]) | (log["date"] < "2024-09-01")]
    early = early[
        ~early["customer_id"].isin(log[(log["channel"] == hostile[0]) & (log["date"] > "2024-07-31")])
    ]
    orders = clv.Transactions(early, as_of="2024-12-31", segments=("channel",))
    quarter = read_spending(spend[spend["period"] > "2024-08"], "channel")
    people = orders.rfm().to_pandas()
    new = people[people["first_date"] > pd.Timestamp("2024-08-31")]
    assert hostile[0] not in set(new["channel"])
    found, notes = measured_cac(orders, quarter, "channel")
    assert hostile[0] not in found
    assert found[ALL] == pytest.approx(quarter["acquisition_spend"].sum() / len(new))
    assert f"CAC of {hostile[0]} is not known: 80.00 won nobody. It is in that of all customers." in notes
    assert "2024-09-01 to 2024-12-31" in notes[0]


def test_the_cost_of_all_customers_is_all_that_was_spent(whole: Review, small_log: pd.DataFrame) -> None:
    """Nobody came in 2025, though 20 to 180 a month and channel were spent: no cost is known."""
    assert len(whole.study.economics.cac) == 0
    assert sum("won nobody" in note for note in whole.notes) == small_log["channel"].nunique()
    assert whole.notes[0] in pages(whole)[0].notes


def test_cac_that_is_given_counts_more_than_what_was_spent(whole: Review, small_study: Study) -> None:
    assert isinstance(whole.study.economics.cac, dict)
    given = dataclasses.replace(small_study.economics, cac=5.0)
    found = review(small_study.orders, given, model=clv.BGNBD, inference=FAST, origins=0, spend=None)
    assert found.study.economics.cac == 5.0
    assert found.tested is None
    assert found.units.table.loc[ALL, "cac"] == 5.0
    assert "Paid back" in clv.show(found, "payback")._repr_html_()


def test_last_years_split_is_that_of_the_last_twelve_months(whole: Review, hostile: tuple[str, ...]) -> None:
    assert whole.last_year[hostile[0]] == 12 * 20
    assert whole.last_year["retention"] == 12 * len(hostile)
    found = whole.budget
    assert found is not None
    assert found.table is not None
    assert found.table.loc["last year's split", "spend"] == 12 * 20 + 12 * len(hostile)
    elsewhere = sum(12 * 20 * (1 + at) for at in range(1, len(hostile)))
    assert found.elsewhere == elsewhere
    assert "more than last year's split on the same uses" in found.sentence
    assert f"and {elsewhere:,.0f} to what has none, {min(hostile[1:])}" in " ".join(found.notes)
    assert found.notes[-1].startswith("Last year is 2025-01-01 to 2025-12-31, whole periods")


@pytest.mark.parametrize(
    ("window", "horizon", "corrected"),
    [("1y", "12m", True), (None, "6m", True), (None, "12m", False), ("6m", "12m", False)],
)
def test_a_level_is_corrected_where_the_window_is_as_long_as_the_horizon(
    window: str | None, horizon: str, corrected: bool, whole: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the length is called, and where the window is chosen here."""
    assert whole.tested is not None
    level = Level(1.2, 2, 0.3, 0.1, (0.1, -0.1))
    told = dataclasses.replace(whole.tested, levels={whole.tested.choice: level})
    monkeypatch.setattr(reviews, "backtest", lambda *a, **k: told)
    economics = dataclasses.replace(whole.study.economics, horizon=horizon, cac=5.0)
    orders = whole.study.orders
    found = review(orders, economics, model=clv.BGNBD, inference=FAST, origins=1, window=window)
    assert found.study.forecast.level == (1.2 if corrected else 1.0)
    if corrected:
        assert found.spread == pytest.approx((level.range[0] / 1.2, level.range[2] / 1.2))
        high = f"{100 * (found.spread[1] - 1):.1f} % above its forecast"
        assert high in next(page for page in pages(found) if page.id == "backtest").notes[0]
    (tested,) = (page for page in pages(found) if page.id == "backtest")
    said = "as long as the windows, and are corrected so." if corrected else "not corrected: they reach "
    assert tested.notes[-1].startswith(f"The forecasts of this report are {said}")


def leveled(review: Review, level: float, **rows: dict[str, float]) -> Review:
    """The review at a level, with a back-test in which contenders did as told."""
    assert review.tested is not None
    summary = pd.DataFrame(rows).T
    summary.index = [name.replace("calibrated", f"{review.tested.choice}, calibrated") for name in rows]
    summary.index = [name.replace("plain", review.tested.choice) for name in summary.index]
    ahead = dataclasses.replace(review.study.forecast, levels=Levels.of(level))
    return dataclasses.replace(
        review,
        study=dataclasses.replace(
            review.study,
            forecast=ahead,
            comparisons=[dataclasses.replace(c, level=level) for c in review.study.comparisons],
        ),
        tested=dataclasses.replace(review.tested, summary=summary),
    )


def test_the_method_that_is_quoted_is_the_one_that_is_used(whole: Review) -> None:
    did = {
        "plain": {"value_error": 0.4, "value_far": 3.0, "origins": 4.0},
        "calibrated": {"value_error": 0.08, "value_far": 0.0, "origins": 4.0},
    }
    corrected, plain = leveled(whole, 1.2, **did), leveled(whole, 1.0, **did)
    assert (
        "Over 4 back-tests the same method was 8.0 % off in total on average" in decision(corrected).finding
    )
    assert "the same method was 40.0 % off" in decision(plain).finding
    assert [manifest._backtest(found)["error"] for found in (corrected, plain)] == [0.08, 0.4]
    light = lights(corrected)[-1]
    assert (light.level, light.words) == ("good", "totals 8.0 % off on average")
    light = lights(plain)[-1]
    assert light.words == "totals 40.0 % off on average, at 3 origins more than 25 %"


@pytest.mark.parametrize(
    ("errors", "level"),
    [((0.26, 0.27, 0.02, 0.02), "bad"), ((0.9, 0.1, 0.02, 0.02), "fair"), ((0.1, 0.05, 0.02, 0.02), "good")],
)
def test_the_light_of_a_back_test_follows_its_verdict(
    whole: Review, errors: tuple[float], level: str
) -> None:
    """The mean of the second is .26, which one origin has made: the verdict does not speak against it."""
    sizes = np.array(errors)
    row = {"value_error": sizes.mean(), "value_far": float((sizes > 0.25).sum()), "origins": 4.0}
    row |= {"value_gini": 0.5, "numbers": 4.0, "value_error_se": 0.1}
    told = leveled(whole, 1.0, plain=row)
    assert lights(told)[-1].level == level
    assert told.tested is not None
    assert ("Do not use it for the level" in verdict(told.tested.summary)) == (level == "bad")


def test_notes_say_what_is_called_expected(whole: Review) -> None:
    assert "what is called expected is at the middle of that" in pages(whole)[0].notes[0]


def test_bands_are_as_wide_as_totals_were_off(whole: Review) -> None:
    assert whole.tested is not None
    low, middle, high = whole.tested.spread
    assert middle == 1
    row = whole.quarters.table.query("population == 'existing' and period == 'Whole horizon'").iloc[-1]
    assert row["clv_p95"] > 0.9 * high * row["clv"]
    assert row["clv_p05"] < 1.1 * low * row["clv"]


def test_every_name_shows_a_figure_or_a_table(whole: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    made = pages(whole)  # once, not for each name that is looked for on them
    monkeypatch.setattr("clv.reporting.figures.pages", lambda _: made)
    with pytest.raises(ConfigError, match="C001 there is no figure 'x'; there are quarters, segments") as e:
        clv.show(whole, "x")
    names = str(e.value).split("there are ")[1].rstrip(".").split(", ")
    assert {"ratios", "payback", "steps", "bridges", "levers", "split", "scores", "ledger", "limits"} <= set(
        names
    )
    for name in names:
        shown = clv.show(whole, name)
        assert isinstance(shown, Chart)
        assert "<figure>" in shown._repr_html_()
        assert len(shown.to_pandas()) > 0
    for source, name in ((whole.units, "ratios"), (whole.bridge, "steps"), (whole.budget, "split")):
        assert clv.show(source).table.name == name
    assert clv.show(whole.scenarios).table.name == "tornado_new"


def test_a_table_without_a_figure_is_saved_as_numbers(whole: Review, tmp_path) -> None:
    shown = clv.show(whole, "scores")
    shown.save(str(tmp_path / "scores.csv"))
    assert len(pd.read_csv(tmp_path / "scores.csv")) == len(shown.table.frame)
    with pytest.raises(ConfigError, match="C001 scores is a table without a figure"):
        shown.save(str(tmp_path / "scores.svg"))
    clv.show(whole, "steps").save(str(tmp_path / "steps.svg"))
    assert (tmp_path / "steps.svg").stat().st_size > 1000


@pytest.mark.parametrize(("days", "window"), [(900, "6m"), (400, "3m"), (100, "1m")])
def test_the_window_is_the_longest_with_enough_origins(days: int, window: str) -> None:
    start = pd.Timestamp("2023-01-01")
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "customer_id": [f"c{i % 300}" for i in range(900)],
            "date": [(start + pd.Timedelta(days=int(d))).date() for d in [0, *rng.integers(0, days, 899)]],
            "amount": 5.0,
        }
    )
    end = (start + pd.Timedelta(days=days)).date()
    assert _window(clv.Transactions(rows, as_of=str(end), duplicates="keep"), 4) == window


def test_a_log_too_short_for_a_back_test_says_so(small_study: Study) -> None:
    log = small_study.orders.source
    short = log[log["date"] < "2024-02-01"]
    orders = clv.Transactions(short, as_of="2024-01-31", segments=("channel",))
    economics = clv.Economics(0.4, horizon="1m", churn=0.5)
    found = review(orders, economics, model=clv.BGNBD, inference=FAST)
    assert found.tested is None
    assert found.notes[0].startswith("No back-test: ")
    assert found.notes[0] in pages(found)[0].notes


def test_bad_settings_are_refused(small_study: Study, spend: pd.DataFrame) -> None:
    orders, economics = small_study.orders, small_study.economics
    with pytest.raises(ConfigError, match="C001 by must name a segment"):
        review(orders, economics, by="town")
    with pytest.raises(ConfigError, match="C012 model must be a purchase model"):
        review(orders, economics, model="bgnbd")
    with pytest.raises(ConfigError, match="C006 window must be a number with a unit; got '9q'"):
        review(orders, economics, window="9q")
    with pytest.raises(ConfigError, match="C012 origins must be"):
        review(orders, economics, origins=-1)
    with pytest.raises(ConfigError, match="C001 fiscal_year_start must be a month from 1 to 12; got 13"):
        review(orders, economics, fiscal_year_start=13)
    with pytest.raises(ConfigError, match=r"C012 spending must be a clv.Spending; got a dict"):
        review(orders, economics, spending={"total": 3})
    with pytest.raises(ConfigError, match=r"P003 a plan must be a data frame; got a dict. Its columns are"):
        review(orders, economics, plan={"Newsletter": 3})


def test_all_that_is_given_is_checked_before_anything_is_fitted(
    small_study: Study, spend: pd.DataFrame, books: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("likeliest", "backtest", "study"):
        monkeypatch.setattr(reviews, name, None)
    with pytest.raises(DataError) as caught:
        review(
            small_study.orders,
            dataclasses.replace(small_study.economics, cac={"x": 1}),
            model="bgnbd",
            window="9q",
            plan=pd.DataFrame({"period": ["2026-Q1"], "channel": ["Radio"], "customers": [3]}),
            ledger=books.assign(net_revenue="x"),
            spend=spend.assign(retention_spend=-1),
            spending=Spending(100, {"Radio": CURVE}),
        )
    assert caught.value.codes == ["C006", "C012", "D016", "P002", "P001", "P001", "P001"]
    for part in (
        "P001 plan names 'Radio', in which no customer is",
        "P001 cac names a segment that no customer is in; got 'x'",
        "P001 acquisition 'Radio' names no channel that a customer is in",
    ):
        assert part in str(caught.value)


def test_spend_on_what_nobody_is_in_and_a_long_plan_are_noted(
    small_study: Study, spend: pd.DataFrame, hostile: tuple[str, ...], tmp_path: Path
) -> None:
    plan = {"period": ["2026-Q1", "2027-Q1"], "channel": hostile[0], "customers": 5}
    later = spend.assign(period=spend["period"].str.replace("2024", "2025"))
    radio = later.assign(channel="Radio").drop_duplicates("period")
    found = review(
        small_study.orders,
        small_study.economics,
        model=clv.BGNBD,
        inference=FAST,
        origins=0,
        plan=pd.DataFrame(plan),
        spend=pd.concat([later, radio]),
        spending=Spending(1000.0, {hostile[0]: CURVE}, clv.ResponseCurve(0.99, 300.0)),
    )
    shown = pages(found)
    for part in (
        "Spend names 'Radio', in which no customer is. There are ",
        "Periods of the plan that are left out: 2027-Q1 (after the horizon ends on 2026-12-31).",
    ):
        assert any(note.startswith(part) for note in shown[0].notes)
    assert found.budget is not None
    assert found.budget.notes[0].startswith("The ceiling of retention is taken as 0.")
    assert any("to what has none" in note and "Radio" in note for note in found.budget.notes)
    workbook.write(found, shown, "Radio", tmp_path / "radio.xlsx")


def test_key_figures_are_those_of_the_log(whole: Review, small_log: pd.DataFrame) -> None:
    """By loops over the log: early loss, revenue from customers of before, first orders."""
    log = small_log.assign(date=pd.to_datetime(small_log["date"]))
    cut, end = pd.Timestamp("2024-12-31"), pd.Timestamp("2025-12-31")
    people = []
    for name, own in log.groupby("customer_id"):
        days = own.groupby("date")["amount"].sum().sort_index()
        first = days.index[0]
        again = ((days.index > first) & (days.index <= first + pd.Timedelta(days=90))).any()
        year = days[days.index > cut].sum()
        row = (own["channel"].iloc[0], (end - first).days >= 90, again, year, first <= cut, days.iloc[0])
        people.append((name, *row))
    columns = ["customer", "channel", "old", "again", "year", "before", "first"]
    frame = pd.DataFrame(people, columns=columns)
    shown = clv.show(whole, "kpis").table
    found = shown.frame
    for name, own in [*frame.groupby("channel"), (ALL, frame)]:
        row = found.loc[str(name)]
        old = own[own["old"]]
        assert row["early"] == pytest.approx(1 - old["again"].mean())
        assert row["existing"] == pytest.approx(own.loc[own["before"], "year"].sum() / own["year"].sum())
        assert row["first_order"] == pytest.approx(own["first"].mean())
        paid = 12.0 if name != ALL else 12.0 * frame["channel"].nunique()
        assert row["keep"] == pytest.approx(paid / len(own))
    new = whole.comparison.table.loc[ALL, "model_new"]
    assert found["multiple"][ALL] == pytest.approx(new / (0.4 * frame["first"].mean()))
    assert (found["retained"] + found["churn"]).dropna().eq(1).all()
    assert list(found["segment"]) == [f"{name} (few)" if name != ALL else ALL for name in found.index]
    assert found["multiple"].drop(index=ALL).isna().all()  # by the whole base's fit, it would be another's
    assert "The model is not shown for segments of fewer than 100 customers" in shown.basis
