"""The policies of the contract one by one, and the findings on customers; DuckDB, small logs."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clv.data.contract import Transactions
from clv.data.customer_rules import check_size, check_span
from clv.data.holdout import splits
from clv.errors import ConfigError, DataError

START = dt.date(2024, 1, 1)


def log(rows: list[tuple[Any, ...]], columns: str = "customer_id date amount") -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split())


def crowd(customers: int = 240, days: int = 700, seed: int = 3, **columns: Any) -> pd.DataFrame:
    """A log with nothing to be said of it: enough customers, some of whom come back now and then."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(customers):
        first = int(rng.integers(0, days - 300))
        more = np.flatnonzero(rng.random(days - first - 1) < rng.gamma(0.7, 0.004)) + first + 1
        for day in [first, *more.tolist()]:
            rows.append((f"c{i:03d}", START + dt.timedelta(day), round(float(rng.gamma(4, 9)) + 0.51, 2)))
    return log(rows).assign(**columns)


def read(frame: Any, **options: Any) -> Transactions:
    return Transactions(frame, **{"as_of": START + dt.timedelta(700)} | options)


def codes(frame: Any, **options: Any) -> dict[str, str]:
    return {f.code: f.severity for f in read(frame, **options).findings}


def said(frame: Any, code: str, **options: Any) -> str:
    (found,) = [str(f) for f in read(frame, **options).findings if f.code == code]
    return found


def test_a_sound_crowd_has_no_findings() -> None:
    assert codes(crowd()) == {}


# Ids.


def test_mixed_ids() -> None:
    frame = log([(7, "2024-01-01", 1.5), ("7", "2024-01-02", 1.5), ("x", "2024-01-03", 1.5)])
    assert said(frame, "D005", as_of="2024-01-04").startswith(
        "D005 customer_id mixes integers and text; 1 id agrees"
    )
    assert len(read(frame, as_of="2024-01-04").rfm()) == 2


@pytest.mark.parametrize("ids", [[9.1e15, 5.0], ["1.23457E+15", "5"], ["9e+17", "5"]])
def test_ids_that_lost_digits(ids: list[Any]) -> None:
    frame = log([(one, "2024-01-01", 1.5) for one in ids])
    assert "lost digits in 1 row" in said(frame, "D006", as_of="2024-01-04")
    assert codes(log([(2.0**53 - 1, "2024-01-01", 1.5)]), as_of="2024-01-04") == {}


def test_an_id_with_most_orders_is_a_placeholder() -> None:
    frame = pd.concat([crowd(), crowd(seed=8).assign(customer_id="web")])
    frame = frame.drop_duplicates(["customer_id", "date", "amount"])
    found = said(frame, "D004")
    assert found.startswith("D004 customer_id 'web' has ")
    assert read(frame, guest_ids=[]).findings[0].severity == "W"


def test_identities_erasure_and_hashes() -> None:
    import hashlib

    frame = log([("a", "2024-01-01", 1.5), ("b", "2024-01-05", 2.5), ("c", "2024-01-06", 4.5)])
    same = pd.DataFrame({"customer_id": ["b"], "same_as": ["a"]})
    orders = read(frame, identities=same, erased=["c"], hash_ids="salt", as_of="2024-01-09")
    table = orders.rfm().to_pandas()
    assert table["customer_id"].tolist() == [hashlib.sha256(b"salta").hexdigest()]
    assert table[["frequency", "recency", "T"]].to_numpy().tolist() == [[1, 4, 8]]
    book = orders.reconciliation().set_index("reason")
    assert dict(book["money"]) == {"used": 4.0, "erased customer": 4.5}
    assert "salt" not in repr(orders)
    gone = pd.DataFrame({"customer_id": ["c", "c", None]})
    assert len(read(frame, erased=gone, as_of="2024-01-09").rfm()) == 2


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", "b"), ("b", "c")], "must not chain; got 'a' → 'b' → 'c'"),
        ([("a", "b"), ("a", "c")], "'a' has 2"),
    ],
)
def test_identities_that_lead_nowhere(pairs: list[tuple[str, str]], message: str) -> None:
    same = pd.DataFrame(pairs, columns=["customer_id", "same_as"])
    with pytest.raises(DataError, match="D048") as caught:
        read(log([("a", "2024-01-01", 1.5)]), identities=same).rfm()
    assert message in str(caught.value)


