"""Cohort × age counts of contracts: the published survivors, a loop over contracts, and every finding."""

import datetime as dt
from calendar import monthrange
from collections import Counter
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln

import clv
from clv.data.renewals import Renewals
from clv.errors import ConfigError, DataError
from clv.models.histories import PurchaseHistory, RetentionHistory

# [FH07]: survivors of 1,000, years 0 to 12
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241, 223, 207, 194, 183, 173]
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394]
AS_OF = dt.date(2025, 6, 30)


def survivors(counts: list[int], cohort: str | None = None) -> pd.DataFrame:
    frame = pd.DataFrame({"age": range(len(counts)), "customers": counts})
    return frame if cohort is None else frame.assign(cohort=cohort)


def log_likelihood(h: RetentionHistory, gamma: float, delta: float) -> float:
    """Shifted beta-geometric, [FH07]: lost at age t, or alive after it."""
    survival = betaln(gamma, delta + h.age) - betaln(gamma, delta)
    lost = betaln(gamma + 1, delta + h.age - 1) - betaln(gamma, delta)
    return float(h.weight @ np.where(h.churned == 1, lost, survival))


# Counts that are given.


@pytest.mark.parametrize(
    ("counts", "parameters", "published"),
    [(HIGH_END, (0.668, 3.806), -1611.16), (REGULAR, (0.704, 1.182), -1680.27)],
    ids=["high end", "regular"],
)
def test_the_published_survivors(
    counts: list[int], parameters: tuple[float, float], published: float
) -> None:
    found = Renewals(survivors(counts[:8])).history(RetentionHistory)
    assert log_likelihood(found, *parameters) == pytest.approx(published, abs=0.006)
    assert found.unit == 365.25
    assert found.weight.sum() == 1000
    assert found.churned.tolist() == [1] * 7 + [0]
    assert found.age.tolist() == [1, 2, 3, 4, 5, 6, 7, 7]


def test_the_table_of_a_cohort() -> None:
    made = Renewals(survivors([1000, 631, 468], "regular"), period="1m")
    assert list(made.table.columns) == ["cohort", "age", "at_risk", "survived", "churned"]
    assert made.to_pandas().to_numpy().tolist() == [
        ["regular", 1, 1000, 631, 369],
        ["regular", 2, 631, 468, 163],
    ]
    assert (made.table.dtypes.iloc[1:] == "int64").all()
    assert made.history(RetentionHistory).unit == 365.25 / 12
    assert repr(made) == "<Renewals of 1,000 customers; cohorts: 1>"


def test_cohorts_of_different_length_are_added_up_by_age() -> None:
    rows = pd.concat(
        [survivors([100, 80, 70, 65], "2022"), survivors([50, 30, 20], "2023"), survivors([9], "2024")]
    )
    shuffled = rows.sample(frac=1, random_state=1)
    h = Renewals(shuffled).history(RetentionHistory)
    found = dict(zip(zip(h.age, h.churned, strict=True), h.weight, strict=True))
    assert found == {(1, 1): 40, (2, 1): 20, (3, 1): 5, (3, 0): 65, (2, 0): 20}


def test_ages_not_seen_yet_may_have_no_count() -> None:
    wide = pd.DataFrame({0: [100, 50, 9], 1: [80, 30, None], 2: [70, None, None]}, index=["a", "b", "c"])
    long = wide.rename_axis("cohort").reset_index().melt("cohort", var_name="age", value_name="customers")
    assert Renewals(long).table.to_numpy().tolist() == [
        ["a", 1, 100, 80, 20],
        ["a", 2, 80, 70, 10],
        ["b", 1, 50, 30, 20],
    ]


def test_at_risk_and_churned_allow_for_customers_who_are_not_followed_to_the_end() -> None:
    rows = pd.DataFrame({"age": [1, 2, 3], "at_risk": [100, 60, 20], "churned": [30, 20, 20]})
    made = Renewals(rows)
    assert made.table["survived"].tolist() == [70, 40, 0]
    h = made.history(RetentionHistory)
    found = dict(zip(zip(h.age, h.churned, strict=True), h.weight, strict=True))
    assert found == {(1, 1): 30, (2, 1): 20, (3, 1): 20, (1, 0): 10, (2, 0): 20}
    assert h.weight.sum() == 100


@pytest.mark.parametrize("form", ["ibis", "arrow", "polars"])
def test_other_frames(form: str) -> None:
    frame = survivors(REGULAR, "regular")
    if form == "polars":
        source = pytest.importorskip("polars").from_pandas(frame)
    else:
        source = ibis.memtable(frame) if form == "ibis" else ibis.memtable(frame).to_pyarrow()
    pd.testing.assert_frame_equal(Renewals(source).table, Renewals(frame).table)


FINDINGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "rising": (
        {"age": [0, 1, 2, 3], "customers": [9, 5, 7, 8]},
        [
            "D049 customers must never increase; got 7 in cohort 'all', age 2 (2 rows). Who comes "
            "back is a new customer."
        ],
    ),
    "shares": (
        {"age": [0, 1, 2], "customers": [100, 63.1, -1]},
        [
            "D046 customers must be a whole number, 0 or more; got 63.1 in cohort 'all', age 1 (2 "
            "rows). Give counts of customers, not shares."
        ],
    ),
    "no age 0": (
        {"age": [1, 2], "customers": [9, 8]},
        [
            "D046 ages must run 0, 1, 2 … in each cohort; got 1 in cohort 'all', age 1 (2 rows). Add "
            "the missing ages."
        ],
    ),
    "a hole": (
        {"age": [0, 1, 3], "customers": [9, 8, 7]},
        [
            "D046 ages must run 0, 1, 2 … in each cohort; got 3 in cohort 'all', age 3 (1 row). Add "
            "the missing ages."
        ],
    ),
    "twice, and an age in months": (
        {"cohort": ["a", "a", "a"], "age": [0, 0, 0.5], "customers": [9, 9, 8]},
        [
            "D046 age must be a whole number, 0 or more; got 0.5 in cohort 'a', age 0.5 (1 row). "
            "Number renewals from 1.",
            "D026 a cohort must have one row an age; got 0 in cohort 'a', age 0 (1 row). Add "
            "the rows up, or give a column cohort.",
        ],
    ),
    "more lost than there were": (
        {"age": [1, 2], "at_risk": [9, 3], "churned": [4, 4]},
        [
            "D049 churned must not exceed at_risk; got 4 in cohort 'all', age 2 (1 row). at_risk "
            "counts all who faced the renewal."
        ],
    ),
    "more at risk than were left": (
        {"age": [1, 2], "at_risk": [9, 6], "churned": [4, 0]},
        [
            "D049 at_risk must not exceed those left at the age before; got 6 in cohort 'all', age 2 "
            "(1 row). Who comes back is new."
        ],
    ),
    "text": (
        {"age": [0, 1], "customers": ["9", "many"]},
        [
            "D046 customers must be a whole number, 0 or more; got many in cohort 'all', age 1 (1 "
            "row). Give counts of customers, not shares."
        ],
    ),
    "no counts": (
        {"age": [0], "customers": [None]},
        ["D002 the table of renewals has 0 rows with a count. Check how it was made."],
    ),
    "no column": (
        {"Age": [0], "customer": [9]},
        [
            "D001 Column 'age' not found. Columns present: Age, customer. Did you mean 'Age'? Rename "
            "it to 'age'.",
            "D001 Column 'customers' not found. Columns present: Age, customer. Did you mean "
            "'customer'? Rename it to 'customers'. A wide table becomes long with frame.melt().",
        ],
    ),
    "half of the counts": (
        {"age": [1], "at_risk": [9]},
        ["D001 Column 'churned' not found. Columns present: age, at_risk. Add it, or rename the right one."],
    ),
}


@pytest.mark.parametrize("case", FINDINGS)
def test_findings_say_what_was_found_and_where(case: str) -> None:
    columns, messages = FINDINGS[case]
    with pytest.raises(DataError) as caught:
        Renewals(pd.DataFrame(columns))
    assert list(caught.value.messages) == messages


def test_what_is_no_period_and_no_table() -> None:
    with pytest.raises(ConfigError, match="C001 period"):
        Renewals(survivors(REGULAR), period="yearly")
    with pytest.raises(DataError, match="I001"):
        Renewals([1000, 631])


def test_other_histories_are_refused() -> None:
    with pytest.raises(
        DataError,
        match=r"D047 a table of renewals gives .*; got PurchaseHistory",
    ):
        Renewals(survivors(REGULAR)).history(PurchaseHistory)


# Contracts.


def anniversary(start: dt.date, k: int, months: int, days: int) -> dt.date:
    if days:
        return start + dt.timedelta(days=k * days)
    year, month = divmod(start.month - 1 + k * months, 12)
    year, month = start.year + year, month + 1
    return dt.date(year, month, min(start.day, monthrange(year, month)[1]))


def loop(contracts: list[tuple[dt.date, dt.date | None]], months: int, days: int) -> tuple[Any, Any]:
    """Contracts at risk and lost by cohort and age: each contract lives through its renewals one by one."""
    at_risk: Counter[tuple[str, int]] = Counter()
    lost: Counter[tuple[str, int]] = Counter()
    for start, end in contracts:
        cohort = str(start.year) if months >= 12 else f"{start:%Y-%m}"
        age = 1
        while (renewal := anniversary(start, age, months, days)) <= AS_OF:
            at_risk[cohort, age] += 1
            if end is not None and end <= renewal:
                lost[cohort, age] += 1
                break
            age += 1
    return at_risk, lost


