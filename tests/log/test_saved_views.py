"""Saved views: whose they are, what they mean beside other filters, and what becomes of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from auditctl.errors import UsageError
from auditctl.log import saved_views
from auditctl.log.filters import FILTERS, Filters
from tests.fixtures.databases import connect
from tests.support.recorded import Recorded, minutes, record

if TYPE_CHECKING:
    from typing import LiteralString

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

ODD = ("a b", 'it\'s "x"; drop', "-", "名前", "x" * 200, "$(touch hacked)", "../up", "%s", "<script>alert(1)</script>")
NOT_NAMES = ("", " ", "x" * 201, "a\nb", "a\x1b[2Jb", "\u200b")


@pytest.fixture(autouse=True)
def log(conn: psycopg.Connection) -> None:
    record(
        conn,
        Recorded(),
        Recorded(minutes(1), actor="bob", target_id="8"),
        Recorded(minutes(2), actor="bob", target_id="9", context='{"request_id": "4f2a", "step": "2"}'),
    )


def ids(auditctl: RunAuditctl, *arguments: str, dsn: str | None = None) -> list[str]:
    """The keys of the events that `log` prints."""
    printed = auditctl("log", *arguments, "--format", "jsonl", dsn=dsn, check=0).out
    return [json.loads(line)["target_id"] for line in printed.splitlines()]


def test_the_dates_of_a_view_stay_in_its_own_zone(auditctl: RunAuditctl) -> None:
    # There it is 2 March from 10:00 UTC on.
    far = "Pacific/Kiritimati"
    for name, zone in (("utc", "UTC"), ("far", far)):
        auditctl("view", "save", name, "--until", "2026-03-02", "--tz", zone, check=0)
    for zone in ("UTC", far, "Europe/Berlin"):
        assert ids(auditctl, "--view", "utc", "--tz", zone) == ["9", "8", "7"]
        assert ids(auditctl, "--view", "far", "--tz", zone) == []
    assert ids(auditctl, "--view", "utc", "--until", "2026-03-02", "--tz", far) == []
    assert f"created on ({far})" in auditctl("log", "--view", "utc", "--tz", far, check=0).out
    auditctl("view", "save", "today", "--since", "today", "--target", "auditctl.store", check=0)
    assert ids(auditctl, "--view", "today", "--tz", "UTC") == ["0001"]
    assert (
        "the view 'today' means today in UTC\nhint: Leave out --tz"
        in auditctl("log", "--view", "today", "--tz", far, check=2).err
    )


def test_a_view_means_its_filters_wherever_filters_are(auditctl: RunAuditctl) -> None:
    saved = auditctl("view", "save", "Bob's", "--target", "billing.*", "--user", "bob", check=0)
    assert saved.err == 'Saved the view "Bob\'s".\n'
    assert ids(auditctl, "--view", "Bob's") == ["9", "8"]
    for command in (("export", "--format", "jsonl"), ("follow", "--once")):
        printed = auditctl(*command, "--view", "Bob's", check=0).out
        assert [json.loads(line)["target_id"] for line in printed.splitlines()] == ["8", "9"]
    auditctl("view", "save", "Updates", "--action", "update", check=0)
    auditctl("view", "save", "That day", "--since", "2026-03-01", "--tz", "asia/kolkata", check=0)
    assert '"tz": "Asia/Kolkata"' in auditctl("view", "show", "That day", "--format", "json", check=0).out
    assert "created on (Asia/Kolkata)" in auditctl("log", "--view", "That day", check=0).out
    counted = auditctl("stats", "--view", "Updates", "--format", "json", check=0).out
    assert json.loads(counted)["filters"] == {"action": ["update"]}
    refused = auditctl("stats", "--view", "Bob's", check=2)
    assert refused.err == (
        'error: the view "Bob\'s" has the filter user, which this does not have\n'
        "hint: Filters: since, until, weekday, hour, outside-hours, target, action, tz.\n"
    )
    shown = auditctl("view", "show", "Bob's", check=0).out
    assert shown == "'--target=billing.*' --user=bob\n"
    (listed,) = (
        one for one in json.loads(auditctl("view", "list", "--format", "json", check=0).out) if "B" in one["name"]
    )
    assert listed["filters"] == {"target": ["billing.*"], "user": "bob"}
    assert "Bob's" in auditctl("view", "list", check=0).out
    auditctl("view", "drop", "Bob's", check=0)
    gone = auditctl("log", "--view", "Bobs", check=2).err
    assert gone.startswith("error: the view 'Bobs' does not exist\nhint: ")


def test_a_filter_beside_a_view_replaces_its_own_and_one_that_must_match_whole_is_added(auditctl: RunAuditctl) -> None:
    auditctl("view", "save", "v", "--user", "bob", "--id", "8", "--context", "request_id=4f2a", "--replace", check=0)
    assert ids(auditctl, "--view", "v") == []
    assert ids(auditctl, "--view", "v", "--id", "9") == ["9"]
    assert ids(auditctl, "--view", "v", "--id", "9", "--context", "step=2") == ["9"]
    assert ids(auditctl, "--view", "v", "--id", "9", "--context", "step=3") == []
    # A view may be saved from another one.
    auditctl("view", "save", "w", "--view", "v", "--id", "9", check=0)
    assert auditctl("view", "show", "w", check=0).out == "--id=9 --user=bob --context=request_id=4f2a\n"


def test_every_filter_can_be_saved_and_means_the_same_afterwards(conn: psycopg.Connection) -> None:
    for row in FILTERS:
        filters = Filters.parse({row.name: (row.example,)})
        assert saved_views.save(conn, row.name, filters)
        assert Filters.parse(saved_views.find(conn, row.name).narrowed(conn, {})) == filters
    with pytest.raises(UsageError, match="at least one filter"):
        saved_views.save(conn, "everything", Filters.parse({}))


def test_a_view_that_names_what_is_gone_says_so_and_can_be_replaced(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("insert into auditctl.target values ('billing.customer', 'Regulars')")
    auditctl("view", "save", "v", "--target", "Regulars", "--user", "bob", check=0)
    conn.execute('select auditctl.save_view(\'old\', \'{"gone": "x", "user": "bob"}\')')
    conn.execute("update auditctl.target set label = 'Client'")
    assert auditctl("log", "--view", "v", check=2).err == (
        "error: the view 'v' is no longer valid: the log knows no table 'Regulars'\n"
        "hint: Save the view with other filters, or drop it. Did you mean release?\n"
    )
    refused = auditctl("log", "--view", "old", check=2).err
    assert refused.startswith("error: the view 'old' is no longer valid: there is no filter 'gone'\nhint: Save")
    assert ids(auditctl, "--view", "v", "--target", "Client") == ["9", "8"]
    assert auditctl("view", "save", "v", "--target", "Client", check=2).err == (
        'error: the view "v" already exists\nhint: Choose another name, or add --replace.\n'
    )
    saved = auditctl("view", "save", "v", "--target", "Client", "--replace", check=0)
    assert saved.err == "Replaced the view 'v'.\n"
    assert auditctl("view", "save", "v", "--target", "Client", check=0).err == "Replaced the view 'v'.\n"
    assert auditctl("view", "list", "--format", "json", check=0).out.count("gone") == 1


def test_each_login_has_its_own_views_and_no_other_way_to_them(
    conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    one, other = (login(name, roles=["auditctl_reader"]) for name in ("one", "other"))
    admin = login("chief", roles=["auditctl_admin"])
    for dsn, user in ((one.dsn, "bob"), (admin.dsn, "alice"), (None, "System")):
        auditctl("view", "save", "v", "--user", user, dsn=dsn, check=0)
    assert auditctl("view", "show", "v", dsn=one.dsn, check=0).out == "--user=bob\n"
    assert auditctl("view", "show", "v", dsn=admin.dsn, check=0).out == "--user=alice\n"
    assert auditctl("view", "list", dsn=other.dsn, check=0).err == "No saved views.\n"
    assert 'the view "v" does not exist' in auditctl("view", "drop", "v", dsn=other.dsn, check=2).err
    conn.execute(sql.SQL("grant {} to {}").format(sql.Identifier(one.name), sql.Identifier(other.name)))
    attempts: tuple[LiteralString, ...] = (
        "select * from auditctl.saved_view",
        "insert into auditctl.saved_view select 'x', 1, '', 'x', '{}'",
        "update auditctl.saved_view set owner = session_user",
        "delete from auditctl.saved_view",
        "select auditctl_internal.prune_views()",
    )
    with connect(other.dsn) as session:
        session.execute(sql.SQL("set role {}").format(sql.Identifier(one.name)))
        assert session.execute("select * from auditctl.saved_views()").fetchall() == []
        for attempt in attempts:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(attempt)
    with connect(login("stranger").dsn) as session:
        for call in ("saved_views()", "save_view('v', '{}')", "drop_view('v')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(sql.SQL("select auditctl.") + sql.SQL(call))
    auditctl("view", "drop", "v", dsn=one.dsn, check=0)
    assert auditctl("view", "show", "v", check=0).out == "--user=System\n"
    # No act of administration, and so no event.
    assert conn.execute("select from auditctl.event where concat(target, new_values) ~ 'view|filters'").rowcount == 0


def test_a_hostile_reader_saves_neither_much_nor_what_is_no_text(login: MakeLogin, conn: psycopg.Connection) -> None:
    reader = login("reader", roles=["auditctl_reader"])
    loop: LiteralString = (
        "do $$ begin for i in 1..{} loop perform auditctl.save_view('v' || i, '{{}}', {}); end loop; end $$"
    )
    with connect(reader.dsn) as session:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="at most 100 views"):
            session.execute(sql.SQL(loop).format(101, ""))
        session.execute(sql.SQL(loop).format(100, ""))
        session.execute("select auditctl.save_view('v7', '{\"user\": \"bob\"}', p_replace => true)")
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="at most 100 views"):
            session.execute(sql.SQL(loop).format(10000, "i::text"))
        for filters in (
            '{"user": 1}',
            '{"user": ["a", 1]}',
            '{"user": [["a"]]}',
            '{"user": {"a": "b"}}',
            '["user"]',
            '"x"',
        ):
            with pytest.raises(psycopg.errors.CheckViolation):
                session.execute("select auditctl.save_view('w', %s, 'another')", [filters])
        large = json.dumps({"user": "x" * 10_000_000})
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="limited to 8 kB"):
            session.execute("select auditctl.save_view('w', %s, 'another')", [large])
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            session.execute("select auditctl.save_view('w', '{}', %s)", ["x" * 10_000])
    assert conn.execute("select count(*) from auditctl.saved_view").fetchone() == (100,)


def test_odd_names_are_names_and_names_that_cannot_be_read_are_refused(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    bob = Filters.parse({"user": ("bob",)})
    for name in ODD:
        assert saved_views.save(conn, name, bob)
    printed = auditctl("view", "list", "--format", "json", check=0).out
    assert [one["name"] for one in json.loads(printed)] == sorted(ODD)
    assert ids(auditctl, "--view", ODD[1]) == ["9", "8"]
    for name in ODD:
        saved_views.drop(conn, name)
    for name in NOT_NAMES:
        refused = auditctl("view", "save", "--user", "bob", "--", name, check=2).err
        assert refused.startswith("error: the name of a view ")


def test_the_views_of_a_dropped_login_are_nobodys_and_go_with_maintain(
    conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    leaver, other = (login(name, roles=["auditctl_reader"]) for name in ("leaver", "other"))
    for one in (leaver, other):
        auditctl("view", "save", "v", "--user", "bob", dsn=one.dsn, check=0)
    again = sql.SQL("drop role {0}; create role {0} login; grant auditctl_reader to {0}")
    conn.execute(again.format(sql.Identifier(leaver.name)))
    assert auditctl("view", "list", dsn=leaver.dsn, check=0).out == ""
    # The object id of the dropped login, in use again by one of another name.
    conn.execute(
        "update auditctl.saved_view set owner_id = to_regrole(quote_ident(%s)) where owner = %s",
        [other.name, leaver.name],
    )
    (listed,) = json.loads(auditctl("view", "list", "--format", "json", dsn=other.dsn, check=0).out)
    assert listed["filters"] == {"user": "bob"}
    auditctl("view", "save", "w", "--user", "bob", dsn=leaver.dsn, check=0)
    assert auditctl("view", "list", dsn=leaver.dsn, check=0).out.count("--user=bob") == 1
    conn.execute("insert into auditctl.saved_view values ('nobody', 1, '', 'v', '{}')")
    auditctl("maintain", check=0)
    left = conn.execute("select owner, name from auditctl.saved_view order by 1").fetchall()
    assert left == [(leaver.name, "w"), (other.name, "v")]


def test_adopt_hands_views_on_by_name_from_another_cluster_alone(
    conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    reader = login("reader", roles=["auditctl_reader"])
    for name in (reader.name, "nobody"):
        conn.execute("insert into auditctl.saved_view values (%s, 1, '', 'v', '{\"user\": \"bob\"}')", [name])
    conn.execute("update auditctl.place set system_identifier = 1")
    auditctl("adopt", check=0)
    assert auditctl("view", "show", "v", dsn=reader.dsn, check=0).out == "--user=bob\n"
    assert conn.execute("select owner from auditctl.saved_view").fetchall() == [(reader.name,)]
    conn.execute("update auditctl.saved_view set owner_id = 1")
    auditctl("adopt", check=0)
    assert conn.execute("select owner from auditctl.saved_view").fetchall() == []
