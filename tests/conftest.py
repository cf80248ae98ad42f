"""What several tests share: CDNOW as it ships, a small shop whose names ask for trouble, and the engines."""

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clv
from clv.data.contract import Transactions
from clv.evaluation.study import Study, study
from clv.fitting.result import Fit
from clv.reporting.reviews import Review

HOSTILE = (
    "Suche & Köln",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "Příliš žluťoučký kůň",
    "Dovanų gidas ąčęėįšž",
    "Каталог «Весна»",
    "小红书",
    "توصية 🎁",
    'US$ x^ \\frac$ id="a" $',
)
AS_OF, CUT, FIRST_DAY = "2025-12-31", "2025-06-30", pd.Timestamp("2024-01-01")
CONFIG = """
[input]
path = "log.csv"
as_of = 2025-12-31
[segments]
columns = ["channel", "country"]
[economics]
margin = 0.4
[holdout]
cut = 2025-06-30
[report]
name = "Small shop"
folder = "reports"
[backtest]
origins = 0
[fit]
method = "mle"
model = "BGNBD"
"""
HOSTILE_ZONE = "Pacific/Auckland"  # of every session: no business in these tests is there


def pytest_configure(config: pytest.Config) -> None:
    """Ibis 12 asks DuckDB 2 and pandas 3, and xarray NumPy, in ways that they will drop: not ours to mend."""
    for text in ("fetch_arrow_table", ".*infer_string", "numpy.core"):
        config.addinivalue_line("filterwarnings", f"ignore:{text}:DeprecationWarning")
    # Spark leaves the socket of each result to the garbage collector, which may come in any later test.
    config.addinivalue_line("filterwarnings", r"ignore:unclosed <socket.*127\.0\.0\.1:ResourceWarning")


