"""How good forecasts are: back-tests, coverage of bands, and what they cost against peers; for README.md.

`--peer PYTHON` names the interpreter of an environment with PyMC-Marketing, which asks for older releases.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

import clv

SETS, CUSTOMERS = 200, 1000
CUT, END = dt.date(2025, 6, 30), dt.date(2026, 6, 30)
COLUMNS = {
    "origins": "{:.0f}",
    "value_error": "{:.1%}",
    "value_bias": "{:+.1%}",
    "value_gini": "{:.3f}",
    "value_top10": "{:.1%}",
    "value_decile_mape": "{:.1%}",
    "value_mae": "{:,.2f}",
    "value_rmse": "{:,.2f}",
    "value_crps": "{:,.2f}",
    "value_coverage50": "{:.1%}",
    "value_coverage90": "{:.1%}",
    "value_total_inside90": "{:.0%}",
    "purchases_bias": "{:+.1%}",
    "brier": "{:.3f}",
}

# Both print seconds and the growth of memory over what the imports take, in megabytes.
HEAD = """
import json, sys, time, resource, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
size = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
frame = pd.read_json(sys.stdin, dtype={"customer_id": str})
"""
OURS = (
    HEAD
    + """
import clv
rfm = clv.RFM(frame, unit="week", as_of="1997-09-30", customer="customer_id")
fits = [clv.fit(kind, rfm, method="laplace") for kind in (clv.BGNBD, clv.GammaGamma)]
terms = {"horizon": "12m", "margin": 1.0, "discount": 0.10}
seconds, bare = [], size()
for bands in (False, False, False, True):
    start = time.perf_counter()
    found = clv.forecast(*fits, rfm, **terms).customers(bands=bands).to_pandas()
    seconds.append(time.perf_counter() - start)
total, median = float(found["clv_mean"].sum()), float(np.median(seconds[:3]))
json.dump({"seconds": median, "bands": seconds[3], "mb": size() - bare, "total": total}, sys.stdout)
"""
)
PEER = (
    HEAD
    + """
from pymc_marketing import clv
bare = size()
purchase, spend = clv.BetaGeoModel(), clv.GammaGammaModel()
purchase.fit(frame, random_seed=1, progressbar=False, draws=1000, tune=1000, chains=4, cores=1)
payers = frame[frame["monetary_value"] > 0]
spend.fit(payers, random_seed=1, progressbar=False, draws=1000, tune=1000, chains=4, cores=1)
start = time.perf_counter()
found = spend.expected_customer_lifetime_value(
    transaction_model=purchase, data=frame, future_t=12, discount_rate=0.00797, time_unit="W"
)
seconds, total = time.perf_counter() - start, float(found.mean(("chain", "draw")).sum())
json.dump({"seconds": seconds, "mb": size() - bare, "total": total}, sys.stdout)
"""
)
OLD = """
import json, sys, time, resource, warnings
warnings.simplefilter("ignore")
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter
frame = pd.read_json(sys.stdin, dtype={"customer_id": str})
size = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
purchase = BetaGeoFitter().fit(frame["frequency"], frame["recency"], frame["T"])
payers = frame[frame["monetary_value"] > 0]
spend = GammaGammaFitter().fit(payers["frequency"], payers["monetary_value"])
bare, start = size(), time.perf_counter()
found = spend.customer_lifetime_value(
    purchase, frame["frequency"], frame["recency"], frame["T"], frame["monetary_value"], time=12,
    discount_rate=0.00797, freq="W",
)
seconds, total = time.perf_counter() - start, float(found.sum())
json.dump({"seconds": seconds, "mb": size() - bare, "total": total}, sys.stdout)
"""


def back_tests() -> None:
    """Print every contender on CDNOW and on the demo shop."""
    cdnow = clv.Transactions(clv.datasets.load_cdnow(), as_of="1998-06-30", duplicates="keep")
    logs = [("CDNOW", cdnow, "3m"), ("CDNOW", cdnow, "6m"), ("demo shop", demo_shop(), "6m")]
    for name, orders, horizon in logs:
        start = time.perf_counter()
        found = clv.backtest(orders, horizon=horizon)
        print(f"\n{name}, {horizon}, {time.perf_counter() - start:.0f} s: {found.verdict}\n")
        print("| contender |", " | ".join(COLUMNS), "|\n|---|", "---|" * len(COLUMNS), sep="")
        for contender, row in found.summary.iterrows():
            cells = [form.format(row[c]) if pd.notna(row[c]) else "" for c, form in COLUMNS.items()]
            print("|", contender, "|", " | ".join(cells), "|")
        print("\n" + "\n".join(f"- {note}" for note in (found.reason, *found.notes)))


def demo_shop() -> clv.Transactions:
    """Return the demo shop's log as its config reads it."""
    shop = clv.datasets.load_shop()
    options = {"order_id": "order_id", "refund_of": "refund_of", "refunds": "net_to_original"}
    return clv.Transactions(
        shop.transactions, as_of="2026-09-30", currency="EUR", guest_ids=["guest"], **options
    )


