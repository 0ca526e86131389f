"""Where the actor comes from besides auditctl.actor: settings of the session, such as the claims that PostgREST sets.

Source: the table auditctl.actor_source, from which sql/functions/20_identity/claims.sql generates what capture reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.text import in_quotes

MOST = 10
"""How many sources there may be: each costs a little for every event that names nobody."""

_SETTING = re.compile(r"[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)+", re.IGNORECASE | re.ASCII)
_MEMBER = re.compile(r'"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>[^".,\s]+)')
_MAX_CHARACTERS = 500
_HINT = "Name a setting, or a member of its JSON, such as app.user_id or request.jwt.claims:sub"


@dataclass(frozen=True, slots=True)
class ActorSource:
    """A setting that names the actor, or a member of its JSON.

    Attributes:
        name: As it is written: `SETTING`, or `SETTING:PATH`.
        setting: The setting, such as `request.jwt.claims`.
        path: The members that lead to the actor; empty where the setting itself is the actor.
    """

    name: str
    setting: str
    path: tuple[str, ...]


def parse(names: Iterable[str]) -> tuple[ActorSource, ...]:
    """Return the sources of these names, in their order.

    Raises:
        UsageError: One is not a valid setting or path, two are the same, or there are more than `MOST`.
    """
    sources = tuple(map(_parse, names))
    seen: dict[tuple[str, tuple[str, ...]], str] = {}
    for source in sources:
        key = (source.setting.lower(), source.path)
        if key in seen:
            raise UsageError(f"{source.name} is the same source of actors as {seen[key]}", hint="Name it once.")
        seen[key] = source.name
    if len(sources) > MOST:
        raise UsageError(f"{len(sources)} sources of actors are more than {MOST}")
    return sources


def dump(sources: Sequence[ActorSource]) -> str:
    """Return the sources as JSON, for auditctl_internal.set_actor_sources."""
    return json.dumps([asdict(source) for source in sources])


def read(conn: Connection) -> tuple[str, ...]:
    """Return the names of the sources of a store, in their order."""
    rows = conn.execute("select s.name from auditctl.actor_source as s order by s.position").fetchall()
    return tuple(name for (name,) in rows)


def _parse(name: str) -> ActorSource:
    setting, colon, path = name.partition(":")
    if len(name) > _MAX_CHARACTERS or not name.isprintable():
        raise UsageError(_refusal(name), hint=_HINT)
    if not _SETTING.fullmatch(setting):
        raise UsageError(f"{_refusal(name)}: {in_quotes(setting)} is not the name of a setting with a dot", hint=_HINT)
    if setting.lower().startswith("auditctl."):
        raise UsageError(f"{_refusal(name)}: it is a setting of auditctl itself", hint=_HINT)
    return ActorSource(name, setting, _members(name, path) if colon else ())


def _members(name: str, path: str) -> tuple[str, ...]:
    members = []
    position = 0
    while match := _MEMBER.match(path, position):
        quoted = match["quoted"]
        members.append(match["plain"] if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if position == len(path):
            return tuple(members)
        if path[position] != ".":
            break
        position += 1
    hint = (
        "Repeat the option for each source; put a dot between members, and double quotes around one with dots, commas "
        'or spaces: app.claims:"https://example.org/user".id'
    )
    raise UsageError(f"{_refusal(name)}: {in_quotes(path)} is not a path of members", hint=hint)


def _refusal(name: str) -> str:
    return f"{in_quotes(name)} is not a source of actors"
