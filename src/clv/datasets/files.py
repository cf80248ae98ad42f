"""Where the files that come with the package lie."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def find(folder: str, name: str) -> Path:
    """Return a file of the checkout's `data/` or `examples/`; a wheel carries both beside this module."""
    carried = _HERE / folder / name
    return carried if carried.is_file() else _HERE.parents[2] / folder / name


def example_path(name: str) -> Path:
    """Where a commented example config lies, by its name, or a file beside it, by its whole name."""
    return find("examples", name if "." in name else f"{name}.toml")
