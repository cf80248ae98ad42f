"""The back-test on the CDNOW sample: contenders, what they know, the tables, the choice, and bad input."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import clv
from clv import BGCNBD, BGNBD, MBGNBD, ConfigError, GammaGamma, Inference
from clv.evaluation import rolling
from clv.evaluation.baselines import BASELINES, ZERO
from clv.evaluation.candidates import suggested
from clv.evaluation.contenders import BLEND, Customers, simple_contenders
from clv.evaluation.rolling import _Run
from clv.forecasting.economics import Economics

POLICIES = {"zero_orders": "count", "duplicates": "keep"}
FAST = Inference("mle")


def cdnow(as_of="1998-06-30"):
    return clv.Transactions(clv.datasets.load_cdnow_sample(), as_of=as_of, allow_gap="1y", **POLICIES)


@pytest.fixture(scope="module")
def tested():
    return clv.backtest(cdnow(), [BGNBD, MBGNBD], origins=4, horizon="3m")


def row(result, name, origin=-1):
    cut = sorted(result.table["origin"].unique())[origin]
    return result.table.set_index(["origin", "contender"]).loc[(cut, name)]


def test_everyone_is_there_on_the_same_customers(tested):
    names = ["BGNBD", "MBGNBD", BLEND]
    assert list(tested.summary.index[:6]) == [*names, *(f"{name}, calibrated" for name in names)]
    assert set(tested.summary.index[6:]) == {*BASELINES, ZERO, "BGNBD, repeat orders"}
    at = tested.table.groupby("origin")
    for column in ("customers", "purchases_actual", "value_actual"):
        assert (at[column].nunique() == 1).all()
    assert len(at) == 4


def test_totals_are_those_of_a_forecast(tested):
    held = clv.split(cdnow(), "1998-03-31")
    fits = tested.fits[held.cut]
    ahead = clv.forecast(fits["BGNBD"], fits["GammaGamma"], held.rfm, "91d", margin=1.0, discount=0.0)
    found = row(tested, "BGNBD")
    table = ahead.table
    sums = table.aggregate(p=table.expected_purchases.sum(), v=table.clv_mean.sum()).to_pandas().iloc[0]
    assert (found["purchases_total"], found["value_total"]) == pytest.approx((sums["p"], sums["v"]))
    actual = held.rfm.to_pandas()
    assert found["value_actual"] == pytest.approx(actual["actual_spend"].sum() / 100)


def test_baselines_are_those_of_the_single_holdout(tested):
    """The same formulas as `evaluate_holdout`, by another way."""
    held = clv.split(cdnow(), "1998-03-31")
    single = clv.evaluate_holdout(held, Economics(1.0))
    for name in BASELINES:
        assert row(tested, name)["value_total"] == pytest.approx(single.contenders.loc[name, "forecast"]), (
            name
        )
        assert row(tested, name)["value_error"] == pytest.approx(single.contenders.loc[name, "error"])
    own = single.individual.loc["Own rate"]
    assert (row(tested, "Own rate")["value_gini"], row(tested, "Own rate")["value_mae"]) == pytest.approx(
        (own["gini"], own["mae"])
    )


def test_purchases_of_baselines_by_hand():
    held = clv.split(cdnow(), "1998-03-31")
    c = Customers.of(held.rfm)
    found = {b.name: b for b in simple_contenders(held.rfm, c, Economics(1.0).churn_rule(), 91)}
    n, x, age = len(c), c["frequency"], c["T"]
    assert found["Run-rate"].purchases.sum() == pytest.approx((x + 1).sum() / age.sum() * 91 * n)
    assert found["Repeat run-rate"].purchases.sum() == pytest.approx(x.sum() / age.sum() * 91 * n)
    assert found["Calendar run-rate"].purchases.sum() == pytest.approx((x + 1).sum() / 455 * 91)
    np.testing.assert_allclose(found["Own rate"].purchases, x / age * 91)
    np.testing.assert_allclose(found["Own rate with first order"].purchases, (x + 1) / age * 91)
    assert found[ZERO].value.sum() == 0


def test_all_zero_wins_the_mean_absolute_error_and_is_not_ranked(tested):
    s = tested.summary
    assert s["value_mae"].idxmin() == ZERO
    assert ZERO not in tested.verdict
    assert tested.verdict.startswith("Over 4 origins, use ")
    assert tested.choice in ("BGNBD", "MBGNBD")


def test_a_blend_is_the_mean_of_its_models(tested):
    for name in ("purchases_total", "value_total"):
        mean = (row(tested, "BGNBD")[name] + row(tested, "MBGNBD")[name]) / 2
        assert row(tested, BLEND)[name] == pytest.approx(mean)


def test_calibration_multiplies_value_by_the_root_of_a_year_before(tested):
    plain, leveled = row(tested, "BGNBD"), row(tested, "BGNBD, calibrated")
    held = clv.split(cdnow("1997-06-30"), "1997-03-31")
    fits = [clv.fit(kind, held.rfm, method="map") for kind in (BGNBD, GammaGamma)]
    t = clv.forecast(*fits, held.rfm, "91d", margin=1.0, discount=0.0, allow_extrapolation=True).table
    forecast = t.aggregate(v=t.clv_mean.sum()).to_pandas()["v"].iloc[0]
    actual = held.rfm.to_pandas()["actual_spend"].sum() / 100
    assert leveled["level"] == pytest.approx(np.sqrt(actual / forecast), rel=1e-6)
    assert leveled["value_total"] == pytest.approx(plain["value_total"] * leveled["level"])
    assert leveled["value_total_p95"] == pytest.approx(plain["value_total_p95"] * leveled["level"])
    assert leveled["purchases_total"] == plain["purchases_total"]
    assert row(tested, "BGNBD, calibrated", 0)["level"] == 1
    level = tested.levels["BGNBD"]
    assert (level.origins, level.factor, tested.level_factor) == (1, 1.0, 1.0)
    assert level.measured != 1
    assert "calibrated" not in tested.verdict  # one origin is too few to choose by
    said = f"Level of {tested.choice}: not corrected. The year before would"
    assert any(note.startswith(said) for note in tested.notes)


def test_bands_and_histograms(tested):
    found = row(tested, "BGNBD")
    assert 0.8 < found["purchases_coverage90"] < 0.95
    assert found["purchases_inside90"] > found["purchases_coverage90"]  # counts fill more than a band
    assert found["value_total_p05"] < found["value_total"] < found["value_total_p95"]
    shares = tested.pit.groupby(["origin", "contender", "quantity"])["share"].sum()
    assert shares.to_numpy() == pytest.approx(1)
    assert row(tested, "Run-rate")[["brier", "value_crps", "value_coverage90"]].isna().all()


def test_tenths_hold_everyone_and_add_up(tested):
    c = tested.calibration
    for (origin, name, quantity), part in c.groupby(["origin", "contender", "quantity"]):
        found = tested.table.set_index(["origin", "contender"]).loc[(origin, name)]
        assert part["customers"].sum() == found["customers"]
        for column, key in (("forecast", "total"), ("actual", "actual")):
            total = (part["customers"] * part[column]).sum()
            assert total == pytest.approx(found[f"{quantity}_{key}"])
    p = tested.p_purchase
    assert set(p["contender"]) == {n for n in tested.summary.index if "NBD" in n or "blend" in n}


def test_tracking_ends_in_the_totals(tested):
    last = tested.tracking.groupby(["origin", "contender"]).last()
    for name in ("Actual", "BGNBD", BLEND, "MBGNBD, calibrated"):
        for cut in tested.table["origin"].unique():
            key = "actual" if name == "Actual" else "total"
            of = "BGNBD" if name == "Actual" else name
            found = tested.table.set_index(["origin", "contender"]).loc[(cut, of)]
            for quantity in ("purchases", "value"):
                end = last.loc[(cut, name), f"cumulative_{quantity}"]
                assert end == pytest.approx(found[f"{quantity}_{key}"])
    steps = tested.tracking.groupby(["origin", "contender"])["value"]
    assert (steps.sum() - last["cumulative_value"]).abs().max() < 1e-6
    assert (steps.size() == 3).all()


def test_an_origin_knows_nothing_of_what_came_later():
    """The log up to June, and the whole: what was forecast for April to June is the same."""
    early = clv.backtest(cdnow("1997-12-31"), [BGNBD], origins=1, horizon="3m", inference=FAST)
    late = clv.backtest(cdnow(), [BGNBD], origins=3, horizon="3m", inference=FAST)
    a, b = (r.table.set_index(["origin", "contender"]) for r in (early, late))
    pd.testing.assert_frame_equal(a, b.loc[a.index][a.columns])


def test_later_rows_do_not_reach_back(small_log):
    """Refunds and orders after a window, dated later, leave its forecasts alone."""
    log = small_log.assign(order_id=[f"o{i}" for i in range(len(small_log))], refund_of=None)
    before = log[log["date"] <= "2025-06-30"]
    refunds = before.tail(40).assign(date="2025-12-01", amount=lambda f: -f["amount"])
    refunds = refunds.assign(refund_of=refunds["order_id"], order_id=[f"r{i}" for i in range(len(refunds))])
    forecasts = []
    for frame in (log, pd.concat([log, refunds])):
        orders = clv.Transactions(frame, as_of="2025-12-31", refunds="net_to_original")
        found = clv.backtest(orders, [BGNBD], origins=1, horizon="6m", inference=FAST).table
        forecasts.append(found.set_index("contender")[["purchases_total", "value_total", "level"]])
    pd.testing.assert_frame_equal(*forecasts)


def test_auto_shows_by_what_it_chose():
    found = clv.backtest(cdnow(), origins=1, horizon="6m", inference=FAST)
    assert found.choice == found.likelihood.table.index[0] == "MBGNBD"
    assert found.reason.startswith("MBGNBD: the likelihood chooses among MBGNBD, ParetoNBD, BGNBD.")
    text, page = repr(found), found._repr_html_()
    assert found.verdict in text
    assert "1 origin" not in found.notes[0]
    assert page.count("<li>") == 1 + len(found.notes)


def test_regular_buyers_have_a_regular_contender():
    """It is tried last, outside the blend, and chosen only where the verdict prefers it."""
    h = clv.MBGCNBD(1.2, 4.0, 0.9, 1.6, k=3)
    rng, log, rows = np.random.default_rng(1), [], []
    h.simulate(rng, np.full(500, 60.0), log=log, grain=1 / 7)
    rows += [(f"C{i}", 0) for i in range(500)]
    rows += [(f"C{i}", round(7 * t)) for who, at in log for i, t in zip(who, at, strict=True)]
    frame = pd.DataFrame(rows, columns=["customer_id", "day"])
    frame["date"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(frame.pop("day"), "D")
    orders = clv.Transactions(frame.assign(amount=10.0), as_of="2026-02-25")
    candidates = suggested(orders.rfm())
    (extra,) = set(candidates.models) - set(candidates.blend)
    assert (
        extra == f"{'M' if candidates.first == 'MBGNBD' else ''}BGCNBD (k={round(orders.rfm().regularity.k)})"
    )
    summary = pd.DataFrame(
        {"origins": 2, "numbers": 4, "value_error": 0.2, "value_error_se": 0.01, "value_gini": 0.6},
        index=[*candidates.models],
    )
    assert rolling._chosen(candidates, summary)[0] == candidates.first
    summary.loc[extra, "value_error"] = 0.1
    choice, reason = rolling._chosen(candidates, summary)
    assert choice == extra
    assert "the verdict prefers it" in reason


def test_models_by_name_and_with_what_is_held():
    named = {"regular": (BGCNBD, {"k": 2}), "random": BGNBD}
    found = clv.backtest(cdnow(), named, origins=1, horizon="6m", inference=FAST)
    assert list(found.summary.index[:3]) == ["regular", "random", BLEND]
    assert found.summary["numbers"].iloc[:3].tolist() == [5, 4, 9]
    assert found.fits[found.table["origin"].iloc[0]]["regular"].held == {"k": 2}
    listed = clv.backtest(cdnow(), [(BGCNBD, {"k": 2})], origins=1, horizon="6m", inference=FAST)
    assert (listed.choice, listed.summary.index[0]) == ("BGCNBD (k=2)", "BGCNBD (k=2)")


def test_an_origin_that_cannot_be_fitted_is_left_out(monkeypatch):
    fitted = _Run.fitted

    def fails(self, rfm, draws):
        found = fitted(self, rfm, draws)
        if str(rfm.as_of) == "1997-12-31":
            found["BGNBD"] = dataclasses.replace(found["BGNBD"], converged=False, message="M001 it stopped.")
        return found

    monkeypatch.setattr(_Run, "fitted", fails)
    found = clv.backtest(cdnow(), [BGNBD], origins=2, horizon="3m", inference=FAST)
    assert found.summary["origins"].max() == 1
    assert "The origin 1997-12-31 is left out: M001 it stopped." in found.notes
    with pytest.raises(ConfigError, match=r"C007 origins leave nothing that can be fitted\. The origin"):
        clv.backtest(cdnow(), [BGNBD], origins=1, horizon="6m", inference=FAST)


def test_of_many_customers_some_are_scored():
    found = clv.backtest(cdnow(), [BGNBD], origins=1, horizon="6m", inference=FAST, scored=500)
    said = "At 1997-12-31 forecast distributions are scored of 500 of 2,357 customers."
    assert said in found.notes
    with pytest.raises(ConfigError, match="scored must be a whole number"):
        clv.backtest(cdnow(), [BGNBD], scored=0)
    assert 0.8 < row(found, "BGNBD")["value_coverage90"] < 0.97
    assert row(found, "BGNBD")["value_total_p05"] < row(found, "BGNBD")["value_total"]


def test_all_that_is_wrong_is_said_at_once(small_orders):
    with pytest.raises(ConfigError) as caught:
        clv.backtest(
            small_orders.rfm(), [BGNBD, BGNBD, GammaGamma], origins=0, horizon=["6m"], spend=BGNBD, churn=2.0
        )
    assert sorted(caught.value.codes) == ["C001", "C004", "C010", "C012", "C012", "C012", "C012"]
    for wrong, code in (
        ({"horizon": "6"}, "C006"),
        ({"horizon": "9999d"}, "C007"),
        ({"models": []}, "C012"),
        ({"models": BGNBD}, "C012"),
        ({"models": "best"}, "C012"),
        ({"inference": "laplace"}, "C012"),
        ({"inference": Inference(held={"k": 2})}, "C012"),
        ({"inference": Inference("laplace", priors={"typo": (0.1, 0.2)})}, "C012"),
    ):
        with pytest.raises(ConfigError, match=code):
            clv.backtest(small_orders, **({"models": [BGNBD]} | wrong))
    with pytest.raises(TypeError, match="rank_by"):
        clv.backtest(small_orders, rank_by="value_mae")


def test_models_side_by_side_on_a_holdout():
    held = clv.split(cdnow(), "1997-09-30")
    table = clv.compare_models(held.rfm, [BGNBD, clv.NBD], holdout=held).table
    actual = held.rfm.to_pandas()
    h = clv.PurchaseHistory.from_days(actual["frequency"], actual["recency"], actual["T"])
    model = clv.fit(BGNBD, held.rfm).model
    pmf = [model.purchase_pmf(h.rows([i]), 39.0, n)[0] for i, n in enumerate(actual["actual_purchases"][:50])]
    expected = model.expected_purchases(h, 39.0)
    assert table.loc["BGNBD", "total_error"] == pytest.approx(
        expected.sum() / actual["actual_purchases"].sum() - 1
    )
    assert table.loc["BGNBD", "rmse"] == pytest.approx(
        np.sqrt(((expected - actual["actual_purchases"]) ** 2).mean())
    )
    assert -1.05 < table.loc["BGNBD", "log_score"] < -0.95
    assert table.loc["BGNBD", "log_score"] > table.loc["NBD", "log_score"]
    assert np.log(pmf).mean() == pytest.approx(table.loc["BGNBD", "log_score"], abs=0.5)
    with pytest.raises(ConfigError, match="C012 holdout must be of the customers"):
        clv.compare_models(cdnow().rfm(), [BGNBD], holdout=held)


def test_two_origins_are_enough_to_choose_a_calibrated_level():
    found = clv.backtest(cdnow(), [BGNBD], origins=3, horizon="2m", inference=FAST)
    level = found.levels["BGNBD"]
    rows = found.table[found.table["contender"] == "BGNBD"].set_index("origin")["value_error"]
    own = found.table[found.table["contender"] == "BGNBD, calibrated"].set_index("origin")
    known = own.index[own["level"] != 1]
    assert level.origins == len(known) == 2
    assert level.without == pytest.approx(rows[known].abs().mean())
    assert level.with_it == pytest.approx(own.loc[known, "value_error"].abs().mean())
    assert found.level_factor == (level.measured if level.with_it < level.without else 1.0)
    low, middle, high = found.level_range
    assert middle == found.level_factor
    assert low < 0.99 * middle < 1.01 * middle < high
