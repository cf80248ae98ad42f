"""A column → money in minor units (cents), int64, the same on every engine.

A text is matched before it is cast, since engines differ in what they take for a number. Rounding is one
formula in floating point, since engines differ in how they round.
"""

from __future__ import annotations

from typing import Any

from clv.data.date_texts import BLANK
from clv.data.dates import Parsed
from clv.data.engines import plain_text

LARGEST = 2**51  # minor units: what `half_even` can round
# Adding and taking away again leaves multiples of 2**-20, and then whole numbers, ties to even.
_TO_MILLIONTHS, _TO_WHOLE = 1.5 * 2**32, 1.5 * 2**52
_WORDS = f"^{BLANK}*(?:[Nn][Aa][Nn]|[Nn][Uu][Ll][Ll]|[Nn][Oo][Nn][Ee]){BLANK}*$"  # for nothing
_INFINITE = f"^{BLANK}*[+-]?[Ii][Nn][Ff](?:[Ii][Nn][Ii][Tt][Yy])?{BLANK}*$"
_DIGITS, _DECIMALS = "[0-9]{1,60}", "[0-9]{0,60}"  # with 60 digits and an exponent of two, no cast can fail
_EXPONENT = "(?:[eE][+-]?0?[0-9]{1,2})?"
# Between thousands, besides whichever of . and , is not decimal:
_SPACES = ("'", "’", " ", "\u00a0", "\u202f")


def read_amount(
    column: Any, *, digits: int, decimal: str | None = None, minor: bool = False, rate: Any = None
) -> Parsed:
    """Read the amounts of a column of numbers or texts; the currency's minor unit has `digits` decimals.

    Amounts are rounded once, ties to even: as they are written or, with `rate`, after multiplication by this
    column of floats. Where the rate is unknown the value is null, yet neither missing nor unreadable. With
    `minor`, amounts are minor units already.

    Texts are numbers as programs write them (1234.5, -1e3), or in brackets or with the sign behind, which
    both mean negative: (12.50), 12.50-. With `decimal`, "." or ",", they may also be as people write them:
    1,234.50 or 1.234,50, with spaces or apostrophes between thousands, with a real minus. Texts with letters
    or signs of currencies, infinite amounts, and those of 2**51 minor units or more are unreadable.
    """
    import ibis

    number = _number(column, decimal)
    sized = number * (1 if minor else 10**digits)
    known = ibis.literal(True)
    if rate is not None:
        known = (rate.abs() < LARGEST).fill_null(False)  # neither null nor NaN
        sized = ibis.ifelse(known, sized * rate.cast("float64"), sized)
    fits = (sized.abs() < LARGEST).fill_null(False)
    missing = _missing(column, number)
    value = half_even(ibis.ifelse(fits & known, sized, ibis.null("float64")))
    return Parsed(value, missing, ~missing & ~fits, plain_text(column))


def half_even(value: Any) -> Any:
    """Round floats below `LARGEST` to int64, ties to even; what is half a millionth off a tie is one.

    2.675 × 100 is 267.49999999999994 in binary, and meant as a tie.
    """
    return (value + _TO_MILLIONTHS - _TO_MILLIONTHS + _TO_WHOLE - _TO_WHOLE).cast("int64")


def amount_shapes(column: Any, *, decimal: str | None = None) -> dict[str, Any]:
    """Booleans, never null, on what the amounts of a column look like.

    Of texts that cannot be read without `decimal`: `decimal_comma` (12,50 or 1.234,56) and `thousands`
    (1,234.56; 1,234 may be either, and is here). Of any amount: `infinite`, and `fraction`, where it can be
    read and is no whole number.
    """
    import ibis

    kind = column.type()
    shapes = dict.fromkeys(("decimal_comma", "thousands", "infinite", "fraction"), ibis.literal(False))
    if kind.is_floating() or kind.is_decimal() or kind.is_string():
        number = _number(column, decimal)
        number = ibis.ifelse(number.abs() < LARGEST, number, 0.0)  # an integer is made of it
        shapes["fraction"] = (number != number.floor()).fill_null(False)
    if kind.is_floating() or kind.is_decimal():
        number = column.cast("float64")  # isinf() finds nothing on Spark
        shapes["infinite"] = ((number.abs() > 1e308) & ~number.isnan()).fill_null(False)
    if kind.is_string():
        comma = column.re_search(_human(",")) & ~column.re_search(_human("."))
        found = {
            "decimal_comma": comma,
            "thousands": column.re_search(_human(".", grouped=True)),
            "infinite": column.re_search(_INFINITE),
        }
        plain = column.re_search(_plain(".")).fill_null(True)
        shapes |= {name: ibis.ifelse(plain, False, shape) for name, shape in found.items()}
    return shapes


# Reading.


def _number(column: Any, decimal: str | None) -> Any:
    """The amounts as they are written, float64; null where they are no numbers."""
    import ibis

    kind, nothing = column.type(), ibis.null("float64")
    if kind.is_numeric():
        return column.cast("float64")
    if not kind.is_string():
        return nothing
    mark = decimal or "."
    signs = sorted({*_SPACES, *"()+-−.,\t\r\n"} - {mark})
    negative = column.re_search(f"^{BLANK}*[(−-]|[−-]{BLANK}*$")
    return ibis.cases(
        (column.re_search(_plain(mark)), _float(column, mark)),
        (
            column.re_search(_human(mark) if decimal else _booked()),
            _float(column.translate("".join(signs), ""), mark) * ibis.ifelse(negative, -1, 1),
        ),
        else_=nothing,
    )


def _float(text: Any, mark: str) -> Any:
    return (text if mark == "." else text.replace(mark, ".")).try_cast("float64")


def _missing(column: Any, number: Any) -> Any:
    if column.type().is_numeric():
        return column.isnull() | number.isnan().fill_null(False)
    if not column.type().is_string():
        return column.isnull()
    something = column.re_search("[^ \t\r\n]") & ~column.re_search(_WORDS)
    return ~something.fill_null(False)


def _plain(mark: str) -> str:
    """A number as programs write it."""
    return f"^{BLANK}*[+-]?{_digits(mark)}{_EXPONENT}{BLANK}*$"


def _booked() -> str:
    """A negative number as accountants write it."""
    return f"^{BLANK}*(?:[(]{_digits('.')}[)]|{_digits('.')}-){BLANK}*$"


def _human(mark: str, grouped: bool = False) -> str:
    """A number as people write it; with signs between thousands, or `grouped` or not."""
    groups = "|".join(
        f"[1-9][0-9]{{0,2}}(?:[{sign}][0-9]{{3}})+" for sign in ("." if mark == "," else ",", *_SPACES)
    )
    number = f"(?:{groups})(?:[{mark}]{_DECIMALS})?"
    number = f"(?:{number})" if grouped else f"(?:{number}|{_digits(mark)})"
    return f"^{BLANK}*(?:[+−-]?{number}|[(]{number}[)]|{number}[−-]){BLANK}*$"


def _digits(mark: str) -> str:
    return f"(?:{_DIGITS}(?:[{mark}]{_DECIMALS})?|[{mark}]{_DIGITS})"
