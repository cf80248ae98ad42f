"""Sentences and lights follow their rules, on contenders that are made up for it."""

import dataclasses
import math
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import clv
from clv.data.contract import Transactions
from clv.evaluation.backtest import MODEL
from clv.evaluation.study import Study
from clv.forecasting.totals import ALL
from clv.reporting import cohort_tables, decision, holdout_page, pages, tables
from clv.reporting import thresholds as limits
from clv.reporting.grid import miss
from clv.reporting.reviews import Review

OTHERS = {"Repeat run-rate": 0.345, "Formula 1": 1.2, "Formula 2": -0.5}


def judged(study: Study, errors: dict[str, float], gini: dict[str, float], actual: float = 100.0) -> Study:
    """The study, with a hold-out in which the contenders did as told."""
    told = pd.Series(OTHERS | errors)
    contenders = pd.DataFrame({"forecast": 100.0, "actual": actual, "error": told})
    individual = pd.DataFrame({"mae": 1.0, "top_decile": 0.42, "gini": pd.Series(gini)})
    assert study.holdout is not None
    held = dataclasses.replace(study.holdout, contenders=contenders, individual=individual)
    return dataclasses.replace(study, holdout=held)


def untested(study: Study) -> Study:
    """The study as it is without a hold-out."""
    plain = [dataclasses.replace(c, holdout=None) for c in study.comparisons]
    return dataclasses.replace(study, holdout=None, holdout_cuts=None, comparisons=plain)


def test_the_model_wins_when_it_is_nearest(small_study: Study) -> None:
    said = holdout_page.verdict(
        judged(small_study, {MODEL: -0.05, "Own rate": 0.4}, {MODEL: 0.66, "Own rate": 0.66})
    )
    assert said == (
        "Use the model: its total came out 5.0 % too low, and the tenth of customers it put first brought "
        "42.0 % of what was spent. Repeat run-rate: 34.5 % too high; formula 1: 120.0 % too high; formula 2: "
        "50.0 % too low."
    )


@pytest.mark.parametrize("own", ["Own rate", "Own rate with first order"])
def test_own_rate_wins_when_it_is_nearer_and_ranks_as_well(small_study: Study, own: str) -> None:
    gini = {MODEL: 0.66, own: 0.66 - limits.GINI_SLACK + 0.001}
    said = holdout_page.verdict(judged(small_study, {MODEL: -0.2, own: 0.1}, gini))
    assert said.startswith(f"Use {own.lower()}: its total came out 10.0 % too high, and the tenth")
    assert "nearer" not in said


@pytest.mark.parametrize("own", ["Own rate", "Own rate with first order"])
def test_own_rate_loses_when_it_ranks_worse(small_study: Study, own: str) -> None:
    gini = {MODEL: 0.66, own: 0.66 - limits.GINI_SLACK - 0.001}
    said = holdout_page.verdict(judged(small_study, {MODEL: -0.2, own: 0.1}, gini))
    assert said.startswith("Use the model: its total came out 20.0 % too low, ")
    assert said.endswith(f" {own} came nearer in total (10.0 % too high) but ranks customers less well.")


def test_a_nearer_total_without_a_ranking_is_named_not_used(small_study: Study) -> None:
    errors = {MODEL: -0.17, "Own rate": 0.4, "Calendar run-rate": -0.02, "Formula 2": 0.1}
    said = holdout_page.verdict(judged(small_study, errors, {MODEL: 0.66, "Own rate": 0.66}))
    assert said.startswith("Use the model: its total came out 17.0 % too low, ")
    assert said.endswith(
        " Calendar run-rate came nearer in total (2.0 % too low) but says nothing of who will buy."
    )


@pytest.mark.parametrize(
    ("error", "fails"), [(0.25, ""), (-0.25, ""), (0.2501, "25.0 % too high"), (-0.26, "26.0 % too low")]
)
def test_a_large_miss_is_not_to_be_used_for_level(small_study: Study, error: float, fails: str) -> None:
    said = holdout_page.verdict(
        judged(small_study, {MODEL: error, "Own rate": 0.9}, {MODEL: 0.6, "Own rate": 0.5})
    )
    if not fails:
        assert said.startswith("Use the model: ")
        return
    assert said == (
        f"No contender does both: use none for level (the nearest, the model, came out {fails}); to rank "
        "customers take the model. Ranking by Gini, and what the tenth put first brought of all spend: the "
        "model 0.60 (42.0 %), own rate 0.50 (42.0 %)."
    )


