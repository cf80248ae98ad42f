"""Ready-made RFM tables: what lifetimes 0.11.3 and PyMC-Marketing 1.3 make of the CDNOW sample, frozen."""

import datetime as dt
import math
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import clv
from clv.data.engines import fetch
from clv.data.ready_made import need, read_rfm
from clv.datasets import load_cdnow_sample
from clv.errors import ConfigError, DataError
from clv.models.histories import PurchaseHistory, SpendHistory
from clv.units import days_in

COLUMNS = ["frequency", "recency", "T", "monetary_value"]
IDS = ["00004", "00018", "00021", "00111"]
DAYS = [(2, 213, 272, 22.345), (0, 0, 269, 0), (1, 12, 272, 11.77), (7, 206, 272, 73.74142857142856)]
IN_DAYS = [(2, 213, 272, 4469), (0, 0, 269, 0), (1, 12, 272, 1177), (7, 206, 272, 51_619)]
MONTH = 30.4375

# What both give, end of observation 1997-09-30, and the same in days and cents.
MADE: dict[str, tuple[str, Any, Any]] = {
    "days": ("day", DAYS, IN_DAYS),
    "days as weeks": (  # freq_multiplier=7, time_scaler=7
        "week",
        [
            (2, 30.428571428571427, 38.857142857142854, 22.345),
            (0, 0, 38.42857142857143, 0),
            (1, 1.7142857142857142, 38.857142857142854, 11.77),
            (7, 29.428571428571427, 38.857142857142854, 73.74142857142856),
        ],
        IN_DAYS,
    ),
    "whole weeks": (  # freq="W", time_unit="W": a purchase a week
        "week",
        [(2, 30, 39, 22.345), (0, 0, 39, 0), (1, 2, 39, 11.77), (6, 29, 39, 86.03166666666665)],
        [(2, 210, 273, 4469), (0, 0, 273, 0), (1, 14, 273, 1177), (6, 203, 273, 51_619)],
    ),
    "months": (  # time_unit="M", of PyMC-Marketing alone: a purchase a calendar month
        "month",
        [(1, 7, 8, 14.96), (0, 0, 8, 0), (0, 0, 8, 0), (4, 6, 8, 120.79999999999998)],
        [
            (1, 7 * MONTH, 8 * MONTH, 1496),
            (0, 0, 8 * MONTH, 0),
            (0, 0, 8 * MONTH, 0),
            (4, 6 * MONTH, 8 * MONTH, 48_320),
        ],
    ),
}


def frame(rows: Any = DAYS, index: str = "customer_id") -> pd.DataFrame:
    """A table as lifetimes leaves it: ids in the index, all columns floats."""
    ids = pd.Index([f"{i:05}" for i in range(len(rows))] if len(rows) != 4 else IDS, name=index)
    return pd.DataFrame(rows, index=ids, columns=COLUMNS[: len(rows[0])], dtype=float)


def read(source: Any, unit: str | float = "day", **options: Any) -> pd.DataFrame:
    table, problems = read_rfm(source, unit=unit, **options)
    assert problems == []
    return fetch(table).to_pandas().sort_values("customer_id", ignore_index=True)


def problems(source: Any, unit: str | float = "day", **options: Any) -> list[str]:
    return read_rfm(source, unit=unit, **options)[1]


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    """The CDNOW sample after 39 weeks, counted in plain Python; days and a mean of repeat days."""
    spent: dict[str, dict[dt.date, Decimal]] = {}
    for customer, stamp, amount in load_cdnow_sample()[["customer_id", "date", "amount"]].itertuples(
        index=False
    ):
        if stamp.date() <= dt.date(1997, 9, 30):
            days = spent.setdefault(customer, {})
            days[stamp.date()] = days.get(stamp.date(), Decimal(0)) + Decimal(str(amount))
    rows = {}
    for customer, days in spent.items():
        first, *repeats = sorted(days)
        mean = float(sum(days[d] for d in repeats)) / len(repeats) if repeats else 0.0
        last = repeats[-1] if repeats else first
        rows[customer] = (len(repeats), (last - first).days, (dt.date(1997, 9, 30) - first).days, mean)
    return pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS, dtype=float).rename_axis(
        "customer_id"
    )


