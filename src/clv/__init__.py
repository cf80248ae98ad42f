"""Customer lifetime value: from a transaction log to numbers a budget can stand on.

>>> import clv
>>> orders = clv.Transactions(clv.datasets.load_cdnow(), as_of="1998-06-30", duplicates="keep")
>>> rfm = orders.rfm()
>>> purchase, spend = clv.fit(clv.BGNBD, rfm), clv.fit(clv.GammaGamma, rfm)
>>> forecast = clv.forecast(purchase, spend, rfm, horizon="12m", margin=0.30, discount=0.10)
>>> forecast.customers().to_pandas()  # one row per customer
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from clv import datasets as datasets
    from clv.data.contract import Transactions as Transactions
    from clv.data.holdout import split as split
    from clv.data.holdout import splits as splits
    from clv.data.renewals import Renewals as Renewals
    from clv.data.rfm import RFM as RFM
    from clv.data.segments import RFMCuts as RFMCuts
    from clv.errors import ClvError as ClvError
    from clv.errors import ConfigError as ConfigError
    from clv.errors import DataError as DataError
    from clv.errors import FitError as FitError
    from clv.errors import OutputError as OutputError
    from clv.evaluation.backtest import evaluate_holdout as evaluate_holdout
    from clv.evaluation.choice import compare_models as compare_models
    from clv.evaluation.compare import compare as compare
    from clv.evaluation.pooling import compare_pooling as compare_pooling
    from clv.evaluation.predictive import posterior_predictive as posterior_predictive
    from clv.evaluation.predictive import prior_predictive as prior_predictive
    from clv.evaluation.rolling import backtest as backtest
    from clv.evaluation.sensitivity import prior_sensitivity as prior_sensitivity
    from clv.evaluation.study import study as study
    from clv.fitting import nuts as nuts
    from clv.fitting.fit import fit as fit
    from clv.fitting.inference import Inference as Inference
    from clv.fitting.lifetimes import from_lifetimes as from_lifetimes
    from clv.fitting.priors import priors as priors
    from clv.fitting.result import Fit as Fit
    from clv.forecasting.customers import forecast as forecast
    from clv.forecasting.drift import drift as drift
    from clv.forecasting.economics import Economics as Economics
    from clv.models import *  # noqa: F403
    from clv.models.histories import GapHistory as GapHistory
    from clv.models.histories import OpportunityHistory as OpportunityHistory
    from clv.models.histories import PurchaseHistory as PurchaseHistory
    from clv.models.histories import RetentionHistory as RetentionHistory
    from clv.models.histories import SpendHistory as SpendHistory
    from clv.planning.ratios import unit_economics as unit_economics
    from clv.planning.response import ResponseCurve as ResponseCurve
    from clv.planning.response import Spending as Spending
    from clv.planning.spending import budget as budget
    from clv.planning.steps import bridge as bridge
    from clv.planning.what_ifs import scenarios as scenarios
    from clv.reporting.figures import show as show
    from clv.reporting.reviews import review as review

_MODULES = {"datasets": "clv.datasets", "nuts": "clv.fitting.nuts"}
_HOMES = {
    "ClvError": "clv.errors",
    "ConfigError": "clv.errors",
    "DataError": "clv.errors",
    "Economics": "clv.forecasting.economics",
    "Fit": "clv.fitting.result",
    "FitError": "clv.errors",
    "GapHistory": "clv.models.histories",
    "Inference": "clv.fitting.inference",
    "OpportunityHistory": "clv.models.histories",
    "OutputError": "clv.errors",
    "PurchaseHistory": "clv.models.histories",
    "RFM": "clv.data.rfm",
    "RFMCuts": "clv.data.segments",
    "Renewals": "clv.data.renewals",
    "ResponseCurve": "clv.planning.response",
    "RetentionHistory": "clv.models.histories",
    "SpendHistory": "clv.models.histories",
    "Spending": "clv.planning.response",
    "Transactions": "clv.data.contract",
    "backtest": "clv.evaluation.rolling",
    "bridge": "clv.planning.steps",
    "budget": "clv.planning.spending",
    "compare": "clv.evaluation.compare",
    "compare_models": "clv.evaluation.choice",
    "compare_pooling": "clv.evaluation.pooling",
    "drift": "clv.forecasting.drift",
    "evaluate_holdout": "clv.evaluation.backtest",
    "fit": "clv.fitting.fit",
    "forecast": "clv.forecasting.customers",
    "from_lifetimes": "clv.fitting.lifetimes",
    "posterior_predictive": "clv.evaluation.predictive",
    "prior_predictive": "clv.evaluation.predictive",
    "prior_sensitivity": "clv.evaluation.sensitivity",
    "priors": "clv.fitting.priors",
    "review": "clv.reporting.reviews",
    "scenarios": "clv.planning.what_ifs",
    "show": "clv.reporting.figures",
    "split": "clv.data.holdout",
    "splits": "clv.data.holdout",
    "study": "clv.evaluation.study",
    "unit_economics": "clv.planning.ratios",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: `import clv` alone stays light."""
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name == "__all__":
        return ["__version__", *_MODULES, *_HOMES, *_models()]
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif not name.startswith("_") and name in _models():
        value = getattr(importlib.import_module("clv.models"), name)
    else:
        raise AttributeError(f"module 'clv' has no attribute {name!r}")
    globals()[name] = value
    return value


def _models() -> list[str]:
    """Names of the models: the classes in their catalogue."""
    return [
        name for name, value in vars(importlib.import_module("clv.models")).items() if isinstance(value, type)
    ]


def __dir__() -> list[str]:
    return sorted(__getattr__("__all__"))
