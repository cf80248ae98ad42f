"""Predictive checks: what a model says data should look like, from its priors or its posterior.

[GMS96] Gelman, Meng & Stern (1996), Posterior Predictive Assessment of Model Fitness, Statistica Sinica 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.rfm import RFM
from clv.errors import ConfigError
from clv.fitting.plan import never_estimated, refuse_unless_whole, source_of
from clv.fitting.priors import Priors, Ranges
from clv.fitting.result import Fit
from clv.fitting.transforms import Quantities, rescaled
from clv.models.histories import (
    OpportunityHistory,
    PurchaseHistory,
    RetentionHistory,
    SpendHistory,
)
from clv.models.protocols import Array, HistorySource, Model

if TYPE_CHECKING:
    import pandas as pd

_CUSTOMERS = 20_000  # of a larger base so many are simulated, drawn at random
_MOST = 7  # repeat purchases, from which on customers share a row
_LEVEL = (0.05, 0.5, 0.95)


@dataclass(frozen=True, eq=False, repr=False)
class PredictiveCheck:
    """Simulated data beside the real ones: shares of customers, and repeat purchases week by week.

    `frequency` has a row for each number of repeat purchases (of a spend model: each tenth of customers by
    their mean value; of contracts: each renewal), `tracking` one a week since the first order, where days
    of purchases are known. Columns: actual, and low, middle and high, the ends and the middle of 90 % of
    the simulations.
    """

    title: str
    frequency: pd.DataFrame
    tracking: pd.DataFrame | None

    @property
    def outside(self) -> list[str]:
        """Rows of `frequency` whose actual value is not within 90 % of the simulations."""
        f = self.frequency
        return [str(name) for name in f.index[(f["actual"] < f["low"]) | (f["actual"] > f["high"])]]

    def __repr__(self) -> str:
        return f"{self.title}\n{self.frequency.to_string(float_format='{:.4f}'.format)}\n{self._verdict}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.title)}</p>{self.frequency.to_html()}<p>{escape(self._verdict)}</p>"

    @property
    def _verdict(self) -> str:
        if not self.outside:
            return "Every row lies within 90 % of the simulations."
        return f"Outside 90 % of the simulations: {', '.join(self.outside)}."


def prior_predictive(
    model: type[Model],
    data: HistorySource,
    priors: Ranges | None = None,
    *,
    draws: int = 200,
    seed: int = 0,
    **given: int,
) -> PredictiveCheck:
    """Simulate customers as old as those in `data` from the priors of a model.

    Parameters
    ----------
    model : a class such as `clv.BGNBD`
    data : an RFM table or a history: gives ages and scale, and stands beside
    priors : ranges by name of a quantity, as for `clv.fit`
    draws, seed : of the simulation
    given : what is never estimated, such as `k=2`

    Raises
    ------
    ConfigError C012
        For priors that cannot be meant.
    """
    refuse_unless_whole(1, draws=draws)
    known = Priors.of(model, priors)
    history = source_of(model, data).history(model.History)
    held = never_estimated(model, given)
    space = Quantities(model, held, known, known.centre)
    rng = np.random.default_rng(seed)
    normal = np.clip(rng.standard_normal((draws, len(known.centre))), -3, 3)
    theta = (known.centre + known.sd * normal).T
    drawn = rescaled(model, space.parameters(theta), history.typical())
    models = [model(**{n: v[i] if np.ndim(v) else v for n, v in drawn.items()}) for i in range(draws)]
    return _check(f"{model.__name__}, {draws} draws from its priors", models, history, data, rng)


def posterior_predictive(
    fit: Fit, data: HistorySource | None = None, *, draws: int = 200, seed: int = 0
) -> PredictiveCheck:
    """Simulate the customers of a fit anew, from its draws, or from its estimate where it has none.

    `data` are those that were fitted, an RFM table for the weekly tracking; by default the history that the
    fit remembers. Raises ConfigError C012 for a fit by groups: check a group with a fit of its own.
    """
    refuse_unless_whole(1, draws=draws)
    if fit.groups:
        raise ConfigError("C012 a predictive check is of one set of parameters. Fit a group alone.")
    source = fit.history if data is None else data
    if source is None:
        raise ConfigError("C012 a fit that was read from a file does not know its data. Give them: data=rfm.")
    history = fit.histories_of(source)
    history = history.rescaled(fit.unit / history.unit)
    models = [fit.model] * draws
    if fit.posterior:
        picked = np.linspace(0, len(fit.posterior.theta) - 1, draws).astype(int)
        columns = fit.draws
        models = [type(fit.model)(**{n: float(v[i]) for n, v in columns.items()}, **fit.held) for i in picked]
    of = f"{type(fit.model).__name__} by {fit.method}, {draws} simulations of its customers"
    return _check(of, models, history, source, np.random.default_rng(seed))


def _check(
    title: str, models: Sequence[Any], history: Any, data: Any, rng: np.random.Generator
) -> PredictiveCheck:
    import pandas as pd

    kind = next(k for k in _KINDS if isinstance(history, k))
    labels, share = _KINDS[kind](history)
    rows = _customers(history, rng)
    weeks = _weeks(history, data)
    found, tracked = [], []
    for model in models:
        log: list[Any] = []
        more: dict[str, Any] = {"log": log} if weeks else {}
        if kind is PurchaseHistory:
            more["grain"] = 1 / history.unit  # a day, as in the data
        with np.errstate(all="ignore"):  # of priors some draws are beyond what a float holds
            found.append(share(model.simulate(rng, _design(history)[rows], **more)))
        tracked.append(_by_week(log, history, rows, weeks) * history.weight.sum() / len(rows))
    frequency = pd.DataFrame({"actual": share(history), **_bands(found)}, index=labels)
    tracking = None
    if weeks:
        index = pd.RangeIndex(1, weeks + 1, name="week")
        tracking = pd.DataFrame({"actual": data.repeats_by_week(weeks), **_bands(tracked)}, index=index)
    return PredictiveCheck(title, frequency, tracking)


def _customers(history: Any, rng: np.random.Generator) -> Any:
    """Rows of as many customers as there are, or of some of them drawn at random."""
    weight = history.weight
    if weight.sum() <= _CUSTOMERS and np.array_equal(weight, np.rint(weight)):
        return np.repeat(np.arange(len(history)), weight.astype(int))
    size = int(np.clip(weight.sum(), 1, _CUSTOMERS))
    return rng.choice(len(history), size, p=weight / weight.sum())


def _bands(values: Sequence[Array]) -> dict[str, Array]:
    return dict(zip(("low", "middle", "high"), np.quantile(np.array(values), _LEVEL, axis=0), strict=True))


def _design(history: Any) -> Array:
    """What a simulation is given of each row: an age, or a number of opportunities, renewals or orders."""
    if isinstance(history, SpendHistory):
        return history.m
    return np.asarray(history.age if isinstance(history, RetentionHistory) else history.T)


def _weeks(history: Any, data: Any) -> int:
    """Whole weeks since the first order, where the days of purchases are known; else none."""
    if not isinstance(history, PurchaseHistory) or not isinstance(data, RFM) or data.days is None:
        return 0
    return int(history.T.max() * history.unit // 7)


def _by_week(log: Sequence[Any], history: Any, rows: Any, weeks: int) -> Array:
    """Count simulated purchases in weeks since the first order of the base, which all have in common."""
    if not weeks:
        return np.zeros(0)
    came = (history.T.max() - history.T[rows]) * history.unit  # days after the first customer
    days = [came[who] + at * history.unit for who, at in log]
    week = np.floor(np.concatenate([*days, np.zeros(0)]) / 7 + 1e-9).astype(int)
    return np.bincount(week, minlength=weeks)[:weeks].astype(float)


type _Shares = tuple[Any, Any]  # labels of rows, and the function of a history that fills them


def _purchases(history: Any) -> _Shares:
    import pandas as pd

    labels = pd.Index([*map(str, range(_MOST)), f"{_MOST}+"], name="repeat purchases")
    return labels, lambda h: _portions(np.minimum(h.x, _MOST), h.weight, _MOST + 1)


def _tenths(history: SpendHistory) -> _Shares:
    import pandas as pd

    mean, order = history.S / history.m, np.argsort(history.S / history.m)
    share = np.cumsum(history.weight[order]) / history.weight.sum()
    edges = [float(mean[order][np.searchsorted(share, q)]) for q in np.arange(0.1, 0.95, 0.1)]
    names = [f"to {edge:,.2f}" for edge in edges] + [f"above {edges[-1]:,.2f}"]
    labels = pd.Index(names, name="mean value")
    return labels, lambda h: _portions(np.searchsorted(edges, h.S / h.m), h.weight, 10)


def _renewals(history: RetentionHistory) -> _Shares:
    import pandas as pd

    last = int(history.age.max())
    labels = pd.Index([*(f"lost at {k}" for k in range(1, last + 1)), "alive"], name="renewal")
    return labels, lambda h: _portions(np.where(h.churned > 0, h.age - 1, last), h.weight, last + 1)


def _portions(place: Array, weight: Array, size: int) -> Array:
    return np.bincount(place.astype(int), weight, minlength=size) / weight.sum()


_KINDS: dict[type, Any] = {
    PurchaseHistory: _purchases,
    OpportunityHistory: _purchases,
    SpendHistory: _tenths,
    RetentionHistory: _renewals,
}
