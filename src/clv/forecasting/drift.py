"""How far a base has moved since a fit was made, and whether the fit still tells its future.

That histories differ from those fitted says little by itself: a base grows older every day, and parameters
that hold for ever say how. So the table shows what has moved, and the verdict goes by what refitting on the
data of today would change.

[S06] Siddiqi (2006), Credit Risk Scorecards, ch. 6: the population stability index.
[H78] Hausman (1978), Specification Tests in Econometrics, Econometrica 46: of two estimates, one of them from
a part of the other's data, the variance of the difference is the difference of the variances.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import eigh
from scipy.stats import chi2

from clv.data.engines import fetch
from clv.data.rfm import RFM
from clv.errors import ClvError, ConfigError, FitError
from clv.fitting.inference import at_mode
from clv.fitting.result import Fit
from clv.models.histories import PurchaseHistory, SpendHistory
from clv.models.protocols import Array, HistorySource
from clv.units import EPOCH, LIFETIME, horizon_days, in_words, measured

if TYPE_CHECKING:
    import pandas as pd

    from clv.forecasting.customers import Forecast

# Change of a customer's forecast by refitting, from which a refit is due soon, or now. Totals miss by 10 to
# 25 % on real logs, whatever the fit: a twentieth is lost in that, and three of them are not.
SOON, NOW = 0.05, 0.15
CHANCE = 0.01  # probability above which a change is what chance alone brings
MOVED, FAR = 0.10, 0.25  # of the stability index, from which a base is said to have moved, and far [S06]
_BINS = 10
_AGE = "T in days"
_YEAR = "12m"


@dataclass(frozen=True, eq=False, repr=False)
class Drift:
    """What has moved since a fit was made, and what refitting would change.

    table : a row a measure of the histories: its mean `then` and `now`, the population stability `index`
        over tenths of those fitted, and the share of customers `outside` the range of those
        NaN where the fit does not know its data.
    days : since the last day of the data fitted; None where days are not known
    new_customers : share of customers whose first order came later; NaN where days are not known
    outside : share of customers outside the range of those fitted, in one measure or more but age
    gain : log-likelihood per customer of the data of today that refitting would win
    p_value : probability that chance alone brings such a gain
        For purchases a later base is taken to hold the customers fitted, one without dates to be of others;
        for spend it is an upper bound.
    total : change of the forecast in total by refitting, as a share; of a spend model, of the mean value
        expected of a purchase
    each : mean change of a customer's forecast, either way, against the mean forecast
    refit : the fit to the data of today, at its mode
    horizon : of the forecast
    """

    fit: Fit
    table: pd.DataFrame
    days: int | None
    new_customers: float
    outside: float
    gain: float
    p_value: float
    total: float
    each: float
    refit: Fit
    horizon: str

    @property
    def verdict(self) -> str:
        """By rule "keep", "refit soon" or "refit now": the change of a customer's forecast, beyond chance."""
        if self.p_value >= CHANCE or not self.each >= SOON:  # NaN: nothing to go by
            return "keep"
        return "refit soon" if self.each < NOW else "refit now"

    @property
    def sentence(self) -> str:
        """The verdict, with what it rests on."""
        kind = type(self.fit.estimate).__name__
        since = f" of {self.fit.as_of}" if self.fit.as_of else ""
        what = (
            f"purchases of the next {in_words(self.horizon)}" if _counts(self.fit) else "a purchase's value"
        )
        head = {"keep": f"Keep the {kind}{since}", "refit soon": f"Refit the {kind}{since} soon"}
        said = head.get(self.verdict, f"Refit the {kind}{since} now")
        p = "< .001" if self.p_value < 0.001 else f"{self.p_value:.3f}".removeprefix("0")
        why = (
            f"as chance alone may bring (p {p})"
            if self.p_value >= CHANCE
            else "too little to matter"
            if self.verdict == "keep"
            else f"more than chance brings (p {p})"
        )
        return (
            f"{said}: on the data of today its forecast of {what} would change by "
            f"{measured(self.total, '+')} in total and {measured(self.each)} a customer, {why}."
        )

    @property
    def moved(self) -> str:
        """What has moved in the base, in a sentence; that it has aged is no news."""
        known = self.table["index"].drop(index=_AGE, errors="ignore").dropna()
        new = self.new_customers
        parts = [] if np.isnan(new) else [f"{measured(new)} of customers are new"]
        if len(known):
            name, index = known.idxmax(), known.max()
            how = "has moved far" if index >= FAR else "has moved" if index >= MOVED else "has hardly moved"
            parts.append(f"{measured(self.outside)} have histories beyond those fitted")
            parts.append(f"the base {how}, most in {name} (stability index {index:.2f})")
        else:
            parts.append(
                "how histories have moved is not known, as a fit that was read from a file does not know its "
                "data (give since=, the RFM table of then)"
            )
        when = "Since then" if self.days is None else f"In {self.days:,} days"
        return f"{when}: {'; '.join(parts)}."

    def __repr__(self) -> str:
        return f"{self.sentence}\n{self.moved}\n{self.table.to_string(float_format='{:,.3f}'.format)}"

    def _repr_html_(self) -> str:
        shown = self.table.to_html(float_format="{:,.3f}".format, na_rep="–")
        return f"<p>{escape(self.sentence)}</p><p>{escape(self.moved)}</p>{shown}"


