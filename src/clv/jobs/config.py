"""The config file: TOML in, checked settings out; unknown keys are refused, all problems at once."""

from __future__ import annotations

import datetime as dt
import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clv.data.contract import Transactions
from clv.errors import ClvError, ConfigError
from clv.forecasting.economics import Economics


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(_Section):
    """Where the log is, and what may be assumed of it."""

    path: str
    customers: str | None = None
    as_of: dt.date | None = None
    timezone: str | None = None
    date_format: str | None = None
    currency: str = "USD"
    guest_ids: list[str] = []
    allow_gap: str | None = None


class Columns(_Section):
    """Column names."""

    customer: str = "customer_id"
    date: str = "date"
    amount: str = "amount"
    order_id: str | None = None
    refund_of: str | None = None


class Policies(_Section):
    """What becomes of refunds, repeated rows, zeros and gaps."""

    refunds: Literal["net_to_original", "drop"] | None = None
    duplicates: Literal["drop", "keep"] | None = None
    zero_orders: Literal["drop", "count"] = "drop"
    missing_amount: Literal["drop"] | None = None


class Segments(_Section):
    """Columns of the log, or of the customers table, to report by."""

    columns: list[str] = []


class Worth(_Section):
    """The assumptions that turn purchases into money."""

    margin: float
    discount: float = 0.10
    horizon: str = "12m"
    churn: str | float = "inactive:180d"
    cac: float | dict[str, float] | None = None


class Split(_Section):
    """The last day of the calibration period."""

    cut: dt.date


class Report(_Section):
    """What the report is called, and the folder that its runs go to."""

    name: str
    folder: str = "reports"


class Config(_Section):
    """A whole config; `base` is the folder that its relative paths start from."""

    input: Input
    columns: Columns = Columns()
    policies: Policies = Policies()
    segments: Segments = Segments()
    economics: Worth
    holdout: Split | None = None
    report: Report
    base: Path = Field(default=Path(), exclude=True)

    def transactions(self) -> Transactions:
        """The log that the config describes."""
        given = self.input.model_dump(exclude={"path", "customers"})
        return Transactions(
            self.resolve(self.input.path),
            customers=self.resolve(self.input.customers) if self.input.customers else None,
            segments=tuple(self.segments.columns),
            **given,
            **self.columns.model_dump(),
            **self.policies.model_dump(),
        )

    def assumptions(self) -> Economics:
        """The economics that the config describes."""
        return Economics(**self.economics.model_dump())

    def resolve(self, path: str) -> Path:
        """Return a path of the config, read from the config's own folder."""
        return (self.base / path).resolve()


def load(path: Path) -> Config:
    """Read and check a config file.

    Raises ConfigError with every problem: C001 for keys and values, C002 to C006 for assumptions.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f'C001 config not found: {path}. "clv init DIR" writes one to start from.'
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"C001 {path} cannot be read as TOML: {error}.") from None
    problems = [_unknown(["base"])] if "base" in raw else []
    if isinstance(raw.get("report", {}), dict):
        raw["report"] = {"name": path.stem, **raw.get("report", {})}
    try:
        config = Config.model_validate({**raw, "base": path.resolve().parent})
    except ValidationError as error:
        problems += [_sentence(problem) for problem in error.errors()]
    for check in (_economics_of(raw), _options_of(raw)):
        try:
            check()
        except ClvError as error:
            problems += [m for m in error.messages if m not in problems]
        except (TypeError, ValueError):
            pass  # of the wrong kind, which the schema has said already
    if problems:
        raise ConfigError(*problems)
    return config


def _economics_of(raw: dict[str, Any]) -> Any:
    given = raw.get("economics", {})
    known = {k: v for k, v in given.items() if k in Worth.model_fields} if isinstance(given, dict) else {}
    return lambda: Economics(**{"margin": 0.5, **known})


def _options_of(raw: dict[str, Any]) -> Any:
    """The log's own checks of options that the schema leaves open, such as the length of a gap."""
    given = raw.get("input", {})
    gap = given.get("allow_gap") if isinstance(given, dict) else None
    return lambda: Transactions("", allow_gap=gap).allowed_gap_days if isinstance(gap, str) else None


def _sentence(problem: Any) -> str:
    """One pydantic problem in our own words."""
    where = [str(part) for part in problem["loc"]]
    key = ".".join(where)
    if problem["type"] == "extra_forbidden":
        return _unknown(where)
    if problem["type"] == "missing":
        return f"C001 {key!r} is required."
    said = problem["msg"][0].lower() + problem["msg"][1:]
    return f"C001 {key!r}: {said}; got {problem['input']!r}."


def _unknown(where: list[str]) -> str:
    """Refuse a key, and say where it belongs or what was meant."""
    known, key = _keys_beside(where[:-1]), where[-1]
    homes = [
        name
        for name in _keys_beside([])
        if where[:-1] != [name] and key in _keys_beside([name]) and key != name
    ]
    close = difflib.get_close_matches(key, known, 1)
    hint = f"Known keys here: {', '.join(known)}."
    if close:
        hint = f"Did you mean {close[0]!r}?"
    elif homes and len(where) > 1:
        hint = f"It belongs in [{homes[0]}]."
    return f"C001 unknown key {'.'.join(where)!r}. {hint}"


def _keys_beside(path: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for part in path:
        field = model.model_fields.get(part)
        kind = field.annotation if field else None
        options = [kind, *getattr(kind, "__args__", ())]
        model = next((k for k in options if isinstance(k, type) and issubclass(k, BaseModel)), model)
    return [name for name in model.model_fields if name != "base"]