def test_an_erased_customer_is_in_no_message() -> None:
    frame = log([("secret", "2024-01-01", 0.0), ("b", "2024-01-05", 2.5)])
    orders = read(frame, erased=["secret"], as_of="2024-01-09")
    assert "secret" not in "".join(str(f) + str(f.examples) for f in orders.findings)


# Types, lines, refunds.


def test_types() -> None:
    rows = [
        ("a", "2024-01-01", 10.0, "sale"),
        ("a", "2024-01-03", 4.0, "Refund"),
        ("a", "2024-01-04", 5.0, "test"),
        ("a", "2024-01-05", 6.0, "cancel"),
        ("b", "2024-01-05", 7.0, None),
    ]
    orders = read(log(rows, "customer_id date amount type"), refunds="net_to_original", as_of="2024-01-09")
    table = orders.rfm().to_pandas().set_index("customer_id")
    assert table["first_amount"].to_dict() == {"a": 600, "b": 700}
    money = dict(orders.reconciliation().set_index("reason")["money"])
    assert money == {"used": 13.0, "test order": 5.0, "cancelled order": 6.0}
    odd = log([*rows, ("b", "2024-01-06", 1.0, "gift")], "customer_id date amount type")
    assert "first 'gift' at row 6" in said(odd, "D046", refunds="drop", as_of="2024-01-09")
    assert "D046" not in codes(odd, type="", refunds="drop", as_of="2024-01-09")


LINES = [
    ("a", "2024-01-01", 10.0, "1", "pen"),
    ("a", "2024-01-01", 2.5, "1", "ink"),
    ("a", "2024-01-04", 5.0, "2", "pen"),
    ("b", "2024-01-05", 7.0, "3", "pen"),
]


def test_line_items() -> None:
    frame = log(LINES, "customer_id date amount order_id product")
    found = said(frame, "D026", as_of="2024-01-09")
    assert "2 rows share an order_id with a row of other content" in found
    orders = read(frame, line_items=True, as_of="2024-01-09")
    assert orders.findings == []
    table = orders.rfm().to_pandas().set_index("customer_id")
    assert table["orders"].to_dict() == {"a": 2, "b": 1}
    assert table["first_amount"].to_dict() == {"a": 1250, "b": 700}
    twice = pd.concat([frame, frame.iloc[[0]]])  # two pens, or loaded twice?
    assert codes(twice, line_items=True, as_of="2024-01-09") == {"D027": "F"}
    assert codes(twice, line_items=True, duplicates="keep", as_of="2024-01-09") == {"D027": "W"}


def test_an_order_number_of_two_customers() -> None:
    frame = log(
        [("a", "2024-01-01", 10.0, "1"), ("b", "2024-01-01", 10.0, "1")], "customer_id date amount order_id"
    )
    assert codes(frame, as_of="2024-01-09") == {"D026": "F"}


def test_refunds_as_booked() -> None:
    rows = [
        ("a", "2024-01-01", 10.0),
        ("a", "2024-01-03", 6.0),
        ("a", "2024-01-03", -8.0),
        ("a", "2024-01-05", -1.0),
    ]
    orders = read(log(rows), refunds="as_booked", as_of="2024-01-09")
    row = orders.rfm().to_pandas().iloc[0]
    assert (row["frequency"], row["recency"], row["spend_days"], row["repeat_spend"]) == (1, 2, 0, 0)
    assert {f.code: f.rows for f in orders.findings} == {"D020": 1, "D044": 1}
    assert "1 purchase days net to nothing or less (-2.00 in all), first for customer a on 2024-01-03" in str(
        orders.findings[1]
    )
    money = dict(orders.reconciliation().set_index("reason")["money"])
    assert money == {"used": 8.0, "refund on a day without a sale": -1.0}


# Currencies.

FX = pd.DataFrame({"date": ["2024-01-01", "2024-01-04"], "currency": ["USD", "USD"], "rate": [0.9, 0.8]})
TWO = [("a", "2024-01-01", 10.0, "EUR"), ("a", "2024-01-03", 2.55, "usd"), ("b", "2024-01-05", 100.0, "USD")]


