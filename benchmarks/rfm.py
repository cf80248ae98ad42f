"""Log → RFM against lifetimes, PyMC-Marketing and SQL by hand: prints tables for benchmarks/README.md.

Every contender starts from the same Parquet file, in a process of its own, in turns; medians are shown.
PyMC-Marketing is measured where `pip install --no-deps pymc-marketing` was said: of it one file is needed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FIRST_DAY, AS_OF, DAYS = dt.date(2022, 1, 1), dt.date(2025, 12, 31), 1461
CHUNK = 1_000_000  # rows that are made at once, and the row groups of the file
NEIGHBOURS = 512  # customers who came one after another; the first of them buy most
MEMORY = "3.5GB"  # of DuckDB; Python takes a little more
CUSTOMERS = {1: 200_000, 10: 2_000_000, 100: 10_000_000}  # by millions of rows

Sums = dict[str, float]


# The log.


def make(path: Path, millions: int) -> None:
    """Write a log in the order of time: newcomers all along, and heavy, light and lost ones among the old."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, part = millions * 1_000_000, path.with_suffix(".part")
    names = {"customer_id": pa.string(), "date": pa.date32(), "amount": pa.float64(), "order_id": pa.string()}
    with pq.ParquetWriter(part, pa.schema(names)) as writer:
        for start in range(0, rows, CHUNK):
            number = np.arange(start, start + CHUNK)
            rng = np.random.default_rng([1, start])
            customer = _customers(rng, number, rows, CUSTOMERS[millions])
            day = (dt.date.toordinal(FIRST_DAY) - 719_163 + number * DAYS // rows).astype("int32")
            usual = 10 + 40 * (customer * 2_654_435_761 % 2**32) / 2**32
            amount = np.round(usual * np.exp(rng.normal(0, 0.6, CHUNK)) + 0.01, 2)
            columns = [
                _texts("C", customer * 48_271 % 10**9, 9),
                pa.array(day, pa.date32()),
                pa.array(amount),
                _texts("O", number, 10),
            ]
            writer.write_table(pa.table(columns, names=list(names)))
    part.rename(path)


def _customers(rng: np.random.Generator, number: Any, rows: int, customers: int) -> Any:
    """Who orders: the next newcomer, or one who came before, rather lately, rather one who buys much."""
    came = (number * customers) // rows
    new = (number + 1) * customers // rows > came
    among = came // NEIGHBOURS + 1
    group = (among * (1 - rng.random(CHUNK) ** 2)).astype("int64")
    old = group * NEIGHBOURS + (NEIGHBOURS * rng.random(CHUNK) ** 3).astype("int64")
    return np.where(new, came, np.minimum(old, np.maximum(came - 1, 0)))


def _texts(letter: str, numbers: Any, digits: int) -> Any:
    import pyarrow as pa

    text = np.empty((len(numbers), digits + 1), "uint8")
    text[:, 0] = ord(letter)
    for place in range(digits, 0, -1):
        numbers, digit = np.divmod(numbers, 10)
        text[:, place] = digit + ord("0")
    ends = np.arange(0, text.size + 1, digits + 1, dtype="int32")
    return pa.StringArray.from_buffers(len(text), pa.py_buffer(ends), pa.py_buffer(text))


# The contenders: each returns seconds in all, seconds without reading, and the sums of its table.


def checked(path: str) -> tuple[float, float, Sums]:
    """Run all the checks, then the table."""
    return _ours(path, lambda log: log.rfm())


def alone(path: str) -> tuple[float, float, Sums]:
    """Count without asking."""
    from clv.data.rfm import RFM

    return _ours(path, RFM.from_orders)


def _ours(path: str, call: Callable[[Any], Any]) -> tuple[float, float, Sums]:
    import duckdb  # noqa: F401
    import ibis  # noqa: F401
    import pandas  # noqa: F401

    import clv

    clv.Transactions  # noqa: B018 - imports are lazy
    start = time.perf_counter()
    log = clv.Transactions(path, as_of=AS_OF)
    rfm = call(log)
    seconds = time.perf_counter() - start
    t = rfm.table
    measures = {name: t[name].sum() for name in ("frequency", "recency", "T", "monetary_value")}
    return seconds, seconds, t.aggregate(customers=t.count(), **measures).to_pyarrow().to_pylist()[0]


def sql(path: str) -> tuple[float, float, Sums]:
    """Write by hand, for DuckDB, all the columns of our table; every row counts, copies as well."""
    return _sql(f"'{path}'")


def sql_once(path: str) -> tuple[float, float, Sums]:
    """Drop rows that repeat another, as we do."""
    return _sql(f"(SELECT * FROM '{path}' GROUP BY ALL)")


def _sql(log: str) -> tuple[float, float, Sums]:
    import duckdb

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.execute(f"SET temp_directory = '{folder}'; SET memory_limit = '{MEMORY}'")
        connection.execute("SET preserve_insertion_order = false; SET enable_progress_bar = false")
        connection.execute(_COUNT.format(log=log))
        connection.execute(_SHAPE.format(as_of=AS_OF))
        seconds = time.perf_counter() - start
        sums = "count(*), sum(frequency), sum(recency), sum(T), sum(monetary_value)"
        found = connection.execute(f"SELECT {sums} FROM rfm").fetchall()[0]
    names = ("customers", "frequency", "recency", "T", "monetary_value")
    return seconds, seconds, dict(zip(names, map(float, found), strict=True))


_COUNT = """
CREATE TABLE counted AS
SELECT customer_id, count(*)::INT AS days, min(date) AS first, max(date) AS last,
       arg_min(spent, date) AS first_amount,
       sum(greatest(spent, 0)) AS spent, (count(*) FILTER (spent > 0))::INT AS paid_days,
       sum(orders)::INT AS orders
FROM (SELECT customer_id, date, sum(round(amount * 100)) AS spent, count(*) AS orders
      FROM {log} WHERE date <= '2025-12-31' GROUP BY ALL)
GROUP BY ALL
"""
_SHAPE = """
CREATE VIEW rfm AS
SELECT *, CASE WHEN spend_days > 0 THEN repeat_spend / spend_days / 100 ELSE 0 END AS monetary_value
FROM (SELECT customer_id, days - 1 AS frequency, last - first AS recency,
             DATE '{as_of}' - first AS T,
             paid_days - (first_amount > 0)::INT AS spend_days,
             (spent - greatest(first_amount, 0))::BIGINT AS repeat_spend,
             first_amount::BIGINT AS first_amount,
             orders, first AS first_date, last AS last_date,
             year(first) || '-Q' || quarter(first) AS cohort
      FROM counted)
"""


def lifetimes(path: str) -> tuple[float, float, Sums]:
    """Call summary_data_from_transaction_data on a pandas frame."""
    from lifetimes.utils import summary_data_from_transaction_data

    return _peer(path, summary_data_from_transaction_data)


def pymc_marketing(path: str) -> tuple[float, float, Sums]:
    """Call rfm_summary, from its own file: the package asks for older releases than ours."""
    found = importlib.util.find_spec("pymc_marketing")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'pymc_marketing'")
    file = Path(found.submodule_search_locations[0]) / "clv" / "utils.py"
    spec = importlib.util.spec_from_file_location("pymc_marketing_clv_utils", file)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"no module at {file}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return _peer(path, module.rfm_summary)


def _peer(path: str, summarise: Callable[..., Any]) -> tuple[float, float, Sums]:
    import pyarrow.parquet as pq

    start = time.perf_counter()
    columns = ["customer_id", "date", "amount"]
    frame = pq.read_table(path, columns=columns).to_pandas(date_as_object=False)  # a third of the time
    read = time.perf_counter()
    table = summarise(frame, *columns, observation_period_end=AS_OF.isoformat())
    end = time.perf_counter()
    sums = {name: float(table[name].sum()) for name in ("frequency", "recency", "T", "monetary_value")}
    return end - start, end - read, {"customers": len(table), **sums}


CONTENDERS = {
    "clv, RFM alone": alone,
    "clv, RFM with all checks": checked,
    "DuckDB SQL by hand, copies dropped": sql_once,
    "DuckDB SQL by hand, copies counted": sql,
    "lifetimes": lifetimes,
    "PyMC-Marketing": pymc_marketing,
}
IN_PANDAS = ("lifetimes", "PyMC-Marketing")
TOO_LARGE = (*IN_PANDAS, "DuckDB SQL by hand, copies dropped")  # run out of memory at 100 M rows


# The race.


def run(name: str, path: Path) -> dict[str, Any] | None:
    """Run a contender in a process of its own; None where its library is not installed."""
    command = [sys.executable, __file__, "--run", name, "--data", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"CLV_MEMORY": MEMORY})
    if "ModuleNotFoundError" in done.stderr and name in IN_PANDAS:
        return None
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(name: str, path: str) -> None:
    seconds, without_reading, sums = CONTENDERS[name](path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "without_reading": without_reading, "peak": peak, "sums": sums}))


