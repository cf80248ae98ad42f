"""The live sheet of the budget: response curves alive, and a split of the reader's own to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.planning.response import RETENTION, ResponseCurve
from clv.planning.spending import LAST, NOTHING, RECOMMENDED, Budget
from clv.reporting.live_sheets import Cells
from clv.reporting.reviews import Review
from clv.reporting.sheets import ALIVE, Book, Live, Part, Sheet, carried, letter, number
from clv.units import percent

if TYPE_CHECKING:
    import pandas as pd

_TRY = "Your split: change the yellow cells"
_WORDS = {_TRY: _TRY, RECOMMENDED: "Recommended at {} margin", LAST: "Last year's split"}
_COLUMNS = ("Spend", "Brings", "Contribution", "Next unit of money brings")
_CHART = 16  # rows that it takes
_TOP, _FIRST = 4, 4  # the row of the first use, the column of the first way


def budget_sheet(book: Book, review: Review, cells: Cells, worth: Cells) -> None:
    """Splits side by side with what they bring; break-evens where responses are not known."""
    budget = review.budget
    if budget is None:
        return
    sheet = book.add(
        "Budget", "How to split the budget", f"In this run: {budget.sentence}\n{budget.basis}.", ALIVE
    )
    if budget.table is None or budget.split is None:
        row = _break_evens(sheet, budget, cells, worth)
    else:
        row = _Splits(sheet, review, budget, budget.table, budget.split, worth).write(book)
    for at, words in enumerate(budget.notes, row + 1):
        sheet.note(at, words)
    sheet.freeze(4)
    sheet.one_page()


def _break_evens(sheet: Sheet, budget: Budget, cells: Cells, worth: Cells) -> int:
    """What a customer may cost, and what spending on retention has to bring; returns the row below."""
    frame = budget.acquisition.assign(segment=[str(name) for name in budget.acquisition.index])
    frame["cac_cell"] = [carried(cells[name]["cac"]) for name in frame["segment"]]
    frame["value_cell"] = [carried(worth[name]["value"]) for name in frame["segment"]]
    parts = (
        Part("segment", "Segment", "text"),
        Part("cac", "CAC", "money", "{cac_cell}"),
        Part("break_even_cac", "Break-even CAC", "money", "{value_cell}"),
        Part(
            "break_even_p10",
            "In the lowest of ten cases",
            "money",
            'IF(AS_RUN="yes",{run_break_even_p10},"")',
            "run",
        ),
    )
    sheet.rows(4, parts, frame)
    row = 4 + len(frame) + 2
    sheet.block(row - 1, "What spending on retention has to bring")
    sheet.head(row, 0, "Of the budget", "count")
    sheet.head(row, 1, "Spend", "money")
    sheet.head(row, 2, "Points of a year's retention", "points")
    for at, (spend, points) in enumerate(budget.retention["points"].items(), row + 1):
        part = float(str(spend)) / budget.total
        sheet.put(at, 0, part, "share")
        sheet.put(at, 1, Live(f"A{at + 1}*BUDGET", float(str(spend))), "money")
        guard = f'AND(AS_RUN="yes",BUDGET={number(budget.total)})'
        found = 100 * points
        shown = Live(f'IF({guard},{number(found)},"")', found) if points == points else float("nan")
        sheet.put(at, 2, shown, "points", "run")
    return row + 1 + len(budget.retention)


_SUMS = (
    "Together",
    "Left of the budget",
    "Existing base, with nothing spent",
    "Value in all",
    "Less what is spent",
    "In one case of ten less than",
    "Short of the recommended",
)


class _Splits:
    """Uses down, ways to spend across; sums and what is left below, and what retention is worth."""

    def __init__(
        self,
        sheet: Sheet,
        review: Review,
        budget: Budget,
        table: pd.DataFrame,
        split: pd.DataFrame,
        worth: Cells,
    ) -> None:
        self.sheet, self.split, self.worth = sheet, split, worth
        self.table: Mapping[Any, Mapping[Any, float]] = table.to_dict("index")
        self.total = budget.total
        self.margin, self.values = review.study.economics.margin, review.units.table["value"]
        self.curves: Mapping[str, ResponseCurve] = budget.curves
        self.uses = list(self.curves)
        self.end = _TOP + len(self.uses)  # the row of sums
        self.knots = self.end + len(_SUMS) + 4 + _CHART
        self.keeping = budget.keeping if RETENTION in self.curves else None

    def write(self, book: Book) -> int:
        """Write all blocks; returns the row below."""
        ways = [_TRY, RECOMMENDED, *([LAST] if LAST in self.table else [])]
        self._curves()
        for at, way in enumerate(ways):
            spends = self.split["last_year" if way == LAST else "recommended"]
            self._way(_FIRST + len(_COLUMNS) * at, way, [float(spends[use]) for use in self.uses])
        last = _FIRST + len(_COLUMNS) * len(ways)
        self.sheet.group(2, last, last, "Do nothing")
        self.sheet.head(3, last, "Contribution", "money")
        self._sums(last - 2, NOTHING, 0.0, 0.0)
        for row, words in enumerate(_SUMS, self.end):
            self.sheet.put(row, 0, words, "text", "total" if row == self.end else "")
        self._still_best()
        row = self.knots + (len(self.keeping.points) if self.keeping else -2)
        _chart(book, self.sheet, self.uses, len(ways), self.end + len(_SUMS) + 2)
        return row

    def _curves(self) -> None:
        """What each use can bring at most, at what spending, and what one more of that is worth."""
        self.sheet.group(2, 1, 3, "Response: ceiling × (1 − e^(−spend ÷ saturation))")
        for j, label in enumerate(("Spend on", "Ceiling", "Saturation", "One more is worth")):
            self.sheet.head(3, j, label, "text" if j == 0 else "money")
        for row, (use, curve) in enumerate(self.curves.items(), _TOP):
            self.sheet.put(
                row, 0, "Retention, rise of a year's share" if use == RETENTION else f"{use}, customers"
            )
            self.sheet.put(row, 1, float(curve.ceiling), _kind(use), "input")
            self.sheet.put(row, 2, float(curve.saturation), "count", "input")
            for j in (1, 2):
                self.sheet.limit(row, j, 1e-9, 1e12)
            if use == RETENTION:
                self.sheet.put(row, 3, "by points, below", "text", "right")
            else:
                self.sheet.put(
                    row, 3, Live(carried(self.worth[use]["value"]), float(self.values[use])), "money"
                )

    def _way(self, column: int, way: str, spends: Sequence[float]) -> None:
        """One way to spend: what it brings, what that is worth, and what the next unit would bring."""
        self.sheet.group(2, column, column + 3, _WORDS[way].format(percent(self.margin)))
        for j, label in enumerate(_COLUMNS, column):
            self.sheet.head(3, j, label, "money")
        brought = 0.0
        for row, (use, spend) in enumerate(zip(self.uses, spends, strict=True), _TOP):
            curve, cells = self.curves[use], _Cells(row, column)
            self.sheet.put(row, column, spend, "money", "input" if way == _TRY else "run")
            if way == _TRY:
                self.sheet.limit(row, column, 0, 1e12)
            made, each = float(curve.response(spend)), float(curve.marginal(spend))
            self.sheet.put(row, column + 1, Live(cells.response, made), _kind(use))
            if use == RETENTION and self.keeping:
                shape = _Between(self.knots, len(self.keeping.points), column + 1)
                self._interval(shape, cells.brings, made)
                value, slope = self.keeping.worth(made), self.keeping.slope(made)
                texts = shape.worth, f"{shape.slope}*{cells.marginal}"
            else:
                value, slope = made * float(self.values[use]), float(self.values[use])
                texts = f"{cells.brings}*{cells.worth}", f"{cells.worth}*{cells.marginal}"
            for j, text, result in ((2, texts[0], value), (3, texts[1], slope * each)):
                shown = Live(f'IF(HORIZON_DAYS=MODEL_DAYS,{text},"")', result)
                self.sheet.put(row, column + j, shown, "money" if j == 2 else "ratio")
            brought += value
        self._sums(column, way, sum(spends), brought)

    def _sums(self, column: int, way: str, spent: float, brought: float) -> None:
        """Sums of a way, and what is left of them; `column` is that of the spends."""
        spends, values = letter(column), letter(column + 2)
        row, base = self.end, self.table[NOTHING]["value"]
        best = self.table[RECOMMENDED]["net"]
        add = way != NOTHING
        if add:
            self.sheet.put(
                row, column, Live(f"SUM({spends}{_TOP + 1}:{spends}{row})", spent), "money", "total"
            )
            left = Live(f"BUDGET-{spends}{row + 1}", self.total - spent)
            self.sheet.put(row + 1, column, left, "money")
        sums = f"SUM({values}{_TOP + 1}:{values}{row})" if add else "0"
        less = f"{values}{row + 4}-{spends}{row + 1}" if add else f"{values}{row + 4}"
        known = f"{letter(_FIRST + len(_COLUMNS) + 2)}{row + 5}-{values}{row + 5}"
        net = base + brought - spent
        lines = (
            (0, sums, brought, "total"),
            (2, f"{number(base / self.margin)}*MARGIN", base, "run"),
            (3, f"{values}{row + 1}+{values}{row + 3}", base + brought, ""),
            (4, less, net, "total"),
            (6, known, best - net, ""),
        )
        for at, text, result, look in lines:
            shown = Live(f'IF(HORIZON_DAYS=MODEL_DAYS,{text},"")', result)
            self.sheet.put(row + at, column + 2, shown, "money", look)
        if way != _TRY:
            low = self.table[way]["net_p10"]
            text = f'IF({self._same()},{number(low)},"")'
            self.sheet.put(row + 5, column + 2, low if np.isnan(low) else Live(text, low), "money", "run")

    def _same(self) -> str:
        """Whether curves and terms are those of the run."""
        said = ['AS_RUN="yes"']
        for row, curve in enumerate(self.curves.values(), _TOP + 1):
            said += [f"$B${row}={number(curve.ceiling)}", f"$C${row}={number(curve.saturation)}"]
        return f"AND({','.join(said)})"

    def _still_best(self) -> None:
        row = self.end + len(_SUMS)
        text = f'IF(AND({self._same()},BUDGET={number(self.total)}),"yes","no: run again")'
        self.sheet.put(row, 0, "Is the recommended split still the best?")
        self.sheet.put(row, _FIRST + len(_COLUMNS) + 2, Live(text, "yes"), "text", "right")

    def _interval(self, shape: _Between, brings: str, made: float) -> None:
        """Where on the curve of retention a way is; the curve itself once."""
        keeping = self.keeping
        if keeping is None:
            return
        heads = ("Rise of a year's retention", "Revenue that they bring", "Slope there")
        if shape.column == _FIRST + 1:
            self.sheet.block(self.knots - 2, "What retention is worth: revenue by the model of this run")
            for j, label in enumerate(heads):
                self.sheet.head(self.knots - 1, j, label, "money")
            for row, (points, worth) in enumerate(
                zip(keeping.points, keeping.worths, strict=True), self.knots
            ):
                self.sheet.put(row, 0, float(points), "signed", "run")
                self.sheet.put(row, 1, float(worth) / self.margin, "money", "run")
                self.sheet.put(row, 2, keeping.slope(float(points)) / self.margin, "money", "run")
        at = min(int(np.searchsorted(keeping.points, made, side="right")), len(keeping.points) - 1)
        low, high = keeping.points[at - 1 : at + 1]
        results = (float(at), float(high - low), float((made - low) / (high - low)))
        self.sheet.head(self.knots - 1, shape.column, "Interval, width, share of it", "money")
        for row, text, result in zip(range(3), shape.parts(brings), results, strict=True):
            self.sheet.put(self.knots + row, shape.column, Live(text, result), "number")


@dataclass(frozen=True)
class _Cells:
    """A use's cells in one way to spend."""

    row: int
    column: int

    @property
    def brings(self) -> str:
        """What the spend brings."""
        return f"{letter(self.column + 1)}{self.row + 1}"

    @property
    def worth(self) -> str:
        """What one more of that is worth."""
        return f"$D${self.row + 1}"

    @property
    def response(self) -> str:
        """The response curve at the spend."""
        return f"$B${self.row + 1}*(1-EXP(-{self._spend}/$C${self.row + 1}))"

    @property
    def marginal(self) -> str:
        """What one more unit of money brings."""
        at = self.row + 1
        return f"$B${at}/$C${at}*EXP(-{self._spend}/$C${at})"

    @property
    def _spend(self) -> str:
        return f"{letter(self.column)}{self.row + 1}"


