"""Each finding of the contract: what triggers it, what it says, what mends it, and what must not."""

import datetime as dt
import gzip
import os
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

import clv
from clv.data.checks import Finding
from clv.data.contract import Transactions
from clv.data.holdout import split
from clv.errors import ConfigError, DataError

DATES = ["2026-01-01", "2026-01-05", "2026-01-09", "2026-01-12"]
ODD = "x'; DROP TABLE orders; --"


def log(**columns: Any) -> pd.DataFrame:
    """Four rows of three customers with nothing wrong; None as a column leaves it out."""
    sound = {"customer_id": ["C1", "C2", "C1", "C3"], "date": DATES, "amount": [10.0, 20.0, 30.0, 40.0]}
    return pd.DataFrame({name: column for name, column in (sound | columns).items() if column is not None})


def orders(source: Any, **options: Any) -> Transactions:
    return Transactions(source, **{"as_of": "2026-01-12"} | options)


def finding(source: Any, code: str, **options: Any) -> Finding:
    """The one finding that this source gives."""
    found = orders(source, **options).findings
    assert [f.code for f in found] == [code], [str(f) for f in found]
    return found[0]


def says(found: Finding, *parts: str) -> None:
    for part in parts:
        assert part in str(found)


def customers(source: Any, **options: Any) -> list[str]:
    """Who is in the RFM table, after nothing was found."""
    log = orders(source, **options)
    assert [str(f) for f in log.findings] == []
    return list(log.rfm().to_pandas()["customer_id"])


def days(dates: Any, **options: Any) -> list[str | None]:
    """The business day that is read from each date."""
    frame = pd.DataFrame({"customer_id": "C1", "date": dates, "amount": 1.0})
    read = orders(frame, duplicates="keep", **options).typed.order_by("row").day.to_pyarrow().to_pylist()
    return [None if day is None else str(dt.date(1970, 1, 1) + dt.timedelta(day)) for day in read]


# Nothing to say.


def test_a_sound_log_has_no_findings() -> None:
    assert customers(log()) == ["C1", "C2", "C3"]


@pytest.mark.parametrize(
    "frame",
    [
        log(date=pd.to_datetime(DATES)),
        log(date=pd.to_datetime(DATES).astype("datetime64[ns]")),
        log(date=pd.to_datetime(DATES).astype("datetime64[s]")),
        log(date=[dt.date.fromisoformat(day) for day in DATES]),
        log(
            date=pd.Series(
                [dt.date(2026, 1, 1), "2026-01-05", pd.Timestamp("2026-01-09"), DATES[3]], dtype=object
            )
        ),
        log(date=[day.replace("-", "/") for day in DATES]),
        log(date=[f" {day} " for day in DATES]),
        log(date=[f"{day}T00:00:00.000" for day in DATES]),
        log(amount=[10, 20, 30, 40]),
        log(amount=np.array([10, 20, 30, 40], dtype="float32")),
        log(amount=np.array([10, 20, 30, 40], dtype="uint8")),
        log(amount=[Decimal("10.00"), Decimal("20"), Decimal("3E1"), Decimal("40.0")]),
        log(amount=["10", " 20.00 ", "+30", "4e1"]),
        log(amount=pd.Series([10, "20", 30.0, Decimal(40)], dtype=object)),
        log(customer_id=pd.Categorical(["C1", "C2", "C1", "C3"])),
        log().convert_dtypes(),
        log().convert_dtypes(dtype_backend="pyarrow"),
        log().set_index("amount", drop=False),
        log().set_axis([7, 7, 8, 9]),
    ],
)
def test_every_way_to_write_the_same_log(frame: pd.DataFrame) -> None:
    read = orders(frame)
    assert read.findings == []
    table = read.rfm().to_pandas()
    assert list(table["customer_id"]) == ["C1", "C2", "C3"]
    assert list(table["repeat_spend"]) == [3000, 0, 0]
    assert list(table["first_amount"]) == [1000, 2000, 4000]
    assert list(table["T"]) == [11, 7, 0]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".PARQUET"])
def test_files_and_an_ibis_table_agree_with_the_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"it's the 1st log{suffix}"
    write = log().to_parquet if suffix.lower() == ".parquet" else log().to_csv
    write(path, index=False)
    assert (
        customers(path) == customers(str(path)) == customers(ibis.duckdb.connect().create_table("t", log()))
    )


# Ids.


def test_integers_and_leading_zeros(tmp_path: Path) -> None:
    assert customers(log(customer_id=[7, 8, 7, 9])) == ["7", "8", "9"]
    assert customers(log(customer_id=["007", "07", "7", "7"])) == ["007", "07", "7"]
    path = tmp_path / "orders.csv"
    path.write_text("customer_id,date,amount\n007,2026-01-01,1\n0007,2026-01-12,1\n")
    assert customers(path) == ["0007", "007"]


