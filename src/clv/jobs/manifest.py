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
from clv.jobs.restated import months

if TYPE_CHECKING:
    from clv.evaluation.study import Study
    from clv.jobs.config import Config

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


def manifest(config: Config, study: Study, run_id: str, started: str, seconds: float) -> dict[str, Any]:
    """Everything but the hashes of what went in and came out, ready for JSON."""
    reconciled = study.orders.reconciliation()
    base = study.forecast.sums
    lifetime = study.lifetime.sums["clv"] if study.lifetime else None
    return {
        "schema": 1,
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
        "holdout": _holdout(study),
        "headline": {
            "customers": int(base["customers"]),
            "clv": float(base["clv"]),
            "clv_lifetime": None if lifetime is None else float(lifetime),
            "new_customer": study.new_value,
        },
        "versions": {
            "clv": clv.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
    }


def _holdout(study: Study) -> dict[str, Any] | None:
    if study.holdout is None:
        return None
    held = study.holdout
    return {
        "cut": str(held.holdout.cut),
        "end": str(held.holdout.end),
        "actual": held.actual_spend,
        "error": {
            name: float(error) if math.isfinite(error) else None
            for name, error in held.contenders["error"].items()
        },
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
