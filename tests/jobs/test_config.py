"""Configs that cannot be meant are refused with the key's path, all problems at once."""

import dataclasses
import datetime as dt
import glob
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import clv
from clv.data.contract import Transactions
from clv.datasets import example_path
from clv.errors import ConfigError, DataError
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
    assert (orders.currency, orders.guest_ids, orders.engine, orders.line_items) == (
        None,
        None,
        "duckdb",
        False,
    )
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
        "C001 unknown key 'policies.zzz'. Known keys here: refunds, duplicates, line_items, zero_orders, "
        "missing_amount."
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


@pytest.mark.parametrize(
    ("line", "home"),
    [("margin = 0.3", "economics"), ("line_items = true", "policies"), ('type = "kind"', "columns")],
)
def test_a_key_in_the_wrong_section_is_told_where_it_belongs(tmp_path: Path, line: str, home: str) -> None:
    said = refused(tmp_path, PLAIN.replace("[economics]", f"{line}\n[economics]"))
    assert said == [f"C001 unknown key 'input.{line.split()[0]}'. It belongs in [{home}]."]


def test_the_folder_of_a_config_cannot_be_set_in_it(tmp_path: Path) -> None:
    said = refused(tmp_path, f'base = "/elsewhere"\n{PLAIN}')
    assert len(said) == 1
    assert said[0].startswith("C001 unknown key 'base'. Known keys here: input, ")


@pytest.mark.parametrize(
    ("section", "line", "said"),
    [
        ("economics", 'margin = "much"', "'economics.margin' must be a number; got 'much'."),
        ("economics", "margin = true", "'economics.margin' must be a number; got True."),
        ("economics", 'margin = "0.4"', "'economics.margin' must be a number; got '0.4'."),
        ("economics", "churn = true", "'economics.churn' must be text in quotes or a number; got True."),
        ("economics", 'cac = "x"', "'economics.cac' must be a number or a table; got 'x'."),
        ("economics", "cac = {A = 1.0, B = 'x'}", "'economics.cac.B' must be a number; got 'x'."),
        (
            "economics",
            "allow_extrapolation = 1",
            "'economics.allow_extrapolation' must be true or false; got 1.",
        ),
        ("input", "path = 3", "'input.path' must be text in quotes; got 3."),
        ("input", 'as_of = "soon"', "'input.as_of' must be a date such as \"2026-09-30\"; got 'soon'."),
        ("input", "as_of = 20251231", "'input.as_of' must be a date such as \"2026-09-30\"; got 20251231."),
        ("input", "as_of = 0", "'input.as_of' must be a date such as \"2026-09-30\"; got 0."),
        ("input", 'guest_ids = "guest"', "'input.guest_ids' must be a list; got 'guest'."),
        ("input", "guest_ids = ['a', 1]", "'input.guest_ids.1' must be text in quotes; got 1."),
        ("input", "erased = 5", "'input.erased' must be a list or text in quotes; got 5."),
        ("input", "erased = ['a', 5]", "'input.erased.1' must be text in quotes; got 5."),
        (
            "input",
            "engine = 'duck'",
            "'input.engine' must be 'duckdb' or 'spark'; got 'duck'. Did you mean 'duckdb'?",
        ),
        ("input", "time_unit = 'h'", "'input.time_unit' must be 's', 'ms' or 'us'; got 'h'."),
        ("input", "decimal = ';'", "'input.decimal' must be '.' or ','; got ';'."),
        (
            "input",
            "currency = 'EURO'",
            "'input.currency' must be an ISO 4217 code such as \"EUR\"; got 'EURO'.",
        ),
        (
            "input",
            "timezone = 'Mars'",
            "'input.timezone' must be a name such as 'Europe/Prague'; got 'Mars'.",
        ),
        (
            "input",
            "fx = 'fx.csv'",
            "'input.fx' needs the currency of the results. Set currency = \"EUR\" or another.",
        ),
        ("policies", "refunds = 'as_boked'", "Did you mean 'as_booked'?"),
        ("policies", "line_items = 'yes'", "'policies.line_items' must be true or false; got 'yes'."),
        ("segments", "columns = 'a'", "'segments.columns' must be a list; got 'a'."),
        ("segments", "columns = ['T']", "'T' is a column of the RFM or forecast table; rename this segment."),
        ("holdout", "cut = 'June'", "'holdout.cut' must be a date such as \"2026-09-30\"; got 'June'."),
    ],
)
def test_a_value_that_cannot_be_meant_is_named_with_its_key(
    tmp_path: Path, section: str, line: str, said: str
) -> None:
    text, key = PLAIN, line.split(" ", 1)[0]
    for old in ('path = "log.csv"', "margin = 0.4"):
        text = text.replace(old, "") if old.startswith(f"{key} ") else text
    if f"[{section}]" not in text:
        text += f"[{section}]\n"
    told = refused(tmp_path, text.replace(f"[{section}]", f"[{section}]\n{line}"))
    assert len(told) == 1
    assert told[0].startswith("C001 ")
    assert told[0].endswith(said)


