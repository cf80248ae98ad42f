"""The page is one file, asks for nothing, shows names as they are, and is the same every time."""

import dataclasses
import math
import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files

import pandas as pd
import pytest

from clv.evaluation.study import Study
from clv.reporting import formula_tables as of_formulas
from clv.reporting import tables
from clv.reporting.figures import svg
from clv.reporting.grid import Column, Headline, Page, Table
from clv.reporting.html import LEVELS, SHEET, alt_text, cells, isolated, render, together
from clv.reporting.pages import pages
from clv.reporting.reviews import Review

NAME = "Small <b>shop</b> & co"
MANIFEST = {"Run": "run-1", "Input": "log.csv"}
SCRIPT = (files("clv.reporting") / "templates" / "report.js").read_text(encoding="utf-8")
VOID = {"meta", "link", "br", "hr", "img", "input", "col", "wbr"}


class Reader(HTMLParser):
    """Collects tags, attributes and text; fails on tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.styles = ""
        self.script = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.styles += data
        elif self.open and self.open[-1] == "script":
            self.script += data
        else:
            self.text.append(data)


def page(study: Study, name: str = NAME) -> str:
    return render(study, name, pages(Review(study)), MANIFEST)


@pytest.fixture(scope="module")
def text(small_study: Study, small_review: Review) -> str:
    return render(small_study, NAME, pages(small_review), MANIFEST)


@pytest.fixture(scope="module")
def read(text: str) -> Reader:
    return Reader(text)


def test_ids_are_unique_and_links_lead_somewhere(read: Reader) -> None:
    ids = Counter(value for _, name, value in read.attributes if name == "id")
    assert [i for i, n in ids.items() if n > 1] == []
    assert not [i for i in ids if re.search(r"\s", i)]
    links = [v for _, name, v in read.attributes if name in ("href", "xlink:href") and v.startswith("#")]
    named = [v for _, name, v in read.attributes if name in ("aria-labelledby", "aria-describedby", "for")]
    assert len(links) > 10
    assert {link[1:] for link in links} <= set(ids)
    assert set(named) <= set(ids)
    used = set(re.findall(r"url\(#([^)]*)\)", " ".join(v for _, _, v in read.attributes)))
    assert used <= set(ids)


def test_nothing_is_asked_of_any_network(read: Reader, text: str) -> None:
    namespaces = {v for _, name, v in read.attributes if name.startswith("xmlns")}
    assert namespaces <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    for tag, name, value in read.attributes:
        if name in ("href", "xlink:href"):
            assert value.startswith(("#", "data:")), (tag, name, value)
        assert name not in ("src", "srcset", "action", "background", "poster", "data", "ping"), (tag, name)
        assert not name.startswith("on"), (tag, name)
        if not name.startswith("xmlns"):
            assert not re.search(r"https?:|//", re.sub(r"sha256-\S+", "", value)), (tag, name, value)
        assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", value))
    assert not re.search(r"@import|https?:|//|url\(|expression|src=", read.styles)
    plain = re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    assert "http" not in plain.replace('http-equiv="Content-Security-Policy"', "")
    assert not {"iframe", "object", "embed", "base", "img", "form"} & set(read.tags)


def test_it_lets_no_script_run_but_its_own(read: Reader, text: str) -> None:
    assert read.tags["script"] == 1
    assert read.script == SCRIPT
    (policy,) = (v for _, name, v in read.attributes if name == "content" and "default-src" in v)
    hashed = b64encode(sha256(SCRIPT.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{hashed}';" in policy


def test_its_script_is_small_and_asks_for_nothing() -> None:
    assert len(SCRIPT.splitlines()) < 200
    assert '"use strict";' in SCRIPT
    for word in ("eval(", "Function(", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"):
        assert word not in SCRIPT
    for word in ("fetch(", "XMLHttpRequest", "import(", "localStorage", "cookie", "</"):
        assert word not in SCRIPT


def test_nothing_moves(read: Reader) -> None:
    assert not re.search(r"animation|transition|scroll-behavior", read.styles)  # so motion needs no reducing


def test_names_from_the_data_are_shown_as_text(read: Reader, text: str, hostile: tuple[str, ...]) -> None:
    shown = "\n".join(read.text)
    for name in hostile:
        assert name in shown
    assert text.lower().count("<script") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "Small <b>shop</b> & co" in shown
    assert read.tags["b"] == 0


def test_names_stand_in_the_charts_as_they_are(small_study: Study, hostile: tuple[str, ...]) -> None:
    channel = next(c for c in small_study.comparisons if c.by == "channel")
    for table in (
        of_formulas.new_customers(channel),
        of_formulas.holdout_segments(small_study, channel),
    ):
        drawn = svg(table)
        labels = "\n".join(
            "".join(t.itertext()) for t in ET.fromstring(drawn).iter() if t.tag.endswith("text")
        )
        for name in hostile:
            assert name in labels, name


def drawn_words(table: Table) -> list[str]:
    return ["".join(t.itertext()) for t in ET.fromstring(svg(table)).iter() if t.tag.endswith("text")]


def test_charts_leave_out_segments_with_few_customers(small_study: Study) -> None:
    country = next(c for c in small_study.comparisons if c.by == "country")
    for table in (
        of_formulas.new_customers(country),
        of_formulas.holdout_segments(small_study, country),
    ):
        few = [name for name in table.frame["segment"] if name.endswith(" (few)")]
        solid = [name for name in table.frame["segment"] if not name.endswith(" (few)")]
        assert few
        assert len(solid) > 1
        words = drawn_words(table)
        assert set(solid) <= set(words)
        assert not set(few) & set(words)
        assert " (few)" not in alt_text(table)
        assert f" {solid[0]}; " in alt_text(table)


def test_axes_of_money_name_the_currency(small_study: Study) -> None:
    country = next(c for c in small_study.comparisons if c.by == "country")
    for table, label in (
        (
            of_formulas.new_customers(country, "EUR"),
            "Value of a new customer, same horizon and basis (EUR)",
        ),
        (of_formulas.holdout_segments(small_study, country), "Revenue a customer in the hold-out (EUR)"),
        (tables.ages(small_study), "Value a customer so far (EUR)"),
    ):
        assert label in drawn_words(table)


@pytest.mark.parametrize(
    "name", ["$\\frac$", "a$b$c", "$", "x" * 300, "line\nbreak", "_hidden", "\\", "%", "€ {} {0}"]
)
def test_no_name_breaks_a_chart(small_study: Study, name: str) -> None:
    channel = next(c for c in small_study.comparisons if c.by == "channel")
    table = of_formulas.new_customers(channel)
    changed = dataclasses.replace(table, frame=table.frame.assign(segment=name))
    assert ET.fromstring(svg(changed)).tag.endswith("svg")


def test_a_column_name_cannot_leave_the_charts_ids(small_study: Study) -> None:
    table = of_formulas.new_customers(next(c for c in small_study.comparisons if c.by == "channel"))
    drawn = svg(dataclasses.replace(table, name='new_by_sold "at" <x> onload=alert(1) ü'))
    root = ET.fromstring(drawn)
    ids = [value for element in root.iter() for key, value in element.attrib.items() if key == "id"]
    assert ids
    assert not [i for i in ids if re.search(r"\s|[<>\"()]", i)]
    assert not [key for element in root.iter() for key in element.attrib if key.startswith("on")]
    used = re.findall(r"url\(#([^)]*)\)", drawn)
    assert set(used) <= set(ids)


def test_every_chart_says_what_it_shows(read: Reader) -> None:
    labels = [value for tag, name, value in read.attributes if tag == "div" and name == "aria-label"]
    assert len(labels) == read.tags["svg"] >= 6
    assert all(len(label) > 40 for label in labels)


def test_alt_text_is_the_title_and_the_rows() -> None:
    frame = pd.DataFrame({"a": ["x", "y"], "b": [1.0, float("nan")]})
    table = Table("t", "Title", (Column("a", "A", "text"), Column("b", "B", "money")), frame)
    assert alt_text(table) == "Title. A x; B 1.00. A y; B –"


@pytest.mark.parametrize(
    ("plain", "whole"),
    [
        ("came out 15.3 % off", ["15.3 %"]),
        ("of 2026-09-30, −1,234.50 EUR", ["2026-09-30", "−1,234.50 EUR"]),
        ("±10 % of 12 months, 30.09.2026", ["±10 %", "12 months", "30.09.2026"]),
        ("1\u202f234,5 % and 3 Monthly", ["1\u202f234,5 %"]),
        ("7,954 customers, the 2026-Q4 of 3 EURO", []),
    ],
)
def test_numbers_stay_with_their_units_and_dates_are_whole(plain: str, whole: list[str]) -> None:
    found = together(f"<p>{plain}</p>")
    assert re.findall('<span class="w">(.*?)</span>', found) == whole
    assert re.sub("</?span[^>]*>", "", found) == f"<p>{plain}</p>"  # what is copied is as it was


@pytest.mark.parametrize(
    "tag", ["style", "script", "title", "svg", 'td class="n"', 'th scope="row" class="n"']
)
def test_nothing_is_marked_in_code_pictures_and_columns_of_numbers(tag: str) -> None:
    page = f"<{tag}><b>5 %</b></{tag.split()[0]}>"
    assert together(page) == page
    assert together(f"{page}<td>5 %</td>") == f'{page}<td><span class="w">5 %</span></td>'


def test_the_page_says_its_language_and_basis(read: Reader, text: str) -> None:
    assert ("html", "lang", "en") in read.attributes
    assert text.startswith("<!doctype html>")
    assert ("html", "dir", "ltr") in read.attributes
    shown = " ".join(" ".join(read.text).split())
    assert (
        "As of 2025-12-31 Customers 320 Currency EUR Horizon 12 months Margin 40 % Discount 10 % a year"
        in shown
    )
    assert "run-1" in shown
    assert "log.csv" in shown
    assert read.tags["h1"] == 1
    assert read.tags["section"] == read.tags["h2"] == 12
    heads = read.tags["th"]
    assert heads == sum(name == "scope" for _, name, _ in read.attributes)  # every heading says of what
    assert read.tags["caption"] == read.tags["table"] > 10


def test_it_is_the_same_every_time_and_small(small_study: Study, text: str) -> None:
    assert page(small_study) == text
    assert len(text.encode()) < 3_000_000


def test_rates_print_as_they_were_chosen(small_study: Study) -> None:
    odd = dataclasses.replace(small_study.economics, margin=0.125, discount=0.075)
    shown = " ".join("".join(Reader(page(dataclasses.replace(small_study, economics=odd))).text).split())
    assert "Margin 12.5 % Discount 7.5 % a year" in shown
    assert re.search(r"12\.5\s+% of revenue", shown)


def test_without_a_holdout_and_without_cac(small_study: Study) -> None:
    plain = dataclasses.replace(
        small_study,
        holdout=None,
        holdout_cuts=None,
        comparisons=[dataclasses.replace(c, holdout=None) for c in small_study.comparisons],
        economics=dataclasses.replace(small_study.economics, cac=None),
    )
    read = Reader(page(plain))
    assert read.tags["section"] == 11
    assert "Hold-out" in "".join(read.text)  # its light says that it was not tested


def test_the_page_of_cdnow(cdnow_study: Study) -> None:
    made = page(cdnow_study, "CDNOW")
    assert len(made.encode()) < 3_000_000
    assert "−18.9" in made
    assert "18.9 % too low" in re.sub("</?span[^>]*>", "", made)
    Reader(made)


def test_cells_bring_the_values_that_they_are_sorted_by() -> None:
    frame = pd.DataFrame({"a": ["x", "y", "z"], "b": [0.1 + 0.2, math.nan, -math.inf], "c": [3, 0, 12]})
    columns = Column("a", "A", "text"), Column("b", "B", "share"), Column("c", "C", "count")
    made = cells(Table("t", "Title", columns, frame))
    assert made[0] == [("x", ""), ("30.0 %", "0.30000000000000004"), ("3", "3")]
    assert [row[1].value for row in made] == ["0.30000000000000004", "", "-Infinity"]
    assert cells(Table("t", "Title", columns, frame.head(0))) == []


def test_totals_stand_apart_bands_show_and_long_folded_tables_stay_off_paper(small_study: Study) -> None:
    columns = Column("a", "A", "text"), Column("", "", "text"), Column("b", "B", "money")
    frame = pd.DataFrame({"a": ["x", "all"], "": ["u", "v"], "b": [1.0, 1.0]})
    long = pd.concat([frame] * SHEET, ignore_index=True)
    shown = Page(
        "p",
        "P",
        "F.",
        [Table("t", "T", columns, frame, total=True)],
        folded=[Table("s", "S", columns, frame), Table("l", "L", columns, long)],
        headlines=[Headline("H", "1", "n", band="90 %: 0 to 2"), Headline("H", "1", "n")],
    )
    text = render(small_study, "x", [shown], {})
    read = Reader(text)
    assert read.tags["tfoot"] == 1
    assert re.search(r"<tfoot>\s*<tr><th[^>]*>all</th>", text)
    assert text.count('class="band"') == 1
    assert read.tags["details"] == 2
    assert [v for tag, _, v in read.attributes if tag == "details"] == ["long"]
    assert f"({2 * SHEET} rows, on the screen and in the workbook)" in " ".join(read.text)
    assert read.tags["th"] == sum(name == "scope" for _, name, _ in read.attributes)  # the empty one is none


def test_lights_say_their_level(read: Reader) -> None:
    said = [v for tag, name, v in read.attributes if tag == "span" and name == "aria-label"]
    assert len(said) == 4
    assert set(said) <= {words for _, words in LEVELS.values()}


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("5 on توصية, 3 on b", "5 on \u2068توصية\u2069, 3 on b"),
        ("of متجر الهدايا (0.4)", "of \u2068متجر الهدايا\u2069 (0.4)"),
        ("no such name", "no such name"),
    ],
)
def test_names_from_right_to_left_do_not_turn_a_sentence(sentence: str, shown: str) -> None:
    assert isolated(sentence) == shown
