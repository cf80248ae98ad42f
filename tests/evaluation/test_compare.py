"""The comparison by segment: like with like, nothing invented where something is missing."""

import dataclasses
import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest

import clv
from clv.errors import ConfigError
from clv.evaluation.compare import OTHER, Comparison, compare
from clv.evaluation.study import Study
from clv.forecasting.customers import forecast
from clv.forecasting.economics import Economics
from clv.forecasting.totals import ALL
from clv.forecasting.value import value_of_new

NEW = [
    "formula_1",
    "formula_1_within",
    "formula_2",
    "formula_2_within",
    "model_new",
    "model_new_discounted",
    "ratio",
]


def of(study: Study, by: str) -> Comparison:
    return next(c for c in study.comparisons if c.by == by)


def test_columns_are_what_they_say(small_study: Study) -> None:
    table, margin = of(small_study, "channel").table, small_study.economics.margin
    days, year = small_study.forecast.days, 365.25
    assert days == 365
    aov = table["revenue"] / table["orders"]
    rate = table["repeats"] / table["exposure_days"]
    frequency = table["orders"] / table["exposure_days"] * year
    within = np.minimum(table["orders"] / table["customers"], 1 + rate * days)
    lifetime = aov * table["orders"] / table["customers"]
    expected = {
        "aov": aov,
        "repeat_rate_year": rate * year,
        "formula_1": (lifetime - table["cac"]) * margin,
        "formula_1_contribution": lifetime * margin - table["cac"],
        "formula_1_within": aov * within * margin,
        "formula_2": aov * frequency * margin / table["churn"],
        "formula_2_within": aov
        * frequency
        * margin
        * (1 - (1 - table["churn"]) ** (days / year))
        / table["churn"],
        "ratio": table["model_new"] / (aov * within * margin),
        "model_existing": table["model_existing_total"] / table["customers"],
        "run_rate_existing": table["revenue"] / table["exposure_days"] * days * margin,
    }
    for name, column in expected.items():
        assert table[name].to_numpy(dtype=float) == pytest.approx(
            column.to_numpy(dtype=float), nan_ok=True
        ), name


def test_the_whole_base_is_last_and_the_segments_add_up(small_study: Study) -> None:
    for comparison in small_study.comparisons:
        table = comparison.table
        assert table.index[-1] == ALL
        for name in ("customers", "orders", "repeats", "revenue", "exposure_days", "model_existing_total"):
            assert table[name].iloc[:-1].sum() == pytest.approx(table.loc[ALL, name]), (comparison.by, name)
        assert table.loc[ALL, "model_existing_total"] == pytest.approx(small_study.forecast.sums["clv"])


def test_a_segment_with_a_fit_of_its_own_is_valued_by_it(small_study: Study) -> None:
    table, e = of(small_study, "country").table, small_study.economics
    assert table["own_fit"].to_dict() == {"AT": True, "CZ": True, OTHER: False, ALL: False}
    part = small_study.rfm.where("country", "AT")
    own = clv.fit(clv.BGNBD, part), clv.fit(clv.GammaGamma, part)
    assert table.loc["AT", "model_new"] == pytest.approx(
        value_of_new(*own, part, "12m", margin=e.margin, discount=0)
    )
    whole = value_of_new(
        small_study.purchase, small_study.spend, small_study.rfm, "12m", margin=e.margin, discount=e.discount
    )
    assert table.loc[[OTHER, ALL], "model_new_discounted"].to_list() == pytest.approx([whole, whole])
    assert (table["model_new_discounted"] < table["model_new"]).all()


def test_tiny_segments_are_merged_and_few_are_flagged(small_study: Study) -> None:
    table = of(small_study, "country").table
    assert "LT" not in table.index
    assert table.loc[OTHER, "customers"] == 12
    assert table["few"].to_dict() == {"AT": False, "CZ": False, OTHER: True, ALL: False}
    channels = of(small_study, "channel").table
    assert channels["few"].iloc[:-1].all()  # 35 or 36 customers each: flagged, not merged
    assert OTHER not in channels.index


