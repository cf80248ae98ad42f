"""Segments that formula and model rank differently, where chance does not explain it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from clv.forecasting.totals import ALL
from clv.planning.prospects import Prospect, band, money
from clv.units import in_words


def reversals(prospects: Sequence[Prospect]) -> list[str]:
    """Say which two segments change places from formula 1 to the model, the largest difference first.

    Both are contribution over the horizon before CAC; segments have 100 customers or more and a fit of
    their own, and the 90 % bands of the model do not overlap. Without draws there are no bands, and nothing
    is said.
    """
    large = [one for one in prospects if one.name != ALL and one.row["own_fit"] and not one.row["few"]]
    bands = {one.name: band(one.drawn(one.forecast.t)) for one in large}
    found = []
    for one, other in combinations(large, 2):
        low, high = sorted((one, other), key=lambda prospect: prospect.value)
        swapped = formula(low) > formula(high)
        if swapped and bands[low.name][1] < bands[high.name][0]:
            found.append((high.value - low.value, low, high))
    found.sort(key=lambda row: -row[0])
    return [_sentence(low, high, bands[low.name], bands[high.name]) for _, low, high in found]


def formula(prospect: Prospect) -> float:
    """Formula 1 over the horizon, before CAC."""
    return float(prospect.row["formula_1_within"])


def _sentence(low: Prospect, high: Prospect, least: Sequence[float], most: Sequence[float]) -> str:
    length, unit = in_words(low.forecast.horizon), low.forecast.rfm.currency
    lower, higher, by_low, by_high = (
        money(value, unit) for value in (formula(low), formula(high), low.value, high.value)
    )
    ends = [" to ".join(money(end, unit) for end in band) for band in (most, least)]
    return (
        f"Formula 1 ranks {low.name} above {high.name} ({lower} against {higher} over {length}, before CAC); "
        f"the model ranks {high.name} above {low.name} ({by_high} against {by_low}), and its 90 % bands do "
        f"not overlap ({', '.join(ends)}): it moves budget."
    )