def test_integers_that_a_gap_made_floats_read_as_integers() -> None:
    found = finding(log(customer_id=[7.0, np.nan, 7.0, 9.5]), "D003")
    assert found.rows == 1
    table = orders(log(customer_id=[7.0, np.nan, 7.0, 9.5])).rfm().to_pandas()
    assert list(table["customer_id"]) == ["7", "9.5"]


def test_mixed_ids_become_text() -> None:
    mixed = pd.Series([7, "7", 7.5, None], dtype=object)
    assert list(orders(log(customer_id=mixed)).rfm().to_pandas()["customer_id"]) == ["7", "7.5"]


def test_blank_ids() -> None:
    blanks = [None, "", "   ", np.nan, pd.NA, pd.NaT, "\t"]
    frame = pd.DataFrame({"customer_id": pd.Series(["C1", *blanks, " C1 "], dtype=object), "date": DATES[0]})
    frame["amount"] = [90.0, 8, 7, 6, 5, 4, 3, 2, 1]
    found = finding(frame, "D003")
    assert (found.severity, found.rows) == ("W", 7)
    says(found, "7 rows (77.8 %, 35.00) have no customer_id, first at row 2.", "kept in the reconciliation")
    assert [example["row"] for example in found.examples] == [2, 3, 4, 5, 6]
    assert found.examples[0] == {"row": 2, "customer": None, "date_text": DATES[0], "amount_text": "8"}
    assert orders(frame).rfm().to_pandas()["orders"].tolist() == [2]


def test_guests_stay_in_the_reconciliation() -> None:
    frame = log(customer_id=["guest", "C2", "guest", "0"])
    frame["amount"] = [1.0, 20.0, 2.0, 1.0]
    read = orders(frame, guest_ids=["guest", 0])
    assert list(read.rfm().to_pandas()["customer_id"]) == ["C2"]
    book = read.reconciliation().set_index("reason")
    assert dict(book["money"]) == {"used": 20.0, "guest or placeholder id": 4.0}
    assert dict(book["customers"]) == {"used": 1, "guest or placeholder id": 2}
    assert list(orders(frame, guest_ids="guest").rfm().to_pandas()["customer_id"]) == ["0", "C2"]


def test_what_belongs_to_nobody_by_its_share_of_revenue() -> None:
    frame = log(customer_id=["guest", "C2", "C1", "C3"])
    for amount, severity in ((10.0, None), (30.0, "W"), (100.0, "F")):
        found = orders(frame.assign(amount=[amount, 30.0, 30.0, 30.0]), guest_ids=["guest"]).findings
        assert [f.severity for f in found if f.code == "D003"] == ([severity] if severity else [])
    blank = log(customer_id=[None, "C2", "C1", "C3"], amount=[100.0, 30.0, 30.0, 30.0])
    says(finding(blank, "D003"), "More than half of the revenue is nobody's")
    assert finding(blank, "D003").severity == "F"


def test_placeholders_are_to_be_listed() -> None:
    frame = log(customer_id=["Guest", "C2", "C1", "0"])
    found = orders(frame).findings
    assert [(f.code, f.severity) for f in found] == [("D004", "F")] * 2
    says(found[0], "customer_id '0' has 1 order, 25.0 % of all. List it in guest_ids if it is a placeholder")
    assert [f.code for f in orders(frame, guest_ids=["Guest", "0"]).findings] == ["D003"]
    assert [(f.code, f.severity) for f in orders(frame, guest_ids=[]).findings] == [("D004", "W")] * 2


# Columns and sources.


def test_missing_columns_are_named_with_a_guess() -> None:
    frame = log().rename(columns={"customer_id": "cust", "amount": "total"})
    with pytest.raises(DataError) as caught:
        orders(frame, segments=["channel"]).rfm()
    assert caught.value.codes == ["D001"] * 3
    first, second, third = caught.value.messages
    assert first == (
        "D001 Column 'customer_id' not found. Columns present: cust, date, total. Did you mean 'cust'? "
        'Set customer = "cust".'
    )
    assert "Column 'amount' not found" in second
    assert "Column 'channel' not found" in third
    assert orders(frame, customer="cust", amount="total").findings == []


@pytest.mark.parametrize("ask", ["days", "reconciliation"])
def test_nothing_is_made_of_a_log_without_its_columns(ask: str) -> None:
    read = orders(log(amount=None))
    with pytest.raises(DataError, match="D001 Column 'amount' not found"):
        getattr(read, ask)()


def test_a_wrong_customers_table_is_named() -> None:
    table = pd.DataFrame({"id": ["C1"], "country": ["CZ"]})
    found = orders(log(), customers=table, segments=["country"]).findings
    assert [f.code for f in found] == ["D001"]
    says(found[0], "Column 'customer_id' not found in the customers table. Columns present: id, country.")


@pytest.mark.parametrize("names", [["customer_id", "date", "date"], ["customer_id", "date", "Date"]])
def test_columns_of_the_same_name(names: list[str]) -> None:
    frame = log().set_axis(names, axis=1)
    with pytest.raises(
        DataError, match=r"D001 several columns of the data frame are called 'date' .*rename them"
    ):
        orders(frame).check()


