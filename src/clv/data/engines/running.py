"""Run expressions, keep their rows, write them."""

from __future__ import annotations

from contextlib import suppress
from operator import methodcaller
from pathlib import Path
from typing import Any

from clv.data.engines.connections import engine, place_to_keep
from clv.data.engines.faults import coded, reason
from clv.data.engines.leftovers import Drop, forget, watch
from clv.data.engines.transfers import batches, frame, with_zones
from clv.errors import OutputError

_CALLED = {"postgres": "the PostgreSQL server", "pyspark": "Spark"}


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
    forget()
    with coded(of or _CALLED.get(kind, "the data")):
        if kind == "pyspark":
            # A mere cache would keep the whole plan, which Spark reads again with every query upon it.
            frame(expr).localCheckpoint().createOrReplaceTempView(name)
            table, drop = connection.table(name), _drops_view(name, kind)
        elif kind in ("duckdb", "postgres"):
            place = place_to_keep(connection)
            table = connection.create_table(name, expr, temp=not place, **place)
            drop = methodcaller("drop_table", name, force=True, **place)
        else:
            return expr.cache()
        if kind == "postgres":  # nobody else counts the rows of a temporary table for the planner
            connection.raw_sql(f'ANALYZE "{name}"').close()
        watch(table, connection, drop)
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
    watch(table, connection, _drops_view(name, kind), expr)  # which may stand on kept tables
    return with_zones(table) if kind == "pyspark" else table


def _drops_view(name: str, kind: str) -> Drop:
    if kind == "pyspark":
        return lambda connection: connection._session.catalog.dropTempView(name)
    return methodcaller("drop_view", name, force=True)


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
