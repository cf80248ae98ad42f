"""Which pooling: groups for themselves, drawn together or all alike, on what happened afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clv.data.holdout import Holdout
from clv.data.rfm import group_labels
from clv.errors import ConfigError
from clv.fitting.fit import fit
from clv.fitting.priors import Ranges
from clv.fitting.result import Fit
from clv.models.draws import mean_over_draws
from clv.models.histories import PurchaseHistory
from clv.models.protocols import Array, Model

if TYPE_CHECKING:
    import pandas as pd

_POOLINGS: tuple[Literal["complete", "partial", "none"], ...] = ("complete", "partial", "none")


def compare_pooling(
    holdout: Holdout,
    model: type[Model],
    by: str | Sequence[str],
    *,
    method: Literal["map", "nuts"] = "map",
    priors: Ranges | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Fit purchases by groups in three ways up to a cut, and score them on what was bought after it.

    Parameters
    ----------
    holdout : from `clv.split`
    model : a class of purchase models in continuous time
    by : a column of segments, or several
    method : "map", or "nuts" for partial pooling and "laplace" for the others
    priors, seed : as for `clv.fit`

    Returns
    -------
    pandas.DataFrame
        One row a pooling. `log_score` is the mean log probability of each customer's actual purchases, the
        higher the better; `total_error` that of all purchases, `group_error` the mean of groups' absolute
        errors in purchases a customer, weighted by customers; `worst_group` the largest of them.

    Raises
    ------
    ConfigError C012
        For a model that does not count purchases in continuous time.
    """
    import pandas as pd

    if not issubclass(model.History, PurchaseHistory):
        raise ConfigError(f"C012 pooling is compared for purchase models; got {model.__name__}.")
    names = (by,) if isinstance(by, str) else tuple(by)
    holdout.rfm.check_segments(names)
    rows = holdout.rfm.grouped(("frequency", "recency", "T", *names, "actual_purchases"))
    plain = PurchaseHistory.from_days(rows["frequency"], rows["recency"], rows["T"], rows["customers"])
    history = dataclasses.replace(plain, group=group_labels(rows, names))
    table = {}
    for pooling in _POOLINGS:
        how: Any = "laplace" if method == "nuts" and pooling != "partial" else method
        found = fit(model, holdout.rfm, method=how, by=names, pooling=pooling, priors=priors, seed=seed)
        table[pooling] = _scores(found, history, rows["actual_purchases"], holdout.days / 7)
    return pd.DataFrame(table).T.rename_axis("pooling")


def _scores(found: Fit, history: Any, actual: Any, weeks: float) -> dict[str, float]:
    weight, group = history.weight, history.group
    log_score = np.zeros(len(history))
    for n in np.unique(actual):
        some = actual == n
        log_score[some] = np.log(_chance(found, history.rows(some), weeks, int(n)))
    expected = mean_over_draws(
        found.at(history), len(history), lambda m: m.expected_purchases(history, weeks)
    )
    customers = np.bincount(group, weight)
    off = np.abs(np.bincount(group, weight * (expected - actual)) / customers)
    return {
        "log_score": float(np.average(log_score, weights=weight)),
        "total_error": float((weight * expected).sum() / (weight * actual).sum() - 1),
        "group_error": float(np.average(off, weights=customers)),
        "worst_group": float(off.max()),
    }


def _chance(found: Fit, history: Any, weeks: float, n: int) -> Array:
    """Probability of n purchases, of each history."""
    chance = mean_over_draws(found.at(history), len(history), lambda m: m.purchase_pmf(history, weeks, n))
    return np.maximum(chance, 1e-300)
