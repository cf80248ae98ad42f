"""The live sheet of scenarios: both formulas follow the levers, the model's values of the run are beside."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.forecasting import simple
from clv.forecasting.totals import ALL
from clv.planning.levers import LEVERS
from clv.planning.what_ifs import BASE, KNOWS, MODEL, NEW, ONE, TWO
from clv.reporting.inputs_sheet import lever_words
from clv.reporting.reviews import Review
from clv.reporting.sheets import ALIVE, Book, Live, Sheet, letter, number

if TYPE_CHECKING:
    import pandas as pd

_METHODS = {ONE: "Formula 1, less margin × CAC", TWO: "Formula 2, before CAC", MODEL: "Model of this run"}
_SIDES = {"down": "Lower", "base": "As it is", "up": "Higher", "width": "Apart"}
_SIGNS = {"down": -1, "base": 0, "up": 1}
_TOGETHER = "All together"
_WHAT_TOGETHER = (
    f"{_TOGETHER}: all levers lower, or all higher, each by its own change. A change of 0 leaves a lever "
    "where it is, one below 0 moves it against the others. The model was not run for that."
)


def scenario_sheet(book: Book, review: Review, cells: Mapping[str, str]) -> None:
    """Levers down and up, of a new customer and of the base; `cells` are those of all customers."""
    found = review.scenarios
    title = "What follows when a lever moves, by the formulas and by the model"
    sheet = book.add(
        "Scenarios",
        title,
        f"In this run: {found.sentence}\n{found.basis}. How far each lever moves: see Inputs.",
        ALIVE,
    )
    sheet.head(3, 0, "Lever", "text")
    sheet.head(3, 1, "Moves by", "share")
    for at, words in enumerate(_METHODS.values()):
        sheet.group(2, 2 + 4 * at, 5 + 4 * at, words)
        for j, label in enumerate(_SIDES.values(), start=2 + 4 * at):
            sheet.head(3, j, label, "money")
    top = 4
    for who, title in ((NEW, "A new customer"), (BASE, "The existing base")):
        sheet.block(top, title)
        block = _Block(sheet, review, cells, who)
        for row, lever in enumerate((*LEVERS, _TOGETHER), start=top + 1):
            block.write(row, lever)
        top += len(LEVERS) + 3
    for row, words in enumerate((_WHAT_TOGETHER, *found.notes), top):
        sheet.note(row, words)
    sheet.freeze(4)


@dataclass(frozen=True, eq=False)
class _Block:
    """The levers of a new customer, or of the base: a row each, and one of all together."""

    sheet: Sheet
    review: Review
    cells: Mapping[str, str]
    who: str

    def write(self, row: int, lever: str) -> None:
        """Write a row: down, as it is, up and how far apart, by each method that knows the lever."""
        look = "total" if lever == _TOGETHER else ""
        words = lever_words(lever)
        self.sheet.put(row, 0, words[:1].upper() + words[1:], "text", look)
        if lever != _TOGETHER:
            self.sheet.put(row, 1, Live(_change(lever), float(self._run(MODEL, lever)["change"])), "share")
        for at, by in enumerate(_METHODS):
            knows = KNOWS.get((self.who, by), ())
            if by == MODEL and lever != _TOGETHER:
                self._model(row, 2 + 4 * at, lever)
            elif by != MODEL and knows:
                self._formulas(row, 2 + 4 * at, by, lever)

    def _formulas(self, row: int, column: int, by: str, lever: str) -> None:
        """Values by a formula; as it is only where that does not know the lever."""
        moved = tuple(LEVERS) if lever == _TOGETHER else (lever,)
        look, known = "total" if lever == _TOGETHER else "", set(moved) & set(KNOWS[self.who, by])
        results = self._results(by, lever)
        for j, side in enumerate(_SIGNS):
            if known or side == "base":
                formula = self._formula(by, moved, _SIGNS[side])
                self.sheet.put(row, column + j, Live(formula, results[side]), self._kind, look)
        if known:
            low, high = f"{letter(column)}{row + 1}", f"{letter(column + 2)}{row + 1}"
            apart = f'IF(OR({low}="",{high}=""),"",ABS({high}-{low}))'
            self.sheet.put(row, column + 3, Live(apart, results["width"]), self._kind, look)

    def _model(self, row: int, column: int, lever: str) -> None:
        """Values of the run, shown while the inputs are those that it was run for."""
        run = self._run(MODEL, lever)
        same = ['AS_RUN="yes"']
        if self.who == NEW:
            cac = self._row["cac"]
            same.append(f"ROUND(N({self.cells['cac']})-{number(0.0 if np.isnan(cac) else cac)},6)=0")
        for j, side in enumerate(_SIDES):
            value = float(run[side])
            change = [f"{_change(lever)}={number(float(run['change']))}"] if side != "base" else []
            shown = f'IF(AND({",".join((*same, *change))}),{number(value)},"")'
            if np.isfinite(value):
                self.sheet.put(row, column + j, Live(shown, value), self._kind, "run")

    @property
    def _kind(self) -> str:
        return "money" if self.who == NEW else "count"

    def _run(self, by: str, lever: str) -> pd.Series:
        """The row of the run's scenarios."""
        table = self.review.scenarios.table
        return table[(table["who"] == self.who) & (table["by"] == by) & (table["lever"] == lever)].iloc[0]

    @property
    def _row(self) -> Mapping[Any, float]:
        """What the formulas take, of all customers."""
        rows: Mapping[Any, Mapping[Any, float]] = self.review.comparison.table.to_dict("index")
        return rows[ALL]

    def _results(self, by: str, lever: str) -> dict[str, float]:
        """What Python finds for a row."""
        if lever != _TOGETHER:
            run = self._run(by, lever)
            return {side: float(run[side]) for side in _SIDES}
        change = {name: float(self._run(by, name)["change"]) for name in LEVERS}
        found = {
            side: self._value(by, {name: 1 + sign * change[name] for name in LEVERS})
            for side, sign in _SIGNS.items()
        }
        return found | {"width": abs(found["up"] - found["down"])}

    def _value(self, by: str, f: Mapping[str, float]) -> float:
        """A formula's value with every lever multiplied by its factor."""
        row = self._row
        margin = min(self.review.study.economics.margin * f["margin"], 1.0)
        aov, often, days = row["aov"] * f["order_value"], f["frequency"], self.review.study.forecast.days
        if by == ONE:
            orders, rate = 1 + (row["orders_per_customer"] - 1) * often, row["repeats"] / row["exposure_days"]
            orders = simple.orders_within(orders, rate * often, days)
            cac = 0.0 if np.isnan(row["cac"]) else row["cac"] * f["cac"]
            return float(simple.per_customer(aov, orders, cac, margin))
        churn = float(np.minimum(row["churn"] * f["churn"], 1.0))
        periods = days / self.review.study.economics.churn_rule().period_days
        value = simple.four_metric_within(aov, row["frequency"] * often, margin, churn, periods)
        return float(value) * (row["customers"] if self.who == BASE else 1.0)

    def _formula(self, by: str, moved: Collection[str], sign: int) -> str:
        """The same as a formula of the cells of all customers."""
        c = self.cells

        def by_lever(cell: str, lever: str) -> str:
            moves = sign and lever in moved
            return f"{cell}*(1{'+' if sign > 0 else '-'}{_change(lever)})" if moves else cell

        aov = by_lever(c["aov"], "order_value")
        margin = f"MIN({by_lever('MARGIN', 'margin')},1)"
        if by == ONE:
            lifetime = by_lever(f"({c['orders_per_customer']}-1)", "frequency")
            rate = by_lever(f"{c['repeats']}/{c['exposure_days']}", "frequency")
            cac = by_lever(f"N({c['cac']})", "cac")
            value = f"({aov}*MIN(1+{lifetime},1+{rate}*HORIZON_DAYS)-{cac})*{margin}"
            missing = [f"N({c['exposure_days']})=0"]
            missing += [f'{c["cac"]}=""'] if sign and moved == ("cac",) else []
        else:
            churn = f"MIN({by_lever(c['churn'], 'churn')},1)"
            often = by_lever(c["frequency"], "frequency")
            value = f"{aov}*{often}*{margin}*(1-(1-{churn})^(HORIZON_DAYS/PERIOD_DAYS))/{churn}"
            value = f"{c['customers']}*{value}" if self.who == BASE else value
            missing = [f"N({c['churn']})=0", f'{c["frequency"]}=""']
        return f'IF(OR({",".join(missing)}),"",{value})'


def _change(lever: str) -> str:
    return f"CHANGE_{lever.upper()}"
