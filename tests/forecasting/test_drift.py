"""Drift: nothing of the same base, more of another population, and a p-value that means what it says."""

import dataclasses
import datetime as dt
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clv
from clv.data.contract import Transactions
from clv.errors import ConfigError, FitError
from clv.fitting.result import Fit
from clv.forecasting.drift import CHANCE, NOW, SOON, Drift, drift_note, stability_index
from clv.models.histories import PurchaseHistory, SpendHistory
from clv.units import EPOCH

TRUTH = clv.BGNBD(0.6, 8.0, 0.7, 2.5)


def rfm(as_of: str) -> clv.RFM:
    log = clv.datasets.load_cdnow_sample()
    return Transactions(log, as_of=as_of, duplicates="keep").rfm()


@pytest.fixture(scope="module")
def early() -> clv.RFM:
    return rfm("1997-06-30")


@pytest.fixture(scope="module")
def late() -> clv.RFM:
    return rfm("1998-06-30")


@pytest.fixture(scope="module")
def fitted(early: clv.RFM) -> Fit:
    return clv.fit(clv.BGNBD, early)


@pytest.fixture(scope="module")
def found(fitted: Fit, late: clv.RFM) -> Drift:
    return clv.drift(fitted, late)


def population(model: clv.BGNBD, seed: int, customers: int = 3000) -> PurchaseHistory:
    rng = np.random.default_rng(seed)
    return model.simulate(rng, rng.uniform(20, 80, customers))


@dataclass(frozen=True)
class Dated:
    """A history that knows its last day."""

    rows: PurchaseHistory
    as_of: dt.date

    def history(self, kind: type, by: Sequence[str] = ()) -> Any:
        return self.rows.history(kind, by)


def same_customers(rng: np.random.Generator, size: int) -> list[Dated]:
    """Customers of one population as they stood after 70 weeks, and after 100."""
    came, log = rng.uniform(0, 60, size), []
    TRUTH.simulate(rng, 100 - came, log=log)
    who, at = (np.concatenate(column) for column in zip(*log, strict=True))
    found = []
    for T in (70 - came, 100 - came):
        seen = at <= T[who]
        x, t_x = np.bincount(who[seen], minlength=size), np.zeros(size)
        np.maximum.at(t_x, who[seen], at[seen])
        found.append(Dated(PurchaseHistory(x, t_x, T), EPOCH + dt.timedelta(weeks=float(T[0] + came[0]))))
    return found


@pytest.mark.parametrize("method", ["mle", "laplace"])
@pytest.mark.parametrize("model", [clv.BGNBD, clv.GammaGamma])
def test_the_same_base_has_not_moved(early: clv.RFM, model: type, method: str) -> None:
    d = clv.drift(clv.fit(model, early, method=method, draws=200), early)
    assert (d.days, d.new_customers, d.outside) == (0, 0.0, 0.0)
    assert d.table["index"].tolist() == [0.0] * len(d.table)
    assert (d.gain, d.total, d.each) == pytest.approx((0, 0, 0), abs=1e-6)
    assert d.p_value == pytest.approx(1, abs=1e-3)
    assert d.verdict == "keep"
    assert d.table["now"].tolist() == pytest.approx(d.table["then"].tolist())


def test_the_stability_index_by_hand() -> None:
    seen = np.array([0.0, 1.0])  # three parts: 0, 1, and above, where nobody is
    index = stability_index(seen, seen, np.array([59.5, 39.0]), np.array([19.5, 79.0]))
    by_hand = (0.2 - 0.6) * math.log(0.2 / 0.6) + (0.795 - 0.395) * math.log(0.795 / 0.395)
    assert index == pytest.approx(by_hand)
    same = np.arange(1000.0)
    assert stability_index(same, same, np.ones(1000), np.ones(1000)) == 0
    tops = np.full(100, 1000.0)  # all in the highest tenth
    p, q = np.full(10, 1005 / 10), np.array([0.5] * 9 + [100.5])
    p, q = p / p.sum(), q / q.sum()
    expected = ((q - p) * np.log(q / p)).sum()
    assert stability_index(same, tops, np.ones(1000), np.ones(100)) == pytest.approx(expected)


