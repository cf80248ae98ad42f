"""What may be said of a log: the options of `Transactions`, checked together before anything is read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from clv.data.cleaning import id_text
from clv.data.date_texts import read_format
from clv.data.feedback import QUESTIONS, asked
from clv.data.rfm import RESERVED
from clv.data.zones import known_zone
from clv.errors import ConfigError
from clv.units import EPOCH, as_date, horizon_days

if TYPE_CHECKING:
    from clv.data.contract import Transactions

_CHOICES: dict[str, tuple[str | None, ...]] = {
    "refunds": (None, "net_to_original", "as_booked", "drop"),
    "duplicates": (None, "drop", "keep"),
    "zero_orders": ("drop", "count"),
    "missing_amount": (None, "drop"),
    "time_unit": (None, "s", "ms", "us"),
    "decimal": (None, ".", ","),
    "amount_unit": (None, "major", "minor"),
}


def check_options(orders: Transactions) -> dict[str, Any]:
    """Return options in their final form; ConfigError C001 with every one that cannot be meant."""
    wrong = [message for name in _CHOICES if (message := _choice(name, getattr(orders, name)))]
    wrong += _kinds(orders)
    if wrong:
        raise ConfigError(*wrong)
    final: dict[str, Any] = {"segments": _texts(orders.segments)}
    if orders.guest_ids is not None:
        final["guest_ids"] = _texts(orders.guest_ids)
    taken = [name for name in final["segments"] if name.lower() in RESERVED]
    if taken:
        wrong.append(f"C001 {taken[0]!r} is a column of the RFM or forecast table; rename this segment.")
    if orders.currency is not None:
        final["currency"] = str(orders.currency).strip().upper()
        if len(final["currency"]) != 3 or not final["currency"].isalpha():
            wrong.append(f'C001 currency must be an ISO 4217 code such as "EUR"; got {orders.currency!r}.')
    if orders.fx is not None and orders.currency is None:
        wrong.append('C001 fx needs the currency of the results. Set currency = "EUR" or another.')
    unasked = asked(orders) if orders.customers is None else {}
    wrong += [f"C001 {what} is a column of the customers table; set customers as well." for what in unasked]
    if orders.date_format is not None and orders.time_unit is not None:
        wrong.append("C001 date_format and time_unit exclude each other. Set the one that fits the column.")
    wrong += _unread(orders, final)
    if wrong:
        raise ConfigError(*wrong)
    return final


def _unread(orders: Transactions, final: dict[str, Any]) -> list[str]:
    """C001 for dates, zones, formats and lengths that cannot be read."""
    wrong: list[str] = []
    for check in (
        lambda: final.update(as_of=None if orders.as_of is None else as_date(orders.as_of, "as_of")),
        lambda: known_zone(orders.timezone),
        lambda: orders.date_format is None or read_format(orders.date_format),
        lambda: orders.allow_gap is None or horizon_days(orders.allow_gap, EPOCH, "allow_gap"),
    ):
        try:
            check()
        except ConfigError as error:
            wrong += error.messages
    return wrong


def _kinds(orders: Transactions) -> list[str]:
    """C001 for options of a kind that cannot be read."""
    named = ("customer", "date", "amount")
    columns = ("order_id", "refund_of", "type", "currency_column", "cogs", "referred_by", *QUESTIONS)
    optional = (*columns, "timezone", "date_format", "allow_gap")
    wrong = {
        **{name: "a text" for name in named if not isinstance(getattr(orders, name), str)},
        **{n: "a text" for n in (*optional, "hash_ids") if not isinstance(getattr(orders, n), str | None)},
        **{n: "a list of texts" for n in ("segments", "guest_ids") if not _lists(getattr(orders, n), n)},
    }
    if orders.hash_ids == "":
        wrong["hash_ids"] = "a salt that is not empty"
    if not isinstance(orders.line_items, bool):
        wrong["line_items"] = "True or False"
    shown = {name: repr(getattr(orders, name)) for name in wrong} | {"hash_ids": "what is not shown"}
    return [f"C001 {name} must be {what}; got {shown[name]}." for name, what in wrong.items()]


def _lists(value: Any, name: str) -> bool:
    return isinstance(value, str | Iterable) or (value is None and name == "guest_ids")


def _texts(value: Any) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else value
    return tuple(dict.fromkeys(map(id_text, values)))


def _choice(name: str, value: Any) -> str | None:
    allowed = _CHOICES[name]
    if value in allowed:
        return None
    words = [word for word in allowed if word]
    close = difflib.get_close_matches(str(value), words, 1)
    hint = f' Did you mean "{close[0]}"?' if close else ""
    return f"C001 {name} must be one of {', '.join(words)}; got {value!r}.{hint}"