def histories(table: pd.DataFrame, unit: str | float) -> tuple[PurchaseHistory, SpendHistory]:
    """Both histories, customer by customer."""
    t = table[table["spend_days"] > 0]
    times = PurchaseHistory.from_days(table["frequency"], table["recency"], table["T"], 1.0, days_in(unit))
    return times, SpendHistory(t["spend_days"], t["repeat_spend"] / 100)


# What the makers give.


@pytest.mark.parametrize("case", MADE)
def test_the_makers_tables_become_days_and_minor_units(case: str) -> None:
    unit, made, wanted = MADE[case]
    found = read(frame(made), unit)
    names = ["frequency", "recency", "T", "repeat_spend"]
    assert found["customer_id"].tolist() == IDS
    assert list(found[names].itertuples(index=False, name=None)) == wanted
    assert found["spend_days"].tolist() == [x if s else 0 for x, _, _, s in wanted]
    np.testing.assert_allclose(found["monetary_value"], [row[3] for row in made], rtol=1e-12)


def test_the_frozen_rows_are_those_of_the_log(sample: pd.DataFrame) -> None:
    np.testing.assert_allclose(sample.loc[IDS].to_numpy(), DAYS, rtol=1e-14)


def test_columns_stand_in_order_with_the_types_of_a_table_made_from_orders() -> None:
    table, _ = read_rfm(frame().assign(country="AT", T_cal=1.0), unit="day", segments=["country"])
    assert dict(table.schema().items()) == {
        "customer_id": ibis.dtype("string"),
        **dict.fromkeys(["frequency", "recency", "T", "spend_days"], ibis.dtype("int32")),
        "repeat_spend": ibis.dtype("int64"),
        "monetary_value": ibis.dtype("float64"),
        "country": ibis.dtype("string"),
    }
    assert list(table.columns)[-1] == "country"
    assert "T_cal" not in table.columns


def test_weeks_to_two_decimals_keep_their_value() -> None:
    weeks = frame([(2, 30.43, 38.86, 22.35), (0, 0, 38.86, 0)])
    table, _ = read_rfm(weeks, unit="week")
    assert table["T"].type() == table.recency.type() == ibis.dtype("float64")
    found = fetch(table.order_by("customer_id")).to_pydict()
    assert found["recency"] == [30.43 * 7, 0.0]
    assert found["T"] == [38.86 * 7] * 2


@pytest.mark.parametrize(
    ("decimals", "unit", "log_likelihood", "parameters"),
    [
        # golden.md, from the papers, and lifetimes' own fits (tol 1e-7) of the same tables
        (None, "week", -9582.4292, (0.24259, 4.41360, 0.79292, 2.42591)),
        (2, "week", -9582.4256, (0.24259, 4.41353, 0.79289, 2.42575)),
        (None, "day", -14363.5304, (0.24259, 30.8952, 0.79292, 2.42591)),
    ],
    ids=["weeks", "rounded weeks", "days"],
)
def test_fits_are_those_of_lifetimes(
    sample: pd.DataFrame,
    decimals: int | None,
    unit: str,
    log_likelihood: float,
    parameters: tuple[float, ...],
) -> None:
    made = sample.copy()
    made[["recency", "T"]] /= days_in(unit)
    found = read(made if decimals is None else made.round({"recency": decimals, "T": decimals}), unit)
    purchases, spend = histories(found, unit)
    fit = clv.fit(clv.BGNBD, purchases)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-4)
    m = fit.model
    np.testing.assert_allclose([m.r, m.alpha, m.a, m.b], parameters, rtol=2e-5)
    g = clv.fit(clv.GammaGamma, spend).model
    np.testing.assert_allclose([g.p, g.q, g.gamma], (6.2496, 3.7442, 15.4435), rtol=2e-5)
    assert len(spend) == 946


