"""The RFM table: the published CDNOW figures, its invariants and types, histories, segments and hold-out."""

import datetime as dt
import time
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

import clv
from clv.data.contract import Transactions
from clv.data.holdout import Holdout, split
from clv.data.rfm import RFM, value_histories
from clv.data.segments import SEGMENT_ORDER, RFMCuts
from clv.datasets import cdnow_path, load_cdnow, load_cdnow_sample
from clv.errors import ConfigError, DataError
from clv.models.histories import GapHistory, PurchaseHistory, SpendHistory

CUT, END = dt.date(1997, 9, 30), dt.date(1998, 6, 30)
TYPES = {
    "customer_id": "string",
    **dict.fromkeys(["frequency", "recency", "T", "spend_days"], "int32"),
    **dict.fromkeys(["repeat_spend", "first_amount"], "int64"),
    "monetary_value": "float64",
    "orders": "int64",
    "first_date": "date",
    "last_date": "date",
    "cohort": "string",
}


@pytest.fixture(scope="module")
def sample() -> Holdout:
    """The sample as the papers count it: zero orders are purchases, copies are orders."""
    return split(Transactions(load_cdnow_sample(), as_of=END, zero_orders="count", duplicates="keep"), CUT)


@pytest.fixture(scope="module")
def whole() -> Transactions:
    return Transactions(load_cdnow(), as_of=END, duplicates="keep")


@pytest.fixture(scope="module")
def base(whole: Transactions) -> RFM:
    return whole.rfm()


@pytest.fixture(scope="module")
def frame(base: RFM) -> pd.DataFrame:
    return base.to_pandas()


def rfm(rows: list[tuple[Any, ...]], columns: str = "customer_id date amount", **options: Any) -> RFM:
    options = {"as_of": "2026-03-31", "allow_gap": "9y", "duplicates": "keep"} | options
    return Transactions(pd.DataFrame(rows, columns=columns.split()), **options).rfm()


# CDNOW, against reference/golden.md.


def test_the_sample_of_the_papers(sample: Holdout) -> None:
    found = sample.rfm.to_pandas()
    assert len(found) == len(sample.rfm) == 2_357
    assert (found["spend_days"] > 0).sum() == 946
    assert found["T"].max() == 272  # a customer of 1 January
    assert (found.loc[found["first_date"] == "1997-01-01", "T"] == 272).all()
    assert (sample.days, sample.cut, sample.end) == (273, CUT, END)
    assert sample.rfm.as_of == CUT
    assert found["actual_purchases"].sum() == 1_882
    assert (sample.later_customers, sample.later_spend) == (0, 0.0)


def test_the_sample_without_zero_orders() -> None:
    read = Transactions(load_cdnow_sample(), as_of=CUT, duplicates="keep", zero_orders="drop")
    assert len(read.rfm()) == 2_349
    assert dict(read.reconciliation().set_index("reason")["rows"])["zero value"] == 8


def test_the_hold_out_by_frequency(sample: Holdout) -> None:
    found = sample.rfm.to_pandas()
    means = found.groupby(found["frequency"].clip(upper=7))["actual_purchases"].mean()
    expected = [0.2367, 0.6970, 1.3925, 1.5600, 2.5323, 2.9474, 3.8621, 6.3594]
    np.testing.assert_allclose(means, expected, atol=5e-5)


def test_the_whole_log_at_the_cut(whole: Transactions) -> None:
    held = split(whole, "1997-09-30")
    assert len(held.rfm) == 23_500
    found = held.rfm.to_pandas()
    assert found["actual_spend"].sum() == 77_687_070
    after = whole.days().filter(lambda t: t.day > (CUT - dt.date(1970, 1, 1)).days)
    total = after.spent.sum().to_pyarrow().as_py()
    assert total == 77_687_070 + round(held.later_spend * 100)
    assert held.later_customers == 2  # their first orders were of zero value


def test_the_whole_log_against_pandas(frame: pd.DataFrame) -> None:
    raw = load_cdnow().query("amount > 0")
    raw["cents"] = (raw["amount"] * 100).round().astype("int64")
    days = raw.groupby(["customer_id", "date"])["cents"].agg(["sum", "count"]).reset_index()
    by = days.groupby("customer_id")
    expected = pd.DataFrame(
        {
            "frequency": by.size() - 1,
            "recency": (by["date"].max() - by["date"].min()).dt.days,
            "T": (pd.Timestamp(END) - by["date"].min()).dt.days,
            "spend_days": by.size() - 1,
            "repeat_spend": by["sum"].sum() - by["sum"].first(),
            "first_amount": by["sum"].first(),
            "orders": by["count"].sum(),
        }
    ).reset_index()
    pd.testing.assert_frame_equal(frame[list(expected.columns)], expected, check_dtype=False)


