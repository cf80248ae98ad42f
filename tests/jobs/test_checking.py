"""What stands against a run is found before anything is fitted, all of it together, on screen and in JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from clv.data.contract import Transactions
from clv.data.engines import fetch
from clv.data.findings import Finding, shown
from clv.errors import ConfigError, DataError, OutputError
from clv.jobs.checking import Checked, as_json, check, checks_table, refuse_list, write_list
from clv.jobs.config import load
from clv.jobs.runs import new_file

type Job = Callable[..., Path]

PLAIN = """
[input]
path = "log.csv"
as_of = 2025-12-31
[economics]
margin = 0.4
"""
NAMED = PLAIN.replace("[economics]", 'currency = "EUR"\n[economics]')


def many(customers: int, repeaters: int) -> pd.DataFrame:
    """A log of so many customers, of whom the first so many came back."""
    rows = [(f"C{i:04d}", f"2025-0{1 + i % 9}-{1 + i % 27:02d}", 10.0) for i in range(customers)]
    rows += [(f"C{i:04d}", f"2025-1{i % 3}-15", 20.0) for i in range(repeaters)]
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"])


def found(config: Path) -> Checked:
    return check(load(config))


def said(checked: Checked, code: str) -> list[str]:
    return [finding.message for finding in checked.findings if finding.code == code]


def test_a_sound_log_stops_nothing(job: Job) -> None:
    checked = found(job(config=NAMED))
    assert checked.findings == []
    assert checked.error() is None
    assert checked.warned == 0


def test_a_currency_that_is_not_named_is_assumed_and_said(job: Job, small_log: pd.DataFrame) -> None:
    note = "no currency is named: amounts are taken as USD. Set currency to theirs."
    (finding,) = found(job(config=PLAIN)).findings
    assert (finding.code, finding.severity, finding.message) == ("D051", "W", note)
    assert found(job(small_log.assign(currency="CHF"), PLAIN)).findings == []


# C008 and D034: the horizon against the history.


@pytest.mark.parametrize(
    ("horizon", "codes"),
    [
        ("200d", []),
        ("201d", ["D034"]),
        ("600d", ["D034"]),
        ("601d", ["C008", "D034"]),
        ("2y", ["C008", "D034"]),
    ],
)
def test_a_horizon_reaches_three_times_the_history_and_no_further(
    job: Job, horizon: str, codes: list[str]
) -> None:
    log = many(300, 100)
    log["date"] = (pd.Timestamp("2025-06-14") + pd.to_timedelta(log.index % 201, "D")).strftime("%Y-%m-%d")
    log["amount"] = log.index + 1.0
    assert log["date"].agg(["min", "max"]).to_list() == ["2025-06-14", "2025-12-31"]  # 200 days
    text = f'{PLAIN}horizon = "{horizon}"\n'
    checked = found(job(log, text))
    seasons = [f for f in checked.findings if "two seasonal cycles" in f.message]
    assert len(seasons) == 1
    assert [f.code for f in checked.findings if f not in seasons and f.code in ("C008", "D034")] == codes
    error = checked.error()
    if "C008" not in codes:
        assert error is None
        return
    assert isinstance(error, ConfigError)
    assert "C008 'economics.horizon' must not reach beyond 3 times the history; got" in str(error)
    assert "after 200 days" in str(error)
    allowed = found(job(log, text + "allow_extrapolation = true\n"))
    assert allowed.error() is None
    assert len(said(allowed, "D034")) == 2


# Everything together.


def test_data_and_settings_are_told_together_and_the_data_decides(job: Job) -> None:
    text = PLAIN + 'horizon = "9y"\n[economics.cac]\nKoln = 3.0\n[holdout]\ncut = 2026-01-31\n'
    checked = found(job(many(199, 19), text))
    codes = ["C007", "C008", "D031", "D032", "P001"]
    assert [finding.code for finding in checked.failing] == codes
    error = checked.error()
    assert isinstance(error, DataError)
    assert error.codes == codes
    settings = found(job(many(200, 20), text)).error()
    assert isinstance(settings, ConfigError)
    assert settings.codes == ["C007", "C008", "P001"]


def test_failing_findings_come_first_then_warnings_then_what_was_mended(
    job: Job, small_log: pd.DataFrame
) -> None:
    log = small_log.assign(order_id=[f"O{i}" for i in small_log.index])
    log.loc[5, "amount"] = -3.0
    log.loc[9, "amount"] = 0.0
    checked = found(job(pd.concat([log, log.tail(2)]), PLAIN))
    assert [(f.severity, f.code) for f in checked.findings] == [("F", "D019"), ("W", "D022"), ("A", "D025")]
    assert checked.warned == 1


def test_a_cost_of_an_unknown_segment_is_found_among_all_segments(job: Job, hostile: tuple[str, ...]) -> None:
    costs = "".join(
        f"{json.dumps(name, ensure_ascii=False)} = 1\n" for name in (*hostile, "AT", "LT", "2024-05")
    )
    text = PLAIN + '[segments]\ncolumns = ["channel", "country"]\n[economics.cac]\n' + costs
    assert said(found(job(config=text)), "P001") == []
    assert said(found(job(config=text + '"Suche & Koln" = 2\n"2019-01" = 1\n')), "P001") == [
        "cac names a segment that no customer is in; got 'Suche & Koln'. Did you mean 'Suche & Köln'?",
        "cac names a segment that no customer is in; got '2019-01'. Did you mean '2024-01'?",
    ]


# JSON.


def test_json_has_every_finding_and_the_whole_reconciliation(job: Job, small_log: pd.DataFrame) -> None:
    log = small_log.astype({"amount": object})
    log.loc[3, "amount"], log.loc[8, "amount"] = "ten", "0"
    log.loc[5, "customer_id"] = None
    told = json.loads(json.dumps(as_json(found(job(log, PLAIN)))))
    assert {name: told[name] for name in ("schema", "source", "as_of", "currency", "ok")} == {
        "schema": 1,
        "source": "log.csv",
        "as_of": "2025-12-31",
        "currency": "USD",
        "ok": False,
    }
    findings = {finding["code"]: finding for finding in told["findings"]}
    assert list(findings) == ["D016", "D003", "D022"]
    assert findings["D016"]["severity"] == "F"
    assert findings["D016"]["rows"] == 1
    example = findings["D016"]["examples"][0]
    assert (example["row"], example["customer"], example["amount"]) == (4, log.loc[3, "customer_id"], "ten")
    assert example["date"] == log.loc[3, "date"]
    book = {line["reason"]: line for line in told["reconciliation"]}
    rows = {"used": len(log) - 3, "no amount": 1, "zero value": 1, "no customer id": 1}
    assert {reason: line["rows"] for reason, line in book.items()} == rows
    assert sum(line["share"] for line in book.values()) == pytest.approx(1)
    left = small_log["amount"].drop([3, 5, 8]).sum()
    assert book["used"]["money"] == pytest.approx(left, abs=0.005)
    assert book["no customer id"]["money"] == pytest.approx(small_log.loc[5, "amount"])
    assert book["used"]["customers"] == small_log.drop([3, 5, 8])["customer_id"].nunique()


def test_json_of_a_log_without_its_columns_has_no_reconciliation(job: Job, small_log: pd.DataFrame) -> None:
    told = as_json(found(job(small_log.rename(columns={"date": "when"}), PLAIN)))
    assert [finding["code"] for finding in told["findings"]] == ["D001"]
    assert told["reconciliation"] == []
    assert (told["as_of"], told["currency"], told["ok"]) == ("2025-12-31", None, False)


def test_money_of_several_currencies_is_not_added_up(job: Job, small_log: pd.DataFrame) -> None:
    log = small_log.assign(currency=["EUR" if i % 2 else "CZK" for i in small_log.index])
    told = as_json(found(job(log, PLAIN.replace("as_of", 'currency = "EUR"\nas_of'))))
    assert [finding["code"] for finding in told["findings"]] == ["D028"]
    assert told["reconciliation"] == [
        {"reason": "used", "rows": len(log), "share": 1.0, "money": None, "customers": 320}
    ]


# The list of rows.


def dirty(log: pd.DataFrame) -> pd.DataFrame:
    log = log.astype({"amount": object, "date": object})
    log.loc[[3, 900], "amount"] = "ten"
    log.loc[range(20, 40), "date"] = "someday"
    log.loc[50, "amount"] = "-5"
    return pd.concat([log, log.loc[[100, 100, 200]]], ignore_index=True)


def test_the_list_has_every_row_of_every_finding(small_log: pd.DataFrame) -> None:
    log = dirty(small_log)
    orders = Transactions(log, as_of="2025-12-31")
    table = checks_table(orders).to_pandas()
    assert list(table.columns) == ["code", "severity", "row", "customer", "date", "amount", "message"]
    expected = {"D009": [*range(21, 41)], "D016": [4, 901], "D019": [51]}
    got = {code: list(rows) for code, rows in table.groupby("code")["row"] if code in expected}
    assert got == expected
    # Which of equal rows is the copy is the engine's choice: any but one of each.
    copies = table[table["code"] == "D027"]
    assert copies["customer"].value_counts().to_dict() == {
        log.loc[100, "customer_id"]: 2,
        log.loc[200, "customer_id"]: 1,
    }
    assert set(table["code"]) == {*expected, "D027"}
    assert table["severity"].eq("F").all()
    row = table[table["row"] == 51].iloc[0]
    assert (row["customer"], row["date"], row["amount"]) == (
        log.loc[50, "customer_id"],
        log.loc[50, "date"],
        "-5",
    )
    assert table["message"].nunique() == 4
    counts = {finding.code: finding.rows for finding in orders.findings}
    assert table["code"].value_counts().to_dict() == counts


def test_a_finding_about_no_row_has_one_with_its_message(small_log: pd.DataFrame) -> None:
    orders = Transactions(small_log)
    rows = checks_table(orders).to_pandas().to_dict(orient="records")
    assert len(rows) == 1
    assert (rows[0]["code"], rows[0]["severity"]) == ("D045", "W")
    assert rows[0]["message"].startswith("as_of was taken from the data")
    assert pd.isna(rows[0]["row"])
    assert all(rows[0][name] is None or pd.isna(rows[0][name]) for name in ("customer", "date", "amount"))


def test_a_list_without_findings_has_columns_and_no_row(small_orders: Transactions, tmp_path: Path) -> None:
    assert checks_table(Transactions(small_orders.source, as_of="2025-12-31")).to_pandas().empty


def test_the_list_of_a_log_without_its_columns_says_so(small_log: pd.DataFrame) -> None:
    orders = Transactions(small_log.drop(columns="amount"))
    table = checks_table(orders).to_pandas()
    assert list(table["code"]) == ["D001"]
    assert "Column 'amount' not found" in table["message"][0]


def test_ids_in_the_list_are_hashed_and_those_of_the_forgotten_left_out(small_log: pd.DataFrame) -> None:
    log = small_log.astype({"date": object})
    log.loc[[3, 8], "date"] = "someday"
    gone = log.loc[8, "customer_id"]
    orders = Transactions(log, as_of="2025-12-31", hash_ids="pepper", erased=[gone])
    table = checks_table(orders).to_pandas().set_index("row")
    assert len(table.loc[4, "customer"]) == 64
    assert pd.isna(table.loc[9, "customer"])


def test_the_list_is_on_the_engine_of_the_log(engine: Callable[..., object]) -> None:
    rows = [("C1", "2025-01-01", "5"), ("C2", "2025-01-02", "ten"), ("C3", "2025-01-03", None)]
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    orders = Transactions(engine(pa.Table.from_pandas(log, preserve_index=False)))
    t = orders.typed
    orders.__dict__["findings"] = [
        Finding("D016", "F", "not a number", 1, (), shown(orders, t.filter(t.amount_unreadable))),
        Finding("D018", "F", "no amount", 1, (), shown(orders, t.filter(t.amount_missing))),
        Finding("D045", "W", "as_of was taken"),
    ]
    assert fetch(checks_table(orders)).to_pylist() == [
        dict(zip(("code", "severity", "row", "customer", "date", "amount", "message"), row, strict=True))
        for row in (
            ("D016", "F", None, "C2", "2025-01-02", "ten", "not a number"),  # a table has no order
            ("D018", "F", None, "C3", "2025-01-03", None, "no amount"),
            ("D045", "W", None, None, None, None, "as_of was taken"),
        )
    ]


def test_a_list_is_written_whole_or_not_at_all(
    small_log: pd.DataFrame, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = found(job(dirty(small_log), PLAIN))
    folder = checked.config.base
    write_list(checked, folder / "rows.parquet")
    assert len(pd.read_parquet(folder / "rows.parquet")) == 26
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(OutputError, match=r"O001 .*rows\.parquet exists\."):
        write_list(checked, folder / "rows.parquet")

    def fail(table: object, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("clv.jobs.checking.write_table", fail)
    with pytest.raises(
        OutputError, match=r"O002 .*new\.parquet could not be written: No space left on device\."
    ):
        write_list(checked, folder / "new.parquet")
    monkeypatch.undo()
    with pytest.raises(OutputError, match="O002 "):
        write_list(checked, folder / "no such folder" / "new.parquet")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_list_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="O001"):
        refuse_list(tmp_path / "rows.parquet")
    with pytest.raises(ConfigError, match=r"C001 --list writes Parquet; got 'rows\.csv'\."):
        refuse_list(tmp_path / "rows.csv")
    refuse_list(tmp_path / "rows.PARQUET")


def test_a_file_that_came_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"

    def meet() -> None:
        with new_file(path) as partial:
            partial.write_text("ours", encoding="utf-8")
            path.write_text("theirs", encoding="utf-8")

    with pytest.raises(OutputError, match="O001"):
        meet()
    assert path.read_text(encoding="utf-8") == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["rows.parquet"]