def test_floats_as_keys_join_back_to_themselves(sample: pd.DataFrame) -> None:
    made = sample.assign(recency=(sample["recency"] / 7).round(2), T=(sample["T"] / 7).round(2))
    table, _ = read_rfm(made, unit="week")
    keys = ["frequency", "recency", "T", "spend_days"]
    groups = fetch(table.group_by(keys).aggregate(customers=table.count())).to_pandas()
    joined = table.inner_join(ibis.memtable(groups), keys)
    assert fetch(joined.aggregate(n=joined.count())).to_pylist() == [{"n": 2357}]
    assert groups["customers"].sum() == 2357


def test_noise_in_the_last_digits_is_no_fraction_and_no_contradiction() -> None:
    week = 38.857142857142854
    made = frame([(1, np.nextafter(week, 99), week, 5), (1, 27 / 7, np.nextafter(27 / 7, 0), 5)])
    found = read(made, "week")
    assert found["recency"].tolist() == found["T"].tolist() == [272, 27]
    assert found["T"].dtype == np.int32
    rounded = read(frame([(1, np.nextafter(8.13, 9), 8.13, 5)]), "week")
    assert rounded["recency"].tolist() == rounded["T"].tolist() == [8.13 * 7]


# What can be handed in.


def _forms() -> dict[str, Any]:
    column = frame().reset_index()
    return {
        "index": frame(),
        "other index": frame(index="ID"),
        "column": column,
        "column, with test columns": column.assign(test_frequency=1, test_T=30, test_monetary_value=2.0),
        "both": frame().assign(T_cal=1, frequency_cal=9),
        "calibration": frame().add_suffix("_cal").assign(frequency_holdout=1.0, duration_holdout=30),
        "arrow": pa.table(column.astype({"frequency": int, "T": int})),
        "ibis": ibis.memtable(column),
        "decimals": column.assign(monetary_value=[Decimal(str(row[3])) for row in DAYS]),
    }


@pytest.mark.parametrize("form", _forms())
def test_every_form_gives_the_same_table(form: str) -> None:
    pd.testing.assert_frame_equal(read(_forms()[form]), read(frame()))


def test_polars_is_a_form_too() -> None:
    polars = pytest.importorskip("polars")
    made = polars.DataFrame(
        [*zip(IDS, *zip(*DAYS, strict=True), strict=True)], ["customer_id", *COLUMNS], orient="row"
    )
    pd.testing.assert_frame_equal(read(made.cast({"frequency": polars.UInt16})), read(frame()))
    nan = made.with_columns(T=polars.when(polars.col("T") < 272).then(math.nan).otherwise("T"))
    assert problems(nan) == [
        "D046 T must be a number, 0 or more; got nothing for customer '00018' (1 customer)."
    ]


def test_ids_become_text_without_losing_zeros() -> None:
    named = frame().reset_index(drop=True)
    assert read(named.assign(buyer=IDS), customer="buyer")["customer_id"].tolist() == IDS
    assert read(frame(index="buyer"), customer="buyer")["customer_id"].tolist() == IDS
    assert problems(frame(index="row"), customer="buyer")[0].startswith("D001 Column 'buyer' not found.")
    assert read(named.assign(customer_id=[7.0, 8, 9, 10]))["customer_id"].tolist() == ["10", "7", "8", "9"]
    assert read(named.assign(customer_id=[7, "b", "c", "d"]))["customer_id"].tolist() == ["7", "b", "c", "d"]


def test_without_money_only_times_are_there() -> None:
    table, found = read_rfm(frame().drop(columns="monetary_value"), unit="day")
    assert found == []
    assert list(table.columns) == ["customer_id", "frequency", "recency", "T"]


def test_segments_are_text_and_never_null() -> None:
    made = frame().assign(country=["AT", None, " CZ ", ""], size=[1, 2, 3, 3])
    found = read(made, segments=["country", "size"])
    assert found["country"].tolist() == ["AT", "unknown", "CZ", "unknown"]
    assert found["size"].tolist() == ["1", "2", "3", "3"]


# Money.


