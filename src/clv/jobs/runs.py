"""Run folders: written beside their final place, moved there whole, never changed again."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from clv.errors import OutputError


def new_id() -> str:
    """A run id: UTC time to the second, and four digits against collisions."""
    now = dt.datetime.now(dt.UTC)
    return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def slug(name: str) -> str:
    """A folder name for a report: letters of any script, digits and dashes."""
    return re.sub(r"[^\w]+", "-", name.lower()).strip("-") or "report"


@contextlib.contextmanager
def run_folder(parent: Path, as_of: dt.date, run_id: str) -> Iterator[Path]:
    """Give a folder to write in; on success it becomes `<as_of>_<run id>` and `latest` names it.

    On any error the half-written folder is removed and `latest` stays. Raises OutputError O002 when
    nothing can be written, O001 when the run exists.
    """
    final = parent / f"{as_of}_{run_id}"
    partial = parent / f".{run_id}.partial"
    try:
        partial.mkdir(parents=True)
    except FileExistsError:
        raise OutputError(
            f"O001 {partial} exists. Another run is writing there, or one was cut off; remove it."
        ) from None
    except OSError as error:
        raise OutputError(f"O002 cannot write to {parent}: {error.strerror}. Set report.folder.") from None
    try:
        yield partial
        if final.exists():
            raise OutputError(f"O001 {final} exists; a finished run is never overwritten.")
        partial.rename(final)
    except _write_failures() as error:
        reason = str(error).rstrip(".")
        raise OutputError(f"O002 {final.name} could not be written: {reason}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    marker = parent / f".latest.{run_id}"
    try:
        marker.write_text(f"{final.name}\n", encoding="utf-8")
        os.replace(marker, parent / "latest")
    except OSError as error:
        marker.unlink(missing_ok=True)
        raise OutputError(
            f"O002 {final.name} is finished, but 'latest' could not name it: {error}."
        ) from error


def refuse_existing(path: Path) -> None:
    """Raise OutputError O001 for a file that is there already: nothing is ever overwritten."""
    if path.exists():
        raise OutputError(f"O001 {path} exists. Choose another name, or move it away.")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a name to write to, beside `path`; on success the file becomes `path`, on any error nothing stays.

    Raises OutputError O001 when `path` exists, O002 when it cannot be written.
    """
    refuse_existing(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        refuse_existing(path)
        partial.rename(path)
    except _write_failures() as error:
        reason = str(error.strerror if isinstance(error, OSError) and error.strerror else error).rstrip(".")
        raise OutputError(f"O002 {path} could not be written: {reason}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _write_failures() -> tuple[type[Exception], ...]:
    """What a full disk looks like from Python and from the workbook's writer; engines' faults are coded."""
    from xlsxwriter.exceptions import XlsxFileError

    return OSError, XlsxFileError
