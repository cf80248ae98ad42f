"""Live sheets by segment: both formulas, value against acquisition cost, and payback month by month."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.evaluation.compare import Comparison
from clv.forecasting.totals import ALL
from clv.reporting import formula_tables
from clv.reporting.reviews import Review
from clv.reporting.sheets import ALIVE, Book, Live, Part, Sheet, carried, letter

if TYPE_CHECKING:
    import pandas as pd

type Cells = Mapping[str, Mapping[str, str]]  # of each segment, how other sheets call its cells by key

_SEEN, _ONE, _TWO, _MODEL = "Seen so far", "Formula 1", "Formula 2", "Model of this run"
_FORMULAS = (
    Part("customers", "Customers", "count", None, "run", _SEEN),
    Part("orders", "Orders (purchase days)", "count", None, "run", _SEEN),
    Part("repeats", "Repeat orders", "count", None, "run", _SEEN),
    Part("revenue", "Revenue", "money", None, "run", _SEEN),
    Part("exposure_days", "Customer days observed", "count", None, "run", _SEEN),
    Part("churn", "Churn a period", "share", None, "run", _SEEN),
    Part("cac", "CAC", "money", None, "input"),
    Part("aov", "Order value", "money", "{revenue}/{orders}", "", "What the formulas take"),
    Part(
        "orders_per_customer",
        "Orders a customer",
        "ratio",
        "{orders}/{customers}",
        "",
        "What the formulas take",
    ),
    Part(
        "frequency",
        "Orders a period",
        "ratio",
        'IF({run_frequency}="","",{orders}/{exposure_days}*PERIOD_DAYS)',  # empty where the run left it out
        "",
        "What the formulas take",
    ),
    Part(
        "orders_within",
        "Orders within the horizon",
        "ratio",
        'IF({exposure_days}=0,"",MIN({orders_per_customer},1+{repeats}/{exposure_days}*HORIZON_DAYS))',
        "",
        "What the formulas take",
    ),
    Part(
        "formula_1",
        "(value × orders − CAC) × margin",
        "money",
        'IF({cac}="","",({aov}*{orders_per_customer}-{cac})*MARGIN)',
        "",
        _ONE,
    ),
    Part(
        "formula_1_contribution",
        "… charging all of CAC",
        "money",
        'IF({cac}="","",{aov}*{orders_per_customer}*MARGIN-{cac})',
        "",
        _ONE,
    ),
    Part(
        "formula_1_within",
        "Within the horizon, before CAC",
        "money",
        'IF({orders_within}="","",{aov}*{orders_within}*MARGIN)',
        "",
        _ONE,
    ),
    Part(
        "formula_2",
        "Without an end, before CAC",
        "money",
        'IF(OR(N({churn})=0,{frequency}=""),"",{aov}*{frequency}*MARGIN/{churn})',
        "",
        _TWO,
    ),
    Part(
        "formula_2_within",
        "Within the horizon, before CAC",
        "money",
        'IF(OR(N({churn})=0,{frequency}=""),"",'
        "{aov}*{frequency}*MARGIN*(1-(1-{churn})^(HORIZON_DAYS/PERIOD_DAYS))/{churn})",
        "",
        _TWO,
    ),
    Part("model_revenue", "Revenue within the horizon", "money", None, "run", _MODEL),
    Part(
        "model_new",
        "Within the horizon, before CAC",
        "money",
        'IF(OR(HORIZON_DAYS<>MODEL_DAYS,{model_revenue}=""),"",{model_revenue}*MARGIN)',
        "",
        _MODEL,
    ),
    Part(
        "ratio",
        "Model ÷ formula 1",
        "ratio",
        'IF(OR(N({formula_1_within})=0,{model_new}=""),"",{model_new}/{formula_1_within})',
        "",
        _MODEL,
    ),
)
_BAND = 'IF(HORIZON_DAYS=MODEL_DAYS,{{run_revenue_{0}}}*MARGIN,"")'
_TIMES = 'IF(OR(N({{cac}})=0,{{{0}}}=""),"",{{{0}}}/{{cac}})'
_CHANCE = 'IF(AND(AS_RUN="yes",ROUND(N({{cac}})-{{run_cac}},6)=0),{{run_{0}}},"")'
_VALUE = (
    Part("segment", "Segment", "text"),
    Part("customers", "Customers", "count", None, "run"),
    Part("cac", "CAC", "money", "{cac_cell}"),
    Part("revenue", "Revenue, discounted", "money", None, "run", "A new customer, by the model of this run"),
    Part(
        "value",
        "Value before CAC: the most it may cost (break-even)",
        "money",
        'IF(HORIZON_DAYS=MODEL_DAYS,{revenue}*MARGIN,"")',
        "",
        "A new customer, by the model of this run",
    ),
    Part("value_p05", "5 %", "money", _BAND.format("p05"), "", "A new customer, by the model of this run"),
    Part("value_p95", "95 %", "money", _BAND.format("p95"), "", "A new customer, by the model of this run"),
    Part("net", "Value less CAC", "money", 'IF(OR({cac}="",{value}=""),"",{value}-{cac})'),
    Part("value_to_cac", "Value ÷ CAC", "ratio", _TIMES.format("value"), "", "Value ÷ CAC"),
    Part("value_to_cac_p05", "5 %", "ratio", _TIMES.format("value_p05"), "", "Value ÷ CAC"),
    Part("value_to_cac_p95", "95 %", "ratio", _TIMES.format("value_p95"), "", "Value ÷ CAC"),
    Part("p_above_1", "above 1", "share", _CHANCE.format("p_above_1"), "run", "Chance of a mean ratio"),
    Part("p_above_3", "above 3", "share", _CHANCE.format("p_above_3"), "run", "Chance of a mean ratio"),
)


def formula_sheet(book: Book, comparison: Comparison, costs: Mapping[str, str]) -> Cells:
    """Both formulas by segment; `costs` say where a segment's CAC stands, the others have it here."""
    shown = formula_tables.new_customers(comparison)
    frame = shown.frame.assign(model_revenue=shown.frame["model_new"] / comparison.economics.margin)
    if comparison.behavioural:  # nobody is new in the others
        frame = frame.loc[[ALL]]
    sheet = book.add(f"Formulas by {comparison.by}", shown.title, shown.basis, ALIVE)
    parts = (Part("segment", shown.columns[0].label, "text"), *_FORMULAS)
    sheet.rows(4, parts, frame)
    places = {part.key: j for j, part in enumerate(parts)}
    for i, (name, cac) in enumerate(zip(frame.index, frame["cac"], strict=True), start=4):
        total = " total" if name == ALL else ""
        if name in costs:
            sheet.put(i, places["cac"], Live(costs[name], float(cac)), "money", total.strip())
        elif name == ALL:
            mean = _mean(places["cac"], places["customers"], 4, i - 1)
            sheet.put(i, places["cac"], Live(mean, float(cac)), "money", "total")
        else:
            sheet.limit(i, places["cac"], 0, 1e12)
    sheet.freeze(4)
    return {
        str(name): {key: sheet.at(i, j) for key, j in places.items()} for i, name in enumerate(frame.index, 4)
    }


