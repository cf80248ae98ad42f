"""Finished runs: which there are, which are published, and that nobody has changed them since."""

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clv.errors import ConfigError, OutputError
from clv.jobs.earlier import finished, last_published, last_with, lock

type Leave = Callable[..., Path]
TODAY = dt.date(2026, 9, 30)


@pytest.fixture
def leave(tmp_path: Path) -> Leave:
    """Leave a run behind, as far as others look at it; returns its folder."""

    def write(as_of: str = "2026-06-30", run_id: str = "20260701T080000-ab12", **other: object) -> Path:
        folder = tmp_path / f"{as_of}_{run_id}"
        folder.mkdir()
        outputs = {}
        for name in ("report.html", "rfm.parquet"):
            (folder / name).write_text(f"{name} of {run_id}", encoding="utf-8")
            outputs[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        content = {"run_id": run_id, "name": "Shop", "as_of": as_of, "outputs": outputs, **other}
        (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")
        (tmp_path / "latest").write_text(f"{folder.name}\n", encoding="utf-8")
        return folder

    return write


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("place", ["folder", "latest"])
def test_locking_adds_one_file_and_touches_no_other(leave: Leave, place: str) -> None:
    folder = leave()
    before = content(folder)
    assert lock(folder if place == "folder" else folder.parent / "latest") == folder
    after = content(folder)
    marker = json.loads(after.pop("published"))
    assert after == before
    assert marker["run.json"] == hashlib.sha256(before["run.json"]).hexdigest()
    assert marker["run_id"] == "20260701T080000-ab12"
    assert dt.datetime.fromisoformat(marker["published"]).utcoffset() == dt.timedelta(0)
    assert marker.keys() == {"schema", "run_id", "published", "run.json"}  # nobody's name
    with pytest.raises(OutputError, match=r"O001 run 2026-06-30_\S+ is published already. Nothing was"):
        lock(folder)
    assert json.loads((folder / "published").read_text(encoding="utf-8")) == marker


@pytest.mark.parametrize("missing", ["nothing", "file", "empty", "latest"])
def test_what_is_no_run_cannot_be_locked(tmp_path: Path, missing: str) -> None:
    place = tmp_path / missing
    if missing == "empty":
        place.mkdir()
    elif missing != "nothing":
        place.write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"C001 .* is no finished run: it has no run.json. Give the folder"):
        lock(place)


def test_a_run_that_was_altered_cannot_be_locked_and_every_file_is_named(leave: Leave) -> None:
    folder = leave()
    (folder / "report.html").write_text("better", encoding="utf-8")
    (folder / "rfm.parquet").unlink()
    with pytest.raises(OutputError) as caught:
        lock(folder)
    assert [message.split(" since")[0] for message in caught.value.messages] == [
        f"O004 report.html of run {folder.name} was altered",
        f"O004 rfm.parquet of run {folder.name} is gone",
    ]
    assert not (folder / "published").exists()
    (folder / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(OutputError, match=r"O004 run.json of run \S+ was altered: it cannot be read any"):
        lock(folder)


def test_a_marker_that_cannot_be_written_leaves_nothing(
    leave: Leave, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder = leave()
    before = content(folder)
    monkeypatch.setattr("clv.jobs.earlier.write_json", full)
    with pytest.raises(OutputError, match=r"O002 .*published could not be written: No space left"):
        lock(folder)
    assert content(folder) == before


def test_finished_runs_are_those_of_the_report_that_can_be_read(leave: Leave) -> None:
    kept = [leave("2026-03-31", "b"), leave("2026-06-30", "a"), leave("2026-06-30", "c")]
    leave("2026-09-30", "late")
    leave("2026-05-31", "x", name="Another shop")
    (leave("2026-05-31", "broken") / "run.json").write_text("[]", encoding="utf-8")
    (leave("2026-05-31", "gone") / "run.json").unlink()
    leave("2026-05-31", "bare", outputs=None)
    runs = kept[0].parent
    (runs / ".id.partial").mkdir()
    assert [run.folder for run in finished(runs, "Shop", TODAY)] == kept
    assert [run.run_id for run in finished(runs, "Shop")] == ["b", "a", "c", "late"]
    assert finished(runs / "none", "Shop") == []


def test_the_last_published_run_that_ends_before_is_taken(leave: Leave) -> None:
    first, second = leave("2026-03-31", "a"), leave("2026-06-30", "b")
    runs = first.parent
    assert last_published(runs, "Shop", TODAY) is None
    lock(first)
    lock(leave("2026-09-30", "same day"))
    found = last_published(runs, "Shop", TODAY)
    assert found is not None
    assert found.folder == first
    lock(second)
    found = last_published(runs, "Shop", TODAY)
    assert found is not None
    assert found.folder == second
    for wanted in ("a", first.name):
        found = last_published(runs, "Shop", TODAY, wanted)
        assert found is not None
        assert found.folder == first


def test_nothing_is_compared_with_a_published_run_that_was_altered(leave: Leave) -> None:
    folder = leave()
    lock(folder)
    saved = (folder / "run.json").read_text(encoding="utf-8")
    (folder / "run.json").write_text(saved.replace("}", "} "), encoding="utf-8")
    with pytest.raises(OutputError, match=r"O004 run.json of run \S+ was altered since it was published"):
        last_published(folder.parent, "Shop", TODAY)
    (folder / "run.json").write_text(saved, encoding="utf-8")
    (folder / "rfm.parquet").write_text("other", encoding="utf-8")
    with pytest.raises(OutputError, match=r"O004 rfm.parquet of run \S+ was altered since the run ended"):
        last_published(folder.parent, "Shop", TODAY)
    (folder / "published").write_text("no json", encoding="utf-8")
    with pytest.raises(OutputError) as caught:
        last_published(folder.parent, "Shop", TODAY)
    assert caught.value.codes == ["O004", "O004"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            "c",
            "P004 'report.compare_with' names a run that is not there; got 'c'. Published runs of this "
            "report: 2026-06-30_a, 2026-09-30_late.",
        ),
        (
            "b",
            "P004 'report.compare_with' names a run that is not published; got 'b'. Publish it: clv lock /",
        ),
        (
            "late",
            "P004 'report.compare_with' must end before this run, as of 2026-09-30; 'late' ends on "
            "2026-09-30.",
        ),
    ],
)
def test_a_run_that_is_asked_for_has_to_be_there(leave: Leave, wanted: str, said: str) -> None:
    lock(leave("2026-06-30", "a"))
    lock(leave("2026-09-30", "late"))
    runs = leave("2026-06-30", "b").parent
    with pytest.raises(ConfigError) as caught:
        last_published(runs, "Shop", TODAY, wanted)
    assert str(caught.value).startswith(said)


def test_an_altered_run_that_nobody_published_is_passed_over(leave: Leave) -> None:
    first, second = leave("2026-03-31", "a"), leave("2026-06-30", "b")
    (second / "report.html").write_text("of no account here", encoding="utf-8")
    found, passed = last_with(first.parent, "Shop", TODAY, "rfm.parquet")
    assert found is not None
    assert (found.folder, passed) == (second, [])
    (second / "rfm.parquet").write_text("other", encoding="utf-8")
    found, passed = last_with(first.parent, "Shop", TODAY, "rfm.parquet")
    assert found is not None
    assert found.folder == first
    assert [message[:32] for message in passed] == ["O004 rfm.parquet of run 2026-06-3"[:32]]
    (first / "rfm.parquet").unlink()
    found, passed = last_with(first.parent, "Shop", TODAY, "rfm.parquet")
    assert (found, len(passed)) == (None, 2)
