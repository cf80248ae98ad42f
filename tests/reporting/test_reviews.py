"""A review of a small shop: what it takes from the books, what it shows, and what folds away."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

import clv
from clv.data.books import read_spending
from clv.errors import ConfigError
from clv.evaluation.study import Study
from clv.forecasting.totals import ALL
from clv.reporting.figures import Chart
from clv.reporting.pages import pages
from clv.reporting.reviews import Review, Spending, _window, measured_cac, review

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
    first = made[0]
    assert "Over 1 back-tests" in first.finding
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
    found = measured_cac(orders, read_spending(spend, "channel"), "channel")
    people = orders.rfm().to_pandas()
    for at, name in enumerate(hostile):
        came = (people["channel"] == name).sum()  # all of them came in 2024
        assert found[name] == pytest.approx(12 * 20 * (1 + at) / came)
    late = clv.Transactions(small_study.orders.source, as_of="2025-12-31", segments=("channel",))
    assert measured_cac(late, read_spending(spend, "channel"), "channel") == {}  # nothing was spent since


def test_cac_that_is_given_counts_more_than_what_was_spent(whole: Review, small_study: Study) -> None:
    assert isinstance(whole.study.economics.cac, dict)
    given = dataclasses.replace(small_study.economics, cac=5.0)
    found = review(small_study.orders, given, model=clv.BGNBD, inference=FAST, origins=0, spend=None)
    assert found.study.economics.cac == 5.0
    assert found.tested is None
    assert found.units.table.loc[ALL, "cac"] == 5.0
    assert "paid back" in clv.show(found, "payback")._repr_html_()


def test_last_years_split_is_that_of_the_last_twelve_months(whole: Review, hostile: tuple[str, ...]) -> None:
    assert whole.last_year[hostile[0]] == 12 * 20
    assert whole.last_year["retention"] == 12 * len(hostile)
    found = whole.budget
    assert found is not None
    assert found.table is not None
    assert found.table.loc["last year's split", "spend"] == 12 * 20 + 12 * len(hostile)


def test_bands_are_as_wide_as_totals_were_off(whole: Review) -> None:
    assert whole.tested is not None
    low, middle, high = whole.tested.spread
    assert middle == 1
    row = whole.quarters.table.query("population == 'existing' and period == 'Whole horizon'").iloc[-1]
    assert row["clv_p95"] > 0.9 * high * row["clv"]
    assert row["clv_p05"] < 1.1 * low * row["clv"]


def test_every_name_shows_a_figure_or_a_table(whole: Review, tmp_path: object) -> None:
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
    with pytest.raises(ConfigError, match="P001 spend names 'nowhere'"):
        review(orders, economics, spend=spend.assign(channel="nowhere").drop_duplicates("period"))


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
    found = clv.show(whole, "kpis").table.frame.set_index("segment")
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
