"""Key figures by segment beside what the model says of the same customers, recomputed by loops in pandas."""

import copy
import dataclasses

import numpy as np
import pandas as pd
import pytest

import clv
from clv.data.contract import Transactions
from clv.evaluation.backtest import OTHER
from clv.evaluation.study import study
from clv.forecasting.totals import ALL
from clv.reporting.feedback_tables import loyalty, recommendation, satisfaction
from clv.reporting.grid import Table
from clv.reporting.kpi_tables import early_loss
from clv.reporting.loyalty_tables import referrals, returning
from clv.reporting.margin_tables import margin_finding, margins
from clv.reporting.pages import pages
from clv.reporting.planning_pages import units
from clv.reporting.reviews import Review

CAC = {"AT": 5.0, "CZ": 8.0, "LT": 20.0}


@pytest.fixture(scope="module")
def people(small_log: pd.DataFrame) -> pd.DataFrame:
    """Four in five customers have answered something; one in a hundred is not in the table."""
    rng = np.random.default_rng(11)
    ids = small_log["customer_id"].drop_duplicates().sort_values()[2:]
    table = pd.DataFrame({"customer_id": ids})
    table["csat"] = pd.Series(rng.integers(1, 6, len(ids)), table.index, dtype="Int64").mask(
        rng.random(len(ids)) < 0.3
    )
    table["nps"] = pd.Series(rng.integers(0, 11, len(ids)), table.index, dtype="Int64").mask(
        rng.random(len(ids)) < 0.4
    )
    table["member"] = np.where(
        rng.random(len(ids)) < 0.4, "yes", np.where(rng.random(len(ids)) < 0.9, "no", "")
    )
    return table


@pytest.fixture(scope="module")
def log(small_log: pd.DataFrame) -> pd.DataFrame:
    """The small log with the cost of goods, who referred a customer, and the place of an order."""
    rng = np.random.default_rng(12)
    size, number = len(small_log), small_log["customer_id"].str[1:].astype(int)
    return small_log.assign(
        cogs=(small_log["amount"] * rng.uniform(0.4, 0.6, size)).round(2),
        friend=np.where(number % 4 == 1, "C0000", None),
        place=rng.choice(["shop", "web"], size),
    )


@pytest.fixture(scope="module")
def reviewed(log: pd.DataFrame, people: pd.DataFrame) -> Review:
    orders = Transactions(
        log,
        as_of="2025-12-31",
        segments=("country", "place"),
        cogs="cogs",
        referred_by="friend",
        customers=people,
        satisfaction="csat",
        recommendation="nps",
        loyalty="member",
        currency="EUR",
    )
    economics = clv.Economics(0.4, 0.1, cac=CAC)
    return Review(study(orders, economics, acquired_by="country"), segment="country")


@pytest.fixture(scope="module")
def customers(reviewed: Review) -> pd.DataFrame:
    """One row per customer: what the forecast says, with the segment as the tables have it."""
    frame = reviewed.study.forecast.customers().to_pandas().set_index("customer_id")
    small = frame["country"].map(frame["country"].value_counts()) < 20
    return frame.assign(segment=frame["country"].mask(small, OTHER))


def groups(frame: pd.DataFrame):
    yield from frame.groupby("segment")
    yield ALL, frame


def shown(table: Table | None) -> pd.DataFrame:
    assert table is not None
    return table.frame.set_index("segment")


def test_satisfaction_and_promoters(reviewed: Review, customers: pd.DataFrame, people: pd.DataFrame) -> None:
    rated, asked = shown(satisfaction(reviewed)), shown(recommendation(reviewed))
    joined = customers.join(people.set_index("customer_id"))
    assert list(rated.index) == list(asked.index) == ["AT", "CZ", OTHER, ALL]
    for name, own in groups(joined):
        scores = [(c, worth) for c, worth in zip(own["csat"], own["clv_mean"], strict=True) if c is not pd.NA]
        good, bad = [v for c, v in scores if c in (4, 5)], [v for c, v in scores if c in (1, 2)]
        row = rated.loc[name]
        assert row["answers"] == len(scores)
        assert row["high"] == pytest.approx(len(good) / len(scores))
        assert row["low"] == pytest.approx(len(bad) / len(scores))
        said = [(c, worth) for c, worth in zip(own["nps"], own["clv_mean"], strict=True) if c is not pd.NA]
        up, down = [v for c, v in said if c in (9, 10)], [v for c, v in said if c <= 6]
        other = asked.loc[name]
        assert other["nps"] == pytest.approx(100 * (len(up) - len(down)) / len(said))
        means = {"high": (good, up), "low": (bad, down)}
        for key, (one, two) in means.items():
            for found, values in ((row, one), (other, two)):
                expected = np.mean(values) if len(values) >= 20 else np.nan
                assert found[f"value_{key}"] == pytest.approx(expected, nan_ok=True)
        if len(said) >= 20:
            assert other["value_answers"] == pytest.approx(np.mean([v for _, v in said]))