def test_currencies() -> None:
    frame = log(TWO, "customer_id date amount currency")
    found = said(frame, "D028", as_of="2024-01-09", currency="EUR")
    assert "amounts are in other currencies than EUR (USD × 2, EUR × 1)" in found
    orders = read(frame, currency="EUR", fx=FX, as_of="2024-01-09")
    table = orders.rfm().to_pandas().set_index("customer_id")
    assert table["repeat_spend"].to_dict() == {"a": 230, "b": 0}  # 2.55 × .9 = 2.295, a tie to even
    assert table["first_amount"].to_dict() == {"a": 1000, "b": 8000}
    late = pd.concat([frame, log([("b", "2024-01-20", 1.0, "USD")], "customer_id date amount currency")])
    found = said(late, "D029", currency="EUR", fx=FX, as_of="2024-01-21", allow_gap="1y")
    assert "1 row has no exchange rate, first USD on 2024-01-20 at row 4." in found
    one = frame.assign(currency="CHF")
    assert read(one, as_of="2024-01-09").money_unit == "CHF"
    assert codes(one, as_of="2024-01-09", currency="EUR") == {"D028": "F"}


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, np.inf])
def test_rates_that_are_none(rate: float) -> None:
    fx = pd.DataFrame({"date": ["2024-01-01"], "currency": ["USD"], "rate": [rate]})
    with pytest.raises(
        DataError, match="D029 fx needs a date such as 2026-01-31, a code and a positive rate"
    ):
        read(log(TWO, "customer_id date amount currency"), currency="EUR", fx=fx).rfm()


def test_two_rates_of_a_day() -> None:
    fx = pd.concat([FX, FX.assign(rate=[0.7, 0.8])])
    with pytest.raises(DataError, match="D029 fx has two rates for USD on 2024-01-01"):
        read(log(TWO, "customer_id date amount currency"), currency="EUR", fx=fx).rfm()


@pytest.mark.parametrize(
    "options",
    [{"currency": "euros"}, {"fx": FX}, {"time_unit": "s", "date_format": "%Y"}, {"timezone": "Mars/Base"}],
)
def test_options_that_cannot_be_meant(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="C001"):
        read(crowd(3), **options)


# Amounts.


def test_amounts_as_text() -> None:
    frame = log([("a", "2024-01-01", "1.234,50"), ("b", "2024-01-02", "7,25")])
    assert "2 amounts have a decimal comma, first at row 1: '1.234,50'" in said(
        frame, "D017", as_of="2024-01-09"
    )
    table = read(frame, decimal=",", as_of="2024-01-09").rfm().to_pandas()
    assert table["first_amount"].tolist() == [123450, 725]
    frame = log([("a", "2024-01-01", "1,234.50"), ("b", "2024-01-02", "7.25")])
    assert "signs between thousands" in said(frame, "D017", as_of="2024-01-09")
    assert codes(frame, decimal=".", as_of="2024-01-09") == {}


def test_minor_units() -> None:
    frame = crowd()
    frame["amount"] = (frame["amount"] * 100).round().astype(int)
    assert "All " in said(frame, "D024")
    assert codes(frame, amount_unit="major") == codes(frame, amount_unit="minor") == {}
    whole = read(crowd()).rfm().to_pandas()
    assert read(frame, amount_unit="minor").rfm().to_pandas().equals(whole)


def test_absurd_amounts() -> None:
    frame = crowd()
    frame.loc[5, "amount"] = 5e6
    found = said(frame, "D023")
    assert "1 amount is absurd, the highest 5,000,000.00, 1" in found
    assert "first at row 6" in found
    assert codes(frame.assign(amount=frame["amount"].where(frame.index != 5, np.inf)))["D023"] == "F"
    assert "D023" not in codes(frame.assign(amount=frame["amount"].where(frame.index != 5, 2e4)))


# Patterns.


def test_a_gap_in_the_feed() -> None:
    frame = pd.concat(
        [
            crowd(seed=seed).assign(customer_id=lambda t, s=seed: t["customer_id"] + str(s))
            for seed in range(9)
        ]
    )
    days = pd.to_datetime(frame["date"])
    assert "D015" not in codes(frame)
    found = said(frame[(days < "2024-08-01") | (days > "2024-08-21")], "D015")
    assert "No orders from 2024-08-01 to 2024-08-21 (usual: " in found


