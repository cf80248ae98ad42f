"""Fits as files: JSON for what is said, netCDF for draws; no data of customers.

xarray and ArviZ are imported where they are used.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clv import __version__, models
from clv.errors import ConfigError, DataError, OutputError
from clv.fitting.posterior import Posterior
from clv.fitting.priors import Priors
from clv.fitting.result import Fit
from clv.models.protocols import Array

if TYPE_CHECKING:
    import xarray as xr

SCHEMA = 1  # of the files; a reader refuses higher ones
_PLAIN = (
    *("log_likelihood", "converged", "message", "customers", "histories", "evaluations", "unit", "measured"),
    *("method", "pooling", "held"),
)


def to_dict(fit: Fit) -> dict[str, Any]:
    """Plain numbers and text, for JSON."""
    known: dict[str, Any] = {
        "model": type(fit.estimate).__name__,
        **{name: getattr(fit, name) for name in _PLAIN},
        "parameters": fit.parameters,
        "standard_errors": fit.standard_errors,
        "aic": fit.aic,
        "bic": fit.bic,
        "passed": fit.passed,
        "boundary": fit.boundary,
        "by": fit.by,
        "groups": fit.groups,
        "first_order": fit.first_order,
        "as_of": str(fit.as_of) if fit.as_of else None,
    }
    if fit.priors:
        known["priors"] = fit.priors.ranges
    if fit.posterior:
        known["diagnostics"] = fit.posterior.diagnostics
    return {name: _plain(value) for name, value in known.items()}


def save(fit: Fit, path: Path) -> None:
    """Write a fit; see `Fit.save`."""
    draws = path.with_suffix(".nc")
    if path.suffix == ".nc":
        raise ConfigError(
            f'C012 a fit is saved as JSON, with draws beside it; got {path.name}. Write "fit.json".'
        )
    for file in (path, draws) if fit.posterior else (path,):
        if file.exists():
            raise OutputError(f"O001 {file} exists. Choose another name, or delete it first.")
    record = {"schema": SCHEMA, "clv": __version__, **to_dict(fit), "covariance": _plain(fit.covariance)}
    if fit.posterior is None:
        record["forecasts_by"] = _described(fit.model)
    else:
        record["draws"] = draws.name
    if fit.priors:
        record["prior_places"] = _plain([fit.priors.centre, fit.priors.sd, fit.priors.between])
    parts = [(path, path.with_name(f".{path.name}.part")), (draws, draws.with_name(f".{draws.name}.part"))]
    try:
        if fit.posterior:
            _stored(fit).to_netcdf(parts[1][1], engine="h5netcdf")
        parts[0][1].write_text(json.dumps(record, indent=1, allow_nan=False), encoding="utf-8")
        for file, part in reversed(parts if fit.posterior else parts[:1]):
            os.replace(part, file)
    except OSError as error:
        raise OutputError(f"O002 {path} cannot be written: {error.strerror or error}.") from error
    finally:
        for _, part in parts:
            part.unlink(missing_ok=True)


def load(path: Path) -> Fit:
    """Read a fit; see `Fit.load`."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        schema = int(record["schema"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"I001 {path} is no fit that can be read: {error}.") from error
    if schema > SCHEMA:
        raise OutputError(
            f"O003 {path} was written by clv {record.get('clv')}, in form {schema}; this is "
            f"{__version__}, which reads form {SCHEMA}. Update clv."
        )
    try:
        return _read(record, path.parent)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"I001 {path}, or the draws beside it, is damaged: {error}.") from error


