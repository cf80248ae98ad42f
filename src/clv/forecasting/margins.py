"""What share of revenue is left as contribution: one for all, or by segment, with how sure it is."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clv.errors import ConfigError
from clv.forecasting.ranges import Range
from clv.models.protocols import Array
from clv.units import percent

type Share = float | Sequence[float]  # a margin, or (low, middle, high): 5, 50 and 95 %
type Margin = Share | Mapping[str, Share]

_MANY = 1000  # draws that the mean of a range is taken over
_SAME = 1e-9  # rounding of a mean
_ALL = ""  # the segment of a margin for all


@dataclass(frozen=True)
class Margins:
    """Low, middle and high (5, 50 and 95 %) by segment of the column `by`; one for all without a column.

    Raises ConfigError C002 for what is no share above 0 and at most 1, C001 for segments without a column.
    """

    shares: Mapping[str, tuple[float, float, float]]
    by: str | None = None

    @classmethod
    def of(cls, margin: Margin, by: str | None = None) -> Margins:
        """Read a margin, or margins by segment of a column."""
        given = margin if isinstance(margin, Mapping) else {_ALL: margin}
        wrong = [message for name, share in given.items() for message in _wrong(name, share)]
        unnamed = [name for name in given if not isinstance(name, str)]
        wrong += [f"C001 margin goes by names of segments, which are text; got {name!r}." for name in unnamed]
        if isinstance(margin, Mapping) != (by is not None):
            wrong.append(
                "C001 margin_by must name the segment column that margins are given by, and only then; got "
                f'{by!r}. Write margin={{"web": 0.3, "shop": 0.4}}, margin_by="channel".'
            )
        if wrong or not given:
            raise ConfigError(*wrong or ["C002 margin must be given for at least one segment; got none."])
        return cls({name: _three(share) for name, share in given.items()}, by)

    def check_segments(self, known: Collection[str]) -> None:
        """Raise ConfigError P001 for margins of segments that are none of `known`, or for one without any."""
        if self.by is None:
            return
        messages = []
        for name in sorted(set(self.shares) - set(known)):
            close = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            messages.append(f"P001 margin names a segment that no customer is in; got {name!r}.{hint}")
        missing = sorted(set(known) - set(self.shares))
        if missing:
            messages.append(f"P001 margin must be given for every {self.by}; none for {', '.join(missing)}.")
        if messages:
            raise ConfigError(*messages)

    def column(self, table: Any) -> Any:
        """Return the expected margin as an Ibis number, or column."""
        import ibis

        if self.by is None:
            return ibis.literal(self.expected(_ALL))
        cases = [(table[self.by] == name, self.expected(name)) for name in self.shares]
        return ibis.cases(*cases)

    def expected(self, segment: str) -> float:
        """Mean margin of a segment: the middle one, unless the range is lopsided."""
        _, middle, _ = self.shares[segment if self.by else _ALL]
        mean = float(self.drawn(segment, _MANY).mean())
        return middle if abs(mean - middle) < _SAME else mean

    def drawn(self, segment: str, draws: int) -> Array:
        """Margins of a segment in so many draws, the same for every total: two halves of normals."""
        name = segment if self.by else _ALL
        place = sorted(self.shares).index(name)
        return np.asarray(np.clip(Range(*self.shares[name]).drawn(draws, [place, 2]), 1e-6, 1.0))

    @property
    def words(self) -> str:
        """The margin for people: "30 % margin", "25 to 35 % margin", "margins by channel"."""
        if self.by:
            return f"margins by {self.by}"
        low, middle, high = self.shares[_ALL]
        return f"{percent(middle)} margin" + (f" ({percent(low)} to {percent(high)})" if low < high else "")


def _three(share: Share) -> tuple[float, float, float]:
    if isinstance(share, Sequence):
        low, middle, high = share
        return float(low), float(middle), float(high)
    return float(share), float(share), float(share)


def _wrong(name: str, share: Any) -> list[str]:
    of = f" of {name!r}" if name else ""
    if isinstance(share, Sequence) and not isinstance(share, str):
        if any(_wrong(name, one) for one in share):
            return [message for one in share for message in _wrong(name, one)]
        if len(share) != 3 or list(share) != sorted(share):
            return [f"C002 margin{of} must be one share, or low, middle and high; got {list(share)!r}."]
        return []
    if not isinstance(share, int | float) or isinstance(share, bool):
        return [f"C002 margin{of} must be a share above 0 and at most 1; got {share!r}."]
    if 0 < share <= 1:
        return []
    hint = f" Did you mean {share / 100:g}?" if 1 < share <= 100 else ""
    return [f"C002 margin{of} must be a share above 0 and at most 1; got {share:g}.{hint}"]
