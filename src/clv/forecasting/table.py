"""The forecast table: one row per customer and horizon, in the columns that its readers rely on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from clv.data.engines import to_pandas, write_table
from clv.data.thresholds import DOMINANT
from clv.forecasting.simple import CUSTOMER_MIN_DAYS

if TYPE_CHECKING:
    import pandas as pd

    from clv.forecasting.customers import Forecast

_COLUMNS = (
    "p_alive",
    "p_purchase",
    "expected_purchases",
    "next_purchase",
    "expected_spend",
    "spend_p05",
    "spend_p95",
    "clv_mean",
    "clv_median",
    "clv_p05",
    "clv_p95",
    "historic_value",
    "percentile",
)


def flags(t: Any) -> Any:
    """Return what is particular about each customer of a forecast, as text; see `CustomerForecast`."""
    import ibis

    told = {
        "young": t["T"] < CUSTOMER_MIN_DAYS,
        "spend unknown": t.spent_days == 0,
        "dominant": t.clv_mean >= DOMINANT * t.clv_mean.sum().over(),
    }
    text = reduce(lambda one, other: one + other, (ibis.ifelse(so, f"{n}; ", "") for n, so in told.items()))
    return text.substr(0, ibis.greatest(text.length() - 2, 0))


@dataclass(frozen=True, eq=False, repr=False)
class CustomerForecast:
    """The forecast table: one row per customer and horizon, on the engine until asked for.

    p_alive, p_purchase (of at least one in the horizon), expected_purchases (null of a lifetime);
    next_purchase, the day by which
    half would have bought again, null where that takes more than ten years; expected_spend, the mean value
    expected of a purchase, with 5 and 95 % of the customer's own mean; clv_mean, discounted contribution of
    the horizon, and its median, 5 and 95 %; historic_value, contribution so far; percentile by clv_mean;
    flags, "" for most: "young", known for less than four weeks; "spend unknown", no paid day, so that its
    spend is expected to be anybody's; "dominant", with a tenth of the base's value or more.
    """

    forecasts: tuple[Forecast, ...]
    run_id: str | None = None
    bands: bool = True

    @property
    def table(self) -> Any:
        """The columns of the contract, as an Ibis table in the order of customer_id, and of horizons."""
        parts = [self._part(at, forecast) for at, forecast in enumerate(self.forecasts)]
        whole = reduce(lambda one, other: one.union(other), parts)
        return whole.order_by("customer_id", "horizon_place").drop("horizon_place")

    def _part(self, at: int, forecast: Forecast) -> Any:
        import ibis

        t = forecast.banded if self.bands else forecast.table
        if forecast.days == float("inf"):  # of a whole lifetime they may have no mean
            t = t.mutate(expected_purchases=ibis.null("float64"))
        return t.select(
            as_of=ibis.literal(forecast.rfm.as_of),
            **({"run_id": ibis.literal(self.run_id)} if self.run_id else {}),
            customer_id=t.customer_id,
            horizon=ibis.literal(forecast.horizon),
            **{name: t[name] for name in (*_COLUMNS, *forecast.rfm.segments, "flags") if name in t.columns},
            horizon_place=ibis.literal(at),
        )

    def __repr__(self) -> str:
        return f"<CustomerForecast: {self._basis}>"

    @property
    def _basis(self) -> str:
        said = "; ".join(forecast.basis for forecast in self.forecasts)
        return f"{said}; bands: {self.forecasts[0].doubt}" if self.bands else said

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a data frame."""
        frame: pd.DataFrame = to_pandas(self.table)
        return frame

    def to_parquet(self, path: str) -> None:
        """Write all rows to a Parquet file."""
        write_table(self.table, path)

    def to_csv(self, path: str) -> None:
        """Write all rows to a CSV file."""
        write_table(self.table, path, csv=True)

    def _repr_html_(self) -> str:
        frame: pd.DataFrame = to_pandas(self.table.limit(8))
        return f"<p>{self._basis}; first rows:</p>{frame.to_html(index=False)}"