def test_a_section_that_is_a_value_is_named(tmp_path: Path) -> None:
    text = 'report = "Shop"\n' + PLAIN.replace('[report]\nname = "Shop"\n', "")
    assert refused(tmp_path, text) == ["C001 'report' must be a section of keys; got 'Shop'."]


def test_two_ways_to_read_dates_exclude_each_other(tmp_path: Path) -> None:
    text = PLAIN.replace("[economics]", 'date_format = "%d.%m.%Y"\ntime_unit = "s"\n[economics]')
    assert refused(tmp_path, text) == [
        "C001 'input.date_format' and time_unit exclude each other. Set the one that fits the column."
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "margin = 40",
            "C002 'economics.margin' must be a share above 0 and at most 1; got 40. Did you mean 0.4?",
        ),
        (
            "discount = 15",
            "C003 'economics.discount' must be an annual rate from 0 to 1; got 15. Did you mean 0.15?",
        ),
        ("discount = 1.5", "C009 'economics.discount' must not be above 1, that is 100 % a year; got 1.5. "),
        ("churn = 0", "C004 'economics.churn' must be an annual share above 0 and at most 1; got 0."),
        ('churn = "monthly:30d"', "C004 'economics.churn' must be \"inactive:180d\", "),
        ("horizon = 12", "C006 'economics.horizon' must be a number with a unit; got 12. "),
        ('horizon = "12"', "C006 'economics.horizon' must be a number with a unit; got '12'. "),
        ('horizon = "lifetime"', "C006 'economics.horizon' must end; "),
        ('horizon = ["3m", "12m"]', "C010 'economics.horizon' must be one length; got ['3m', '12m']. "),
        ("cac = -1", "P002 'economics.cac' must be 0 or more; got -1"),
    ],
)
def test_an_assumption_that_cannot_be_meant_has_its_code_and_key(
    tmp_path: Path, line: str, message: str
) -> None:
    text = PLAIN.replace("margin = 0.4", line if line.startswith("margin") else f"margin = 0.4\n{line}")
    told = refused(tmp_path, text)
    assert len(told) == 1
    assert told[0].startswith(message)


@pytest.mark.parametrize("value", ['"ninety"', "90", '"lifetime of all"'])
def test_a_gap_needs_a_length(tmp_path: Path, value: str) -> None:
    told = refused(tmp_path, PLAIN.replace("[economics]", f"allow_gap = {value}\n[economics]"))
    assert len(told) == 1
    assert told[0].startswith("C006 'input.allow_gap' must be a length such as \"90d\"; got ")


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


@pytest.mark.parametrize("day", ["2026-13-45", "2026-02-30", "2026-9-30"])
def test_a_day_of_no_calendar_is_named_with_all_else_that_is_wrong(tmp_path: Path, day: str) -> None:
    text = PLAIN.replace("[economics]", f"as_of = {day}  # the end\n[economics]").replace("0.4", "40")
    said = refused(tmp_path, f"{text}[holdout]\ncut = {day}\n")
    assert said == [
        *(
            f'C001 {key!r} must be a date such as "2026-09-30"; got {day!r}.'
            for key in ("input.as_of", "holdout.cut")
        ),
        "C002 'economics.margin' must be a share above 0 and at most 1; got 40. Did you mean 0.4?",
    ]
    fine = PLAIN.replace("[economics]", "as_of = 2026-09-30\n[economics")  # something else is no TOML
    assert refused(tmp_path, fine)[0].startswith("C001 ")


