"""Open a source as a table, and cut the business day: all that differs between engines stands here."""

from __future__ import annotations

import glob
import gzip
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

EPOCH = "1970-01-01"
ROW = "clv: row number"  # the column that open_table adds: a name that nobody has
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # the years 1 to 9999, as Python's dates have them
_DATE_TEXT = r"^\d{4}[-/]\d"
ZONED_TEXT = r":\d\d.*([A-Za-z]|[+-]\d\d)"
_PARQUET = (".parquet", ".pq")


def open_table(source: Any, timezone: str | None, beside: Any = None) -> Any:
    """Return `source` as an Ibis table with a column `ROW` (from 1), strings untouched.

    `source` is a path to CSV (also .gz) or Parquet, a pandas frame, or an Ibis table. CSV columns stay
    text, so that leading zeros and odd dates survive until the contract reads them. A table opened
    `beside` another shares its connection, so that the two can be joined.

    Raises DataError I001 when there is no such source, I002 when it cannot be read.
    """
    import ibis
    import pandas as pd

    if isinstance(source, ibis.Table):
        return _numbered(source)
    if not isinstance(source, str | Path | pd.DataFrame):
        raise DataError(
            f"I001 a source must be a file, a data frame or an Ibis table; got {type(source).__name__}."
        )
    connection = _connect(timezone) if beside is None else beside.get_backend()
    if isinstance(source, pd.DataFrame):
        return _numbered(connection.create_table(_new_name(), _arrow(source), temp=True))
    return _numbered(_read_file(connection, Path(source)))


def _numbered(table: Any) -> Any:
    import ibis

    return table.mutate(**{ROW: ibis.row_number() + 1})


def _new_name() -> str:
    import ibis

    name: str = ibis.util.gen_name("source")
    return name


def _connect(timezone: str | None) -> Any:
    import ibis

    connection = ibis.duckdb.connect()
    connection.raw_sql(f"SET TimeZone = '{known_zone(timezone)}'")
    return connection


def _read_file(connection: Any, path: Path) -> Any:
    """Read all of a file now, so that what is broken in it shows here."""
    if not path.is_file():
        raise DataError(f"I001 file not found: {path}. Paths in a config are relative to the config file.")
    if not path.stat().st_size:
        raise DataError(f"I002 {path.name} is an empty file, without even column names. Export it again.")
    parquet = path.suffix.lower() in _PARQUET
    try:
        if parquet:
            table = connection.read_parquet(glob.escape(str(path)))
        else:
            options = {"delim": _delimiter(path), "quote": '"', "escape": '"', "comment": "", "skip": 0}
            table = connection.read_csv(glob.escape(str(path)), all_varchar=True, header=True, **options)
        return connection.create_table(_new_name(), table, temp=True)
    except Exception as error:
        reason = " ".join(str(error).split("Possible")[0].split())[:300].rstrip(". ")
        raise DataError(f"I002 {path.name} cannot be read: {reason}. Mend it, or export it again.") from error


def _delimiter(path: Path) -> str:
    """Read the delimiter off the line of names; nothing about a file's form is left to be guessed."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
        names = file.readline()
    return max(",;\t|", key=names.count)


def _arrow(frame: pd.DataFrame) -> Any:
    """Turn a frame into an Arrow table; columns that mix types, or hold nothing, become text."""
    import pyarrow as pa

    names = [str(name) for name in frame.columns]
    twice = [name for name, n in Counter(name.lower() for name in names).items() if n > 1]
    if twice:
        raise DataError(
            f"D001 several columns are called {twice[0]!r} (capital letters make no difference); rename them."
        )
    if not names:
        raise DataError("D002 the data frame has no columns. Check how it was made.")
    columns = [_arrow_column(frame.iloc[:, i]) for i in range(len(names))]
    return pa.Table.from_arrays(columns, names=names)


def _arrow_column(column: pd.Series) -> Any:
    import pyarrow as pa

    try:
        array = pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        array = pa.array(column.map(str, na_action="ignore"), type=pa.string(), from_pandas=True)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array


def known_zone(timezone: str | None) -> str:
    """Return the name of a time zone, UTC by default; ConfigError C001 when there is none of this name."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(timezone or "UTC").key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"C001 timezone must be a name such as 'Europe/Prague'; got {timezone!r}."
        ) from None


def local_day(column: Any, timezone: str | None, date_format: str | None) -> Any:
    """Whole days since 1970-01-01 in the business zone; null where there is no readable date.

    Dates and times without an offset are local already; an offset, or a column's own zone, is converted,
    whatever the zone of the session.
    """
    import ibis

    kind, zone = column.type(), known_zone(timezone)
    if kind.is_date() or (kind.is_timestamp() and kind.timezone is None):
        day = column.cast("date")
    elif kind.is_timestamp():
        day = _in_zone(column, zone).cast("date")
    elif date_format is not None:
        day = _parsed(plain_text(column), date_format, zone).cast("date")
    elif kind.is_string():
        text = column.strip()
        text = ibis.ifelse(text.re_search(_DATE_TEXT), text, ibis.null("string"))
        there = _in_zone(text.try_cast("timestamp('UTC')"), zone).cast("date")
        day = ibis.ifelse(text.re_search(ZONED_TEXT), there, text.try_cast("timestamp").cast("date"))
    else:
        day = ibis.null("date")
    days = day.delta(ibis.date(EPOCH), unit="day")
    return ibis.ifelse(days.between(_FIRST_DAY, _LAST_DAY), days, ibis.null()).cast("int32")


def plain_text(column: Any) -> Any:
    """Trimmed text; blank and NaN become null. A whole number in a float column reads 1, not 1.0."""
    import ibis

    text = column.cast("string")
    if column.type().is_floating():
        whole = column.try_cast("int64")
        text = ibis.ifelse(whole.cast("float64") == column, whole.cast("string"), text)
        text = ibis.ifelse(column.isnan(), ibis.null("string"), text)
    return text.strip().nullif("")


def _in_zone(moment: Any, zone: str) -> Any:
    return _builtin("timezone", ("string", "timestamp('UTC')"), "timestamp")(zone, moment)


def _parsed(text: Any, date_format: str, zone: str) -> Any:
    zoned = "%z" in date_format.lower()
    kind = "timestamp('UTC')" if zoned else "timestamp"
    moment = _builtin("try_strptime", ("string", "string"), kind)(text, date_format)
    return _in_zone(moment, zone) if zoned else moment


def _builtin(name: str, takes: tuple[str, str], gives: str) -> Any:
    """Name a function that the engine has and Ibis does not know."""
    import ibis

    def call(one, two):  # type: ignore[no-untyped-def]
        """Stand for the engine's function."""

    return ibis.udf.scalar.builtin(call, name=name, signature=(takes, gives))