def test_level_and_ranking_are_recommended_apart(small_study: Study) -> None:
    first = "Own rate with first order"
    errors = {MODEL: -0.2, first: 0.6, "Own rate": 0.5, "Repeat run-rate": 0.21}
    said = holdout_page.verdict(judged(small_study, errors, {MODEL: 0.6, "Own rate": 0.55, first: 0.65}))
    assert said == (
        "No contender does both: for level take the model, whose total came out 20.0 % too low; to rank "
        "customers take own rate with first order. Ranking by Gini, and what the tenth put first brought of "
        "all spend: own rate with first order 0.65 (42.0 %), the model 0.60 (42.0 %), own rate 0.55 (42.0 %)."
    )


def test_for_level_even_one_that_cannot_rank_may_be_taken(small_study: Study) -> None:
    errors = {MODEL: -0.4, "Calendar run-rate": -0.25}
    said = holdout_page.verdict(judged(small_study, errors, {MODEL: 0.6}))
    assert said.startswith(
        "No contender does both: for level take calendar run-rate, whose total came out 25.0 % too low; to "
        "rank customers take the model."
    )


def test_where_everyone_spent_alike_the_nearest_is_used(small_study: Study) -> None:
    unranked = {MODEL: math.nan, "Own rate": math.nan}
    said = holdout_page.verdict(judged(small_study, {MODEL: 0.12, "Own rate": 0.4}, unranked))
    assert said.startswith("Use the model: its total came out 12.0 % too high, ")
    assert "nan" not in said
    assert "–" not in said


def test_where_everyone_spent_alike_and_all_miss_none_is_used(small_study: Study) -> None:
    unranked = {MODEL: math.nan, "Own rate": math.nan}
    assert holdout_page.verdict(judged(small_study, {MODEL: 0.3, "Own rate": 0.4}, unranked)) == (
        "No contender ranks customers better than another; use none for level (the nearest, the model, came "
        "out 30.0 % too high)."
    )


def test_where_everyone_spent_alike_a_run_rate_is_not_said_to_rank(small_study: Study) -> None:
    unranked = {MODEL: math.nan, "Own rate": math.nan}
    errors = {MODEL: 0.2, "Own rate": 0.4, "Calendar run-rate": 0.1}
    said = holdout_page.verdict(judged(small_study, errors, unranked))
    assert "calendar run-rate" in said.lower()
    assert "10.0 % too high" in said
    assert "–" not in said  # "put first brought – of what was spent"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (0.173, "17.3 % too high"),
        (-0.173, "17.3 % too low"),
        (1.2, "120.0 % too high"),
        (-0.0006, "0.1 % too low"),
        (-0.0004, "on the mark"),
        (0.0, "on the mark"),
    ],
)
def test_a_miss_has_a_direction(error: float, said: str) -> None:
    assert miss(error) == said


def test_a_holdout_in_which_nothing_was_bought_gives_no_verdict(small_study: Study) -> None:
    names = (MODEL, "Own rate", *OTHERS)
    silent = judged(
        small_study, dict.fromkeys(names, math.nan), dict.fromkeys(names[:2], math.nan), actual=0.0
    )
    said = holdout_page.verdict(silent)
    assert "Use " not in said
    assert "nan" not in said
    review = Review(silent)
    assert all("nan" not in page.finding and "–" not in page.finding for page in pages.pages(review))
    light = {light.name: light for light in decision.lights(review)}["Hold-out"]
    assert (light.level, light.words) == ("fair", "nothing was bought in it")
    assert decision.model_error(silent) is None
    assert "nothing here says how far off" in decision.decision(review).finding


@pytest.mark.parametrize(
    ("formula", "said"),
    [(10, "10.00, 50.0 % less than the model"), (30, "50.0 % more than"), (20.9, "about the same")],
)
def test_the_gap_to_formula_1_is_a_share_of_the_model(small_study: Study, formula: float, said: str) -> None:
    first = small_study.comparisons[0]
    table = first.table.copy()
    table.loc[ALL, ["formula_1_within", "formula_2_within", "model_new"]] = (formula, math.nan, 20.0)
    told = [dataclasses.replace(first, table=table), *small_study.comparisons[1:]]
    finding = pages.formulas(Review(dataclasses.replace(small_study, comparisons=told))).finding
    assert said in finding
    assert "formula 2 gives –." in finding  # churn that could not be measured


