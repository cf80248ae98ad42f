"""Rows across the border of an engine, as Arrow tables, with nulls, digits and time zones as they were."""

from __future__ import annotations

from collections.abc import Iterator
from io import RawIOBase
from typing import Any

from clv.data.engines.frames import as_text
from clv.data.engines.leftovers import forget, watch

_CHUNK = 1 << 24  # bytes of CSV that are parsed at once


def batches(expr: Any, schema: Any) -> Iterator[Any]:
    """Run a table expression, and return its rows in Arrow batches of a schema."""
    name = expr.get_backend().name
    if name == "pyspark":
        yield from frame(expr).toArrow().cast(schema).to_batches()
    elif name == "postgres" and all(map(_copies, schema.types)):
        yield from _copied_out(expr, schema)
    else:
        yield from expr.to_pyarrow_batches(chunk_size=100_000)


def frame(expr: Any) -> Any:
    """Return an expression as a Spark frame; by way of pandas, as Ibis goes, integers would lose digits."""
    connection = expr.get_backend()
    connection._run_pre_execute_hooks(expr)
    return connection.raw_sql(connection.compile(expr))


def _copies(kind: Any) -> bool:
    """Say whether a type can be read from what COPY writes."""
    import pyarrow as pa

    of = pa.types
    return any(
        test(kind)
        for test in (of.is_integer, of.is_floating, of.is_boolean, of.is_string, of.is_date, of.is_timestamp)
    )


def _copied_out(expr: Any, schema: Any) -> Iterator[Any]:
    """The rows of a PostgreSQL query by COPY, which is many times faster than one by one."""
    connection = expr.get_backend()
    connection._run_pre_execute_hooks(expr)
    query = f"COPY ({connection.compile(expr)}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')"
    held = bytearray()
    with connection.con.cursor() as cursor, cursor.copy(query) as copy:
        while row := copy.read():  # always a whole row
            held += row
            if len(held) > _CHUNK:
                yield from _parsed(held, schema)
                held = bytearray()
    if held:
        yield from _parsed(held, schema)


def _parsed(rows: bytearray, schema: Any) -> Any:
    import pyarrow as pa
    import pyarrow.csv as pc

    table = pc.read_csv(
        pa.BufferReader(pa.py_buffer(rows)),
        read_options=pc.ReadOptions(column_names=schema.names),
        parse_options=pc.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pc.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    return table.to_batches()


class _Sink(RawIOBase):
    """A file whose content goes to a COPY."""

    def __init__(self, copy: Any) -> None:
        self._copy = copy

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        """Send on what is written."""
        self._copy.write(bytes(content))
        return len(content)


def upload(connection: Any, table: Any) -> Any:
    """Bring a pyarrow table of plain types to an engine for this session, nulls as nulls."""
    import ibis
    import pyarrow as pa

    name = ibis.util.gen_name("clv_source")
    if connection.name == "duckdb":
        forget()
        connection.con.register(name, table)
        found = connection.table(name)
        watch(found, connection, lambda there: there.con.unregister(name))
        return found
    columns = [_sendable(column) for column in table.columns]
    table = pa.Table.from_arrays(columns, names=table.column_names)
    if connection.name == "postgres":
        return _copied_in(connection, name, table)
    if connection.name == "pyspark":
        return _to_spark(connection, name, table)
    return connection.create_table(name, table, temp=True)


def _sendable(column: Any) -> Any:
    """Give a column one of the few types that go to a server; of all others, text."""
    import pyarrow as pa

    kind = column.type
    if kind in (pa.string_view(), pa.large_string()):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind) and kind.unit != "us":
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    return column if _copies(kind) or pa.types.is_decimal(kind) else as_text(column)


def _copied_in(connection: Any, name: str, table: Any) -> Any:
    import ibis
    import pyarrow as pa
    import pyarrow.csv as pc

    made = connection.create_table(name, schema=ibis.Schema.from_pyarrow(table.schema), temp=True)
    query = f"COPY \"{name}\" FROM STDIN (FORMAT csv, ENCODING 'UTF8')"
    with connection.con.cursor() as cursor:
        with cursor.copy(query) as copy:
            pc.write_csv(table, pa.PythonFile(_Sink(copy), "w"), pc.WriteOptions(include_header=False))
        cursor.execute(f'ANALYZE "{name}"')
    return made


def _to_spark(connection: Any, name: str, table: Any) -> Any:
    """Times without a zone stay so: Spark would take them for moments."""
    session, key = connection._session, "spark.sql.timestampType"
    before = session.conf.get(key)
    session.conf.set(key, "TIMESTAMP_NTZ")
    try:
        session.createDataFrame(table).createOrReplaceTempView(name)
    finally:
        session.conf.set(key, before)
    return with_zones(connection.table(name))


def with_zones(table: Any) -> Any:
    """Say of Spark's moments that they are moments: Ibis takes them for times without a zone."""
    schema = table.get_backend().raw_sql(table.compile()).schema
    moments = [field.name for field in schema if field.dataType.typeName() == "timestamp"]
    return (
        table.mutate({name: table[name].cast("timestamp('UTC')") for name in moments}) if moments else table
    )
