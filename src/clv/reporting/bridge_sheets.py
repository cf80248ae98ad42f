"""Live sheets of why formula and model differ: arithmetic alive, what only the model knows as values."""

from __future__ import annotations

from collections.abc import Mapping

from clv.forecasting.totals import ALL
from clv.planning.steps import END, REST, START, WORDS
from clv.reporting.live_sheets import Cells, marked
from clv.reporting.reviews import Review
from clv.reporting.sheets import ALIVE, Book, Live, Part, Sheet, carried, number

_QUOTED = 'IF({cac}="",{aov}*{orders}*MARGIN,({aov}*{orders}-{cac})*MARGIN)'
_BY_HAND = {  # steps that are arithmetic; all others are of the model, in proportion to the margin
    WORDS["cac_in_full"]: 'IF({cac}="","",-{cac}*(1-MARGIN))',
    WORDS["before_cac"]: 'IF({cac}="","",{cac})',
    WORDS["horizon"]: "IF({age}=0,0,{aov}*MARGIN*({orders}-1)*(MIN(HORIZON_DAYS,{age})/{age}-1))",
}
_OF_THE_MODEL = [*(step for step in WORDS.values() if step not in _BY_HAND), REST]
_STEPS = [START, *WORDS.values(), REST, END]


def bridge_sheets(book: Book, review: Review, cells: Cells, worth: Cells) -> None:
    """From formula 1 to the model: all customers step by step, then every segment."""
    found = review.bridge
    first = book.add(
        "Bridge",
        "Why formula 1 and the model differ, of all customers",
        f"In this run: {found.sentence}\n{found.basis}.",
        ALIVE,
    )
    wide = book.add(
        "Bridge by segment", "Why formula 1 and the model differ, by segment", f"{found.basis}.", ALIVE
    )
    places = _wide(wide, review, cells, worth)
    _steps(book, first, review, places)


def _wide(sheet: Sheet, review: Review, cells: Cells, worth: Cells) -> Mapping[str, str]:
    """Steps across, a row a segment; returns where the steps of all customers are."""
    table, margin = review.bridge.table, review.study.economics.margin
    frame = table.pivot(index="segment", columns="step", values="amount")
    frame = frame.loc[list(dict.fromkeys(table["segment"])), _STEPS].reset_index()
    names = [str(name) for name in frame["segment"]]
    for key, at in (("aov", "aov"), ("orders", "orders_per_customer"), ("cac", "cac")):
        frame[f"{key}_cell"] = [carried(cells[name][at]) for name in names]
        frame[key] = review.comparison.table.loc[names, at].to_numpy()
    frame["age_cell"] = [f"{cells[n]['exposure_days']}/{cells[n]['customers']}" for n in names]
    known = review.comparison.table.loc[names]
    frame["age"] = (known["exposure_days"] / known["customers"]).to_numpy()
    frame["worth"] = [worth[name]["value"] for name in names]
    frame["check"] = 0.0
    frame["segment"] = marked(review, names)
    keys = {step: f"step_{at}" for at, step in enumerate(_STEPS)}
    frame = frame.rename(columns=keys)
    for step in _OF_THE_MODEL:
        frame[f"gross_{keys[step]}"] = frame[keys[step]] / margin
    parts = _wide_parts(keys)
    sheet.rows(4, parts, frame)
    for i, words in enumerate((*review.bridge.reversals, *review.bridge.notes), 5 + len(frame)):
        sheet.note(i, words)
    sheet.freeze(4)
    columns = {part.key: j for j, part in enumerate(parts)}
    return {step: sheet.at(3 + len(frame), columns[key]) for step, key in keys.items()}


