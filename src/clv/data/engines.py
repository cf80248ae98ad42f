"""Open a source as a table, and cut the business day: all that differs between engines stands here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clv.errors import DataError

EPOCH = "1970-01-01"


def open_table(source: Any, timezone: str | None, beside: Any = None) -> Any:
    """Return `source` as an Ibis table with a `row` column (from 1), strings untouched.

    `source` is a path to CSV (also .gz) or Parquet, a pandas frame, or an Ibis table. CSV columns stay
    text, so that leading zeros and odd dates survive until the contract reads them. A table opened
    `beside` another shares its connection, so that the two can be joined.

    Raises DataError I001 when the file is missing or cannot be read.
    """
    import ibis

    if isinstance(source, ibis.Table):
        return source.mutate(row=ibis.row_number() + 1)
    connection = _connect(timezone) if beside is None else beside.get_backend()
    if isinstance(source, str | Path):
        return _read_file(connection, Path(source))
    if not hasattr(source, "columns"):
        raise DataError(
            f"I001 a source must be a file, a data frame or an Ibis table; got {type(source).__name__}."
        )
    name = ibis.util.gen_name("source")
    table = connection.create_table(name, source.reset_index(drop=True), temp=True)
    return table.mutate(row=ibis.row_number() + 1)


def _connect(timezone: str | None) -> Any:
    import ibis

    connection = ibis.duckdb.connect()
    connection.raw_sql(f"SET TimeZone = '{_known_zone(timezone)}'")
    connection.raw_sql("SET enable_progress_bar = false")
    return connection


def _read_file(connection: Any, path: Path) -> Any:
    import ibis

    if not path.is_file():
        raise DataError(f"I001 file not found: {path}. Paths in a config are relative to the config file.")
    reader = connection.read_parquet if ".parquet" in path.suffixes else connection.read_csv
    options = {} if ".parquet" in path.suffixes else {"all_varchar": True, "header": True}
    try:
        table = reader(str(path), **options)
        return table.mutate(row=ibis.row_number() + 1)
    except Exception as error:
        raise DataError(f"I002 {path.name} cannot be read: {str(error).splitlines()[0]}") from error


def _known_zone(timezone: str | None) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from clv.errors import ConfigError

    try:
        return ZoneInfo(timezone or "UTC").key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"C001 timezone must be a name such as 'Europe/Prague'; got {timezone!r}."
        ) from None


def local_day(column: Any, date_format: str | None) -> Any:
    """Whole days since 1970-01-01 of a date, timestamp or text column, in the session's zone; null if unreadable.

    Text without an offset is a local time; an offset is converted to the business zone.
    """
    import ibis

    kind = column.type()
    if date_format is not None:
        moment = _try_strptime(column.cast("string").strip(), date_format).cast("date")
    elif kind.is_string():
        text = column.strip()
        digits = text.re_search(r"^\d+$")
        moment = ibis.ifelse(digits, ibis.null(), text).try_cast("timestamp('UTC')").cast("date")
    else:
        moment = column.cast("date")
    return moment.delta(ibis.date(EPOCH), unit="day").cast("int32")


def _try_strptime(text: Any, date_format: str) -> Any:
    import ibis

    def parse(text, form):  # type: ignore[no-untyped-def]
        """Parse, or null."""

    signature = (("string", "string"), "timestamp")
    return ibis.udf.scalar.builtin(parse, name="try_strptime", signature=signature)(text, date_format)