def simulated(seed: int) -> pd.DataFrame:
    """Orders of customers whose rates, lives and spends are drawn from a population of their own."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = np.array([0.6, 8.0, 0.8, 2.5]) * np.exp(0.3 * rng.standard_normal(4))
    p, q, gamma = np.array([4.0, 4.0, 60.0]) * np.exp(0.2 * rng.standard_normal(3))
    came = rng.integers(0, 2 * 365, CUSTOMERS)  # days before the cut
    rate, leave = rng.gamma(r, 1 / alpha, CUSTOMERS) / 7, rng.beta(a, b, CUSTOMERS)
    scale = rng.gamma(q, 1 / gamma, CUSTOMERS)
    clock, active, parts = -came.astype(float), np.ones(CUSTOMERS, dtype=bool), []
    while active.any():
        who = np.flatnonzero(active)
        days = np.floor(clock[who]).astype(int)
        parts.append(pd.DataFrame({"customer_id": who, "day": days, "amount": rng.gamma(p, 1 / scale[who])}))
        left = (rng.random(len(who)) < leave[who]) & (len(parts) > 1)
        clock[who] += rng.exponential(1 / rate[who])
        active[who] = ~left & (clock[who] <= (END - CUT).days)
    log = pd.concat(parts)
    log["date"] = pd.Timestamp(CUT) + pd.to_timedelta(log.pop("day"), "D")
    return log.assign(amount=log["amount"].round(2) + 0.01, customer_id="c" + log["customer_id"].astype(str))


def coverage() -> None:
    """Print how often bands of totals and of customers held on simulated bases."""
    held: dict[str, list[float]] = {}
    for seed in range(SETS):
        orders = clv.Transactions(simulated(seed), as_of=END, duplicates="keep", allow_gap="2y")
        found = clv.backtest(orders, [clv.BGNBD], origins=1, horizon="12m")
        row = found.table.set_index("contender").loc["BGNBD"]
        ((cut, fits),) = ((cut, fits) for cut, fits in found.fits.items() if cut == CUT)
        base = clv.split(orders, cut)
        ahead = clv.forecast(
            fits["BGNBD"], fits["GammaGamma"], base.rfm, f"{base.days}d", margin=1.0, discount=0.0
        )
        total = ahead.totals().to_pandas().iloc[0]
        active = float((base.rfm.to_pandas()["actual_purchases"] > 0).sum())
        actual = {"active": active, "orders": row["purchases_actual"], "revenue": row["value_actual"]}
        for name, value in actual.items():
            held.setdefault(f"total of {name}, 90 %", []).append(
                total[f"{name}_p05"] <= value <= total[f"{name}_p95"]
            )
        for name in ("purchases", "value"):
            for level in (50, 90):
                held.setdefault(f"back-test's total of {name}, {level} %", []).append(
                    row[f"{name}_total_inside{level}"]
                )
                held.setdefault(f"customers' {name}, {level} %", []).append(row[f"{name}_coverage{level}"])
    print(f"\n| {SETS} bases of {CUSTOMERS:,} customers, 12 months | held | 99 % of chance |\n|---|---|---|")
    for name, values in held.items():
        level = float(name.split(", ")[1].split()[0]) / 100
        if name.startswith("customers"):
            error = 2.58 * np.std(values) / np.sqrt(SETS)
            low, high = level - error, level + error
        else:
            low, high = (binom.ppf(q, SETS, level) / SETS for q in (0.005, 0.995))
        print(f"| {name} | {np.mean(values):.1%} | {low:.1%} to {high:.1%} |")


def costs(peer: str | None) -> None:
    """Print time and memory of a value for each customer of the CDNOW sample, ours and theirs."""
    orders = clv.Transactions(clv.datasets.load_cdnow_sample(), as_of="1997-09-30", duplicates="keep")
    frame = orders.rfm().to_pandas()[["customer_id", "frequency", "recency", "T", "monetary_value"]]
    frame = frame.assign(recency=frame["recency"] / 7, T=frame["T"] / 7).to_json()
    print("\n| 12 months' value, 2,357 customers | seconds | growth, MB | total |\n|---|---|---|---|")
    for name, python, script in _contestants(peer):
        command = [python, "-c", script]
        made = subprocess.run(command, input=frame, capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(made.stdout.splitlines()[-1])
        more = f", with bands {found['bands']:.2f}" if "bands" in found else ""
        print(f"| {name} | {found['seconds']:.2f}{more} | {found['mb']:.0f} | {found['total']:,.0f} |")


def _contestants(peer: str | None) -> Iterator[tuple[str, str, str]]:
    yield "clv, 1,000 draws", sys.executable, OURS
    yield "lifetimes, one set of parameters", sys.executable, OLD
    if peer:
        yield "PyMC-Marketing, 4 × 1,000 draws", peer, PEER


def many_histories(size: int) -> Any:
    """Distinct histories of three years of days, as columns."""
    rng = np.random.default_rng(1)
    model = clv.BGNBD(0.243, 4.414, 0.793, 2.426)
    h = model.simulate(rng, rng.integers(0, 3 * 365, 5 * size) / 7).history(clv.PurchaseHistory)
    return h.x[:size], h.t_x[:size], h.T[:size]


def memory() -> None:
    """Print what bands of half a million distinct histories take, made elsewhere: the peak is theirs."""
    from clv.forecasting.stream import Base, bands

    with ProcessPoolExecutor(1) as pool:
        h = clv.PurchaseHistory(*pool.submit(many_histories, 500_000).result())
    rng = np.random.default_rng(2)
    models = clv.BGNBD(0.243, 4.414, 0.793, 2.426), clv.GammaGamma(6.25, 3.74, 15.44)
    drawn = [
        type(m)(*(np.exp(np.log(v) + 0.05 * rng.standard_normal((1000, 1))) for v in vars(m).values()))
        for m in models
    ]
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.perf_counter()
    S = 30.0 * h.x
    bands(Base(*drawn, h, h.x), S, S, t=52.0, rate=0.0018)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    print(f"\n{len(h):,} histories, 1,000 draws: {time.perf_counter() - start:.0f} s, {grown:.0f} MB more")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer")
    parser.add_argument("parts", nargs="*", default=["back_tests", "coverage", "costs", "memory"])
    asked = parser.parse_args()
    for part in asked.parts:
        globals()[part](*([asked.peer] if part == "costs" else []))
