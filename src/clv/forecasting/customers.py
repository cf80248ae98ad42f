"""Forecasts per customer: formulas on distinct histories, joined back on the engine by integer keys."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.engines import fetch, keep, to_pandas, upload, write_parquet
from clv.data.rfm import RFM, group_labels, value_histories
from clv.errors import ConfigError, FitError
from clv.fitting.result import Fit
from clv.forecasting.economics import Economics
from clv.forecasting.value import new_customer_value, value_terms
from clv.models.histories import PurchaseHistory
from clv.units import LIFETIME, daily_discount, horizon_days, in_words, percent

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("frequency", "recency", "T", "spend_days")


@dataclass(frozen=True, eq=False, repr=False)
class Forecast:
    """Purchases and value of a base over one horizon; `clv_mean` is contribution, discounted to as_of."""

    purchase: Fit
    spend: Fit
    rfm: RFM
    horizon: str
    margin: float
    discount: float

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
        return (
            f"{len(self.rfm):,} existing customers, {length} after {self.rfm.as_of}, contribution at "
            f"{percent(self.margin)} margin, discounted at {percent(self.discount)} a year, before "
            "acquisition cost"
        )

    @cached_property
    def table(self) -> Any:
        """The RFM table with the forecast columns, as an Ibis table on the engine of the base."""
        import ibis

        terms = upload(self.rfm.table.get_backend(), self._terms())
        joined = self.rfm.table.inner_join(terms, self._keys)
        spend = joined.repeat_spend.cast("float64") / 10.0**self.rfm.digits
        whole = ibis.null("float64")
        if "first_amount" in joined.columns:  # a ready-made table does not know
            whole = (joined.repeat_spend + joined.first_amount).cast("float64") / 10.0**self.rfm.digits
        valued = joined.mutate(
            expected_spend=joined.e0 + joined.e1 * spend,
            clv_mean=joined.c0 + joined.c1 * spend,
            historic_value=whole * self.margin,
        ).drop("e0", "e1", "c0", "c1")
        rank = ibis.percent_rank().over(ibis.window(order_by=valued.clv_mean))
        return keep(valued.mutate(percentile=(rank * 100).round(2)))

    @property
    def base(self) -> RFM:
        """The base with the columns of its forecast."""
        return dataclasses.replace(self.rfm, table=self.table)

    def with_columns(self, **columns: Any) -> Forecast:
        """Return the same forecast with other segment columns; nothing is computed again."""
        other = dataclasses.replace(self)
        other.__dict__["table"] = self.table.mutate(**columns)
        return other

    def customers(self, run_id: str | None = None) -> CustomerForecast:
        """One row per customer in the columns of the forecast table, with a run id where there is one."""
        return CustomerForecast(self, run_id)

    def totals(self, by: str | None = None) -> pd.DataFrame:
        """Sums by a segment column, or of the whole base.

        Columns: customers, expected_purchases, p_purchase (mean), clv (total), clv_mean (a customer).
        """
        t = self.table
        if by is not None and by not in t.columns:
            have = ", ".join(self.rfm.segments)
            raise ConfigError(f"C001 by must name a segment; got {by!r}. Segments here: {have}.")
        measures = {
            "customers": t.count(),
            "expected_purchases": t.expected_purchases.sum(),
            "p_purchase": t.p_purchase.mean(),
            "clv": t.clv_mean.sum(),
            "clv_mean": t.clv_mean.mean(),
        }
        grouped = t.group_by(by).aggregate(**measures).order_by(by) if by else t.aggregate(**measures)
        frame: pd.DataFrame = fetch(grouped).to_pandas()
        return frame

    @property
    def _keys(self) -> list[str]:
        """Columns that a customer's forecast follows from, but for its spend."""
        return [*KEYS, *dict.fromkeys((*self.purchase.by, *self.spend.by))]

    def _terms(self) -> Any:
        import pyarrow as pa

        rows, history, spend_days = value_histories(self.rfm, self._keys[len(KEYS) :])
        unit = self.purchase.unit
        history = history.rescaled(unit / history.unit)
        purchase, spend = (
            fit.at(dataclasses.replace(history, group=group_labels(rows, fit.by)) if fit.groups else history)
            for fit in (self.purchase, self.spend)
        )
        terms = value_terms(
            purchase,
            spend,
            history,
            spend_days,
            t=self.days / unit,
            rate=daily_discount(self.discount) * unit,
            margin=self.margin,
            paid_share=self.rfm.paid_share,
        )
        if not np.all(np.isfinite(terms.c0)):
            name = type(self.purchase.model).__name__
            raise ConfigError(
                f"C011 the undiscounted residual lifetime is infinite for this {name}. Set "
                "discount above 0, "
                'or a horizon such as "5y".'
            )
        return pa.table({**{key: rows[key] for key in self._keys}, **dataclasses.asdict(terms)})


