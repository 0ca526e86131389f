"""Words of a command line: split as a shell splits them, and completed so that bash reads the value."""

from __future__ import annotations

import random
import re
import subprocess

import pytest

from auditctl.cli.shell_words import LastWord, split
from tests.cli.test_completion import BREAKS

LETTERS = "ab \"'\\$`!:=~*?[](){}<>|&;#é日.-@%^,+"
CASES = 1000


@pytest.mark.parametrize(
    ("line", "words", "last"),
    [
        ("auditctl ", ["auditctl"], LastWord()),
        ("auditctl log", ["auditctl"], LastWord("log")),
        ("a 'b c' d", ["a", "b c"], LastWord("d")),
        ("a '' ", ["a", ""], LastWord()),
        ('a "b \\" \\n', ["a"], LastWord('b " \\n', 0, '"')),
        ("a b:c", ["a"], LastWord("b:c", 2)),
        ("a b\\:c", ["a"], LastWord("b:c", 0)),
        ("a --x='b c", ["a"], LastWord("--x=b c", 4, "'")),
    ],
)
def test_a_line_is_split_up_to_the_cursor(line: str, words: list[str], last: LastWord) -> None:
    assert split(line, BREAKS) == (words, last)


def typed(choice: random.Random, text: str) -> str:
    """How somebody may type the start of a value: with backslashes, or with a quote that is still open."""
    style = choice.choice(["", "'", '"'])
    if style == "'":
        return "'" + text.replace("'", "'\\''")
    if style:
        return '"' + re.sub(r'["$`\\]', r"\\\g<0>", text).replace("!", '"\\!"')
    escaped = "".join(letter if letter.isalnum() else f"\\{letter}" for letter in text)
    return escaped if choice.random() < 0.5 else escaped.replace("\\:", ":").replace("\\=", "=")


def completed(raw: str, value: str) -> str:
    """The word as it stands in the line afterwards: bash replaces what follows the last break, and closes the quote."""
    last = split(f"x {raw}", BREAKS)[1]
    state = LastWord(last.text[: last.start], last.start, last.quote)
    at = next(end for end in range(len(raw) + 1) if split(f"x {raw[:end]}", BREAKS)[1] == state)
    return f"{raw[:at]}{last.completion(value)}{last.quote}"


def test_bash_reads_a_completed_word_as_the_value() -> None:
    choice = random.Random(1)
    values = ["".join(choice.choices(LETTERS, k=choice.randint(1, 12))).strip() or "x" for _ in range(CASES)]
    words = [completed(typed(choice, value[: choice.randint(0, len(value))]), value) for value in values]
    script = "".join(f"printf '%s\\0' {word}\n" for word in words)
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    assert done.stdout.decode().split("\0")[:-1] == values
