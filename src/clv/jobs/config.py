"""The config file: TOML in, checked settings out; unknown keys are refused, all problems at once."""

from __future__ import annotations

import difflib
import glob
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from clv.data.contract import Transactions
from clv.data.engines.addresses import expanded
from clv.data.feedback import QUESTIONS
from clv.errors import ClvError, ConfigError, DataError
from clv.evaluation.candidates import BY_LIKELIHOOD
from clv.forecasting.economics import Economics
from clv.jobs.runs import slug
from clv.jobs.sections import (
    VARIABLE,
    Budgeting,
    Columns,
    Fitting,
    Input,
    Planning,
    Policies,
    Report,
    Section,
    Segments,
    Split,
    Testing,
    Worth,
)
from clv.jobs.wording import sentences, unknown
from clv.models import GammaGamma
from clv.planning.response import RETENTION, ResponseCurve, Spending, wrong_bounds
from clv.reporting import locales

_BESIDE = ("customers", "identities", "erased", "fx")  # sources that the log is read with
_BOOKS = ("ledger", "spend")  # and those that it is reviewed with
_BARE_DAY = re.compile(r"^(\s*[\w.-]+\s*=\s*)(\d{4}-\d{1,2}-\d{1,2})(?=\s*(?:#.*)?$)", re.MULTILINE)


class Config(Section):
    """A whole config; `base` is the folder that its relative paths start from."""

    input: Input
    columns: Columns = Columns()
    policies: Policies = Policies()
    segments: Segments = Segments()
    economics: Worth
    holdout: Split | None = None
    fit: Fitting = Fitting()
    backtest: Testing = Testing()
    plan: Planning = Planning()
    budget: Budgeting | None = None
    report: Report
    base: Path = Field(default=Path(), exclude=True)

    def transactions(self) -> Transactions:
        """The log that the config describes."""
        given, columns = self.input.model_dump(exclude=set(_BOOKS)), self.columns.model_dump()
        given |= {name: self.place(text) for name, text in self.inputs().items() if name in _BESIDE}
        salt = VARIABLE.fullmatch(given.pop("hash_ids") or "")
        return Transactions(
            self.place(given.pop("path")),
            segments=tuple(self.segments.columns),
            hash_ids=os.environ[salt[1]] if salt else None,
            currency_column=columns.pop("currency"),
            **given,
            **columns,
            **self.policies.model_dump(),
        )

    def inputs(self) -> dict[str, str]:
        """The sources by their key, as they are written: the log, and what stands beside it."""
        given = {name: getattr(self.input, name) for name in ("path", *_BESIDE, *_BOOKS)}
        given["plan"] = self.plan.path
        return {name: text for name, text in given.items() if isinstance(text, str)}

    def source(self, name: str) -> Path | str | None:
        """Where the input of this key is; None where there is none."""
        text = self.inputs().get(name)
        return None if text is None else self.place(text)

    def missing(self) -> dict[str, str]:
        """What to say of sources on this machine that are not there, by their key; I001."""
        places = {name: self.place(text) for name, text in self.inputs().items()}
        return {
            name: f"I001 file not found: {place}, of {'plan.path' if name == 'plan' else f'input.{name}'!r}. "
            "Paths in a config are relative to the config file."
            for name, place in places.items()
            if isinstance(place, Path) and not place.exists()
        }

    def check_log(self) -> None:
        """Raise DataError I001 for all files that are not there, where the log needs one of them."""
        gone = self.missing()
        if gone.keys() & {"path", *_BESIDE}:
            raise DataError(*gone.values())

    def assumptions(self) -> Economics:
        """The economics that the config describes."""
        return Economics(**self.economics.model_dump())

    def spending(self) -> Spending | None:
        """The budget that the config describes."""
        if self.budget is None:
            return None
        given = self.budget
        retention = None if given.retention is None else _curve(given.retention)
        acquisition = {name: _curve(curve) for name, curve in given.acquisition.items()}
        return Spending(given.total, acquisition, retention, given.bounds)

    @property
    def acquired_by(self) -> str:
        """The segment that customers are acquired in."""
        return self.segments.acquired_by or next(iter(self.segments.columns), "cohort")

    @property
    def runs(self) -> Path:
        """The folder of this report's runs."""
        return self.resolve(self.report.folder) / slug(self.report.name)

    def resolve(self, path: str) -> Path:
        """Return a path of the config, read from the config's own folder."""
        return (self.base / Path(path).expanduser()).resolve()

    def place(self, text: str) -> Path | str:
        """Return where a source is: a file or folder, a pattern of files, or an address as it is written."""
        meant = expanded(text, "a source")
        if "://" in meant or (text.startswith("${") and Path(meant).is_absolute()):
            return text
        path = self.resolve(text)
        parts = Path(text).parts
        fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
        if fixed == len(parts) or path.exists():
            return path
        folder = glob.escape(str(self.resolve(str(Path(*parts[:fixed])))))
        return "/".join([folder.rstrip("/"), *parts[fixed:]])

    def written(self) -> dict[str, Any]:
        """The config for the manifest: variables by name, and erased ids as a count."""
        content = self.model_dump(mode="json")
        if isinstance(self.input.erased, list):
            content["input"]["erased"] = f"{len(self.input.erased):,} ids"
        return content


