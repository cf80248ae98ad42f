"""Drawer of what an earlier forecast said, beside what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clv.forecasting.totals import ALL
from clv.reporting.grid import Table
from clv.reporting.ink import ABOVE, OVER_BAND, STYLES, brief, in_sums, short, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def outcomes(ax: Axes, table: Table) -> None:
    """Bars of what came by segment, with the forecast as a dot on its band; those outside are named so."""
    frame = table.frame[table.frame["low"].notna()]
    frame = frame[frame["segment"] != ALL] if len(frame) > 1 else frame
    frame = frame.sort_values("actual", ascending=False, kind="stable")
    places = -np.arange(len(frame), dtype=float)
    ax.barh(places, frame["actual"], 0.62, **STYLES["actual"])
    spread = np.array([frame["forecast"] - frame["low"], frame["high"] - frame["forecast"]]).clip(min=0)
    colour = STYLES["model"]["color"]
    dots = {"fmt": "o", "markersize": 5, "capsize": 4, "color": colour, "label": "Forecast, 5 to 95 %"}
    ax.errorbar(frame["forecast"], places, xerr=spread, **dots)
    for place, actual, inside in zip(places, frame["actual"], frame["inside"], strict=True):
        text = brief(actual) if inside == "yes" else f"{brief(actual)}, outside"
        ax.annotate(text, (actual, place), **OVER_BAND)
    ax.set_yticks(places, [short(str(name)) for name in frame["segment"]])
    ax.set_xlabel(with_unit("Revenue", table))
    in_sums(ax.xaxis)
    ax.margins(x=0.2)
    room = 0.6 if len(frame) > 1 else 1.2
    ax.set_ylim(1 - len(frame) - room, room)
    ax.set_xlim(left=0)
    ax.legend(**{**ABOVE, "bbox_to_anchor": (0.4, 1.0)})
