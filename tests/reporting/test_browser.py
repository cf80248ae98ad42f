"""The page in a browser: quiet, whole on a phone, open to the keyboard, readable in the dark and on paper."""

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clv.evaluation.study import Study
from clv.reporting.html import render
from clv.reporting.pages import pages

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
COLOURS = """
const texts = '.finding, td, .note, .basis, .notes li, a, .label, th, summary, .chart text';
const shown = [...document.querySelectorAll(texts)].filter(e => e.getClientRects().length);
const solid = colour => {
  const parts = colour.match(/[\\d.]+/g).map(Number);
  return parts.length < 4 || parts[3] > 0 ? parts.slice(0, 3) : null;
};
const behind = e => {
  for (; e; e = e.parentElement) {
    const colour = solid(getComputedStyle(e).backgroundColor);
    if (colour) return colour;
  }
  return [255, 255, 255];
};
const found = {};
for (const e of shown) {
  const style = getComputedStyle(e), name = e.tagName + '.' + (e.getAttribute('class') || '');
  const ink = solid(e.closest('svg') ? style.fill : style.color), paper = behind(e);
  found[name + ' ' + ink + ' on ' + paper] = [ink, paper];
}
return Object.entries(found);
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if not (Path(CHROMIUM).exists() and shutil.which(DRIVER)):
        if os.environ.get("CLV_REQUIRE_ALL") == "1":
            pytest.fail(f"CLV_REQUIRE_ALL=1, but there is no {CHROMIUM} with {DRIVER}")
        pytest.skip(f"needs {CHROMIUM} and {DRIVER}")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def files(cdnow_study: Study, small_study: Study, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of two pages: CDNOW, and the shop with hostile names."""
    folder, found = tmp_path_factory.mktemp("pages"), {}
    for name, study in (("CDNOW", cdnow_study), ("hostile", small_study)):
        path = folder / f"{name}.html"
        path.write_text(render(study, name, pages(study), {"Run": "run-1"}), encoding="utf-8")
        found[name] = path.as_uri()
    return found


@pytest.fixture(params=["CDNOW", "hostile"])
def opened(request: pytest.FixtureRequest, browser: Any, files: dict[str, str]) -> Any:
    """The browser with one of the pages open at its top, 1280 wide, in the light."""
    at_width(browser, 1280)
    scheme(browser, "light")
    browser.get("about:blank")
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(files[request.param])
    return browser


def at_width(browser: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def scheme(browser: Any, value: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": value}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def test_it_says_nothing_and_asks_for_nothing(opened: Any) -> None:
    loud = [entry for entry in opened.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert loud == []
    messages = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert sent  # the page itself: the log was on
    assert [url[:80] for url in sent if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_does_not_scroll_sideways(opened: Any, width: int) -> None:
    at_width(opened, width)
    for details in opened.find_elements("css selector", "details"):
        opened.execute_script("arguments[0].open = true", details)
    scroll, inner = opened.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert inner == width
    assert scroll <= inner


def test_every_link_of_the_navigation_leads_to_a_visible_section(opened: Any) -> None:
    opened.execute_script("document.documentElement.style.scrollBehavior = 'auto'")
    links = opened.find_elements("css selector", "nav a")
    assert len(links) == 9
    for link in links:
        opened.execute_script("window.scrollTo(0, 0)")
        link.click()
        target = opened.find_element("id", link.get_attribute("href").split("#")[1])
        assert target.tag_name == "section"
        top, bottom = opened.execute_script(
            "const r = arguments[0].getBoundingClientRect(); return [r.top, r.bottom]", target
        )
        assert top < 900
        assert bottom > 0
        assert target.is_displayed()


def test_folded_tables_open(opened: Any) -> None:
    found = opened.find_elements("css selector", "details")
    assert found
    for details in found:
        table = details.find_element("css selector", "table")
        assert not table.is_displayed()
        summary = details.find_element("css selector", "summary")
        opened.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", summary)
        summary.click()
        assert table.is_displayed()


def test_the_first_tab_reaches_the_skip_link(opened: Any) -> None:
    from selenium.webdriver import ActionChains, Keys

    ActionChains(opened).send_keys(Keys.TAB).perform()
    focused = opened.switch_to.active_element
    assert focused.get_attribute("class") == "skip"
    box = opened.execute_script(
        "const r = arguments[0].getBoundingClientRect(); return [r.left, r.top]", focused
    )
    assert min(box) >= 0  # and shows it
    ActionChains(opened).send_keys(Keys.ENTER).perform()
    assert opened.current_url.endswith("#decision")


def luminance(colour: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    """Contrast ratio of WCAG 2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_right() -> None:
    assert contrast([0, 0, 0], [255, 255, 255]) == pytest.approx(21)
    assert contrast([118, 118, 118], [255, 255, 255]) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(opened: Any, mode: str) -> None:
    scheme(opened, mode)
    pairs = opened.execute_script(COLOURS)
    body = [paper for name, (_, paper) in pairs if name.startswith("P.finding")]
    assert (luminance(body[0]) < 0.1) == (mode == "dark")  # the mode took effect
    assert {"P.finding", "TD.n", "P.basis", "P.note"} <= {name.split(" ")[0] for name, _ in pairs}
    assert any(name.lower().startswith("text.") for name, _ in pairs)
    dim = {name: round(contrast(*pair), 2) for name, pair in pairs if contrast(*pair) < 4.5}
    assert dim == {}


def test_it_prints(opened: Any) -> None:
    printed = opened.execute_cdp_cmd("Page.printToPDF", {"printBackground": False, "preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 30
