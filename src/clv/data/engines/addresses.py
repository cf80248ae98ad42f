"""Addresses of sources: variables of the environment put in, and passwords kept out of sight."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import quote

from clv.data.engines.faults import hide
from clv.errors import ConfigError

_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}")
_PASSWORD = re.compile(r"://[^/@:?#]*:(.*)@|[?&](?:ssl)?password=([^&]*)", re.IGNORECASE)
_POSTGRES = re.compile(r"postgres(ql)?(\+\w+)?://", re.IGNORECASE)
_ENCODED = re.compile(r"([\w.~-]|%[0-9A-Fa-f]{2})*", re.ASCII)


def expanded(text: str, what: str) -> str:
    """Put in the values of `${NAME}`, which no message will show; as a password percent-encoded if need be.

    ConfigError C001 for a variable that is not set, and for a password that is not from the environment.
    """
    for found in _PASSWORD.finditer(text):
        if _VARIABLE.sub("", found[1] or found[2] or ""):
            raise ConfigError(
                f"C001 {what} must not hold a password, where others can read it. Put the whole address into "
                'an environment variable, such as PGURL, and write "${PGURL}".'
            )
    return _VARIABLE.sub(lambda match: _value(match, text, what), text)


def _value(match: re.Match[str], text: str, what: str) -> str:
    value = os.environ.get(match[1])
    if not value:
        raise ConfigError(
            f"C001 {what} names the environment variable {match[1]}, which is not set. Set it, and run again."
        )
    hide(value, match[0])
    of_password = any(p.start(1) <= match.start() < p.end(1) for p in _PASSWORD.finditer(text))
    return quote(value, safe="") if of_password and not _ENCODED.fullmatch(value) else value


def is_postgres(address: str) -> bool:
    """Say whether an address is that of a PostgreSQL server."""
    return bool(_POSTGRES.match(address))


def postgres_parts(url: str) -> dict[str, Any]:
    """Return what a PostgreSQL address says, by the names of libpq; its passwords are hidden from now on.

    ConfigError C001 where it cannot be read.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    for found in _PASSWORD.finditer(url):
        hide(found[1] or found[2] or "", "***")
    wrong = ConfigError(
        "C001 the address of the PostgreSQL server cannot be read. Write it as "
        "postgresql://user:password@host:port/database, with special characters percent-encoded."
    )
    try:
        parts = conninfo_to_dict(_POSTGRES.sub("postgresql://", url, count=1))
    except ProgrammingError:
        raise wrong from None  # its message quotes a part of the address
    for name in ("password", "sslpassword"):
        hide(str(parts.get(name) or ""), "***")
    if "@" in str(parts.get("host", "")) or not re.fullmatch(r"[\d,]*", str(parts.get("port", ""))):
        raise wrong
    return dict(parts)
