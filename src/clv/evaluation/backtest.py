"""A hold-out: each contender forecasts what the customers of a cut date spent afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.data.engines import fetch
from clv.data.holdout import Holdout
from clv.errors import ConfigError, FitError
from clv.evaluation import metrics
from clv.evaluation.baselines import BASELINES, OWN, OWN_WITH_FIRST, alike
from clv.evaluation.inputs import formula_inputs
from clv.fitting.inference import MAXIMUM_LIKELIHOOD, Inference
from clv.fitting.result import Fit
from clv.forecasting import simple
from clv.forecasting.customers import Forecast, forecast
from clv.forecasting.economics import Churn, Economics
from clv.models.bg_nbd import BGNBD
from clv.models.gamma_gamma import GammaGamma
from clv.units import measured

if TYPE_CHECKING:
    import pandas as pd

MODEL = "Model"
OTHER = "Other small segments"
MAX_BIN = 7  # customers with this many repeat purchases or more share a bin


@dataclass(frozen=True, eq=False, repr=False)
class HoldoutResult:
    """How the contenders did, in revenue, on the customers known at the cut.

    `contenders` is indexed by name: forecast, actual, error. `individual`, for those who forecast each
    customer: mae, top_decile (share of actual spend), gini. `calibration` by repeat purchases at the
    cut: customers, forecast and actual purchases a customer.
    """

    holdout: Holdout
    purchase: Fit
    spend: Fit
    forecast: Forecast
    economics: Economics
    contenders: pd.DataFrame
    individual: pd.DataFrame
    calibration: pd.DataFrame

    def __repr__(self) -> str:
        span = f"{self.holdout.cut} to {self.holdout.end}"
        return f"<HoldoutResult: {span}, model {measured(self.model_error, '+')} in total>"

    @property
    def actual_spend(self) -> float:
        """Revenue of the hold-out from customers known at the cut."""
        return float(self.contenders["actual"].iloc[0])

    @property
    def model_error(self) -> float:
        """Total error of the model, as a share of the actual."""
        return float(self.contenders["error"][MODEL])

    @cached_property
    def whole(self) -> pd.DataFrame:
        """The totals of all customers, as the one row of such a table."""
        return self.by_segment(None)

    def by_segment(self, by: str | None, pooled: Sequence[str] = ()) -> pd.DataFrame:
        """Forecasts and actual revenue of each segment, or of the whole base, indexed by segment.

        Segments in `pooled` count as one.
        """
        import ibis

        expected = self.forecast
        if by and pooled:
            column = expected.table[by]
            expected = expected.with_columns(**{by: ibis.ifelse(column.isin(list(pooled)), OTHER, column)})
        return _totals(expected, self.holdout, self.economics.churn_rule(), by)


def evaluate_holdout(
    holdout: Holdout,
    economics: Economics,
    inference: Inference = MAXIMUM_LIKELIHOOD,
    model: type[Any] = BGNBD,
) -> HoldoutResult:
    """Fit at the cut, forecast the hold-out, and set run-rates and both formulas beside it.

    Everything is revenue: of `economics` only the churn rule of formula 2 plays a part. Raises
    ConfigError C007 when the calibration period cannot be fitted.
    """
    import pandas as pd

    try:
        purchase, spend = (inference.fit(kind, holdout.rfm) for kind in (model, GammaGamma))
    except FitError as error:
        raise ConfigError(
            f"C007 holdout leaves too little to learn from up to {holdout.cut}: {error.messages[0][5:]} "
            "Move the cut."
        ) from error
    length = f"{holdout.days}d"  # however long: what came is there to compare
    expected = forecast(
        purchase, spend, holdout.rfm, length, margin=1.0, discount=0.0, allow_extrapolation=True
    )
    totals = _totals(expected, holdout, economics.churn_rule(), None).iloc[0]
    actual = totals["actual"]
    names = [name for name in totals.index if name not in ("customers", "actual")]
    contenders = pd.DataFrame({"forecast": totals[names], "actual": actual})
    contenders["error"] = [metrics.total_error(v, actual) for v in contenders["forecast"]]
    individual, calibration = _per_customer(expected, holdout)
    return HoldoutResult(holdout, purchase, spend, expected, economics, contenders, individual, calibration)


def _totals(expected: Forecast, holdout: Holdout, churn: Churn, by: str | None) -> pd.DataFrame:
    """Total revenue forecast by each contender, and the actual, a row a segment."""
    import pandas as pd

    days, t = holdout.days, expected.table
    sums = {"model": t.clv_mean.sum(), "actual": t.actual_spend.sum() / 10.0**holdout.rfm.digits}
    i = formula_inputs(expected.base, churn, days, by, **sums)
    first = fetch(t.aggregate(first=t.first_date.min())).to_pylist()[0]["first"]
    calendar = (holdout.cut - first).days + 1
    own = {OWN: i.own_rate, OWN_WITH_FIRST: i.own_rate_with_first}
    found = {MODEL: i.model, **own, **alike(i, churn, days, calendar)}
    frame = pd.DataFrame({"customers": i.customers, "actual": i.actual, **found})
    return frame[["customers", "actual", MODEL, *BASELINES]]


def _per_customer(expected: Forecast, holdout: Holdout) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    t, scale = expected.table, 10.0**holdout.rfm.digits
    spend = (t.repeat_spend + t.first_amount) / scale
    age = t["T"].cast("float64")
    columns = fetch(
        t.select(
            x=t.frequency,
            purchases=t.expected_purchases,
            model=t.clv_mean,
            own=simple.own_rate(t.frequency, age.clip(lower=1), spend, holdout.days),
            own_first=simple.own_rate_with_first(
                age.clip(lower=simple.CUSTOMER_MIN_DAYS), spend, holdout.days
            ),
            actual=t.actual_spend / scale,
            actual_purchases=t.actual_purchases,
        )
    )
    c: dict[str, Any] = {name: columns[name].to_numpy().astype(float) for name in columns.column_names}
    scores = {
        name: {
            "mae": metrics.mean_absolute_error(values, c["actual"]),
            "top_decile": metrics.top_share(values, c["actual"]),
            "gini": metrics.normalised_gini(values, c["actual"]),
        }
        for name, values in (
            (MODEL, c["model"]),
            (OWN, c["own"]),
            (OWN_WITH_FIRST, c["own_first"]),
        )
    }
    bins = np.minimum(c["x"], MAX_BIN).astype(int)
    count = np.bincount(bins, minlength=MAX_BIN + 1)
    calibration = pd.DataFrame({"customers": count})
    with np.errstate(invalid="ignore"):
        for name, column in (("forecast", "purchases"), ("actual", "actual_purchases")):
            calibration[name] = np.bincount(bins, c[column], minlength=MAX_BIN + 1) / count
    calibration.index = pd.Index([*map(str, range(MAX_BIN)), f"{MAX_BIN}+"], name="repeat purchases")
    return pd.DataFrame(scores).T, calibration[calibration["customers"] > 0]
