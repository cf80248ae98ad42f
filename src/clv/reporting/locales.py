"""Numbers and dates of a page as readers of a place write them; words stay English."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection

from clv.errors import ConfigError

ENGLISH = "en"
_NUMBER = r"(?<![\w.,/-])(?P<number>-?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+))(?![\w.]*\d)"
_DATE = r"(?<![\w-])(?P<date>\d{4}-\d{2}-\d{2})(?![\w-])"
_TEXT = re.compile(r"(<[^>]*>)")
_KEPT = re.compile(r"<(script|style|footer)", re.IGNORECASE)  # code, versions
_VISIBLE = re.compile(r'((?:aria-label|content)=")([^"]*)(")')


def checked(locale: str) -> str:
    """Return the name of a locale; ConfigError C001 for one that is not known."""
    from babel import Locale, UnknownLocaleError

    try:
        Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError, AttributeError):
        raise ConfigError(
            f'C001 locale must be the name of one, such as "de_DE", "cs_CZ" or "en_GB"; got {locale!r}.'
        ) from None
    return locale


def localised(page: str, locale: str, names: Collection[str] = ()) -> str:
    """Return an HTML page with its numbers and dates as the locale has them; `names` stay as they are."""
    if locale == ENGLISH:
        return page
    write = _Writer(checked(locale), names)
    out, kept = [], ""
    for part in _TEXT.split(page):
        if not part.startswith("<"):
            out.append(part if kept else write(part))
            continue
        found = _KEPT.match(part)
        if found and not kept:
            kept = found[1]
        elif kept and part.startswith(f"</{kept}"):
            kept = ""
        out.append(part if kept else _VISIBLE.sub(lambda m: m[1] + write(m[2]) + m[3], part))
    return "".join(out)


class _Writer:
    """Writes a text's numbers and dates anew."""

    def __init__(self, locale: str, names: Collection[str]) -> None:
        from babel import Locale

        self._locale = Locale.parse(locale.replace("-", "_"))
        symbols = self._locale.number_symbols["latn"]
        self._marks = str.maketrans({",": symbols["group"], ".": symbols["decimal"], "-": "−"})
        pattern = self._locale.date_formats["short"].pattern
        self._dates = re.sub(r"y+", "yyyy", pattern)
        odd = sorted((n for n in names if re.search(r"\d[.,-]\d", n)), key=len, reverse=True)
        protected = [rf"(?P<name>{'|'.join(map(re.escape, odd))})"] if odd else []
        self._pattern = re.compile("|".join([*protected, _DATE, _NUMBER]))

    def __call__(self, text: str) -> str:
        return self._pattern.sub(self._written, text)

    def _written(self, match: re.Match[str]) -> str:
        from babel.dates import format_date

        if match.lastgroup == "number":
            return match[0].translate(self._marks)
        if match.lastgroup == "date":
            try:
                day = dt.date.fromisoformat(match[0])
            except ValueError:
                return match[0]
            return format_date(day, self._dates, self._locale)
        return match[0]
