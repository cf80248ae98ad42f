"""Colours of a drawing that hold on light paper and on dark, and in greyscale.

Drawers choose colours for white paper. Here each shape and line gets a second one for dark paper, as near
to the first as has the contrast, and pale shapes get an edge that shows them on white. Words stay as they
were drawn: ink follows the page, and what stands on a shape was chosen for that shape.
"""

from __future__ import annotations

import colorsys
import re
from functools import cache

LIGHT_PAPER, DARK_PAPER = "#ffffff", "#14181d"  # those of report.css
ENOUGH = 3.0  # contrast that WCAG 2 asks of graphics
_SURE = 3.4  # so that rounding, and white words on a shape, have some room
_EDGE, _HATCH = 4.5, 7.0  # thin as they are

_DRAWN = re.compile(r"<(?!text\b|tspan\b)\w[^<>]*>")
_COLOUR = re.compile(r"\b(fill|stroke): (#[0-9a-f]{6})\b")
_PATTERN = re.compile(r'<pattern id="([^"]+)".*?</pattern>', re.DOTALL)
_GROUND = re.compile(r'fill="(#[0-9a-f]{6})"')


def for_both_papers(svg: str) -> str:
    """Return Matplotlib's SVG with two colours for each one in it; what cannot choose takes the first."""
    grounds = {m[1]: ground[1] for m in _PATTERN.finditer(svg) if (ground := _GROUND.search(m[0]))}
    svg = _PATTERN.sub(_hatch, svg)
    return _DRAWN.sub(lambda tag: _both(_edged(tag[0], grounds)), svg)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@cache
def readable(colour: str, paper: str, wanted: float = _SURE) -> str:
    """The colour itself where it has the contrast, else as little darker or lighter as gives it."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_parts(colour))
    step = 0.01 if _luminance(paper) < 0.2 else -0.01
    while contrast(colour, paper) < wanted and 0 <= lightness <= 1:
        lightness += step
        parts = colorsys.hls_to_rgb(hue, min(max(lightness, 0.0), 1.0), saturation)
        colour = "#" + "".join(f"{round(255 * part):02x}" for part in parts)
    return colour


def _both(tag: str) -> str:
    return _COLOUR.sub(lambda found: _two(found[1], found[2]), tag)


def _two(what: str, colour: str) -> str:
    """A property in both colours; white parts one shape from the next, and takes the paper's own."""
    if colour == LIGHT_PAPER:
        light, dark = colour, DARK_PAPER
    else:
        light = readable(colour, LIGHT_PAPER, ENOUGH) if what == "stroke" else colour
        dark = readable(colour, DARK_PAPER)
    return f"{what}: {light}; {what}: light-dark({light}, {dark})"


def _edged(tag: str, grounds: dict[str, str]) -> str:
    """Draw the edge of a shape that is pale, hatched or see-through, unless it has one."""
    found = re.search(r"\bfill: (?:(#[0-9a-f]{6})|url\(#([^)]+)\))", tag)
    if found is None or "stroke:" in tag:
        return tag
    colour = found[1] or grounds.get(found[2], LIGHT_PAPER)
    if colour == LIGHT_PAPER:
        return tag
    if "fill-opacity" in tag:
        return tag.replace(found[0], f"{found[0]}; stroke: {colour}; stroke-width: 0.8")
    if contrast(colour, LIGHT_PAPER) >= ENOUGH:
        return tag
    edge = readable(colour, LIGHT_PAPER, _EDGE)
    return tag.replace(found[0], f"{found[0]}; stroke: {edge}; stroke-width: 0.8")


def _hatch(pattern: re.Match[str]) -> str:
    """Hatch in a darker shade of the ground: white lines are lost on a pale one."""
    ground = _GROUND.search(pattern[0])
    if ground is None:
        return pattern[0]
    edge = readable(ground[1], LIGHT_PAPER, _HATCH)
    text = _COLOUR.sub(rf"\1: {edge}", pattern[0])
    return text.replace(ground[0], f'style="fill: {ground[1]}; stroke: none"')


def _parts(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _parts(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
