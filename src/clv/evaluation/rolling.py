"""The back-test: rolling origins, contenders side by side on the same customers, and a verdict by rule."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from clv.data.contract import Transactions
from clv.data.rfm import RFM
from clv.errors import ClvError, ConfigError, FitError
from clv.evaluation.candidates import AUTO, BY_LIKELIHOOD, Candidates, Models, asked, suggested
from clv.evaluation.contenders import (
    BLEND,
    CALIBRATED,
    Contender,
    Customers,
    Fitted,
    blended,
    simple_contenders,
)
from clv.evaluation.judging import Rows, judge
from clv.evaluation.levels import FEWEST, Level, factor, level
from clv.evaluation.origins import Earlier, Origin, moved, roll
from clv.evaluation.results import Backtest
from clv.evaluation.summary import summarise
from clv.evaluation.verdict import preferred, verdict
from clv.evaluation.yearly import NAME, Yearly, whole_years
from clv.fitting.inference import Inference
from clv.fitting.plan import refuse_unless_whole
from clv.fitting.result import Fit
from clv.forecasting.economics import Churn, Economics
from clv.models.gamma_gamma import GammaGamma
from clv.units import measured

if TYPE_CHECKING:
    import pandas as pd

LAPLACE = Inference("laplace")
MOST = 50_000  # customers whose forecast distributions are scored


def backtest(
    transactions: Transactions,
    models: Models = AUTO,
    *,
    origins: int = 4,
    horizon: str = "6m",
    spend: type[Any] = GammaGamma,
    inference: Inference = LAPLACE,
    churn: str | float = "inactive:180d",
    scored: int = MOST,
) -> Backtest:
    """Forecast from several past days, each as it was known then, and compare with what happened.

    Parameters
    ----------
    transactions : the log; as_of is where the last window ends
    models : purchase models, "auto", or [clv.BGNBD, (clv.BGCNBD, {"k": 2})], or such by name
        "auto" takes BG/NBD, MBG/NBD and Pareto/NBD; the likelihood chooses among them. Where purchases are
        regular a CNBD is tried, and chosen only if the verdict prefers it; where hardly anyone buys twice in
        a year, BG/BB on yearly opportunities, over horizons of whole years. Of several models their equal
        blend is a contender as well.
    origins : how many cuts, a horizon apart
    horizon : "6m", "13w", "90d": the length of each window
    spend : the spend model
    inference : how models are fitted; bands count what draws of the parameters differ in
        The first model is there with either choice of `first_order`: spend learnt from all orders, and from
        repeat orders alone.
    churn : how formula 2 learns a churn rate, as in `clv.Economics`
    scored : customers whose forecast distributions are scored, evenly taken: for CRPS, coverage and PIT

    Returns
    -------
    Backtest
        All contenders forecast the customers first seen on or before the cut; values are revenue, not
        discounted. A score alone ranks nobody: see `verdict`.

    Raises
    ------
    ConfigError C001, C004, C006, C007, C010, C012
        All settings that cannot be meant at once; C007 when no origin is left.
    """
    rule = _checked(transactions, models, origins, horizon, spend, inference, churn, scored)
    candidates = suggested(transactions.rfm()) if isinstance(models, str) else asked(models)
    known: Literal["included", "excluded"] = (
        "included" if transactions.rfm().knows_first_orders else "excluded"
    )
    first_order = inference.first_order or known
    run = _Run(candidates, spend, dataclasses.replace(inference, first_order=first_order), rule, scored)
    found, ahead = roll(transactions, horizon, origins)
    if len(found) < origins:
        run.notes.append(
            f"{len(found)} of {origins} origins: the others have less log before them than {horizon}."
        )
    if candidates.yearly and not whole_years(found[0].window.days):
        run.notes.append(Yearly(transactions.rfm()).sentence)
    for origin in found:
        run.judge(origin)
    return run.result(ahead)


def _checked(
    transactions: Any,
    models: Any,
    origins: Any,
    horizon: Any,
    spend: Any,
    inference: Any,
    churn: Any,
    scored: Any,
) -> Churn:
    """Return the churn rule; ConfigError with every setting that cannot be meant."""
    wrong: list[str] = []

    def tried[R](check: Callable[[], R]) -> R | None:
        try:
            return check()
        except ConfigError as error:
            wrong.extend(error.messages)
        return None

    if not isinstance(transactions, Transactions):
        wrong.append(
            f"C001 transactions must be a log; got {type(transactions).__name__}. An RFM table does not know "
            "what happened when. Write clv.Transactions(…)."
        )
    candidates = _NONE if models == AUTO else tried(lambda: asked(models)) or _NONE
    kinds = [model for model, _ in candidates.models.values()]
    tried(lambda: refuse_unless_whole(1, origins=origins, scored=scored))
    tried(lambda: _check_horizon(horizon, yearly=candidates.yearly))
    if not (isinstance(spend, type) and hasattr(spend, "expected_spend_terms")):
        wrong.append(f"C012 spend must be a spend model; got {spend!r}. Write clv.GammaGamma.")
    elif isinstance(inference, Inference):
        tried(lambda: inference.check(*kinds or BY_LIKELIHOOD, spend))
    if not isinstance(inference, Inference) or inference.held:
        wrong.append(
            f"C012 inference must be a clv.Inference, without held; got {inference!r}. What is held goes "
            'with its model: [(clv.BGCNBD, {"k": 2})].'
        )
    rule = tried(lambda: Economics(1.0, churn=churn).churn_rule())
    if wrong or rule is None:
        raise ConfigError(*wrong)
    return rule


_NONE = Candidates({}, ())


def _check_horizon(horizon: Any, *, yearly: bool) -> None:
    if isinstance(horizon, list | tuple):
        raise ConfigError(
            f"C010 horizon must be one length; got {list(horizon)!r}. Run a back-test for each."
        )
    first = dt.date(2001, 1, 1)
    if yearly and not whole_years((moved(first, horizon, 1) - first).days):
        raise ConfigError(
            f'C012 BGBB counts years here, so horizon must be whole ones; got {horizon!r}. Write "12m".'
        )


@dataclass
class _Run:
    """A back-test under way: fits by cut, rows of its tables, and levels by model and cut."""

    candidates: Candidates
    spend: type[Any]
    inference: Inference
    churn: Churn
    scored: int
    fits: dict[dt.date, dict[str, Fit]] = field(default_factory=dict)
    rows: Rows = field(default_factory=Rows)
    notes: list[str] = field(default_factory=list)
    factors: dict[str, dict[object, float]] = field(default_factory=dict)

    def judge(self, origin: Origin) -> None:
        """Let all contenders forecast an origin; one at which a fit fails is left out, and noted."""
        customers, window = self.customers(origin.rfm), origin.window
        try:
            models = self.models(origin.rfm, customers, window.days)
        except FitError as error:
            self.notes.append(f"The origin {window.cut} is left out: {error.messages[0]}")
            return
        levels = self.measured(origin.earlier)
        for name, found in levels.items():
            self.factors.setdefault(name, {})[window.cut] = found
        leveled = [c.calibrated(levels.get(c.name, 1.0)) for c in models]
        baselines = simple_contenders(origin.rfm, customers, self.churn, window.days)
        contenders = [*models, *self.yearly(origin, models[0]), *leveled, *baselines]
        judge(origin, contenders, customers, self.rows, self.scored)
        try:
            self.judge_other_spend(origin)
        except ClvError as error:
            self.notes.append(f"No other spend at {window.cut}: {error.messages[0]}")
        if len(customers) > self.scored:
            some = f"{self.scored:,} of {len(customers):,} customers"
            self.notes.append(f"At {window.cut} forecast distributions are scored of {some}.")

    def yearly(self, origin: Origin, first: Contender) -> list[Contender]:
        """Return BG/BB on yearly opportunities, where it is to be tried and the window has whole years."""
        if not self.candidates.yearly or not whole_years(origin.window.days):
            return []
        try:
            return [Yearly(origin.rfm).contender(first, self.inference, origin.window.days)]
        except FitError as error:
            self.notes.append(f"No {NAME} at {origin.window.cut}: {error.messages[0]}")
            return []

    def judge_other_spend(self, origin: Origin) -> None:
        """Let the first model forecast an origin with spend learnt from the other choice of orders."""
        first, other = self.candidates.first, _OTHER[self.inference.first_order or ""]
        fit = dataclasses.replace(self.inference, first_order=other).fit(self.spend, origin.rfm)
        customers = Customers.of(origin.rfm, first_orders=other == "included")
        fitted = Fitted(self.fits[origin.window.cut][first], fit, origin.rfm, origin.window.days)
        contender = fitted.contender(first + _LEARNT[other], customers)
        judge(origin, [contender], customers, self.rows, self.scored)

    def customers(self, rfm: RFM) -> Customers:
        """Return the customers of a base, with the spend that the spend model goes by."""
        return Customers.of(rfm, first_orders=self.inference.first_order == "included")

    def models(self, rfm: RFM, customers: Customers, days: int, *, draws: bool = True) -> list[Contender]:
        """Return the models at a cut, and their blend."""
        fits = self.fitted(rfm, draws)
        found = [
            Fitted(fits[name], fits[self.spend.__name__], rfm, days).contender(name, customers)
            for name in self.candidates.models
        ]
        if len(self.candidates.blend) > 1:
            found.append(blended([c for c in found if c.name in self.candidates.blend]))
        return found

    def fitted(self, rfm: RFM, draws: bool) -> dict[str, Fit]:
        """Return the fits of a base, made once; without draws where only a level is wanted."""
        if rfm.as_of not in self.fits:
            method: Literal["mle", "map"] = "mle" if self.inference.method == "mle" else "map"
            inference = self.inference if draws else dataclasses.replace(self.inference, method=method)
            of = {**self.candidates.models, self.spend.__name__: (self.spend, {})}
            fits = {
                name: dataclasses.replace(inference, held=held).fit(model, rfm)
                for name, (model, held) in of.items()
            }
            unsure = {name: fit for name, fit in fits.items() if fit.converged and not fit.passed}
            self.notes += [f"{name} at {rfm.as_of}: {fit.message}" for name, fit in unsure.items()]
            self.fits[rfm.as_of] = fits
        return self.fits[rfm.as_of]

    def measured(self, earlier: Earlier | None) -> dict[str, float]:
        """Factors of the level by model, as far as they are known from a year earlier."""
        if earlier is None:
            return {}
        customers = self.customers(earlier.rfm)
        try:
            models = self.models(earlier.rfm, customers, earlier.window.days, draws=False)
        except FitError as error:
            self.notes.append(f"No level is known from {earlier.window}: {error.messages[0]}")
            return {}
        found = {c.name: factor(earlier.revenue, float(c.value.sum())) for c in models}
        return {name: value for name, value in found.items() if value is not None}

    def result(self, ahead: Earlier | None) -> Backtest:
        """Sum up."""
        import pandas as pd

        if not self.rows.table:
            raise ConfigError("C007 origins leave nothing that can be fitted. " + " ".join(self.notes))
        frames = {f.name: pd.DataFrame(getattr(self.rows, f.name)) for f in dataclasses.fields(Rows)}
        frames["tracking"] = frames["tracking"].drop_duplicates(["origin", "contender", "end"])
        table = frames["table"] = _without_idle(frames["table"], bool(self.factors))
        for name in ("pit", "tracking", "calibration", "p_purchase"):
            frames[name] = frames[name][frames[name]["contender"].isin([*table["contender"], "Actual"])]
        summary = summarise(table)
        now, levels = self.measured(ahead), dict[str, Level]()
        for name in [*self.candidates.models, BLEND]:
            rows = table[table["contender"] == name].set_index("origin")
            if len(rows):
                errors: Mapping[object, float] = rows["value_error"].to_dict()
                levels[name] = level(now.get(name), self.factors.get(name, {}), errors)
        few = [name + CALIBRATED for name, known in self.factors.items() if len(known) < FEWEST]
        ranked = summary.drop(index=few, errors="ignore")  # the rule of levels asks for as many
        choice, reason = _chosen(self.candidates, ranked)
        if preferred(ranked) == NAME:
            reason += (
                f" The verdict prefers {NAME} to all, which counts years and is no model of clv.forecast: "
                'ask clv.fit(clv.BGBB, orders.opportunities("1y")).'
            )
        notes = (*self.notes, levels[choice].sentence(choice), self.compared_spend(summary))
        return Backtest(
            **frames,
            summary=summary,
            verdict=verdict(ranked),
            choice=choice,
            reason=reason,
            levels=levels,
            fits=self.fits,
            likelihood=self.candidates.likelihood,
            notes=notes,
        )

    def compared_spend(self, summary: pd.DataFrame) -> str:
        """Say how spend learnt from all orders did against spend learnt from repeat orders alone."""
        mine, first = self.inference.first_order or "", self.candidates.first
        if first + _LEARNT[_OTHER[mine]] not in summary.index:
            return "Spend could be learnt in one way only: see above."
        rows: dict[str, Any] = {
            mine: summary.loc[first],
            _OTHER[mine]: summary.loc[first + _LEARNT[_OTHER[mine]]],
        }
        said = [
            f"{words} {shown(rows['included'][name])} against {shown(rows['excluded'][name])}"
            for words, name, shown in (
                ("CRPS", "value_crps", "{:,.2f}".format),
                ("RMSE", "value_rmse", "{:,.2f}".format),
                ("Gini", "value_gini", "{:.3f}".format),
                ("total error", "value_error", measured),
            )
        ]
        return f"Spend of {first} learnt from all orders, against repeat orders alone: {', '.join(said)}."


_OTHER: dict[str, Literal["included", "excluded"]] = {"included": "excluded", "excluded": "included"}
_LEARNT = {"included": ", all orders", "excluded": ", repeat orders"}


def _without_idle(table: pd.DataFrame, calibrated: bool) -> pd.DataFrame:
    """Leave out calibrated contenders where no level is known at any origin: they are the models."""
    return table if calibrated else table[~table["contender"].str.endswith(CALIBRATED)]


def _chosen(candidates: Candidates, summary: pd.DataFrame) -> tuple[str, str]:
    """Return the model to forecast with, and why."""
    models = summary.loc[summary.index.isin(list(candidates.models))]
    best = preferred(models)
    first = candidates.first
    if candidates.likelihood is None:
        if best is None or len(models) == 1:
            return first, f"{first}: no other model was asked for, or none could be ranked."
        return best, f"{best}: the verdict's rule prefers it among the models asked for."
    extra = [name for name in candidates.models if name not in candidates.blend]
    regular = [c.removesuffix(CALIBRATED) for c in [preferred(summary)] if c]
    if extra and extra == regular:
        return extra[0], f"{extra[0]}: purchases are regular, and the verdict prefers it to all others."
    ranking = candidates.likelihood.notes[0]
    tried = f" {extra[0]} was tried, and the verdict did not prefer it." if extra else ""
    return first, f"{first}: the likelihood chooses among {', '.join(candidates.blend)}. {ranking}{tried}"
