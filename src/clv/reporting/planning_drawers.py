"""Drawers of the planning pages' figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clv.planning.steps import END, START
from clv.reporting.grid import Table, show_value
from clv.reporting.ink import ABOVE, INK, ON_PAPER, STYLES, brief, drawn_rows, in_sums, short, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UP: dict[str, Any] = {"color": STYLES["model"]["color"]}
_DOWN: dict[str, Any] = {"color": "#e0a040", "hatch": "//"}
_MARKS = (1.0, 3.0)  # ratios of value to cost that a reader looks for


def ratios(ax: Axes, table: Table) -> None:
    """A dot a segment with its band, on a scale of ratios; lines at the cost, and at three times it."""
    frame = drawn_rows(table)
    measure = "value_to_cac" if frame.get("value_to_cac", frame["value"]).notna().any() else "value"
    measure = measure if measure in frame else "value"
    frame = frame[frame[measure].notna()]
    places = -np.arange(len(frame), dtype=float)
    ends = [frame[measure] - frame[f"{measure}_p05"], frame[f"{measure}_p95"] - frame[measure]]
    whiskers = {"fmt": "o", "markersize": 7, "capsize": 4, "color": _UP["color"], "ecolor": INK}
    ax.errorbar(frame[measure], places, xerr=np.nan_to_num(np.array(ends)).clip(min=0), **whiskers)
    for place, value in zip(places, frame[measure], strict=True):
        said = show_value(value, "ratio" if measure == "value_to_cac" else "money", table.digits)
        at = (value, place)
        ax.annotate(said, at, (0, 8), textcoords="offset points", ha="center", size=9, **ON_PAPER)
    ax.set_yticks(places, [short(str(name)) for name in frame["segment"]])
    ax.set_ylim(0.4 - len(frame), 0.7)
    if measure == "value":
        ax.set_xlabel(with_unit("Value of a new customer, 5 to 95 % of the mean", table))
        in_sums(ax.xaxis)
        return
    ax.set_xscale("log")
    for mark in _MARKS:
        ax.axvline(mark, color=INK, linestyle="-" if mark == 1 else (0, (2, 2)), linewidth=1)
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100) if _near(t, frame, measure)]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set_xlabel("Value ÷ CAC, 5 to 95 % of the mean (1 earns back the cost)")


def _near(tick: float, frame: object, measure: str) -> bool:
    rows = frame[[measure, f"{measure}_p05", f"{measure}_p95"]]  # type: ignore[index]
    return bool(0.6 * min(rows.min().min(), 1) <= tick <= 1.6 * max(rows.max().max(), 3))


def payback(ax: Axes, table: Table) -> None:
    """A curve of contribution so far with its band, against what the customer cost."""
    frame, colour = table.frame, _UP["color"]
    if frame["contribution_p05"].notna().any():
        low, high = frame["contribution_p05"], frame["contribution_p95"]
        ax.fill_between(frame["month"], low, high, color=colour, alpha=0.22, linewidth=0, label="5 to 95 %")
    ax.plot(frame["month"], frame["contribution"], color=colour, linewidth=2.2, label="Contribution so far")
    cac = frame["cac"].iloc[0]
    if np.isfinite(cac):
        ax.axhline(cac, color=INK, linestyle=(0, (4, 2)), linewidth=1.3, label="CAC")
        back = frame.loc[frame["net"] >= 0, "month"]
        if len(back):
            month = int(back.min())
            said = f"Paid back on average by month {month}" if month else "Paid back by the first order"
            at = frame.iloc[[month]]
            ax.plot(at["month"], at["contribution"], "o", color=INK, markersize=6, label=said)
    ax.set_xlabel(table.columns[0].label)
    ax.set_ylabel(with_unit("A new customer", table))
    in_sums(ax.yaxis)
    ax.set_ylim(bottom=0)
    ax.set_xlim(0, frame["month"].max())
    ax.legend(**{**ABOVE, "ncols": 2})


def steps(ax: Axes, table: Table) -> None:
    """A waterfall: what each step adds to or takes from the formula, up to the model."""
    frame = table.frame
    places = -np.arange(len(frame), dtype=float)
    for place, (name, amount, level) in zip(
        places, frame[["step", "amount", "level"]].itertuples(index=False, name=None), strict=True
    ):
        whole = name in (START, END)
        start = 0.0 if whole else level - amount
        style = {"color": STYLES["actual"]["color"]} if whole else _UP if amount >= 0 else _DOWN
        ax.barh(place, amount, 0.62, left=start, **style)
        said = show_value(amount, "money" if whole else "gain", table.digits)
        at = max(start, start + amount)
        ax.annotate(said, (at, place), (5, 0), textcoords="offset points", va="center", size=9)
    ax.set_yticks(places, [str(name)[:1].upper() + str(name)[1:] for name in frame["step"]])
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_xlabel(with_unit("Value of a new customer", table))
    in_sums(ax.xaxis)
    ax.margins(x=0.16)


def tornado(ax: Axes, table: Table) -> None:
    """Bars to either side of the value as it is, the widest on top."""
    frame, places = table.frame, -np.arange(len(table.frame), dtype=float)
    for key, style, label in (("down", _DOWN, "Lever lower"), ("up", _UP, "Lever higher")):
        width = frame[key] - frame["base"]
        ax.barh(places, width, 0.6, left=frame["base"], label=label, **style)
        for place, value, reach in zip(places, frame[key], width, strict=True):
            said = brief(value) if abs(value) >= 1e4 else show_value(value, "money", table.digits)
            ax.annotate(
                said, (value, place),
                (5 if reach >= 0 else -5, 0), textcoords="offset points", va="center",
                ha="left" if reach >= 0 else "right", size=9,
            )  # fmt: skip
    ax.axvline(frame["base"].iloc[0], color=INK, linewidth=1)
    ax.set_yticks(places, list(frame["row"]))
    in_sums(ax.xaxis)
    ax.set_xlabel(with_unit("Value", table))
    ax.margins(x=0.2)
    ax.legend(**ABOVE)


def split(ax: Axes, table: Table) -> None:
    """Pairs of lying bars: recommended and last year's spend."""
    frame = table.frame[table.frame["use"]]
    series = [key for key in ("recommended", "last_year") if frame[key].notna().any()]
    styles = {"recommended": STYLES["model"] | {"label": "Recommended"}, "last_year": STYLES["actual"]}
    width = 0.8 / len(series)
    places = -np.arange(len(frame), dtype=float)
    for at, key in enumerate(series):
        offset = ((len(series) - 1) / 2 - at) * width
        label = {"label": "Recommended" if key == "recommended" else "Last year"}
        ax.barh(places + offset, frame[key], width * 0.92, **(styles[key] | label))
        for place, value in zip(places + offset, frame[key], strict=True):
            if np.isfinite(value):
                at_end = (value, place)
                ax.annotate(brief(value), at_end, (4, 0), textcoords="offset points", va="center", size=9)
    ax.set_yticks(places, [short(str(name)) for name in frame["row"]])
    in_sums(ax.xaxis)
    ax.set_xlabel(with_unit("Spend", table))
    ax.margins(x=0.14)
    ax.set_xlim(left=0)
    ax.legend(**ABOVE)
