"""The coded rules on customers: who they are, whether there are enough, and what the models ask of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.data.cleaning import USED, segment_column
from clv.data.engines import fetch, least
from clv.data.findings import Finding, Severity, percent
from clv.data.thresholds import (
    CORRELATION,
    DOMINANT,
    FIRST_DAYS,
    FIRST_SHARE,
    MIN_CUSTOMERS,
    MIN_REPEATERS,
    MIN_SEGMENT,
    ONE_TIMERS,
    PERIOD_SHARE,
    PERIODS,
    PLACEHOLDER_NUMBERS,
    PLACEHOLDER_SHARE,
    PLACEHOLDERS,
    SEASONS_DAYS,
)
from clv.data.timing import gap_shares

if TYPE_CHECKING:
    from clv.data.contract import Transactions
    from clv.data.rfm import RFM


def check_customers(orders: Transactions) -> list[Finding]:
    """D004, D030, D033, D035, D036, D040: patterns are looked for among enough customers only."""
    found = _placeholders(orders)
    if orders.customers_used < MIN_CUSTOMERS:
        return found
    t, c = orders.rfm_table, orders.counted
    gain = c.gain.sum().cast("int64")
    base = fetch(
        c.aggregate(
            n=c.count(),
            once=(c.days == 1).sum(),
            gain=gain,
            top=c.gain.max(),
            first=c["first"].min(),
        )
    ).to_pylist()[0]
    early = (c["first"] < base["first"] + FIRST_DAYS).sum()
    repeaters = t.filter(t.spend_days > 0)
    rho = repeaters.spend_days.cast("float64").corr(repeaters.monetary_value, how="pop")
    further = (
        fetch(c.aggregate(early=early)).to_pylist()[0] | fetch(repeaters.aggregate(rho=rho)).to_pylist()[0]
    )
    return [*found, *_dominant(orders, base), *_patterns(orders, base | further), *_subscriptions(orders)]


def _placeholders(orders: Transactions) -> list[Finding]:
    """D004: ids that stand for nobody."""
    c = orders.counted
    facts = fetch(c.aggregate(orders=c.orders.sum(), n=c.count())).to_pylist()[0]
    words = c.filter(c.customer.cast("string").lower().isin(PLACEHOLDERS))
    large = (
        c.filter(c.orders > PLACEHOLDER_SHARE * facts["orders"])
        if facts["n"] >= MIN_CUSTOMERS
        else c.limit(0)
    )
    rows = words.union(large, distinct=True).select("customer", "orders")
    found = []
    for row in sorted(fetch(rows).to_pylist(), key=lambda r: (-r["orders"], str(r["customer"]))):
        if row["orders"] < PLACEHOLDER_NUMBERS.get(str(row["customer"]), 0) * facts["orders"]:
            continue
        share = percent(row["orders"], facts["orders"])
        what = f"has {row['orders']:,} orders, {share} of all. List it in guest_ids if it is a placeholder"
        end = "." if orders.guest_ids is not None else "; guest_ids = [] says that there is none."
        nameless = f"one id {what}{end}"
        word = str(row["customer"]).lower() in PLACEHOLDERS or orders.hash_ids is None
        message = f"customer_id {str(row['customer'])!r} {what}{end}" if word else nameless
        severity: Severity = "F" if orders.guest_ids is None else "W"
        found.append(Finding("D004", severity, message, row["orders"], nameless=nameless))
    return found


def _dominant(orders: Transactions, base: dict[str, Any]) -> list[Finding]:
    share = base["top"] / base["gain"] if base["gain"] else 0.0
    if share < DOMINANT:
        return []
    c = orders.counted
    who = fetch(c.filter(c.gain == base["top"]).select("customer").limit(1)).to_pylist()[0]["customer"]
    what = (
        f"brings {percent(share, 1)} of all revenue ({orders.money(base['top'])}): the average customer "
        f"brings {orders.money(round(base['gain'] / base['n']))} with it and "
        f"{orders.money(round((base['gain'] - base['top']) / (base['n'] - 1)))} without. Totals and means "
        "hang on it; list it in guest_ids to see the results without."
    )
    name = "one customer" if orders.hash_ids is not None else f"customer {who}"
    return [Finding("D030", "W", f"{name} {what}", nameless=f"one customer {what}")]


def _patterns(orders: Transactions, base: dict[str, Any]) -> list[Finding]:
    found = []
    if base["once"] < ONE_TIMERS * base["n"]:
        message = (
            f"{base['once']:,} of {base['n']:,} customers bought only once. One-time buyers seem to have "
            "been filtered out, which biases the model upward. Supply all customers."
        )
        found.append(Finding("D033", "W", message))
    span = orders.as_of_day - base["first"]
    if base["early"] > FIRST_SHARE * base["n"] and span > 10 * FIRST_DAYS:
        message = (
            f"{percent(base['early'], base['n'])} of first orders fall in the first {FIRST_DAYS} days of the "
            "extract: older customers look like new ones. Supply the earlier history, or leave out who "
            "bought before."
        )
        found.append(Finding("D035", "W", message))
    rho = base["rho"]
    if rho is not None and abs(rho) > CORRELATION:
        way = "over" if rho < 0 else "under"
        message = (
            f"spend per purchase depends on frequency (correlation {rho:+.2f}). Gamma-Gamma takes them for "
            f"independent, and {way}states the value of frequent buyers."
        )
        found.append(Finding("D040", "W", message))
    return found


def _subscriptions(orders: Transactions) -> list[Finding]:
    """D036: gaps of equal length. Gaps are looked at one by one only where their means suggest it."""
    c = orders.counted
    mean = (c["last"] - c["first"]) / (c.days - 1).nullif(0)
    gaps = (c.days - 1).sum()
    near = {
        name: (c.days - 1).sum(where=(mean >= low * 0.9) & (mean <= high * 1.1))
        for name, (low, high) in PERIODS.items()
    }
    facts = fetch(c.aggregate(gaps=gaps, **near)).to_pylist()[0]
    likely = {
        name: period
        for name, period in PERIODS.items()
        if facts["gaps"] and (facts[name] or 0) >= PERIOD_SHARE / 2 * facts["gaps"]
    }
    if not likely:
        return []
    _, shares = gap_shares(orders.days().rename(customer_id="customer"), list(likely.values()))
    found = []
    for share, (low, high) in zip(shares, likely.values(), strict=True):
        if share > PERIOD_SHARE:
            length = f"{low}–{high} days" if high > low else f"{low} days"
            message = (
                f"{percent(share, 1)} of repeat gaps are {length}: subscriptions? See the retention models."
            )
            found.append(Finding("D036", "W", message))
    return found


def check_segments(orders: Transactions) -> list[Finding]:
    """D041, D042: segments that are missing, change, or are too small to stand alone."""
    found = []
    for name in orders.segments:
        table = orders.rfm_table
        column = table[segment_column(name)].fill_null("unknown")
        sizes = fetch(table.group_by(value=column).aggregate(n=table.count())).to_pylist()
        total = sum(row["n"] for row in sizes)
        missing = sum(row["n"] for row in sizes if row["value"] == "unknown")
        if missing:
            share = percent(missing, total)
            said = f"{name} is missing for {missing:,} customers ({share}): shown as 'unknown'."
            found.append(Finding("D041", "W", said, missing))
        changing = _changing(orders, name)
        if changing:
            said = f"{name} changes for {changing:,} customers: the value at the first order is used."
            found.append(Finding("D041", "W", said, changing))
        tiny = sorted((row["n"], row["value"]) for row in sizes if row["n"] < MIN_SEGMENT)
        if tiny and total >= MIN_CUSTOMERS:
            said = (
                f"{len(tiny):,} of {len(sizes):,} values of {name} have fewer than {MIN_SEGMENT} customers, "
                f"the smallest {tiny[0][1]!r} with {tiny[0][0]:,}. They are too small to be judged alone."
            )
            found.append(Finding("D042", "W", said, sum(n for n, _ in tiny)))
    return found


def _changing(orders: Transactions, name: str) -> int:
    if name not in orders.own_segments:
        return 0
    t, column = orders.typed, segment_column(name)
    rows = t.filter((t.reason == USED) & (t.day <= orders.as_of_day))
    ends = rows.group_by("customer").aggregate(low=least(rows[column]), high=rows[column].nunique())
    return int(fetch(ends.aggregate(n=(ends.high > 1).sum().fill_null(0))).to_pylist()[0]["n"])


def check_size(rfm: RFM) -> list[Finding]:
    """D031, D032: enough customers for a job; a fit by hand may use fewer."""
    t = rfm.table
    facts = fetch(t.aggregate(n=t.count(), repeaters=(t.frequency > 0).sum())).to_pylist()[0]
    found = []
    if facts["n"] < MIN_CUSTOMERS:
        message = (
            f"{facts['n']:,} customers are too few to model (at least {MIN_CUSTOMERS}). Check the extract."
        )
        found.append(Finding("D031", "F", message))
    if (facts["repeaters"] or 0) < MIN_REPEATERS:
        message = (
            f"{facts['repeaters'] or 0:,} customers bought again, too few to learn from (at least "
            f"{MIN_REPEATERS}). Does the extract hold later orders, and the same id for one customer?"
        )
        found.append(Finding("D032", "F", message))
    return found


def check_span(rfm: RFM, days: float) -> list[Finding]:
    """D034: a forecast that reaches further than the history behind it, or a year that was seen once."""
    span = int(fetch(rfm.table.aggregate(longest=rfm.table["T"].max())).to_pylist()[0]["longest"] or 0)
    found = []
    if days > span:
        message = (
            f"the history is {span:,} days long and the horizon {days:,.0f}: {percent(days - span, days)} of "
            "it is extrapolated. Supply a longer history, or shorten the horizon."
        )
        found.append(Finding("D034", "W", message))
    if span < SEASONS_DAYS:
        message = (
            f"the history is {span:,} days long, under two seasonal cycles: a season cannot be told from a "
            "trend, and is in no forecast."
        )
        found.append(Finding("D034", "W", message))
    return found
