"""Reference values of the models whose customers leave at a purchase: MBG/NBD, BG/CNBD-k, MBG/CNBD-k.

Derived from the stories alone, not from the package. A purchase is every k-th event ("stage") of a Poisson
process of rate λ, k = 1 for the MBG/NBD. Alive at T the customer has passed j = 0 … k − 1 stages since the
last purchase; given j, λ ~ Gamma(r + kx + j, alpha + T) and p ~ Beta(a, b + survived chances), independent.

With q = 1 − p and d = k − 1 − j, purchases come at time τ at the rate
λ·Σ_m q^m·P(d + mk stages in τ). For q < ½ that sum is taken term by term; for the others it is the usual
picking of every k-th term of an exponential series, q^(−d/k)/k·Σ_i ω^(−id)·λ·e^(−λτ(1 − q^(1/k)·ω^i)) with
ω = e^(2πi/k). The gamma mean of either is plain, the beta mean is a trapezoid sum over p.
"""

from functools import cache

from make_in_time import integral
from mpmath import mp, mpf

DROPOUT = (  # a, b
    (0.891, 1.614),
    (1.0, 2.0),
    (1 - 1e-9, 2.0),
    (1 + 1e-9, 2.0),
    (1 - 1e-5, 2.0),
    (1 + 1e-5, 2.0),
    (0.1, 0.3),
    (0.02, 5.0),
    (3.0, 0.02),
    (0.5, 1000.0),
    (1000.0, 0.5),
    (1000.0, 1000.0),
    (20.0, 30.0),
)
TERMS = 100  # of the sum for q < ½


def share(a, b, i, j):
    """Mean of p^i (1 − p)^j over p ~ Beta(a, b)."""
    top = mp.loggamma(a + i) - mp.loggamma(a) + mp.loggamma(b + j) - mp.loggamma(b)
    return mp.exp(top - mp.loggamma(a + b + i + j) + mp.loggamma(a + b))


def stages(n, R, A, t):
    """P(n stages in t) for λ ~ Gamma(R, A)."""
    front = mp.loggamma(R + n) - mp.loggamma(R) - mp.loggamma(n + 1)
    return mp.exp(front - R * mp.log1p(t / A)) * (t / (A + t)) ** n


def stages_from(n, R, A, t):
    """P(n stages or more in t): one minus the others, or, where that loses digits, the sum itself."""
    if n <= 0:
        return mpf(1)
    term, fewer = stages(0, R, A, t), mpf(0)
    for i in range(n):
        fewer += term
        term *= (R + i) / (i + 1) * t / (A + t)
    if 1 - fewer > mpf("1e-25"):
        return 1 - fewer
    total, i = mpf(0), n
    while term > mpf("1e-30") * total:
        total += term
        term *= (R + i) / (i + 1) * t / (A + t)
        i += 1
    return total


@cache
def nodes(a, b, step, _digits):
    """Places (weight, q, log q) for means over p = 1 − q ~ Beta(a, b): a trapezoid sum in y.

    With m the smaller of a and b, and M the other, whichever of p and q has M is e^(−g), and
    log g = centre + width·(y − e^(−y)): the ends die out like e^(−m·e^(−y)) and e^(−M·e^y).
    """
    m, M = min(a, b), max(a, b)
    centre, width = mp.log(mp.log1p(max(m, 1) / M)), 1 / mp.sqrt(1 + m)
    log_beta = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    found = []
    for sign in (-1, 1):
        n = 0 if sign > 0 else 1
        while True:
            y = sign * n * step
            z, slope = centre + width * (y + 1 - mp.exp(-y)), width * (1 + mp.exp(-y))
            g = mp.exp(z)
            log_rest = mp.log(-mp.expm1(-g))
            log_weight = (m - 1) * log_rest - M * g + z - log_beta + mp.log(step * slope)
            if log_weight < -75:
                break
            log_q = -g if a <= b else log_rest
            found.append((mp.exp(log_weight), mp.exp(log_q), log_q))
            n += 1
    return found


