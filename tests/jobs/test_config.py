"""Configs that cannot be meant are refused with the key's path, all problems at once."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from clv.datasets import example_path
from clv.errors import ConfigError
from clv.jobs.config import Config, load

PLAIN = """
[input]
path = "log.csv"
[economics]
margin = 0.4
[report]
name = "Shop"
"""


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "shop.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    return list(caught.value.messages)


def test_a_plain_config_has_the_defaults_of_the_contract(tmp_path: Path) -> None:
    config = read(tmp_path, PLAIN)
    orders, economics = config.transactions(), config.assumptions()
    assert (orders.customer, orders.date, orders.amount) == ("customer_id", "date", "amount")
    assert (orders.refunds, orders.duplicates, orders.zero_orders) == (None, None, "drop")
    assert (economics.discount, economics.horizon, economics.churn) == (0.10, "12m", "inactive:180d")
    assert economics.cac is None
    assert config.holdout is None


def test_paths_are_relative_to_the_config_not_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings").mkdir()
    path = tmp_path / "settings" / "shop.toml"
    path.write_text(PLAIN.replace('"log.csv"', '"../data/log.csv"\ncustomers = "c.csv"'), encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = load(Path("..") / "settings" / "shop.toml")
    assert config.transactions().source == tmp_path / "data" / "log.csv"
    assert config.transactions().customers == tmp_path / "settings" / "c.csv"
    assert config.resolve(config.report.folder) == tmp_path / "settings" / "reports"
    assert config.resolve("/somewhere/else") == Path("/somewhere/else")


@pytest.mark.parametrize(
    ("section", "line", "key", "meant"),
    [
        ("", "[inputs]", "inputs", "input"),
        ("input", 'pth = "a"', "input.pth", "path"),
        ("columns", 'custmer = "a"', "columns.custmer", "customer"),
        ("policies", 'refund = "drop"', "policies.refund", "refunds"),
        ("segments", 'column = ["a"]', "segments.column", "columns"),
        ("economics", "margins = 0.3", "economics.margins", "margin"),
        ("holdout", "cutt = 2025-01-01", "holdout.cutt", "cut"),
        ("report", 'nam = "a"', "report.nam", "name"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(
    tmp_path: Path, section: str, line: str, key: str, meant: str
) -> None:
    there = f"[{section}]" in PLAIN
    text = PLAIN.replace(f"[{section}]", f"[{section}]\n{line}") if there else f"{PLAIN}[{section}]\n{line}\n"
    if not section:
        text = f"{PLAIN}{line}\n"
    assert f"C001 unknown key {key!r}. Did you mean {meant!r}?" in refused(tmp_path, text)


def test_an_unknown_key_that_is_like_none_lists_those_there_are(tmp_path: Path) -> None:
    said = refused(tmp_path, PLAIN + "[policies]\nzzz = 1\n")
    assert said == [
        "C001 unknown key 'policies.zzz'. Known keys here: refunds, duplicates, zero_orders, missing_amount."
    ]


@pytest.mark.parametrize(
    ("gone", "key"),
    [
        ('path = "log.csv"', "input.path"),
        ("margin = 0.4", "economics.margin"),
    ],
)
def test_a_missing_key_is_named(tmp_path: Path, gone: str, key: str) -> None:
    assert f"C001 {key!r} is required." in refused(tmp_path, PLAIN.replace(gone, ""))


def test_an_empty_config_names_every_section_it_needs(tmp_path: Path) -> None:
    assert refused(tmp_path, "") == [f"C001 {key!r} is required." for key in ("input", "economics")]


@pytest.mark.parametrize("report", ["", "[report]\n", '[report]\nfolder = "out"\n'])
def test_a_report_without_a_name_is_called_as_its_config(tmp_path: Path, report: str) -> None:
    config = read(tmp_path, PLAIN.replace('[report]\nname = "Shop"\n', report))
    assert config.report.name == "shop"
    assert config.report.folder == ("out" if "out" in report else "reports")
    assert read(tmp_path, PLAIN).report.name == "Shop"


def test_a_key_in_the_wrong_section_is_told_where_it_belongs(tmp_path: Path) -> None:
    said = refused(tmp_path, PLAIN.replace("[economics]", "margin = 0.3\n[economics]"))
    assert said == ["C001 unknown key 'input.margin'. It belongs in [economics]."]


def test_the_folder_of_a_config_cannot_be_set_in_it(tmp_path: Path) -> None:
    said = refused(tmp_path, f'base = "/elsewhere"\n{PLAIN}')
    assert len(said) == 1
    assert said[0].startswith("C001 unknown key 'base'. Known keys here: input, ")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("margin = 0.4", 'margin = "much"', "economics.margin"),
        ('path = "log.csv"', "path = 3", "input.path"),
        ('path = "log.csv"', 'path = "a"\nas_of = "soon"', "input.as_of"),
        ('path = "log.csv"', 'path = "a"\nguest_ids = "guest"', "input.guest_ids"),
        ("[report]", '[policies]\nrefunds = "net"\n[report]', "policies.refunds"),
        ("[report]", '[holdout]\ncut = "June"\n[report]', "holdout.cut"),
        ("[report]", 'report = "Shop"\n[other]', "report"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(tmp_path: Path, old: str, new: str, key: str) -> None:
    said = refused(tmp_path, PLAIN.replace(old, new))
    assert any(
        message.startswith(("C001 " + repr(key), f"C001 unknown key 'economics.{key}'")) for message in said
    ), said


def test_all_problems_come_together(tmp_path: Path) -> None:
    text = """
[input]
path = "log.csv"
allow_gap = "ninety"
[columns]
custmer = "id"
[economics]
margin = 30
discount = 15
churn = "sometimes"
cac = -1
[report]
folder = "out"
"""
    said = refused(tmp_path, text)
    assert sorted(m.split()[0] for m in said) == ["C001", "C002", "C003", "C004", "C006", "P002"]
    assert any("Did you mean 0.3?" in m for m in said)


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    said = refused(tmp_path, "[input\npath = 1")
    assert len(said) == 1
    assert said[0].startswith("C001")
    assert "line 1" in said[0]


def test_a_config_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'C001 config not found: .*none\.toml.*"clv init DIR"'):
        load(tmp_path / "none.toml")


def test_a_folder_or_bytes_are_no_config(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "bytes.toml"):
        with pytest.raises(ConfigError, match=r"C001 .* cannot be read as TOML"):
            load(path)


@pytest.mark.parametrize("name", ["cdnow", "shop"])
def test_the_examples_load(name: str) -> None:
    config = load(example_path(name))
    assert config.assumptions().margin > 0
    assert config.holdout is not None


def test_a_cac_by_segment_and_a_date_with_quotes(tmp_path: Path, job: Callable[..., Path]) -> None:
    text = PLAIN.replace('path = "log.csv"', 'path = "log.csv"\nas_of = "2025-12-31"')
    config = read(tmp_path, text + '[economics.cac]\n"Suche & Köln" = 24\n')
    assert config.assumptions().cac == {"Suche & Köln": 24.0}
    assert config.input.as_of == dt.date(2025, 12, 31)
