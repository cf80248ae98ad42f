"""Opportunities of discrete models: against a walk through the calendar, and the published cruise line."""

import datetime as dt
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.special import betaln, logsumexp

import clv
from clv.data.opportunities import Opportunities
from clv.data.periods import Period
from clv.errors import ConfigError, DataError
from clv.models.histories import OpportunityHistory, PurchaseHistory

EPOCH = dt.date(1970, 1, 1)
AS_OF = ["2024-12-31", "2024-02-29", "2023-02-28", "2025-03-30", "2025-06-15", "2025-01-31"]

# (x, t_x, n, customers) of [FHS10]'s cruise line, and its log-likelihood at the published parameters
CRUISE = [
    *[(4, 4, 4, 18), (3, 4, 4, 66), (2, 4, 4, 98), (1, 4, 4, 216), (3, 3, 4, 34), (2, 3, 4, 180)],
    *[(1, 3, 4, 292), (2, 2, 4, 64), (1, 2, 4, 342), (1, 1, 4, 302), (0, 0, 4, 4482)],
]


def days_table(rows: list[tuple[str, dt.date]]) -> Any:
    """Customer-days, as the engine keeps them."""
    return ibis.memtable(
        pa.table(
            {
                "customer_id": pa.array([customer for customer, _ in rows], pa.string()),
                "day": pa.array([(day - EPOCH).days for _, day in rows], pa.int32()),
                "spent": pa.array([100] * len(rows), pa.int64()),
                "orders": pa.array([1] * len(rows), pa.int64()),
            }
        )
    )


def is_period_end(day: dt.date, as_of: dt.date, number: int, unit: str) -> bool:
    """Whether a period ends with `day`, if one ends with `as_of`: told day by day."""
    if unit in "dw":
        return (as_of - day).days % (number * (7 if unit == "w" else 1)) == 0
    months = (as_of.year - day.year) * 12 + as_of.month - day.month
    if months % (number * (12 if unit == "y" else 1)):
        return False
    month_ends = (day + dt.timedelta(days=1)).day == 1
    if (as_of + dt.timedelta(days=1)).day == 1:
        return month_ends
    return day.day == as_of.day or (month_ends and day.day < as_of.day)


def walk(rows: list[tuple[str, dt.date]], as_of: dt.date, period: str) -> dict[str, tuple[int, int, int]]:
    """(x, t_x, n) of each customer, by walking back from `as_of` a day at a time."""
    number, unit = int(period[:-1]), period[-1]
    back, day, first = {}, as_of, min(day for _, day in rows)
    count = -1
    while day >= first:
        count += is_period_end(day, as_of, number, unit)
        back[day] = count
        day -= dt.timedelta(days=1)
    found = {}
    for customer in {c for c, _ in rows}:
        periods = {back[d] for c, d in rows if c == customer and d <= as_of}
        if periods:
            n = max(periods)
            found[customer] = (len(periods) - 1, n - min(periods), n)
    return found


def log_likelihood(h: OpportunityHistory, alpha: float, beta: float, gamma: float, delta: float) -> Any:
    """BG/BB, [FHS10] equation 5, a row at a time."""
    found = []
    for x, t_x, n in zip(h.x, h.t_x, h.n, strict=True):
        i = np.arange(n - t_x)
        terms = [
            betaln(alpha + x, beta + n - x) + betaln(gamma, delta + n),
            *(betaln(alpha + x, beta + t_x - x + i) + betaln(gamma + 1, delta + t_x + i)),
        ]
        found.append(logsumexp(terms) - betaln(alpha, beta) - betaln(gamma, delta))
    return np.array(found)


def log(customers: int = 60) -> list[tuple[str, dt.date]]:
    rng = np.random.default_rng(3)
    rows = set()
    for i in range(customers):
        first = dt.date(2021, 1, 1) + dt.timedelta(days=int(rng.integers(0, 1500)))
        for gap in np.cumsum([0, *rng.integers(1, 300, rng.integers(0, 9))]):
            rows.add((f"C{i:03}", first + dt.timedelta(days=int(gap))))
    edges = ["2023-12-31", "2024-01-01", "2024-02-28", "2024-02-29", "2024-03-01", "2025-01-30", "2025-01-31"]
    rows |= {(f"edge {e}", dt.date.fromisoformat(e)) for e in edges}
    rows |= {("edges", dt.date.fromisoformat(e)) for e in edges}
    return sorted(rows)


@pytest.mark.parametrize("period", ["1y", "2y", "1m", "3m", "1w", "4w", "10d", "365d"])
@pytest.mark.parametrize("as_of", AS_OF)
def test_periods_are_those_of_a_walk_through_the_calendar(as_of: str, period: str) -> None:
    rows, end = log(), dt.date.fromisoformat(as_of)
    found = Opportunities.of_days(days_table(rows), end, period).to_pandas()
    wanted = walk(rows, end, period)
    assert ("edge 2024-03-01" in wanted) == (end > dt.date(2024, 3, 1))  # not those first seen after as_of
    assert {c: (x, t, n) for c, x, t, n in found.itertuples(index=False)} == wanted


