"""The forecast per customer: the models' own numbers, joined back to everyone, whatever the layout."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import clv
from clv.data.contract import Transactions
from clv.errors import ConfigError, FitError
from clv.evaluation.study import Study
from clv.fitting.result import Fit
from clv.forecasting.customers import Forecast, forecast
from clv.forecasting.value import value_of_new
from clv.models.histories import PurchaseHistory

MARGIN, DISCOUNT, YEAR = 0.3, 0.15, 365  # from 1997-09-30 to 1998-09-30


@pytest.fixture(scope="module")
def year(sample_fits: tuple[Fit, Fit], sample_rfm: clv.RFM) -> Forecast:
    return forecast(*sample_fits, sample_rfm, "12m", margin=MARGIN, discount=DISCOUNT)


def test_one_row_a_customer_in_the_columns_of_the_contract(small_study: Study) -> None:
    frame = small_study.forecast.customers("run-1").to_pandas()
    assert list(frame.columns) == [
        *("as_of", "run_id", "customer_id", "horizon", "p_alive", "p_purchase", "expected_purchases"),
        *("next_purchase", "expected_spend", "spend_p05", "spend_p95"),
        *("clv_mean", "clv_median", "clv_p05", "clv_p95", "historic_value", "percentile"),
        *("cohort", "channel", "country", "rfm_segment", "flags"),
    ]
    assert list(frame["customer_id"]) == [f"C{i:04d}" for i in range(320)]  # each once, in order
    assert set(frame["horizon"]) == {"12m"}
    assert set(frame["run_id"]) == {"run-1"}
    assert {str(day)[:10] for day in frame["as_of"]} == {"2025-12-31"}
    assert not frame.drop(columns="next_purchase").isna().any().any()
    assert "run_id" not in small_study.forecast.customers().to_pandas()


def test_flags_say_what_is_particular_about_a_customer(sample_fits: tuple[Fit, Fit]) -> None:
    rows = pd.DataFrame(
        {
            "customer_id": ["old", "new", "never paid", "giant", "both"],
            "frequency": [3, 0, 0, 9, 0],
            "recency": [100, 0, 0, 190, 0],
            "T": [200, 27, 28, 200, 3],
            "monetary_value": [30.0, 0.0, 0.0, 4e5, 0.0],
        }
    )
    many = pd.concat([rows.iloc[:1].assign(customer_id=f"old {i}") for i in range(50)])
    base = clv.RFM(pd.concat([rows, many]), unit="day", as_of="1997-09-30", customer="customer_id")
    fits = (dataclasses.replace(fit, as_of=None, first_order="excluded") for fit in sample_fits)
    frame = forecast(*fits, base, "3m", margin=0.3).customers().to_pandas().set_index("customer_id")
    assert dict(frame.loc[list(rows["customer_id"]), "flags"]) == {
        "old": "",
        "new": "young; spend unknown",
        "never paid": "spend unknown",
        "giant": "dominant",
        "both": "young; spend unknown",
    }
    assert (frame["flags"] == "").sum() == 51


def test_a_forecast_says_how_old_its_fits_are_and_what_has_moved(sample_fits: tuple[Fit, Fit]) -> None:
    log = clv.datasets.load_cdnow_sample()
    late = Transactions(log, as_of="1998-06-30", duplicates="keep").rfm()
    ahead = forecast(*sample_fits, late, "12m", margin=MARGIN)
    assert ahead.basis.endswith("before acquisition cost; fitted on what was known on 1997-09-30")
    assert "contribution in USD at 30 % margin" in ahead.basis
    assert "on the data of today" in str(ahead.drift)
    assert "In 273 days" in ahead._repr_html_()
    assert ahead.totals().basis.startswith(ahead.basis)
    same = forecast(*sample_fits, late.where("cohort", "1997-01"), "12m", margin=MARGIN)
    fresh = dataclasses.replace(same, purchase=dataclasses.replace(same.purchase, as_of=late.as_of))
    assert "fitted on" in fresh.basis  # spend is still of then


def test_a_forecast_of_the_day_has_no_drift(year: Forecast) -> None:
    assert year.drift is None
    assert year.basis.endswith("before acquisition cost")


def test_everyone_of_the_base_is_there(year: Forecast, sample_rfm: clv.RFM) -> None:
    customers = year.customers().to_pandas()["customer_id"]
    assert list(customers) == list(sample_rfm.to_pandas()["customer_id"])
    assert customers.is_unique


def test_equals_the_models_asked_customer_by_customer(sample_fits: tuple[Fit, Fit]) -> None:
    log = clv.datasets.load_cdnow_sample()
    log.loc[::29, "amount"] = 0.0  # repeat orders without spend: orders and spend days differ
    rfm = Transactions(log, as_of="1997-09-30", duplicates="keep", zero_orders="count").rfm()
    ahead = forecast(*sample_fits, rfm, "12m", margin=MARGIN, discount=DISCOUNT)
    base, found = rfm.to_pandas(), ahead.customers().to_pandas()
    odd = np.flatnonzero(base["spend_days"] != base["frequency"])
    assert len(odd) > 50
    purchase, spend = ahead.purchase.model, ahead.spend.model
    paid = base["spend_days"].sum() / base["frequency"].sum()
    for i in [*odd[:60], *range(0, len(base), 97)]:
        row = base.iloc[i]
        h = PurchaseHistory(row["frequency"], row["recency"] / 7, row["T"] / 7)
        total = (row["repeat_spend"] + row["first_amount"]) / 100
        m = row["spend_days"] + (row["first_amount"] > 0)
        worth = paid * spend.p * (spend.gamma + total) / (spend.p * m + spend.q - 1)
        repeats = purchase.discounted_purchases(h, np.log1p(DISCOUNT) / 365.25 * 7, YEAR / 7)[0]
        expected = {
            "p_alive": purchase.p_alive(h)[0],
            "p_purchase": 1 - purchase.purchase_pmf(h, YEAR / 7, 0)[0],
            "expected_purchases": purchase.expected_purchases(h, YEAR / 7)[0],
            "expected_spend": worth,
            "clv_mean": MARGIN * repeats * worth,
            "historic_value": MARGIN * (row["repeat_spend"] + row["first_amount"]) / 100,
        }
        assert {name: found.iloc[i][name] for name in expected} == pytest.approx(expected, rel=1e-9), row


def test_discounted_value_equals_a_sum_over_short_steps(year: Forecast, sample_rfm: clv.RFM) -> None:
    """∫ e^(−δτ) dE(τ), taken from undiscounted forecasts alone."""
    steps = np.linspace(0, YEAR / 7, 801)
    h = PurchaseHistory([2, 0, 7], [30.43, 0, 29.43], [38.86] * 3)
    reached = np.array([year.purchase.model.expected_purchases(h, t) for t in steps])
    kept = np.exp(-np.log1p(DISCOUNT) / 365.25 * 7 * (steps[1:] + steps[:-1]) / 2)
    by_hand = kept @ np.diff(reached, axis=0)
    said = year.purchase.model.discounted_purchases(h, np.log1p(DISCOUNT) / 365.25 * 7, YEAR / 7)
    assert said == pytest.approx(by_hand, rel=1e-6)


def refitted(rfm: clv.RFM, horizon: str = "12m") -> pd.DataFrame:
    fits = clv.fit(clv.BGNBD, rfm), clv.fit(clv.GammaGamma, rfm)
    ahead = forecast(*fits, rfm, horizon, margin=MARGIN, discount=DISCOUNT)
    return ahead.customers().to_pandas()


def same(found: pd.DataFrame, expected: pd.DataFrame, money: float = 1.0) -> None:
    assert list(found["customer_id"]) == list(expected["customer_id"])
    for name in ("p_alive", "p_purchase", "expected_purchases"):
        assert found[name].to_numpy() == pytest.approx(expected[name].to_numpy(), rel=1e-6)
    for name in ("expected_spend", "clv_mean", "historic_value"):
        assert found[name].to_numpy() == pytest.approx(money * expected[name].to_numpy(), rel=1e-6)


def test_the_order_of_rows_plays_no_part(small_log: pd.DataFrame, small_orders: Transactions) -> None:
    shuffled = small_log.sample(frac=1, random_state=3, ignore_index=True)
    same(refitted(Transactions(shuffled, as_of="2025-12-31").rfm()), refitted(small_orders.rfm()))


def test_the_time_unit_plays_no_part(small_orders: Transactions) -> None:
    rfm = small_orders.rfm()
    same(refitted(dataclasses.replace(rfm, unit=1.0)), refitted(rfm))


def test_the_money_unit_scales_money_alone(small_log: pd.DataFrame, small_orders: Transactions) -> None:
    cents = small_log.assign(amount=(small_log["amount"] * 100).round())
    same(refitted(Transactions(cents, as_of="2025-12-31").rfm()), refitted(small_orders.rfm()), money=100)


@pytest.mark.parametrize("by", ["cohort", "channel", "rfm_segment"])
def test_totals_by_segment_add_up(small_study: Study, by: str) -> None:
    parts, whole = small_study.forecast.totals(by).to_pandas(), small_study.forecast.totals().to_pandas()
    assert list(parts[by]) == [*sorted(parts[by][:-1]), "All customers"]
    frame = small_study.forecast.customers(bands=False).to_pandas()
    of_customers = {"active": "p_purchase", "orders": "expected_purchases", "clv": "clv_mean"}
    for name in ("customers", "active", "orders", "revenue", "contribution", "clv"):
        assert parts[name][:-1].sum() == pytest.approx(whole[name][0])
        assert parts[name].iloc[-1] == pytest.approx(whole[name][0])
    for name, column in of_customers.items():
        assert whole[name][0] == pytest.approx(frame[column].sum())
        assert small_study.forecast.sums[name] == pytest.approx(whole[name][0])


def test_percentiles_rank_by_value(small_study: Study) -> None:
    frame = small_study.forecast.customers().to_pandas().sort_values("clv_mean")
    assert frame["percentile"].is_monotonic_increasing
    assert frame["percentile"].iloc[0] == 0
    assert frame["percentile"].iloc[-1] == 100


def test_value_grows_with_the_horizon_and_falls_with_the_rate(
    year: Forecast, sample_fits: tuple[Fit, Fit], sample_rfm: clv.RFM
) -> None:
    def value(horizon: str, discount: float = DISCOUNT) -> np.ndarray:
        ahead = forecast(*sample_fits, sample_rfm, horizon, margin=MARGIN, discount=discount)
        return ahead.customers().to_pandas()["clv_mean"].to_numpy()

    half, whole, lifetime = value("6m"), value("12m"), value("lifetime")
    assert (half < whole).all()
    assert (whole < lifetime).all()
    assert (value("12m", 0.3) < whole).all()
    assert (whole < value("12m", 0.0)).all()


def test_an_infinite_lifetime_is_refused(sample_fits: tuple[Fit, Fit], sample_rfm: clv.RFM) -> None:
    assert sample_fits[0].model.a < 1
    endless = forecast(*sample_fits, sample_rfm, "lifetime", margin=MARGIN, discount=0.0)
    with pytest.raises(ConfigError, match="C011 the undiscounted residual lifetime is infinite"):
        endless.totals()


def test_a_fit_that_did_not_converge_is_refused(sample_fits: tuple[Fit, Fit], sample_rfm: clv.RFM) -> None:
    purchase, spend = sample_fits
    for pair in (
        (dataclasses.replace(purchase, converged=False, message="M001 stopped"), spend),
        (purchase, dataclasses.replace(spend, converged=False, message="M001 stopped")),
    ):
        with pytest.raises(FitError, match="M001 stopped"):
            forecast(*pair, sample_rfm, margin=MARGIN)


def test_spend_without_a_finite_mean_is_refused(sample_fits: tuple[Fit, Fit], sample_rfm: clv.RFM) -> None:
    purchase, spend = sample_fits
    heavy = dataclasses.replace(spend, model=clv.GammaGamma(3.0, 0.9, 15.0))
    with pytest.raises(FitError, match="M001 GammaGamma has no finite mean"):
        forecast(purchase, heavy, sample_rfm, margin=MARGIN).totals()


@pytest.mark.parametrize(
    ("code", "given"),
    [("C002", {"margin": 30}), ("C003", {"discount": 15}), ("C006", {"horizon": "12"})],
)
def test_assumptions_are_checked(
    code: str, given: dict[str, object], sample_fits: tuple[Fit, Fit], sample_rfm: clv.RFM
) -> None:
    with pytest.raises(ConfigError, match=code):
        forecast(*sample_fits, sample_rfm, **({"margin": MARGIN} | given))  # type: ignore[arg-type]


def test_an_unknown_segment_is_named_with_those_there_are(small_study: Study) -> None:
    with pytest.raises(
        ConfigError, match=r"C001 by must name a segment; got chanel.*cohort, channel, country"
    ):
        small_study.forecast.totals("chanel")


def test_basis_says_what_is_counted(year: Forecast) -> None:
    for part in (
        "2,357 existing customers",
        "next 12 months",
        "1997-09-30",
        "contribution",
        "15 %",
        "before acquisition",
    ):
        assert part in year.basis


def test_value_of_a_new_customer_by_hand(sample_fits: tuple[Fit, Fit], sample_rfm: clv.RFM) -> None:
    """The first order is not discounted; a year of repeats follows: E[X(52)] is 1.444 (published)."""
    purchase, spend = sample_fits
    first = sample_rfm.to_pandas()["first_amount"].mean() / 100
    value = value_of_new(purchase, spend, sample_rfm, "364d", margin=1.0, discount=0.0)
    paid = (sample_rfm.to_pandas()["first_amount"] > 0).mean()
    (e0, told), (_, each) = spend.model.expected_spend_terms(np.array([0.0, 1.0]))
    repeat = (1 - paid) * e0 + paid * told + each * first  # a first order says what later ones bring
    assert value == pytest.approx(first + 1.4440 * repeat, rel=1e-4)
    published = clv.fit(clv.GammaGamma, sample_rfm, first_order="excluded")
    value = value_of_new(purchase, published, sample_rfm, "364d", margin=1.0, discount=0.0)
    assert value == pytest.approx(first + 1.4440 * published.model.mean_spend().item(), rel=1e-4)
    later = value_of_new(purchase, spend, sample_rfm, "364d", margin=0.5, discount=0.2)
    assert first / 2 < later < value / 2


def test_lifetime_of_the_whole_cdnow_cohort(cdnow_study: Study) -> None:
    """Published for 78 weeks at 30 % margin and 15 % a year: about 1.1 million, 47 a customer."""
    total = cdnow_study.lifetime.sums
    assert total["clv"] == pytest.approx(1.1e6, rel=0.10)
    assert total["clv"] / total["customers"] == pytest.approx(47, rel=0.10)


def test_the_unit_of_the_fit_is_the_unit_of_the_forecast(
    sample_fits: tuple[Fit, Fit], sample_rfm: clv.RFM
) -> None:
    """A model in days on a base in weeks, and the other way round."""
    spend = sample_fits[1]
    daily = dataclasses.replace(sample_rfm, unit=1.0)
    totals = [
        clv.forecast(clv.fit(clv.BGNBD, of), spend, on, margin=0.3, discount=0.1).sums["clv"]
        for of in (sample_rfm, daily)
        for on in (sample_rfm, daily)
    ]
    assert totals == pytest.approx([totals[0]] * 4, rel=1e-6)


def test_only_paid_days_bring_money() -> None:
    """Every other repeat order of 0: half the purchases count, at the value of those that were paid."""
    rows = [
        (f"c{i}", f"2025-{m:02d}-01", 0 if m % 2 else 50 + i % 7)
        for i in range(60)
        for m in range(2, 2 + i % 9)
    ]
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    rfm = clv.Transactions(log, as_of="2025-12-31", zero_orders="count", allow_gap="1y").rfm()
    assert 0.4 < rfm.paid_share < 0.6
    purchase, spend = clv.fit(clv.BGNBD, rfm), clv.fit(clv.GammaGamma, rfm)
    made = clv.forecast(purchase, spend, rfm, margin=1.0, discount=0.0).customers().to_pandas()
    value = made["expected_purchases"] * made["expected_spend"]
    assert made["clv_mean"].to_numpy() == pytest.approx(value)
    assert made["expected_spend"].max() < 0.6 * 57


def test_swapped_fits_are_refused(sample_fits: tuple[Fit, Fit], sample_rfm: clv.RFM) -> None:
    purchase, spend = sample_fits
    with pytest.raises(
        clv.ConfigError, match="C012 purchase must be a fit of a purchase model; got GammaGamma"
    ):
        clv.forecast(spend, purchase, sample_rfm, margin=0.3)


def test_what_cannot_be_fitted_is_said(sample_rfm: clv.RFM) -> None:
    with pytest.raises(clv.DataError, match="D047 a fit needs an RFM table or a history; got a DataFrame"):
        clv.fit(clv.BGNBD, sample_rfm.to_pandas())
    with pytest.raises(clv.ConfigError, match="C012 model must be a class"):
        clv.fit("BGNBD", sample_rfm)


CONTINUOUS = (
    clv.NBD, clv.BGNBD, clv.MBGNBD, clv.ParetoNBD, clv.GGompertzNBD, clv.BGCNBD, clv.MBGCNBD,
)  # fmt: skip


@pytest.mark.parametrize("kind", CONTINUOUS, ids=lambda kind: kind.__name__)
def test_every_model_in_continuous_time_forecasts_the_base(kind, sample_fits, sample_rfm) -> None:
    """Each within a third of the BG/NBD on what is to come, and a lifetime is worth more than a year."""
    purchase, spend = (
        clv.fit(kind, sample_rfm, **({"k": 1} if "CNBD" in kind.__name__ else {})),
        sample_fits[1],
    )
    year, life = (
        forecast(purchase, spend, sample_rfm, horizon, margin=MARGIN, discount=DISCOUNT)
        for horizon in ("12m", "lifetime")
    )
    base = forecast(*sample_fits, sample_rfm, "12m", margin=MARGIN, discount=DISCOUNT).sums
    bound = 2.0 if kind is clv.NBD else 0.34  # nobody leaves: what the others are for
    assert year.sums["orders"] == pytest.approx(base["orders"], rel=bound)
    frame = life.customers().to_pandas()
    assert life.sums["clv"] > year.sums["clv"] > 0
    assert frame["p_purchase"].between(0, 1).all()
    assert (frame["p_purchase"] <= frame["p_alive"] + 1e-12).all()


def test_a_model_of_periods_is_refused_with_the_way_out(sample_fits, sample_rfm) -> None:
    orders = Transactions(clv.datasets.load_cdnow_sample(), as_of="1997-09-30", duplicates="keep")
    discrete = clv.fit(clv.BGBB, orders.opportunities("1m"))
    with pytest.raises(ConfigError, match=r"C012 a forecast of an RFM table needs .* got BGBB"):
        forecast(discrete, sample_fits[1], sample_rfm, "12m", margin=MARGIN)