def race(path: Path, names: list[str], repeats: int) -> dict[str, list[dict[str, Any]]]:
    runs: dict[str, list[dict[str, Any]]] = {}
    for _ in range(repeats):
        for name in names:
            found = run(name, path)
            if found is not None:
                runs.setdefault(name, []).append(found)
    return runs


def compare(runs: dict[str, list[dict[str, Any]]]) -> None:
    """Numbers first: whoever is fast and wrong does not count."""
    first, *others = [(name, runs[name][0]["sums"]) for name in runs]
    for name, sums in others:
        for key, value in first[1].items():
            if abs(sums[key] - value) > 1e-9 * abs(value):
                raise SystemExit(f"{name}: {key} adds up to {sums[key]}, {first[0]}: {value}")


def show(title: str, runs: dict[str, list[dict[str, Any]]]) -> None:
    def median(name: str, key: str) -> float:
        return statistics.median(found[key] for found in runs[name])

    base = median("clv, RFM alone", "seconds")
    print(f"| {title} | seconds | of it after reading | times RFM alone | peak memory, GB |")
    print("|---|---|---|---|---|")
    for name in runs:
        seconds, peak = median(name, "seconds"), median(name, "peak") / 1e9
        after = f"{median(name, 'without_reading'):.1f}" if name in IN_PANDAS else ""
        print(f"| {name} | {seconds:.1f} | {after} | {seconds / base:.2f}× | {peak:.1f} |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder for the logs, which are made where missing")
    parser.add_argument("--millions", type=int, nargs="*", default=[10, 100], choices=list(CUSTOMERS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--run", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        report(given.run, str(given.data))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.data or Path(temporary)
        for millions in given.millions:
            path = folder / f"orders-{millions}m.parquet"
            if not path.exists():
                make(path, millions)
            names = [n for n in CONTENDERS if millions <= 10 or n not in TOO_LARGE]
            runs = race(path, names, given.repeats)
            compare(runs)
            show(f"{millions} M rows, {CUSTOMERS[millions] // 1000:,} k customers", runs)


if __name__ == "__main__":
    main()