def test_names_that_are_not_text() -> None:
    assert customers(log().set_axis([0, 1, 2], axis=1), customer="0", date="1", amount="2") == [
        "C1",
        "C2",
        "C3",
    ]


@pytest.mark.parametrize("name", ['id of the "customer"', "select", "naïve 🎁", ODD, "{row}", "a.b", "%s"])
def test_odd_names_and_values(name: str) -> None:
    frame = log(customer_id=[ODD, '"', "{0}", "%s"]).rename(columns={"customer_id": name})
    assert customers(frame, customer=name) == sorted([ODD, '"', "{0}", "%s"])
    frame = log(**{name: [ODD, "{amount}", None, ""]})
    table = orders(frame, segments=[name]).rfm().to_pandas()
    assert list(table[name]) == [ODD, "{amount}", "unknown"]


def test_braces_in_values_reach_the_message() -> None:
    says(finding(log(amount=["{row}", "1", "2", "3"]), "D016"), "first at row 1: '{row}'.")


INNER = [
    *("row", "day", "net", "copy", "reason", "customer", "minor", "date_text", "amount_text", "n", "s"),
    *("order", "first", "last", "spent", "paid_days", "sale", "kept", "linked", "named", "place", "worth"),
    *("back", "actual", "left", "right", "count", "segment: row", "segment: customer", "customer_id_right"),
]


def test_no_segment_is_lost_to_the_inner_tables() -> None:
    frame = log(**{name: ["a", "b", "c", "d"] for name in INNER}, order_id=["1", "2", "3", "4"])
    read = orders(frame, segments=INNER, refunds="net_to_original")
    table = pd.DataFrame({"customer_id": ["C1", "C2"]} | {name: ["x", "y"] for name in INNER})
    further = orders(log(), customers=table, segments=INNER)
    for rfm, values in (
        (read.rfm(), ["a", "b", "d"]),
        (split(read, "2026-01-09").rfm, ["a", "b"]),
        (further.rfm(), ["x", "y", "unknown"]),
    ):
        found = rfm.to_pandas()
        assert all(list(found[name]) == values for name in INNER)
        assert rfm.segments == ("cohort", *INNER)


def test_no_segment_is_lost_to_a_forecast(small_log: pd.DataFrame) -> None:
    """Names that forecasts might have given columns of their own."""
    names = [*INNER, "spend", "squares", "low", "high", "place", "period_", "line", "value", "margin"]
    frame = small_log.assign(**{name: np.where(small_log.index % 2, "x", "y") for name in names})
    options = {"refunds": "drop", "duplicates": "drop", "guest_ids": []}
    rfm = orders(frame, as_of="2025-12-31", segments=names, **options).rfm()
    fits = [clv.fit(kind, rfm) for kind in (clv.BGNBD, clv.GammaGamma)]
    ahead = clv.forecast(*fits, rfm, margin=0.3)
    table = ahead.customers().to_pandas()
    for name in names:
        assert set(table[name]) <= {"x", "y", "unknown"}
        parts = ahead.totals(name).to_pandas()
        assert parts["clv"].iloc[-1] == pytest.approx(table["clv_mean"].sum())
        assert parts["clv"].iloc[:-1].sum() == pytest.approx(table["clv_mean"].sum())


@pytest.mark.parametrize("name", ["row", "day", "customer", "reason", "customer_id_right"])
def test_no_column_is_lost_to_the_inner_tables(name: str) -> None:
    for role in ("customer", "date", "amount"):
        column = {"customer": "customer_id"}.get(role, role)
        frame = log().rename(columns={column: name})
        assert customers(frame, **{role: name}) == ["C1", "C2", "C3"]


@pytest.mark.parametrize("name", ["frequency", "T", "t", "Cohort", "customer_id", "orders", "actual_spend"])
def test_a_segment_cannot_be_called_like_an_rfm_column(name: str) -> None:
    with pytest.raises(ConfigError, match=f"C001 '{name}' is a column of the RFM or forecast table"):
        orders(log(**{name: "a"}), segments=["channel", name])


def test_one_segment_or_guest_needs_no_list() -> None:
    read = orders(log(channel="web"), segments="channel", guest_ids="C1")
    assert read.segments == ("channel",)
    assert len(read.rfm()) == 2


@pytest.mark.parametrize("nothing", [log().iloc[:0], log(customer_id=[], date=[], amount=[])])
def test_empty_frames(nothing: pd.DataFrame) -> None:
    says(finding(nothing, "D002"), "the data frame has 0 rows.", "date filter (as_of 2026-01-12).")
    with pytest.raises(DataError, match="D002"):
        orders(nothing, as_of=None).rfm()


def test_frames_without_columns() -> None:
    with pytest.raises(DataError, match="D002 the data frame has no columns"):
        orders(pd.DataFrame()).check()


