"""Amounts: numbers and texts become minor units alike on every engine, as Python's decimals have them."""

import math
import random
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.data.amounts import LARGEST, amount_shapes, half_even, read_amount
from columns import numbered, parts, rows


def minor(amount: Decimal, digits: int) -> int:
    return int(amount.scaleb(digits).quantize(Decimal(1), ROUND_HALF_EVEN))


# Texts.

WAYS = {None: "plain", ".": "point", ",": "comma"}
TEXTS: dict[
    str, tuple[str | None, str | None, str | None]
] = {  # text: the number without decimal, with ".", ","
    "1234.5": ("1234.5", "1234.5", None),
    " +7 ": ("7", "7", "7"),
    "\t-007\r\n": ("-7", "-7", "-7"),
    "2.675": ("2.675", "2.675", "2675"),
    ".5": (".5", ".5", None),
    "5.": ("5", "5", None),
    "-0.0": ("0", "0", None),
    "1e3": ("1000", "1000", "1000"),
    "-1.5E+01": ("-15", "-15", None),
    "25e-1": ("2.5", "2.5", "2.5"),
    "1,5e3": (None, None, "1500"),
    "(12.50)": ("-12.5", "-12.5", None),
    "12.50-": ("-12.5", "-12.5", None),
    "(5)": ("-5", "-5", "-5"),
    "(12,50)": (None, None, "-12.5"),
    "−5": (None, "-5", "-5"),
    "5−": (None, "-5", "-5"),
    "12,50": (None, None, "12.5"),
    "0,125": (None, None, ".125"),
    "1,234": (None, "1234", "1.234"),
    "1,2345": (None, None, "1.2345"),
    "1.234": ("1.234", "1.234", "1234"),
    "1,234.56": (None, "1234.56", None),
    "1.234,56": (None, None, "1234.56"),
    "-1,234,567": (None, "-1234567", None),
    "1.234.567": (None, None, "1234567"),
    "1 234.5": (None, "1234.5", None),
    "1 234,5": (None, None, "1234.5"),
    "1\u00a0234": (None, "1234", "1234"),
    "1\u202f234\u202f567": (None, "1234567", "1234567"),
    "1'234": (None, "1234", "1234"),
    "1’234": (None, "1234", "1234"),
    "(1,234.56)": (None, "-1234.56", None),
    "1 234-": (None, "-1234", "-1234"),
    "22517998136852.47": ("22517998136852.47", "22517998136852.47", None),
}
NO_NUMBERS = [
    *(
        "12 EUR",
        "$5",
        "€ 5",
        "5 €",
        "n/a",
        "true",
        "0x10",
        "#REF!",
        "1_000",
        "1d",
        "5f",
        "--5",
        "+-5",
        "5e",
        "e5",
        ".",
    ),
    *(
        ",",
        "-",
        "()",
        "(-5)",
        "-(5)",
        "(5",
        "5)",
        "-5-",
        "1,23,4",
        "1.2.3",
        "12 34",
        "1,234 567",
        "1'234,567'8",
    ),
    *(
        "0,123,456.0,1",
        " 1 2 ",
        "١٢",
        "１２",
        "1\n2",
        "1e400",
        "1e100",
        "1e-100",
        "9" * 61,
        "0." + "1" * 61,
        "9" * 60 + "e99",
    ),
    *("1e18", "-1e18", "23000000000000", "inf", "-Infinity", "+INF", "infinite"),
]
NOTHING = [None, "", "  ", "\t\n", "nan", "NaN", " null ", "None"]


def test_texts(engine: Any) -> None:
    texts = [*TEXTS, *NO_NUMBERS, *NOTHING]
    table = engine(numbered(s=pa.array(texts, pa.string())))
    found = rows(table, **parts(**{w: read_amount(table.s, digits=2, decimal=d) for d, w in WAYS.items()}))
    for place, way in enumerate(WAYS.values()):
        expected = [None if row[place] is None else minor(Decimal(row[place]), 2) for row in TEXTS.values()]
        read = dict(zip(texts, found[f"{way}_value"], strict=True))
        assert read == dict(zip(TEXTS, expected, strict=True)) | dict.fromkeys([*NO_NUMBERS, *NOTHING]), way
        assert found[f"{way}_missing"] == [text in NOTHING for text in texts]
        unreadable = [value is None and text not in NOTHING for text, value in read.items()]
        assert found[f"{way}_unreadable"] == unreadable