def test_members_against_others(reviewed: Review, customers: pd.DataFrame, people: pd.DataFrame) -> None:
    found = shown(loyalty(reviewed))
    joined = customers.join(people.set_index("customer_id"))
    for name, own in groups(joined):
        row, yes, no = found.loc[name], own[own["member"] == "yes"], own[own["member"] == "no"]
        assert row["members"] == len(yes)
        assert row["share"] == pytest.approx(len(yes) / (len(yes) + len(no)))
        held = yes["clv_mean"].sum() / (yes["clv_mean"].sum() + no["clv_mean"].sum())
        assert row["held"] == pytest.approx(held)
        if len(yes) >= 20 and len(no) >= 20:
            assert row["times"] == pytest.approx(yes["clv_mean"].mean() / no["clv_mean"].mean())


def test_referred_customers_net_of_cac(reviewed: Review, customers: pd.DataFrame, log: pd.DataFrame) -> None:
    found = shown(referrals(reviewed))
    told = set(log.loc[log["friend"].notna(), "customer_id"])
    for name, own in groups(customers.assign(worth=customers["historic_value"] + customers["clv_mean"])):
        row, yes = found.loc[name], own[own.index.isin(told)]
        assert row["referred"] == len(yes)
        assert row["share"] == pytest.approx(len(yes) / len(own))
        for who, part in (("referred", yes), ("others", own[~own.index.isin(told)])):
            if len(part) < 20:
                assert np.isnan(row[f"net_{who}"])
            else:
                assert row[f"value_{who}"] == pytest.approx(part["worth"].mean())
                net = part["worth"] - part["country"].map(CAC)
                assert row[f"net_{who}"] == pytest.approx(net.mean())


def test_a_cac_that_is_not_known_is_not_taken_for_nothing(reviewed: Review) -> None:
    table = reviewed.comparison.table
    unknown = table.assign(cac=table["cac"].where(table.index != "CZ"))
    other = dataclasses.replace(reviewed.comparison, table=unknown)
    study = dataclasses.replace(reviewed.study, comparisons=[other])
    found = shown(referrals(dataclasses.replace(reviewed, study=study)))
    assert found["net_others"].isna().to_dict() == {"AT": False, "CZ": True, OTHER: True, ALL: True}
    assert found["value_others"].notna().sum() == 3


def test_margin_is_that_of_the_goods(reviewed: Review, customers: pd.DataFrame, log: pd.DataFrame) -> None:
    table = margins(reviewed)
    found = shown(table)
    lines = log.assign(segment=log["customer_id"].map(customers["segment"]))
    for name, own in groups(lines):
        row, revenue, cost = found.loc[name], own["amount"].sum(), own["cogs"].sum()
        assert row["revenue"] == pytest.approx(revenue)
        assert row["measured"] == pytest.approx(1 - cost / revenue)
        assert row["gap"] == pytest.approx(100 * (1 - cost / revenue - 0.4))
    percent = f"{100 * found['measured'][ALL]:.1f} %"
    more = f"{found['gap'][ALL] / 0.4:.1f} %"
    assert margin_finding(table) == (
        f" The cost of goods in the log leaves a margin of {percent}, where 40.0 % are assumed: with it, "
        f"every value is {more} higher, before any other cost of an order."
    )
    assert margin_finding(table) in units(reviewed).finding
    near = dataclasses.replace(reviewed.study.economics, margin=round(found["measured"][ALL], 2))
    same = dataclasses.replace(reviewed, study=dataclasses.replace(reviewed.study, economics=near))
    assert margin_finding(margins(same)) == margin_finding(None) == ""