def test_the_whole_log_is_read_and_counted_in_no_time() -> None:
    Transactions(load_cdnow_sample(), as_of=END, duplicates="keep").rfm()  # imports and warms up
    start = time.process_time()
    Transactions(cdnow_path(), as_of=END, duplicates="keep").rfm()
    assert time.process_time() - start < 1.5


# The table.


def test_types_and_invariants(base: RFM, frame: pd.DataFrame) -> None:
    assert {name: str(kind) for name, kind in base.table.schema().items()} == TYPES
    assert frame.notna().all(axis=None)
    assert frame["customer_id"].is_unique
    assert frame["customer_id"].is_monotonic_increasing
    x, t_x, T, m = (frame[name] for name in ("frequency", "recency", "T", "spend_days"))
    assert ((t_x >= 0) & (t_x <= T)).all()
    assert ((x == 0) == (t_x == 0)).all()
    assert (x <= t_x).all()
    assert (m <= x).all()
    assert ((m == 0) == (frame["repeat_spend"] == 0)).all()
    assert ((frame["last_date"] - frame["first_date"]).dt.days == t_x).all()
    assert ((pd.Timestamp(END) - frame["first_date"]).dt.days == T).all()
    assert (frame["orders"] > x).all()
    mean = (frame["repeat_spend"] / 100 / m.where(m > 0)).fillna(0)
    np.testing.assert_allclose(frame["monetary_value"], mean, rtol=1e-15)


def test_all_money_is_in_the_table(whole: Transactions, frame: pd.DataFrame) -> None:
    used = whole.reconciliation().set_index("reason").loc["used", "money"]
    assert (frame["repeat_spend"] + frame["first_amount"]).sum() == round(used * 100) == 250_031_563


def test_orders_of_a_day_are_one_purchase() -> None:
    rows = [
        ("C1", "2026-01-01", 1.1),
        ("C1", "2026-01-01", 2.2),
        ("C1", "2026-01-09", 3.3),
        ("C1", "2026-01-09", 3.3),
    ]
    found = rfm(rows).to_pandas().iloc[0]
    assert found[["frequency", "recency", "T", "spend_days"]].tolist() == [1, 8, 89, 1]
    assert found[["first_amount", "repeat_spend", "monetary_value", "orders"]].tolist() == [330, 660, 6.6, 4]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("drop", {"C1": (1, 1, 500, 300), "C2": (0, 0, 0, 700)}),
        ("count", {"C1": (2, 1, 500, 300), "C2": (1, 1, 700, 0)}),
    ],
)
def test_zero_orders(policy: str, expected: dict[str, tuple[int, ...]]) -> None:
    rows = [("C1", "2026-01-01", 3), ("C1", "2026-01-05", 0), ("C1", "2026-01-09", 5)]
    rows += [("C2", "2026-01-01", 0), ("C2", "2026-01-05", 7)]
    found = rfm(rows, zero_orders=policy).to_pandas().set_index("customer_id")
    columns = ["frequency", "spend_days", "repeat_spend", "first_amount"]
    assert {name: tuple(row) for name, row in found[columns].iterrows()} == expected


def test_a_customer_of_zero_orders_only() -> None:
    rows = [("C1", "2026-01-01", 0), ("C1", "2026-01-05", 0), ("C2", "2026-01-05", 1)]
    assert len(rfm(rows)) == 1
    found = rfm(rows, zero_orders="count").to_pandas().iloc[0]
    assert found[["frequency", "spend_days", "monetary_value"]].tolist() == [1, 0, 0.0]


def test_cohorts_are_months_or_quarters(frame: pd.DataFrame) -> None:
    assert {"1997-01", "1997-02", "1997-03"} <= set(frame["cohort"])
    assert (frame["cohort"] == frame["first_date"].dt.strftime("%Y-%m")).all()
    rows = [(f"C{i}", str(dt.date(2024, 1, 1) + dt.timedelta(45 * i)), 1.0) for i in range(18)]
    found = rfm(rows).to_pandas()
    quarter = found["first_date"].dt
    assert (found["cohort"] == quarter.year.astype(str) + "-Q" + quarter.quarter.astype(str)).all()


# Histories.