@dataclass(frozen=True, eq=False, repr=False)
class CustomerForecast:
    """The forecast table: one row per customer, on the engine until asked for."""

    forecast: Forecast
    run_id: str | None = None

    @property
    def table(self) -> Any:
        """The columns of the contract, as an Ibis table in the order of customer_id."""
        import ibis

        forecast, t = self.forecast, self.forecast.table
        return t.select(
            as_of=ibis.literal(forecast.rfm.as_of),
            **({"run_id": ibis.literal(self.run_id)} if self.run_id else {}),
            customer_id=t.customer_id,
            horizon=ibis.literal(forecast.horizon),
            **{
                name: t[name]
                for name in (
                    "p_alive",
                    "p_purchase",
                    "expected_purchases",
                    "expected_spend",
                    "clv_mean",
                    "historic_value",
                    "percentile",
                    *forecast.rfm.segments,
                )
            },
        ).order_by("customer_id")

    def __repr__(self) -> str:
        return f"<CustomerForecast: {self.forecast.basis}>"

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a data frame."""
        frame: pd.DataFrame = to_pandas(self.table)
        return frame

    def to_parquet(self, path: str) -> None:
        """Write all rows to a Parquet file."""
        write_parquet(self.table, path)

    def to_csv(self, path: str) -> None:
        """Write all rows to a CSV file."""
        self.table.to_csv(path, header=True)

    def _repr_html_(self) -> str:
        frame: pd.DataFrame = to_pandas(self.table.limit(8))
        return f"<p>{self.forecast.basis}; first rows:</p>{frame.to_html(index=False)}"


def forecast(
    purchase: Fit,
    spend: Fit,
    rfm: RFM,
    horizon: str = "12m",
    *,
    margin: float,
    discount: float = 0.10,
) -> Forecast:
    """Forecast purchases and value of every customer in `rfm`.

    Parameters
    ----------
    purchase, spend : fits of a purchase and a spend model
    rfm : the base; the forecast starts at its as-of date
    horizon : "12m", "39w", "90d", or "lifetime" for the residual lifetime
    margin : contribution per unit of revenue, above 0 and at most 1
    discount : annual rate

    Raises
    ------
    FitError M001
        When a fit did not converge.
    ConfigError C001, C002, C003, C006, C011
    """
    if any(fit.groups and not fit.by for fit in (purchase, spend) if isinstance(fit, Fit)):
        raise ConfigError(
            "C012 a fit of groups made by hand names no column to look them up by. Fit the RFM table, by=…"
        )
    for role, fit, needed in (("purchase", purchase, "p_alive"), ("spend", spend, "expected_spend_terms")):
        if not hasattr(getattr(fit, "model", None), needed):
            got = type(getattr(fit, "model", fit)).__name__
            raise ConfigError(f"C012 {role} must be a fit of a {role} model; got {got}. Are the two swapped?")
    if not issubclass(purchase.model.History, PurchaseHistory):
        raise ConfigError(
            f"C012 a forecast of an RFM table needs a purchase model in continuous time; got "
            f"{type(purchase.model).__name__}, of {purchase.model.History.__name__} rows. Ask the model "
            "itself: fit.model.expected_purchases(history, t)."
        )
    if rfm.as_of is None:
        raise ConfigError(
            'C001 as_of is where a forecast starts; give it: clv.RFM(table, unit, as_of="2026-09-30").'
        )
    for fit in (purchase, spend):
        if not fit.converged:
            raise FitError(fit.message)
    if horizon == LIFETIME:
        Economics(margin, discount)
    else:
        Economics(margin, discount, horizon)
    return Forecast(purchase, spend, rfm, horizon, margin, discount)


def value_of_new(
    purchase: Fit, spend: Fit, rfm: RFM, horizon: str, *, margin: float, discount: float
) -> float:
    """Value of a just-acquired customer over a horizon, before acquisition cost.

    Its first order counts at the mean of the first orders in `rfm`, its repeat orders by the models. Raises
    ConfigError C012 for fits by groups, of which a new customer has none yet.
    """
    if purchase.groups or spend.groups:
        raise ConfigError(
            "C012 the value of a new customer needs fits of all customers together; got one by groups. Use "
            'pooling="complete", or fit the segment it will belong to.'
        )
    return new_customer_value(
        purchase.model,
        spend.model,
        rfm.first_order,
        t=horizon_days(horizon, rfm.as_of) / purchase.unit,
        rate=daily_discount(discount) * purchase.unit,
        margin=margin,
        paid_share=rfm.paid_share,
    )
