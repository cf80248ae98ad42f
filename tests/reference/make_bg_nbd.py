"""Write bg_nbd.csv: values of the BG/NBD on a stress grid, to more digits than a double has.

`python tests/reference/make_bg_nbd.py` takes about ten minutes. Nothing here shares a formula with the
package but the likelihood: expectations are sums of positive terms over p, for a customer alive at T with
p ~ Beta(a, b + x) and λ ~ Gamma(r + x, alpha + T). No 2F1: with large parameters it takes for ever.
"""

import csv
import itertools
import sys
import time
from pathlib import Path

from mpmath import mp, mpf

PARAMETERS = (
    (0.243, 4.414, 0.793, 2.426),  # CDNOW
    (0.5, 30.0, 1.0, 2.0),
    (0.5, 30.0, 1 - 1e-9, 2.0),
    (0.5, 30.0, 1 + 1e-7, 2.0),
    (0.5, 30.0, 1 - 1e-5, 2.0),
    (0.5, 30.0, 1 + 1.1e-4, 2.0),
    (0.5, 30.0, 1 - 1e-3, 2.0),
    (0.5, 3.0, 0.1, 0.3),  # a + b < 1
    (0.5, 3.0, 0.4, 0.6),  # a + b = 1
    (0.05, 0.01, 0.02, 5.0),
    (5.0, 2.0, 3.0, 0.05),
    (100.0, 50.0, 2.0, 3.0),
    (20.0, 5.0, 30.0, 45.0),
    (1.3, 7.0, 49.9, 49.9),
    (3.0, 5.0, 60.0, 40.0),
    (0.8, 5.0, 0.01, 300.0),
    (0.8, 5.0, 0.5, 1000.0),
    (0.8, 5.0, 1000.0, 0.5),
    (0.8, 5.0, 1000.0, 1000.0),
    (900.0, 1e6, 700.0, 1000.0),
)
HISTORIES = (
    (0, 0.0, 40.0),
    (0, 0.0, 1e-3),
    (1, 1e-3, 40.0),
    (3, 40.0, 40.0),
    (12, 20.0, 40.0),
    (5, 0.01, 5000.0),
    (300, 39.0, 40.0),
    (10_000, 40.0, 40.0),
)
HORIZONS = (1e-6, 52.0, 1e6)
DISCOUNTS = ((0.2, 52.0), (0.002, float("inf")), (1e-6, float("inf")))
SECONDS = 30  # a point that takes longer is left out, and named


def log_likelihood(r, alpha, a, b, x, t_x, T):
    """[FHL05] eq. 6, as printed."""
    front = mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha)
    front += mp.loggamma(a + b) + mp.loggamma(b + x) - mp.loggamma(b) - mp.loggamma(a + b + x)
    alive, lost = (alpha + T) ** -(r + x), mpf(0)
    if x > 0:
        lost = a / (b + x - 1) * (alpha + t_x) ** -(r + x)
    return front + mp.log(alive + lost), alive / (alive + lost)


def nodes(a, b, step):
    """Pairs (p, weight) for means over Beta(a, b): trapezoid in y, with logit p = centre + spread·sinh y."""
    centre, spread = mp.log(a / b), mp.sqrt(1 / a + 1 / b)
    log_beta = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    found = []
    for sign in (-1, 1):
        k = 0 if sign > 0 else 1
        while True:
            y = sign * k * step
            u = centre + spread * mp.sinh(y)
            log_p, log_q = -mp.log1p(mp.exp(-u)), -mp.log1p(mp.exp(u))
            log_weight = a * log_p + b * log_q - log_beta + mp.log(step * spread * mp.cosh(y))
            if log_weight < -75:
                break
            found.append((mp.exp(log_p), mp.exp(log_weight)))
            k += 1
    return found


def expected(R, A, points, t):
    """Mean over p of (1 − (1 + p·t/A)^−R)/p: purchases in t of a customer alive."""
    return mp.fsum(w * -mp.expm1(-R * mp.log1p(p * t / A)) / p for p, w in points)


def discounted(R, A, points, rate, t, step):
    """Mean over p of ∫ e^(−rate·τ) (R/A) (1 + p·τ/A)^−(R+1) dτ; trapezoid after tanh-sinh in log(1 + τ/A)."""
    end = mp.log1p(min(mpf(t), 75 / mpf(rate)) / A)
    total, k = mpf(0), 0
    while k * step < 3.6:
        for y in {k * step, -k * step}:
            arc = mp.pi / 2 * mp.sinh(y)
            v = end / (1 + mp.exp(-2 * arc))
            slope = end * mp.pi / 4 * mp.cosh(y) / mp.cosh(arc) ** 2
            share = mp.expm1(v)
            inner = mp.fsum(w * mp.exp(-(R + 1) * mp.log1p(p * share)) for p, w in points)
            total += step * slope * R * mp.exp(v - rate * A * share) * inner
        k += 1
    return total


def agreed(value):
    """Halve the step until that changes less than 1e-9: each halving doubles the digits."""
    start, step = time.monotonic(), mpf(1) / 8
    coarse = value(step)
    while time.monotonic() - start < SECONDS:
        step /= 2
        fine = value(step)
        if abs(coarse - fine) < mpf("1e-9") * abs(fine):
            return fine
        coarse = fine
    raise ArithmeticError(f"{mp.nstr(coarse, 15)} is not settled")


def row(parameters, history, t, rate):
    """One line of the table: p_alive and log-likelihood, and purchases discounted at `rate` (0: plain)."""
    r, alpha, a, b, x, t_x, T = map(mpf, (*parameters, *history))
    likelihood, alive = log_likelihood(r, alpha, a, b, x, t_x, T)

    def purchases(step):
        points = nodes(a, b + x, step)
        if rate:
            return discounted(r + x, alpha + T, points, mpf(rate), t, step)
        return expected(r + x, alpha + T, points, mpf(t))

    value = alive * agreed(purchases)
    return [*parameters, *history, t, rate, *(mp.nstr(v, 14) for v in (likelihood, alive, value))]


def main():
    """Write the table next to this file."""
    mp.dps = 30
    cases = [(p, h, t, 0.0) for p, h, t in itertools.product(PARAMETERS, HISTORIES, HORIZONS)]
    cases += [(p, HISTORIES[i], t, rate) for p in PARAMETERS for i in (0, 4, 5, 7) for rate, t in DISCOUNTS]
    with Path(__file__).with_name("bg_nbd.csv").open("w", newline="") as file:
        write = csv.writer(file, lineterminator="\n").writerow
        write(
            ["r", "alpha", "a", "b", "x", "t_x", "T", "t", "rate", "log_likelihood", "p_alive", "purchases"]
        )
        for case in cases:
            try:
                write(row(*case))
            except ArithmeticError as error:
                sys.stderr.write(f"left out {case}: {error}\n")


if __name__ == "__main__":
    main()