def test_weights_stand_for_customers() -> None:
    rng = np.random.default_rng(2)
    then, now = rng.poisson(2.0, 400).astype(float), rng.poisson(3.0, 300).astype(float)
    counted = [np.unique(v, return_counts=True) for v in (then, now)]
    by_row = stability_index(counted[0][0], counted[1][0], counted[0][1], counted[1][1])
    assert by_row == pytest.approx(stability_index(then, now, np.ones(400), np.ones(300)))


def test_the_table_has_the_means_of_both_bases(found: Drift, early: clv.RFM, late: clv.RFM) -> None:
    then, now = early.to_pandas(), late.to_pandas()
    for column, frame in (("then", then), ("now", now)):
        assert found.table.loc["frequency", column] == pytest.approx(frame["frequency"].mean())
        assert found.table.loc["T in days", column] == pytest.approx(frame["T"].mean())
        assert found.table.loc["recency ÷ T", column] == pytest.approx((frame["recency"] / frame["T"]).mean())
    assert found.days == 365
    assert found.table.loc["T in days", "outside"] == 1.0  # all are older than anybody was, which is no news
    beyond = (now["frequency"] > then["frequency"].max()).mean()
    assert found.table.loc["frequency", "outside"] == pytest.approx(beyond)
    assert found.outside == pytest.approx(beyond)


def test_new_customers_are_those_who_came_since(late: clv.RFM) -> None:
    before = clv.fit(clv.BGNBD, rfm("1997-02-15"))
    d = clv.drift(before, late)
    first = late.to_pandas()["first_date"].astype(str)
    assert d.new_customers == pytest.approx((first > "1997-02-15").mean())
    assert 0.2 < d.new_customers < 0.8
    assert f"{100 * d.new_customers:.1f} % of customers are new" in d.moved


def test_change_and_gain_are_those_of_a_refit(found: Drift, fitted: Fit, late: clv.RFM) -> None:
    refit = clv.fit(clv.BGNBD, late)
    h = late.history(PurchaseHistory)
    days = 365.0
    old, new = (f.model.expected_purchases(h, days / 7) for f in (fitted, refit))
    assert found.total == pytest.approx((new @ h.weight) / (old @ h.weight) - 1)
    assert found.each == pytest.approx((np.abs(new - old) @ h.weight) / (old @ h.weight))
    assert found.each >= abs(found.total)
    customers = h.weight.sum()
    lost = refit.log_likelihood - fitted.model.log_likelihood(h) @ h.weight
    assert found.gain == pytest.approx(lost / customers)
    assert found.refit.parameters == refit.parameters


def test_a_change_in_the_population_shows() -> None:
    fit = clv.fit(clv.BGNBD, population(TRUTH, 1))
    same = clv.drift(fit, population(TRUTH, 2))
    slower, half = (
        clv.drift(fit, population(dataclasses.replace(TRUTH, alpha=alpha), 2)) for alpha in (10.0, 16.0)
    )
    assert same.gain < slower.gain < half.gain
    assert same.p_value > 0.05 > 1e-3 > slower.p_value > half.p_value
    assert same.table.loc["frequency", "index"] < 0.02 < half.table.loc["frequency", "index"]
    assert (same.verdict, half.verdict) == ("keep", "refit soon")
    assert half.total < -0.1
    left = clv.drift(fit, population(dataclasses.replace(TRUTH, a=2.0), 2))
    assert left.verdict == "refit now"
    assert same.days is None
    assert math.isnan(same.new_customers)


def test_a_base_that_only_grew_older_does_not_ask_for_a_refit() -> None:
    before, now = same_customers(np.random.default_rng(4), 4000)
    d = clv.drift(clv.fit(clv.BGNBD, before), now)
    assert d.table.loc["T in days", "index"] > 0.25
    assert d.verdict == "keep"


def test_chance_gives_small_p_values_as_seldom_as_they_say() -> None:
    rng = np.random.default_rng(5)
    p = []
    for _ in range(60):
        before, now = same_customers(rng, 700)
        p.append(clv.drift(clv.fit(clv.BGNBD, before), now).p_value)
    assert 0.35 < np.mean(np.array(p) < 0.5) < 0.65  # 2.3 standard errors
    assert np.mean(np.array(p) < 0.1) < 0.19


