"""The page of a hold-out: contenders against what happened, and the one to use, by rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clv.evaluation.backtest import MODEL
from clv.reporting import tables
from clv.reporting import thresholds as limits
from clv.reporting.decision import model_error
from clv.reporting.grid import Page, miss, show_value

if TYPE_CHECKING:
    import pandas as pd

    from clv.evaluation.study import Study
    from clv.reporting.reviews import Review


def holdout(review: Review) -> Page | None:
    """Contenders against what happened in one hold-out, where no back-test did that at several origins."""
    study = review.study
    if review.tested is not None or study.holdout is None:
        return None
    table, calibration = tables.contenders(study), tables.calibration(study)
    notes = [
        "Each contender knew the log up to the cut only. Those without a ranking treat every customer "
        "alike, so they cannot say who will buy. The mean miss alone would favour a forecast of zero.",
        "Run-rate: all revenue ÷ all customers' days, carried on. Repeat run-rate: the same of repeat "
        "orders, at the mean order value. Calendar run-rate: revenue ÷ calendar days. Own rate: each "
        "customer's own repeat rate × own mean order value; with first order: own revenue ÷ own age, at "
        "least 28 days. Formulas 1 and 2: the value of a new customer over the hold-out, charged for every "
        "existing one (formula 2 is the run-rate over just one of its periods).",
    ]
    return Page(
        "holdout",
        "Hold-out",
        verdict(study),
        [table],
        [table, calibration],
        notes,
        folded=[calibration],
    )


def verdict(study: Study) -> str:
    """The contender to use: the best level among those that rank customers about as well as the best.

    Where that one fails on level, level and ranking are recommended apart.
    """
    if model_error(study) is None:
        return "Nothing was bought in the hold-out, so it cannot tell the contenders apart; move the cut."
    frame = tables.contenders(study).frame.set_index("contender")
    able = frame[frame["gini"] >= frame["gini"].max() - limits.GINI_SLACK]
    able = able if len(able) else frame
    best = str(able["error"].abs().idxmin())
    if abs(frame["error"][best]) > limits.LEVEL_BAD:
        return _apart(frame)
    others = "; ".join(
        f"{other.lower()}: {miss(frame['error'][other])}"
        for other in ("Repeat run-rate", "Formula 1", "Formula 2")
        if other != best and np.isfinite(frame["error"][other])
    )
    top = frame["top_decile"][best]
    first = (
        f", and the tenth of customers it put first brought {show_value(top, 'share')} of what was spent"
        if np.isfinite(top)
        else ""
    )
    return (
        f"Use {_name(best)}: its total came out {miss(frame['error'][best])}{first}. "
        f"{others[:1].upper()}{others[1:]}.{_nearer(frame, frame['error'][best])}"
    )


def _apart(frame: pd.DataFrame) -> str:
    """No contender does both: say which is nearest in total, and which ranks best."""
    nearest, first = str(frame["error"].abs().idxmin()), frame.iloc[0]
    level = f"for level take {_name(nearest)}, whose total came out {miss(first['error'])}"
    if abs(first["error"]) > limits.LEVEL_BAD:
        level = f"use none for level (the nearest, {_name(nearest)}, came out {miss(first['error'])})"
    ranked = frame["gini"].dropna()
    if ranked.empty:
        return f"No contender ranks customers better than another; {level}."
    top = str(ranked.idxmax())
    scores = ", ".join(
        f"{_name(name)} {show_value(frame['gini'][name], 'ratio')} "
        f"({show_value(frame['top_decile'][name], 'share')})"
        for name in map(str, ranked.sort_values(ascending=False).index)
    )
    return (
        f"No contender does both: {level}; to rank customers take {_name(top)}. Ranking by Gini, and what "
        f"the tenth put first brought of all spend: {scores}."
    )


def _name(contender: str) -> str:
    return "the model" if contender == MODEL else contender.lower()


def _nearer(frame: pd.DataFrame, error: float) -> str:
    nearer = frame[frame["error"].abs() < abs(error)]
    if nearer.empty:
        return ""
    first = nearer.iloc[0]
    why = "says nothing of who will buy" if np.isnan(first["gini"]) else "ranks customers less well"
    return f" {first.name} came nearer in total ({miss(first['error'])}) but {why}."