def test_files_that_are_not_there_are_named_by_key_and_whole_path_all_at_once(tmp_path: Path) -> None:
    more = 'path = "../log.csv"\nledger = "books/l.csv"\nspend = "s*.csv"\ncustomers = "c.csv"'
    text = PLAIN.replace('path = "log.csv"', more) + '[plan]\npath = "p.csv"\n'
    config = read(tmp_path, text)
    with pytest.raises(DataError) as caught:
        config.check_log()
    folder = tmp_path.resolve()
    assert caught.value.messages == tuple(
        f"I001 file not found: {place}, of {key!r}. Paths in a config are relative to the config file."
        for key, place in (
            ("input.path", folder.parent / "log.csv"),
            ("input.customers", folder / "c.csv"),
            ("input.ledger", folder / "books" / "l.csv"),
            ("plan.path", folder / "p.csv"),
        )
    )
    for name in ("log.csv", "c.csv"):
        (tmp_path / name).touch()
    config = read(tmp_path, text.replace("../log.csv", "log.csv"))
    config.check_log()  # what stands beside is a finding among those of the log
    assert sorted(config.missing()) == ["ledger", "plan"]


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


EVERY_OPTION = """
[input]
path = "log.csv"
customers = "c.csv"
identities = "same.csv"
erased = "gone.csv"
fx = "fx.parquet"
as_of = 2025-12-31
timezone = "Europe/Prague"
date_format = "%d/%m/%Y"
currency = "CZK"
decimal = ","
amount_unit = "minor"
guest_ids = []
hash_ids = "${CLV_TEST_SALT}"
allow_gap = "90d"
ledger = "books.csv"
spend = "spend.csv"
[columns]
customer = "who"
date = "when"
amount = "much"
order_id = "number"
refund_of = "undoes"
type = "kind"
currency = "code"
cogs = "cost"
referred_by = "friend"
satisfaction = "csat"
recommendation = "nps"
loyalty = "member"
[policies]
refunds = "as_booked"
duplicates = "drop"
line_items = true
zero_orders = "count"
missing_amount = "drop"
[segments]
columns = ["channel"]
[economics]
margin = 0.4
allow_extrapolation = true
"""


def test_every_option_of_the_log_has_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_TEST_SALT", "pepper")
    config = read(tmp_path, EVERY_OPTION)
    orders = config.transactions()
    given = {
        "source": tmp_path / "log.csv",
        "customers": tmp_path / "c.csv",
        "identities": tmp_path / "same.csv",
        "erased": tmp_path / "gone.csv",
        "fx": tmp_path / "fx.parquet",
        "as_of": dt.date(2025, 12, 31),
        "timezone": "Europe/Prague",
        "date_format": "%d/%m/%Y",
        "currency": "CZK",
        "decimal": ",",
        "amount_unit": "minor",
        "guest_ids": (),
        "hash_ids": "pepper",
        "allow_gap": "90d",
        "customer": "who",
        "date": "when",
        "amount": "much",
        "order_id": "number",
        "refund_of": "undoes",
        "type": "kind",
        "currency_column": "code",
        "cogs": "cost",
        "referred_by": "friend",
        "satisfaction": "csat",
        "recommendation": "nps",
        "loyalty": "member",
        "refunds": "as_booked",
        "duplicates": "drop",
        "line_items": True,
        "zero_orders": "count",
        "missing_amount": "drop",
        "segments": ("channel",),
        # Not beside the others: a table of a database, Spark, and numbers for dates.
        "table": None,
        "engine": "duckdb",
        "time_unit": None,
    }
    assert given.keys() == {field.name for field in dataclasses.fields(Transactions)}
    assert {name: getattr(orders, name) for name in given} == given
    other = EVERY_OPTION.replace(
        'date_format = "%d/%m/%Y"', 'time_unit = "ms"\ntable = "t"\nengine = "spark"'
    )
    orders = read(tmp_path, other).transactions()
    assert (orders.time_unit, orders.table, orders.engine) == ("ms", "t", "spark")


def test_answers_need_a_table_of_customers(tmp_path: Path) -> None:
    told = refused(tmp_path, PLAIN + '[columns]\nsatisfaction = "csat"\n[policies]\nrefunds = "often"\n')
    assert any(said.startswith("C001 'policies.refunds'") for said in told)
    assert "C001 satisfaction is a column of the customers table; set customers as well." in told
    unset = PLAIN.replace('path = "log.csv"', 'path = "log.csv"\ncustomers = "${CLV_UNSET}/c.csv"')
    told = refused(tmp_path, unset + '[columns]\nsatisfaction = "csat"\n')
    assert [said for said in told if "satisfaction" in said] == []


def test_the_salt_is_nowhere_but_in_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_TEST_SALT", "pepper")
    config = read(tmp_path, EVERY_OPTION)
    assert config.written()["input"]["hash_ids"] == "${CLV_TEST_SALT}"
    for shown in (repr(config), repr(config.transactions()), json.dumps(config.written())):
        assert "pepper" not in shown