def test_one_customer_dominates() -> None:
    frame = crowd()
    frame.loc[frame["customer_id"] == "c004", "amount"] = 2_000.0
    assert said(frame, "D030").startswith("D030 customer c004 brings ")
    assert "c004" not in said(frame, "D030", hash_ids="s")


def test_only_repeaters_are_left() -> None:
    frame = crowd(900)
    frame = frame[frame.groupby("customer_id")["date"].transform("size") > 1]
    assert "0 of" in said(frame, "D033")


def test_a_history_cut_on_the_left() -> None:
    frame = crowd(900)
    cut = START + dt.timedelta(350)
    late = frame[frame["date"] >= cut]
    extra = late.drop_duplicates("customer_id").assign(date=cut, amount=lambda t: t["amount"] + 1)
    assert " of first orders fall in the first 7 days" in said(pd.concat([extra, late]), "D035")


def test_subscriptions() -> None:
    rng = np.random.default_rng(1)
    rows = [
        (f"s{i}", START + dt.timedelta(int(first) + 30 * k), 9.99 + i / 100)
        for i, first in enumerate(rng.integers(0, 400, 250))
        for k in range(int(rng.integers(1, 9)))
    ]
    found = said(log(rows), "D036")
    assert "100.0 % of repeat gaps are 28–31 days: subscriptions?" in found


def test_spend_that_depends_on_frequency() -> None:
    frame = crowd(400)
    size = frame.groupby("customer_id")["date"].transform("size")
    assert "Gamma-Gamma" in said(frame.assign(amount=5.25 + 10 * size), "D040")
    assert "correlation +" in said(frame.assign(amount=5.25 + 10 * size), "D040")


def test_segments_that_are_missing_change_or_are_tiny() -> None:
    frame = crowd()
    frame["channel"] = np.where(frame["customer_id"] < "c003", "rare", "web")
    frame.loc[frame["customer_id"] == "c010", "channel"] = None
    last = frame.index[frame["customer_id"].duplicated()][-1]
    frame.loc[last, "channel"] = "changed"
    found = [str(f) for f in read(frame, segments=["channel"]).findings]
    assert [one[:4] for one in found] == ["D041", "D041", "D042"]
    assert "channel is missing for 1 customer" in found[0]
    assert "channel changes for 1 customer" in found[1]
    assert (
        "2 of 3 values of channel have fewer than 100 customers, the smallest 'unknown' with 1." in found[2]
    )


def test_a_short_history() -> None:
    rfm = read(crowd()).rfm()
    short, seasons = check_span(rfm, 1400)
    assert "50" in str(short)
    assert "extrapolated" in str(short)
    assert "under two seasonal cycles" in str(seasons)
    assert [f.code for f in check_span(rfm, 90)] == ["D034"]
    assert check_size(rfm) == []


# Attributes that change, and many cuts.


def test_attributes_are_those_known_at_the_cut() -> None:
    frame = log([("a", "2024-01-01", 1.5), ("a", "2024-03-01", 1.5), ("b", "2024-01-15", 1.5)])
    table = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "tier": ["base", "gold", "gold"],
            "known_from": ["2024-01-01", "2024-02-15", "2024-02-20"],
        }
    )
    orders = read(frame, customers=table, segments=["tier"], as_of="2024-03-05", allow_gap="1y")
    assert orders.rfm().to_pandas()["tier"].tolist() == ["gold", "gold"]
    assert orders.rfm().undated == ()
    one, two = splits(orders, ["2024-02-01", "2024-02-16"])
    assert one.rfm.to_pandas()["tier"].tolist() == ["base", "unknown"]
    assert two.rfm.to_pandas()["tier"].tolist() == ["gold", "unknown"]
    assert one.rfm.to_pandas()["actual_purchases"].tolist() == [1, 0]
    undated = read(frame, customers=table.drop(columns="known_from"), segments=["tier"], as_of="2024-03-05")
    assert undated._rfm.undated == ("tier",)


def test_cuts_that_leave_nothing_are_named_together() -> None:
    orders = read(
        log([("a", "2024-01-01", 1.5), ("a", "2024-03-01", 1.5)]), as_of="2024-03-05", allow_gap="1y"
    )
    with pytest.raises(ConfigError) as caught:
        splits(orders, ["2023-12-31", "2024-02-01", "2024-03-05"])
    assert caught.value.codes == ["C007", "C007"]


