"""The CDNOW log: purchases of customers who first bought in the first quarter of 1997.

Research data released by Fader and Hardie; converted from the files inside the `lifetimes` distribution
(MIT). One row per order: customer_id, date, quantity, amount (USD).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.datasets.files import find

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def cdnow_path(sample: bool = False) -> Path:
    """Where the log lies, as compressed CSV."""
    return find("data", "cdnow_sample.csv.gz" if sample else "cdnow.csv.gz")


def load_cdnow() -> pd.DataFrame:
    """The whole log: 69,659 rows of 23,570 customers, to 1998-06-30."""
    return _load(sample=False)


def load_cdnow_sample() -> pd.DataFrame:
    """The systematic 1/10 sample of the papers: 6,919 rows of 2,357 customers."""
    return _load(sample=True)


def _load(sample: bool) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(cdnow_path(sample), dtype={"customer_id": str}, parse_dates=["date"])
