"""Formats small pieces of text for messages: numbers with their noun, suggestions, globs, times."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

_UNSEEN = {"Cc", "Cf", "Cs", "Mc", "Me", "Mn", "Zl", "Zp", "Zs"}
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0\U0001d159"
"""Letters and symbols that have a width and no shape."""

_LONGEST = 100
"""How many characters of a text a message quotes; keys may have kilobytes, and the user's own words any length."""

_LONGEST_LINE = 2000
_CUT = "\N{HORIZONTAL ELLIPSIS}"

_WILDCARD = re.compile(r"[*?\[]")


def plural(number: int, noun: str, nouns: str = "") -> str:
    """Return a number with its noun, such as `1 event` or `1,204 events`.

    Args:
        number: The number.
        noun: The noun for one.
        nouns: The noun for any other number, where it is not the first with an s.
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def shown_size(size: float) -> str:
    """Return bytes in the decimal unit that leaves up to three digits before the point."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def did_you_mean(
    word: str, known: Iterable[str], *, before: str = "Did you mean ", most: int = 1, cutoff: float = 0.6
) -> str:
    """Return a question that suggests the known words most like a word, such as `Did you mean billing.plan?`.

    Args:
        word: The word that is not known.
        known: The words to compare it with. Of a mapping the keys are compared and the values shown.
        before: How the question begins.
        most: The maximum number of suggestions.
        cutoff: How similar they have to be, 0 to 1.

    Returns:
        The question; empty where no word is similar.
    """
    names = known if isinstance(known, Mapping) else {name: name for name in known}
    close = difflib.get_close_matches(word, names, n=most, cutoff=cutoff)
    return f"{before}{' or '.join(names[name] for name in close)}?" if close else ""


def in_quotes(text: str) -> str:
    """Return a text in quotes for a message; of a long one the start and the length: `'xxx…' (8,000 characters)`."""
    return repr(text) if len(text) <= _LONGEST else f"{text[:_LONGEST] + _CUT!r} ({len(text):,} characters)"


def bounded(message: str) -> str:
    """Return a message whose lines are short enough to be read: of a longer one the start and the end."""
    return "\n".join(
        line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE // 2]} {_CUT} {line[-_LONGEST_LINE // 4 :]}"
        for line in message.split("\n")
    )


def has_visible(text: str) -> bool:
    """Return whether a text has a visible character: one that is no blank, control, mark, or other without a shape.

    The database decides it by a table of its own (sql/functions/20_identity/actors.sql).
    """
    return any(unicodedata.category(character) not in _UNSEEN and character not in _FILLERS for character in text)


def is_glob(text: str) -> bool:
    """Return whether a text has a wildcard: `*`, `?` or `[`."""
    return _WILDCARD.search(text) is not None


def iso_utc(moment: datetime, *, microseconds: bool = False) -> str:
    """Return an aware time as ISO 8601 in UTC, such as `2026-11-23T20:38:19Z`.

    Args:
        moment: The time.
        microseconds: Whether six digits follow the seconds even if they are zero; else only if they are not.
    """
    timespec = "microseconds" if microseconds else "auto"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"