def _wide_parts(keys: Mapping[str, str]) -> list[Part]:
    known, steps = "What formula 1 takes", "What each step adds"
    parts = [
        Part("segment", "Segment", "text"),
        Part("aov", "Order value", "money", "{aov_cell}", "", known),
        Part("orders", "Orders a customer", "ratio", "{orders_cell}", "", known),
        Part("age", "Mean age in days", "count", "{age_cell}", "", known),
        Part("cac", "CAC", "money", "{cac_cell}", "", known),
        Part(keys[START], "Formula 1 as quoted", "money", _QUOTED, "", "From"),
    ]
    for step in (*WORDS.values(), REST):
        model = f'IF(HORIZON_DAYS=MODEL_DAYS,{{run_gross_{keys[step]}}}*MARGIN,"")'
        look = "run" if step in _OF_THE_MODEL else ""
        label = step[:1].upper() + step[1:]
        parts.append(Part(keys[step], label, "money", _BY_HAND.get(step, model), look, steps))
    total = f'IF(HORIZON_DAYS=MODEL_DAYS,SUM({{{keys[START]}}}:{{{keys[REST]}}}),"")'
    parts.append(Part(keys[END], "Model: their sum", "money", total, "", "To"))
    check = f'IF(HORIZON_DAYS=MODEL_DAYS,ROUND({{{keys[END]}}}-{{worth}},6),"")'
    parts.append(Part("check", "Less the value on its own sheet (0)", "money", check, "", "Check"))
    return parts


def _steps(book: Book, sheet: Sheet, review: Review, places: Mapping[str, str]) -> None:
    """Write steps down, with the level that they lead to, and draw them."""
    table, margin = review.bridge.table, review.study.economics.margin
    for j, label in enumerate(("Step", "Adds", "Then it is at", "Adds, in reverse order", "By")):
        sheet.head(2, j, label, "money" if 0 < j < 4 else "text")
    records = table[table["segment"] == ALL].to_dict("records")
    for i, record in enumerate(records, start=3):
        step, cell = str(record["step"]), f"B{i + 1}"
        model = step in _OF_THE_MODEL
        end = "total" if step in (START, END) else ""
        level, back = f'IF(C{i}="","",C{i}+N({cell}))', cell
        if model:
            level = f'IF(OR(C{i}="",{cell}=""),"",C{i}+{cell})'
        if model or step == WORDS["horizon"]:  # the horizon is arithmetic in one order only
            gross = number(float(record["reversed"]) / margin)
            back = f'IF(HORIZON_DAYS=MODEL_DAYS,{gross}*MARGIN,"")'
        look = end or ("run" if model else "")
        sheet.put(i, 0, step[:1].upper() + step[1:], "text", end)
        sheet.put(i, 1, Live(carried(places[step]), float(record["amount"])), "money", look)
        sheet.put(i, 2, Live(cell if end else level, float(record["level"])), "money", end)
        sheet.put(
            i, 3, Live(back, float(record["reversed"])), "money", end or ("" if back == cell else "run")
        )
        by = "model of this run, in proportion to the margin" if model else "formula"
        sheet.put(i, 4, "their sum" if step == END else by)
    for i, words in enumerate(review.bridge.notes, 4 + len(records)):
        sheet.note(i, words)
    sheet.freeze(3)
    sheet.one_page()
    _bars(book, sheet, len(records), 5 + len(records) + len(review.bridge.notes))


def _bars(book: Book, sheet: Sheet, steps: int, row: int) -> None:
    """Draw what every step adds."""
    chart = book.book.add_chart({"type": "column"})
    chart.add_series(
        {
            "name": "Adds",
            "categories": [sheet.name, 3, 0, 2 + steps, 0],
            "values": [sheet.name, 3, 1, 2 + steps, 1],
            "fill": {"color": "#3a7d5c"},
            "invert_if_negative": True,
            "invert_if_negative_color": "#b5473c",
            "data_labels": {"value": True, "num_format": "#,##0.00"},
            "gap": 40,
        }
    )
    chart.set_title({"name": "From formula 1 to the model, a new customer", "name_font": {"size": 12}})
    chart.set_legend({"none": True})
    chart.set_x_axis({"label_position": "low"})
    chart.set_y_axis(
        {"num_format": "#,##0", "major_gridlines": {"visible": True, "line": {"color": "#dddddd"}}}
    )
    chart.set_size({"width": 900, "height": 340})
    sheet.sheet.insert_chart(row, 0, chart)
