"""Just-acquired customers of each segment of a comparison, by the fits that the comparison valued them with.

A segment with enough customers has fits of its own, and all others those of the whole base: as in the
comparison, so that both say the same of a new customer.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from clv.data.rfm import RFM
from clv.errors import ConfigError
from clv.fitting.result import Fit
from clv.forecasting.customers import Forecast
from clv.forecasting.economics import Economics
from clv.forecasting.lines import DRAWS
from clv.forecasting.newcomers import FirstOrder
from clv.forecasting.plans import first_orders
from clv.forecasting.stream import LEVELS, Base
from clv.forecasting.totals import ALL
from clv.forecasting.value import value_of_new
from clv.models.protocols import Array
from clv.units import in_words, minor_digits, percent

if TYPE_CHECKING:
    import pandas as pd


@runtime_checkable
class Compared(Protocol):
    """What planning asks of a comparison of model and formulas, such as `clv.compare` makes."""

    @property
    def by(self) -> str:
        """The segment column."""
        ...

    @property
    def table(self) -> pd.DataFrame:
        """Inputs, formulas and model by segment, the whole base last."""
        ...

    @property
    def economics(self) -> Economics:
        """Its assumptions."""
        ...

    @property
    def as_of(self) -> dt.date:
        """The last day that counted."""
        ...

    @property
    def pooled(self) -> Sequence[str]:
        """Segments that were merged into one, being too small."""
        ...

    @property
    def level(self) -> float:
        """What the forecast multiplies values by."""
        ...

    @property
    def fits(self) -> Mapping[str, tuple[Fit, Fit]]:
        """Those of segments that have their own."""
        ...

    @property
    def members(self) -> set[str]:
        """Every value of the segment column."""
        ...

    @property
    def behavioural(self) -> bool:
        """Whether customers are in a segment because of what they did, so that none is new in it."""
        ...


@dataclass(frozen=True, eq=False)
class Prospect:
    """A just-acquired customer of one segment; `row` is the segment's in the comparison.

    `forecast` has the fits and the customers that it is valued by.
    """

    name: str
    row: Mapping[Any, Any]
    forecast: Forecast

    @property
    def cac(self) -> float:
        """What it costs to acquire, NaN where that is not known."""
        return float(self.row["cac"])

    @property
    def value(self) -> float:
        """Contribution expected over the horizon, first order included, discounted, before CAC."""
        return float(self.row["model_new_discounted"])

    def value_by(self, horizon: str) -> float:
        """Return the same over another horizon."""
        f = self.forecast
        terms = {"margin": f.margin, "discount": f.discount}
        return f.level * value_of_new(f.purchase, f.spend, f.rfm, horizon, **terms)

    @cached_property
    def first(self) -> FirstOrder:
        """Its first order."""
        return first_orders(self.forecast.rfm, (), telling=self.forecast.told)[()]

    @cached_property
    def base(self) -> Base:
        """It as a base of one row, with as many draws in either model."""
        return self.forecast.newcomer({}).paired(DRAWS)

    @property
    def kept(self) -> Array:
        """Contribution per unit of revenue in each draw."""
        draws = self.forecast.draws
        return self.forecast.levels.drawn(draws) * self.forecast.margins.drawn("", draws)

    def revenue(self, t: float) -> Array:
        """Mean revenue of such customers in (0, t] in each draw of the fits, t in their time unit."""
        base, first = self.base, self.first.drawn(self.base.draws)
        repeats = base.purchase.discounted_purchases(base.history, self.forecast.rate, t)
        each = base.paid_share * self.first.repeats(base.spend, first)
        return np.asarray(first + each * np.ravel(repeats))

    def drawn(self, t: float) -> Array:
        """Mean value of such customers in (0, t] in each draw of the parameters."""
        return np.asarray(self.kept * self.revenue(t))


def prospects_of(
    forecast: Forecast, comparison: Compared, names: Sequence[str] | None = None
) -> list[Prospect]:
    """Return a prospect for each segment that customers can be new in, the whole base last, or for `names`.

    Raises ConfigError C010 where forecast and comparison are not of the same base and assumptions, C012 for
    fits by groups.
    """
    check_alike(forecast, comparison)
    rows: Mapping[Any, Any] = comparison.table.to_dict("index")
    wanted = names_of(comparison) if names is None else names
    return [Prospect(name, rows[name], _own(forecast, comparison, name)) for name in wanted]


def names_of(comparison: Compared) -> list[str]:
    """Return the segments that customers can be new in, the whole base last."""
    return [name for name in map(str, comparison.table.index) if name == ALL or not comparison.behavioural]


def check_kinds(name: str, forecast: Any, comparison: Any) -> None:
    """Raise ConfigError C012 where the function of this name was given something else."""
    wanted = {
        "forecast": (forecast, Forecast, "what clv.forecast makes"),
        "comparison": (comparison, Compared, "what clv.compare makes"),
    }
    wrong = [
        f"C012 {what} must be {made}; got a {type(given).__name__}. Write {name}(forecast, comparison): a "
        f"review has them as review.study.forecast and review.comparison."
        for what, (given, kind, made) in wanted.items()
        if not isinstance(given, kind)
    ]
    if wrong:
        raise ConfigError(*wrong)


def check_alike(forecast: Forecast, comparison: Compared) -> None:
    """Raise ConfigError C010 or C012 where a comparison is not one of this forecast."""
    economics = comparison.economics
    pairs = {
        "as_of": (forecast.rfm.as_of, comparison.as_of),
        "horizon": (forecast.horizon, economics.horizon),
        "margin": (forecast.margin, economics.margin),
        "discount": (forecast.discount, economics.discount),
        "level": (forecast.level, comparison.level),
    }
    wrong = [
        f"C010 the forecast has {name} {mine}, the comparison {other}; they must be one."
        for name, (mine, other) in pairs.items()
        if mine != other
    ]
    if forecast.purchase.groups or forecast.spend.groups:
        wrong.append(
            "C012 planning needs fits of all customers together; got one by groups. Use "
            'pooling="complete": segments that are large enough get fits of their own.'
        )
    if wrong:
        raise ConfigError(*wrong)


def shared_fit(names: Iterable[str]) -> list[str]:
    """What to say of segments that have no fit of their own; nothing where all have."""
    named = ", ".join(name for name in names if name != ALL)
    return [f"Valued by the fit of the whole base, having none of its own: {named}."] if named else []


def _own(forecast: Forecast, comparison: Compared, name: str) -> Forecast:
    """Return the forecast with a segment's own fits and customers, where it was valued by them."""
    if name not in comparison.fits:
        return forecast
    purchase, spend = comparison.fits[name]
    part = part_of(forecast.rfm, comparison, name)
    return dataclasses.replace(forecast, purchase=purchase, spend=spend, rfm=part)


