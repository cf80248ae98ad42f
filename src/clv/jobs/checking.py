"""What stands against a run, found before anything is fitted: the findings of a log, and of a job on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv.data.contract import Transactions
from clv.data.customer_rules import check_size, check_span
from clv.data.engines import upload, write_table
from clv.data.findings import Finding, refused
from clv.data.holdout import check_cuts
from clv.data.segments import segment_names
from clv.errors import ClvError, ConfigError, DataError, error_of
from clv.forecasting.checks import check_reach
from clv.jobs.beside import check_beside
from clv.jobs.config import Config, load
from clv.jobs.earlier import last_published
from clv.jobs.restated import check_restated
from clv.jobs.runs import new_file, refuse_existing
from clv.units import horizon_days

if TYPE_CHECKING:
    import pandas as pd

_ORDER = "FWA"


@dataclass(frozen=True)
class Checked:
    """A config, its log, and all that was found; failing findings first."""

    config: Config
    orders: Transactions
    findings: Sequence[Finding]

    @property
    def failing(self) -> list[Finding]:
        """What stops a run."""
        return [finding for finding in self.findings if finding.severity == "F"]

    @property
    def warned(self) -> int:
        """How many findings warn."""
        return sum(finding.severity == "W" for finding in self.findings)

    def error(self) -> ClvError | None:
        """What stops a run, with every failing finding: a DataError where the data has a part in it."""
        failing = self.failing
        return error_of(list(map(str, failing))) if failing else None

    def reconciliation(self) -> pd.DataFrame | None:
        """Rows, share of rows, money and customers by reason; None where nothing can be read that far.

        There is no money where amounts of several currencies would be added up (D028).
        """
        try:
            book = shared(self.orders)
        except DataError:
            return None
        if book.empty:
            return None
        if any(finding.code == "D028" for finding in self.failing):
            book["money"] = None
        return book


def shared(orders: Transactions) -> pd.DataFrame:
    """Return the reconciliation with the share of rows: reason, rows, share, money, customers."""
    book = orders.reconciliation()
    book.insert(2, "share", book["rows"] / max(int(book["rows"].sum()), 1))
    return book


def check(config: Config) -> Checked:
    """Check a config against its log; what is wrong with them is returned, not raised.

    Raises DataError or OutputError where the log cannot be read at all.
    """
    config.check_log()
    orders = config.transactions()
    if not any(finding.severity == "F" for finding in orders.findings):
        # What concerns the job belongs to the log's findings: report and manifest show those.
        orders.findings.extend(_of_the_job(config, orders))
    orders.findings.sort(key=lambda finding: (_ORDER.index(finding.severity), finding.code))
    return Checked(config, orders, orders.findings)


def _of_the_job(config: Config, orders: Transactions) -> list[Finding]:
    """D031, D032, D034, D043, D051, and what only a log can tell of a config: C007, C008, P001 to P003."""
    rfm, economics = orders.rfm(), config.assumptions()
    days = horizon_days(economics.horizon, orders.as_of_date)
    found = [*check_size(rfm), *check_span(rfm, days), *check_restated(config, orders)]
    found += [*_currency(orders), *check_beside(config, rfm)]
    checks: list[Callable[[], Any]] = [
        lambda: (
            None
            if config.economics.allow_extrapolation
            else check_reach(rfm, economics.horizon, "'economics.horizon'")
        ),
        lambda: check_cuts(orders, [config.holdout.cut] if config.holdout else []),
        lambda: economics.check_segments(segment_names(rfm) if isinstance(economics.cac, dict) else ()),
        lambda: last_published(
            config.runs, config.report.name, orders.as_of_date, config.report.compare_with
        ),
    ]
    for passes in checks:
        try:
            passes()
        except ClvError as error:
            found += refused(error)
    return found


def _currency(orders: Transactions) -> list[Finding]:
    """D051 for amounts of which nothing says in what currency they are."""
    if orders.currency is not None or any(orders.currencies):
        return []
    note = f"no currency is named: amounts are taken as {orders.money_unit}. Set currency to theirs."
    return [Finding("D051", "W", note)]


def as_json(checked: Checked) -> dict[str, Any]:
    """Return the findings and the reconciliation, ready for JSON."""
    book, orders = checked.reconciliation(), checked.orders
    as_of = orders.as_of if book is None else orders.as_of_date
    return {
        "schema": 1,
        "source": checked.config.input.path,
        "as_of": str(as_of) if isinstance(as_of, dt.date) else None,
        "currency": orders.currency if book is None else orders.money_unit,
        "ok": not checked.failing,
        "findings": [finding_json(finding) for finding in checked.findings],
        "reconciliation": [] if book is None else book.to_dict(orient="records"),
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as it stands in JSON, its examples under the names of `checks_table`."""
    names = {"date_text": "date", "amount_text": "amount", "code": "currency", "kind": "type"}
    examples = [{names.get(name, name): value for name, value in row.items()} for row in finding.examples]
    said = {"code": finding.code, "severity": finding.severity, "message": finding.message}
    return said | {"rows": finding.rows, "examples": examples}


def checks_table(orders: Transactions) -> Any:
    """Return every row that a finding is about: code, severity, row, customer, date, amount, message.

    An Ibis table, one row per finding and row of the source, texts as they stand there; a finding about no
    row in particular has one row with its message.
    """
    import ibis
    import pyarrow as pa

    names = ("code", "severity", "row", "customer", "date", "amount", "message")
    types = [pa.int64() if name == "row" else pa.string() for name in names]
    alone = [
        {"code": f.code, "severity": f.severity, "message": f.message}
        for f in orders.findings
        if f.listed is None
    ]
    said = pa.Table.from_pylist(alone, schema=pa.schema(zip(names, types, strict=True)))
    tables = [upload(orders.raw.get_backend(), said)]
    for finding in orders.findings:
        rows = finding.listed
        if rows is not None:
            tables.append(
                rows.select(
                    code=ibis.literal(finding.code),
                    severity=ibis.literal(finding.severity),
                    row=rows.row.cast("int64"),
                    customer=rows.customer.cast("string"),
                    date=rows.date_text.cast("string"),
                    amount=rows.amount_text.cast("string"),
                    message=ibis.literal(finding.message),
                )
            )
    every = ibis.union(*tables) if len(tables) > 1 else tables[0]
    return every.order_by("code", "row", "customer", "date", "amount")


def check_file(config: Path, rows_to: Path | None = None) -> Checked:
    """Load and check a config; write the rows of all findings into a new file where one is named."""
    if rows_to is not None:
        refuse_list(rows_to)
    checked = check(load(config))
    if rows_to is not None:
        write_list(checked, rows_to)
    return checked


def refuse_list(path: Path) -> None:
    """Raise before any work what would stop `write_list`: ConfigError C001, OutputError O001."""
    if path.suffix.lower() not in (".parquet", ".pq"):
        raise ConfigError(
            f"C001 --list writes Parquet; got {path.name!r}. Give it a name such as checks.parquet."
        )
    refuse_existing(path)


def write_list(checked: Checked, path: Path) -> None:
    """Write `checks_table` to a new Parquet file, whole or not at all."""
    with new_file(path) as partial:
        write_table(checks_table(checked.orders), str(partial))
