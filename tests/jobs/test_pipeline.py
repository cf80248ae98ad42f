"""A run writes all of its files or none, and never touches another run."""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
import xlsxwriter.exceptions

import clv
from clv.data.contract import Transactions
from clv.data.engines import fetch
from clv.errors import ConfigError, DataError, OutputError
from clv.jobs.config import load
from clv.jobs.pipeline import Run, checked, harmless, run
from clv.jobs.runs import new_id, run_folder, slug
from clv.reporting import workbook
from clv.reporting.reviews import Review

FILES = {
    *(
        "report.html",
        "report.xlsx",
        "forecast.parquet",
        "forecast.csv",
        "rfm.parquet",
        "checks.parquet",
        "purchase.json",
        "spend.json",
        "run.json",
    )
}


def listing(folder: Path) -> dict[str, str]:
    """Every file with its hash, and every folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def config_text() -> str:
    return """
[input]
path = "log.csv"
as_of = 2025-12-31
[segments]
columns = ["channel"]
[economics]
margin = 0.4
[holdout]
cut = 2025-06-30
[report]
name = "Můj <obchod> 🎁"
folder = "out"
[backtest]
origins = 0
[fit]
method = "mle"
model = "BGNBD"
"""


@pytest.fixture(scope="module")
def done(small_log: pd.DataFrame, config_text: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("job")
    small_log.to_csv(folder / "log.csv", index=False)
    (folder / "job.toml").write_text(config_text, encoding="utf-8")
    return run(load(folder / "job.toml"))


def test_no_text_of_a_file_is_a_formula(engine: Callable[[pa.Table], Any]) -> None:
    texts = ["=1+1", "+49 170", "-5", "@SUM(A1)", "\tx", "\rx", "plain", "a=b", "'", "", None]
    found = fetch(harmless(engine(pa.table({"name": texts, "n": [-1.5] * len(texts)})))).to_pandas()
    said = sorted(found["name"].dropna())
    assert said == sorted([*(f"'{text}" for text in texts[:6]), "plain", "a=b", "'", ""])
    assert found["name"].isna().sum() == 1
    assert set(found["n"]) == {-1.5}


def test_a_run_writes_exactly_its_files(done: Run) -> None:
    assert {path.name for path in done.folder.iterdir()} == FILES
    assert done.folder.parent.name == "můj-obchod"
    assert {path.name for path in done.folder.parent.iterdir()} == {done.folder.name, "latest"}
    assert (done.folder.parent / "latest").read_text(encoding="utf-8") == f"{done.folder.name}\n"
    assert done.folder.name == f"2025-12-31_{done.manifest['run_id']}"


def test_the_manifest_fits_the_files(done: Run) -> None:
    saved = json.loads((done.folder / "run.json").read_text(encoding="utf-8"))
    assert saved == json.loads(json.dumps(done.manifest))
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in done.folder.iterdir()}
    assert saved["outputs"] == {name: digest for name, digest in found.items() if name != "run.json"}
    log = done.folder.parents[2] / "log.csv"
    assert saved["inputs"] == [{"path": "log.csv", "sha256": hashlib.sha256(log.read_bytes()).hexdigest()}]
    assert saved["name"] == "Můj <obchod> 🎁"
    assert saved["config"]["economics"]["margin"] == 0.4
    assert saved["history"]["currency"] == "USD"
    dates = pd.read_csv(log)["date"].str[:7].value_counts()
    assert {month: kept["rows"] for month, kept in saved["history"]["months"].items()} == dates.to_dict()
    assert saved["versions"]["clv"]


def test_the_manifest_holds_the_headline_figures(done: Run) -> None:
    assert done.manifest["headline"]["customers"] == 320
    assert done.manifest["headline"]["clv"] == pytest.approx(done.study.forecast.sums["clv"])
    assert done.manifest["headline"]["clv_lifetime"] == pytest.approx(done.study.lifetime.sums["clv"])
    assert done.manifest["holdout"]["error"]["Run-rate"] == pytest.approx(
        done.study.holdout.contenders.loc["Run-rate", "error"]
    )
    used = {row["reason"]: row["rows"] for row in done.manifest["reconciliation"]}
    assert used == {"used": len(pd.read_csv(done.folder.parents[2] / "log.csv"))}


def test_the_fits_can_be_read_back(done: Run) -> None:
    for name in ("purchase", "spend"):
        fit, made = clv.Fit.load(done.folder / f"{name}.json"), getattr(done.study, name)
        assert fit.parameters == pytest.approx(made.parameters)
        assert (type(fit.estimate), fit.as_of, fit.first_order) == (
            type(made.estimate),
            made.as_of,
            made.first_order,
        )


def test_tables_agree_in_every_format_and_names_survive(done: Run, hostile: tuple[str, ...]) -> None:
    parquet = pd.read_parquet(done.folder / "forecast.parquet")
    csv = pd.read_csv(done.folder / "forecast.csv", dtype={"customer_id": str})
    assert list(csv.columns) == list(parquet.columns)
    assert len(csv) == len(parquet) == 320
    assert csv["clv_mean"].to_numpy() == pytest.approx(parquet["clv_mean"].to_numpy(), rel=1e-12)
    assert set(parquet["channel"]) == set(hostile)
    assert set(csv["channel"]) == {f"'{name}" if name[0] == "=" else name for name in hostile}
    assert list(csv["customer_id"]) == list(parquet["customer_id"])
    assert set(csv["run_id"]) == {done.manifest["run_id"]}
    rfm = pd.read_parquet(done.folder / "rfm.parquet")
    assert list(rfm["customer_id"]) == list(parquet["customer_id"])
    assert set(rfm["channel"]) == set(hostile)
    sheet = openpyxl.load_workbook(done.folder / "report.xlsx")["Formulas by channel"]
    assert set(hostile) <= {str(cell.value).removesuffix(" (few)") for cell in sheet["A"]}
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    assert "Můj &lt;obchod&gt; 🎁" in page
    assert all(name in page for name in hostile if not set(name) & set("<&\"'"))


def test_a_second_run_leaves_the_first_alone(done: Run) -> None:
    before = listing(done.folder)
    again = run(load(done.folder.parents[2] / "job.toml"))
    assert again.folder != done.folder
    assert listing(done.folder) == before
    assert (done.folder.parent / "latest").read_text(encoding="utf-8").strip() == again.folder.name
    same = ("forecast.csv", "rfm.parquet", "checks.parquet", "purchase.json", "spend.json")
    for name in same[1:]:
        assert listing(again.folder)[name] == before[name], name
    old, new = (pd.read_csv(r.folder / "forecast.csv").drop(columns="run_id") for r in (done, again))
    pd.testing.assert_frame_equal(old, new)


@pytest.mark.parametrize(
    ("column", "row", "value", "code", "said"),
    [
        ("amount", 4, "-5", "D019", "row 5"),
        ("date", 7, "2025-13-31", "D009", "row 8"),
        ("amount", 2, "ten", "D016", "row 3"),
        ("amount", 3, "", "D018", "row 4"),
        ("date", 0, "20240105", "D007", "row 1"),
    ],
)
def test_bad_input_names_its_row_and_writes_nothing(
    job: Callable[..., Path], small_log: pd.DataFrame, column: str, row: int, value: str, code: str, said: str
) -> None:
    log = small_log.astype({column: "object"})
    log.loc[row, column] = value
    config = job(log)
    before = listing(config.parent)
    with pytest.raises(DataError) as caught:
        run(load(config))
    assert caught.value.codes == [code]
    assert said in str(caught.value)
    assert listing(config.parent) == before


def test_several_problems_of_the_log_come_together(job: Callable[..., Path], small_log: pd.DataFrame) -> None:
    log = small_log.astype({"amount": "object", "date": "object"})
    log.loc[3, "amount"], log.loc[5, "date"] = "-1", "someday"
    with pytest.raises(DataError) as caught:
        run(load(job(pd.concat([log, log.tail(1)]))))
    assert caught.value.codes == ["D009", "D019", "D027"]


@pytest.mark.parametrize(
    "failure",
    [
        OSError(28, "No space left on device"),
        xlsxwriter.exceptions.FileCreateError("No space left on device"),
    ],
    ids=["system", "workbook"],
)
def test_a_failure_while_writing_leaves_nothing(
    job: Callable[..., Path], small_review: Review, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object) -> None:
        raise failure

    config = job()
    monkeypatch.setattr("clv.jobs.pipeline.review", lambda *_, **__: small_review)
    monkeypatch.setattr(workbook, "write", fail)
    with pytest.raises(OutputError, match=r"O002 .*No space left") as caught:
        run(load(config))
    assert caught.value.exit_status == 5
    assert {p.name for p in config.parent.rglob("*") if p.is_file()} == {"log.csv", "small.toml"}
    assert not list(config.parent.rglob(".*"))


def test_an_unexpected_failure_leaves_nothing_either(tmp_path: Path) -> None:
    def fail() -> None:
        with run_folder(tmp_path / "out", pd.Timestamp("2026-01-01").date(), "id") as folder:
            (folder / "half").write_text("half", encoding="utf-8")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(
    job: Callable[..., Path], small_review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = job()
    monkeypatch.setattr("clv.jobs.pipeline.review", lambda *_, **__: small_review)
    (config.parent / "reports").write_text(
        "in the way", encoding="utf-8"
    )  # a file where the folder should be
    before = listing(config.parent)
    with pytest.raises(OutputError, match="O002 cannot write to"):
        run(load(config))
    assert listing(config.parent) == before


def test_a_run_that_latest_cannot_name_is_kept_and_told(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()  # a folder where the file should be
    day = pd.Timestamp("2026-01-01").date()
    with (
        pytest.raises(OutputError, match=r"O002 2026-01-01_id is finished, but 'latest' could not name it"),
        run_folder(tmp_path, day, "id") as folder,
    ):
        (folder / "whole").write_text("whole", encoding="utf-8")
    assert {p.name for p in tmp_path.iterdir()} == {"2026-01-01_id", "latest"}
    assert (tmp_path / "2026-01-01_id" / "whole").is_file()


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    day = pd.Timestamp("2026-01-01").date()
    (tmp_path / "2026-01-01_id").mkdir()
    with pytest.raises(OutputError, match=r"O001 .* exists; a finished run"), run_folder(tmp_path, day, "id"):
        pass
    assert {p.name for p in tmp_path.iterdir()} == {"2026-01-01_id"}
    (tmp_path / ".other.partial").mkdir()
    with pytest.raises(OutputError, match="O001"), run_folder(tmp_path, day, "other"):
        pass
    assert (tmp_path / ".other.partial").is_dir()  # another run's work is not ours to remove


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Demo shop", "demo-shop"),
        ("../../etc", "etc"),
        ("Каталог 小红书", "каталог-小红书"),
        ("🎁", "report"),
        ("..", "report"),
        ("a/b\\c", "a-b-c"),
    ],
)
def test_a_report_name_is_one_plain_folder(name: str, folder: str) -> None:
    assert slug(name) == folder


def test_run_ids_sort_by_time_and_differ() -> None:
    ids = [new_id() for _ in range(50)]
    assert len(set(ids)) > 45
    assert all(len(i) == 20 for i in ids)


def test_a_holdout_without_a_purchase_still_runs(
    job: Callable[..., Path], small_log: pd.DataFrame, config_text: str
) -> None:
    quiet = small_log[small_log["date"] <= "2025-06-30"]
    config = job(quiet, config_text.replace('[segments]\ncolumns = ["channel"]', 'allow_gap = "200d"'))
    made = run(load(config))
    assert made.manifest["holdout"]["actual"] == 0
    assert set(made.manifest["holdout"]["error"].values()) == {None}
    assert "Nothing was bought in the hold-out" in (made.folder / "report.html").read_text(encoding="utf-8")


def test_a_segment_called_as_the_line_of_totals_is_refused(
    job: Callable[..., Path], small_log: pd.DataFrame, config_text: str
) -> None:
    log = small_log.assign(channel=small_log["country"].replace("CZ", "All customers"))
    with pytest.raises(DataError, match="D041 a segment of 'channel' is called 'All customers'"):
        run(load(job(log, config_text)))


def test_a_segment_column_that_is_not_there_is_named(job: Callable[..., Path], config_text: str) -> None:
    with pytest.raises(DataError, match=r"D001 Column 'chanel' not found.*Did you mean 'channel'"):
        run(load(job(config=config_text.replace('"channel"', '"chanel"'))))


def test_an_infinite_equity_is_null_in_the_manifest(
    job: Callable[..., Path], small_review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = dataclasses.replace(small_review.study, lifetime=None, beyond_five_years=math.nan)
    endless = dataclasses.replace(small_review, study=study)
    monkeypatch.setattr("clv.jobs.pipeline.review", lambda *_, **__: endless)
    made = run(load(job()))
    saved = json.loads((made.folder / "run.json").read_text(encoding="utf-8"))
    assert saved["headline"]["clv_lifetime"] is None
    assert saved["headline"]["clv"] > 0


@pytest.mark.parametrize(
    ("customers", "repeaters", "codes"),
    [(200, 20, []), (199, 20, ["D031"]), (200, 19, ["D032"]), (199, 19, ["D031", "D032"])],
)
def test_a_base_too_small_to_model_is_refused_before_anything_is_fitted(
    job: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    config_text: str,
    customers: int,
    repeaters: int,
    codes: list[str],
) -> None:
    text = config_text.replace('[segments]\ncolumns = ["channel"]\n', "")
    rows = [(f"C{i:04d}", f"2025-0{1 + i % 9}-{1 + i % 27:02d}", 10.0) for i in range(customers)]
    rows += [(f"C{i:04d}", f"2025-1{i % 3}-15", 20.0) for i in range(repeaters)]
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    config = load(job(log, text.replace("[holdout]\ncut = 2025-06-30\n", "horizon = '6m'\n")))
    if not codes:
        assert len(checked(config).rfm()) == customers
        return
    monkeypatch.setattr("clv.jobs.pipeline.review", lambda *_, **__: pytest.fail("a review began"))
    for call in (checked, run):
        with pytest.raises(DataError) as caught:
            call(config)
        assert caught.value.codes == codes
        assert caught.value.exit_status == 3


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        ("2025-12-31", "C007 holdout leaves no data: it is cut at 2025-12-31, as_of is 2025-12-31."),
        ("2023-12-31", "C007 holdout leaves no data to learn from: no order in use is dated 2023-12-31 or"),
    ],
)
def test_a_holdout_without_data_is_refused_before_anything_is_fitted(
    job: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, config_text: str, cut: str, said: str
) -> None:
    config = load(job(config=config_text.replace("cut = 2025-06-30", f"cut = {cut}")))
    monkeypatch.setattr("clv.jobs.pipeline.review", lambda *_, **__: pytest.fail("a review began"))
    for call in (checked, run):
        with pytest.raises(ConfigError, match=re.escape(said)) as caught:
            call(config)
        assert caught.value.exit_status == 2


def test_segments_of_the_customers_table_alone_are_not_held_out(
    job: Callable[..., Path], small_log: pd.DataFrame, config_text: str
) -> None:
    text = config_text.replace("as_of =", 'customers = "customers.csv"\nas_of =')
    config = job(small_log, text.replace('["channel"]', '["channel", "tier"]'))
    ids = sorted(small_log["customer_id"].unique())
    tiers = pd.DataFrame(
        {"customer_id": ids, "tier": ["gold" if i % 2 else "plain" for i in range(len(ids))]}
    )
    tiers.to_csv(config.parent / "customers.csv", index=False)
    made = run(load(config))
    held = {c.by: c.holdout is not None for c in made.study.comparisons}
    assert held == {"channel": True, "tier": False, "cohort": True, "rfm_segment": True}
    page = (made.folder / "report.html").read_text(encoding="utf-8")
    assert "No hold-out by tier: the customers table says what customers are now" in page
    titles = {sheet["A1"].value for sheet in openpyxl.load_workbook(made.folder / "report.xlsx")}
    assert "What a new customer is worth, by tier" in titles
    assert "Forecast and actual of the hold-out, by channel at the cut" in titles
    assert "Forecast and actual of the hold-out, by tier at the cut" not in titles
    assert len(made.manifest["inputs"]) == 2


def test_a_cost_of_an_unknown_segment_is_refused_before_anything_is_fitted(
    job: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, config_text: str
) -> None:
    text = config_text.replace("[holdout]", '[economics.cac]\n"Suche & Koln" = 10\n[holdout]')
    monkeypatch.setattr("clv.jobs.pipeline.review", lambda *_, **__: pytest.fail("a review began"))
    with pytest.raises(ConfigError, match=r"P001 .*Did you mean 'Suche & Köln'\?"):
        run(load(job(config=text)))


def test_a_run_keeps_what_was_found_and_every_row_of_it(
    job: Callable[..., Path], small_log: pd.DataFrame, config_text: str
) -> None:
    log = small_log.copy()
    log.loc[[3, 8, 13], "customer_id"] = None
    config = load(job(log, config_text.replace("[holdout]\ncut = 2025-06-30\n", 'horizon = "4y"\n')))
    made = run(config)
    assert [f["code"] for f in made.manifest["findings"]] == ["D003", "D034", "D042", "D051"]
    rows = pd.read_parquet(made.folder / "checks.parquet")
    assert list(rows["code"]) == ["D003", "D003", "D003", "D034", "D042", "D051"]
    assert list(rows["row"][:3]) == [4, 9, 14]
    page = (made.folder / "report.html").read_text(encoding="utf-8")
    assert "of it is extrapolated" in page
    # The next run sees that a row of a month that was over has gone.
    log.drop(index=13).to_csv(config.base / "log.csv", index=False)
    month = log.loc[13, "date"][:7]
    again = run(config)
    told = [f["message"] for f in again.manifest["findings"] if f["code"] == "D043"]
    assert len(told) == 1
    assert made.manifest["run_id"] in told[0]
    assert f"1 month changed, {month} (−1 row, −{log.loc[13, 'amount']:.2f})" in told[0]
    text = (again.folder / "report.html").read_text(encoding="utf-8").replace("&#39;", "'")
    assert told[0] in re.sub("</?span[^>]*>", "", text)
    assert "D043" in set(pd.read_parquet(again.folder / "checks.parquet")["code"])


@pytest.mark.parametrize("kind", ["folder", "pattern"])
def test_the_hash_of_many_files_is_that_of_their_hashes(
    job: Callable[..., Path],
    small_review: Review,
    small_log: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setattr("clv.jobs.pipeline.review", lambda *_, **__: small_review)
    config = job()
    folder = config.parent / "parts"
    (folder / "inner").mkdir(parents=True)
    cut = len(small_log) // 2
    parts = {"b.parquet": small_log[:cut], "inner/a.parquet": small_log[cut:]}
    for name, part in parts.items():
        part.to_parquet(folder / name, index=False)
    (folder / "_SUCCESS").write_text("", encoding="utf-8")
    written = "parts" if kind == "folder" else "parts/**/*.parquet"
    config.write_text(config.read_text(encoding="utf-8").replace("log.csv", written), encoding="utf-8")
    made = run(load(config))
    lines = sorted(hashlib.sha256((folder / name).read_bytes()).hexdigest() + "\n" for name in parts)
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert made.manifest["inputs"] == [{"path": written, "sha256": digest}]
    page = (made.folder / "report.html").read_text(encoding="utf-8")
    assert f"<dt>SHA-256</dt> <dd>{digest[:16]}</dd>" in page


def test_a_database_is_named_by_its_table_and_without_its_address(
    job: Callable[..., Path],
    small_review: Review,
    small_orders: Transactions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clv.jobs.pipeline.review", lambda *_, **__: small_review)
    monkeypatch.setattr("clv.jobs.pipeline.checked", lambda _: small_orders)
    monkeypatch.setenv("CLV_TEST_URL", "postgresql://me:hunter2@db/shop")
    text = '[input]\npath = "${CLV_TEST_URL}"\ntable = "orders"\n[economics]\nmargin = 0.4\n'
    made = run(load(job(config=text)))
    assert made.manifest["inputs"] == [{"path": "${CLV_TEST_URL}", "sha256": None}]
    page = (made.folder / "report.html").read_text(encoding="utf-8")
    assert "<dt>Input</dt> <dd>${CLV_TEST_URL}, table orders</dd>" in page
    for path in made.folder.iterdir():
        assert b"hunter2" not in path.read_bytes(), path.name


def test_a_file_under_a_variable_is_hashed(
    job: Callable[..., Path], small_review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clv.jobs.pipeline.review", lambda *_, **__: small_review)
    config = job()
    monkeypatch.setenv("CLV_TEST_ROOT", str(config.parent))
    config.write_text(
        config.read_text(encoding="utf-8").replace("log.csv", "${CLV_TEST_ROOT}/log.csv"), encoding="utf-8"
    )
    made = run(load(config))
    digest = hashlib.sha256((config.parent / "log.csv").read_bytes()).hexdigest()
    assert made.manifest["inputs"] == [{"path": "${CLV_TEST_ROOT}/log.csv", "sha256": digest}]
    assert str(config.parent) not in (made.folder / "run.json").read_text(encoding="utf-8")
