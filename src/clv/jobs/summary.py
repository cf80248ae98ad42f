"""What a run says on the terminal, as plain lines."""

from __future__ import annotations

from clv.data.contract import Transactions
from clv.evaluation.study import Study
from clv.reporting import pages, tables
from clv.reporting.decision import decision
from clv.reporting.grid import Table, show_value


def check_lines(orders: Transactions) -> list[str]:
    """What the checks found, and where nothing fails, what would be kept."""
    found = [f"{f.severity} {f}" for f in orders.findings if f.severity != "F"]
    if any(f.severity == "F" for f in orders.findings):
        return found
    return [*found, "", "Rows and money", *_grid(tables.reconciliation(orders)), ""]


def lines(study: Study) -> list[str]:
    """Kept and dropped, the fits, the hold-out and the headline numbers."""
    out = ["", "Rows and money", *_grid(tables.reconciliation(study.orders))]
    out += ["", *(f"{f.severity} {f}" for f in study.orders.findings)]
    out += ["", str(study.purchase), str(study.spend)]
    if study.holdout is not None:
        held = study.holdout.holdout
        out += [
            "",
            f"Hold-out {held.cut} to {held.end}: {study.holdout.actual_spend:,.2f} {study.orders.currency} "
            "spent",
        ]
        out += [
            f"  {name:<27}{show_value(row['forecast'], 'count'):>12}  {show_value(row['error'], 'signed'):>9}"
            for name, row in tables.contenders(study).frame.iterrows()
        ]
        out += [f"  {pages.verdict(study)}"]
    out += ["", "Headline"]
    out += [f"  {h.label}: {h.value} ({h.note})" for h in decision(study).headlines]
    return out


def _grid(table: Table) -> list[str]:
    rows = [[c.label for c in table.columns], *table.cells()]
    widths = [max(len(row[j]) for row in rows) for j in range(len(table.columns))]
    return [
        "  "
        + "  ".join(
            cell.ljust(w) if j == 0 else cell.rjust(w)
            for j, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