@dataclass(frozen=True)
class _Between:
    """A smooth curve between known points, as formulas: cubic, with the slopes at the points given."""

    top: int
    count: int
    column: int

    def parts(self, at: str) -> tuple[str, str, str]:
        """The interval's number, its width, and how far into it."""
        points = self._range("A")
        number_ = f"MIN(MATCH({at},{points},1),{self.count - 1})"
        low, high = f"INDEX({points},{self._at(0)})", f"INDEX({points},{self._at(0)}+1)"
        return number_, f"{high}-{low}", f"({at}-{low})/{self._at(1)}"

    @property
    def worth(self) -> str:
        """Value on the curve, at the margin."""
        h, t, (low, high, first, last) = self._at(1), self._at(2), self._ends()
        return (
            f"MARGIN*({low}*(1+2*{t})*(1-{t})^2+{h}*{first}*{t}*(1-{t})^2"
            f"+{high}*{t}^2*(3-2*{t})+{h}*{last}*{t}^2*({t}-1))"
        )

    @property
    def slope(self) -> str:
        """Its slope, at the margin."""
        h, t, (low, high, first, last) = self._at(1), self._at(2), self._ends()
        return f"MARGIN*(6*{t}*(1-{t})*({high}-{low})/{h}+{first}*(1-{t})*(1-3*{t})+{last}*{t}*(3*{t}-2))"

    def _ends(self) -> tuple[str, str, str, str]:
        """Values and slopes at both ends of the interval."""
        values, slopes, at = self._range("B"), self._range("C"), self._at(0)
        low, high, first, last = (f"INDEX({r},{at}{more})" for r in (values, slopes) for more in ("", "+1"))
        return low, high, first, last

    def _range(self, name: str) -> str:
        return f"${name}${self.top + 1}:${name}${self.top + self.count}"

    def _at(self, part: int) -> str:
        return f"{letter(self.column)}${self.top + part + 1}"


def _kind(use: str) -> str:
    return "share" if use == RETENTION else "count"


def _chart(book: Book, sheet: Sheet, uses: Sequence[str], ways: int, row: int) -> None:
    """Draw the spends of all ways side by side."""
    chart = book.book.add_chart({"type": "bar"})
    for at in range(ways):
        column = _FIRST + len(_COLUMNS) * at
        last = _TOP + len(uses) - 1
        chart.add_series(
            {
                "name": [sheet.name, 2, column],
                "categories": [sheet.name, _TOP, 0, last, 0],
                "values": [sheet.name, _TOP, column, last, column],
                "fill": {"color": ("#e0b73a", "#3a7d5c", "#8a94a0")[at]},
            }
        )
    chart.set_title({"name": "What is spent on what", "name_font": {"size": 12}})
    chart.set_x_axis(
        {"num_format": "#,##0", "major_gridlines": {"visible": True, "line": {"color": "#dddddd"}}}
    )
    chart.set_y_axis({"reverse": True})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 900, "height": 300})
    sheet.sheet.insert_chart(row, 0, chart)
