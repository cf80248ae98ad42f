"""The command line: `clv init`, `clv check`, `clv run`, `clv lock`. Parse, call, print.

Exit status: 0 done, 1 unexpected, 2 usage or config, 3 data, 4 fit, 5 output, 6 warnings under --strict.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import clv
from clv.errors import ClvError

if TYPE_CHECKING:
    from clv.jobs.screen import Block

app = typer.Typer(
    help="Customer lifetime value: from a transaction log to a budget report.",
    epilog="Exit status: 0 done, 2 config, 3 data, 4 fit, 5 output, 6 warnings under --strict.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_Config = Annotated[Path, typer.Argument(help="A TOML file; `clv init` writes one.")]
_Strict = Annotated[bool, typer.Option("--strict", help="Exit with 6 when there are warnings.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, and nothing else.")]
_List = Annotated[
    Path | None,
    typer.Option(
        "--list", metavar="FILE.parquet", help="Write every row that a finding is about into a new file."
    ),
]


class Demo(StrEnum):
    """The data sets that `clv init` can start from."""

    cdnow = "cdnow"
    shop = "shop"


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder to write into.")],
    demo: Annotated[Demo, typer.Option(help="The data to start from.")] = Demo.cdnow,
) -> None:
    """Write a commented config with data to try it on."""
    from clv.jobs.starters import start

    config = start(folder, demo.value)
    _say(f"Wrote {config} and its data. Next: clv check {config}, then clv run {config}")


@app.command()
def check(config: _Config, strict: _Strict = False, as_json: _Json = False, rows_to: _List = None) -> None:
    """Check the config and the data, and say what would be kept."""
    from clv.jobs import checking, summary

    with _errors_as_json() if as_json else nullcontext(), _progress(quiet=as_json) as progress:
        progress("Checking the log")
        checked = checking.check_file(config, rows_to)
    if as_json:
        _say(json.dumps(checking.as_json(checked), indent=2, default=str))
    else:
        _show(summary.check_blocks(checked))
    error = checked.error()
    _end(strict, bool(checked.warned), error.exit_status if error else 0)


@app.command()
def run(config: _Config, strict: _Strict = False) -> None:
    """Run the whole path and write a report."""
    from clv.jobs.config import load
    from clv.jobs.pipeline import run as run_job
    from clv.jobs.summary import run_blocks

    loaded = load(config)
    with _progress() as progress:
        done = run_job(loaded, progress)
    _show(run_blocks(done.review, done.pages))
    _say("", f"Report: {done.folder / 'report.html'} ({done.manifest['seconds']} s)")
    failed = [fit.message for fit in done.study.fits if not fit.passed]
    for message in failed:
        typer.echo(message, err=True)
    status = 4 if failed and not loaded.fit.accept else 0
    _end(strict, any(f.severity == "W" for f in done.study.orders.findings), status)


@app.command()
def lock(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a finished run, or the file 'latest'.")
    ],
) -> None:
    """Publish a finished run: later runs compare what came with its forecast."""
    from clv.jobs.earlier import lock as lock_run

    _say(f"Published: {lock_run(run)}. Later runs compare what came with its forecast.")


@contextmanager
def _progress(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """A live display on a terminal, a plain line a step elsewhere; nothing for programs."""
    if quiet or not sys.stderr.isatty():
        yield lambda step: None if quiet else typer.echo(f"{step} …", err=True)
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("Starting") as status:

        def show(step: str) -> None:
            console.print(f"[dim]{step}[/dim]")
            status.update(step)

        yield show


@contextmanager
def _errors_as_json() -> Iterator[None]:
    """Tell a program what it can read, with the exit status that people get."""
    try:
        yield
    except ClvError as error:
        told = [dict(zip(("code", "message"), m.split(" ", 1), strict=True)) for m in error.messages]
        _say(json.dumps({"schema": 1, "ok": False, "errors": told}, indent=2))
        raise typer.Exit(error.exit_status) from None


def _show(blocks: Sequence[Block]) -> None:
    from clv.jobs import screen

    if sys.stdout.isatty():
        screen.show(blocks)
    else:
        _say(*screen.plain(blocks))


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line)


def _end(strict: bool, warned: bool, status: int = 0) -> None:
    raise typer.Exit(status or (6 if strict and warned else 0))


def _version(wanted: bool) -> None:
    if wanted:
        _say(f"clv {clv.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Customer lifetime value: from a transaction log to a budget report."""


def main() -> None:
    """Run the command line; a problem that the user can mend is a message, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without the letters shows "?", not a traceback
            stream.reconfigure(errors="replace")
    try:
        app()
    except ClvError as error:
        from clv.jobs.screen import printable

        for message in error.messages:
            typer.echo(printable(message), err=True)
        sys.exit(error.exit_status)
