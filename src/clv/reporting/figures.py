"""Figures: each draws one table and computes nothing. Readable in greyscale, and in light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.errors import ConfigError
from clv.evaluation.backtest import MODEL
from clv.evaluation.compare import Comparison
from clv.evaluation.predictive import PredictiveCheck
from clv.reporting import tables
from clv.reporting.grid import Table, show_value

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from clv.evaluation.study import Study

INK = "#20262e"  # becomes the page's own text colour in HTML
# Told apart by lightness and hatch, not by hue alone.
STYLES: dict[str, dict[str, Any]] = {
    "actual": {"color": "#9aa3ad", "label": "Actual"},
    "model": {"color": "#1f5fa8", "label": "Model"},
    "formula_1": {"color": "#e0a040", "label": "Formula 1", "hatch": "//"},
    "formula_2": {"color": "#f3d9a4", "label": "Formula 2", "hatch": ".."},
    "run_rate": {"color": "#c9b8d8", "label": "Run-rate", "hatch": "xx"},
}


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
    _groups(
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
    ax.set_xlabel(_with_unit("Value of a new customer, same horizon and basis", table))


def holdout_segments(ax: Axes, table: Table) -> None:
    """Bars of hold-out revenue a customer by segment: what each said, and what happened."""
    columns = {"actual": "actual", "model": MODEL, "formula_1": "Formula 1", "formula_2": "Formula 2"}
    _lying_groups(ax, table, columns)
    ax.set_xlabel(_with_unit("Revenue a customer in the hold-out", table))


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
    ax.set_ylabel(_with_unit("Value a customer so far", table))
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
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


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
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def _drawn(table: Table) -> pd.DataFrame:
    """The rows that a chart shows: segments with few customers stay in the table, where any are left."""
    solid = table.frame[~table.frame["few"].astype(bool)] if "few" in table.frame else table.frame
    return solid if len(solid) > 1 else table.frame


def _with_unit(label: str, table: Table) -> str:
    return f"{label} ({table.unit})" if table.unit else label


def _groups(ax: Axes, labels: Sequence[str], series: dict[str, Any]) -> None:
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
    frame, width = _drawn(table), 0.8 / len(columns)
    places = -np.arange(len(frame), dtype=float)
    for i, (name, column) in enumerate(columns.items()):
        offset = ((len(columns) - 1) / 2 - i) * width
        ax.barh(places + offset, frame[column], width * 0.94, edgecolor="white", linewidth=0, **STYLES[name])
    ax.set_yticks(places, [_short(str(v)) for v in frame["segment"]])
    ax.legend(
        frameon=False, loc="upper center", bbox_to_anchor=(0.4, 1.0 + 0.5 / max(len(frame), 2)), ncols=4
    )


def _short(name: str) -> str:
    """A label that leaves room for its bars; the table beside has the whole name."""
    words = " ".join(name.split())
    return words if len(words) <= _LONGEST_LABEL else words[: _LONGEST_LABEL - 1] + "…"


_LONGEST_LABEL = 32
_SIMULATED = "Model, 90 % of simulations"
_UPRIGHT = 6  # letters of a label that has room beside its neighbours
_DRAWERS: dict[str, tuple[Callable[[Axes, Table], None], float]] = {
    # prefix of a table's name → (drawer, height in inches a row; 0: fixed)
    "contenders": (contenders, 0.0),
    "calibration": (calibration, 0.0),
    "new_by": (new_customers, 0.62),
    "holdout_by": (holdout_segments, 0.66),
    "concentration": (concentration, 0.0),
    "ages": (ages, 0.0),
    "check_frequency": (check_frequency, 0.0),
    "check_tracking": (check_tracking, 0.0),
}


def draw(table: Table) -> Figure:
    """Draw a table as a figure of its own; the caller closes or shows it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    drawer, per_row = next(
        entry
        for prefix, entry in _DRAWERS.items()
        if table.name == prefix or table.name.startswith(prefix + "_")
    )
    height = max(2.6, per_row * len(_drawn(table)) + 1.0) if per_row else 3.4
    with rc_context(_STYLE):
        figure = Figure(figsize=(6.0, height), layout="constrained")
        ax = figure.add_subplot()
        ax.spines[["top", "right"]].set_visible(False)
        drawer(ax, table)
    return figure


_STYLE: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
}


def svg(table: Table) -> str:
    """Draw a table as inline SVG: text stays text, ids are its own, ink takes the page's colour."""
    import warnings

    from matplotlib import rc_context

    figure, out = draw(table), io.StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": table.name}), warnings.catch_warnings():
        # Names in any script: the browser has the fonts, the measuring font here need not.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    own = re.sub(r"\W+", "-", table.name)
    text = re.sub(r'(<[^<>]*\bid=")', rf"\g<1>{own}-", text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{own}-", text)
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'class="chart"', text, count=1)
    text = text.replace("font-family: 'DejaVu Sans'", "font-family: inherit").replace(
        "'DejaVu Sans'", "inherit"
    )
    return text.replace(INK, "currentColor")


@dataclass(frozen=True, eq=False, repr=False)
class Chart:
    """A figure of the report that shows itself in a notebook."""

    table: Table

    def __repr__(self) -> str:
        return f"<Chart: {self.table.title}>"

    def figure(self) -> Figure:
        """Draw it anew as a Matplotlib figure."""
        return draw(self.table)

    def save(self, path: str) -> None:
        """Write it to a file; the ending says the format (svg, png, pdf)."""
        self.figure().savefig(path)

    def _repr_html_(self) -> str:
        return f"<figure><figcaption>{escape(self.table.title)}</figcaption>{svg(self.table)}</figure>"


def show(source: Study | Comparison | PredictiveCheck, name: str | None = None) -> Chart:
    """Draw one figure of the report, for a notebook.

    A comparison has one, "clv"; a predictive check "frequency" and, where it knows days, "tracking"; the
    first is drawn without a name. A study has "contenders", "calibration", "concentration", "ages", and
    "clv_by_<segment>" and "holdout_by_<segment>" for its segments. Raises ConfigError C001 for another
    name.
    """
    makers = (
        _of_comparison(source)
        if isinstance(source, Comparison)
        else _of_check(source)
        if isinstance(source, PredictiveCheck)
        else _of_study(source)
    )
    name = next(iter(makers)) if name is None else name
    if name not in makers:
        raise ConfigError(f"C001 there is no figure {name!r}; there are {', '.join(makers)}.")
    return Chart(makers[name]())


def _of_comparison(comparison: Comparison) -> dict[str, Callable[[], Table]]:
    return {"clv": partial(tables.new_customers, comparison)}


def _of_check(check: PredictiveCheck) -> dict[str, Callable[[], Table]]:
    names = ("frequency", "tracking") if check.tracking is not None else ("frequency",)
    return {name: partial(tables.predictive, check, name) for name in names}


def _of_study(study: Study) -> dict[str, Callable[[], Table]]:
    makers: dict[str, Callable[[], Table]] = {
        make.__name__: partial(make, study)
        for make in (tables.contenders, tables.calibration, tables.concentration, tables.ages)
    }
    for c in study.comparisons:
        if not c.behavioural:
            makers[f"clv_by_{c.by}"] = partial(tables.new_customers, c, study.orders.money_unit)
        makers[f"holdout_by_{c.by}"] = partial(tables.holdout_segments, study, c)
    return makers
