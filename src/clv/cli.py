"""The command line: `clv init`, `clv check`, `clv run`. Parse, call, print.

Exit status: 0 done, 1 unexpected, 2 usage or config, 3 data, 4 fit, 5 output, 6 warnings under --strict.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import clv
from clv.errors import ClvError

app = typer.Typer(
    help="Customer lifetime value: from a transaction log to a budget report.",
    epilog="Exit status: 0 done, 2 config, 3 data, 4 fit, 5 output, 6 warnings under --strict.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_Config = Annotated[Path, typer.Argument(help="A TOML file; `clv init` writes one.")]
_Strict = Annotated[bool, typer.Option("--strict", help="Exit with 6 when there are warnings.")]


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
def check(config: _Config, strict: _Strict = False) -> None:
    """Check the config and the data, and say what would be kept."""
    from clv.jobs.config import load
    from clv.jobs.pipeline import checked
    from clv.jobs.summary import check_lines

    loaded = load(config)
    _say(*check_lines(loaded.transactions()))
    orders = checked(loaded)
    _say("The data can be used.")
    _end(strict, any(f.severity == "W" for f in orders.findings))


@app.command()
def run(config: _Config, strict: _Strict = False) -> None:
    """Run the whole path and write a report."""
    from clv.jobs.config import load
    from clv.jobs.pipeline import run as run_job
    from clv.jobs.summary import lines

    loaded = load(config)
    with _progress() as progress:
        done = run_job(loaded, progress)
    _say(*lines(done.study), "", f"Report: {done.folder / 'report.html'} ({done.manifest['seconds']} s)")
    _end(strict, any(f.severity == "W" for f in done.study.orders.findings))


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A live display on a terminal, a plain line a step elsewhere."""
    if not sys.stderr.isatty():
        yield lambda step: typer.echo(f"{step} …", err=True)
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("Starting") as status:

        def show(step: str) -> None:
            console.print(f"[dim]{step}[/dim]")
            status.update(step)

        yield show


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line)


def _end(strict: bool, warned: bool) -> None:
    raise typer.Exit(6 if strict and warned else 0)


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
        for message in error.messages:
            typer.echo(message, err=True)
        sys.exit(error.exit_status)