def drift(fit: Fit, rfm: HistorySource, *, since: HistorySource | None = None, horizon: str = _YEAR) -> Drift:
    """Say how far a base has moved since a fit was made, and whether to refit.

    Parameters
    ----------
    fit : a fit of purchases or spend
    rfm : the base of today, an RFM table or a history
    since : the base that was fitted, for a fit that was read from a file; by default what the fit remembers
    horizon : of the forecasts that are compared

    Returns
    -------
    Drift
        "refit soon" where refitting would change a customer's forecast by 5 % or more, "refit now" from 15 %
        on, and by more than chance brings (p < .01); else "keep".

    Raises
    ------
    ConfigError C006, C008, C012
    FitError M001
        When the data of today cannot be fitted.
    FitError M004
        When they end before those that were fitted.
    """
    kind = type(fit.estimate).History
    if fit.groups or not issubclass(kind, PurchaseHistory | SpendHistory):
        raise ConfigError(
            "C012 drift is of one set of parameters, of purchases or spend. Fit a group alone: "
            'rfm.where("channel", "web").'
        )
    today = getattr(rfm, "as_of", None)
    before = fit.as_of or getattr(since, "as_of", None)
    if today and before and before > today:
        raise FitError(
            f"M004 {type(fit.estimate).__name__} has seen data up to {before}; the base ends before, on "
            f"{today}. Ask with a later one."
        )
    now = _history(fit, rfm)
    then = _history(fit, since) if since is not None else fit.history
    refit = at_mode(fit).fit(type(fit.estimate), rfm)
    if not refit.converged:
        raise FitError(refit.message)
    days = (today - before).days if today and before else None
    gain, p_value = _gain(fit, refit, now, later=days is not None and _counts(fit))
    table, outside = _moved(then, now)
    total, each = _change(fit, refit, now, horizon_days(_finite(horizon), today or EPOCH))
    return Drift(
        fit, table, days, _new(rfm, days), outside, gain, p_value, total, each, refit, _finite(horizon)
    )


def drift_note(forecast: Forecast) -> str | None:
    """Say how far the base of a forecast has moved since its fits were made; None where it is the same day.

    The sentence is of the fit that has to be made anew soonest.
    """
    fits = [fit for fit in (forecast.purchase, forecast.spend) if fit.as_of]
    later = [fit for fit in fits if fit.as_of and fit.as_of < forecast.rfm.as_of]
    if not later:
        return None
    try:
        found = [drift(fit, forecast.rfm, horizon=forecast.horizon) for fit in later]
    except ClvError as error:
        days = max((forecast.rfm.as_of - fit.as_of).days for fit in later if fit.as_of)
        return (
            f"The base is {days:,} days older than the fit; what refitting would change is not known: {error}"
        )
    worst = max(found, key=lambda d: (_URGENCY.index(d.verdict), d.each))
    return f"{worst.sentence} {worst.moved}"


_URGENCY = ("keep", "refit soon", "refit now")


def stability_index(then: Array, now: Array, then_weight: Array, now_weight: Array) -> float:
    """Population stability index over tenths of `then`, half a customer more in each; see [S06].

    Values that are shared by many fall into one part, so that there may be fewer than ten.
    """
    order = np.argsort(then, kind="stable")
    reached = np.cumsum(then_weight[order]) / then_weight.sum()
    ends = np.searchsorted(reached, np.arange(1, _BINS) / _BINS - 1e-12)
    edges = np.unique(then[order][np.minimum(ends, len(then) - 1)])
    p, q = (
        np.bincount(np.searchsorted(edges, values), weight, len(edges) + 1) + 0.5
        for values, weight in ((then, then_weight), (now, now_weight))
    )
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))