def test_local_times_need_a_zone() -> None:
    rows = [("a", "2024-01-01 23:30:00", 1.5), ("a", "2024-01-03 12:00", 2.5), ("b", "2024-01-05", 3.5)]
    for frame in (log(rows), log(rows[:2]).assign(date=lambda t: pd.to_datetime(t["date"], format="mixed"))):
        found = said(frame, "D012", as_of="2024-01-09")
        assert (
            "2 dates carry a time without a zone, first 2024-01-01 23:30:00 at row 1; 50.0 % of them" in found
        )
        assert codes(frame, as_of="2024-01-09", timezone="Europe/Prague") == {}


# Combinations.

BASE = log(
    [
        ("a", "2026-01-01", 10.0),
        ("a", "2026-02-01", 20.0),
        ("b", "2026-01-05", 30.0),
        ("b", "2026-03-05", 40.0),
        ("c", "2026-03-20", 50.0),
    ]
)
END = {"as_of": "2026-03-31"}


def counted(frame: Any, **options: Any) -> pd.DataFrame:
    return read(frame, **END | options).rfm().to_pandas().set_index("customer_id")


def test_a_cut_given_twice_counts_once() -> None:
    orders = read(BASE, **END)
    once, (one, two) = splits(orders, ["2026-02-15"])[0], splits(orders, ["2026-02-15"] * 2)
    for held in (one, two):
        pd.testing.assert_frame_equal(held.rfm.to_pandas(), once.rfm.to_pandas())
        assert (held.later_customers, held.later_spend) == (1, 50.0)


def test_cuts_counted_one_by_one_are_those_of_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    cuts = ["2026-02-15", "2026-01-20", "2026-02-15"]
    together = splits(read(BASE, **END), cuts)
    monkeypatch.setattr("clv.data.holdout._AT_ONCE", 1)
    for one, other in zip(splits(read(BASE, **END), cuts), together, strict=True):
        pd.testing.assert_frame_equal(one.rfm.to_pandas(), other.rfm.to_pandas())
        assert (one.cut, one.later_customers, one.later_spend) == (
            other.cut, other.later_customers, other.later_spend
        )  # fmt: skip


def test_whichever_id_of_a_person_is_named_all_are_forgotten() -> None:
    same = pd.DataFrame({"customer_id": ["a"], "same_as": ["b"]})
    for one in ("a", "b"):
        orders = read(BASE, **END, identities=same, erased=[one])
        assert dict(orders.reconciliation().set_index("reason")["rows"]) == {"erased customer": 4, "used": 1}
    numbers = BASE.assign(customer_id=[1.0, 1.0, 2.0, 2.0, np.nan])
    gone = read(numbers, **END, erased=[1.0]).reconciliation().set_index("reason")["rows"]
    assert gone["erased customer"] == 2
    assert read(numbers, **END, guest_ids=[2.0]).reconciliation()["reason"].tolist()[1].startswith("guest")


def test_hashed_ids_are_shown_nowhere() -> None:
    orders = read(BASE, **END, hash_ids="salt")
    ids = set(orders.rfm().to_pandas()["customer_id"])
    assert set(orders.opportunities("1m").to_pandas()["customer_id"]) == ids
    assert not ids & {"a", "b", "c"}
    boss = pd.concat([crowd(), crowd(seed=8).assign(customer_id="boss")]).drop_duplicates()
    assert "boss" not in said(boss, "D004", hash_ids="salt")
    with pytest.raises(ConfigError, match="C001 hash_ids must be a salt that is not empty"):
        read(BASE, hash_ids="")


def test_a_refund_under_the_number_of_its_order() -> None:
    rows = [("a", "2026-01-01", 20.0, "1"), ("a", "2026-02-01", 20.0, "2"), ("a", "2026-02-03", -20.0, "1")]
    frame = log(rows, "customer_id date amount order_id")
    for line_items in (False, True):
        found = counted(frame, refunds="net_to_original", line_items=line_items)
        assert str(found.loc["a", "first_date"].date()) == "2026-02-01"
        assert found.loc["a", "orders"] == 1
    alone = counted(frame.assign(order_id=["1", "2", "3"]), refunds="net_to_original")
    assert str(alone.loc["a", "first_date"].date()) == "2026-01-01"  # the latest that covers it


