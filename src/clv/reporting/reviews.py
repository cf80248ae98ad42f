"""All that a budget review goes by, from one log: study, back-test, totals, and what to do about it.

Takes the log, the economics and the books; gives the tables that pages and workbook show. Nothing is drawn.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clv.data.books import read_ledger, read_spending, within
from clv.data.contract import Transactions
from clv.data.engines import fetch
from clv.errors import ConfigError
from clv.evaluation.candidates import BY_LIKELIHOOD
from clv.evaluation.choice import compare_models
from clv.evaluation.compare import Comparison
from clv.evaluation.origins import moved
from clv.evaluation.results import Backtest
from clv.evaluation.rolling import LAPLACE, backtest
from clv.evaluation.study import Study, study
from clv.fitting.inference import Inference
from clv.forecasting.checks import REACH
from clv.forecasting.economics import Economics
from clv.forecasting.totals import Totals
from clv.planning.ratios import UnitEconomics, unit_economics
from clv.planning.response import ResponseCurve
from clv.planning.spending import RETENTION, Budget, budget
from clv.planning.steps import Bridge, bridge
from clv.planning.what_ifs import Scenarios, scenarios
from clv.units import DAYS_PER_YEAR, add_months

if TYPE_CHECKING:
    import pandas as pd

AUTO = "auto"
WINDOWS = ("6m", "3m", "1m")  # of a back-test, the longest that leaves as many origins as these
ENOUGH = 3
SCORED = 2000  # customers whose forecast distributions are scored: coverage is right to .7 %
SURE = 200_000  # customers from which a back-test takes parameters for certain: chance is all but everything
YEAR = 12  # months of spending that an acquisition cost is measured over


@dataclass(frozen=True)
class Spending:
    """A budget to split: `total` for the horizon, with response curves by segment and of retention.

    `bounds` are the least and the most to spend, by segment and "retention".
    """

    total: float
    acquisition: Mapping[str, ResponseCurve] = field(default_factory=dict)
    retention: ResponseCurve | None = None
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Review:
    """A study with its back-test, totals with bands, and plans; what there is no input for is None.

    `segment` is what customers are acquired in, if named. `books` has net revenue by period, `spent`
    marketing spend by period and segment, `plan` new customers to come, `spending` a budget to split.
    """

    study: Study
    tested: Backtest | None = None
    segment: str | None = None
    plan: pd.DataFrame | None = None
    books: pd.DataFrame | None = None
    spent: pd.DataFrame | None = None
    spending: Spending | None = None
    year_start: int = 1
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Review: {self.study.forecast.basis}>"

    @property
    def by(self) -> str:
        """The segment that customers are acquired in: the first of the log's, or the cohort."""
        return self.segment or default_segment(self.study.orders)

    @property
    def comparison(self) -> Comparison:
        """Model and formulas by the segment that customers are acquired in."""
        return next(c for c in self.study.comparisons if c.by == self.by)

    @cached_property
    def quarters(self) -> Totals:
        """Totals by segment and fiscal quarter, of existing customers, and of planned ones."""
        ahead = self.study.forecast
        return ahead.totals(self.by, "Q", self.plan, fiscal_year_start=self.year_start)

    @cached_property
    def lifetime(self) -> Totals | None:
        """Lifetime value of the base, with its band."""
        return self.study.lifetime.totals() if self.study.lifetime else None

    @cached_property
    def units(self) -> UnitEconomics:
        """Value against acquisition cost by segment, and payback over a year, or as far as data allow."""
        oldest = fetch(self.study.rfm.table.aggregate(T=lambda t: t["T"].max())).to_pylist()[0]["T"]
        months = min(YEAR, max(1, int(REACH * oldest * 12 / DAYS_PER_YEAR)))
        return unit_economics(self.study.forecast, self.comparison, months)

    @cached_property
    def bridge(self) -> Bridge:
        """From formula 1 to the model, by segment."""
        return bridge(self.study.forecast, self.comparison)

    @cached_property
    def scenarios(self) -> Scenarios:
        """What the levers do."""
        return scenarios(self.study.forecast, self.comparison)

    @cached_property
    def budget(self) -> Budget | None:
        """A split of the budget, or break-evens where responses are not known."""
        if self.spending is None:
            return None
        s = self.spending
        used = [*s.acquisition, *([RETENTION] if s.retention else [])]
        last = {name: cost for name, cost in self.last_year.items() if name in used}
        return budget(
            self.study.forecast,
            self.comparison,
            s.total,
            s.acquisition,
            s.retention,
            last_year=last,
            bounds=s.bounds,
        )

    @property
    def spent_of_year(self) -> pd.DataFrame | None:
        """Marketing spend of the last twelve months."""
        if self.spent is None:
            return None
        return within(self.spent, add_months(self.study.as_of, -YEAR), self.study.as_of)

    @property
    def last_year(self) -> dict[str, float]:
        """What was spent in the last twelve months, by segment acquired in, and on retention."""
        year = self.spent_of_year
        if year is None:
            return {}
        sums = year.groupby(self.by)["acquisition_spend"].sum()
        return {str(k): float(v) for k, v in sums.items()} | {RETENTION: float(year["retention_spend"].sum())}


