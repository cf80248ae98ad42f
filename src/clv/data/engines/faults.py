"""Faults of files, disks and servers as errors with a code; and the secrets that no message may show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from clv.errors import ClvError, DataError, OutputError

_LONG = 300  # characters of a reason that a message shows
_ENGINES = {"duckdb", "_duckdb", "psycopg", "pyspark", "py4j", "grpc", "pyarrow", "zlib"}
_REST = re.compile(  # of an engine's message: where, and what to do about it, or the row itself
    r"\n\s*LINE \d|\n\s*Possible|\n\tat |JVM stacktrace|\.? SQLSTATE|\s+Is the server running|"
    r"\s+This probably means|\. Please check|(?<=Malformed CSV record): "
)
_SECRETS: dict[str, str] = {}

# Looked for in "class [SQLSTATE] text"; the first that fits counts. Without a code: no fault of the source.
_SIGNS = (
    ("D016", r"^ArrowInvalid .*out of bounds|^OutOfRangeException .*[Oo]verflow"),
    ("D016", r"\[22003\]|ARITHMETIC_OVERFLOW"),
    ("I003", r"failed to cast column|CANNOT_MERGE_SCHEMA|COLUMN_DATA_TYPE_MISMATCH|schema mismatch in glob"),
    ("", r"^(Binder|Catalog|Parser|Conversion|Constraint)Exception|\[(22|42(?!501|K03))\w+\]"),
    ("I005", r"No space left on device|max_temp_directory_size|^OutOfMemory|OutOfMemoryError|\[53[124]00\]"),
    ("I006", r"[Pp]ermission denied|\[(42501|28\w{3}|25006)\]|authentication failed|no pg_hba\.conf entry"),
    ("I006", r'role ".*" does not exist|AccessControlException'),
    ("I002", r"CSV Error|when sniffing file|(GZIP|gzip) (stream|file)|MALFORMED_CSV|CSV header|EOFException"),
    ("I002", r"univocity|Unescaped quote"),
    ("I002", r"^(EOFError|BadGzipFile) |^error .*Error -\d|ZlibDecompressor|ZipException"),
    ("I001", r'database ".*" does not exist|PATH_NOT_FOUND|No files found|No such file|not a Parquet file'),
    ("I004 none", r"connection (failed|is bad)|resolve host|JAVA_GATEWAY_EXITED|Connection refused"),
    ("I004", r"\[(08|57|40|55)\w{3}\]|^Connection\w+ |^OperationalError \[\]|^Py4JNetworkError|UNAVAILABLE"),
    ("I004", r"stopped SparkContext|SparkContext was shut down|Answer from Java side"),
    ("I001", r"^InvalidInputException .*([Ff]ile|Parquet)|FAILED_READ_FILE|Illegal Parquet|apache\.parquet"),
    ("I001", r"^(IO|Serialization|Fatal|Internal|HTTP|OutOfRange|ResourceInUse)Exception |\[(58|XX)\w{3}\]"),
    ("I001", r"^(Error|OSError|FileNotFoundError|\w+DirectoryError) "),
)
_SAID = {
    "D016": "the amounts of {name} add up to more than can be counted. Is the amount column the right one?",
    "I001": "{name} cannot be read: {reason}. Check that it is there and whole, or export it again.",
    "I002": "{name} cannot be read: {reason}. Mend it, or export it again.",
    "I003": "a column of {name} changes its type: {reason}. Export all of it in one form.",
    "I004": "the connection to {name} was lost: {reason}. Nothing was written. "
    "Check the server and run again.",
    "I004 none": "there is no connection to {name}: {reason}. Nothing was written. "
    "Check the address and the server, and run again.",
    "I005": "there is no room left for the work on {name}: {reason}. Nothing was written. Free some space, "
    "set CLV_TEMP to a folder on a larger disk, or allow more memory in CLV_MEMORY.",
    "I006": "no permission for {name}: {reason}. Ask for the right to read it, and run again.",
}


def hide(secret: str, shown: str) -> None:
    """Show `shown` wherever a message would hold `secret`, as it is or percent-decoded."""
    for form in (secret, unquote(secret)):
        if form:
            _SECRETS.setdefault(form, shown)


def scrub(text: str) -> str:
    """Return a text without secrets; a short one counts only where it stands alone."""
    for secret in sorted(_SECRETS, key=len, reverse=True):
        alone = r"(?<!\w){}(?!\w)" if len(secret) < 6 else "{}"
        shown = _SECRETS[secret].replace("\\", r"\\")
        text = re.sub(alone.format(re.escape(secret)), shown, text)
    return text


@contextmanager
def coded(name: str) -> Iterator[None]:
    """Turn faults of the source called `name` into DataError I001 to I006 (I005: OutputError).

    A wrong query or any other mistake of ours passes through as it is.
    """
    try:
        yield
    except Exception as error:
        found = translated(error, name)
        if found is None:
            raise
        raise found from None  # an engine's own message may hold a secret


def translated(error: Exception, name: str) -> ClvError | None:
    """The coded error that stands for an exception; None when that is no fault of the source."""
    kind = type(error)
    if kind.__module__.partition(".")[0] not in _ENGINES and not isinstance(error, OSError | EOFError):
        return None
    text = str(error)
    in_text = re.search(r"SQLSTATE: (\w{5})", text)
    state = getattr(error, "sqlstate", None) or (in_text[1] if in_text else "")
    for code, sign in _SIGNS:
        if re.search(sign, f"{kind.__name__} [{state}] {text}", re.DOTALL):
            said = _SAID[code].format(name=name, reason=reason(text)) if code else ""
            return (OutputError if code == "I005" else DataError)(f"{code[:4]} {said}") if code else None
    return None


def reason(text: str) -> str:
    """The line of an engine's message that says what is wrong, without secrets and without rows."""
    line = re.search(r"CSV Error on Line: (\d+)", text)
    causes = re.findall(r"^Caused by: [\w.$]+: (.+)$", text, re.MULTILINE)
    if line:
        before = [part for part in text.split("\nPossible")[0].splitlines() if part.strip()]
        file = re.search(r"^\s*file = (.+)$", text, re.MULTILINE)
        text = f"line {line[1]}{' of ' + re.split(r'[/\\]', file[1])[-1] if file else ''}: {before[-1]}"
    elif causes:
        text = causes[-1]
    elif inner := re.search(r'"exception_message":"(.*?)","', text):
        text = inner[1].replace('\\"', '"')
    text = _REST.split(text)[0]
    text = re.sub(r"^[\w ]+ Error: |^An error occurred while calling \S+", "", text)
    return scrub(" ".join(text.split()))[:_LONG].strip(" .:")
