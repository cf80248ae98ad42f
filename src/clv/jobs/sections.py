"""The sections of a config file, with what their values may be; `config` puts them together."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from clv import models
from clv.data.engines import ENGINES, Engine
from clv.data.engines.addresses import expanded
from clv.errors import ConfigError
from clv.fitting.inference import Inference
from clv.jobs.wording import shown
from clv.units import as_date, horizon_end

type Purchases = Literal["auto", "NBD", "BGNBD", "MBGNBD", "ParetoNBD", "GGompertzNBD"]
VARIABLE = re.compile(r"\$\{(\w+)\}")
_ANY_DAY = dt.date(2026, 1, 1)


def _day(value: Any) -> Any:
    try:
        return as_date(value, "")
    except ConfigError:
        raise _wrong("C001", 'must be a date such as "2026-09-30"; got {got}', got=shown(value)) from None


def _gap(value: Any) -> Any:
    try:
        horizon_end(value, _ANY_DAY)
    except ConfigError:
        raise _wrong("C006", 'must be a length such as "90d"; got {got}', got=shown(value)) from None
    return value


def _range(value: Any) -> Any:
    try:
        low, high = map(float, value)
    except (TypeError, ValueError):
        raise _wrong("C001", "must be a range, [low, high]; got {got}", got=shown(value)) from None
    return low, high


def _positive(value: Any) -> Any:
    """Refuse numbers that are no sum or size; what is no number at all has a message of its own."""
    if isinstance(value, int | float) and not isinstance(value, bool) and not 0 < value < math.inf:
        said = "must be above 0; got {got}. Leave its section out where there is none"
        raise _wrong("P002", said, got=shown(value))
    return value


def _share(value: Any) -> Any:
    """Refuse points that were meant as a share, and all else above 0 that is none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 1:
        hint = f". Write {value / 100:g} for {value:g} points" if value < 100 else ""
        said = "must be a share below 1; got {got}{hint}"
        raise _wrong("P002", said, got=shown(value), hint=hint)
    return _positive(value)


def _month(value: Any) -> Any:
    if isinstance(value, bool) or value not in range(1, 13):
        raise _wrong("C001", "must be a month from 1 to 12; got {got}", got=shown(value))
    return value


def _salt(value: Any) -> Any:
    """Accept the name of a variable only; no message shows what stands in its place."""
    named = VARIABLE.fullmatch(value) if isinstance(value, str) else None
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
type Length = Annotated[str, BeforeValidator(_gap)]
type Range = Annotated[tuple[float, float], BeforeValidator(_range)]
type Positive = Annotated[float, BeforeValidator(_positive)]
type Share = Annotated[float, BeforeValidator(_share)]


class Section(BaseModel):
    """Keys that are known, of the kind that they must be."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Input(Section):
    """Where the log is, what stands beside it, and what may be assumed of both."""

    path: Place
    table: str | None = None
    engine: Engine = ENGINES[0]
    customers: Place | None = None
    identities: Place | None = None
    erased: list[str] | Place | None = None
    fx: Place | None = None
    ledger: Place | None = None
    spend: Place | None = None
    as_of: Day | None = None
    timezone: str | None = None
    date_format: str | None = None
    time_unit: Literal["s", "ms", "us"] | None = None
    currency: str | None = None
    decimal: Literal[".", ","] | None = None
    amount_unit: Literal["major", "minor"] | None = None
    guest_ids: list[str] | None = None
    hash_ids: Annotated[str | None, BeforeValidator(_salt)] = None
    allow_gap: Length | None = None


class Columns(Section):
    """Names of columns of the log and, from satisfaction on, of the customers table."""

    customer: str = "customer_id"
    date: str = "date"
    amount: str = "amount"
    order_id: str | None = None
    refund_of: str | None = None
    type: str | None = None
    currency: str | None = None
    cogs: str | None = None
    referred_by: str | None = None
    satisfaction: str | None = None
    recommendation: str | None = None
    loyalty: str | None = None


class Policies(Section):
    """What becomes of refunds, repeated rows, lines of orders, zeros and gaps."""

    refunds: Literal["net_to_original", "as_booked", "drop"] | None = None
    duplicates: Literal["drop", "keep"] | None = None
    line_items: bool = False
    zero_orders: Literal["drop", "count"] = "drop"
    missing_amount: Literal["drop"] | None = None


class Segments(Section):
    """Columns of the log, or of the customers table, to report by, and the one customers are acquired in."""

    columns: list[str] = []
    acquired_by: str | None = None


class Worth(Section):
    """The assumptions that turn purchases into money; `Economics` says which can be meant."""

    margin: float
    discount: float = 0.10
    horizon: Any = "12m"
    churn: str | float = "inactive:180d"
    cac: float | dict[str, float] | None = None
    allow_extrapolation: bool = False


class Split(Section):
    """The last day of the calibration period."""

    cut: Day


class Fitting(Section):
    """By which model and method, with which priors; and whether failed gates are put up with."""

    model: Purchases = "auto"
    method: Literal["mle", "map", "laplace", "nuts"] = "laplace"
    seed: Annotated[int, Field(ge=0)] = 0
    priors: dict[str, Range] = {}
    accept: bool = False

    def inference(self) -> Inference:
        """The same for the functions that fit."""
        return Inference(self.method, self.seed, self.priors, self.accept)

    @property
    def kind(self) -> str | type[Any]:
        """The model of purchases, or "auto"."""
        kind: str | type[Any] = getattr(models, self.model, self.model)
        return kind


class Testing(Section):
    """The back-test: how many origins, and how long each is followed."""

    origins: Annotated[int, Field(ge=0)] = 4
    window: Length | None = None


class Planning(Section):
    """Customers to be acquired, a table of period, segment and customers; and when fiscal years begin."""

    path: Place | None = None
    fiscal_year_start: Annotated[int, BeforeValidator(_month)] = 1


class Curve(Section):
    """What a spend brings: `ResponseCurve` says what both numbers mean."""

    ceiling: Positive
    saturation: Positive


class Kept(Curve):
    """The same of retention, of which the ceiling is a share."""

    ceiling: Share


class Budgeting(Section):
    """A budget to split: response curves by segment and of retention, and the least and most to spend."""

    total: Positive
    acquisition: dict[str, Curve] = {}
    retention: Kept | None = None
    bounds: dict[str, Range] = {}


class Report(Section):
    """What the report is called, where its runs go, how it writes numbers, and which run to compare with."""

    name: str
    folder: str = "reports"
    locale: str = "en"
    compare_with: str | None = None
