"""The coded rules on input.

Each row rule is a condition on typed rows and a sentence; all are measured in one pass over the data, and
only those that hit are asked for examples.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from clv.data.cleaning import USED
from clv.data.engines import ZONED_TEXT
from clv.data.thresholds import EXAMPLES, GAP_DAYS, GAP_FACTOR, MIN_CUSTOMERS, MIN_REPEATERS

if TYPE_CHECKING:
    from clv.data.contract import Transactions
    from clv.data.rfm import RFM

type Severity = Literal["F", "W", "A"]


@dataclass(frozen=True)
class Finding:
    """One answer of a check: F fails, W warns, A was mended. `examples` are rows, as dictionaries."""

    code: str
    severity: Severity
    message: str
    rows: int = 0
    examples: tuple[dict[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.code} {self.message}"


@dataclass(frozen=True)
class _RowRule:
    code: str
    severity: Severity
    condition: Any
    sentence: str  # may name rows, share, money, row, customer, date, amount


def check_columns(columns: Sequence[str], wanted: dict[str, str], where: str = "") -> list[Finding]:
    """D001: every column that an option names is present; `wanted` maps the option to the name."""
    findings = []
    for role, name in wanted.items():
        if name in columns:
            continue
        close = difflib.get_close_matches(name.lower(), [c.lower() for c in columns], 1, 0.4)
        guess = next((c for c in columns if close and c.lower() == close[0]), None)
        near = f'Did you mean {guess!r}? Set {role} = "{guess}".'
        hint = near if guess else f"Set {role} to the right one."
        present = ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")
        message = f"Column {name!r} not found{where}. Columns present: {present}. {hint}"
        findings.append(Finding("D001", "F", message))
    return findings


def check_empty(name: str, rows: int, as_of: Any) -> list[Finding]:
    """D002: there is something to read."""
    if rows:
        return []
    when = f" (as_of {as_of})" if as_of else ""
    return [Finding("D002", "F", f"{name} has 0 rows. Check the extract's date filter{when}.")]


def check_rows(orders: Transactions, rows: Any) -> list[Finding]:
    """Measure every row rule in one pass; `rows` are typed rows with reasons."""
    rules = [rule for make in _ROW_RULES if (rule := make(orders, rows)) is not None]
    measures: dict[str, Any] = {"rows": rows.count()}
    for rule in rules:
        measures[f"{rule.code}_rows"] = rule.condition.sum()
        measures[f"{rule.code}_money"] = rows.minor.sum(where=rule.condition)
    facts = rows.aggregate(**measures).to_pyarrow().to_pylist()[0]
    return [_finding(orders, rows, rule, facts) for rule in rules if facts[f"{rule.code}_rows"]]


def _finding(orders: Transactions, rows: Any, rule: _RowRule, facts: dict[str, Any]) -> Finding:
    shown = rows.filter(rule.condition).order_by("row").limit(EXAMPLES)
    shown = shown.select("row", "customer", "date_text", "amount_text")
    examples = tuple(shown.to_pyarrow().to_pylist())
    count, first = facts[f"{rule.code}_rows"], examples[0]
    message = rule.sentence.format(
        rows=f"{count:,}",
        total=f"{facts['rows']:,}",
        share=f"{count / facts['rows']:.1%}".replace("%", " %"),
        money=orders.money(facts[f"{rule.code}_money"] or 0),
        row=first["row"],
        customer=first["customer"],
        date=first["date_text"],
        amount=first["amount_text"],
    )
    return Finding(rule.code, rule.severity, message, count, examples)


def _no_customer(orders: Transactions, t: Any) -> _RowRule:
    return _RowRule(
        "D003",
        "W",
        t.customer.isnull(),
        "{rows} rows ({share}, {money}) have no customer_id, first at row {row}. Left out of the model, kept "
        "in the reconciliation.",
    )


def _integer_dates(orders: Transactions, t: Any) -> _RowRule:
    return _RowRule(
        "D007",
        "F",
        t.day.isnull() & _like_integer_date(t),
        '{rows} dates are integers like {date}, first at row {row}. Set date_format = "%Y%m%d".',
    )


def _unreadable_dates(orders: Transactions, t: Any) -> _RowRule:
    hint = "mend them" if orders.date_format else 'mend them, or set date_format, such as "%d/%m/%Y"'
    return _RowRule(
        "D009",
        "F",
        t.day.isnull() & t.date_text.notnull() & ~_like_integer_date(t),
        "{rows} of {total} dates cannot be read, first at row {row}: '{date}'. Dates are expected as "
        + (orders.date_format or "2026-01-31").replace("{", "{{").replace("}", "}}")
        + f"; {hint}.",
    )


def _like_integer_date(t: Any) -> Any:
    return t.date_text.re_search(r"^(19|20)\d{6}$").fill_null(False)


def _offsets_without_zone(orders: Transactions, t: Any) -> _RowRule | None:
    if orders.timezone is not None:
        return None
    return _RowRule(
        "D012",
        "W",
        t.date_text.re_search(ZONED_TEXT).fill_null(False),
        "{rows} dates carry a time with an offset, first {date} at row {row}; without a business zone "
        "their day "
        'is cut in UTC, which moves late or early orders to another day. Set timezone = "Europe/Prague" '
        "or alike.",
    )


def _no_date(orders: Transactions, t: Any) -> _RowRule:
    return _RowRule(
        "D011",
        "W",
        t.date_text.isnull(),
        "{rows} rows ({share}, {money}) have no date, first at row {row}. Left out, kept in the "
        "reconciliation.",
    )


def _after_as_of(orders: Transactions, t: Any) -> _RowRule | None:
    if orders.as_of is None:
        return None
    return _RowRule(
        "D013",
        "W",
        t.reason == "after the as-of date",
        f"{{rows}} rows ({{share}}, {{money}}) are dated after as_of {orders.as_of_date}, first {{date}} at "
        "row {row}. Not used for fitting.",
    )


def _unreadable_amounts(orders: Transactions, t: Any) -> _RowRule:
    return _RowRule(
        "D016",
        "F",
        t.minor.isnull() & _has_amount(t),
        "amount is not a number, or too large, in {rows} rows, first at row {row}: '{amount}'. Mend the "
        "export; numbers are expected as 1234.56.",
    )


def _no_amount(orders: Transactions, t: Any) -> _RowRule:
    dropped = orders.missing_amount == "drop"
    ask = 'They would count as purchases of 0. Set missing_amount = "drop" or supply them.'
    return _RowRule(
        "D018",
        "W" if dropped else "F",
        t.minor.isnull() & ~_has_amount(t),
        "{rows} rows ({share}) have no amount, first at row {row} (customer {customer}). "
        + ("Left out." if dropped else ask),
    )


def _has_amount(t: Any) -> Any:
    return (t.amount_text.notnull() & ~t.amount_text.lower().isin(["nan", "null", "none"])).fill_null(False)


def _refunds_without_policy(orders: Transactions, t: Any) -> _RowRule | None:
    if orders.refunds is not None:
        return None
    return _RowRule(
        "D019",
        "F",
        (t.minor < 0).fill_null(False),
        "{rows} amounts ({share} of rows, {money}) are negative, first {amount} at row {row} (customer "
        '{customer}). If they are refunds, set refunds = "net_to_original" (off their order) or "drop".',
    )


def _lost_refunds(orders: Transactions, t: Any) -> _RowRule:
    return _RowRule(
        "D020",
        "W",
        t.reason == "refund without its order",
        "{rows} refunds ({money}) match no earlier order of their customer, first {amount} at row {row} "
        "(customer {customer}). Left out, kept in the reconciliation.",
    )


def _refunds_above(orders: Transactions, t: Any) -> _RowRule:
    return _RowRule(
        "D021",
        "W",
        t.over,
        "{rows} refunds ({money}) belong to orders that gave back more than they brought, first "
        "{amount} at row "
        "{row} (customer {customer}). The excess is in the reconciliation and lowers no other order.",
    )


def _zero_orders(orders: Transactions, t: Any) -> _RowRule:
    counted = orders.zero_orders == "count"
    effect = "as purchases without spend" if counted else "neither as purchases nor as spend"
    return _RowRule(
        "D022",
        "W",
        (t.minor == 0).fill_null(False),
        "{rows} orders have an amount of 0, first at row {row} (customer {customer}). "
        f'They count {effect} (zero_orders = "{orders.zero_orders}").',
    )


def _repeated_orders(orders: Transactions, t: Any) -> _RowRule:
    """D025: an order number makes sure that a repeated row is one order, loaded twice."""
    return _repeated("D025", (t.copy > 0) & t.order_id.notnull(), orders.duplicates or "drop")


def _repeated_rows(orders: Transactions, t: Any) -> _RowRule:
    """D027: without an order number only the user knows."""
    return _repeated("D027", (t.copy > 0) & t.order_id.isnull(), orders.duplicates)


def _repeated(code: str, condition: Any, policy: str | None) -> _RowRule:
    answers: dict[str | None, tuple[Severity, str]] = {
        None: ("F", 'Say what they are: duplicates = "drop" (loaded twice) or "keep" (two real orders).'),
        "drop": ("A", "One of each is kept."),
        "keep": ("W", 'All are kept, as duplicates = "keep" says.'),
    }
    severity, answer = answers[policy]
    sentence = (
        "{rows} rows ({share}, {money}) repeat another row exactly, first at row {row} (customer {customer}, "
        "{date}, {amount}). "
    )
    return _RowRule(code, severity, condition, sentence + answer)


_ROW_RULES: tuple[Callable[[Transactions, Any], _RowRule | None], ...] = (
    _no_customer,
    _integer_dates,
    _unreadable_dates,
    _offsets_without_zone,
    _no_date,
    _after_as_of,
    _unreadable_amounts,
    _no_amount,
    _refunds_without_policy,
    _lost_refunds,
    _refunds_above,
    _zero_orders,
    _repeated_orders,
    _repeated_rows,
)


def check_silence(orders: Transactions, rows: Any) -> list[Finding]:
    """D014: as_of is not so long after the last order that everyone looks lost."""
    import ibis

    used = rows.filter(rows.reason == USED)
    days = used.select("day").distinct()
    steps = days.mutate(step=days.day - days.day.lag().over(ibis.window(order_by=days.day)))
    final = steps.day.max()
    earlier = steps.step.max(where=steps.day < days.day.max().as_scalar())
    facts = steps.aggregate(
        last=final, longest=steps.step.max(), step=steps.step.argmax(steps.day), earlier=earlier
    )
    facts = facts.to_pyarrow().to_pylist()[0]
    if facts["last"] is None:
        counts = rows.group_by("reason").aggregate(n=rows.count()).order_by("reason").to_pyarrow().to_pylist()
        reasons = ", ".join(f"{row['n']:,} × {row['reason']}" for row in counts)
        return [Finding("D002", "F", f"no row is left to model ({reasons}). Check the columns and as_of.")]
    if orders.as_of is None:  # the last date is as_of: it is its own step that must not stand out
        silence, longest, before = facts["step"] or 0, facts["earlier"] or 0, "the order before it"
    else:
        silence, longest, before = orders.as_of_day - facts["last"], facts["longest"] or 0, "the last order"
    if silence <= max(GAP_DAYS, GAP_FACTOR * longest, orders.allowed_gap_days):
        return []
    message = (
        f"as_of {orders.as_of_date} is {silence} days after {before}; {silence} days without a sale would "
        "make almost everyone look lost. Is the extract complete, and its last date right? Override: "
        f'allow_gap = "{silence}d".'
    )
    return [Finding("D014", "F", message)]


def check_size(rfm: RFM) -> list[Finding]:
    """D031, D032: enough customers for a job; a fit by hand may use fewer."""
    t = rfm.table
    facts = t.aggregate(n=t.count(), repeaters=(t.frequency > 0).sum()).to_pyarrow().to_pylist()[0]
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
