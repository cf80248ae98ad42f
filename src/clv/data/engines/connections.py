"""Connect to DuckDB, PostgreSQL and Spark, as the rest of the package counts on."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from clv.data.engines.addresses import postgres_parts
from clv.data.engines.faults import coded
from clv.errors import ConfigError

_KEPT = "clv_kept", "main"
_OURS: weakref.WeakSet[Any] = weakref.WeakSet()  # connections that have such a catalog
_AMOUNT = r"\d+(\.\d+)? ?[kKMGT]i?B"


def connect_duckdb() -> Any:
    """Return a new DuckDB in memory, which keeps and spills to a private folder that is removed with it.

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
    # What is kept lies there compressed: in memory DuckDB has tables as they come, four times as large.
    place = str(Path(folder, "kept.duckdb")).replace("'", "''")
    connection.raw_sql(f"ATTACH '{place}' AS {_KEPT[0]} (RECOVERY_MODE no_wal_writes)")
    _OURS.add(connection)
    weakref.finalize(connection, shutil.rmtree, folder, ignore_errors=True)
    return connection


def place_to_keep(connection: Any) -> dict[str, Any]:
    """Say to Ibis where tables are kept: in the folder of a connection of ours, on others nowhere yet."""
    return {"database": _KEPT} if connection in _OURS else {}


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
