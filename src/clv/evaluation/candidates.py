"""The purchase models of a back-test: those asked for, or those that the data suggest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clv.data.rfm import RFM
from clv.errors import ConfigError
from clv.evaluation.choice import ModelChoice, compare_models
from clv.evaluation.yearly import Yearly
from clv.models.bg_bb import BGBB
from clv.models.bg_cnbd import BGCNBD
from clv.models.bg_nbd import BGNBD
from clv.models.histories import PurchaseHistory
from clv.models.mbg_cnbd import MBGCNBD
from clv.models.mbg_nbd import MBGNBD
from clv.models.pareto_nbd import ParetoNBD

AUTO = "auto"
BY_LIKELIHOOD = (BGNBD, MBGNBD, ParetoNBD)  # among which what was seen tells what comes
_REGULAR, _MOST_REGULAR = 1.5, 8  # k from which on regular timing is tried, and the largest

type Models = str | Sequence[Any] | Mapping[str, Any]
type Held = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Models by name with what is held of each, those to `blend`, and how likely what was seen is by them.

    `yearly` says that BG/BB on yearly opportunities is to be tried beside them.
    """

    models: Mapping[str, tuple[type[Any], Held]]
    blend: tuple[str, ...]
    likelihood: ModelChoice | None = None
    yearly: bool = False

    @property
    def first(self) -> str:
        """The model that is taken unless the back-test prefers another."""
        return next(iter(self.models))


def suggested(rfm: RFM) -> Candidates:
    """Return the models that the likelihood chooses among, the likeliest first.

    Where timing is regular, one with k > 1 comes last: its likelihood says nothing of what it forecasts, so
    that only a back-test can choose it.
    """
    choice = compare_models(rfm, BY_LIKELIHOOD)
    kinds = {kind.__name__: kind for kind in BY_LIKELIHOOD}
    models: dict[str, tuple[type[Any], Held]] = {str(n): (kinds[str(n)], {}) for n in choice.table.index}
    blend, k = tuple(models), rfm.regularity.k
    if k >= _REGULAR:
        regular = MBGCNBD if next(iter(models)) == MBGNBD.__name__ else BGCNBD
        held = {"k": round(min(k, _MOST_REGULAR))}
        models[_name(regular, held)] = regular, held
    return Candidates(models, blend, choice, Yearly(rfm).one_a_year)


def asked(models: Models) -> Candidates:
    """Return the models that were asked for; ConfigError C012 for what is none, all at once."""
    if isinstance(models, Mapping):
        pairs = [(str(name), entry) for name, entry in models.items()]
    elif isinstance(models, str | type) or not isinstance(models, Sequence):
        raise ConfigError(
            f'C012 models must be a list, or "auto"; got {models!r}. Write [clv.BGNBD, clv.ParetoNBD].'
        )
    else:
        pairs = [("", entry) for entry in models]
    yearly = len(pairs) > 1 and any(entry is BGBB for _, entry in pairs)
    pairs = [pair for pair in pairs if not (yearly and pair[1] is BGBB)]
    wrong, found = [], dict[str, tuple[type[Any], Held]]()
    for name, entry in pairs:
        model, held = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, {})
        if not _purchases(model) or not isinstance(held, Mapping):
            wrong.append(
                f"C012 models must be purchase models in continuous time, or (model, held); got {entry!r}. "
                'Such as clv.BGNBD, or (clv.BGCNBD, {"k": 2}); clv.BGBB goes beside one.'
            )
            continue
        name = name or _name(model, held)
        if name in found:
            wrong.append(f"C012 models must each be named once; got {name} twice.")
        found[name] = model, held
    if not pairs:
        wrong.append("C012 models must name at least one model; got none.")
    if wrong:
        raise ConfigError(*wrong)
    return Candidates(found, tuple(found), yearly=yearly)


def _purchases(model: Any) -> bool:
    history = getattr(model, "History", None)
    return isinstance(model, type) and isinstance(history, type) and issubclass(history, PurchaseHistory)


def _name(model: type[Any], held: Held) -> str:
    return model.__name__ + (f" ({', '.join(f'{n}={v:g}' for n, v in held.items())})" if held else "")
