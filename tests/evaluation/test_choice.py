"""Models side by side: the ranking, what is said of the premises, and what cannot be compared."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

import clv
from clv import BGCNBD, BGNBD, MBGCNBD, MBGNBD, NBD, ConfigError, GammaGamma, GapHistory, ParetoNBD

# Ibis 12 asks DuckDB 2 and pandas 3 in ways that both will drop.
pytestmark = pytest.mark.filterwarnings(
    "ignore:fetch_arrow_table:DeprecationWarning", "ignore:.*infer_string:DeprecationWarning"
)


@pytest.fixture(scope="module")
def rfm():
    orders = clv.Transactions(
        clv.datasets.load_cdnow_sample(), as_of="1998-06-30", zero_orders="count", duplicates="keep"
    )
    return clv.split(orders, dt.date(1997, 9, 30)).rfm


@pytest.fixture(scope="module")
def choice(rfm):
    return clv.compare_models(rfm)


def log_of(customers, shape, spend=lambda rng, x: rng.gamma(6, 5), seed=1):
    """Orders of customers who buy at gaps of Gamma(shape), each at its own rate, for two years."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(customers):
        day, gap = rng.integers(0, 90), rng.gamma(2, 20) + 10
        while day < 730:
            rows.append((f"C{i}", dt.date(2024, 1, 1) + dt.timedelta(int(day)), gap))
            day += max(1, round(rng.gamma(shape, gap / shape)))
    frame = pd.DataFrame(rows, columns=["customer_id", "date", "gap"])
    frame["amount"] = [round(spend(rng, 730 / gap), 2) + 0.01 for gap in frame.pop("gap")]
    return clv.Transactions(frame, as_of="2025-12-30").rfm()


def test_cdnow_is_a_tie_between_two(choice):
    table = choice.table
    assert list(table.index) == ["MBGNBD", "BGNBD", "ParetoNBD", "GGompertzNBD", "NBD"]
    np.testing.assert_allclose(table["log_likelihood"][:3], [-9582.136, -9582.429, -9594.976], atol=1e-3)
    np.testing.assert_allclose(table["aic"], 2 * table["parameters"] - 2 * table["log_likelihood"])
    np.testing.assert_allclose(table["bic"], np.log(2357) * table["parameters"] - 2 * table["log_likelihood"])
    assert table["delta_aic"].iloc[0] == 0
    assert list(table.index[table["at_edge"]]) == ["GGompertzNBD"]
    assert "MBGNBD has the lowest AIC, but BGNBD comes within 2 of it: a tie." in choice.notes
    assert any(note.startswith("M003 the risk of leaving does not change") for note in choice.notes)


def test_what_is_said_of_timing_and_spend(choice):
    timing, spend = choice.notes[-2:]
    assert timing.startswith("Timing: k = 1.06 by the last two gaps of 507 customers")
    assert "Random timing, which all models but the CNBD take for granted, fits." in timing
    assert spend.startswith("Spend and frequency: correlation 0.11 over 946 repeat buyers.")


def test_regular_buyers_are_told_to_try_the_regular_models():
    rfm = log_of(400, 4.0)
    models = [BGNBD, *(clv.fit(kind, rfm, k=k) for kind in (BGCNBD, MBGCNBD) for k in (2, 4))]
    choice = clv.compare_models(rfm, models)
    assert choice.table.index[0].endswith("CNBD (k=4)")
    assert "try BGCNBD and MBGCNBD with k=4" in " ".join(choice.notes)
    assert "keep them only if they win on a hold-out" in " ".join(choice.notes)


def test_bursts_and_dependent_spend_are_named():
    rfm = log_of(400, 0.4, spend=lambda rng, x: x**1.5 * rng.gamma(6, 1))
    notes = " ".join(clv.compare_models(rfm, [BGNBD, NBD]).notes)
    assert "Purchases come in bursts" in notes
    assert "GammaGamma takes them for independent, and will understate" in notes


def test_few_customers_are_too_few_to_judge():
    notes = " ".join(clv.compare_models(log_of(12, 1.0), [NBD]).notes)
    assert "too few to judge" in notes
    assert "NBD stands alone" in notes


def test_a_ready_made_table_has_no_timing():
    frame = pd.DataFrame(
        {"customer_id": range(300), "frequency": [2, 0, 1] * 100, "recency": [20.0, 0, 5] * 100, "T": 30.0}
    )
    ready = clv.RFM(frame, unit="week")
    choice = clv.compare_models(ready, [BGNBD, NBD])
    assert not any(note.startswith(("Timing", "Spend")) for note in choice.notes)
    with pytest.raises(clv.DataError, match="D047 gaps between purchases are needed"):
        clv.fit(BGCNBD, ready)


