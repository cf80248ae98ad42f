"""What an engine must do for us, and the arithmetic of money at the door."""

import random
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from clv.data.contract import Transactions
from clv.data.engines import ROW
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
