"""Compares the code in the store with the files of this version, before a superuser runs any of it.

Whoever can act as auditctl_owner can replace it, and a superuser's session runs it with all the superuser's rights.
Bodies of functions must be equal to those of the files; views and expressions may call nothing that their statement
does not.
Source: sql/queries/store_code.sql.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import psycopg

from auditctl import resources
from auditctl.errors import StoreError

_CREATE = re.compile(
    r"^create or replace (function|procedure|view) (auditctl(?:_internal)?\.\w+)(.*?)"
    r"(?:^as \$auditctl\$(.*?)\$auditctl\$|(?=^(?:comment|revoke|grant|create) ))",
    re.DOTALL | re.MULTILINE,
)
_OF_TABLE = re.compile(r"\bcreate (?:or replace )?(?:policy|trigger|index|table) .*?;", re.DOTALL)
_SETTING = re.compile(r"^set (\S+) (?:=|to) (.+)$", re.MULTILINE)
_CALL = re.compile(r'([a-z_][\w.]*)"?\s*\(', re.IGNORECASE)

_LITERAL = r"(?:'(?:[^'\\]|'')*'|E'(?:[^'\\]|''|\\\\)*')"
_CLAIM = re.compile(rf", auditctl_internal\.claim\({_LITERAL}, {_LITERAL}\)")
_CLAIMED_ACTOR = "auditctl_internal.claimed_actor"
"""The one function that install generates from rows: it calls `claim` with constants, once for each actor source."""

_SYNTAX = frozenset(
    "all and any array as by case check coalesce else end exists filter from greatest in is join lateral least not "
    "nullif on or over overlay position row select substring then timezone trim using values when where with".split()
)
"""What precedes a parenthesis and is no function, or is how PostgreSQL writes a construct."""

_NOTHING: frozenset[str] = frozenset()
_KINDS = {"function": "function", "body": "function", "view": "view"}


@dataclass(frozen=True, slots=True)
class Function:
    """What decides what a function does.

    Attributes:
        source: Its body; empty for a body in standard SQL.
        is_definer: Whether it runs with its owner's rights.
        settings: Its settings, as `name=value`, the name in lower case.
    """

    source: str
    is_definer: bool
    settings: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the files of this version create.

    Attributes:
        functions: How many statements create a function of that name that does so.
        calls: What the statement of a view, or of a function with a body in standard SQL, calls; by its name.
        table_calls: What defaults, checks, indexes and policies of tables call.
    """

    functions: Counter[tuple[str, Function]]
    calls: Mapping[str, frozenset[str]]
    table_calls: frozenset[str]


def find_changes(conn: psycopg.Connection[Any], *, replaced: bool = False) -> list[str]:
    """Return what in the store is not as this version creates it, and would be run; as names, sorted.

    Args:
        conn: The connection; any login.
        replaced: Whether functions and views are about to be replaced, so that only what belongs to tables counts.
    """
    expected = _expected(str(resources.folder("sql")))
    seen: Counter[tuple[str, Function]] = Counter()
    found = set()
    query = resources.sql_text("queries/store_code.sql").encode()
    for kind, name, source, is_definer, settings in conn.execute(query).fetchall():
        if replaced and kind not in ("table", "foreign"):
            continue
        if kind == "function":
            written = _CLAIM.sub("", source) if name == _CLAIMED_ACTOR else source
            function = Function(written, is_definer, frozenset(map(_setting, settings)))
            seen[name, function] += 1
            is_ours = seen[name, function] <= expected.functions[name, function]
        elif kind == "foreign":
            is_ours = False
        else:
            is_ours = _calls(source) <= (
                expected.table_calls if kind == "table" else expected.calls.get(name, _NOTHING)
            )
        if not is_ours:
            found.add(name if kind in ("table", "foreign") else f"{_KINDS[kind]} {name}")
    return sorted(found)


def require_unchanged(conn: psycopg.Connection[Any], *, replaced: bool = False) -> None:
    """Refuse a superuser's session in a store with code that is not this version's; arguments as for `find_changes`.

    Raises:
        StoreError: Somebody changed the store, or this version's functions were not installed.
    """
    if is_superuser(conn) and (changed := find_changes(conn, replaced=replaced)):
        raise StoreError(
            "the store has code that is not this version's, which a superuser would run: "
            + ", ".join(changed[:5] + [f"and {len(changed) - 5} more"][: len(changed) > 5]),
            hint="Find out who put it there; drop what is not auditctl's; then, as a superuser: auditctl install",
        )


def is_superuser(conn: psycopg.Connection[Any]) -> bool:
    """Whether the session's login is a superuser, under whatever role it acts."""
    row = conn.execute("select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user").fetchone()
    return row is not None and bool(row[0])


@cache
def _expected(_folder: str) -> Expected:
    """Return what the files create; they are read once for each folder of them."""
    texts = {part: resources.sql_texts(part) for part in ("bootstrap", "functions", "tables")}
    functions: Counter[tuple[str, Function]] = Counter()
    calls: dict[str, frozenset[str]] = {}
    table_calls = _calls(" ".join(texts["tables"]))
    for text in texts["bootstrap"] + texts["functions"]:
        table_calls |= _calls(" ".join(_OF_TABLE.findall(text)))
        for kind, name, head, body in _CREATE.findall(text):
            if kind == "view" or not body:
                calls[name] = calls.get(name, _NOTHING) | _calls(head)
                continue
            settings = frozenset(_setting(f"{n}={value}") for n, value in _SETTING.findall(head))
            functions[name, Function(body, "security definer" in head, settings)] += 1
    return Expected(functions, calls, table_calls)


@lru_cache(maxsize=1000)
def _setting(text: str) -> str:
    name, _, value = text.partition("=")
    return f"{name.strip().strip(chr(34)).lower()}={value.strip().strip(chr(39))}"


@lru_cache(maxsize=1000)
def _calls(text: str) -> frozenset[str]:
    """Return what a text of SQL calls: names before a parenthesis, without schema, in lower case."""
    return frozenset(name.rpartition(".")[2].lower() for name in _CALL.findall(text)) - _SYNTAX
