"""The data contract: what a transaction log must be, what is kept of it, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from clv.data import checks, counting, repairs, tally
from clv.data.cleaning import REFUND, USED, typed
from clv.data.companions import attributes, erased_table, fx_table, identity_table
from clv.data.dates import Parsed, read_day
from clv.data.engines import ENGINES, ROW, fetch, plain_text, sha256
from clv.data.engines.sources import Source, open_source
from clv.data.opportunities import Opportunities
from clv.data.options import check_options
from clv.data.rfm import RFM
from clv.errors import DataError
from clv.units import EPOCH, horizon_days, minor_digits

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Transactions:
    """A transaction log under the contract: one row per order, checked, cleaned and reconciled.

    Nothing is copied: the log is scanned where it lies, and what is small enough is kept on its engine.

    Parameters
    ----------
    source : Parquet or CSV (a file, a folder, a pattern), DuckDB file, PostgreSQL URL, or a pandas, Polars,
        PyArrow or Ibis table
        Secrets come from the environment: "${PGURL}".
    table : name of the table in a database
    engine : "duckdb" (default) or "spark"; what reads files
    customer, date, amount : column names
        Who, when, and how much (major currency units, net of tax and discount).
    order_id, refund_of, type : column names, optional
        Taken when columns of these names are present. `type` is sale, refund, cancel or test.
    cogs, referred_by : column names, optional
        What the goods of an order cost, in units of the amount; who referred the customer, blank for nobody.
    currency_column : column name, optional
        ISO 4217 codes; taken when there is a column "currency".
    segments : column names
        Attributes of a customer, read at the first order (of several on that day, the first in the order of
        the alphabet), or from `customers`.
    customers : source, optional
        One row per customer, with the same customer column and further segment columns; with a column
        `known_from`, a row per change.
    satisfaction, recommendation, loyalty : column names of `customers`, optional
        Satisfaction from 1 to 5, willingness to recommend from 0 to 10, membership of a loyalty scheme.
    as_of : date or "YYYY-MM-DD", optional
        The last day that counts; by default the last date in the data.
    timezone : name, optional
        The business zone in which the day of a moment is cut, UTC by default; the zone of local times.
    date_format : strptime format, optional
    time_unit : "s", "ms" or "us"; dates are numbers since 1970
    currency : ISO 4217, the currency of every result; by default the log's own, or USD
    fx : source with columns date, currency, rate (1 unit of it in `currency`), for several currencies
    decimal : "." or ","; the decimal sign of amounts that are text
    amount_unit : "major" (default) or "minor" (cents)
    refunds : "net_to_original", "as_booked" or "drop"; required when there are negative amounts
        A refund is taken off the order that `refund_of` names, or under whose order_id it stands, or else off
        its customer's latest order that covers it.
    duplicates : "drop" or "keep"; required when rows without an order_id repeat, letter for letter
    line_items : the rows of an order_id are its lines
    zero_orders : "drop" (default) or "count" (a purchase without spend)
    missing_amount : "drop", or None to fail on them
    guest_ids : ids that stand for nobody in particular; an empty list says that there are none
    identities : source with columns customer and same_as, optional; ids of one person become one
    erased : ids, or a source with the customer column; people who asked to be forgotten
    hash_ids : a salt; ids in every result are SHA-256 of salt and id
    allow_gap : duration such as "90d"; the silence before as_of that is meant

    Raises
    ------
    ConfigError
        For an option that cannot be meant.
    DataError
        From `rfm()` and `check()`: all failing findings together.
    """

    source: Any = field(repr=False)
    table: str | None = None
    engine: str = ENGINES[0]
    customer: str = "customer_id"
    date: str = "date"
    amount: str = "amount"
    order_id: str | None = None
    refund_of: str | None = None
    type: str | None = None
    currency_column: str | None = None
    cogs: str | None = None
    referred_by: str | None = None
    segments: Sequence[str] = ()
    customers: Any = field(default=None, repr=False)
    satisfaction: str | None = None
    recommendation: str | None = None
    loyalty: str | None = None
    as_of: dt.date | str | None = None
    timezone: str | None = None
    date_format: str | None = None
    time_unit: Literal["s", "ms", "us"] | None = None
    currency: str | None = None
    fx: Any = field(default=None, repr=False)
    decimal: Literal[".", ","] | None = None
    amount_unit: Literal["major", "minor"] | None = None
    refunds: Literal["net_to_original", "as_booked", "drop"] | None = None
    duplicates: Literal["drop", "keep"] | None = None
    line_items: bool = False
    zero_orders: Literal["drop", "count"] = "drop"
    missing_amount: Literal["drop"] | None = None
    guest_ids: Sequence[str] | None = None
    identities: Any = field(default=None, repr=False)
    erased: Any = field(default=None, repr=False)
    hash_ids: str | None = field(default=None, repr=False)
    allow_gap: str | None = None

    def __post_init__(self) -> None:
        for name, value in check_options(self).items():
            object.__setattr__(self, name, value)

    # What the log says.

    @cached_property
    def findings(self) -> list[checks.Finding]:
        """Every answer of the checks, in the order of the contract."""
        return checks.check(self)

    def check(self) -> None:
        """Raise DataError with every failing finding, or return in peace."""
        failing = [str(finding) for finding in self.findings if finding.severity == "F"]
        if failing:
            raise DataError(*failing)

    def reconciliation(self) -> pd.DataFrame:
        """Rows and money in = used + left out by reason.

        Columns: reason ('used' first), rows, money, customers. A customer who is in several lines counts in
        each.
        """
        return tally.reconciliation(self)

    # What is made of it.

    def rfm(self) -> RFM:
        """Check, clean, and count: one row per customer, kept on the engine."""
        self.check()
        return self._rfm

    @cached_property
    def _rfm(self) -> RFM:
        return RFM.from_orders(self)

    def days(self) -> Any:
        """Purchase days: customer, day (since 1970-01-01), spent (minor units), orders, a column a segment.

        An Ibis table; customers are as they stand in the log, which is not checked here.
        """
        days = counting.plain_days(self)
        if self.repaired is None:
            return days
        own = counting.days_of(self, self.repaired)
        return days.union(own.select(*days.columns))

    def opportunities(self, period: str) -> Opportunities:
        """Check, and count the periods with a purchase, for discrete models: x, t_x and n a customer."""
        self.check()
        return Opportunities.of_days(self.purchase_days(self.days()), self.as_of_date, period)

    def purchase_days(self, days: Any, *further: str) -> Any:
        """Of days as `days` gives them, those up to as_of, by customer_id as it is in the RFM table.

        `further` names columns to keep beside customer_id and day.
        """
        name = days.customer.cast("string")
        named = days.select(
            customer_id=name if self.hash_ids is None else sha256(name, self.hash_ids),
            day=days.day,
            **{column: days[column] for column in further},
        )
        return named.filter(named.day <= self.as_of_day)

    # Money and days.

    @property
    def digits(self) -> int:
        """Decimal places of the currency."""
        return minor_digits(self.money_unit)

    @cached_property
    def money_unit(self) -> str:
        """The currency of every result."""
        if self.currency is not None:
            return self.currency
        codes = [code for code in self.currencies if code]
        return codes[0] if len(codes) == 1 else "USD"

    @cached_property
    def currencies(self) -> dict[str | None, int]:
        """Rows by currency code, the most frequent first; empty without a column of them."""
        if "currency" not in self.roles:
            return {}
        code = plain_text(self.raw[self.roles["currency"]]).upper()
        table = self.raw.group_by(code=code).aggregate(n=lambda t: t.count())
        rows = fetch(table).to_pylist()
        return {row["code"]: row["n"] for row in sorted(rows, key=lambda r: (-r["n"], r["code"] or ""))}

    def money(self, minor: int) -> str:
        """Print minor units as an amount."""
        return f"{minor / 10**self.digits:,.{self.digits}f}"

    @property
    def as_of_date(self) -> dt.date:
        """The last day that counts."""
        return EPOCH + dt.timedelta(days=self.as_of_day)

    @staticmethod
    def day_number(day: dt.date) -> int:
        """A date in days since 1970-01-01."""
        return (day - EPOCH).days

    @cached_property
    def as_of_day(self) -> int:
        """The as-of date in days since 1970-01-01."""
        if isinstance(self.as_of, dt.date):
            return self.day_number(self.as_of)
        if self.last_day is None:
            raise DataError(*(str(finding) for finding in self.findings))
        return self.last_day

    @property
    def last_day(self) -> int | None:
        """The last day with a row, whatever becomes of it."""
        last = self.tally["day"].max()
        return None if last != last else int(last)

    def has_orders_by(self, day: dt.date) -> bool:
        """Whether any order in use is dated on a day or before."""
        days = self.tally["day"][self.tally["reason"] == USED]
        return bool((days <= self.day_number(day)).any())

    @property
    def allowed_gap_days(self) -> float:
        """The silence before as_of that the user allows."""
        return horizon_days(self.allow_gap, EPOCH) if self.allow_gap else 0.0

    # The stages, each worked out once.

    @cached_property
    def opened(self) -> Source:
        """The source, where it lies."""
        return open_source(self.source, table=self.table, engine=self.engine)

    @property
    def raw(self) -> Any:
        """The source as an Ibis table."""
        return self.opened.table

    @cached_property
    def columns(self) -> list[str]:
        """Names of the source's columns."""
        return [name for name in self.raw.columns if name != ROW]

    @cached_property
    def roles(self) -> dict[str, str]:
        """Column names by role, the optional ones where they are present."""
        named = {"customer": self.customer, "date": self.date, "amount": self.amount}
        optional = {"order_id": self.order_id, "refund_of": self.refund_of, "type": self.type}
        for role, name in (optional | {"currency": self.currency_column}).items():
            if name or (name is None and role in self.columns):
                named[role] = name or role
        return named | {role: name for role in ("cogs", "referred_by") if (name := getattr(self, role))}

    @property
    def date_options(self) -> dict[str, Any]:
        """How dates are read."""
        return {"timezone": self.timezone, "date_format": self.date_format, "time_unit": self.time_unit}

    @property
    def parts(self) -> list[str]:
        """Reasons of rows that take part: refunds do where they are netted."""
        return [USED] if self.refunds in (None, "drop") else [USED, REFUND]

    @property
    def converts(self) -> bool:
        """Whether amounts are converted between currencies."""
        return self.fx is not None and "currency" in self.roles

    @property
    def guests(self) -> list[str]:
        """Ids of nobody in particular."""
        return list(self.guest_ids or ())

    @property
    def own_segments(self) -> list[str]:
        """The segments that are columns of the log itself."""
        return [name for name in self.segments if name in self.columns]

    @cached_property
    def typed(self) -> Any:
        """Typed rows with the reason that each has alone; see `cleaning`."""
        failing = checks.check_all_columns(self)
        if failing:
            raise DataError(*(str(finding) for finding in failing))
        return typed(self)

    @cached_property
    def row_rules(self) -> list[checks.Rule]:
        """The checks that a row can fail alone."""
        return checks.row_rules(self)

    @cached_property
    def tally(self) -> pd.DataFrame:
        """Rows and money by day and reason, and by the row rules' conditions; one pass over the log."""
        conditions = [c for rule in self.row_rules for c in rule.conditions]
        return tally.tally(self.typed, conditions, of=self.opened.name)

    @cached_property
    def first_count(self) -> Any:
        """Every customer, counted before any repair; one pass over the log."""
        return counting.first_count(self)

    @cached_property
    def concerned(self) -> Any:
        """Customers whose rows need repair, or None."""
        return repairs.concerned(self)

    @cached_property
    def taken(self) -> Any:
        """Rows of the customers concerned."""
        return repairs.taken(self, self.concerned)

    @cached_property
    def repaired(self) -> Any:
        """Rows of the customers concerned as they are known at as_of, or None where there is nobody."""
        return None if self.concerned is None else repairs.repair(self, self.taken, self.as_of_day)

    @cached_property
    def counted(self) -> Any:
        """One row per customer in use."""
        return counting.final_count(self)

    @cached_property
    def rfm_table(self) -> Any:
        """RFM columns of every customer in use, before cohorts are named."""
        return counting.described(self.counted, self, self.as_of_day)

    @cached_property
    def customers_used(self) -> int:
        """How many customers are in use."""
        return int(fetch(self.counted.aggregate(n=self.counted.count())).to_pylist()[0]["n"])

    # What stands beside the log.

    @cached_property
    def customers_source(self) -> Source:
        """The customers table, on the log's engine."""
        return open_source(self.customers, beside=self.opened)

    @property
    def dated(self) -> bool:
        """Whether the customers table says since when it is true."""
        return self.customers is not None and "known_from" in self.customers_source.table.columns

    @property
    def known_from(self) -> Parsed:
        """Since when each row of the customers table is true."""
        column = self.customers_source.table["known_from"]
        return read_day(column, timezone=self.timezone, date_format=None, time_unit=None)

    def attributes(self, day: int) -> Any:
        """The segments of the customers table as they were known on a day, or None."""
        return attributes(self, day)

    @cached_property
    def identity_table(self) -> Any:
        """One id and the id that it is the same as."""
        return identity_table(self)

    @cached_property
    def erased_table(self) -> Any:
        """Ids of people who asked to be forgotten."""
        return erased_table(self)

    @cached_property
    def fx_table(self) -> Any:
        """A rate for every currency and day."""
        return fx_table(self)
