"""A run looks back: what came against the published forecast, and where customers went, against loops."""

import dataclasses
import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clv
from clv.errors import ConfigError, OutputError
from clv.jobs.checking import check
from clv.jobs.config import Config, load
from clv.jobs.earlier import lock
from clv.jobs.past import look_back
from clv.jobs.pipeline import Run, run
from clv.reporting.decision import decision
from clv.reporting.grid import Page
from clv.reporting.movements import SOON, chance_soon, movement
from clv.reporting.outcomes import ALL, Outcome, outcome
from clv.reporting.past_pages import movement as movement_page
from clv.reporting.reviews import Review

THEN, NOW = "2025-07-31", "2025-12-31"
GONE = ("C0003", "C0100", "C0101")  # asked to be forgotten since
CONFIG = """
[input]
path = "log.csv"
as_of = {}
currency = "EUR"
erased = {}
[segments]
columns = ["country"]
[economics]
margin = 0.4
horizon = "6m"
[fit]
model = "BGNBD"
method = "{}"
[backtest]
origins = 0
[plan]
fiscal_year_start = 4
[report]
name = "Small shop"
folder = "out"
{}
"""


def written(folder: Path, as_of: str, erased: object = (), more: str = "") -> Config:
    method = "laplace" if as_of == THEN else "mle"
    text = CONFIG.format(as_of, json.dumps(list(erased)), method, more)
    (folder / "job.toml").write_text(text, encoding="utf-8")
    return load(folder / "job.toml")


@pytest.fixture(scope="module")
def log(small_log: pd.DataFrame) -> pd.DataFrame:
    """The small log with ten who come later, after the first run."""
    later = small_log[small_log["customer_id"] < "C0010"].copy()
    later = later.assign(customer_id="N" + later["customer_id"])
    days = pd.to_datetime(later["date"]) - pd.to_datetime(
        later.groupby("customer_id")["date"].transform("min")
    )
    later["date"] = (pd.Timestamp("2025-08-20") + days).dt.date.astype(str)
    found = pd.concat([small_log, later[later["date"] <= NOW]])
    return found.sort_values(["date", "customer_id"], ignore_index=True)


