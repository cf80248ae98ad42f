"""BigQuery and Snowflake: all that a log asks of its engine becomes SQL that their grammars accept.

The work is done once on DuckDB, which gives the answers, and once more before a service that knows how Ibis
writes for it and answers what DuckDB did. Whether the SQL gives the same rows is tested on DuckDB, PostgreSQL
and Spark; here it is shown that nothing is asked for that these two do not have.
"""

from collections.abc import Callable
from typing import Any

import ibis
import ibis.common.exceptions
import ibis.expr.operations as ops
import pyarrow as pa
import pytest
import sqlglot
from ibis.backends.sql import SQLBackend
from ibis.backends.sql.compilers import BigQueryCompiler, SnowflakeCompiler

import clv
from clv.data.ageing import spend_by_age
from clv.data.contract import Transactions
from clv.data.holdout import splits
from clv.data.segments import RFMCuts
from clv.data.timing import gap_shares

ROWS = [
    ("a", "2025-01-03T10:00:00Z", "10.00", "1", None, "sale", "EUR", "x"),
    ("a", "2025-02-07T10:00:00Z", "12.50", "2", None, "sale", "EUR", "y"),
    ("a", "2025-02-09T10:00:00Z", "-12.50", "3", "2", "refund", "EUR", None),
    ("a", "2025-02-09T10:00:00Z", "-999", "4", None, "sale", "USD", None),
    (" b ", "2025-02-11T10:00:00Z", "20", "5", None, "sale", "USD", "x"),
    ("b", "2025-03-11T10:00:00Z", "20", "6", None, "sale", "EUR", "x"),
    ("b", "2025-03-11T10:00:00Z", "20", "6", None, "sale", "EUR", "x"),
    ("c", "2025-03-12T10:00:00Z", "0", "7", None, "sale", "EUR", "x"),
    ("old", "2025-03-13T10:00:00Z", "5", "8", None, "sale", "EUR", "x"),
    ("gone", "2025-03-13T10:00:00Z", "5", "9", None, "sale", "EUR", "x"),
    (None, "2025-03-13T10:00:00Z", "5", "10", None, "sale", "EUR", "x"),
]
BAD = ("d", "03/04/2025", "five", "11", None, "gift", "CHF", "x")
COLUMNS = ["customer_id", "date", "amount", "order_id", "refund_of", "type", "currency", "shop"]


def log(size: int, *further: Any) -> pa.Table:
    many = [
        (f"k{i % 40}", f"2025-0{i % 6 + 1}-1{i % 7}", f"{i}.5", f"k{i}", None, "sale", "EUR", "x")
        for i in range(size)
    ]
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in [*ROWS, *many, *further]]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in COLUMNS]))


class Service(SQLBackend):
    """Stands for a service: compiles for it, and answers what it is told to."""

    def __init__(self, name: str, compiler: Any, answers: list[pa.Table]) -> None:
        super().__init__()
        self.name, self.compiler, self.answers = name, compiler, iter(answers)
        self.asked: list[str] = []

    def ask(self, expr: Any) -> None:
        self.asked.append(self.compile(expr))

    def to_pyarrow(self, expr: Any, /, **_: Any) -> Any:
        self.ask(expr)
        return next(self.answers).cast(expr.as_table().schema().to_pyarrow())

    def create_table(self, name: str, source: Any, /, **_: Any) -> Any:
        if isinstance(source, pa.Table):
            return self.named(name, ibis.Schema.from_pyarrow(source.schema))
        self.ask(source)
        return self.named(name, source.schema())

    def named(self, name: str, schema: Any) -> Any:
        return ops.DatabaseTable(name, schema, self).to_expr()

    def drop_table(self, *_: Any, **__: Any) -> None: ...
    def _register_in_memory_table(self, op: Any) -> None: ...


Service.__abstractmethods__ = frozenset()


def everything(source: Any, bad: Any) -> None:
    """Ask for all that is worked out on an engine."""
    rates = pa.table({"date": ["2025-02-09", "2025-02-11"], "currency": ["USD"] * 2, "rate": [0.9, 0.8]})
    same = pa.table({"customer_id": ["old"], "same_as": ["b"]})
    days = ["2025-01-01"] * 3
    plans = pa.table({"customer_id": ["a", "b", "k1"], "plan": ["p", "q", "q"], "known_from": days})
    orders = Transactions(
        source,
        as_of="2025-06-30",
        segments=["shop", "plan"],
        customers=plans,
        timezone="Europe/Prague",
        currency="EUR",
        fx=rates,
        identities=same,
        erased=["gone"],
        guest_ids=["guest"],
        hash_ids="salt",
        refunds="net_to_original",
        type="",
        missing_amount="drop",
        allow_gap="1y",
    )
    assert {f.code for f in orders.findings} >= {"D003", "D020", "D025"}
    orders.reconciliation()
    rfm = clv.RFM.from_orders(orders)
    rfm.to_pandas()
    rfm.history(clv.PurchaseHistory)
    rfm.history(clv.SpendHistory)
    gap_shares(orders.purchase_days(orders.days()), [(7.0, 8.0)])
    RFMCuts.of(rfm).apply(rfm).to_pandas()
    spend_by_age(orders, rfm)
    orders.opportunities("1m").history(clv.OpportunityHistory)
    purchase = clv.fit(clv.BGNBD, rfm)
    spend = clv.fit(clv.GammaGamma, rfm, first_order="included")
    shops = dict.fromkeys(rfm.to_pandas()["shop"], 0.3)
    ahead = clv.forecast(purchase, spend, rfm, "3m", margin=shops, margin_by="shop")
    ahead.customers(horizons=["3m", "lifetime"]).to_pandas()
    ahead.totals("plan", "Q")
    assert len(Transactions(bad, fx=rates, currency="EUR").findings) > 6
    for held in splits(orders, ["2025-02-28", "2025-04-30"]):
        held.rfm.history(clv.PurchaseHistory)


@pytest.fixture(scope="module")
def answers() -> list[pa.Table]:
    connection, given = ibis.duckdb.connect(), []
    run = connection.to_pyarrow

    def answered(expr: Any, /, **options: Any) -> Any:
        given.append(run(expr.as_table(), **options))
        return given[-1]

    connection.to_pyarrow = answered
    everything(connection.create_table("log", log(300)), connection.create_table("bad", log(0, BAD)))
    return given


@pytest.mark.parametrize(
    ("name", "compiler"), [("bigquery", BigQueryCompiler), ("snowflake", SnowflakeCompiler)]
)
def test_our_expressions_compile(name: str, compiler: Callable[[], Any], answers: list[pa.Table]) -> None:
    service = Service(name, compiler(), answers)
    schema = ibis.Schema.from_pyarrow(log(0).schema)
    everything(service.named("log", schema), service.named("bad", schema))
    assert len(service.asked) > len(answers)
    for query in service.asked:
        sqlglot.parse_one(query, read=name)
    assert next(service.answers, None) is None


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake"])
def test_what_we_do_without(dialect: str) -> None:
    """Were one of these to compile one day, we could say it more simply."""
    column = ibis.table({"a": "string"}, name="t").a
    with pytest.raises(ibis.common.exceptions.OperationNotDefinedError):
        ibis.to_sql(column.hexdigest("sha256"), dialect=dialect)
