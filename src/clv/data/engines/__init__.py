"""Where data lies and is computed: DuckDB, PostgreSQL, Spark, and whatever else Ibis speaks to.

Nothing outside this package names an engine. What the rest of `clv` needs of one has its name here, but for
`sources.open_source`, which reads what users hand in.
"""

from typing import Literal, get_args

from clv.data.engines.functions import epoch_seconds, least, plain_text, sha256, sort_key
from clv.data.engines.running import fetch, keep, to_pandas, view, write_table
from clv.data.engines.transfers import upload

ROW = "clv: row number"  # a name that nobody has: the row, from 1, in a source that has an order
type Engine = Literal["duckdb", "spark"]  # what reads files and frames, the default first
ENGINES: tuple[Engine, ...] = get_args(Engine.__value__)
__all__ = [
    "ENGINES",
    "ROW",
    "Engine",
    "epoch_seconds",
    "fetch",
    "keep",
    "least",
    "plain_text",
    "sha256",
    "sort_key",
    "to_pandas",
    "upload",
    "view",
    "write_table",
]
