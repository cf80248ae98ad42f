"""Drawers of a back-test's figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.reporting.drawers import groups
from clv.reporting.grid import Table
from clv.reporting.ink import ABOVE, INK, STYLES, in_sums, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES: dict[str, dict[str, Any]] = {
    "actual": {"color": INK, "linewidth": 2.4},
    "model": {"color": STYLES["model"]["color"], "linestyle": "--", "linewidth": 1.8},
    "calibrated": {"color": "#b98a3a", "linestyle": (0, (1, 1)), "linewidth": 2.0},
}


def tracking(ax: Axes, table: Table) -> None:
    """Lines of revenue by step, window after window: actual solid, forecasts broken."""
    _lines(ax, table, [table.frame])
    ax.set_ylabel(with_unit("Revenue", table))


def cumulative(ax: Axes, table: Table) -> None:
    """Lines of revenue up to each step, from nothing at the start of each window."""
    windows = []
    for origin, rows in table.frame.groupby("origin", sort=True):
        start = rows.iloc[:1].assign(end=origin, **{name: 0.0 for name in _LINES if name in rows})
        windows.append(pd.concat([start, rows]))
    _lines(ax, table, windows)
    ax.set_ylabel(with_unit("Revenue since the forecast", table))


def _lines(ax: Axes, table: Table, windows: Sequence[pd.DataFrame]) -> None:
    labels = {column.key: column.label for column in table.columns}
    for day in table.frame["origin"].unique():
        ax.axvline(day, color=STYLES["actual"]["color"], linewidth=1, linestyle=(0, (1, 2)))
    for at, rows in enumerate(windows):
        for name in [key for key in _LINES if key in rows]:
            ax.plot(rows["end"], rows[name], **_LINES[name] | {"label": "_" if at else labels[name]})
    in_sums(ax.yaxis)
    ax.set_ylim(bottom=0)
    _dates(ax)
    ax.set_xlabel("Dotted: days on which forecasts were made")
    ax.legend(**ABOVE)


def _dates(ax: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def deciles(ax: Axes, table: Table) -> None:
    """Pairs of bars by tenth: forecast and actual."""
    frame = table.frame
    groups(ax, list(frame["bin"]), {"actual": frame["actual"], "model": frame["forecast"]})
    ax.set_xlabel(table.columns[0].label)
    ax.set_ylabel(with_unit("Revenue a customer", table))
    in_sums(ax.yaxis)


def p_purchase(ax: Axes, table: Table) -> None:
    """Points of what happened over what was forecast; on the line they agree."""
    frame, colour = table.frame * 100, STYLES["model"]["color"]
    ax.plot([0, 100], [0, 100], color=INK, linestyle=(0, (1, 2)), linewidth=1.2, label="Perfect")
    spread = [frame["actual"] - frame["low"], frame["high"] - frame["actual"]]
    points = {"fmt": "o", "markersize": 6, "capsize": 3, "color": colour, "label": "Tenths of customers"}
    ax.errorbar(frame["forecast"], frame["actual"], yerr=spread, **points)
    ax.set_xlabel("Forecast probability of an order, %")
    ax.set_ylabel("Customers who ordered, %")
    most = float(max(frame["forecast"].max(), frame["high"].max())) * 1.08
    ax.set_xlim(0, min(most, 102))
    ax.set_ylim(0, min(most, 102))
    ax.legend(**ABOVE)


def pit(ax: Axes, table: Table) -> None:
    """Bars of the share of customers in each tenth of their forecast distribution; level is right."""
    frame, places = table.frame, np.arange(len(table.frame))
    styles = {"purchases": STYLES["actual"], "value": STYLES["model"]}
    shown = [column for column in table.columns if column.key in styles]
    width = 0.86 / len(shown)
    for i, column in enumerate(shown):
        style = {**styles[column.key], "label": column.label}
        ax.bar(places + (i - (len(shown) - 1) / 2) * width, frame[column.key] * 100, width * 0.94, **style)
    ax.axhline(100 / len(frame), color=INK, linestyle=(0, (1, 2)), linewidth=1.2, label="Right")
    ax.set_xticks(places, frame["row"], size=8)
    ax.set_xlabel("Where the actual fell in a customer's forecast, %")
    ax.set_ylabel("Share of customers, %")
    ax.legend(**ABOVE)
