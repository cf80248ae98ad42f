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

if TYPE_CHECKING:
    from clv.evaluation.study import Study
    from clv.jobs.config import Config

_PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "ibis-framework", "duckdb", "matplotlib")


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest(config: Config, study: Study, run_id: str, started: str, seconds: float) -> dict[str, Any]:
    """Everything but the outputs' hashes, ready for JSON."""
    inputs = [config.input.path, *([config.input.customers] if config.input.customers else [])]
    reconciled = study.orders.reconciliation()
    base = study.forecast.totals().iloc[0]
    lifetime = study.lifetime.totals()["clv"].iloc[0] if study.lifetime else None
    return {
        "schema": 1,
        "run_id": run_id,
        "name": config.report.name,
        "as_of": str(study.as_of),
        "started": started,
        "seconds": round(seconds, 2),
        "peak_memory_mb": _peak_memory(),
        "config": config.model_dump(mode="json"),
        "inputs": [{"path": path, "sha256": sha256(config.resolve(path))} for path in inputs],
        "findings": [
            {"code": f.code, "severity": f.severity, "message": f.message} for f in study.orders.findings
        ],
        "reconciliation": reconciled.to_dict(orient="records"),
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
