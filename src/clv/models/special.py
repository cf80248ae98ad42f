"""Special functions and quadrature that stay accurate where the textbook forms cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, reduce

import numpy as np
from scipy.special import betainc, digamma, expit, gammaln

from clv.models.protocols import Array, Parameter

_LARGE = 32.0  # from here four terms of Stirling's series are exact to double precision
_OVERFLOW = 600.0  # e to more than this is kept as a log
_NODES = {-1: 8, 0: 16, 1: 32}  # in a panel, by how short and how flat the path is
_STRAIGHT = 2.0  # so many times 1/rate in which an exponential needs no nodes of its own
_PANEL = 8.0  # what so many nodes span where features are one wide: error 2e-11 for e^(−e^v)
_DIRECT = 128  # terms that are added one by one before a sum is an integral
_BLOCK = 24_576  # nodes at a time: what a core keeps close


def log_rising(z: Parameter, n: Parameter) -> Array:
    """Log of Γ(z + n)/Γ(z), ln Γ(z + n) − ln Γ(z) for z > 0, n ≥ 0.

    Relative error below 1e-13 also at z = 10⁹, where the difference of two log-gammas keeps no digit.
    """
    z, n = np.asarray(z, dtype=float), np.asarray(n, dtype=float)
    if (z < _LARGE).all():
        return np.asarray(gammaln(z + n) - gammaln(z))
    far = np.maximum(z, _LARGE)

    def tail(y: Array) -> Array:
        inverse = 1 / (y * y)
        return (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / y

    series = (far - 0.5) * np.log1p(n / far) + n * (np.log(far + n) - 1) + tail(far + n) - tail(far)
    return np.where(z < _LARGE, gammaln(z + n) - gammaln(z), series)


def log_beta_rise(a: Parameter, b: Parameter, x: Parameter, y: Parameter) -> Array:
    """Log of B(a + x, b + y)/B(a, b): the chance of x given successes and y failures in a row.

    Each step is taken over the shorter of two equal rises, so that neither a, b nor x, y can be too large.
    """

    def step(a: Array, b: Array, y: Array) -> Array:  # ln B(a, b + y)/B(a, b)
        few = y <= a
        rise = log_rising(b, np.where(few, y, a))
        return rise - log_rising(np.where(few, a + b, b + y), np.where(few, y, a))

    a, b, x, y = (np.asarray(v, dtype=float) for v in (a, b, x, y))
    return step(b, a, x) + step(a + x, b, y)


def digamma_rise(z: Parameter, n: Parameter) -> Array:
    """ψ(z + n) − ψ(z) for z > 0, n ≥ 0; accurate for large z like `log_rising`."""
    z, n = np.asarray(z, dtype=float), np.asarray(n, dtype=float)
    if (z < _LARGE).all():
        return np.asarray(digamma(z + n) - digamma(z))
    far = np.maximum(z, _LARGE)

    def tail(y: Array) -> Array:
        inverse = 1 / (y * y)
        return inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse / 240)))

    series = np.log1p(n / far) + n / (2 * far * (far + n)) - tail(far + n) + tail(far)
    return np.where(z < _LARGE, digamma(z + n) - digamma(z), series)


@lru_cache(maxsize=8)
def unit_nodes(count: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss–Legendre quadrature on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def beta_mean(kernel: Callable[[Array], Array], a: Parameter, b: Parameter, bend: Array) -> Array:
    """Mean over p ~ Beta(a, b) of a smooth kernel(p) that is flat where p ≪ `bend`.

    256 Gauss–Legendre nodes in logit(p), 64 where a and b are large, over the range that holds all but
    e^(−40) of the density, or outside which the kernel is flat: there the incomplete beta function stands
    for the rest, so that a → 0 and b → 0 are safe.
    Relative error below 2e-9. The kernel gets an array with a leading axis of nodes.
    """
    a, b, bend = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (a, b, bend)))
    centre, spread = np.log(a / b), np.sqrt(1 / a + 1 / b)
    high = np.minimum(centre + 9 * spread + 40 / b, 40.0)
    low = np.minimum(np.maximum(np.log(bend) - 35, centre - 9 * spread - 40 / a), high - 1e-3 * spread)
    nodes, weights = unit_nodes(64 if np.minimum(a, b).min(initial=np.inf) > 30 else 256)
    shape = (-1,) + (1,) * a.ndim
    u = low + (high - low) * nodes.reshape(shape)
    log_p, away = -np.logaddexp(0, -u), u - centre
    # Logs of p and 1 − p against the centre: of large a and b each alone would leave no digit.
    more, less = softplus_ratio(away, 1 + b / a), softplus_ratio(-away, 1 + a / b)
    density = np.exp(-a * less - b * more) * weights.reshape(shape)
    mass = density.sum(axis=0)
    middle = (density * kernel(np.exp(log_p))).sum(axis=0) / np.where(mass > 0, mass, 1.0)
    below, above = betainc(a, b, expit(low)), betainc(b, a, expit(-high))
    ends = below * kernel(expit(low)[None])[0] + above * kernel(expit(high)[None])[0]
    return np.asarray(ends + (1 - below - above) * middle)


def softplus_ratio(u: Parameter, beta: Parameter) -> Array:
    """Log of 1 + (e^u − 1)/beta for u ≥ 0 or beta ≥ 1: no overflow, relative accuracy at small u."""
    u, beta = np.asarray(u, dtype=float), np.asarray(beta, dtype=float)
    near = np.log1p(np.expm1(np.minimum(u, _OVERFLOW)) / beta)
    return np.where(u < _OVERFLOW, near, u - np.log(beta))


def over_time(
    summed: Callable[..., Array],
    low: Parameter,
    high: Parameter,
    scale: Parameter,
    rate: Parameter,
    *columns: Parameter,
    width: Parameter = 1.0,
    drop: Parameter = 40.0,
) -> Array:
    """Integrals from `low` to `high` of functions that bend over `scale` near `low`, over 1/`rate` later.

    Gauss–Legendre nodes, even in the log of (time − low + scale) at first, in time where that passes
    1/rate, and as many as that path is long in units of `width`, the extent of the narrowest feature on it,
    and as the log of the function falls by `drop`, 40 at most.
    `summed(y, w, *columns)` gets the nodes and their weights, (nodes, rows), and returns (…, rows). All
    other arguments are broadcast; the result has their shape behind what `summed` puts in front.
    """
    shape, (low, high, scale, rate, width, drop, *rest) = _flat(low, high, scale, rate, width, drop, *columns)
    scale, length = np.maximum(scale, 1e-300), np.maximum(high - low, 0.0)
    rate = np.where(rate * length > _STRAIGHT, rate, 0.0)
    path = _path(length, scale, rate)
    panels = 2 ** np.ceil(np.log2(np.maximum(path / (_PANEL * width), 1))).astype(int)
    panels[(path < 3 * width) & (drop < 18)] = 0  # half the nodes give 13 digits,
    panels[(path < 1.25 * width) & (drop < 2)] = -1  # and a quarter gives 12
    result: Array | None = None
    kinds = 2 * panels + (rate > 0)
    for kind in np.unique(kinds):
        nodes, weights = _panel_nodes(int(kind // 2))
        rows = np.flatnonzero(kinds == kind)
        size = max(1, _BLOCK // len(nodes))
        for some in np.split(rows, range(size, len(rows), size)):
            y, slope = _along(path[some] * nodes, scale[some], rate[some])
            found = summed(low[some] + y, path[some] * slope * weights, *(column[some] for column in rest))
            if result is None:
                result = np.empty((*found.shape[:-1], len(path)))
            result[..., some] = found
    if result is None:  # no rows: only the leading axes are asked
        result = summed(*np.empty((2, 1, 0)), *(np.empty(0) for _ in rest))
    return result.reshape(*result.shape[:-1], *shape)


@lru_cache(maxsize=32)
def _panel_nodes(panels: int) -> tuple[Array, Array]:
    """Nodes on [0, 1], a set in each of so many equal panels; smaller sets for 0 and -1."""
    nodes, weights = unit_nodes(_NODES[min(panels, 1)])
    panels = max(panels, 1)
    starts = np.arange(panels)[:, None]
    return ((starts + nodes) / panels).ravel()[:, None], np.tile(weights / panels, panels)[:, None]


def _path(length: Array, scale: Array, rate: Array) -> Array:
    """Length of a stretch of time on the scale that `_along` walks evenly."""
    bent = rate > 0
    path = np.log1p(length / scale)
    knee = rate[bent] * scale[bent] / (1 + rate[bent] * scale[bent])
    path[bent] = softplus_ratio(rate[bent] * length[bent], knee)
    return path


def _along(v: Array, scale: Array, rate: Array) -> tuple[Array, Array]:
    """Time at v, and its slope there; the rates are all 0 or all above."""
    if not rate.any():
        grown = scale * np.exp(v)
        return grown - scale, grown
    knee = rate * scale / (1 + rate * scale)
    return softplus_ratio(v, 1 / knee) / rate, knee / (rate * (knee - (knee - 1) * np.exp(-v)))


def log_sum(logs: Sequence[Array]) -> tuple[Array, list[Array]]:
    """Log of the sum of exponentials, and the share of each; absolute error 1e-16.

    At least one must be finite. `logaddexp` does the same without vector instructions.
    """
    top = reduce(np.maximum, logs)
    parts = [np.exp(log - top) for log in logs]
    total = reduce(np.add, parts)
    return top + np.log(total), [part / total for part in parts]


def sum_over_periods(
    f: Callable[..., Array], first: Parameter, last: Parameter, *columns: Parameter, width: Parameter = 1.0
) -> Array:
    """Sum f(i, *columns) over whole i from `first` to `last`, for a smooth f of terms that fade.

    128 terms one by one; the rest by the midpoint form of Euler and Maclaurin's formula, to the third
    derivative. All arguments are broadcast.
    """

    def sums(first: Array, last: Array, width: Array, *columns: Array) -> Array:
        i = first + np.arange(_DIRECT)[:, None]
        total = np.where(i <= last, f(np.minimum(i, last), *columns), 0.0).sum(axis=0)
        low, long = first + _DIRECT - 0.5, last >= first + _DIRECT
        if long.any():
            rest = [column[long] for column in columns]
            low, high = low[long], last[long] + 0.5
            area = over_time(
                lambda y, w, *c: (w * f(y, *c)).sum(axis=0), low, high, low, 0.0, *rest, width=width[long]
            )
            total[long] += area + _correction(f, high, rest) - _correction(f, low, rest)
        return total

    return in_blocks(sums, 1024, first, last, width, *columns)


def _correction(f: Callable[..., Array], y: Array, columns: Sequence[Array]) -> Array:
    """−f′/24 + 7·f‴/5760 by differences of f at whole steps about y."""
    near, far = (f(y + d, *columns) - f(y - d, *columns) for d in (0.5, 1.5))
    return np.asarray(-near / 24 + 17 / 5760 * (far - 3 * near))


def in_blocks(f: Callable[..., Array], size: int, *columns: Parameter) -> Array:
    """Evaluate f on the broadcast columns, `size` elements at a time, so that its nodes fit in memory.

    What f returns may have axes in front of the elements.
    """
    shape, flat = _flat(*columns)
    parts = [f(*(column[i : i + size] for column in flat)) for i in range(0, flat[0].size, size)]
    parts = parts or [f(*flat)]
    return np.concatenate(parts, axis=-1).reshape(*parts[0].shape[:-1], *shape)


def _flat(*columns: Parameter) -> tuple[tuple[int, ...], list[Array]]:
    arrays = np.broadcast_arrays(*(np.asarray(c, dtype=float) for c in columns))
    return arrays[0].shape, [np.ravel(array) for array in arrays]