@pytest.mark.parametrize(
    ("error", "level", "words"),
    [
        (0.1, "good", "total 10.0 % too high"),
        (-0.1, "good", "total 10.0 % too low"),
        (0.11, "fair", "total 11.0 % too high"),
        (-0.25, "fair", "total 25.0 % too low"),
        (0.26, "bad", "total 26.0 % too high"),
        (-0.26, "bad", "total 26.0 % too low"),
    ],
)
def test_the_light_of_the_holdout(small_study: Study, error: float, level: str, words: str) -> None:
    told = judged(small_study, {MODEL: error}, {MODEL: 0.6})
    review = Review(told)
    light = {light.name: light for light in decision.lights(review)}["Hold-out"]
    assert (light.level, light.words) == (level, words)
    assert (
        f"the same method came out {words.removeprefix('total ')} in total."
        in decision.decision(review).finding
    )


def test_without_a_holdout_nothing_is_promised(small_study: Study) -> None:
    blind = untested(small_study)
    review = Review(blind)
    light = {light.name: light for light in decision.lights(review)}["Hold-out"]
    assert (light.level, light.words) == ("fair", "not tested")
    made = pages.pages(review)
    assert not any(note.startswith("No hold-out by") for page in made for note in page.notes)
    assert "holdout" not in [page.id for page in made]
    assert "nothing here says how far off" in made[0].finding


def orders(severities: str = "", used: float = 100.0, left: float = 0.0) -> Any:
    money = pd.DataFrame({"reason": ["used", "guest"], "rows": [1, 1], "money": [used, left]})
    return SimpleNamespace(
        findings=[SimpleNamespace(severity=s) for s in severities], reconciliation=lambda: money
    )


@pytest.mark.parametrize(
    ("name", "log", "level"),
    [
        ("Data", orders(), "good"),
        ("Data", orders("A"), "good"),
        ("Data", orders("AWW"), "fair"),
        ("Reconciliation", orders(used=95, left=5), "good"),
        ("Reconciliation", orders(used=94, left=6), "fair"),
        ("Reconciliation", orders(used=80, left=20), "fair"),
        ("Reconciliation", orders(used=79, left=21), "bad"),
        ("Reconciliation", orders(used=0, left=0), "bad"),
        ("Reconciliation", orders(used=100, left=-5), "good"),
        ("Reconciliation", orders(used=100, left=-10), "fair"),
        ("Reconciliation", orders(used=100, left=-30), "bad"),
    ],
)
def test_lights_of_the_data(small_study: Study, name: str, log: Any, level: str) -> None:
    lights = {
        light.name: light.level
        for light in decision.lights(Review(dataclasses.replace(small_study, orders=log)))
    }
    assert lights[name] == level


def test_refunds_left_out_lower_the_money_that_is_modelled(
    small_study: Study, small_log: pd.DataFrame
) -> None:
    back = small_log.tail(30).assign(amount=-small_log["amount"].tail(30))
    log = Transactions(pd.concat([small_log, back]), as_of="2025-12-31", refunds="drop", currency="EUR")
    light = decision.lights(Review(dataclasses.replace(small_study, orders=log)))[1]
    booked, given = small_log["amount"].sum(), -back["amount"].sum()
    assert given > 0
    assert light.words == f"{100 * booked / (booked + given):.1f} % of booked money is modelled"


def test_the_light_of_the_fit(small_study: Study) -> None:
    def level(**changed: Any) -> str:
        fit = dataclasses.replace(small_study.purchase, **changed)
        lights = decision.lights(Review(dataclasses.replace(small_study, purchase=fit)))
        return {light.name: light.level for light in lights}["Fit"]

    assert level(boundary=()) == "good"
    assert level(boundary=("a",)) == "fair"
    assert level(covariance=small_study.purchase.covariance * math.nan) == "fair"


def test_draws_show_their_priors_and_a_failed_gate_is_red(small_study: Study) -> None:
    purchase, spend = (
        clv.fit(kind, small_study.rfm, method="laplace", draws=200) for kind in (clv.BGNBD, clv.GammaGamma)
    )
    drawn = dataclasses.replace(small_study, purchase=purchase, spend=spend)
    page = pages.method(Review(drawn))
    assert "Draws from the posterior by importance sampling" in page.finding
    assert sum("every gate is passed" in note for note in page.notes) == 2
    estimates, priors = page.tables
    assert {"r", "share_lost", "q", "own_weight"} <= set(estimates.frame["parameter"])
    assert [c.label for c in estimates.columns][2:4] == ["Mean", "Standard deviation"]
    assert list(priors.frame["quantity"][:4]) == [q.words for q in clv.BGNBD.quantities]
    assert priors.cells()[2][2:4] == ["0.02", "0.70"]
    assert priors.cells()[4][1:4] == ["all of them", "–", "–"]
    assert "under 0.1 %" in set(priors.frame["twice"])
    assert decision.lights(Review(drawn))[2].words == "every gate is passed"
    ahead = dataclasses.replace(drawn.forecast, purchase=purchase, spend=spend)
    said = decision.unknowns(Review(dataclasses.replace(drawn, forecast=ahead)))[0]
    assert said == "Bands hold 5 to 95 % of chance and parameters, not of seasons or drift."
    bad = dataclasses.replace(spend.posterior, diagnostics={"k_hat": 0.9})
    light = decision.lights(
        Review(dataclasses.replace(drawn, spend=dataclasses.replace(spend, posterior=bad)))
    )[2]
    assert (light.level, light.words) == ("bad", "GammaGamma failed: see Method")


