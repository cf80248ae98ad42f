"""Cohorts of customers at equal age: what they have brought, which of them differ, and what is to come."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.data.ageing import spend_by_cohort, spread_by_cohort
from clv.evaluation.compare import SMALL
from clv.forecasting.totals import reached
from clv.units import DAYS_PER_YEAR, horizon_days

if TYPE_CHECKING:
    import pandas as pd

    from clv.data.contract import Transactions
    from clv.forecasting.customers import Forecast

SHOWN = 6  # cohorts that are set against those before them, the newest
SURE = 2.6  # standard errors of a gap, which chance passes at one cohort of six in one report of twenty
_STEPS = (0.25, 0.5)  # of the horizon, at which a forecast is taken beside its end
_MONTH = DAYS_PER_YEAR / 12


@dataclass(frozen=True, eq=False, repr=False)
class CohortLives:
    """Contribution a customer by cohort and age, undiscounted, before acquisition cost.

    `table` is indexed by cohort: customers, few (under 100), age (mean, in months), reached (whole months
    that all of its customers have lived), so_far, and of those compared `at` (the age, in months), `value`
    and `before` (what it, and the cohorts of the year before it, had brought by then), `gap` (the first ÷
    the second − 1) and `z` (in standard errors); NaN elsewhere. `actual` has a row a month of age and a
    column a cohort, NaN beyond what it has reached. `ahead` goes on with the same customers by forecast:
    cohort, months (their mean age), mean, low and high (5 and 95 %, of the mean of all of them).
    """

    table: pd.DataFrame
    actual: pd.DataFrame
    ahead: pd.DataFrame
    quarterly: bool
    basis: str

    def __repr__(self) -> str:
        return f"<CohortLives: {self.basis}>"

    @property
    def compared(self) -> pd.DataFrame:
        """Rows of cohorts that are set against those before them, the newest last."""
        return self.table[self.table["gap"].notna()]


def cohort_lives(orders: Transactions, forecast: Forecast) -> CohortLives:
    """Return what each cohort of a log has brought by age, and what its customers will bring by forecast.

    A cohort is compared at the age that all its customers have reached, with the cohorts of 100 customers
    or more that were acquired in the year before it; both had brought that much by that age, whatever
    happened later. Raises ConfigError C002 where margins differ by segment.
    """
    table, actual = spend_by_cohort(orders, forecast.rfm)
    actual, table["so_far"] = actual * forecast.margin, table["so_far"] * forecast.margin
    table["few"] = table["customers"] < SMALL
    compared = _compared(orders, forecast, table, actual)
    basis = f"{len(forecast.rfm):,} customers as of {forecast.rfm.as_of}"
    return CohortLives(table.join(compared), actual, _ahead(forecast, table), forecast.rfm.quarterly, basis)


def _compared(
    orders: Transactions, forecast: Forecast, table: pd.DataFrame, actual: pd.DataFrame
) -> pd.DataFrame:
    """Set the newest cohorts against those of the year before, at an age that they are old enough for."""
    import pandas as pd

    length = 3 if forecast.rfm.quarterly else 1
    solid = [str(name) for name in table.index[~table["few"]]]
    newest = [name for name in solid[1:] if table["reached"][name] >= length][-SHOWN:]
    columns = ["at", "value", "before", "gap", "z"]
    if not newest:
        return pd.DataFrame(columns=columns, index=table.index, dtype=float)
    ages = sorted({int(table["reached"][name]) for name in newest})
    spread = forecast.margin * spread_by_cohort(orders, forecast.rfm, ages)
    brought, place = actual.loc[ages].to_numpy(dtype=float), {str(n): at for at, n in enumerate(table.index)}
    count = table["customers"].to_numpy(dtype=float)
    error = spread.to_numpy(dtype=float).T / np.sqrt(count)

    def rows() -> Iterator[tuple[float, ...]]:
        for name in newest:
            age, own = int(table["reached"][name]), place[name]
            earlier, at = [place[other] for other in _year_before(solid, name, length)], ages.index(age)
            weight = count[earlier] / count[earlier].sum()
            value, before = brought[at, own], float(weight @ brought[at, earlier])
            sure = np.sqrt(error[at, own] ** 2 + weight**2 @ error[at, earlier] ** 2)
            gap = value / before - 1 if before > 0 else np.nan
            yield age, value, before, gap, (value - before) / sure if sure > 0 else 0.0

    return pd.DataFrame(rows(), index=newest, columns=columns).reindex(table.index)


def _year_before(solid: list[str], name: str, length: int) -> list[str]:
    """Cohorts before one, as many as a year has."""
    at = solid.index(name)
    return solid[max(0, at - 12 // length) : at]


def _ahead(forecast: Forecast, table: pd.DataFrame) -> pd.DataFrame:
    """Contribution a customer so far, and with the forecast at some steps of the horizon."""
    import pandas as pd

    plain = dataclasses.replace(forecast, discount=0.0)
    steps = [round(forecast.days * part) for part in _STEPS]
    lengths = [*(f"{days}d" for days in dict.fromkeys(steps) if days), forecast.horizon]
    so_far = table["so_far"].to_numpy()
    ages = table["age"].to_numpy()
    start = {name: so_far for name in ("mean", "low", "high")}
    parts = [pd.DataFrame({"cohort": table.index, "months": ages, **start})]
    totals = reached(plain, "cohort", lengths).set_index("cohort")
    for length in lengths:
        found = totals[totals["period"] == length].reindex(table.index)
        values = {
            name: so_far + found[f"contribution{of}"].to_numpy() / table["customers"].to_numpy()
            for name, of in (("mean", ""), ("low", "_p05"), ("high", "_p95"))
        }
        months = ages + horizon_days(length, forecast.rfm.as_of) / _MONTH
        parts.append(pd.DataFrame({"cohort": table.index, "months": months, **values}))
    frame = pd.concat(parts, ignore_index=True)
    return frame.sort_values(["cohort", "months"], kind="stable", ignore_index=True)