def part_of(rfm: RFM, comparison: Compared, name: str) -> RFM:
    """Return the customers of a segment of a comparison, the pool of small ones included."""
    if name == ALL:
        return rfm
    if name in comparison.members:
        return rfm.where(comparison.by, name)
    table = rfm.table
    return dataclasses.replace(rfm, table=table.filter(table[comparison.by].isin(list(comparison.pooled))))


def band(drawn: Array) -> tuple[float, float]:
    """5 and 95 % of draws; NaN where there is one value only, which says nothing of how sure it is."""
    if np.ptp(drawn) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [LEVELS[0], LEVELS[-1]], method="hazen")
    return float(low), float(high)


def new_basis(forecast: Forecast, by: str) -> str:
    """Population, horizon, rate and basis of a new customer's value, in words."""
    return (
        f"A just-acquired customer by {by.replace('_', ' ')}, as of {forecast.rfm.as_of}: first "
        f"{in_words(forecast.horizon)}, first order included; {forecast.terms}"
    )


def doubt(forecast: Forecast) -> str:
    """How the bands of means were taken, in words."""
    drawn = [fit for fit in (forecast.purchase, forecast.spend) if fit.posterior]
    known = {1: ["some of the parameters"], 2: ["the parameters"]}.get(len(drawn), [])
    known += ["the margin"] * bool(np.ptp(forecast.margins.drawn("", forecast.draws)))
    known += ["the level"] * bool(np.ptp(forecast.levels.drawn(forecast.draws)))
    if not known:
        return 'The fits are points: how sure they are is not shown. Fit with method="laplace" for bands.'
    middle = " Values are at the middle of the level." if "the level" in known else ""
    return (
        f"Bands are 5 to 95 % of the mean over all customers to be acquired, by draws of {', '.join(known)}; "
        f"single customers differ far more.{middle}"
    )


def as_html(texts: Iterable[str], *tables: pd.DataFrame) -> str:
    """Return what is said, a paragraph each, and the numbers below."""
    said = "".join(f"<p>{escape(text)}</p>" for text in texts)
    return said + "".join(t.to_html(float_format="{:,.2f}".format, na_rep="–") for t in tables)


def money(value: float, unit: str) -> str:
    """Print money in a sentence: from 1,000 on whole, below with the decimals of its currency."""
    return f"{value:,.{minor_digits(unit) if abs(value) < 1000 else 0}f}".replace("-", "−")


def amount(value: float, unit: str) -> str:
    """Print money with its unit, where that is known."""
    return f"{money(value, unit)} {unit}".rstrip()


def gain(value: float, unit: str) -> str:
    """Print what is gained, or lost, in a sentence."""
    return f"{'+' if value > 0 else ''}{amount(value, unit)}"


def share(value: float) -> str:
    """Print a measured share in a sentence."""
    return percent(round(value, 2))
