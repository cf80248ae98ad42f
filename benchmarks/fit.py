"""Fitting against lifetimes, same data, same run, medians: prints a table for benchmarks/README.md."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

import clv


def median_ms(call: Callable[[], object], repeats: int) -> float:
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def cdnow() -> pd.DataFrame:
    log = clv.Transactions(
        clv.datasets.load_cdnow_sample(), as_of="1998-06-30", zero_orders="count", duplicates="keep"
    )
    return clv.split(log, dt.date(1997, 9, 30)).rfm.to_pandas()


def simulated(customers: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    T = rng.integers(1, 365, customers) / 7
    h = clv.BGNBD(0.25, 4.5, 0.8, 2.5).simulate(rng, T)
    days = {"recency": np.rint(h.t_x * 7), "T": np.rint(h.T * 7)}
    return pd.DataFrame({"frequency": h.x, **days}).astype("int32")


def grouped(frame: pd.DataFrame) -> clv.PurchaseHistory:
    rows = frame.groupby(["frequency", "recency", "T"]).size().reset_index(name="n")
    return clv.PurchaseHistory(rows["frequency"], rows["recency"] / 7, rows["T"] / 7, weight=rows["n"])


def ours(frame: pd.DataFrame) -> clv.BGNBD:
    """Grouping, fit and covariance, from an untuned start."""
    return clv.fit(clv.BGNBD, grouped(frame)).model


def theirs(frame: pd.DataFrame) -> clv.BGNBD:
    from lifetimes import BetaGeoFitter

    fitter = BetaGeoFitter()
    fitter.fit(frame["frequency"], frame["recency"] / 7, frame["T"] / 7)
    return clv.BGNBD(**fitter.params_)


def log_likelihood(model: clv.BGNBD, frame: pd.DataFrame) -> float:
    history = grouped(frame)
    return float(model.log_likelihood(history) @ history.weight)


def main() -> None:
    print("| BG/NBD fit | clv, ms | lifetimes, ms | ratio | log-likelihoods |")
    print("|---|---|---|---|---|")
    for name, frame, repeats in (
        ("CDNOW, 2,357 customers", cdnow(), 15),
        ("simulated, 100,000 customers, one year of days", simulated(100_000), 5),
    ):
        found = ", ".join(f"{log_likelihood(fit(frame), frame):,.3f}" for fit in (ours, theirs))
        a, b = median_ms(lambda f=frame: ours(f), repeats), median_ms(lambda f=frame: theirs(f), repeats)
        print(f"| {name} | {a:,.1f} | {b:,.1f} | {b / a:.1f}× | {found} |")


if __name__ == "__main__":
    main()