def test_a_refunded_order_is_no_purchase_for_a_free_line() -> None:
    rows = [
        ("a", "2026-01-01", 5.0, "1"),
        ("a", "2026-02-01", 20.0, "2"),
        ("a", "2026-02-01", 0.0, "2"),
        ("a", "2026-02-03", -20.0, "2"),
    ]
    frame = log(rows, "customer_id date amount order_id")
    found = counted(frame, refunds="net_to_original", line_items=True, zero_orders="count")
    assert found.loc["a", ["frequency", "orders"]].tolist() == [0, 1]


def test_minor_units_of_several_currencies() -> None:
    frame = BASE.head(2).assign(amount=[1000, 1000], currency=["JPY", "KWD"])
    rates = pd.DataFrame(
        {"date": ["2026-01-01", "2026-02-01"], "currency": ["JPY", "KWD"], "rate": [0.0067, 3.25]}
    )
    found = counted(frame, currency="USD", fx=rates, amount_unit="minor")
    assert found.loc["a", ["first_amount", "repeat_spend"]].tolist() == [670, 325]


def test_opportunities_are_checked() -> None:
    with pytest.raises(DataError, match="D019"):
        read(BASE.assign(amount=-1.0), **END).opportunities("1m")


def test_shares_of_revenue_are_of_sales() -> None:
    rows = [*((None, "2026-01-01", amount) for amount in (10.0, 20, 30, 40)), ("a", "2026-01-02", 50.0)]
    refund = ("a", "2026-01-03", -500.0)
    assert codes(log([*rows, refund]), **END, refunds="drop")["D003"] == "F"
    few = [(None, "2026-01-01", 10.0), *(("a", f"2026-01-0{i}", 50.0) for i in (2, 3, 4))]
    late = ("a", "2026-05-03", 9000.0)
    assert codes(log([*few, ("a", "2026-01-05", -145.0), late]), **END, refunds="drop")["D003"] == "W"


def test_amounts_of_rows_that_cannot_count_are_no_concern() -> None:
    rows = [("a", "2026-01-02", None, "cancel"), ("a", "2026-01-02", -5.0, "test")]
    rows += [("a", "2026-01-02", 0.0, "cancel"), ("a", "2026-05-02", None, "sale")]
    frame = log(
        [*((*row, "sale") for row in BASE.itertuples(index=False)), *rows], "customer_id date amount type"
    )
    assert set(codes(frame, **END)) == {"D013"}
    late = crowd()
    late.loc[0, ["date", "amount"]] = [START + dt.timedelta(800), 5e6]
    assert set(codes(late)) == {"D013"}


def test_sums_beyond_counting() -> None:
    codes_of_articles = pd.concat([BASE] * 2000).assign(amount=[1.5e13 + i for i in range(10_000)])
    with pytest.raises(DataError, match=r"D016 the amounts of the data.* add up to more than can be"):
        read(codes_of_articles, **END, duplicates="keep").rfm()


def test_dates_of_companions_are_read_or_refused() -> None:
    table = pd.DataFrame({"customer_id": ["a"], "plan": ["x"], "known_from": ["13/01/2020"]})
    with pytest.raises(
        DataError, match="D009 known_from in the customers table cannot be read: '13/01/2020'"
    ):
        read(BASE, **END, customers=table, segments=["plan"]).rfm()
    rates = pd.DataFrame({"date": ["1/2/2026"], "currency": ["EUR"], "rate": [1.1]})
    with pytest.raises(DataError, match=r"D029 .*got 1/2/2026, EUR, 1\.1"):
        read(BASE.assign(currency="EUR"), **END, currency="USD", fx=rates).check()
    with pytest.raises(DataError, match="Columns present: when"):
        read(BASE, **END, erased=pd.DataFrame({"when": [1]})).check()


def test_short_codes_are_no_broken_numbers() -> None:
    assert "D006" not in codes(BASE.assign(customer_id=["1e05", "7e21", "2E10", "1e05", "x"]), **END)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("customer", None),
        ("order_id", 5),
        ("segments", None),
        ("segments", 5),
        ("guest_ids", 5),
        ("hash_ids", 5),
        ("line_items", "no"),
        ("as_of", pd.NaT),
    ],
)
def test_options_of_the_wrong_kind(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"C001 {option} must be"):
        read(BASE, **{option: value})
