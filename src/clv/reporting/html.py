"""The report as one self-contained page: no outside request, whole without its script, prints well."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clv.reporting.figures import svg
from clv.reporting.grid import Page, Table
from clv.reporting.ink import drawn_rows
from clv.reporting.locales import ENGLISH, localised
from clv.units import in_words, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.evaluation.study import Study

SHEET = 30  # rows on a printed sheet; a folded table with more stays off paper
LEVELS = {"good": ("✓", "good"), "fair": ("!", "fair"), "bad": ("✕", "bad")}  # a sign, and what it says


_RTL = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]"  # Hebrew, Arabic, Syriac …
_LEFTWARD = re.compile(rf"{_RTL}(?:[^.;:()\n]*?{_RTL})*")
_WHOLE = re.compile(
    r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|"
    r"[+\u2212±]?\d[\d.,\u2019\u202f\xa0]* (?:%|[A-Z]{3}\b|(?:day|week|month|year|point)s?\b)"
)
_WITHOUT = re.compile(r'<(?P<tag>style|script|title|svg|t[dh](?=[^>]* class="n"))\b')  # nothing to mark in


class Cell(NamedTuple):
    """A cell as it prints, and the value it is sorted by: empty for words and for what is missing."""

    text: str
    value: str


def render(
    study: Study, name: str, pages: Sequence[Page], manifest: Mapping[str, str], locale: str = ENGLISH
) -> str:
    """Return the whole page as text; every name from the data is escaped by the template.

    Numbers and dates are written as in `locale`; ConfigError C001 for one that is not known.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("clv.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"chart": svg, "alt": alt_text, "cells": cells, "isolated": isolated}
    text = environment.get_template("report.html").render(
        name=name,
        study=study,
        pages=pages,
        manifest=manifest,
        scope=scope(study),
        sheet=SHEET,
        levels=LEVELS,
        **_own_code(),
    )
    return together(localised(text, locale, {escape(word) for word in (name, *_names(study, pages))}))


def together(page: str) -> str:
    """Return a page in whose text no line ends between a number and its unit, or within a date.

    Marked, so that what a reader copies has plain spaces; columns of numbers have no such ends as it is.
    """
    out, kept = [], ""
    for part in re.split("(<[^>]*>)", page):
        if not part.startswith("<"):
            out.append(part if kept else _WHOLE.sub(r'<span class="w">\g<0></span>', part))
            continue
        found = _WITHOUT.match(part)
        if found and not kept:
            kept = found["tag"]
        elif kept and part.startswith(f"</{kept}"):
            kept = ""
        out.append(part)
    return "".join(out)


def _names(study: Study, pages: Sequence[Page]) -> set[str]:
    """Names from the data, which are no numbers even where they look like some: of segments, now and then."""
    now = {str(member) for c in study.comparisons for member in c.members}
    shown = (t.frame for page in pages for t in (*page.tables, *page.folded))
    return now.union(*(map(str, frame["segment"]) for frame in shown if "segment" in frame))


def _own_code() -> dict[str, Any]:
    """The style and the script, and the script's hash: the page lets no other one run."""
    from markupsafe import Markup

    style, script = (
        (files("clv.reporting") / "templates" / name).read_text(encoding="utf-8")
        for name in ("report.css", "report.js")
    )
    hashed = b64encode(sha256(script.encode()).digest()).decode()
    return {"style": Markup(style), "script": Markup(script), "script_hash": hashed}


def scope(study: Study) -> list[tuple[str, str]]:
    """What every figure of the report shares, by its label."""
    e = study.economics
    return [
        ("As of", str(study.as_of)),
        ("Customers", f"{study.purchase.customers:,.0f}"),
        ("Currency", study.orders.money_unit),
        ("Horizon", in_words(e.horizon)),
        ("Margin", percent(e.margin)),
        ("Discount", f"{percent(e.discount)} a year"),
    ]


def cells(table: Table) -> list[list[Cell]]:
    """The rows of a table, each cell with its value beside its words."""
    values = [
        [""] * len(table.frame) if c.kind == "text" else [_value(v) for v in table.frame[c.key]]
        for c in table.columns
    ]
    return [
        [Cell(*pair) for pair in zip(words, row, strict=True)]
        for words, row in zip(table.cells(), zip(*values, strict=True), strict=True)
    ]


def _value(value: Any) -> str:
    """A number as a script reads it."""
    number = float(value)
    return "" if np.isnan(number) else repr(number).removesuffix(".0").replace("inf", "Infinity")


def isolated(sentence: str) -> str:
    """Return a sentence in which names written from right to left do not turn what stands beside them."""
    return _LEFTWARD.sub("\u2068\\g<0>\u2069", sentence)


def alt_text(table: Table) -> str:
    """Say what a chart shows to those who cannot see it: its title and the rows that it draws."""
    labels = [column.label for column in table.columns]
    drawn = replace(table, frame=drawn_rows(table)).cells()
    rows = ["; ".join(f"{n} {v}" for n, v in zip(labels, row, strict=True)) for row in drawn[:12]]
    return f"{table.title}. " + ". ".join(rows)
