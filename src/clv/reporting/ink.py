"""What figures are drawn with: ink, styles that differ in lightness, labels that leave room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clv.reporting.grid import Table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axis import Axis

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
ON_PAPER: dict[str, Any] = {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1}}  # over lines
# Of a lying bar's value: at its tip, over the band that goes on from there.
OVER_BAND: dict[str, Any] = {"xytext": (4, 4), "textcoords": "offset points", "va": "bottom", "size": 9}
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
_OTHER_SCRIPTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei"),
    *("PingFang SC", "Microsoft YaHei", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari"),
    *("Noto Emoji", "Segoe UI Emoji", "Symbola", "Noto Sans Symbols2", "Noto Sans Symbols 2"),
)


def families() -> list[str]:
    """Fonts of a figure that is a picture, of those installed: what the first has not, a later one may."""
    from matplotlib.font_manager import fontManager

    known = {font.name for font in fontManager.ttflist}
    return [*RC["font.family"], *(name for name in _OTHER_SCRIPTS if name in known)]


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


_SIZES = ((1e9, 1e9, " bn"), (1e6, 1e6, " M"), (1e4, 1e3, " k"), (0.0, 1.0, ""))  # from, in, its letters
_FINEST = 6  # decimals of a tick


def brief(value: float) -> str:
    """A sum in as few letters as tell it: 1.23 M, 456 k, 7,890."""
    _, unit, letters = next(size for size in _SIZES if abs(value) >= size[0])
    shown = f"{float(f'{value / unit:.3g}'):,g}" if letters else f"{value:,.0f}"
    return (shown + letters).replace("-", "−")


def in_sums(axis: Axis) -> None:
    """Label an axis of money: all ticks in one unit, with as many decimals as their step needs."""

    def shown(value: float, _: object) -> str:
        ticks = np.asarray(axis.get_majorticklocs(), dtype=float)
        _, unit, letters = next(size for size in _SIZES if max(abs(ticks)) >= size[0])
        scaled = ticks / unit
        digits = next((d for d in range(_FINEST) if abs(scaled - scaled.round(d)).max() < _SAME), _FINEST)
        return f"{value / unit:,.{digits}f}{letters}".replace("-", "−") if value else "0"

    axis.set_major_formatter(shown)


_SAME = 1e-9  # rounding of a tick