@pytest.mark.parametrize(
    "given", ['"pepper"', '"${CLV_TEST_SALT}x"', '"$CLV_TEST_SALT"', '""', "5501", "true"]
)
def test_a_salt_in_the_file_is_refused_and_not_repeated(tmp_path: Path, given: str) -> None:
    told = refused(tmp_path, PLAIN.replace("[economics]", f"hash_ids = {given}\n[economics]"))
    assert told == [
        "C001 'input.hash_ids' must name a variable of the environment, as \"${CLV_SALT}\"; a salt in a "
        "file is no secret."
    ]


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("key", ["path", "fx", "erased", "hash_ids"])
def test_a_variable_that_is_not_set_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str | None
) -> None:
    monkeypatch.delenv("CLV_TEST_ODD", raising=False)
    if value is not None:
        monkeypatch.setenv("CLV_TEST_ODD", value)
    text = PLAIN.replace('path = "log.csv"', 'path = "log.csv"\ncurrency = "EUR"')
    line = f'{key} = "${{CLV_TEST_ODD}}"'
    text = text.replace('path = "log.csv"', line if key == "path" else f'path = "log.csv"\n{line}')
    told = refused(tmp_path, text)
    assert told == [
        f"C001 'input.{key}' names the environment variable CLV_TEST_ODD, which is not set. Set it, and run "
        "again."
    ]


@pytest.mark.parametrize("key", ["path", "customers", "identities", "erased"])
@pytest.mark.parametrize(
    "address", ["postgresql://me:hunter2@db/shop", "postgresql://db/shop?password=hunter2"]
)
def test_a_password_in_the_file_is_refused_and_not_repeated(tmp_path: Path, key: str, address: str) -> None:
    line = f'{key} = "{address}"'
    text = PLAIN.replace('path = "log.csv"', line if key == "path" else f'path = "log.csv"\n{line}')
    told = refused(tmp_path, text)
    assert len(told) == 1
    assert told[0].startswith(f"C001 'input.{key}' must not hold a password")
    assert "hunter2" not in told[0]


def test_addresses_and_patterns_are_no_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_TEST_URL", "postgresql://me:hunter2@db/shop")
    monkeypatch.setenv("CLV_TEST_WORD", "shop")
    monkeypatch.setenv("CLV_TEST_ROOT", "/data")
    folder = tmp_path / "a [1] folder"
    folder.mkdir()
    (folder / "log [2].csv").write_text("", encoding="utf-8")
    (folder / "shop.toml").write_text(PLAIN, encoding="utf-8")
    config = load(folder / "shop.toml")
    found = {
        "log.csv": folder / "log.csv",
        "log [2].csv": folder / "log [2].csv",
        "/elsewhere/log.csv": Path("/elsewhere/log.csv"),
        "orders": folder / "orders",
        "orders/*.parquet": f"{glob.escape(str(folder))}/orders/*.parquet",
        "../x/**/o?.csv": f"{tmp_path}/x/**/o?.csv",
        "*.csv": f"{glob.escape(str(folder))}/*.csv",
        "/data/*.csv": "/data/*.csv",
        "postgresql://db/shop": "postgresql://db/shop",
        "s3://bucket/orders/*.parquet": "s3://bucket/orders/*.parquet",
        "${CLV_TEST_URL}": "${CLV_TEST_URL}",
        "${CLV_TEST_ROOT}/log.csv": "${CLV_TEST_ROOT}/log.csv",
        "${CLV_TEST_WORD}/log.csv": folder / "${CLV_TEST_WORD}" / "log.csv",
        "logs/${CLV_TEST_WORD}.csv": folder / "logs" / "${CLV_TEST_WORD}.csv",
    }
    assert {text: config.place(text) for text in found} == found


def test_a_pattern_in_a_folder_with_brackets_finds_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "a [1] folder"
    folder.mkdir()
    text = PLAIN.replace('"log.csv"', '"log*.csv"').replace("[economics]", "as_of = 2025-01-09\n[economics]")
    (folder / "shop.toml").write_text(text, encoding="utf-8")
    for i in (1, 2):
        row = f"customer_id,date,amount\nC{i},2025-01-0{i},5\n"
        (folder / f"log{i}.csv").write_text(row, encoding="utf-8")
    table = load(folder / "shop.toml").transactions().rfm().to_pandas()
    assert list(table["customer_id"]) == ["C1", "C2"]


