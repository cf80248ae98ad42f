"""Scenarios: what follows in the model, and in the formulas, when a lever moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.errors import ConfigError
from clv.forecasting import simple
from clv.forecasting.customers import Forecast
from clv.forecasting.totals import ALL
from clv.planning.levers import LEVERS, WEAK, Existing, Newcomer
from clv.planning.prospects import (
    Compared,
    amount,
    as_html,
    check_kinds,
    gain,
    money,
    names_of,
    prospects_of,
    share,
)
from clv.units import DAYS_PER_YEAR, in_words, percent

if TYPE_CHECKING:
    import pandas as pd

NEW, BASE = "new customer", "existing base"
MODEL, ONE, TWO = "model", "formula 1", "formula 2"
# Who is valued by what, and the levers that this knows of.
KNOWS = {
    (NEW, MODEL): ("order_value", "frequency", "margin", "churn", "cac"),
    (NEW, ONE): ("order_value", "frequency", "margin", "cac"),
    (NEW, TWO): ("order_value", "frequency", "margin", "churn"),
    (BASE, MODEL): ("order_value", "frequency", "margin", "churn"),
    (BASE, TWO): ("order_value", "frequency", "margin", "churn"),
}
CAVEAT = (
    "What-ifs on the model and the formulas, not causal claims: they say what follows if a lever moves, not "
    "what would move it, nor what else that would change."
)
_STEPS = (-2, -1, 0, 1, 2)  # of a two-way table, in changes
_ALIKE = 1e-9  # rounding of a factor


@dataclass(frozen=True, eq=False, repr=False)
class Scenarios:
    """What levers do to the value of a new customer, and to the contribution of the existing base.

    table : the tornado, a row a lever for everyone valued (`who`) by each method (`by`), the widest first:
        change asked for, a share of the lever; moved_down and moved_up, what it can move by: margins and
        churn are 1 at most; down, base and up, the value with it moved so; width NaN: the lever is not in
        this model or formula.
    two_way : the values when two levers move at once, a row each pair of changes, NaN where one of them
        cannot move as far
    retention : what a year's retention higher by `points` is worth: retention is the share of customers who
        are alive now that are alive a year on, `alive` the share of all who are alive now, `pace` how fast
        they then leave against today
    """

    table: pd.DataFrame
    two_way: pd.DataFrame
    retention: pd.DataFrame
    points: float
    currency: str
    basis: str
    notes: Sequence[str]

    def to_pandas(self) -> pd.DataFrame:
        """The tornado."""
        return self.table

    @property
    def sentence(self) -> str:
        """Which lever matters most to the base and to a new customer, and what retention is worth."""
        said = []
        for who in (BASE, NEW):
            rows = self.table[(self.table["who"] == who) & (self.table["by"] == MODEL)]
            moves = {
                _plain(row["lever"]): (
                    f"+{percent(round(row['moved_up'], 4))} of it, "
                    f"{gain(row['up'] - row['base'], self.currency)}"
                )
                for row in rows[rows["width"].notna()].to_dict("records")
            }
            most = next(iter(moves.values()))
            *others, last = [lever for lever, words in moves.items() if words == most]
            widest = (
                f"{', '.join(others)} and {last} move most, each alike" if others else f"{last} moves most"
            )
            said.append(f"Of the {who} {widest}: {most}.")
        return " ".join([*said, self.retention_sentence])

    @property
    def retention_sentence(self) -> str:
        """What the points of retention are worth, in words."""
        rows: Mapping[Any, Any] = self.retention.to_dict("index")
        base, new = rows[BASE], rows[NEW]
        points = f"{self.points * 100:+g} points of annual retention"
        if np.isnan(base["worth"]):
            return f"{points} are not in reach of this model for the existing base."
        whole, each = (amount(row["worth"], self.currency) for row in (base, new))
        each = "" if np.isnan(new["worth"]) else f", and {each} for each new customer"
        return (
            f"{points} ({share(base['retention'])} to {share(base['retention'] + self.points)} of the "
            f"{share(base['alive'])} who are alive now) are worth {whole} for the existing base{each}."
        )

    def __repr__(self) -> str:
        return f"<Scenarios: {self.basis}>\n{self.sentence}"

    def _repr_html_(self) -> str:
        tornado = self.table.set_index(["who", "by", "lever"])
        return as_html((self.basis, self.sentence, *self.notes), tornado, self.retention)


def scenarios(
    forecast: Forecast,
    comparison: Compared,
    change: float | Mapping[str, float] = 0.10,
    *,
    segment: str | None = None,
    pair: tuple[str, str] = ("order_value", "churn"),
    points: float = 0.05,
) -> Scenarios:
    """Move order value, frequency, margin, churn and CAC, each alone and two together.

    Parameters
    ----------
    forecast : the base and its fits
    comparison : of this forecast with the formulas
    change : of each lever, up and down, as a share of it: one for all, or by lever
    segment : one of the comparison's; by default all customers
    pair : levers of the two-way table
    points : of a year's retention that are asked for, as a share

    Raises
    ------
    ConfigError C010, C012, P001, P002
    """
    check_kinds("scenarios", forecast, comparison)
    name = segment or ALL
    changes = _checked(change, name, names_of(comparison), pair, points)
    (prospect,) = prospects_of(forecast, comparison, [name])
    business = Business(Newcomer(prospect), Existing.of(forecast, comparison, name), comparison)
    return Scenarios(
        _tornado(business, changes),
        _two_way(business, pair, changes),
        _retention(business, points),
        points,
        forecast.rfm.currency,
        _basis(business, name),
        list(_notes(business)),
    )


@dataclass(frozen=True, eq=False)
class Business:
    """New and existing customers of a segment, valued by model and formulas under any levers."""

    newcomer: Newcomer
    existing: Existing
    comparison: Compared
    known: dict[float, tuple[float, float]] = field(default_factory=dict)

    @property
    def row(self) -> Mapping[Any, Any]:
        """Inputs of the formulas."""
        return self.newcomer.prospect.row

    @property
    def forecast(self) -> Forecast:
        """The forecast of the existing customers."""
        return self.existing.forecast

    def knows(self, who: str, by: str, lever: str, factor: float = 1.0) -> bool:
        """Whether a lever is in a model or formula, and can be multiplied by so much."""
        if lever == "churn" and by == MODEL and not self.newcomer.staying.leaves:
            return False
        if lever == "cac" and np.isnan(self.row["cac"]):
            return False
        return lever in KNOWS[who, by] and self.moved(by, lever, factor) > factor - _ALIKE

    def moved(self, by: str, lever: str, factor: float) -> float:
        """The factor that a lever can be multiplied by: margins and formula 2's churn are 1 at most."""
        limited = {"margin": self.forecast.margin} | ({"churn": self.row["churn"]} if by == TWO else {})
        now = limited.get(lever, 0.0)
        return float(np.minimum(now * factor, 1.0) / now) if now > 0 else factor

    def values(self, **factors: float) -> dict[tuple[str, str], float]:
        """Values with levers multiplied by factors; a new customer's less CAC, where that is known."""
        f = dict.fromkeys(LEVERS, 1.0) | factors
        margin = self.forecast.margin
        after = min(margin * f["margin"], 1.0)
        worth = f["order_value"] * after / margin
        cac = 0.0 if np.isnan(self.row["cac"]) else self.row["cac"] * f["cac"]
        later, base = self._at_pace(f["churn"])
        one, two = self._formulas(f, after, cac)
        return {
            (NEW, MODEL): worth * (self.newcomer.first + f["frequency"] * later) - cac,
            (NEW, ONE): one,
            (NEW, TWO): two,
            (BASE, MODEL): worth * f["frequency"] * base,
            (BASE, TWO): self.row["customers"] * two,
        }

    def _at_pace(self, pace: float) -> tuple[float, float]:
        """Later orders of a new customer, and the base, when customers leave at a pace: worked out once."""
        if pace not in self.known:
            self.known[pace] = self.newcomer.later(pace), self.existing.value(pace)
        return self.known[pace]

    def _formulas(self, f: Mapping[str, float], margin: float, cac: float) -> tuple[float, float]:
        """Formula 1 as quoted, its orders within the horizon, and formula 2 over the horizon."""
        row, days = self.row, self.forecast.days
        aov, often = row["aov"] * f["order_value"], f["frequency"]
        orders = 1 + (row["orders_per_customer"] - 1) * often
        orders = simple.orders_within(orders, row["repeat_rate_year"] / DAYS_PER_YEAR * often, days)
        churn = min(row["churn"] * f["churn"], 1.0) if row["churn"] == row["churn"] else float("nan")
        periods = days / self.comparison.economics.churn_rule().period_days
        frequency = row["frequency"] * often
        return (
            float(simple.per_customer(aov, orders, cac, margin)),
            float(simple.four_metric_within(aov, frequency, margin, churn, periods)),
        )


