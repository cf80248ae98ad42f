"""The budget: acquisition against retention on marginal returns, or what each has to bring to pay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from clv.errors import ConfigError
from clv.forecasting.customers import Forecast
from clv.forecasting.totals import ALL
from clv.models.protocols import Array
from clv.planning.keeping import Keeping
from clv.planning.levers import WEAK, Existing
from clv.planning.prospects import (
    Compared,
    Prospect,
    amount,
    as_html,
    check_alike,
    check_kinds,
    doubt,
    money,
    names_of,
    prospects_of,
    shared_fit,
)
from clv.planning.response import (
    RETENTION,
    ResponseCurve,
    Use,
    best_split,
    wrong_spending,
    wrong_spends,
)
from clv.units import in_words

if TYPE_CHECKING:
    import pandas as pd

RECOMMENDED, LAST, NOTHING = "recommended", "last year's split", "do nothing"
DOWNSIDE = 0.1  # of draws have less
_PARTS = (0.05, 0.1, 0.2, 0.5, 1.0)  # of the budget that retention's break-even is shown for
_WORTH_SPENDING = 0.999  # share of a budget from which it counts as spent
_ITSELF = 1.005  # what a unit of money brings from which it brings more than itself, as printed


@dataclass(frozen=True, eq=False, repr=False)
class Budget:
    """A split of a budget, and what it is worth against other ways to spend.

    table : recommended, last year's split and do nothing: spend; value, contribution of the existing base and
        of the customers acquired, over the horizon, discounted; net, value − spend; net_p10, what nine draws
        of the parameters in ten exceed; regret, net lost against the recommended
    split : by use, a segment to acquire or "retention": recommended and last_year, in money; response, what
        the recommended spend brings: customers, or points of a year's retention; marginal, what one more unit
        of money brings; cac, recommended ÷ response of acquisition
    acquisition : by segment: break_even_cac, value of a new customer over the horizon, and its break_even_p10
    retention : by spend: points of a year's retention that it has to bring to pay; NaN where none are enough
    keeping : what points of a year's retention are worth
    elsewhere : what last year's split spent on uses without a response curve, and is in no row here
    curves : the response curves as they were taken: none of retention can bring more than can be kept

    Without response curves `table` and `split` are None: there are break-evens only.
    """

    total: float
    table: pd.DataFrame | None
    split: pd.DataFrame | None
    acquisition: pd.DataFrame
    retention: pd.DataFrame
    currency: str
    basis: str
    notes: Sequence[str]
    keeping: Keeping
    elsewhere: float = 0.0
    curves: Mapping[str, ResponseCurve] = field(default_factory=dict)

    def to_pandas(self) -> pd.DataFrame:
        """The table of splits; without curves, the break-evens of acquisition."""
        return self.acquisition if self.table is None else self.table

    @property
    def sentence(self) -> str:
        """What to spend on what, and what that is worth."""
        if self.table is None or self.split is None:
            return (
                "No split is recommended without response curves: what follows are break-evens. "
                f"{self._retention_pays()}"
            )
        uses = self.split["recommended"].items()
        parts = [f"{money(v, self.currency)} on {name}" for name, v in uses if v >= 0.005]
        spent = float(self.split["recommended"].sum())
        said = f"Of {amount(self.total, self.currency)} spend {', '.join(parts) or 'nothing'}."
        if spent < _WORTH_SPENDING * self.total:
            said += f" {amount(self.total - spent, self.currency)} {self._why_kept(self.split['marginal'])}."
        rows: Mapping[Any, Any] = self.table.to_dict("index")
        same = " on the same uses" if self.elsewhere else ""
        ways = {LAST: f"{LAST}{same}", NOTHING: "doing nothing"}
        regrets = {words: rows[name]["regret"] for name, words in ways.items() if name in rows}
        than = [
            f"{amount(abs(regret), self.currency)} {'less' if regret < 0 else 'more'} than {words}"
            for words, regret in regrets.items()
        ]
        return f"{said} Less what it costs, that brings {' and '.join(than)}."

    def _why_kept(self, marginal: pd.Series) -> str:
        """Why money is left: where the next unit would bring more than itself, a bound forbids it."""
        bound = ", ".join(f"{name} ({worth:.2f})" for name, worth in marginal.items() if worth > _ITSELF)
        but = f", but on {bound}, where a bound is reached" if bound else ""
        return f"is better kept: it would bring less than itself{but}"

    def _retention_pays(self) -> str:
        found = self.retention.dropna()
        if found.empty:
            return "No gain of retention pays for any of these spends."
        spend, points = float(found.index[-1]), float(found["points"].iloc[-1])
        paid = amount(spend, self.currency)
        return f"{paid} on retention pays if it brings {100 * points:.1f} points a year or more."

    def __repr__(self) -> str:
        return f"<Budget: {self.basis}>\n{self.sentence}"

    def _repr_html_(self) -> str:
        tables = [t for t in (self.table, self.split, self.acquisition, self.retention) if t is not None]
        return as_html((self.basis, self.sentence, *self.notes), *tables)


def budget(
    forecast: Forecast,
    comparison: Compared,
    total: float,
    acquisition: Mapping[str, ResponseCurve] | None = None,
    retention: ResponseCurve | None = None,
    *,
    last_year: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> Budget:
    """Split a budget between acquisition and retention so that the last unit of money brings as much in each.

    Parameters
    ----------
    forecast : the base and its fits
    comparison : of this forecast with the formulas, by the segments that customers are acquired in
    total : money to spend at most
    acquisition : response curves by segment, in customers
    retention : that of the existing base, in points of a year's retention as a share
        No more can be kept than would leave: a ceiling above that is taken as that, with a note.
    last_year : what was spent, by segment and "retention"; compared where there is a response curve
    bounds : least and most to spend, by segment and "retention"

    Raises
    ------
    ConfigError C010, C012, P001, P002
    """
    check_kinds("budget", forecast, comparison)
    acquisition = {} if acquisition is None else acquisition  # a data frame is neither true nor false
    last_year, bounds = {} if last_year is None else last_year, {} if bounds is None else bounds
    check_alike(forecast, comparison)
    wrong = _unknown(acquisition, names_of(comparison))
    wrong += wrong_spending(total, acquisition, retention, bounds) + wrong_spends("last_year", last_year)
    if wrong:
        raise ConfigError(*wrong)
    prospects = prospects_of(forecast, comparison)
    keeping = Keeping.of(Existing.of(forecast, comparison, ALL))
    kept, limit = _within_reach(retention, keeping)
    curves = {**acquisition, **kept}
    table, split = None, None
    last = {name: spend for name, spend in last_year.items() if name in curves}
    other = {name: spend for name, spend in last_year.items() if name not in curves and spend > 0}
    if curves:
        table, split = _Spending(prospects, keeping, curves, bounds, total).tables(last)
    ahead = f"{in_words(forecast.horizon)} after {forecast.rfm.as_of}"
    unit = forecast.rfm.currency
    basis = f"A budget of {money(total, unit)}, {ahead}; {forecast.terms}"
    notes = [*limit, *_notes(forecast, curves, last, other, total)]
    notes += shared_fit(one.name for one in prospects if not one.row["own_fit"])
    new, pays = _break_even(prospects), _needed(keeping, total)
    return Budget(total, table, split, new, pays, unit, basis, notes, keeping, sum(other.values()), curves)


class _Spending:
    """Uses of a budget, with what they bring and how sure that is."""

    def __init__(
        self,
        prospects: Sequence[Prospect],
        keeping: Keeping,
        curves: Mapping[str, ResponseCurve],
        bounds: Mapping[str, tuple[float, float]],
        total: float,
    ) -> None:
        self._new = {one.name: one for one in prospects if one.name in curves}
        self._keeping, self._curves, self._total = keeping, curves, total
        self._uses = {name: self._use(name, *bounds.get(name, (0.0, np.inf))) for name in curves}

    def tables(self, last_year: Mapping[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Ways to spend side by side, and the recommended one by use."""
        import pandas as pd

        alike = [use for name, use in self._uses.items() if name != RETENTION]
        best = dict(zip(self._uses, best_split(alike, self._total, self._uses.get(RETENTION)), strict=True))
        ways = {RECOMMENDED: best, NOTHING: dict.fromkeys(best, 0.0)}
        if last_year:
            ways = {RECOMMENDED: best, LAST: dict(last_year), NOTHING: ways[NOTHING]}
        table = pd.DataFrame.from_dict({name: self._row(way) for name, way in ways.items()}, orient="index")
        table["regret"] = table["net"].iloc[0] - table["net"]
        split = pd.DataFrame(
            {
                "recommended": best,
                "last_year": {name: last_year.get(name, 0.0) if last_year else np.nan for name in best},
                "response": {name: float(self._curves[name].response(x)) for name, x in best.items()},
                "marginal": {name: self._uses[name].marginal(x) for name, x in best.items()},
            }
        )
        made = split["response"].where((split.index != RETENTION) & (split["recommended"] > 0))
        split["cac"] = split["recommended"] / made
        return table.rename_axis("way"), split.rename_axis("use")

    def _use(self, name: str, low: float, high: float) -> Use:
        if name == RETENTION:
            return Use(self._curves[name], self._keeping.worth, self._keeping.slope, low, high)
        value = self._new[name].value
        return Use(self._curves[name], lambda made: made * value, lambda made: value, low, high)

    def _row(self, way: Mapping[str, float]) -> dict[str, float]:
        spend = sum(way.values())
        brings = sum(self._uses[name].value(x) for name, x in way.items())
        value = self._keeping.existing.value() + brings
        low = _low(self._drawn(way)) - spend
        return {"spend": spend, "value": value, "net": value - spend, "net_p10": low}

    def _drawn(self, way: Mapping[str, float]) -> Array:
        """Value in each draw of the parameters."""
        made = {name: float(self._curves[name].response(x)) for name, x in way.items()}
        total = self._keeping.drawn(made.pop(RETENTION, 0.0))
        for name, customers in made.items():
            total = total + customers * mixed(self._new[name])
        return np.asarray(total)


