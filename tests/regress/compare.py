"""Compares what a script wrote without auditctl and with it, statement by statement."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COPY = re.compile(r"\bfrom std(in|out)", re.IGNORECASE)

COPY_LINES = 60
"""How many lines of data a script may send that psql does not echo."""


@dataclass(frozen=True, slots=True)
class Step:
    """Some lines of a script, and what the server answered.

    Attributes:
        statement: The lines as psql echoes them.
        answer: The lines up to the next echo.
    """

    statement: tuple[str, ...]
    answer: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A step that was answered in two ways.

    Attributes:
        script: The script's name.
        statement: The lines of the script, joined.
        removed: What was answered only without auditctl.
        added: What was answered only with it.
    """

    script: str
    statement: str
    removed: tuple[str, ...]
    added: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.script}: {self.statement}", *(f"- {r}" for r in self.removed), *(f"+ {a}" for a in self.added)]
        return "\n".join(lines)


def steps(script: Sequence[str], output: Sequence[str]) -> list[Step]:
    """Divide what psql wrote, with every line of the script echoed, into steps."""
    found: list[Step] = []
    statement: list[str] = []
    answer: list[str] = []
    position = 0
    # psql does not echo every empty line.
    script = [line for line in _echoed(script) if line.strip()]
    for line in output:
        if not line.strip():
            continue
        if (echo := _find(script, position, line)) is None:
            answer.append(line)
            continue
        if answer:
            found.append(Step(tuple(statement), tuple(answer)))
            statement, answer = [], []
        statement.append(line)
        position = echo + 1
    return [*found, Step(tuple(statement), tuple(answer))]


def _echoed(script: Sequence[str]) -> Iterator[str]:
    """The lines that psql echoes."""
    is_on = True
    for line in script:
        is_on = is_on or line == "\\set ECHO none"
        if is_on:
            yield line
        is_on = line == "\\set ECHO all" or (is_on and line != "\\set ECHO none")


def _find(script: Sequence[str], position: int, line: str) -> int | None:
    """Where in the script a line of the output is; None if it is an answer."""
    if position < len(script) and script[position] == line:
        return position
    # psql does not echo the data that COPY reads.
    if position and COPY.search(script[position - 1]):
        for number in range(position, min(position + COPY_LINES, len(script))):
            if script[number] == "\\.":
                return number + 1 if number + 1 < len(script) and script[number + 1] == line else None
    return None


def differences(name: str, script: str, before: str, after: str) -> Iterator[Difference]:
    """The steps of a script that were answered differently, in order."""
    lines = script.split("\n")
    one, two = steps(lines, before.split("\n")), steps(lines, after.split("\n"))
    # Where only one of them was answered, steps are divided differently: compare from echo to echo that both have.
    for first, second in _aligned(one, two):
        statement = "\n".join(line for step in first for line in step.statement)
        said = [line for step in first for line in step.answer], [line for step in second for line in step.answer]
        if said[0] != said[1]:
            changed = list(difflib.ndiff(*said))
            removed = tuple(line[2:] for line in changed if line.startswith("- "))
            added = tuple(line[2:] for line in changed if line.startswith("+ "))
            yield Difference(name, statement, removed, added)


def _aligned(one: list[Step], two: list[Step]) -> Iterator[tuple[list[Step], list[Step]]]:
    """Pair steps so that each pair covers the same lines of the script."""
    i = j = 0
    while i < len(one) or j < len(two):
        a, b = [one[i]] if i < len(one) else [], [two[j]] if j < len(two) else []
        i, j = i + 1, j + 1
        while (x := _length(a)) != (y := _length(b)) and (i < len(one) or j < len(two)):
            if (x < y and i < len(one)) or j >= len(two):
                a.append(one[i])
                i += 1
            else:
                b.append(two[j])
                j += 1
        yield a, b


def _length(steps: list[Step]) -> int:
    return sum(len(step.statement) for step in steps)
