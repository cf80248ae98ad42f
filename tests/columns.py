"""What tests of columns share: numbered rows in, the values of expressions out."""

from typing import Any

import pyarrow as pa

from clv.data.dates import Parsed
from clv.data.engines import fetch


def rows(table: Any, **expressions: Any) -> dict[str, list[Any]]:
    """The columns of expressions, in the order of `i`."""
    columns: dict[str, list[Any]] = fetch(table.select("i", **expressions)).sort_by("i").to_pydict()
    return columns


def numbered(**columns: Any) -> pa.Table:
    (size,) = {len(column) for column in columns.values()}
    return pa.table({"i": pa.array(range(size), "int64"), **columns})


def parts(**read: Parsed) -> dict[str, Any]:
    return {
        f"{name}_{part}": getattr(parsed, part)
        for name, parsed in read.items()
        for part in ("value", "missing", "unreadable")
    }
