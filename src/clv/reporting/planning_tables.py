"""Tables of the planning pages: unit economics, the bridge, scenarios, and the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.forecasting.totals import ALL
from clv.planning.rungs import STEPS
from clv.planning.steps import END, REST, START, WORDS
from clv.planning.what_ifs import BASE, MODEL, NEW
from clv.reporting.grid import Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.planning.ratios import UnitEconomics
    from clv.planning.spending import Budget
    from clv.planning.steps import Bridge
    from clv.planning.what_ifs import Scenarios

WHO = {NEW: "new", BASE: "base"}
_SAME = 1e-9  # rounding of a change
_LEAST = 0.001  # of a budget, from which what is kept has a row


def ratios(units: UnitEconomics, money: str = "") -> Table:
    """Value against acquisition cost by segment, with bands and probabilities."""
    frame = units.table.reset_index()
    frame["segment"] = _marked(frame["segment"], frame["few"])
    frame["payback"] = [
        _paid_back(cac, month, units.months)
        for cac, month in zip(frame["cac"], frame["payback_month"], strict=True)
    ]
    known = frame["cac"].notna().any()
    columns = [Column("segment", "Segment", "text"), Column("customers", "Customers", "count")]
    columns += [Column("cac", "CAC", "money")] if known else []
    columns += [
        Column("value", "Value = break-even CAC", "money"),
        *_band("value", "money"),
    ]
    if known:
        columns += [
            Column("value_to_cac", "Value ÷ CAC", "ratio"),
            *_band("value_to_cac", "ratio"),
            Column("p_above_1", "P(mean ratio > 1)", "share"),
            Column("p_above_3", "P(mean ratio > 3)", "share"),
            Column("payback", "Mean paid back by month", "text"),
            Column("p_paid_back", f"Customers paid back in {units.months} months", "share"),
        ]
    columns = [column for column in columns if frame[column.key].notna().any()]
    return Table(
        "ratios",
        "What a new customer brings against what it costs",
        columns,
        frame,
        f"{units.basis}.",
        total=True,
        unit=money,
    )


def _paid_back(cac: float, month: float, months: int) -> str:
    """The month, or that there is none, which is another thing than a CAC that is not known."""
    never = "not known" if np.isnan(cac) else f"not in {months} months"
    return never if np.isnan(month) else f"{month:.0f}"


def payback(units: UnitEconomics, money: str = "") -> Table:
    """Contribution so far of a new customer by month, of all segments together, and who has paid back."""
    frame = units.curve[units.curve["segment"] == ALL].reset_index(drop=True)
    frame["cac"] = units.table["cac"][ALL]
    columns = [
        Column("month", "Months since the first order", "count"),
        Column("contribution", "Contribution so far", "money"),
        *_band("contribution", "money"),
        Column("cac", "CAC", "money"),
        Column("net", "Less CAC", "money"),
        Column("p_paid_back", "Customers paid back", "share"),
    ]
    columns = [column for column in columns if frame[column.key].notna().any()]
    title = "How a new customer pays back what it cost"
    return Table("payback", title, columns, frame, f"{units.basis}. All customers.", unit=money)


def steps(found: Bridge, money: str = "", segment: str = ALL) -> Table:
    """The bridge of one segment, step by step, in both orders."""
    frame = found.table[found.table["segment"] == segment].drop(columns="segment")
    frame = frame[frame["amount"].notna()].reset_index(drop=True)
    columns = (
        Column("step", "Step", "text"),
        Column("amount", "Adds", "money"),
        Column("level", "Value with it", "money"),
        Column("reversed", "Adds, in the reverse order", "money"),
    )
    title = f"From formula 1 to the model, step by step: {segment}"
    return Table("steps", title, columns, frame, f"{found.basis}.", total=True, unit=money)


def bridges(found: Bridge, money: str = "") -> Table:
    """The bridge of every segment, a row each."""
    frame = found.wide.reset_index()
    names = [START, *(WORDS[step] for step in STEPS), REST, END]
    columns = [Column("segment", "Segment", "text"), *(Column(n, _capital(n), "money") for n in names)]
    columns = [column for column in columns if column.key == "segment" or frame[column.key].notna().any()]
    return Table("bridges", "The same by segment", columns, frame, f"{found.basis}.", total=True, unit=money)


def tornado(found: Scenarios, who: str, money: str = "") -> Table:
    """What each lever does to a new customer or to the base by the model, the widest first."""
    rows = found.table[(found.table["who"] == who) & found.table["width"].notna()]
    frame = rows[rows["by"] == MODEL].reset_index(drop=True)
    frame["row"] = _levers(frame)
    whose = "the existing base" if who == BASE else "a new customer, less CAC"
    return Table(
        f"tornado_{WHO[who]}",
        f"What moves the value of {whose}",
        _SIDES,
        frame,
        f"{found.basis}. By the model; each lever alone.",
        unit=money,
    )


def levers(found: Scenarios, money: str = "") -> Table:
    """The same for everyone and by each method, formulas included."""
    frame = found.table[found.table["width"].notna()].reset_index(drop=True)
    frame["row"] = _levers(frame)
    columns = (Column("who", "Of", "text"), Column("by", "By", "text"), *_SIDES)
    return Table(
        "levers", "Every lever, by model and formulas", columns, frame, f"{found.basis}.", unit=money
    )


_SIDES = (
    Column("row", "Lever", "text"),
    Column("down", "Lower", "money"),
    Column("base", "As it is", "money"),
    Column("up", "Higher", "money"),
)


def two_way(found: Scenarios, money: str = "") -> Table:
    """Contribution of the base when two levers move at once: one down the rows, one across."""
    first, second = found.two_way.columns[:2]
    value = f"{BASE}, {MODEL}"
    wide = found.two_way.pivot(index=first, columns=second, values=value)
    frame = pd.DataFrame({"row": [_capital(_signed(float(v))) for v in wide.index]})
    columns = [Column("row", _capital(_lever(first)), "text")]
    for change, values in zip(map(float, wide.columns), wide.to_numpy().T, strict=True):
        frame[f"{change:.6g}"] = values
        columns.append(Column(f"{change:.6g}", f"{_lever(second)} {_signed(change)}", "money"))
    title = f"{_capital(_lever(first))} and {_lever(second)} together: contribution of the existing base"
    far = " A dash: a lever cannot move as far." if wide.isna().any(axis=None) else ""
    return Table("two_way", title, columns, frame, f"{found.basis}. By the model.{far}", unit=money)


def retention(found: Scenarios, money: str = "") -> Table:
    """What some points of retention are worth."""
    frame = found.retention.reset_index(names="row")
    frame["row"] = [_capital(name) for name in frame["row"]]
    columns = (
        Column("row", "Of", "text"),
        Column("alive", "Alive now", "share"),
        Column("retention", "Of those, retention of a year", "share"),
        Column("retention_after", f"With {found.points * 100:g} points more", "share"),
        Column("value", "Value", "exact"),
        Column("value_after", "Value then", "exact"),
        Column("worth", "Worth", "exact"),
    )
    return Table(
        "retention",
        f"What {found.points * 100:g} points of retention are worth",
        columns,
        frame,
        f"{found.basis}. Retention: of customers who are alive now, those who still are in a year, by the "
        "model; not of all customers.",
        unit=money,
    )


def ways(found: Budget, money: str = "") -> Table:
    """Ways to spend the budget, and what each is worth."""
    frame = _given(found.table).reset_index(names="row")
    frame["row"] = [_capital(name) for name in frame["row"]]
    columns = (
        Column("row", "Way to spend", "text"),
        Column("spend", "Spend", "money"),
        Column("value", "Value, base and acquired", "money"),
        Column("net", "Less spend", "money"),
        Column("net_p10", "In one case of ten less than", "money"),
        Column("regret", "Short of the recommended", "money"),
    )
    return Table("ways", "Ways to spend the budget", columns, frame, f"{found.basis}.", unit=money)


def split(found: Budget, money: str = "") -> Table:
    """The recommended split, beside last year's, with what is kept: together that is the budget."""
    uses = _given(found.split).reset_index(names="row")
    kept = found.total - float(uses["recommended"].sum())
    whole = ("Together", found.total, uses["last_year"].sum(min_count=1))
    rows = [("Kept", kept, np.nan), whole] if kept >= _LEAST * found.total else [whole]
    sums = pd.DataFrame(rows, columns=["row", "recommended", "last_year"])
    frame = pd.concat([uses.assign(use=True), sums.assign(use=False)], ignore_index=True)
    columns = [
        Column("row", "Spend on", "text"),
        Column("recommended", "Recommended", "money"),
        Column("last_year", "Last year", "money"),
        Column("cac", "CAC at that spend", "money"),
        Column("marginal", "The last unit brings", "ratio"),
    ]
    columns = [column for column in columns if frame[column.key].notna().any()]
    basis = f"{found.basis}. The last unit of money spent, or the first where none is, brings so much back."
    return Table("split", "What to spend on what", columns, frame, basis, total=True, unit=money)