def _history(fit: Fit, source: Any) -> Any:
    if fit.first_order == "included" and isinstance(source, RFM):
        source = source.with_first_orders()
    history = fit.histories_of(source)
    return history.rescaled(fit.unit / history.unit)


def _finite(horizon: str) -> str:
    return _YEAR if horizon == LIFETIME else horizon


def _counts(fit: Fit) -> bool:
    return issubclass(type(fit.estimate).History, PurchaseHistory)


def _measures(history: Any) -> dict[str, Array]:
    """What of a history is compared: for money too how often, and how much each time."""
    if isinstance(history, SpendHistory):
        return {"spend days": history.m, "mean value": history.S / history.m}
    recency = np.divide(history.t_x, history.T, out=np.zeros_like(history.T), where=history.T > 0)
    return {"frequency": history.x, "recency ÷ T": recency, _AGE: history.T * history.unit}


def _moved(then: Any, now: Any) -> tuple[pd.DataFrame, float]:
    """Return the table of measures, and the share of customers outside the range fitted."""
    import pandas as pd

    share = now.weight / now.weight.sum()
    rows, beyond = {}, np.zeros(len(now), dtype=bool)
    for name, values in _measures(now).items():
        rows[name] = dict.fromkeys(("then", "now", "index", "outside"), float("nan"))
        rows[name]["now"] = float(values @ share)
        if then is not None:
            was = _measures(then)[name]
            out = (values < was.min() * (1 - 1e-9)) | (values > was.max() * (1 + 1e-9))
            beyond |= out & (name != _AGE)
            rows[name]["then"] = float(was @ (then.weight / then.weight.sum()))
            rows[name]["index"] = stability_index(was, values, then.weight, now.weight)
            rows[name]["outside"] = float(share[out].sum())
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")
    return table, float("nan") if then is None else float(share[beyond].sum())


def _gain(fit: Fit, refit: Fit, now: Any, later: bool) -> tuple[float, float]:
    """Log-likelihood per customer that refitting wins, and its p-value.

    Where nothing has changed, twice the gain is a sum of squares of normals, with the eigenvalues of the
    variance of the difference of both estimates against that of the new one as weights, and as good as a
    chi-square of the same two moments. Variances of the estimates add up where the customers are others,
    and subtract where the data of today are those fitted and more [H78]. Of spend they are less than that:
    a total does not tell what of it was there before, so the sum is taken, which is an upper bound.
    """
    won = float(((refit.estimate.log_likelihood(now) - fit.estimate.log_likelihood(now)) * now.weight).sum())
    won = max(won, 0.0)
    scales = [np.array(list(f.parameters.values()), dtype=float) for f in (fit, refit)]
    old, new = (f.covariance / np.outer(s, s) for f, s in zip((fit, refit), scales, strict=True))
    weights = np.ones(len(new))
    if np.isfinite(old).all() and np.isfinite(new).all():
        weights = np.maximum(eigh(old, new, eigvals_only=True) + (-1 if later else 1), 0.0)
    if weights.sum() < 1e-6:  # the same data
        weights = np.ones(len(new))
    size, square = weights.sum(), (weights**2).sum()
    p_value = float(chi2.sf(2 * won * size / square, size**2 / square))
    return won / float(now.weight.sum()), p_value


def _change(fit: Fit, refit: Fit, now: Any, days: float) -> tuple[float, float]:
    """Change of the forecast by refitting: in total, and of each customer either way."""

    def said(model: Any) -> Array:
        if isinstance(now, SpendHistory):
            return np.asarray(model.expected_spend(now.m, now.S))
        return np.asarray(model.expected_purchases(now, days / fit.unit))

    old, new = said(fit.estimate), said(refit.estimate)
    share = now.weight / (old * now.weight).sum()
    return float(((new - old) * share).sum()), float((np.abs(new - old) * share).sum())


def _new(rfm: Any, days: int | None) -> float:
    """Share of customers whose first order came in the last so many days; NaN where days are not known."""
    if days is None or not isinstance(rfm, RFM):
        return float("nan")
    young = rfm.table["T"] < days
    row = fetch(rfm.table.aggregate(young=young.sum(), all=rfm.table.count())).to_pylist()[0]
    return float((row["young"] or 0) / max(row["all"], 1))
