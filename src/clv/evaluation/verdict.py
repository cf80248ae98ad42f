"""The verdict of a back-test: which forecast to use, by rule, in a sentence.

The closest total value over the origins wins, among contenders that rank customers nearly as well as the
best. No single measure decides: a forecast of nothing wins the mean absolute error of most bases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.evaluation.baselines import ZERO
from clv.units import measured, percent

if TYPE_CHECKING:
    import pandas as pd

NEAR = 0.02  # of the best normalised Gini, within which contenders rank customers alike
FAR = 0.25  # of a total, beyond which a forecast is no guide to its level
TWICE = 2  # origins with so great an error that speak against a level


def ranked(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the contenders that the rule chooses from, the closest total first.

    A forecast of nothing is never one; nor is one that has no value for each origin.
    """
    can = summary[(summary.index != ZERO) & summary["value_error"].notna() & summary["value_gini"].notna()]
    can = can[can["origins"] == can["origins"].max()]
    best = can["value_gini"].max()
    near: pd.DataFrame = can[can["value_gini"] >= best - NEAR]
    return near.sort_values("value_error", kind="stable")


def preferred(summary: pd.DataFrame) -> str | None:
    """Return the contender that the rule prefers; None where nothing can be ranked.

    Of those whose mean absolute error is within one standard error of the lowest, the one with the fewest
    estimated numbers; of equals, the closest.
    """
    order = ranked(summary)
    if order.empty:
        return None
    reach = order["value_error"].iloc[0] + order["value_error_se"].fillna(0.0).iloc[0]
    return str(order.loc[order["value_error"] <= reach, "numbers"].idxmin())


def verdict(summary: pd.DataFrame) -> str:
    """Say which contender to use, how far off it was, and whether its level can be trusted."""
    name = preferred(summary)
    if name is None:
        return "No verdict: nothing was bought at any origin, or nobody can be told from anybody else."
    order = ranked(summary)
    row = order.loc[name].to_dict()
    origins = int(row["origins"])
    over = f"{origins} origins" if origins > 1 else "one origin"
    off = f"{'on average ' if origins > 1 else ''}{measured(row['value_error'])} off"
    said = f"Over {over}, use {name}: its totals of value were {off}"
    if name != order.index[0]:
        first = order.iloc[0]
        said += (
            f"; {order.index[0]} came closer, {measured(first['value_error'])}, but by no more than one "
            f"standard error ({measured(first['value_error_se'])}), and {name} is simpler"
        )
    said += f". It ranks customers with a normalised Gini of {row['value_gini']:.2f}, {_best(summary, name)}."
    if origins == 1:
        said += " One origin says little: a longer log, or a shorter horizon, gives more."
    if row["value_far"] >= TWICE:
        said += (
            f" Do not use it for the level: its total was more than {percent(FAR)} off at "
            f"{int(row['value_far'])} origins. Use it to rank customers only{_for_level(summary)}."
        )
    return said


def _for_level(summary: pd.DataFrame) -> str:
    """Name the closest total that can be used, where there is one: it ranks customers less well."""
    near = summary[(summary.index != ZERO) & (summary["value_far"] < TWICE)]["value_error"].dropna()
    return f"; the level of {near.idxmin()} was {measured(near.min())} off" if len(near) else ""


def _best(summary: pd.DataFrame, name: str) -> str:
    others = summary.loc[summary.index != ZERO, "value_gini"]
    best = str(others.idxmax())
    return (
        "the best of all" if others[name] >= others.max() else f"the best being {best}'s {others.max():.2f}"
    )
