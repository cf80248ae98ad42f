"""Errors with a code, a sentence, and the exit status of the command line.

ClvError
├── ConfigError   C…, P…   a setting that cannot be right            exit 2
├── DataError     D…, I…   input that would give a wrong answer      exit 3
├── FitError      M…       a fit that cannot be used                 exit 4
└── OutputError   O…       nothing written, nothing changed          exit 5
"""

from __future__ import annotations

from collections.abc import Sequence


class ClvError(Exception):
    """A problem that the user can mend; `messages` holds every one found, each led by its code."""

    exit_status = 1

    def __init__(self, *messages: str) -> None:
        super().__init__("\n".join(messages))
        self.messages: Sequence[str] = messages

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