@pytest.mark.parametrize("digits", [0, 2, 3])
def test_total_spend_is_rounded_half_to_even(digits: int) -> None:
    means = [0.5, 1.5, 2.5, 0.125, 0.375, 10.0125, 7.3333, 0.0004, 12.345]
    rows = [(x, 9, 20, mean) for x in (1, 2, 3) for mean in means]
    found = read(frame(rows), digits=digits)
    unit = Decimal(1)
    exact = [(Decimal(mean * x * 10.0**digits)).quantize(unit, ROUND_HALF_EVEN) for x, _, _, mean in rows]
    assert found["repeat_spend"].tolist() == [int(v) for v in exact]
    assert found["spend_days"].tolist() == [x if v else 0 for (x, *_), v in zip(rows, exact, strict=True)]
    means_again = [float(v) / x / 10**digits if v else 0 for (x, *_), v in zip(rows, exact, strict=True)]
    np.testing.assert_allclose(found["monetary_value"], means_again)


def test_nothing_spent_on_repeat_days_makes_no_spend_day_and_no_money_of_one_timers_is_asked_for() -> None:
    found = read(frame([(3, 9, 20, 0), (0, 0, 20, math.nan), (1, 9, 20, 5)]))
    assert found["spend_days"].tolist() == [0, 0, 1]
    assert found["repeat_spend"].tolist() == [0, 0, 500]


# Units.


@pytest.mark.parametrize(
    ("unit", "days"),
    [("day", 1), ("week", 7), ("month", 30.4375), (28, 28), (1 / 24, 1 / 24), (np.int64(7), 7)],
)
def test_units(unit: Any, days: float) -> None:
    assert days_in(unit) == days
    assert isinstance(days_in(unit), float)


@pytest.mark.parametrize("unit", ["W", "fortnight", "", 0, -7, math.nan, math.inf, True, None])
def test_what_is_no_unit(unit: Any) -> None:
    with pytest.raises(ConfigError, match="C001 unit must be") as caught:
        read_rfm(frame(), unit=unit)
    assert caught.value.messages[0].endswith('Did you mean "week"?') == (unit == "W")


# Findings.

ONCE = (0, 0, 30, 0)
FINDINGS = {
    "recency above T": (
        [ONCE, (2, 41, 31, 5), (1, 32, 31, 5), (1, 31, 31, 5)],
        "D037 recency must not exceed T; got 41 > 31 for customer '00018' (2 customers).",
        "T is end of the observation − first.",
    ),
    "since the last purchase": (
        [(0, 30, 30, 0), (0, 12, 12, 0), (2, 4, 31, 5), (1, 0, 31, 5)],
        "D038 recency must be age at the last purchase; got 30 for customer '00004', who bought once, with "
        "T 30 (2 customers like this).",
        "set recency = T − recency.",
    ),
    "since, T a day longer, some bought today": (
        [*[(0, 29, 30, 0)] * 9, (0, 0, 1, 0), (3, 2, 40, 5)],
        "D038 recency must be age at the last purchase; got 29 for customer '00000', who bought once, with "
        "T 30 (9 customers like this).",
        "set recency = T − recency.",
    ),
    "first purchase counted": (
        [(1, 0, 30, 0), (1, 0, 0, 0), (3, 9, 31, 5), (2, 5, 31, 5)],
        "D039 frequency must count repeat purchases alone; got no customer with 0, and customer '00004' with "
        "frequency 1, recency 0, T 30 (2 customers like this).",
        "set frequency = frequency − 1.",
    ),
    "a one-time buyer with a recency": (
        [ONCE, ONCE, (0, 5, 30, 0), (2, 5, 30, 4)],
        "D046 recency must be 0 without a repeat purchase; got 5 for customer '00021' (1 customer).",
        "recency is last − first purchase.",
    ),
    "orders of one day": (
        [ONCE, (2, 0, 30, 5), (1, 0, 30, 4), (1, 9, 30, 4)],
        "D046 a repeat purchase needs a recency above 0; got frequency 2, recency 0 for customer "
        "'00018' (2 customers).",
        "Purchases of one day, or period, count once.",
    ),
    "frequency no count": (
        [ONCE, (1.5, 9, 30, 5), (-1, 9, 30, 5), (math.nan, 9, 30, 5)],
        "D046 frequency must be a whole number, 0 or more; got 1.5 for customer '00018' (3 customers).",
        "It counts repeat purchases.",
    ),
    "frequency beyond all": (
        [ONCE, (2.0**31, 9, 30, 1e-9), ONCE, ONCE],
        "D046 frequency must be a whole number, 0 or more; got 2147483648 for customer '00018' (1 customer).",
        "repeat purchases.",
    ),
    "no recency": (
        [ONCE, (1, math.nan, 30, 5), (1, -9, 30, 5), (0, -1, 30, 0)],
        "D046 recency must be a number, 0 or more; got nothing for customer '00018' (3 customers).",
        "who bought once.",
    ),
    "no T": (
        [ONCE, (1, 9, math.inf, 5), (0, 0, -30, 0), ONCE],
        "D046 T must be a number, 0 or more; got nothing for customer '00018' (2 customers).",
        "(2 customers).",
    ),
    "another unit": (
        [ONCE, (1, 9, 23_500_800, 5), ONCE, ONCE],
        "D046 T must be at most a hundred years; got 23500800 for customer '00018' (1 customer), "
        "in units of 1 days.",
        "Set the unit that the table was made in.",
    ),
    "negative money": (
        [ONCE, (1, 9, 30, -5), (0, 0, 30, -1), ONCE],
        "D019 monetary_value must not be negative; got -5 for customer '00018' (2 customers).",
        "Take refunds off their orders before the mean.",
    ),
    "no money": (
        [ONCE, (1, 9, 30, math.nan), (2, 9, 30, math.inf), (0, 0, 9, math.nan)],
        "D018 monetary_value must be there for every repeat buyer; got nothing for customer '00018' "
        "(2 customers).",
        "fit purchases alone.",
    ),
    "money beyond all": (
        [ONCE, (2, 9, 30, 2.0**51 / 100), ONCE, ONCE],
        "D023 monetary_value is too large; got 2.251799814e+13 for customer '00018' (1 customer).",
        "Is it in major units?",
    ),
    "first purchase in the mean": (
        [(0, 0, 30, 14.96), (1, 9, 30, 3), ONCE, ONCE],
        "D039 monetary_value must be 0 without a repeat purchase; got 14.96 for customer '00004' "
        "(1 customer).",
        "leave first purchases out of the mean.",
    ),
}


