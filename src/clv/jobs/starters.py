"""What `clv init` writes: a commented config and the data it runs on."""

from __future__ import annotations

import shutil
from pathlib import Path

from clv.datasets import cdnow_path, example_path, load_shop
from clv.errors import OutputError


def start(folder: Path, demo: str) -> Path:
    """Write `<demo>.toml` and its data into a folder; returns the config's path.

    Raises OutputError O001 when a file is there already, O002 when the folder cannot be written.
    """
    config = folder / f"{demo}.toml"
    if config.exists():
        raise OutputError(f"O001 {config} exists. Choose another folder, or move it away.")
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        _write_data(folder / "data", demo)
        text = example_path(demo).read_text(encoding="utf-8")
        config.write_text(text.replace('"../', '"'), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"O002 cannot write to {folder}: {error.strerror}.") from None
    return config


def _write_data(folder: Path, demo: str) -> None:
    if demo == "cdnow":
        shutil.copyfile(cdnow_path(), folder / cdnow_path().name)
        return
    shop = load_shop()
    for name in ("transactions", "customers", "spend", "ledger"):
        getattr(shop, name).to_csv(folder / f"shop_{name}.csv", index=False)
