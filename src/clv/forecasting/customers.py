"""Forecasts per customer: formulas on distinct histories, joined back on the engine by integer keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.engines import fetch, keep, upload
from clv.data.rfm import RFM, group_labels, groups_of, history_of, value_histories
from clv.errors import ConfigError
from clv.fitting.result import Fit
from clv.forecasting.checks import check_finite, check_fits, check_reach, checked_horizon
from clv.forecasting.economics import Economics
from clv.forecasting.lines import DRAWS
from clv.forecasting.margins import Margin, Margins
from clv.forecasting.ranges import Level
from clv.forecasting.stream import Base, bands
from clv.forecasting.table import CustomerForecast, flags
from clv.forecasting.value import value_terms
from clv.models.draws import draws_of, mean_over_draws
from clv.models.histories import PurchaseHistory
from clv.units import EPOCH, LIFETIME, daily_discount, horizon_days, in_words, percent

if TYPE_CHECKING:
    import pandas as pd

    from clv.forecasting.totals import Totals

KEYS = ("frequency", "recency", "T", "spent_days")
_NEVER = 3653  # days to the next purchase, above which no date is given: ten years


@dataclass(frozen=True, eq=False, repr=False)
class Forecast:
    """Purchases and value of a base over one horizon; `clv_mean` is contribution, discounted to as_of."""

    purchase: Fit
    spend: Fit
    rfm: RFM
    horizon: str
    margins: Margins
    discount: float
    levels: Level

    def __repr__(self) -> str:
        return f"<Forecast: {self.basis}>"

    @property
    def days(self) -> float:
        """Length of the horizon; infinite for the residual lifetime."""
        return horizon_days(self.horizon, self.rfm.as_of)

    @property
    def basis(self) -> str:
        """Population, horizon, rate and basis in words, as every table has to carry them."""
        length = in_words(self.horizon) if self.horizon == LIFETIME else f"next {in_words(self.horizon)}"
        return f"{len(self.rfm):,} existing customers, {length} after {self.rfm.as_of}, {self.terms}"

    @property
    def terms(self) -> str:
        """Margin, rate, what is not counted, and how old the fits are, in words."""
        fitted = min((fit.as_of for fit in (self.purchase, self.spend) if fit.as_of), default=self.rfm.as_of)
        older = f"; fitted on what was known on {fitted}" if fitted < self.rfm.as_of else ""
        money = f" in {self.rfm.currency}" if self.rfm.currency else ""
        return (
            f"contribution{money} at {self.margins.words}, discounted at {percent(self.discount)} a year"
            f"{self.levels.words}, before acquisition cost{older}"
        )

    @cached_property
    def drift(self) -> str | None:
        """How far the base has moved since its fits were made, and whether to refit; None on the same day.

        The base is fitted anew, at its mode, to say what that would change: see `clv.drift`.
        """
        from clv.forecasting.drift import drift_note

        return drift_note(self)

    def _repr_html_(self) -> str:
        moved = f"<p>{escape(self.drift)}</p>" if self.drift else ""
        return f"<p>{escape(repr(self))}</p>{moved}"

    @property
    def doubt(self) -> str:
        """What bands count, in words."""
        drawn = [fit for fit in (self.purchase, self.spend) if fit.posterior]
        counted = {0: "chance alone: parameters are taken for certain", 1: "chance and some parameters"}
        known = counted.get(len(drawn), "chance and parameters")
        if self.levels.range.certain:
            return f"5 to 95 % of {known}, not of seasons or drift"
        return f"5 to 95 % of {known}, and, of totals of money, of how far past ones were off"

    @property
    def level(self) -> float:
        """What values are multiplied by."""
        return self.levels.factor

    @property
    def margin(self) -> float:
        """The expected margin, where it is one for all; ConfigError C002 where it differs by segment."""
        if self.margins.by:
            raise ConfigError(f"C002 margin must be one for all here; got margins by {self.margins.by}.")
        return self.margins.expected("")

    @property
    def draws(self) -> int:
        """Draws that totals are taken over."""
        sizes = [size for fit in (self.purchase, self.spend) if (size := draws_of(fit.model))]
        return min([DRAWS, *sizes])

    @cached_property
    def table(self) -> Any:
        """The RFM table with the forecast columns, as an Ibis table on the engine of the base."""
        import ibis

        joined = self._joined(self.rfm.table, self._terms())
        spend = self._money(joined.spent_total)
        margin, whole = self.margins.column(joined), ibis.null("float64")
        if "first_amount" in joined.columns:  # a ready-made table does not know
            whole = self._money(joined.repeat_spend + joined.first_amount)
        valued = joined.mutate(
            expected_spend=joined.e0 + joined.e1 * spend,
            clv_mean=self.level * margin * (joined.c0 + joined.c1 * spend),
            historic_value=whole * margin,
        )
        rank = ibis.percent_rank().over(ibis.window(order_by=valued.clv_mean))
        valued = valued.mutate(percentile=(rank * 100).round(2), flags=flags(valued))
        return keep(valued.drop("e0", "e1", "c0", "c1", "spent_days", "spent_total"))

    def p_purchase(self, days: float) -> Any:
        """customer_id and p_purchase, the probability of a purchase within so many days, on the engine."""
        history = history_of(self._rows, self.rfm, self.purchase.unit)
        purchase, _ = self._models(self._rows, history)
        chance = methodcaller("p_purchase", history, days / self.purchase.unit)
        found = {"p_purchase": mean_over_draws(purchase, len(history), chance)}
        return self._joined(self.rfm.table, found).select("customer_id", "p_purchase")

    @cached_property
    def sums(self) -> dict[str, float]:
        """Expected totals of the base: customers, active, orders, clv; without bands, which `totals` has."""
        t = self.table
        sums = {"active": t.p_purchase.sum(), "orders": t.expected_purchases.sum(), "clv": t.clv_mean.sum()}
        found: dict[str, float] = fetch(t.aggregate(customers=t.count(), **sums)).to_pylist()[0]
        return found

    @cached_property
    def banded(self) -> Any:
        """The same with bands of spend and value, and the date of the next purchase."""
        from clv.data.dates import date_of

        joined = self._joined(self.table, self._bands())
        spend = self._money(joined.spent_total)
        lines = {name: joined[f"{name}_0"] + joined[f"{name}_1"] * spend for name in (*_SPENT, *_VALUED)}
        margin = self.margins.column(joined)
        lines |= {name: self.level * margin * lines[name] for name in _VALUED}
        terms = [f"{name}_{i}" for name in lines for i in (0, 1)]
        found = joined.mutate(**lines, next_purchase=date_of(joined.next_day))
        return keep(found.drop(*terms, "next_day", "spent_days", "spent_total"))

    @property
    def base(self) -> RFM:
        """The base with the columns of its forecast."""
        return dataclasses.replace(self.rfm, table=self.table)

    def spent(self, table: Any) -> Any:
        """Return a table with the paid days and the spend that the spend model goes by."""
        return self.rfm.spent(table, self.told)

    @property
    def told(self) -> bool:
        """Whether first orders say what the spend model expects of later ones."""
        return self.spend.first_order == "included"

    def with_columns(self, **columns: Any) -> Forecast:
        """Return the same forecast with other segment columns; nothing is computed again."""
        other = dataclasses.replace(self)
        other.__dict__["table"] = self.table.mutate(**columns)
        return other

    def over(self, horizon: str, *, allow_extrapolation: bool = False) -> Forecast:
        """Return the forecast of the same base over another horizon; ConfigError C006 or C008."""
        if horizon == self.horizon:
            return self
        if checked_horizon(horizon) != LIFETIME and not allow_extrapolation:
            check_reach(self.rfm, horizon, "horizon")
        return dataclasses.replace(self, horizon=horizon)

    def customers(
        self, run_id: str | None = None, *, horizons: Sequence[str] = (), bands: bool = True
    ) -> CustomerForecast:
        """One row per customer and horizon in the columns of the forecast table.

        `run_id` makes a column where there is one; `horizons` stand for the forecast's own; without `bands`
        medians, quantiles and the next purchase are left out, which is many times faster.
        """
        if isinstance(horizons, str) or not isinstance(horizons, Sequence):
            raise ConfigError(f'C010 horizons must be a list; got {horizons!r}. Write ["{horizons}"].')
        return CustomerForecast(tuple(map(self.over, dict.fromkeys(horizons))) or (self,), run_id, bands)

    def totals(
        self,
        by: str | None = None,
        period: str | None = None,
        plan: pd.DataFrame | None = None,
        *,
        fiscal_year_start: int = 1,
    ) -> Totals:
        """Totals with 90 % bands, of the whole base, by segment, and by fiscal period.

        Parameters
        ----------
        by : a segment column
        period : "M", "Q" or "Y", of a fiscal year that begins with month `fiscal_year_start`
        plan : new customers to be acquired: a table with the columns period ("2026-11", "2026-Q4", "FY2027"),
            customers, and `by`
            They come evenly over their period, and make lines of their own, and sums with existing ones.
            Periods that are over, or begin after the horizon, are left out; `basis` names them.

        Raises
        ------
        ConfigError C001, C006, C011, C012, P001, P002, P003
        DataError D016
        """
        from clv.forecasting.totals import totals

        return totals(self, by, period, plan, fiscal_year_start)

    def new_customers(self, by: str | None = None) -> Totals:
        """Value of a just-acquired customer over the horizon, its first order included, by segment.

        Columns: first_order, its mean; clv_mean, contribution discounted to the first order, and how sure
        that mean is, clv_mean_p05 and _p95; of a single customer clv_p05, clv_median and clv_p95. Segments
        differ by their first orders, and by their parameters where fits are by them.
        """
        from clv.forecasting.equity import new_customers

        return new_customers(self, by)

    def equity(
        self,
        plan: pd.DataFrame | None = None,
        cac: float | Mapping[str, float] | None = None,
        by: str | None = None,
        *,
        fiscal_year_start: int = 1,
    ) -> Totals:
        """Customer equity: lifetime value still to come of existing customers, and of planned ones less CAC.

        `plan` is that of `totals`, `cac` the cost of a customer, one or by segment of `by`. Raises
        ConfigError C005 for planned customers of unknown cost, and what `totals` raises.
        """
        from clv.forecasting.equity import equity

        return equity(self, plan, cac, by, fiscal_year_start)

    def newcomer(self, segments: Mapping[str, str]) -> Base:
        """Return a customer who has just placed its first order in these segments, as a base of one row.

        Raises ConfigError C012 where parameters differ by a segment that is not among them.
        """
        missing = [name for name in self.keys[len(KEYS) :] if name not in segments]
        if missing:
            raise ConfigError(
                f"C012 a new customer's parameters differ by {', '.join(missing)}; plan by that column, or "
                'fit with pooling="complete".'
            )
        rows = {name: np.zeros(1, dtype=np.int32) for name in KEYS} | {"customers": np.ones(1)}
        return self.streamed(
            rows | {name: np.array([value], dtype=object) for name, value in segments.items()}
        )

    @property
    def rate(self) -> float:
        """Continuous rate per time unit of the purchase model."""
        return daily_discount(self.discount) * self.purchase.unit

    @property
    def t(self) -> float:
        """The horizon in time units of the purchase model."""
        return self.days / self.purchase.unit

    @property
    def keys(self) -> list[str]:
        """Columns that a customer's forecast follows from, but for its spend."""
        return [*KEYS, *dict.fromkeys((*self.purchase.by, *self.spend.by))]

    def streamed(self, rows: dict[str, Any]) -> Base:
        """Return rows with the columns of `keys` as what draws are streamed over."""
        history = history_of(rows, self.rfm, self.purchase.unit)
        by = self.keys[len(KEYS) :]
        group = groups_of(rows, by)[1] if by else None
        paid_days = np.asarray(rows["spent_days"], dtype=float)
        return Base(
            *self._models(rows, history), history, paid_days, paid_share=self.rfm.paid_share, group=group
        )

    @cached_property
    def _rows(self) -> dict[str, Any]:
        return value_histories(self.rfm, self.keys[len(KEYS) :], first_orders=self.told)

    def _joined(self, table: Any, terms: dict[str, Any]) -> Any:
        import pyarrow as pa

        columns = {**{key: self._rows[key] for key in self.keys}, **terms}
        return self.spent(table).inner_join(upload(table.get_backend(), pa.table(columns)), self.keys)

    def _money(self, minor: Any) -> Any:
        return minor.cast("float64") / 10.0**self.rfm.digits

    def _models(self, rows: dict[str, Any], history: PurchaseHistory) -> tuple[Any, Any]:
        purchase, spend = (
            fit.at(dataclasses.replace(history, group=group_labels(rows, fit.by)) if fit.groups else history)
            for fit in (self.purchase, self.spend)
        )
        return purchase, spend

    def _terms(self) -> dict[str, Any]:
        history = history_of(self._rows, self.rfm, self.purchase.unit)
        terms = value_terms(
            *self._models(self._rows, history),
            history,
            np.asarray(self._rows["spent_days"], dtype=float),
            t=self.t,
            rate=self.rate,
            paid_share=self.rfm.paid_share,
        )
        check_finite(terms.c0, self.purchase.model)
        return dataclasses.asdict(terms)

    def _bands(self) -> dict[str, Any]:
        import pyarrow as pa

        low, high = (self._rows[name] / 10.0**self.rfm.digits for name in ("spent_low", "spent_high"))
        found = bands(self.streamed(self._rows), low, high, t=self.t, rate=self.rate)
        days = np.ceil(found.next_purchase * self.purchase.unit)
        never = days > _NEVER
        terms: dict[str, Any] = {}
        for names, lines in ((_VALUED, found.value), (_SPENT, found.spend)):
            terms |= {f"{name}_{i}": lines[at, i] for at, name in enumerate(names) for i in (0, 1)}
        start = (self.rfm.as_of - EPOCH).days
        terms["next_day"] = pa.array(np.where(never, 0, days + start).astype("int32"), mask=never)
        return terms