def review(
    orders: Transactions,
    economics: Economics,
    *,
    by: str | None = None,
    model: str | type[Any] = AUTO,
    inference: Inference = LAPLACE,
    holdout: dt.date | None = None,
    origins: int = 4,
    window: str | None = None,
    plan: pd.DataFrame | None = None,
    ledger: Any = None,
    spend: Any = None,
    spending: Spending | None = None,
    fiscal_year_start: int = 1,
    progress: Callable[[str], None] = lambda step: None,
) -> Review:
    """Run the whole path on a log, from its checks to the budget.

    Parameters
    ----------
    by : the segment column that customers are acquired in; by default the first of the log, or the cohort
    model : of purchases; "auto" takes the likeliest of BG/NBD, MBG/NBD and Pareto/NBD
    holdout : last day of the calibration period of a hold-out by segment, which runs to as_of
    origins, window : of the back-test; 0 origins leave it out. The window is by default the longest of 6, 3
        and 1 months before which there is log for three
    plan : new customers to be acquired, as in `Forecast.totals`
    ledger, spend : net revenue by period, marketing spend by period and segment: path, frame or table
        Spend gives the acquisition cost where economics has none.
    spending : a budget to split

    Raises DataError, ConfigError and FitError.
    """
    notes: list[str] = []
    rfm = orders.rfm()
    by = by or default_segment(orders)
    rfm.check_segments([by])
    books = None if ledger is None else read_ledger(ledger, fiscal_year_start)
    known = set(rfm.grouped((by,))[by])
    spent = None if spend is None else read_spending(spend, by, known, fiscal_year_start)
    if economics.cac is None and spent is not None:
        economics = dataclasses.replace(economics, cac=measured_cac(orders, spent, by))
    kind = likeliest(orders) if model == AUTO else _checked(model)
    tested = None
    if origins:
        progress("Back-testing")
        tested = _tested(orders, economics, kind, inference, origins, window, notes)
    level = 1.0 if tested is None else _level(tested, window, economics)
    found = study(
        orders,
        economics,
        holdout=holdout,
        inference=inference,
        model=kind,
        level=level,
        acquired_by=by,
        progress=progress,
    )
    return Review(found, tested, by, plan, books, spent, spending, fiscal_year_start, tuple(notes))


def _checked(model: Any) -> type[Any]:
    if not isinstance(model, type):
        raise ConfigError(f'C012 model must be a purchase model, or "auto"; got {model!r}. Write clv.BGNBD.')
    return model


def default_segment(orders: Transactions) -> str:
    """Return the first segment of a log, or the cohort."""
    return orders.segments[0] if orders.segments else "cohort"


def likeliest(orders: Transactions) -> type[Any]:
    """Return the purchase model that explains best what was seen, of those that likelihood can choose."""
    best = str(compare_models(orders.rfm(), BY_LIKELIHOOD).table.index[0])
    return next(kind for kind in BY_LIKELIHOOD if kind.__name__ == best)


def measured_cac(orders: Transactions, spent: pd.DataFrame, by: str) -> dict[str, float]:
    """Acquisition spend of the last twelve months ÷ customers first seen in its periods, by segment."""
    rfm = orders.rfm()
    end = rfm.as_of
    year = within(spent, add_months(end, -YEAR), end)
    if year.empty:
        return {}
    start = year["first"].min()
    new = rfm.table.filter((rfm.table.first_date >= start) & (rfm.table.first_date <= year["last"].max()))
    rows = fetch(new.group_by(segment=new[by]).aggregate(customers=new.count())).to_pylist()
    count = {str(row["segment"]): int(row["customers"]) for row in rows}
    cost = year.groupby(by)["acquisition_spend"].sum()
    sums = {str(name): float(value) for name, value in cost.items()}
    return {name: value / count[name] for name, value in sums.items() if count.get(name)}


def _tested(
    orders: Transactions,
    economics: Economics,
    kind: type[Any],
    inference: Inference,
    origins: int,
    window: str | None,
    notes: list[str],
) -> Backtest | None:
    """Back-test the model; None with a note where the log is too short."""
    if len(orders.rfm()) > SURE and inference.method != "mle":
        inference = dataclasses.replace(inference, method="map")
    try:
        horizon = window or _window(orders, origins)
        return backtest(
            orders,
            [kind],
            origins=origins,
            horizon=horizon,
            inference=inference,
            churn=economics.churn,
            scored=SCORED,
        )
    except ConfigError as error:
        if window or "C007" not in error.codes:
            raise
        notes.append(f"No back-test: {error.messages[0][5:]}")
        return None


def _window(orders: Transactions, origins: int) -> str:
    """Return the longest window before which there is as much log for three origins."""
    first = fetch(orders.rfm().table.aggregate(day=lambda t: t.first_date.min())).to_pylist()[0]["day"]
    for window in WINDOWS:
        if moved(orders.as_of_date, window, -min(origins, ENOUGH) - 1) >= first - dt.timedelta(days=1):
            return window
    return WINDOWS[-1]


def _level(tested: Backtest, window: str | None, economics: Economics) -> float | Sequence[float]:
    """Return how far the level may be off; corrected only for the window that the correction is of."""
    if window == economics.horizon:
        return tested.level_range
    return tested.spread
