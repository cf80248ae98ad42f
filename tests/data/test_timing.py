"""Regularity of timing: against a loop over customers, and gaps simulated with a known shape."""

import math
from itertools import pairwise
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest

from clv.data.engines import fetch
from clv.data.timing import Regularity, gap_shares, gap_sums, regularity

Log = dict[str, list[int]]


def days_table(log: Log) -> Any:
    """Customer-days in no order."""
    rows = [(customer, day) for customer, days in log.items() for day in days]
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    customers, days = [c for c, _ in rows], [d for _, d in rows]
    return ibis.memtable(
        pa.table({"customer_id": pa.array(customers, pa.string()), "day": pa.array(days, pa.int32())})
    )


def shop(customers: int = 80) -> Log:
    rng = np.random.default_rng(8)
    return {
        f"C{i:03}": sorted({int(d) for d in rng.integers(-400, 400, rng.integers(1, 12))})
        for i in range(customers)
    }


def test_sums_are_those_of_a_loop() -> None:
    log = shop()
    table = gap_sums(days_table(log))
    types = {name: str(kind).strip("!") for name, kind in table.schema().items()}
    assert types == {
        "customer_id": "string",
        "n_gaps": "int32",
        "sum_gaps": "int32",
        "sum_log_gaps": "float64",
    }
    rows = {row.pop("customer_id"): row for row in fetch(table).to_pylist()}
    assert rows.keys() == log.keys()
    assert any(len(days) == 1 for days in log.values())
    for customer, days in log.items():
        gaps = [b - a for a, b in pairwise(days)]
        assert rows[customer]["n_gaps"] == len(gaps)
        assert rows[customer]["sum_gaps"] == days[-1] - days[0]
        logs = math.fsum(map(math.log, gaps))
        assert rows[customer]["sum_log_gaps"] == pytest.approx(logs, rel=1e-12, abs=1e-12)


def test_shares_are_those_of_a_loop_and_take_both_ends() -> None:
    log = shop() | {"monthly": [0, 28, 59, 90, 120], "not quite": [0, 27, 59]}
    gaps = [b - a for days in log.values() for a, b in pairwise(days)]
    total, shares = gap_shares(days_table(log), [(28, 31), (1, 10_000), (7, 7), (5000, 6000)])
    assert total == len(gaps)
    assert shares[0] == sum(28 <= g <= 31 for g in gaps) / len(gaps)
    assert shares[1:] == [1.0, sum(g == 7 for g in gaps) / len(gaps), 0.0]


def test_no_gap_has_no_share() -> None:
    total, shares = gap_shares(days_table({"a": [3], "b": [9]}), [(28, 31)])
    assert total == 0
    assert math.isnan(shares[0])


def test_the_two_last_gaps_in_their_order() -> None:
    log = {"a": [0, 100, 110, 140], "b": [0, 30, 40], "one gap": [5, 9], "none": [7], "c": [-9, 1, 3]}
    m = [10 / 40, 30 / 40, 10 / 12]
    found = regularity(days_table(log))
    assert found.customers == 3
    assert found.mean == pytest.approx(np.mean(m))
    assert found.variance == pytest.approx(np.var(m, ddof=1))
    assert found.k == pytest.approx((1 - 4 * np.var(m, ddof=1)) / (8 * np.var(m, ddof=1)))


def test_a_large_log_is_measured_as_a_loop_does() -> None:
    log = shop(400)
    shares = [(d[-2] - d[-3]) / (d[-1] - d[-3]) for d in log.values() if len(d) > 2]
    found = regularity(days_table(log))
    assert found.customers == len(shares)
    assert found.mean == pytest.approx(np.mean(shares), rel=1e-12)
    assert found.variance == pytest.approx(np.var(shares, ddof=1), rel=1e-12)


@pytest.mark.parametrize("k", [0.5, 1, 2, 5])
def test_gaps_of_a_known_shape_show_it_whatever_the_rates(k: float) -> None:
    rng = np.random.default_rng(int(10 * k))
    customers = 6000
    scale = rng.gamma(0.6, 1000, (customers, 1)) + 300  # days a shape unit
    days = np.cumsum(np.ceil(rng.gamma(k, scale, (customers, 3))), axis=1).astype(int)
    found = regularity(days_table({str(i): row.tolist() for i, row in enumerate(days)}))
    m = rng.beta(k, k, (200, customers))
    spread = np.std((1 - 4 * m.var(axis=1)) / (8 * m.var(axis=1)))
    assert found.customers == customers
    assert abs(found.k - k) < 4 * spread
    assert spread < 0.05 * max(k, 1)


def test_too_few_perfectly_regular_and_clumped_customers() -> None:
    assert math.isnan(regularity(days_table({"a": [1, 2, 4]})).k)
    nobody = regularity(days_table({"a": [1], "b": [1, 2]}))
    assert nobody.customers == 0
    assert math.isnan(nobody.mean)
    assert math.isnan(nobody.k)
    assert regularity(days_table({"a": [0, 30, 60], "b": [0, 7, 14]})).k == math.inf
    assert Regularity(2, 0.5, 0.4).k == 0
    assert Regularity(9, 0.5, 1 / 12).k == pytest.approx(1)  # uniform: purely random timing
