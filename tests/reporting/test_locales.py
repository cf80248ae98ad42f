"""Numbers and dates as a place writes them: all that readers see, and nothing else."""

import pytest

from clv.errors import ConfigError
from clv.evaluation.study import Study
from clv.reporting.html import render
from clv.reporting.locales import checked, localised
from clv.reporting.pages import pages
from clv.reporting.reviews import Review

NARROW = "\u202f"


@pytest.mark.parametrize(
    ("locale", "number", "small", "day"),
    [
        ("de_DE", "1.234.567,89", "−0,71", "30.09.2026"),
        ("en_GB", "1,234,567.89", "−0.71", "30/09/2026"),
        ("en-US", "1,234,567.89", "−0.71", "9/30/2026"),
        ("fr_FR", f"1{NARROW}234{NARROW}567,89", "−0,71", "30/09/2026"),
        ("de_CH", "1’234’567.89", "−0.71", "30.09.2026"),
        ("lt_LT", "1\xa0234\xa0567,89", "−0,71", "2026-09-30"),
        ("en", "1,234,567.89", "−0.71", "2026-09-30"),
    ],
)
def test_numbers_and_dates_of_a_place(locale: str, number: str, small: str, day: str) -> None:
    found = localised("<p>1,234,567.89 EUR, −0.71 on 2026-09-30</p>", locale)
    assert found == f"<p>{number} EUR, {small} on {day}</p>"


def test_a_hyphen_before_a_number_is_a_minus() -> None:
    assert localised("<p>-12,292.199 (-0.07)</p>", "de_DE") == "<p>−12.292,199 (−0,07)</p>"


@pytest.mark.parametrize(
    "text",
    [
        "3, 4 and 5",
        "2026-Q4",
        "FY2027-Q1",
        "v3.13.0",
        "BG/NBD 2005",
        "2026-13-45",
        "C-00001",
        "1.2.3",
        "Club 1,000",
        "10 000",
        "A-1.5",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    assert localised(f"<p>{text}</p>", "de_DE", ["Club 1,000"]) == f"<p>{text}</p>"


def test_code_versions_and_names_stay() -> None:
    page = (
        '<style>a{top:1.5em}</style><th scope="row" dir="auto">Club 1,000.5</th><td data-v="1.5">1.50</td>'
        '<th scope="row" class="n">2,000.5</th><th scope="row" dir="auto">Margin ±2.5 %, 2026-01-31</th>'
        '<svg><path d="M 1.5 2.5"/><text>2.5</text></svg><figure aria-label="A; B 1.50"></figure>'
        "<script>var x = 1.5;</script><footer><dd>1.2.3 of 2026-01-01</dd></footer>"
    )
    found = localised(page, "de_DE", ["Club 1,000.5"])
    for kept in ("1.5em", ">Club 1,000.5<", 'data-v="1.5"', "M 1.5 2.5", "x = 1.5", "1.2.3 of 2026-01-01"):
        assert kept in found
    for written in (">1,50<", ">2,5<", "A; B 1,50", ">2.000,5<", "±2,5 %, 31.01.2026"):
        assert written in found


def test_a_report_of_a_place(small_study: Study, small_review: Review) -> None:
    made = pages(small_review)
    plain, german = (render(small_study, "S", made, {"Run": "1.2"}, name) for name in ("en", "de_DE"))
    assert "31.12.2025" in german
    assert "2025-12-31" in plain
    value = made[0].headlines[0].value
    assert value.replace(",", ".") in german
    with pytest.raises(ConfigError, match="C001 locale must be the name of one"):
        render(small_study, "S", made, {}, "xx_YY")


@pytest.mark.parametrize("locale", ["xx_YY", "", "deutsch", None, 3])
def test_a_locale_that_is_none_is_refused(locale: object) -> None:
    with pytest.raises(ConfigError, match="C001 locale"):
        checked(locale)  # type: ignore[arg-type]
