"""What a back-test returns: its tables, its verdict, and what follows for a forecast."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from clv.evaluation.choice import ModelChoice
from clv.evaluation.levels import Level, level
from clv.fitting.result import Fit

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """How contenders did at each origin, all in revenue, and what follows.

    table : a row an origin and contender: every score of `purchases_…` and `value_…`, brier, level
    summary : a row a contender: means over origins; `…_error` the mean absolute error of totals, with its
        standard error `…_error_se`, `…_bias` the mean error, `…_far` origins more than 25 % off
    calibration : tenths of customers by forecast: mean forecast and mean actual
    p_purchase : the same of the probability of a purchase
    tracking : purchases and value of each step of a window, and up to it
    pit : shares of customers by where their actual lies in the forecast distribution; flat is right
    choice, reason : the model to forecast with, and why
    levels : by model, what to multiply values of a forecast from as_of by
    fits : by cut and name
    likelihood : with models="auto", the table by which the likelihood chose
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    calibration: pd.DataFrame
    p_purchase: pd.DataFrame
    tracking: pd.DataFrame
    pit: pd.DataFrame
    verdict: str
    choice: str
    reason: str
    levels: dict[str, Level]
    fits: dict[dt.date, dict[str, Fit]]
    likelihood: ModelChoice | None
    notes: tuple[str, ...]

    @property
    def level_factor(self) -> float:
        """What to multiply values of a forecast by `choice` from as_of by, and their bands."""
        return self.levels[self.choice].factor

    @property
    def level_range(self) -> tuple[float, float, float]:
        """The same with 5 and 95 %, by how far totals of past origins were off: for `clv.forecast(level=…)`.

        Of few origins it is wide, and it says nothing of a break that has not happened yet; a longer horizon
        than that of the back-test may well be missed by more.
        """
        return self.levels[self.choice].range

    @property
    def spread(self) -> tuple[float, float, float]:
        """The same around 1: for forecasts of other lengths, whose level this window cannot correct."""
        errors = self.table[self.table["contender"] == self.choice].set_index("origin")["value_error"]
        return level(None, {}, errors.to_dict()).range

    @property
    def _shown(self) -> pd.DataFrame:
        return self.summary[[name for name in _SHOWN if name in self.summary.columns]]

    def __repr__(self) -> str:
        shown = self._shown.to_string(formatters=_SHOWN, na_rep="–")
        notes = "\n".join(f"- {note}" for note in (self.reason, *self.notes))
        return f"{shown}\n\n{self.verdict}\n\n{notes}"

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in (self.reason, *self.notes))
        shown = self._shown.to_html(formatters=_SHOWN, na_rep="–")
        return f"{shown}<p><strong>{escape(self.verdict)}</strong></p><ul>{notes}</ul>"


_PERCENT, _SIGNED, _PLAIN = "{:.1%}".format, "{:+.1%}".format, "{:.3f}".format
_SHOWN = {
    "value_error": _PERCENT,
    "value_error_se": _PERCENT,
    "value_bias": _SIGNED,
    "value_gini": _PLAIN,
    "value_top10": _PERCENT,
    "value_decile_mape": _PERCENT,
    "value_mae": "{:,.2f}".format,
    "value_rmse": "{:,.2f}".format,
    "value_crps": "{:,.2f}".format,
    "value_coverage90": _PERCENT,
    "value_total_inside90": _PERCENT,
    "purchases_bias": _SIGNED,
    "purchases_coverage90": _PERCENT,
    "brier": _PLAIN,
}