def test_ids_of_the_forgotten_are_not_in_the_manifest(tmp_path: Path) -> None:
    config = read(tmp_path, PLAIN.replace("[economics]", 'erased = ["C-17", "C-18"]\n[economics]'))
    assert config.transactions().erased == ["C-17", "C-18"]
    assert config.written()["input"]["erased"] == "2 ids"
    assert "C-17" not in json.dumps(config.written())
    assert "erased" not in config.inputs()


def test_a_file_of_the_forgotten_is_an_input(tmp_path: Path) -> None:
    config = read(tmp_path, PLAIN.replace("[economics]", 'erased = "gone.csv"\n[economics]'))
    assert config.inputs() == {"path": "log.csv", "erased": "gone.csv"}
    assert config.written()["input"]["erased"] == "gone.csv"
    assert config.transactions().erased == tmp_path / "gone.csv"


# How to fit.


def test_how_models_are_fitted_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(PLAIN, encoding="utf-8")
    assert load(path).fit.inference() == clv.Inference("laplace")
    assert load(path).fit.kind == "auto"
    more = '[fit]\nmodel = "ParetoNBD"\nmethod = "map"\nseed = 3\naccept = true\npriors.spend = [0.5, 2]\n'
    path.write_text(PLAIN + more, encoding="utf-8")
    assert load(path).fit.inference() == clv.Inference("map", 3, {"spend": (0.5, 2.0)}, True)
    assert load(path).fit.kind is clv.ParetoNBD


def test_priors_may_be_of_any_model_that_can_be_chosen(tmp_path: Path) -> None:
    lives = next(
        q.name for q in clv.ParetoNBD.quantities if q.name not in {q.name for q in clv.BGNBD.quantities}
    )
    text = f"{PLAIN}[fit]\npriors.{lives} = [0.1, 0.9]\n"
    assert read(tmp_path, text).fit.priors == {lives: (0.1, 0.9)}
    told = refused(tmp_path, text.replace("[fit]", '[fit]\nmodel = "BGNBD"'))
    assert told[0].startswith(f"C012 'fit.priors' has no quantity {lives!r}.")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('method = "laplac"', "C001 'fit.method' must be "),
        ("seed = -1", "C001 'fit.seed' "),
        ('model = "BGNDB"', "C001 'fit.model' must be 'auto', 'NBD', 'BGNBD', 'MBGNBD', 'ParetoNBD' or"),
        ("priors.spend = [1]", "C001 'fit.priors.spend' must be a range, [low, high]; got [1]."),
        (
            'method = "map"\npriors.spent = [1, 2]',
            "C012 'fit.priors' has no quantity 'spent'. There are purchases, ",
        ),
        ('method = "map"\npriors.spend = [2, 1]', "C012 the prior on spend of GammaGamma must be a range"),
        ('method = "mle"\npriors.spend = [1, 2]', "C012 'fit.priors' say nothing to method"),
    ],
)
def test_a_way_to_fit_that_cannot_be_meant_is_named(tmp_path: Path, lines: str, message: str) -> None:
    told = refused(tmp_path, f"{PLAIN}[fit]\n{lines}\n")
    assert len(told) == 1
    assert told[0].startswith(message)


# What a budget is reviewed by.

BUDGET = """
[segments]
columns = ["country", "channel"]
acquired_by = "channel"
[backtest]
origins = 2
window = "3m"
[plan]
path = "plan.csv"
fiscal_year_start = 4
[budget]
total = 1000
[budget.acquisition."Suche & Köln"]
ceiling = 50
saturation = 400.5
[budget.retention]
ceiling = 0.05
saturation = 300
[budget.bounds]
"Suche & Köln" = [10, 500]
retention = [0, 400]
"""


def test_what_a_budget_is_reviewed_by_is_read(tmp_path: Path) -> None:
    books = 'path = "log.csv"\nledger = "books.csv"\nspend = "${CLV_NO}.csv"'
    config = read(tmp_path, PLAIN.replace('path = "log.csv"', books.replace("${CLV_NO}", "spend")) + BUDGET)
    assert config.acquired_by == "channel"
    assert (config.backtest.origins, config.backtest.window) == (2, "3m")
    assert config.source("plan") == tmp_path / "plan.csv"
    assert (config.source("ledger"), config.source("spend")) == (
        tmp_path / "books.csv",
        tmp_path / "spend.csv",
    )
    assert list(config.inputs()) == ["path", "ledger", "spend", "plan"]
    spending = config.spending()
    assert spending is not None
    assert spending.total == 1000
    assert spending.acquisition == {"Suche & Köln": clv.ResponseCurve(50, 400.5)}
    assert spending.retention == clv.ResponseCurve(0.05, 300)
    assert spending.bounds == {"Suche & Köln": (10, 500), "retention": (0, 400)}
    json.dumps(config.written())


