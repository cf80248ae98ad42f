"""Drawer of cohorts by age."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.reporting.grid import Table
from clv.reporting.ink import INK, STYLES, drawn_rows, short, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN, _ACROSS = 6, 3  # panels, a cohort each, the newest; and in a row
_GAP, _HEAD = 0.06, 0.1  # between panels, and above each, as parts of the figure


def cohorts_by_age(ax: Axes, table: Table) -> None:
    """A panel a cohort: solid what was, dashed with a shade what is forecast, the other cohorts grey."""
    frame = drawn_rows(table)
    names = sorted(frame["cohort"].unique())[-_SHOWN:]
    across = min(len(names), _ACROSS)
    down = -(-len(names) // across)
    wide, high = (1 - _GAP * (across - 1)) / across, (1 - _HEAD * (down - 1)) / down
    own = frame[frame["cohort"].isin(names)]
    limits = 1.02 * own["months"].max(), 1.05 * own["high"].max()
    ax.set_axis_off()
    for at, name in enumerate(names):
        row, column = divmod(at, across)
        place = (column * (wide + _GAP), (down - 1 - row) * (high + _HEAD), wide, high)
        panel: Any = ax.inset_axes(place)
        for other in names:
            was = own[own["cohort"] == other].dropna(subset=["actual"])
            panel.plot(was["months"], was["actual"], color=STYLES["actual"]["color"], linewidth=0.8)
        _one(panel, own[own["cohort"] == name])
        panel.set_title(short(str(name)), loc="left", size=8, pad=2)
        panel.set_xlim(0, limits[0])
        panel.set_ylim(0, limits[1])
        panel.tick_params(labelsize=7, length=2, labelleft=column == 0, labelbottom=at + across >= len(names))
        panel.spines[["top", "right"]].set_visible(False)
    ax.text(0.5, -0.13, table.columns[1].label, transform=ax.transAxes, ha="center", va="top", size=9)
    said = with_unit("Brought in by a customer", table)
    ax.text(-0.08, 0.5, said, transform=ax.transAxes, ha="right", va="center", rotation=90, size=9)


def _one(panel: Any, own: Any) -> None:
    """One cohort: its band, its forecast, and what was on top."""
    was, ahead = own.dropna(subset=["actual"]), own.dropna(subset=["mean"])
    colour = STYLES["model"]["color"]
    panel.fill_between(ahead["months"], ahead["low"], ahead["high"], color=colour, alpha=0.25, linewidth=0)
    panel.plot(ahead["months"], ahead["mean"], color=colour, linestyle="--", linewidth=1.4)
    panel.plot(was["months"], was["actual"], color=INK, linewidth=2.0)
