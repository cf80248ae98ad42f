"""Earlier runs of a report: which there are, which are published, and whether they are as they ended."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from clv.errors import ConfigError, OutputError
from clv.jobs.manifest import sha256, write_json
from clv.jobs.runs import new_file

MARKER = "published"  # a file in the folder of a run that has been locked
_FOLDER = re.compile(r"\d{4}-\d{2}-\d{2}_.+")
_SHOWN = 5  # runs that a message names


@dataclass(frozen=True)
class EarlierRun:
    """A finished run: its folder and its manifest."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return str(self.manifest["run_id"])

    @property
    def as_of(self) -> dt.date:
        """The last day that counted."""
        return dt.date.fromisoformat(self.manifest["as_of"])

    @cached_property
    def published(self) -> bool:
        """Whether it has been locked."""
        return (self.folder / MARKER).exists()

    def altered(self, *names: str) -> list[str]:
        """O004 for each file, or each of those named, that is not as the run left it."""
        outputs = self.manifest["outputs"]
        wrong = []
        for name in names or outputs:
            path = self.folder / name
            if name in outputs and path.is_file() and sha256(path) == outputs[name]:
                continue
            what = "was altered" if path.is_file() else "is gone"
            wrong.append(
                f"O004 {name} of run {self.folder.name} {what} since the run ended. Restore it, or move the "
                "run away: nothing is compared with what was changed by hand."
            )
        if self.published and not names and self._locked_hash != sha256(self.folder / "run.json"):
            wrong.append(
                f"O004 run.json of run {self.folder.name} was altered since it was published. Restore it, or "
                "move the run away: nothing is compared with what was changed by hand."
            )
        return wrong

    @property
    def _locked_hash(self) -> str | None:
        try:
            found = json.loads((self.folder / MARKER).read_text(encoding="utf-8"))
            return str(found["run.json"])
        except (OSError, ValueError, LookupError, TypeError):
            return None


def read_run(folder: Path) -> EarlierRun | None:
    """Return the run of a folder; None where there is none whose manifest can be read."""
    try:
        saved = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        run = EarlierRun(folder, saved)
        complete = run.run_id and run.as_of and saved["name"] and dict(saved["outputs"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return run if complete else None


def finished(folder: Path, name: str, before: dt.date | None = None) -> list[EarlierRun]:
    """Return the runs of a report that can be read, the latest as_of last; those that end before a day."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        early = before is None or path.name < str(before)
        if early and _FOLDER.fullmatch(path.name) and (run := read_run(path)) is not None:
            found.append(run)
    return [run for run in found if run.manifest["name"] == name]


def last_published(folder: Path, name: str, as_of: dt.date, wanted: str | None = None) -> EarlierRun | None:
    """Return the last published run that ends before `as_of`, or the one that is wanted, whole.

    Raises ConfigError P004 where a wanted run is not there, not published, or does not end before, and
    OutputError O004 for a run that is not as it ended.
    """
    if wanted is None:
        known = [run for run in finished(folder, name, as_of) if run.published]
        run = known[-1] if known else None
    else:
        run = _wanted(finished(folder, name), as_of, wanted)
    wrong = run.altered() if run else []
    if wrong:
        raise OutputError(*wrong)
    return run


def _wanted(runs: list[EarlierRun], as_of: dt.date, wanted: str) -> EarlierRun:
    key = "P004 'report.compare_with'"
    run = next((run for run in runs if wanted in (run.run_id, run.folder.name)), None)
    if run is None:
        known = [run.folder.name for run in runs if run.published][-_SHOWN:]
        have = f"Published runs of this report: {', '.join(known) or 'none'}."
        raise ConfigError(f"{key} names a run that is not there; got {wanted!r}. {have}")
    if not run.published:
        raise ConfigError(
            f"{key} names a run that is not published; got {wanted!r}. Publish it: clv lock {run.folder}"
        )
    if run.as_of >= as_of:
        raise ConfigError(f"{key} must end before this run, as of {as_of}; {wanted!r} ends on {run.as_of}.")
    return run


def last_with(folder: Path, name: str, as_of: dt.date, *files: str) -> tuple[EarlierRun | None, list[str]]:
    """Return the last finished run that ends before `as_of`, and what is wrong with the ones passed over.

    Only the files named have to be as the run left them: what is wrong with an earlier run is no reason to
    refuse this one.
    """
    passed: list[str] = []
    for run in reversed(finished(folder, name, as_of)):
        wrong = run.altered(*files)
        if not wrong:
            return run, passed
        passed += wrong
    return None, passed


def lock(place: Path) -> Path:
    """Mark a finished run as published; `place` is its folder, or the file `latest` that names one.

    Writes the file `published` into the folder, and touches nothing else. Raises ConfigError C001 where there
    is no run, OutputError O004 for files that are not as the run left them, O001 for a run that is published
    already, O002 where nothing can be written.
    """
    folder = place
    if place.is_file() and place.name == "latest":
        folder = place.parent / Path(place.read_text(encoding="utf-8").strip() or "none").name
    if not (folder / "run.json").is_file():
        raise ConfigError(
            f"C001 {folder} is no finished run: it has no run.json. Give the folder of a run, or the file "
            "'latest' beside it."
        )
    run = read_run(folder)
    if run is None:
        raise OutputError(f"O004 run.json of run {folder.name} was altered: it cannot be read any more.")
    wrong = run.altered()
    if wrong:
        raise OutputError(*wrong)
    if run.published:
        raise OutputError(f"O001 run {folder.name} is published already. Nothing was changed.")
    told = {
        "schema": 1,
        "run_id": run.run_id,
        "published": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "run.json": sha256(folder / "run.json"),
    }
    with new_file(folder / MARKER) as partial:
        write_json(partial, told)
    return folder
