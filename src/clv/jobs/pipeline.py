"""A run: config → study → run folder with report, workbook, tables, fits and manifest."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clv
from clv.data.contract import Transactions
from clv.data.engines import write_parquet
from clv.evaluation.study import Study, study
from clv.jobs import manifest as manifests
from clv.jobs.checking import check, checks_table
from clv.jobs.config import Config
from clv.jobs.runs import new_id, run_folder
from clv.reporting import html, workbook
from clv.reporting.pages import pages
from clv.reporting.reviews import Review


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its numbers and its manifest."""

    folder: Path
    study: Study
    manifest: dict[str, Any]


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

    Writes report.html, report.xlsx, forecast.parquet and .csv, rfm.parquet, checks.parquet, model.json and
    run.json.
    """
    clock, run_id = time.perf_counter(), new_id()
    started = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    progress("Checking the log")
    found = study(
        checked(config),
        config.assumptions(),
        holdout=config.holdout.cut if config.holdout else None,
        inference=config.fit.inference(),
        progress=progress,
    )
    progress("Writing the report")
    sources = manifests.inputs(config)
    with run_folder(config.runs, found.as_of, run_id) as folder:
        _write(config, found, run_id, sources[0], folder)
        made = manifests.manifest(config, found, run_id, started, time.perf_counter() - clock)
        made["inputs"] = sources
        made["outputs"] = {path.name: manifests.sha256(path) for path in sorted(folder.iterdir())}
        manifests.write_json(folder / "run.json", made)
    return Run(config.runs / f"{found.as_of}_{run_id}", found, made)


def _write(config: Config, found: Study, run_id: str, log: dict[str, str | None], folder: Path) -> None:
    shown = pages(Review(found))
    table = config.input.table
    notes = {
        "Run": run_id,
        "Made": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC by clv {clv.__version__}",
        "Input": f"{log['path']}, table {table}" if table else str(log["path"]),
        "SHA-256": log["sha256"][:16] if log["sha256"] else "none: not a file here",
    }
    text = html.render(found, config.report.name, shown, notes)
    (folder / "report.html").write_text(text, encoding="utf-8")
    workbook.write(found, shown, config.report.name, folder / "report.xlsx")
    customers = found.forecast.customers(run_id)
    customers.to_parquet(str(folder / "forecast.parquet"))
    customers.to_csv(str(folder / "forecast.csv"))
    found.rfm.to_parquet(str(folder / "rfm.parquet"))
    write_parquet(checks_table(found.orders), str(folder / "checks.parquet"))
    fits = {"purchase": found.purchase.to_dict(), "spend": found.spend.to_dict()}
    manifests.write_json(folder / "model.json", {"schema": 1, "as_of": str(found.as_of), **fits})
