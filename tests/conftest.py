"""Bases that several tests share: CDNOW as it ships, and a small shop whose names ask for trouble."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clv
from clv.data.contract import Transactions
from clv.evaluation.study import Study, study
from clv.fitting.result import Fit

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
"""


def pytest_configure(config: pytest.Config) -> None:
    """Ibis 12 asks DuckDB 2 and pandas 3 in ways that both will drop; that is not ours to mend."""
    for text in ("ignore:fetch_arrow_table:DeprecationWarning", "ignore:.*infer_string:DeprecationWarning"):
        config.addinivalue_line("filterwarnings", text)


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
