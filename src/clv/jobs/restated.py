"""Whether a log still says what it said: rows and money by month, kept by a run, compared by the next."""

from __future__ import annotations

import datetime as dt
import json
from calendar import monthrange
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv.data.findings import Finding

if TYPE_CHECKING:
    from clv.data.contract import Transactions
    from clv.jobs.config import Config

_SHOWN = 5  # months that a message names


def months(orders: Transactions) -> dict[str, dict[str, int]]:
    """Rows and money (minor units) by calendar month, of all rows dated on as_of or before, used or not."""
    book = orders.tally[["day", "rows", "money"]]
    book = book[book["day"].notna()].astype("int64")
    book = book[book["day"] <= orders.as_of_day]
    name = book["day"].to_numpy().astype("datetime64[D]").astype("datetime64[M]").astype(str)
    sums = book.groupby(name)[["rows", "money"]].sum()
    return {str(month): {"rows": int(row.rows), "money": int(row.money)} for month, row in sums.iterrows()}


def check_restated(config: Config, orders: Transactions) -> list[Finding]:
    """D043: months that were over by the time of the last run, and have changed since."""
    earlier = latest(config.runs, config.report.name)
    if earlier is None:
        return []
    same_money = earlier["currency"] == orders.money_unit
    then, now = earlier["months"], months(orders)
    last = min(earlier["as_of"], orders.as_of_date)
    changed = {}
    for month in sorted(then.keys() | now.keys()):
        old, new = (found.get(month, {"rows": 0, "money": 0}) for found in (then, now))
        by = {name: new[name] - old[name] for name in ("rows", "money")}
        by["money"] *= same_money
        if month_end(month) <= last and any(by.values()):
            changed[month] = by
    if not changed:
        return []

    def said(rows: int, money: int) -> str:
        sums = f", {'+' * (money >= 0)}{orders.money(money)}" if same_money else ""
        return f"{rows:+,} rows{sums}".replace("-", "−")

    listed = [f"{month} ({said(**by)})" for month, by in list(changed.items())[:_SHOWN]]
    more = f" and {len(changed) - _SHOWN:,} more" if len(changed) > _SHOWN else ""
    total = said(*(sum(by[name] for by in changed.values()) for name in ("rows", "money")))
    message = (
        f"history was restated since run {earlier['run_id']} (as of {earlier['as_of']}): {len(changed):,} "
        f"month{'s' * (len(changed) != 1)} changed, {', '.join(listed)}{more}; in all {total}. Was the feed "
        "mended, or is this another extract?"
    )
    return [Finding("D043", "W", message)]


def month_end(month: str) -> dt.date:
    """Last day of a month such as "2026-02"."""
    year, number = map(int, month.split("-"))
    return dt.date(year, number, monthrange(year, number)[1])


def latest(folder: Path, name: str) -> dict[str, Any] | None:
    """What the latest run of a report kept: run_id, as_of, currency, months; None where none can be read.

    Whatever is wrong with an earlier run is no reason to refuse this one.
    """
    try:
        run = (folder / "latest").read_text(encoding="utf-8").strip()
        saved = json.loads((folder / Path(run).name / "run.json").read_text(encoding="utf-8"))
        if saved["name"] != name:
            return None
        kept = {
            month: {"rows": int(by["rows"]), "money": int(by["money"])}
            for month, by in saved["history"]["months"].items()
            if month_end(month)
        }
        return {
            "run_id": str(saved["run_id"]),
            "as_of": dt.date.fromisoformat(saved["as_of"]),
            "currency": saved["history"]["currency"],
            "months": kept,
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