def _read(record: dict[str, Any], folder: Path) -> Fit:
    kind, held = getattr(models, record["model"]), record["held"]
    groups, posterior, priors = tuple(record["groups"]), None, None
    values = {name: np.asarray(v) if groups else v for name, v in record["parameters"].items()}
    estimate = kind(**values, **held)
    if "prior_places" in record:
        centre, sd, between = record["prior_places"]
        priors = Priors(kind.quantities, np.asarray(centre), np.asarray(sd), (between[0], between[1]))
    if "draws" in record:
        noted = {name: np.nan if v is None else v for name, v in record["diagnostics"].items()}
        posterior, drawn = _drawn(folder / record["draws"], list(values), noted)
        model = kind(**{name: v if groups else v[:, None] for name, v in drawn.items()}, **held)
    else:
        other = record["forecasts_by"]
        model = getattr(models, other["model"])(
            **{name: np.asarray(v) if groups else v for name, v in other["parameters"].items()}
        )
        if _described(model) == _described(estimate):
            model = estimate
    return Fit(
        model=model,
        estimate=estimate,
        covariance=np.array(record["covariance"], dtype=float),
        boundary=tuple(record["boundary"]),
        by=tuple(record["by"]),
        groups=groups,
        priors=priors,
        posterior=posterior,
        first_order=record.get("first_order", "excluded"),
        as_of=dt.date.fromisoformat(record["as_of"]) if record.get("as_of") else None,
        **{name: record[name] for name in _PLAIN},
    )


def _drawn(path: Path, names: list[str], diagnostics: dict[str, float]) -> tuple[Posterior, dict[str, Array]]:
    import xarray as xr

    with xr.open_datatree(path, engine="h5netcdf") as tree:
        parts = {name: _arrays(part) for name, part in tree.children.items()}
    theta = parts["places"]["theta"]
    chains = len(theta)
    drawn = {name: _joined(parts["posterior"][name]) for name in names}
    population = {name: _joined(v) for name, v in parts.get("population", {}).items()}
    return Posterior(_joined(theta), diagnostics, chains, parts.get("sample_stats", {}), population), drawn


def _arrays(part: Any) -> dict[str, Array]:
    return {str(name): np.asarray(values.values) for name, values in part.data_vars.items()}


def to_datatree(fit: Fit) -> xr.DataTree:
    """Return the posterior as an ArviZ DataTree; see `Fit.to_datatree`."""
    import xarray as xr

    if fit.posterior is None:
        raise ConfigError(
            f'C012 a fit by {fit.method} has no draws here. "laplace" and "nuts" make them where they can.'
        )
    posterior = fit.posterior
    drawn = {n: _split(v, posterior.chains) for n, v in {**fit.draws, **fit.quantities}.items()}
    tree = {"posterior": _dataset(drawn, ("group",) if fit.groups else (), {"group": list(fit.groups)})}
    if posterior.stats:
        tree["sample_stats"] = _dataset(posterior.stats, (), {})
    if posterior.population:
        names = {"quantity": [q.name for q in fit.priors.quantities]} if fit.priors else {}
        parts = {n: _split(v, posterior.chains) for n, v in posterior.population.items()}
        tree["population"] = _dataset(parts, ("quantity",), names)
    return xr.DataTree.from_dict(tree)


def _stored(fit: Fit) -> xr.DataTree:
    """Return the DataTree with the places on the real line that parameters follow from."""
    import xarray as xr

    tree = to_datatree(fit)
    if fit.posterior:
        theta = {"theta": _split(fit.posterior.theta, fit.posterior.chains)}
        tree["places"] = xr.DataTree(
            _dataset(theta, ("quantity", "group")[: fit.posterior.theta.ndim - 1], {})
        )
    return tree


def _dataset(values: dict[str, Array], dims: tuple[str, ...], coords: dict[str, list[str]]) -> xr.Dataset:
    import xarray as xr

    named = {name: (("chain", "draw", *dims), v) for name, v in values.items()}
    first = next(iter(values.values()))
    steps = {"chain": np.arange(first.shape[0]), "draw": np.arange(first.shape[1])}
    return xr.Dataset(named, {**steps, **{name: coords[name] for name in dims if name in coords}})


def _split(values: Array, chains: int) -> Array:
    return np.asarray(values.reshape(chains, -1, *values.shape[1:]))


def _joined(values: Array) -> Array:
    return np.asarray(values.reshape(-1, *values.shape[2:]))


def _described(model: Any) -> dict[str, Any]:
    parameters = {f.name: getattr(model, f.name) for f in dataclasses.fields(model)}
    return {"model": type(model).__name__, "parameters": _plain(parameters)}


def _plain(value: Any) -> Any:
    """Turn arrays into lists, and numbers that JSON does not know into null."""
    if isinstance(value, dict):
        return {name: _plain(v) for name, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
