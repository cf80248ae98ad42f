"""Unit economics: what a new customer brings against what it costs, and how soon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.errors import ConfigError
from clv.forecasting.checks import check_reach
from clv.forecasting.customers import Forecast
from clv.forecasting.newcomers import FirstOrder, revenues
from clv.forecasting.stream import Base
from clv.forecasting.totals import ALL
from clv.models.protocols import Array
from clv.planning.prospects import (
    Compared,
    Prospect,
    as_html,
    band,
    check_kinds,
    doubt,
    new_basis,
    prospects_of,
    shared_fit,
)
from clv.units import horizon_days, in_words, measured

if TYPE_CHECKING:
    import pandas as pd

HEALTHY = 3.0  # value : CAC that is commonly asked for
SURE = 0.95  # chance of earning back a CAC from which, or below one less it, a sentence leaves it out
_LONGEST = 120  # months of a payback curve
_NAMED = 3  # segments that a sentence has room for


@dataclass(frozen=True, eq=False, repr=False)
class UnitEconomics:
    """Value : CAC and payback of a new customer; `table` is indexed by segment, the whole base last.

    table : customers, few (under 100), own_fit, cac; value, contribution expected over the horizon, first
        order included, discounted, before CAC, and value_p05, value_p95 of that mean; value_to_cac, its
        _p05 and _p95, p_above_1 and p_above_3, the shares of the parameters' draws in which the *mean* ratio
        is higher; break_even_cac, the CAC at which value − CAC is 0; payback_month, the first month in which
        the mean is paid back, NaN where it is not within `months`; p_paid_back, the share of *single*
        customers that have paid back by then. The rest never has, or later.
    curve : by segment and month since the first order: contribution so far, its _p05 and _p95, net (less
        CAC), p_paid_back. Discounted to the first order, like the value.

    Where CAC is not known, what needs it is NaN: not shown, never 0. Without draws bands and p_above are NaN.
    """

    table: pd.DataFrame
    curve: pd.DataFrame
    months: int
    basis: str
    notes: Sequence[str]

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table

    @property
    def sentence(self) -> str:
        """Which segments earn their CAC back over the horizon, and which do not."""
        known = self.table[self.table["cac"] > 0]
        if known.empty:
            free = bool((self.table["cac"] == 0).any())
            what = "A customer costs nothing to acquire" if free else "What a customer costs is not known"
            return f"{what}: no ratio is shown."
        segments = known[known.index != ALL]
        own = segments[segments["own_fit"].astype(bool)]  # the others have the whole base's value
        shown = next(one for one in (own, segments, known) if len(one)).sort_values("value_to_cac")
        ratios = {str(k): float(v) for k, v in shown["value_to_cac"].items()}
        fitted = " and which has a fit of its own" if len(shown) < len(segments) else ""
        return _compared(ratios, f"Every segment whose CAC is known{fitted}") + _open(shown["p_above_1"])

    def __repr__(self) -> str:
        return f"<UnitEconomics: {self.basis}>\n{self.sentence}"

    def _repr_html_(self) -> str:
        return as_html((self.basis, self.sentence, *self.notes), self.table)


def _compared(ratios: Mapping[str, float], every: str) -> str:
    """Name the segments that bring most for their CAC, all that print alike, and those that lose; sorted."""
    most = _times(max(ratios.values()))
    best = [name for name, ratio in ratios.items() if _times(ratio) == most]
    short = [f"{name} ({_times(ratio)})" for name, ratio in ratios.items() if ratio < 1]
    if len(best) == len(ratios):
        who = every if len(best) > 1 else best[0].replace(ALL, "A new customer")
        lost = ": that is not earned back" if short else ""
        return f"{who} brings {most} times its CAC over the horizon{lost}."
    verb, costs = ("brings", "its CAC") if len(best) == 1 else ("bring", "their CAC")
    said = f"{' and '.join(best)} {verb} most: {most} times {costs} over the horizon."
    if not short:
        return f"{said} {every} earns it back on the mean."
    return f"{said} Not earned back: {', '.join(short)}."


def _open(chances: pd.Series) -> str:
    """Name the segments of which it is open whether the mean earns back its CAC, the most open first."""
    known = chances[(chances > 1 - SURE) & (chances < SURE)]
    known = known.reindex((known - 0.5).abs().sort_values(kind="stable").index)
    if known.empty:
        return ""
    said = [f"{measured(chance)} for {name}".replace(ALL, ALL.lower()) for name, chance in known.items()]
    more = [f"{len(said) - _NAMED} more are open too"] if len(said) > _NAMED else []
    return f" The chance of earning it back is {'; '.join([*said[:_NAMED], *more])}."


def _times(ratio: float) -> str:
    """Print a ratio with as many decimals as tell it from 1, two at least."""
    texts = (f"{ratio:.{digits}f}" for digits in range(2, 17))
    return next((text for text in texts if float(text) != 1 or ratio == 1), f"{ratio:.2f}")


def unit_economics(forecast: Forecast, comparison: Compared, months: int = 12) -> UnitEconomics:
    """Set the value of a new customer against its acquisition cost, by segment.

    Parameters
    ----------
    forecast : the base and its fits
    comparison : of this forecast with the formulas, by the wanted segment; its economics have the CAC
    months : length of the payback curve

    Raises
    ------
    ConfigError C008, C010, C012
    """
    import pandas as pd

    check_kinds("unit_economics", forecast, comparison)
    if isinstance(months, bool) or not isinstance(months, int) or not 1 <= months <= _LONGEST:
        raise ConfigError(f"C012 months must be a whole number from 1 to {_LONGEST}; got {months!r}.")
    if not comparison.economics.allow_extrapolation:
        check_reach(forecast.rfm, f"{months}m", "months")
    rows, curves = {}, []
    for prospect in prospects_of(forecast, comparison):
        curve = _curve(prospect, months)
        rows[prospect.name] = _row(prospect, curve)
        curves.append(curve)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("segment")
    basis = f"{new_basis(forecast, comparison.by)}. Payback is discounted too"
    found = pd.concat(curves, ignore_index=True)
    return UnitEconomics(table, found, months, basis, list(_notes(forecast, comparison, table)))


def _row(prospect: Prospect, curve: pd.DataFrame) -> dict[str, Any]:
    row, cac, value = prospect.row, prospect.cac, prospect.value
    drawn = prospect.drawn(prospect.forecast.t)
    low, high = band(drawn)
    price = cac if cac > 0 else float("nan")
    back = curve.loc[curve["net"] >= 0, "month"]
    return {
        "customers": int(row["customers"]),
        "few": bool(row["few"]),
        "own_fit": bool(row["own_fit"]),
        "cac": cac,
        "value": value,
        "value_p05": low,
        "value_p95": high,
        "value_to_cac": value / price,
        "value_to_cac_p05": low / price,
        "value_to_cac_p95": high / price,
        "p_above_1": _above(drawn, 1.0, price),
        f"p_above_{HEALTHY:.0f}": _above(drawn, HEALTHY, price),
        "break_even_cac": value,
        "payback_month": float(back.min()) if len(back) else float("nan"),
        "p_paid_back": float(curve["p_paid_back"].iloc[-1]),
    }


def _above(drawn: Array, ratio: float, cac: float) -> float:
    """Share of draws of the mean value above so many times the CAC; NaN where nothing was drawn."""
    if np.ptp(drawn) == 0 or np.isnan(cac):
        return float("nan")
    return float((drawn > ratio * cac).mean())


def _curve(prospect: Prospect, months: int) -> pd.DataFrame:
    """Contribution so far by month, and the share of single customers that have paid back."""
    import pandas as pd

    forecast = prospect.forecast
    lengths = [f"{month}m" for month in range(1, months + 1)]
    ends = np.array([horizon_days(length, forecast.rfm.as_of) for length in lengths]) / forecast.purchase.unit
    first = forecast.level * forecast.margin * prospect.first.mean
    mean = [first, *map(prospect.value_by, lengths)]
    bands = [band(prospect.drawn(t)) for t in (0.0, *ends)]
    back = np.full(months + 1, np.nan)
    if not np.isnan(prospect.cac):
        kept = prospect.kept[:, None]
        back = paid_back(prospect.base, prospect.first, ends, forecast.rate, prospect.cac, kept)
    return pd.DataFrame(
        {
            "segment": prospect.name,
            "month": range(months + 1),
            "contribution": mean,
            "contribution_p05": [low for low, _ in bands],
            "contribution_p95": [high for _, high in bands],
            "net": np.array(mean) - prospect.cac,
            "p_paid_back": back,
        }
    )


def paid_back(
    base: Base, first: FirstOrder, ends: Array, rate: float, cost: float, kept: Array | float = 1.0
) -> Array:
    """P(a single customer has brought back `cost`) by 0 and by each end, over draws and chance.

    `kept` of each unit of revenue, one number or one for each draw, (draws, 1).
    """
    return np.array([(kept * total >= cost).mean() for total in revenues(base, first, ends, rate)])


def _notes(forecast: Forecast, comparison: Compared, table: pd.DataFrame) -> list[str]:
    length = in_words(forecast.horizon)
    notes = [doubt(forecast)]
    if forecast.purchase.posterior or forecast.spend.posterior:
        notes.append(
            f"P(ratio > 1) and P(ratio > {HEALTHY:.0f}) are of the mean over {length}, not of a single "
            "customer; P(paid back) is of a single one."
        )
    unknown = [str(name) for name in table.index[table["cac"].isna()] if name != ALL]
    if unknown:
        notes.append(f"CAC is not known of {', '.join(unknown)}: what needs it is not shown.")
    free = [str(name) for name in table.index[table["cac"] == 0]]
    if free:
        notes.append(f"{', '.join(free)} cost nothing to acquire, so there is no ratio.")
    if comparison.behavioural:
        notes.append("Nobody is new in a segment of past behaviour: only the whole base is shown.")
    return [*notes, *shared_fit(map(str, table.index[~table["own_fit"]]))]
