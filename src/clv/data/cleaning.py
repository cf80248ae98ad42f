"""Raw rows → typed rows with a reason each: 'used', or why a row is left out. Lazy Ibis expressions.

A typed row has `row` (from 1, where the source has an order), `customer` (whole numbers stay numbers, all
else is text), `day` (days since 1970-01-01), `minor` (amount in minor units of the reporting currency),
`order_id`, `refund_of`, `cost` and `referrer` where their columns are named, `reason`, `part` (whether it
takes part), `barred` (whether an option leaves it out, whatever it holds), what the checks ask for, a text
column for every segment under the name that `segment_column` gives it, and the raw columns as `raw_column`
names them.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from clv.data.amounts import amount_shapes, read_amount
from clv.data.dates import Parsed, date_shapes, read_day
from clv.data.engines import ROW, keep, plain_text, view
from clv.units import CODES

if TYPE_CHECKING:
    from clv.data.contract import Transactions

USED = "used"
NO_ID, GUEST, ERASED = "no customer id", "guest or placeholder id", "erased customer"
TEST, CANCELLED, UNKNOWN = "test order", "cancelled order", "unknown type"
NO_DATE, LATE, NO_AMOUNT, NO_RATE = "no date", "after the as-of date", "no amount", "no exchange rate"
REFUND, ZERO, COPY = "refund", "zero value", "duplicate row"
BEFORE_DATE = (NO_ID, GUEST, ERASED, TEST, CANCELLED, UNKNOWN, NO_DATE)  # reasons that come before LATE
BARRED = (GUEST, ERASED, TEST, CANCELLED, UNKNOWN)
KINDS = ("sale", "refund", "cancel", "test")
COST, REFERRER = BESIDE = ("cost", "referrer")  # what is asked of an order where its column is named
# What joins put beside the raw columns: names that nobody has.
ONE, SAME, GONE, CODE, DAY, RATE = (f"clv: {name}" for name in ("one", "same", "gone", "code", "day", "rate"))
_PERSON, _OWN, _CODE, _ON = (f"clv: {name}" for name in ("person", "own rate", "own code", "on day"))


def segment_column(name: str) -> str:
    """Where a segment stands among typed rows, so that no name of a user's column is taken."""
    return f"segment: {name}"


def raw_column(name: str) -> str:
    """Where a column of the source stands among typed rows."""
    return f"raw: {name}"


def identifier(column: Any) -> Any:
    """Read an id: whole numbers as they are (fast keys), anything else as trimmed text."""
    return column.cast("int64") if column.type().is_integer() else plain_text(column)


