"""Which model: fits side by side on the same customers, and what the data say of the models' premises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.holdout import Holdout
from clv.data.opportunities import Opportunities
from clv.data.renewals import Renewals
from clv.data.rfm import RFM, history_of
from clv.data.thresholds import CORRELATION
from clv.errors import ConfigError
from clv.evaluation import metrics
from clv.evaluation.contenders import Customers
from clv.evaluation.scores import log_score
from clv.evaluation.yearly import Yearly
from clv.fitting.fit import fit
from clv.fitting.plan import source_of
from clv.fitting.result import Fit
from clv.models.beta_discrete_weibull import BdW
from clv.models.bg_bb import BGBB
from clv.models.bg_nbd import BGNBD
from clv.models.draws import mean_over_draws
from clv.models.ggompertz_nbd import GGompertzNBD
from clv.models.histories import OpportunityHistory, PurchaseHistory, RetentionHistory, SpendHistory
from clv.models.mbg_nbd import MBGNBD
from clv.models.nbd import NBD
from clv.models.pareto_nbd import ParetoNBD
from clv.models.shifted_beta_geometric import SBG

if TYPE_CHECKING:
    import pandas as pd

PURCHASE_MODELS = (NBD, BGNBD, MBGNBD, ParetoNBD, GGompertzNBD)
_KINDS = (PurchaseHistory, SpendHistory, OpportunityHistory, RetentionHistory)
_ALIKE = 2.0  # a difference of AIC that says nothing
_REGULAR, _CLUMPED = 1.3, 0.8  # k beyond which timing is not taken for random


@dataclass(frozen=True, eq=False, repr=False)
class ModelChoice:
    """Models side by side: `table` in the order of AIC, the `fits` behind it, and `notes` to choose by."""

    table: pd.DataFrame
    fits: dict[str, Fit]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        shown = self.table.to_string(formatters=_FORMATS)
        return "\n".join([shown, "", *(f"- {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return f"{self.table.to_html(formatters=_FORMATS)}<ul>{notes}</ul>"


_FORMATS = {
    "log_likelihood": "{:,.2f}".format,
    "aic": "{:,.2f}".format,
    "bic": "{:,.2f}".format,
    "delta_aic": "{:,.2f}".format,
    "log_score": "{:.4f}".format,
    "total_error": "{:+.1%}".format,
    "rmse": "{:.4f}".format,
    "gini": "{:.3f}".format,
}


def compare_models(
    data: Any, models: Sequence[type[Any] | Fit] | None = None, holdout: Holdout | None = None
) -> ModelChoice:
    """Fit models to the same customers and set their likelihoods side by side.

    Parameters
    ----------
    data : an RFM table, or a history
    models : classes, or fits of the same data, such as `clv.fit(clv.BGCNBD, rfm, k=2)`; by default those
        for such data that take nothing but it

    Returns
    -------
    ModelChoice
        AIC = 2·parameters − 2·log-likelihood, BIC with ln(customers) for 2: lower is better. They rank by
        what was seen. What matters is what comes: back-test before a choice.

    Raises
    ------
    ConfigError C012
        For models of different things, or fits of other customers; a hold-out of others.
    """
    if isinstance(models, type | Fit):
        raise ConfigError(f"C012 models must be a list; got {models!r}. Write [clv.BGNBD, clv.ParetoNBD].")
    found = [
        m if isinstance(m, Fit) else fit(m, data) for m in (_defaults(data) if models is None else models)
    ]
    _check_comparable(found, data)
    fits = _labelled(found)
    table = _table(fits)
    if holdout is not None:
        table = table.join(_held_out(fits, data, holdout))
    notes = [_ranking(table), *(f.message for f in fits.values() if f.message.startswith("M0"))]
    if _kind(found[0]) is PurchaseHistory and isinstance(data, RFM):
        if data.days is not None:
            notes.append(timing(data.regularity))
            yearly = Yearly(data)
            notes += [yearly.sentence] if yearly.one_a_year else []
        if "repeat_spend" in data.table.columns:
            notes.append(independence(data.history(SpendHistory)))
    return ModelChoice(table, fits, tuple(notes))


def _defaults(data: Any) -> tuple[type[Any], ...]:
    if isinstance(data, OpportunityHistory | Opportunities):
        return (BGBB,)
    if isinstance(data, RetentionHistory | Renewals):
        return SBG, BdW
    return PURCHASE_MODELS


def _labelled(fits: Sequence[Fit]) -> dict[str, Fit]:
    """Fits by model, with what was held and how it was fitted where that is not by maximum likelihood."""
    named: dict[str, Fit] = {}
    for fit_ in fits:
        more = [f"{name}={value:g}" for name, value in fit_.held.items()]
        more += [fit_.method] if fit_.method != "mle" else []
        name = type(fit_.estimate).__name__ + (f" ({', '.join(more)})" if more else "")
        while name in named:
            name += "'"
        named[name] = fit_
    return named


def _kind(fit: Fit) -> type[Any]:
    return next(kind for kind in _KINDS if issubclass(fit.estimate.History, kind))


def _check_comparable(fits: Sequence[Fit], data: Any) -> None:
    if not fits:
        raise ConfigError("C012 models must name at least one model; got none.")
    kinds = {_kind(f).__name__ for f in fits}
    same = {"kind of history": kinds, "unit": {f"{f.unit:g} days" for f in fits}}
    if len(kinds) == 1:
        first = fits[0]
        source = source_of(type(first.estimate), data, first.first_order)
        base = float(source.history(_kind(first)).weight.sum())
        same["number of customers"] = {f"{size:,.6g}" for size in (base, *(f.customers for f in fits))}
    for name, values in same.items():
        if len(values) > 1:
            raise ConfigError(
                f"C012 models to compare must be of one {name}; got {', '.join(sorted(values))}. "
                "Likelihoods of different data say nothing of each other."
            )


def _table(fits: dict[str, Fit]) -> pd.DataFrame:
    import pandas as pd

    rows = {
        name: {
            "parameters": len(f.parameters),
            "log_likelihood": f.log_likelihood,
            "aic": f.aic,
            "bic": f.bic,
            "converged": f.converged,
            "at_edge": f.at_edge,
        }
        for name, f in fits.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").sort_values("aic", kind="stable")
    table.insert(4, "delta_aic", table["aic"] - table["aic"].min())
    return table.rename_axis("model")


def _held_out(fits: dict[str, Fit], data: Any, holdout: Holdout) -> pd.DataFrame:
    """How well each model forecasts the purchases of a hold-out."""
    import pandas as pd

    if not isinstance(data, RFM) or data.as_of != holdout.cut or len(data) != len(holdout.rfm):
        raise ConfigError(
            f"C012 holdout must be of the customers that are compared; got one cut at {holdout.cut}. Write "
            "clv.compare_models(holdout.rfm, holdout=holdout)."
        )
    if any(f.groups or _kind(f) is not PurchaseHistory for f in fits.values()):
        raise ConfigError(
            "C012 holdout is for purchase models of all customers; got a fit by groups, or of another kind. "
            "Leave it out."
        )
    customers, found = Customers.of(holdout.rfm), {}
    actual, row = customers["actual_purchases"], customers.row
    for name, fitted in fits.items():
        h = history_of(customers.rows, holdout.rfm, fitted.unit)
        model, t = fitted.model, holdout.days / fitted.unit
        expected = mean_over_draws(model, len(h), methodcaller("expected_purchases", h, t))[row]
        found[name] = {
            "log_score": float(log_score(model, h, row, actual, t).mean()),
            "total_error": metrics.total_error(float(expected.sum()), float(actual.sum())),
            "rmse": metrics.root_mean_square_error(expected, actual),
            "gini": metrics.normalised_gini(expected, actual),
        }
    return pd.DataFrame.from_dict(found, orient="index")


def _ranking(table: pd.DataFrame) -> str:
    best = table.index[0]
    rivals = [str(name) for name in table.index[1:][table["delta_aic"].iloc[1:] < _ALIKE]]
    if rivals:
        come = "come" if len(rivals) > 1 else "comes"
        return f"{best} has the lowest AIC, but {', '.join(rivals)} {come} within {_ALIKE:g} of it: a tie."
    if len(table) == 1:
        return f"{best} stands alone: there is nothing to compare it with."
    gap = table["delta_aic"].iloc[1]
    return f"{best} explains best what was seen, by {gap:,.1f} of AIC; back-test before a choice."


def timing(found: Any) -> str:
    """Say what the shape k of gaps means for the choice. [WM90] in `data.timing`."""
    if found.customers < 30:
        return f"Timing: only {found.customers} customers have three purchase days or more, too few to judge."
    head = f"Timing: k = {found.k:.2f} by the last two gaps of {found.customers:,} customers (1 is random)."
    if found.k > _REGULAR:
        return (
            f"{head} Purchases are more regular than most models assume: try BGCNBD and MBGCNBD with "
            f"k={max(2, round(found.k))}, and keep them only if they win on a hold-out: they often win on "
            "what was seen, and then lose."
        )
    if found.k < _CLUMPED:
        return (
            f"{head} Purchases come in bursts, which no model here has: single customers will swing more "
            "than forecasts say."
        )
    return f"{head} Random timing, which all models but the CNBD take for granted, fits."


def independence(h: SpendHistory) -> str:
    """Say what a correlation of spend with frequency means for the choice."""
    if h.weight.sum() < 30:
        return "Spend and frequency: too few repeat buyers to judge whether one depends on the other."
    (x, both), (_, y) = np.cov(h.m, h.S / h.m, aweights=h.weight)
    rho = both / np.sqrt(x * y) if x * y > 0 else 0.0
    head = f"Spend and frequency: correlation {rho:z.2f} over {h.weight.sum():,.0f} repeat buyers."
    if abs(rho) > CORRELATION:
        way = "under" if rho > 0 else "over"
        return (
            f"{head} GammaGamma takes them for independent, and will {way}state the value of frequent buyers."
        )
    return f"{head} GammaGamma takes them for independent, which fits."