def test_purchase_history_is_an_exact_grouping(base: RFM, frame: pd.DataFrame) -> None:
    history = base.history(PurchaseHistory)
    expected = frame.groupby(["frequency", "recency", "T"]).size().reset_index(name="customers")
    assert history.weight.sum() == len(frame) == 23_502
    assert len(history) == len(expected) < len(frame)
    for column, array in (
        ("frequency", history.x),
        ("recency", history.t_x * 7),
        ("T", history.T * 7),
        ("customers", history.weight),
    ):
        np.testing.assert_allclose(array, expected[column], rtol=1e-14)


def test_spend_history_is_an_exact_grouping(base: RFM, frame: pd.DataFrame) -> None:
    history = base.history(SpendHistory)
    repeaters = frame[frame["spend_days"] > 0]
    expected = repeaters.groupby(["spend_days", "repeat_spend"]).size().reset_index(name="customers")
    np.testing.assert_array_equal(history.m, expected["spend_days"])
    np.testing.assert_array_equal(history.S, expected["repeat_spend"] / 100)
    np.testing.assert_array_equal(history.weight, expected["customers"])


@pytest.mark.parametrize("first_orders", [False, True])
def test_keys_are_integers(base: RFM, frame: pd.DataFrame, first_orders: bool) -> None:
    rows = value_histories(base, first_orders=first_orders)
    names = ["frequency", "recency", "T", "spent_days"]
    assert {rows[name].dtype for name in names} == {np.dtype("int32")}
    assert {rows[name].dtype for name in ("customers", "spent_low", "spent_high")} == {np.dtype("int64")}
    paid = (frame["first_amount"] > 0) * first_orders
    by_hand = frame.assign(
        spent_days=frame["spend_days"] + paid, spend=frame["repeat_spend"] + frame["first_amount"] * paid
    ).groupby(names)["spend"]
    expected = by_hand.agg(customers="size", spent_low="min", spent_high="max").reset_index()
    found = pd.DataFrame(rows)[expected.columns]
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_spend_of_all_orders_counts_first_ones(base: RFM, frame: pd.DataFrame) -> None:
    history = base.with_first_orders().history(SpendHistory)
    paid = frame["first_amount"] > 0
    assert history.weight.sum() == (paid | (frame["spend_days"] > 0)).sum()
    assert history.m @ history.weight == (frame["spend_days"] + paid).sum()
    total = (frame["repeat_spend"] + frame["first_amount"] * paid).sum()
    assert history.S @ history.weight == pytest.approx(total / 100)


def test_another_kind_of_history_is_refused(base: RFM) -> None:
    with pytest.raises(
        DataError, match="D047 an RFM table gives purchase, gap and spend histories; got dict"
    ):
        base.history(dict)
    with pytest.raises(ConfigError, match="C001 by must name a segment; got colour"):
        base.history(PurchaseHistory, by=("colour",))


@pytest.mark.parametrize("kind", [PurchaseHistory, SpendHistory, GapHistory])
def test_a_history_by_segment_adds_up_to_the_whole(base: RFM, kind: type) -> None:
    history, whole = base.history(kind, by=("cohort",)), base.history(kind)
    assert history.labels == tuple(sorted(history.labels))
    assert len(history.labels) > 1
    parts = history.parts()
    for label, part in zip(history.labels, parts, strict=True):
        own = base.where("cohort", label).history(kind)
        np.testing.assert_array_equal(part.weight, own.weight)
    assert sum(part.weight.sum() for part in parts) == whole.weight.sum()
    again = history.whole()
    assert len(again) == len(whole)
    assert sorted(again.weight) == sorted(whole.weight)


# Parts and copies of the table.


def test_where_and_with_columns(base: RFM, frame: pd.DataFrame) -> None:
    january = base.where("cohort", "1997-01")
    assert len(january) == (frame["cohort"] == "1997-01").sum()
    assert january.history(PurchaseHistory).weight.sum() == len(january)
    marked = base.with_columns(repeats=(base.table.frequency > 0).ifelse("yes", "no"), all="one")
    assert marked.segments == ("cohort", "repeats", "all")
    assert base.segments == ("cohort",)
    assert len(marked.where("repeats", "yes")) == (frame["frequency"] > 0).sum()
    again = marked.with_columns(all="two")
    assert again.segments == marked.segments
    assert set(again.to_pandas()["all"]) == {"two"}
    assert len(base.where("cohort", "never")) == 0


def test_a_part_outlives_its_log() -> None:
    rows = [("C1", "2026-01-01", 1.0), ("C2", "2026-02-01", 2.0)]
    assert rfm(rows).where("cohort", "2026-02").to_pandas()["customer_id"].tolist() == ["C2"]


