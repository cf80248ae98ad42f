"""What an engine must do for us, and the arithmetic of money at the door."""

import gc
import random
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clv.data.contract import Transactions
from clv.data.engines import ROW, fetch, keep, upload, view
from clv.data.engines.connections import connect_duckdb
from clv.data.engines.leftovers import forget
from clv.data.engines.sources import open_source


def test_create_drop_overwrite_and_cache() -> None:
    """Ibis 12 with sqlglot 30 drops a view without its name: the cap in pyproject.toml."""
    connection = ibis.duckdb.connect()
    frame = pd.DataFrame({"a": [1, 2, 3]})
    table = connection.create_table("numbers", frame)
    assert table.count().to_pyarrow().as_py() == 3
    connection.create_table("numbers", frame.head(2), overwrite=True)
    assert connection.table("numbers").count().to_pyarrow().as_py() == 2
    connection.create_view("seen", connection.table("numbers"), overwrite=True)
    connection.drop_view("seen")
    cached = connection.table("numbers").mutate(b=ibis._.a * 2).cache()
    assert cached.b.sum().to_pyarrow().as_py() == 6
    cached.release()
    connection.drop_table("numbers")
    with pytest.raises(Exception, match="numbers"):
        connection.table("numbers")


def test_rows_are_numbered_in_the_order_of_the_source() -> None:
    frame = pd.DataFrame({"a": np.random.default_rng(1).permutation(200_000)})
    table = open_source(frame).table.to_pyarrow().to_pandas()
    assert table.sort_values(ROW)["a"].tolist() == frame["a"].tolist()
    assert table[ROW].tolist() == list(range(1, 200_001))


def test_a_second_source_shares_the_connection() -> None:
    one = open_source(pd.DataFrame({"a": [1]}))
    two = open_source(pd.DataFrame({"a": [1]}), beside=one)
    assert one.table.join(two.table, "a").count().to_pyarrow().as_py() == 1
    assert open_source(pd.DataFrame({"a": [1]})).table.get_backend() is not one.table.get_backend()


def minor(amounts: list[Any], currency: str) -> list[int]:
    frame = pd.DataFrame({"customer_id": "C1", "date": "2026-01-01", "amount": amounts})
    read = Transactions(frame, currency=currency, duplicates="keep")
    column: list[int] = read.typed.order_by("row").minor.to_pyarrow().to_pylist()
    return column


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("krw", 0), ("EUR", 2), ("CZK", 2), ("KWD", 3)])
def test_minor_units_of_a_currency(currency: str, digits: int) -> None:
    draw = random.Random(digits)
    texts = ["2.675", "1.005", "0.285", "1.0005", "2.5", "3.5", "-2.5", "-2.675", "0.125", "8", "0", "-0.0"]
    texts += [f"{draw.uniform(-99_999, 99_999):.{draw.randrange(5)}f}" for _ in range(400)]
    texts += [f"{draw.randrange(10**12)}.{draw.randrange(10**digits):0{max(digits, 1)}d}" for _ in range(50)]
    unit = Decimal(1).scaleb(-digits)
    expected = [int(Decimal(t).quantize(unit, ROUND_HALF_EVEN).scaleb(digits)) for t in texts]
    assert minor(texts, currency) == expected
    assert minor([float(t) for t in texts], currency) == expected
    assert minor([Decimal(t) for t in texts], currency) == expected


@pytest.mark.parametrize(("currency", "text", "value"), [("JPY", "1,500", 1500.0), ("KWD", "1.500", 1.5)])
def test_money_of_a_currency(currency: str, text: str, value: float) -> None:
    rows = [("C1", "2026-01-01", value), ("C1", "2026-01-02", value), (None, "2026-01-02", value)]
    read = Transactions(pd.DataFrame(rows, columns=["customer_id", "date", "amount"]), currency=currency)
    assert f"1 row (33.3 %, {text}) has no customer_id" in str(read.findings[0])
    assert read.reconciliation()["money"].tolist() == [2 * value, value]
    rfm = read.rfm()
    assert rfm.to_pandas()["monetary_value"].tolist() == [value]
    assert rfm.digits == {"JPY": 0, "KWD": 3}[currency]


def test_sums_are_exact_where_floats_drift() -> None:
    frame = pd.DataFrame({"customer_id": "C1", "date": "2026-01-01", "amount": [0.1] * 100_000 + [1e11]})
    read = Transactions(frame, duplicates="keep")
    assert read.days().spent.sum().to_pyarrow().as_py() == 100_000 * 10 + 10**13


def test_what_is_kept_lies_in_a_private_file_and_goes_with_its_last_user(tmp_path: Path) -> None:
    rows = pa.table({"x": [1, 2, 3]})
    ours, theirs = connect_duckdb(), ibis.duckdb.connect(tmp_path / "own.duckdb")

    def named(connection: Any) -> set[tuple[str, str]]:
        found = connection.con.execute("SELECT database_name, table_name FROM duckdb_tables()").fetchall()
        return {(str(database), str(name)) for database, name in found}

    for connection, place in ((ours, "clv_kept"), (theirs, "temp")):
        sent = upload(connection, rows)
        kept = keep(sent.filter(sent.x > 1))
        [(database, _)] = named(connection)
        assert database == place
        lent = sent.get_name()
        del sent, kept
        gc.collect()
        forget()
        assert not named(connection)
        with pytest.raises(duckdb.CatalogException):
            connection.con.execute(f'SELECT * FROM "{lent}"')


def test_what_is_kept_is_compressed() -> None:
    connection, size = connect_duckdb(), 1_000_000
    kinds = pa.array([f"customer of kind {kind}" for kind in range(7)]).take(pa.array(np.arange(size) % 7))
    kept = keep(upload(connection, pa.table({"i": np.arange(size), "kind": kinds})))
    [(held,)] = connection.con.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchall()
    assert held < 10e6 < size * (8 + len("customer of kind 0"))
    assert kept.count().execute() == size


def test_uploaded_rows_stay_while_a_view_needs_them() -> None:
    connection = connect_duckdb()
    seen = view(upload(connection, pa.table({"x": [1, 2, 3]})).mutate(y=ibis._.x * 2))
    gc.collect()
    forget()
    assert fetch(seen)["y"].to_pylist() == [2, 4, 6]