def test_spend_is_compared_by_what_a_purchase_is_worth() -> None:
    rng = np.random.default_rng(6)
    m = 1 + rng.poisson(2, 2500).astype(float)
    truth = clv.GammaGamma(6.0, 4.0, 15.0)
    fit = clv.fit(clv.GammaGamma, truth.simulate(rng, m))
    same = clv.drift(fit, truth.simulate(rng, m))
    dearer = clv.drift(fit, SpendHistory(m, 1.4 * truth.simulate(rng, m).S))
    assert list(same.table.index) == ["spend days", "mean value"]
    assert same.verdict == "keep"
    assert dearer.table.loc["mean value", "index"] > 0.1
    assert 0 < dearer.each < 0.4  # the customers' own spend says most of it
    assert "a purchase's value" in dearer.sentence


@pytest.mark.parametrize(
    ("each", "p_value", "verdict", "words"),
    [
        (SOON - 0.001, 0.0, "keep", "Keep the BGNBD of 1997-06-30: .* 4.9 % a customer, too little"),
        (
            SOON,
            CHANCE / 2,
            "refit soon",
            r"Refit the BGNBD of 1997-06-30 soon: .*than chance .*\(p .005\)",
        ),
        (NOW - 0.001, 0.0, "refit soon", "soon"),
        (NOW, 0.0, "refit now", r"Refit the BGNBD of 1997-06-30 now: .*more than chance brings \(p < .001\)"),
        (0.5, CHANCE, "keep", r"Keep .*as chance alone may bring \(p .010\)"),
    ],
)
def test_the_rule_and_its_sentences(
    found: Drift, each: float, p_value: float, verdict: str, words: str
) -> None:
    d = dataclasses.replace(found, each=each, p_value=p_value)
    assert d.verdict == verdict
    assert re.search(words, d.sentence)
    assert "purchases of the next 12 months" in d.sentence
    assert d.sentence in repr(d)
    assert d.moved in repr(d)


def test_a_fit_that_was_read_still_says_whether_to_keep_it(
    fitted: Fit, early: clv.RFM, late: clv.RFM, found: Drift, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "fit.json")
    read = Fit.load(tmp_path / "fit.json")
    d = clv.drift(read, late)
    assert (d.total, d.each, d.gain) == pytest.approx((found.total, found.each, found.gain))
    assert d.p_value == pytest.approx(found.p_value)
    assert d.days == 365
    assert d.table["index"].isna().all()
    assert "does not know its data (give since=" in d.moved
    known = clv.drift(read, late, since=early)
    assert known.table.equals(found.table)
    assert known.outside == found.outside


def test_other_horizons(fitted: Fit, late: clv.RFM, found: Drift) -> None:
    d = clv.drift(fitted, late, horizon="3m")
    assert d.total != found.total
    assert d.gain == found.gain
    assert "next 3 months" in d.sentence
    with pytest.raises(ConfigError, match="C006"):
        clv.drift(fitted, late, horizon="soon")


def test_what_cannot_be_compared_is_refused(fitted: Fit, early: clv.RFM, late: clv.RFM) -> None:
    groups = dataclasses.replace(fitted, groups=("a", "b"))
    with pytest.raises(ConfigError, match="C012 drift is of one set of parameters"):
        clv.drift(groups, late)
    with pytest.raises(FitError, match="M004 BGNBD has seen data up to 1998-06-30; the base ends before"):
        clv.drift(clv.fit(clv.BGNBD, late), early)


def test_a_forecast_says_how_old_its_fits_are(early: clv.RFM, late: clv.RFM, fitted: Fit) -> None:
    spend = clv.fit(clv.GammaGamma, early)
    assert drift_note(clv.forecast(fitted, spend, early, "12m", margin=0.3)) is None
    note = drift_note(clv.forecast(fitted, spend, late, "12m", margin=0.3))
    worst = max((clv.drift(f, late) for f in (fitted, spend)), key=lambda d: (d.verdict != "keep", d.each))
    assert note == f"{worst.sentence} {worst.moved}"
    lifetime = clv.forecast(fitted, spend, late, "lifetime", margin=0.3)
    assert drift_note(lifetime) == note
    one = clv.forecast(fitted, clv.fit(clv.GammaGamma, late), late, "12m", margin=0.3)
    assert "BGNBD of 1997-06-30" in str(drift_note(one))