def test_parquet_round_trip(base: RFM, frame: pd.DataFrame, tmp_path: Path) -> None:
    base.to_parquet(str(tmp_path / "rfm.parquet"))
    table = ibis.duckdb.connect().read_parquet(tmp_path / "rfm.parquet")
    assert {name: str(kind) for name, kind in table.schema().items()} == TYPES
    pd.testing.assert_frame_equal(table.execute(), frame)


def test_the_notebook_shows_the_first_rows(base: RFM) -> None:
    html = base._repr_html_()
    assert "RFM of 23,502 customers as of 1998-06-30" in html
    assert html.count("<tr") == 9


# Segments.


ORDERS = [
    ("C1", "2026-01-05", 1.0, "web", None),
    ("C1", "2026-01-01", 1.0, "shop", "CZ"),
    ("C1", "2026-01-01", 9.0, "web", "SK"),
    ("C2", "2026-01-02", 0.0, "mail", "DE"),
    ("C2", "2026-01-03", 2.0, None, "DE"),
    ("C3", "2026-01-04", 3.0, " ", "AT"),
    ("C4", "2026-01-05", 3.0, "shop", "AT"),
    ("C4", "2026-01-06", -3.0, "web", "AT"),
    ("C4", "2026-01-07", 4.0, "web", "AT"),
]


def test_a_segment_is_read_at_the_first_order_in_use() -> None:
    found = rfm(
        ORDERS,
        "customer_id date amount channel country",
        segments=["channel", "country"],
        refunds="net_to_original",
    )
    assert found.segments == ("cohort", "channel", "country")
    table = found.to_pandas().set_index("customer_id")
    assert table["channel"].to_dict() == {"C1": "shop", "C2": "unknown", "C3": "unknown", "C4": "web"}
    assert table["country"].to_dict() == {"C1": "CZ", "C2": "DE", "C3": "AT", "C4": "AT"}


def test_a_segment_does_not_know_the_future() -> None:
    frame = pd.DataFrame(ORDERS, columns=["customer_id", "date", "amount", "channel", "country"])
    read = Transactions(frame, segments=["channel"], refunds="net_to_original", as_of="2026-01-31")
    table = split(read, "2026-01-05").rfm.to_pandas().set_index("customer_id")
    assert table["channel"].to_dict() == {"C1": "shop", "C2": "unknown", "C3": "unknown", "C4": "shop"}


def test_segments_from_a_customers_table(tmp_path: Path) -> None:
    rows = [(i, "2026-01-01", 1.0, "shop") for i in (1, 2, 3, 4)]
    people = pd.DataFrame(
        {
            "customer_id": [1.0, 2.0, 2.0, 3.0, 9.0, None],
            "country": ["CZ", None, "DE", " ", "AT", "SK"],
            "vip": [True, False, True, None, True, True],
        }
    )
    people.to_csv(tmp_path / "people.csv", index=False)
    people.to_parquet(tmp_path / "people.parquet")
    columns, names = "customer_id date amount channel", ["country", "channel", "vip"]
    for source in (people, tmp_path / "people.parquet"):
        found = rfm(rows, columns, customers=source, segments=names)
        assert found.segments == ("cohort", *names)
        table = found.to_pandas().set_index("customer_id")
        assert table["country"].to_dict() == {"1": "CZ", "2": "DE", "3": "unknown", "4": "unknown"}
        assert set(table["channel"]) == {"shop"}
        assert table["vip"].str.lower().to_dict() == {
            "1": "true",
            "2": "false",
            "3": "unknown",
            "4": "unknown",
        }
    people["customer_id"] = people["customer_id"].astype("Int64")
    people.to_csv(tmp_path / "people.csv", index=False)
    found = rfm(rows, columns, customers=tmp_path / "people.csv", segments=["country"])
    assert found.to_pandas()["country"].tolist() == ["CZ", "DE", "unknown", "unknown"]


def test_a_column_of_the_log_wins_over_the_customers_table() -> None:
    people = pd.DataFrame({"customer_id": ["C1"], "channel": ["other"]})
    found = rfm(
        [("C1", "2026-01-01", 1.0, "shop")],
        "customer_id date amount channel",
        customers=people,
        segments=["channel"],
    )
    assert found.to_pandas()["channel"].tolist() == ["shop"]


# RFM segments.


