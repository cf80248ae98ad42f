"""Quantiles are those of NumPy on every engine, and tenths those of the scores in memory."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from clv.data.quantiles import by_tenth, quantiles
from clv.evaluation.metrics import tenths


@pytest.mark.parametrize("size", [1, 2, 3, 10, 1000])
def test_as_numpy_has_them(engine: Any, size: int) -> None:
    values = np.random.default_rng(size).integers(-50, 50, size)
    table = engine(pa.table({"v": pa.array([None, *values.tolist(), None], "int64")}))
    shares = (0.0, 1 / 3, 0.5, 0.99, 1.0)
    assert quantiles(table.v + 1, shares) == pytest.approx(np.quantile(values + 1, shares), abs=1e-12)


def test_of_nothing(engine: Any) -> None:
    assert np.isnan(quantiles(engine(pa.table({"v": pa.array([None], "int64")})).v, [0.5])).all()


@pytest.mark.parametrize(("size", "most"), [(1, 1), (10, 1), (10, 9), (200, 3), (1000, 60), (1000, 10**9)])
def test_tenths_are_those_of_the_scores(engine: Any, size: int, most: int) -> None:
    rng = np.random.default_rng(size + most)
    values, money = rng.integers(0, most, size) / 4, rng.integers(0, 100, size)
    table = engine(pa.table({"v": values, "money": money}))
    found = by_tenth(table, "v", value=table.money.sum())
    part = tenths(values)
    expected = [
        {"tenth": t, "rows": (part == t).sum(), "value": money[part == t].sum()} for t in np.unique(part)
    ]
    assert [{name: int(v) for name, v in row.items()} for row in found] == expected


def test_the_middle_of_equal_values_on_the_edge_of_a_tenth(engine: Any) -> None:
    table = engine(pa.table({"v": [*range(9), *[9, 9], *range(11, 20)]}))  # their middle is at 10 of 20
    assert [(row["tenth"], row["rows"]) for row in by_tenth(table, "v")][3:7] == [
        (3, 2),
        (4, 1),
        (5, 3),
        (6, 2),
    ]
