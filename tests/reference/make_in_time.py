"""Reference values of the models whose customers may leave at any time: NBD, Pareto/NBD, G/G/NBD.

Derived from the stories alone, not from the package. Given the history, λ is a gamma variable and a customer
who leaves at y contributes a plain function G(y); what is left is the mean of G over the lifetime. The
lifetime's survival function is (1 + c(y))^−s; with u = log(1 + c(y)) it is e^(−s·u), and one integral over u
does for the likelihood, the expectation and the probability mass alike. It is a Gauss-Legendre sum on pieces
of the logarithm of u, so that scales far apart do no harm.
"""

from functools import cache

from mpmath import mp, mpf

HISTORIES = (
    (0, 0.0, 40.0),
    (0, 0.0, 1e-3),
    (0, 0.0, 5000.0),
    (1, 1e-3, 40.0),
    (1, 20.0, 40.0),
    (1, 40.0, 40.0),
    (1, 1e-3, 1e-3),
    (3, 1e-4, 1e-3),
    (3, 35.0, 40.0),
    (3, 5000.0, 5000.0),
    (5, 0.01, 5000.0),
    (12, 1e-3, 40.0),
    (12, 20.0, 40.0),
    (12, 40.0, 40.0),
    (40, 0.5, 40.0),
    (40, 39.0, 40.0),
    (300, 39.9, 40.0),
    (300, 2500.0, 5000.0),
    (10_000, 20.0, 40.0),
    (10_000, 40.0, 40.0),
    (10_000, 4999.0, 5000.0),
)
RECENT = tuple(HISTORIES[i] for i in (0, 8, 15, 5, 1, 13, 12, 2, 16, 9, 19))  # where much is still to come
INFINITE = float("inf")
HORIZONS = (
    (52.0, 0.0),
    (1.0, 0.0),
    (1e6, 0.0),
    (INFINITE, 0.002),
    (52.0, 0.002),
    (1e-6, 0.0),
    (INFINITE, 0.05),
    (52.0, 0.05),
    (INFINITE, 1.0),
    (1.0, 1.0),
    (1e6, 0.002),
)
COUNTS = tuple((t, k) for k in (0, 1, 3, 30) for t in (52.0, 1.0, 2000.0))

PURCHASING = (  # r, alpha
    (0.553, 10.578),
    (0.05, 1e-3),
    (1.0, 1.0),
    (0.5, 1e3),
    (20.0, 1e3),
    (3.0, 1e-3),
    (500.0, 700.0),
    (0.05, 20.0),
)
PARETO = (  # s, beta
    (0.606, 11.669),
    (1.0, 10.0),
    (1 - 1e-9, 10.0),
    (1 + 1e-9, 1e-3),
    (1 - 1e-5, 1e3),
    (1 + 1e-5, 10.0),
    (0.05, 1e3),
    (0.05, 1e-3),
    (2.5, 40.0),
    (20.0, 1e3),
    (20.0, 1e-3),
    (500.0, 900.0),
)
GOMPERTZ = (  # b, s, beta
    (0.05, 0.8, 2.0),
    (1e-5, 0.6, 1.2e-4),
    (1e-6, 1.0, 1e-3),
    (1e-6, 20.0, 1e6),
    (1e-3, 0.05, 1e-3),
    (0.02, 1 + 1e-9, 1.0),
    (0.1, 3.0, 1e3),
    (0.5, 1.0, 1e-3),
    (1.0, 0.3, 1e6),
    (5.0, 0.05, 1e-3),
    (5.0, 0.5, 1e6),
    (5.0, 20.0, 1e6),
    (0.3, 500.0, 1e5),
)


def spread(cases, number):
    """`number` of the cases (or all), evenly but in no step with the factors they combine: golden steps."""
    size, golden = len(cases), (5**0.5 - 1) / 2
    return [cases[i] for i in sorted({int(size * (i * golden % 1)) for i in range(number)})]


@cache
def nodes(count):
    """Gauss-Legendre places in (0, 1) and their weights: Newton's method on the Legendre polynomial."""
    found = []
    with mp.workdps(60):
        for i in range(count):
            x, change = mp.cos(mp.pi * (i + mpf("0.75")) / (count + mpf("0.5"))), mpf(1)
            while abs(change) > mpf("1e-35"):
                before, now = mpf(1), x
                for n in range(2, count + 1):
                    before, now = now, ((2 * n - 1) * x * now - (n - 1) * before) / n
                slope = count * (x * now - before) / (x * x - 1)
                change = now / slope
                x -= change
            found.append(((1 + x) / 2, 1 / ((1 - x * x) * slope**2)))
    return found


