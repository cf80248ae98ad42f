"""Figures: each draws one table and computes nothing. Readable in greyscale, and in light and dark."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from clv.errors import ConfigError
from clv.evaluation.backtest import HoldoutResult
from clv.evaluation.compare import Comparison
from clv.evaluation.predictive import PredictiveCheck
from clv.evaluation.results import Backtest
from clv.evaluation.study import Study
from clv.forecasting.customers import Forecast
from clv.forecasting.totals import Totals
from clv.planning.ratios import UnitEconomics
from clv.planning.spending import Budget
from clv.planning.steps import Bridge
from clv.planning.what_ifs import Scenarios
from clv.reporting import (
    backtest_drawers,
    backtest_tables,
    base_tables,
    churn_tables,
    cohort_drawers,
    cohort_tables,
    drawers,
    forecast_drawers,
    forecast_tables,
    formula_tables,
    kpi_tables,
    past_drawers,
    planning_drawers,
    planning_tables,
    tables,
    tenth_tables,
)
from clv.reporting.grid import Page, Table
from clv.reporting.ink import INK, RC, drawn_rows, families
from clv.reporting.pages import pages
from clv.reporting.reviews import Review
from clv.reporting.shades import for_both_papers

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DRAWERS: dict[str, tuple[Callable[[Axes, Table], None], float]] = {
    # prefix of a table's name → (drawer, height in inches a row; 0: fixed)
    "contenders": (drawers.contenders, 0.0),
    "calibration": (drawers.calibration, 0.0),
    "new_by": (drawers.new_customers, 0.62),
    "holdout_by": (drawers.holdout_segments, 0.66),
    "concentration": (drawers.concentration, 0.0),
    "ages": (drawers.ages, 0.0),
    "check_frequency": (drawers.check_frequency, 0.0),
    "check_tracking": (drawers.check_tracking, 0.0),
    "periods": (forecast_drawers.periods, 0.0),
    "segments": (forecast_drawers.segments, 0.42),
    "p_alive": (forecast_drawers.history_map, 0.0),
    "frequency_recency": (forecast_drawers.history_map, 0.0),
    "lorenz": (forecast_drawers.lorenz, 0.0),
    "value_by_age": (forecast_drawers.value_by_age, 0.0),
    "tracking": (backtest_drawers.tracking, 0.0),
    "cumulative": (backtest_drawers.cumulative, 0.0),
    "deciles": (backtest_drawers.deciles, 0.0),
    "p_purchase": (backtest_drawers.p_purchase, 0.0),
    "pit": (backtest_drawers.pit, 0.0),
    "outcome_by": (past_drawers.outcomes, 0.42),
    "cohorts_by_age": (cohort_drawers.cohorts_by_age, 0.0),
    "cohorts": (forecast_drawers.cohorts, 0.0),
    "ratios": (planning_drawers.ratios, 0.42),
    "payback": (planning_drawers.payback, 0.0),
    "steps": (planning_drawers.steps, 0.34),
    "tornado": (planning_drawers.tornado, 0.44),
    "split": (planning_drawers.split, 0.62),
}


def draw(table: Table, *, captioned: bool = False) -> Figure:
    """Draw a table as a figure of its own, with its title and basis on it if it is to stand alone."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    found = _drawer(table)
    if found is None:
        raise ConfigError(f'C001 {table.name} is a table without a figure; save it as "{table.name}.csv".')
    drawer, per_row = found
    height = max(2.6, per_row * len(drawn_rows(table)) + 1.0) if per_row else 3.4
    with rc_context({**RC, "font.family": families()} if captioned else RC):
        figure = Figure(figsize=(6.0, height), layout="constrained")
        ax = figure.add_subplot()
        ax.spines[["top", "right"]].set_visible(False)
        drawer(ax, table)
        if captioned:
            _caption(figure, table)
    return figure


def _drawer(table: Table) -> tuple[Callable[[Axes, Table], None], float] | None:
    """Return what draws a table, and its height a row; None for one that is read, not seen."""
    of = (e for prefix, e in _DRAWERS.items() if table.name == prefix or table.name.startswith(prefix + "_"))
    return next(of, None)


def _caption(figure: Figure, table: Table) -> None:
    """Write the title above a figure and the basis below it, and make room for them."""
    title, basis = textwrap.fill(table.title, 60), textwrap.fill(table.basis, 105)
    lines = 0.26 * (title.count("\n") + 1) + 0.16 * (basis.count("\n") + 1)
    figure.set_figheight(figure.get_figheight() + lines)
    figure.suptitle(title, x=0.01, ha="left", size=12, weight="bold")
    figure.supxlabel(basis, x=0.01, ha="left", size=7.5, color="#5a6572")