def with_cac(study: Study, cac: float | None) -> Study:
    economics = dataclasses.replace(study.economics, cac=cac)
    of = [
        dataclasses.replace(c, economics=economics, table=c.table.assign(cac=cac or math.nan))
        for c in study.comparisons
    ]
    return dataclasses.replace(study, economics=economics, comparisons=of)


def test_unknowns_follow_what_is_missing(
    small_study: Study, small_review: Review, hostile: tuple[str, ...]
) -> None:
    said = " ".join(decision.unknowns(small_review))
    assert f"Acquisition cost is not given for {hostile[0]} (C005)" in said  # the one channel without
    assert "C005" not in " ".join(decision.unknowns(Review(with_cac(small_study, 10.0))))
    assert "Acquisition cost is not given (C005): no figure" in " ".join(
        decision.unknowns(Review(with_cac(small_study, None)))
    )
    assert "No budget split" in said
    assert "extrapolated" not in said
    assert "shorter than two years" not in said  # 2024-01-01 to 2025-12-31
    assert "Bands hold 5 to 95 % of chance alone: parameters are taken for certain" in said
    assert "Nothing measured it" in decision.decision(Review(untested(small_study))).finding


def test_unknowns_of_a_short_log(cdnow_study: Study) -> None:
    said = " ".join(decision.unknowns(Review(cdnow_study)))
    assert "shorter than two years" in said
    assert "2 customers placed their first order after 1997-09-30, the last day that the forecast" in said
    assert "taken back since" not in said
    long = dataclasses.replace(cdnow_study.forecast, horizon="5y")
    assert "extrapolated" in " ".join(
        decision.unknowns(Review(dataclasses.replace(cdnow_study, forecast=long)))
    )


def test_headlines_are_net_of_cac_where_there_is_one(small_study: Study, small_review: Review) -> None:
    assert decision.decision(small_review).headlines[2].label.endswith("before CAC")
    shown = decision.decision(Review(with_cac(small_study, 10.0))).headlines[2]
    assert shown.label.endswith("less CAC")
    assert shown.value == f"{small_study.new_value - 10:,.2f} EUR"


def test_headlines_are_the_totals(small_study: Study, small_review: Review) -> None:
    first, second, _ = decision.decision(small_review).headlines
    assert first.value == f"{small_study.forecast.sums['clv']:,.0f} EUR"
    assert small_study.lifetime is not None
    assert second.value == f"{small_study.lifetime.sums['clv']:,.0f} EUR"
    assert "320 existing customers" in first.note
    share = f"{100 * small_study.beyond_five_years:.1f} %"
    assert "discounted at 10 % a year" in second.note
    assert f"{share} of it lies beyond five years" in second.note


def test_an_infinite_equity_is_a_dash(small_study: Study) -> None:
    endless = dataclasses.replace(small_study, lifetime=None, beyond_five_years=math.nan)
    shown = decision.decision(Review(endless)).headlines[1]
    assert (shown.label, shown.value) == ("Customer equity of the base", "–")
    assert shown.note.startswith("infinite without a discount")
    assert "nan" not in shown.note


def test_segments_that_do_not_earn_back_their_cost_are_named(
    small_study: Study, small_review: Review
) -> None:
    assert "earn back" not in decision.decision(small_review).finding
    first = small_study.comparisons[0]
    table = first.table.copy()
    near, far, few = table.index[:3]
    table["model_new_discounted"] = 20.0
    table.loc[[near, far, few], "cac"] = (21.5, 1030.0, 90.0)
    table["few"], table["own_fit"] = table.index == few, True
    table["model_after_cac"] = table["model_new_discounted"] - table["cac"]
    told = [dataclasses.replace(first, table=table), *small_study.comparisons[1:]]
    finding = decision.decision(Review(dataclasses.replace(small_study, comparisons=told))).finding
    assert finding.endswith(
        " New customers do not earn back their acquisition cost in that time in: "
        f"{far} (20.00 against 1,030.00); {near} (20.00 against 21.50)."
    )
    table.loc[far, "own_fit"] = False  # the whole base's value says nothing of it
    finding = decision.decision(Review(dataclasses.replace(small_study, comparisons=told))).finding
    assert finding.endswith(f"in that time in: {near} (20.00 against 21.50).")