# What takes longest comes first, so that at the end no worker waits for another.
LONG = (
    *("spark", "test_cli.py", "test_pipeline.py", "test_workbook.py", "test_purchase_laws.py"),
    *("test_reviews.py", "test_nuts.py", "test_totals.py", "test_spending.py", "test_browser.py"),
    *("test_pages.py", "test_rolling.py", "test_readme.py", "test_notebooks.py", "test_findings.py"),
    *("test_reconciliation.py", "test_pooling.py", "test_bands.py", "test_evidence.py", "test_html.py"),
    *("test_compile.py", "test_past.py", "test_posterior.py", "test_wheel.py"),
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order what workers share; alone, tests run file by file as ever."""
    if hasattr(config, "workerinput"):
        rank = {name: at for at, name in enumerate(LONG)}
        items.sort(key=lambda item: rank.get(_group(item.nodeid).rpartition("/")[2], len(rank)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile` all that needs Spark goes to one worker as well: its JVM starts once."""
    from xdist.scheduler import LoadFileScheduling

    class ByGroup(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return ByGroup(config, log) if config.getvalue("dist") == "loadfile" else None


def _group(nodeid: str) -> str:
    """What a test may not be parted from: Spark, or else its file, with which it shares its fixtures."""
    file, _, name = nodeid.partition("::")
    return "spark" if "spark" in name else file


def _small_log(customers: int = 320, seed: int = 5) -> pd.DataFrame:
    """Two years of a shop: customers come in the first ten months, buy at their own rate, and leave."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(customers):
        day, rate = int(rng.integers(0, 300)), rng.gamma(1.2, 1 / 60)
        leaves, mean = rng.beta(1, 5), 90 / rng.gamma(4)
        while day <= 730:
            value = round(float(rng.gamma(4, mean / 4)) + 0.5, 2)
            rows.append((f"C{i:04d}", day, value, HOSTILE[i % len(HOSTILE)], "AT" if i % 3 else "CZ"))
            if rng.random() < leaves:
                break
            day += 1 + int(rng.exponential(1 / rate))
    frame = pd.DataFrame(rows, columns=["customer_id", "day", "amount", "channel", "country"])
    frame.loc[frame["customer_id"] < "C0012", "country"] = "LT"  # twelve customers: too few to stand alone
    frame.insert(1, "date", (FIRST_DAY + pd.to_timedelta(frame.pop("day"), "D")).dt.date.astype(str))
    return frame.sort_values(["date", "customer_id"], ignore_index=True)


@pytest.fixture(scope="session")
def small_log() -> pd.DataFrame:
    """A log of 320 customers with hostile channel names; read it, never change it."""
    return _small_log()


@pytest.fixture(scope="session")
def hostile() -> tuple[str, ...]:
    return HOSTILE


@pytest.fixture(scope="session")
def small_orders(small_log: pd.DataFrame) -> Transactions:
    return Transactions(small_log, as_of=AS_OF, segments=("channel", "country"), currency="EUR")


@pytest.fixture(scope="session")
def small_study(small_orders: Transactions) -> Study:
    """The small shop with a hold-out, one CAC a channel, and one channel without."""
    economics = clv.Economics(0.4, 0.1, cac={name: 5.0 + i for i, name in enumerate(HOSTILE[1:])})
    return study(small_orders, economics, holdout=dt.date.fromisoformat(CUT))


@pytest.fixture(scope="session")
def small_review(small_study: Study) -> Review:
    """The same as a budget is reviewed by, without a back-test, books and plans."""
    return Review(small_study, segment="channel")


@pytest.fixture(scope="session")
def cdnow_study() -> Study:
    """The whole CDNOW log: zeros dropped, repeated rows kept, cut after 39 weeks."""
    orders = Transactions(clv.datasets.load_cdnow(), as_of="1998-06-30", duplicates="keep")
    return study(orders, clv.Economics(0.30, 0.15), holdout=dt.date(1997, 9, 30))


@pytest.fixture(scope="session")
def sample_orders() -> Transactions:
    """The CDNOW sample under the policies of the published numbers, as it stood after 39 weeks."""
    log = clv.datasets.load_cdnow_sample()
    return Transactions(log, as_of="1997-09-30", duplicates="keep", zero_orders="count")


@pytest.fixture(scope="session")
def sample_rfm(sample_orders: Transactions) -> clv.RFM:
    return sample_orders.rfm()


@pytest.fixture(scope="session")
def sample_fits(sample_rfm: clv.RFM) -> tuple[Fit, Fit]:
    return clv.fit(clv.BGNBD, sample_rfm), clv.fit(clv.GammaGamma, sample_rfm)


@pytest.fixture
def job(tmp_path: Path, small_log: pd.DataFrame) -> Callable[..., Path]:
    """Write a log and a config into the test's folder; returns the config's path."""

    def write(log: pd.DataFrame | None = None, config: str = CONFIG) -> Path:
        (small_log if log is None else log).to_csv(tmp_path / "log.csv", index=False)
        path = tmp_path / "small.toml"
        path.write_text(config, encoding="utf-8")
        return path

    return write


# The engines. A test that takes `engine` runs once on each of them.


def _lacks(reason: str) -> NoReturn:
    """Skip a test for want of what it needs; fail it where everything has to be there."""
    if os.environ.get("CLV_REQUIRE_ALL") == "1":
        pytest.fail(f"CLV_REQUIRE_ALL=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The address of a PostgreSQL server on which tests may make and drop schemas."""
    url = os.environ.get("CLV_TEST_POSTGRES")
    if not url:
        _lacks("needs a PostgreSQL server: set CLV_TEST_POSTGRES=postgresql://..., or run `make engines`")
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        _lacks(f"needs psycopg, the extra `postgres` ({error})")
    return url


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Spark session on this machine that leaves no file outside a temporary folder."""
    try:
        from pyspark.logger import PySparkLogger
        from pyspark.sql import SparkSession
    except ImportError as error:
        _lacks(f"needs pyspark, the extra `spark` ({error})")
    if _java() not in range(17, 24):
        _lacks("needs Java 17 or 21 for Spark: put it on the path, or set JAVA_HOME")
    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        # A session of minutes over logs of some rows: what the second compiler makes faster never pays.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.driver.memory": "1g",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.session.timeZone": HOSTILE_ZONE,
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
        session.sparkContext.setLogLevel("OFF")  # what goes wrong comes as an exception
        PySparkLogger.getLogger("SQLQueryContextLogger").setLevel("CRITICAL")
        yield session
        session.stop()


def _java() -> int:
    """The version of the Java that Spark would take, 0 without any."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(f"{home}/bin/java" if home else "java")
    said = subprocess.run([java, "-version"], capture_output=True, text=True).stderr if java else ""
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


@dataclass
class Engine:
    """Call it with an Arrow table to have it there as an Ibis table, nulls and types as they were."""

    name: str
    connection: Any
    load: Callable[[Any, str, pa.Table], None]
    names: list[str] = field(default_factory=list)

    def __call__(self, table: pa.Table) -> ibis.Table:
        name = ibis.util.gen_name("clv_test")
        self.load(self.connection, name, table)
        self.names.append(name)
        return self.connection.table(name)


@pytest.fixture(scope="module", params=["duckdb", "postgres", "spark"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn, under a hostile session zone; `engine(arrow_table)` gives an Ibis table.

    `engine.name` is its parameter, `engine.connection` the Ibis backend. What it loads goes with the module.
    """
    yield from {"duckdb": _duckdb, "postgres": _postgres, "spark": _spark}[request.param](request)


def _duckdb(request: pytest.FixtureRequest) -> Iterator[Engine]:
    connection = ibis.duckdb.connect()
    connection.raw_sql(f"SET TimeZone = '{HOSTILE_ZONE}'")
    yield Engine("duckdb", connection, lambda to, name, table: to.create_table(name, table))
    connection.disconnect()


def _postgres(request: pytest.FixtureRequest) -> Iterator[Engine]:
    url, schema = request.getfixturevalue("postgres_url"), ibis.util.gen_name("clv_test")
    connection = ibis.connect(url)
    for statement in (
        f"CREATE SCHEMA {schema}",
        f"SET search_path = {schema}",
        f"SET TimeZone = '{HOSTILE_ZONE}'",  # Ibis has set it to UTC
    ):
        connection.con.execute(statement)
    yield Engine("postgres", connection, _copy)
    connection.con.execute(f"DROP SCHEMA {schema} CASCADE")
    connection.disconnect()


def _copy(connection: Any, name: str, table: pa.Table) -> None:
    """Ibis goes through pandas, where a missing text becomes 'nan'."""
    connection.create_table(name, schema=ibis.Schema.from_pyarrow(table.schema))
    with connection.con.cursor().copy(f"COPY {name} FROM STDIN") as copy:
        for row in table.to_pylist():
            copy.write_row(list(row.values()))


def _spark(request: pytest.FixtureRequest) -> Iterator[Engine]:
    session = request.getfixturevalue("spark")
    connection = ibis.pyspark.connect(session)
    with tempfile.TemporaryDirectory() as folder:

        def load(to: Any, name: str, table: pa.Table) -> None:
            """Ibis goes through pandas, where a missing text becomes 'nan'; Parquet keeps it."""
            session.conf.set("spark.sql.session.timeZone", HOSTILE_ZONE)  # whoever connects sets it to UTC
            path = f"{folder}/{name}.parquet"
            pq.write_table(table, path, coerce_timestamps="us")
            session.read.parquet(path).createOrReplaceTempView(name)

        engine = Engine("spark", connection, load)
        yield engine
        for name in engine.names:
            session.catalog.dropTempView(name)
