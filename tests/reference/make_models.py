"""Write NAME.csv: values of a model on a stress grid, to 14 digits, from the model's story alone.

`python tests/reference/make_models.py NAME` (or `all`; some minutes). Every point is computed with a step
and with half of it; one that does not settle is left out, and named. An empty cell was not asked for.
"""

import csv
import itertools
import sys
import time
from pathlib import Path

import make_at_purchase as at_purchase
import make_discrete as discrete
import make_in_time as in_time
from make_in_time import spread
from mpmath import mp, mpf

SECONDS = 30
RESULTS = ["t", "rate", "k", "log_likelihood", "p_alive", "purchases", "pmf"]
TIMES = ["x", "t_x", "T"]
STAGES = ((2,), (3,))  # of a gap; the column is `stages`, as `k` counts the purchases of a pmf


def joined(*factors):
    """Every combination, one from each factor, as one tuple of parameters."""
    return [tuple(itertools.chain(*parts)) for parts in itertools.product(*factors)]


def cases(parameters, histories, recent, horizons, counts, number=480):
    """(parameters, history, t, rate, k): the first parameters and those spread over all combinations.

    Likelihoods over `histories`, what is to come over those of them that are `recent`.
    """
    seen = list(itertools.product(parameters[:1], histories))
    seen += spread(list(itertools.product(parameters, histories)), number)
    found = [(p, h, None, None, None) for p, h in dict.fromkeys(seen)]
    ahead = list(itertools.product(parameters[:1], recent[:2], horizons))
    ahead += [
        (p, h, horizons[(i + i // len(horizons)) % len(horizons)])
        for i, (p, h) in enumerate(spread(list(itertools.product(parameters, recent)), 44))
    ]
    found += [(p, h, t, rate, None) for p, h, (t, rate) in dict.fromkeys(ahead)]
    if counts:
        ahead = list(itertools.product(parameters[:1], recent[2:3], counts))
        ahead += [
            (p, h, counts[(i + i // len(counts)) % len(counts)])
            for i, (p, h) in enumerate(spread(list(itertools.product(parameters, recent)), 40))
        ]
        found += [(p, h, t, None, k) for p, h, (t, k) in dict.fromkeys(ahead)]
    return found


def in_continuous_time(parameters):
    """Cases of a model with purchase times."""
    return cases(parameters, in_time.HISTORIES, in_time.RECENT, in_time.HORIZONS, in_time.COUNTS)


def of_renewals(parameters):
    """Cases of a retention model."""
    kept = [history for history in discrete.RENEWALS if not history[1]]
    return cases(parameters, discrete.RENEWALS, kept, discrete.HORIZONS, ())


BUYERS = in_time.PURCHASING
MODELS = {  # name: names of the parameters and of the history, function, cases
    "pareto_nbd": (
        ["r", "alpha", "s", "beta"],
        TIMES,
        in_time.pareto_nbd,
        in_continuous_time(joined(BUYERS, in_time.PARETO)),
    ),
    "mbg_nbd": (
        ["r", "alpha", "a", "b"],
        TIMES,
        at_purchase.mbg_nbd,
        in_continuous_time([(0.525, 6.183, 0.891, 1.614), *joined(BUYERS, at_purchase.DROPOUT)]),
    ),
    "ggompertz_nbd": (
        ["r", "alpha", "b", "s", "beta"],
        TIMES,
        in_time.ggompertz_nbd,
        in_continuous_time([(0.6, 10.0, 0.05, 0.8, 2.0), *joined(BUYERS, in_time.GOMPERTZ)]),
    ),
    "bg_bb": (
        ["alpha", "beta", "gamma", "delta"],
        ["x", "t_x", "n"],
        discrete.bg_bb,
        cases(
            joined(discrete.BUYING, discrete.LEAVING),
            discrete.TRANSACTIONS,
            discrete.RECENT,
            discrete.HORIZONS,
            discrete.COUNTS,
        ),
    ),
    "bg_cnbd": (
        ["r", "alpha", "a", "b", "stages"],
        TIMES,
        at_purchase.bg_cnbd,
        in_continuous_time([(0.525, 6.183, 0.891, 1.614, 2), *joined(BUYERS, at_purchase.DROPOUT, STAGES)]),
    ),
    "mbg_cnbd": (
        ["r", "alpha", "a", "b", "stages"],
        TIMES,
        at_purchase.mbg_cnbd,
        in_continuous_time([(0.525, 6.183, 0.891, 1.614, 3), *joined(BUYERS, at_purchase.DROPOUT, STAGES)]),
    ),
    "nbd": (["r", "alpha"], TIMES, in_time.nbd, in_continuous_time(list(BUYERS))),
    "sbg": (
        ["alpha", "beta"],
        ["age", "churned"],
        discrete.sbg,
        of_renewals([(0.668, 3.806), *discrete.LEAVING]),
    ),
    "bdw": (
        ["gamma", "delta", "c"],
        ["age", "churned"],
        discrete.bdw,
        of_renewals([(0.259, 1.723, 1.584), *joined(discrete.LEAVING, discrete.SHAPES)]),
    ),
}


def settled(value):
    """The four values at a step; half of it changes none by more than 1e-11, and doubles the digits."""
    start, step = time.monotonic(), mpf(1) / 8
    coarse = value(step)
    while time.monotonic() - start < SECONDS:
        step /= 2
        fine = value(step)
        pairs = [(c, f) for c, f in zip(coarse, fine, strict=True) if f is not None]
        if all(abs(c - f) <= mpf("1e-11") * abs(f) for c, f in pairs):
            return fine
        coarse = fine
    raise ArithmeticError("not settled")


def shown(value):
    """A cell: empty for None."""
    if value is None:
        return ""
    return mp.nstr(value, 14) if isinstance(value, mpf) else value


def write(name):
    """Write the table of one model next to this file."""
    parameters, history, function, rows = MODELS[name]
    start, left_out = time.monotonic(), 0
    with Path(__file__).with_name(f"{name}.csv").open("w", newline="") as file:
        line = csv.writer(file, lineterminator="\n").writerow
        line(parameters + history + RESULTS)
        for case in rows:
            try:
                values = settled(lambda step, case=case: function(*case, step))
            except ArithmeticError as error:
                left_out += 1
                sys.stderr.write(f"{name}: left out {case}: {error}\n")
                continue
            p, h, *rest = case
            line([*p, *h, *map(shown, [*rest, *values])])
    took = time.monotonic() - start
    sys.stderr.write(f"{name}: {len(rows) - left_out} rows, {left_out} left out, {took:.0f} s\n")


def main():
    """Write the tables named on the command line."""
    mp.dps = 40
    names = sys.argv[1:]
    for name in MODELS if names == ["all"] else names:
        write(name)


if __name__ == "__main__":
    main()
