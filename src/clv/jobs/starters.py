"""What `clv init` writes: a commented config and the data it runs on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from clv.datasets import cdnow_path, example_path, load_shop
from clv.errors import OutputError
from clv.jobs.runs import new_file, refuse_existing

type Writer = Callable[[Path], Any]
_SHOP = ("transactions", "customers", "spend", "ledger")


def start(folder: Path, demo: str) -> Path:
    """Write `<demo>.toml` and its data into a folder; returns the config's path.

    Raises OutputError O001 when a file is there already, O002 when the folder cannot be written; nothing is
    left half-written.
    """
    config = folder / f"{demo}.toml"
    text = example_path(demo).read_text(encoding="utf-8").replace('"../', '"')
    names = [cdnow_path().name] if demo == "cdnow" else [f"shop_{name}.csv" for name in (*_SHOP, "plan")]
    data = [folder / "data" / name for name in names]
    for path in (config, *data):
        refuse_existing(path)
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"O002 cannot write to {folder}: {error.strerror}.") from None
    text_of_config: Writer = partial(Path.write_text, data=text, encoding="utf-8")
    with ExitStack() as files:
        for path, write in zip((config, *data), (text_of_config, *_writers(demo)), strict=True):
            write(files.enter_context(new_file(path)))
    return config


def _writers(demo: str) -> list[Writer]:
    if demo == "cdnow":
        return [partial(shutil.copyfile, cdnow_path())]
    shop = load_shop()
    made: list[Writer] = [partial(getattr(shop, name).to_csv, index=False) for name in _SHOP]
    return [*made, partial(shutil.copyfile, example_path("shop_plan.csv"))]
