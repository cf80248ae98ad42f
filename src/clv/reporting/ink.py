"""What figures are drawn with: ink, styles that differ in lightness, labels that leave room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.reporting.grid import Table

if TYPE_CHECKING:
    import pandas as pd

INK = "#20262e"  # becomes the page's own text colour in HTML
# Told apart by lightness and hatch, not by hue alone.
STYLES: dict[str, dict[str, Any]] = {
    "actual": {"color": "#9aa3ad", "label": "Actual"},
    "model": {"color": "#1f5fa8", "label": "Model"},
    "formula_1": {"color": "#e0a040", "label": "Formula 1", "hatch": "//"},
    "formula_2": {"color": "#f3d9a4", "label": "Formula 2", "hatch": ".."},
    "run_rate": {"color": "#c9b8d8", "label": "Run-rate", "hatch": "xx"},
    "new": {"color": "#a9c6e8", "label": "New customers", "hatch": "//"},
}
ABOVE: dict[str, Any] = {"frameon": False, "loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3}
RC: Any = {
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
_LONGEST_LABEL = 32


def drawn_rows(table: Table) -> pd.DataFrame:
    """The rows that a chart shows: segments with few customers stay in the table, where any are left."""
    solid = table.frame[~table.frame["few"].astype(bool)] if "few" in table.frame else table.frame
    return solid if len(solid) > 1 else table.frame


def with_unit(label: str, table: Table) -> str:
    """A label with the unit of what a chart shows, where it is known."""
    return f"{label} ({table.unit})" if table.unit else label


def short(name: str) -> str:
    """A label that leaves room for its bars; the table beside has the whole name."""
    words = " ".join(name.split())
    return words if len(words) <= _LONGEST_LABEL else words[: _LONGEST_LABEL - 1] + "…"


def brief(value: float, _: object = None) -> str:
    """A sum in as few letters as tell it: 1.23 M, 456 k, 7,890."""
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            scaled = value / (1e3 if letter == "k" else size)
            return f"{float(f'{scaled:.3g}'):,g} {letter}"
    return f"{value:,.0f}"
