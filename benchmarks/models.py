"""Fits and forecasts against lifetimes: same data, same run, medians; for benchmarks/README.md."""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import clv

MODELS = (clv.NBD, clv.BGNBD, clv.MBGNBD, clv.ParetoNBD, clv.GGompertzNBD, clv.BGCNBD, clv.MBGCNBD)
SIBLINGS = {"MBGNBD": "BGNBD", "BGCNBD": "BGNBD", "MBGCNBD": "MBGNBD", "GGompertzNBD": "ParetoNBD"}


def seconds(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def cdnow() -> pd.DataFrame:
    log = clv.Transactions(
        clv.datasets.load_cdnow_sample(), as_of="1998-06-30", zero_orders="count", duplicates="keep"
    )
    return clv.split(log, dt.date(1997, 9, 30)).rfm.to_pandas()[["frequency", "recency", "T"]]


def simulated(customers: int) -> pd.DataFrame:
    """Customers of one year, in whole days, each with a mean spend where there are repeat purchases."""
    rng = np.random.default_rng(1)
    h = clv.BGNBD(0.25, 4.5, 0.8, 2.5).simulate(rng, rng.integers(1, 365, customers) / 7)
    days = {"recency": np.rint(h.t_x * 7), "T": np.rint(h.T * 7)}
    return pd.DataFrame({"frequency": h.x, **days}).astype("int32")


def history(frame: pd.DataFrame, kind: Any = clv.PurchaseHistory) -> Any:
    columns = [frame["frequency"], frame["recency"] / 7, frame["T"] / 7]
    return kind(*columns, log_gaps=0.0) if kind is clv.GapHistory else kind(*columns)


def fits(cases: list[tuple[str, Any, str, pd.DataFrame, int]]) -> None:
    import lifetimes

    print("| fit | clv, ms | lifetimes, ms | ratio | log-likelihoods |")
    print("|---|---|---|---|---|")
    for name, kind, fitter, frame, repeats in cases:
        weeks = frame / [1, 7, 7]

        def theirs(fitter: str = fitter, weeks: pd.DataFrame = weeks) -> Any:
            return getattr(lifetimes, fitter)().fit(*(weeks[c] for c in weeks))

        def ours(kind: Any = kind, frame: pd.DataFrame = frame) -> Any:
            return clv.fit(kind, history(frame))

        ours()
        a, b = seconds(ours, max(repeats, 5)), seconds(theirs, repeats)
        rows = history(frame)
        found = [ours().log_likelihood, clv.from_lifetimes(theirs(), 7).model.log_likelihood(rows).sum()]
        shown = ", ".join(f"{value:,.4f}" for value in found)
        print(f"| {name} | {a * 1e3:,.1f} | {b * 1e3:,.0f} | {b / a:.0f}× | {shown} |", flush=True)


def predictions(frame: pd.DataFrame) -> None:
    import lifetimes

    model, spend = clv.BGNBD(0.25, 4.5, 0.8, 2.5), clv.GammaGamma(6.25, 3.74, 15.44)
    weeks = frame / [1, 7, 7]
    rng = np.random.default_rng(2)
    value = pd.Series(np.where(frame["frequency"] > 0, rng.gamma(6, 6, len(frame)) + 1, 0.0))
    there, money = lifetimes.BetaGeoFitter(), lifetimes.GammaGammaFitter()
    there.params_ = pd.Series({"r": 0.25, "alpha": 4.5, "a": 0.8, "b": 2.5})
    money.params_ = pd.Series({"p": 6.25, "q": 3.74, "v": 15.44})
    there.predict = there.conditional_expected_number_of_purchases_up_to_time
    columns = [weeks[c] for c in weeks]
    monthly = (1 + 0.1) ** (1 / 12) - 1

    def worth() -> Any:
        h = history(frame)
        e0, e1 = spend.expected_spend_terms(h.x)
        return model.discounted_purchases(h, np.log(1.1) / 52.18, 52.18) * (e0 + e1 * value.to_numpy() * h.x)

    cases = {
        "expected purchases, 52 weeks": (
            lambda: model.expected_purchases(history(frame), 52.0),
            lambda: there.predict(52.0, *columns),
        ),
        "discounted value, 12 months": (
            worth,
            lambda: money.customer_lifetime_value(
                there, *columns, value, time=12, discount_rate=monthly, freq="W"
            ),
        ),
    }
    print(f"\n| {len(frame):,} customers | clv, s | lifetimes, s | ratio | totals |")
    print("|---|---|---|---|---|")
    for name, (ours, theirs) in cases.items():
        ours()
        a, b = seconds(ours, 5), seconds(theirs, 3)
        totals = f"{np.sum(ours()):,.0f}, {np.sum(theirs()):,.0f}"
        print(f"| {name} | {a:.3f} | {b:.2f} | {b / a:.0f}× | {totals} |", flush=True)


def costs(frame: pd.DataFrame) -> None:
    """What a distinct history costs in each model, and its fit against its nearest sibling's."""
    print("\n| | fit, ms | evaluations | against sibling | value and score, ns | 52 weeks, ns | value, ns |")
    print("|---|---|---|---|---|---|---|")
    times = {}
    for kind in MODELS:
        h = history(frame, clv.GapHistory).history(clv.GapHistory)
        name, fit = kind.__name__, clv.fit(kind, h)
        times[name] = seconds(lambda kind=kind, h=h: clv.fit(kind, h), 3)
        m = fit.estimate
        calls = (
            lambda m=m, h=h: m.log_likelihood_and_score(h),
            lambda m=m, h=h: m.expected_purchases(h, 52.0),
            lambda m=m, h=h: m.discounted_purchases(h, 0.002, 52.0),
        )
        each = [f"{seconds(call, 3) / len(h) * 1e9:,.0f}" for call in calls]
        sibling = f"{times[name] / times[SIBLINGS[name]]:.1f}×" if name in SIBLINGS else ""
        row = [name, f"{times[name] * 1e3:,.0f}", str(fit.evaluations), sibling, *each]
        print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--million", type=float, default=1.0, help="customers of the largest case, in millions"
    )
    large = simulated(int(parser.parse_args().million * 1e6))
    sample, some = cdnow(), simulated(100_000)
    warnings.simplefilter("ignore")  # lifetimes' own
    fits(
        [
            ("BG/NBD, CDNOW", clv.BGNBD, "BetaGeoFitter", sample, 15),
            ("MBG/NBD, CDNOW", clv.MBGNBD, "ModifiedBetaGeoFitter", sample, 15),
            ("Pareto/NBD, CDNOW", clv.ParetoNBD, "ParetoNBDFitter", sample, 5),
            ("BG/NBD, 100,000", clv.BGNBD, "BetaGeoFitter", some, 3),
            ("Pareto/NBD, 100,000", clv.ParetoNBD, "ParetoNBDFitter", some, 1),
            (f"BG/NBD, {len(large):,}", clv.BGNBD, "BetaGeoFitter", large, 3),
        ]
    )
    predictions(large)
    costs(some)


if __name__ == "__main__":
    main()