def integral(inside, end, scale, step):
    """∫ inside(u) du from 0 to `end`, in v = log(1 + u/scale), cut into pieces not longer than 3."""
    top = mp.log1p(mpf(end) / scale)
    pieces = int(mp.ceil(top / 3))
    total = mpf(0)
    for i in range(pieces):
        for place, weight in nodes(int(2 / step)):
            v = top * (i + place) / pieces
            total += weight * mp.exp(v) * inside(scale * mp.expm1(v))
    return total * scale * top / max(pieces, 1)


def purchases_until(y, rate):
    """∫ e^(−rate·τ) dτ from 0 to y: per unit of λ, the discounted purchases of a customer there until y."""
    return -mp.expm1(-rate * y) / rate if rate else y


def counted(k, R, A):
    """P(k purchases in y), as a function of y, where λ ~ Gamma(R, A)."""
    front = mp.exp(mp.loggamma(R + k) - mp.loggamma(R) - mp.loggamma(k + 1))
    return lambda y: front * (y / (A + y)) ** k * mp.exp(-R * mp.log1p(y / A))


class Lifetime:
    """A lifetime from `age` on: the survival function is e^(−s·u), where y = clock(u) and u = unclock(y)."""

    def __init__(self, s, beta, b, age, fast):
        self.s, self.b, self.fast = s, b, fast
        if b is None:
            self.beta = beta + age
        else:
            self.beta = 1 + (beta - 1) * mp.exp(-b * age)

    def clock(self, u):
        """y at u."""
        inner = self.beta * mp.expm1(u)
        return inner if self.b is None else mp.log1p(inner) / self.b

    def unclock(self, y):
        """u at y."""
        return mp.log1p((y if self.b is None else mp.expm1(self.b * y)) / self.beta)

    def mean(self, inside, horizon, step):
        """Mean of inside(min(lifetime, horizon)), and the part of it that outlives the horizon."""
        end = 95 / self.s if horizon == INFINITE else self.unclock(horizon)
        times = [self.fast] if self.b is None else [self.fast, 1 / self.b]
        scale = min(1, 1 / self.s, *map(self.unclock, times))
        lasting = mp.exp(-self.s * end) * inside(self.clock(end))
        leaving = integral(lambda u: self.s * mp.exp(-self.s * u) * inside(self.clock(u)), end, scale, step)
        return leaving + lasting, lasting


def with_lifetime(r, alpha, s, beta, b, history, t, rate, k, step):
    """Log-likelihood, p_alive, purchases and pmf; b is None for the Pareto/NBD."""
    x, t_x, T = map(mpf, history)
    R = r + x
    A, born = alpha + t_x, Lifetime(s, beta, b, mpf(0), None)
    after = Lifetime(s, beta, b, t_x, A / max(R, 1))
    whole, lasting = after.mean(lambda y: mp.exp(-R * mp.log1p(y / A)), T - t_x, step)
    likelihood = mp.loggamma(R) - mp.loggamma(r) + r * mp.log(alpha) - R * mp.log(A)
    likelihood += mp.log(whole) - s * born.unclock(t_x)
    alive, A = lasting / whole, alpha + T
    purchases = pmf = None
    if rate is not None:
        fast = min(A / max(R, 1), 1 / mpf(rate)) if rate else A
        mean, _ = Lifetime(s, beta, b, T, fast).mean(lambda y: purchases_until(y, mpf(rate)), t, step)
        purchases = alive * R / A * mean
    if k is not None:
        mean, _ = Lifetime(s, beta, b, T, A / max(R, 1)).mean(counted(k, R, A), mpf(t), step)
        pmf = alive * mean + ((whole - lasting) / whole if k == 0 else 0)
    return likelihood, alive, purchases, pmf


def pareto_nbd(parameters, history, t, rate, k, step):
    """Lifetime exponential given μ ~ Gamma(s, beta)."""
    r, alpha, s, beta = map(mpf, parameters)
    return with_lifetime(r, alpha, s, beta, None, history, t, rate, k, step)


def ggompertz_nbd(parameters, history, t, rate, k, step):
    """P(lifetime > y) = e^(−η(e^(by) − 1)) given η ~ Gamma(s, beta)."""
    r, alpha, b, s, beta = map(mpf, parameters)
    return with_lifetime(r, alpha, s, beta, b, history, t, rate, k, step)


def nbd(parameters, history, t, rate, k, _step):
    """Nobody leaves."""
    r, alpha = map(mpf, parameters)
    x, _, T = map(mpf, history)
    R, A = r + x, alpha + T
    likelihood = mp.loggamma(R) - mp.loggamma(r) - x * mp.log(A) - r * mp.log1p(T / alpha)
    purchases = None if rate is None else R / A * purchases_until(mpf(t), mpf(rate))
    pmf = None if k is None else counted(k, R, A)(mpf(t))
    return likelihood, mpf(1), purchases, pmf