def mixed(prospect: Prospect) -> Array:
    """Value of a new customer in each draw, in an order of its own where its fits are.

    Fits of segments are drawn alike, by one seed, and know nothing of each other; the margin is everyone's.
    """
    revenue = prospect.revenue(prospect.forecast.t)
    if prospect.row["own_fit"]:
        revenue = np.random.default_rng([5, crc32(prospect.name.encode())]).permutation(revenue)
    return np.asarray(prospect.kept * revenue)


def _low(drawn: Array) -> float:
    return float(np.quantile(drawn, DOWNSIDE, method="hazen")) if np.ptp(drawn) else float("nan")


def _break_even(prospects: Sequence[Prospect]) -> pd.DataFrame:
    import pandas as pd

    rows = {
        one.name: {
            "cac": one.cac,
            "break_even_cac": one.value,
            "break_even_p10": _low(one.drawn(one.forecast.t)),
        }
        for one in prospects
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("segment")


def _needed(keeping: Keeping, total: float) -> pd.DataFrame:
    import pandas as pd

    rows = {part * total: {"points": keeping.needed(part * total)} for part in _PARTS}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("spend")


def _unknown(acquisition: Any, names: Sequence[str]) -> list[str]:
    """P001 for segments that nobody can be new in."""
    have = ", ".join(names[:8])
    return [
        f"P001 acquisition names {name!r}, which customers cannot be new in. There are {have}."
        for name in (acquisition if isinstance(acquisition, Mapping) else ())
        if name not in names or name == RETENTION
    ]


def _within_reach(
    retention: ResponseCurve | None, keeping: Keeping
) -> tuple[dict[str, ResponseCurve], list[str]]:
    """Return the curve of retention with a ceiling that can be reached, and what that changed."""
    if retention is None:
        return {}, []
    if keeping.most == 0:
        return {}, ["Retention cannot rise: nobody leaves in this model. Its curve is left out."]
    if retention.ceiling <= keeping.most:
        return {RETENTION: retention}, []
    note = (
        f"The ceiling of retention is taken as {keeping.most:.3f}, not {retention.ceiling:g}: so many leave "
        "within a year, and no more can be kept."
    )
    return {RETENTION: replace(retention, ceiling=keeping.most)}, [note]


def _notes(
    forecast: Forecast,
    curves: Mapping[str, Any],
    last: Mapping[str, float],
    other: Mapping[str, float],
    total: float,
) -> Iterator[str]:
    yield (
        "Response curves are yours, not estimated here: a split is as good as they are. A new customer "
        "counts with its first order and what follows within the horizon, whenever it comes; retention is "
        "that of the existing base."
    )
    yield WEAK
    if curves and (RETENTION not in curves or len(curves) == 1):
        missing = "acquisition" if RETENTION in curves else "retention"
        yield f"There is no curve of {missing}, so that the split says nothing of it."
    spent, same = sum(last.values()), " on the same uses" if other else ""
    here, there = (money(sum(part.values()), forecast.rfm.currency) for part in (last, other))
    if curves and other:
        yield (
            f"Last year {here} went to what has a response curve, and {there} "
            f"to what has none, {', '.join(other)}: that is compared with nothing here."
        )
    if last and abs(spent - total) > 0.005 * total:
        yield f"Last year's split spent {here}{same}, another sum: regret counts that difference too."
    if forecast.purchase.posterior or forecast.spend.posterior:
        yield "The 10th percentile is over draws of parameters and level, with the curves taken for certain."
    else:
        yield doubt(forecast)
