"""What a check answers, and the rules on rows that are measured in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from clv.data.engines import fetch, sha256
from clv.data.thresholds import EXAMPLES
from clv.errors import ClvError, agreed

if TYPE_CHECKING:
    import pandas as pd

    from clv.data.contract import Transactions

type Severity = Literal["F", "W", "A"]


@dataclass(frozen=True)
class Finding:
    """One answer of a check: F fails, W warns, A was mended.

    `examples` are the first rows, as dictionaries; `listed` is an Ibis table of all of them, or None.
    `nameless` is the message without ids of customers, for pages that many see.
    """

    code: str
    severity: Severity
    message: str
    rows: int = 0
    examples: tuple[dict[str, Any], ...] = ()
    listed: Any = field(default=None, repr=False, compare=False)
    nameless: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", agreed(self.message))
        object.__setattr__(self, "nameless", agreed(self.nameless) or self.message)

    def __str__(self) -> str:
        return f"{self.code} {self.message}"


def refused(error: ClvError) -> list[Finding]:
    """Findings of an error, which fail."""
    told = (message.partition(" ") for message in error.messages)
    return [Finding(code, "F", message) for code, _, message in told]


@dataclass(frozen=True)
class Measured:
    """What a rule counted: rows and money (minor units) where it holds, all rows, and its second count."""

    rows: int
    money: int
    total: int
    also: int


@dataclass(frozen=True, eq=False)
class Rule:
    """A condition on rows and what to say of them.

    `sentence` may name rows, total, share, money, also, place, customer, date, amount, code, kind. `judge`
    may look at the counts and give another severity and sentence, or None for nothing to say.
    """

    code: str
    severity: Severity
    condition: Any
    sentence: str = ""
    also: Any = None
    judge: Callable[[Measured], tuple[Severity, str] | None] | None = None
    listed: bool = True

    def where(self, rows: Any) -> Rule:
        """Return the same rule on some rows only."""
        also = None if self.also is None else self.also & rows
        return replace(self, condition=self.condition & rows, also=also)

    @property
    def conditions(self) -> list[Any]:
        """What is to be counted."""
        return [self.condition] if self.also is None else [self.condition, self.also]


def findings(
    orders: Transactions, rows: Any, rules: Sequence[Rule], counts: pd.DataFrame, total: int
) -> list[Finding]:
    """Turn the counts of `tally` into findings; `total` is the rows of the log."""
    found, i = [], 0
    for rule in rules:
        also = counts[f"rows {i + 1}"].sum() if rule.also is not None else 0
        rows_held, money = int(counts[f"rows {i}"].sum()), int(counts[f"money {i}"].sum())
        facts = Measured(rows_held, money, total, int(also))
        i += len(rule.conditions)
        if not facts.rows:
            continue
        said = rule.judge(facts) if rule.judge else (rule.severity, rule.sentence)
        if said is not None:
            found.append(_finding(orders, rows, rule, facts, said))
    return found


def _finding(
    orders: Transactions, rows: Any, rule: Rule, facts: Measured, said: tuple[Severity, str]
) -> Finding:
    listed = shown(orders, rows.filter(rule.condition))
    examples = examples_of(listed)
    values = {
        "rows": f"{facts.rows:,}",
        "total": f"{facts.total:,}",
        "share": percent(facts.rows, facts.total),
        "money": orders.money(facts.money),
        "also": percent(facts.also, facts.rows),
        "place": place(examples[0]),
        "code": examples[0].get("code") or "no currency",
        "kind": examples[0].get("kind"),
        "customer": examples[0]["customer"],
        "date": examples[0]["date_text"],
        "amount": examples[0]["amount_text"],
    }
    message = said[1].format_map(values)
    nameless = said[1].format_map(values | {"customer": "…", "place": place(examples[0] | {"customer": "…"})})
    every = listed if rule.listed else None
    return Finding(rule.code, said[0], message, facts.rows, examples, every, nameless)


def shown(orders: Transactions, rows: Any) -> Any:
    """Rows as people see them: erased customers without an id, hashed ids hashed."""
    import ibis

    customer = rows.customer.cast("string")
    if orders.hash_ids is not None:
        customer = sha256(customer, orders.hash_ids)
    if "erased" in rows.columns:
        customer = ibis.ifelse(rows.erased, ibis.null("string"), customer)
    further = [name for name in ("code", "kind") if name in rows.columns]
    return rows.select("row", "date_text", "amount_text", *further, customer=customer)


def examples_of(listed: Any) -> tuple[dict[str, Any], ...]:
    """The first rows, by place in the source, or by customer where the source has no order."""
    first = listed.order_by("row", "customer", "date_text", "amount_text").limit(EXAMPLES)
    rows = fetch(first).to_pylist()
    order = ("row", "customer", "date_text", "amount_text", "code", "kind")
    return tuple(
        {
            name: row[name]
            for name in order
            if name in row and (name not in ("code", "kind") or row[name] is not None)
        }
        for row in rows
    )


def place(example: dict[str, Any]) -> str:
    """Where a row is."""
    if example["row"] is not None:
        return f"at row {example['row']}"
    return f"for customer {example['customer']} on {example['date_text']}"


def percent(part: float, whole: float) -> str:
    """Print a share; a small one is not nothing."""
    share = part / whole if whole else 0
    return "under 0.1 %" if 0 < share < 0.0005 else f"{share:.1%}".replace("%", " %")
