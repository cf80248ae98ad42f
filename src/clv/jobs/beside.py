"""What stands beside the log: ledger, spend, plan and budget, checked before anything is fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.data.books import read_ledger, read_plan, read_spending, spent_on_nobody
from clv.data.findings import Finding, refused
from clv.errors import ClvError, DataError
from clv.reporting.given import customers_of, planned_by, unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd

    from clv.data.rfm import RFM
    from clv.jobs.config import Config


def plan_of(config: Config) -> pd.DataFrame | None:
    """Read the plan of new customers; DataError D001, I001."""
    source = _source(config, "plan")
    return None if source is None else read_plan(source, config.acquired_by)


def check_beside(config: Config, rfm: RFM) -> list[Finding]:
    """D001, D016, I001 and P001 to P003 of what the config names beside its log."""
    checks: Sequence[Callable[[Config, RFM], list[Finding]]] = (_ledger, _spend, _plan, _curves)
    found = []
    for check in checks:
        try:
            found += check(config, rfm)
        except ClvError as error:
            found += refused(error)
    return found


def _source(config: Config, name: str) -> Path | str | None:
    """Where an input is; DataError I001 where it is named and not there."""
    if name in (gone := config.missing()):
        raise DataError(gone[name])
    return config.source(name)


def _ledger(config: Config, rfm: RFM) -> list[Finding]:
    ledger = _source(config, "ledger")
    if ledger is not None:
        read_ledger(ledger, config.plan.fiscal_year_start)
    return []


def _spend(config: Config, rfm: RFM) -> list[Finding]:
    spend = _source(config, "spend")
    if spend is None:
        return []
    spent = read_spending(spend, config.acquired_by, config.plan.fiscal_year_start)
    said = spent_on_nobody(spent, config.acquired_by, customers_of(rfm, config.acquired_by))
    return [Finding("P001", "W", said)] if said else []


def _plan(config: Config, rfm: RFM) -> list[Finding]:
    plan = plan_of(config)
    if plan is None:
        return []
    begins = config.plan.fiscal_year_start
    said = planned_by(rfm, config.assumptions(), config.acquired_by, begins, plan).left_out
    return [Finding("P003", "A", said)] if said else []


def _curves(config: Config, rfm: RFM) -> list[Finding]:
    if config.budget is None:
        return []
    by = config.acquired_by
    unused = unusable(config.budget.acquisition, customers_of(rfm, by), by)
    key = "budget.acquisition."
    return [Finding("P001", "F", f"{key + name!r} {why}") for name, why in unused.items()]
