"""What a review is given beside its log: read and checked together, before anything is fitted."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv.data.books import read_ledger, read_spending, spent_on_nobody
from clv.data.rfm import RFM
from clv.data.segments import segment_names
from clv.errors import error_of, gather
from clv.evaluation.compare import TINY
from clv.forecasting.economics import Economics
from clv.forecasting.plans import Plan
from clv.forecasting.totals import ALL
from clv.planning.response import Spending
from clv.units import check_year_start, horizon_end

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Given:
    """Net revenue and marketing spend by period, with notes on what is not used of them, and of the plan."""

    books: pd.DataFrame | None
    spent: pd.DataFrame | None
    notes: list[str]


def read_given(
    rfm: RFM,
    economics: Economics,
    by: str,
    year_start: int,
    wrong: list[str],
    *,
    plan: Any,
    ledger: Any,
    spend: Any,
    spending: Any,
) -> Given:
    """Read the books; or raise `wrong`, and what is wrong with books, plan, costs and budget."""
    wrong, terms = list(wrong), (rfm, economics, by, year_start)
    gather(wrong, lambda: check_year_start(year_start))
    customers = customers_of(rfm, by)
    books = None if ledger is None else gather(wrong, lambda: read_ledger(ledger, year_start))
    spent = None if spend is None else gather(wrong, lambda: read_spending(spend, by, year_start))
    planned = None if plan is None else gather(wrong, lambda: planned_by(*terms, plan))
    if isinstance(economics.cac, Mapping):
        gather(wrong, lambda: economics.check_segments({ALL, *segment_names(rfm)}))
    if isinstance(spending, Spending):
        unused = unusable(spending.acquisition, customers, by)
        wrong += [f"P001 acquisition {name!r} {why}" for name, why in unused.items()]
    elif spending is not None:
        kind = type(spending).__name__
        wrong.append(
            f"C012 spending must be a clv.Spending; got a {kind}. Write clv.Spending(total, curves)."
        )
    if wrong:
        raise error_of(list(dict.fromkeys(wrong)))
    notes = [] if spent is None else [spent_on_nobody(spent, by, customers)]
    notes += [] if planned is None else [planned.left_out]
    return Given(books, spent, [f"{note[0].upper()}{note[1:]}" for note in notes if note])


def customers_of(rfm: RFM, by: str) -> dict[str, int]:
    """Customers by segment."""
    rows = rfm.grouped((by,))
    return {str(name): int(n) for name, n in zip(rows[by], rows["customers"], strict=True)}


def planned_by(rfm: RFM, economics: Economics, by: str, year_start: int, plan: Any) -> Plan:
    """Read a plan of new customers by segment; DataError D016, ConfigError P001 to P003."""
    known = {(name,) for name in customers_of(rfm, by)}
    return Plan.of(plan, [by], known, rfm.as_of, year_start, horizon_end(economics.horizon, rfm.as_of))


def unusable(names: Collection[str], customers: Mapping[str, int], by: str) -> dict[str, str]:
    """Why nothing can be said of customers acquired in some of these segments."""
    found = {}
    for name in names:
        if name not in customers:
            close = difflib.get_close_matches(str(name), customers, 1)
            hint = (
                f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(sorted(customers)[:8])}."
            )
            found[name] = f"names no {by} that a customer is in. {hint}"
        elif customers[name] < TINY and len(customers) > 1:
            found[name] = (
                f"names a {by} of {customers[name]} customers: those under {TINY} are valued together, and "
                "none alone. Leave its curve out."
            )
    return found
