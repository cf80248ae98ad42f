"""Tables that the figures of a back-test draw: of the model it chose, all origins together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from clv.evaluation.contenders import CALIBRATED
from clv.reporting.grid import Column, Table

if TYPE_CHECKING:
    from clv.evaluation.results import Backtest

ACTUAL = "Actual"
_LEVEL = 0.9


def tracking(test: Backtest, money: str = "") -> Table:
    """Revenue of each step of the windows: what happened, and the forecasts."""
    return _tracked(test, "tracking", "value", "Revenue as it came, and as it was forecast", money)


def cumulative(test: Backtest, money: str = "") -> Table:
    """Revenue up to each step, from the start of its window."""
    return _tracked(test, "cumulative", "cumulative_value", "Revenue since each forecast", money)


def _tracked(test: Backtest, name: str, column: str, title: str, money: str) -> Table:
    """Columns: origin, end, actual, model, and calibrated where the level was corrected."""
    rows = test.tracking
    shown = {"actual": ACTUAL, "model": test.choice, "calibrated": test.choice + CALIBRATED}
    wide = rows.pivot_table(index=["origin", "end"], columns="contender", values=column)
    known = {key: label for key, label in shown.items() if label in wide}
    frame = pd.DataFrame({key: wide[label] for key, label in known.items()}).reset_index()
    columns = (
        Column("origin", "Forecast made", "text"),
        Column("end", "Up to", "text"),
        *(Column(key, label, "money") for key, label in known.items()),
    )
    return Table(name, title, columns, frame, _basis(test, "revenue, undiscounted"), unit=money)


def deciles(test: Backtest, money: str = "") -> Table:
    """Revenue a customer by tenths of customers, as they were forecast: forecast and actual."""
    rows = _of_choice(test, test.calibration, "value")
    frame = _pooled(rows).assign(bin=lambda f: f["tenth"].astype(int).astype(str))
    columns = (
        Column("bin", "Tenth by forecast (10: the best)", "text"),
        Column("customers", "Customers", "count"),
        Column("forecast", "Forecast", "money"),
        Column("actual", "Actual", "money"),
    )
    title = "Did those forecast to bring most bring most?"
    basis = _basis(test, "revenue a customer, undiscounted")
    return Table("deciles", title, columns, frame, basis, unit=money)


def p_purchase(test: Backtest) -> Table:
    """Customers by their probability of an order: how many of them ordered, with a band for chance."""
    frame = _pooled(_of_choice(test, test.p_purchase, "p_purchase"))
    reach = norm.ppf((1 + _LEVEL) / 2) * np.sqrt(frame["actual"] * (1 - frame["actual"]) / frame["customers"])
    frame["low"], frame["high"] = (
        (frame["actual"] - reach).clip(lower=0),
        (frame["actual"] + reach).clip(upper=1),
    )
    columns = (
        Column("customers", "Customers", "count"),
        Column("forecast", "Forecast probability", "share"),
        Column("actual", "Share who ordered", "share"),
        Column("low", "5 %", "share"),
        Column("high", "95 %", "share"),
    )
    title = "Do forecast probabilities of an order come true?"
    return Table("p_purchase", title, columns, frame, _basis(test, "at least one order in the window"))


def pit(test: Backtest) -> Table:
    """Where actuals fell in customers' forecast distributions, in tenths: a tenth in each is right."""
    rows = test.pit[test.pit["contender"] == test.choice]
    wide = rows.pivot_table(index="bin", columns="quantity", values="share").reset_index()
    frame = wide.assign(row=[f"{100 * b:.0f}–{100 * b + 10:.0f}" for b in wide["bin"]])
    columns = (
        Column("row", "Percent of the forecast distribution", "text"),
        *(Column(name, label, "share") for name, label in _QUANTITIES if name in frame),
    )
    title = "Are the bands as wide as they should be?"
    basis = _basis(test, "shares of customers")
    return Table(
        "pit", title, columns, frame,
        f"{basis} Level: right. High at both ends: bands too narrow. High in the middle: too wide.",
    )  # fmt: skip


_QUANTITIES = (("purchases", "Orders"), ("value", "Revenue"))


def _of_choice(test: Backtest, rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    return rows[(rows["contender"] == test.choice) & (rows["quantity"] == quantity)]


def _pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over origins of forecast and actual by tenth, as a customer counts."""
    sums = rows.assign(**{name: rows[name] * rows["customers"] for name in ("forecast", "actual")})
    found = sums.groupby("tenth")[["customers", "forecast", "actual"]].sum()
    means: Any = found[["forecast", "actual"]].div(found["customers"], axis=0)
    return found.assign(**{name: means[name] for name in means}).reset_index()


def _basis(test: Backtest, what: str) -> str:
    rows: Any = test.table.drop_duplicates("origin")
    made = _listed([str(day) for day in rows["origin"]])
    return (
        f"{test.choice}, fitted to what was known on {made}; {what}, up to {rows['end'].max()}, of the "
        f"{_listed(list(dict.fromkeys(f'{n:,.0f}' for n in rows['customers'])))} customers known then."
    )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