def test_a_file_of_a_header_only(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer_id,date,amount\n")
    says(finding(path, "D002", as_of=None), "orders.csv has 0 rows. Check the extract's date filter.")


@pytest.mark.parametrize(
    ("column", "left"),
    [("date", "no date"), ("amount", "no amount")],
)
def test_a_column_of_nothing(column: str, left: str) -> None:
    for nothing in ([None] * 4, [np.nan] * 4, [pd.NaT] * 4, [""] * 4):
        read = orders(log(**{column: nothing}), as_of=None, missing_amount="drop")
        with pytest.raises(DataError, match=rf"D002 no row is left to model \(4 × {left}\)"):
            read.rfm()


@pytest.mark.parametrize("source", [None, 7, [1, 2], {"a": 1}])
def test_what_is_no_source(source: Any) -> None:
    with pytest.raises(
        DataError, match="I001 a source must be a path, a URL, a data frame or an Ibis table; got"
    ):
        orders(source).check()


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"I001 the folder .* holds no Parquet files"):
        orders(tmp_path).check()
    for path in (tmp_path / "none.csv", tmp_path / "none.parquet", "none.csv.gz"):
        said = f"I001 file not found: {Path(path).name}. Paths in a config .*, in Python"
        with pytest.raises(DataError, match=said):
            orders(path).check()


