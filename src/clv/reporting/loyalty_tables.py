"""Customers who came back, and who came through others, by segment: what they are worth beside the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clv.data.in_use import referred, variety
from clv.forecasting.totals import ALL
from clv.reporting.by_segment import FEW, ahead, by_segment, group, hide_few, segment_table, valued
from clv.reporting.grid import Column, Table
from clv.reporting.tables import segments, unshown
from clv.units import in_words

if TYPE_CHECKING:
    from clv.reporting.reviews import Review


def returning(review: Review) -> Table:
    """What customers with a repeat order are worth against a just-acquired one, and where they buy."""
    study = review.study
    t = valued(review, variety(study.orders), "frequency")
    own = {name: t[name].mean() for name in study.orders.own_segments}
    again = group("again", t.frequency > 0, t.clv_mean)
    frame = by_segment(review, t, **again, **{f"variety {name}": mean for name, mean in own.items()})
    hide_few(frame)
    frame["new"] = segments(review.comparison)["model_new_discounted"]
    frame["times"] = frame["value_again"] / frame["new"].where(frame["new"] > 0)
    money, length = study.orders.money_unit, in_words(study.economics.horizon)
    columns = [
        Column("again", "Customers with a repeat order", "count"),
        Column("value_again", f"Value of one ({money})", "money"),
        Column("new", "Value of a just-acquired one", "money"),
        Column("times", "Repeat ÷ just acquired", "ratio"),
        *(
            Column(f"variety {name}", f"Kinds of {name.replace('_', ' ')} a customer", "ratio")
            for name in own
            if frame[f"variety {name}"].max() > 1
        ),
    ]
    basis = (
        f"{ahead(review)}, of existing customers who have ordered again; of a just-acquired one its first "
        f"{length}, the first order included, before CAC. {FEW}.{unshown(review.comparison)}"
    )
    title = "A customer who came back against a new one"
    return segment_table(review, "returning", title, columns, frame, basis)


def referrals(review: Review) -> Table | None:
    """Referred customers by segment, and their value net of CAC against others'; None where unknown."""
    orders = review.study.orders
    if "referred_by" not in orders.roles:
        return None
    t = valued(review, referred(orders), "historic_value")
    worth = t.historic_value + t.clv_mean
    frame = by_segment(
        review, t, **group("referred", t.referred, worth), **group("others", ~t.referred, worth)
    )
    hide_few(frame)
    frame["share"] = frame["referred"] / (frame["referred"] + frame["others"])
    for who in ("referred", "others"):
        frame[f"net_{who}"] = frame[f"value_{who}"] - _cost(frame[who], review.comparison.table["cac"])
    columns = (
        Column("referred", "Referred customers", "count"),
        Column("share", "Share of customers", "share"),
        Column("value_referred", f"Value of one ({orders.money_unit})", "money"),
        Column("value_others", "Value of others", "money"),
        Column("net_referred", "Of a referred one, less CAC", "money"),
        Column("net_others", "Of others, less CAC", "money"),
    )
    length = in_words(review.study.economics.horizon)
    basis = (
        f"Value: contribution so far, and of the next {length} by the model. CAC: of the segment; what a "
        "referral is rewarded with is not known. Referred: by somebody, as the log has it on the day of the "
        f"first order. {FEW}."
    )
    return segment_table(review, "referrals", "Referred customers", columns, frame, basis)


def _cost(customers: pd.Series, cac: pd.Series) -> pd.Series:
    """CAC of so many customers of each segment, in all the mean over them; NaN where it is not known."""
    cost = cac.copy()
    parts = customers.drop(index=ALL)
    spent = (parts * cac).where(parts > 0, 0.0)
    cost[ALL] = spent[parts.index].sum(skipna=False) / customers[ALL] if customers[ALL] else float("nan")
    return cost
