"""The coded rules on input, in the order in which they can be answered; all that can be is said together."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from clv.data.customer_rules import check_customers, check_segments
from clv.data.engines import ROW
from clv.data.feedback import asked, check_feedback
from clv.data.findings import Finding, Rule, findings
from clv.data.log_rules import (
    check_currencies,
    check_days,
    check_empty,
    check_highest,
    check_known_from,
    check_mixed,
    check_net_days,
    check_used,
)
from clv.data.repairs import sharing_a_number
from clv.data.row_rules import number_rule, repair_rules, row_rules
from clv.data.tally import tally

if TYPE_CHECKING:
    from clv.data.contract import Transactions

__all__ = ["Finding", "Rule", "check", "check_all_columns", "check_columns", "row_rules"]

# What to do about a column that is not there: where another has nearly its name, and where none has.
_SET = ('Set {role} = "{guess}".', "Set {role} to the right one.")
_LIST = ('Write "{guess}" in segments.', "Write the right one in segments.")
RENAME = ("Rename it to {name!r} there.", "Name the right one {name!r} there.")


def check(orders: Transactions) -> list[Finding]:
    """Every answer to a log, sorted by code."""
    found = check_all_columns(orders)
    if found:
        return found
    found = check_empty(orders.opened.name, _rows(orders), orders.as_of)
    if found:
        return found
    return sorted(_answers(orders), key=lambda finding: finding.code)


def _rows(orders: Transactions) -> int:
    return int(orders.tally["rows"].sum())


def _answers(orders: Transactions) -> Iterator[Finding]:
    found = [*check_currencies(orders), *check_mixed(orders)]
    found += findings(orders, orders.typed, orders.row_rules, orders.tally, _rows(orders))
    found += [*check_known_from(orders), *check_feedback(orders)]
    dated = orders.as_of is not None or orders.last_day is not None
    if dated:
        found += [*_repairs(orders), *_numbers(orders)]
    if orders.as_of is None and dated:
        note = f"as_of was taken from the data: {orders.as_of_date}, the last day with a row."
        found.append(Finding("D045", "W", note))
    yield from found
    if any(finding.severity == "F" for finding in found):
        return  # what a broken log says of its customers would mislead
    empty = check_used(orders) if dated else [nothing_dated(orders)]
    yield from empty
    if not empty:
        yield from [
            *check_days(orders),
            *check_highest(orders),
            *check_customers(orders),
            *check_segments(orders),
        ]


def nothing_dated(orders: Transactions) -> Finding:
    """D002 for a log without a single date."""
    counts = orders.tally.groupby("reason")["rows"].sum().sort_index()
    reasons = ", ".join(f"{rows:,} × {reason}" for reason, rows in counts.items())
    return Finding("D002", "F", f"no row is left to model ({reasons}). Check the columns and as_of.")


def _repairs(orders: Transactions) -> list[Finding]:
    if orders.repaired is None:
        return []
    found = _counted(orders, orders.repaired, repair_rules(orders, orders.repaired))
    return [*found, *check_net_days(orders)]


def _numbers(orders: Transactions) -> list[Finding]:
    rows = sharing_a_number(orders)
    return [] if rows is None else _counted(orders, rows, [number_rule(rows)])


def _counted(orders: Transactions, rows: Any, rules: Sequence[Rule]) -> list[Finding]:
    counts = tally(rows, [c for rule in rules for c in rule.conditions], by=())
    return findings(orders, rows, rules, counts, _rows(orders))


def check_all_columns(orders: Transactions) -> list[Finding]:
    """D001 for the log, the customers table, and the segments of both."""
    found = check_columns(orders.columns, orders.roles)
    further: list[str] = []
    if orders.customers is not None:
        further = [name for name in orders.customers_source.table.columns if name != ROW]
        named = {"customer": orders.customer} | asked(orders)
        found += check_columns(further, named, " in the customers table")
    segments = {name: name for name in orders.segments}
    return found + check_columns([*orders.columns, *further], segments, steps=_LIST)


def check_columns(
    columns: Sequence[str], wanted: dict[str, str], where: str = "", steps: tuple[str, str] = _SET
) -> list[Finding]:
    """D001: every column that is wanted is present; `wanted` maps the option to the name.

    `steps` say what to do: RENAME where columns are called as they are, and no option says otherwise.
    """
    found = []
    for role, name in wanted.items():
        if name in columns:
            continue
        close = difflib.get_close_matches(name.lower(), [c.lower() for c in columns], 1, 0.4)
        guess = next((c for c in columns if close and c.lower() == close[0]), None)
        step = steps[guess is None].format(role=role, name=name, guess=guess)
        hint = f"Did you mean {guess!r}? {step}" if guess else step
        present = ", ".join(list(columns)[:12]) + (", …" if len(columns) > 12 else "")
        message = f"Column {name!r} not found{where}. Columns present: {present}. {hint}"
        found.append(Finding("D001", "F", message))
    return found
