"""How tests drive a browser: open a report at a width, in light or dark, wait, print, and read colours."""

import base64
import io
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clv.reporting.grid import Page, Table

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# The pages that are shown: a hidden one keeps an empty box, so its heading is asked.
SHOWN = """
const pages = [...document.querySelectorAll('main > section')];
return pages.filter(page => page.firstElementChild.checkVisibility()).map(page => page.id);
"""
OPEN_ALL = """
document.querySelectorAll('section[hidden]').forEach(page => page.removeAttribute('hidden'));
document.querySelectorAll('details').forEach(details => { details.open = true; });
"""
_COLOURS = """
const hex = (colour, under) => {
  const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
  const mixed = [r, g, b].map((c, i) => Math.round(a * c + (1 - a) * under[i]));
  return '#' + mixed.map(c => c.toString(16).padStart(2, '0')).join('');
};
const parts = colour => [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16));
const paper = hex(getComputedStyle(document.body).backgroundColor, [255, 255, 255]);
"""
# Each kind of words with its ink and what lies behind it.
TEXTS = f"""{_COLOURS}
const behind = e => {{
  const colours = [];
  for (; e; e = e.parentElement) colours.unshift(getComputedStyle(e).backgroundColor);
  return colours.reduce((low, colour) => hex(colour, parts(low)), '#ffffff');
}};
const chosen = '.finding, td, th, .note, .basis, .notes li, a, .label, .title, summary, dt, dd, .mark, '
  + 'button, .count, label, .chart text';
const found = {{}};
for (const e of [...document.querySelectorAll(chosen)].filter(e => e.getClientRects().length)) {{
  const style = getComputedStyle(e), low = behind(e);
  const ink = hex(e.closest('svg') ? style.fill : style.color, parts(low));
  found[e.tagName.toLowerCase() + '.' + (e.getAttribute('class') || '') + ink + low] = [ink, low];
}}
return Object.entries(found);
"""
# The paper, and the colours of each kind of shape and line: what fills it, what edges it.
SHAPES = f"""{_COLOURS}
const found = {{}};
const behind_text = '[id*="-text_"] [id*="-patch_"]';  // of the paper's own colour: none of it is to be seen
const unseen = 'defs, clipPath, pattern, ' + behind_text;
const drawn = '.chart :is(path, use, rect, line, polygon, circle)';
for (const e of [...document.querySelectorAll(drawn)].filter(e => !e.closest(unseen))) {{
  const style = getComputedStyle(e), seen = [];
  for (const [colour, opacity] of [[style.fill, style.fillOpacity], [style.stroke, style.strokeOpacity]]) {{
    const filled = colour.startsWith('url') && document.querySelector(colour.match(/#[^"')]+/)[0] + ' rect');
    const solid = filled ? getComputedStyle(filled).fill : colour;
    if (solid === 'none') continue;
    seen.push(hex(solid.replace(/rgb\\(([^)]*)\\)/, `rgba($1, ${{opacity}})`), parts(paper)));
  }}
  if (seen.length) found[seen.join(' ')] = seen;
}}
return [paper, Object.values(found)];
"""
# Clicks each heading of each table three times; after each click, where the rows of its body came from.
SORTS = """
return [...document.querySelectorAll('main table')].map(table => {
  const body = table.tBodies[0], first = [...body.rows];
  return [...table.tHead.rows[0].cells].map(head => [1, 2, 3].map(() => {
    const button = head.querySelector('button');
    if (button) button.click();
    return [head.getAttribute('aria-sort'), [...body.rows].map(row => first.indexOf(row))];
  }));
});
"""


@dataclass(frozen=True)
class Report:
    """A report in a file, and what is in it."""

    address: str
    pages: list[Page]

    @property
    def ids(self) -> list[str]:
        return [page.id for page in self.pages]

    @property
    def tables(self) -> list[Table]:
        return [table for page in self.pages for table in (*page.tables, *page.folded)]


def chromium(profile: Path) -> Any:
    """Start Chromium; skip the test where there is none, unless everything has to be there."""
    if not (Path(CHROMIUM).exists() and shutil.which(DRIVER)):
        if os.environ.get("CLV_REQUIRE_ALL") == "1":
            pytest.fail(f"CLV_REQUIRE_ALL=1, but there is no {CHROMIUM} with {DRIVER}")
        pytest.skip(f"needs {CHROMIUM} and {DRIVER}")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_script_timeout(60)
    return driver


def visit(browser: Any, address: str, *, scripts: bool = True) -> None:
    """Open a page anew, 1280 wide, in the light, with empty logs."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    at_width(browser, 1280)
    media(browser)
    browser.get("about:blank")
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(address)


def at_width(browser: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def media(browser: Any, scheme: str = "light", medium: str = "") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": features})


def until(browser: Any, condition: str, *given: Any) -> None:
    """Wait until an expression of JavaScript is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 10, 0.02).until(
        lambda b: b.execute_script(f"return {condition}", *given), condition
    )


def press(browser: Any, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def turn_to(browser: Any, page: str) -> None:
    """Go to a page by its address, and wait until it is there."""
    browser.execute_script("location.hash = arguments[0]", page)
    assert_shown(browser, page)


def assert_shown(browser: Any, page: str) -> None:
    """Wait until a page has the focus; it is the only one shown, at its top, and marked in the navigation."""
    until(browser, "document.activeElement.closest('section')?.id === arguments[0]", page)
    assert browser.execute_script(SHOWN) == [page]
    marked, top = browser.execute_script(
        "return [[...document.querySelectorAll('[aria-current]')].map(a => a.hash),"
        " document.getElementById(arguments[0]).getBoundingClientRect().top]",
        page,
    )
    assert marked == [f"#{page}"]
    assert 0 <= top < 450


def requests(browser: Any) -> list[str]:
    """Addresses that were asked for since the page was opened."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl"})


def printed(browser: Any) -> list[str]:
    """The words of each sheet of the report on paper, as it prints without backgrounds."""
    from pypdf import PdfReader

    options = {"printBackground": False, "preferCSSPageSize": True}
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", options)["data"])
    texts = [sheet.extract_text() for sheet in PdfReader(io.BytesIO(pdf)).pages]
    return [" ".join(text.translate(LIGATURES).split()) for text in texts]
