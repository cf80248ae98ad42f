"""All that a budget review goes by, from one log: study, back-test, totals, and what to do about it.

Takes the log, the economics and the books; gives the tables that pages and workbook show. Nothing is drawn.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clv.data.books import latest
from clv.data.contract import Transactions
from clv.data.engines import fetch
from clv.data.rfm import RFM
from clv.errors import ConfigError, gather
from clv.evaluation.candidates import BY_LIKELIHOOD
from clv.evaluation.choice import compare_models
from clv.evaluation.cohorts import CohortLives, cohort_lives
from clv.evaluation.compare import Comparison
from clv.evaluation.contenders import CALIBRATED
from clv.evaluation.origins import moved
from clv.evaluation.results import Backtest
from clv.evaluation.rolling import LAPLACE, backtest
from clv.evaluation.study import Study, study
from clv.fitting.inference import Inference
from clv.fitting.plan import refuse_unless_whole
from clv.forecasting.checks import REACH
from clv.forecasting.economics import Economics
from clv.forecasting.totals import ALL, Totals
from clv.planning.prospects import money
from clv.planning.ratios import UnitEconomics, unit_economics
from clv.planning.response import RETENTION, Spending
from clv.planning.spending import Budget, budget
from clv.planning.steps import Bridge, bridge
from clv.planning.what_ifs import Scenarios, scenarios
from clv.reporting.given import read_given
from clv.units import DAYS_PER_YEAR, horizon_days, horizon_end

if TYPE_CHECKING:
    import pandas as pd

AUTO = "auto"
WINDOWS = ("6m", "3m", "1m")  # of a back-test, the longest that leaves as many origins as these
ENOUGH = 3
SCORED = 2000  # customers whose forecast distributions are scored: coverage is right to .7 %
SURE = 200_000  # customers from which a back-test takes parameters for certain: chance is all but everything
NO_LEVEL = 1.0  # of a forecast that nothing has tested
YEAR = 12  # months of spending that an acquisition cost is measured over
_MEASURED = "CAC is acquisition spend ÷ customers first seen in the same time"


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

    @property
    def spread(self) -> tuple[float, float]:
        """5 and 95 % of what totals of money come to, ÷ their forecast, by how far past ones were off."""
        level = self.study.forecast.levels.range
        return level.low / level.middle, level.high / level.middle

    @property
    def judged(self) -> Mapping[Any, float] | None:
        """How the method of this forecast did in the back-test, its level corrected if the forecast's is."""
        if self.tested is None:
            return None
        rows: Mapping[Any, Mapping[Any, float]] = self.tested.summary.to_dict("index")
        plain = rows[self.tested.choice]
        corrected = self.study.forecast.level != 1
        return rows.get(self.tested.choice + CALIBRATED, plain) if corrected else plain

    @cached_property
    def quarters(self) -> Totals:
        """Totals by segment and fiscal quarter, of existing customers, and of planned ones."""
        ahead = self.study.forecast
        return ahead.totals(self.by, "Q", self.plan, fiscal_year_start=self.year_start)

    @cached_property
    def people(self) -> Any:
        """What was seen of each customer in its first days and in the last year; see `kpi_tables.people`."""
        from clv.reporting.kpi_tables import people

        return people(self)

    @cached_property
    def cohorts(self) -> CohortLives:
        """What cohorts have brought by age, and will."""
        return cohort_lives(self.study.orders, self.study.forecast)

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
        s, year = self.spending, self.spent_of_year
        found = budget(
            self.study.forecast,
            self.comparison,
            s.total,
            s.acquisition,
            s.retention,
            last_year=self.last_year,
            bounds=s.bounds,
        )
        if year is None or year.empty:
            return found
        return dataclasses.replace(found, notes=[*found.notes, f"Last year is {_span(year)}."])

    @property
    def spent_of_year(self) -> pd.DataFrame | None:
        """Marketing spend of the last twelve months of whole periods."""
        return None if self.spent is None else latest(self.spent, self.study.as_of, YEAR)

    @property
    def spent_span(self) -> str:
        """The days of those months, in words; empty where no spend is known of them."""
        year = self.spent_of_year
        return "" if year is None or year.empty else _span(year)

    @property
    def cac_words(self) -> str:
        """How the acquisition cost was measured, and over which days; empty where it was given."""
        return next((note for note in self.notes if note.startswith(_MEASURED)), "")

    @property
    def last_year(self) -> dict[str, float]:
        """What was spent in those months, by segment acquired in, and on retention."""
        year = self.spent_of_year
        if year is None or year.empty:
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
        and 1 months before which there is log for three. What it measures corrects the level of forecasts
        that are as long as the window, and of no others
    plan : new customers to be acquired, as in `Forecast.totals`
    ledger, spend : net revenue by period, marketing spend by period and segment: path, frame or table
        Spend gives the acquisition cost where economics has none.
    spending : a budget to split

    Raises DataError, ConfigError and FitError; all that is wrong with what is given is told before any fit.
    """
    rfm = orders.rfm()
    by = by or default_segment(orders)
    rfm.check_segments([by])
    chosen, wrong = _settings(rfm, model, origins, window)
    beside = {"plan": plan, "ledger": ledger, "spend": spend, "spending": spending}
    given = read_given(rfm, economics, by, fiscal_year_start, wrong, **beside)
    economics, notes = _with_cac(orders, economics, given.spent, by)
    notes += given.notes
    kind = chosen or likeliest(orders)
    tested: Backtest | None = None
    level: float | Sequence[float] = NO_LEVEL
    if origins:
        progress("Back-testing")
        tested, level = _tested(orders, economics, kind, inference, origins, window, notes)
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
    books, spent = given.books, given.spent
    return Review(found, tested, by, plan, books, spent, spending, fiscal_year_start, tuple(notes))


def _settings(rfm: RFM, model: Any, origins: Any, window: Any) -> tuple[type[Any] | None, list[str]]:
    """Return the model, None where it is to be chosen, and what is wrong with it and with the back-test."""
    wrong: list[str] = []
    gather(wrong, lambda: refuse_unless_whole(0, origins=origins))
    if window is not None:
        gather(wrong, lambda: horizon_end(window, rfm.as_of, "window"))
    return None if model == AUTO else gather(wrong, lambda: _checked(model)), wrong


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


def _with_cac(
    orders: Transactions, economics: Economics, spent: pd.DataFrame | None, by: str
) -> tuple[Economics, list[str]]:
    """Return economics with an acquisition cost: measured where none is given, with notes."""
    if economics.cac is not None or spent is None:
        return economics, []
    measured, notes = measured_cac(orders, spent, by)
    return dataclasses.replace(economics, cac=measured), notes


def measured_cac(orders: Transactions, spent: pd.DataFrame, by: str) -> tuple[dict[str, float], list[str]]:
    """Acquisition spend of the last twelve months of whole periods ÷ customers first seen in them.

    By segment and of all together, with notes: what was spent on segments that won nobody counts in that of
    all.
    """
    rfm = orders.rfm()
    year = latest(spent, rfm.as_of, YEAR)
    if year.empty:
        return {}, []
    first = rfm.table.first_date
    new = rfm.table.filter((first >= year["first"].min()) & (first <= year["last"].max()))
    rows = fetch(new.group_by(segment=new[by]).aggregate(customers=new.count())).to_pylist()
    count = {str(row["segment"]): int(row["customers"]) for row in rows}
    cost = year.groupby(by)["acquisition_spend"].sum()
    sums = {str(name): float(value) for name, value in cost.items()}
    notes = [f"{_MEASURED}, {_span(year)}."]
    notes += [
        f"CAC of {name} is not known: {spent} won nobody. It is in that of all customers."
        for name, value in sums.items()
        for spent in [money(value, orders.money_unit)]
        if value > 0 and name not in count
    ]
    whole = {ALL: sum(sums.values()) / sum(count.values())} if count else {}
    return {name: value / count[name] for name, value in sums.items() if name in count} | whole, notes


def _span(year: pd.DataFrame) -> str:
    """Days from the first to the last of some periods, in words."""
    return f"{year['first'].min()} to {year['last'].max()}, whole periods of {YEAR} months at most"


def _tested(
    orders: Transactions,
    economics: Economics,
    kind: type[Any],
    inference: Inference,
    origins: int,
    window: str | None,
    notes: list[str],
) -> tuple[Backtest | None, float | Sequence[float]]:
    """Back-test the model, and say what that makes of the level; with a note where the log is too short."""
    if len(orders.rfm()) > SURE and inference.method != "mle":
        inference = dataclasses.replace(inference, method="map")
    try:
        horizon = window or _window(orders, origins)
        found = backtest(
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
        return None, NO_LEVEL
    return found, _level(found, horizon, economics, orders.as_of_date)


def _window(orders: Transactions, origins: int) -> str:
    """Return the longest window before which there is as much log for three origins."""
    first = fetch(orders.rfm().table.aggregate(day=lambda t: t.first_date.min())).to_pylist()[0]["day"]
    for window in WINDOWS:
        if moved(orders.as_of_date, window, -min(origins, ENOUGH) - 1) >= first - dt.timedelta(days=1):
            return window
    return WINDOWS[-1]


def _level(tested: Backtest, window: str, economics: Economics, as_of: dt.date) -> Sequence[float]:
    """Return how far the level may be off; corrected only for the window that the correction is of."""
    alike = horizon_days(window, as_of) == horizon_days(economics.horizon, as_of)
    return tested.level_range if alike else tested.spread
