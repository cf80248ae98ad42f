"""Lines and tables on a terminal: wrapped and coloured there, plain and whole in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_STYLES = {"fails": "bold red", "warning": "yellow", "mended": "green"}


@dataclass(frozen=True)
class Grid:
    """A table of texts; lines of a cell after its first weigh less. `right` names columns of numbers."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[int] = frozenset()
    total: bool = False  # whether the last row sums the others


type Block = str | Grid


def printable(text: str) -> str:
    """Show characters that would move the cursor, or hide, by their escapes: they come with the data."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def plain(blocks: Sequence[Block]) -> Iterator[str]:
    """Lines without colour; nothing is cut, nothing is wrapped."""
    for block in blocks:
        if isinstance(block, Grid):
            yield from _plain_grid(block)
        else:
            yield block


def _plain_grid(grid: Grid) -> Iterator[str]:
    rows = [[cell.split("\n") for cell in row] for row in [grid.heads, *grid.rows]]
    widths = [max(len(line) for row in rows for line in row[j]) for j in range(len(grid.heads))]
    for row in rows:
        for i in range(max(map(len, row))):
            cells = [cell[i] if i < len(cell) else "" for cell in row]
            line = "  ".join(
                cell.rjust(width) if j in grid.right else cell.ljust(width)
                for j, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )
            yield f"  {line}".rstrip()


def show(blocks: Sequence[Block]) -> None:
    """Print to a terminal, wrapped to its width."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    for block in blocks:
        console.print(_rich_grid(block) if isinstance(block, Grid) else Text(block))


def _rich_grid(grid: Grid) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for j, head in enumerate(grid.heads):
        short = all(len(row[j]) <= max(len(head), 16) for row in grid.rows)
        table.add_column(
            Text(head), justify="right" if j in grid.right else "left", no_wrap=short, overflow="fold"
        )
    for row in grid.rows:
        weight = "bold" if grid.total and row is grid.rows[-1] else ""
        cells = []
        for cell in row:
            first, *rest = cell.split("\n")
            text = Text(first, style=_STYLES.get(first, weight))
            cells.append(text.append("".join(f"\n{line}" for line in rest), style="dim"))
        table.add_row(*cells)
    return table
