"""Data frames of any library as Arrow tables: shared where possible, of types that every engine has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clv.data.engines.functions import BLANK
from clv.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def is_frame(source: Any) -> bool:
    """Say whether `as_arrow` takes it: pandas, Polars, PyArrow, or anything that streams Arrow data."""
    return hasattr(source, "__arrow_c_stream__") or _is_polars(source)


def _is_polars(source: Any) -> bool:
    return type(source).__module__.startswith("polars.") and hasattr(source, "lazy")


def _of_polars(frame: Any) -> Any:
    """Share the memory of a frame chunk by chunk; as a stream it would be put together, in a copy."""
    import polars as pl

    return frame.lazy().collect().to_arrow(compat_level=pl.CompatLevel.newest())


def as_arrow(frame: Any) -> tuple[Any, dict[str, int]]:
    """Return a frame as an Arrow table, and what it mixed.

    Of pandas columns that mix types, text is made; where integers and texts are mixed, the second part says
    by column how many distinct texts read like one of its integers. DataError D001 when two columns have the
    same name, D002 when there is none.
    """
    import pandas as pd
    import pyarrow as pa

    mixed: dict[str, int] = {}
    if isinstance(frame, pd.DataFrame):
        names = [str(name) for name in frame.columns]
        check_names(names)
        columns = [_of_pandas(frame.iloc[:, i], name, mixed) for i, name in enumerate(names)]
    else:
        table = _of_polars(frame) if _is_polars(frame) else pa.table(frame)
        names, columns = table.column_names, table.columns
        check_names(names)
    return pa.Table.from_arrays([plain(column) for column in columns], names=names), mixed


def check_names(names: Sequence[str], of: str = "the data frame") -> None:
    """Raise DataError D001 for names that differ in nothing but capitals, D002 for none at all."""
    twice = [name for name, n in Counter(name.lower() for name in names).items() if n > 1]
    if twice:
        raise DataError(
            f"D001 several columns of {of} are called {twice[0]!r} (capital letters make no difference); "
            "rename them."
        )
    if not names:
        raise DataError(f"D002 {of} has no columns. Check how it was made.")


def _of_pandas(column: pd.Series[Any], name: str, mixed: dict[str, int]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        values = [None if missing else value for value, missing in zip(column, column.isna(), strict=True)]
        numbers = {_text(value) for value in values if _is_integer(value)}
        texts = {value.strip(BLANK) for value in values if isinstance(value, str)}
        if numbers and texts:
            mixed[name] = len(numbers & texts)
        return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _is_integer(value: Any) -> bool:
    from numbers import Real

    return isinstance(value, Real) and not isinstance(value, bool) and value == value // 1


def _text(value: Any) -> str:
    return str(int(value)) if _is_integer(value) else str(value)


def plain(column: Any) -> Any:
    """Give an Arrow column a type that every engine has; nothing is copied where it has one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, of = column.type, pa.types
    if of.is_dictionary(kind):
        return plain(pa.chunked_array([_decoded(chunk) for chunk in _chunks(column)], _value_type(kind)))
    if of.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(column))
    if isinstance(kind, pa.BaseExtensionType):
        return as_text(column) if kind.extension_name == "arrow.uuid" else plain(_storage(column))
    if of.is_null(kind):
        return column.cast(pa.string())
    if of.is_unsigned_integer(kind):
        wide = kind.bit_width < 64 or (pc.max(column).as_py() or 0) < 2**63
        return column.cast(pa.int64() if wide else pa.decimal128(20, 0))
    if of.is_float16(kind):
        return column.cast(pa.float32())
    if of.is_date64(kind):
        return column.cast(pa.date32())
    if of.is_decimal(kind) and kind.bit_width < 128:
        return column.cast(pa.decimal128(kind.precision, kind.scale))
    return column


def _chunks(column: Any) -> list[Any]:
    return list(column.chunks) if hasattr(column, "chunks") else [column]


def _value_type(kind: Any) -> Any:
    import pyarrow as pa

    return pa.large_string() if kind.value_type == pa.string_view() else kind.value_type


def _decoded(chunk: Any) -> Any:
    return chunk.dictionary.cast(_value_type(chunk.type)).take(chunk.indices)


def _storage(column: Any) -> Any:
    import pyarrow as pa

    return pa.chunked_array([chunk.storage for chunk in _chunks(column)], column.type.storage_type)


def as_text(column: Any) -> Any:
    """Turn an Arrow column of any type into text."""
    import pyarrow as pa

    return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