def test_customers_who_came_back(reviewed: Review, customers: pd.DataFrame, log: pd.DataFrame) -> None:
    table = returning(reviewed)
    found, new = shown(table), reviewed.comparison.table["model_new_discounted"]
    orders = log.groupby("customer_id")["date"].nunique()
    places = log.groupby("customer_id")["place"].nunique()
    for name, own in groups(customers.assign(orders=orders, places=places)):
        row, again = found.loc[name], own[own["orders"] > 1]
        assert row["again"] == len(again)
        assert row["variety place"] == pytest.approx(own["places"].mean())
        if len(again) >= 20:
            assert row["times"] == pytest.approx(again["clv_mean"].mean() / new[name])
    assert "variety country" not in {c.key for c in table.columns}  # nobody orders from two


def test_early_loss_by_cohort(reviewed: Review, log: pd.DataFrame) -> None:
    dates = pd.to_datetime(log["date"])
    people = []
    for _, own in dates.groupby(log["customer_id"]):
        days = sorted(set(own))
        early = len(days) > 1 and (days[1] - days[0]).days <= 90
        if (pd.Timestamp("2025-12-31") - days[0]).days >= 90:
            people.append((f"{days[0].year}-{days[0].month:02}", early))
    frame = pd.DataFrame(people, columns=["cohort", "early"])
    found = early_loss(reviewed).frame.set_index("cohort")
    assert list(found.index) == [*sorted(set(frame["cohort"])), ALL]
    for name, own in [*frame.groupby("cohort"), (ALL, frame)]:
        assert found.loc[name, "old"] == len(own)
        assert found.loc[name, "early"] == pytest.approx(1 - own["early"].mean())


def test_a_log_without_segments_has_key_figures_too() -> None:
    rows = [(f"c{i:03}", day, 10.0 + i % 7) for i in range(120) for day in (i, i + 30 + i % 50)[: 1 + i % 2]]
    frame = pd.DataFrame(rows, columns=["customer_id", "day", "amount"])
    frame["date"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(frame.pop("day"), "D")).dt.date
    review = Review(study(Transactions(frame, as_of="2024-07-15"), clv.Economics(0.4)))
    found = shown(returning(review))
    assert found.loc[ALL, "again"] == 60
    assert not [name for name in found if name.startswith("variety")]


def test_what_was_not_asked_folds_away(reviewed: Review, small_review: Review) -> None:
    assert [margins(small_review), referrals(small_review), satisfaction(small_review)] == [None] * 3
    assert [recommendation(small_review), loyalty(small_review)] == [None] * 2
    orders = copy.copy(reviewed.study.orders)
    for name in ("recommendation", "loyalty"):
        object.__setattr__(orders, name, None)
    part = dataclasses.replace(reviewed, study=dataclasses.replace(reviewed.study, orders=orders))
    assert [recommendation(part), loyalty(part)] == [None, None]
    assert satisfaction(part) is not None


def test_they_are_shown_by_name(reviewed: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    made = pages(reviewed)  # once, not for each name that is looked for on them
    monkeypatch.setattr("clv.reporting.figures.pages", lambda _: made)
    for name in (
        "satisfaction",
        "recommendation",
        "loyalty",
        "returning",
        "referrals",
        "margins",
        "early_loss",
    ):
        assert clv.show(reviewed, name).table.name == name


def test_early_loss_of_few_customers_is_marked(reviewed: Review, log: pd.DataFrame) -> None:
    table = early_loss(reviewed)
    frame = table.frame
    few = frame["old"] < 100
    assert 0 < few.sum() < len(frame)
    assert list(frame["segment"]) == [
        f"{name} (few)" if so else name for name, so in zip(frame["cohort"], few, strict=True)
    ]
    said = "(few): fewer than 100 customers, or fewer than 100 of them 90 days old."
    assert table.basis.endswith(said)
    many = Review(reviewed.study, segment="country")
    young = clv.show(many, "kpis").table
    old = young.frame["old"]
    assert [str(name).endswith(" (few)") for name in young.frame["segment"]] == list(old < 100)
    assert (said in young.basis) == bool((old < 100).any())
