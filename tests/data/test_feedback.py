"""Answers of customers: how they are read, whose they are, and what is on no scale; small tables by hand."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from clv.data.companions import answers
from clv.data.contract import Transactions
from clv.data.engines import fetch
from clv.errors import ConfigError, DataError

LOG = pd.DataFrame(
    [("a", "2024-01-01", 5.0), ("b", "2024-01-02", 6.0), ("c", "2024-01-03", 7.0)],
    columns=["customer_id", "date", "amount"],
)
NAMED = {"satisfaction": "csat", "recommendation": "nps", "loyalty": "member"}


def orders(people: Any, **options: Any) -> Transactions:
    return Transactions(LOG, **{"as_of": "2024-02-01", "customers": people} | NAMED | options)


def people(*rows: tuple[Any, ...], columns: str = "customer_id csat nps member") -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split())


def read(made: Transactions) -> dict[str, tuple[Any, ...]]:
    rows = fetch(answers(made)).to_pylist()
    return {row["customer_id"]: (row["satisfaction"], row["recommendation"], row["loyalty"]) for row in rows}


def test_numbers_texts_and_booleans_read_alike() -> None:
    expected = {"a": (5.0, 10.0, True), "b": (1.0, 0.0, False), "c": (None, None, None)}
    typed = people(("a", 5, 10, True), ("b", 1, 0, False), ("c", None, None, None))
    texts = people(("a", " 5", "10.0", "Yes"), ("b", "1", "0", "no"), ("c", "", " ", ""))
    for table in (typed, texts):
        assert read(orders(table)) == expected
        assert orders(table).findings == []


def test_the_latest_answer_known_on_the_day_counts() -> None:
    columns = "customer_id csat nps member known_from"
    table = people(
        ("a", 2, 3, False, "2024-01-01"),
        ("a", 4, 9, True, "2024-01-20"),
        ("a", 1, 1, False, "2024-02-02"),
        columns=columns,
    )
    assert read(orders(table)) == {"a": (4.0, 9.0, True)}


def test_answers_go_by_the_ids_of_results() -> None:
    import hashlib

    table = people(("a", 5, 10, True), ("b", 4, 8, False))
    hashed = {hashlib.sha256(f"salt{one}".encode()).hexdigest() for one in "ab"}
    assert set(read(orders(table, hash_ids="salt"))) == hashed
    assert answers(Transactions(LOG, as_of="2024-02-01", customers=table)) is None


def test_engines_agree(engine: Callable[[pa.Table], Any]) -> None:
    table = people(("a", "5", "10", "Yes"), ("b", "2.5", "x", "no"), ("c", "", "11", None))
    log, said = (pa.Table.from_pandas(frame, preserve_index=False) for frame in (LOG, table))
    made = Transactions(engine(log), as_of="2024-02-01", customers=engine(said), **NAMED)
    assert read(made) == {"a": (5.0, 10.0, True), "b": (2.5, None, False), "c": (None, None, None)}
    assert [f.rows for f in made.findings if f.code == "D050"] == [2]


def test_every_answer_on_no_scale_is_told_at_once() -> None:
    table = people(("a", 7, 11, "gold"), ("b", 0.5, -1, True), ("c", 3, 7, False))
    with pytest.raises(DataError) as told:
        orders(table).rfm()
    found = [message for message in told.value.messages if message.startswith("D050")]
    said = "satisfaction must be a number from 1 to 5; got '0.5' in column 'csat' of the customers table"
    assert f"{said} (2 rows)." in found[0]
    assert "recommendation must be a number from 0 to 10; got '-1'" in found[1]
    assert "loyalty must be true or false; got 'gold' in column 'member'" in found[2]
    assert "(1 row)." in found[2]


def test_columns_have_to_be_there() -> None:
    with pytest.raises(DataError, match=r"D001 Column 'csat' not found in the customers table"):
        orders(people(("a", 5, 10), columns="customer_id csat_1 nps")).rfm()
    with pytest.raises(ConfigError) as told:
        Transactions(LOG, **NAMED)
    assert len(told.value.messages) == 3
    assert told.value.messages[0] == (
        "C001 satisfaction is a column of the customers table; set customers as well."
    )
    with pytest.raises(ConfigError, match="C001 loyalty must be a text; got 5"):
        orders(LOG, loyalty=5)
