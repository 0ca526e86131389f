"""Users are found as the log shows them, each kind apart; what nobody is called leads to a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl.display import format_user
from auditctl.errors import UsageError
from auditctl.log import user_names
from auditctl.log.filter_text import text_of
from auditctl.log.filter_values import exact_user
from auditctl.log.filters import Filters
from tests.log.test_filters import found
from tests.support.recorded import Recorded, minutes, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

NAMES = (
    "dana", "Dana", "@dana", "@", "(System)", "System", "actor:x", "application:x", "login:x", " dana", "dana ", '" x"',
    '"dana"', "a\u202eb", "bell\x07", "\\x40dana", "(dana)", "\uff20dana", "\U000e0041", "a=b", "x" * 300,
)  # fmt: skip
"""Names that look like another kind of user, like each other, or like syntax."""


def hint(conn: psycopg.Connection, **texts: list[str]) -> str:
    return Filters.parse(texts).resolve(conn).suggest(conn)


def test_each_user_has_a_text_that_finds_that_user_alone(conn: psycopg.Connection) -> None:
    users = [("System", "system"), *((name, kind) for kind in ("application", "database") for name in NAMES)]
    events = record(
        conn,
        *(
            Recorded(at=minutes(index), actor=None if kind == "system" else name, kind=kind, db_user="web")
            for index, (name, kind) in enumerate(users)
        ),
    )
    for (name, kind), event in zip(users, events, strict=True):
        assert found(conn, user=exact_user(name, kind)) == [event], (name, kind)
        assert event not in found(conn, **{"not-user": exact_user(name, kind)}), (name, kind)
        if name != "System" and not name.endswith(":x"):  # these mean the system, or what the prefix says
            assert event in found(conn, user=text_of(format_user(name, kind))), (name, kind)


def test_a_login_and_an_application_user_of_one_name_are_two(conn: psycopg.Connection) -> None:
    login, user, through = record(
        conn,
        Recorded(actor="dana", kind="database", db_user="dana"),
        Recorded(actor="dana", at=minutes(1)),
        Recorded(actor="bob", db_user="dana", at=minutes(2)),
    )
    assert found(conn, user="@dana") == [login]
    assert found(conn, user="application:dana") == [user]
    assert found(conn, user="actor:dana") == [login, user]
    assert found(conn, user="login:dana") == [login, through]
    assert found(conn, user="dana") == [login, user, through]
    assert found(conn, user=["@dana", "bob"]) == [login, through]


def test_a_name_that_nobody_has_is_taken_in_any_case(conn: psycopg.Connection) -> None:
    fiona, upper, lower = record(
        conn,
        Recorded(actor="fiona"),
        Recorded(actor="McKay", at=minutes(1)),
        Recorded(actor="mckay", at=minutes(2)),
    )
    for name in ("Fiona", "FIONA", "fIoNa"):
        assert found(conn, user=name, target="billing.customer") == [fiona]
    assert found(conn, user="McKay") == [upper]
    assert found(conn, user="mckay") == [lower]
    with pytest.raises(UsageError, match="'MCKAY' may mean McKay or mckay"):
        found(conn, user="MCKAY")
    # A form that says exactly what a name is takes it as it is.
    assert found(conn, user="application:Fiona") == found(conn, user="@Fiona") == []


def test_a_user_whom_nobody_is_leads_to_one_who_is(conn: psycopg.Connection) -> None:
    record(conn, Recorded(actor="fiona"), Recorded(actor="@dana"), Recorded(actor="login:x"))
    (login,) = conn.execute("select current_user::text").fetchone() or ("",)
    assert hint(conn, user=["fione"]) == "Did you mean fiona?"
    assert hint(conn, user=["@Fiona"]) == "Did you mean fiona?"
    assert hint(conn, user=["@" + login.upper()]) == f"Did you mean @{login}?"
    assert hint(conn, user=["login:" + login[:-1]]) == f"Did you mean login:{login}?"
    assert hint(conn, user=["dana2"]) == "Did you mean actor:@dana?"
    assert hint(conn, user=["systen"]) == "Did you mean System?"
    assert hint(conn, user=["fione", "sistem"]) == "Did you mean fiona? Did you mean System?"
    assert hint(conn, user=["qqqqqqqq"]) == hint(conn, user=["fiona"]) == hint(conn, user=["System"]) == ""


def test_few_of_very_many_users_are_compared(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_names, "MAX_COMPARED", 3)
    record(conn, *(Recorded(actor=f"{letter}user{letter}") for letter in "abcdefz"))
    assert hint(conn, user=["zuser"]).startswith("Did you mean zuserz")


def test_events_of_the_system_are_by_nobody_else(conn: psycopg.Connection) -> None:
    system, alice, login = record(
        conn,
        Recorded(actor=None, kind="system"),
        Recorded(at=minutes(1)),
        Recorded(actor="web", kind="database", at=minutes(2)),
    )
    until = minutes(3).isoformat()
    assert found(conn, until=until, **{"not-user": "alice"}) == [system, login]
    assert found(conn, until=until, **{"not-user": ["alice", "System"]}) == [login]
    assert found(conn, until=until, **{"not-user": "login:web"}) == []
    assert found(conn, kind="system", until=until) == [system]
    assert found(conn, kind=["Database", "application"], until=until) == [alice, login]


def test_what_the_table_shows_can_be_typed(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    record(conn, Recorded(actor="dana", kind="database"), Recorded(actor="dana"), Recorded(actor=None, kind="system"))
    for shown in ("@dana", "(System)"):
        lines = auditctl("log", "--user", shown, "--target", "billing.customer", check=0).out.splitlines()
        assert [line for line in lines if "billing.customer" in line] == [line for line in lines if shown in line] != []
    assert "Did you mean @dana or dana?" not in auditctl("log", "--user", "dna", check=0).err
    assert "Did you mean dana" in auditctl("log", "--user", "danaa", check=0).err
