"""Real faults: broken files, full disks, lost servers, missing rights. Each has its code and says where."""

import gzip
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clv.data.engines import ROW, faults, fetch, keep, write_table
from clv.data.engines.sources import open_source
from clv.errors import ClvError, ConfigError, DataError, OutputError

ADDRESS = "${CLV_TEST_POSTGRES}"
N = 20_000
LOG = pa.table(
    {
        "customer_id": [f"C{i % 999}" for i in range(N)],
        "date": ["2026-01-01"] * N,
        "amount": [i * 0.37 for i in range(N)],
    }
)
CSV = "customer_id,date,amount\n" + "".join(f"C{i % 999},2026-01-01,{i * 0.37:.2f}\n" for i in range(N))


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test hides, such as the word "orders", is no secret in the next."""
    monkeypatch.setattr(faults, "_SECRETS", {})


def fault(work: Callable[[], Any]) -> ClvError:
    """The error of some work; there is no other in it that could say more than it should."""
    with pytest.raises(ClvError) as caught:
        work()
    error = caught.value
    assert error.__cause__ is None
    assert error.exit_status == {"I005": 5, "O002": 5, "C001": 2}.get(error.codes[0], 3)
    return error


def said(source: Any, **options: Any) -> str:
    """What is said when a source is opened and all of it read."""
    return str(fault(lambda: fetch(open_source(source, **options).table)))


# Parquet.


def damaged(path: Path, harm: Callable[[bytearray], bytes | bytearray]) -> Path:
    pq.write_table(LOG, path, compression="snappy", row_group_size=5_000)
    path.write_bytes(harm(bytearray(path.read_bytes())))
    return path


def noise(content: bytearray, first: int, last: int) -> bytearray:
    draw = random.Random(1)
    content[first:last] = bytes(draw.randrange(256) for _ in content[first:last])
    return content


HARMS: dict[str, Callable[[bytearray], bytes | bytearray]] = {
    "cut off": lambda b: b[: len(b) // 2],
    "no Parquet": lambda b: b"hello world" * 1_000,
    "footer": lambda b: noise(b, len(b) - 700, len(b) - 100),
    "page": lambda b: noise(b, len(b) // 3, len(b) // 3 + 4_000),
}


@pytest.mark.parametrize("harm", list(HARMS))
def test_a_damaged_parquet_file(tmp_path: Path, harm: str) -> None:
    message = said(damaged(tmp_path / "orders.parquet", HARMS[harm]))
    assert message.startswith("I001 ")
    assert "cannot be read" in message
    assert "LINE 1" not in message


def test_a_file_that_is_empty_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").touch()
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.xlsx").write_text("x")
    (tmp_path / "folder").mkdir()
    assert said(tmp_path / "a.parquet").startswith("I002 a.parquet is an empty file")
    assert said(tmp_path / "a.csv").startswith("I002 a.csv is an empty file")
    assert said(tmp_path / "none.parquet").startswith("I001 file not found: none.parquet.")
    assert said(str(tmp_path / "*.csv.gz")).startswith("I001 file not found: ")
    assert said(tmp_path / "b.xlsx").startswith("I001 b.xlsx is of no known kind. Known kinds: .parquet")
    assert 'glob: "folder/*.csv"' in said(tmp_path / "folder")
    assert "holds files of several kinds" in said(str(tmp_path / "?.*"))


def test_a_column_that_changes_its_type(tmp_path: Path) -> None:
    pq.write_table(LOG, tmp_path / "2025.parquet")
    pq.write_table(LOG.set_column(2, "amount", LOG["amount"].cast(pa.string())), tmp_path / "2026.parquet")
    message = "I003 column 'amount' changes its type: DOUBLE in 2025.parquet, VARCHAR in 2026.parquet."
    assert said(tmp_path).startswith(message)


def test_folders_divided_by_different_columns(tmp_path: Path) -> None:
    for part in ("day=1/a.parquet", "month=1/a.parquet"):
        (tmp_path / part).parent.mkdir()
        pq.write_table(LOG, tmp_path / part)
    assert said(tmp_path).startswith("I003 the folders in ")


def test_a_database_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_text("hello" * 3_000)
    assert said(tmp_path / "shop.db").startswith("I001 shop.db cannot be read: ")


# CSV.


def with_line(line: bytes) -> bytes:
    first, last = CSV[: len(CSV) // 2].rsplit("\n", 1)[0], CSV[len(CSV) // 2 :].split("\n", 1)[1]
    return first.encode() + b"\n" + line + b"\n" + last.encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'"C1,2026-01-01,5', "unterminated quote"),
        (b'"C"1,2026-01-01,5', "unterminated quote"),
        (b"C1,2026-01-01,5,7", "Number of Columns: 3 Found: 4"),
        (b"C1,2026-01-01", "Number of Columns: 3 Found: 2"),
        ("Zoë,2026-01-01,5".encode("latin-1"), "not utf-8"),
    ],
)
def test_a_broken_line(tmp_path: Path, line: bytes, reason: str) -> None:
    content = with_line(line)
    (tmp_path / "a.csv").write_bytes(content)
    number = content[: content.index(b"\n" + line + b"\n")].count(b"\n") + 2
    message = said(tmp_path / "a.csv")
    assert message.startswith(f"I002 a.csv cannot be read: line {number} of a.csv: ")
    assert reason in message
    assert "2026-01-01" not in message  # nobody's orders


def test_csv_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV, encoding="utf-16")
    assert said(tmp_path / "a.csv").startswith("I002 a.csv cannot be read: ")


@pytest.mark.parametrize("harm", ["cut off", "checksum", "not zipped", "second part cut off"])
def test_a_damaged_gzip_file(tmp_path: Path, harm: str) -> None:
    """DuckDB looks neither at the checksum nor for the end of a later part: its rows would be lost unseen."""
    whole = bytearray(gzip.compress(CSV.encode()))
    content = {
        "cut off": whole[: len(whole) // 2],
        "checksum": whole[:-6] + bytes([whole[-6] ^ 255]) + whole[-5:],
        "not zipped": CSV.encode(),
        "second part cut off": whole + gzip.compress(CSV.split("\n", 1)[1].encode())[:-3_000],
    }[harm]
    (tmp_path / "a.csv.gz").write_bytes(content)
    assert said(tmp_path / "a.csv.gz").startswith("I002 a.csv.gz cannot be read: ")
    (tmp_path / "a.csv.gz").write_bytes(whole + gzip.compress(b"C1,2026-01-01,1\n"))
    assert fetch(open_source(tmp_path / "a.csv.gz").table).num_rows == N + 1


@pytest.mark.parametrize("header", ["customer_id,day,amount", "date,customer_id,amount", "a;b;c", "a"])
def test_csv_files_with_other_columns(tmp_path: Path, header: str) -> None:
    (tmp_path / "2025.csv").write_text(CSV)
    (tmp_path / "2026.csv").write_text(CSV.replace("customer_id,date,amount", header))
    assert said(str(tmp_path / "*.csv")).startswith("I002 2026.csv has other columns than 2025.csv (")


# Rights and room.


def test_files_that_are_not_ours_to_read(tmp_path: Path) -> None:
    """As root, who may read everything, nothing is tested; so the child becomes nobody on the way."""
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "shut" / "deep").mkdir(parents=True)
    pq.write_table(LOG, tmp_path / "a.parquet")
    pq.write_table(LOG, tmp_path / "shut" / "a.parquet")
    pq.write_table(LOG, tmp_path / "shut" / "deep" / "a.parquet")
    script = f"""
        import os
        from clv.data.engines.sources import open_source
        from clv.data.engines import fetch
        from clv.errors import ClvError
        os.chdir({str(tmp_path)!r})
        for path in ("a.csv", "a.parquet", "shut"):
            fetch(open_source(path).table)
        for path in ("a.csv", "a.parquet", "shut/deep"):
            os.chmod(path, 0)
        for folder in (".", *[str(p) for p in __import__("pathlib").Path.cwd().parents]):
            if os.stat(folder).st_uid == os.geteuid():
                os.chmod(folder, os.stat(folder).st_mode | 0o555)
        if os.geteuid() == 0:
            os.seteuid(65534)
        for path in ("a.csv", "a.parquet", "shut"):
            try:
                fetch(open_source(path).table)
            except ClvError as error:
                os.write(1, (str(error) + "\\n").encode())
        """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    names = ["a.csv", "a.parquet", "shut"]
    assert [line.split(":")[0] for line in lines] == [f"I006 no permission for {name}" for name in names]


def crowded(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Any:
    """A table whose groups do not fit into the memory that is left."""
    monkeypatch.setenv("CLV_MEMORY", "60MB")
    monkeypatch.setenv("CLV_TEMP", str(folder))
    ids = pa.array([f"order {i:030d}" for i in range(600_000)])
    table = open_source(pa.table({"a": ids})).table
    table.get_backend().raw_sql("SET threads = 1")
    return table.group_by("a").aggregate(n=table.count()).filter(ibis._.n > 1).count()


def test_a_full_disk_for_spilling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = crowded(monkeypatch, tmp_path)
    work.get_backend().raw_sql("SET max_temp_directory_size = '1MB'")
    for run in (fetch, keep, lambda expr: write_table(expr.as_table(), tmp_path / "out.parquet")):
        error = fault(lambda run=run: run(work.as_table()))  # type: ignore[misc]
        assert isinstance(error, OutputError)
        assert str(error).startswith("I005 there is no room left for the work on the data: ")
        assert str(error).endswith(
            "set CLV_TEMP to a folder on a larger disk, or allow more memory in CLV_MEMORY."
        )
    assert not list(tmp_path.glob("*out*"))


FULL = 'IO Error: Could not write file "/spill/duckdb_temp_storage-0.tmp": No space left on device'


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes; only root on Linux may have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True
    )
    if made.returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_really_full(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    work = crowded(monkeypatch, small_disk)
    work.get_backend().raw_sql("SET max_temp_directory_size = '1GB'")
    assert str(fault(lambda: fetch(work))).startswith("I005 ")
    draw = random.Random(1)
    wide = open_source(pa.table({"a": [draw.random() for _ in range(400_000)]})).table
    error = fault(lambda: write_table(wide, small_disk / "out.parquet"))
    assert str(error).startswith("O002 out.parquet cannot be written: ")
    assert "No space left on device" in str(error)
    assert not list(small_disk.glob("*out*"))


def test_a_full_disk_by_its_name() -> None:
    duckdb = pytest.importorskip("duckdb")
    error = faults.translated(duckdb.IOException(FULL), "the data")
    assert isinstance(error, OutputError)
    assert str(error).startswith("I005 there is no room left for the work on the data: Could not write file")


def test_a_result_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    table = open_source(LOG).table
    message = str(fault(lambda: write_table(table, tmp_path / "none" / "a.parquet")))
    assert message.startswith("O002 a.parquet cannot be written: ")
    (tmp_path / "a.parquet").write_text("an old one")
    broken = open_source(damaged(tmp_path / "b.parquet", HARMS["page"])).table
    assert fault(lambda: write_table(broken, tmp_path / "a.parquet")).codes == ["I001"]
    assert (tmp_path / "a.parquet").read_text() == "an old one"
    assert sorted(os.listdir(tmp_path)) == ["a.parquet", "b.parquet"]


# Servers.


@pytest.fixture
def server(postgres_url: str) -> Iterator[Any]:
    """A connection of our own, on which nothing goes wrong, with a table that is large enough."""
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        schema = connection.schema = ibis.util.gen_name("clv_faults")  # type: ignore[attr-defined]
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(
            f"CREATE TABLE {schema}.orders AS "
            "SELECT 'C' || i AS customer_id FROM generate_series(1, 500000) i"
        )
        yield connection
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


def test_a_server_that_goes_away_between_two_queries(server: Any) -> None:
    table = open_source(ADDRESS, table=f"{server.schema}.orders").table
    kept = keep(table.limit(2))
    assert fetch(kept).num_rows == 2
    server.execute(f"SELECT pg_terminate_backend({table.get_backend().con.info.backend_pid})")
    for work in (lambda: fetch(table), lambda: keep(table), lambda: fetch(kept)):
        message = str(fault(work))
        assert message.startswith("I004 the connection to the PostgreSQL server was lost: ")
        assert message.endswith("Nothing was written. Check the server and run again.")
    assert fetch(open_source(ADDRESS, table=f"{server.schema}.orders").table.limit(1)).num_rows == 1


def test_a_server_that_goes_away_in_the_middle(server: Any, tmp_path: Path) -> None:
    table = open_source(ADDRESS, table=f"{server.schema}.orders").table
    slow = table.mutate(x=table.customer_id.cast("string") + "x").cross_join(table.view(), rname="r_{name}")
    pid = table.get_backend().con.info.backend_pid

    def end() -> None:
        time.sleep(0.3)
        server.execute(f"SELECT pg_terminate_backend({pid})")

    thread = threading.Thread(target=end)
    thread.start()
    error = fault(lambda: write_table(slow, tmp_path / "out.parquet"))
    thread.join()
    assert error.codes == ["I004"]
    assert os.listdir(tmp_path) == []


def test_a_server_that_cancels_the_query(server: Any) -> None:
    table = open_source(ADDRESS, table=f"{server.schema}.orders").table
    table.get_backend().raw_sql("SET statement_timeout = '50ms'").close()
    error = fault(lambda: fetch(table.cross_join(table.view(), rname="r_{name}").count()))
    assert "canceling statement due to statement timeout" in str(error)
    assert error.codes == ["I004"]


def test_a_table_without_a_grant(server: Any) -> None:
    role = server.schema.lower()
    server.execute(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {server.schema} TO {role}")
    try:
        table = open_source(ADDRESS, table=f"{server.schema}.orders").table
        table.get_backend().raw_sql(f"SET ROLE {role}").close()
        for work in (fetch, keep):
            message = str(fault(lambda work=work: work(table)))  # type: ignore[misc]
            assert message.startswith(
                "I006 no permission for the PostgreSQL server: permission denied for table orders"
            )
    finally:
        server.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("CLV_URL", "postgresql://somebody:hunter22@127.0.0.1:9/shop?connect_timeout=5")
    message = said("${CLV_URL}", table="orders")
    assert message.startswith("I004 there is no connection to the PostgreSQL server: ")
    assert "hunter22" not in message
    monkeypatch.setenv("CLV_URL", "postgresql://somebody@no-such-host.invalid/shop")
    assert said("${CLV_URL}", table="orders").startswith(
        "I004 there is no connection to the PostgreSQL server: "
    )


def test_a_wrong_query_is_no_fault_of_the_source(engine: Any) -> None:
    table = engine(pa.table({"a": ["x"]}))
    with pytest.raises(Exception) as caught:  # noqa: PT011  each engine has its own
        fetch(table.mutate(n=table.a.cast("int64")))
    assert not isinstance(caught.value, ClvError)


def test_spark_says_the_same(spark: Any, tmp_path: Path) -> None:
    def code(path: Path) -> str:
        message = said(path, engine="spark")
        assert "2026-01-01" not in message
        assert "\tat " not in message
        return message[:4]

    for harm in HARMS:
        assert code(damaged(tmp_path / "orders.parquet", HARMS[harm])) == "I001"
    assert code(tmp_path / "none.parquet") == "I001"
    (tmp_path / "mixed").mkdir()
    pq.write_table(LOG, tmp_path / "mixed" / "a.parquet")
    pq.write_table(
        LOG.set_column(2, "amount", LOG["amount"].cast(pa.string())), tmp_path / "mixed" / "b.parquet"
    )
    assert code(tmp_path / "mixed") == "I003"
    lines = (
        b'"C1,2026-01-01,5',
        b'"C"1,2026-01-01,5',
        b"C1,2026-01-01",
        "Zoë,2026-01-01,5".encode("latin-1"),
    )
    for line in lines:
        (tmp_path / "a.csv").write_bytes(with_line(line))
        assert code(tmp_path / "a.csv") == "I002"
    whole = gzip.compress(CSV.encode())
    (tmp_path / "b.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert code(tmp_path / "b.csv.gz") == "I002"


# Secrets.


PASSWORDS = ["hunter22", "hun%40ter%2F22", "h@nt/er:22?#", "100%sure"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("part", ["password", "address"])
def test_a_secret_is_never_shown(
    password: str, part: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("CLV_SECRET", password)
    monkeypatch.setenv("CLV_URL", f"postgresql://somebody:{password}@127.0.0.1:9/shop")
    url = "postgresql://somebody:${CLV_SECRET}@127.0.0.1:9/shop" if part == "password" else "${CLV_URL}"
    caplog.set_level(0)
    with pytest.raises((DataError, ConfigError)) as caught:
        open_source(url, table="orders")
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text
    decoded = password.replace("%40", "@").replace("%2F", "/")
    for secret in (password, decoded, *password.split("@"), *decoded.split("/")):
        assert len(secret) < 4 or secret not in shown
    if password.isalnum() or part == "password":
        assert caught.value.codes == ["I004"]


def test_an_address_is_never_shown(
    server: Any, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = open_source(ADDRESS, table=f"{server.schema}.orders")
    source.table.get_backend().con.close()
    message = str(fault(lambda: fetch(source.table)))
    assert postgres_url not in message + repr(source) + str(source) + "".join(capsys.readouterr())


def test_the_value_of_a_variable_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "customer-x-secret"
    folder.mkdir()
    damaged(folder / "a.parquet", HARMS["page"])
    (folder / "secret-name.csv").write_bytes(with_line(b"C1"))
    monkeypatch.setenv("CLV_WHERE", str(folder))
    monkeypatch.setenv("CLV_NAME", "secret-name")
    for path in ("${CLV_WHERE}/a.parquet", "${CLV_WHERE}/none.parquet", "${CLV_WHERE}/${CLV_NAME}.csv"):
        source_or_error = said(path)
        assert "secret" not in source_or_error
    assert said("${CLV_WHERE}/${CLV_NAME}.csv").startswith("I002 ${CLV_NAME}.csv cannot be read: line ")


def test_short_secrets_do_not_tear_words() -> None:
    faults.hide("or", "***")
    faults.hide("a%40b\\1", "${X}")
    assert faults.scrub("no order or a@b\\1, a%40b\\1") == "no order *** ${X}, ${X}"


def test_a_column_that_has_the_name_of_ours() -> None:
    assert said(pa.table({ROW: [7], "a": [2]})).startswith(
        "D001 several columns of the data frame are called"
    )