def id_text(value: Any) -> str:
    """An id that an option names, as `plain_text` reads it in a column."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def typed(orders: Transactions) -> Any:
    """Return the typed rows of a log; what cannot be read is null, with its text beside it."""
    import ibis

    table, roles = _joined(orders), orders.roles
    day = read_day(table[roles["date"]], **orders.date_options)
    read = functools.partial(
        read_amount,
        digits=orders.digits,
        decimal=orders.decimal,
        minor=orders.amount_unit == "minor",
        rate=_rate(table, orders),
    )
    amount = read(table[roles["amount"]])
    text = {
        role: plain_text(table[roles[role]]) if role in roles else ibis.null("string")
        for role in ("order_id", "refund_of")
    }
    kind = (
        plain_text(table[roles["type"]]).lower().fill_null("sale")
        if "type" in roles
        else ibis.literal("sale")
    )
    customer = table[_PERSON] if _PERSON in table.columns else identifier(table[roles["customer"]])
    rows = table.select(
        row=table[ROW].cast("int64") if ROW in table.columns else ibis.null("int64"),
        customer=customer,
        day=table[_ON] if _ON in table.columns else day.value,
        minor=ibis.ifelse(kind == "refund", -amount.value.abs(), amount.value)
        if "type" in roles
        else amount.value,
        **text,
        kind=kind if "type" in roles else ibis.null("string"),
        code=table[_CODE] if _CODE in table.columns else ibis.null("string"),
        erased=table[GONE].notnull() if GONE in table.columns else ibis.literal(False),
        date_text=day.text,
        date_missing=day.missing,
        amount_text=amount.text,
        amount_missing=amount.missing,
        amount_unreadable=amount.unreadable,
        **{
            f"date: {name}": shape
            for name, shape in date_shapes(table[roles["date"]], date_format=orders.date_format).items()
        },
        **{
            f"amount: {name}": shape
            for name, shape in amount_shapes(table[roles["amount"]], decimal=orders.decimal).items()
        },
        **_beside(table, roles, read),
        **{segment_column(name): plain_text(table[name]) for name in orders.own_segments},
        **{raw_column(name): table[name] for name in orders.columns},
    )
    rows = view(rows) if _is_read_easily(table, roles) else keep(rows, orders.opened.name)
    reasons = _reasons(rows, orders, "type" in roles)
    return rows.mutate(
        reason=ibis.cases(*reasons, else_=USED),
        part=~_any(condition for condition, reason in reasons if reason not in orders.parts),
        barred=_any(condition for condition, reason in reasons if reason in BARRED),
    )


def _beside(table: Any, roles: dict[str, str], read: Callable[[Any], Parsed]) -> dict[str, Any]:
    """What else is asked of an order: the cost of its goods in minor units, and who referred its customer."""
    found: dict[str, Any] = {}
    if "cogs" in roles:
        cost = read(table[roles["cogs"]])
        found |= {COST: cost.value, f"{COST}_missing": cost.missing, f"{COST}_unreadable": cost.unreadable}
    if "referred_by" in roles:
        found[REFERRER] = plain_text(table[roles["referred_by"]])
    return found


def _any(conditions: Iterable[Any]) -> Any:
    import ibis

    return functools.reduce(operator.or_, conditions, ibis.literal(False))


def _rate(table: Any, orders: Transactions) -> Any:
    """What amounts are multiplied by: minor units of other currencies may have other decimals."""
    import ibis

    if RATE not in table.columns or orders.amount_unit != "minor":
        return table[RATE] if RATE in table.columns else None
    cases = [(table[_CODE].isin(codes), 10.0 ** (orders.digits - digits)) for digits, codes in CODES.items()]
    return table[RATE] * ibis.cases(*cases, else_=10.0 ** (orders.digits - 2))


def _is_read_easily(table: Any, roles: dict[str, str]) -> bool:
    """Whether days and amounts cost no more than a cast; all else is read once and kept."""
    day, amount = table[roles["date"]].type(), table[roles["amount"]].type()
    local = day.is_date() or (day.is_timestamp() and day.timezone is None)
    return bool(local and amount.is_numeric()) and _ON not in table.columns


def _reasons(t: Any, orders: Transactions, kinds: bool) -> list[tuple[Any, str]]:
    """Why rows are left out, as far as a row alone can tell: the first that holds. LATE comes later."""
    cases = [(t.customer.isnull(), NO_ID)]
    if orders.guests:
        cases.append((t.customer.cast("string").isin(orders.guests), GUEST))
    if orders.erased is not None:
        cases.append((t.erased, ERASED))
    if kinds:
        cases += [(t.kind == "test", TEST), (t.kind == "cancel", CANCELLED), (~t.kind.isin(KINDS), UNKNOWN)]
    cases += [(t.day.isnull(), NO_DATE)]
    if orders.converts:
        cases.append((t.minor.isnull() & ~t.amount_missing & ~t.amount_unreadable, NO_RATE))
    cases += [(t.minor.isnull(), NO_AMOUNT), (t.minor < 0, REFUND)]
    if orders.zero_orders == "drop":
        cases.append((t.minor == 0, ZERO))
    return cases


def _joined(orders: Transactions) -> Any:
    """Return the raw table with what other tables say of a row: its person, its erasure, its rate."""
    import ibis

    table, customer = orders.raw, orders.roles["customer"]
    if orders.identities is not None:
        table = table.mutate(**{_PERSON: plain_text(table[customer])})
        table = table.left_join(orders.identity_table, table[_PERSON] == orders.identity_table[ONE]).drop(ONE)
        table = table.mutate(**{_PERSON: ibis.coalesce(table[SAME], table[_PERSON])}).drop(SAME)
    if orders.erased is not None:
        one = table[_PERSON] if _PERSON in table.columns else plain_text(table[customer])
        table = table.left_join(orders.erased_table, one == orders.erased_table[GONE])
    if orders.converts:
        day = read_day(table[orders.roles["date"]], **orders.date_options).value
        code = plain_text(table[orders.roles["currency"]]).upper()
        rates = orders.fx_table
        own = ibis.ifelse(code == orders.money_unit, 1.0, ibis.null("float64"))
        table = table.mutate(**{_OWN: own, _CODE: code, _ON: day})
        table = table.left_join(rates, [table[_CODE] == rates[CODE], table[_ON] == rates[DAY]])
        table = table.mutate(**{RATE: ibis.coalesce(table[_OWN], table[RATE])}).drop(CODE, DAY, _OWN)
    return table
