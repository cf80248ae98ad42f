"""Every number of a report, from a checked log: what the pages, the workbook and a notebook draw on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv.data.ageing import spend_by_age
from clv.data.contract import Transactions
from clv.data.holdout import split
from clv.data.rfm import RFM
from clv.data.segments import RFMCuts
from clv.errors import ConfigError
from clv.evaluation.backtest import HoldoutResult, evaluate_holdout
from clv.evaluation.compare import Comparison, compared
from clv.evaluation.held_bands import with_bands
from clv.fitting.inference import MAXIMUM_LIKELIHOOD, Inference
from clv.fitting.result import Fit
from clv.forecasting.customers import Forecast, forecast
from clv.forecasting.economics import Economics
from clv.forecasting.totals import ALL, worth
from clv.forecasting.value import value_of_new
from clv.models.bg_nbd import BGNBD
from clv.models.gamma_gamma import GammaGamma
from clv.units import LIFETIME

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """A base, its fits and forecasts, what a hold-out says of them, and the simple formulas beside.

    `new_value` is the discounted value of a just-acquired customer over the horizon, first order
    included, before acquisition cost. `lifetime` is None where the residual lifetime has no finite
    value (without a discount, where a ≤ 1); `beyond_five_years` is the share of it that lies there.
    `ages` is revenue a customer by age in months.
    """

    orders: Transactions
    economics: Economics
    rfm: RFM
    cuts: RFMCuts
    purchase: Fit
    spend: Fit
    forecast: Forecast
    lifetime: Forecast | None
    holdout: HoldoutResult | None
    comparisons: Sequence[Comparison]
    ages: pd.DataFrame
    new_value: float
    beyond_five_years: float
    holdout_cuts: RFMCuts | None

    def __repr__(self) -> str:
        return f"<Study: {self.forecast.basis}>"

    @property
    def as_of(self) -> dt.date:
        """The last day that counted."""
        return self.orders.as_of_date

    @property
    def fits(self) -> tuple[Fit, ...]:
        """All fits behind the numbers, those of the hold-out last."""
        held = (self.holdout.purchase, self.holdout.spend) if self.holdout else ()
        return (self.purchase, self.spend, *held)

    @property
    def cac(self) -> float | None:
        """One acquisition cost for all customers, where it is given as one."""
        return self.economics.cac if isinstance(self.economics.cac, int | float) else None


def study(
    orders: Transactions,
    economics: Economics,
    *,
    holdout: dt.date | None = None,
    inference: Inference = MAXIMUM_LIKELIHOOD,
    model: type[Any] = BGNBD,
    level: float | Sequence[float] = 1.0,
    acquired_by: str | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Study:
    """Run the whole path on a log: check, count, fit, hold out, forecast, compare.

    `holdout` is the day that ends the calibration period of the hold-out, which runs to as_of. `inference`
    says by what method models are fitted, and with which priors; `model` is that of purchases, and `level`
    what a back-test says of it, as in `clv.forecast`. With `acquired_by` the fits of that column's segments
    alone have draws: they are what takes time.
    `progress` is called with the name of each step before it begins. Raises DataError, ConfigError or
    FitError where the path cannot go on.
    """
    inference.check(model, GammaGamma)
    progress("Counting customers")
    rfm = orders.rfm()
    cuts = RFMCuts.of(rfm)
    rfm = cuts.apply(rfm)
    tested, held_cuts = None, None
    if holdout is not None:
        progress(f"Testing the forecast on what happened after {holdout}")
        tested, held_cuts = _held_out(orders, holdout, economics, inference, model)
    progress("Fitting purchases and spend")
    purchase, spend = (inference.fit(kind, rfm) for kind in (model, GammaGamma))
    progress("Forecasting every customer")
    terms: dict[str, Any] = {"margin": economics.margin, "discount": economics.discount}
    reach = economics.allow_extrapolation
    horizon = economics.horizon
    ahead = forecast(purchase, spend, rfm, horizon, **terms, level=level, allow_extrapolation=reach)
    lifetime, beyond = _lifetime(ahead)
    progress("Comparing with the simple formulas")
    names = ["rfm_segment", *orders.segments, "cohort"]
    drawn = [acquired_by] if acquired_by else names
    plain = [compared(ahead, economics, by, tested, draws=by in drawn) for by in names]
    comparisons = with_bands(plain, tested)
    economics.check_segments({ALL, *(str(name) for c in comparisons for name in c.members)})
    return Study(
        orders,
        economics,
        rfm,
        cuts,
        purchase,
        spend,
        ahead,
        lifetime,
        tested,
        sorted(comparisons, key=lambda c: c.behavioural),
        spend_by_age(orders, rfm),
        ahead.level * value_of_new(purchase, spend, rfm, economics.horizon, **terms),
        beyond,
        held_cuts,
    )


def _held_out(
    orders: Transactions, cut: dt.date, economics: Economics, inference: Inference, model: type[Any]
) -> tuple[HoldoutResult, RFMCuts]:
    """Return the test on a hold-out, with the segments of then."""
    held = split(orders, cut)
    cuts = RFMCuts.of(held.rfm)
    return evaluate_holdout(held.with_rfm(cuts.apply(held.rfm)), economics, inference, model), cuts


def _lifetime(ahead: Forecast) -> tuple[Forecast | None, float]:
    """Return the forecast of the lifetime, and the share of its value that lies beyond five years."""
    found = ahead.over(LIFETIME)
    try:
        whole = worth(found)
    except ConfigError:
        return None, float("nan")
    return found, 1 - worth(found.over("5y", allow_extrapolation=True)) / whole