def _parquet(middle: bytes | None = None) -> bytes:
    """A Parquet file, cut in half or with bytes broken inside its pages."""
    whole = log().to_parquet()
    return whole[: len(whole) // 2] if middle is None else whole[:20] + middle + whole[20 + len(middle) :]


HEADER = b"customer_id,date,amount\n"
ROWS = b"C1,2026-01-01,1.50\n" * 30_000


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "is an empty file"),
        ("a.csv", HEADER + ROWS + b"C1,2026-01-01,2,3,4\n", "line 30002"),
        ("a.csv", HEADER + ROWS + b"C1,2026-01-01\n", "Expected Number of Columns: 3 Found: 2"),
        ("a.csv", HEADER + "Björk,2026-01-01,1\n".encode("latin-1"), "not utf-8"),
        ("a.csv", HEADER + ROWS[:20] * 3 + b"C1,2026-01-01\n" + ROWS[:200], "line 5"),
        ("a.csv", (HEADER + ROWS).replace(b"\n", b"\r"), "does not begin with a line of names"),
        ("a.csv", bytes(range(256)) * 50, "cannot be read"),
        ("a.csv.gz", HEADER + ROWS, "gzip"),
        ("a.csv.gz", gzip.compress(HEADER + ROWS)[:300], ""),
        ("a.parquet", HEADER + ROWS, "magic"),
        ("a.parquet", _parquet(), "magic"),
        ("a.parquet", _parquet(b"\0" * 40), "cannot be read"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        orders(path).check()
    assert caught.value.codes == ["I001" if name.endswith(".parquet") else "I002"]
    assert name in str(caught.value)
    assert reason in str(caught.value)
    assert "xport it again." in str(caught.value)


def test_csv_dialects(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    text = 'customer_id,date,amount\n"C1, ""the first""\nof all",2026-01-01,1\nC2,2026-01-12,2\n'
    for content in (text, "\ufeff" + text, text.replace("\n", "\r\n").replace('""\r\n', '""\n')):
        path.write_text(content, newline="")
        assert customers(path) == ['C1, "the first"\nof all', "C2"]
    path.write_text("customer_id;date;amount\nC1;2026-01-01;1\nC2;2026-01-12;2\n")
    assert customers(path) == ["C1", "C2"]


# Dates.


@pytest.mark.parametrize("dtype", ["int64", "float64", "str"])
def test_integer_dates(dtype: str) -> None:
    frame = log(date=pd.Series([20260101, 20260105, 20260109, 20260112]).astype(dtype))
    found = finding(frame, "D007")
    assert (found.severity, found.rows) == ("F", 4)
    says(found, '4 dates are integers like 20260101, first at row 1. Set date_format = "%Y%m%d".')
    assert customers(frame, date_format="%Y%m%d") == ["C1", "C2", "C3"]


def test_unreadable_dates() -> None:
    texts = [
        *(
            "31/02/2026",
            "2026-02-30",
            "2026-13-01",
            "01-02-26",
            "12.1.2026",
            "Jan 5 2026",
            "yesterday",
            "now",
        ),
        *("infinity", "-infinity", "epoch", "99999-01-01", "2026-01-05 (BC)", "1767571200", "NaT", "2026-01"),
    ]
    assert days(texts) == [None] * len(texts)
    found = finding(log(date=[DATES[0], "2026-02-30", DATES[2], "yesterday"]), "D009")
    assert (found.severity, found.rows) == ("F", 2)
    says(found, "2 of 4 dates cannot be read, first at row 2: '2026-02-30'.", "2026-01-31", "set date_format")


def test_unreadable_dates_under_a_format() -> None:
    frame = log(date=["01/01/2026", "05/01/2026", "31/02/2026", "12/01/2026"])
    says(
        finding(frame, "D009", date_format="%d/%m/%Y"), "row 3: '31/02/2026'. Dates are expected as %d/%m/%Y;"
    )
    frame = log(date=["01/01/2026", "05/01/2026", None, "12/01/2026"])
    assert finding(frame, "D011", date_format="%d/%m/%Y").rows == 1
    assert customers(log(date=pd.to_datetime(DATES)), date_format="%d/%m/%Y") == ["C1", "C2", "C3"]


def test_unix_epochs() -> None:
    seconds = [1767225600, 1767571200, 1767916800, 1768176000]
    for factor, unit, word in ((1, "s", "seconds"), (1000, "ms", "milliseconds")):
        for dates in ([s * factor for s in seconds], [str(s * factor) for s in seconds]):
            found = finding(log(date=dates), "D008")
            assert (found.severity, found.rows) == ("F", 4)
            says(found, f"integers like {dates[0]} (Unix {word}?)", f'Set time_unit = "{unit}".')
            assert days(dates, time_unit=unit) == DATES


def test_day_or_month_first() -> None:
    found = finding(log(date=["03/04/2026", "05/01/2026", DATES[2], DATES[3]]), "D010")
    assert (found.severity, found.rows) == ("F", 2)
    says(found, "2 dates are written like 03/04/2026, first at row 1, day or month first?", '"%m/%d/%Y"')
    found = finding(log(date=["03/04/2026", "13/02/2026", DATES[2], DATES[3]]), "D010")
    says(found, "50.0 % of them can only have the day first", 'Set date_format = "%d/%m/%Y"')
    mended = ["01/01/2026", "05/01/2026", "09/01/2026", "12/01/2026"]
    assert customers(log(date=mended), date_format="%d/%m/%Y") == ["C1", "C2", "C3"]


def test_a_number_is_no_date() -> None:
    assert finding(log(date=[17675712, 1, 2, 3]), "D009").rows == 4
    assert finding(log(date=[True, False, True, True]), "D009").rows == 4


def test_missing_dates() -> None:
    found = finding(log(date=pd.Series([DATES[0], None, "  ", pd.NaT], dtype=object)), "D011")
    assert (found.severity, found.rows) == ("W", 3)
    says(found, "3 rows (75.0 %, 90.00) have no date, first at row 2.", "reconciliation")
    assert finding(log(date=pd.to_datetime([*DATES[:3], None])), "D011").rows == 1


def test_orders_after_as_of() -> None:
    found = finding(log(), "D013", as_of="2026-01-05")
    assert (found.severity, found.rows) == ("W", 2)
    says(found, "2 rows (50.0 %, 70.00) are dated after as_of 2026-01-05, first 2026-01-09 at row 3.")
    assert customers(log(), as_of="2026-01-12") == ["C1", "C2", "C3"]


def test_a_log_that_begins_after_as_of() -> None:
    with pytest.raises(DataError, match=r"D002 no row is left to model \(4 × after the as-of date\)"):
        orders(log(), as_of="2025-12-31").rfm()


@pytest.mark.parametrize(
    "as_of",
    ["2026-01-12", dt.date(2026, 1, 12), dt.datetime(2026, 1, 12, 9), pd.Timestamp("2026-01-12 23:00")],
)
def test_ways_to_give_as_of(as_of: Any) -> None:
    assert orders(log(), as_of=as_of).as_of_date == dt.date(2026, 1, 12)


@pytest.mark.parametrize("as_of", ["12/01/2026", "2026-02-30", "", 20260112])
def test_what_is_no_as_of(as_of: Any) -> None:
    with pytest.raises(ConfigError, match="C001 as_of must be a date such as"):
        orders(log(), as_of=as_of)


def test_a_silence_before_as_of() -> None:
    assert orders(log(), as_of="2026-02-11").findings == []
    found = finding(log(), "D014", as_of="2026-02-12")
    assert found.severity == "F"
    says(
        found,
        "as_of 2026-02-12 is 31 days after the last order; 31 days without a sale would make almost everyone "
        'look lost. Is the extract complete, and its last date right? Override: allow_gap = "31d".',
    )
    assert orders(log(), as_of="2026-02-12", allow_gap="31d").findings == []
    usual = log(date=["2025-01-01", "2025-02-01", *DATES[2:]])
    assert orders(usual, as_of="2026-06-01").findings == []


def test_as_of_taken_from_the_data() -> None:
    found = finding(log(), "D045", as_of=None)
    assert found.severity == "W"
    says(found, "as_of was taken from the data: 2026-01-12")
    assert orders(log(), as_of=None).rfm().as_of == dt.date(2026, 1, 12)


# The business day.


@pytest.fixture(params=["Pacific/Kiritimati", "America/Los_Angeles"])
def hostile_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A process, and an Ibis session, whose own zone is far from the business zone."""
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.setenv("TZ", before) if before else monkeypatch.delenv("TZ")
    time.tzset()


# Both days on which the clocks change in Prague, and an ordinary winter and summer day.
LOCAL = [
    f"{day} {clock}"
    for day in (
        "2026-01-15",
        "2026-03-28",
        "2026-03-29",
        "2026-03-30",
        "2026-07-15",
        "2026-10-24",
        "2026-10-25",
    )
    for clock in ("00:30", "23:30")
]
PRAGUE = pd.Series(pd.to_datetime(LOCAL)).dt.tz_localize("Europe/Prague")
EXPECTED = [text[:10] for text in LOCAL]
MOMENTS = {
    "zone": PRAGUE,
    "other zone": PRAGUE.dt.tz_convert("Asia/Tokyo"),
    "utc": PRAGUE.dt.tz_convert("UTC").astype("datetime64[ns, UTC]"),
    "naive": pd.Series(pd.to_datetime(LOCAL)),
    "text": pd.Series(LOCAL),
    "offset": PRAGUE.map(lambda t: t.isoformat()),
    "utc offset": PRAGUE.dt.tz_convert("UTC").map(lambda t: t.isoformat()),
    "short offset": PRAGUE.map(lambda t: t.strftime("%Y-%m-%d %H:%M:%S%z")),
    "Z": PRAGUE.dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "named": PRAGUE.dt.tz_convert("UTC").dt.strftime("%Y-%m-%d %H:%M:%S UTC"),
    "arrow": PRAGUE.astype("timestamp[us, tz=Europe/Prague][pyarrow]"),
}


@pytest.mark.parametrize("kind", list(MOMENTS))
def test_the_day_is_cut_in_the_business_zone(kind: str, hostile_zone: str) -> None:
    assert days(MOMENTS[kind], timezone="Europe/Prague") == EXPECTED


@pytest.mark.parametrize("kind", ["zone", "naive", "text", "offset", "utc offset"])
def test_the_zone_of_a_session_does_not_matter(kind: str, hostile_zone: str) -> None:
    connection = ibis.duckdb.connect()
    connection.raw_sql(f"SET TimeZone = '{hostile_zone}'")
    frame = pd.DataFrame({"customer_id": "C1", "date": MOMENTS[kind], "amount": 1.0})
    read = orders(connection.create_table("t", frame), timezone="Europe/Prague")
    found = read.typed.order_by("row").day.to_pyarrow().to_pylist()
    assert [str(dt.date(1970, 1, 1) + dt.timedelta(day)) for day in found] == EXPECTED


def test_a_format_with_an_offset(hostile_zone: str) -> None:
    text = PRAGUE.dt.tz_convert("UTC").dt.strftime("%d.%m.%Y %H:%M %z")
    assert days(text, timezone="Europe/Prague", date_format="%d.%m.%Y %H:%M %z") == EXPECTED
    local = PRAGUE.dt.strftime("%d.%m.%Y %H:%M")
    assert days(local, timezone="Europe/Prague", date_format="%d.%m.%Y %H:%M") == EXPECTED


def test_pure_dates_have_no_zone(hostile_zone: str, tmp_path: Path) -> None:
    for dates in (DATES, pd.to_datetime(DATES), [dt.date.fromisoformat(day) for day in DATES]):
        assert days(dates, timezone="Europe/Prague") == days(dates) == DATES
    pd.DataFrame({"customer_id": "C1", "date": PRAGUE, "amount": 1.0}).to_parquet(tmp_path / "a.parquet")
    read = orders(tmp_path / "a.parquet", timezone="Europe/Prague", as_of="2026-10-25", allow_gap="1y")
    assert read.rfm().to_pandas()["frequency"].tolist() == [len(set(EXPECTED)) - 1]


def test_without_a_zone_it_is_utc(hostile_zone: str) -> None:
    assert days(["2026-01-05 23:30:00-01:00", "2026-01-05 23:30:00"]) == ["2026-01-06", "2026-01-05"]


def test_what_is_no_zone() -> None:
    with pytest.raises(
        ConfigError, match="C001 timezone must be a name such as 'Europe/Prague'; got 'Prague'"
    ):
        orders(log(), timezone="Prague").check()


# Amounts.


def test_amounts_that_are_no_numbers() -> None:
    texts = [
        *("12 EUR", "$5", "−5", "n/a", "true", "0x10", "#REF!", "1,23,4", "1.2.3", "--5", "5e", "."),
        *("1e400", "1e18", "-1e18", "46000000000000"),
    ]
    found = finding(pd.DataFrame({"customer_id": "C1", "date": DATES[0], "amount": texts}), "D016")
    assert (found.severity, found.rows) == ("F", len(texts))
    says(found, "amount is not a number, or too large, in 16 rows, first at row 1: '12 EUR'.", "1234.56")


def test_amounts_beyond_measure() -> None:
    found = {f.code: f.rows for f in orders(log(amount=[np.inf, -np.inf, 1e18, -2.3e13])).findings}
    assert found == {"D016": 2, "D023": 2}
    assert finding(log(amount=["inf", "-Infinity", "1", "2"]), "D023").rows == 2
    assert orders(log(amount=[2.2e13] * 4)).rfm().to_pandas()["first_amount"].tolist() == [22 * 10**14] * 3


def test_a_column_of_another_kind_is_no_amount() -> None:
    for wrong in ([True, False, True, False], pd.to_datetime(DATES)):
        assert finding(log(amount=wrong), "D016").rows == 4


def test_missing_amounts() -> None:
    nothing = [None, np.nan, "", "  ", "NaN", "null", "None"]
    frame = pd.DataFrame(
        {"customer_id": "C1", "date": DATES[0], "amount": pd.Series(["1", *nothing], dtype=object)}
    )
    found = finding(frame.assign(line=range(8)), "D018")
    assert (found.severity, found.rows) == ("F", 7)
    says(
        found,
        "7 rows (87.5 %) have no amount, first at row 2 (customer C1). They would count as purchases of 0. "
        'Set missing_amount = "drop" or supply them.',
    )
    mended = finding(frame.assign(line=range(8)), "D018", missing_amount="drop")
    assert mended.severity == "W"
    says(mended, "Left out.")
    assert orders(frame, missing_amount="drop", duplicates="keep").rfm().to_pandas()["orders"].tolist() == [1]


def test_missing_numbers_and_decimals() -> None:
    for column in (
        [1.0, np.nan, 2, 3],
        [Decimal(1), None, Decimal(2), Decimal(3)],
        pd.array([1, None, 2, 3]),
    ):
        assert finding(log(amount=column), "D018").rows == 1


def test_negative_amounts_need_a_policy() -> None:
    frame = log(amount=[10.0, 20.0, -4.5, 40.0])
    found = finding(frame, "D019")
    assert (found.severity, found.rows) == ("F", 1)
    says(
        found,
        "1 amount (25.0 % of rows, -4.50) is negative, first -4.5 at row 3 (customer C1).",
        'refunds = "net_to_original"',
        '"drop"',
    )
    net = orders(frame, refunds="net_to_original").rfm().to_pandas().set_index("customer_id")
    assert net.loc["C1", ["frequency", "first_amount"]].tolist() == [0, 550]
    dropped = orders(frame, refunds="drop")
    assert dropped.rfm().to_pandas()["first_amount"].tolist() == [1000, 2000, 4000]
    assert dict(dropped.reconciliation().set_index("reason")["money"]) == {"used": 70.0, "refund": -4.5}


def test_pages_name_nobody() -> None:
    """The report shows messages without ids, which `clv check` shows to whoever mends the log."""
    negative = finding(log(amount=[10.0, 20.0, -4.5, 40.0]), "D019")
    assert "at row 3 (customer …)" in negative.nameless
    guest = finding(log(customer_id=["guest", "C2", "C1", "C3"]), "D004")
    assert guest.nameless.startswith("one id has 1 order, 25.0 % of all.")
    one = [f"C{i}" for i in range(300)]
    large = pd.DataFrame({"customer_id": one, "date": "2026-01-02", "amount": [1e6] + [1.0] * 299})
    found = {f.code: f for f in orders(large).findings}["D030"]
    says(found, "customer C0 brings 100.0 % of all revenue", "brings 3,334.33 with it and 1.00 without")
    assert found.nameless.startswith("one customer brings")
    unnamed = finding(log(amount=[10.0, 20.0, 1.0, 40.0]), "D045", as_of=None)
    assert unnamed.nameless == unnamed.message


def test_refunds_without_their_order() -> None:
    frame = log(amount=[10.0, 20.0, -10.5, 40.0])
    found = finding(frame, "D020", refunds="net_to_original")
    assert (found.severity, found.rows) == ("W", 1)
    says(
        found,
        "1 refund (-10.50) matches no earlier order of the same customer",
        "first -10.5 at row 3 (customer C1).",
    )
    named = frame.assign(order_id=["1", "2", "3", "4"], refund_of=[None, None, "1", None])
    read = orders(named, refunds="net_to_original")
    assert [f.code for f in read.findings] == ["D021"]
    says(read.findings[0], "1 refund (-10.50) belongs to orders that gave back more than they brought")
    assert dict(read.reconciliation().set_index("reason")["rows"]) == {"used": 2, "order refunded in full": 2}
    unknown = named.assign(refund_of=[None, None, "99", None])
    assert [f.code for f in orders(unknown, refunds="net_to_original").findings] == ["D020"]


def test_a_last_date_far_from_the_others_is_not_taken_as_as_of() -> None:
    far = log(date=[*DATES[:3], "2099-01-01"])
    found = Transactions(far).findings
    assert [(f.code, f.severity) for f in found] == [("D014", "F"), ("D045", "W")]
    says(found[0], "days after the order before it", "its last date right?")


def test_offsets_need_a_zone() -> None:
    frame = log(date=["2026-01-05T23:30:00-05:00", *DATES[1:]])
    assert (finding(frame, "D012").severity, finding(frame, "D012").rows) == ("W", 1)
    assert orders(frame, timezone="America/New_York").findings == []


def test_a_path_is_a_name_and_not_a_pattern(tmp_path: Path) -> None:
    for name, amount in (("orders[1].csv", 10), ("orders1.csv", 999)):
        (tmp_path / name).write_text(f"customer_id,date,amount\nC1,2026-01-05,{amount}\n")
    assert orders(tmp_path / "orders[1].csv").rfm().to_pandas()["first_amount"].tolist() == [1000]


def test_nothing_in_a_csv_is_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("customer_id;date;amount\n#1;2026-01-05;1\n'a';2026-01-05;2\n#3;2026-01-06;3\n")
    assert orders(path).rfm().to_pandas()["customer_id"].tolist() == ["#1", "#3", "'a'"]


def test_zero_orders() -> None:
    frame = log(amount=pd.Series([10, -0.0, 30, 0.004], dtype=object))
    found = finding(frame, "D022")
    assert (found.severity, found.rows) == ("W", 2)
    says(found, "2 orders have an amount of 0, first at row 2 (customer C2).", 'zero_orders = "drop"')
    assert list(orders(frame).rfm().to_pandas()["customer_id"]) == ["C1"]
    says(finding(frame, "D022", zero_orders="count"), "as purchases without spend", 'zero_orders = "count"')
    assert len(orders(frame, zero_orders="count").rfm()) == 3
    assert finding(log(amount=["0", "0.00", "-0", "1"]), "D022").rows == 3


# Duplicates.


def repeated(**columns: Any) -> pd.DataFrame:
    frame = log(**columns)
    return pd.concat([frame, frame.iloc[:2]])


def test_repeats_of_a_numbered_order_are_mended() -> None:
    frame = repeated(order_id=["1", "2", "3", "4"])
    found = finding(frame, "D025")
    assert (found.severity, found.rows) == ("A", 2)
    says(
        found,
        "2 rows (33.3 %, 30.00) repeat another row exactly, first at row 5 (customer C1,",
        "One of each",
    )
    assert orders(frame).rfm().to_pandas()["orders"].tolist() == [2, 1, 1]
    assert finding(frame, "D025", duplicates="keep").severity == "W"
    assert orders(frame, duplicates="keep").rfm().to_pandas()["orders"].tolist() == [3, 2, 1]


def test_other_repeats_need_a_word() -> None:
    found = finding(repeated(), "D027")
    assert (found.severity, found.rows) == ("F", 2)
    says(
        found,
        "2 rows (33.3 %, 30.00) repeat another row exactly, first at row 5 (customer C1, 2026-01-01, 10).",
        'duplicates = "drop" (loaded twice) or "keep" (two real orders).',
    )
    for policy, severity, counts in (("drop", "A", [2, 1, 1]), ("keep", "W", [3, 2, 1])):
        assert finding(repeated(), "D027", duplicates=policy).severity == severity
        assert orders(repeated(), duplicates=policy).rfm().to_pandas()["orders"].tolist() == counts


def test_an_order_without_its_number_cannot_be_told_from_its_copy() -> None:
    frame = repeated(order_id=["1", None, "3", "4"])
    found = {f.code: f for f in orders(frame).findings}
    assert {code: (f.severity, f.rows) for code, f in found.items()} == {"D025": ("A", 1), "D027": ("F", 1)}
    assert orders(frame, duplicates="drop").rfm().to_pandas()["orders"].tolist() == [2, 1, 1]


def test_rows_that_differ_anywhere_are_no_copies() -> None:
    assert customers(repeated().assign(line=range(6))) == ["C1", "C2", "C3"]


# All together.


def test_all_findings_are_shown_together(tmp_path: Path) -> None:
    rows = [
        "C1,2026-01-01,10",
        "C1,2026-01-01,10",
        "C2,2026-01-05,-3",
        "C2,20260105,4",
        "C3,31/02/2026,5",
        "C3,,6",
        "C4,2026-01-09,",
        "C4,2026-01-09,five",
        ",2026-01-09,7",
        "C5,2026-01-09,0",
        "C5,2026-01-13,8",
    ]
    path = tmp_path / "orders.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("\n".join(["customer_id,date,amount", *rows]))
    read = orders(path)
    codes = ["D003", "D007", "D010", "D011", "D013", "D016", "D018", "D019", "D022", "D027"]
    assert [f.code for f in read.findings] == codes
    with pytest.raises(DataError) as caught:
        read.rfm()
    assert caught.value.codes == ["D007", "D010", "D016", "D018", "D019", "D027"]
    assert caught.value.exit_status == 3
    firsts = {f.code: f.examples[0]["row"] for f in read.findings}
    assert firsts == dict(zip(codes, [9, 4, 5, 6, 11, 8, 7, 3, 10, 2], strict=True))
    assert read.reconciliation()["rows"].sum() == len(rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"refunds": "net"}, "C001 refunds must be one of net_to_original, as_booked, drop; got 'net'."),
        ({"duplicates": "kep"}, 'Did you mean "keep"?'),
        ({"zero_orders": None}, "C001 zero_orders must be one of drop, count; got None."),
        ({"missing_amount": "zero"}, "C001 missing_amount must be one of drop; got 'zero'."),
    ],
)
def test_options_that_do_not_exist(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        orders(log(), **options)
    assert message in str(caught.value)
