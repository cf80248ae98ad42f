"""The shop against its own truth: expectations are derived here, not taken from the generator."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from clv.datasets.shop import Shop, generate_shop

PERSONAS = ("gift buyer", "collector")
COLUMNS = {
    "transactions": "order_id customer_id date amount cogs type refund_of channel product_group referred_by",
    "customers": "customer_id acquired_at channel country loyalty_member satisfaction recommendation",
    "spend": "period channel acquisition_spend retention_spend",
    "ledger": "period net_revenue",
}


@pytest.fixture(scope="module")
def shop() -> Shop:
    return generate_shop()


@pytest.fixture(scope="module")
def booked(shop: Shop) -> pd.DataFrame:
    return shop.transactions.drop_duplicates()


@pytest.fixture(scope="module")
def histories(shop: Shop, booked: pd.DataFrame) -> pd.DataFrame:
    """Truth by customer, with the repeat orders seen, and the clock after the first day and at the end."""
    table = shop.truth["customers"].merge(shop.customers, on="customer_id")
    orders = booked[booked["type"] == "sale"].groupby("customer_id").size()
    table["repeats"] = table["customer_id"].map(orders) - 1
    first = (pd.to_datetime(table["acquired_at"]) - pd.Timestamp(shop.truth["start"])).dt.days
    for name in PERSONAS:
        clock, own = operational_weeks(shop, name), table["persona"] == name
        table.loc[own, "origin"] = clock[first[own] + 1]
        table.loc[own, "end"] = clock[-1]
    return table


def operational_weeks(shop: Shop, persona: str) -> np.ndarray:
    days = pd.date_range(shop.truth["start"], shop.truth["as_of"])
    rate = np.asarray(shop.truth["personas"][persona]["season"])[days.month - 1]
    return np.concatenate([[0.0], np.cumsum(rate) / 7])


def expected_repeats(lam: float, p: float, weeks: float) -> float:
    """Of a customer whose rate and dropout probability are known."""
    return -np.expm1(-lam * p * weeks) / p


def cents(values: pd.Series) -> pd.Series:
    return (values * 100).round().astype("int64")


def test_same_seed_same_frames() -> None:
    one, two, other = generate_shop(5, 400), generate_shop(5, 400), generate_shop(6, 400)
    for name in COLUMNS:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))
        assert not getattr(one, name).equals(getattr(other, name))
    pd.testing.assert_frame_equal(one.truth["customers"], two.truth["customers"])
    assert one.truth["counts"] == two.truth["counts"]


@pytest.mark.parametrize("customers", [1, 2, 60])
def test_tiny_shops_are_whole(customers: int) -> None:
    shop = generate_shop(1, customers)
    assert len(shop.customers) == customers == shop.customers["customer_id"].nunique()
    assert len(shop.ledger) == 36


def test_a_shop_needs_a_customer() -> None:
    with pytest.raises(ValueError, match="at least 1 customer; got 0"):
        generate_shop(customers=0)


def test_columns_and_types(shop: Shop) -> None:
    for name, columns in COLUMNS.items():
        assert list(getattr(shop, name).columns) == columns.split()
    rows, customers = shop.transactions, shop.customers
    assert 30_000 <= len(rows) <= 40_000
    assert rows["order_id"].str.fullmatch(r"O-\d{6}").all()
    assert rows["date"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    assert set(rows["type"]) == {"sale", "refund"}
    for column in ("amount", "cogs"):
        np.testing.assert_allclose(rows[column], rows[column].round(2), rtol=0, atol=1e-9)
    assert customers["customer_id"].str.fullmatch(r"C-\d{5}").all()
    assert customers["loyalty_member"].dtype == bool
    assert customers["satisfaction"].dropna().between(1, 5).all()
    assert customers["recommendation"].dropna().between(0, 10).all()
    assert customers[["satisfaction", "recommendation"]].isna().mean().between(0.37, 0.43).all()
    assert len(shop.spend) == 36 * 8
    assert list(shop.truth["customers"]) == ["customer_id", "persona", "lam", "p_dropout", "mean_spend"]


def test_rows_are_in_time_order(booked: pd.DataFrame) -> None:
    assert booked["order_id"].is_unique
    assert booked["order_id"].is_monotonic_increasing
    assert booked["date"].is_monotonic_increasing
    assert booked["date"].min() == "2023-10-01"
    assert booked["date"].max() <= "2026-09-30"


def test_imperfections_are_counted(shop: Shop, booked: pd.DataFrame) -> None:
    rows, counts = shop.transactions, shop.truth["counts"]
    sales, refunds = booked[booked["type"] == "sale"], booked[booked["type"] == "refund"]
    paid = refunds["refund_of"].map(sales.set_index("order_id")["amount"])
    full = cents(paid) == -cents(refunds["amount"])
    assert counts == {
        "rows": len(rows),
        "orders": len(sales),
        "refunds": len(refunds),
        "full_refunds": full.sum(),
        "partial_refunds": (~full).sum(),
        "duplicate_rows": rows.duplicated().sum(),
        "guest_orders": (sales["customer_id"] == "guest").sum(),
        "guest_rows": (rows["customer_id"] == "guest").sum(),
        "missing_id_rows": rows["customer_id"].isna().sum(),
    }
    assert 0.027 < len(refunds) / len(sales) < 0.031
    assert 0.60 < full.mean() < 0.73
    assert 0.0035 < counts["duplicate_rows"] / len(rows) < 0.0045
    assert 0.049 < counts["guest_orders"] / len(sales) < 0.051
    assert 0.0015 < counts["missing_id_rows"] / len(rows) < 0.0025


def test_refunds_answer_an_earlier_order(booked: pd.DataFrame) -> None:
    sales, refunds = booked[booked["type"] == "sale"], booked[booked["type"] == "refund"]
    assert sales["refund_of"].isna().all()
    pair = refunds.merge(sales, left_on="refund_of", right_on="order_id", suffixes=("", "_sale"), how="left")
    assert pair["order_id_sale"].notna().all()
    wait = (pd.to_datetime(pair["date"]) - pd.to_datetime(pair["date_sale"])).dt.days
    assert wait.between(2, 30).all()
    assert (pair["amount"] < 0).all()
    assert pair["refund_of"].is_unique
    assert (-cents(pair["amount"]) <= cents(pair["amount_sale"])).all()
    same = pair["customer_id"].fillna("") == pair["customer_id_sale"].fillna("")
    assert (same & (pair["channel"] == pair["channel_sale"])).all()
    full = -cents(pair["amount"]) == cents(pair["amount_sale"])
    assert (cents(pair["cogs"]) == -cents(pair["cogs_sale"]).where(full, 0)).all()


def test_goods_cost_about_half_the_price(booked: pd.DataFrame) -> None:
    sales = booked[booked["type"] == "sale"]
    assert (sales["amount"] >= 1).all()
    ratio = sales["cogs"] / sales["amount"]
    assert ratio.between(0.44, 0.66).all()
    by_group = ratio.groupby(sales["product_group"]).mean()
    assert by_group.max() - by_group.min() > 0.1


def test_customers_agree_with_their_orders(shop: Shop, booked: pd.DataFrame) -> None:
    own = booked[booked["customer_id"].notna() & (booked["customer_id"] != "guest")]
    assert (own.groupby("customer_id")[["channel"]].nunique() == 1).all(axis=None)
    assert (own.groupby("customer_id")["referred_by"].nunique(dropna=False) == 1).all()
    first = own.groupby("customer_id").agg(acquired_at=("date", "min"), channel=("channel", "first"))
    expected = shop.customers.set_index("customer_id")[["acquired_at", "channel"]]
    pd.testing.assert_frame_equal(first.sort_index(), expected, check_dtype=False)


def test_referrers_came_earlier(shop: Shop, booked: pd.DataFrame) -> None:
    acquired = shop.customers.set_index("customer_id")["acquired_at"]
    pairs = booked[["customer_id", "referred_by"]].dropna().drop_duplicates()
    assert len(pairs) > 200
    assert (pairs["referred_by"].map(acquired) < pairs["customer_id"].map(acquired)).all()
    assert booked.loc[booked["customer_id"] == "guest", "referred_by"].isna().all()


def test_channels_differ_in_size_and_mix(shop: Shop) -> None:
    sizes = shop.customers["channel"].value_counts()
    assert set(sizes.index) == set(shop.truth["channels"])
    assert 110 <= sizes.min() <= 200
    assert sizes.max() > 1_800
    table = shop.customers.merge(shop.truth["customers"], on="customer_id")
    collectors = (table["persona"] == "collector").groupby(table["channel"]).mean()
    for name, channel in shop.truth["channels"].items():
        error = np.sqrt(channel["collectors"] * (1 - channel["collectors"]) / sizes[name])
        assert abs(collectors[name] - channel["collectors"]) < 4 * error


def test_more_customers_before_christmas(shop: Shop) -> None:
    month = shop.customers["acquired_at"].str[5:7].value_counts(normalize=True)
    assert month["11"] > 1.3 / 12
    assert month["12"] > 1.6 / 12


def test_one_channel_costs_more_than_it_earns(
    shop: Shop, booked: pd.DataFrame, histories: pd.DataFrame
) -> None:
    orders = 1 + expected_repeats(histories["lam"], histories["p_dropout"], 3 * 365 / 7)
    revenue = (orders * histories["mean_spend"]).groupby(histories["channel"]).mean()
    money = booked[booked["type"] == "sale"].groupby("channel")[["amount", "cogs"]].sum()
    value = revenue * (1 - money["cogs"] / money["amount"])
    cac = pd.Series({name: channel["cac"] for name, channel in shop.truth["channels"].items()})
    ratio = cac / value
    assert ratio.idxmax() == "🎁 Gift market"
    assert ratio.max() > 1.05
    assert ratio.drop("🎁 Gift market").max() < 0.4


def test_acquisition_spend_follows_the_cac(shop: Shop) -> None:
    new = shop.customers.groupby([shop.customers["acquired_at"].str[:7], "channel"]).size()
    spend = shop.spend.set_index(["period", "channel"])["acquisition_spend"]
    new = new.rename_axis(["period", "channel"]).reindex(spend.index, fill_value=0)
    assert (spend[new == 0] == 0).all()
    cac = spend.groupby("channel").sum() / new.groupby("channel").sum()
    for name, channel in shop.truth["channels"].items():
        assert cac[name] == pytest.approx(channel["cac"], rel=0.12)
    assert (shop.spend["retention_spend"] >= 0).all()


def test_month_factors_average_one_by_day(shop: Shop) -> None:
    month = pd.date_range("2025-01-01", "2025-12-31").month - 1
    curves = [shop.truth["season"], *(x["season"] for x in shop.truth["personas"].values())]
    for season in curves:
        assert np.asarray(season)[month].mean() == pytest.approx(1, abs=1e-12)
        assert np.argmax(season) == 11
    gift, collector = curves[1:]
    assert gift[11] > curves[0][11] > collector[11]


@pytest.mark.parametrize("persona", PERSONAS)
def test_repeat_orders_follow_the_season(
    shop: Shop, booked: pd.DataFrame, histories: pd.DataFrame, persona: str
) -> None:
    own = histories[histories["persona"] == persona]
    sales = booked[(booked["type"] == "sale") & booked["customer_id"].isin(own["customer_id"])]
    observed = sales["date"].str[:7].value_counts().sort_index() - own["acquired_at"].str[:7].value_counts()
    days = pd.date_range(shop.truth["start"], shop.truth["as_of"])
    clock, starts = operational_weeks(shop, persona), np.flatnonzero(days.day == 1)
    borders = np.append(clock[starts], clock[-1])
    weeks = np.maximum(borders[:, None] - own["origin"].to_numpy(), 0)
    expected = np.diff(
        expected_repeats(own["lam"].to_numpy(), own["p_dropout"].to_numpy(), weeks).sum(axis=1)
    )
    assert len(observed) == len(expected) == 36
    # Conditional on rate and dropout, the counts scatter little more than Poisson ones.
    z = (observed.to_numpy() - expected) / np.sqrt(expected)
    assert np.abs(z).max() < 5
    assert (z**2).mean() < 2.5


@pytest.mark.parametrize("persona", PERSONAS)
def test_repeat_orders_match_bg_nbd(shop: Shop, histories: pd.DataFrame, persona: str) -> None:
    """E[X(T)] is the integral of (1 - (α / (α + pT))^r) / p over Beta(a, b): the rate's gamma transform."""
    true, own = shop.truth["personas"][persona], histories[histories["persona"] == persona]
    nodes, weights = np.polynomial.legendre.leggauss(200)
    p = beta(true["a"], true["b"]).ppf((nodes + 1) / 2)  # over quantiles, where the integrand is bounded
    age = (own["end"] - own["origin"]).to_numpy()[:, None]
    expected = -np.expm1(-true["r"] * np.log1p(p * age / true["alpha"])) / p @ (weights / 2)
    gap = own["repeats"] - expected
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))


