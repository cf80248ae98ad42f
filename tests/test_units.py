"""Horizons, discounts and currencies."""

import datetime as dt
import math

import pytest

from clv import ConfigError
from clv.units import add_months, daily_discount, horizon_days, horizon_end, minor_digits

DAY = dt.date


@pytest.mark.parametrize(
    ("horizon", "start", "end"),
    [
        ("90d", DAY(1998, 6, 30), DAY(1998, 9, 28)),
        ("39w", DAY(1997, 9, 30), DAY(1998, 6, 30)),
        ("1m", DAY(2026, 1, 31), DAY(2026, 2, 28)),
        ("1m", DAY(2024, 1, 31), DAY(2024, 2, 29)),
        ("12m", DAY(2024, 2, 29), DAY(2025, 2, 28)),
        ("48m", DAY(2024, 2, 29), DAY(2028, 2, 29)),
        ("11m", DAY(2026, 1, 31), DAY(2026, 12, 31)),
        ("12m", DAY(2026, 12, 15), DAY(2027, 12, 15)),
        ("2y", DAY(2026, 6, 30), DAY(2028, 6, 30)),
        ("1y", DAY(2024, 2, 29), DAY(2025, 2, 28)),
        (" 12 M ", DAY(2026, 6, 30), DAY(2027, 6, 30)),
    ],
)
def test_a_horizon_ends_on_a_calendar_day(horizon, start, end):
    assert horizon_end(horizon, start) == end
    assert horizon_days(horizon, start) == (end - start).days


def test_a_year_of_months_is_as_long_as_the_calendar_says():
    assert horizon_days("12m", DAY(2023, 6, 30)) == 366
    assert horizon_days("12m", DAY(2024, 6, 30)) == 365


def test_a_lifetime_has_no_end():
    assert horizon_days("lifetime", DAY(2026, 1, 1)) == math.inf


@pytest.mark.parametrize("horizon", ["", "12", "m", "0d", "-3m", "1.5y", "12 months", "12q", "soon", "1m2w"])
def test_a_text_without_number_and_unit_is_no_horizon(horizon):
    with pytest.raises(ConfigError, match="C006 horizon must be a number with a unit") as caught:
        horizon_end(horizon, DAY(2026, 1, 1))
    assert repr(horizon) in str(caught.value)


@pytest.mark.parametrize("horizon", ["8000y", "99999999m", "9999999d", "999999999999w"])
def test_a_horizon_beyond_the_calendar_is_told(horizon):
    with pytest.raises(ConfigError, match="C008"):
        horizon_end(horizon, DAY(2026, 1, 1))


@pytest.mark.parametrize("months", range(-30, 31))
def test_months_add_up(months):
    start = DAY(2026, 1, 15)
    there = add_months(start, months)
    assert (there.year - 2026) * 12 + there.month - 1 == months
    assert add_months(there, -months) == start


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.15, 2.0])
def test_a_year_of_daily_discount_is_the_annual_one(rate):
    assert math.exp(-daily_discount(rate) * 365.25) == pytest.approx(1 / (1 + rate))


def test_currencies_have_the_decimals_of_iso_4217():
    assert [minor_digits(c) for c in ("USD", "EUR", "JPY", "jpy", "KWD", "XXX")] == [2, 2, 0, 0, 3, 2]
