"""The command line: what it prints, where, and with which exit status."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import clv
from clv.cli import main
from clv.reporting.reviews import Review

type Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command in this process; returns the exit status, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clv", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, small_review: Review) -> None:
    """Take the review that is there already: what a run computes is tested elsewhere."""

    def review(*_: object, progress: Callable[[str], None], **__: object) -> Review:
        progress("Counting customers")
        return small_review

    monkeypatch.setattr("clv.jobs.pipeline.review", review)


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


@pytest.mark.usefixtures("quick")
def test_a_run_ends_with_the_report(call: Call, job: Callable[..., Path]) -> None:
    config = job()
    status, out, err = call("run", config)
    assert status == 0
    report = Path(out.rsplit("Report: ", 1)[1].split(" (")[0])
    assert report.is_file()
    assert report.parents[2] == config.parent / "reports"
    for part in (
        "What became of every row",
        "BGNBD by mle",
        "GammaGamma by mle",
        "Hold-out 2025-06-30 to 2025-12-31",
        "Headline",
    ):
        assert part in out
    # No terminal: plain lines. The job checks the log before the study begins.
    assert err.splitlines() == ["Checking the log …", "Counting customers …", "Writing the report …"]
    fits = [line for line in out.splitlines() if line.startswith(("BGNBD by mle", "GammaGamma by mle"))]
    assert len(fits) == 2
    assert fits[0].endswith("; time in weeks")
    assert "\nUse the model: its total came out 12.0 % too low, and the tenth of customers" in out


@pytest.mark.parametrize(("accept", "status"), [(False, 4), (True, 0)])
def test_draws_that_fail_a_gate_end_a_run_with_4_unless_accepted(
    call: Call,
    job: Callable[..., Path],
    small_review: Review,
    monkeypatch: pytest.MonkeyPatch,
    accept: bool,
    status: int,
) -> None:
    purchase = clv.fit(clv.BGNBD, small_review.study.rfm, method="laplace", draws=200)
    assert purchase.posterior is not None
    bad = dataclasses.replace(purchase.posterior, diagnostics={"k_hat": 0.9, "ess": 12.0})
    failed = dataclasses.replace(purchase, posterior=bad, message=bad.message("laplace"))
    study = dataclasses.replace(small_review.study, purchase=failed)
    review = dataclasses.replace(small_review, study=study)
    monkeypatch.setattr("clv.jobs.pipeline.review", lambda *_, **__: review)
    config = job()
    config.write_text(config.read_text().replace('"mle"', f'"laplace"\naccept = {str(accept).lower()}'))
    ended, out, err = call("run", config)
    assert ended == status
    assert "M002 k_hat is 0.9, above 0.7" in err
    assert 'Use method="nuts".' in err
    report = Path(out.rsplit("Report: ", 1)[1].split(" (")[0])
    assert "BGNBD failed: see Method" in report.read_text(encoding="utf-8")
    assert json.loads((report.parent / "purchase.json").read_text())["passed"] is False


@pytest.mark.slow
def test_the_whole_path_from_init_to_a_report_of_cdnow(call: Call, tmp_path: Path) -> None:
    status, out, _ = call("init", tmp_path / "new" / "folder")
    config = tmp_path / "new" / "folder" / "cdnow.toml"
    assert status == 0
    assert str(config) in out
    status, out, _ = call("check", config)
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "CDNOW: data/cdnow.csv.gz, as of 1998-06-30, money in USD"
    assert lines[-1] == "The data can be used, with 3 warnings to read."
    assert [line.split()[:3] for line in lines[3:6]] == [
        ["D022", "warning", "80"],
        ["D027", "warning", "255"],
        ["D034", "warning", "the"],
    ]
    assert "  used        69,579   99.9 %  2,500,315.63     23,502" in lines
    assert "  rows in     69,659  100.0 %  2,500,315.63" in lines
    status, out, err = call("run", config)
    assert status == 0
    assert "MBGNBD by laplace" in out  # the likeliest
    assert "−23.2 %" in out
    assert "23.2 % too low" in out
    assert "776,870.70" in out
    assert "\nOver 4 origins, use MBGNBD: " in out
    headlines = out[out.index("  Headline") :]
    assert headlines.count("90 %: ") == 3
    assert len(err.splitlines()) == 8
    assert "\x1b" not in err + out


@pytest.mark.slow
def test_the_whole_path_from_init_to_a_report_of_the_shop(call: Call, tmp_path: Path) -> None:
    assert call("init", tmp_path, "--demo", "shop")[0] == 0
    config = tmp_path / "shop.toml"
    assert call("check", config)[0] == 0
    status, out, _ = call("run", config)
    assert status == 0
    report = Path(out.rsplit("Report: ", 1)[1].split(" (")[0])
    page = report.read_text(encoding="utf-8")
    for name in (
        "Suche &amp; Köln",
        "🎁 Gift market",
        "Katalog Plzeň",
        "Dovanų gidas",
        "Каталог",
        "小红书",
        "توصية",
    ):
        assert name in page


def test_init_never_overwrites(call: Call, tmp_path: Path) -> None:
    assert call("init", tmp_path)[0] == 0
    (tmp_path / "cdnow.toml").write_text("mine", encoding="utf-8")
    status, out, err = call("init", tmp_path)
    assert (status, out) == (5, "")
    assert err.startswith("O001 ")
    assert (tmp_path / "cdnow.toml").read_text(encoding="utf-8") == "mine"
    (tmp_path / "cdnow.toml").unlink()
    (tmp_path / "data" / "cdnow.csv.gz").write_text("mine too", encoding="utf-8")
    status, _, err = call("init", tmp_path)
    assert status == 5
    assert err.startswith("O001 ")
    assert (tmp_path / "data" / "cdnow.csv.gz").read_text(encoding="utf-8") == "mine too"
    assert files(tmp_path) == {"data", "data/cdnow.csv.gz"}


def test_init_that_fails_half_way_leaves_no_file(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, target: Path) -> None:
        target.write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", fail)
    status, out, err = call("init", tmp_path)
    assert (status, out) == (5, "")
    assert "O002 " in err
    assert files(tmp_path) == {"data"}
    monkeypatch.undo()


def test_init_into_a_file_is_told(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    status, _, err = call("init", tmp_path / "file")
    assert status == 5
    assert err.startswith("O002 cannot write to")
    assert files(tmp_path) == {"file"}


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_config_that_cannot_be_meant_exits_2(call: Call, job: Callable[..., Path], command: str) -> None:
    config = job(config="[input]\nfile = 'log.csv'\npath = 'log.csv'\n[economics]\nmargin = 40\n")
    status, out, err = call(command, config)
    assert (status, out) == (2, "")
    assert [line.split()[0] for line in err.splitlines() if not line.endswith("…")] == ["C001", "C002"]
    assert call(command, config.parent / "none.toml")[0] == 2


@pytest.mark.parametrize(
    "arguments", [("run",), ("fly",), ("run", "a", "b"), ("init", "x", "--demo", "none"), ("--no",)]
)
def test_wrong_usage_exits_2(call: Call, arguments: tuple[str, ...]) -> None:
    status, _, err = call(*arguments)
    assert status == 2
    assert "Usage" in err


def told(command: str, out: str, err: str) -> list[str]:
    """Failing findings, a line each: a run says them on stderr, a check in its table; neither twice."""
    lines = [line for line in err.splitlines() if not line.endswith("…")]
    if command == "run":
        assert out == ""
        return lines
    assert lines == []
    assert out.splitlines()[-1].startswith("A run would stop here: ")
    start = next(line for line in out.splitlines() if "What was found" in line).index("What was found")
    return [f"{line.split()[0]} {line[start:]}" for line in out.splitlines() if line[8:13] == "fails"]


@pytest.mark.parametrize("command", ["check", "run"])
def test_bad_data_exits_3_and_writes_nothing(
    call: Call, job: Callable[..., Path], small_log: pd.DataFrame, command: str
) -> None:
    log = small_log.copy()
    log.loc[4, "amount"] = -5.0
    config = job(log)
    before = files(config.parent)
    status, out, err = call(command, config)
    assert status == 3
    found = told(command, out, err)
    assert len(found) == 1
    assert found[0].startswith("D019 ")
    assert "row 5" in found[0]
    assert files(config.parent) == before
    assert ("row 5: " + " · ".join(map(str, log.loc[4, ["customer_id", "date", "amount"]])) in out) == (
        command == "check"
    )


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_log_that_is_not_there_exits_3(call: Call, job: Callable[..., Path], command: str) -> None:
    config = job()
    (config.parent / "log.csv").unlink()
    status, out, err = call(command, config)
    assert (status, out) == (3, "")
    assert f"I001 file not found: {config.parent.resolve() / 'log.csv'}, of 'input.path'." in err


@pytest.mark.parametrize("command", ["check", "run"])
def test_nobody_who_came_back_exits_3(
    call: Call, job: Callable[..., Path], small_log: pd.DataFrame, command: str
) -> None:
    config = job(small_log.drop_duplicates("customer_id"))
    text = config.read_text(encoding="utf-8").replace("as_of = 2025-12-31", "as_of = 2024-10-28")
    config.write_text(text.replace("[holdout]\ncut = 2025-06-30\n", ""), encoding="utf-8")
    before = files(config.parent)
    status, out, err = call(command, config)
    assert status == 3
    found = told(command, out, err)
    assert len(found) == 1
    assert found[0].startswith("D032 0 customers bought again, too few to learn from")
    assert files(config.parent) == before


@pytest.mark.parametrize("command", ["check", "run"])
def test_too_few_customers_exit_3(
    call: Call, job: Callable[..., Path], small_log: pd.DataFrame, command: str
) -> None:
    config = job(small_log[small_log["customer_id"] < "C0199"])
    status, out, err = call(command, config)
    assert status == 3
    assert "199 customers are too few to model (at least 200)" in out + err
    assert [line.split()[0] for line in told(command, out, err)] == ["D031"]


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_holdout_without_data_exits_2(call: Call, job: Callable[..., Path], command: str) -> None:
    config = job()
    text = config.read_text(encoding="utf-8").replace("cut = 2025-06-30", "cut = 2026-01-31")
    config.write_text(text, encoding="utf-8")
    status, out, err = call(command, config)
    assert status == 2
    assert told(command, out, err) == [
        "C007 holdout leaves no data: it is cut at 2026-01-31, as_of is 2025-12-31."
    ]


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_horizon_far_beyond_the_history_exits_2(call: Call, job: Callable[..., Path], command: str) -> None:
    config = job()
    text = config.read_text(encoding="utf-8").replace("margin = 0.4", 'margin = 0.4\nhorizon = "7y"')
    config.write_text(text, encoding="utf-8")
    status, out, err = call(command, config)
    assert status == 2
    found = told(command, out, err)
    assert len(found) == 1
    assert found[0].startswith(
        "C008 'economics.horizon' must not reach beyond 3 times the history; got '7y' (2,557 "
    )


def without_repeat_spend(log: pd.DataFrame) -> pd.DataFrame:
    """First orders as they are; whatever came later brought nothing."""
    return log.assign(amount=log["amount"].where(~log.duplicated("customer_id"), 0.0))


def test_what_cannot_be_fitted_exits_4(call: Call, job: Callable[..., Path], small_log: pd.DataFrame) -> None:
    config = job(without_repeat_spend(small_log))
    text = config.read_text(encoding="utf-8").replace("[holdout]\ncut = 2025-06-30\n", "")
    config.write_text(text + '[policies]\nzero_orders = "count"\n', encoding="utf-8")
    before = files(config.parent)
    status, _, err = call("run", config)
    assert status == 4
    assert "M001 GammaGamma cannot be fitted: nobody has repeat purchases with a value" in err
    assert files(config.parent) == before


def test_a_holdout_that_cannot_be_fitted_exits_2(
    call: Call, job: Callable[..., Path], small_log: pd.DataFrame
) -> None:
    config = job(without_repeat_spend(small_log))
    text = config.read_text(encoding="utf-8")
    config.write_text(text + '[policies]\nzero_orders = "count"\n', encoding="utf-8")
    status, _, err = call("run", config)
    assert status == 2
    assert "C007 holdout leaves too little to learn from up to 2025-06-30: GammaGamma cannot be fitted" in err


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_cac_of_an_unknown_segment_exits_2(call: Call, job: Callable[..., Path], command: str) -> None:
    config = job()
    cac = '[economics.cac]\n"Suche & Koln" = 10\n"zzz" = 3\n"AT" = 5\n'
    text = config.read_text(encoding="utf-8").replace("[holdout]\ncut = 2025-06-30\n", cac)
    config.write_text(text, encoding="utf-8")
    before = files(config.parent)
    status, out, err = call(command, config)
    assert status == 2
    assert told(command, out, err) == [
        "P001 cac names a segment that no customer is in; got 'Suche & Koln'. Did you mean 'Suche & Köln'?",
        "P001 cac names a segment that no customer is in; got 'zzz'. Name its column in segments.",
    ]
    assert files(config.parent) == before


@pytest.mark.usefixtures("quick")
def test_a_folder_that_cannot_be_written_exits_5(call: Call, job: Callable[..., Path]) -> None:
    config = job()
    (config.parent / "reports").write_text("in the way", encoding="utf-8")
    status, out, err = call("run", config)
    assert (status, out) == (5, "")
    assert "O002 cannot write to" in err


def plain_job(job: Callable[..., Path], log: pd.DataFrame | None = None) -> Path:
    """A job without a warning."""
    config = job(log)
    text = config.read_text(encoding="utf-8").replace('columns = ["channel", "country"]', "columns = []")
    text = text.replace("[input]", '[input]\ncurrency = "USD"', 1)
    config.write_text(text, encoding="utf-8")
    return config


def test_warnings_exit_6_only_when_strict(call: Call, job: Callable[..., Path]) -> None:
    config = plain_job(job)
    status, out, _ = call("check", config, "--strict")
    assert status == 0
    assert "Code" not in out
    assert out.splitlines()[-1] == "The data can be used."
    config.write_text(
        config.read_text(encoding="utf-8").replace("as_of = 2025-12-31\n", ""), encoding="utf-8"
    )
    status, out, _ = call("check", config)
    assert status == 0
    assert "  D045  warning        as_of was taken from the data" in out
    assert out.splitlines()[-1] == "The data can be used, with 1 warning to read."
    assert call("check", config, "--strict")[0] == 6


def dirty(log: pd.DataFrame) -> pd.DataFrame:
    """Rows that fail, with what a terminal must not be told."""
    log = log.astype({"date": object, "amount": object})
    log.loc[range(20, 40), "date"] = "some\x1b[31mday"
    log.loc[[3, 900], "amount"] = "ten"
    log.loc[5, "customer_id"] = None
    return log


def test_a_check_in_a_pipe_is_plain_and_whole(
    call: Call, job: Callable[..., Path], small_log: pd.DataFrame
) -> None:
    config = plain_job(job, dirty(small_log))
    status, out, _ = call("check", config)
    assert status == 3
    assert "\x1b" not in out
    lines = out.splitlines()
    assert lines[:3] == [
        "Small shop: log.csv, as of 2025-12-31, money in USD",
        "",
        "  Code  Kind     Rows  What was found, and what to do",
    ]
    assert [line.split()[:3] for line in lines if line.startswith("  D")] == [
        ["D009", "fails", "20"],
        ["D016", "fails", "2"],
        ["D003", "warning", "1"],
    ]
    # Five examples of twenty, two of two, none of a warning.
    first = next(i for i, line in enumerate(lines) if "D009" in line)
    assert [line.strip() for line in lines[first + 1 : first + 6]] == [
        f"row {i + 1}: {small_log.loc[i, 'customer_id']} · some\\x1b[31mday · {small_log.loc[i, 'amount']}"
        for i in range(20, 25)
    ]
    assert lines[first + 6].startswith("  D016")
    assert lines[first + 9].startswith("  D003")
    assert lines[-3] == "Every row that a finding is about, in a file: add --list rows.parquet"
    assert lines[-1] == "A run would stop here: 2 findings to mend first (D009, D016)."
    _, _, err = call("run", config)
    assert "\\x1b[31mday" in err
    assert "\x1b" not in err
    used = [line.split() for line in lines if line.startswith("  used ")]
    assert used[0][1] == f"{len(small_log) - 23:,}"


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_check_on_a_terminal_wraps_and_loses_nothing(
    call: Call, job: Callable[..., Path], small_log: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    config = plain_job(job, dirty(small_log))
    _, plain, _ = call("check", config)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    _, out, _ = call("check", config)
    assert "\x1b[1;31mfails" in out
    assert "\x1b[33mwarning" in out
    assert "\x1b[31mday" not in out  # of the data
    shown = re.sub(r"\x1b\[[\d;]*m", "", out)
    assert max(map(len, shown.splitlines())) <= width
    assert sorted(re.sub(r"[\s─]", "", shown)) == sorted(re.sub(r"\s", "", plain))


def test_json_is_all_that_a_program_reads(
    call: Call, job: Callable[..., Path], small_log: pd.DataFrame
) -> None:
    config = plain_job(job, dirty(small_log))
    status, out, err = call("check", config, "--json")
    assert (status, err) == (3, "")
    assert out.isascii()
    content = json.loads(out)
    assert content["ok"] is False
    assert [(f["code"], f["severity"], f["rows"]) for f in content["findings"]] == [
        ("D009", "F", 20),
        ("D016", "F", 2),
        ("D003", "W", 1),
    ]
    config = plain_job(job)
    status, out, _ = call("check", config, "--json", "--strict")
    assert status == 0
    content = json.loads(out)
    assert (content["ok"], content["findings"], content["source"]) == (True, [], "log.csv")
    text = config.read_text(encoding="utf-8").replace("as_of = 2025-12-31\n", "")
    config.write_text(text, encoding="utf-8")
    status, out, _ = call("check", config, "--json", "--strict")
    assert status == 6
    assert json.loads(out)["ok"] is True


def test_errors_are_json_too(call: Call, job: Callable[..., Path]) -> None:
    config = job(config="[input]\nfile = 'log.csv'\npath = 'log.csv'\n[economics]\nmargin = 40\n")
    status, out, err = call("check", config, "--json")
    assert (status, err) == (2, "")
    content = json.loads(out)
    assert (content["schema"], content["ok"]) == (1, False)
    assert [error["code"] for error in content["errors"]] == ["C001", "C002"]
    assert content["errors"][1]["message"].startswith("'economics.margin' must be a share")
    config = job()
    (config.parent / "log.csv").unlink()
    status, out, err = call("check", config, "--json")
    assert (status, err) == (3, "")
    assert [error["code"] for error in json.loads(out)["errors"]] == ["I001"]
    (config.parent / "rows.parquet").write_text("mine", encoding="utf-8")
    status, out, _ = call("check", config, "--json", "--list", config.parent / "rows.parquet")
    assert status == 5
    assert [error["code"] for error in json.loads(out)["errors"]] == ["O001"]


def test_every_row_can_be_had_in_a_file(
    call: Call, job: Callable[..., Path], small_log: pd.DataFrame
) -> None:
    config = plain_job(job, dirty(small_log))
    path = config.parent / "rows.parquet"
    assert call("check", config, "--list", path)[0] == 3
    assert pd.read_parquet(path)["code"].value_counts().to_dict() == {"D009": 20, "D016": 2, "D003": 1}
    written = path.read_bytes()
    status, out, err = call("check", config, "--list", path)
    assert (status, out) == (5, "")
    assert err.splitlines()[-1] == f"O001 {path} exists. Choose another name, or move it away."
    assert path.read_bytes() == written
    assert call("check", config, "--list", config.parent / "rows.csv")[0] == 2
    assert files(config.parent) == {"log.csv", "small.toml", "rows.parquet"}


def test_a_secret_is_in_no_message(
    call: Call, job: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("CLV_TEST_URL", "postgresql://me:hunter2@127.0.0.1:1/shop")
    monkeypatch.setenv("CLV_TEST_SALT", "pepper-5501")
    source = 'path = "${CLV_TEST_URL}"\ntable = "t"\nhash_ids = "${CLV_TEST_SALT}"\n'
    config = job(config=f"[input]\n{source}[economics]\nmargin = 0.4\n")
    for arguments in (("check",), ("check", "--json"), ("run",)):
        status, out, err = call(arguments[0], config, *arguments[1:])
        assert status == 3
        assert "I004" in out + err
        assert "hunter2" not in out + err
        assert "pepper" not in out + err


def test_a_strict_run_writes_its_report_and_exits_6(call: Call, job: Callable[..., Path]) -> None:
    config = job()
    text = config.read_text(encoding="utf-8").replace('columns = ["channel", "country"]', "columns = []")
    for line in ("as_of = 2025-12-31\n", "[holdout]\ncut = 2025-06-30\n"):
        text = text.replace(line, "")
    config.write_text(text, encoding="utf-8")
    status, out, _ = call("run", config, "--strict")
    assert status == 6
    assert Path(out.rsplit("Report: ", 1)[1].split(" (")[0]).is_file()


@pytest.mark.usefixtures("quick")
def test_a_run_is_published_once(call: Call, job: Callable[..., Path]) -> None:
    _, out, _ = call("run", job())
    folder = Path(out.rsplit("Report: ", 1)[1].split(" (")[0]).parent
    before = files(folder)
    status, out, err = call("lock", folder.parent / "latest")
    assert (status, err) == (0, "")
    assert out == f"Published: {folder}. Later runs compare what came with its forecast.\n"
    assert files(folder) == before | {"published"}
    status, out, err = call("lock", folder)
    assert (status, out) == (5, "")
    assert err == f"O001 run {folder.name} is published already. Nothing was changed.\n"
    (folder / "forecast.csv").write_text("mended", encoding="utf-8")
    status, _, err = call("lock", folder)
    assert status == 5
    assert err.startswith(f"O004 forecast.csv of run {folder.name} was altered since the run ended.")
    status, _, err = call("lock", folder.parent)
    assert status == 2
    assert err.startswith("C001 ")


@pytest.mark.usefixtures("quick")
def test_a_run_that_cannot_be_compared_with_is_told_by_check_and_run(
    call: Call, job: Callable[..., Path]
) -> None:
    config = job()
    text = config.read_text(encoding="utf-8").replace("[backtest]", 'compare_with = "last"\n[backtest]')
    config.write_text(text, encoding="utf-8")
    said = "P004 'report.compare_with' names a run that is not there; got 'last'. Published runs of this "
    for command in ("check", "run"):
        status, out, err = call(command, config)
        assert status == 2
        assert told(command, out, err) == [f"{said}report: none."]


@pytest.mark.parametrize("arguments", [(), ("init",), ("check",), ("run",), ("lock",)])
def test_every_command_has_help(call: Call, arguments: tuple[str, ...]) -> None:
    status, out, err = call(*arguments, "--help")
    assert (status, err) == (0, "")
    assert "Usage" in out
    words = {(): ("init", "check", "run", "lock", "Exit status"), ("init",): ("--demo", "shop")}
    words |= {("lock",): ("RUN", "latest")}
    for word in (words | {("check",): ("--strict", "--json", "--list")}).get(arguments, ("--strict",)):
        assert word in out


def test_version(call: Call) -> None:
    assert call("--version") == (0, f"clv {clv.__version__}\n", "")


def test_a_process_of_its_own_shows_no_traceback(job: Callable[..., Path], small_log: pd.DataFrame) -> None:
    log = small_log.astype({"date": "object"})
    log.loc[7, "date"] = "yesterday"
    config = job(log)
    source = Path(clv.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", "from clv.cli import main; main()", "run", str(config)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"PYTHONPATH": str(source), "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[0] == "Checking the log …"
    assert done.stderr.splitlines()[-1].startswith("D009 1 of ")
    assert "row 8: 'yesterday'" in done.stderr