def _tornado(business: Business, changes: Mapping[str, float]) -> pd.DataFrame:
    import pandas as pd

    base = business.values()
    down, up = (
        {lever: business.values(**{lever: 1 + sign * change}) for lever, change in changes.items()}
        for sign in (-1, 1)
    )
    rows = []
    for who, by in KNOWS:
        part: list[dict[str, Any]] = []
        for lever, change in changes.items():
            known = business.knows(who, by, lever)
            low, high = (side[lever][who, by] if known else np.nan for side in (down, up))
            head = {"who": who, "by": by, "lever": lever, "change": change}
            for side, sign in (("moved_down", -1), ("moved_up", 1)):
                head[side] = business.moved(by, lever, 1 + sign * change) - 1
            part.append(head | {"down": low, "base": base[who, by], "up": high, "width": abs(high - low)})
        rows += sorted(part, key=lambda row: -round(np.nan_to_num(row["width"], nan=-1.0), 6))
    return pd.DataFrame(rows)


def _two_way(business: Business, pair: tuple[str, str], changes: Mapping[str, float]) -> pd.DataFrame:
    """Values by changes of two levers; NaN where one of those is not known, or cannot move as far."""
    import pandas as pd

    rows = []
    for steps in product(_STEPS, _STEPS):
        moves = {lever: step * changes[lever] for lever, step in zip(pair, steps, strict=True)}
        factors = {lever: 1 + move for lever, move in moves.items()}
        found = {
            f"{who}, {by}": value if all(business.knows(who, by, *one) for one in factors.items()) else np.nan
            for (who, by), value in business.values(**factors).items()
        }
        rows.append(moves | found)
    return pd.DataFrame(rows)


