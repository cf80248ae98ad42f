"""How the workbook's sheets look: formats, widths that fit, notes, live cells, and how they print."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from clv.reporting.grid import FORMATS, LARGE_SUMS, Kind, Table, show_value

if TYPE_CHECKING:
    import pandas as pd

_NUMBER_FORMATS = {
    "text": "@",
    "count": "#,##0",
    "money": "#,##0{decimals};[Red]-#,##0{decimals}",
    "exact": "#,##0{decimals};[Red]-#,##0{decimals}",
    "gain": "+#,##0{decimals};[Red]-#,##0{decimals}",
    "share": "0.0%",
    "signed": "+0.0%;-0.0%",
    "points": "0.0",
    "number": "#,##0.000",
    "ratio": "0.00",
}
_LOOKS: dict[str, dict[str, Any]] = {
    "input": {"bg_color": "#fff2c4", "border": 1, "border_color": "#d9c37a"},
    "run": {"bg_color": "#eef0f2"},
    "right": {"align": "right"},
    "inner": {"indent": 1},  # text beside numbers
    "bold": {"bold": True},
    "total": {"bold": True, "top": 1},
    "soft": {"font_color": "#5a6572"},
    "link": {"font_color": "#1a5fb4", "underline": 1},
    "good": {"bg_color": "#d9efdf"},
    "fair": {"bg_color": "#fdebc8"},
    "bad": {"bg_color": "#f8d7d5"},
}
LEGEND = (
    "Yellow: yours to change. Grey: of this run, by the model or counted in the log; it takes a new run to "
    "change. White: formulas that follow. A cell is empty where a figure is not known, or where the model "
    "was not run for the inputs."
)
ALIVE, ASKED = "#3a7d5c", "#e0b73a"  # tabs of live sheets, and of the inputs
_NARROW, _WIDE = 9.0, 60.0  # characters: of a column, and of one with text
_PAPER, _LONGEST_LINE = 100.0, 140.0  # of a line of notes: at least, and at most where the table is wide
_LINE = 15.0  # points
_LONGEST_NAME = 31  # of a sheet, in the 16-bit units that Excel counts


@dataclass(frozen=True)
class Live:
    """A formula, and what Python found for it: what a reader sees that does not compute."""

    formula: str
    result: float | str


@dataclass(frozen=True)
class Part:
    """A column of a live sheet: values of its key, or a formula of the row that gives them.

    In a formula {key} is the row's cell of that column, or what a text column says, {run_key} the number of
    the run; capitals are names of the Inputs sheet.
    """

    key: str
    label: str
    kind: Kind
    formula: str | None = None
    look: str = ""
    group: str = ""


class Book:
    """Sheets of one look, with unique names that Excel takes."""

    def __init__(self, book: Any, name: str, as_of: dt.date, digits: int = 2) -> None:
        self.book, self.name, self.as_of = book, name, as_of
        self.digits = digits  # decimals of money
        self.sheets: list[Sheet] = []
        self._formats: dict[tuple[str, str], Any] = {}

    def add(self, name: str, title: str, basis: str, colour: str = "") -> Sheet:
        """Add a sheet; `basis` says of what its numbers are."""
        sheet = self.book.add_worksheet(self._free(name))
        if colour:
            sheet.set_tab_color(colour)
        if colour == ALIVE:
            basis = f"{basis} So in this run; the sheet follows the Inputs."
        self.sheets.append(Sheet(self, sheet, title, basis, bool(colour)))
        return self.sheets[-1]

    def look(self, kind: str, look: str = "") -> Any:
        """Return a format by the kind of a value and the words for its look."""
        if (kind, look) not in self._formats:
            decimals = f".{'0' * self.digits}" if self.digits else ""
            shown = _NUMBER_FORMATS[kind].format(decimals=decimals)
            wanted: dict[str, Any] = {"num_format": shown, "valign": "top"}
            wanted |= {"text_wrap": True, "align": "left"} if kind == "text" else {}
            for word in look.split():
                wanted |= _LOOKS[word]
            self._formats[kind, look] = self.book.add_format(wanted)
        return self._formats[kind, look]

    def format(self, **wanted: Any) -> Any:
        """Return any other format."""
        key = str(sorted(wanted.items())), ""
        if key not in self._formats:
            self._formats[key] = self.book.add_format(wanted)
        return self._formats[key]

    def finish(self) -> None:
        """Fit widths, heights and print of all sheets."""
        for sheet in self.sheets:
            sheet.finish()

    def _free(self, name: str) -> str:
        words = re.sub(r"[\[\]:*?/\\'_\s]+", " ", name)
        words = "".join(sign for sign in words if sign.isprintable()).strip()
        words = words[:1].upper() + words[1:]
        words = f"{words} sheet" if words in ("", "History") else words  # Excel keeps one for itself
        taken = {sheet.name.casefold() for sheet in self.sheets}
        endings = itertools.chain([""], (f" {i}" for i in itertools.count(2)))
        return next(t for end in endings if (t := _cut(words, end)).casefold() not in taken)


class Sheet:
    """A worksheet that remembers what stands in it, so that widths and heights fit when it is finished."""

    def __init__(self, book: Book, sheet: Any, title: str, basis: str, alive: bool) -> None:
        self.book, self.sheet, self.name = book, sheet, str(sheet.get_name())
        self._words: dict[tuple[int, int], str] = {}  # that wrap
        self._longest: dict[int, float] = {}
        self._notes: dict[int, str] = {1: basis}
        self._groups: dict[tuple[int, int, int], str] = {}
        self._asked: dict[int, float] = {}
        self.title, self._alive, self._pages = title, alive, 0
        sheet.write_string(0, 0, title, book.format(bold=True, font_size=14))
        sheet.hide_gridlines(2)

    def put(self, row: int, column: int, value: Any, kind: str = "text", look: str = "") -> None:
        """Write a value, a formula, or nothing where there is none; text is written as text."""
        inner = " inner" if kind == "text" and column and "right" not in look else ""
        form = self.book.look(kind, f"{look}{inner}")
        if isinstance(value, Live):
            result = value.result if isinstance(value.result, str) or math.isfinite(value.result) else ""
            self.sheet.write_formula(row, column, f"={value.formula}", form, result)
            value = result
        elif kind == "text" or isinstance(value, str):
            self.sheet.write_string(row, column, str(value), form)
        elif math.isfinite(value):
            self.sheet.write_number(row, column, float(value), form)
        elif math.isinf(value):
            self.sheet.write_string(row, column, "∞" if value > 0 else "−∞", form)
        elif look:
            self.sheet.write_blank(row, column, None, form)
        self._measure(row, column, value, kind)

    def head(self, row: int, column: int, label: str, kind: str) -> None:
        """Write a heading on the side of its values."""
        text = kind == "text"
        side = {"align": "left" if text else "right", "indent": int(text and column > 0)}
        form = self.book.format(bold=True, text_wrap=True, bottom=1, valign="bottom", **side)
        self.sheet.write_string(row, column, label, form)
        self._words[row, column] = label
        longest = max((_width(word) for word in label.split()), default=0)
        self._longest[column] = max(self._longest.get(column, _NARROW), longest + 1)

    def group(self, row: int, first: int, last: int, label: str) -> None:
        """Write what some headings have in common above them."""
        form = self.book.format(bold=True, align="center", bottom=1, bg_color="#e4e8ec", text_wrap=True)
        self._groups[row, first, last] = label
        if last > first:
            self.sheet.merge_range(row, first, row, last, label, form)
        else:
            self.sheet.write_string(row, first, label, form)

    def note(self, row: int, text: str) -> None:
        """Write a sentence over the width of the table."""
        self._notes[row] = text

    def block(self, row: int, text: str) -> None:
        """Write the heading of a block."""
        self.sheet.write_string(row, 0, text, self.book.format(bold=True, font_size=12))

    def widen(self, widths: Mapping[int, float]) -> None:
        """Set the widths of columns, in characters."""
        self._asked |= widths

    def one_page(self) -> None:
        """Print all on one page."""
        self._pages = 1

    def limit(self, row: int, column: int, low: float, high: float) -> None:
        """Let a spreadsheet refuse what cannot be meant."""
        rule = {"validate": "decimal", "criteria": "between", "minimum": low, "maximum": high}
        said = {"error_title": "Not possible", "error_message": f"From {low:g} to {high:g}, please."}
        self.sheet.data_validation(row, column, row, column, rule | said)

    def link(self, row: int, column: int, other: Sheet) -> None:
        """Write a sheet's name, which leads there."""
        form = self.book.look("text", "link")
        self.sheet.write_url(row, column, f"internal:'{other.name}'!A1", form, other.name)

    def at(self, row: int, column: int) -> str:
        """Return how other sheets call a cell."""
        return f"'{self.name}'!${letter(column)}${row + 1}"

    def rows(self, top: int, parts: Sequence[Part], frame: pd.DataFrame, total: bool = True) -> None:
        """Write headings above row `top`, then a row a record; the last is marked where it is a total."""
        for label, group in itertools.groupby(range(len(parts)), lambda j: parts[j].group):
            places = list(group)
            if label:
                self.group(top - 2, places[0], places[-1], label)
        records: list[dict[Any, Any]] = frame.to_dict("records")
        for j, part in enumerate(parts):
            self.head(top - 1, j, part.label, part.kind)
        for i, record in enumerate(records):
            numbers = {key: value for key, value in record.items() if not isinstance(value, str)}
            known = {f"run_{k}": number(v) if math.isfinite(v) else None for k, v in numbers.items()}
            known |= {str(key): value for key, value in record.items() if isinstance(value, str)}
            known |= {part.key: f"{letter(j)}{top + i + 1}" for j, part in enumerate(parts)}
            last = " total" if total and i == len(records) - 1 else ""
            for j, part in enumerate(parts):
                value = record[part.key]
                if part.formula is not None:
                    value = live(part.formula, known, value)
                self.put(top + i, j, value, part.kind, (part.look + last).strip())

    def table(self, table: Table) -> None:
        """Write a table of the report."""
        for j, column in enumerate(table.columns):
            self.head(2, j, column.label, column.kind)
            values = table.frame[column.key]
            sizes = [] if column.kind != "money" else [abs(v) for v in values if math.isfinite(v)]
            kind = "count" if max(sizes, default=0.0) >= LARGE_SUMS else column.kind
            for i, value in enumerate(values):
                self.put(3 + i, j, value, kind)
        self.freeze(3)

    def freeze(self, rows: int, columns: int = 1) -> None:
        """Keep headings on the screen, and on every printed page."""
        self.sheet.freeze_panes(rows, columns)
        self.sheet.repeat_rows(max(rows - 2, 0), rows - 1)

    def finish(self) -> None:
        """Fit widths and heights, write the notes, set up the print."""
        widths = {column: min(width, _WIDE) for column, width in self._longest.items()} | self._asked
        for column, width in widths.items():
            self.sheet.set_column(column, column, width)
        heights: dict[int, int] = {}
        for (row, column), words in self._words.items():
            heights[row] = max(heights.get(row, 1), _lines(words, widths.get(column, _NARROW) - 1))
        for (row, first, last), label in self._groups.items():
            width = sum(widths.get(column, _NARROW) for column in range(first, last + 1))
            heights[row] = max(heights.get(row, 1), _lines(label, width - 1))
        for row, text in self._notes.items():
            heights[row] = self._write_note(row, text, widths)
        for row, lines in heights.items():
            self.sheet.set_row(row, _LINE * min(lines, 27))
        name = self.book.name.replace("&", "&&")[:120]
        self.sheet.set_landscape()
        self.sheet.set_paper(9)  # A4
        self.sheet.fit_to_pages(1, self._pages)
        self.sheet.set_margins(left=0.4, right=0.4, top=0.7, bottom=0.6)
        self.sheet.set_header(f"&L{name}&R&A")
        legend = "&CYellow: inputs. Grey: values of the run. White: formulas." if self._alive else ""
        self.sheet.set_footer(f"&LAs of {self.book.as_of}{legend}&RPage &P of &N")

    def _write_note(self, row: int, text: str, widths: Mapping[int, float]) -> int:
        """Write a note over as many columns as a line of it needs; returns how many lines that takes."""
        last, width = 0, widths.get(0, _NARROW)
        used = max(widths, default=0)
        while width < _PAPER or last < 1 or (last < used and width < _LONGEST_LINE):
            last += 1
            width += widths.get(last, _NARROW)
        self.sheet.merge_range(row, 0, row, last, text, self.book.look("text", "soft"))
        return _lines(text, width - 2)

    def _measure(self, row: int, column: int, value: Any, kind: str) -> None:
        if isinstance(value, str) or kind == "text":
            self._words[row, column] = str(value)
            wide = float(_width(str(value)))
        else:
            wide = len(show_value(value, kind if kind in FORMATS else "money", self.book.digits))
        self._longest[column] = max(self._longest.get(column, _NARROW), wide + 2)


def live(formula: str, known: Mapping[str, str | None], result: float | str) -> Live | float:
    """Return a formula with its cells named; NaN where it needs a number of the run that is not known."""
    needed = [known[name] for _, name, _, _ in Formatter().parse(formula) if name]
    return float("nan") if None in needed else Live(formula.format_map(known), result)


def letter(column: int) -> str:
    """Return the letters of a column."""
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(column))


def carried(cell: str) -> str:
    """Return a formula that keeps an empty cell empty, where a plain reference would say 0."""
    return f'IF({cell}="","",{cell})'


def number(value: float) -> str:
    """Return a number as a formula has it."""
    return repr(float(value)).upper()


def _width(text: str) -> int:
    """Characters that a text is wide; those of East Asia count twice."""
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def _lines(text: str, width: float) -> int:
    wide = _width(text) / max(len(text), 1)
    parts = text.splitlines() or [""]
    return sum(max(len(textwrap.wrap(part, max(int(width / max(wide, 1)), 1))), 1) for part in parts)


def _cut(words: str, end: str) -> str:
    """Cut a name to what Excel takes, counted in 16-bit units."""
    while len((words + end).encode("utf-16-le")) > 2 * _LONGEST_NAME:
        words = words[:-1]
    return words.rstrip() + end
