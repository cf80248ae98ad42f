"""Raw rows → typed rows with a reason each: 'used', or why a row is left out. All of it Ibis expressions.

A typed row has `row` (from 1), `customer` (text), `day` (days since 1970-01-01), `minor` (amount in
minor units), `order_id`, `refund_of`, the raw texts of date and amount, `copy` (0 for the first of
identical rows), and one text column a segment, under the name that `segment_column` gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clv.data.engines import ROW, local_day, plain_text
from clv.data.refunds import net_refunds

USED = "used"
LARGEST = 2**52  # minor units: beyond, a double has no halves left to round
_SNAP = 1e-6  # 2.675 × 100 is 267.49999999999994 in binary, and meant as a tie


def segment_column(name: str) -> str:
    """Where a segment stands among typed rows, so that no name of a user's column is taken."""
    return f"segment: {name}"


def half_even(value: Any) -> Any:
    """Round to whole numbers, ties to even, in arithmetic that every engine has."""
    import ibis

    up = (value + 0.5 + _SNAP).floor()
    tie = (value + 0.5 - up).abs() <= _SNAP
    return ibis.ifelse(tie & (up % 2 != 0), up - 1, up).cast("int64")


def typed(
    table: Any,
    *,
    customer: str,
    date: str,
    amount: str,
    order_id: str | None,
    refund_of: str | None,
    segments: Sequence[str],
    timezone: str | None,
    date_format: str | None,
    digits: int,
) -> Any:
    """Return the typed rows of a raw table; what cannot be read becomes null beside its text."""
    import ibis

    columns = [name for name in table.columns if name != ROW]
    identical = ibis.window(group_by=[table[name] for name in columns], order_by=table[ROW])
    number = _number(table[amount])
    usable = ibis.ifelse(number.abs() * 10**digits < LARGEST, number, ibis.null())
    return table.select(
        row=table[ROW],
        customer=plain_text(table[customer]),
        day=local_day(table[date], timezone, date_format),
        minor=half_even(usable * 10**digits),
        date_text=plain_text(table[date]),
        amount_text=plain_text(table[amount]),
        order_id=plain_text(table[order_id]) if order_id else ibis.null("string"),
        refund_of=plain_text(table[refund_of]) if refund_of else ibis.null("string"),
        copy=ibis.row_number().over(identical),
        **{segment_column(name): plain_text(table[name]).fill_null("unknown") for name in segments},
    )


def _number(column: Any) -> Any:
    value = column.cast("float64") if column.type().is_numeric() else plain_text(column).try_cast("float64")
    return value.nullif(float("nan"))


def with_reasons(
    rows: Any,
    *,
    as_of: int,
    guest_ids: Sequence[str],
    duplicates: str | None,
    drop_zero: bool,
    refunds: str | None,
) -> Any:
    """Give each typed row its `reason`, and each sale its `net` amount after the refunds known at as_of."""
    import ibis

    guest = rows.customer.isin(list(guest_ids)) if guest_ids else ibis.literal(False)
    again = (rows.copy > 0) & (duplicates != "keep") & (rows.order_id.notnull() | (duplicates == "drop"))
    reason = ibis.cases(
        (rows.customer.isnull(), "no customer id"),
        (guest, "guest or placeholder id"),
        (rows.day.isnull(), "no date"),
        (rows.day > as_of, "after the as-of date"),
        (rows.minor.isnull(), "no amount"),
        (again, "duplicate row"),
        else_=USED,
    )
    rows = rows.mutate(reason=reason, net=rows.minor, over=ibis.literal(False))
    rows = net_refunds(rows, USED) if refunds == "net_to_original" else _drop_refunds(rows)
    zero = (rows.reason == USED) & (rows.minor == 0) & drop_zero
    return rows.mutate(reason=ibis.ifelse(zero, "zero value", rows.reason))


def _drop_refunds(rows: Any) -> Any:
    import ibis

    refund = (rows.reason == USED) & (rows.minor < 0)
    return rows.mutate(reason=ibis.ifelse(refund, "refund", rows.reason))
