"""Contracts that renew or are lost: cohort × age counts for retention models.

Age k is the k-th renewal: who is lost at age k has had k periods and did not begin another. [FH07] Fader &
Hardie 2007, Journal of Interactive Marketing 21(1): the shifted beta-geometric model.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.dates import date_of, read_day
from clv.data.engines import fetch, sort_key
from clv.data.engines.sources import open_source
from clv.data.periods import Period
from clv.data.ready_made import missing_column
from clv.errors import DataError
from clv.models.histories import RetentionHistory
from clv.units import EPOCH, as_date

if TYPE_CHECKING:
    import pandas as pd

_SURVIVORS, _COUNTS = ("customers",), ("at_risk", "churned")


class Renewals:
    """Renewals by cohort and age; `table` has cohort, age (from 1), at_risk, survived, churned.

    Parameters
    ----------
    source : data frame, file or Ibis table (see `open_source`), with the columns age and
        customers: those of the cohort still alive after renewal number `age`, all of them at age 0; or
        at_risk and churned: those who faced renewal number `age`, from 1 on, and those lost at it.
        A column cohort sets several apart. Ages not seen yet have no row, or no count.
    period : time between two renewals, "1y", "3m", "1m", "4w"

    Raises
    ------
    ConfigError C001
        For a period that cannot be meant.
    DataError D001, D002, D026, D046, D049
        All problems together.
    """

    table: pd.DataFrame

    def __init__(self, source: Any, period: str = "1y") -> None:
        self.period = period
        self.unit = Period.of(period).days
        frame, counts = _read(source)
        problems = _value_problems(frame, counts) or _course_problems(frame, counts)
        if problems:
            raise DataError(*problems)
        self.table = _lost(frame) if counts == _SURVIVORS else frame
        self.table["survived"] = self.table["at_risk"] - self.table["churned"]
        self.table = self.table[["cohort", "age", "at_risk", "survived", "churned"]]

    @classmethod
    def of_contracts(
        cls, source: Any, as_of: dt.date | str, period: str = "1y", start: str = "start", end: str = "end"
    ) -> Renewals:
        """Count renewals from a table with a row a contract.

        Parameters
        ----------
        source : data frame, file or Ibis table
        as_of : the last day that counts; contracts begun and ends dated later are not known
        period : time between two renewals
        start, end : columns of dates; no `end` while the contract runs

        A contract is lost at the first renewal on or after its end, whether `end` is the last day of it or
        the first without it. Renewals after as_of are not counted yet, for nobody: who has given notice
        early is not lost before the others have had their choice. Cohorts are years of the start, or
        months where the period is shorter than a year.
        """
        length = Period.of(period)
        faced = _faced(_contracts(source, start, end), as_date(as_of, "as_of"), length)
        groups = faced.group_by("cohort", "age").aggregate(all=faced.count(), lost=faced.lost.sum())
        counted = fetch(groups.order_by("cohort", "age")).to_pandas()
        return cls(_at_risk(counted), period)

    def history[H](self, kind: type[H], by: Sequence[str] = ()) -> H:
        """Return how many were lost at each age, and how many are alive after their last, by cohort if asked.

        Raises DataError D047 for a kind of history other than `RetentionHistory`, or another column.
        """
        if set(by) - {"cohort"} or kind is not RetentionHistory:
            raise DataError(
                f'D047 a table of renewals gives retention histories, by "cohort" or for all; got '
                f"{kind.__name__}, by={by!r}."
            )
        t = self.table
        later = t.groupby("cohort", sort=False)["at_risk"].shift(-1, fill_value=0)
        alive = t["survived"] - later
        keys = [t["cohort"].astype(str).rename("group") if by else t["age"].rename("group") * 0, t["age"]]
        lost, still = (n.groupby(keys).sum().reset_index(name="n") for n in (t["churned"], alive))
        lost, still = lost[lost["n"] > 0], still[still["n"] > 0]
        found = RetentionHistory(
            np.concatenate([lost["age"], still["age"]]),
            np.repeat([1.0, 0.0], [len(lost), len(still)]),
            np.concatenate([lost["n"], still["n"]]),
            self.unit,
            group=np.concatenate([lost["group"], still["group"]]) if by else None,
        )
        return found  # type: ignore[return-value]

    def __repr__(self) -> str:
        first = self.table.loc[self.table["age"] == 1, "at_risk"]
        return f"<Renewals of {int(first.sum()):,} customers; cohorts: {len(first)}>"

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


# Counts that are given.


def _read(source: Any) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the columns in use, in the order of cohort and age, without rows that have no count."""
    import ibis

    table = open_source(source).table
    have = list(table.columns)
    counts = _COUNTS if "customers" not in have and {*_COUNTS} & {*have} else _SURVIVORS
    problems = [missing_column(name, have) for name in ("age", *counts) if name not in have]
    if problems:
        if counts == _SURVIVORS and "age" not in have:
            problems[-1] += " A wide table becomes long with frame.melt()."
        raise DataError(*problems)
    cohort = table.cohort.cast("string") if "cohort" in have else ibis.literal("all")
    frame = fetch(table.select("age", *counts, cohort=cohort)).to_pandas()
    frame = frame.dropna(subset=list(counts))
    if frame.empty:
        raise DataError("D002 the table of renewals has 0 rows with a count. Check how it was made.")
    return frame.sort_values(["cohort", "age"], ignore_index=True), counts


