"""The report as one self-contained page: no script, no outside request, prints well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.reporting.figures import svg
from clv.reporting.grid import Page, Table
from clv.units import in_words, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.evaluation.study import Study


def render(study: Study, name: str, pages: Sequence[Page], manifest: Mapping[str, str]) -> str:
    """Return the whole page as text; every name from the data is escaped by the template."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("clv.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["chart"] = svg
    environment.filters["alt"] = alt_text
    return environment.get_template("report.html").render(
        name=name,
        study=study,
        pages=pages,
        manifest=manifest,
        currency=study.orders.money_unit,
        horizon=in_words(study.economics.horizon),
        margin=percent(study.economics.margin),
        discount=percent(study.economics.discount),
    )


def alt_text(table: Table) -> str:
    """Say what a chart shows to those who cannot see it: its title and its rows."""
    labels = [column.label for column in table.columns]
    rows = ["; ".join(f"{n} {v}" for n, v in zip(labels, row, strict=True)) for row in table.cells()[:12]]
    return f"{table.title}. " + ". ".join(rows)
