"""Connect, run, keep and write: what differs between DuckDB, PostgreSQL, Spark and other engines of Ibis."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import tempfile
import weakref
from collections import deque
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from clv.data.addresses import postgres_parts
from clv.data.faults import coded, hide, reason
from clv.data.transfers import batches, frame, with_zones
from clv.errors import ConfigError, OutputError

ROW = "clv: row number"  # a name that nobody has: the row, from 1, in a source that has an order
BLANK = " \t\n\r"  # what is trimmed off texts
_CALLED = {"postgres": "the PostgreSQL server", "pyspark": "Spark"}
_HEX, _LETTERS = "abcdef", "bkmpqv"  # letters that no language sorts in pairs
_AMOUNT = r"\d+(\.\d+)? ?[kKMGT]i?B"
_GONE: deque[tuple[Any, str]] = deque()  # kept tables that nobody uses any more: (connection, name)

# Connections.


def connect_duckdb() -> Any:
    """Return a new DuckDB in memory, which spills to a private folder that is removed with it.

    The environment may say CLV_MEMORY (such as "16GB"; by default 70 % of what there is) and CLV_TEMP, the
    folder in which to make the private one. ConfigError C001 where either cannot be meant.
    """
    import ibis

    memory, place = os.environ.get("CLV_MEMORY"), os.environ.get("CLV_TEMP") or None
    if memory and not re.fullmatch(_AMOUNT, memory):
        raise ConfigError(f'C001 CLV_MEMORY must be an amount such as "16GB"; got {memory!r}.')
    try:
        folder = tempfile.mkdtemp(prefix="clv-", dir=place)
    except OSError as error:
        raise ConfigError(
            f"C001 CLV_TEMP must be a folder that can be written; got {place!r} ({error.strerror})."
        ) from None
    connection = ibis.duckdb.connect(temp_directory=folder, preserve_insertion_order=False)
    most, unit = str(connection.settings["memory_limit"]).split()  # four fifths of what there is
    connection.settings["memory_limit"] = memory or f"{float(most) * 7 / 8:.1f}{unit}"
    weakref.finalize(connection, shutil.rmtree, folder, ignore_errors=True)
    return connection


def connect_postgres(url: str, first: Any = None) -> Any:
    """Return a connection to a PostgreSQL server: `first`, if it leads there already.

    New ones get the settings on which texts and plans depend. ConfigError C001 for an address that cannot be
    read, DataError I001, I004 or I006 where the server cannot be reached, or turns us away.
    """
    try:
        import ibis
        import psycopg
    except ImportError:
        raise _extra("PostgreSQL", "postgres") from None
    parts = postgres_parts(url)
    if first is not None and first.name == "postgres" and _leads_to(first, parts):
        return first
    settings = "SET datestyle = 'ISO, YMD'; SET extra_float_digits = 1; SET cursor_tuple_fraction = 1"
    with coded("the PostgreSQL server"):
        raw = psycopg.connect(**parts, autocommit=True, client_encoding="UTF8")
        raw.execute(settings)
        connection = ibis.postgres.from_connection(raw)
    weakref.finalize(connection, raw.close)
    return connection


def _leads_to(connection: Any, parts: dict[str, Any]) -> bool:
    theirs = connection.con.info
    ours = {"host": theirs.host, "port": str(theirs.port), "dbname": theirs.dbname, "user": theirs.user}
    return all(str(parts.get(name, value)) == value for name, value in ours.items())


def connect_spark() -> Any:
    """Return the Spark session that is there, or that spark-submit, spark-defaults or SPARK_REMOTE call for.

    DataError I004 where there is none to be had.
    """
    try:
        import ibis
        from pyspark.sql import SparkSession
    except ImportError:
        raise _extra("Spark", "spark") from None
    with coded("Spark"):
        return ibis.pyspark.connect(SparkSession.builder.getOrCreate())


def _extra(what: str, extra: str) -> ConfigError:
    return ConfigError(f'C001 {what} needs an extra of clv. Run pip install "clv[{extra}]".')


def engine(expr: Any) -> str:
    """The name that Ibis gives to the engine of an expression; "" where it has none yet."""
    from ibis.common.exceptions import IbisError

    try:
        return str(expr.get_backend().name)
    except IbisError:
        return ""


# Running.


def fetch(expr: Any, of: str | None = None) -> Any:
    """Run an expression and return a pyarrow Table, of the types that Ibis says on every engine.

    `of` names the source in messages.

    DataError I001 to I004 and I006, OutputError I005 for what goes wrong on the way.
    """
    import pyarrow as pa

    table, name = expr.as_table(), engine(expr)
    with coded(of or _CALLED.get(name, "the data")):
        if name not in _CALLED:
            return table.to_pyarrow()
        schema = table.schema().to_pyarrow()
        return pa.Table.from_batches(batches(table, schema), schema)


def to_pandas(expr: Any) -> Any:
    """Run an expression and return a pandas frame, days as datetime64[s]."""
    table = fetch(expr)
    frame = table.to_pandas(date_as_object=False)
    days = [name for name in frame.columns if str(frame[name].dtype).startswith("datetime64[ms")]
    return frame.astype(dict.fromkeys(days, "datetime64[s]"))


def keep(expr: Any, of: str | None = None) -> Any:
    """Run an expression once and keep its rows on the engine; they go when nobody uses them any more.

    `of` names the source in messages.
    """
    import ibis

    connection, name, kind = expr.get_backend(), ibis.util.gen_name("clv_kept"), engine(expr)
    _forget()
    with coded(of or _CALLED.get(kind, "the data")):
        if kind == "pyspark":
            # A mere cache would keep the whole plan, which Spark reads again with every query upon it.
            frame(expr).localCheckpoint().createOrReplaceTempView(name)
            table = connection.table(name)
        elif kind in ("duckdb", "postgres"):
            table = connection.create_table(name, expr, temp=True)
        else:
            return expr.cache()
        if kind == "postgres":  # nobody else counts the rows of a temporary table for the planner
            connection.raw_sql(f'ANALYZE "{name}"').close()
        _watch(table, connection, name)
        return with_zones(table) if kind == "pyspark" else table


def view(expr: Any) -> Any:
    """Give an expression a name on the engine, for as long as it is used.

    Ibis would write out what a column is made of wherever the column is mentioned; queries grew to megabytes.
    """
    import ibis

    connection, name, kind = expr.get_backend(), ibis.util.gen_name("clv_view"), engine(expr)
    if kind == "duckdb":
        connection._run_pre_execute_hooks(expr)
        connection.raw_sql(f'CREATE TEMPORARY VIEW "{name}" AS {connection.compile(expr)}')
    elif kind == "postgres":
        connection._run_pre_execute_hooks(expr)
        connection.raw_sql(f'CREATE TEMPORARY VIEW "{name}" AS {connection.compile(expr)}').close()
    elif kind == "pyspark":
        frame(expr).createOrReplaceTempView(name)
    else:
        return expr
    table = connection.table(name)
    _watch(table, connection, name, expr)  # which may stand on kept tables
    return with_zones(table) if kind == "pyspark" else table


def _watch(table: Any, connection: Any, name: str, *needed: Any) -> None:
    """Have a table of ours dropped when nobody uses it any more, and what it needs not before."""
    weakref.finalize(table.op(), _lost, weakref.ref(connection), name, needed).atexit = False


def _lost(connection: Any, name: str, needed: Any) -> None:
    _GONE.append((connection, name))


def _forget() -> None:
    """Drop what the garbage collector found: here, where no query of the connection is under way."""
    while _GONE:
        found, name = _GONE.popleft()
        connection = found()
        if connection is not None and connection.name == "pyspark":
            drops = (connection._session.catalog.uncacheTable, connection._session.catalog.dropTempView)
        elif connection is not None:
            drops = (partial(connection.drop_view, force=True), partial(connection.drop_table, force=True))
        else:
            continue
        for drop in drops:  # of a table or a view, whichever it is
            with suppress(Exception):
                drop(name)


def write_parquet(expr: Any, path: str | Path) -> None:
    """Write the rows of a table expression to one Parquet file: all of it, or nothing.

    They stream, but for Spark, which hands them over at once. OutputError O002 where the file cannot be
    written; else as `fetch`.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        with coded(_CALLED.get(engine(expr), "the data")):
            try:
                part.open("wb").close()
                _write(expr, part)
                part.replace(path)
            except Exception as error:
                of_disk = isinstance(error, OSError) and not isinstance(error, ConnectionError)
                if not of_disk and str(part) not in str(error):
                    raise
                why = reason(str(error))
                raise OutputError(
                    f"O002 {path.name} cannot be written: {why}. Nothing was written."
                ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _write(expr: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    name, connection = engine(expr), expr.get_backend()
    if name == "duckdb":
        connection._run_pre_execute_hooks(expr)
        target, query = str(path).replace("'", "''"), connection.compile(expr)
        connection.raw_sql(f"COPY ({query}) TO '{target}' (FORMAT parquet, USE_TMP_FILE false)")
        return
    schema = expr.schema().to_pyarrow()
    with pq.ParquetWriter(path, schema) as writer:
        for batch in batches(expr, schema):
            writer.write_batch(batch)


# Texts.


def trimmed(text: Any) -> Any:
    """Text without blanks, tabs and line ends around it.

    Not by `strip` of Ibis: on Spark and Snowflake it takes the letters v and f away as well.
    """
    import ibis

    kind = engine(text)
    if kind != "duckdb":
        return _call(
            "btrim" if kind in ("postgres", "pyspark", "databricks") else "trim", "string", text, BLANK
        )
    ends = (text.ascii_str() < 33) | (text.right(1).ascii_str() < 33)  # a look at both ends costs a tenth
    return ibis.ifelse(ends, _call("trim", "string", text, BLANK), text)


def plain_text(column: Any) -> Any:
    """Trimmed text; blank and NaN become null. A whole number in a float column reads 1, not 1.0."""
    import ibis

    text = column.cast("string")
    if column.type().is_floating():
        small = column.abs() < 2.0**63  # not so for NaN, which is above all numbers
        whole = ibis.ifelse(small, column, 0.0).floor()
        text = ibis.ifelse(small & (whole == column), whole.cast("int64").cast("string"), text)
        text = ibis.ifelse(column.isnan(), ibis.null("string"), text)
    return trimmed(text).nullif("")


def sha256(text: Any, salt: str) -> Any:
    """The SHA-256 of salt + text in UTF-8, as 64 small hexadecimal digits; null stays null."""
    import ibis

    hide(salt, "***")
    text, name = ibis.literal(salt) + text, engine(text)
    if name == "postgres":
        return _call("encode", "string", _call("sha256", "binary", _utf8(text)), "hex")
    if name == "bigquery":
        return _call("to_hex", "string", _call("sha256", "binary", text))
    if name == "snowflake":
        return _call("sha2", "string", text, 256)
    return text.hexdigest("sha256")


def sort_key(text: Any) -> Any:
    """An expression in whose order texts stand by their UTF-8 bytes, whatever the engine's collation.

    On PostgreSQL in hexadecimal; its letters are others, since Danish has "aa" after "z", and so on.
    """
    if engine(text) != "postgres":
        return text
    return _call("translate", "string", _call("encode", "string", _utf8(text), "hex"), _HEX, _LETTERS)


def least(text: Any) -> Any:
    """The first of texts in the order of `sort_key`; null of nothing but nulls."""
    if engine(text) != "postgres":
        return text.min()
    first = _call("translate", "string", sort_key(text).min(), _LETTERS, _HEX)
    return _call("convert_from", "string", _call("decode", "binary", first, "hex"), "UTF8")


def _utf8(text: Any) -> Any:
    return _call("convert_to", "binary", text, "UTF8")


def _call(name: str, gives: str, *values: Any) -> Any:
    """Call a function that the engine has and Ibis does not know."""
    import ibis

    kinds = [str(v.type() if isinstance(v, ibis.Expr) else ibis.literal(v).type()).strip("!") for v in values]
    return _function(name, tuple(kinds), gives)(*values)


@cache
def _function(name: str, takes: tuple[str, ...], gives: str) -> Any:
    import ibis

    def call(*values):  # type: ignore[no-untyped-def]
        """Stand for the engine's function."""

    places = [inspect.Parameter(f"value{i}", inspect.Parameter.POSITIONAL_ONLY) for i in range(len(takes))]
    call.__signature__ = inspect.Signature(places)  # type: ignore[attr-defined]
    return ibis.udf.scalar.builtin(call, name=name, signature=(takes, gives))
