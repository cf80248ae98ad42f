"""BigQuery and Snowflake: our expressions become SQL that their grammars accept, without either service.

Compiling needs Ibis and sqlglot only. Whether the SQL gives the same rows is tested on DuckDB, PostgreSQL
and Spark; here it is shown that nothing is asked for that these two do not have.
"""

from collections.abc import Callable
from typing import Any

import ibis
import ibis.common.exceptions
import pytest
import sqlglot

DIALECTS = ("bigquery", "snowflake")
EPOCH = "1970-01-01"
ROW = "clv: row number"

LOG = ibis.table(
    {
        ROW: "int64",
        "customer_id": "string",
        "date": "string",
        "amount": "float64",
        "price": "decimal(18, 2)",
        "order_id": "string",
        "at": "timestamp('UTC')",
        "local": "timestamp",
        "booked": "date",
        "day": "int32",
        "minor": "int64",
    },
    name="log",
)
OTHER = ibis.table({"customer_id": "string", "day": "int32", "kept": "int64"}, name="other")


def _texts(t: Any) -> Any:
    year = ibis.ifelse(t.date.re_search("^([0-9]{4})-([0-9]{2})"), t.date.substr(0, 4), ibis.null("string"))
    return t.select(
        year=year.cast("int32"),
        month=t.date.re_extract("^([0-9]{4})-([0-9]{2})", 2).nullif("").cast("int32"),
        plain=t.date.strip().upper().replace(",", ".").nullif(""),
        length=t.date.length(),
        place=t.date.find("T"),
        name=t.customer_id.fill_null("unknown") + "-" + t.order_id.coalesce("none"),
    )


def _numbers(t: Any) -> Any:
    up = (t.amount + 0.5).floor().cast("int64")
    return t.select(
        up=ibis.ifelse(up % 2 != 0, up - 1, up),
        whole=t.minor // 100,
        rest=t.minor % 100,
        exact=(t.price * 100).cast("int64"),
        clipped=t.minor.clip(0, t.day),
        readable=~(t.amount.isnan() | t.amount.isinf()),
        kind=ibis.cases((t.minor > 0, "sale"), (t.minor < 0, "refund"), else_="nothing"),
        listed=t.customer_id.isin(["guest", "0"]),
    )


def _days(t: Any) -> Any:
    date = (ibis.date(EPOCH) + t.day.as_interval("D")).cast("date")
    return t.select(
        date=date,
        year=date.year(),
        quarter=date.quarter(),
        month=date.month(),
        moment=t["at"].epoch_seconds(),
        local=t["local"].cast("timestamp('UTC')").epoch_seconds(),
        booked=t.booked.delta(ibis.date(EPOCH), unit="day").cast("int32"),
    )


def _windows(t: Any) -> Any:
    of_one = ibis.window(group_by=[t.customer_id, t.order_id, t.minor > 0], order_by=t[ROW])
    running = ibis.window(group_by="customer_id", order_by=["day", ROW], preceding=None, following=0)
    return t.mutate(
        copy=ibis.row_number().over(of_one),
        head=t[ROW].min().over(ibis.window(group_by=[t.customer_id, t.order_id])),
        so_far=t.minor.sum().over(running),
        gap=t.day - t.day.lag().over(ibis.window(group_by="customer_id", order_by="day")),
    )


def _groups(t: Any) -> Any:
    days = t.group_by("customer_id", "day").aggregate(spent=t.minor.sum(), rows=t.count(), at=t[ROW].min())
    return days.group_by("customer_id").aggregate(
        frequency=(days.count() - 1).cast("int32"),
        first_amount=days.spent.argmin(days.day),
        spent=days.spent.sum().cast("int64"),
        paid_days=(days.spent > 0).sum(),
        refunds=days.spent.count(where=days.spent < 0),
        days=days.day.nunique(),
        any=(days.rows > 1).any(),
    )


def _joins(t: Any) -> Any:
    known = t.semi_join(OTHER, "customer_id").anti_join(OTHER.filter(OTHER.kept == 0), ["customer_id", "day"])
    kept = OTHER.select("day", kept_by="customer_id", kept="kept")
    joined = known.left_join(kept, [known.customer_id == kept.kept_by, known.day == kept.day])
    return joined.select("customer_id", "minor", "kept").union(
        t.select("customer_id", "minor", kept=ibis.null("int64"))
    )


EXPRESSIONS: dict[str, Callable[[Any], Any]] = {
    "texts": _texts,
    "numbers": _numbers,
    "days": _days,
    "windows": _windows,
    "groups": _groups,
    "joins": _joins,
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_our_expressions_compile(name: str, dialect: str) -> None:
    expression = EXPRESSIONS[name](LOG)
    query = sqlglot.parse_one(ibis.to_sql(expression, dialect=dialect), read=dialect)
    assert query.named_selects == list(expression.columns) or query.is_star
    tables = {table.name for table in query.find_all(sqlglot.exp.Table)}
    named = {cte.alias for cte in query.find_all(sqlglot.exp.CTE)}
    assert "log" in tables
    assert tables - named <= {"log", "other"}


@pytest.mark.parametrize(
    ("dialect", "expression"),
    [
        ("bigquery", LOG.minor.quantile(0.5)),
        ("bigquery", LOG.minor.median()),
        ("bigquery", LOG.customer_id.hexdigest("sha256")),
        ("snowflake", LOG.customer_id.hexdigest("sha256")),
    ],
)
def test_what_we_do_without(dialect: str, expression: Any) -> None:
    """Were one of these to compile one day, we could say it more simply."""
    with pytest.raises(ibis.common.exceptions.OperationNotDefinedError):
        ibis.to_sql(expression, dialect=dialect)
