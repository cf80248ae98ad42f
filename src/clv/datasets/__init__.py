"""Data sets to learn and test with: the CDNOW log, and a demo shop whose truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.datasets.cdnow import cdnow_path, load_cdnow, load_cdnow_sample
from clv.datasets.files import example_path

if TYPE_CHECKING:
    from clv.datasets.shop import Shop

__all__ = ["cdnow_path", "example_path", "load_cdnow", "load_cdnow_sample", "load_shop"]


def load_shop() -> Shop:
    """The demo shop: data frames transactions, customers, spend, ledger, and the truth behind them."""
    from clv.datasets.shop import generate_shop

    return generate_shop()
