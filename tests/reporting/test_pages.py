"""Sentences and lights follow their rules, on contenders that are made up for it."""

import dataclasses
import math
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from clv.evaluation.backtest import MODEL
from clv.evaluation.inputs import ALL
from clv.evaluation.study import Study
from clv.reporting import pages
from clv.reporting import thresholds as limits

OTHERS = {"Repeat run-rate": 0.345, "Formula 1": 1.2, "Formula 2": -0.5}


def judged(study: Study, errors: dict[str, float], gini: dict[str, float], actual: float = 100.0) -> Study:
    """The study, with a hold-out in which the contenders did as told."""
    told = pd.Series(OTHERS | errors)
    contenders = pd.DataFrame({"forecast": 100.0, "actual": actual, "error": told})
    individual = pd.DataFrame({"mae": 1.0, "top_decile": 0.42, "gini": pd.Series(gini)})
    assert study.holdout is not None
    held = dataclasses.replace(study.holdout, contenders=contenders, individual=individual)
    return dataclasses.replace(study, holdout=held)


def test_the_model_wins_when_it_is_nearest(small_study: Study) -> None:
    said = pages.verdict(
        judged(small_study, {MODEL: -0.05, "Own rate": 0.4}, {MODEL: 0.66, "Own rate": 0.66})
    )
    assert said.startswith("Use the model: it missed the total by −5.0 %, and its top tenth")
    assert "42.0 %" in said
    assert "Repeat run-rate +34.5 %, formula 1 +120.0 %, formula 2 −50.0 %." in said
    assert "nearer" not in said
    assert "Do not use" not in said


def test_own_rate_wins_when_it_is_nearer_and_ranks_as_well(small_study: Study) -> None:
    gini = {MODEL: 0.66, "Own rate": 0.66 - limits.GINI_SLACK + 0.001}
    assert pages.verdict(judged(small_study, {MODEL: -0.2, "Own rate": 0.1}, gini)).startswith(
        "Use own rate:"
    )


def test_own_rate_loses_when_it_ranks_worse(small_study: Study) -> None:
    gini = {MODEL: 0.66, "Own rate": 0.66 - limits.GINI_SLACK - 0.001}
    said = pages.verdict(judged(small_study, {MODEL: -0.2, "Own rate": 0.1}, gini))
    assert said.startswith("Use the model:")
    assert "Own rate came nearer in total (+10.0 %) but does not rank customers as well." in said


def test_a_nearer_total_without_a_ranking_is_named_not_used(small_study: Study) -> None:
    errors = {MODEL: -0.17, "Own rate": 0.4, "Repeat run-rate": 0.02, "Formula 2": 0.1}
    said = pages.verdict(judged(small_study, errors, {MODEL: 0.66, "Own rate": 0.66}))
    assert said.startswith("Use the model:")
    assert "Repeat run-rate came nearer in total (+2.0 %)" in said


@pytest.mark.parametrize(("error", "warned"), [(0.25, False), (0.2501, True), (-0.26, True)])
def test_a_large_miss_is_not_to_be_used_for_level(small_study: Study, error: float, warned: bool) -> None:
    said = pages.verdict(judged(small_study, {MODEL: error, "Own rate": 0.9}, {MODEL: 0.6, "Own rate": 0.6}))
    assert ("Do not use it for level." in said) == warned


def test_a_holdout_in_which_nothing_was_bought_gives_no_verdict(small_study: Study) -> None:
    names = (MODEL, "Own rate", *OTHERS)
    silent = judged(
        small_study, dict.fromkeys(names, math.nan), dict.fromkeys(names[:2], math.nan), actual=0.0
    )
    said = pages.verdict(silent)
    assert "Use " not in said
    assert "nan" not in said
    assert all("nan" not in page.finding and "–" not in page.finding for page in pages.pages(silent))
    assert {light.name: light.level for light in pages.lights(silent)}["Hold-out"] == "fair"


