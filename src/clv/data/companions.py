"""Tables that stand beside the log: attributes of customers, identities, erasures, exchange rates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clv.data.checks import RENAME, check_columns
from clv.data.cleaning import CODE, DAY, GONE, ONE, RATE, SAME, id_text, segment_column
from clv.data.dates import read_day
from clv.data.engines import ROW, fetch, keep, least, plain_text, sha256, sort_key, upload
from clv.data.engines.sources import open_source
from clv.data.feedback import asked, read_answer
from clv.data.thresholds import FX_DAYS
from clv.errors import DataError
from clv.units import EPOCH

if TYPE_CHECKING:
    from clv.data.contract import Transactions


def attributes(orders: Transactions, day: int) -> Any:
    """The segments of the customers table as they were known on a day, as in `_known`; None without any."""
    names = [name for name in orders.segments if name not in orders.own_segments]
    return _known(orders, names, day) if orders.customers is not None and names else None


def answers(orders: Transactions) -> Any:
    """What customers said as it was known at as_of: customer_id as in the RFM table, and their answers.

    A column for each question whose column is named: satisfaction and recommendation, numbers, and loyalty,
    true or false; null where there is no answer. None where no column is named.
    """
    columns = asked(orders)
    if not columns:
        return None
    rows = _known(orders, list(dict.fromkeys(columns.values())), orders.as_of_day)
    read = {what: read_answer(rows[segment_column(name)], what) for what, name in columns.items()}
    person = rows.person if orders.hash_ids is None else sha256(rows.person, orders.hash_ids)
    return keep(rows.select(customer_id=person, **read))


def _known(orders: Transactions, names: Sequence[str], day: int) -> Any:
    """Columns of the customers table as they were known on a day: person, and a text column each.

    Without `known_from`, of a customer with several rows the first value in the order of the alphabet.
    """
    import ibis

    table = orders.customers_source.table
    texts = {segment_column(name): plain_text(table[name]) for name in names}
    person = plain_text(table[orders.customer])
    if not orders.dated:
        rows = table.select(person=person, **texts)
        return rows.group_by("person").aggregate(**{name: least(rows[name]) for name in texts})
    known = orders.known_from.value
    rows = table.select(person=person, known=known, **texts)
    rows = rows.filter(rows.known <= day)
    order = [rows.known.desc(), *(sort_key(rows[name]) for name in texts)]
    place = ibis.row_number().over(ibis.window(group_by=rows.person, order_by=order))
    return rows.mutate(place=place).filter(lambda t: t.place == 0).drop("place", "known")


def identity_table(orders: Transactions) -> Any:
    """Return an id (`ONE`) and the id of its person (`SAME`). DataError D048 when ids chain."""
    table = _beside(
        orders, orders.identities, {"customer": orders.customer, "same_as": "same_as"}, "identities"
    )
    rows = table.select(one=plain_text(table[orders.customer]), same=plain_text(table["same_as"]))
    rows = rows.filter(rows.one.notnull() & rows.same.notnull() & (rows.one != rows.same))
    rows = keep(rows.group_by("one").aggregate(same=least(rows.same), targets=rows.same.nunique()))
    wrong = fetch(rows.filter(rows.targets > 1).order_by("one").limit(1)).to_pylist()
    onward = rows.view()
    chained = rows.inner_join(onward, rows.same == onward.one, rname="next_{name}")
    links = fetch(chained.order_by("one").limit(1)).to_pylist()
    messages = [
        f"D048 identities must give an id one person; {row['one']!r} has {row['targets']}. Keep one of them."
        for row in wrong
    ] + [
        f"D048 identities must not chain; got {row['one']!r} → {row['same']!r} → {row['next_same']!r}. Give "
        "every id its final one."
        for row in links
    ]
    if messages:
        raise DataError(*messages)
    return rows.select(**{ONE: rows.one, SAME: rows.same})


def erased_table(orders: Transactions) -> Any:
    """Return the people who asked to be forgotten (`GONE`), once each."""
    import ibis
    import pyarrow as pa

    if isinstance(orders.erased, list | tuple | set | frozenset):
        ids = sorted(set(map(id_text, orders.erased)))
        rows = upload(orders.raw.get_backend(), pa.table({GONE: pa.array(ids, pa.string())}))
    else:
        table = _beside(orders, orders.erased, {"customer": orders.customer}, "erased")
        rows = table.select(**{GONE: plain_text(table[orders.customer])})
    if orders.identities is not None:  # whichever of their ids was named
        rows = rows.left_join(orders.identity_table, rows[GONE] == orders.identity_table[ONE])
        rows = rows.select(**{GONE: ibis.coalesce(rows[SAME], rows[GONE])})
    return rows.filter(rows[GONE].notnull()).distinct()


def fx_table(orders: Transactions) -> Any:
    """Return rates (`RATE`) by currency (`CODE`) and day (`DAY`), carried over at most a week.

    Raises DataError D029 for a rate that is not a positive number, or given twice.
    """
    import pyarrow as pa

    names = {"date": "date", "currency": "currency", "rate": "rate"}
    table = _beside(orders, orders.fx, names, "fx")
    day = read_day(table["date"], timezone=None, date_format=None, time_unit=None).value
    text = {"code": plain_text(table["currency"]).upper()}
    text |= {name: plain_text(table[name]) for name in ("date", "rate")}
    rows = fetch(table.select(day=day, **text))
    given: dict[str, dict[int, float]] = {}
    wrong = []
    for row in rows.to_pylist():
        value, code = _positive(row["rate"]), row["code"]
        if row["day"] is None or code is None or value is None:
            wrong.append(
                "D029 fx needs a date such as 2026-01-31, a code and a positive rate in each row; got "
                f"{row['date']}, {code}, {row['rate']}."
            )
        elif given.setdefault(code, {}).setdefault(row["day"], value) != value:
            when = EPOCH + dt.timedelta(row["day"])
            wrong.append(f"D029 fx has two rates for {code} on {when}. Keep one.")
    if wrong:
        raise DataError(*wrong[:5])
    columns = _carried(given, orders)
    schema = pa.schema({CODE: pa.string(), DAY: pa.int32(), RATE: pa.float64()})
    return upload(orders.raw.get_backend(), pa.table(columns, schema=schema))


def _positive(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def _carried(given: dict[str, dict[int, float]], orders: Transactions) -> dict[str, list[object]]:
    """A rate for each day: the day's own, or the last before it."""
    given = {code: days for code, days in given.items() if code != orders.money_unit}
    columns: dict[str, list[object]] = {CODE: [], DAY: [], RATE: []}
    for code, days in given.items():
        known = sorted(days)
        for day, following in zip(known, [*known[1:], known[-1] + FX_DAYS + 1], strict=True):
            for held in range(day, min(following, day + FX_DAYS + 1)):
                for name, value in ((CODE, code), (DAY, held), (RATE, days[day])):
                    columns[name].append(value)
    return columns


def _beside(orders: Transactions, source: Any, wanted: dict[str, str], what: str) -> Any:
    """Open a companion on the log's engine; DataError D001 for columns that it lacks."""
    table = open_source(source, beside=orders.opened).table
    columns = [name for name in table.columns if name != ROW]
    missing = check_columns(columns, wanted, f" in {what}", RENAME)
    if missing:
        raise DataError(*(str(finding) for finding in missing))
    return table
