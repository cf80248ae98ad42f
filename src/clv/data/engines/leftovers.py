"""What we made on an engine goes when nobody uses it any more."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

type Drop = Callable[[Any], object]  # what rids a connection of it
_GONE: deque[tuple[Any, Drop]] = deque()


def watch(table: Any, connection: Any, drop: Drop, *needed: Any) -> None:
    """Have a table of ours dropped when nobody uses it any more, and what it needs not before."""
    weakref.finalize(table.op(), _lost, weakref.ref(connection), drop, needed).atexit = False


def _lost(connection: Any, drop: Drop, needed: Any) -> None:
    _GONE.append((connection, drop))


def forget() -> None:
    """Drop what the garbage collector found; to be called where no query of the connection is under way."""
    while _GONE:
        found, drop = _GONE.popleft()
        connection = found()
        if connection is not None:
            with suppress(Exception):
                drop(connection)