def test_cuts_name_every_customer(base: RFM, frame: pd.DataFrame) -> None:
    cuts = RFMCuts.of(base)
    since = frame["T"] - frame["recency"]
    spend = (frame["repeat_spend"] + frame["first_amount"])[frame["frequency"] > 0]
    assert cuts == RFMCuts(since.quantile(1 / 3), since.quantile(2 / 3), spend.median())
    marked = cuts.apply(base)
    assert marked.segments == ("cohort", "rfm_segment")
    counts = marked.to_pandas()["rfm_segment"].value_counts()
    assert set(counts.index) <= set(SEGMENT_ORDER)
    assert len(SEGMENT_ORDER) == len(set(SEGMENT_ORDER)) == 9
    assert SEGMENT_ORDER[0] == "Repeat, high value, recent"
    assert SEGMENT_ORDER[-1] == "One-time, lapsed"
    assert counts.sum() == 23_502
    repeaters = counts[counts.index.str.startswith("Repeat, high")].sum()
    assert repeaters == pytest.approx((frame["frequency"] > 0).sum() / 2, rel=0.01)


def test_cuts_of_one_base_apply_to_a_later_one(whole: Transactions, base: RFM) -> None:
    earlier = split(whole, CUT).rfm
    cuts = RFMCuts.of(earlier)
    assert cuts != RFMCuts.of(base)
    marked = cuts.apply(base).to_pandas()
    since = marked["T"] - marked["recency"]
    age = np.select([since <= cuts.recent, since <= cuts.old], ["recent", "cooling"], "lapsed")
    spend = marked["repeat_spend"] + marked["first_amount"]
    value = np.select(
        [marked["frequency"] == 0, spend <= cuts.spend],
        ["One-time", "Repeat, lower value"],
        "Repeat, high value",
    )
    assert (marked["rfm_segment"] == pd.Series(value) + ", " + pd.Series(age)).all()
    assert cuts.apply(cuts.apply(base)).segments == ("cohort", "rfm_segment")


def test_cuts_in_words() -> None:
    words = RFMCuts(30.0, 90.4, 123_456.0).sentence(2, "CZK")
    assert "within 30 days" in words
    assert "within 90;" in words
    assert "more than 1,234.56 CZK in all" in words


def test_cuts_of_one_time_buyers() -> None:
    found = rfm([("C1", "2026-01-01", 1.0), ("C2", "2026-02-01", 1.0)])
    assert RFMCuts.of(found).spend == 0.0
    assert RFMCuts.of(found).apply(found).to_pandas()["rfm_segment"].str.startswith("One-time, ").all()


# Hold-out.


def test_actuals_are_days_and_money_after_the_cut() -> None:
    rows = [
        ("C1", "2026-01-01", 1.0),
        ("C1", "2026-01-05", 2.0),  # the split day belongs to the base
        ("C1", "2026-01-06", 3.0),
        ("C1", "2026-01-06", 4.0),
        ("C1", "2026-01-09", 5.0),
        ("C2", "2026-01-02", 6.0),
        ("C3", "2026-01-06", 7.0),
        ("C2", "2026-01-10", -6.0),  # known only later: the base keeps the purchase
        ("C1", "2026-02-01", 9.0),  # after as_of
    ]
    frame = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    held = split(Transactions(frame, as_of="2026-01-31", refunds="net_to_original"), "2026-01-05")
    found = held.rfm.to_pandas().set_index("customer_id")
    assert found[["frequency", "T", "repeat_spend"]].to_dict("index") == {
        "C1": {"frequency": 1, "T": 4, "repeat_spend": 200},
        "C2": {"frequency": 0, "T": 3, "repeat_spend": 0},
    }
    assert found[["actual_purchases", "actual_spend"]].to_numpy().tolist() == [[2, 1200], [0, 0]]
    assert found[["actual_purchases", "actual_spend"]].dtypes.tolist() == [np.dtype("int64")] * 2
    assert (held.later_customers, held.later_spend, held.days) == (1, 7.0, 26)


def test_a_split_that_leaves_nothing(whole: Transactions) -> None:
    for cut in (END, "1999-01-01"):
        with pytest.raises(
            ConfigError, match=r"C007 holdout leaves no data: it is cut at .*, as_of is 1998-06-30"
        ):
            split(whole, cut)
    with pytest.raises(
        ConfigError, match=r"C007 holdout leaves no data to learn from: .* 1996-12-31 or before"
    ):
        split(whole, "1996-12-31")
    with pytest.raises(ConfigError, match="C001 cut must be a date"):
        split(whole, "end of September")


def test_a_model_that_is_given_a_table_asks_for_histories(base: RFM) -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'by_\w+'\. A model reads histories: rfm.history"):
        clv.BGNBD(0.2, 4.0, 0.8, 2.4).p_alive(base)
    with pytest.raises(AttributeError, match=r"no attribute 'colour'\.$"):
        _ = base.colour
