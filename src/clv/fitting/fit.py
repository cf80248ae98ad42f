"""The one entry to inference: `clv.fit(Model, data)`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

from clv.fitting.likelihood import most_likely
from clv.fitting.plan import Plan, planned, refuse_uninformative, source_of
from clv.fitting.priors import Ranges
from clv.fitting.result import Fit
from clv.models.protocols import HistorySource, Model


def fit(
    model: type[Model],
    data: HistorySource,
    *,
    method: Literal["mle", "map", "laplace", "nuts"] = "mle",
    priors: Ranges | None = None,
    by: str | Sequence[str] | None = None,
    pooling: Literal["none", "partial", "complete"] | None = None,
    first_order: Literal["included", "excluded"] | None = None,
    seed: int = 0,
    draws: int = 1000,
    chains: int = 4,
    **held: float,
) -> Fit:
    """Fit a model class to an RFM table, or to a history built by hand.

    Parameters
    ----------
    model : a class such as `clv.BGNBD`, `clv.ParetoNBD` or `clv.GammaGamma`
        Its parameters are estimated.
    data : HistorySource
        An RFM table or a history. Histories are grouped, so the cost depends on distinct rows.
    method : how
        "mle", maximum likelihood; "map", the mode of the posterior; "laplace", draws from it by importance
        sampling, in a second or so; "nuts", draws by Hamiltonian Monte Carlo in PyMC.
    priors : ranges by name of a quantity, {"share_lost": (0.05, 0.4)}
        Each holds nine populations in ten. `clv.priors(model)` prints the quantities and their own ranges.
    by : a column of segments, or several, each of whose groups gets parameters of its own
    pooling : how groups learn from each other
        "partial" (the default), as one population of groups, by "nuts", or by "map" without bands; "none",
        not at all; "complete", all alike.
    first_order : whether spend models learn from first orders too, or from repeat orders alone
        "included" is the default where first orders are known: it tells customers apart who have bought once,
        and ranks customers better. "excluded" is the published form.
    seed, draws, chains : of draws; "laplace" gives `draws`, "nuts" `draws` in each of `chains`
    held : parameters held at a value, by name
        In the unit of the history; `k=3` sets the regularity of the CNBD models, which is never estimated.
        Others can be held by "mle" only.

    Returns
    -------
    Fit
        `converged`, `passed` and `message` say what it is worth. A fit that ends on a ridge of the
        likelihood names the simpler model that is as likely (to .01; where a parameter that it does without
        ran to its bound, to 1 for each of those, as AIC has it), and forecasts by it: `estimate` is what
        was asked for, `model` what forecasts use.

    Raises
    ------
    FitError M001
        When no customer can inform the model.
    ConfigError C012
        For all options that are not known, or do not go with each other, at once.
    """
    plan = planned(model, data, method, priors, by, pooling, first_order, seed, draws, chains, held)
    source = source_of(model, data, plan.first_order)
    found = _fitted(plan, source.history(model.History, plan.by))
    return dataclasses.replace(found, as_of=getattr(data, "as_of", None), first_order=plan.first_order)


def _fitted(plan: Plan, history: Any) -> Fit:
    refuse_uninformative(plan, history)
    if plan.pooling == "complete":
        return dataclasses.replace(fit_history(plan, history.whole()), by=plan.by, pooling="complete")
    if history.labels:
        from clv.fitting.pooling import by_groups

        return by_groups(plan, history, fit_history)
    return fit_history(plan, history)


def fit_history(plan: Plan, history: Any) -> Fit:
    """Fit one set of parameters to distinct histories."""
    if plan.method == "mle":
        return most_likely(plan, history)
    from clv.fitting.bayes import most_probable

    return most_probable(plan, history)