def test_nobody_is_new_in_a_behavioural_segment(small_study: Study) -> None:
    comparison = of(small_study, "rfm_segment")
    assert comparison.behavioural
    assert comparison.table.drop(index=ALL)[NEW].isna().all().all()
    shown = [name for name in NEW if name != "formula_1"]  # formula 1 over a lifetime needs one CAC for all
    assert comparison.table.loc[ALL, shown].notna().all()
    assert comparison.table["model_existing"].notna().all()
    assert not of(small_study, "cohort").behavioural


def test_an_unknown_cac_is_nan_never_0(small_study: Study, hostile: tuple[str, ...]) -> None:
    table = of(small_study, "channel").table
    assert np.isnan(
        table.loc[[hostile[0], ALL], ["cac", "formula_1", "formula_1_contribution"]].to_numpy()
    ).all()
    assert table.loc[hostile[3], "cac"] == 7.0
    assert table.loc[hostile[1:], ["formula_1", "formula_1_contribution"]].notna().all().all()
    assert table["formula_1_within"].notna().all()  # before CAC, so it needs none
    assert of(small_study, "country").table["cac"].isna().all()


def test_one_cac_is_everyones(small_study: Study) -> None:
    table = compare(small_study.forecast, Economics(0.4, cac=12.5), "country").table
    assert (table["cac"] == 12.5).all()


def test_a_comparison_carries_the_holdout_of_its_segments(small_study: Study) -> None:
    held, compared = small_study.holdout, of(small_study, "channel").holdout
    assert held is not None
    assert compared is not None
    parts = held.by_segment("channel")
    assert compared.loc[parts.index, "actual"].to_numpy() == pytest.approx(parts["actual"])
    assert compared.loc[ALL, "actual"] == pytest.approx(held.actual_spend)
    assert compare(small_study.forecast, small_study.economics, "channel").holdout is None


def test_merged_segments_are_merged_in_the_holdout_too(small_study: Study) -> None:
    held = small_study.holdout
    assert held is not None
    every = held.by_segment("country")
    pooled = held.by_segment("country", ["AT", "CZ"])
    assert set(pooled.index) == {OTHER, "LT"}
    assert pooled.loc[OTHER, "actual"] == pytest.approx(every.loc[["AT", "CZ"], "actual"].sum())


