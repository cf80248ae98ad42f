"""The config file: TOML in, checked settings out; unknown keys are refused, all problems at once."""

from __future__ import annotations

import datetime as dt
import glob
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from clv.data.contract import Transactions
from clv.data.engines import ENGINES, Engine
from clv.data.engines.addresses import expanded
from clv.errors import ClvError, ConfigError
from clv.fitting.inference import Inference
from clv.forecasting.economics import Economics
from clv.jobs.runs import slug
from clv.jobs.wording import sentences, shown, unknown
from clv.models import BGNBD, GammaGamma
from clv.units import as_date, horizon_days

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_ANY_DAY = dt.date(2026, 1, 1)


def _day(value: Any) -> Any:
    try:
        return as_date(value, "")
    except ConfigError:
        raise _wrong("C001", 'must be a date such as "2026-09-30"; got {got}', got=shown(value)) from None


def _gap(value: Any) -> Any:
    try:
        horizon_days(value, _ANY_DAY)
    except ConfigError:
        raise _wrong("C006", 'must be a length such as "90d"; got {got}', got=shown(value)) from None
    return value


def _range(value: Any) -> Any:
    try:
        low, high = map(float, value)
    except (TypeError, ValueError):
        raise _wrong("C001", "must be ranges, name = [low, high]; got {got}", got=shown(value)) from None
    return low, high


def _salt(value: Any) -> Any:
    """Accept the name of a variable only; no message shows what stands in its place."""
    named = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    if named is None:
        said = "must name a variable of the environment, as {form}; a salt in a file is no secret"
        raise _wrong("C001", said, form='"${CLV_SALT}"')
    return _place(value)


def _place(value: Any) -> Any:
    """Refuse an address with a password in it, or with a variable that is not set, without showing either."""
    try:
        expanded(str(value), "")
        return value
    except ConfigError as error:
        raise _wrong("C001", "{said}", said=error.messages[0].removeprefix("C001").strip(" .")) from None


def _wrong(code: str, sentence: str, /, **values: str) -> PydanticCustomError:
    return PydanticCustomError(code, sentence, values)


type Day = Annotated[dt.date, BeforeValidator(_day)]
type Place = Annotated[str, BeforeValidator(_place)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Input(_Section):
    """Where the log is, what stands beside it, and what may be assumed of both."""

    path: Place
    table: str | None = None
    engine: Engine = ENGINES[0]
    customers: Place | None = None
    identities: Place | None = None
    erased: list[str] | Place | None = None
    fx: Place | None = None
    as_of: Day | None = None
    timezone: str | None = None
    date_format: str | None = None
    time_unit: Literal["s", "ms", "us"] | None = None
    currency: str | None = None
    decimal: Literal[".", ","] | None = None
    amount_unit: Literal["major", "minor"] | None = None
    guest_ids: list[str] | None = None
    hash_ids: Annotated[str | None, BeforeValidator(_salt)] = None
    allow_gap: Annotated[str | None, BeforeValidator(_gap)] = None


class Columns(_Section):
    """Column names."""

    customer: str = "customer_id"
    date: str = "date"
    amount: str = "amount"
    order_id: str | None = None
    refund_of: str | None = None
    type: str | None = None
    currency: str | None = None


class Policies(_Section):
    """What becomes of refunds, repeated rows, lines of orders, zeros and gaps."""

    refunds: Literal["net_to_original", "as_booked", "drop"] | None = None
    duplicates: Literal["drop", "keep"] | None = None
    line_items: bool = False
    zero_orders: Literal["drop", "count"] = "drop"
    missing_amount: Literal["drop"] | None = None


class Segments(_Section):
    """Columns of the log, or of the customers table, to report by."""

    columns: list[str] = []


class Worth(_Section):
    """The assumptions that turn purchases into money; `Economics` says which can be meant."""

    margin: float
    discount: float = 0.10
    horizon: Any = "12m"
    churn: str | float = "inactive:180d"
    cac: float | dict[str, float] | None = None
    allow_extrapolation: bool = False


class Split(_Section):
    """The last day of the calibration period."""

    cut: Day


class Fitting(_Section):
    """By what method the models are fitted, and with which priors; whether failed gates are put up with."""

    method: Literal["mle", "map", "laplace", "nuts"] = "mle"
    seed: Annotated[int, Field(ge=0)] = 0
    priors: dict[str, Annotated[tuple[float, float], BeforeValidator(_range)]] = {}
    accept: bool = False

    def inference(self) -> Inference:
        """The same for the functions that fit."""
        return Inference(self.method, self.seed, self.priors, self.accept)


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
    fit: Fitting = Fitting()
    report: Report
    base: Path = Field(default=Path(), exclude=True)

    def transactions(self) -> Transactions:
        """The log that the config describes."""
        given, columns = self.input.model_dump(), self.columns.model_dump()
        given |= {name: self.place(text) for name, text in self.inputs().items() if name != "path"}
        salt = _VARIABLE.fullmatch(given.pop("hash_ids") or "")
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
        names = ("path", "customers", "identities", "erased", "fx")
        given = {name: getattr(self.input, name) for name in names}
        return {name: text for name, text in given.items() if isinstance(text, str)}

    def assumptions(self) -> Economics:
        """The economics that the config describes."""
        return Economics(**self.economics.model_dump())

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


def load(path: Path) -> Config:
    """Read and check a config file.

    Raises ConfigError with every problem: C001 for keys and values, C002 to C010 for assumptions.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
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


def _beyond_the_schema(raw: dict[str, Any], bad: set[str]) -> list[str]:
    """What economics and the log's options refuse themselves, of the keys that the schema has let pass."""

    def given(section: str, model: type[BaseModel]) -> dict[str, Any]:
        keys = raw.get(section, {})
        known = keys if isinstance(keys, dict) else {}
        return {k: v for k, v in known.items() if k in model.model_fields and f"{section}.{k}" not in bad}

    worth = given("economics", Worth)
    options = given("input", Input) | given("policies", Policies)
    options |= {"segments": given("segments", Segments).get("columns", ())}
    for name in ("path", "hash_ids"):
        options.pop(name, None)
    problems: list[str] = []
    for section, check in (
        ("economics", lambda: Economics(**{"margin": 0.5, **worth})),
        ("input", lambda: Transactions("", **options)),
        ("fit", lambda: Fitting.model_validate(given("fit", Fitting)).inference().check(BGNBD, GammaGamma)),
    ):
        try:
            check()
        except ClvError as error:
            problems += [_with_path(message, section) for message in error.messages]
    return problems


def _with_path(message: str, section: str) -> str:
    """Give a key its path, where a message begins with its name."""
    code, name, rest = message.split(" ", 2)
    sections: dict[str, type[BaseModel]] = {"economics": Worth, "fit": Fitting, "input": Input}
    model = sections[section]
    return f"{code} '{section}.{name}' {rest}" if name in model.model_fields else message