def test_without_them_a_review_chooses(tmp_path: Path) -> None:
    config = read(tmp_path, PLAIN)
    assert (config.backtest.origins, config.backtest.window) == (4, None)
    assert (config.source("plan"), config.source("ledger"), config.spending()) == (None, None, None)
    assert config.plan.fiscal_year_start == 1
    assert config.acquired_by == "cohort"
    assert read(tmp_path, PLAIN + '[segments]\ncolumns = ["a", "b"]\n').acquired_by == "a"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "origins = 2",
            "origins = -1",
            "C001 'backtest.origins' must be 0 or more; got -1.",
        ),
        ("origins = 2", "origins = 2.5", "C001 'backtest.origins' must be a whole number; got 2.5."),
        (
            "ceiling = 0.05",
            "ceiling = 4",
            "P002 'budget.retention.ceiling' must be a share below 1; got 4. Write 0.04 for 4 points.",
        ),
        ('"3m"', '"three"', "C006 'backtest.window' must be a length such as \"90d\"; got 'three'."),
        ('"3m"', '"lifetime"', "C006 'backtest.window' must be a length such as \"90d\"; got 'lifetime'."),
        ("start = 4", "start = 13", "C001 'plan.fiscal_year_start' must be a month from 1 to 12; got 13."),
        (
            "start = 4",
            "start = true",
            "C001 'plan.fiscal_year_start' must be a month from 1 to 12; got True.",
        ),
        (
            '"plan.csv"',
            '"${CLV_NO}"',
            "C001 'plan.path' names the environment variable CLV_NO, which is not set. ",
        ),
        ("= 1000", "= 0", "P002 'budget.total' must be above 0; got 0. Leave its section out where there is"),
        ("= 1000", "= inf", "P002 'budget.total' must be above 0; got inf."),
        ("= 1000", '= "much"', "C001 'budget.total' must be a number; got 'much'."),
        ("total = 1000", "", "C001 'budget.total' is required."),
        (
            "ceiling = 50",
            "ceiling = -5",
            "P002 'budget.acquisition.Suche & Köln.ceiling' must be above 0; got -5.",
        ),
        ("ceiling = 50", "", "C001 'budget.acquisition.Suche & Köln.ceiling' is required."),
        (
            "ceiling = 50",
            "ceiling = 50\nceilling = 6",
            "C001 unknown key 'budget.acquisition.Suche & Köln.ceilling'. Did you mean 'ceiling'?",
        ),
        ("= 300", "= true", "C001 'budget.retention.saturation' must be a number; got True."),
        ("= [0, 400]", "= 400", "C001 'budget.bounds.retention' must be a range, [low, high]; got 400."),
        (
            "= [0, 400]",
            "= [400, 0]",
            "P002 'budget.bounds' of retention must be the least and the most to spend; got (400, 0).",
        ),
        (
            "= [0, 400]",
            "= [995, 999]",
            "P002 'budget.bounds' must leave room in the budget; got 1,005.00 at least of 1,000.00.",
        ),
        (
            "retention = [0",
            "letters = [0",
            "P001 'budget.bounds' names 'letters', which has no response curve. There are Suche & Köln, ",
        ),
        (
            'acquired_by = "channel"',
            'acquired_by = "chanel"',
            "C001 'segments.acquired_by' must be one of country, channel, cohort; got 'chanel'. Write it "
            "and 'channel' alike, as the column is called.",
        ),
        (
            'acquired_by = "channel"',
            'acquired_by = "rfm_segment"',
            "C001 'segments.acquired_by' must be one of country, channel, cohort; got 'rfm_segment'. Add it ",
        ),
        (
            "[plan]",
            '[report]\nname = "x"\nlocale = "xx_YY"\n[plan]',
            "C001 'report.locale' must be the name of one, such as",
        ),
        ("[plan]", "[plans]", "C001 unknown key 'plans'. Did you mean 'plan'?"),
    ],
)
def test_a_budget_that_cannot_be_meant_is_named_with_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    monkeypatch.delenv("CLV_NO", raising=False)
    assert old in BUDGET
    told = refused(tmp_path, PLAIN.replace('[report]\nname = "Shop"\n', "") + BUDGET.replace(old, new, 1))
    assert [message[: len(said)] for message in told] == [said]