def test_the_columns_and_their_types() -> None:
    made = Opportunities.of_days(days_table(log()), dt.date(2024, 12, 31), "1y")
    assert dict(made.table.schema().items()) == {
        "customer_id": ibis.dtype("string"),
        **dict.fromkeys(["x", "t_x", "n"], ibis.dtype("int32")),
    }
    found = made.to_pandas()
    assert found["customer_id"].is_monotonic_increasing
    assert len(made) == len(found)
    assert repr(made) == f"<Opportunities of {len(found)} customers, one every 1 year up to 2024-12-31>"


def test_the_published_cruise_line() -> None:
    """First cruises in 1993, four opportunities from 1994 to 1997: [FHS10] table 4 and its parameters."""
    rows = []
    for x, t_x, _, customers in CRUISE:
        for i in range(customers):
            name = f"{x} {t_x} {i}"
            years = [*range(1, x), t_x] if x else []
            rows += [(name, dt.date(1993, 1 + i % 12, 1 + i % 28))]
            rows += [(name, dt.date(1993 + year, 12 - i % 12, 1)) for year in years]
            rows += [(name, dt.date(1993 + year, 12, 31)) for year in years if i % 3 == 0]
    made = Opportunities.of_days(days_table(rows), dt.date(1997, 12, 31), "1y")
    h = made.history(OpportunityHistory)
    assert sorted(zip(h.x, h.t_x, h.n, h.weight, strict=True)) == sorted(CRUISE)
    assert h.unit == 365.25
    assert (log_likelihood(h, 0.66, 5.19, 173.76, 1882.93) @ h.weight).round(2) == -7130.76


def test_a_customer_of_the_last_period_has_had_no_opportunity() -> None:
    rows = [("new", dt.date(2024, 3, 1)), ("new", dt.date(2024, 12, 31)), ("old", dt.date(2023, 12, 31))]
    made = Opportunities.of_days(days_table(rows), dt.date(2024, 12, 31), "1y").to_pandas()
    assert made.to_numpy().tolist() == [["new", 0, 0, 0], ["old", 0, 0, 1]]


def test_numbers_as_customers_become_text() -> None:
    days = ibis.memtable(pd.DataFrame({"customer_id": [7, 7], "day": np.array([1, 800], dtype="int32")}))
    made = Opportunities.of_days(days, dt.date(1972, 12, 31), "1y").to_pandas()
    assert made.to_numpy().tolist() == [["7", 1, 2, 2]]


def test_other_histories_are_refused() -> None:
    made = Opportunities.of_days(days_table(log()), dt.date(2024, 12, 31), "1y")
    with pytest.raises(DataError, match=r"D047 a table of opportunities .* got PurchaseHistory"):
        made.history(PurchaseHistory)
    with pytest.raises(DataError, match=r"D047 .*by=\('country',\)"):
        made.history(OpportunityHistory, by=("country",))


@pytest.mark.parametrize(
    ("text", "size", "monthly", "days"),
    [
        ("1y", 12, True, 365.25),
        ("18m", 18, True, 547.875),
        ("4w", 28, False, 28),
        (" 30 D ", 30, False, 30),
    ],
)
def test_lengths(text: str, size: int, monthly: bool, days: float) -> None:
    assert Period.of(text) == Period(size, monthly)
    assert Period.of(text).days == pytest.approx(days, rel=1e-12)


@pytest.mark.parametrize("text", ["", "y", "0m", "1.5y", "1q", "lifetime", 12, None])
def test_what_is_no_length(text: Any) -> None:
    with pytest.raises(ConfigError, match=r'C001 period must be a number with a unit; got .* Write "1y"'):
        Period.of(text)


# Histories.


@pytest.mark.parametrize(
    ("columns", "code", "words"),
    [
        (([1], [2], [1]), "D037", "t_x must not exceed n"),
        (([3], [2], [4]), "D046", "x must not exceed t_x"),
        (([0], [2], [4]), "D039", "t_x without a repeat purchase"),
        (([1], [1.5], [4]), "D046", "whole numbers"),
        (([-1], [1], [4]), "D046", "whole numbers"),
        (([1], [1], [np.nan]), "D046", "whole numbers"),
        (([1], [1], [np.inf]), "D046", "whole numbers"),
        (([1], [1], [4], [-1.0]), "D046", "weights"),
    ],
)
def test_a_row_that_cannot_be_an_opportunity_history_is_refused(columns: Any, code: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        OpportunityHistory(*columns)
    assert caught.value.codes == [code]


def test_an_opportunity_history_tells_what_a_fit_asks() -> None:
    h = OpportunityHistory([0, 2], [0, 3], [4, 4], [10, 5], unit=7)
    assert len(h) == 2
    assert h.history(OpportunityHistory) is h
    assert h.typical() == 1
    assert h.rescaled(1.0) is h
    assert list(h.moments().values()) == [10, 60]
    assert h.measured == "opportunities of 7 days"
    with pytest.raises(DataError, match="D047 a OpportunityHistory has periods of its own; got a scale of 2"):
        h.rescaled(2)
    with pytest.raises(DataError, match="D047 PurchaseHistory is needed"):
        h.history(clv.PurchaseHistory)