_SPENT = ("spend_p05", "spend_p95")
_VALUED = ("clv_p05", "clv_median", "clv_p95")


def forecast(
    purchase: Fit,
    spend: Fit,
    rfm: RFM,
    horizon: str = "12m",
    *,
    margin: Margin,
    margin_by: str | None = None,
    discount: float = 0.10,
    level: float | Sequence[float] = 1.0,
    allow_extrapolation: bool = False,
) -> Forecast:
    """Forecast purchases and value of every customer in `rfm`.

    Parameters
    ----------
    purchase, spend : fits of a purchase and a spend model
    rfm : the base; the forecast starts at its as-of date
    horizon : "12m", "39w", "90d", or "lifetime" for the residual lifetime
    margin : contribution per unit of revenue, above 0 and at most 1
        One for all; (low, middle, high), where it is 5, 50 and 95 % sure; or such by segment of the column
        `margin_by`.
    discount : annual rate; purchases are discounted to as_of from the day they are made
    level : what to multiply values by, such as `level_factor` of a back-test
        Or (low, middle, high), such as its `level_range`: totals then know how far past ones were off.
    allow_extrapolation : let the horizon reach beyond three times the time observed

    Raises
    ------
    FitError M001
        When a fit did not converge.
    FitError M004
        When the base ends before the data that a fit has seen.
    ConfigError C001, C002, C003, C006, C008, C011, C012
    """
    check_fits(purchase, spend, rfm)
    margins = Margins.of(margin, margin_by)
    Economics(0.5, discount)
    if margin_by is not None:
        rfm.check_segments([margin_by])
        margins.check_segments(set(rfm.grouped((margin_by,))[margin_by]))
    if checked_horizon(horizon) != LIFETIME and not allow_extrapolation:
        check_reach(rfm, horizon, "horizon")
    return Forecast(purchase, spend, rfm, horizon, margins, discount, Level.of(level))