def _value_problems(frame: pd.DataFrame, counts: Sequence[str]) -> list[str]:
    """What each number can be; whole numbers become int64."""
    import pandas as pd

    problems = []
    lowest = {"age": 0 if counts == _SURVIVORS else 1}
    for name in ("age", *counts):
        least = lowest.get(name, 0)
        values = pd.to_numeric(frame[name], errors="coerce").astype(float)
        wrong = ~((values >= least) & (values == np.floor(values)) & np.isfinite(values))
        if wrong.any():
            hint = "Number renewals from 1" if name == "age" else "Give counts of customers, not shares"
            problems.append(
                _told("D046", f"{name} must be a whole number, {least} or more", frame, wrong, name, hint)
            )
        else:
            frame[name] = values.astype("int64")
    twice = frame.duplicated(["cohort", "age"])
    if twice.any():
        rule = "a cohort must have one row an age"
        problems.append(_told("D026", rule, frame, twice, "age", "Add the rows up, or give a column cohort"))
    return problems


def _course_problems(frame: pd.DataFrame, counts: Sequence[str]) -> list[str]:
    """What counts must be to each other along the ages of a cohort."""
    cohorts = frame.groupby("cohort", sort=False)
    problems = []
    first = 0 if counts == _SURVIVORS else 1
    gap = frame["age"] != cohorts.cumcount() + first
    if gap.any():
        rule = f"ages must run {first}, {first + 1}, {first + 2} … in each cohort"
        problems.append(_told("D046", rule, frame, gap, "age", "Add the missing ages"))
    if counts == _SURVIVORS:
        rising = frame["customers"] > cohorts["customers"].shift()
        rule, name, hint = "customers must never increase", "customers", "Who comes back is a new customer"
    else:
        over = frame["churned"] > frame["at_risk"]
        if over.any():
            rule, hint = "churned must not exceed at_risk", "at_risk counts all who faced the renewal"
            problems.append(_told("D049", rule, frame, over, "churned", hint))
        left = frame["at_risk"] - frame["churned"]
        rising = frame["at_risk"] > left.groupby(frame["cohort"], sort=False).shift()
        rule, name, hint = (
            "at_risk must not exceed those left at the age before",
            "at_risk",
            "Who comes back is new",
        )
    if rising.any():
        problems.append(_told("D049", rule, frame, rising, name, hint))
    return problems


def _told(code: str, rule: str, frame: pd.DataFrame, wrong: pd.Series, name: str, hint: str) -> str:
    row = frame[wrong].iloc[0]
    got, age = (f"{v:g}" if isinstance(v, float) else v for v in (row[name], row["age"]))
    return (
        f"{code} {rule}; got {got} in cohort {row['cohort']!r}, age {age} ({int(wrong.sum())} rows). {hint}."
    )


