"""Are posteriors calibrated? Prints tables for benchmarks/README.md.

sbc        truths drawn from the priors, data from them: ranks of truths among draws must be uniform
           [Talts et al. 2018, arXiv:1804.06788; Säilynoja, Bürkner & Vehtari 2022, Stat. Comput. 32]
coverage   one realistic truth, many samples: intervals must hold it, and hold-out totals, as they say
agreement  method="laplace" against method="nuts" on the same data
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats
from scipy.stats import binom, chi2, norm

import clv
from models import cdnow, history, simulated

KINDS = (clv.BGNBD, clv.ParetoNBD, clv.GammaGamma)
METHODS: dict[str, tuple[int, dict[str, Any]]] = {  # sets of data to rank truths in, and options of the fit
    "laplace": (500, {}),
    "nuts": (100, {"chains": 2, "draws": 500}),
}
CUSTOMERS = 300  # of a set
RANKED, BINS = 99, 20  # draws that a truth is ranked among; ranks 0 to 99 in bins of 5
CERTAIN = 0.001  # p-value below which ranks are not uniform

TRUTHS = (
    clv.BGNBD(0.25, 4.5, 0.8, 2.5),
    clv.ParetoNBD(0.55, 10.6, 0.6, 11.7),
    clv.GammaGamma(6.25, 3.74, 15.44),
)
COVERED, SIZES = 200, (300, 3000)  # sets of data, and customers in each
AHEAD = 26  # weeks of hold-out
FUTURES = 200  # draws that a total is predicted with
LEVELS = (0.5, 0.9)
BAND = 0.99  # of the binomial: what chance leaves of a level


# Ranks of truths that come from the priors.


def sbc(most: int) -> None:
    sampler = "nutpie" if importlib.util.find_spec("nutpie") else "PyMC"
    print(
        f"\n{CUSTOMERS} customers a set, of ages from 0.5 to 1.5 (mean 1), or with 1 to 5 purchases. Truths\n"
        "come from the priors that `clv.priors(model)` prints, and are ranked among "
        f"{RANKED} draws, in {BINS} bins.\n"
        f"NUTS by {sampler}. p is that of χ² with {BINS - 1} degrees, bold below {CERTAIN}.\n"
    )
    print("| model | method | quantity | χ² | p | p, gates passed | ranks from low to high |")
    print("|---|---|---|---|---|---|---|")
    notes = []
    for kind in KINDS:
        for method, (sets, options) in METHODS.items():
            start, size = time.perf_counter(), min(sets, most)
            found = [ranked(kind, method, options, seed) for seed in range(size)]
            each = (time.perf_counter() - start) / size
            notes.append(ranks_table(kind, method, found, each))
    print("\n| model | method | sets | no repeats (M001) | no mode (M001) | gates failed | s a set |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(notes), flush=True)


def ranked(kind: Any, method: str, options: dict[str, Any], seed: int) -> Any:
    """Ranks of a truth by quantity, and the gates that its fit failed; or why there are none."""
    rng, priors = np.random.default_rng([seed, KINDS.index(kind), len(method)]), clv.priors(kind)
    truth = priors.centre + priors.sd * rng.standard_normal(len(priors.centre))
    model = kind(*map(float, kind.by_quantities(*np.exp(truth))))
    h = observed(rng, model)
    unit = h.typical()  # 1 for times, by design; the prior on spend is relative to it
    ranges = {"spend": tuple(v / unit for v in priors.ranges["spend"])} if kind is clv.GammaGamma else {}
    try:
        fit = sampled(kind, h, method, options | {"priors": ranges, "seed": seed})
    except clv.FitError:
        return "no repeats"
    if fit.posterior is None:
        return "no mode"
    chosen = independent(rng, fit)
    theta = fit.posterior.theta[chosen] + [np.log(unit) if q in ranges else 0.0 for q in priors.ranges]
    drawn = kind(**{name: v[chosen, None] for name, v in fit.draws.items()})
    likelihood = [(m.log_likelihood(h) * h.weight).sum(axis=-1) for m in (model, drawn)]
    below = np.column_stack([theta, likelihood[1]]) < [*truth, likelihood[0]]
    return below.sum(axis=0), [failure.split()[0] for failure in fit.posterior.failures]


def observed(rng: np.random.Generator, model: Any) -> Any:
    if isinstance(model, clv.GammaGamma):
        return model.simulate(rng, rng.integers(1, 6, CUSTOMERS))
    ages = rng.uniform(0.5, 1.5, CUSTOMERS)
    return model.simulate(rng, ages / ages.mean(), grain=0)


def sampled(kind: Any, h: Any, method: str, options: dict[str, Any]) -> Any:
    """Fit; chains that are too sticky to give independent draws are made longer."""
    fit = clv.fit(kind, h, method=method, **options)
    effective = fit.posterior.diagnostics.get("ess_bulk", np.inf) if fit.posterior else np.inf
    if effective > 2 * RANKED or options["draws"] > 2000:
        return fit
    return sampled(kind, h, method, options | {"draws": 4 * options["draws"]})


def independent(rng: np.random.Generator, fit: Any) -> Any:
    """Numbers of draws: any of those by importance, those of chains as far apart as can be."""
    size = len(fit.posterior.theta)
    if fit.method == "laplace":
        return rng.choice(size, RANKED, replace=False)
    return np.linspace(0, size - 1, RANKED).astype(int)


def ranks_table(kind: Any, method: str, found: list[Any], each: float) -> str:
    """Print a row for each quantity; returns the row that says what became of the sets."""
    ranks = np.array([f[0] for f in found if not isinstance(f, str)])
    failed = [f[1] for f in found if not isinstance(f, str)]
    passed = np.array([not gates for gates in failed])
    for name, column in zip([*clv.priors(kind).ranges, "log-likelihood"], ranks.T, strict=True):
        (value, p), (_, sure) = uniformity(column), uniformity(column[passed])
        shown = f"**{p:.2g}**" if p < CERTAIN else f"{p:.2g}"
        print(f"| {kind.__name__} | {method} | {name} | {value:.1f} | {shown} | {sure:.2g} |", end=" ")
        print(f"`{histogram(column)}` |", flush=True)
    gates = Counter(gate for row in failed for gate in row)
    why = "".join(f", {gate} {times}" for gate, times in gates.most_common())
    skipped = [sum(f == why for f in found if isinstance(f, str)) for why in ("no repeats", "no mode")]
    row = [kind.__name__, method, len(found), *skipped, f"{(~passed).sum()}{why}", f"{each:.2f}"]
    return f"| {' | '.join(map(str, row))} |"


def uniformity(ranks: Any) -> tuple[float, float]:
    """χ² of ranks against a uniform distribution, and its p-value."""
    if not len(ranks):
        return np.nan, np.nan
    expected = len(ranks) / BINS
    value = float(((binned(ranks) - expected) ** 2 / expected).sum())
    return value, float(chi2.sf(value, BINS - 1))


def binned(ranks: Any) -> Any:
    return np.bincount(ranks * BINS // (RANKED + 1), minlength=BINS)


def histogram(ranks: Any) -> str:
    """Bars of eight heights; the fourth is what is expected."""
    bars = np.rint(4 * binned(ranks) * BINS / len(ranks)).astype(int).clip(1, 8)
    return "".join("▁▂▃▄▅▆▇█"[bar - 1] for bar in bars)


# Coverage at one truth; `place` is the share of a posterior below the truth.


def coverage(most: int) -> None:
    sets = min(COVERED, most)
    bands = (f"{level:.0%}: {low:.1%} to {high:.1%}" for level in LEVELS for low, high in [band(sets, level)])
    print(
        f"\n{sets} sets each by laplace. A hold-out total is that of {AHEAD} weeks of purchases, or of the\n"
        f"value of one more each. Bold: outside the binomial's {BAND:.0%} ({', '.join(bands)}).\n"
        "Below, above: truths below and above the 90 % interval.\n"
    )
    heads = [f"{size:,}: {what}" for size in SIZES for what in ("50 %", "90 %", "below, above")]
    print(f"| truth | of | {' | '.join(heads)} |\n|---|---|{'---|' * len(heads)}")
    notes = []
    for truth in TRUTHS:
        tables = []
        for customers in SIZES:
            start = time.perf_counter()
            found = [places(truth, customers, seed) for seed in range(sets)]
            each = (time.perf_counter() - start) / sets
            tables.append(pd.DataFrame([f for f in found if f]))
            lost = sum(not f for f in found)
            notes.append(f"{type(truth).__name__}, {customers:,}: {each:.2f} s a set, {lost} without draws")
        for name in tables[0]:
            cells = [cell for table in tables for cell in held(table[name].to_numpy())]
            print(f"| {type(truth).__name__} | {name} | {' | '.join(cells)} |", flush=True)
    print(f"\nTruths: {', '.join(map(repr, TRUTHS))}.\n{'; '.join(notes)}.", flush=True)


def held(place: Any) -> list[str]:
    """Shares of truths that intervals hold, and of those below and above the last."""
    cells = []
    for level in LEVELS:
        share = (np.abs(place - 0.5) <= level / 2).mean()
        low, high = band(len(place), level)
        cells.append(f"{share:.1%}" if low <= share <= high else f"**{share:.1%}**")
    return [*cells, f"{(place < 0.05).mean():.1%}, {(place > 0.95).mean():.1%}"]


def band(sets: int, level: float) -> tuple[float, float]:
    """Shares covered that chance leaves to right intervals."""
    low, high = binom.interval(BAND, sets, level)
    return low / sets, high / sets


def places(truth: Any, customers: int, seed: int) -> dict[str, float] | None:
    """Where the truth lies in each posterior, and the total in its prediction."""
    rng = np.random.default_rng([seed, TRUTHS.index(truth), customers])
    h, total = (spent if isinstance(truth, clv.GammaGamma) else lived)(rng, truth, customers)
    fit = clv.fit(type(truth), h, method="laplace", seed=seed)
    if fit.posterior is None:
        return None
    found = {name: float((v < getattr(truth, name)).mean()) for name, v in fit.draws.items()}
    some = np.linspace(0, len(fit.posterior.theta) - 1, FUTURES).astype(int)
    model = type(truth)(**{name: v[some, None] for name, v in fit.draws.items()})
    ahead = spend_ahead if isinstance(truth, clv.GammaGamma) else purchases_ahead
    mean, variance = ahead(model, h)
    # As many normal deviates for each draw as one likes: the share below the total is that of the mixture.
    return found | {"hold-out total": float(norm.cdf((total - mean) / np.sqrt(variance)).mean())}


def lived(rng: np.random.Generator, truth: Any, customers: int) -> tuple[clv.PurchaseHistory, float]:
    """Histories as the models tell their story, and purchases after them; nothing of clv is used for it."""
    T = rng.integers(26, 53, customers).astype(float)
    until = T + AHEAD
    made = rng.poisson(rng.gamma(truth.r, 1 / truth.alpha, customers) * until)
    at = rng.uniform(size=(customers, max(made.max(), 1))) * until[:, None]
    number = np.arange(at.shape[1])
    at = np.sort(np.where(number < made[:, None], at, np.inf), axis=1)
    if isinstance(truth, clv.BGNBD):
        last = rng.geometric(rng.beta(truth.a, truth.b, customers))  # the purchase after which one leaves
        at[number >= last[:, None]] = np.inf
    else:
        end = rng.exponential(1 / rng.gamma(truth.s, 1 / truth.beta, customers))
        at[at > end[:, None]] = np.inf
    known = at <= T[:, None]
    t_x = np.where(known, at, 0.0).max(axis=1)
    return clv.PurchaseHistory(known.sum(axis=1), t_x, T), float((~known & (at <= until[:, None])).sum())


def purchases_ahead(model: Any, h: Any) -> tuple[Any, Any]:
    """Mean and variance of all customers' purchases, by draw: customers are independent given parameters.

    Those who are alive are alike where x and T are, so counts are summed for each such state once.
    """
    (x, T), state = np.unique([h.x, h.T], axis=1, return_inverse=True)
    alike = clv.PurchaseHistory(x, np.where(x > 0, T, 0.0), T)
    alive = model.p_alive(alike)
    rest = (1 - model.purchase_pmf(alike, AHEAD, 0)) / alive  # the chance of n or more
    first, second = np.zeros_like(alive), np.zeros_like(alive)
    rows = np.arange(len(x))
    for n in count(1):
        p = model.purchase_pmf(alike.rows(rows), AHEAD, n) / alive[:, rows]
        first[:, rows] += n * p
        second[:, rows] += n**2 * p
        rest[:, rows] -= p
        rows = rows[rest[:, rows].max(axis=0) > 1e-7]
        if not len(rows):
            break
    there = model.p_alive(h)
    mean = there * first[:, state]
    return mean.sum(axis=1), (there * second[:, state] - mean**2).sum(axis=1)


def spent(rng: np.random.Generator, truth: Any, customers: int) -> tuple[clv.SpendHistory, float]:
    """Histories of one to five purchases, and the total of the next one of each customer."""
    m, nu = rng.integers(1, 6, customers), rng.gamma(truth.q, 1 / truth.gamma, customers)
    values = rng.gamma(truth.p, size=(6, customers)) / nu
    known = np.arange(6)[:, None] < m
    return clv.SpendHistory(m, np.where(known, values, 0.0).sum(axis=0)), float(values[5].sum())


def spend_ahead(model: Any, h: Any) -> tuple[Any, Any]:
    """Mean and variance of the next purchases: ν given the history is Gamma(q + p·m, gamma + S)."""
    shape, rate = model.q + model.p * h.m, model.gamma + h.S
    mean = model.p * rate / (shape - 1)
    square = model.p * (model.p + 1) * rate**2 / ((shape - 1) * (shape - 2))
    return mean.sum(axis=1), (square - mean**2).sum(axis=1)


# Two methods on the same data.


def agreement(most: int) -> None:
    sample, many = cdnow(), simulated(100_000)
    cases: list[tuple[str, Any, pd.DataFrame]] = [
        (f"CDNOW, {size} customers", kind, sample.sample(size, random_state=1))
        for size in (100, 500)
        for kind in (clv.BGNBD, clv.ParetoNBD)
    ]
    cases.append(("simulated, 100,000", clv.BGNBD, many))
    clv.fit(clv.BGNBD, history(sample), method="nuts", draws=100, chains=2)  # imports
    print(
        "\nMeans and standard deviations on the real line that priors are normal on; differences of means in"
    )
    print("Monte Carlo standard errors of both; ratios are of standard deviations, laplace ÷ nuts.\n")
    print("| data | model | quantity | laplace | nuts | difference, s.e. | ratio |")
    print("|---|---|---|---|---|---|---|")
    notes = [agreed(*case) for case in cases]
    print("\n| data | model | k-hat | ESS | laplace, s | r-hat | ESS | nuts, s |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(notes), flush=True)


def agreed(data: str, kind: Any, frame: pd.DataFrame) -> str:
    """Print a row for each quantity; returns a row of diagnostics."""
    fits, times = {}, {}
    for method in METHODS:
        start = time.perf_counter()
        fits[method] = clv.fit(kind, history(frame), method=method)
        times[method] = time.perf_counter() - start
    laplace, nuts = (fits[method].posterior for method in METHODS)
    stats: Any = array_stats
    chains = nuts.theta.reshape(nuts.chains, -1, nuts.theta.shape[1])
    ess = stats.ess(chains, method="bulk", chain_axis=0, draw_axis=1)
    mean, sd = ([getattr(np, f)(p.theta, axis=0) for p in (laplace, nuts)] for f in ("mean", "std"))
    error = np.sqrt(sd[0] ** 2 / len(laplace.theta) + sd[1] ** 2 / ess)
    for i, name in enumerate(fits["nuts"].priors.ranges):
        cells = [f"{m[i]:.4f} ± {s[i]:.4f}" for m, s in zip(mean, sd, strict=True)]
        cells += [f"{(mean[0][i] - mean[1][i]) / error[i]:+.1f}", f"{sd[0][i] / sd[1][i]:.2f}"]
        print(f"| {data} | {kind.__name__} | {name} | {' | '.join(cells)} |", flush=True)
    a, b = laplace.diagnostics, nuts.diagnostics
    cells = [f"{a['k_hat']:.2f}", f"{a['ess']:,.0f}", f"{times['laplace']:.2f}"]
    cells += [f"{b['r_hat']:.3f}", f"{b['ess_bulk']:,.0f}", f"{times['nuts']:.1f}"]
    return f"| {data} | {kind.__name__} | {' | '.join(cells)} |"


PARTS: dict[str, Callable[[int], None]] = {"sbc": sbc, "coverage": coverage, "agreement": agreement}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--part", choices=PARTS, help="all, unless one is named")
    parser.add_argument("--sets", type=int, default=10**9, help="sets of data at most, to shrink it")
    given = parser.parse_args()
    for name, part in PARTS.items():
        if given.part in (None, name):
            start = time.perf_counter()
            part(given.sets)
            print(f"\n{name}: {(time.perf_counter() - start) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