@pytest.mark.parametrize("case", FINDINGS)
def test_findings_say_what_was_found_at_whom_and_how_to_convert(case: str) -> None:
    rows, start, end = FINDINGS[case]
    found = problems(frame(rows))
    assert len(found) == 1
    assert found[0].startswith(start)
    assert found[0].endswith(end)


def test_what_lifetimes_makes_with_the_first_transaction(sample: pd.DataFrame) -> None:
    made = sample.assign(frequency=sample["frequency"] + 1, monetary_value=9.0)
    first, money = problems(made)
    assert first == (
        "D039 frequency must count repeat purchases alone; got no customer with 0, and customer '00018' with "
        "frequency 1, recency 0, T 269 (1,411 customers like this). It counts the first purchase: set "
        "frequency = frequency − 1."
    )
    assert money.startswith(
        "D039 monetary_value must be a mean of repeat purchases; got 9 for customer '00018'"
    )
    assert money.endswith("include_first_transaction=False.")
    assert problems(made.assign(frequency=made["frequency"] - 1, monetary_value=0.0)) == []


def test_time_since_in_a_table_that_counts_the_first_too(sample: pd.DataFrame) -> None:
    """What rfm_summary(include_first_transaction=True) gives, with T put back."""
    made = sample.assign(frequency=sample["frequency"] + 1, recency=sample["T"] - sample["recency"])
    made = made.drop(columns="monetary_value")
    found = problems(made)
    assert [message[:4] for message in found] == ["D039", "D038"]
    converted = made.assign(frequency=made["frequency"] - 1, recency=made["T"] - made["recency"])
    assert problems(converted) == []
    assert "include_first_transaction=True leaves it out" in problems(made.drop(columns="T"))[0]


def test_every_rounded_unit_of_a_sound_table_passes(sample: pd.DataFrame) -> None:
    """Also one of repeat buyers alone: some of them bought on the last day."""
    for rows in (sample, sample[sample["frequency"] > 0], sample[sample["recency"] == sample["T"]]):
        assert len(rows) > 3
        for days, unit in ((1, "day"), (7, "week"), (30.4375, "month")):
            made = rows.assign(recency=(rows["recency"] / days).round(2), T=(rows["T"] / days).round(2))
            assert problems(made, unit) == []


