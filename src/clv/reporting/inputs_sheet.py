"""The inputs of the workbook: named cells that its live sheets follow, and the terms of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clv.forecasting.totals import ALL
from clv.planning.levers import LEVERS
from clv.reporting.grid import Kind
from clv.reporting.reviews import Review
from clv.reporting.sheets import ASKED, LEGEND, Book, Live, Sheet

EACH = ""  # names the acquisition cost that is one for all
_MOST = 1e12


@dataclass(frozen=True)
class _Input:
    """A named cell; without limits it is not to be changed."""

    name: str
    value: float
    kind: Kind
    unit: str
    words: str
    limits: tuple[float, float] | None = None


def input_sheet(book: Book, review: Review) -> Mapping[str, str]:
    """Add the inputs; returns how formulas call the acquisition cost of each segment."""
    basis = f"{review.study.forecast.basis}. {LEGEND}"
    sheet = book.add(
        "Inputs", "Inputs: change a yellow cell, the sheets with a green tab follow", basis, ASKED
    )
    for j, label in enumerate(("Name", "Value", "Unit", "What it is")):
        sheet.head(2, j, label, "count" if j == 1 else "text")
    rows = [*_asked(review), *_of_the_run(review)]
    for i, row in enumerate(rows, start=3):
        _row(book, sheet, i, row)
    end = 3 + len(rows)
    same = "AND(MARGIN=MODEL_MARGIN,HORIZON_DAYS=MODEL_DAYS)"
    words = "Whether bands and chances stand: the model was run for its own margin and horizon only."
    for j, text in ((0, "AS_RUN"), (2, "yes or no"), (3, words)):
        sheet.put(end, j, text)
    sheet.put(end, 1, Live(f'IF({same},"yes","no")', "yes"), "text", "right")
    book.book.define_name("AS_RUN", f"={sheet.at(end, 1)}")
    sheet.freeze(3)
    sheet.widen({3: 90})
    return _costs(sheet, end + 3, review)


def _asked(review: Review) -> Sequence[_Input]:
    """What a reader may change."""
    e, money = review.study.economics, review.study.orders.money_unit
    rows = [
        _Input("MARGIN", e.margin, "share", "of revenue", "Contribution per unit of revenue.", (0, 1)),
        _Input(
            "HORIZON_DAYS",
            review.study.forecast.days,
            "count",
            "days",
            "How long the formulas count. The model's columns stand empty unless it is MODEL_DAYS.",
            (1, 36525),
        ),
    ]
    if review.budget is not None:
        spent = "What may be spent within the horizon, for the split."
        rows.append(_Input("BUDGET", review.budget.total, "money", money, spent, (0, _MOST)))
    tornado = review.scenarios.table
    changes = {str(k): float(v) for k, v in zip(tornado["lever"], tornado["change"], strict=True)}
    for lever, meaning in LEVERS.items():
        words = f"How far the scenarios move {lever_words(lever)}: {meaning}."
        rows.append(_Input(f"CHANGE_{lever.upper()}", changes[lever], "share", "of it", words, (-0.99, 0.99)))
    if review.study.cac is not None:
        words = "Cost to acquire a customer, the same in every segment."
        rows.append(_Input("CAC_EACH", review.study.cac, "money", f"{money} a customer", words, (0, _MOST)))
    return rows


def _of_the_run(review: Review) -> Sequence[_Input]:
    """What the figures of the run go by."""
    e, rule = review.study.economics, review.study.economics.churn_rule()
    churn = f"Period that churn and frequency are of. Churn: {rule.sentence}."
    horizon = f"Horizon of the model: {e.horizon} after {review.study.as_of}."
    margin = "Margin that the model's bands, chances and split were run at."
    return [
        _Input("PERIOD_DAYS", rule.period_days, "ratio", "days", churn),
        _Input("MODEL_DAYS", review.study.forecast.days, "count", "days", horizon),
        _Input("MODEL_MARGIN", e.margin, "share", "of revenue", margin),
        _Input("DISCOUNT", e.discount, "share", "a year", "Discount rate in the model's values."),
    ]


def _row(book: Book, sheet: Sheet, at: int, row: _Input) -> None:
    for j, text in ((0, row.name), (2, row.unit), (3, row.words)):
        sheet.put(at, j, text)
    sheet.put(at, 1, float(row.value), row.kind, "input" if row.limits else "run")
    book.book.define_name(row.name, f"={sheet.at(at, 1)}")
    if row.limits:
        sheet.limit(at, 1, *row.limits)


def _costs(sheet: Sheet, top: int, review: Review) -> Mapping[str, str]:
    """Acquisition costs by segment, where they are not one for all; empty where they are not known."""
    study, comparison = review.study, review.comparison
    table, money = comparison.table, study.orders.money_unit
    costs = {str(name): float(cac) for name, cac in table["cac"].items()}
    given = study.economics.cac if isinstance(study.economics.cac, Mapping) else {}
    names = [] if comparison.behavioural else [name for name in costs if name != ALL]
    if comparison.behavioural or ALL in given:  # a cost of its own, and no mean of the segments'
        names.append(ALL)
    if study.cac is not None:
        return dict.fromkeys((*names, ALL, EACH), "CAC_EACH")
    sheet.block(top - 1, f"What it costs to acquire a customer, by {comparison.by.replace('_', ' ')}")
    for j, label in enumerate(("Segment", "CAC", "Unit")):
        sheet.head(top, j, label, "count" if j == 1 else "text")
    found = {}
    for i, name in enumerate(names, top + 1):
        sheet.put(i, 0, name)
        sheet.put(i, 1, costs[name], "money", "input")
        sheet.put(i, 2, f"{money} a customer")
        sheet.limit(i, 1, 0, _MOST)
        cell = sheet.at(i, 1)
        found[name] = f'IF({cell}="","",{cell})'
    sheet.note(top + len(names) + 2, "Empty: not known. What needs it is not shown, and never taken for 0.")
    return found


def lever_words(lever: str) -> str:
    """Return a lever's name in words."""
    return "CAC" if lever == "cac" else lever.replace("_", " ")