def test_contracts_have_their_own_models():
    survivors = [1000, 869, 743, 653, 593, 551, 517, 491]
    renewals = clv.Renewals(pd.DataFrame({"age": range(8), "customers": survivors}))
    choice = clv.compare_models(renewals)
    assert list(choice.table.index) == ["BdW", "SBG"]
    assert "BdW explains best what was seen" in choice.notes[0]


def test_it_reads_well(choice):
    text, page = repr(choice), choice._repr_html_()
    assert "-9,582.14" in text
    assert text.count("\n- ") == len(choice.notes)
    assert page.count("<li>") == len(choice.notes)


def test_what_cannot_be_compared_is_refused(rfm):
    fit = clv.fit(BGNBD, rfm)
    few = NBD(1.0, 9.0).simulate(np.random.default_rng(1), np.full(50, 40.0))
    with pytest.raises(ConfigError, match="C012 models to compare must be of one kind of history"):
        clv.compare_models(rfm, [BGNBD, GammaGamma])
    with pytest.raises(ConfigError, match="of one number of customers; got 2,357, 50"):
        clv.compare_models(rfm, [fit, clv.fit(NBD, few)])
    with pytest.raises(ConfigError, match="of one number of customers; got 2,357, 50"):
        clv.compare_models(rfm, [clv.fit(NBD, few)])
    with pytest.raises(ConfigError, match="C012 models must be a list"):
        clv.compare_models(rfm, BGNBD)
    with pytest.raises(ConfigError, match="of one unit"):
        clv.compare_models(rfm, [fit, clv.fit(NBD, rfm.history(clv.PurchaseHistory).rescaled(2.0))])
    with pytest.raises(ConfigError, match="C012 models must name at least one"):
        clv.compare_models(rfm, [])


def test_gaps_of_a_base_are_those_of_its_log(rfm):
    """The mean sum of log gaps a history, against a loop over the log; hashed ids find theirs too."""
    log = clv.datasets.load_cdnow_sample()
    log["date"] = pd.to_datetime(log["date"])
    days = log[log["date"] <= "1997-09-30"].drop_duplicates(["customer_id", "date"])
    days = days.sort_values(["customer_id", "date"])
    gaps = days.groupby("customer_id")["date"].diff().dt.days.dropna() / 7
    h = rfm.history(GapHistory)
    assert (h.weight * h.log_gaps).sum() == pytest.approx(np.log(gaps).sum(), rel=1e-10)
    plain = rfm.history(clv.PurchaseHistory)
    assert (len(h), h.weight.sum()) == (len(plain), 2357)
    a, b = clv.fit(BGCNBD, rfm, k=1), clv.fit(BGNBD, rfm)
    assert a.log_likelihood == pytest.approx(b.log_likelihood, abs=1e-8)
    policies = {"zero_orders": "count", "duplicates": "keep", "hash_ids": "salt"}
    hashed = clv.Transactions(clv.datasets.load_cdnow_sample(), as_of="1998-06-30", **policies)
    again = clv.split(hashed, dt.date(1997, 9, 30)).rfm
    assert clv.fit(MBGCNBD, again).log_likelihood == pytest.approx(clv.fit(MBGCNBD, rfm).log_likelihood)
    assert again.regularity == rfm.regularity


def test_the_likelihood_of_regular_timing_is_that_of_the_gaps():
    """Rescaled or grouped, k > 1 keeps its likelihood, and more regular data prefer a higher k."""
    h = MBGCNBD(1.2, 4.0, 0.9, 1.6, k=3).simulate(np.random.default_rng(1), np.full(3_000, 50.0))
    likelihoods = [clv.fit(MBGCNBD, h, k=k).log_likelihood for k in (1, 2, 3, 4)]
    assert np.argmax(likelihoods) == 2
    days = clv.fit(MBGCNBD, h.rescaled(1 / 7), k=3)
    assert days.log_likelihood == pytest.approx(likelihoods[2] - h.x.sum() * np.log(7), rel=1e-10)
    assert clv.fit(ParetoNBD, h).log_likelihood < likelihoods[2]
    assert clv.fit(MBGNBD, h).log_likelihood == pytest.approx(likelihoods[0], abs=1e-6)


def test_a_fit_taken_over_stands_beside_our_own(rfm, choice):
    theirs = dataclasses.replace(choice.fits["BGNBD"], method="lifetimes")
    assert list(clv.compare_models(rfm, [theirs, BGNBD]).table.index) == ["BGNBD (lifetimes)", "BGNBD"]
