"""Quantiles are those of NumPy on every engine."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from clv.data.quantiles import quantiles


@pytest.mark.parametrize("size", [1, 2, 3, 10, 1000])
def test_as_numpy_has_them(engine: Any, size: int) -> None:
    values = np.random.default_rng(size).integers(-50, 50, size)
    table = engine(pa.table({"v": pa.array([None, *values.tolist(), None], "int64")}))
    shares = (0.0, 1 / 3, 0.5, 0.99, 1.0)
    assert quantiles(table.v + 1, shares) == pytest.approx(np.quantile(values + 1, shares), abs=1e-12)


def test_of_nothing(engine: Any) -> None:
    assert np.isnan(quantiles(engine(pa.table({"v": pa.array([None], "int64")})).v, [0.5])).all()
