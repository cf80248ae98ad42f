"""The data contract: what a transaction log must be, what is kept of it, and why."""

from __future__ import annotations

import copy
import datetime as dt
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clv.data import checks
from clv.data.cleaning import USED, segment_column, typed, with_reasons
from clv.data.engines import ROW, open_table, plain_text
from clv.data.rfm import RESERVED, RFM
from clv.errors import ConfigError, DataError
from clv.units import horizon_days, minor_digits

if TYPE_CHECKING:
    import pandas as pd

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, eq=False)
class Transactions:
    """A transaction log under the contract: one row per order, checked, cleaned and reconciled.

    Parameters
    ----------
    source : path to CSV or Parquet, pandas frame, or Ibis table
    customer, date, amount : column names
        Who, when, and how much (major currency units, net of tax and discount).
    order_id, refund_of : column names, optional
        Taken when columns of these names are present.
    segments : column names
        Attributes of a customer, read at the first order (the first row of its day), or from `customers`.
    customers : source, optional
        One row per customer, with the same customer column and further segment columns.
    as_of : date or "YYYY-MM-DD", optional
        The last day that counts; by default the last date in the data.
    timezone : name, optional
        The business zone in which the day of a timestamp with an offset is cut; by default UTC.
    date_format : strptime format, optional
    currency : ISO 4217
    refunds : "net_to_original" or "drop"; required when there are negative amounts
    duplicates : "drop" or "keep"; required when rows repeat exactly and have no order_id
    zero_orders : "drop" (default) or "count" (a purchase without spend)
    missing_amount : "drop", or None to fail on them
    guest_ids : ids that stand for nobody in particular
    allow_gap : duration such as "90d"; the silence before as_of that is meant

    Raises
    ------
    ConfigError
        For an option that cannot be meant.
    DataError
        From `rfm()` and `check()`: all failing findings together.
    """

    source: Any
    customer: str = "customer_id"
    date: str = "date"
    amount: str = "amount"
    order_id: str | None = None
    refund_of: str | None = None
    segments: Sequence[str] = ()
    customers: Any = None
    as_of: dt.date | str | None = None
    timezone: str | None = None
    date_format: str | None = None
    currency: str = "USD"
    refunds: Literal["net_to_original", "drop"] | None = None
    duplicates: Literal["drop", "keep"] | None = None
    zero_orders: Literal["drop", "count"] = "drop"
    missing_amount: Literal["drop"] | None = None
    guest_ids: Sequence[str] = ()
    allow_gap: str | None = None

    def __post_init__(self) -> None:
        choices: dict[str, tuple[str | None, ...]] = {
            "refunds": (None, "net_to_original", "drop"),
            "duplicates": (None, "drop", "keep"),
            "zero_orders": ("drop", "count"),
            "missing_amount": (None, "drop"),
        }
        wrong = []
        for name, allowed in choices.items():
            value = getattr(self, name)
            if value not in allowed:
                words = [a for a in allowed if a]
                close = difflib.get_close_matches(str(value), words, 1)
                hint = f' Did you mean "{close[0]}"?' if close else ""
                wrong.append(f"C001 {name} must be one of {', '.join(words)}; got {value!r}.{hint}")
        for name in ("segments", "guest_ids"):
            value = getattr(self, name)
            values = (value,) if isinstance(value, str) else value
            object.__setattr__(self, name, tuple(dict.fromkeys(str(v).strip() for v in values)))
        if self.date_format is not None and "%" not in self.date_format:
            wrong.append(f'C001 date_format is written like "%d/%m/%Y"; got {self.date_format!r}.')
        taken = [name for name in self.segments if name.lower() in RESERVED]
        if taken:
            wrong.append(f"C001 {taken[0]!r} is a column of the RFM or forecast table; rename this segment.")
        try:
            object.__setattr__(self, "as_of", None if self.as_of is None else as_date(self.as_of, "as_of"))
        except ConfigError as error:
            wrong += error.messages
        if wrong:
            raise ConfigError(*wrong)

    # What the log says.

    @cached_property
    def findings(self) -> list[checks.Finding]:
        """Every answer of the checks, in the order of the contract."""
        found = list(self._column_findings)
        if found:
            return found
        found = checks.check_empty(self._name, int(self._raw.count().to_pyarrow().as_py()), self.as_of)
        if found:
            return found
        dated = self.as_of is not None or self._last_day is not None
        if self.as_of is None and dated:
            note = f"as_of was taken from the data: {self.as_of_date}, the last day with a row."
            found.append(checks.Finding("D045", "W", note))
        rows = self.rows if dated else self._with_reasons(0)
        found += checks.check_rows(self, rows)
        if not any(f.severity == "F" for f in found):
            found += checks.check_silence(self, rows)
        return sorted(found, key=lambda finding: finding.code)

    def check(self) -> None:
        """Raise DataError with every failing finding, or return in peace."""
        failing = [str(finding) for finding in self.findings if finding.severity == "F"]
        if failing:
            raise DataError(*failing)

    def reconciliation(self) -> pd.DataFrame:
        """Rows and money in = used + left out by reason: columns reason, rows, money; 'used' first."""
        money = self.rows.minor.sum().fill_null(0).cast("int64")
        sums = self.rows.group_by("reason").aggregate(rows=self.rows.count(), money=money)
        frame: pd.DataFrame = sums.to_pyarrow().to_pandas()
        frame["money"] = frame["money"] / 10**self.digits
        frame["last"] = frame["reason"] != USED
        frame = frame.sort_values(["last", "rows", "reason"], ascending=[True, False, True])
        return frame.drop(columns="last").reset_index(drop=True)

    # What is made of it.

    @property
    def orders(self) -> Any:
        """The sales in use: row, customer, day, net (minor units), and a column a segment; an Ibis table."""
        used = self.rows.filter((self.rows.reason == USED) & (self.rows.minor >= 0))
        return used.select("row", "customer", "day", "net", *map(segment_column, self.own_segments))

    def rfm(self) -> RFM:
        """Check, clean, and count: one row per customer, kept on the engine."""
        self.check()
        return self._rfm

    @cached_property
    def _rfm(self) -> RFM:
        return RFM.from_orders(self)

    def until(self, cut: dt.date | str) -> Transactions:
        """Return the same log as it was known at the end of `cut`.

        It shares the typed rows, and the findings: what is wrong with the log is known by then.
        """
        _ = self._typed, self.findings
        earlier = copy.copy(self)
        for name in ("rows", "as_of_day", "_rfm"):
            earlier.__dict__.pop(name, None)
        object.__setattr__(earlier, "as_of", as_date(cut, "cut"))
        return earlier

    @property
    def digits(self) -> int:
        """Decimal places of the currency."""
        return minor_digits(self.currency)

    def money(self, minor: int) -> str:
        """Print minor units as an amount."""
        return f"{minor / 10**self.digits:,.{self.digits}f}"

    @property
    def as_of_date(self) -> dt.date:
        """The last day that counts."""
        return _EPOCH + dt.timedelta(days=self.as_of_day)

    @cached_property
    def as_of_day(self) -> int:
        """The as-of date in days since 1970-01-01."""
        if isinstance(self.as_of, dt.date):
            return (self.as_of - _EPOCH).days
        if self._last_day is None:
            raise DataError(*(str(finding) for finding in self.findings))
        return self._last_day

    @property
    def allowed_gap_days(self) -> float:
        """The silence before as_of that the user allows."""
        return horizon_days(self.allow_gap, _EPOCH) if self.allow_gap else 0.0

    @cached_property
    def roles(self) -> dict[str, str]:
        """Column names by role, the optional ones where they are present."""
        named = {"customer": self.customer, "date": self.date, "amount": self.amount}
        for role in ("order_id", "refund_of"):
            name = getattr(self, role) or role
            if getattr(self, role) or name in self._raw.columns:
                named[role] = name
        return named

    @cached_property
    def customer_segments(self) -> Any:
        """The segments that come from the customers table: customer_id and a column each, or None.

        Of a customer with several rows, the first value in the order of the alphabet.
        """
        names = [name for name in self.segments if name not in self.own_segments]
        if self.customers is None or not names:
            return None
        table = self._customers_table
        text = {segment_column(n): plain_text(table[n]) for n in names}
        rows = table.select(customer_id=plain_text(table[self.customer]), **text)
        return rows.group_by("customer_id").aggregate(**{n: rows[n].min() for n in text})

    @property
    def own_segments(self) -> list[str]:
        """The segments that are columns of the log itself."""
        return [name for name in self.segments if name in self._raw.columns]

    @cached_property
    def rows(self) -> Any:
        """Typed rows with their reasons, materialised on the engine."""
        return self._with_reasons(self.as_of_day).cache()

    def _with_reasons(self, as_of: int) -> Any:
        return with_reasons(
            self._typed,
            as_of=as_of,
            guest_ids=self.guest_ids,
            duplicates=self.duplicates,
            drop_zero=self.zero_orders == "drop",
            refunds=self.refunds,
        )

    @cached_property
    def _raw(self) -> Any:
        return open_table(self.source, self.timezone)

    @cached_property
    def _customers_table(self) -> Any:
        return open_table(self.customers, self.timezone, beside=self._raw)

    @cached_property
    def _typed(self) -> Any:
        roles = self.roles
        if self._column_findings:
            raise DataError(*(str(finding) for finding in self._column_findings))
        return typed(
            self._raw,
            customer=roles["customer"],
            date=roles["date"],
            amount=roles["amount"],
            order_id=roles.get("order_id"),
            refund_of=roles.get("refund_of"),
            segments=self.own_segments,
            timezone=self.timezone,
            date_format=self.date_format,
            digits=self.digits,
        ).cache()

    @cached_property
    def _last_day(self) -> int | None:
        last: int | None = self._typed.day.max().to_pyarrow().as_py()
        return last

    @property
    def _name(self) -> str:
        return Path(self.source).name if isinstance(self.source, str | Path) else "The table"

    @cached_property
    def _column_findings(self) -> list[checks.Finding]:
        columns = [name for name in self._raw.columns if name != ROW]
        found = checks.check_columns(columns, self.roles)
        further: list[str] = []
        if self.customers is not None:
            further = [name for name in self._customers_table.columns if name != ROW]
            found += checks.check_columns(further, {"customer": self.customer}, " in the customers table")
        found += checks.check_columns(
            columns + further, {f"segments[{i}]": name for i, name in enumerate(self.segments)}
        )
        return found


def as_date(value: dt.date | str, name: str) -> dt.date:
    """Return a day given as a date, a timestamp or "YYYY-MM-DD"; ConfigError C001 for anything else."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ConfigError(f'C001 {name} must be a date such as "2026-09-30"; got {value!r}.') from None
