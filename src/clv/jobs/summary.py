"""What a check and a run say on the terminal, as lines and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clv.data.findings import Finding
from clv.jobs.checking import Checked, finding_json, shared
from clv.jobs.screen import Block, Grid, printable
from clv.reporting import tables
from clv.reporting.grid import Page, money, show_value
from clv.reporting.holdout_page import verdict as verdict_of
from clv.reporting.reviews import Review

if TYPE_CHECKING:
    import pandas as pd

    from clv.data.contract import Transactions

_TOLD = ("backtest", "last", "movement")  # pages whose findings the terminal shows too
_WORDS = {"F": "fails", "W": "warning", "A": "mended"}


def check_blocks(checked: Checked) -> list[Block]:
    """Every finding, what would become of every row, and whether a run can begin."""
    book, config, orders = checked.reconciliation(), checked.config, checked.orders
    source = config.input.path + (f", table {config.input.table}" if config.input.table else "")
    told = "" if book is None else f", as of {orders.as_of_date}, money in {orders.money_unit}"
    out: list[Block] = [printable(f"{config.report.name}: {source}{told}"), ""]
    out += [_findings(checked.findings), ""] if checked.findings else []
    if book is not None:
        head = "What became of every row" + (", as it is read now" if checked.failing else "")
        out += [head, _rows(book, orders), ""]
    if any(finding.rows > len(finding.examples) > 0 for finding in checked.failing):
        out += ["Every row that a finding is about, in a file: add --list rows.parquet", ""]
    return [*out, verdict(checked)]


def verdict(checked: Checked) -> str:
    """Whether the data can be used, in one line."""
    if checked.failing:
        codes = ", ".join(dict.fromkeys(finding.code for finding in checked.failing))
        n = len(checked.failing)
        return f"A run would stop here: {n} finding{'s' * (n != 1)} to mend first ({codes})."
    n = checked.warned
    return "The data can be used" + (f", with {n} warning{'s' * (n != 1)} to read." if n else ".")


def run_blocks(review: Review, pages: Sequence[Page]) -> list[Block]:
    """Kept and dropped, the fits, what tests say of them, and the headline numbers with their bands."""
    study = review.study
    found = study.orders.findings
    out: list[Block] = ["", "What became of every row", _rows(shared(study.orders), study.orders), ""]
    out += [_findings(found), ""] if found else []
    out += [str(study.purchase), str(study.spend)]
    if study.holdout is not None:
        held = study.holdout.holdout
        unit = study.orders.money_unit
        spent = f"{money(study.holdout.actual_spend, unit)} {unit}"
        rows = [
            [str(name), show_value(row["forecast"], "count"), show_value(row["error"], "signed")]
            for name, row in tables.contenders(study).frame.iterrows()
        ]
        out += ["", f"Hold-out {held.cut} to {held.end}: {spent} spent"]
        out += [
            "",
            Grid(("Forecast by", "Forecast", "Error"), rows, frozenset({1, 2})),
            "",
            verdict_of(study),
        ]
    told = [page.finding for page in pages if page.id in _TOLD]
    out += [block for finding in told for block in ("", printable(finding))]
    headlines = [[h.label, h.value, h.band, h.note] for h in pages[0].headlines]
    return [*out, "", Grid(("Headline", "Value", "Band", "What it is"), headlines, frozenset({1}))]


def _findings(found: Sequence[Finding]) -> Grid:
    rows = []
    for finding in found:
        count = f"{finding.rows:,}" if finding.rows else ""
        lines = [finding.message, *(_examples(finding) if finding.severity == "F" else ())]
        rows.append([finding.code, _WORDS[finding.severity], count, "\n".join(map(_one_line, lines))])
    return Grid(("Code", "Kind", "Rows", "What was found, and what to do"), rows, frozenset({2}))


def _examples(finding: Finding) -> list[str]:
    """The first rows, as they stand in the source."""
    lines = []
    for row in finding_json(finding)["examples"]:
        texts = [row.get(name) for name in ("customer", "date", "amount", "currency", "type")]
        shown = " · ".join(str(text) for text in texts if text not in (None, "", "sale"))
        lines.append(f"row {row['row']}: {shown}" if row["row"] is not None else shown)
    return lines


def _one_line(text: str) -> str:
    return printable(text.replace("\n", "\\n"))


def _rows(book: pd.DataFrame, orders: Transactions) -> Grid:
    """Used first, then what is left out and why, and the sum of both."""
    money = None if book["money"].isna().any() else float(book["money"].sum())
    lines = [*book.itertuples(index=False, name=None), ("rows in", int(book["rows"].sum()), 1.0, money, None)]
    rows = [
        [
            reason,
            f"{count:,}",
            show_value(share, "share"),
            "–" if sum_ is None else f"{sum_:,.{orders.digits}f}".replace("-", "−"),
            "" if who is None else f"{who:,}",
        ]
        for reason, count, share, sum_, who in lines
    ]
    heads = ("", "Rows", "Share", f"Money ({orders.money_unit})", "Customers")
    return Grid(heads, rows, frozenset({1, 2, 3, 4}), total=True)
