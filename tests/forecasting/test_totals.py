"""Totals and their bands, against customers who are simulated one by one."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy.special import gamma as gamma_function
from scipy.special import gammaincc
from scipy.stats import gamma

import clv
from clv.errors import ConfigError
from clv.forecasting import lines
from clv.forecasting.lines import FEW, Line, Rows, lines_of
from clv.forecasting.newcomers import FirstOrder, Wave, just_acquired, newcomers
from clv.forecasting.plans import first_orders
from clv.forecasting.stream import Base
from clv.forecasting.totals import ALL, reached
from one_by_one import PURCHASE, RATE, SPEND, base, jittered, lives

ENDS = np.array([13.0, 26.0, 39.0, 52.0])
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
TERMS = {"margin": 0.3, "discount": 0.10}


def measured(lived):
    """Totals of simulated customers by measure and span, all spans together last, (reps, 4, spans + 1)."""
    found = np.array([[(one[0] > 0).sum(axis=0), *one.sum(axis=1)] for one in lived])
    ever = [(one[0].sum(axis=1) > 0).sum() for one in lived]
    whole = found.sum(axis=-1)
    whole[:, 0] = ever
    return np.concatenate([found, whole[..., None]], axis=-1)


def rows_of(h, S, purchase, spend):
    """The customers as distinct histories, with sums of their spends and squares."""
    frame = pd.DataFrame({"x": h.x, "t_x": h.t_x, "T": h.T, "S": S, "SS": S**2, "n": 1.0})
    sums = frame.groupby(["x", "t_x", "T"])[["n", "S", "SS"]].sum().reset_index()
    distinct = clv.PurchaseHistory(sums["x"], sums["t_x"], sums["T"])
    of = Base(purchase, spend, distinct, distinct.x)
    columns = (sums[name].to_numpy() for name in ("n", "S", "SS"))
    return Rows(of, np.zeros(len(sums), dtype=int), *columns, ENDS, RATE)


@pytest.mark.parametrize(
    ("size", "reps"), [(50, 3000), (500, 1500), pytest.param(5000, 800, marks=pytest.mark.slow)]
)
def test_bands_of_totals_are_those_of_customers_simulated_one_by_one(size, reps):
    """To a sixth of a standard deviation: 250 draws of parameters and so many repetitions leave a tenth."""
    rng = np.random.default_rng(size)
    purchase, spend = jittered(PURCHASE, rng), jittered(SPEND, rng)
    h, S = base(rng, size)
    lived = measured(list(lives(h, h.x, S, purchase, spend, ENDS, rng, reps)))
    scale = lived.std(axis=0)
    found = lines_of(rows_of(h, S, purchase, spend), one_by_one=False)[0]
    np.testing.assert_allclose(found.expected / scale, lived.mean(axis=0) / scale, atol=0.17)
    wanted = np.quantile(lived, LEVELS, axis=0)
    off = (found.quantiles(LEVELS) - wanted) / scale
    whole = 1 / scale[:2]  # counts are whole: their quantiles step by one
    assert (np.abs(off[:, :2]) < 0.2 + whole).all()
    assert np.abs(off[:, 2:]).max() < 0.25
    spread = np.sqrt(found.drawn.var(axis=-1) + found.variance)
    np.testing.assert_allclose(spread / scale, 1, atol=0.12)


@pytest.mark.parametrize("size", [1, 5, FEW])
def test_few_customers_are_drawn_one_by_one(size):
    rng = np.random.default_rng(size + 7)
    purchase, spend = jittered(PURCHASE, rng), jittered(SPEND, rng)
    h, S = base(rng, size)
    lived = measured(list(lives(h, h.x, S, purchase, spend, ENDS, rng, 4000)))
    of = Base(purchase, spend, h, h.x)
    rows = Rows(of, np.zeros(size, dtype=int), np.ones(size), S, S**2, ENDS, RATE)
    found = lines_of(rows, one_by_one=True)[0]
    assert found.drawn.shape == (4, 5, 1000)
    assert (found.variance == 0).all()
    for level in LEVELS:
        limits = found.quantiles([level])[0]
        within, below = (lived <= limits + 1e-9).mean(axis=0), (lived < limits - 1e-9).mean(axis=0)
        error = 4 * np.sqrt(level * (1 - level) * (1 / 1000 + 1 / 4000)) + 0.01
        assert (within >= level - error).all()
        assert (below <= level + error).all()


@pytest.mark.parametrize("telling", [0.0, 1.0])
def test_customers_who_come_later_are_simulated_alike(telling):
    """Two waves, one half beyond the horizon, against customers who wait, order, and live on."""
    rng = np.random.default_rng(9)
    purchase, spend = jittered(PURCHASE, rng), jittered(SPEND, rng)
    new = clv.PurchaseHistory.newcomer()
    first = FirstOrder(40.0, 400.0, 1e12, telling)
    waves = [Wave(0.0, 20.0, 150), Wave(39.0, 65.0, 100)]
    found = newcomers(Base(purchase, spend, new, new.x), first, waves, ENDS, RATE)
    lived = []
    everyone = clv.PurchaseHistory(*np.zeros((3, 250)))
    for _ in range(1200):
        wait = np.concatenate([rng.uniform(w.start, w.end, w.customers) for w in waves])
        order = rng.gamma(4.0, 10.0, 250)
        told = telling * np.ones(250)
        one = next(lives(everyone, told, told * order, purchase, spend, ENDS, rng, 1, wait=wait))
        span, came = np.searchsorted(ENDS, wait), wait < ENDS[-1]
        for at, value in enumerate((np.ones(250), order, order * np.exp(-RATE * wait))):
            one[at, np.flatnonzero(came), span[came]] += value[came]
        lived.append(one)
    lived = measured(lived)
    scale = np.maximum(lived.std(axis=0), 1e-9)
    np.testing.assert_allclose(found.expected / scale, lived.mean(axis=0) / scale, atol=0.2)
    off = (found.quantiles(LEVELS) - np.quantile(lived, LEVELS, axis=0)) / scale
    assert np.abs(off[:, 1:]).max() < 0.3
    spread = np.sqrt(found.drawn.var(axis=-1) + found.variance)
    np.testing.assert_allclose(spread[1:] / scale[1:], 1, atol=0.12)


def test_a_line_is_a_mixture_of_gammas():
    drawn = np.array([100.0, 140.0])[None, None]
    line = Line(np.array([[120.0]]), drawn, np.array([[30.0**2]]))
    for level, value in zip(LEVELS, line.quantiles(LEVELS)[:, 0, 0], strict=True):
        share = np.mean([gamma.cdf(value, (mean / 30) ** 2, scale=900 / mean) for mean in (100, 140)])
        assert share == pytest.approx(level, abs=0.01)
    both = line + Line(np.array([[5.0]]), np.full((1, 1, 4), 5.0), np.array([[0.0]]))
    assert both.drawn.tolist() == [[[105, 105, 145, 145]]]
    assert both.variance == 900


def test_squares_of_spend_without_a_mean_are_cut_where_they_hardly_ever_come():
    found = lines._inverse_square(np.array([1.3, 2.0, 3.7, 40.0]), 1e-6)
    assert found[2:] == pytest.approx([1 / (2.7 * 1.7), 1 / (39 * 38)], rel=2e-2)
    low = gamma.ppf(1e-6, 1.3)  # Γ(a − 2, low) by its recurrence, from a − 1 > 0
    upper = gammaincc(0.3, low) * gamma_function(0.3)
    want = (upper - low**-0.7 * np.exp(-low)) / -0.7 / gamma_function(1.3)
    assert found[0] == pytest.approx(want, rel=1e-8)


@pytest.fixture(scope="module")
def year(sample_rfm):
    fits = [clv.fit(kind, sample_rfm, method="laplace") for kind in (clv.BGNBD, clv.GammaGamma)]
    return clv.forecast(*fits, sample_rfm, "12m", **TERMS)


def test_periods_add_up_to_the_horizon(year):
    whole, quarters = year.totals().to_pandas().iloc[0], year.totals(period="Q").to_pandas()
    assert list(quarters["period"]) == ["1997-Q4", "1998-Q1", "1998-Q2", "1998-Q3", "Whole horizon"]
    assert not quarters["partial"].any()
    for name in ("orders", "revenue", "contribution", "clv"):
        assert quarters[name][:4].sum() == pytest.approx(whole[name])
        assert quarters[name][4] == pytest.approx(whole[name])
    assert quarters["active"][:4].sum() > whole["active"] > quarters["active"][:4].max()
    np.testing.assert_allclose(quarters["contribution"], 0.3 * quarters["revenue"])
    assert (quarters["clv"] < quarters["contribution"]).all()
    assert (quarters["customers"] == 2357).all()
    for name in ("active", "orders", "revenue", "contribution", "clv"):
        assert (quarters[f"{name}_p05"] < quarters[name]).all()
        assert (quarters[name] < quarters[f"{name}_p95"]).all()
        width = quarters[f"{name}_p95"] - quarters[f"{name}_p05"]
        assert width[4] < width[:4].sum()  # chances of quarters cancel


def test_fiscal_years_begin_when_they_are_said_to(year):
    periods = year.totals(period="Q", fiscal_year_start=2).to_pandas()
    assert list(periods["period"][:5]) == ["FY1998-Q3", "FY1998-Q4", "FY1999-Q1", "FY1999-Q2", "FY1999-Q3"]
    assert list(periods["partial"][:5]) == [True, False, False, False, True]
    assert periods["first"][0] == dt.date(1997, 10, 1)
    assert periods["last"][4] == dt.date(1998, 9, 30)


def test_the_day_of_a_quarter_is_what_a_shorter_horizon_says(year):
    """Orders to the end of the first quarter are those of a forecast that ends there."""
    first = year.totals(period="Q").to_pandas().iloc[0]
    short = year.over("92d").totals().to_pandas().iloc[0]
    for name in ("active", "orders", "revenue", "clv", "clv_p05", "clv_p95"):
        assert first[name] == pytest.approx(short[name], rel=2e-3)


def test_horizons_at_once_are_those_of_forecasts_that_end_there(year, small_study):
    """Of thousands of customers, and of few, who are drawn one by one."""
    for ahead, by, part, whole in ((year, "cohort", 0.02, 0), (small_study.forecast, "channel", 0.12, 1)):
        lengths = ["30d", "92d", "12m"]
        found = reached(ahead, by, lengths).set_index([by, "period"])
        for length in lengths:
            alone = ahead.over(length).totals(by).to_pandas().set_index(by).drop(index=ALL)
            both = found.xs(length, level="period")
            assert list(both.index) == list(alone.index)
            for name in ("active", "orders", "revenue", "contribution", "clv"):
                np.testing.assert_allclose(both[name], alone[name], rtol=1e-9)
                width = alone[f"{name}_p95"] - alone[f"{name}_p05"]
                for end in (f"{name}_p05", f"{name}_p95"):
                    step = whole * (name in ("active", "orders"))  # counts of customers are whole
                    assert ((both[end] - alone[end]).abs() <= part * width + step).all(), (length, end)


def test_new_customers_stand_beside_existing_ones(year, sample_rfm):
    plan = pd.DataFrame({"period": ["1997-Q4", "1998-05"], "customers": [300, 200]})
    found = year.totals(period="Q", plan=plan).to_pandas().set_index(["population", "period"])
    alone = year.totals(period="Q").to_pandas().set_index("period")
    assert list(found.index.unique("population")) == ["existing", "new", "all"]
    for name in ("orders", "revenue", "clv"):
        np.testing.assert_allclose(found.loc["existing", name], alone[name])
        np.testing.assert_allclose(
            found.loc["all", name], found.loc["existing", name] + found.loc["new", name]
        )
    new = found.loc["new"]
    assert list(new["customers"]) == [300, 0, 200, 0, 500]
    assert new["active"].iloc[-1] == pytest.approx(500)
    assert new["orders"].iloc[0] > 300
    frame = sample_rfm.to_pandas()
    assert new["revenue"].iloc[0] > 300 * frame["first_amount"].mean() / 100


def test_a_new_customer_brings_what_the_model_says(year, sample_rfm):
    """Two customers of the day after as_of: nearly the value of a just-acquired one of that horizon."""
    plan = pd.DataFrame({"period": ["1997-10"], "customers": [1000]})
    ahead = year.over("24m")
    found = ahead.totals(plan=plan).to_pandas().set_index("population").loc["new"]
    by = [
        clv.forecasting.value.value_of_new(
            year.purchase, year.spend, sample_rfm, horizon, margin=0.3, discount=0.0
        )
        for horizon in ("23m", "24m")
    ]
    assert 1000 * by[0] * 0.99 < found["contribution"] < 1000 * by[1] * 1.01


def test_margins_by_segment_are_applied_to_their_own(small_study):
    purchase, spend, rfm = small_study.purchase, small_study.spend, small_study.rfm
    channels = sorted(set(rfm.to_pandas()["channel"]))
    margin = {name: (0.2 + 0.02 * i, 0.3 + 0.02 * i, 0.4 + 0.02 * i) for i, name in enumerate(channels)}
    ahead = clv.forecast(purchase, spend, rfm, margin=margin, margin_by="channel")
    by_channel = ahead.totals("channel").to_pandas().set_index("channel")
    by_country = ahead.totals("country").to_pandas().set_index("country")
    frame = ahead.customers(bands=False).to_pandas()
    for i, name in enumerate(channels):
        share = 0.3 + 0.02 * i
        row = by_channel.loc[name]
        assert row["contribution"] == pytest.approx(share * row["revenue"])
        assert row["clv"] == pytest.approx(frame.loc[frame["channel"] == name, "clv_mean"].sum())
    for name in by_country.index[:-1]:
        assert by_country.loc[name, "clv"] == pytest.approx(
            frame.loc[frame["country"] == name, "clv_mean"].sum()
        )
    assert by_country.loc["All customers", "clv"] == pytest.approx(by_channel.loc["All customers", "clv"])
    certain = {name: middle for name, (_, middle, _) in margin.items()}
    sure = (
        clv.forecast(purchase, spend, rfm, margin=certain, margin_by="channel").totals().to_pandas().iloc[0]
    )
    unsure = ahead.totals().to_pandas().iloc[0]
    assert unsure["clv"] == pytest.approx(sure["clv"])
    assert unsure["clv_p95"] - unsure["clv_p05"] > sure["clv_p95"] - sure["clv_p05"]
    assert "margins by channel" in ahead.basis


@pytest.mark.parametrize(
    ("message", "terms"),
    [
        (r"C002 margin must be a share above 0 and at most 1; got 42. Did you mean 0.42\?", {"margin": 42}),
        ("C002 margin of 'web' must be a share .* got 0", {"margin": {"web": 0}, "margin_by": "channel"}),
        ("C002 margin must be one share, or low, middle and high", {"margin": (0.4, 0.3, 0.5)}),
        ("C001 margin_by must name the segment column", {"margin": {"web": 0.3}}),
        ("C001 by must name a segment; got colour", {"margin": {"web": 0.3}, "margin_by": "colour"}),
        ("P001 margin must be given for every cohort", {"margin": {"x": 0.3}, "margin_by": "cohort"}),
        ("C003 discount must be an annual rate .* got 10", {"margin": 0.3, "discount": 10}),
    ],
)
def test_assumptions_that_cannot_be_meant_are_refused(message, terms, sample_fits, sample_rfm):
    with pytest.raises(ConfigError, match=message):
        clv.forecast(*sample_fits, sample_rfm, **terms)


def test_a_plan_is_refused_with_all_that_is_wrong(small_study):
    plan = pd.DataFrame(
        {
            "period": ["2026-Q1", "2026-02", "soon", "2025-Q4", "2026-Q2"],
            "customers": [10, 5, 5, 5, -3],
            "channel": ["web", "web", "web", "web", "moon"],
        }
    )
    with pytest.raises(ConfigError) as error:
        small_study.forecast.totals("channel", "Q", plan)
    said = " ".join(error.value.messages)
    for part in (
        "P003 plan of web has overlapping periods: 2026-Q1 and 2026-02",
        "P003 periods of the plan must be months",
        "P001 plan names 'web', 'moon', in which no customer is",
        "P002 customers of the plan must be 0 or more; got -3 in 2026-Q2",
    ):
        assert part in said
    with pytest.raises(ConfigError, match="P001 a plan needs the columns customers, channel; got period"):
        small_study.forecast.totals("channel", plan=plan[["period"]])


def test_a_plan_is_counted_as_far_as_the_horizon_and_said_so(year):
    inside = pd.DataFrame({"period": ["1997-Q4"], "customers": [300]})
    more = pd.DataFrame({"period": ["1997-Q3", "1997-Q4", "1998-Q4"], "customers": [7, 300, 500]})
    found, same = year.totals(plan=more), year.totals(plan=inside)
    assert found.table.equals(same.table)
    left = "1997-Q3 (over by as_of 1997-09-30); 1998-Q4 (after the horizon ends on 1998-09-30)"
    assert f"new customers as planned. Periods of the plan that are left out: {left};" in found.basis
    assert "left out" not in same.basis


def test_quarters_of_a_plan_are_fiscal_where_years_are(year):
    plan = pd.DataFrame({"period": ["1997-Q4", "1998-Q1"], "customers": [300, 200]})
    with pytest.raises(ConfigError, match=r"in April; got .1997-Q4. and 1 more. Write .FY1998-Q3., or"):
        year.totals(period="Q", plan=plan, fiscal_year_start=4)
    fiscal = plan.assign(period=["FY1998-Q3", "FY1998-Q4"])
    named = year.totals(period="Q", plan=fiscal, fiscal_year_start=4).table
    plain = year.totals(period="Q", plan=plan).table
    assert named.drop(columns="period").equals(plain.drop(columns="period"))


def test_a_lifetime_has_value_and_no_periods(year):
    life = year.over("lifetime").totals().to_pandas()
    assert list(life.columns) == [
        *("population", "customers", "active", "active_p05", "active_p95", "clv", "clv_p05", "clv_p95")
    ]
    assert life["clv"][0] == pytest.approx(year.over("lifetime").sums["clv"])
    with pytest.raises(ConfigError, match="C006 a lifetime has no end to count periods to"):
        year.over("lifetime").totals(period="Q")


def test_totals_say_what_they_are(year):
    shown = year.totals("cohort")
    for part in ("2,357 existing customers", "next 12 months", "30 % margin", "bands: 5 to 95 % of chance"):
        assert part in repr(shown)
        assert part in shown._repr_html_()
    odd = dataclasses.replace(shown, basis="by <img src=x onerror=1>")
    assert "<p>by &lt;img src=x onerror=1&gt;</p>" in odd._repr_html_()


@pytest.mark.parametrize("kind", [clv.BGNBD, clv.MBGNBD, clv.ParetoNBD, clv.NBD])
def test_single_new_customers_are_worth_on_average_what_their_mean_says(kind, sample_rfm):
    """In MBG/NBD some leave at their first order."""
    fits = [clv.fit(k, sample_rfm) for k in (kind, clv.GammaGamma)]
    ahead = clv.forecast(*fits, sample_rfm, **TERMS)
    first = first_orders(sample_rfm, (), telling=True)[()]
    mean, one = just_acquired(ahead.newcomer({}), first, ahead.t, ahead.rate)
    chance = one.std() / np.sqrt(one.size)
    assert one.mean() == pytest.approx(mean.mean(), abs=5 * chance)
    line = newcomers(ahead.newcomer({}), first, [Wave(0.0, 1e-6, 1)], np.array([ahead.t]), ahead.rate)
    assert np.sqrt(line.variance[3, -1]) == pytest.approx(one.std(), rel=0.1)


def test_a_new_customer_is_worth_its_first_order_and_what_follows(year, sample_rfm):
    found = year.new_customers().to_pandas().iloc[0]
    first = sample_rfm.to_pandas()["first_amount"] / 100
    assert found["first_order"] == pytest.approx(first.mean())
    value = clv.forecasting.value.value_of_new(
        year.purchase, year.spend, sample_rfm, "12m", margin=0.3, discount=0.10
    )
    assert found["clv_mean"] == pytest.approx(value, rel=1e-3)
    assert found["clv_mean_p05"] < found["clv_mean"] < found["clv_mean_p95"]
    rng = np.random.default_rng(3)
    new = clv.PurchaseHistory(*np.zeros((3, 20_000)))
    spread = np.log1p(first.var() / first.mean() ** 2)
    order = first.mean() * np.exp(np.sqrt(spread) * rng.standard_normal(20_000) - spread / 2)
    models = year.purchase.model, year.spend.model
    lived = next(lives(new, np.ones(20_000), order, *models, [365 / 7], rng, 1))
    one = 0.3 * (lived[2, :, 0] + order)
    for name, level in (("clv_p05", 0.05), ("clv_median", 0.5), ("clv_p95", 0.95)):
        assert (one <= found[name]).mean() == pytest.approx(level, abs=0.015)
    assert "just-acquired customer" in repr(year.new_customers())


def test_equity_is_what_is_to_come_less_what_it_costs(year):
    plan = pd.DataFrame({"period": ["1997-Q4"], "customers": [100]})
    found = year.equity(plan, cac=8.0).to_pandas().set_index("part")["clv"]
    life = year.over("lifetime")
    alone = life.totals().to_pandas()["clv"][0]
    cost = 100 * 8.0 * 1.1 ** (-46.5 / 365.25)  # in the middle of the quarter
    assert found.iloc[0] == pytest.approx(alone)
    assert found.iloc[2] == pytest.approx(-cost)
    assert found.iloc[3] == pytest.approx(found.iloc[:3].sum())
    each = life.new_customers().to_pandas()["clv_mean"][0]
    assert found.iloc[1] == pytest.approx(100 * each * 1.1 ** (-46.5 / 365.25), rel=2e-3)
    assert year.equity().to_pandas()["clv"].tolist() == [pytest.approx(alone)] * 2
    with pytest.raises(ConfigError, match="C005 cac must be known of all planned customers"):
        year.equity(plan)


def test_segments_of_a_plan_may_cost_differently(small_study):
    by = {"channel": sorted(set(small_study.rfm.to_pandas()["channel"]))[:2]}
    plan = pd.DataFrame({**by, "period": "2026", "customers": [10, 20]})
    costs = dict(zip(by["channel"], (3.0, 5.0), strict=True))
    found = small_study.forecast.equity(plan, costs, "channel").to_pandas().set_index("part")
    delta = np.log(1.1) / 365.25
    assert found["clv"].iloc[2] == pytest.approx(-130 * np.exp(-delta * 183))
    first, second = by["channel"]
    with pytest.raises(ConfigError) as error:
        small_study.forecast.equity(plan, {first: 3.0, second[:-1]: 2.0}, "channel")
    assert error.value.codes == ["P001", "C005"]
    assert f"got {second[:-1]!r}. Did you mean {second!r}?" in error.value.messages[0]
    assert f"C005 cac must be known of all planned customers; got none of {second}." in str(error.value)
    with pytest.raises(ConfigError, match=r"C005 cac by segment needs by, .* got .'x': 1. and no by"):
        small_study.forecast.equity(plan.drop(columns="channel"), {"x": 1})


def test_a_plan_by_groups_takes_their_own_parameters(small_study):
    rfm = small_study.rfm
    fits = [clv.fit(kind, rfm, method="map", by="channel") for kind in (clv.BGNBD, clv.GammaGamma)]
    ahead = clv.forecast(*fits, rfm, margin=0.4)
    table = ahead.new_customers("channel").to_pandas().set_index("channel")
    frame, measured = rfm.to_pandas(), []
    for name, count in frame["channel"].value_counts().items():
        if count < 20:  # too few to measure first orders of
            continue
        measured.append(name)
        paid = (frame.loc[frame["channel"] == name, "first_amount"] > 0).mean()
        alone = [_only(fit, name) for fit in fits]
        repeats = alone[0].discounted_purchases(clv.PurchaseHistory.newcomer(), ahead.rate, ahead.t)[0]
        first = table.loc[name, "first_order"]
        (e0, told), (_, each) = alone[1].expected_spend_terms(np.array([0.0, 1.0]))
        want = 0.4 * (first + repeats * ((1 - paid) * e0 + paid * told + each * first) * rfm.paid_share)
        assert table.loc[name, "clv_mean"] == pytest.approx(want)
    assert len(measured) > 3
    with pytest.raises(ConfigError, match="C012 a new customer's parameters differ by channel"):
        ahead.new_customers()


def _only(fit, name):
    at = fit.groups.index(name)
    return type(fit.model)(**{key: float(v[at]) for key, v in fit.parameters.items()})


def test_a_level_multiplies_value_and_its_bands(year, sample_rfm):
    raised = clv.forecast(year.purchase, year.spend, sample_rfm, "12m", **TERMS, level=1.25)
    one, two = (ahead.totals().to_pandas().iloc[0] for ahead in (year, raised))
    for name in ("revenue", "contribution", "clv", "clv_p05", "clv_p95"):
        assert two[name] == pytest.approx(1.25 * one[name])
    assert two["orders"] == one["orders"]
    frames = [ahead.customers().to_pandas() for ahead in (year, raised)]
    for name in ("clv_mean", "clv_median", "clv_p95"):
        np.testing.assert_allclose(frames[1][name], 1.25 * frames[0][name], rtol=1e-12)
    assert "value at 1.250 of the model's level" in raised.basis
    with pytest.raises(ConfigError, match="C012 level must be a factor"):
        clv.forecast(year.purchase, year.spend, sample_rfm, "12m", **TERMS, level=0.0)


def test_a_level_that_is_not_sure_widens_bands_of_money_alone(year, sample_rfm):
    """Beside the factor little else matters: its 5 and 95 % are those of the totals."""
    unsure = clv.forecast(year.purchase, year.spend, sample_rfm, "12m", **TERMS, level=(0.5, 1.1, 1.9))
    one, two = (ahead.totals(period="Q").to_pandas() for ahead in (year, unsure))
    for name in ("active", "active_p05", "orders", "orders_p95"):
        np.testing.assert_array_equal(one[name], two[name])
    for name in ("revenue", "contribution", "clv"):
        np.testing.assert_allclose(two[name], 1.1 * one[name])
    whole, sure = two.iloc[-1], one.iloc[-1]
    assert whole["revenue_p05"] / sure["revenue"] == pytest.approx(0.5, rel=0.06)
    assert whole["revenue_p95"] / sure["revenue"] == pytest.approx(1.9, rel=0.06)
    assert "of how far past ones were off" in unsure.totals().basis
    assert (
        "value at 1.100 of the model's level (by past misses totals come out between 54.5 % below and "
        "72.7 % above the forecast, nine times in ten), before acquisition cost"
    ) in unsure.basis
    alone = clv.forecast(year.purchase, year.spend, sample_rfm, "12m", **TERMS, level=(0.66, 1.0, 1.516))
    assert "a year (by past misses totals come out between 34.0 % below and 51.6 % above" in alone.basis
    new, known = unsure.new_customers().to_pandas(), year.new_customers().to_pandas()
    assert new["clv_mean"][0] == pytest.approx(1.1 * known["clv_mean"][0])
    assert new["clv_mean_p05"][0] / known["clv_mean"][0] == pytest.approx(0.5, rel=0.06)
    pd.testing.assert_series_equal(
        unsure.customers().to_pandas()["clv_p95"], 1.1 * year.customers().to_pandas()["clv_p95"]
    )


@pytest.mark.parametrize("level", [(1.0, 0.9, 1.1), (0.9, 1.0), "1", (0.0, 1.0, 1.1), None, (0.9, True, 1.1)])
def test_a_level_that_cannot_be_meant_is_refused(year, sample_rfm, level):
    with pytest.raises(ConfigError, match=r"C012 level must be a factor .*, or low, middle and high"):
        clv.forecast(year.purchase, year.spend, sample_rfm, margin=0.3, level=level)


def test_a_lifetime_without_a_discount_has_its_value(sample_rfm):
    """Where it is finite: a above 1 in every draw."""
    fits = clv.fit(clv.BGNBD, sample_rfm, a=2.0), clv.fit(clv.GammaGamma, sample_rfm)
    ahead = clv.forecast(*fits, sample_rfm, "lifetime", margin=0.3, discount=0.0)
    found = ahead.totals().to_pandas()["clv"][0]
    assert found == pytest.approx(ahead.sums["clv"])
    assert found > 1e5


def test_customers_of_one_cell_are_drawn_apart(monkeypatch):
    """Forty customers alike in each of eight lines: their sum is as sure as that of one line of them all."""
    rng = np.random.default_rng(5)
    purchase, spend = jittered(PURCHASE, rng, 1e-6), jittered(SPEND, rng, 1e-6)
    h = clv.PurchaseHistory(*np.zeros((2, 320)), np.full(320, 30.0))
    none = np.zeros(320)
    rows = Rows(Base(purchase, spend, h, h.x), np.arange(320) // 40, np.ones(320), none, none, ENDS, RATE)
    parts = lines_of(rows, one_by_one=True)
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    spread = [part.drawn[1, -1].std() for part in parts]
    assert whole.drawn[1, -1].std() == pytest.approx(np.sqrt(np.square(spread).sum()), rel=0.1)


def test_a_point_fit_knows_the_chance_of_planned_customers():
    new = clv.PurchaseHistory.newcomer()
    args = FirstOrder(40.0, 400.0, 1e3), [Wave(0.0, 20.0, 3000)], ENDS, RATE
    certain = newcomers(Base(PURCHASE, SPEND, new, new.x), *args)
    rng = np.random.default_rng(6)
    drawn = newcomers(Base(jittered(PURCHASE, rng, 1e-6), jittered(SPEND, rng, 1e-6), new, new.x), *args)
    np.testing.assert_allclose(certain.variance[1], drawn.variance[1], rtol=0.15)


def test_a_lopsided_margin_stays_below_one(year, sample_rfm):
    ahead = clv.forecast(year.purchase, year.spend, sample_rfm, "12m", margin=(0.5, 0.9, 1.0))
    total = ahead.totals().to_pandas().iloc[0]
    assert total["contribution_p95"] <= total["revenue_p95"]
    assert total["clv"] == pytest.approx(ahead.sums["clv"])
    drawn = ahead.margins.drawn("", 1000)
    assert drawn.max() <= 1
    assert np.quantile(drawn, [0.05, 0.5]) == pytest.approx([0.5, 0.9], abs=0.01)


def test_mistakes_are_told_in_words(year, sample_rfm):
    plan = pd.DataFrame({"period": ["1999-Q1"], "customers": [5]})
    for message, call in {
        "P003 the plan must have customers still to come by 1998-09-30; got 1999-Q1": lambda: year.totals(
            plan=plan
        ),
        'or years "2026"; got .0000-Q4': lambda: year.totals(plan=plan.assign(period="0000-Q4")),
        'or years "2026"; got .9999-Q4': lambda: year.totals(plan=plan.assign(period="9999-Q4")),
        "C001 fiscal_year_start must be a month": lambda: year.totals(plan=plan, fiscal_year_start=13),
        "C001 by must name a segment": lambda: year.totals(by=["cohort"]),
        "P002 cac must be 0 or more for every segment; got 'x'": lambda: year.equity(cac="x"),
        "P003 a plan must be a data frame; got a dict": lambda: year.totals(plan={"period": 1}),
        "P002 cac must be 0 or more": lambda: year.equity(plan.assign(period="1998"), cac=float("nan")),
        "C012 rfm must be an RFM table; got a DataFrame": lambda: clv.forecast(
            year.purchase, year.spend, plan, margin=0.3
        ),
        "C012 level must be a factor": lambda: clv.forecast(
            year.purchase, year.spend, sample_rfm, margin=0.3, level="1"
        ),
        "C002 margin must be a share above 0 and at most 1; got None": lambda: clv.forecast(
            year.purchase, year.spend, sample_rfm, margin=(0.2, None, 0.4)
        ),
        "C008 horizon must not reach": lambda: year.customers(horizons=["20y"]),
        "C011 the undiscounted lifetime of a new customer": lambda: clv.forecast(
            year.purchase, year.spend, sample_rfm, "lifetime", margin=0.3, discount=0.0
        ).new_customers(),
    }.items():
        with pytest.raises(ConfigError, match=message):
            call()


def test_equity_goes_by_the_segment_of_margins(small_study):
    """Two segments planned for one period, with margins of their own and one acquisition cost."""
    rfm = small_study.rfm
    channels = sorted(set(rfm.to_pandas()["channel"]))
    ahead = clv.forecast(
        small_study.purchase,
        small_study.spend,
        rfm,
        margin=dict.fromkeys(channels, 0.4),
        margin_by="channel",
    )
    plan = pd.DataFrame({"channel": channels[:2], "period": "2026", "customers": [10, 20]})
    found, same = (
        ahead.equity(plan, 3.0).to_pandas(),
        small_study.forecast.equity(pd.DataFrame({"period": ["2026"], "customers": [30]}), 3.0).to_pandas(),
    )
    assert found["clv"].iloc[[0, 2]].tolist() == pytest.approx(same["clv"].iloc[[0, 2]].tolist())
