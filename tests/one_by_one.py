"""Customers of a BG/NBD and Gamma-Gamma, simulated one event after another, to check bands against."""

import numpy as np

import clv

PURCHASE = clv.BGNBD(0.243, 4.414, 0.793, 2.426)
SPEND = clv.GammaGamma(6.25, 3.74, 15.4)
RATE = np.log(1.10) / 365.25 * 7


def jittered(model, rng, sd=0.1, size=250):
    """Draws of parameters about those of a model."""
    return type(model)(
        *(np.exp(np.log(v) + sd * rng.standard_normal((size, 1))) for v in vars(model).values())
    )


def base(rng, size):
    """Histories and spends of so many customers, of a log of ages from 60 to 100 weeks."""
    h = PURCHASE.simulate(rng, rng.integers(60, 100, size) * 1.0)
    S = np.where(h.x > 0, SPEND.simulate(rng, np.maximum(h.x, 1)).S, 0.0)
    return h, S


def lives(h, m, S, purchase, spend, ends, rng, reps, rate=RATE, wait=0.0):
    """Yield orders, revenue and discounted revenue, (3, customers, spans), of each repetition.

    Each repetition takes parameters of one draw. Customers who are yet to come `wait`, and order at once.
    """
    n = len(h.x)
    for _ in range(reps):
        r, alpha, a, b = one_draw(purchase, rng)
        p, q, gamma = one_draw(spend, rng)
        active = rng.random(n) < clv.BGNBD(r, alpha, a, b).p_alive(h)
        rate_of = rng.gamma(r + h.x, 1 / (alpha + h.T))
        leave = rng.beta(a, b + h.x)
        scale = rng.gamma(q + p * m, 1 / (gamma + S))
        found, clock = np.zeros((3, n, len(ends))), np.zeros(n) + wait
        while active.any():
            clock[active] += rng.exponential(1 / rate_of[active])
            active &= clock <= ends[-1]
            who = np.flatnonzero(active)
            span = np.searchsorted(ends, clock[who])
            worth = rng.gamma(p, 1 / scale[who])
            for at, value in enumerate((1.0, worth, worth * np.exp(-rate * clock[who]))):
                found[at, who, span] += value
            active[who] &= rng.random(len(who)) >= leave[who]
        yield found


def one_draw(model, rng):
    """Parameters of one draw."""
    at = rng.integers(max(np.size(v) for v in vars(model).values()))
    return [float(np.ravel(v)[at % np.size(v)]) for v in vars(model).values()]
