"""Drawers of the report's figures: of a study, a comparison and a predictive check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.evaluation.backtest import MODEL
from clv.reporting.grid import Table, show_value
from clv.reporting.ink import ABOVE, INK, STYLES, drawn_rows, in_sums, short, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def contenders(ax: Axes, table: Table) -> None:
    """Bars of total error, one a contender; the model stands out."""
    frame = table.frame.iloc[::-1]
    colours = [
        STYLES["model"]["color"] if n == MODEL else STYLES["actual"]["color"] for n in frame["contender"]
    ]
    bars = ax.barh(frame["contender"], frame["error"] * 100, color=colours)
    labels = [show_value(v, "signed") for v in frame["error"]]
    ax.bar_label(bars, labels, padding=4)
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_xlabel("Forecast total against actual, % (0 is perfect)")
    ax.margins(x=0.26)


def calibration(ax: Axes, table: Table) -> None:
    """Pairs of bars: forecast and actual purchases, by repeat purchases before the cut."""
    groups(
        ax,
        list(table.frame["bin"]),
        {k: table.frame[c] for k, c in (("actual", "actual"), ("model", "forecast"))},
    )
    ax.set_xlabel("Repeat purchases before the cut")
    ax.set_ylabel("Purchases a customer")


def new_customers(ax: Axes, table: Table) -> None:
    """Bars of a new customer's value by both formulas and the model, by segment."""
    columns = {"formula_1": "formula_1_within", "formula_2": "formula_2_within", "model": "model_new"}
    _lying_groups(ax, table, columns)
    ax.set_xlabel(with_unit("Value of a new customer, same horizon and basis", table))
    in_sums(ax.xaxis)


def holdout_segments(ax: Axes, table: Table) -> None:
    """Bars of hold-out revenue a customer by segment: what each said, and what happened."""
    columns = {"actual": "actual", "model": MODEL, "formula_1": "Formula 1", "formula_2": "Formula 2"}
    _lying_groups(ax, table, columns)
    frame, width = drawn_rows(table), 0.8 / len(columns)
    reach = [(frame[MODEL] - frame["low"]).clip(lower=0), (frame["high"] - frame[MODEL]).clip(lower=0)]
    places = width / 2 - np.arange(len(frame), dtype=float)  # of the second bar of four
    ax.errorbar(frame[MODEL], places, xerr=reach, fmt="none", ecolor=INK, capsize=2, elinewidth=1)
    ax.set_xlabel(with_unit("Revenue a customer in the hold-out", table))
    in_sums(ax.xaxis)


def concentration(ax: Axes, table: Table) -> None:
    """Bars of the share of value held by the top customers."""
    bars = ax.bar(table.frame["top"], table.frame["ahead"] * 100, color=STYLES["model"]["color"], width=0.6)
    ax.bar_label(bars, [show_value(v, "share") for v in table.frame["ahead"]], padding=3)
    ax.set_ylabel("Share of forecast value, %")
    ax.set_ylim(0, 108)


def ages(ax: Axes, table: Table) -> None:
    """Lines of value over age: observed solid, model dashed on, formulas dotted."""
    frame = table.frame
    ax.plot(frame["months"], frame["formula_2"], color="#b98a3a", linestyle=(0, (1, 1)), label="Formula 2")
    ax.plot(frame["months"], frame["formula_1"], color="#b98a3a", linestyle="-.", label="Formula 1")
    ax.plot(frame["months"], frame["model"], color=STYLES["model"]["color"], linestyle="--", label="Model")
    ax.plot(frame["months"], frame["actual"], color=INK, linewidth=2.4, label="Actual")
    ax.set_xlabel("Months since the first order")
    ax.set_ylabel(with_unit("Value a customer so far", table))
    in_sums(ax.yaxis)
    ax.set_ylim(bottom=0)
    ax.set_xlim(left=0)
    ax.legend(frameon=False)


def check_frequency(ax: Axes, table: Table) -> None:
    """Bars of what was seen, with the middle and 90 % of simulations as dots and whiskers."""
    frame, places = table.frame, np.arange(len(table.frame))
    ax.bar(places, frame["actual"] * 100, 0.7, **STYLES["actual"])
    spread = [(frame["middle"] - frame["low"]) * 100, (frame["high"] - frame["middle"]) * 100]
    colour = STYLES["model"]["color"]
    bars = {"fmt": "o", "markersize": 4, "capsize": 3, "color": colour, "label": _SIMULATED}
    ax.errorbar(places, frame["middle"] * 100, yerr=spread, **bars)
    turned = max(map(len, frame["row"])) > _UPRIGHT
    ax.set_xticks(places, frame["row"], rotation=45 if turned else 0, ha="right" if turned else "center")
    ax.set_xlabel(table.columns[0].label)
    ax.set_ylabel("Share of customers, %")
    ax.legend(**ABOVE)


def check_tracking(ax: Axes, table: Table) -> None:
    """A line of purchases a week, over the band that 90 % of simulations fill."""
    frame, colour = table.frame, STYLES["model"]["color"]
    band = {"color": colour, "alpha": 0.22, "linewidth": 0, "label": _SIMULATED}
    ax.fill_between(frame["row"], frame["low"], frame["high"], **band)
    ax.plot(frame["row"], frame["middle"], color=colour, linestyle="--", linewidth=1.2, label="Model, middle")
    ax.plot(frame["row"], frame["actual"], color=INK, linewidth=1.6, label="Actual")
    ax.set_xlabel("Weeks since the first order of the base")
    ax.set_ylabel("Repeat purchases a week")
    ax.set_ylim(bottom=0)
    ax.set_xlim(1, frame["row"].max())
    ax.legend(**ABOVE)


def groups(ax: Axes, labels: Sequence[str], series: dict[str, Any]) -> None:
    """Groups of standing bars, a group a label, in the styles of their names."""
    places, width = np.arange(len(labels)), 0.8 / len(series)
    for i, (name, values) in enumerate(series.items()):
        ax.bar(
            places + (i - (len(series) - 1) / 2) * width,
            values,
            width * 0.94,
            edgecolor="white",
            linewidth=0,
            **STYLES[name],
        )
    ax.set_xticks(places, labels)
    ax.legend(frameon=False)


def _lying_groups(ax: Axes, table: Table, columns: dict[str, str]) -> None:
    """Groups of lying bars, a group a row of the table, the first on top."""
    frame, width = drawn_rows(table), 0.8 / len(columns)
    places = -np.arange(len(frame), dtype=float)
    for i, (name, column) in enumerate(columns.items()):
        offset = ((len(columns) - 1) / 2 - i) * width
        ax.barh(places + offset, frame[column], width * 0.94, edgecolor="white", linewidth=0, **STYLES[name])
    ax.set_yticks(places, [short(str(v)) for v in frame["segment"]])
    ax.legend(
        frameon=False, loc="upper center", bbox_to_anchor=(0.4, 1.0 + 0.5 / max(len(frame), 2)), ncols=4
    )


_SIMULATED = "Model, 90 % of simulations"
_UPRIGHT = 6  # letters of a label that has room beside its neighbours
