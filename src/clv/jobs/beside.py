"""What stands beside the log: ledger, spend, plan and budget, checked before anything is fitted."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from clv.data.books import read_ledger, read_plan, read_spending
from clv.errors import ConfigError
from clv.forecasting.plans import Plan
from clv.units import horizon_end

if TYPE_CHECKING:
    import pandas as pd

    from clv.data.rfm import RFM
    from clv.jobs.config import Config


def plan_of(config: Config) -> pd.DataFrame | None:
    """Read the plan of new customers; DataError D001 or D016."""
    source = config.source("plan")
    return None if source is None else read_plan(source, config.acquired_by)


def checks_beside(config: Config, rfm: RFM) -> Iterator[Callable[[], Any]]:
    """Checks of what the config names beside its log, to be called: DataError, ConfigError P001 to P003."""
    known = {str(name) for name in rfm.grouped((config.acquired_by,))[config.acquired_by]}
    begins, ledger, spend = config.plan.fiscal_year_start, config.source("ledger"), config.source("spend")
    if ledger is not None:
        yield lambda: read_ledger(ledger, begins)
    if spend is not None:
        yield lambda: read_spending(spend, config.acquired_by, known, begins)
    if config.plan.path is not None:
        yield lambda: _check_plan(config, plan_of(config), rfm, known)
    if config.budget is not None:
        yield lambda: _check_curves(config, known)


def _check_plan(config: Config, plan: Any, rfm: RFM, known: set[str]) -> None:
    labels, end = {(name,) for name in known}, horizon_end(config.assumptions().horizon, rfm.as_of)
    Plan.of(plan, [config.acquired_by], labels, rfm.as_of, config.plan.fiscal_year_start, end)


def _check_curves(config: Config, known: set[str]) -> None:
    wrong = []
    for name in config.budget.acquisition if config.budget else ():
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {close[0]!r}?" if close else f" There are {', '.join(sorted(known)[:8])}."
            key = f"budget.acquisition.{name}"
            wrong.append(f"P001 {key!r} names no {config.acquired_by} that a customer is in.{hint}")
    if wrong:
        raise ConfigError(*wrong)
