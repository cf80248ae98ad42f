"""Earlier runs as the report looks back at them: read from their folders onto the engine of the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clv.data.contract import Transactions
from clv.data.engines import ROW, fetch
from clv.data.engines.sources import open_source
from clv.data.rfm import RFM
from clv.data.segments import RFMCuts
from clv.errors import ConfigError
from clv.fitting.result import Fit
from clv.jobs.config import Config
from clv.jobs.earlier import EarlierRun, last_published, last_with
from clv.reporting.movements import Before, Terms
from clv.reporting.outcomes import Published
from clv.units import WEEK

PURCHASE, SPEND = "purchase.json", "spend.json"  # the fits of a run, with draws beside them
_TABLES = ("rfm.parquet", "forecast.parquet")
_KEPT = 2  # schema of run.json from which on a run keeps what its forecast can be repeated with


@dataclass(frozen=True, eq=False)
class Past:
    """The published forecast to compare with, and the base to compare with, where there are such."""

    published: Published | None = None
    before: Before | None = None
    notes: Sequence[str] = ()


def look_back(config: Config, orders: Transactions) -> Past:
    """Find and read what earlier runs of the report left.

    Raises ConfigError P004 where the config asks for a run that cannot be compared with, and OutputError O004
    where the published run is not as it ended.
    """
    as_of, name, wanted = orders.as_of_date, config.report.name, config.report.compare_with
    run = last_published(config.runs, name, as_of, wanted)
    why = _not_comparable(run, orders) if run else ""
    if why and wanted:
        raise ConfigError(f"P004 'report.compare_with' names a run that {why}; got {wanted!r}.")
    last, notes = last_with(config.runs, name, as_of, *_TABLES)
    if run and why:
        notes.append(f"What came is not compared with the published forecast of {run.as_of}: its run {why}.")
    return Past(
        _published(run, orders) if run and not why else None,
        _before(last, orders) if last and _kept(last) else None,
        notes,
    )


def _kept(run: EarlierRun) -> bool:
    """Whether the run was made by a clv that kept what is needed."""
    return int(run.manifest.get("schema", 1)) >= _KEPT


def _not_comparable(run: EarlierRun, orders: Transactions) -> str:
    """Say why a published run cannot be compared with this log; empty where it can."""
    if not _kept(run):
        return "was made by an earlier clv, which did not keep its fits"
    currency = run.manifest["history"]["currency"]
    if currency != orders.money_unit:
        return f"counts in {currency}, while this log counts in {orders.money_unit}"
    common = _base(run, orders).table.semi_join(orders.rfm().table, "customer_id").limit(1)
    return "" if len(fetch(common.select("customer_id"))) else "has no customer in common with this log"


def _base(run: EarlierRun, orders: Transactions) -> RFM:
    saved = run.manifest
    return RFM(
        _table(run, "rfm.parquet", orders),
        WEEK,
        run.as_of,
        orders.digits,
        tuple(saved["forecast"]["segments"]),
        checked=True,
        currency=saved["history"]["currency"],
    )


def _table(run: EarlierRun, name: str, orders: Transactions) -> Any:
    table = open_source(str(run.folder / name), beside=orders.opened).table
    return table.drop(ROW) if ROW in table.columns else table


def _published(run: EarlierRun, orders: Transactions) -> Published:
    terms = run.manifest["forecast"]
    low, middle, high = terms["level"]
    return Published(
        run.run_id,
        _base(run, orders),
        Fit.load(str(run.folder / PURCHASE)),
        Fit.load(str(run.folder / SPEND)),
        terms["acquired_by"],
        terms["horizon"],
        terms["margin"],
        terms["discount"],
        (low, middle, high),
        terms["fiscal_year_start"],
    )


def _before(run: EarlierRun, orders: Transactions) -> Before:
    said, currency = run.manifest["forecast"], run.manifest["history"]["currency"]
    _, level, _ = said["level"]
    return Before(
        run.run_id,
        _base(run, orders),
        RFMCuts(**run.manifest["rfm_cuts"]),
        _table(run, "forecast.parquet", orders),
        Terms(currency, said["horizon"], said["margin"], said["discount"], level),
    )
