"""`install --actor-from`: settings that name the actor where auditctl.actor does not, such as PostgREST's claims."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditctl import actor_sources, store, store_code
from auditctl.errors import UsageError
from tests.fixtures import templates
from tests.fixtures.databases import connect, fetch_value
from tests.project.test_docs import ROOT, fenced
from tests.support import dumps
from tests.support.capturing import audit

if TYPE_CHECKING:
    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

SOURCES = ("request.jwt.claims:sub", 'request.jwt.claims:app_metadata."https://shop.example/id"', "app.user_id")


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("create table note (id int generated always as identity, v text); grant all on note to public")
    audit(dsn, "note")
    store.install(dsn, actor_from=actor_sources.parse(SOURCES), reason="PostgREST")


db_template = templates.begin_with(prepare)

CLAIMS = json.dumps({"sub": "alice", "role": "authenticated"})
NAMED: dict[str, tuple[dict[str, str], str | None]] = {
    "a member": ({"request.jwt.claims": CLAIMS}, "alice"),
    "a number": ({"request.jwt.claims": '{"sub": 42}'}, "42"),
    "a nested member": ({"request.jwt.claims": '{"app_metadata": {"https://shop.example/id": "bob"}}'}, "bob"),
    "the first that names somebody": ({"request.jwt.claims": '{"sub": null}', "app.user_id": "carol"}, "carol"),
    "auditctl.actor, where set": ({"auditctl.actor": "dora", "request.jwt.claims": CLAIMS}, "dora"),
    "a setting": ({"app.user_id": "Ümit"}, "Ümit"),
    "a long name": ({"app.user_id": "é" * 2000}, "é" * 200 + "…"),
    "nothing": ({}, None),
    "empty": ({"request.jwt.claims": "", "app.user_id": ""}, None),
    "blank": ({"request.jwt.claims": '{"sub": "\u200b"}', "app.user_id": " \t"}, None),
    "an object": ({"request.jwt.claims": '{"sub": {"id": 1}}'}, None),
    "a list": ({"request.jwt.claims": '{"sub": ["alice"]}'}, None),
    "a truth value": ({"request.jwt.claims": '{"sub": true}'}, None),
    "no object": ({"request.jwt.claims": '["sub"]'}, None),
    "no JSON": ({"request.jwt.claims": '{"sub": "alice"'}, None),
    "a NUL": ({"request.jwt.claims": '{"sub": "a\\u0000b"}'}, None),
    "half a character": ({"request.jwt.claims": '{"sub": "\\ud800"}'}, None),
    "deep": ({"request.jwt.claims": '{"sub": ' + "[" * 7000 + "]" * 7000 + "}"}, None),
    "deeper": ({"request.jwt.claims": "[" * 16000}, None),
    "huge": ({"request.jwt.claims": json.dumps({"sub": "alice", "x": "x" * 100_000})}, None),
}
"""What settings of the session are, and whom they name."""


def write(session: psycopg.Connection, settings: dict[str, str]) -> None:
    with session.transaction():
        for name, value in settings.items():
            session.execute("select set_config(%s, %s, true)", [name, value])
        session.execute("insert into note (v) values ('x')")


def actors(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select actor, actor_kind::text from auditctl.event where target = 'public.note' order by event_id"
    ).fetchall()


@pytest.mark.parametrize("attributes", ["inherit", "noinherit"])
def test_believed_logins_are_who_the_first_source_names(
    conn: psycopg.Connection, login: MakeLogin, attributes: str
) -> None:
    web = login("authenticator", roles=["auditctl_app"], attributes=attributes)
    with connect(web.dsn) as session:
        for settings, _ in NAMED.values():
            write(session, settings)
    expected = [(actor, "application" if actor else "system") for _, actor in NAMED.values()]
    assert actors(conn) == expected


def test_other_logins_are_themselves_and_what_they_name_is_a_claim(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    mallory = login("mallory")
    for dsn in (mallory.dsn, db):
        with connect(dsn) as session:
            write(session, {"request.jwt.claims": CLAIMS})
            write(session, {})
    rows = conn.execute(
        "select actor, actor_kind::text, context ->> 'claimed_actor' from auditctl.event "
        "where target = 'public.note' order by event_id"
    ).fetchall()
    assert rows == [(actor, "database", claim) for actor in (mallory.name, "postgres") for claim in ("alice", None)]


def test_role_that_postgrest_sets_is_recorded_with_who_acts(conn: psycopg.Connection, login: MakeLogin) -> None:
    web = login("authenticator", roles=["auditctl_app"], attributes="noinherit")
    visitor = login("authenticated")
    conn.execute(f"grant {visitor.name} to {web.name}; grant execute on function auditctl.record_event to public")
    with connect(web.dsn) as session:
        write(session, {"role": visitor.name, "request.jwt.claims": CLAIMS})
        session.execute("begin")
        session.execute("select set_config('request.jwt.claims', %s, true)", [CLAIMS])
        session.execute("select auditctl.record_event('app.login')")
        session.execute("commit")
    query = (
        "select target, actor, actor_kind::text, db_user, context ->> 'role' from auditctl.event where actor = 'alice'"
    )
    assert conn.execute(query).fetchall() == [
        ("public.note", "alice", "application", web.name, visitor.name),
        ("app.login", "alice", "application", web.name, None),
    ]


def test_list_is_recorded_and_stays_until_another_install_replaces_or_ends_it(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    changes = (
        "select action::text, target_id, (new_values ->> 'position')::int, reason from auditctl.activity "
        "where target = 'auditctl.actor_source' order by event_id"
    )
    assert conn.execute(changes).fetchall() == [
        ("CREATE", name, number, "PostgREST") for number, name in enumerate(SOURCES, 1)
    ]
    session = connect(login("web", roles=["auditctl_app"]).dsn)
    write(session, {"app.user_id": "alice"})
    kept = auditctl("install", check=0)
    assert f"the actor is taken from: {', '.join(SOURCES)}" in kept.err
    assert store_code.find_changes(conn) == []
    auditctl("install", "--actor-from", "app.user_id", "--actor-from", SOURCES[0], check=0)
    assert actor_sources.read(conn) == ("app.user_id", SOURCES[0])
    assert conn.execute(changes + " offset 3").fetchall() == [
        ("DELETE", SOURCES[1], None, None), ("UPDATE", "app.user_id", 1, None), ("UPDATE", SOURCES[0], 2, None),
    ]  # fmt: skip
    write(session, {"app.user_id": "bob", "request.jwt.claims": CLAIMS})
    ended = auditctl("install", "--no-actor-from", check=0)
    write(session, {"app.user_id": "carol"})
    session.close()
    assert [actor for actor, _ in actors(conn)] == ["alice", "bob", None]
    assert "the actor is taken from" not in ended.err
    assert actor_sources.read(conn) == ()
    body = "select prosrc from pg_proc where proname = 'claimed_actor'"
    assert "claim(" not in str(fetch_value(db, body))
    assert store_code.find_changes(conn) == []


def test_what_else_stands_in_the_generated_function_is_found(db: str, conn: psycopg.Connection) -> None:
    source = str(fetch_value(db, "select prosrc from pg_proc where proname = 'claimed_actor'"))
    call = ", auditctl_internal.claim("
    for changed in (
        source.replace(call, ", now()::text" + call, 1),
        source.replace(f"{call}'app.user_id'", f"{call}current_user"),
        source.replace(f"{call}'app.user_id', '{{}}')", rf"{call}E'\', '||now()||')', '{{}}')"),
    ):
        with conn.transaction(force_rollback=True):
            conn.execute("update pg_proc set prosrc = %s where proname = 'claimed_actor'", [changed])
            assert store_code.find_changes(conn) == ["function auditctl_internal.claimed_actor"], changed


@pytest.mark.parametrize(
    "name",
    [
        "", ":", "role", "search_path", "app.", ".app", "app.user-id", "app.user id", "app.ü", "app.x; drop",
        "auditctl.actor", "AUDITCTL.ip", "app.x:", "app.x:.", "app.x:a.", "app.x:.a", "app.x:a..b", 'app.x:"a',
        'app.x:""', 'app.x:a"b"', 'app.x:"a"b', "app.x\n", "app." + "x" * 500,
        "app.x:a,app.y", "app.x,app.y", "app.x:a b", "app.x:a, b",
    ],
)  # fmt: skip
def test_what_is_no_source_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        actor_sources.parse([name])
    assert "is not a source of actors" in str(refused.value)
    assert refused.value.hint


def test_paths_are_members_between_dots_and_in_quotes() -> None:
    assert [source.path for source in actor_sources.parse(['a.b:c.d', 'a.b:"c.d"."e""f"', "a.b:c:d", "a.b"])] == [
        ("c", "d"), ("c.d", 'e"f'), ("c:d",), (),
    ]  # fmt: skip


def test_options_that_do_not_fit_end_with_2_and_change_nothing(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    for options in (
        ["--actor-from", "a.b", "--no-actor-from"],
        ["--actor-from", "a.b", "--actor-from", "A.B"],
        ["--actor-from", "role"],
        ["--actor-from", ""],
        [option for number in range(11) for option in ("--actor-from", f"a.b{number}")],
    ):
        auditctl("install", *options, check=2)
    assert actor_sources.read(conn) == SOURCES


def test_script_states_the_list(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    name = r"app.claims:a'b\c"
    script = auditctl("install", "--sql", "--from", "0001", "--actor-from", name, check=0).out
    dumps.play(server, db, script)
    assert actor_sources.read(conn) == (name,)
    assert store_code.find_changes(conn) == []
    web = login("web", roles=["auditctl_app"])
    with connect(web.dsn) as session:
        write(session, {"app.claims": json.dumps({r"a'b\c": "alice"})})
    assert actors(conn) == [("alice", "application")]


def test_guide_names_user_address_and_reason_of_a_request(
    conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    web, visitor = login("authenticator", attributes="noinherit"), login("authenticated")
    conn.execute(f"grant {visitor.name} to {web.name}")
    auditctl("grant", "app", web.name, check=0)
    listed, function, business = fenced(ROOT / "docs" / "how-to" / "postgrest.md", "sql")
    assert [row[0] for row in conn.execute(listed.encode())] == list(SOURCES)
    conn.execute(function.encode() + business.encode())
    owner = login("api_owner", roles=["auditctl_app"])
    conn.execute(f"alter function record_login owner to {owner.name}")
    headers = {"x-forwarded-for": "198.51.100.9, 203.0.113.7", "x-request-id": "4f2a", "x-reason": "ticket 4711"}
    with connect(web.dsn) as session, session.transaction():
        session.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true), "
            "set_config('request.headers', %s, true)",
            [visitor.name, CLAIMS, json.dumps(headers)],
        )
        session.execute("select name_user()")
        session.execute("insert into note (v) values ('x')")
        session.execute("select record_login()")
    row = conn.execute(
        "select user_name, host(ip_address), reason, context ->> 'request_id', context ->> 'role' "
        "from auditctl.activity where target_name in ('public.note', 'app.login')"
    ).fetchall()
    assert row == [("alice", "203.0.113.7", "ticket 4711", "4f2a", visitor.name)] * 2
