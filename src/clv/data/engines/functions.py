"""Functions that engines spell, or compute, differently."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from clv.data.engines.connections import engine
from clv.data.engines.faults import hide

BLANK = " \t\n\r"  # what is trimmed off texts
_HEX, _LETTERS = "abcdef", "bkmpqv"  # letters that no language sorts in pairs


def trimmed(text: Any) -> Any:
    """Text without blanks, tabs and line ends around it.

    Not by `strip` of Ibis: on Spark and Snowflake it takes the letters v and f away as well.
    """
    import ibis

    kind = engine(text)
    if kind != "duckdb":
        return _call(
            "btrim" if kind in ("postgres", "pyspark", "databricks") else "trim", "string", text, BLANK
        )
    ends = (text.ascii_str() < 33) | (text.right(1).ascii_str() < 33)  # a look at both ends is faster
    return ibis.ifelse(ends, _call("trim", "string", text, BLANK), text)


def plain_text(column: Any) -> Any:
    """Trimmed text; blank and NaN become null. A whole number in a float column reads 1, not 1.0."""
    import ibis

    text = column.cast("string")
    if column.type().is_floating():
        small = column.abs() < 2.0**63  # not so for NaN, which is above all numbers
        whole = ibis.ifelse(small, column, 0.0).floor()
        text = ibis.ifelse(small & (whole == column), whole.cast("int64").cast("string"), text)
        text = ibis.ifelse(column.isnan(), ibis.null("string"), text)
    return trimmed(text).nullif("")


def epoch_seconds(moment: Any) -> Any:
    """Seconds since 1970 in UTC; Ibis goes by the session's clock on DuckDB, and truncates on Spark."""
    name = {"duckdb": "epoch", "pyspark": "unix_seconds"}.get(engine(moment))
    return _call(name, "float64", moment) if name else moment.epoch_seconds().cast("float64")


def sha256(text: Any, salt: str) -> Any:
    """The SHA-256 of salt + text in UTF-8, as 64 small hexadecimal digits; null stays null."""
    import ibis

    hide(salt, "***")
    text, name = ibis.literal(salt) + text, engine(text)
    if name == "postgres":
        return _call("encode", "string", _call("sha256", "binary", _utf8(text)), "hex")
    if name == "bigquery":
        return _call("to_hex", "string", _call("sha256", "binary", text))
    if name == "snowflake":
        return _call("sha2", "string", text, 256)
    return text.hexdigest("sha256")


def sort_key(text: Any) -> Any:
    """An expression in whose order texts stand by their UTF-8 bytes, whatever the engine's collation.

    On PostgreSQL in hexadecimal; its letters are others, since Danish has "aa" after "z", and so on.
    """
    if engine(text) != "postgres":
        return text
    return _call("translate", "string", _call("encode", "string", _utf8(text), "hex"), _HEX, _LETTERS)


def least(text: Any) -> Any:
    """The first of texts in the order of `sort_key`; null of nothing but nulls."""
    if engine(text) != "postgres":
        return text.min()
    first = _call("translate", "string", sort_key(text).min(), _LETTERS, _HEX)
    return _call("convert_from", "string", _call("decode", "binary", first, "hex"), "UTF8")


def _utf8(text: Any) -> Any:
    return _call("convert_to", "binary", text, "UTF8")


def _call(name: str, gives: str, *values: Any) -> Any:
    """Call a function that the engine has and Ibis does not know."""
    import ibis

    kinds = [str(v.type() if isinstance(v, ibis.Expr) else ibis.literal(v).type()).strip("!") for v in values]
    return _function(name, tuple(kinds), gives)(*values)


@cache
def _function(name: str, takes: tuple[str, ...], gives: str) -> Any:
    import ibis

    def call(*values):  # type: ignore[no-untyped-def]
        """Stand for the engine's function."""

    places = [inspect.Parameter(f"value{i}", inspect.Parameter.POSITIONAL_ONLY) for i in range(len(takes))]
    call.__signature__ = inspect.Signature(places)  # type: ignore[attr-defined]
    return ibis.udf.scalar.builtin(call, name=name, signature=(takes, gives))
