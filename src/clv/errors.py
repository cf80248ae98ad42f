"""Errors with a code, a sentence, and the exit status of the command line.

ClvError
├── ConfigError   C…, P…   a setting that cannot be right            exit 2
├── DataError     D…, I…   input that would give a wrong answer      exit 3
├── FitError      M…       a fit that cannot be used                 exit 4
└── OutputError   O…       nothing written, nothing changed          exit 5
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_COUNTED = "row|order|date|amount|refund|customer|contract|month|value|column|id"
_VERBS = {"have": "has", "are": "is", "carry": "carries", "match": "matches"}  # the rest take an s
_ONE = re.compile(
    rf"(?<![\d.,])1 ({_COUNTED})s\b((?: \([^()]*\))?)(?: (have|are|carry|match|repeat|belong|share|agree)\b)?"
)


def agreed(message: str) -> str:
    """Let nouns and verbs agree with a count of one: "1 rows have" is "1 row has"."""

    def one(found: re.Match[str]) -> str:
        noun, aside, verb = found.groups()
        said = f"1 {noun}{aside}"
        return said if verb is None else f"{said} {_VERBS.get(verb, verb + 's')}"

    return _ONE.sub(one, message)


class ClvError(Exception):
    """A problem that the user can mend; `messages` holds every one found, each led by its code."""

    exit_status = 1

    def __init__(self, *messages: str) -> None:
        self.messages: Sequence[str] = tuple(map(agreed, messages))
        super().__init__("\n".join(self.messages))

    @property
    def codes(self) -> list[str]:
        """The code of each message, such as `["D001", "D019"]`."""
        return [message.split(" ", 1)[0] for message in self.messages]


class ConfigError(ClvError):
    """A setting that is unknown, of the wrong kind, or cannot be meant."""

    exit_status = 2


class DataError(ClvError):
    """Input that is missing, unreadable or contradictory."""

    exit_status = 3


class FitError(ClvError):
    """A model that could not be fitted to the data."""

    exit_status = 4


class OutputError(ClvError):
    """A result that could not be written where it was asked for."""

    exit_status = 5


def error_of(messages: Sequence[str]) -> ClvError:
    """Several problems as one error: a DataError where the data has a part in it."""
    letters = {message[0] for message in messages}
    settings = {"C", "P"}
    kind = ConfigError if letters <= settings else OutputError if letters <= settings | {"O"} else DataError
    return kind(*messages)


def gather[R](problems: list[str], check: Callable[[], R]) -> R | None:
    """Return what a check gives; None where it refuses, with its messages added to `problems`."""
    try:
        return check()
    except ClvError as error:
        problems += error.messages
    return None
