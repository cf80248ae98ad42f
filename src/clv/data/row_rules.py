"""The coded rules on rows: those that a row can break alone, and those on refunds and repeated rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.data.cleaning import BEFORE_DATE, COST, GUEST, KINDS, NO_ID, NO_RATE, UNKNOWN, USED, raw_column
from clv.data.findings import Measured, Rule, Severity, percent
from clv.data.refunds import ALONE, LOST
from clv.data.thresholds import CENTS_MEAN, CENTS_ROWS, DIGITS_LOST, GUEST_FAIL, GUEST_WARN

if TYPE_CHECKING:
    from clv.data.contract import Transactions

_UNUSED = "Left out, kept in the reconciliation."


def row_rules(orders: Transactions) -> list[Rule]:
    """Rules on typed rows, all measured in one pass."""
    t = orders.typed
    due = ~t.barred  # amounts of rows that cannot count are nobody's concern
    if orders.as_of is not None:
        due &= (t.day <= orders.as_of_day).fill_null(True)
    of_amounts = [*_amount_rules(orders, t), *_other_rules(orders, t), *_cost_rules(orders, t)]
    return [
        *_id_rules(orders, t),
        *_date_rules(orders, t),
        *(rule.where(due) for rule in of_amounts),
        *_type_rules(orders, t),
    ]


def _id_rules(orders: Transactions, t: Any) -> list[Rule]:
    def nobody(_: Measured) -> tuple[Severity, str]:
        share = _share(orders, NO_ID)
        tail = " More than half of the revenue is nobody's: find the ids." if share > GUEST_FAIL else ""
        said = "{rows} rows ({share}, {money}) have no customer_id, first {place}. Left out of the model, "
        return ("F" if share > GUEST_FAIL else "W"), said + "kept in the reconciliation." + tail

    def guests(_: Measured) -> tuple[Severity, str] | None:
        share = _share(orders, GUEST)
        said = f"{{rows}} rows ({percent(share, 1)} of revenue) belong to guest_ids, first {{place}}. Left "
        said += "out of the model: its forecast speaks of the other customers only."
        return None if share <= GUEST_WARN else ("F" if share > GUEST_FAIL else "W", said)

    rules = [Rule("D003", "W", t.customer.isnull(), judge=nobody)]
    if orders.guests:
        rules.append(Rule("D003", "W", t.reason == GUEST, judge=guests))
    column = orders.raw[orders.roles["customer"]]
    raw = t[raw_column(orders.roles["customer"])]
    if column.type().is_floating():
        lost = (raw.abs() >= DIGITS_LOST).fill_null(False)
    elif column.type().is_string():
        lost = raw.re_search(r"^\s*\d([.,]\d+)?[eE]\+\d{2}\s*$").fill_null(False)
    else:
        return rules
    said = "customer_id lost digits in {rows} rows, first {customer} {place}; re-export it as text."
    return [*rules, Rule("D006", "F", lost, said)]


def _share(orders: Transactions, reason: str) -> float:
    """The share of a reason in all sales; refunds, tests and whatever comes after as_of are none."""
    book = orders.tally
    book = book[book["reason"].isin([USED, NO_ID, GUEST]) & ~(book["day"] > orders.as_of_day)]
    total = book["sold"].sum()
    return float(book.loc[book["reason"] == reason, "sold"].sum() / total) if total else 0.0


def _date_rules(orders: Transactions, t: Any) -> list[Rule]:
    def is_(name: str) -> Any:
        return t[f"date: {name}"]

    def which_first(facts: Measured) -> tuple[Severity, str]:
        ask = '"%d/%m/%Y"' if facts.also else '"%d/%m/%Y" (day first) or "%m/%d/%Y" (month first)'
        known = ", and {also} of them can only have the day first" if facts.also else ", day or month first?"
        said = "{rows} dates are written like {date}, first {place}" + known
        return "F", said + f". Set date_format = {ask}, with the sign that stands between the numbers."

    epoch = {"s": is_("epoch_s"), "ms": is_("epoch_ms")}
    odd = is_("integer_date") | epoch["s"] | epoch["ms"]
    unsure = is_("slashed") & t.day.isnull()
    if orders.date_format is None:
        odd |= unsure
    wanted = (orders.date_format or "2026-01-31").replace("{", "{{").replace("}", "}}")
    hint = "mend them" if orders.date_format else 'mend them, or set date_format, such as "%d/%m/%Y"'
    rules = [
        Rule(
            "D007",
            "F",
            is_("integer_date") & t.day.isnull(),
            '{rows} dates are integers like {date}, first {place}. Set date_format = "%Y%m%d".',
        ),
        *[
            Rule(
                "D008",
                "F",
                shape & t.day.isnull(),
                f"{{rows}} dates are integers like {{date}} (Unix {name}?), first {{place}}. Set "
                f'time_unit = "{unit}".',
            )
            for unit, name, shape in (("s", "seconds", epoch["s"]), ("ms", "milliseconds", epoch["ms"]))
        ],
        Rule(
            "D009",
            "F",
            t.day.isnull() & ~t.date_missing & ~odd,
            "{rows} of {total} dates cannot be read, first {place}: '{date}'. Dates are expected as "
            f"{wanted}; {hint}.",
        ),
        Rule(
            "D011",
            "W",
            t.date_missing,
            "{rows} rows ({share}, {money}) have no date, first {place}. " + _UNUSED,
        ),
    ]
    if orders.date_format is None:
        rules.append(Rule("D010", "F", unsure, also=is_("first_over_12") & unsure, judge=which_first))
    if orders.as_of is not None:
        late = (t.day > orders.as_of_day).fill_null(False) & ~t.reason.isin(BEFORE_DATE)
        said = (
            f"{{rows}} rows ({{share}}, {{money}}) are dated after as_of {orders.as_of_date}, first {{date}} "
        )
        rules.append(Rule("D013", "W", late, said + "{place}. Not used for fitting."))
    return rules if orders.timezone is not None else [*rules, *_zone_rules(is_)]


def _zone_rules(is_: Any) -> list[Rule]:
    """D012: a day needs a zone to be cut in."""
    naive = (
        "{rows} dates carry a time without a zone, first {date} {place}; {also} of them are within two hours "
        'of midnight, where the day may be wrong. Set timezone = "Europe/Prague" or alike if they are local '
        "times there."
    )
    offset = (
        "{rows} dates carry a time with an offset, first {date} {place}; without a business zone their day "
        'is cut in UTC, which moves late or early orders to another day. Set timezone = "Europe/Prague" or '
        "alike."
    )
    return [
        Rule("D012", "F", is_("with_time"), naive, also=is_("near_midnight")),
        Rule("D012", "W", is_("with_offset"), offset),
    ]


def _amount_rules(orders: Transactions, t: Any) -> list[Rule]:
    def is_(name: str) -> Any:
        return t[f"amount: {name}"]

    def cents(facts: Measured) -> tuple[Severity, str] | None:
        if (
            facts.rows < max(facts.also, CENTS_ROWS)
            or facts.money / facts.rows < CENTS_MEAN * 10**orders.digits
        ):
            return None
        return "W", (
            "All {rows} amounts are whole numbers, {money} in all, first {amount} {place}: cents? Set "
            'amount_unit = "minor", or "major" if they are not.'
        )

    commas = is_("decimal_comma") & t.amount_unreadable
    thousands = is_("thousands") & t.amount_unreadable & ~commas
    drop = orders.missing_amount == "drop"
    ask = 'They would count as purchases of 0. Set missing_amount = "drop" or supply them.'
    rules = [
        Rule(
            "D016",
            "F",
            t.amount_unreadable & ~commas & ~thousands & ~is_("infinite"),
            "amount is not a number, or too large, in {rows} rows, first {place}: '{amount}'. Mend the "
            "export; numbers are expected as 1234.56.",
        ),
        Rule(
            "D017",
            "F",
            commas,
            "{rows} amounts have a decimal comma, first {place}: '{amount}'. Set decimal = \",\".",
        ),
        Rule(
            "D017",
            "F",
            thousands,
            "{rows} amounts have signs between thousands, first {place}: '{amount}'. Set decimal = \".\".",
        ),
        Rule(
            "D018",
            "W" if drop else "F",
            t.amount_missing,
            "{rows} rows ({share}) have no amount, first {place} (customer {customer}). "
            + ("Left out." if drop else ask),
        ),
        Rule("D023", "F", is_("infinite"), "{rows} amounts are infinite, first {place}. Mend the export."),
    ]
    if orders.amount_unit is None and orders.digits:
        whole = (t.minor > 0).fill_null(False)
        rules.append(Rule("D024", "W", whole & ~is_("fraction"), also=whole, judge=cents, listed=False))
    return rules


def _other_rules(orders: Transactions, t: Any) -> list[Rule]:
    counted = orders.zero_orders == "count"
    effect = "as purchases without spend" if counted else "neither as purchases nor as spend"
    zero = (
        "{rows} orders have an amount of 0, first {place} (customer {customer}). "
        f'Such orders count {effect} (zero_orders = "{orders.zero_orders}").'
    )
    rules = [Rule("D022", "W", (t.minor == 0).fill_null(False), zero)]
    if orders.refunds is None:
        negative = (
            "{rows} amounts ({share} of rows, {money}) are negative, first {amount} {place} (customer "
            '{customer}). If they are refunds, set refunds = "net_to_original" (off their order), '
            '"as_booked" or "drop".'
        )
        rules.append(Rule("D019", "F", (t.minor < 0).fill_null(False), negative))
    if orders.converts:
        missing = "{rows} rows have no exchange rate, first {code} on {date} {place}. "
        missing += "Supply it in fx: date, currency, rate."
        rules.append(Rule("D029", "F", t.reason == NO_RATE, missing))
    return rules


def _cost_rules(orders: Transactions, t: Any) -> list[Rule]:
    """D016, D018 and D050 on the cost of goods of sales."""
    if "cogs" not in orders.roles:
        return []
    sale = (t.reason == USED) & (t.minor > 0)
    unreadable = (
        "cogs is not a number, or too large, in {rows} rows, first {place}. Mend the export; numbers are "
        "expected like amounts."
    )
    missing = "{rows} rows ({share}) have no cogs, first {place}. The margin is measured on the others."
    negative = (
        "cogs must be 0 or more on a sale; got less in {rows} rows, first {place}. Write it without a sign."
    )
    return [
        Rule("D016", "F", t[f"{COST}_unreadable"], unreadable),
        Rule("D018", "W", t[f"{COST}_missing"] & sale, missing),
        Rule("D050", "F", ((t[COST] < 0) & sale).fill_null(False), negative),
    ]


def _type_rules(orders: Transactions, t: Any) -> list[Rule]:
    if "type" not in orders.roles:
        return []
    unknown = (
        f"{{rows}} rows have a type that is none of {', '.join(KINDS)}, first '{{kind}}' {{place}}. "
        'Translate them, or set type = "" if the column means something else.'
    )
    return [Rule("D046", "F", t.reason == UNKNOWN, unknown)]


def repair_rules(orders: Transactions, t: Any) -> list[Rule]:
    """Rules on repaired rows."""
    numbered = t.order_id.notnull()
    same = "{rows} rows ({share}, {money}) repeat another row exactly, first {place} "
    same += "(customer {customer}, {date}, {amount}). "
    answers: dict[str | None, tuple[Severity, str]] = {
        None: ("F", 'Say what they are: duplicates = "drop" (loaded twice) or "keep" (two real orders).'),
        "drop": ("A", "One of each is kept."),
        "keep": ("W", 'All are kept, as duplicates = "keep" says.'),
    }
    ordered, alone = answers[orders.duplicates or "drop"], answers[orders.duplicates]
    rules = [
        Rule(
            "D020",
            "W",
            t.reason == LOST,
            "{rows} refunds ({money}) match no earlier order of the same customer, first {amount} "
            "{place} (customer {customer}). " + _UNUSED,
        ),
        Rule(
            "D020",
            "W",
            t.reason == ALONE,
            "{rows} refunds ({money}) are booked on a day without a sale, first {amount} {place} "
            "(customer {customer}). " + _UNUSED,
        ),
        Rule(
            "D021",
            "W",
            t.over,
            "{rows} refunds ({money}) belong to orders that gave back more than they brought, first "
            "{amount} {place} (customer {customer}). The excess is in the reconciliation and lowers no "
            "other order.",
        ),
    ]
    if orders.line_items:
        return [*rules, Rule("D027", alone[0], t.copy > 0, same + alone[1])]
    return [
        *rules,
        Rule("D025", ordered[0], (t.copy > 0) & numbered, same + ordered[1]),
        Rule("D027", alone[0], (t.copy > 0) & ~numbered, same + alone[1]),
    ]


def number_rule(t: Any) -> Rule:
    """The rule on rows that share an order_id with others."""
    said = (
        "{rows} rows share an order_id with a row of other content, first {place} (customer {customer}, "
        "{date}, {amount}). If an order has several lines, set line_items = true; else keep one row an order."
    )
    return Rule("D026", "F", t.order_id.notnull(), said)
