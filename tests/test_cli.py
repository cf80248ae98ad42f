"""The command line: what it prints, where, and with which exit status."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import clv
from clv.cli import main
from clv.evaluation.study import Study

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
def quick(monkeypatch: pytest.MonkeyPatch, small_study: Study) -> None:
    """Take the study that is there already: what a run computes is tested elsewhere."""

    def study(*_: object, progress: Callable[[str], None], **__: object) -> Study:
        progress("Counting customers")
        return small_study

    monkeypatch.setattr("clv.jobs.pipeline.study", study)


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
        "Rows and money",
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
    assert "  Use the model: its total came out 12.0 % too low, and the tenth of customers" in out


def test_the_whole_path_from_init_to_a_report_of_cdnow(call: Call, tmp_path: Path) -> None:
    status, out, _ = call("init", tmp_path / "new" / "folder")
    config = tmp_path / "new" / "folder" / "cdnow.toml"
    assert status == 0
    assert str(config) in out
    status, out, _ = call("check", config)
    assert status == 0
    assert out.splitlines()[-1] == "The data can be used."
    assert "W D022" in out
    status, out, err = call("run", config)
    assert status == 0
    assert "−17.3 %" in out
    assert "17.3 % too low" in out
    assert "776,870.70" in out
    assert len(err.splitlines()) == 7
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
    assert [line.split()[0] for line in err.splitlines()] == ["C001", "C002"]
    assert call(command, config.parent / "none.toml")[0] == 2


@pytest.mark.parametrize(
    "arguments", [("run",), ("fly",), ("run", "a", "b"), ("init", "x", "--demo", "none"), ("--no",)]
)
def test_wrong_usage_exits_2(call: Call, arguments: tuple[str, ...]) -> None:
    status, _, err = call(*arguments)
    assert status == 2
    assert "Usage" in err


@pytest.mark.parametrize("command", ["check", "run"])
def test_bad_data_exits_3_and_writes_nothing(
    call: Call, job: Callable[..., Path], small_log: pd.DataFrame, command: str
) -> None:
    log = small_log.copy()
    log.loc[4, "amount"] = -5.0
    config = job(log)
    before = files(config.parent)
    status, _, err = call(command, config)
    assert status == 3
    told = [line for line in err.splitlines() if not line.endswith("…")]
    assert len(told) == 1
    assert told[0].startswith("D019 ")
    assert "row 5" in told[0]
    assert files(config.parent) == before


def test_a_log_that_is_not_there_exits_3(call: Call, job: Callable[..., Path]) -> None:
    config = job()
    (config.parent / "log.csv").unlink()
    status, _, err = call("run", config)
    assert status == 3
    assert "I001 file not found" in err
    assert str(config.parent / "log.csv") in err


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
    assert "D032 0 customers bought again, too few to learn from" in err
    assert "The data can be used." not in out
    assert files(config.parent) == before


@pytest.mark.parametrize("command", ["check", "run"])
def test_too_few_customers_exit_3(
    call: Call, job: Callable[..., Path], small_log: pd.DataFrame, command: str
) -> None:
    config = job(small_log[small_log["customer_id"] < "C0199"])
    status, out, err = call(command, config)
    assert status == 3
    assert "D031 199 customers are too few to model (at least 200)" in err
    assert "The data can be used." not in out


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_holdout_without_data_exits_2(call: Call, job: Callable[..., Path], command: str) -> None:
    config = job()
    text = config.read_text(encoding="utf-8").replace("cut = 2025-06-30", "cut = 2026-01-31")
    config.write_text(text, encoding="utf-8")
    status, out, err = call(command, config)
    assert status == 2
    assert "C007 holdout leaves no data: it is cut at 2026-01-31, as_of is 2025-12-31." in err
    assert "The data can be used." not in out


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
    assert "M001 GammaGamma cannot be fitted; " in err
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


def test_a_cac_of_an_unknown_segment_exits_2(call: Call, job: Callable[..., Path]) -> None:
    config = job()
    cac = '[economics.cac]\n"Suche & Koln" = 10\n"zzz" = 3\n"AT" = 5\n'
    text = config.read_text(encoding="utf-8").replace("[holdout]\ncut = 2025-06-30\n", cac)
    config.write_text(text, encoding="utf-8")
    before = files(config.parent)
    status, _, err = call("run", config)
    assert status == 2
    told = [line for line in err.splitlines() if not line.endswith("…")]
    assert told == [
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


def test_warnings_exit_6_only_when_strict(call: Call, job: Callable[..., Path]) -> None:
    config = job()
    assert call("check", config, "--strict")[0] == 0  # nothing to warn of
    config.write_text(
        config.read_text(encoding="utf-8").replace("as_of = 2025-12-31\n", ""), encoding="utf-8"
    )
    status, out, _ = call("check", config)
    assert status == 0
    assert "W D045" in out
    assert call("check", config, "--strict")[0] == 6


def test_a_strict_run_writes_its_report_and_exits_6(call: Call, job: Callable[..., Path]) -> None:
    config = job()
    text = config.read_text(encoding="utf-8").replace('columns = ["channel", "country"]', "columns = []")
    for line in ("as_of = 2025-12-31\n", "[holdout]\ncut = 2025-06-30\n"):
        text = text.replace(line, "")
    config.write_text(text, encoding="utf-8")
    status, out, _ = call("run", config, "--strict")
    assert status == 6
    assert Path(out.rsplit("Report: ", 1)[1].split(" (")[0]).is_file()


@pytest.mark.parametrize("arguments", [(), ("init",), ("check",), ("run",)])
def test_every_command_has_help(call: Call, arguments: tuple[str, ...]) -> None:
    status, out, err = call(*arguments, "--help")
    assert (status, err) == (0, "")
    assert "Usage" in out
    for word in {(): ("init", "check", "run", "Exit status"), ("init",): ("--demo", "shop")}.get(
        arguments, ("--strict",)
    ):
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
