"""How far to correct the level of a forecast by what came of the same forecast a year earlier.

On real logs the square root of actual ÷ forecast, of the same season and horizon, brought totals nearer and
never cost much; the whole factor, or another season's, can do great harm.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from clv.units import measured

FEWEST = 2  # origins that must have shown what a correction does


def factor(actual: float, forecast: float) -> float | None:
    """Square root of actual ÷ forecast; None where one of them is nothing."""
    return float(np.sqrt(actual / forecast)) if actual > 0 and forecast > 0 else None


@dataclass(frozen=True)
class Level:
    """What to multiply values of a forecast from as_of by, and their bands: 1 unless correcting has helped.

    `measured` is the factor of the year before as_of, None where the log is too short; `without` and
    `with_it` are mean absolute errors of totals at the `origins` that could be corrected. `misses` are
    ln(actual ÷ forecast) of the totals of all origins, corrected if the rule says to correct.
    """

    measured: float | None
    origins: int
    without: float
    with_it: float
    misses: tuple[float, ...] = ()

    @property
    def helped(self) -> bool:
        """Whether the rule says to correct: two origins at least, and nearer totals on average."""
        return self.measured is not None and self.origins >= FEWEST and self.with_it < self.without

    @property
    def factor(self) -> float:
        """The factor by the rule."""
        return self.measured if self.measured is not None and self.helped else 1.0

    @property
    def range(self) -> tuple[float, float, float]:
        """5 %, the factor, and 95 % of what values come to, as far as past misses tell; see `Backtest`.

        Misses are taken for normal around nothing: what comes has a t distribution of as many degrees.
        """
        if not self.misses:
            return self.factor, self.factor, self.factor
        spread = np.sqrt(np.mean(np.square(self.misses)))
        reach = float(np.exp(stdtrit(len(self.misses), 0.95) * spread))
        return self.factor / reach, self.factor, self.factor * reach

    def sentence(self, name: str) -> str:
        """What the year before would do to forecasts as long as a window, and whether the rule lets it."""
        head = f"Level of {name}"
        if self.measured is None:
            return f"{head}: not corrected, for no window a year before as_of has as much log before it."
        way = "raise" if self.measured > 1 else "lower"
        seen = f"the year before would {way} it by {measured(abs(self.measured - 1))}"
        if self.origins < FEWEST:
            return (
                f"{head}: not corrected. {seen[:1].upper()}{seen[1:]}, but the rule asks for {FEWEST} "
                f"origins with a window a year earlier; got {self.origins}."
            )
        off = (
            f"over {self.origins} origins totals were {measured(self.without)} off on average, and "
            f"{measured(self.with_it)} when corrected so"
        )
        if self.helped:
            return f"{head}: {seen} in forecasts as long as a window, and by the rule may: {off}."
        return f"{head}: not corrected. {seen[:1].upper()}{seen[1:]}, but {off}."


def level(measured: float | None, factors: Mapping[object, float], errors: Mapping[object, float]) -> Level:
    """Apply the rule: `factors` and signed `errors` of totals, uncorrected, by origin."""
    known = [origin for origin in factors if not np.isnan(errors[origin])]
    before = np.array([errors[origin] for origin in known])
    after = np.array([factors[origin] for origin in known]) * (1 + before) - 1
    sizes = [float(np.abs(found).mean()) if len(known) else float("nan") for found in (before, after)]
    found = Level(measured, len(known), sizes[0], sizes[1])
    whole = after if found.helped else np.array([e for e in errors.values() if not np.isnan(e)])
    misses = tuple(float(v) for v in -np.log1p(whole[whole > -1]))
    return dataclasses.replace(found, misses=misses)