def lost(study: Study, by: str, cost: dict[str, float]) -> str:
    """What the first page says where segments of one column cost so much to acquire, at a value of 20."""
    told = []
    for c in study.comparisons:
        table = c.table.copy()
        table["model_new_discounted"], table["few"], table["own_fit"] = 20.0, False, True
        table["cac"] = pd.Series(cost if c.by == by else {}, dtype=float).reindex(table.index)
        table["model_after_cac"] = table["model_new_discounted"] - table["cac"]
        told.append(dataclasses.replace(c, table=table))
    found = Review(dataclasses.replace(study, comparisons=told), segment="cohort" if by == "cohort" else None)
    _, said, after = decision.decision(found).finding.partition("cost in that time in: ")
    return after if said else ""


def test_only_segments_that_customers_are_acquired_in_are_named_the_worst_three(
    small_study: Study, hostile: tuple[str, ...]
) -> None:
    assert lost(small_study, "country", {"CZ": 500.0}) == ""  # they are acquired by channel
    worst = {name: 100.0 - at for at, name in enumerate(hostile[:5])}
    named = "; ".join(f"{name} (20.00 against {worst[name]:.2f})" for name in hostile[:3])
    assert lost(small_study, "channel", worst) == f"{named}; and 2 more."


def test_nobody_is_acquired_in_a_cohort_of_the_past(small_study: Study) -> None:
    cohorts = [
        name
        for name in next(c for c in small_study.comparisons if c.by == "cohort").table.index
        if name != ALL
    ]
    assert len(cohorts) > 2
    said = lost(small_study, "cohort", dict.fromkeys(cohorts, 100.0))
    assert said == f"{max(cohorts)} (20.00 against 100.00)."


def test_segments_that_may_know_the_future_have_a_note_for_a_holdout(
    small_study: Study, small_review: Review
) -> None:
    told = [dataclasses.replace(c, holdout=None) if c.by == "channel" else c for c in small_study.comparisons]
    made = {page.id: page for page in pages.pages(Review(dataclasses.replace(small_study, comparisons=told)))}
    page = made["formulas"]
    shown = {table.name for table in (*page.tables, *page.charts, *page.folded)}
    assert "holdout_by_channel" not in shown
    assert {"new_by_channel", "quoted_by_channel", "holdout_by_country", "holdout_by_cohort"} <= shown
    assert [note for note in page.notes if note.startswith("No hold-out by")] == [
        "No hold-out by channel: the customers table says what customers are now, which may know what came "
        "after the cut."
    ]
    plain = next(page for page in pages.pages(small_review) if page.id == "formulas")
    assert not any(note.startswith("No hold-out by") for note in plain.notes)


def test_the_curve_over_age_says_how_it_adds_up(small_study: Study, small_log: pd.DataFrame) -> None:
    """Beside the sum of months stand those who have lived all of them, here by loops over the log."""
    curve, brought = tables.ages(small_study).frame.set_index("months")["actual"], []
    for _, own in small_log.assign(date=pd.to_datetime(small_log["date"])).groupby("customer_id"):
        first = own["date"].min()
        if (pd.Timestamp("2025-12-31") - first).days >= 1.5 * 365.25:
            brought.append(own.loc[(own["date"] - first).dt.days <= 1.5 * 365.25, "amount"].sum())
    each = sum(brought) / len(brought) * small_study.economics.margin
    longer = dataclasses.replace(small_study.forecast, horizon="18m")
    (note,) = cohort_tables.added_up(dataclasses.replace(small_study, forecast=longer))
    assert f"{each:.2f}" != f"{curve[18]:.2f}"
    assert note.endswith(
        f"who become fewer: by month 18 that comes to {curve[18]:.2f} EUR, while the {len(brought)} "
        f"customers who are that old had brought {each:.2f} each by then."
    )
    (page,) = (page for page in pages.pages(Review(small_study)) if page.id == "ages")
    assert page.notes == []  # all are older than the horizon
    assert f"by month {curve.dropna().index[-1]}; the model says" in page.finding
