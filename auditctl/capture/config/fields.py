"""Reads the keys of one table of a TOML file. Mistakes are collected with their place, not raised."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditctl.text import did_you_mean


@dataclass(frozen=True, slots=True)
class Fields:
    """One table of the file, or the whole file.

    Attributes:
        values: Its keys and values.
        source: The file's name, for messages.
        problems: The list that mistakes are added to; shared by all tables of a file.
        path: The prefix of its keys in messages, such as `table[0].`; empty for the whole file.
    """

    values: Mapping[str, Any]
    source: str
    problems: list[str]
    path: str = ""

    @property
    def place(self) -> str:
        """The path of the table itself, such as `table[0]`."""
        return self.path.removesuffix(".")

    @property
    def origin(self) -> str:
        """File and place, such as `audit.toml: table[0]`."""
        return f"{self.source}: {self.place}"

    def problem(self, key: str, message: str) -> None:
        """Add a mistake at a key."""
        self.problems.append(f"{self.source}: {self.path}{key}: {message}")

    def known(self, keys: Collection[str]) -> None:
        """Add a mistake for every key that is not one of these."""
        for key in self.values:
            if key not in keys:
                self.problem(key, f"unknown key{advice(key, keys, 'keys')}")

    def section(self, key: str) -> Fields | None:
        """Return the table [key]; None if it is missing or something else."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            self.problem(key, f"must be a table: [{key}]")
        return self._below(value, key) if isinstance(value, dict) else None

    def sections(self, key: str) -> tuple[Fields, ...]:
        """Return the tables [[key]] in order; empty if they are missing or something else."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
            self.problem(key, f"must be written as [[{key}]], once for each {key}")
            return ()
        return tuple(self._below(table, f"{key}[{index}]") for index, table in enumerate(value))

    def text(self, key: str) -> str | None:
        """Return a text that is not empty; None if it is missing."""
        value = self.values.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip() or "\0" in value):
            self.problem(key, "must be a string that is not empty")
            return None
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """Return true or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.problem(key, "must be true or false")
            return default
        return value

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """Return one of these words, by default the first."""
        value = self.values.get(key, choices[0])
        if value not in choices:
            self.problem(key, f"must be one of {', '.join(choices)}")
            return choices[0]
        return str(value)

    def columns(self, key: str) -> tuple[str, ...]:
        """Return a list of column names, each once; empty if it is missing."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(
            isinstance(name, str) and name and "\0" not in name for name in value
        ):
            self.problem(key, "must be a list of column names")
            return ()
        for name in {name for name in value if value.count(name) > 1}:
            self.problem(key, f"names {name} twice")
        return tuple(value)

    def _below(self, values: Mapping[str, Any], key: str) -> Fields:
        return Fields(values, self.source, self.problems, f"{self.path}{key}.")


def refuse_repeated(tables: Iterable[Fields]) -> None:
    """Add a mistake for every table whose name an earlier one has; all have a name."""
    seen: dict[str, str] = {}
    for table in tables:
        name = table.values["name"]
        if name in seen:
            table.problem("name", f"{name} is already in {seen[name]}")
        seen.setdefault(name, table.place)


def advice(word: str, known: Collection[str], what: str) -> str:
    """Return the end of a message about an unknown word: the closest known one, else all of them."""
    return did_you_mean(word, tuple(known), before="; did you mean ") or f"; {what} are {', '.join(known)}"
