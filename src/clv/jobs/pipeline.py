"""A run: config → review → run folder with report, workbook, tables, fits and manifest."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clv
from clv.data.contract import Transactions
from clv.data.engines import keep, write_table
from clv.evaluation.study import Study
from clv.jobs import manifest as manifests
from clv.jobs.beside import plan_of
from clv.jobs.checking import check, checks_table
from clv.jobs.config import Config
from clv.jobs.past import PURCHASE, SPEND, look_back
from clv.jobs.runs import new_id, run_folder
from clv.reporting import html, workbook
from clv.reporting.grid import Page
from clv.reporting.movements import SOON, chance_soon, movement
from clv.reporting.outcomes import outcome
from clv.reporting.pages import pages
from clv.reporting.past_pages import last as last_page
from clv.reporting.past_pages import movement as movement_page
from clv.reporting.reviews import Review, review

_LIKE_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its numbers, its pages and its manifest."""

    folder: Path
    review: Review
    pages: Sequence[Page]
    manifest: dict[str, Any]

    @property
    def study(self) -> Study:
        """The study of the review."""
        return self.review.study


def checked(config: Config) -> Transactions:
    """Return the log of a config, or raise what would stop a run on it before anything is fitted.

    DataError with all failing findings; ConfigError where all of them are of the config.
    """
    found = check(config)
    error = found.error()
    if error:
        raise error
    return found.orders


def run(config: Config, progress: Callable[[str], None] = lambda step: None) -> Run:
    """Run a config to the end, or raise and leave nothing behind.

    Writes report.html, report.xlsx, forecast.parquet and .csv, rfm.parquet, checks.parquet, the fits
    (purchase.json and spend.json, with their draws in .nc), run.json, and at_risk.parquet where there is an
    earlier run.
    """
    clock, run_id = time.perf_counter(), new_id()
    started = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    progress("Checking the log")
    orders = checked(config)
    past = look_back(config, orders)
    found = _reviewed(config, orders, progress)
    if past.notes:
        found = dataclasses.replace(found, notes=(*found.notes, *past.notes))
    soon = keep(chance_soon(found.study.forecast))
    progress("Looking back at earlier runs") if past.published or past.before else None
    came = outcome(past.published, orders) if past.published else None
    moved = movement(past.before, found.study, found.by, soon) if past.before else None
    progress("Writing the report")
    shown = pages(
        found,
        last=last_page(came) if came else None,
        movement=movement_page(moved) if moved else None,
    )
    sources = manifests.inputs(config)
    as_of = found.study.as_of
    with run_folder(config.runs, as_of, run_id) as folder:
        _write(config, found, shown, run_id, sources[0], folder)
        _write_tables(found.study, soon, run_id, folder)
        if moved and moved.table is not None:
            write_table(moved.table, folder / "at_risk.parquet")
        made = manifests.manifest(config, found, run_id, started, time.perf_counter() - clock)
        made["inputs"] = sources
        made["outputs"] = {path.name: manifests.sha256(path) for path in sorted(folder.iterdir())}
        manifests.write_json(folder / "run.json", made)
    return Run(config.runs / f"{as_of}_{run_id}", found, shown, made)


def _reviewed(config: Config, orders: Transactions, progress: Callable[[str], None]) -> Review:
    return review(
        orders,
        config.assumptions(),
        by=config.acquired_by,
        model=config.fit.kind,
        inference=config.fit.inference(),
        holdout=config.holdout.cut if config.holdout else None,
        origins=config.backtest.origins,
        window=config.backtest.window,
        plan=plan_of(config),
        ledger=config.source("ledger"),
        spend=config.source("spend"),
        spending=config.spending(),
        fiscal_year_start=config.plan.fiscal_year_start,
        progress=progress,
    )


def _write(
    config: Config,
    found: Review,
    shown: Sequence[Page],
    run_id: str,
    log: dict[str, str | None],
    folder: Path,
) -> None:
    study, table = found.study, config.input.table
    notes = {
        "Run": run_id,
        "Made": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC by clv {clv.__version__}",
        "Input": f"{log['path']}, table {table}" if table else str(log["path"]),
        "SHA-256": log["sha256"][:16] if log["sha256"] else "none: not a file here",
    }
    text = html.render(study, config.report.name, shown, notes, config.report.locale)
    (folder / "report.html").write_text(text, encoding="utf-8")
    workbook.write(found, shown, config.report.name, folder / "report.xlsx")


def harmless(table: Any) -> Any:
    """Return a table with a ' before texts that a spreadsheet would take for formulas."""
    import ibis

    texts = [table[name] for name, kind in table.schema().items() if kind.is_string()]
    marked = {t.get_name(): ibis.ifelse(t.left(1).isin(_LIKE_FORMULAS), "'" + t, t) for t in texts}
    return table.mutate(**marked)


def _write_tables(study: Study, soon: Any, run_id: str, folder: Path) -> None:
    customers = study.forecast.customers(run_id).table
    columns = list(customers.columns)
    columns.insert(columns.index("p_purchase") + 1, SOON)
    customers = keep(customers.inner_join(soon, "customer_id").select(columns)).order_by("customer_id")
    write_table(customers, folder / "forecast.parquet")
    write_table(harmless(customers).order_by("customer_id"), folder / "forecast.csv", csv=True)
    study.rfm.to_parquet(str(folder / "rfm.parquet"))
    write_table(checks_table(study.orders), str(folder / "checks.parquet"))
    study.purchase.save(folder / PURCHASE)
    study.spend.save(folder / SPEND)
