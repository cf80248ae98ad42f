"""A column → money in minor units, whole numbers, the same on every engine.

No engine reads a number that it might refuse: a text is looked at first, and cast only when it is a plain
number. Money is rounded once, half to even.
"""

from __future__ import annotations

from typing import Any

from clv.data.dates import Parsed
from clv.data.engines import plain_text

LARGEST = 2**52  # minor units: beyond, a double has no halves left to round
_SNAP = 1e-6  # 2.675 × 100 is 267.49999999999994 in binary, and meant as a tie
_ABSENT = ("nan", "null", "none")
_INFINITE = ("inf", "+inf", "-inf", "infinity", "+infinity", "-infinity")
_PLAIN = r"^[+-]?([0-9]{1,40}[.]?[0-9]{0,40}|[.][0-9]{1,40})([eE][+-]?[0-9]{1,2})?$"
_BETWEEN = "'\u2019 \u00a0\u202f"  # what stands between thousands beside comma and point
_COMMA = f"^[+-]?([0-9]{{1,40}}|[0-9]{{1,3}}([.{_BETWEEN}][0-9]{{3}})+),[0-9]{{1,40}}$"
_THOUSANDS = f"^[+-]?[0-9]{{1,3}}([,{_BETWEEN}][0-9]{{3}})+([.][0-9]{{0,40}})?$"
_WHOLE_GROUPS = f"^[+-]?[0-9]{{1,3}}([.{_BETWEEN}][0-9]{{3}})+$"


def half_even(value: Any) -> Any:
    """Round to whole numbers, ties to even, in arithmetic that every engine has."""
    import ibis

    up = (value + 0.5 + _SNAP).floor().cast("int64")
    tie = (value + 0.5 - up).abs() <= _SNAP
    return ibis.ifelse(tie & (up % 2 != 0), up - 1, up).cast("int64")


def read_amount(column: Any, *, digits: int, decimal: str | None, minor: bool, rate: Any = None) -> Parsed:
    """Read the amounts of a column of numbers or texts as minor units.

    Texts are plain numbers; (12.50) and 12.50- are negative ones. With `decimal`, the other signs may stand
    between groups of three. `minor` says that the amounts are minor units already; `rate` multiplies them,
    and where it is null the value is null, though nothing is missing or unreadable. Infinite amounts, and
    those of 2**52 minor units or more, cannot be read.
    """
    import ibis

    kind, text = column.type(), plain_text(column)
    scale = 1.0 if minor else 10.0**digits
    if kind.is_numeric():
        number = column.cast("float64")
        if not kind.is_integer():
            number = ibis.ifelse(number.isnan(), ibis.null("float64"), number)
        missing = number.isnull()
    else:
        plain = _plain(text, decimal)
        number = ibis.ifelse(plain.re_search(_PLAIN), plain, ibis.null("string")).cast("float64")
        missing = ~(text.notnull() & ~text.lower().isin(_ABSENT)).fill_null(False)
    usable = ibis.ifelse(number.abs() * scale < LARGEST, number, ibis.null("float64"))
    unreadable = ~missing & usable.isnull()
    if rate is not None:
        usable = usable * rate
        usable = ibis.ifelse(usable.abs() * scale < LARGEST, usable, ibis.null("float64"))
    return Parsed(half_even(usable * scale), missing, unreadable, text)


def _plain(text: Any, decimal: str | None) -> Any:
    """Write a text as a plain number where it is one under this decimal sign."""
    import ibis

    text = ibis.cases(
        (text.re_search(r"^[(][0-9.].*[)]$"), ibis.literal("-") + text.substr(1, text.length() - 2)),
        (text.re_search(r"^[0-9.].*-$"), ibis.literal("-") + text.substr(0, text.length() - 1)),
        else_=text,
    )
    if decimal is None:
        return text
    bare = text
    for sign in "," + _BETWEEN if decimal == "." else "." + _BETWEEN:
        bare = bare.replace(sign, "")
    if decimal == ".":
        return ibis.ifelse(text.re_search(_THOUSANDS), bare, text)
    whole = text.re_search(_WHOLE_GROUPS) | text.re_search("^[+-]?[0-9]{1,40}$")
    return ibis.ifelse(text.re_search(_COMMA) | whole, bare.replace(",", "."), ibis.null("string"))


def amount_shapes(column: Any) -> dict[str, Any]:
    """Booleans, never null, on what amounts look like.

    `decimal_comma` (12,50 or 1.234,56), `thousands` (1,234.56), `infinite`, and `fraction`: a number that is
    not whole.
    """
    import ibis

    kind, no = column.type(), ibis.literal(False)
    shapes = dict.fromkeys(("decimal_comma", "thousands", "infinite", "fraction"), no)
    if kind.is_integer():
        return shapes
    if kind.is_numeric():
        number = column.cast("float64")
        finite = ~number.isnan() & (number.abs() < float(LARGEST))
        kept = ibis.ifelse(finite, number, 0.0)
        endless = (~number.isnan() & (number.abs() > 1e300)).fill_null(False)
        return shapes | {"infinite": endless, "fraction": (finite & (kept != kept.floor())).fill_null(False)}
    text = plain_text(column)
    thousands = text.re_search(_THOUSANDS).fill_null(False)
    return {
        "decimal_comma": text.re_search(_COMMA).fill_null(False) & ~thousands,
        "thousands": thousands,
        "infinite": text.lower().isin(_INFINITE).fill_null(False),
        "fraction": text.re_search("[.,][0-9]*[1-9]|[eE]-").fill_null(False),
    }
