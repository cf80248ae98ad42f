"""Files as tables: Parquet where it lies, CSV read once, on DuckDB or on Spark."""

from __future__ import annotations

import csv
import glob
import gzip
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from clv.data.engines import ROW
from clv.data.engines.faults import coded
from clv.data.engines.frames import check_names
from clv.data.engines.transfers import with_zones
from clv.errors import DataError

PARQUET, CSV, DATABASE = (".parquet", ".pq"), (".csv", ".tsv", ".txt"), (".duckdb", ".ddb", ".db")
_HIVE, _HIVE_NULL = re.compile(r"([^=]+)=(.*)"), "__HIVE_DEFAULT_PARTITION__"
_READ = {"header": "true", "delim": "{}", "quote": '"', "escape": '"', "comment": ""}


def kind_of(place: str) -> tuple[str, ...] | None:
    """The suffixes to which that of a path belongs; None for a folder, or what cannot be known."""
    suffixes = [suffix.lower() for suffix in Path(place).suffixes]
    last = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else "".join(suffixes[-1:])
    return next((kind for kind in (PARQUET, CSV, DATABASE) if last in kind), None)


def find_files(place: str, name: str) -> list[Path]:
    """Return the files of a path, a folder of Parquet or a glob, sorted; those that begin with . or _ aside.

    DataError I001 when there is none, or none of a known kind; I006 when a folder cannot be read.
    """
    path = Path(place)
    with coded(name):
        if path.is_dir():
            found = [file for file in _walk(path) if kind_of(str(file)) == PARQUET]
        elif path.exists() or not glob.has_magic(place):
            found = [path] if path.exists() else []
        else:
            found = [Path(file) for file in glob.glob(place, recursive=True)]
            found = [file for file in found if file.is_file() and not file.name.startswith((".", "_"))]
    if not found:
        _not_found(path, name)
    kinds = {kind_of(str(file)) for file in found}
    if None in kinds or len(kinds) > 1:
        known = ", ".join((*PARQUET, *CSV, ".csv.gz", *DATABASE))
        what = "is of no known kind" if len(kinds) == 1 else "holds files of several kinds"
        raise DataError(f"I001 {name} {what}. Known kinds: {known}.")
    for file in found:
        if not file.stat().st_size:
            raise DataError(f"I002 {file.name} is an empty file, without even column names. Export it again.")
    return sorted(found)


def _not_found(path: Path, name: str) -> NoReturn:
    if path.is_dir():
        raise DataError(
            f'I001 the folder {name} holds no Parquet files. Of CSV, give a glob: "{name}/*.csv".'
        )
    raise DataError(
        f"I001 file not found: {name}. Paths in a config are relative to the config file, in Python to the "
        "folder that you work in."
    )


def _walk(folder: Path) -> Iterator[Path]:
    def stop(error: OSError) -> None:
        raise error  # a folder that cannot be read would be passed over, and its rows with it

    for root, folders, names in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        yield from (Path(root, name) for name in names if not name.startswith((".", "_")))


# On DuckDB.


def scan_parquet(connection: Any, files: Sequence[Path], folder: Path | None) -> tuple[Any, bool]:
    """Return Parquet files as one table, scanned in place, and whether it numbers its rows.

    Below `folder`, parts such as `country=AT` are columns of text; a column that a file lacks is null there.
    DataError I003 when a column has other types in other files.
    """
    columns, names_differ = _agreed_columns(connection, files)
    keys, above = _hive_keys(files, folder)
    numbered = len(files) == 1 and "file_row_number" not in {name.lower() for name in columns}
    drop = f" EXCLUDE ({', '.join(map(_quoted, above))})" if keys and above else ""
    mend = [f"CAST({_quoted(n)} AS VARCHAR) AS {_quoted(n)}" for n, kind in columns.items() if kind == "NULL"]
    mend += [f"nullif({_quoted(key)}, '{_HIVE_NULL}') AS {_quoted(key)}" for key in keys]
    drop += f" REPLACE ({', '.join(mend)})" if mend else ""
    number = f", file_row_number + 1 AS {_quoted(ROW)}" if numbered else ""
    listed = ", ".join(map(_literal, files))
    options = f"hive_partitioning={bool(keys)}, hive_types_autocast=false, union_by_name={names_differ}"
    query = f"SELECT *{drop}{number} FROM read_parquet([{listed}], {options})"
    return _view(connection, query), numbered


