"""What customers said, and who is a member: columns of the customers table, read and checked.

Satisfaction is a number from 1 to 5, willingness to recommend one from 0 to 10, and membership of a loyalty
scheme is true or false. A blank is no answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.data.engines import fetch, least, plain_text
from clv.data.findings import Finding

if TYPE_CHECKING:
    from clv.data.contract import Transactions

SCALES = {"satisfaction": (1, 5), "recommendation": (0, 10)}
QUESTIONS = (*SCALES, "loyalty")
_YES, _NO = ("true", "yes", "y", "t", "1"), ("false", "no", "n", "f", "0")
_NUMBER = r"^[0-9]{1,3}([.][0-9]{1,15})?$"  # engines differ in what else they take for one


def asked(orders: Transactions) -> dict[str, str]:
    """The columns of the customers table by what they answer, as far as they are named."""
    named = {question: getattr(orders, question) for question in QUESTIONS}
    return {question: name for question, name in named.items() if name}


def read_answer(text: Any, question: str) -> Any:
    """Read trimmed texts as numbers on the scale of a question, or as booleans; null for all else."""
    import ibis

    if question not in SCALES:
        word, unknown = text.lower(), ibis.null("boolean")
        return ibis.cases((word.isin(_YES), True), (word.isin(_NO), False), else_=unknown)
    low, high = SCALES[question]
    nothing = ibis.null("string")
    number = ibis.ifelse(text.re_search(_NUMBER), text, nothing).cast("float64")
    return ibis.ifelse(number.between(low, high), number, ibis.null("float64"))


def check_feedback(orders: Transactions) -> list[Finding]:
    """D050: answers that are on no scale."""
    columns = asked(orders)
    if not columns:
        return []
    table = orders.customers_source.table
    counts: dict[str, Any] = {}
    for question, name in columns.items():
        text = plain_text(table[name])
        wrong = text.notnull() & read_answer(text, question).isnull()
        counts |= {question: wrong.sum(), f"{question} text": least(wrong.ifelse(text, None))}
    facts = fetch(table.aggregate(**counts)).to_pylist()[0]
    found = []
    for question, name in columns.items():
        rows, got = facts[question] or 0, facts[f"{question} text"]
        if rows:
            low, high = SCALES.get(question, (0, 0))
            scale = f"a number from {low} to {high}" if high else "true or false"
            said = (
                f"{question} must be {scale}; got {got!r} in column {name!r} of the customers table "
                f"({rows:,} rows). Mend them, and leave blank who gave no answer."
            )
            found.append(Finding("D050", "F", said, rows))
    return found
