"""What a user may hand in, as the same table: rows, nulls, digits, zones, and names that ask for trouble."""

import datetime as dt
import gzip
import hashlib
import os
import random
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from clv.data.engines import (
    ROW,
    faults,
    fetch,
    keep,
    least,
    plain_text,
    sha256,
    sort_key,
    view,
    write_table,
)
from clv.data.engines.sources import Source, open_source
from clv.errors import ClvError

ADDRESS = "${CLV_TEST_POSTGRES}"  # a password in the open would be refused
HOSTILE = "x'; DROP TABLE orders; --"
ROWS = pa.table(
    {
        "customer_id": ["007", None, "Ž\t", "a"],
        "date": [dt.date(2026, 1, 2), dt.date(2026, 1, 3), None, dt.date(2026, 3, 29)],
        "amount": [1.5, None, -2.0, 0.1],
        "n": pa.array([2**60 + 1, None, 0, -1]),
    }
)


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test hides, such as the word "orders", is no secret in the next."""
    monkeypatch.setattr(faults, "_SECRETS", {})


def rows(source: Source) -> list[dict[str, Any]]:
    """All rows, in their order where there is one, else sorted."""
    found = fetch(source.table).to_pylist()
    by = (lambda row: row.pop(ROW)) if source.numbered else (lambda row: str(list(row.values())))
    return sorted(found, key=by)


def kind(source: Source, column: str) -> str:
    """The type of a column, where the digits of a second make no difference."""
    return re.sub(
        r", \d\)|\(\d\)", lambda found: ")" * (found[0][0] == ","), str(source.table[column].type())
    )


def some(source: Any, **options: Any) -> list[dict[str, Any]]:
    return rows(open_source(source, **options))


def code_of(source: Any, **options: Any) -> str:
    with pytest.raises(ClvError) as caught:
        fetch(open_source(source, **options).table)
    return str(caught.value)


# Frames.


def frames() -> dict[str, Any]:
    nullable = {"customer_id": "string", "n": "Int64"}
    return {
        "pandas": ROWS.to_pandas(types_mapper=pd.ArrowDtype),
        "pandas, nullable": ROWS.to_pandas(integer_object_nulls=True).astype(nullable),
        "polars": pl.from_arrow(ROWS),
        "lazy": pl.from_arrow(ROWS).lazy(),
        "arrow": ROWS,
        "batches": pa.RecordBatchReader.from_batches(ROWS.schema, ROWS.to_batches(2)),
    }


@pytest.mark.parametrize("kind", list(frames()))
def test_a_frame_of_any_library_is_the_same_table(kind: str) -> None:
    source = open_source(frames()[kind])
    assert source.name == "the data frame"
    assert source.numbered
    assert source.table.schema()[ROW] == ibis.dtype("int64")
    assert rows(source) == ROWS.to_pylist()


def test_a_data_set_is_scanned_where_it_lies(tmp_path: Path) -> None:
    pq.write_table(ROWS.append_column("k", pa.nulls(4)), tmp_path / "a.parquet")
    source = open_source(ds.dataset(tmp_path))
    assert not source.numbered
    assert source.table.k.type().is_string()
    assert {row["n"] for row in rows(source)} == {2**60 + 1, None, 0, -1}


def test_types_that_not_every_engine_has() -> None:
    table = pa.table(
        {
            "category": pa.array(["a", None, "b"]).dictionary_encode(),
            "nothing": pa.nulls(3),
            "byte": pa.array([1, None, 255], pa.uint8()),
            "large": pa.array([2**64 - 1, None, 0], pa.uint64()),
            "small": pa.array([2**63 - 1, None, 0], pa.uint64()),
            "half": pa.array([np.float16(0.5), None, None]),
            "runs": pa.array(pa.RunEndEncodedArray.from_arrays([2, 3], ["x", None])),
            "price": pa.array([Decimal("1.50"), None, None], pa.decimal32(5, 2)),
        }
    )
    source = open_source(table)
    kinds = {name: str(kind) for name, kind in source.table.drop(ROW).schema().items()}
    assert kinds == {
        "category": "string",
        "nothing": "string",
        "byte": "int64",
        "large": "decimal(20, 0)",
        "small": "int64",
        "half": "float32",
        "runs": "string",
        "price": "decimal(5, 2)",
    }
    assert rows(source) == table.to_pylist()


def test_polars_categories_are_text() -> None:
    frame = pl.DataFrame({"c": ["a", None, "b"]}, schema={"c": pl.Categorical})
    assert some(frame) == [{"c": "a"}, {"c": None}, {"c": "b"}]


def test_missing_values_of_pandas_are_null() -> None:
    frame = pd.DataFrame(
        {
            "text": ["a", None, float("nan"), pd.NA],
            "number": [1.0, None, float("nan"), 2.0],
            "day": pd.to_datetime(["2026-01-01", None, None, None]),
            "mixed": [1, None, float("nan"), "x"],
        }
    )
    missing = [[value is None for value in row.values()] for row in some(frame)]
    assert missing == [[False] * 4, [True] * 4, [True] * 4, [True, False, True, False]]


def test_integers_mixed_with_texts_are_text_and_counted() -> None:
    ids = [1, "1", " 2 ", 2.0, "003", 3, None, "x", "x", True, 2.5]
    source = open_source(
        pd.DataFrame({"id": ids, "ok": range(len(ids)), "no": [dt.date(2026, 1, 1), *ids[1:]]})
    )
    assert [row["id"] for row in rows(source)] == [
        *("1", "1", " 2 ", "2", "003", "3", None, "x", "x", "True", "2.5")
    ]
    assert source.mixed == {"id": 2, "no": 1}  # 1 and 2; in `no` the integer 1 is gone
    assert open_source(pd.DataFrame({"id": [1, 2], "t": ["1", "2"]})).mixed == {}


@pytest.mark.parametrize("kind", [pd.DataFrame, pa.Table.from_pydict, "csv"])
def test_names_that_differ_in_capitals_alone_are_refused(kind: Any, tmp_path: Path) -> None:
    if kind == "csv":
        path = tmp_path / "x.csv"
        path.write_text("id,ID\n1,2\n")
        assert code_of(path).startswith("D001 several columns of x.csv are called 'id'")
    else:
        assert code_of(kind({"id": [1], "ID": [2]})).startswith("D001")


@pytest.mark.parametrize("frame", [pd.DataFrame(), pl.DataFrame(), pa.table({})])
def test_a_frame_without_columns(frame: Any) -> None:
    assert code_of(frame).startswith("D002 the data frame has no columns")


def test_what_is_no_source() -> None:
    assert "path, a URL, a data frame or an Ibis table; got int" in code_of(5)


# Files.


def test_parquet_is_scanned_in_place_and_numbered(tmp_path: Path) -> None:
    n = 300_000
    order = np.random.default_rng(1).permutation(n)
    pq.write_table(pa.table({"a": order}), tmp_path / "it's [1].parquet", row_group_size=50_000)
    source = open_source(str(tmp_path / "it's [1].parquet"))
    assert (source.name, source.numbered) == ("it's [1].parquet", True)
    found = fetch(source.table).sort_by(ROW)
    assert found[ROW].to_pylist() == list(range(1, n + 1))
    assert np.array_equal(found["a"], order)


def test_a_column_that_is_called_like_the_row_number_of_duckdb(tmp_path: Path) -> None:
    pq.write_table(pa.table({"file_row_number": [7, 8]}), tmp_path / "a.parquet")
    source = open_source(tmp_path / "a.parquet")
    assert not source.numbered
    assert rows(source) == [{"file_row_number": 7}, {"file_row_number": 8}]


def write_parts(folder: Path, tables: dict[str, pa.Table]) -> Path:
    for name, table in tables.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / name)
    return folder


def test_a_folder_of_parquet(tmp_path: Path) -> None:
    folder = write_parts(
        tmp_path / "shop=1" / "orders",
        {
            "day=2026-01-01/country=AT/a.parquet": pa.table({"x": [1], "k": pa.nulls(1)}),
            "day=2026-01-02/country=a%20b/b.parquet": pa.table({"x": [2], "k": ["z"]}),
            "day=2026-01-02/country=__HIVE_DEFAULT_PARTITION__/b.parquet": pa.table({"x": [3], "new": [0.5]}),
            "_temporary/c.parquet": pa.table({"x": [4]}),
            ".hidden.parquet": pa.table({"x": [5]}),
        },
    )
    source = open_source(folder)
    assert (source.name, source.numbered) == ("orders", False)
    keys = ("x", "day", "country", "k", "new")
    assert sorted(tuple(row[k] for k in keys) for row in rows(source)) == [
        (1, "2026-01-01", "AT", None, None),  # a key stays text: "007" is no 7
        (2, "2026-01-02", "a b", "z", None),
        (3, "2026-01-02", None, None, 0.5),
    ]
    assert set(source.table.columns) == set(keys)  # `shop` is above the folder


def test_a_glob_of_parquet(tmp_path: Path) -> None:
    write_parts(
        tmp_path / "orders", {"2025.parquet": pa.table({"x": [1]}), "2026.parquet": pa.table({"x": [2]})}
    )
    source = open_source(str(tmp_path / "orders" / "20*.parquet"))
    assert source.name == "orders/20*.parquet"
    assert rows(source) == [{"x": 1}, {"x": 2}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_stays_text_and_is_numbered(tmp_path: Path, delimiter: str) -> None:
    header = delimiter.join(["id", '"a, b; c"', "day"])
    text = f'\ufeff{header}\n007{delimiter}1{delimiter}2026-01-02\n"x""y\nz"{delimiter}{delimiter} \n'
    expected = [
        {"id": "007", "a, b; c": "1", "day": "2026-01-02"},
        {"id": 'x"y\nz', "a, b; c": None, "day": " "},
    ]
    for name in ("plain.csv", "plain.TXT"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert some(tmp_path / name) == expected
    with gzip.open(tmp_path / "zipped.csv.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    assert some(tmp_path / "zipped.csv.gz") == expected


def test_csv_rows_keep_the_order_of_the_files(tmp_path: Path) -> None:
    draw, values = random.Random(1), []
    for part in range(3):
        values += (chunk := [f"{draw.random()}" for _ in range(70_000)])
        (tmp_path / f"{part}.csv").write_text("value,other\n" + "".join(f"{v},é\n" for v in chunk), "utf-8")
    source = open_source(str(tmp_path / "*.csv"))
    assert source.numbered
    found = fetch(source.table).sort_by(ROW)
    assert found["value"].to_pylist() == values
    assert found[ROW].to_pylist() == list(range(1, len(values) + 1))


def test_a_file_of_names_alone_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("customer_id,date\n")
    assert open_source(tmp_path / "a.csv").table.columns == ("customer_id", "date", ROW)
    assert some(tmp_path / "a.csv") == []


# Databases.


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "it's a shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        for statement in (
            "CREATE TABLE orders AS SELECT '007' AS customer_id, 5 AS amount",
            "CREATE SCHEMA web",
            "CREATE VIEW web.orders AS SELECT 'web' AS customer_id",
            "CREATE VIEW web.seen AS SELECT 'seen' AS customer_id",
            "CREATE TABLE \"a.b\" AS SELECT 'dot' AS customer_id",
            f'CREATE TABLE "{HOSTILE}" AS SELECT \'h\' AS customer_id, 1 AS "y"" ; --"',
        ):
            connection.execute(statement)
    return path


@pytest.mark.parametrize(
    ("table", "customer"),
    [("orders", "007"), ("web.orders", "web"), ("web.seen", "seen"), ("a.b", "dot"), (HOSTILE, "h")],
)
def test_a_table_of_a_duckdb_file(shop: Path, table: str, customer: str) -> None:
    source = open_source(shop, table=table)
    assert (source.name, source.numbered) == (f"{table} in {shop.name}", False)
    assert rows(source)[0]["customer_id"] == customer


def test_a_duckdb_file_is_opened_for_reading_only(shop: Path) -> None:
    source = open_source(shop, table="orders")
    catalog = source.table.op().namespace.catalog
    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
        source.table.get_backend().raw_sql(f"DROP TABLE {catalog}.main.orders")
    assert fetch(keep(source.table.mutate(x=1)))["x"].to_pylist() == [1]  # there is room for our own


def test_which_table_of_a_duckdb_file(shop: Path, tmp_path: Path) -> None:
    assert "There are: a.b, orders, web.orders, web.seen, x'" in code_of(shop)
    assert "no table 'ordres' in it's a shop.duckdb. Did you mean 'orders'?" in code_of(shop, table="ordres")
    with duckdb.connect(str(tmp_path / "one.db")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")
    assert some(tmp_path / "one.db") == [{"x": 1}]
    assert open_source(tmp_path / "one.db").name == "t in one.db"


@pytest.fixture
def schema(postgres_url: str) -> Any:
    import psycopg

    name = ibis.util.gen_name("clv_sources")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        connection.execute(
            f"CREATE TABLE {name}.orders (customer_id text, n bigint, amount float8, day date)"
        )
        with connection.cursor().copy(f"COPY {name}.orders FROM STDIN") as copy:
            for row in ROWS.select(["customer_id", "n", "amount", "date"]).to_pylist():
                copy.write_row(list(row.values()))
        connection.execute(f'CREATE TABLE {name}."{HOSTILE}" AS SELECT 1 AS "y"" ; --"')
        yield name
        connection.execute(f"DROP SCHEMA {name} CASCADE")


def test_a_table_of_postgres(postgres_url: str, schema: str) -> None:
    source = open_source(ADDRESS, table=f"{schema}.orders")
    assert (source.name, source.numbered) == (f"{schema}.orders", False)
    expected = ROWS.rename_columns(["customer_id", "day", "amount", "n"])
    found = fetch(source.table.select(expected.column_names))
    assert found.schema == expected.schema
    assert sorted(map(str, found.to_pylist())) == sorted(map(str, expected.to_pylist()))
    assert rows(open_source(ADDRESS, table=f"{schema}.{HOSTILE}")) == [{'y" ; --': 1}]
    assert len(some(ADDRESS, table=f"{schema}.orders")) == 4  # nothing was dropped
    assert f"Did you mean '{schema}.orders'?" in code_of(ADDRESS, table=f"{schema}.ordres")
    assert "needs the name of a table" in code_of(ADDRESS)


def test_a_frame_beside_postgres(postgres_url: str, schema: str, tmp_path: Path) -> None:
    first = open_source(ADDRESS, table=f"{schema}.orders")
    moments = [dt.datetime(2026, 1, 1, 23, 30, tzinfo=dt.UTC), None, None, None]
    extra = {
        "there": pa.array(moments, pa.timestamp("us", "UTC")),
        "here": pa.array([dt.datetime(2026, 1, 1, 1, 2, 3, 456_789), None, None, None], pa.timestamp("ns")),
        "yes": [True, None, False, True],
        "text": ["", None, 'a,"b\n', "nan"],
        "odd": [float("inf"), None, 1e300, 0.1],
        "list": [[1, 2], None, [], [3]],
    }
    table = ROWS.select(["customer_id", "n"])
    for name, values in extra.items():
        table = table.append_column(name, pa.array(values))
    source = open_source(table, beside=first)
    assert source.table.get_backend() is first.table.get_backend()
    expected = [row | {"list": row["list"] and str(row["list"])} for row in table.to_pylist()]
    expected[0]["here"] = dt.datetime(2026, 1, 1, 1, 2, 3, 456_789)
    expected[2]["list"] = "[]"
    assert rows(source) == expected
    joined = first.table.inner_join(source.table, "customer_id")
    assert fetch(joined.count())[0].to_pylist() == [3]
    (tmp_path / "c.csv").write_text("customer_id\n007\n")
    assert some(tmp_path / "c.csv", beside=first) == [{"customer_id": "007"}]
    again = open_source(ADDRESS, table=f"{schema}.orders", beside=first)
    assert again.table.get_backend() is first.table.get_backend()


def test_postgres_beside_duckdb(postgres_url: str, schema: str) -> None:
    first = open_source(ROWS)
    second = open_source(ADDRESS, table=f"{schema}.orders", beside=first)
    assert second.table.get_backend() is first.table.get_backend()
    assert len(rows(second)) == 4


def test_everything_beside_duckdb_shares_its_connection(tmp_path: Path, shop: Path) -> None:
    first = open_source(ROWS)
    pq.write_table(ROWS, tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("customer_id\n007\n")
    for other, options in (
        (ROWS, {}),
        (tmp_path / "a.parquet", {}),
        (tmp_path / "a.csv", {}),
        (shop, {"table": "orders"}),
    ):
        second = open_source(other, beside=first, **options)
        count = fetch(first.table.inner_join(second.table.view(), "customer_id").count())
        assert count[0].to_pylist()[0] in (1, 3)


def test_an_ibis_table_is_taken_as_it_is() -> None:
    table = ibis.duckdb.connect().create_table("t", ROWS)
    source = open_source(table)
    assert source.table is table
    assert (source.name, source.numbered, source.mixed) == ("the table", False, {})
    assert open_source(ROWS, beside=source).table.get_backend() is table.get_backend()


# Spark.


def test_spark_reads_as_duckdb_does(spark: Any, tmp_path: Path) -> None:
    table = ROWS.append_column("at", pa.array([dt.datetime(2026, 1, 1, 23, 30)] * 4, pa.timestamp("us")))
    table = table.append_column("moment", table["at"].cast(pa.timestamp("us", "UTC")))
    folder = write_parts(tmp_path / "orders", {"c=007/a.parquet": table[:2], "c=x/b.parquet": table[2:]})
    (tmp_path / "a.csv").write_text('\ufeffid;"a;b"\n007;1\n"x""y\nz";\n', encoding="utf-8")
    frame = table.to_pandas(integer_object_nulls=True)
    frame["mixed"] = [1, "1", None, "x"]
    for source in (folder, tmp_path / "a.csv", table, frame):
        here, there = open_source(source), open_source(source, engine="spark")
        assert there.table.get_backend().name == "pyspark"
        assert (here.name, here.mixed) == (there.name, there.mixed)
        kinds = [{name: kind(source, name) for name in source.table.columns} for source in (here, there)]
        assert {**kinds[0], ROW: "int64"} == {**kinds[1], ROW: "int64"}
        columns = sorted(set(there.table.columns) - {ROW})
        both = [sorted(str(r) for r in fetch(s.table.select(columns)).to_pylist()) for s in (here, there)]
        assert both[0] == both[1]
    first = open_source(folder, engine="spark")
    assert open_source(frame, beside=first).table.get_backend() is first.table.get_backend()
    session = first.table.get_backend()._session
    assert rows(open_source(session.sql("SELECT 'x' AS a, TIMESTAMP '2026-01-01 00:00:00' AS b"))) == [
        {"a": "x", "b": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}
    ]


# Options, and what is secret.


def test_engine_and_table_must_make_sense(tmp_path: Path) -> None:
    assert "C001 engine must be one of duckdb, spark; got 'sprk'. Did you mean \"spark\"?" in code_of(
        ROWS, engine="sprk"
    )
    assert "got 'orders' beside a data frame" in code_of(ROWS, table="orders")
    (tmp_path / "a.csv").write_text("x\n1\n")
    assert "got 'orders' beside the file a.csv" in code_of(tmp_path / "a.csv", table="orders")
    assert "leave it out for a database" in code_of("shop.duckdb", engine="spark")
    assert "is not on this machine" in code_of("s3://bucket/orders.parquet")


def test_variables_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    monkeypatch.setenv("CLV_WHERE", str(tmp_path))
    monkeypatch.setenv("CLV_TABLE", "orders")
    assert some("${CLV_WHERE}/a.csv") == [{"x": "1"}]
    assert rows(open_source(shop, table="${CLV_TABLE}"))[0]["customer_id"] == "007"
    monkeypatch.delenv("CLV_NONE", raising=False)
    for unset in ("${CLV_NONE}/a.csv", "postgresql://u:${CLV_NONE}@h/d"):
        assert "names the environment variable CLV_NONE, which is not set" in code_of(unset)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter22@h/d",
        "postgres://u:hun@ter22@h/d",
        "postgresql://h/d?user=u&password=hunter22",
    ],
)
def test_a_password_in_the_open_is_refused(url: str) -> None:
    said = code_of(url, table="orders")
    assert said.startswith("C001 the source must not hold a password")
    assert "ter22" not in said


def test_plain_text_hash_and_order_are_the_same_everywhere(engine: Any) -> None:
    texts = [
        " a\t\n",
        "",
        "  ",
        None,
        "aa",
        "z",
        "Z",
        "ä",
        "é",
        "𝔘",
        "小",
        "b'\\\"",
        "\x0b\x0cx",
        "0",
        "10",
        "9",
    ]
    numbers = [1.0, -0.0, 1.5, float("nan"), 2.0**62, -3.0, None, 1e15, float("inf"), 2.0**53, *[7.25] * 6]
    table = engine(pa.table({"i": range(16), "t": texts, "x": pa.array(numbers, pa.float64())}))
    salt = "sä'lt \\ \""
    found = fetch(
        table.select(
            "i",
            text=plain_text(table.t),
            number=plain_text(table.x),
            whole=plain_text(table.i),
            hashed=sha256(table.t, salt),
            place=ibis.row_number().over(order_by=[table.t.isnull(), sort_key(table.t)]),
        )
    ).sort_by("i")
    stripped = [t if t is None else t.strip(" \t\n\r") or None for t in texts]
    assert found["text"].to_pylist() == stripped
    whole = ["1", "0", "1.5", None, str(2**62), "-3", None, str(10**15)]
    assert found["number"].to_pylist()[:8] == whole
    assert found["number"].to_pylist()[9] == str(2**53)
    assert found["whole"].to_pylist() == [str(i) for i in range(16)]
    hashes = [t if t is None else hashlib.sha256((salt + t).encode()).hexdigest() for t in texts]
    assert found["hashed"].to_pylist() == hashes
    by_bytes = sorted(range(16), key=lambda i: (texts[i] is None, (texts[i] or "").encode()))
    assert np.argsort(found["place"]).tolist() == by_bytes
    firsts = fetch(
        table.group_by(g=table.i % 2).aggregate(
            low=least(table.t), none=least(ibis.ifelse(table.i < 0, table.t, ibis.null("string")))
        )
    ).sort_by("g")
    halves = [[t for t in texts[g::2] if t is not None] for g in (0, 1)]
    assert firsts["low"].to_pylist() == [min(half, key=str.encode) for half in halves]
    assert firsts["none"].to_pylist() == [None, None]


def test_order_and_first_of_texts_under_a_danish_collation(postgres_url: str) -> None:
    """There "aa" is one letter, and the last of the alphabet: so it would be among hexadecimal digits."""
    import psycopg

    connection = ibis.postgres.from_connection(psycopg.connect(postgres_url, autocommit=True))
    try:
        connection.raw_sql('CREATE TEMP TABLE clv_danish (t text COLLATE "da-x-icu")').close()
    except psycopg.errors.UndefinedObject as error:
        pytest.skip(f"this server knows no Danish: {error}")
    connection.raw_sql("INSERT INTO clv_danish VALUES ('\u02aa'), ('\u00ab'), ('z'), ('aa'), ('A')").close()
    table = connection.table("clv_danish")
    found = fetch(table.select("t", key=sort_key(table.t)).order_by("key"))["t"].to_pylist()
    assert found == sorted(found, key=str.encode)
    assert fetch(table.aggregate(t=least(table.t)))["t"].to_pylist() == ["A"]
    connection.disconnect()


class Unconnected:
    """Stands for an engine that is not here."""

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize(
    ("name", "hashed"), [("bigquery", "to_hex(sha256("), ("snowflake", "SHA2("), ("databricks", "SHA2(")]
)
def test_warehouses_that_are_not_here_get_sql_of_their_own(name: str, hashed: str) -> None:
    schema = ibis.schema({"t": "string", "x": "float64"})
    table = ibis.expr.operations.DatabaseTable("t", schema, Unconnected(name)).to_expr()
    expr = table.select(h=sha256(table.t, "salt"), k=sort_key(table.t), x=plain_text(table.x))
    assert hashed.lower() in ibis.to_sql(expr, dialect=name).lower()


def test_texts_of_a_table_without_an_engine() -> None:
    table = ibis.table({"t": "string"}, name="t")
    assert "SHA256(" in ibis.to_sql(
        table.select(h=sha256(table.t, ""), k=sort_key(table.t)), dialect="duckdb"
    )


# Running.


def test_keep_runs_once_and_lets_go(engine: Any) -> None:
    table = engine(ROWS)
    kept = keep(table.mutate(r=ibis.random()))
    drawn = [fetch(kept.order_by("n"))["r"].to_pylist() for _ in range(2)]
    assert drawn[0] == drawn[1]
    name = kept.op().find(ibis.expr.operations.DatabaseTable)[0].name
    connection = kept.get_backend()
    assert connection.table(name).columns
    del kept
    keep(table.limit(1))
    with pytest.raises(Exception, match=name):
        fetch(connection.table(name))


def test_a_view_holds_what_it_stands_on(engine: Any) -> None:
    table = engine(ROWS)
    seen = view(keep(table.select("n")).mutate(m=ibis._.n))
    keep(table.limit(1))  # whatever nobody uses is dropped here
    assert fetch(seen.order_by("n").m.count())[0].to_pylist() == [3]
    name, connection = seen.op().find(ibis.expr.operations.DatabaseTable)[0].name, seen.get_backend()
    del seen
    keep(table.limit(1))
    with pytest.raises(Exception, match=name):
        fetch(connection.table(name))


def test_fetch_keeps_digits_and_nulls(engine: Any) -> None:
    wide = ROWS.append_column("text", pa.array(["", None, 'a,"b\n', "\\."]))
    wide = wide.append_column("odd", pa.array([float("inf"), float("nan"), None, 1e-300]))
    found = fetch(engine(wide).order_by("odd")).select(wide.column_names)
    assert found.schema == wide.schema
    assert sorted(map(str, found.to_pylist())) == sorted(map(str, wide.to_pylist()))
    one = engine(pa.table({"t": pa.array([None, "", "x"])}))
    assert sorted(map(str, fetch(one)["t"].to_pylist())) == ["", "None", "x"]
    assert fetch(one.filter(one.t == "none of them")).num_rows == 0
    assert fetch(one.count())[0].to_pylist() == [3]


def test_write_parquet(engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "it's.parquet"
    path.write_text("an old one")
    write_table(engine(ROWS).order_by("n"), path)
    written = pq.read_table(path)
    assert written.column_names == ROWS.column_names
    assert [written["n"].to_pylist().count(n) for n in ROWS["n"].to_pylist()] == [1] * 4
    assert sorted(map(str, written.to_pylist())) == sorted(map(str, ROWS.to_pylist()))
    assert os.listdir(tmp_path) == [path.name]


def test_duckdb_spills_into_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_TEMP", str(tmp_path))
    monkeypatch.setenv("CLV_MEMORY", "123MB")
    source = open_source(ROWS)
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    settings = source.table.get_backend().settings
    assert settings["temp_directory"] == str(folder)
    assert settings["memory_limit"] == "117.3 MiB"
    del source, settings
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("CLV_MEMORY", "lots")
    assert "C001 CLV_MEMORY must be an amount" in code_of(ROWS)
    monkeypatch.setenv("CLV_MEMORY", "")
    monkeypatch.setenv("CLV_TEMP", str(tmp_path / "none"))
    assert "C001 CLV_TEMP must be a folder" in code_of(ROWS)
