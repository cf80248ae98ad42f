"""What words and columns mean, as the last page of the report has it."""

from __future__ import annotations

import pandas as pd

from clv.reporting.grid import Column, Table

_TERMS = (
    ("Order", "A day on which a customer bought; what it buys in one day adds up."),
    ("Repeat order", "Any order after the first."),
    ("Customer", "Somebody with at least one order in use up to the as-of date."),
    ("Contribution", "Revenue × margin; before acquisition cost unless it says otherwise."),
    ("Value (CLV), existing customer", "Discounted contribution still to come: acquisition cost is sunk."),
    ("Value (CLV), new customer", "Discounted contribution from the first order on, the first included."),
    ("Historic value", "Contribution that a customer has brought so far."),
    ("Customer equity", "Residual lifetime value of all existing customers together."),
    ("CAC", "What it costs to acquire a customer."),
    ("Payback", "The first month by which contribution so far has reached CAC."),
    ("Formula 1", "(Order value × orders a customer − CAC) × margin."),
    ("Formula 2", "Order value × orders a period × margin ÷ churn of a period."),
    ("Run-rate", "Past revenue a customer day, carried on for everybody."),
    ("Retention", "Of customers who are alive now, the share who still are a year on, by the model."),
    (
        "Returned in a period",
        "Customer retention rate of a period: 1 − churn, by the same rule. Retention is another thing.",
    ),
    ("Churn", "Share of customers lost in a period, by the rule that the assumptions name."),
    ("90 % band", "From 5 to 95 %: in nine cases of ten the figure lies within, by what the band counts."),
    ("Level", "How high totals are, whoever they come from; past misses say how far it may be off."),
    ("Draws", "Sets of parameters that go with the data, each as likely as the other."),
    ("Gini", "How well customers are ranked: 1 for a perfect ranking, 0 for one by chance."),
    ("CRPS", "How far forecast distributions are from what happened, in money; lower is better."),
    ("Brier score", "Mean squared miss of the forecast probability of an order; lower is better."),
    ("Back-test", "Forecasts from past days, each by what was known then, against what happened."),
    ("Hold-out", "The last part of the log, which the forecast that is tested on it has not seen."),
)
_COLUMNS = (
    ("customer_id", "forecast, rfm", "The customer, as in the log or hashed."),
    ("as_of, run_id, horizon", "forecast", "Which forecast it is, and how far it reaches."),
    ("p_alive", "forecast", "Probability of being alive on the as-of date; weakly known."),
    ("p_purchase", "forecast", "Probability of at least one order within the horizon."),
    ("expected_purchases", "forecast", "Orders expected within the horizon."),
    ("next_purchase", "forecast", "Day by which half of such customers would have ordered again."),
    ("expected_spend", "forecast", "Mean value expected of an order; spend_p05 and spend_p95 of the mean."),
    ("clv_mean", "forecast", "Discounted contribution expected within the horizon."),
    ("clv_p05, clv_median, clv_p95", "forecast", "5, 50 and 95 % of what this one customer may bring."),
    ("historic_value", "forecast", "Contribution so far."),
    ("percentile", "forecast", "Place by clv_mean: 100 is the best."),
    ("flags", "forecast", "young, spend unknown, dominant; empty for most."),
    ("frequency", "rfm", "Repeat orders."),
    ("recency", "rfm", "Age at the last order, in days; not the time since."),
    ("T", "rfm", "Age: days from the first order to the as-of date."),
    ("spend_days, repeat_spend", "rfm", "Repeat orders that were paid, and their sum in minor units."),
    ("first_amount", "rfm", "Value of the first order in minor units."),
    ("monetary_value", "rfm", "Mean value of a paid repeat order."),
)


def terms() -> Table:
    """Words of the report."""
    columns = (Column("word", "Word", "text"), Column("meaning", "Meaning", "text"))
    return Table("terms", "Words", columns, pd.DataFrame(_TERMS, columns=["word", "meaning"]))


def columns() -> Table:
    """Columns of the files of a run."""
    frame = pd.DataFrame(_COLUMNS, columns=["column", "file", "meaning"])
    shown = (
        Column("column", "Column", "text"),
        Column("file", "File", "text"),
        Column("meaning", "Meaning", "text"),
    )
    return Table("columns", "Columns of the files of a run", shown, frame)
