"""D043: a log that no longer says what it said, month by month, against the last run of the same report."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clv.data.contract import Transactions
from clv.jobs.checking import check
from clv.jobs.config import Config, load
from clv.jobs.restated import check_restated, latest, month_end, months

type Job = Callable[..., Path]
CONFIG = """
[input]
path = "log.csv"
as_of = 2025-12-31
currency = "EUR"
[economics]
margin = 0.4
[report]
name = "Small shop"
"""
RUN = "20251130T101112-ab12"


def saved(config: Config, months: Any, as_of: str = "2025-12-10", **other: Any) -> Path:
    """Leave a run behind, as far as a later one looks at it."""
    folder = config.runs / f"{as_of}_{RUN}"
    folder.mkdir(parents=True)
    history = {"currency": other.pop("currency", "EUR"), "months": months}
    content = {"run_id": RUN, "name": "Small shop", "as_of": as_of, "history": history} | other
    (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")
    (config.runs / "latest").write_text(f"{folder.name}\n", encoding="utf-8")
    return folder / "run.json"


@pytest.fixture
def config(job: Job) -> Config:
    return load(job(config=CONFIG))


def by_month(log: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Rows and cents of each month, by a loop."""
    sums: dict[str, dict[str, int]] = {}
    for date, amount in zip(log["date"], log["amount"], strict=True):
        month = sums.setdefault(date[:7], {"rows": 0, "money": 0})
        month["rows"] += 1
        month["money"] += round(amount * 100)
    return sums


def messages(config: Config) -> list[str]:
    return [finding.message for finding in check_restated(config, config.transactions())]


def test_months_hold_every_row_up_to_as_of(small_log: pd.DataFrame) -> None:
    log = small_log.copy()
    log.loc[5, "customer_id"] = None  # left out of the model, and still in the history
    log.loc[9, "amount"] = 0.0
    orders = Transactions(log, as_of="2025-10-12")
    assert months(orders) == by_month(log[log["date"] <= "2025-10-12"])
    assert list(months(orders))[-1] == "2025-10"
    json.dumps(months(orders))


def test_an_unchanged_history_is_not_spoken_of(config: Config, small_log: pd.DataFrame) -> None:
    saved(config, by_month(small_log[small_log["date"] <= "2025-12-10"]))
    assert messages(config) == []


def test_what_changed_is_named_with_the_earlier_run(config: Config, small_log: pd.DataFrame) -> None:
    then = by_month(small_log)
    then["2024-05"]["rows"] -= 2
    then["2024-05"]["money"] -= 12_345
    then["2025-11"]["money"] += 50
    then["2023-12"] = {"rows": 1, "money": 700}
    then["2025-12"]["rows"] += 5  # was not over by then
    saved(config, then)
    found = check(config).findings
    assert [(f.code, f.severity) for f in found] == [("D043", "W")]
    assert found[0].message == (
        "history was restated since run 20251130T101112-ab12 (as of 2025-12-10): 3 months changed, 2023-12 "
        "(−1 row, −7.00), 2024-05 (+2 rows, +123.45), 2025-11 (+0 rows, −0.50); in all +1 row, +115.95. "
        "Was the feed mended, or is this another extract?"
    )


def test_a_month_counts_when_it_was_over(config: Config, small_log: pd.DataFrame) -> None:
    then = by_month(small_log)
    then["2025-11"]["rows"] += 1
    saved(config, then, as_of="2025-11-29")
    assert messages(config) == []
    saved(config, then, as_of="2025-11-30")
    assert "1 month changed, 2025-11 (−1 row, +0.00)" in messages(config)[0]


def test_an_earlier_as_of_is_compared_as_far_as_it_goes(job: Job, small_log: pd.DataFrame) -> None:
    config = load(job(config=CONFIG.replace("2025-12-31", "2025-10-15")))
    then = by_month(small_log)
    then["2025-10"]["rows"] += 1
    saved(config, then, as_of="2025-12-31")
    assert messages(config) == []
    then["2025-09"]["rows"] += 1
    saved(config, then, as_of="2025-12-30")
    assert "1 month changed, 2025-09" in messages(config)[0]


def test_many_months_are_cut_short(config: Config, small_log: pd.DataFrame) -> None:
    saved(config, {month: {"rows": 0, "money": 0} for month in by_month(small_log)})
    said = messages(config)[0]
    assert "23 months changed, 2024-01" in said
    assert "2024-05" in said
    assert "2024-06" not in said
    assert " and 18 more; in all +" in said


def test_money_of_another_currency_is_not_compared(config: Config, small_log: pd.DataFrame) -> None:
    then = {
        month: {"rows": by["rows"], "money": by["money"] * 25} for month, by in by_month(small_log).items()
    }
    saved(config, then, currency="CZK")
    assert messages(config) == []
    then["2024-05"]["rows"] += 3
    saved(config, then, currency="CZK", as_of="2025-12-11")
    assert "1 month changed, 2024-05 (−3 rows); in all −3 rows. " in messages(config)[0]


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"name": "Small shop"}'])
def test_a_manifest_that_cannot_be_read_is_passed_over(config: Config, content: bytes | None) -> None:
    path = saved(config, {})
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert latest(config.runs, "Small shop") is None
    assert check(config).findings == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Another shop"},  # whose name makes the same folder
        {"as_of": "soon"},
        {"history": None},
        {"history": {"months": {"2025-03": {"rows": 1, "money": 1}}}},
        {"history": {"currency": "EUR", "months": []}},
        {"history": {"currency": "EUR", "months": {"2025-13": {"rows": 1, "money": 1}}}},
        {"history": {"currency": "EUR", "months": {"2025-03": {"rows": "many", "money": 1}}}},
        {"history": {"currency": "EUR", "months": {"2025-03": {"rows": 1}}}},
        {"history": {"currency": "EUR", "months": {"2025-03": 1}}},
    ],
)
def test_a_manifest_of_other_content_is_passed_over(config: Config, wrong: dict[str, Any]) -> None:
    right = {"name": "Small shop", "run_id": RUN, "as_of": "2025-12-10"}
    history = {"history": {"currency": "EUR", "months": {"2025-03": {"rows": 1, "money": 1}}}}
    path = saved(config, {})
    path.write_text(json.dumps(right | history), encoding="utf-8")
    assert latest(config.runs, "Small shop") is not None
    path.write_text(json.dumps(right | history | wrong), encoding="utf-8")
    assert latest(config.runs, "Small shop") is None
    assert check(config).findings == []


@pytest.mark.parametrize("name", ["", "..", "../../elsewhere", "gone"])
def test_a_marker_that_names_no_run_is_passed_over(config: Config, name: str) -> None:
    saved(config, {})
    (config.runs / "latest").write_text(name, encoding="utf-8")
    assert latest(config.runs, "Small shop") is None


@pytest.mark.parametrize(
    ("month", "end"), [("2024-02", "2024-02-29"), ("2025-02", "2025-02-28"), ("0999-12", "0999-12-31")]
)
def test_a_month_ends_on_its_last_day(month: str, end: str) -> None:
    assert month_end(month) == dt.date.fromisoformat(end)