def _lost(frame: pd.DataFrame) -> pd.DataFrame:
    """Survivors → at risk and lost, from age 1."""
    before = frame.groupby("cohort", sort=False)["customers"].shift()
    later = before.notna()
    at_risk = before[later].astype("int64")
    lost = at_risk - frame.loc[later, "customers"]
    return frame.loc[later, ["cohort", "age"]].assign(at_risk=at_risk, churned=lost).reset_index(drop=True)


# Contracts.


def _contracts(source: Any, start: str, end: str) -> Any:
    """Start and end of each contract in days since 1970-01-01; DataError where one cannot be."""
    table = open_source(source).table
    problems = [missing_column(name, table.columns) for name in (start, end) if name not in table.columns]
    if problems:
        raise DataError(*problems)
    ends = table[end]
    first, last = read_day(table[start]), read_day(ends.cast("date") if ends.type().is_null() else ends)
    rules = [
        (first.missing, first, "D011 every contract needs a start; got none"),
        (first.unreadable, first, "D009 start must be a date such as 2026-01-31; got {!r}"),
        (last.unreadable, last, "D009 end must be a date such as 2026-01-31; got {!r}"),
        ((last.value < first.value).fill_null(False), last, "D046 end must not be before start; got {!r}"),
    ]
    counts = fetch(table.aggregate(**{f"n{i}": rule[0].sum() for i, rule in enumerate(rules)})).to_pylist()[0]
    for i, (wrong, column, sentence) in enumerate(rules):
        if counts[f"n{i}"]:
            shown = table.filter(wrong).select(text=column.text.cast("string"))
            first_one = fetch(shown.order_by(sort_key(shown.text)).limit(1)).to_pylist()[0]["text"]
            problems.append(f"{sentence.format(first_one)} ({counts[f'n{i}']:,} contracts). Mend the table.")
    if problems:
        raise DataError(*problems)
    return table.select(start=first.value, end=last.value)


def _faced(contracts: Any, as_of: dt.date, length: Period) -> Any:
    """Cohort, renewals faced by as_of (at least one), and whether the last of them was the end."""
    import ibis

    today = (as_of - EPOCH).days
    t = contracts.filter(contracts.start <= today)
    ended = (t.end <= today).fill_null(False)
    at = ibis.greatest(length.between(t.start, t.end - 1) + 1, 1)  # the first renewal on or after the end
    t = t.mutate(all=length.between(t.start, ibis.literal(today, "int32")), at=at, ended=ended)
    lost = t.ended & (t["at"] <= t["all"])
    begun = date_of(t.start)
    cohort = begun.year().cast("string")
    if not (length.monthly and length.size >= 12):
        cohort = cohort + "-" + ibis.ifelse(begun.month() < 10, "0", "") + begun.month().cast("string")
    t = t.select(
        cohort=cohort, age=ibis.ifelse(lost, t["at"], t["all"]).cast("int32"), lost=lost.cast("int32")
    )
    return t.filter(t.age > 0)


def _at_risk(counted: pd.DataFrame) -> pd.DataFrame:
    """Contracts by the renewals they faced → who faced each age, and who was lost at it."""
    import pandas as pd

    parts = []
    for cohort, rows in counted.groupby("cohort"):
        ages = np.arange(1, rows["age"].max() + 1)
        by_age = rows.set_index("age")[["all", "lost"]].reindex(ages, fill_value=0)
        at_risk = by_age["all"].to_numpy()[::-1].cumsum()[::-1]
        parts.append(
            pd.DataFrame(
                {"cohort": cohort, "age": ages, "at_risk": at_risk, "churned": by_age["lost"].to_numpy()}
            )
        )
    empty = pd.DataFrame({"cohort": [], "age": [], "at_risk": [], "churned": []})
    return pd.concat(parts) if parts else empty