def test_smallest_numbers_are_nothing(engine: Any) -> None:
    """As long and as small as a number may be written: PostgreSQL fails where a cast would underflow."""
    table = engine(
        numbered(s=pa.array(["0." + "0" * 59 + "1e-99", "1" * 15 + "." + "9" * 60 + "e-99", "0" * 60]))
    )
    assert rows(table, **parts(s=read_amount(table.s, digits=2)))["s_value"] == [0, 0, 0]


def written(amount: Decimal, mark: str, draw: random.Random) -> str:
    """An amount as somebody writes it."""
    whole, _, decimals = f"{abs(amount):,f}".partition(".")
    whole = whole.replace(",", draw.choice(["", ",.".replace(mark, ""), " ", "'", "’", "\u00a0", "\u202f"]))
    text = whole + (mark + decimals if decimals else "")
    negative = (
        draw.choice(["-{}", "−{}", "({})", "{}-"])
        if amount < 0
        else draw.choice(["{}", "{}", "+{}", " {}\t"])
    )
    return negative.format(text)


@pytest.mark.parametrize("mark", [".", ","])
def test_amounts_as_people_write_them(engine: Any, mark: str) -> None:
    draw = random.Random(mark)
    amounts = [Decimal(draw.randrange(10 ** draw.randrange(1, 12))).scaleb(-4) for _ in range(1200)]
    amounts += [Decimal(draw.randrange(2**51)).scaleb(-2) for _ in range(300)]  # to the last cent, no further
    amounts = [round(a, draw.randrange(5)) * draw.choice([1, -1]) for a in amounts]
    table = engine(numbered(s=pa.array([written(amount, mark, draw) for amount in amounts])))
    found = rows(table, text=table.s, **parts(s=read_amount(table.s, digits=2, decimal=mark)))
    expected = [minor(amount, 2) for amount in amounts]
    wrong = [(t, v, e) for t, v, e in zip(found["text"], found["s_value"], expected, strict=True) if v != e]
    assert wrong == []
    assert not any(found["s_unreadable"] + found["s_missing"])


# Numbers.


def ties(digits: int) -> list[str]:
    draw = random.Random(digits)
    texts = ["2.675", "1.005", "0.285", "1.0005", "2.5", "3.5", "-2.5", "-2.675", "0.125", "8", "0", "-0.0"]
    texts += [f"{draw.uniform(-99_999, 99_999):.{draw.randrange(5)}f}" for _ in range(400)]
    texts += [f"{draw.randrange(10**12)}.{draw.randrange(10**digits):0{max(digits, 1)}d}" for _ in range(50)]
    return texts


def test_decimals_of_a_currency(engine: Any) -> None:
    """Of yen, euro and dinar: texts, floats and decimals of the same amounts give the same."""
    for digits in (0, 2, 3):
        texts = ties(digits)
        table = engine(
            numbered(
                text=pa.array(texts),
                float=pa.array([float(text) for text in texts]),
                decimal=pa.array([Decimal(text) for text in texts], pa.decimal128(24, 6)),
            )
        )
        names = ("text", "float", "decimal")
        found = rows(table, **{name: read_amount(table[name], digits=digits).value for name in names})
        expected = [minor(Decimal(text), digits) for text in texts]
        assert found["text"] == found["float"] == found["decimal"] == expected