@pytest.mark.parametrize("persona", PERSONAS)
def test_order_value_matches_gamma_gamma(
    shop: Shop, booked: pd.DataFrame, histories: pd.DataFrame, persona: str
) -> None:
    true, own = shop.truth["personas"][persona], histories[histories["persona"] == persona]
    expected = true["p"] * true["gamma"] / (true["q"] - 1)
    observed = booked[booked["type"] == "sale"].groupby("customer_id")["amount"].mean()
    for value in (own["customer_id"].map(observed), own["mean_spend"]):
        assert abs(value.mean() - expected) < 4 * value.std() / np.sqrt(len(value))


def test_unsatisfied_customers_drop_out_sooner(histories: pd.DataFrame) -> None:
    answered = histories.dropna(subset=["satisfaction"])
    correlation = answered["satisfaction"].astype(float).corr(answered["p_dropout"])
    assert -0.5 < correlation < -0.1


def test_ledger_adds_up(shop: Shop, booked: pd.DataFrame) -> None:
    booking = shop.truth["manual_booking"]
    revenue = cents(booked["amount"]).groupby(booked["date"].str[:7]).sum()
    revenue[booking["period"]] += round(100 * booking["amount"])
    ledger = cents(shop.ledger.set_index("period")["net_revenue"])
    pd.testing.assert_series_equal(ledger, revenue, check_names=False, check_index_type=False)
    assert len(ledger) == 36
