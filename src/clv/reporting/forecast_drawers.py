"""Drawers of a forecast's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clv.reporting.grid import Table, show_value
from clv.reporting.ink import ABOVE, INK, OVER_BAND, STYLES, brief, in_sums, short, with_unit
from clv.reporting.thresholds import MARKED_SHARES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAND = "5 to 95 %"
_BAR = {"existing": STYLES["model"] | {"label": "Existing customers"}, "new": STYLES["new"]}
_CROWDED = 6  # bars beside each other, from which on labels are turned or left out


def periods(ax: Axes, table: Table) -> None:
    """Standing bars of each period, new customers on top of existing ones, with whiskers of their sum."""
    frame, places = table.frame, np.arange(len(table.frame))
    bottom = np.zeros(len(frame))
    for name in [key for key in _BAR if key in frame]:
        ax.bar(places, frame[name], 0.66, bottom=bottom, edgecolor="white", linewidth=0.6, **_BAR[name])
        bottom = bottom + frame[name].to_numpy()
    ax.errorbar(places, frame["total"], yerr=_whiskers(table), **_WHISKER)
    crowded = len(frame) > _CROWDED
    turned: dict[str, Any] = {"rotation": 90, "size": 7} if crowded else {"size": 9}
    for place, total in zip(places, frame["total"], strict=True):  # on the bar, right of its whisker
        ax.annotate(brief(total), (place, total), (3, 2), textcoords="offset points", **turned)
    names = [name.replace(" (part)", "\n(part)") for name in frame["row"]]
    ax.set_xticks(places, names, rotation=45 if crowded else 0, ha="right" if crowded else "center")
    ax.set_ylabel(with_unit("Expected revenue", table))
    in_sums(ax.yaxis)
    ax.margins(y=0.12)
    ax.set_ylim(bottom=0)
    ax.legend(**ABOVE)


def segments(ax: Axes, table: Table) -> None:
    """Lying bars of each segment, the largest on top, with whiskers."""
    frame, places = table.frame, -np.arange(len(table.frame), dtype=float)
    left = np.zeros(len(frame))
    for name in [key for key in _BAR if key in frame]:
        ax.barh(places, frame[name], 0.62, left=left, edgecolor="white", linewidth=0.6, **_BAR[name])
        left = left + frame[name].to_numpy()
    ax.errorbar(frame["total"], places, xerr=_whiskers(table), **_WHISKER)
    for place, total in zip(places, frame["total"], strict=True):
        ax.annotate(brief(total), (total, place), **OVER_BAND)
    ax.set_yticks(places, [short(str(name)) for name in frame["row"]])
    ax.set_xlabel(with_unit("Expected value", table))
    in_sums(ax.xaxis)
    ax.margins(x=0.14)
    room = 0.6 if len(frame) > 1 else 1.2
    ax.set_ylim(1 - len(frame) - room, room)
    ax.set_xlim(left=0)
    ax.legend(**{**ABOVE, "bbox_to_anchor": (0.4, 1.0)})


_WHISKER: dict[str, Any] = {
    "fmt": "none", "ecolor": INK, "capsize": 4, "elinewidth": 1.4, "label": _BAND,
}  # fmt: skip


def _whiskers(table: Table) -> Any:
    frame = table.frame
    return np.array([frame["total"] - frame["low"], frame["high"] - frame["total"]]).clip(min=0)


def cohorts(ax: Axes, table: Table) -> None:
    """Standing bars of each quarter, a layer a cohort: the oldest below, the darkest the newest."""
    import matplotlib

    frame, places = table.frame, np.arange(len(table.frame))
    names = [column.key for column in table.columns[1:]]
    shades = matplotlib.colormaps["Blues"](np.linspace(0.25, 0.95, len(names)))
    bottom = np.zeros(len(frame))
    for name, shade in zip(names, shades, strict=True):
        ax.bar(places, frame[name], 0.8, bottom=bottom, color=shade, label=name)
        bottom = bottom + frame[name].to_numpy()
    step = 1 + len(frame) // 13
    ax.set_xticks(places[::step], list(frame["row"])[::step], rotation=45, ha="right")
    ax.set_ylabel(with_unit("Revenue", table))
    in_sums(ax.yaxis)
    ax.set_ylim(0, 1.06 * max(float(bottom.max()), 0.0) or 1.0)  # layers of nothing hold margins off
    ax.legend(**{**ABOVE, "ncols": min(len(names), 4), "title": "First order in"})


def history_map(ax: Axes, table: Table) -> None:
    """A map of numbers, darker the higher: repeat orders across, time since the last order upwards."""
    import matplotlib

    name, kind = table.columns[-1].key, table.columns[-1].kind
    wide = table.frame[table.frame["frequency"] > 0].pivot(
        index="since", columns="frequency", values=name
    )  # fmt: skip
    values = wide.to_numpy()
    top = 1.0 if kind == "share" else float(np.nanmax(values)) or 1.0
    colours = matplotlib.colormaps["Blues"]
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            shade = 0.06 + 0.9 * value / top
            ax.add_patch(_cell(column, row, colours(shade)))
            text = show_value(value, kind) if kind != "share" else f"{100 * value:.0f} %"
            ink = "white" if shade > _DARK else "#10151b"  # not the page's ink: cells keep their colour
            ax.text(column, row, text, ha="center", va="center", color=ink, size=8)
    ax.set_xticks(range(len(wide.columns)), [f"{x:.0f}" for x in wide.columns])
    ax.set_yticks(range(len(wide.index)), [f"{s:.0f}" for s in wide.index])
    ax.set_xlim(-0.5, len(wide.columns) - 0.5)
    ax.set_ylim(-0.5, len(wide.index) - 0.5)
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_xlabel(table.columns[0].label)
    ax.set_ylabel(table.columns[1].label)


_DARK = 0.55  # of the colours' range, from which on white is read better than black


def _cell(column: int, row: int, colour: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=1)


def lorenz(ax: Axes, table: Table) -> None:
    """A curve of the share of value over the share of customers, best first, and the line of equals."""
    frame, colour = table.frame, STYLES["model"]["color"]
    share, value = frame["share"] * 100, frame["value"] * 100
    ax.fill_between(share, share, value, color=colour, alpha=0.15, linewidth=0)
    ax.plot([0, 100], [0, 100], color=INK, linestyle=(0, (1, 2)), linewidth=1.2, label="If all were alike")
    ax.plot(share, value, color=colour, linewidth=2.4, label="This forecast")
    for _, row in frame[frame["share"].round(4).isin(MARKED_SHARES)].iterrows():
        at = 100 * row["share"], 100 * row["value"]
        ax.plot(*at, "o", color=colour, markersize=6)
        said = f"best {100 * row['share']:.0f} % hold {100 * row['value']:.0f} %"
        ax.annotate(said, at, (9, -11), textcoords="offset points", va="center")
    ax.set_xlabel("Customers, best first, %")
    ax.set_ylabel("Share of forecast value, %")
    ax.set_xlim(0, 100)
    ax.set_ylim(0, 102)
    ax.legend(**ABOVE)


def value_by_age(ax: Axes, table: Table) -> None:
    """A line of value over age with a band, dashed beyond what the data have watched."""
    frame, colour = table.frame, STYLES["model"]["color"]
    known = frame[frame["watched"] == "yes"]
    beyond = frame[frame["months"] >= known["months"].max()]
    if frame["low"].notna().any():
        ax.fill_between(
            frame["months"], frame["low"], frame["high"], color=colour, alpha=0.25, linewidth=0, label=_BAND
        )
    ax.plot(known["months"], known["value"], color=colour, linewidth=2.2, label="Expected")
    if len(beyond) > 1:
        ax.plot(
            beyond["months"], beyond["value"], color=colour, linewidth=2.2, linestyle="--",
            label="older than any so far",
        )  # fmt: skip
    last = frame["months"].max()
    for month, side in ((0, "left"), (12, "center"), (24, "center"), (36, "center")):
        for _, row in frame[frame["months"] == month].iterrows():
            ax.plot(month, row["value"], "o", color=colour, markersize=5)
            ax.annotate(
                show_value(row["value"], "money", table.digits), (month, row["value"]), (0, -17),
                textcoords="offset points", ha="right" if month == last else side,
            )  # fmt: skip
    ax.set_xlabel(table.columns[0].label)
    ax.set_ylabel(with_unit("Value of a new customer", table))
    in_sums(ax.yaxis)
    ax.set_ylim(bottom=0)
    ax.set_xlim(0, last * 1.02)
    ax.xaxis.set_major_locator(_dozens(last))
    ax.legend(**ABOVE)


def _dozens(months: float) -> Any:
    from matplotlib.ticker import MultipleLocator

    return MultipleLocator(12 if months > 60 else 6 if months > 12 else 1)
