"""Colours for two papers: the contrast they promise, as near as can be to what was drawn."""

import colorsys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv.reporting.shades import DARK_PAPER, ENOUGH, LIGHT_PAPER, contrast, for_both_papers, readable

colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@given(colours, st.sampled_from((LIGHT_PAPER, DARK_PAPER)))
def test_a_colour_is_readable_and_keeps_its_hue(colour: str, paper: str) -> None:
    made = readable(colour, paper)
    assert contrast(made, paper) >= ENOUGH
    if contrast(colour, paper) >= 3.4:
        assert made == colour
    one, other = (
        colorsys.rgb_to_hls(*(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5))) for c in (colour, made)
    )
    if min(one[2], other[2]) > 0.3 and 0.2 < one[1] < 0.8:  # greys have no hue, nor has nearly black
        assert min(abs(one[0] - other[0]), 1 - abs(one[0] - other[0])) < 0.03


def test_shapes_and_lines_get_two_colours_and_words_keep_theirs() -> None:
    made = for_both_papers(
        '<path style="fill: #1f5fa8"/><path style="fill: none; stroke: #ffffff"/>'
        '<text style="fill: #10151b">#1f5fa8</text>'
    )
    dark = readable("#1f5fa8", DARK_PAPER)
    assert dark != "#1f5fa8"
    assert f'<path style="fill: #1f5fa8; fill: light-dark(#1f5fa8, {dark})"/>' in made
    assert f"stroke: #ffffff; stroke: light-dark(#ffffff, {DARK_PAPER})" in made  # parts shapes on any paper
    assert '<text style="fill: #10151b">#1f5fa8</text>' in made


def test_pale_and_see_through_shapes_get_an_edge() -> None:
    pale, band = (
        for_both_papers(f'<path style="{style}"/>')
        for style in ("fill: #f3d9a4", "fill: #1f5fa8; fill-opacity: 0.22")
    )
    assert f"stroke: {readable('#f3d9a4', LIGHT_PAPER, 4.5)}" in pale
    assert "stroke: #1f5fa8" in band


def test_a_hatch_is_drawn_in_a_darker_shade_of_its_ground() -> None:
    made = for_both_papers(
        '<pattern id="h1"><rect fill="#f3d9a4"/><path style="fill: #ffffff; stroke: #ffffff"/></pattern>'
        '<path style="fill: url(#h1)"/>'
    )
    shade = readable("#f3d9a4", LIGHT_PAPER, 7.0)
    assert f"stroke: {shade}; stroke: light-dark({shade}," in made
    assert '<path style="fill: url(#h1); stroke: ' in made
    assert made.count("stroke: none") == 1  # no edge around each tile