def test_columns_of_numbers(engine: Any) -> None:
    table = engine(
        numbered(
            whole=pa.array([7, -7, None, 2**62, 22_517_998_136_852, 22_517_998_136_853], "int64"),
            small=pa.array([7, -7, None, 0, 127, -128], "int16"),
            float=pa.array([math.nan, math.inf, -math.inf, None, 22_517_998_136_852.47, -1e300], "float64"),
            short=pa.array([0.1, -2.67, None, math.nan, math.inf, 16_777_216.0], "float32"),
        )
    )
    names = ("whole", "small", "float", "short")
    found = rows(table, **parts(**{name: read_amount(table[name], digits=2) for name in names}))
    assert found["whole_value"] == [700, -700, None, None, 2_251_799_813_685_200, None]
    assert found["whole_unreadable"] == [False, False, False, True, False, True]
    assert found["small_value"] == [700, -700, None, 0, 12_700, -12_800]
    assert found["float_value"] == [None, None, None, None, 2**51 - 1, None]
    assert found["float_missing"] == [True, False, False, True, False, False]
    assert found["float_unreadable"] == [False, True, True, False, False, True]
    assert found["short_value"] == [10, -267, None, None, None, 1_677_721_600]
    assert found["short_missing"] == [False, False, True, True, False, False]
    assert read_amount(table.whole, digits=2).value.type() == ibis.dtype("int64")
    found = rows(table, **parts(whole=read_amount(table.whole, digits=2, minor=True)))
    assert found["whole_value"] == [7, -7, None, None, 22_517_998_136_852, 22_517_998_136_853]


def test_minor_units_are_rounded_too(engine: Any) -> None:
    texts = ["2.5", "3.5", "-0.5", "1.4999", "2251799813685247", "2251799813685248"]
    table = engine(numbered(s=pa.array(texts)))
    found = rows(table, **parts(s=read_amount(table.s, digits=2, minor=True)))
    assert found["s_value"] == [2, 4, 0, 1, LARGEST - 1, None]
    assert found["s_unreadable"] == [False] * 5 + [True]


def test_rates(engine: Any) -> None:
    """Amount × rate is rounded once; without a rate the amount is neither missing nor unreadable."""
    draw = random.Random(5)
    amounts = [f"{draw.uniform(-9999, 9999):.2f}" for _ in range(400)]
    rates = [draw.choice(["0.5", "1", "1.25", "0.0375", "24.315", "0.2"]) for _ in amounts]
    pairs: list[tuple[str | None, float | None]] = [
        (a, float(r)) for a, r in zip(amounts, rates, strict=True)
    ]
    pairs += [
        ("2.67", 0.5),
        ("-2.67", 0.5),
        ("1", None),
        ("1", math.nan),
        ("1", math.inf),
        ("x", None),
        (None, 2.0),
    ]
    pairs += [("1e13", 1e3), ("1e14", 1e-3), ("1e14", None)]
    table = engine(numbered(s=pa.array([a for a, _ in pairs]), r=pa.array([r for _, r in pairs], "float64")))
    found = rows(table, **parts(s=read_amount(table.s, digits=2, rate=table.r)))
    expected: list[int | None] = [
        minor(Decimal(a) * Decimal(r), 2) for a, r in zip(amounts, rates, strict=True)
    ]
    expected += [134, -134, None, None, None, None, None, None, 10**13, None]
    assert found["s_value"] == expected
    assert [i - 400 for i, no in enumerate(found["s_unreadable"]) if no] == [5, 7, 9]
    assert [i - 400 for i, no in enumerate(found["s_missing"]) if no] == [6]


def test_what_is_no_amount(engine: Any) -> None:
    table = engine(numbered(b=pa.array([True, None]), d=pa.array([0, None], pa.date32())))
    found = rows(table, **parts(**{name: read_amount(table[name], digits=2, decimal=",") for name in "bd"}))
    for name in "bd":
        assert found[f"{name}_value"] == [None, None]
        assert (found[f"{name}_missing"], found[f"{name}_unreadable"]) == ([False, True], [True, False])


# Rounding.


