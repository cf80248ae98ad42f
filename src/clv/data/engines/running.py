"""Run expressions, keep their rows, write them."""

from __future__ import annotations

import weakref
from collections import deque
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from clv.data.engines.connections import engine
from clv.data.engines.faults import coded, reason
from clv.data.engines.transfers import batches, frame, with_zones
from clv.errors import OutputError

_CALLED = {"postgres": "the PostgreSQL server", "pyspark": "Spark"}
_GONE: deque[tuple[Any, str]] = deque()  # kept tables that nobody uses any more: (connection, name)


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


def write_table(expr: Any, path: str | Path, *, csv: bool = False) -> None:
    """Write the rows of a table expression to one file, Parquet or CSV: all of it, or nothing.

    They stream, but for Spark, which hands them over at once. OutputError O002 where the file cannot be
    written; else as `fetch`.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        with coded(_CALLED.get(engine(expr), "the data")):
            try:
                part.open("wb").close()
                _write(expr, part, csv)
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


def _write(expr: Any, path: Path, csv: bool) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    name, connection = engine(expr), expr.get_backend()
    if name == "duckdb":
        connection._run_pre_execute_hooks(expr)
        target, query = str(path).replace("'", "''"), connection.compile(expr)
        kind = "csv, HEADER" if csv else "parquet"
        connection.raw_sql(f"COPY ({query}) TO '{target}' (FORMAT {kind}, USE_TMP_FILE false)")
        return
    schema = expr.schema().to_pyarrow()
    open_file = pyarrow.csv.CSVWriter if csv else pyarrow.parquet.ParquetWriter
    with open_file(path, schema) as writer:
        for batch in batches(expr, schema):
            writer.write_batch(batch)