@pytest.mark.parametrize(
    ("formula", "said"),
    [(10, "10.00, 50.0 % less than the model"), (30, "50.0 % more than"), (20.9, "about the same")],
)
def test_the_gap_to_formula_1_is_a_share_of_the_model(small_study: Study, formula: float, said: str) -> None:
    first = small_study.comparisons[0]
    table = first.table.copy()
    table.loc[ALL, ["formula_1_within", "formula_2_within", "model_new"]] = (formula, math.nan, 20.0)
    told = [dataclasses.replace(first, table=table), *small_study.comparisons[1:]]
    finding = pages.formulas(dataclasses.replace(small_study, comparisons=told)).finding
    assert said in finding
    assert "formula 2 gives –." in finding  # churn that could not be measured


@pytest.mark.parametrize(
    ("error", "level"), [(0.1, "good"), (-0.1, "good"), (0.11, "fair"), (-0.25, "fair"), (0.26, "bad")]
)
def test_the_light_of_the_holdout(small_study: Study, error: float, level: str) -> None:
    lights = {light.name: light for light in pages.lights(judged(small_study, {MODEL: error}, {MODEL: 0.6}))}
    assert lights["Hold-out"].level == level


def test_without_a_holdout_nothing_is_promised(small_study: Study) -> None:
    blind = dataclasses.replace(small_study, holdout=None)
    assert {light.name: light.level for light in pages.lights(blind)}["Hold-out"] == "fair"
    made = pages.pages(blind)
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
    ],
)
def test_lights_of_the_data(small_study: Study, name: str, log: Any, level: str) -> None:
    lights = {light.name: light.level for light in pages.lights(dataclasses.replace(small_study, orders=log))}
    assert lights[name] == level


def test_the_light_of_the_fit(small_study: Study) -> None:
    def level(**changed: Any) -> str:
        fit = dataclasses.replace(small_study.purchase, **changed)
        lights = pages.lights(dataclasses.replace(small_study, purchase=fit))
        return {light.name: light.level for light in lights}["Fit"]

    assert level(boundary=()) == "good"
    assert level(boundary=("a",)) == "fair"
    assert level(covariance=small_study.purchase.covariance * math.nan) == "fair"


def test_unknowns_follow_what_is_missing(small_study: Study) -> None:
    with_cac = " ".join(pages.unknowns(small_study))
    without = dataclasses.replace(small_study, economics=dataclasses.replace(small_study.economics, cac=None))
    assert "C005" not in with_cac
    assert "C005" in " ".join(pages.unknowns(without))
    assert "No budget split" in with_cac
    assert "extrapolated" not in with_cac
    assert "shorter than two years" not in with_cac  # 2024-01-01 to 2025-12-31


def test_unknowns_of_a_short_log(cdnow_study: Study) -> None:
    said = " ".join(pages.unknowns(cdnow_study))
    assert "shorter than two years" in said
    assert "2 customers first bought after the cut" in said
    long = dataclasses.replace(cdnow_study.forecast, horizon="5y")
    assert "extrapolated" in " ".join(pages.unknowns(dataclasses.replace(cdnow_study, forecast=long)))


def test_headlines_are_net_of_cac_where_there_is_one(small_study: Study) -> None:
    assert pages.decision(small_study).headlines[2].label.endswith("before CAC")
    one = dataclasses.replace(small_study, economics=dataclasses.replace(small_study.economics, cac=10.0))
    shown = pages.decision(one).headlines[2]
    assert shown.label.endswith("less CAC")
    assert shown.value == f"{small_study.new_value - 10:,.2f} EUR"


def test_headlines_are_the_totals(small_study: Study) -> None:
    first, second, _ = pages.decision(small_study).headlines
    assert first.value == f"{small_study.forecast.totals()['clv'][0]:,.0f} EUR"
    assert second.value == f"{small_study.lifetime.totals()['clv'][0]:,.0f} EUR"
    assert "320 existing customers" in first.note
