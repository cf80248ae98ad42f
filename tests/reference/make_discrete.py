"""Reference values of the models in discrete time: BG/BB, sBG, BdW.

Derived from the stories alone, not from the package. Everything is a ratio of beta functions, or a sum of
such ratios: term by term where it is short, by Euler and Maclaurin's formula where it is long.
"""

from make_at_purchase import share
from make_in_time import INFINITE, integral
from mpmath import mp, mpf

BUYING = (  # alpha, beta of the BG/BB
    (1.2035, 0.7497),
    (1e-3, 1e3),
    (1e3, 1e-3),
    (0.02, 5.0),
    (1.0, 1.0),
    (500.0, 400.0),
    (0.05, 20.0),
)
LEAVING = (  # gamma, delta of the BG/BB and of the BdW, alpha, beta of the sBG
    (0.6567, 2.7834),
    (1.0, 3.0),
    (1 - 1e-9, 3.0),
    (1 + 1e-9, 3.0),
    (1 - 1e-5, 3.0),
    (1 + 1e-5, 3.0),
    (0.1, 0.3),
    (0.02, 1000.0),
    (1000.0, 0.02),
    (20.0, 1000.0),
    (1000.0, 1000.0),
    (5.0, 0.5),
    (1e-3, 1e3),
    (1e3, 1e-3),
)
SHAPES = ((0.3,), (1.0,), (3.0,), (1.584,), (0.8,))  # c of the BdW
TRANSACTIONS = (  # x, t_x, n
    (0, 0, 1),
    (1, 1, 1),
    (0, 0, 6),
    (1, 1, 6),
    (3, 5, 6),
    (2, 6, 6),
    (6, 6, 6),
    (0, 0, 50),
    (1, 1, 50),
    (12, 20, 50),
    (12, 50, 50),
    (40, 45, 50),
    (50, 50, 50),
    (0, 0, 200),
    (1, 200, 200),
    (3, 3, 200),
    (40, 60, 200),
    (100, 150, 200),
    (150, 199, 200),
    (200, 200, 200),
)
RECENT = tuple(TRANSACTIONS[i] for i in (4, 6, 11, 2, 0, 1, 5, 10, 12, 16, 18, 14, 19))
RENEWALS = tuple((age, churned) for churned in (0, 1) for age in (1, 2, 3, 5, 8, 13, 40, 100, 200))
HORIZONS = (
    (52, 0.0),
    (1, 0.0),
    (1_000_000, 0.0),
    (INFINITE, 0.002),
    (52, 0.002),
    (INFINITE, 0.05),
    (1_000_000, 0.002),
    (52, 0.05),
    (INFINITE, 1.0),
    (1, 1.0),
    (2000, 0.0),
)
COUNTS = ((52, 0), (1, 0), (2000, 3), (52, 1), (1, 1), (2000, 30), (52, 3), (2000, 0), (52, 30), (2000, 1))


def kept(gamma, delta, c, age):
    """P(survive `age` chances to leave): the mean of (1 − θ)^(age^c)."""
    return share(gamma, delta, 0, age**c)


def long_sum(term, t, rate, fast, step):
    """Σ term(i), i = 1 … t: a plain sum up to 32/step, then Euler and Maclaurin's formula."""
    first = min(mpf(t), int(32 / step))
    total = mp.fsum(term(mpf(i)) for i in range(1, int(first) + 1))
    if t == first:
        return total
    last = first + min(mpf(t) - first, 130 / rate) if rate else mpf(t)
    scale = min(first / max(fast, 1), 1 / rate if rate else first)
    total += integral(lambda u: term(first + u), last - first, scale, step)
    for end, sign in ((first, -1), (last, 1)):
        slopes = mp.taylor(term, end, 15)
        total += sign * slopes[0] / 2
        total += sign * mp.fsum(mp.bernoulli(j) / j * slopes[j - 1] for j in range(2, 17, 2))
    return total


def staying(gamma, delta, c, age, t, rate, step):
    """Discounted chances to leave, of the next t, that a customer who survived `age` of them survives."""
    base, rate = kept(gamma, delta, c, age), mpf(rate)
    return long_sum(
        lambda i: mp.exp(-rate * i) * kept(gamma, delta, c, age + i) / base, t, rate, gamma * c, step
    )


def counted(k, a, b, gamma, delta, t):
    """P(k purchases at the next t opportunities) where p ~ Beta(a, b) and θ ~ Beta(gamma, delta)."""
    total, staying_so_far = mpf(0), mpf(1)  # i opportunities were had
    hits = share(a, b, k, 0)  # k purchases in i opportunities, from i = k on
    for i in range(t + 1):
        leaving = gamma / (gamma + delta + i) if i < t else mpf(1)
        if i >= k:
            total += staying_so_far * leaving * hits
            hits *= (i + 1) / mpf(i + 1 - k) * (b + i - k) / (a + b + i)
        staying_so_far *= (delta + i) / (gamma + delta + i)
    return total


def bg_bb(parameters, history, t, rate, k, step):
    """A chance θ to leave before each opportunity; if there, a purchase with probability p."""
    alpha, beta, gamma, delta = map(mpf, parameters)
    x, t_x, n = history
    with mp.workdps(50):
        lasting = share(alpha, beta, x, n - x) * share(gamma, delta, 0, n)
        left = mp.fsum(share(alpha, beta, x, m - x) * share(gamma, delta, 1, m) for m in range(t_x, n))
        alive = lasting / (lasting + left)
        purchases = pmf = None
        if rate is not None:
            mean = (alpha + x) / (alpha + beta + n)
            purchases = alive * mean * staying(gamma, delta + n, 1, 0, t, rate, step)
        if k is not None:
            pmf = alive * counted(k, alpha + x, beta + n - x, gamma, delta + n, t)
            pmf += left / (lasting + left) if k == 0 else 0
        return mp.log(lasting + left), alive, purchases, pmf


def retention(gamma, delta, c, history, t, rate, step):
    """Log-likelihood and renewals to come of a customer lost at renewal `age`, or seen to survive it."""
    age, churned = history
    with mp.workdps(50):
        likelihood = kept(gamma, delta, c, mpf(age))
        if churned:
            likelihood = kept(gamma, delta, c, mpf(age - 1)) - likelihood
        renewals = None if rate is None else staying(gamma, delta, c, mpf(age), t, rate, step)
        return mp.log(likelihood), None, renewals, None


def sbg(parameters, history, t, rate, _k, step):
    """A chance θ to leave at each renewal."""
    return retention(*map(mpf, parameters), mpf(1), history, t, rate, step)


def bdw(parameters, history, t, rate, _k, step):
    """P(survive k renewals) = (1 − θ)^(k^c)."""
    return retention(*map(mpf, parameters), history, t, rate, step)