def _mean(values: int, weights: int, first: int, last: int) -> str:
    """Formula of the mean over customers; empty where one is."""
    cells, by = (f"{letter(j)}{first + 1}:{letter(j)}{last + 1}" for j in (values, weights))
    return f'IF(COUNT({cells})<ROWS({cells}),"",SUMPRODUCT({cells},{by})/SUM({by}))'


def value_sheet(book: Book, review: Review, cells: Cells) -> Cells:
    """Value of a new customer against its CAC, with the most that it may cost."""
    units, margin = review.units, review.study.economics.margin
    frame = units.table.assign(
        segment=marked(review, units.table.index),
        cac_cell=[carried(cells[str(name)]["cac"]) for name in units.table.index],
        net=units.table["value"] - units.table["cac"],
        revenue=units.table["value"] / margin,
        revenue_p05=units.table["value_p05"] / margin,
        revenue_p95=units.table["value_p95"] / margin,
    )
    title = "What a new customer brings against what it costs"
    sheet = book.add(
        "Value and CAC", title, f"In this run: {units.sentence}\n{units.basis}. {units.notes[0]}", ALIVE
    )
    sheet.rows(4, _VALUE, frame)
    for i, words in enumerate(units.notes[1:], 5 + len(frame)):
        sheet.note(i, words)
    sheet.freeze(4)
    keys = [part.key for part in _VALUE]
    return {
        str(name): {key: sheet.at(i, j) for j, key in enumerate(keys)}
        for i, name in enumerate(frame.index, 4)
    }


def marked(review: Review, names: Iterable[Any]) -> list[str]:
    """Return names of segments, those with few customers marked."""
    few = review.units.table["few"]
    return [f"{name} (few)" if few[name] else str(name) for name in names]