def _retention(business: Business, points: float) -> pd.DataFrame:
    import pandas as pd

    rows = {}
    for who, staying in ((BASE, business.existing.staying), (NEW, business.newcomer.staying)):
        pace = staying.pace(points)
        value = business.values()[who, MODEL]
        after = value if np.isnan(pace) else business.values(churn=pace)[who, MODEL]
        rows[who] = {
            "alive": staying.alive,
            "retention": staying.share(),
            "retention_after": np.nan if np.isnan(pace) else staying.share(pace),
            "pace": pace,
            "value": value,
            "value_after": np.nan if np.isnan(pace) else after,
            "worth": np.nan if np.isnan(pace) else after - value,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("who")


def _checked(
    change: Any, segment: str, known: Sequence[str], pair: tuple[str, str], points: Any
) -> dict[str, float]:
    """Changes by lever; ConfigError P001 for what is not there, P002 for numbers that cannot be meant."""
    given = change if isinstance(change, Mapping) else dict.fromkeys(LEVERS, change)
    named = {*given, *pair}
    wrong = [
        f"P001 a lever must be one of {', '.join(LEVERS)}; got {name!r}."
        for name in sorted(map(str, named - set(LEVERS)))
    ]
    if len(set(pair)) != 2:
        wrong.append(f"P001 pair must name two levers; got {pair!r}.")
    if segment not in known:
        have = ", ".join(known[:8])
        wrong.append(
            f"P001 segment must be one that customers can be new in; got {segment!r}. There are {have}."
        )
    wrong += [
        f"P002 change of {name} must be above 0 and below .5; got {value!r}. Write 0.1 for 10 %."
        for name, value in given.items()
        if not _number(value) or not 0 < value < 0.5
    ]
    if not _number(points) or not 0 < abs(points) < 1:
        wrong.append(f"P002 points of retention must be a share, not 0; got {points!r}. Write 0.05 for 5.")
    if wrong:
        raise ConfigError(*wrong)
    return {lever: float(given.get(lever, 0.1)) for lever in LEVERS}


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _basis(business: Business, name: str) -> str:
    forecast, cac = business.forecast, business.row["cac"]
    net = (
        "before CAC, which is not known"
        if np.isnan(cac)
        else f"less CAC of {money(cac, forecast.rfm.currency)}"
    )
    terms = forecast.terms.replace("before acquisition cost", f"a new customer {net}")
    there = f"{int(business.row['customers']):,} existing customers as of {forecast.rfm.as_of}"
    return f"{name}, {there}, {in_words(forecast.horizon)}; {terms}"


def _notes(business: Business) -> Iterator[str]:
    yield CAVEAT
    meanings = "; ".join(f"{_plain(lever)}: {meaning}" for lever, meaning in LEVERS.items())
    yield f"{meanings[:1].upper()}{meanings[1:]}."
    yield (
        "Formula 1 as quoted charges margin × CAC, has no churn, and says nothing of existing customers. "
        "Formula 2 has no CAC, knows no churn within the first of its periods, and takes every existing "
        "customer for an active one."
    )
    if business.newcomer.staying.leaves:
        yield WEAK
    else:
        name = type(business.forecast.purchase.model).__name__
        yield f"Nobody leaves in {name}: churn and retention are not in this model."


def _plain(lever: str) -> str:
    return "CAC" if lever == "cac" else lever.replace("_", " ")