def _agreed_columns(connection: Any, files: Sequence[Path]) -> tuple[dict[str, str], bool]:
    """The types by column, and whether files differ in columns, or have one without a type (all null)."""
    agreed: dict[str, tuple[str, Path]] = {}
    seen = set()
    for file in files:
        with coded(file.name):
            query = f"DESCRIBE SELECT * FROM read_parquet([{_literal(file)}], hive_partitioning=false)"
            kinds = {row[0]: row[1].strip('"') for row in connection.raw_sql(query).fetchall()}
        seen.add(frozenset(kinds.items()))
        for name, kind in kinds.items():
            other, first = agreed.setdefault(name, (kind, file))
            if kind == other or _all_null(file, name, kind):
                continue
            if not _all_null(first, name, other):
                raise DataError(
                    f"I003 column {name!r} changes its type: {other} in {first.name}, {kind} in {file.name}. "
                    "Export all files in one form."
                )
            agreed[name] = (kind, file)
    return {name: kind for name, (kind, _) in agreed.items()}, len(seen) > 1


def _all_null(file: Path, name: str, kind: str) -> bool:
    """Say whether a column has no type but null; DuckDB before version 2 calls that an integer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return kind == "NULL" or (kind == "INTEGER" and pa.types.is_null(pq.read_schema(file).field(name).type))


def _hive_keys(files: Sequence[Path], folder: Path | None) -> tuple[list[str], list[str]]:
    """The keys of Hive partitions in paths: below the folder, and above it, which are none of ours."""
    if folder is None:
        return [], []
    below = [[m[1] for p in f.relative_to(folder).parts[:-1] if (m := _HIVE.fullmatch(p))] for f in files]
    if any(keys != below[0] for keys in below):
        raise DataError(
            f"I003 the folders in {folder.name} are not divided by the same columns. Mend the paths."
        )
    above = [match[1] for part in folder.parts if (match := _HIVE.fullmatch(part))]
    return below[0], [key for key in above if key not in below[0]]


def read_csv(connection: Any, files: Sequence[Path]) -> Any:
    """Read CSV files of the same columns into a temporary table of texts, whose rows are numbered.

    DataError I002 for a file that is broken, or has other columns than the first.
    """
    delimiter, names = _same_header(files)
    options = ", ".join(f"{key}='{value.format(delimiter)}'" for key, value in _READ.items())
    called = (name or f"column{i}" for i, name in enumerate(names))
    columns = ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name in called)
    name = _new_name()
    before = connection.settings["preserve_insertion_order"]
    with coded(files[0].name if len(files) == 1 else "the files"):
        connection.raw_sql("SET preserve_insertion_order = true")  # so that row ids are the rows of the files
        try:
            listed = ", ".join(map(_literal, files))
            connection.raw_sql(
                f"CREATE TEMP TABLE {name} AS SELECT * FROM read_csv([{listed}], {options}, skip=0, "
                f"auto_detect=false, columns={{{columns}}})"
            )
        finally:
            connection.raw_sql(f"SET preserve_insertion_order = {before}")
    return _view(connection, f"SELECT *, rowid + 1 AS {_quoted(ROW)} FROM {name}")


def _same_header(files: Sequence[Path]) -> tuple[str, list[str]]:
    """Check that files have the same line of names, and return the delimiter and the names."""
    headers = []
    for file in files:
        with coded(file.name):
            line = _first_line(file)
        headers.append(header_of(line, file.name))
        if headers[-1] != headers[0]:
            theirs, ours = headers[-1][1], headers[0][1]
            odd = sorted(set(theirs) ^ set(ours)) or theirs
            raise DataError(
                f"I002 {file.name} has other columns than {files[0].name} ({', '.join(map(repr, odd[:5]))}), "
                "or in another order. Export all files in one form."
            )
    return headers[0]


def header_of(line: str, name: str) -> tuple[str, list[str]]:
    """Read delimiter and names off the line of names; nothing about a file's form is left to be guessed."""
    unquoted = re.sub(r'"[^"]*"', "", line)
    delimiter = max(",;\t|", key=unquoted.count)
    try:
        names = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        names = ["\0"]
    if "\0" in "".join(names):
        raise DataError(
            f"I002 {name} cannot be read: it does not begin with a line of names. Export it again."
        )
    check_names([n for n in names if n], name)
    return delimiter, names


