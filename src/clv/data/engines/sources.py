"""What a user hands in, as a table: files, databases, data frames, Ibis tables."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from glob import has_magic
from pathlib import Path
from typing import Any

from clv.data.engines import ENGINES, ROW, files
from clv.data.engines.addresses import expanded, is_postgres
from clv.data.engines.connections import connect_duckdb, connect_postgres, connect_spark
from clv.data.engines.faults import coded, scrub
from clv.data.engines.frames import as_arrow, check_names, is_frame
from clv.data.engines.running import fetch
from clv.data.engines.transfers import upload, with_zones
from clv.errors import ClvError, ConfigError, DataError

_SHOWN = 8  # names of tables that a message lists


@dataclass(frozen=True)
class Source:
    """A table, and what is known of where it came from.

    `table` is an Ibis table, with the column `ROW` (int64, from 1) if `numbered`; `name` stands for it in
    messages. `mixed` has the columns of a data frame that mix integers and texts, with the number of distinct
    texts that read like one of the integers.
    """

    table: Any
    name: str
    numbered: bool = False
    mixed: dict[str, int] = field(default_factory=dict)


def open_source(
    source: Any, *, table: str | None = None, engine: str = ENGINES[0], beside: Source | None = None
) -> Source:
    """Open what a user hands in, without copying it; only CSV is read, once, into a temporary table.

    Parameters
    ----------
    source : path, URL, data frame or Ibis table
        Parquet (a file, a folder, a glob), CSV (also .gz; a glob), a DuckDB file, postgresql://…, a frame of
        pandas, Polars, PyArrow or Spark. `${NAME}` stands for a variable of the environment.
    table : name of a table or view, or "schema.table", in a database
    engine : "duckdb", or "spark" for paths and frames
    beside : an opened source on whose connection this one is to be, so that the two can be joined

    Raises
    ------
    ConfigError
        C001 for an option, URL or variable that cannot be meant.
    DataError
        I001 to I006 for a source that is not there, not whole, or not to be read; D001, D002 for its names.
    """
    if engine not in ENGINES:
        close = difflib.get_close_matches(str(engine), ENGINES, 1)
        hint = f' Did you mean "{close[0]}"?' if close else ""
        raise ConfigError(f"C001 engine must be one of {', '.join(ENGINES)}; got {engine!r}.{hint}")
    first = None if beside is None else beside.table.get_backend()
    try:
        opened = _open(source, table, engine, first)
        opened = replace(opened, table=_moments(opened.table))
        if first is None or opened.table.get_backend() is first:
            return opened
        with coded(opened.name):
            return replace(opened, table=upload(first, fetch(opened.table)))
    except ClvError as error:
        raise type(error)(*map(scrub, error.messages)) from None


def _moments(table: Any) -> Any:
    """Give moments in nanoseconds, a type that Ibis does not know, the type of all others."""
    unknown = {name: kind for name, kind in table.schema().items() if "TIMESTAMPTZ" in str(kind)}
    return (
        table.mutate(**{name: table[name].cast("timestamp('UTC')") for name in unknown}) if unknown else table
    )


def _open(source: Any, table: str | None, engine: str, first: Any) -> Source:
    import ibis

    if isinstance(source, str | Path):
        return _from_text(str(source), table, engine, first)
    if table is not None:
        raise ConfigError(
            f"C001 table names a table of a database; got {table!r} beside a data frame or table."
        )
    if isinstance(source, ibis.Table):
        of_spark = source.get_backend().name == "pyspark"
        return Source(with_zones(source) if of_spark else source, "the table")
    if type(source).__module__.startswith("pyspark.sql"):
        connection = first if first is not None and first.name == "pyspark" else connect_spark()
        return Source(files.spark_table(connection, source), "the data frame")
    return _from_frame(source, _connection(engine, first))


def _connection(engine: str, first: Any) -> Any:
    """The connection for files and frames: that of the first source where it takes them."""
    if first is not None and first.name in ("duckdb", "pyspark"):
        return first
    return connect_spark() if engine == "spark" else connect_duckdb()


def _from_frame(source: Any, connection: Any) -> Source:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

    if isinstance(source, ds.Dataset) and connection.name == "duckdb":
        table, empty = upload(connection, source), [f.name for f in source.schema if pa.types.is_null(f.type)]
        return Source(
            table.mutate({n: table[n].cast("string") for n in empty}) if empty else table, "the data set"
        )
    if isinstance(source, ds.Dataset):
        source = source.to_table()
    if not is_frame(source):
        raise DataError(
            "I001 a source must be a path, a URL, a data frame or an Ibis table; got "
            f"{type(source).__name__}."
        )
    data, mixed = as_arrow(source)
    check_names([*data.column_names, ROW])
    data = data.append_column(ROW, pa.array(np.arange(1, len(data) + 1, dtype=np.int64)))
    return Source(upload(connection, data), "the data frame", numbered=True, mixed=mixed)


# Paths and URLs.


def _from_text(text: str, table: str | None, engine: str, first: Any) -> Source:
    place = expanded(text, "the source")
    named = None if table is None else expanded(table, "table")
    if engine == "spark" and (is_postgres(place) or files.kind_of(place) == files.DATABASE):
        raise ConfigError(
            'C001 engine = "spark" reads Parquet, CSV and data frames; leave it out for a database.'
        )
    if is_postgres(place):
        return _from_postgres(place, named, table, first)
    kind, shown = files.kind_of(place), _shown(text, place)
    if kind == files.DATABASE:
        return _from_database(place, named, table, shown, first)
    if named is not None:
        raise ConfigError(f"C001 table names a table of a database; got {table!r} beside the file {shown}.")
    connection = _connection(engine, first)
    if connection.name == "pyspark":
        read = files.spark_csv if kind == files.CSV else files.spark_parquet
        return Source(read(connection, place, shown), shown)
    if "://" in place:
        raise DataError(
            f'I001 {shown} is not on this machine. Open it with engine = "spark", or with Ibis, and hand in '
            "the table that this gives."
        )
    return _from_files(place, shown, connection)


def _shown(text: str, place: str) -> str:
    """Name a path as it was written, before variables were put in: by its end, a glob by two parts."""
    parts = Path(text).parts
    several = has_magic(place) and not Path(place).exists()
    return "/".join(parts[-2:]) if several else (parts[-1] if parts else text)


def _from_files(place: str, shown: str, connection: Any) -> Source:
    found = files.find_files(place, shown)
    if files.kind_of(str(found[0])) == files.CSV:
        return Source(files.read_csv(connection, found), shown, numbered=True)
    folder = Path(place) if Path(place).is_dir() else None
    scanned, numbered = files.scan_parquet(connection, found, folder)
    return Source(scanned, shown, numbered)


def _from_database(place: str, named: str | None, table: str | None, shown: str, first: Any) -> Source:
    (file,) = files.find_files(place, shown)
    connection = first if first is not None and first.name == "duckdb" else connect_duckdb()
    alias = files.attach(connection, file, shown)
    query = f"SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = '{alias}'"
    rows = connection.raw_sql(query).fetchall()
    schema, name = _chosen(rows, named, table, shown, "main")
    return Source(connection.table(name, database=(alias, schema)), f"{table or name} in {shown}")


def _chosen(
    rows: Sequence[tuple[str, str]], named: str | None, table: str | None, where: str, usual: str
) -> tuple[str, str]:
    """Find the table that is meant among (schema, table); `usual` is the schema that goes without saying."""
    names = sorted(name if schema == usual else f"{schema}.{name}" for schema, name in rows)
    listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    if named is None and len(rows) == 1:
        return rows[0]
    if named is None:
        raise ConfigError(
            f"C001 table must say which table of {where} is meant. There are: {listed or 'none'}."
        )
    for wanted in ((usual, named), tuple(named.split(".", 1))):
        if wanted in rows:
            return wanted  # type: ignore[return-value]
    close = difflib.get_close_matches(named, names, 1)
    hint = f" Did you mean {close[0]!r}?" if close else f" There are: {listed or 'none'}."
    raise DataError(f"I001 there is no table {table!r} in {where}.{hint}")


# PostgreSQL.

_TABLES = """SELECT nspname, relname, pg_table_is_visible(c.oid) FROM pg_class c
JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'v', 'm', 'f', 'p')
AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"""


def _from_postgres(url: str, named: str | None, table: str | None, first: Any) -> Source:
    if named is None:
        raise ConfigError(
            'C001 a PostgreSQL source needs the name of a table, such as table = "public.orders".'
        )
    connection = connect_postgres(url, first)
    with coded("the PostgreSQL server"), connection.raw_sql(_TABLES) as cursor:
        rows = cursor.fetchall()
    seen = {name: schema for schema, name, visible in rows if visible}
    pairs = [(schema, name) for schema, name, _ in rows]
    schema, name = _chosen(pairs, named, table, "the PostgreSQL database", seen.get(named, "public"))
    with coded(table or name):
        return Source(connection.table(name, database=schema), table or name)