def _curve(given: Any) -> ResponseCurve:
    return ResponseCurve(given.ceiling, given.saturation)


def load(path: Path) -> Config:
    """Read and check a config file.

    Raises ConfigError with every problem: C001 for keys and values, C002 to C010 for assumptions.
    """
    try:
        raw = _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f'C001 config not found: {path}. "clv init DIR" writes one to start from.'
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"C001 {path} cannot be read as TOML: {error}.") from None
    problems = [unknown(Config, ["base"])] if "base" in raw else []
    if isinstance(raw.get("report", {}), dict):
        raw["report"] = {"name": path.stem, **raw.get("report", {})}
    bad: set[str] = set()
    config = None
    try:
        config = Config.model_validate({**raw, "base": path.resolve().parent})
    except ValidationError as error:
        problems += sentences(Config, error.errors())
        bad = {".".join(map(str, problem["loc"][:2])) for problem in error.errors()}
    problems += _beyond_the_schema(raw, bad)
    if problems or config is None:
        raise ConfigError(*problems)
    return config


def _parsed(text: str) -> dict[str, Any]:
    """Read TOML; a day of no calendar, for which TOML refuses the whole file, is text for the schema."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return tomllib.loads(_BARE_DAY.sub(r'\1"\2"', text))


def _beyond_the_schema(raw: dict[str, Any], bad: set[str]) -> list[str]:
    """What economics and the log's options refuse themselves, of the keys that the schema has let pass."""

    def given(section: str, model: type[BaseModel]) -> dict[str, Any]:
        keys = raw.get(section, {})
        known = keys if isinstance(keys, dict) else {}
        return {k: v for k, v in known.items() if k in model.model_fields and f"{section}.{k}" not in bad}

    worth = given("economics", Worth)
    options = given("input", Input) | given("policies", Policies)
    options |= {"segments": given("segments", Segments).get("columns", ())}
    if "input.customers" not in bad:
        columns = given("columns", Columns)
        options |= {name: columns[name] for name in QUESTIONS if name in columns}
    for name in ("path", "hash_ids", *_BOOKS):
        options.pop(name, None)
    problems = _acquired(given("segments", Segments))
    if not any(key.startswith("budget.") for key in bad):
        problems += _bounds(given("budget", Budgeting))
    for section, check in (
        ("economics", lambda: Economics(**{"margin": 0.5, **worth})),
        ("input", lambda: Transactions("", **options)),
        ("report", lambda: locales.checked(given("report", Report).get("locale", "en"))),
        ("fit", lambda: _inferred(Fitting.model_validate(given("fit", Fitting)))),
    ):
        try:
            check()
        except ClvError as error:
            problems += [_with_path(message, section) for message in error.messages]
    return problems


def _inferred(fit: Fitting) -> None:
    """Refuse priors that no model has which may be chosen."""
    kinds = BY_LIKELIHOOD if isinstance(fit.kind, str) else (fit.kind,)
    fit.inference().check(*kinds, GammaGamma)


def _acquired(segments: dict[str, Any]) -> list[str]:
    """C001 for customers acquired by what is no segment of the config."""
    name, known = segments.get("acquired_by"), [*segments.get("columns", ()), "cohort"]
    if name is None or name in known:
        return []
    close = difflib.get_close_matches(name, known, 1)
    alike = f" Write it and {close[0]!r} alike, as the column is called." if close else ""
    hint = alike or " Add it to the columns."
    return [f"C001 'segments.acquired_by' must be one of {', '.join(known)}; got {name!r}.{hint}"]


def _bounds(budget: dict[str, Any]) -> list[str]:
    """P001 and P002 for bounds of what has no response curve, and such that leave no room."""
    uses = [*budget.get("acquisition", ()), *([RETENTION] if "retention" in budget else [])]
    bounds = {name: tuple(ends) for name, ends in budget.get("bounds", {}).items()}
    return [_with_path(message, "budget") for message in wrong_bounds(bounds, uses, budget.get("total"))]


def _with_path(message: str, section: str) -> str:
    """Give a key its path, where a message begins with its name."""
    code, name, rest = message.split(" ", 2)
    model: Any = Config.model_fields[section].annotation
    model = Budgeting if section == "budget" else model
    return f"{code} '{section}.{name}' {rest}" if name in model.model_fields else message