def break_evens(found: Budget, money: str = "") -> Table:
    """The most that a customer may cost, by segment."""
    frame = found.acquisition.reset_index(names="row")
    columns = [
        Column("row", "Segment", "text"),
        Column("cac", "CAC", "money"),
        Column("break_even_cac", "Break-even CAC", "money"),
        Column("break_even_p10", "… in the lowest of ten cases", "money"),
    ]
    columns = [column for column in columns if frame[column.key].notna().any()]
    title = "The most that a new customer may cost"
    return Table("break_evens", title, columns, frame, f"{found.basis}.", total=True, unit=money)


def needed(found: Budget, money: str = "") -> Table:
    """Points of retention that retention spend has to bring to pay."""
    frame = (100 * found.retention).reset_index(names="spend")
    columns = (
        Column("spend", "Retention spend", "money"),
        Column("points", "Pays from so many points of a year's retention", "points"),
    )
    title = "What retention spend has to bring to pay"
    basis = (
        f"{found.basis}. Points: of a hundred customers who are alive now, so many more still are in a year. "
        "A dash: no gain is enough."
    )
    return Table("needed", title, columns, frame, basis, unit=money)


def _band(name: str, kind: str) -> list[Column]:
    return [Column(f"{name}_p05", "5 %", kind), Column(f"{name}_p95", "95 %", kind)]  # type: ignore[arg-type]


def _given(frame: pd.DataFrame | None) -> pd.DataFrame:
    return pd.DataFrame() if frame is None else frame


def _levers(frame: pd.DataFrame) -> list[str]:
    """Levers with how far they move: as far down as up, but where they reach an end."""
    moves = frame[["lever", "moved_down", "moved_up"]].itertuples(index=False, name=None)
    return [
        f"{_capital(_lever(name))} ±{100 * up:.4g} %"
        if abs(up + down) < _SAME
        else f"{_capital(_lever(name))} {_signed(down)} to {_signed(up)}"
        for name, down, up in moves
    ]


def _lever(name: str) -> str:
    return {"cac": "CAC"}.get(name, name.replace("_", " "))


def _signed(change: float) -> str:
    return "as it is" if abs(change) < _SAME else f"{100 * change:+.4g} %".replace("-", "−")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _marked(names: Sequence[str] | pd.Series, few: Sequence[bool] | pd.Series) -> list[str]:
    return [f"{name}{' (few)' if small else ''}" for name, small in zip(names, few, strict=True)]