def contracts(count: int = 400) -> list[tuple[dt.date, dt.date | None]]:
    rng = np.random.default_rng(5)
    found: list[tuple[dt.date, dt.date | None]] = []
    for _ in range(count):
        start = dt.date(2022, 1, 1) + dt.timedelta(days=int(rng.integers(0, 1300)))
        life = int(rng.integers(0, 1200))
        end = None if rng.random() < 0.4 else start + dt.timedelta(days=life)
        if end is not None and rng.random() < 0.5:  # on a renewal, or the day before it
            end = anniversary(start, 1 + life // 300, 12, 0) - dt.timedelta(days=int(rng.integers(0, 2)))
        found.append((start, end))
    for day in (29, 30, 31):
        found += [(dt.date(2024, 1, day), dt.date(2024, 2, e)) for e in (28, 29)]
        found += [(dt.date(2024, 1, day), dt.date(2024, 3, e)) for e in (1, 28, 29, 30, 31)]
    leap, revoked = dt.date(2024, 2, 29), dt.date(2024, 3, 7)
    return [*found, (leap, dt.date(2025, 2, 28)), (leap, dt.date(2025, 3, 1)), (revoked, revoked)]


@pytest.mark.parametrize(
    ("period", "months", "days"), [("1y", 12, 0), ("1m", 1, 0), ("3m", 3, 0), ("4w", 0, 28), ("2y", 24, 0)]
)
def test_contracts_are_counted_as_a_loop_does(period: str, months: int, days: int) -> None:
    rows = contracts()
    made = Renewals.of_contracts(pd.DataFrame(rows, columns=["start", "end"]), AS_OF, period)
    at_risk, lost = loop(rows, months, days)
    found = {(c, a): (n, k) for c, a, n, k in made.table[["cohort", "age", "at_risk", "churned"]].to_numpy()}
    assert found == {key: (n, lost[key]) for key, n in at_risk.items()}
    assert sum(lost.values()) > 30
    assert made.history(RetentionHistory).weight.sum() == sum(
        n for (_, age), n in at_risk.items() if age == 1
    )


@pytest.mark.parametrize("end", ["2024-12-31", "2025-01-01"])
def test_the_last_day_and_the_first_without_it_are_one_end(end: str) -> None:
    rows = pd.DataFrame({"start": ["2024-01-01"] * 2, "end": [end, None]})
    made = Renewals.of_contracts(rows, dt.date(2025, 1, 1))
    assert made.table.to_numpy().tolist() == [["2024", 1, 2, 1, 1]]
    with pytest.raises(DataError, match="D002"):  # a day before, nobody has had a renewal
        Renewals.of_contracts(rows, dt.date(2024, 12, 31))


def test_an_end_after_as_of_is_not_known() -> None:
    rows = pd.DataFrame({"begun": ["2023-01-01"], "left": ["2025-07-01"]})
    made = Renewals.of_contracts(rows, "2025-06-30", start="begun", end="left")
    assert made.table["churned"].tolist() == [0, 0]


def test_contracts_that_all_run() -> None:
    rows = pd.DataFrame({"start": [dt.date(2023, 1, 1)] * 3, "end": [None] * 3})
    h = Renewals.of_contracts(rows, AS_OF).history(RetentionHistory)
    assert (h.age.tolist(), h.churned.tolist(), h.weight.tolist()) == ([2], [0], [3])


def test_what_is_wrong_with_contracts_comes_together() -> None:
    rows = pd.DataFrame(
        {
            "start": ["2024-01-01", None, "2024-13-01", "2024-05-01"],
            "end": ["2023-12-31", None, "2025-01-01", "never"],
        }
    )
    with pytest.raises(DataError) as caught:
        Renewals.of_contracts(rows, AS_OF)
    assert caught.value.codes == ["D011", "D009", "D009", "D046"]
    assert "got '2024-13-01' (1 contract)" in caught.value.messages[1]
    assert "end must not be before start; got '2023-12-31'" in caught.value.messages[3]
    with pytest.raises(DataError, match=r"D001 Column 'end' not found.*Did you mean 'ende'"):
        Renewals.of_contracts(pd.DataFrame({"start": ["2024-01-01"], "ende": [None]}), AS_OF)


# Histories.


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (([0.5], [0]), "age must be a whole number"),
        (([-1], [0]), "age must be a whole number"),
        (([np.inf], [0]), "age must be a whole number"),
        (([2], [0.5]), "churned must be 1"),
        (([2], [np.nan]), "churned must be 1"),
        (([0], [1]), "nobody is lost before"),
        (([2], [1], [-1]), "weights"),
    ],
)
def test_a_row_that_cannot_be_a_retention_history_is_refused(columns: Any, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        RetentionHistory(*columns)
    assert caught.value.codes == ["D046"]


def test_a_retention_history_tells_what_a_fit_asks() -> None:
    h = RetentionHistory([1, 2, 2], [1, 1, 0], [30, 20, 50], unit=30)
    assert len(h) == 3
    assert h.history(RetentionHistory) is h
    assert h.typical() == 1
    assert h.rescaled(1.0) is h
    assert list(h.moments().values()) == [30 + 40 + 100, 50]
    assert h.measured == "renewals every 30 days"
    with pytest.raises(DataError, match="D047 a RetentionHistory has periods of its own"):
        h.rescaled(12)
    with pytest.raises(DataError, match="D047 SpendHistory is needed"):
        h.history(clv.SpendHistory)