@pytest.fixture(scope="module")
def folder(log: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("past")
    log.to_csv(folder / "log.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def short() -> Iterator[None]:
    """Reports of the first page and those about the past: the rest is tested elsewhere."""

    def pages(review: Review, *, last: Page | None, movement: Page | None) -> list[Page]:
        return [decision(review), *(page for page in (last, movement) if page)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clv.jobs.pipeline.pages", pages)
        patch.setattr("clv.forecasting.totals.FEW", 5)  # to be drawn one by one, which takes its time
        patch.setattr("clv.reporting.workbook.write", lambda *given: given[-1].write_bytes(b"a workbook"))
        yield


@pytest.fixture(scope="module")
def then(folder: Path, short: None) -> Run:
    made = run(written(folder, THEN))
    lock(made.folder)
    return made


@pytest.fixture(scope="module")
def now(folder: Path, then: Run) -> Run:
    return run(written(folder, NOW, GONE))


@pytest.fixture(scope="module")
def looked(folder: Path, then: Run, now: Run) -> Outcome:
    config = written(folder, NOW, GONE)
    past = look_back(config, now.study.orders)
    assert past.published is not None
    found = outcome(past.published, now.study.orders)
    assert found is not None
    return found


def page(made: Run, name: str) -> Page:
    return next(page for page in made.pages if page.id == name)


@pytest.fixture
def since(log: pd.DataFrame) -> pd.DataFrame:
    """Orders of the window, without those who were erased."""
    return log[(log["date"] > THEN) & (log["date"] <= NOW) & ~log["customer_id"].isin(GONE)]


def test_the_first_run_has_nothing_to_look_back_at(then: Run) -> None:
    assert not {"last", "movement"} & {page.id for page in then.pages}
    assert not (then.folder / "at_risk.parquet").exists()


def test_what_came_is_that_of_the_log(looked: Outcome, log: pd.DataFrame, since: pd.DataFrame) -> None:
    old = log[log["date"] <= THEN].drop_duplicates("customer_id").set_index("customer_id")["country"]
    of_then = since[since["customer_id"].isin(old.index)]
    by = of_then.groupby(of_then["customer_id"].map(old))["amount"].sum()
    table = looked.tables["country"]
    for name, row in table.drop(index=ALL).iterrows():
        assert row["actual"] == pytest.approx(by[name]), name
    assert table["actual"][ALL] == pytest.approx(of_then["amount"].sum())
    assert table["customers"][ALL] == old.index.nunique() - len(GONE)
    fresh = since[~since["customer_id"].isin(old.index)]
    assert looked.new == (fresh["customer_id"].nunique(), pytest.approx(fresh["amount"].sum()))
    assert looked.left[0] == len(GONE)
    assert looked.tables["rfm_segment"]["actual"].drop(ALL).sum() == pytest.approx(table["actual"][ALL])


def test_quarters_are_fiscal_and_parts_are_marked(
    looked: Outcome, log: pd.DataFrame, since: pd.DataFrame
) -> None:
    periods = looked.periods
    assert list(periods.index) == ["FY2026-Q2", "FY2026-Q3"]
    assert list(periods["partial"]) == [True, False]
    old = since["customer_id"].isin(log[log["date"] <= THEN]["customer_id"])
    first = since[old & (since["date"] <= "2025-09-30")]["amount"].sum()
    assert periods["actual"].iloc[0] == pytest.approx(first)
    assert periods["actual"].sum() == pytest.approx(looked.total["actual"])


def test_the_forecast_is_that_of_then_for_the_time_that_is_over(looked: Outcome, then: Run) -> None:
    """The same fits and the same base, for 153 days; who was erased is forecast apart."""
    ahead = then.study.forecast.over("153d")
    said = ahead.totals("country").table.set_index("country")
    whole = looked.total["forecast"] + looked.left[1]
    assert whole == pytest.approx(said["revenue"][ALL], rel=1e-6)
    untouched = [n for n in looked.tables["country"].index if n != ALL]
    same = [n for n in untouched if looked.tables["country"]["customers"][n] == said["customers"][n]]
    assert same == ["CZ"]
    for name in same:
        row = looked.tables["country"].T[name]
        assert row["forecast"] == pytest.approx(said["revenue"][name], rel=1e-6)
        for mine, theirs in (("low", "revenue_p05"), ("high", "revenue_p95")):
            assert row[mine] == pytest.approx(said[theirs][name], rel=0.03)  # chance is simulated anew


def test_the_page_says_it_in_a_sentence(looked: Outcome, now: Run) -> None:
    row, shown = looked.total, page(now, "last")
    where = "inside" if row["low"] <= row["actual"] <= row["high"] else "above it"
    assert shown.finding.startswith(
        f"The forecast of 2025-07-31 said {row['low']:,.0f} to {row['high']:,.0f} EUR for the 5 months to "
        f"2025-12-31; it came to {row['actual']:,.0f}: {where}. By country, "
    )
    assert [table.name for table in shown.tables] == [
        "outcome_by_country",
        "outcome_apart",
        "outcome_periods",
        "outcome_by_rfm_segment",
    ]
    assert list(shown.tables[0].frame["segment"]) == ["AT", "CZ", "LT", ALL]
    assert shown.tables[1].frame["customers"].tolist() == [looked.new[0], looked.left[0]]
    assert "FY2026-Q2 (part)" in set(shown.tables[2].frame["period"])
    text = (now.folder / "report.html").read_text(encoding="utf-8")
    assert shown.finding in re.sub("</?span[^>]*>", "", text)


def test_a_horizon_that_is_over_is_the_end(folder: Path, then: Run, now: Run) -> None:
    past = look_back(written(folder, NOW), now.study.orders)
    assert past.published is not None
    short = clv.reporting.outcomes.Published(**{**vars(past.published), "horizon": "1m"})
    found = outcome(short, now.study.orders)
    assert found is not None
    assert str(found.end) == "2025-08-31"
    assert found.window == "month to 2025-08-31"


def moved(then: Run, now: Run) -> pd.DataFrame:
    """Customers then and now, by pandas."""
    old = pd.read_parquet(then.folder / "rfm.parquet").set_index("customer_id")
    new = pd.read_parquet(now.folder / "rfm.parquet").set_index("customer_id")
    cuts = then.study.cuts
    since = new["T"] - new["recency"]
    age = np.select([since <= cuts.recent, since <= cuts.old], ["recent", "cooling"], "lapsed")
    spend = new["repeat_spend"] + new["first_amount"]
    kind = np.where(spend <= cuts.spend, "Repeat, lower value", "Repeat, high value")
    kind = np.where(new["frequency"] == 0, "One-time", kind)
    after = pd.Series([f"{a}, {b}" for a, b in zip(kind, age, strict=True)], new.index, name="after")
    parts = [old["rfm_segment"].rename("before"), after]
    for made, name in ((then, "then"), (now, "now")):
        said = pd.read_parquet(made.folder / "forecast.parquet").set_index("customer_id")
        parts += [said[column].rename(f"{column}_{name}") for column in ("clv_mean", "percentile", SOON)]
    return pd.concat(parts, axis=1).assign(country=new["country"])


def test_flows_are_cut_at_the_points_of_then(then: Run, now: Run) -> None:
    both = moved(then, now).fillna({"before": "New since then", "after": "No longer in the log"})
    counts = both.groupby(["before", "after"]).size()
    shown = next(t for t in page(now, "movement").tables if t.name == "movement_customers")
    labels = {c.key: c.label for c in shown.columns}
    found = {
        (row["before"], labels[key]): row[key]
        for _, row in shown.frame.iterrows()
        for key in labels
        if key.startswith("to_") and row["before"] != ALL and row[key] > 0
    }
    assert found == counts.to_dict()
    assert shown.frame["total"].iloc[:-1].sum() == len(both)
    assert math.isnan(shown.frame["total"].iloc[-1])  # of both days together: a number of neither
    table = next(t for t in page(now, "movement").tables if t.name == "movement_value")
    worth = table.frame.set_index("segment")
    came = both["before"] == "New since then"
    for name, rows in both[~came].groupby("before"):
        row = worth.loc[name]
        assert row["customers"] == len(rows)
        assert row["value_now"] == pytest.approx(rows["clv_mean_now"].sum())
        assert row["value_then"] == pytest.approx(rows["clv_mean_then"].sum())
    assert f"Not in it: {came.sum()} who are new since then" in table.basis


def test_who_is_at_risk_is_listed_beside_the_report_and_not_in_it(then: Run, now: Run) -> None:
    both = moved(then, now).dropna(subset=["before", "after"])
    top = both[both["percentile_then"] >= 80]
    fallen = top[top[f"{SOON}_now"] <= 0.7 * top[f"{SOON}_then"]].sort_values(
        "clv_mean_then", ascending=False
    )
    assert 0 < len(fallen) < len(top)
    listed = pd.read_parquet(now.folder / "at_risk.parquet")
    assert list(listed["customer_id"]) == list(fallen.index)
    assert listed["clv_mean_now"].sum() == pytest.approx(fallen["clv_mean_now"].sum())
    assert list(listed["country"]) == list(fallen["country"])
    assert list(listed["rfm_segment_then"]) == list(fallen["before"])
    assert "at_risk.parquet" in now.manifest["outputs"]
    said = page(now, "movement").finding
    assert f"{len(fallen)} of the {len(top)} who were worth most have become 30 % or more less likely" in said
    for name in ("report.html", "run.json"):
        text = (now.folder / name).read_text(encoding="utf-8")
        assert not any(customer in text for customer in fallen.index)
    table = next(t for t in page(now, "movement").tables if t.name == "at_risk_by_country").frame
    counts = fallen.groupby("country").size().to_dict() | {ALL: len(fallen)}
    assert dict(zip(table["segment"], table["customers"], strict=True)) == counts


def test_the_chance_of_a_purchase_soon_stands_in_the_forecast(now: Run) -> None:
    said = pd.read_parquet(now.folder / "forecast.parquet").set_index("customer_id")
    exact = now.study.forecast.over("90d").table.to_pandas().set_index("customer_id")["p_purchase"]
    pd.testing.assert_series_equal(said[SOON], exact.sort_index(), check_names=False)
    columns = list(pd.read_csv(now.folder / "forecast.csv").columns)
    assert columns == list(pd.read_parquet(now.folder / "forecast.parquet").columns)
    assert columns[columns.index("p_purchase") + 1] == SOON


@pytest.fixture
def copied(folder: Path, then: Run, tmp_path: Path) -> Path:
    """The folder of the first run with its log, to do harm in."""
    shutil.copy(folder / "log.csv", tmp_path)
    shutil.copytree(then.folder, tmp_path / "out" / "small-shop" / then.folder.name)
    return tmp_path


def altered(folder: Path) -> Path:
    return next((folder / "out" / "small-shop").iterdir())


def test_a_published_run_that_was_altered_stops_a_run_before_anything_is_fitted(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (altered(copied) / "forecast.csv").write_text("mended", encoding="utf-8")
    config = written(copied, NOW)
    monkeypatch.setattr("clv.jobs.pipeline.review", lambda *_, **__: pytest.fail("a review began"))
    error = check(config).error()
    assert isinstance(error, OutputError)
    assert error.codes == ["O004"]
    assert error.exit_status == 5
    with pytest.raises(OutputError, match=r"O004 forecast.csv of run \S+ was altered since the run ended"):
        run(config)


def test_a_run_that_is_missing_stops_only_where_it_is_asked_for(copied: Path) -> None:
    (altered(copied) / "published").unlink()
    config = written(copied, NOW)
    past = look_back(config, config.transactions())
    assert past.published is None
    assert past.before is not None
    asked = written(copied, NOW, more=f'compare_with = "{altered(copied).name}"')
    error = check(asked).error()
    assert isinstance(error, ConfigError)
    assert error.codes == ["P004"]
    assert "is not published" in str(error)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("currency", "counts in EUR, while this log counts in CZK"),
        ("ids", "has no customer in common with this log"),
        ("schema", "was made by an earlier clv, which did not keep its fits"),
    ],
)
def test_a_run_that_cannot_be_compared_with_is_told(copied: Path, harm: str, said: str) -> None:
    if harm == "schema":
        place = altered(copied)
        (place / "published").unlink()
        saved = json.loads((place / "run.json").read_text(encoding="utf-8")) | {"schema": 1}
        (place / "run.json").write_text(json.dumps(saved), encoding="utf-8")
        lock(place)
    log = pd.read_csv(copied / "log.csv")
    if harm == "ids":
        log["customer_id"] = "other " + log["customer_id"]
        log.to_csv(copied / "log.csv", index=False)
    more = 'compare_with = "' + altered(copied).name + '"'
    for asked in ("", more):
        config = written(copied, NOW, more=asked)
        if harm == "currency":
            text = (copied / "job.toml").read_text(encoding="utf-8").replace('"EUR"', '"CZK"')
            (copied / "job.toml").write_text(text, encoding="utf-8")
            config = load(copied / "job.toml")
        orders = config.transactions()
        if asked:
            with pytest.raises(ConfigError, match=f"P004 'report.compare_with' names a run that {said}; got"):
                look_back(config, orders)
        else:
            past = look_back(config, orders)
            assert past.published is None
            assert list(past.notes) == [
                f"What came is not compared with the published forecast of {THEN}: its run {said}."
            ]


def test_movement_without_the_chance_of_then_says_so(copied: Path, now: Run) -> None:
    place = altered(copied)
    config = written(copied, NOW)
    past = look_back(config, now.study.orders)
    assert past.before is not None
    terms = dataclasses.replace(past.before.terms, margin=past.before.terms.margin / 2)
    bare = dataclasses.replace(past.before, customers=past.before.customers.drop(SOON), terms=terms)
    found = movement(bare, now.study, "country", chance_soon(now.study.forecast))
    assert found is not None
    assert found.table is None
    assert found.sentence.endswith(
        f"What is at risk cannot be told: run {past.before.run_id} did not keep {SOON}."
    )
    shown = movement_page(found)
    assert [table.name for table in shown.tables] == ["movement_value", "movement_customers"]
    assert shown.tables[0].frame["value_then"].isna().all()
    assert any("counted otherwise (margin 20 %, now 40 %)" in note for note in shown.notes)
    assert place.exists()


def test_an_altered_base_is_passed_over_with_a_word(copied: Path, now: Run) -> None:
    place = altered(copied)
    (place / "published").unlink()
    (place / "rfm.parquet").unlink()
    past = look_back(written(copied, NOW), now.study.orders)
    assert (past.published, past.before) == (None, None)
    assert [note[:16] for note in past.notes] == ["O004 rfm.parquet"]


def test_a_base_of_strangers_has_no_movement(copied: Path, now: Run) -> None:
    past = look_back(written(copied, NOW), now.study.orders)
    assert past.before is not None
    rfm = past.before.rfm
    other = clv.reporting.movements.Before(**{**vars(past.before), "rfm": rfm.where("country", "nowhere")})
    assert movement(other, now.study, "country", chance_soon(now.study.forecast)) is None


def test_every_table_of_a_run_is_shown_by_its_name(now: Run) -> None:
    with pytest.raises(ConfigError, match="C001 there is no figure 'x'; there are periods") as error:
        clv.show(now.pages, "x")
    names = str(error.value).split("there are ")[1].rstrip(".").split(", ")
    assert {"outcome_by_country", "outcome_periods", "movement_value", "at_risk_by_country"} <= set(names)
    for name in names:
        shown = clv.show(now.pages, name)
        assert shown.table.name == name
        assert "<figure>" in shown._repr_html_()