def test_repeat_buyers_of_the_last_day_are_not_taken_for_one_time_buyers() -> None:
    assert problems(frame([(1, 30, 30, 5), (3, 12, 30, 5)])) == []
    assert problems(frame([(1, 30, 30, 5)] * 12 + [(4, 30, 30, 5)])) == []


def test_who_came_on_the_last_day_alone_shows_nothing() -> None:
    found = problems(frame([(0, 0, 0, 0)] * 9 + [(0, 30, 30, 0)]))
    assert [message[:4] for message in found] == ["D038"]


def test_one_contradiction_among_repeat_buyers_is_no_way_of_counting() -> None:
    found = problems(frame([(1, 12, 30, 5)] * 5 + [(1, 0, 30, 5), (2, 8, 30, 5)]))
    assert [message[:40] for message in found] == ["D046 a repeat purchase needs a recency a"]


def test_missing_columns_are_all_named_with_the_one_that_is_meant() -> None:
    made = (
        frame()
        .reset_index(names="customer")
        .rename(columns={"recency": "Recency", "monetary_value": "value"})
    )
    table, found = read_rfm(made, unit="day", segments=["country"])
    present = "Columns present: customer, frequency, Recency, T, value."
    assert table is None
    assert found == [
        f"D001 Column 'customer_id' not found. {present} Did you mean 'customer'? Rename it to "
        "'customer_id'.",
        f"D001 Column 'country' not found. {present} Add it, or rename the right one.",
        f"D001 Column 'recency' not found. {present} Did you mean 'Recency'? Rename it to 'recency'.",
    ]
    slip = problems(frame().rename(columns={"monetary_value": "monetary"}))
    assert slip[0].endswith("Did you mean 'monetary'? Rename it to 'monetary_value'.")


def test_columns_must_hold_numbers() -> None:
    made = frame().assign(frequency=["2", "0", "1", "many"], T=[True, False, True, True])
    assert problems(made) == [
        "D046 frequency must hold numbers; got string. Convert the column.",
        "D046 T must hold numbers; got boolean. Convert the column.",
    ]


def test_a_customer_has_one_row_and_an_id() -> None:
    made = pd.concat([frame(), frame().iloc[1:3]]).reset_index()
    assert problems(made) == [
        "D026 a customer must have one row; got 2 rows of customer '00018' (2 customers). Was the table "
        "joined with another, or put together from several?"
    ]
    made = frame().reset_index().assign(customer_id=["a", None, " ", "b"])
    assert problems(made) == [
        "D003 every row needs a customer id; got none (2 customers). Give ids, or leave these rows out."
    ]


def test_all_findings_come_together() -> None:
    rows = [(0, 0, 30, 4), (1.5, 40, 30, -1), (1, 0, -1, 2), ONCE]
    codes = sorted({message[:4] for message in problems(frame(rows))})
    assert codes == ["D019", "D037", "D039", "D046"]


def test_an_empty_table_and_what_is_no_table() -> None:
    assert problems(frame().iloc[:0]) == ["D002 the RFM table has 0 rows. Check how it was made."]
    with pytest.raises(DataError, match=r"I001 .*; got list"):
        read_rfm([1, 2], unit="day")


def test_what_a_ready_made_table_cannot_know_is_asked_for_in_words() -> None:
    table, _ = read_rfm(frame(), unit="day")
    need(table, ["repeat_spend", "T"], "a forecast")
    with pytest.raises(
        DataError, match=r"^D047 the value of a new customer needs the column first_amount; .*rfm\(\)\.$"
    ):
        need(table, ["first_amount"], "the value of a new customer")
    bare, _ = read_rfm(frame().drop(columns="monetary_value"), unit="day")
    with pytest.raises(
        DataError, match=r"spend_days, repeat_spend; .* Give the table a column monetary_value\.$"
    ):
        need(bare, ["spend_days", "repeat_spend"], "spend")
