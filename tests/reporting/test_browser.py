"""The page in a browser: quiet, switched and sorted by mouse and keyboard, whole without its script, on a
phone, in the dark and on paper, and open to those who listen."""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from browsing import (
    OPEN_ALL,
    SHAPES,
    SHOWN,
    SORTS,
    TEXTS,
    Report,
    assert_shown,
    at_width,
    chromium,
    media,
    press,
    printed,
    requests,
    turn_to,
    until,
    visit,
)
from clv.evaluation.study import Study
from clv.reporting.grid import Column, Page, Table
from clv.reporting.html import SHEET, render
from clv.reporting.pages import pages
from clv.reporting.reviews import Review
from clv.reporting.shades import ENOUGH, contrast

MADE_ROWS = 80  # numbered ones of a table that is made for these tests

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = chromium(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def reports(
    cdnow_study: Study,
    small_study: Study,
    small_review: Review,
    hostile: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Report]:
    """CDNOW, the shop with hostile names, and pages made to be sorted, filtered and folded."""
    folder, found = tmp_path_factory.mktemp("pages"), {}
    for name, study, shown in (
        ("CDNOW", cdnow_study, pages(Review(cdnow_study))),
        ("hostile", small_study, pages(small_review)),
        ("made", small_study, made(hostile)),
    ):
        path = folder / f"{name}.html"
        path.write_text(render(study, f"{name} <i>&", shown, {"Run": "run-1"}), encoding="utf-8")
        found[name] = Report(path.as_uri(), shown)
    return found


def made(hostile: tuple[str, ...]) -> list[Page]:
    """Two pages: a table with a total that shows, one that is folded and too long for paper, a short one."""
    columns = (
        Column("name", "Name", "text"),
        Column("worth", "Worth", "money"),
        Column("of", "Of all", "share"),
    )
    names = [*hostile, *(f"row {i}" for i in range(1, MADE_ROWS + 1)), "All"]
    worth = [math.nan, math.inf, -3.5, 1e6, 20.0, *(7.0 + i % 5 for i in range(len(names) - 6)), math.nan]
    share = [(i * 37 % 41) / 41 for i in range(len(names))]
    frame = pd.DataFrame({"name": names, "worth": worth, "of": share})
    table = Table("all_sorts", "All sorts", columns, frame, "A basis.", total=True)
    long = Table("long", "A long one", columns, frame.head(SHEET + 1))
    short = Table("short", "A short one", columns, frame.head(1))
    return [Page("one", "One", "A finding.", [table], folded=[long]), Page("two", "Two", "Another.", [short])]


@pytest.fixture(params=["CDNOW", "hostile"])
def report(request: pytest.FixtureRequest, browser: Any, reports: dict[str, Report]) -> Report:
    """One of the reports, open in the browser at its first page."""
    found = reports[request.param]
    visit(browser, found.address)
    return found


@pytest.fixture
def open_made(browser: Any, reports: dict[str, Report]) -> Report:
    visit(browser, reports["made"].address)
    return reports["made"]


def test_it_says_nothing_and_asks_for_nothing(browser: Any, report: Report) -> None:
    for page in report.ids:
        turn_to(browser, page)
    loud = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert loud == []
    sent = requests(browser)
    assert sent  # the page itself: the log was on
    assert [url[:80] for url in sent if not url.startswith(("file:", "data:"))] == []


def test_no_other_script_runs(browser: Any, report: Report) -> None:
    browser.execute_script(
        "const other = document.createElement('script'); other.textContent = 'window.ran = 1';"
        "document.body.append(other)"
    )
    assert browser.execute_script("return window.ran") is None
    assert "Content Security Policy" in str(browser.get_log("browser"))


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_no_page_scrolls_sideways(browser: Any, report: Report, width: int) -> None:
    at_width(browser, width)
    for page in report.ids:
        turn_to(browser, page)
        scroll, inner = browser.execute_script(
            "document.querySelectorAll('details').forEach(details => { details.open = true; });"
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert inner == width
        assert scroll <= inner, page


# Pages


def test_numbers_and_dates_are_whole_on_a_phone(browser: Any, report: Report) -> None:
    at_width(browser, 390)
    browser.execute_script(OPEN_ALL)
    lines = browser.execute_script(
        "return [...document.querySelectorAll('.w')].filter(e => e.checkVisibility())"
        ".map(e => [e.innerText, new Set([...e.getClientRects()].map(r => r.top)).size]);"
    )
    assert len(lines) > 50
    assert not [words for words, count in lines if count != 1]
    assert {"%", "days"} <= {words.split()[-1] for words, _ in lines}


def test_the_mouse_reaches_every_page_and_back_leads_back(browser: Any, report: Report) -> None:
    assert browser.execute_script(SHOWN) == report.ids[:1]
    links = browser.find_elements("css selector", "nav a")
    assert [link.get_attribute("href").split("#")[1] for link in links] == report.ids
    for link, page in zip(links, report.pages, strict=True):
        link.click()
        assert_shown(browser, page.id)
        assert page.title in browser.title
    browser.refresh()
    until(browser, "document.readyState === 'complete'")
    assert browser.execute_script(SHOWN) == report.ids[-1:]
    for page in reversed(report.ids[:-1]):
        browser.back()
        assert_shown(browser, page)
    browser.forward()
    assert_shown(browser, report.ids[1])


def test_links_lead_to_the_next_page_and_the_one_before(browser: Any, report: Report) -> None:
    def follow(link: str, to: str) -> None:
        here = browser.execute_script(SHOWN)[0]
        found = browser.find_element("css selector", f"#{here} .turn {link}")
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
        found.click()
        assert_shown(browser, to)

    for page in report.ids[1:]:
        follow("a.next", page)
    for page in report.ids[-2::-1]:
        follow("a:not(.next)", page)


def test_the_keyboard_reaches_every_page(browser: Any, report: Report) -> None:
    from selenium.webdriver import Keys

    press(browser, Keys.TAB)
    skip = browser.switch_to.active_element
    assert skip.get_attribute("class") == "skip"
    assert min(skip.location["x"], skip.location["y"]) >= 0  # and shows itself
    order = []
    for _ in report.pages:
        press(browser, Keys.TAB)
        order.append(browser.execute_script("return document.activeElement.hash"))
    assert order == [f"#{page}" for page in report.ids]
    for page in reversed(report.ids):
        browser.execute_script("document.querySelector(`nav [href='#${arguments[0]}']`).focus()", page)
        press(browser, Keys.ENTER)
        assert_shown(browser, page)
    browser.execute_script("arguments[0].focus()", skip)
    press(browser, Keys.ENTER)
    assert browser.execute_script("return document.activeElement.tagName") == "H2"
    assert browser.current_url.endswith(f"#{report.ids[0]}")


def test_a_page_in_which_the_search_found_something_is_shown(browser: Any, report: Report) -> None:
    assert len(browser.find_elements("css selector", "section[hidden=until-found]")) == len(report.ids) - 1
    browser.execute_script(
        "document.getElementById(arguments[0]).dispatchEvent(new Event('beforematch'))", report.ids[2]
    )
    assert browser.execute_script(SHOWN) == [report.ids[2]]
    assert browser.current_url.endswith(f"#{report.ids[2]}")


def test_folded_tables_open(browser: Any, report: Report) -> None:
    folding = next(page for page in report.pages if page.folded)
    turn_to(browser, folding.id)
    found = browser.find_elements("css selector", f"#{folding.id} details")
    assert len(found) == len(folding.folded)
    for details in found:
        table = details.find_element("css selector", "table")
        assert not table.is_displayed()
        summary = details.find_element("css selector", "summary")
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", summary)
        summary.click()
        assert table.is_displayed()


def test_without_its_script_it_shows_everything(browser: Any, report: Report) -> None:
    visit(browser, report.address, scripts=False)
    try:
        assert browser.execute_script(SHOWN) == report.ids
        assert browser.find_elements("css selector", "button, input, [hidden]") == []
        for table in browser.find_elements("css selector", "section > figure table"):
            assert table.is_displayed()
        for link in browser.find_elements("css selector", "nav a")[::3]:
            link.click()
            page = browser.find_element("id", link.get_attribute("href").split("#")[1])
            until(browser, "Math.abs(arguments[0].getBoundingClientRect().top) < 450", page)
        details = browser.find_element("css selector", "details")
        details.find_element("css selector", "summary").click()
        assert details.find_element("css selector", "table").is_displayed()
    finally:
        visit(browser, "about:blank")


# Tables


@pytest.mark.parametrize("name", ["CDNOW", "hostile", "made"])
def test_every_heading_of_every_table_sorts(browser: Any, reports: dict[str, Report], name: str) -> None:
    report = reports[name]
    visit(browser, report.address)
    found = browser.execute_script(SORTS)
    for table, heads in zip(report.tables, found, strict=True):
        body = table.frame.iloc[: len(table.frame) - table.total]
        for column, clicks in zip(table.columns, heads, strict=True):
            if len(body) < 2 or not column.label:  # nothing to sort or nothing to press
                assert [order for order, _ in clicks] == [None] * 3
            else:
                check_sorting(browser, column, list(body[column.key]), clicks)


def check_sorting(browser: Any, column: Column, values: list[Any], clicks: list[Any]) -> None:
    """Words start with A, numbers with the largest; then the other way round; then as they stood."""
    (first, one), (second, other), (last, back) = clicks
    assert (last, back) == (None, list(range(len(values))))
    if column.kind == "text":
        assert (first, second) == ("ascending", "descending")
        assert one == alphabetical(browser, [str(v).strip() for v in values])
        assert sorted(other) == back
    else:
        assert (first, second) == ("descending", "ascending")
        assert one == in_order(values, falling=True), column.label
        assert other == in_order(values, falling=False), column.label


def in_order(values: list[float], *, falling: bool) -> list[int]:
    """Places of the values, sorted, equal ones as they stood, the missing last."""
    there = [i for i, v in enumerate(values) if not math.isnan(v)]
    lost = [i for i, v in enumerate(values) if math.isnan(v)]
    return sorted(there, key=lambda i: -values[i] if falling else values[i]) + lost


def alphabetical(browser: Any, words: list[str]) -> list[int]:
    """Places of words in the order of the alphabet, numbers in them by size, dashes last."""
    places: list[int] = browser.execute_script(
        "const by = new Intl.Collator('en', {numeric: true}).compare, lost = word => word === '–' || !word;"
        "const words = arguments[0], order = (a, b) => lost(words[a]) - lost(words[b]);"
        "return [...words.keys()].sort((a, b) => order(a, b) || by(words[a], words[b]))",
        words,
    )
    return places


def names(browser: Any) -> list[str]:
    """First cells of the rows of the made table that are seen, its total too."""
    shown: list[str] = browser.execute_script(
        "const rows = [...document.querySelectorAll('#one > figure :is(tbody, tfoot) tr')];"
        "return rows.filter(row => row.checkVisibility()).map(row => row.cells[0].textContent)"
    )
    return shown


def test_a_heading_sorts_by_mouse_and_by_enter_and_the_total_stays(browser: Any, open_made: Report) -> None:
    from selenium.webdriver import Keys

    before = names(browser)
    button = browser.find_element("css selector", "#one thead th:nth-child(2) button")
    button.click()
    largest = names(browser)  # infinity, a million, twenty; the missing; below them the total
    assert largest[:3] == [before[1], before[3], before[4]]
    assert largest[-2:] == [before[0], "All"]
    press(browser, Keys.ENTER)
    smallest = names(browser)
    assert smallest[0] == before[2]
    assert smallest[-3:] == [before[1], before[0], "All"]
    press(browser, Keys.ENTER)
    assert names(browser) == before
    browser.find_element("css selector", "#one thead th:first-child button").click()
    words = names(browser)
    assert [words.index(f"row {i}") for i in (2, 10)] == sorted(words.index(f"row {i}") for i in (2, 10))
    assert words[-1] == "All"


def test_a_filter_leaves_the_rows_that_hold_the_words(browser: Any, open_made: Report) -> None:
    from selenium.webdriver import Keys

    box = browser.find_element("css selector", "#one > figure input")
    assert box.accessible_name == "Filter rows of All sorts"
    status = browser.find_element("css selector", "#one > figure [role=status]")
    rows = len(names(browser)) - 1
    for typed, expected in (
        ("koln", ["Suche & Köln"]),  # without its accent
        ("<SCRIPT>", ["<script>alert(1)</script>"]),
        ("小红", ["小红书"]),
        ("GIDAS dovanu", ["Dovanų gidas ąčęėįšž"]),
        ("nobody", []),
    ):
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(typed)
        assert names(browser) == [*expected, "All"]
        assert status.text == f"{len(expected)} of {rows} rows"
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(Keys.BACKSPACE)
    assert status.text == ""
    assert len(names(browser)) == rows + 1
    assert browser.find_elements("css selector", "#two input") == []


def test_names_are_shown_as_text(browser: Any, reports: dict[str, Report], hostile: tuple[str, ...]) -> None:
    visit(browser, reports["hostile"].address)
    browser.execute_script(OPEN_ALL)
    cells, labels = browser.execute_script(
        "return ['tbody th', '.chart text'].map(chosen => [...document.querySelectorAll(chosen)]"
        ".filter(e => e.checkVisibility()).map(e => e.textContent))"
    )
    for name in hostile:
        assert any(name in cell for cell in cells), name
        assert any(name in label for label in labels), name
    assert browser.execute_script("return document.scripts.length") == 1
    assert browser.execute_script("return document.querySelector('h1').textContent").endswith("hostile <i>&")


# For everyone, and on paper


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, report: Report, scheme: str, width: int) -> None:
    from axe_selenium_python import Axe

    at_width(browser, width)
    media(browser, scheme)
    axe = Axe(browser)
    axe.inject()
    browser.execute_script(OPEN_ALL)
    found = axe.run(options={"resultTypes": ["violations"]})
    assert len(found["passes"]) > 20
    assert [(v["id"], v["help"], v["nodes"][0]["html"][:200]) for v in found["violations"]] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_and_drawings_are_seen_in_light_and_dark(browser: Any, report: Report, scheme: str) -> None:
    media(browser, scheme)
    browser.execute_script(OPEN_ALL)
    texts = browser.execute_script(TEXTS)
    kinds = {name.split("#")[0] for name, _ in texts}
    assert {"p.finding", "td.n", "p.basis", "p.note", "span.mark", "text."} <= kinds
    assert {name: pair for name, pair in texts if contrast(*pair) < 4.5} == {}
    paper, shapes = browser.execute_script(SHAPES)
    assert (contrast(paper, "#000000") < 2) == (scheme == "dark")  # the mode took effect
    assert len(shapes) > 4
    assert [seen for seen in shapes if max(contrast(colour, paper) for colour in seen) < ENOUGH] == []


def test_it_prints_every_page_from_a_new_sheet(browser: Any, report: Report) -> None:
    turn_to(browser, report.ids[-1])
    sheets = printed(browser)
    heads = [
        f"{i} {page.title} {' '.join(page.finding.split())[:20]}" for i, page in enumerate(report.pages, 1)
    ]
    starts = [next(i for i, words in enumerate(sheets) if head in words) for head in heads]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    for head, start in zip(heads[1:], starts[1:], strict=True):
        assert sheets[start].removeprefix(f"{start + 1} / {len(sheets)}").strip().startswith(head)
    assert len(sheets) <= len(report.pages) + len(report.tables)
    assert min(map(len, sheets)) > 150  # none is nearly empty
    words = " ".join(sheets)
    for table in report.tables:
        assert " ".join(table.title.split()) in words
        if len(table.frame) <= SHEET:
            assert table.cells()[-1][-1] in words
    assert browser.execute_script(SHOWN) == report.ids[-1:]  # as before
    assert browser.find_elements("css selector", "details[open]") == []


def test_nothing_is_wider_than_paper(browser: Any, report: Report) -> None:
    inner = round((297 - 2 * 14) / 25.4 * 96)  # of A4 across, between its margins
    media(browser, medium="print")
    at_width(browser, inner)
    wide = browser.execute_script(
        "const all = [...document.querySelectorAll('main *')];"
        "return all.filter(e => e.getBoundingClientRect().right > arguments[0] + 1)"
        ".map(e => e.outerHTML.slice(0, 100))",
        inner,
    )
    assert wide == []


def test_paper_has_all_rows_of_short_tables_and_a_word_on_long_ones(browser: Any, open_made: Report) -> None:
    browser.find_element("css selector", "#one > figure input").send_keys("koln")
    sheets = printed(browser)
    words = " ".join(sheets)
    for i in range(1, MADE_ROWS + 1):  # though the screen has them filtered away
        assert f"row {i} " in words
    assert sum("Name Worth Of all" in sheet for sheet in sheets) == len(sheets)  # its head on each sheet
    assert len(sheets) >= 3
    assert f"A long one ({SHEET + 1} rows, on the screen and in the workbook)" in words
