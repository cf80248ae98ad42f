"""A back-test in a row a contender: means over its origins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clv.evaluation.verdict import FAR

if TYPE_CHECKING:
    import pandas as pd

_SUMS = ("_total", "_actual", "_total_p05", "_total_p25", "_total_p75", "_total_p95")


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return the means over origins, in the order of contenders; errors of totals as sizes, with their error.

    Columns beside the scores: origins, numbers, and of purchases and value `_error`, `_error_se`, `_bias` and
    `_far`, origins at which the total was more than 25 % off.
    """
    import pandas as pd

    kept = [name for name in table.columns if not name.endswith(_SUMS)]
    by = table[kept].drop(columns=["origin", "end"]).groupby("contender", sort=False)
    found = by.mean()
    found.insert(0, "origins", by.size())
    for name in ("purchases", "value"):
        error = table.set_index("contender")[f"{name}_error"]
        sizes = error.abs().groupby(level=0, sort=False)
        extra = pd.DataFrame(
            {
                f"{name}_error": sizes.mean(),
                f"{name}_error_se": sizes.std(ddof=1) / np.sqrt(sizes.count()),
                f"{name}_bias": error.groupby(level=0, sort=False).mean(),
                f"{name}_far": sizes.agg(lambda sizes: int((sizes > FAR).sum())),
            }
        )
        found = found.drop(columns=f"{name}_error").join(extra)
    return found
