"""The manifest of a run: what went in, with which versions, and what came out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clv
from clv.data.engines.addresses import expanded
from clv.data.engines.files import find_files
from clv.errors import DataError
from clv.forecasting.totals import ALL
from clv.jobs.restated import months
from clv.reporting.decision import totals_of

if TYPE_CHECKING:
    from clv.evaluation.study import Study
    from clv.jobs.config import Config
    from clv.reporting.reviews import Review

SCHEMA = 2  # of run.json: from 2 on a run keeps its fits and what its forecast went by
_PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "ibis-framework", "duckdb", "matplotlib")


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_hash(place: Path | str) -> str | None:
    """Hash what a source is made of: a file, or the sorted hashes of many, a line each.

    None for a server, and for files that are not on this machine.
    """
    where = expanded(str(place), "a source")
    if "://" in where:
        return None
    try:
        found = find_files(where, where)
    except DataError:
        return None
    if Path(where).is_file():
        return sha256(found[0])
    lines = sorted(f"{sha256(path)}\n" for path in found)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def inputs(config: Config) -> list[dict[str, str | None]]:
    """The sources as the config writes them, each with its hash; the log first."""
    return [{"path": text, "sha256": source_hash(config.place(text))} for text in config.inputs().values()]


def manifest(config: Config, review: Review, run_id: str, started: str, seconds: float) -> dict[str, Any]:
    """Everything but the hashes of what went in and came out, ready for JSON."""
    study = review.study
    reconciled = study.orders.reconciliation()
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "name": config.report.name,
        "as_of": str(study.as_of),
        "started": started,
        "seconds": round(seconds, 2),
        "peak_memory_mb": _peak_memory(),
        "config": config.written(),
        "findings": [
            {"code": f.code, "severity": f.severity, "message": f.message} for f in study.orders.findings
        ],
        "reconciliation": reconciled.to_dict(orient="records"),
        "history": {"currency": study.orders.money_unit, "months": months(study.orders)},
        "rfm_cuts": dataclasses.asdict(study.cuts),
        "model": {
            "asked": config.fit.model,
            "purchase": type(study.purchase.estimate).__name__,
            "spend": type(study.spend.estimate).__name__,
            "method": study.purchase.method,
        },
        "forecast": _forecast(review),
        "backtest": _backtest(review),
        "holdout": _holdout(study),
        "headline": _headline(review),
        "versions": {
            "clv": clv.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
    }


def _forecast(review: Review) -> dict[str, Any]:
    """What the forecast went by, for a later run to repeat it."""
    ahead, level = review.study.forecast, review.study.forecast.levels.range
    return {
        "horizon": ahead.horizon,
        "margin": ahead.margin,
        "discount": ahead.discount,
        "level": [level.low, level.middle, level.high],
        "acquired_by": review.by,
        "segments": list(ahead.rfm.segments),
        "fiscal_year_start": review.year_start,
    }


def _backtest(review: Review) -> dict[str, Any] | None:
    """What the back-test chose, and how far off the method of this forecast was, its level as it is here."""
    tested, judged = review.tested, review.judged
    if tested is None or judged is None:
        return None
    origins = tested.table["origin"].unique()
    return {
        "origins": [str(origin) for origin in origins],
        "choice": tested.choice,
        "error": number(judged["value_error"]),
        "verdict": tested.verdict,
    }


def _headline(review: Review) -> dict[str, Any]:
    """The three numbers of the first page, each with its band, where there is one."""
    whole = totals_of(review)
    found: dict[str, Any] = {"customers": int(whole["customers"])}
    found |= {name: number(whole[name]) for name in ("clv", "clv_p05", "clv_p95")}
    lifetime = review.lifetime.table.iloc[-1] if review.lifetime else None
    new = review.units.table.loc[ALL]
    for name in ("clv", "clv_p05", "clv_p95"):
        found[name.replace("clv", "clv_lifetime")] = None if lifetime is None else number(lifetime[name])
    for name in ("value", "value_p05", "value_p95", "cac"):
        found[name.replace("value", "new_customer")] = number(new[name])
    return found


def number(value: Any) -> float | None:
    """Return a number as JSON knows it."""
    return float(value) if math.isfinite(value) else None


def _holdout(study: Study) -> dict[str, Any] | None:
    if study.holdout is None:
        return None
    held = study.holdout
    return {
        "cut": str(held.holdout.cut),
        "end": str(held.holdout.end),
        "actual": held.actual_spend,
        "error": {name: number(error) for name, error in held.contenders["error"].items()},
    }


def _peak_memory() -> float | None:
    """Peak resident memory of this process in MB, where the system tells."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that people can read."""
    path.write_text(
        json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
