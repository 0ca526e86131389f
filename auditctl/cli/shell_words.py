"""Splits the part of a command line before the cursor, and quotes what completes its last word."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLAIN = re.compile(r"[^\W]|[-_@%+=:,./]")
"""Characters that no shell reads as anything else."""


@dataclass(frozen=True, slots=True)
class LastWord:
    """The word at the cursor, which may be empty or have a quote that is still open.

    Attributes:
        text: The word without quotes.
        start: How many characters of `text` the shell takes for an earlier word; it replaces only the rest.
        quote: The quote that is open, `'` or `"`; empty for none.
    """

    text: str = ""
    start: int = 0
    quote: str = ""

    def completion(self, value: str) -> str | None:
        """Return what the shell has to put in the place of the word's rest, quoted; None for another word."""
        if not value.startswith(self.text[: self.start]):
            return None
        rest = value[self.start :]
        if self.quote == "'":
            return rest.replace("'", "'\\''")
        if self.quote:
            return re.sub(r'["$`\\]', r"\\\g<0>", rest).replace("!", '"\\!"')
        return "".join(letter if _PLAIN.fullmatch(letter) else f"\\{letter}" for letter in rest)


def split(line: str, breaks: str = "") -> tuple[list[str], LastWord]:
    """Split a line as a POSIX shell does, without expanding anything.

    Args:
        line: The command line up to the cursor.
        breaks: Characters at which bash begins a word to complete (`COMP_WORDBREAKS`).

    Returns:
        The words before the last one, and the last one: empty after a space.
    """
    words: list[str] = []
    text, start, quote, is_word, is_escaped = "", 0, "", False, False
    for letter in line:
        if is_escaped:
            text += letter if quote != '"' or letter in '"$`\\' else f"\\{letter}"
            is_escaped = False
        elif letter == "\\" and quote != "'":
            is_escaped = is_word = True
        elif quote and letter != quote:
            text += letter
        elif letter in "'\"":
            quote, start, is_word = "" if quote else letter, len(text), True
        elif letter.isspace():
            words += [text] if is_word else []
            text, start, is_word = "", 0, False
        else:
            text += letter
            is_word = True
            start = len(text) if letter in breaks else start
    return words, LastWord(text, start, quote)