def svg(table: Table) -> str:
    """Draw a table as inline SVG: text stays text, ids are its own, colours suit light and dark."""
    import warnings

    from matplotlib import rc_context

    figure, out = draw(table), io.StringIO()
    with rc_context({**RC, "svg.hashsalt": table.name}), warnings.catch_warnings():
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
    return for_both_papers(text.replace(INK, "currentColor"))


@dataclass(frozen=True, eq=False, repr=False)
class Chart:
    """A figure or table of the report that shows itself in a notebook, and can be saved."""

    table: Table

    def __repr__(self) -> str:
        return f"<Chart: {self.table.title}>"

    def figure(self) -> Figure:
        """Draw it anew as a Matplotlib figure, with its title and basis; C001 where it is a table alone."""
        return draw(self.table, captioned=True)

    def to_pandas(self) -> pd.DataFrame:
        """The numbers in it, by the headings that a reader sees."""
        return self.table.frame[[c.key for c in self.table.columns]].set_axis(
            [c.label for c in self.table.columns], axis=1
        )

    def save(self, path: str) -> None:
        """Write it to a file; the ending says the format: csv for its numbers, svg, png or pdf.

        In an svg text stays text; of a picture a warning says if letters of it are in no font installed.
        """
        if str(path).lower().endswith(".csv"):
            self.to_pandas().to_csv(path, index=False)
        else:
            _save(self.figure(), str(path))

    def _repr_html_(self) -> str:
        title, basis = escape(self.table.title), escape(self.table.basis)
        shown = svg(self.table) if _drawer(self.table) else _html(self.table)
        return f"<figure><figcaption>{title}</figcaption>{shown}<p><small>{basis}</small></p></figure>"


def _save(figure: Figure, path: str) -> None:
    """Save a figure, with one warning in place of one a letter that no font has."""
    import warnings

    from matplotlib import rc_context

    with rc_context(RC), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(path)
    lost = [w for w in caught if _NO_GLYPH.match(str(w.message))]
    for other in caught:
        if other not in lost:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    if lost and not path.lower().endswith(".svg"):
        warnings.warn(
            f"No font that is installed has all letters of {path}: boxes stand for them. Install Noto Sans "
            "CJK, Noto Sans Arabic or Noto Emoji, or save it as .svg, which keeps text as text.",
            stacklevel=3,
        )


_NO_GLYPH = re.compile("Glyph .* missing from")


def _html(table: Table) -> str:
    """A table as it prints in the report, plain."""
    head = "".join(f"<th>{escape(c.label)}</th>" for c in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.cells())
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


type Makers = dict[str, Callable[[], Table]]
type Source = (
    Review | Study | Comparison | PredictiveCheck | Forecast | Totals | Backtest
    | UnitEconomics | Bridge | Scenarios | Budget | list[Page]
)  # fmt: skip


def show(source: Source, name: str | None = None) -> Chart:
    """Show one figure or table of the report, for a notebook; the first of a source without a name.

    A forecast has "quarters", "p_alive", "frequency_recency", "concentration", "value_by_age" and, of 100
    customers or more, "tenths"; totals "quarters", of whatever periods they have, and "segments". A back-test
    has "tracking", "cumulative", "deciles", "p_purchase" and "pit"; a comparison "clv"; a predictive check
    "frequency" and, where it knows days, "tracking". A study has "concentration", "tenths", "ages",
    "churn_definitions", "clv_by_<segment>" for its segments, and with a hold-out "contenders", "calibration"
    and "holdout_by_<segment>". Unit economics have "ratios" and "payback"; a bridge "steps" and "bridges";
    scenarios "tornado_base", "tornado_new", "levers", "two_way" and "retention"; a budget "split", "ways",
    "break_evens" and "needed". A review has all of these, "cohorts_by_age", and every table of its pages,
    such as "repeats", "kpis" or "reconciliation". So have the pages of a run, those that look back at earlier
    runs as well: "outcome_by_<segment>", "movement_value", "at_risk_by_<segment>". ConfigError C001 names
    them all.
    """
    stages = next((stages for kind, stages in _MAKERS.items() if isinstance(source, kind)), ())
    if not stages:
        raise ConfigError(
            f"C012 there are no figures of a {type(source).__name__}; there are of a review, a study, a "
            "comparison, a predictive check, a forecast, totals, a back-test, plans, and the pages of a run."
        )
    makers: Makers = {}
    for of in stages:  # the later ones only where the name is not among the first
        makers |= {**of(source), **makers}
        if name is None or name in makers:
            return Chart(makers[name or next(iter(makers))]())
    raise ConfigError(f"C001 there is no figure {name!r}; there are {', '.join(makers)}.")


def _of_comparison(comparison: Comparison) -> Makers:
    return {"clv": partial(formula_tables.new_customers, comparison)}