def test_a_pool_has_its_own_first_orders() -> None:
    """Many tiny segments make one of some size: its new customers start with its own first orders."""
    rng = np.random.default_rng(9)
    log = pd.DataFrame({"customer_id": np.repeat(np.arange(600), 4)})
    log["date"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(
        rng.integers(0, 60, 600).repeat(4) + np.tile([0, 40, 90, 160], 600), unit="D"
    )
    log["shop"] = np.where(log["customer_id"] < 300, "one", (log["customer_id"] // 15).astype(str))
    level = (150 / rng.gamma(4, size=600)).repeat(4) * np.where(log["shop"] == "one", 1, 3)
    log["amount"] = (level * rng.gamma(5, 0.2, len(log))).round(2) + 1
    rfm = clv.Transactions(log, as_of="2025-12-31", segments="shop", allow_gap="1y").rfm()
    made = clv.forecast(clv.fit(clv.BGNBD, rfm), clv.fit(clv.GammaGamma, rfm), rfm, margin=1.0)
    table = compare(made, by="shop").table
    assert list(table.index) == [OTHER, "one", ALL]
    assert table.loc[OTHER, "own_fit"]
    pool = clv.Transactions(log[log["shop"] != "one"], as_of="2025-12-31", allow_gap="1y").rfm()
    purchase, spend = clv.fit(clv.BGNBD, pool), clv.fit(clv.GammaGamma, pool)
    repeats = purchase.model.expected_purchases_new(365 / 7)[0] * spend.model.expected_spend(
        1.0, pool.first_order
    )
    assert pool.first_order > 2 * rfm.where("shop", "one").first_order
    assert table.loc[OTHER, "model_new"] == pytest.approx(pool.first_order + repeats, rel=1e-6)


def test_what_is_tiny_today_was_a_segment_at_the_cut(cdnow_study: Study) -> None:
    compared = of(cdnow_study, "rfm_segment")
    assert compared.holdout is not None
    assert "One-time, recent" in compared.pooled
    assert compared.holdout.loc["One-time, recent", "customers"] == 300


def test_segments_without_dates_stay_out_of_the_holdout(small_log: pd.DataFrame) -> None:
    people = small_log[["customer_id"]].drop_duplicates()
    people = people.assign(status=["active" if i % 2 else "dormant" for i in range(len(people))])
    orders = clv.Transactions(small_log, as_of="2025-12-31", customers=people, segments=["status", "channel"])
    made = clv.study(orders, clv.Economics(0.4), holdout=dt.date(2025, 6, 30))
    assert of(made, "status").holdout is None
    assert of(made, "status").table["model_new"].notna().all()
    assert of(made, "channel").holdout is not None


def test_a_new_customer_counts_its_first_order_at_what_first_orders_brought() -> None:
    """First orders at a tenth of the usual: the spend model has never seen them."""
    rng = np.random.default_rng(4)
    h = clv.BGNBD(1.5, 8, 0.8, 3).simulate(rng, rng.integers(100, 365, 3_000) / 7)
    frame = pd.DataFrame({"customer_id": np.repeat(np.arange(3_000), h.x.astype(int) + 1)})
    nth = frame.groupby("customer_id").cumcount()
    first = pd.Timestamp("2025-12-31") - pd.to_timedelta(np.rint(h.T * 7), unit="D")
    step = (h.t_x * 7 / np.maximum(h.x, 1)).repeat(h.x.astype(int) + 1) * nth
    frame["date"] = pd.Series(first).repeat(h.x.astype(int) + 1).to_numpy() + pd.to_timedelta(
        step.round(), unit="D"
    )
    frame["amount"] = np.where(nth == 0, 10.0, (100 * rng.gamma(6, 1 / 6, len(frame))).round(2) + 0.01)
    made = clv.study(
        clv.Transactions(frame, as_of="2025-12-31"),
        clv.Economics(0.5),
        inference=clv.Inference(first_order="excluded"),
    )
    fit = made.purchase.model.expected_purchases_new(365 / 7)[0]
    mean = made.spend.model.mean_spend()[0]
    assert made.comparisons[0].table.loc[ALL, "model_new"] == pytest.approx(0.5 * (10 + fit * mean), rel=1e-9)


def test_a_cost_for_a_segment_that_nobody_is_in_is_refused(small_orders: clv.Transactions) -> None:
    with pytest.raises(
        clv.ConfigError, match=r"P001 cac names .* 'Suche & Koln'\. Did you mean 'Suche & Köln'\?"
    ):
        clv.study(small_orders, clv.Economics(0.4, cac={"Suche & Koln": 9.0}))


def test_default_economics_are_those_of_the_forecast(small_study: Study) -> None:
    made = compare(small_study.forecast, by="country")
    assert (made.economics.margin, made.economics.discount, made.economics.horizon) == (0.4, 0.1, "12m")
    assert "40%" in made.basis.replace(" ", "")


def test_cdnow_as_a_whole(cdnow_study: Study) -> None:
    table = of(cdnow_study, "cohort").table
    assert table.loc[ALL, "customers"] == 23_502
    assert table.loc[["1997-01", "1997-02", "1997-03"], "own_fit"].all()
    assert list(table.index) == ["1997-01", "1997-02", "1997-03", OTHER, ALL]


def test_another_horizon_is_refused(small_study: Study) -> None:
    with pytest.raises(ConfigError, match="C010 the forecast has horizon 12m, economics 6m"):
        compare(small_study.forecast, Economics(0.4, horizon="6m"), "channel")


@pytest.mark.parametrize("changed", [{"margin": 0.2}, {"discount": 0.2}])
def test_another_margin_or_rate_is_refused(small_study: Study, changed: dict[str, float]) -> None:
    economics = dataclasses.replace(small_study.economics, **changed)
    with pytest.raises(ConfigError, match="C010"):
        compare(small_study.forecast, economics, "channel")


def test_an_unknown_segment_is_refused(small_study: Study) -> None:
    with pytest.raises(ConfigError, match=r"C001 by must name a segment; got 'chanel'"):
        compare(small_study.forecast, by="chanel")


def test_a_base_with_one_segment_is_compared(small_log: pd.DataFrame) -> None:
    rfm = clv.Transactions(small_log.assign(shop="one"), as_of="2025-12-31", segments=("shop",)).rfm()
    fits = clv.fit(clv.BGNBD, rfm), clv.fit(clv.GammaGamma, rfm)
    table = compare(forecast(*fits, rfm, margin=0.4), by="shop").table
    assert list(table.index) == ["one", ALL]
    assert table.loc["one", "model_new"] == pytest.approx(table.loc[ALL, "model_new"], rel=1e-6)


def test_a_segment_called_as_the_merged_ones_joins_them(small_study: Study) -> None:
    rfm = small_study.rfm
    named = rfm.with_columns(country=ibis.ifelse(rfm.table.country == "CZ", OTHER, rfm.table.country))
    table = compare(dataclasses.replace(small_study.forecast, rfm=named), by="country").table
    assert table.index.is_unique
    assert table["customers"].iloc[:-1].sum() == 320


def shop_of(sizes: dict[str, int], days: dict[str, int]) -> pd.DataFrame:
    """Customers by shop, who buy thrice within the days up to 2025-12-31 that their shop is open."""
    rng, rows = np.random.default_rng(3), []
    for shop, size in sizes.items():
        for at in range(size):
            for ago in sorted(rng.choice(days[shop], 3, replace=False)):
                day = dt.date(2025, 12, 31) - dt.timedelta(days=int(ago))
                rows.append((f"{shop} {at}", day, round(rng.gamma(5, 4), 2) + 1, shop))
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount", "shop"])


def compared(log: pd.DataFrame, economics: Economics) -> pd.DataFrame:
    rfm = clv.Transactions(log, as_of="2025-12-31", segments="shop", duplicates="keep").rfm()
    fits = clv.fit(clv.BGNBD, rfm), clv.fit(clv.GammaGamma, rfm)
    return compare(forecast(*fits, rfm, margin=economics.margin), economics, by="shop").table


def test_a_segment_too_young_for_its_churn_has_no_formula_2() -> None:
    log = shop_of({"old": 120, "months": 120, "weeks": 120}, {"old": 1200, "months": 300, "weeks": 60})
    table = compared(log, Economics(0.4, churn="inactive:180d"))
    assert np.isfinite(table.loc[["old", ALL], ["frequency", "churn", "formula_2"]].to_numpy()).all()
    assert np.isnan(table.loc["weeks", "churn"])  # nobody has been there long enough to be lost
    assert table.loc["months", "churn"] > 0
    young = table.loc[["months", "weeks"], ["frequency", "formula_2", "formula_2_within"]]
    assert young.isna().all().all()  # a first order in 150 days is not 2.4 a year
    ages = (pd.Timestamp("2025-12-31") - pd.to_datetime(log.groupby("customer_id")["date"].min())).dt.days
    last = (pd.Timestamp("2025-12-31") - pd.to_datetime(log.groupby("customer_id")["date"].max())).dt.days
    assert table.loc[ALL, "churn"] == pytest.approx((last > 180).sum() / (ages > 180).sum())


def test_the_cost_of_a_pool_is_the_mean_of_its_members() -> None:
    sizes = {"one": 300, "two": 12, "three": 6}
    log = shop_of(sizes, dict.fromkeys(sizes, 700))
    cac = {"one": 10.0, "two": 40.0, "three": 70.0}
    table = compared(log, Economics(0.4, cac=cac))
    assert list(table.index) == [OTHER, "one", ALL]
    assert table.loc[OTHER, "cac"] == pytest.approx((12 * 40 + 6 * 70) / 18)
    assert table.loc[ALL, "cac"] == pytest.approx((300 * 10 + 12 * 40 + 6 * 70) / 318)
    assert table["value_to_cac"].notna().all()
    known = compared(log, Economics(0.4, cac={"one": 10.0, "two": 40.0}))
    assert known["cac"].isna().to_dict() == {OTHER: True, "one": False, ALL: True}
    whole = compared(log, Economics(0.4, cac=cac | {ALL: 15.0}))  # with what belongs to no segment
    assert whole["cac"].to_list() == pytest.approx([50, 10, 15])


def test_a_basis_is_text_and_no_markup(small_study: Study) -> None:
    odd = dataclasses.replace(small_study.comparisons[0], basis="<img src=x onerror=1>")
    assert "<p>&lt;img src=x onerror=1&gt;</p>" in odd._repr_html_()
