"""Posteriors and searches: time, effective draws a second, and starts that lead to the top; for README.md.

`--peer PYTHON` names the interpreter of an environment with PyMC-Marketing, which asks for older releases.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import subprocess
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import clv
from clv.fitting import nuts
from clv.fitting.optimise import maximise
from clv.fitting.transforms import Logs
from models import cdnow, history, simulated

PEER = """
import json, sys, time, resource, warnings
start = time.perf_counter()
warnings.simplefilter("ignore")
import arviz as az, pandas as pd
from pymc_marketing import clv
frame = pd.read_json(sys.stdin)
made = clv.BetaGeoModel().fit(
    frame, random_seed=1, progressbar=False, draws=1000, tune=1000, chains=4, cores=1
)
posterior = made["posterior"].to_dataset()
names = ["r", "alpha", "a", "b"]
ess = az.ess(posterior[names])
used = resource.getrusage(resource.RUSAGE_SELF)
json.dump({
    "seconds": time.perf_counter() - start, "cpu": used.ru_utime + used.ru_stime,
    "ess": min(float(ess[n]) for n in names), "mean": {n: float(posterior[n].mean()) for n in names},
}, sys.stdout)
"""


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return a result, and the wall and CPU seconds it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = call()
    return made, time.perf_counter() - wall, time.process_time() - cpu


def row(name: str, size: int, fit: Any, wall: float, cpu: float) -> float:
    """Print a row of the table of posteriors; return effective draws a CPU second."""
    d = fit.posterior.diagnostics
    ess = d.get("ess", d.get("ess_bulk"))
    judged = f"k-hat {d['k_hat']:.2f}" if "k_hat" in d else f"r-hat {d['r_hat']:.3f}"
    print(
        f"| {name} | {size:,} | {wall:.2f} | {cpu:.2f} | {ess:,.0f} | {ess / cpu:,.0f} | {judged} |",
        flush=True,
    )
    return ess / cpu


def posteriors(peer: str | None, million: float) -> None:
    print("| posterior | customers | seconds | CPU seconds | effective draws | a CPU second | |")
    print("|---|---|---|---|---|---|---|")
    sample, some = cdnow(), simulated(100_000)
    large = simulated(int(million * 1e6))
    rates = {}
    for kind in (clv.BGNBD, clv.ParetoNBD):
        h = history(sample)
        clv.fit(kind, h, method="laplace")
        best = min(
            (timed(lambda kind=kind, h=h: clv.fit(kind, h, method="laplace")) for _ in range(5)),
            key=lambda t: t[1],
        )
        rates[kind] = row(f"{kind.__name__}, laplace", len(sample), *best)
    for name, frame in (("BGNBD, laplace", some), ("BGNBD, laplace", large)):
        row(
            name, len(frame), *timed(lambda frame=frame: clv.fit(clv.BGNBD, history(frame), method="laplace"))
        )
    found = importlib.util.find_spec
    samplers = {"PyMC": lambda name: None, "nutpie": found}
    for sampler, spec in samplers.items():
        if sampler == "nutpie" and found("nutpie") is None:
            continue
        nuts.importlib.util.find_spec = spec  # type: ignore[assignment]
        for frame in (sample, some):
            row(
                f"BGNBD, nuts by {sampler}",
                len(frame),
                *timed(lambda frame=frame: clv.fit(clv.BGNBD, history(frame), method="nuts")),
            )
    nuts.importlib.util.find_spec = found
    if peer:
        weeks = (sample / [1, 7, 7]).assign(customer_id=range(len(sample)))
        done = subprocess.run([peer, "-c", PEER], input=weeks.to_json(), capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        r = json.loads(done.stdout.splitlines()[-1])
        rate = r["ess"] / r["cpu"]
        shown = f"{r['seconds']:.1f} | {r['cpu']:.1f} | {r['ess']:,.0f} | {rate:,.1f}"
        print(f"| PyMC-Marketing, nuts | {len(sample):,} | {shown} | |")
        print(f"\nLaplace on CDNOW: {rates[clv.BGNBD] / rate:,.0f} times the effective draws a CPU second.")


POPULATIONS = {
    "CDNOW-like": clv.BGNBD(0.25, 4.5, 0.8, 2.5),
    "loyal": clv.ParetoNBD(1.5, 6.0, 0.4, 40.0),
    "fickle": clv.MBGNBD(0.6, 3.0, 1.5, 2.0),
    "alike": clv.BGNBD(8.0, 60.0, 6.0, 30.0),
    "rare": clv.BGNBD(0.1, 9.0, 0.6, 1.5),
}


def searches(starts: int) -> None:
    """How often a search ends at the top: from the model's own start, and from anywhere."""
    print("\n| population | model | own start | random starts at the top | worst gap of those |")
    print("|---|---|---|---|---|")
    rng = np.random.default_rng(1)
    for name, truth in POPULATIONS.items():
        h = truth.simulate(rng, rng.uniform(20, 80, 2000).round())
        for kind in (clv.BGNBD, clv.MBGNBD, clv.ParetoNBD):
            g = h.history(kind.History)
            scaled = g.rescaled(g.typical())
            own = clv.fit(kind, h)
            space = Logs.of(kind, {}, scaled)
            ends = []
            for _ in range(starts):
                start = rng.uniform(np.log(0.01), np.log(100), len(space.start))
                end = maximise(dataclasses.replace(space, start=start), scaled)
                model = kind(**space.parameters(end.theta))
                shift = (g.weight * g.x).sum() * np.log(g.typical())
                ends.append(float((model.log_likelihood(scaled) * g.weight).sum() - shift))
            top = max(*ends, own.log_likelihood)
            near = [end for end in ends if end > top - 0.01]
            reached = (
                "yes" if own.log_likelihood > top - 0.01 else f"no, {top - own.log_likelihood:.2f} below"
            )
            gap = f"{top - min(near, default=top):.1e}"
            print(f"| {name} | {kind.__name__} | {reached} | {len(near)} of {starts} | {gap} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="an interpreter that has PyMC-Marketing")
    parser.add_argument(
        "--million", type=float, default=1.0, help="customers of the largest case, in millions"
    )
    parser.add_argument("--starts", type=int, default=20)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    posteriors(given.peer, given.million)
    searches(given.starts)


if __name__ == "__main__":
    main()