def _of_check(check: PredictiveCheck) -> Makers:
    names = ("frequency", "tracking") if check.tracking is not None else ("frequency",)
    return {name: partial(tables.predictive, check, name) for name in names}


def _of_forecast(forecast: Forecast) -> Makers:
    return {
        "quarters": lambda: forecast_tables.periods(forecast.totals(period="Q")),
        "p_alive": partial(forecast_tables.p_alive, forecast),
        "frequency_recency": partial(forecast_tables.frequency_recency, forecast),
        "concentration": partial(forecast_tables.lorenz, forecast),
        "value_by_age": partial(forecast_tables.value_by_age, forecast),
        **_of_tenths(forecast),
    }


def _of_tenths(forecast: Forecast, holdout: HoldoutResult | None = None) -> Makers:
    made = partial(tenth_tables.tenths, forecast, holdout)
    return {"tenths": made} if tenth_tables.enough(forecast) else {}


def _of_totals(totals: Totals) -> Makers:
    periods = {"quarters": partial(forecast_tables.periods, totals)} if "period" in totals.table else {}
    return {**periods, "segments": partial(forecast_tables.segments, totals)}


def _of_backtest(test: Backtest, money: str = "") -> Makers:
    t = backtest_tables
    makers = {f.__name__: partial(f, test, money) for f in (t.tracking, t.cumulative, t.deciles)}
    return {**makers, **{f.__name__: partial(f, test) for f in (t.p_purchase, t.pit)}}


def _of_study(study: Study) -> Makers:
    held = (tables.contenders, tables.calibration) if study.holdout else ()
    shown = (*held, tables.concentration, tables.ages, churn_tables.churn_definitions)
    makers: Makers = {make.__name__: partial(make, study) for make in shown}
    makers |= _of_tenths(study.forecast, study.holdout)
    for c in study.comparisons:
        if not c.behavioural:
            makers[f"clv_by_{c.by}"] = partial(formula_tables.new_customers, c, study.orders.money_unit)
        if c.holdout is not None:
            makers[f"holdout_by_{c.by}"] = partial(formula_tables.holdout_segments, study, c)
    return makers


def _of_units(units: UnitEconomics, money: str = "") -> Makers:
    return {f.__name__: partial(f, units, money) for f in (planning_tables.ratios, planning_tables.payback)}


def _of_bridge(found: Bridge, money: str = "") -> Makers:
    return {f.__name__: partial(f, found, money) for f in (planning_tables.steps, planning_tables.bridges)}


def _of_scenarios(found: Scenarios, money: str = "") -> Makers:
    t = planning_tables
    makers: Makers = {f"tornado_{name}": partial(t.tornado, found, who, money) for who, name in t.WHO.items()}
    return {**makers, **{f.__name__: partial(f, found, money) for f in (t.levers, t.two_way, t.retention)}}


def _of_budget(found: Budget, money: str = "") -> Makers:
    t = planning_tables
    makers = (
        (t.split, t.ways, t.break_evens, t.needed) if found.table is not None else (t.break_evens, t.needed)
    )
    return {f.__name__: partial(f, found, money) for f in makers}


def _of_review(review: Review) -> Makers:
    study, money = review.study, review.study.orders.money_unit
    makers: Makers = {
        "quarters": lambda: forecast_tables.periods(review.quarters),
        "segments": lambda: forecast_tables.segments(review.quarters),
        "repeats": partial(base_tables.repeats, study),
        "cohorts": partial(base_tables.cohorts, study),
        "cohorts_by_age": partial(cohort_tables.cohorts_by_age, review),
        **_of_study(study),
        **_of_units(review.units, money),
        **_of_bridge(review.bridge, money),
        **_of_scenarios(review.scenarios, money),
        "kpis": partial(kpi_tables.kpis, review),
    }
    if review.budget is not None:
        makers |= _of_budget(review.budget, money)
    if review.tested is not None:
        makers |= _of_backtest(review.tested, money)
    return makers


def _of_pages(shown: Sequence[Page]) -> Makers:
    """Every table and chart of pages, by its name."""
    found = {t.name: t for page in shown for t in (*page.tables, *page.charts, *page.folded)}
    return {name: partial(lambda table: table, table) for name, table in found.items()}


_MAKERS: dict[type, Sequence[Callable[[Any], Makers]]] = {
    Comparison: (_of_comparison,),
    PredictiveCheck: (_of_check,),
    Forecast: (_of_forecast,),
    Totals: (_of_totals,),
    Backtest: (_of_backtest,),
    Study: (_of_study,),
    Review: (_of_review, lambda review: _of_pages(pages(review))),
    UnitEconomics: (_of_units,),
    Bridge: (_of_bridge,),
    Scenarios: (_of_scenarios,),
    Budget: (_of_budget,),
    list: (_of_pages,),
}