def _first_line(file: Path) -> str:
    """The line of names; of a .gz all is read, since DuckDB looks neither at its checksum nor for its end."""
    if file.suffix.lower() != ".gz":
        with file.open("rb") as opened:
            line = opened.readline()
    else:
        with gzip.open(file) as opened:
            line = opened.readline()
            while opened.read(1 << 20):
                pass
    return line.decode("utf-8-sig", errors="replace").rstrip("\r\n")


def attach(connection: Any, file: Path, name: str) -> str:
    """Open a DuckDB file for reading only, and return the name under which the connection knows it."""
    alias = _new_name()
    path = str(file).replace("'", "''")
    with coded(name):
        connection.raw_sql(f"ATTACH '{path}' AS {alias} (READ_ONLY)")
    return alias


def _view(connection: Any, query: str) -> Any:
    name = _new_name()
    connection.raw_sql(f"CREATE TEMP VIEW {name} AS {query}")
    return connection.table(name)


def _new_name() -> str:
    import ibis

    name: str = ibis.util.gen_name("clv_file")
    return name


def _literal(path: Path) -> str:
    text = glob.escape(str(path)).replace("'", "''")
    return f"'{text}'"


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


# On Spark, which finds the files itself: they may lie where only the cluster sees them.


def spark_parquet(connection: Any, place: str, name: str) -> Any:
    """Return Parquet as a table of Spark; the columns of partitions are text there too."""
    session, key = connection._session, "spark.sql.sources.partitionColumnTypeInference.enabled"
    with coded(name):
        before = session.conf.get(key)
        session.conf.set(key, "false")
        try:
            frame = session.read.option("mergeSchema", "true").parquet(place)
        finally:
            session.conf.set(key, before)
        return spark_table(connection, frame)


def spark_csv(connection: Any, place: str, name: str) -> Any:
    """Read CSV once into a cached table of texts, as strictly as DuckDB does."""
    session = connection._session
    with coded(name):
        first = session.read.text(place).head()
        if first is None:
            raise DataError(f"I002 {name} is an empty file, without even column names. Export it again.")
        delimiter, _ = header_of(first[0].lstrip("\ufeff"), name)
        options = {"header": True, "sep": delimiter, "quote": '"', "escape": '"', "multiLine": True}
        strict = {"mode": "FAILFAST", "enforceSchema": False, "unescapedQuoteHandling": "RAISE_ERROR"}
        frame = session.read.options(**options, **strict, columnPruning=False).csv(place).cache()
        odd = " OR ".join(f"instr({_ticked(column)}, '\ufffd') > 0" for column in frame.columns)
        if frame.where(odd).count():
            raise DataError(f"I002 {name} cannot be read: it is not UTF-8. Mend it, or export it again.")
        return spark_table(connection, frame)


def spark_table(connection: Any, frame: Any) -> Any:
    """Return a Spark frame as a table of a connection to its session."""
    name = _new_name()
    frame.createOrReplaceTempView(name)
    return with_zones(connection.table(name))


def _ticked(name: str) -> str:
    escaped = name.replace("`", "``")
    return f"`{escaped}`"