class Ahead:
    """What a customer alive at T does next: `weights` of the stages j it may be in, and the mean over p."""

    def __init__(self, weights, R, A, a, b, step):
        self.weights, self.R, self.A, self.a, self.b, self.k = weights, R, A, a, b, len(weights)
        self.picks, self.low = [], [mpf(0)] * TERMS
        for weight, q, log_q in nodes(a, b, step, mp.dps):
            if q >= 0.5:
                self.pick(weight, log_q)
            else:  # the mean of q^m where q < ½
                for m in range(TERMS):
                    self.low[m] += weight
                    weight *= q

    def pick(self, weight, log_q):
        """Note 1 − q^(1/k)·ω^i and, for each j, the factor of what it gives; i and k − i are conjugate."""
        k = self.k
        for i in range(k // 2 + 1):
            both = weight / k if i in (0, mpf(k) / 2) else 2 * weight / k
            gap = 1 - mp.exp(log_q / k) * mp.expjpi(mpf(2 * i) / k) if i else -mp.expm1(log_q / k)
            factors = []
            for j, part in enumerate(self.weights):
                d = k - 1 - j
                factors.append(part * both * mp.exp(-d * log_q / k) * mp.expjpi(mpf(-2 * i * d) / k))
            self.picks.append((gap, factors))

    def expected(self, t):
        """Purchases in t."""
        total = mpf(0)
        for gap, factors in self.picks:
            log_base = mp.log1p(t * gap / self.A)
            for j, factor in enumerate(factors):
                total += mp.re(factor * -mp.expm1(-(self.R + j) * log_base) / gap)
        for j, weight in enumerate(self.weights):
            R = self.R + j
            term, fewer = stages(0, R, self.A, t), mpf(0)
            for n in range(1, TERMS * self.k - j + 1):
                fewer += term
                term *= (R + n - 1) / n * t / (self.A + t)
                if (n + j) % self.k == 0:
                    total += weight * self.low[(n + j) // self.k - 1] * (1 - fewer)
        return total

    def rate(self, time):
        """Purchases per unit of time, `time` after T."""
        total = mpf(0)
        for gap, factors in self.picks:
            base, inner = 1 + time * gap / self.A, mpf(0)
            for j in range(self.k - 1, -1, -1):
                inner = inner / base + factors[j] * (self.R + j)
            total += mp.re(inner * mp.exp(-(self.R + 1) * mp.log(base))) / self.A
        for j, weight in enumerate(self.weights):
            R = self.R + j
            density = weight * R / (self.A + time) * mp.exp(-R * mp.log1p(time / self.A))  # of the next stage
            for n in range(1, TERMS * self.k - j + 1 if self.low[0] else 0):
                if (n + j) % self.k == 0:
                    total += self.low[(n + j) // self.k - 1] * density
                density *= (R + n) / n * time / (self.A + time)
        return total

    def discounted(self, t, rate, step):
        """Purchases in t, discounted at `rate`."""
        scale = min(self.A / max(self.R, 1), 1 / rate)
        end = min(mpf(t), 90 / rate)
        return integral(lambda time: mp.exp(-rate * time) * self.rate(time), end, scale, step)

    def exactly(self, n, t):
        """P(n purchases in t): all n survived, or the customer lost with the last of them."""
        total = mpf(0)
        for j, weight in enumerate(self.weights):
            R = self.R + j
            lower = n * self.k - j
            inside = [stages(i, R, self.A, t) for i in range(max(lower, 0), lower + self.k)]
            inner = share(self.a, self.b, 0, n) * mp.fsum(inside)
            if n:
                inner += share(self.a, self.b, 1, n - 1) * stages_from(lower, R, self.A, t)
            total += weight * inner
        return total


def at_purchase(parameters, at_zero, history, t, rate, n, step):
    """Log-likelihood, p_alive, purchases and pmf; at_zero is 1 where the first purchase may be the last."""
    r, alpha, a, b, k = (*map(mpf, parameters[:4]), parameters[4])
    x, t_x, T = (history[0], *map(mpf, history[1:]))
    chances, R, A = x + at_zero, r + k * x, alpha + T
    silent = []  # alive, by stage: relative to Γ(R)/Γ(r)·alpha^r·A^−R
    for j in range(k):
        silent.append(mp.rf(R, j) / mp.factorial(j) * ((T - t_x) / A) ** j)
    lasting = share(a, b, 0, chances) * mp.fsum(silent)
    left = share(a, b, 1, chances - 1) * mp.exp(R * mp.log(A / (alpha + t_x))) if chances else mpf(0)
    likelihood = mp.loggamma(R) - mp.loggamma(r) - r * mp.log1p(T / alpha) - k * x * mp.log(A)
    likelihood += mp.log(lasting + left)
    alive = lasting / (lasting + left)
    weights = [part / mp.fsum(silent) for part in silent]
    purchases = pmf = None
    if rate is not None or n is not None:
        ahead = Ahead(weights, R, A, a, b + chances, step)
    if rate == 0:
        purchases = alive * ahead.expected(mpf(t))
    elif rate is not None:
        purchases = alive * ahead.discounted(t, mpf(rate), step)
    if n is not None:
        pmf = alive * ahead.exactly(n, mpf(t)) + (left / (lasting + left) if n == 0 else 0)
    return likelihood, alive, purchases, pmf


def precise(rate):
    """Digits to work with: a short horizon makes the picked terms cancel; a discounted mean is dear."""
    return 30 if rate else 60


def mbg_nbd(parameters, history, t, rate, n, step):
    """A chance to leave after every purchase, the first included."""
    with mp.workdps(precise(rate)):
        return at_purchase((*parameters, 1), 1, history, t, rate, n, step)


def bg_cnbd(parameters, history, t, rate, n, step):
    """Gaps of k stages; a chance to leave after every repeat purchase."""
    with mp.workdps(precise(rate)):
        return at_purchase(parameters, 0, history, t, rate, n, step)


def mbg_cnbd(parameters, history, t, rate, n, step):
    """Gaps of k stages; a chance to leave after every purchase, the first included."""
    with mp.workdps(precise(rate)):
        return at_purchase(parameters, 1, history, t, rate, n, step)
