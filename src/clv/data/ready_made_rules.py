"""What is wrong with a ready-made RFM table: D037–D039 and what a history cannot be, with how to convert.

Rules act on rows with customer_id (text) and frequency, recency, T, monetary_value (float64, in the table's
own unit, null where there is no finite number).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from clv.data.engines import fetch, sort_key
from clv.units import DAYS_PER_YEAR

EXACT = 1e-6  # days: nearer than this, times are the same but for a float's last digits
_LONGEST = 100 * DAYS_PER_YEAR
_MOST = 0.9  # share of one-time buyers with a recency above 0 that shows recency to be time since
_FEWEST = 10  # customers of frequency 1, all with recency T, before they count as one-time buyers
_TOO_LARGE = 2.0**52  # minor units beyond which a float no longer holds each of them

type _Rules = list[tuple[Any, str]]  # a condition, and a sentence about the first customer who meets it


class _Reading(NamedTuple):
    """How the maker counted, as the customers who bought once show it."""

    first: int  # 1 where frequency counts the first purchase, else 0
    since: bool  # whether recency is time since the last purchase


def table_facts(rows: Any, per_unit: float) -> dict[str, Any]:
    """Measure what concerns the table as a whole, in one pass; `off` is days off a whole day, at most."""
    import ibis

    t_x, T = rows.recency * per_unit, rows["T"] * per_unit
    off = [(v - (v + 0.5).floor()).abs() for v in (t_x, T)]
    measures = {
        "rows": rows.count(),
        "customers": rows.customer_id.nunique(),
        "unnamed": rows.customer_id.isnull().sum(),
        "off": ibis.greatest(*off).max(),
        "fewest": rows.frequency.min(),
        "full": ((T > EXACT) & ((T - t_x).abs() <= EXACT)).sum(),
    }
    for n in (0, 1):  # who bought once, if that is called n, and not on the last day
        once = (rows.frequency == n) & (T > EXACT)
        measures[f"once {n}"] = once.sum()
        measures[f"late {n}"] = (once & (t_x > EXACT)).sum()
        measures[f"full {n}"] = (once & ((T - t_x).abs() <= EXACT)).sum()
    found: dict[str, Any] = fetch(rows.aggregate(**measures)).to_pylist()[0]
    return {name: value if name in ("off", "fewest") else value or 0 for name, value in found.items()}


def _reading(facts: dict[str, Any]) -> _Reading:
    """Judge by the customers who bought once: their frequency must be 0, and their recency 0.

    Where nobody has frequency 0, and all with frequency 1 have recency 0, or they and nobody else recency T,
    they are those who bought once. A few with recency T may be repeat buyers of the last day.
    """
    once, late, full = facts["once 1"], facts["late 1"], facts["full 1"]
    if facts["fewest"] == 1 and once:
        if not late:
            return _Reading(1, False)
        if facts["full"] == full == once >= _FEWEST:
            return _Reading(1, True)
    return _Reading(0, facts["once 0"] > 0 and facts["late 0"] >= _MOST * facts["once 0"])


def repeated_customers(rows: Any, facts: dict[str, Any]) -> list[str]:
    """D026: a customer has one row."""
    if facts["rows"] - facts["unnamed"] == facts["customers"]:
        return []
    ids = rows.group_by("customer_id").aggregate(rows=rows.count())
    twice = ids.filter((ids.rows > 1) & ids.customer_id.notnull())
    first = fetch(twice.order_by(sort_key(twice.customer_id)).limit(1)).to_pylist()[0]
    count = fetch(twice.aggregate(n=twice.count())).to_pylist()[0]["n"]
    return [
        f"D026 a customer must have one row; got {first['rows']} rows of customer {first['customer_id']!r} "
        f"({_customers(count)}). Was the table joined with another, or put together from several?"
    ]


def broken_rules(rows: Any, per_unit: float, digits: int, facts: dict[str, Any]) -> list[str]:
    """Every rule that some rows break, with the first customer and how many there are."""
    reading = _reading(facts)
    rules = _value_rules(rows, per_unit) + _meaning_rules(rows, per_unit, reading)
    if "monetary_value" in rows.columns:
        rules += _money_rules(rows, digits, reading)
    rules = [(condition.fill_null(False), sentence) for condition, sentence in rules]
    counts = fetch(rows.aggregate(**{f"n{i}": c.sum() for i, (c, _) in enumerate(rules)})).to_pylist()[0]
    problems = []
    for i, (condition, sentence) in enumerate(rules):
        if counts[f"n{i}"]:
            hit = rows.filter(condition)
            first = fetch(hit.order_by(sort_key(hit.customer_id)).limit(1)).to_pylist()[0]
            shown = {
                name: "nothing" if value is None else f"{value:.10g}"
                for name, value in first.items()
                if name in ("frequency", "recency", "T", "monetary_value")
            }
            who = f"customer {first['customer_id']!r}"
            problems.append(sentence.format(who=who, n=_customers(counts[f"n{i}"]), **shown))
    return problems


def _customers(count: int) -> str:
    return f"{count:,} customer{'s' * (count != 1)}"


def _value_rules(t: Any, per_unit: float) -> _Rules:
    """What each number can be."""
    x, t_x, T = t.frequency, t.recency, t["T"]
    return [
        (
            t.customer_id.isnull(),
            "D003 every row needs a customer id; got none ({n}). Give ids, or leave these rows out.",
        ),
        (
            x.isnull() | (x < 0) | (x != x.floor()) | (x >= 2.0**31),
            "D046 frequency must be a whole number, 0 or more; got {frequency} for {who} ({n}). It counts "
            "repeat purchases.",
        ),
        (
            t_x.isnull() | (t_x < 0),
            "D046 recency must be a number, 0 or more; got {recency} for {who} ({n}). It is 0 for a "
            "customer who bought once.",
        ),
        (T.isnull() | (T < 0), "D046 T must be a number, 0 or more; got {T} for {who} ({n})."),
        (
            T * per_unit > _LONGEST,
            "D046 T must be at most a hundred years; got {T} for {who} ({n}), in units of "
            f"{per_unit:g} days. Set the unit that the table was made in.",
        ),
    ]


def _meaning_rules(t: Any, per_unit: float, reading: _Reading) -> _Rules:
    """What frequency, recency and T must be to each other."""
    x, t_x, T, small = t.frequency, t.recency, t["T"], EXACT / per_unit
    once, later = x == reading.first, t_x > small
    rules: _Rules = [
        (
            (t_x > T + small) & (T >= 0),
            "D037 recency must not exceed T; got {recency} > {T} for {who} ({n}). recency is last − first "
            "purchase, T is end of the observation − first.",
        )
    ]
    if reading.first:
        sentence = (
            "D039 frequency must count repeat purchases alone; got no customer with 0, and {who} with "
            "frequency {frequency}, recency {recency}, T {T} ({n} like this). It counts the first purchase: "
            "set frequency = frequency − 1."
        )
        rules.append((once, sentence))
    if reading.since:
        sentence = (
            "D038 recency must be age at the last purchase; got {recency} for {who}, who bought once, with T "
            "{T} ({n} like this). It is time since the last purchase: set recency = T − recency."
        )
        return [*rules, (once & later, sentence)]
    return [
        *rules,
        (
            (x > reading.first) & (t_x >= 0) & ~later,
            "D046 a repeat purchase needs a recency above 0; got frequency {frequency}, recency {recency} "
            "for {who} ({n}). Purchases of one day, or period, count once.",
        ),
        (
            once & later,
            "D046 recency must be 0 without a repeat purchase; got {recency} for {who} ({n}). recency is "
            "last − first purchase.",
        ),
    ]


def _money_rules(t: Any, digits: int, reading: _Reading) -> _Rules:
    money, x = t.monetary_value, t.frequency
    if reading.first:
        sentence = (
            "D039 monetary_value must be a mean of repeat purchases; got {monetary_value} for {who}, who "
            "bought once ({n}). Where frequency counts the first purchase, so does the mean: make the table "
            "with include_first_transaction=False."
        )
    else:
        sentence = (
            "D039 monetary_value must be 0 without a repeat purchase; got {monetary_value} for {who} ({n}). "
            "It counts the first purchase: leave first purchases out of the mean."
        )
    return [
        ((x == reading.first) & (money > 0), sentence),
        (
            money < 0,
            "D019 monetary_value must not be negative; got {monetary_value} for {who} ({n}). Take refunds "
            "off their orders before the mean.",
        ),
        (
            money.isnull() & (x > reading.first),
            "D018 monetary_value must be there for every repeat buyer; got nothing for {who} ({n}). Supply "
            "it, or leave the column out and fit purchases alone.",
        ),
        (
            money * x * 10.0**digits >= _TOO_LARGE,
            "D023 monetary_value is too large; got {monetary_value} for {who} ({n}). Is it in major units?",
        ),
    ]