def test_half_even_as_decimal_rounds(engine: Any) -> None:
    draw = random.Random(1)
    values = [n + 0.5 for n in range(-50, 50)] + [draw.randrange(-(10**12), 10**12) + 0.5 for _ in range(500)]
    values += [draw.uniform(-1e6, 1e6) for _ in range(500)] + [0.0, -0.0, 0.499, -0.499, 1e-300]
    values += [
        float(LARGEST - 1),
        float(1 - LARGEST),
        LARGEST / 2 + 0.5,
        LARGEST / 2 - 0.5,
        LARGEST / 4 + 0.25,
    ]
    table = engine(numbered(v=pa.array(values)))
    expected = [int(Decimal(value).quantize(Decimal(1), ROUND_HALF_EVEN)) for value in values]
    assert rows(table, v=half_even(table.v))["v"] == expected


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.floats(-float(LARGEST - 1), float(LARGEST - 1)) | st.floats(-100, 100), min_size=1, max_size=50
    )
)
def test_half_a_millionth_off_a_tie_is_a_tie(values: list[float]) -> None:
    table = ibis.memtable(numbered(v=pa.array(values)))
    for value, rounded in zip(values, rows(table, v=half_even(table.v))["v"], strict=True):
        exact = Decimal(value)
        even = 2 * math.floor((exact + 1) / 2) if math.floor(exact) % 2 else 2 * math.floor(exact / 2)
        off = abs(exact - math.floor(exact) - Decimal("0.5"))
        if off > Decimal("0.000001"):
            assert rounded == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
        elif off < Decimal("0.0000004"):
            assert rounded == even
        else:
            assert abs(rounded - exact) <= Decimal("0.500001")


# Shapes.

TEXT_SHAPES = {
    "12,50": "decimal_comma",
    "-0,125": "decimal_comma",
    "1.234,56": "decimal_comma",
    "1.234.567": "decimal_comma",
    "1 234,56": "decimal_comma",
    "(12,50)": "decimal_comma",
    "1234,567": "decimal_comma",
    "1,234.56": "thousands",
    "1,234": "thousands",
    "1 000": "thousands",
    "(1,234.56)": "thousands",
    "inf": "infinite",
    " -Infinity ": "infinite",
    "12.50": "fraction",
    "1e-2": "fraction",
    "(0.5)": "fraction",
    "12.00": "",
    "1e3": "",
    "1,23,4": "",
    "5 EUR": "",
    "": "",
    "nan": "",
}


def shapes(table: Any, column: str, **options: Any) -> list[str]:
    """The names of the shapes of each row, with blanks between them."""
    made = amount_shapes(table[column], **options)
    found = rows(table, **made)
    assert all(value in (True, False) for name in made for value in found[name])
    return [" ".join(name for name in made if found[name][i]) for i in range(len(found["i"]))]


def test_shapes_of_texts(engine: Any) -> None:
    table = engine(numbered(s=pa.array([*TEXT_SHAPES, None])))
    assert dict(zip(TEXT_SHAPES, shapes(table, "s"), strict=False)) == TEXT_SHAPES
    assert shapes(table, "s")[-1] == ""
    fractions = [
        text
        for text, found in zip(TEXT_SHAPES, shapes(table, "s", decimal=","), strict=False)
        if "fra" in found
    ]
    assert fractions == ["12,50", "-0,125", "1.234,56", "1 234,56", "(12,50)", "1234,567", "1,234", "1e-2"]


def test_shapes_of_columns(engine: Any) -> None:
    table = engine(
        numbered(
            x=pa.array([1.0, 1.5, math.inf, -math.inf, math.nan, None, 1e300]),
            d=pa.array([Decimal("1.00"), Decimal("1.50"), *[None] * 5], pa.decimal128(10, 2)),
            n=pa.array(range(7), "int32"),
            b=pa.array([True, False, *[None] * 5]),
        )
    )
    assert shapes(table, "x") == ["", "fraction", "infinite", "infinite", "", "", ""]
    assert shapes(table, "d") == ["", "fraction", *[""] * 5]
    assert shapes(table, "n") == shapes(table, "b") == [""] * 7
