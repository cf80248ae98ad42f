"""The pages about the past: the last published forecast against what came, and where customers went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from clv.data.segments import SEGMENT_ORDER
from clv.forecasting.totals import ALL
from clv.reporting.grid import Column, Page, Table
from clv.reporting.movements import GONE, NEW, SOON, Movement
from clv.reporting.outcomes import Outcome
from clv.reporting.tables import segment_words
from clv.reporting.thresholds import AT_RISK_DAYS, AT_RISK_FALL, AT_RISK_TOP
from clv.units import in_words, percent

KNOWN = "All known then"


def last(found: Outcome) -> Page:
    """The last published forecast against what came."""
    shown = [outcomes(found, by) for by in found.tables]
    periods = [by_period(found)] if len(found.periods) > 1 or _partial(found) else []
    notes = [
        f"Forecast and bands are computed anew from the fits and the base of run {found.run_id}, for the "
        "time that is over: bands of single quarters do not add up to those of several.",
        "Nine bands in ten are meant to hold what comes; one in ten is missed by a good forecast too.",
        *(["Some periods are partly in the time compared, and are marked so."] if _partial(found) else []),
    ]
    others = [apart(found)] if any(found.new) or any(found.left) else []
    made = [shown[0], *others, *periods, *shown[1:]]
    return Page("last", "Last forecast", found.sentence, made, shown[:1], notes)


def outcomes(found: Outcome, by: str) -> Table:
    """Forecast, band and actual by segment of then."""
    frame = found.tables[by]
    segments = frame.drop(index=ALL)
    frame = frame.reindex([*_in_order(segments.index), ALL])
    frame.insert(0, "segment", frame.index)
    frame["inside"] = _words(frame["inside"])
    words = segment_words(by)
    return Table(
        f"outcome_by_{by}",
        f"Forecast of {found.start} and what came, by {words} of then",
        (Column("segment", words[:1].upper() + words[1:], "text"), *_columns()),
        frame,
        _basis(found),
        total=True,
        unit=found.currency,
    )


def apart(found: Outcome) -> Table:
    """Who came since and who is no longer in the log: what was expected of them, and what came."""
    rows = [(NEW, found.new[0], np.nan, found.new[1]), (GONE, found.left[0], found.left[1], np.nan)]
    return Table(
        "outcome_apart",
        "Customers of one of both days only, who are not in the comparison",
        (
            Column("who", "Customers", "text"),
            Column("customers", "How many", "count"),
            Column("forecast", "Forecast", "money"),
            Column("actual", "Actual", "money"),
        ),
        pd.DataFrame([row for row in rows if row[1]], columns=["who", "customers", "forecast", "actual"]),
        f"Revenue in {found.currency} after {found.start} up to {found.end}, before margin and undiscounted. "
        "Nothing was forecast of those who came since, and what those who left have bought is not known.",
        unit=found.currency,
    )


def by_period(found: Outcome) -> Table:
    """The same by fiscal quarter."""
    frame = found.periods
    names = [
        f"{name} (part)" if partial else str(name)
        for name, partial in zip(frame.index, frame["partial"], strict=True)
    ]
    frame = frame.assign(inside=_words(frame["inside"]))
    frame.insert(0, "period", names)
    return Table(
        "outcome_periods",
        f"Forecast of {found.start} and what came, by quarter",
        (Column("period", "Quarter", "text"), *_columns()[1:]),
        frame,
        _basis(found),
        unit=found.currency,
    )


def _columns() -> Sequence[Column]:
    return (
        Column("customers", "Customers", "count"),
        Column("forecast", "Forecast", "money"),
        Column("low", "5 %", "money"),
        Column("high", "95 %", "money"),
        Column("actual", "Actual", "money"),
        Column("error", "Error", "signed"),
        Column("inside", "Inside", "text"),
    )


def _words(inside: pd.Series) -> list[str]:
    return ["yes" if so else "no" for so in inside]


def _partial(found: Outcome) -> bool:
    return bool(found.periods["partial"].any())


def _basis(found: Outcome) -> str:
    return (
        f"Customers of {found.start} who are still in the log; revenue in {found.currency} after that day up "
        f"to {found.end}, of a horizon of {in_words(found.horizon)}, before margin and undiscounted; bands: "
        f"{found.doubt}. Error: forecast ÷ actual − 1. New customers, and those no longer in the log "
        "(erased, merged with others, or refunded in full), are not in it."
    )


def _in_order(names: Iterable[Any]) -> list[str]:
    rank = {name: at for at, name in enumerate((*SEGMENT_ORDER, NEW, GONE))}
    return sorted(map(str, names), key=lambda name: (rank.get(name, len(rank)), name))


def movement(found: Movement) -> Page:
    """Where customers went, and who may be slipping away."""
    at_risk = [risks(found, by) for by in found.at_risk]
    notes = [
        "Both days are cut at the points of then: a segment means the same on both. Newcomers, and customers "
        "no longer in the log (erased, merged with others, or refunded in full), have lines of their own.",
        *_risk_notes(found),
    ]
    tables = [stays(found), *at_risk, flows(found)]
    return Page("movement", "Segment movement", found.sentence, tables, notes=notes)


def flows(found: Movement) -> Table:
    """Customers by segment then, a column a segment now."""
    counts = found.flows.pivot(index="before", columns="after", values="customers").fillna(0)
    names, ends = _in_order(counts.index), _in_order(counts.columns)
    frame = counts.loc[names, ends]
    frame.loc[ALL] = frame.sum()
    frame["total"] = frame.sum(axis=1)
    frame = frame.where(frame > 0)
    if {NEW, GONE} & {*names, *ends}:
        frame.loc[ALL, "total"] = np.nan  # those of both days together are a number of neither
    frame.columns = pd.Index([*(f"to_{at}" for at in range(len(ends))), "total"])
    frame.insert(0, "before", frame.index)
    return Table(
        "movement_customers",
        f"Customers by RFM segment on {found.since}, and where they are on {found.today}",
        (
            Column("before", f"On {found.since}", "text"),
            *(Column(f"to_{at}", name, "count") for at, name in enumerate(ends)),
            Column("total", "All", "count"),
        ),
        frame,
        f"Customers of {found.since} and {found.today}, by the cut points of {found.since}.",
        total=True,
    )


def stays(found: Movement) -> Table:
    """Of each segment of then: how many stayed, rose and fell in value, and what they are worth."""
    known = found.flows[found.flows["before"] != NEW]
    frame = pd.DataFrame(list(_stays(known)))
    frame["change"] = frame["value_now"] / frame["value_then"].where(frame["value_then"] > 0) - 1
    if not found.comparable:
        frame[["value_then", "change"]] = np.nan
    return Table(
        "movement_value",
        f"What the segments of {found.since} were worth, and are",
        (
            Column("segment", f"On {found.since}", "text"),
            Column("customers", "Customers", "count"),
            Column("stayed", "Same segment", "share"),
            Column("gone", GONE, "count"),
            Column("value_then", f"Value on {found.since}", "money"),
            Column("value_now", f"Value on {found.today}", "money"),
            Column("change", "Change", "signed"),
        ),
        frame,
        f"Existing customers, contribution in {found.currency} expected over the {in_words(found.horizon)} "
        "after each day, discounted to it, acquisition cost sunk; what came in between is in neither."
        f"{_newcomers(found)}",
        total=True,
        unit=found.currency,
    )


def _newcomers(found: Movement) -> str:
    """Who came since, and what they are worth: they were worth nothing then, and have no row."""
    rows = found.flows[found.flows["before"] == NEW]
    if rows.empty:
        return ""
    number, value = rows["customers"].sum(), rows["value_now"].sum()
    return f" Not in it: {number:,} who are new since then, worth {value:,.0f} {found.currency} now."


def _stays(flows: pd.DataFrame) -> Iterator[dict[str, object]]:
    for name in [*_in_order(flows["before"].unique()), KNOWN]:
        rows = flows if name == KNOWN else flows[flows["before"] == name]
        known = rows[rows["after"] != GONE]
        same = known.loc[known["before"] == known["after"], "customers"].sum()
        yield {
            "segment": name,
            "customers": rows["customers"].sum(),
            "stayed": same / known["customers"].sum() if len(known) else np.nan,
            "gone": rows.loc[rows["after"] == GONE, "customers"].sum(),
            "value_then": rows["value_then"].sum(),
            "value_now": rows["value_now"].sum(),
        }


def risks(found: Movement, by: str) -> Table:
    """Customers at risk by segment, with what they were worth and are."""
    frame = found.at_risk[by]
    frame = frame.loc[_in_order(frame.index)] if by == "rfm_segment" else frame
    frame = pd.concat([frame, frame.sum().rename(ALL).to_frame().T])
    if not found.comparable:
        frame["value_then"] = np.nan
    frame.insert(0, "segment", frame.index)
    words = segment_words(by)
    return Table(
        f"at_risk_by_{by}",
        f"Customers at risk, by {words}{' of then' if by == 'rfm_segment' else ''}",
        (
            Column("segment", words[:1].upper() + words[1:], "text"),
            Column("customers", "At risk", "count"),
            Column("value_then", f"Their value on {found.since}", "money"),
            Column("value_now", f"On {found.today}", "money"),
        ),
        frame,
        f"Among the {found.top:,} customers who were worth most on {found.since} ({percent(AT_RISK_TOP)} of "
        f"all) and are still in the log; contribution in {found.currency} expected over "
        f"{in_words(found.horizon)}, discounted.",
        total=True,
        unit=found.currency,
    )


def _risk_notes(found: Movement) -> Iterator[str]:
    if found.table is not None:
        yield (
            f"At risk: of the {percent(AT_RISK_TOP)} of customers with the highest expected value on "
            f"{found.since}, those whose chance to buy within {AT_RISK_DAYS} days has fallen by "
            f"{percent(AT_RISK_FALL)} or more since (column {SOON} of both runs). Their ids are in "
            "at_risk.parquet of this run, and on no page. The model knows no season: after a busy one many "
            "fall."
        )
    if not found.comparable:
        said = "; ".join(f"{name} {then}, now {now}" for name, (then, now) in found.changed.items())
        yield (
            f"Run {found.run_id} counted otherwise ({said}): values of then are not shown beside those of "
            "now."
        )