def payback_sheet(book: Book, review: Review, cells: Cells) -> None:
    """Contribution of a new customer less its CAC by month, and the month in which it is earned back."""
    units = review.units
    title = "How soon a new customer earns back its CAC"
    basis = f"{units.basis}. Month 0 is the first order. Margin and CAC matter here, HORIZON_DAYS does not."
    sheet = book.add("Payback by segment", title, basis, ALIVE)
    frame = _paybacks(review, cells)
    parts = _payback_parts(units.months)
    sheet.rows(4, parts, frame)
    below = 4 + len(frame) + 2
    sheet.block(below - 1, "Revenue of a new customer so far, discounted: by the model of this run")
    months = range(units.months + 1)
    for i, (name, record) in enumerate(zip(frame["segment"], frame.to_dict("records"), strict=True), below):
        sheet.put(i, 0, name)
        for month in months:
            sheet.put(i, _MONTHS + month, record[f"revenue_{month}"], "money", "run")
    for i, words in enumerate(units.notes, below + len(frame) + 1):
        sheet.note(i, words)
    sheet.freeze(4)
    _payback_chart(book, sheet, len(frame), units.months, below + len(frame) + len(units.notes) + 2)


_MONTHS = 5  # the column of month 0
_LINES = 12  # of segments that a chart can tell apart


def _payback_parts(months: int) -> list[Part]:
    """Columns: what it costs, when it is back, and what is left by month."""
    first, last = letter(_MONTHS), letter(_MONTHS + months)
    back = f'COUNTIF({first}{{row}}:{last}{{row}},"<0")'
    never = f"not in {months} months"
    ratio = f'IF(N({{cac}})=0,"",{{at_{months}}}*MARGIN/{{cac}})'
    chance = 'IF(AND(MARGIN=MODEL_MARGIN,ROUND(N({cac})-{run_cac},6)=0),{run_p_paid_back},"")'
    after = f"After {months} months"
    parts = [
        Part("segment", "Segment", "text"),
        Part("cac", "CAC", "money", "{cac_cell}"),
        Part(
            "back",
            "Paid back in month",
            "count",
            f'IF({{cac}}="","",IF({back}>{months},"{never}",{back}))',
            "right",
        ),
        Part("ratio", "Contribution ÷ CAC", "ratio", ratio, "", after),
        Part("p_paid_back", "Customers paid back", "share", chance, "run", after),
    ]
    for month in range(months + 1):
        net = f'IF({{cac}}="","",{{at_{month}}}*MARGIN-{{cac}})'
        parts.append(
            Part(f"net_{month}", f"{month}", "money", net, "", "Contribution so far less CAC, by month")
        )
    return parts


def _paybacks(review: Review, cells: Cells) -> pd.DataFrame:
    """What the payback shows, and where its parts stand."""
    import pandas as pd

    units, margin, count = review.units, review.study.economics.margin, len(review.units.table)
    rows: list[dict[str, Any]] = []
    for i, (name, known) in enumerate(units.table.iterrows()):
        curve = units.curve[units.curve["segment"] == name].set_index("month")
        cac, month = float(known["cac"]), float(known["payback_month"])
        late = "" if np.isnan(cac) else f"not in {units.months} months"
        row = {
            "segment": marked(review, [name])[0],
            "row": f"{5 + i}",
            "cac_cell": carried(cells[str(name)]["cac"]),
            "cac": cac,
            "back": late if np.isnan(month) else month,
            "ratio": float(curve["contribution"].iloc[-1]) / cac if cac > 0 else float("nan"),
            "p_paid_back": float(known["p_paid_back"]),
        }
        for at, record in curve.iterrows():
            row |= {
                f"net_{at}": float(record["net"]),
                f"revenue_{at}": float(record["contribution"]) / margin,
                f"at_{at}": f"{letter(_MONTHS + int(str(at)))}{4 + count + 3 + i}",
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _payback_chart(book: Book, sheet: Sheet, segments: int, months: int, row: int) -> None:
    """Draw the lines of all segments."""
    chart = book.book.add_chart({"type": "line"})
    for i in range(4 if segments <= _LINES else 3 + segments, 4 + segments):
        whole = i == 3 + segments
        chart.add_series(
            {
                "name": [sheet.name, i, 0],
                "categories": [sheet.name, 3, _MONTHS, 3, _MONTHS + months],
                "values": [sheet.name, i, _MONTHS, i, _MONTHS + months],
                "line": {"width": 3.0, "color": "#222222"} if whole else {"width": 1.5},
            }
        )
    chart.set_title({"name": "Contribution so far less CAC", "name_font": {"size": 12}})
    chart.set_x_axis({"name": "Months since the first order", "label_position": "low"})
    chart.set_y_axis(
        {"num_format": "#,##0", "major_gridlines": {"visible": True, "line": {"color": "#dddddd"}}}
    )
    chart.set_legend({"position": "right"})
    chart.set_size({"width": 900, "height": 340})
    sheet.sheet.insert_chart(row, 0, chart)
