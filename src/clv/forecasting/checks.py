"""What a forecast refuses to be asked: fits that do not go with the base, and horizons out of reach."""

from __future__ import annotations

from typing import Any

import numpy as np

from clv.data.engines import fetch
from clv.data.rfm import RFM
from clv.errors import ConfigError, FitError
from clv.fitting.result import Fit
from clv.forecasting.economics import Economics
from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array
from clv.units import LIFETIME, horizon_days

REACH = 3  # C008: a horizon this many times as long as the history is no forecast any more


def checked_horizon(horizon: str) -> str:
    """Return a horizon; ConfigError C006 or C010 for what is none."""
    if horizon != LIFETIME:
        Economics(0.5, 0.0, horizon)
    return horizon


def check_fits(purchase: Fit, spend: Fit, rfm: RFM) -> None:
    """Raise ConfigError C001 or C012, FitError M001 or M004, for fits that cannot forecast this base."""
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
    if not isinstance(rfm, RFM):
        raise ConfigError(
            f"C012 rfm must be an RFM table; got a {type(rfm).__name__}. Call orders.rfm() first."
        )
    if rfm.as_of is None:
        raise ConfigError(
            'C001 as_of is where a forecast starts; give it: clv.RFM(table, unit, as_of="2026-09-30").'
        )
    for fit in (purchase, spend):
        if not fit.converged:
            raise FitError(fit.message)
        if fit.as_of and fit.as_of > rfm.as_of:
            raise FitError(
                f"M004 {type(fit.estimate).__name__} has seen data up to {fit.as_of}; the base ends before, "
                f"on {rfm.as_of}. Fit it on what was known then."
            )


def check_finite(discounted: Array, model: Any) -> None:
    """Raise ConfigError C011 for a lifetime whose discounted purchases have no end."""
    if not np.all(np.isfinite(discounted)):
        raise ConfigError(
            f"C011 the undiscounted residual lifetime is infinite for this {type(model).__name__}. Set "
            'discount above 0, or a horizon such as "5y".'
        )


def check_reach(rfm: RFM, horizon: str, named: str) -> None:
    """Raise ConfigError C008 for a horizon far beyond what was ever observed."""
    longest = fetch(rfm.table.aggregate(longest=rfm.table["T"].max())).to_pylist()[0]["longest"]
    days, span = horizon_days(horizon, rfm.as_of), int(longest or 0)
    if days > REACH * span:
        raise ConfigError(
            f"C008 {named} must not reach beyond {REACH} times the history; got {horizon!r} "
            f"({days:,.0f} days) after {span:,} days. Shorten it, supply a longer history, or set "
            "allow_extrapolation = true."
        )
