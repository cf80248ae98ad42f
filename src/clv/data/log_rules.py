"""The coded rules on a log as a whole: silences, gaps, currencies, and amounts beyond all others."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.cleaning import USED
from clv.data.engines import fetch
from clv.data.findings import Finding, examples_of, place, shown
from clv.data.quantiles import quantiles
from clv.data.thresholds import ABSURD, FEED_GAP_DAYS, FEED_GAP_ORDERS, GAP_DAYS, GAP_FACTOR
from clv.units import EPOCH

if TYPE_CHECKING:
    from clv.data.contract import Transactions


def check_currencies(orders: Transactions) -> list[Finding]:
    """D028: amounts of several currencies are never added up without rates."""
    codes = orders.currencies
    others = {code: n for code, n in codes.items() if code != orders.money_unit}
    if not codes or orders.converts or not others:
        return []
    listed = ", ".join(f"{code or 'none'} × {n:,}" for code, n in list(codes.items())[:6])
    message = (
        f"amounts are in other currencies than {orders.money_unit} ({listed}). Supply fx (date, currency, "
        "rate) and the currency of the results, or a log in one currency."
    )
    return [Finding("D028", "F", message, sum(others.values()))]


def check_days(orders: Transactions) -> list[Finding]:
    """D014 and D015: no silence that makes everybody look lost, before as_of or inside the log."""
    book = orders.tally
    used = book[(book["reason"] == USED) & (book["day"] <= orders.as_of_day)]
    days, counts = used["day"].to_numpy(dtype=np.int64), used["rows"].to_numpy(dtype=float)
    order = np.argsort(days)
    days, counts = days[order], counts[order]
    silent = _silence(orders, days)
    inner = slice(None, -1 if silent else None)  # a last date far away is one finding, not two
    return [*silent, *_gaps(days[inner], counts[inner])]


def _silence(orders: Transactions, days: Any) -> list[Finding]:
    steps = np.diff(days)
    if orders.as_of is None:  # the last date is as_of: it is its own step that must not stand out
        silence, before = int(steps[-1]) if steps.size else 0, "the order before it"
        longest = int(steps[:-1].max(initial=0))
    else:
        silence, before = orders.as_of_day - int(days[-1]), "the last order"
        longest = int(steps.max(initial=0))
    if silence <= max(GAP_DAYS, GAP_FACTOR * longest, orders.allowed_gap_days):
        return []
    message = (
        f"as_of {orders.as_of_date} is {silence} days after {before}; {silence} days without a sale would "
        "make almost everyone look lost. Is the extract complete, and its last date right? Override: "
        f'allow_gap = "{silence}d".'
    )
    return [Finding("D014", "F", message)]


def _gaps(days: Any, counts: Any) -> list[Finding]:
    """D015: days without an order where the month around them leads one to expect many."""
    found = []
    for i in np.flatnonzero(np.diff(days) > FEED_GAP_DAYS):
        near = (days >= days[i] - 28) & (days <= days[i + 1] + 28)
        gap = int(days[i + 1] - days[i]) - 1
        present = min(int(days[i]), int(days[-1])) - max(int(days[i]) - 28, int(days[0]))
        present += min(int(days[i + 1]) + 28, int(days[-1])) - int(days[i + 1]) + 2
        usual = counts[near].sum() / max(present, 1)
        if usual >= 1 and usual * gap >= FEED_GAP_ORDERS:
            first, last = (EPOCH + dt.timedelta(int(day)) for day in (days[i] + 1, days[i + 1] - 1))
            found.append((usual * gap, f"No orders from {first} to {last} (usual: {usual:,.0f} a day)."))
    if not found:
        return []
    more = f" There are {len(found) - 1} more such gaps." if len(found) > 1 else ""
    return [Finding("D015", "W", max(found)[1] + more + " Is the feed complete?")]


def check_highest(orders: Transactions) -> list[Finding]:
    """D023: no amount a thousand times the 99th percentile; what a typing error or a test looks like."""
    book = orders.tally[(orders.tally["reason"] == USED) & (orders.tally["day"] <= orders.as_of_day)]
    highest, rows = book["highest"].max(), int(book["rows"].sum())
    if rows < 100 or not highest > ABSURD:
        return []
    t = orders.typed
    t = t.filter((t.reason == USED) & (t.minor > 0) & (t.day <= orders.as_of_day))
    near = fetch(t.aggregate(n=t.count(), near=(t.minor * ABSURD >= int(highest)).sum())).to_pylist()[0]
    if near["near"] >= 0.01 * near["n"]:  # then the 99th percentile is near enough itself
        return []
    high, middle = quantiles(t.minor, (0.99, 0.5))
    absurd = t.filter(t.minor > ABSURD * high)
    count = int(fetch(absurd.aggregate(n=absurd.count())).to_pylist()[0]["n"])
    if not count:
        return []
    listed = shown(orders, absurd.order_by(absurd.minor.desc()))
    examples = examples_of(listed)
    said = (
        f"{count:,} amounts are absurd, the highest {orders.money(int(highest))}, {highest / middle:,.0f}× "
        "the median, first {place}; a test order? Leave it out, or mend it."
    )
    message, nameless = (said.format(place=place(examples[0] | who)) for who in ({}, {"customer": "…"}))
    return [Finding("D023", "F", message, count, examples, listed, nameless)]


def check_empty(name: str, rows: int, as_of: Any) -> list[Finding]:
    """D002: there is something to read."""
    if rows:
        return []
    when = f" (as_of {as_of})" if as_of else ""
    return [Finding("D002", "F", f"{name} has 0 rows. Check the extract's date filter{when}.")]


def check_used(orders: Transactions) -> list[Finding]:
    """D002: something is left to model."""
    if orders.customers_used:
        return []
    book = orders.reconciliation()
    left = book[book["rows"] > 0].sort_values("reason")
    reasons = ", ".join(f"{row.rows:,} × {row.reason}" for row in left.itertuples())
    return [Finding("D002", "F", f"no row is left to model ({reasons}). Check the columns and as_of.")]


def check_mixed(orders: Transactions) -> list[Finding]:
    """D005: numbers and texts among the ids of a data frame."""
    same = orders.opened.mixed.get(orders.roles["customer"])
    if same is None:
        return []
    message = f"customer_id mixes integers and text; {same:,} ids agree after casting. All are read as text."
    return [Finding("D005", "W" if same else "A", message)]


def check_known_from(orders: Transactions) -> list[Finding]:
    """D009: the dates of the customers table."""
    if not orders.dated:
        return []
    table, known = orders.customers_source.table, orders.known_from
    wrong = table.filter(known.unreadable).select(text=known.text)
    first = fetch(wrong.order_by("text").limit(1)).to_pylist()
    said = "known_from in the customers table cannot be read: {!r}. Dates are expected as 2026-01-31."
    return [Finding("D009", "F", said.format(row["text"])) for row in first]


def check_net_days(orders: Transactions) -> list[Finding]:
    """D044: days that net to nothing, or less, are purchases without spend."""
    if orders.repaired is None:
        return []
    rows = orders.repaired.filter(orders.repaired.reason == USED)
    days = rows.group_by("customer", "day").aggregate(
        row=rows.row.min(),
        date_text=rows.date_text.min(),
        spent=rows.net.sum().cast("int64"),
        sold=rows.minor.max(),
        amount_text=rows.amount_text.min(),
    )
    days = days.filter((days.spent <= 0) & (days.sold > 0))
    facts = fetch(days.aggregate(n=days.count(), money=days.spent.sum().cast("int64"))).to_pylist()[0]
    if not facts["n"]:
        return []
    listed = shown(orders, days)
    examples = examples_of(listed)
    said = (
        f"{facts['n']:,} purchase days net to nothing or less ({orders.money(facts['money'])} in all), first "
        "for customer {customer} on {date_text}. They count as purchases, not as spend."
    )
    message, nameless = (said.format_map(examples[0] | who) for who in ({}, {"customer": "…"}))
    return [Finding("D044", "W", message, facts["n"], examples, listed, nameless)]
