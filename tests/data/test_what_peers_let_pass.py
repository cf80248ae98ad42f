"""Thirteen inputs of which nine pass silently in lifetimes and PyMC-Marketing; here each has its answer."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import clv
from clv.data.contract import Transactions
from clv.errors import DataError

DATES = ["2026-01-01", "2026-01-05", "2026-01-09", "2026-01-12", "2026-01-13", "2026-01-14"]
TABLE = pd.DataFrame(
    {
        "frequency": [2, 1, 0],
        "recency": [10.0, 8.0, 0.0],
        "T": [20.0, 20.0, 20.0],
        "monetary_value": [5.0, 6.0, 0.0],
    },
    index=pd.Index(["a", "b", "c"], name="customer_id"),
)


def log(**columns: Any) -> pd.DataFrame:
    sound = {"customer_id": list("abcabd"), "date": DATES, "amount": [10.5, 20.0, 30.0, 40.0, 50.0, 60.0]}
    return pd.DataFrame(sound | columns)


@pytest.mark.parametrize(
    ("frame", "options", "code"),
    [
        (log(customer_id=[None, "b", "c", "a", "b", "d"]), {}, "D003"),
        (log(customer_id=["guest", "b", "c", "guest", "b", "d"]), {}, "D004"),
        (log(customer_id=[1e17, 2.0, 3.0, 1.0, 2.0, 4.0]), {}, "D006"),
        (log(date=[20260101, 20260105, 20260109, 20260112, 20260113, 20260114]), {}, "D007"),
        (log(date=[1767225600 + 86400 * i for i in range(6)]), {}, "D008"),
        (log(date=["2026-01-05T23:30:00", *DATES[1:]]), {}, "D012"),
        (log(), {"as_of": "2036-01-14"}, "D014"),
        (log(amount=[10.5, np.nan, 30.0, 40.0, 50.0, 60.0]), {}, "D018"),
        (log(amount=[10.5, 20.0, 30.0, -40.0, 50.0, 60.0]), {}, "D019"),
        (log(amount=[10.5, np.inf, 30.0, 40.0, 50.0, 60.0]), {}, "D023"),
        (pd.concat([log(), log().head(2)]), {}, "D027"),
    ],
)
def test_a_log_that_would_be_counted_wrong(frame: pd.DataFrame, options: dict[str, Any], code: str) -> None:
    found = {f.code: f for f in Transactions(frame, **{"as_of": "2026-01-14"} | options).findings}
    assert found[code].severity == ("W" if code == "D003" else "F")
    assert found[code].rows == 0 or found[code].examples or code in ("D004", "D014")


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (TABLE.assign(recency=[30.0, 8.0, 0.0]), "D037"),
        (TABLE.assign(recency=[10.0, 12.0, 20.0]), "D038"),
        (TABLE.assign(frequency=[3, 2, 1]), "D039"),
    ],
)
def test_a_table_that_would_be_fitted_wrong(table: pd.DataFrame, code: str) -> None:
    with pytest.raises(DataError) as caught:
        clv.RFM(table, unit="day")
    assert code in caught.value.codes
    clv.RFM(TABLE, unit="day")
