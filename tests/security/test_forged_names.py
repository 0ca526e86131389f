"""Names of business events: one form for what looks alike, and none that looks like one of auditctl's own."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.errors import AuditctlError
from tests.fixtures.databases import connect
from tests.support.capturing import apply
from tests.support.recorded import documents

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

RESERVED = (
    "auditctl",
    "auditctl.role",
    "AUDITCTL.role",
    "AuditCtl.x",
    " auditctl.role",
    '"auditctl".role',
    "auditctl .role",
    "auditctl_internal.x",
    "auditctl-x",
    "auditctl:role",
    "auditctl\u2024role",
    "auditctl\uff0erole",
    "audit ctl.role",
    # letters of other scripts, one or all of them
    "\u0430uditctl.role",
    "audit\u0441tl.role",
    "aud\u0456tctl.role",
    "audi\u0442ctl.role",
    "\u03b1uditctl.role",
    "a\u057dditctl.role",
    "\ua4ee\ua4f4\ua4d3\ua4f2\ua4d4\ua4da\ua4d4\ua4e1.role",
    "\u13aa\u13cc\u13a0\u13c6\u13a2\u13df\u13a2\u13de.x",
    "\u0430\u0446\u0501\u0456\u0442\u0441\u0442\u04cf.role",
    "\u03b1\u03c5\u03b4\u03b9\u03c4\u03f2\u03c4\u03b9.role",
    # letters of Latin with something about them
    "\u00e4uditctl.role",
    "audi\u0165ctl.role",
    "aud\u0131tctl.role",
    "audit\u0188tl",
    "\u0251uditctl.x",
    "a\u0301u\u0308ditctl.x",
    "\uff41\uff55\uff44\uff49\uff54\uff43\uff54\uff4c.role",
    "\U0001d41a\U0001d42e\U0001d41d\U0001d422\U0001d42d\U0001d41c\U0001d42d\U0001d425",
    "\u24d0\u24e4\u24d3\u24d8\u24e3\u24d2\u24e3\u24db.x",
    # other letters and digits of ASCII
    "auditct1.role",
    "auditctI.role",
    "audltctl.role",
    "aud1tctl",
    "@uditctl.x",
    "auclitctl.role",
    "audi7ctl",
    "auditct|.x",
    # what cannot be seen
    "au\u200bditctl.role",
    "\ufeffauditctl.role",
    "auditctl\u00ad.role",
    "audit\u2060ctl",
    "\u202eauditctl",
    "a\u034fuditctl",
    "\u00a0auditctl",
    "auditctl\u3000.role",
    "audi\u3164tctl",
)
"""Names that people could take for one of auditctl's own."""

REFUSED = (
    "billing.cust\u043emer",
    "p\u0430ypal.paid",
    "\u0441ustomer",
    "\u043e\u03bf",
    "inv\u03bfice.sent",
    "a\u200bb",
    "x\u202ey",
    " x",
    "x ",
    "\u3164",
    "\u2800",
    "\u0301",
    "x\u0000y"[:1] + "\x1b",
    "b\u0456lling.x",
    "\u13a0elete.x",
)
"""Names with words in two scripts that look alike, or with characters that cannot be seen."""

HONEST = (
    "billing.invoice",
    "rechnung.gepr\u00fcft",
    "\u8acb\u6c42\u66f8.\u78ba\u8a8d",
    "T\u30b7\u30e3\u30c4.sold",
    "\u0441\u0447\u0451\u0442.\u043e\u043f\u043b\u0430\u0447\u0435\u043d",
    "\u0437\u0430\u043a\u0430\u0437_v2.\u0441\u043e\u0437\u0434\u0430\u043d",
    "billing.\u0441\u0447\u0451\u0442",
    "\u03c0\u03b1\u03c1\u03b1\u03b3\u03b3\u03b5\u03bb\u03af\u03b1.\u03bd\u03ad\u03b1",
    "commande.re\u00e7ue",
    "\uc8fc\ubb38.\uc0dd\uc131",
    "\u0637\u0644\u0628.\u062c\u062f\u064a\u062f",
    "\u0d06\u0d30\u0d4d\u200d"[:2],
    "\u0915\u093f\u0924\u093e\u092c.\u0928\u092f\u093e",
    "order-2/created",
    'say "hi"',
    "50%_off",
    "audit.login",
    "auditor.signed_in",
    "auditing",
    "auditcontrol.x",
    "auditctlx.y",
    "auditctl_web.started",
    "my.auditctl.x",
    "\u0434\u043e\u043a\u0443\u043c\u0435\u043d\u0442.\u043f\u043e\u0434\u043f\u0438\u0441\u0430\u043d",
    "\u05d7\u05e9\u05d1\u05d5\u05df.\u05d7\u05d3\u05e9",
    "ti\u1ebfng.vi\u1ec7t",
    "\u00cdslenska.\u00fe\u00f3r",
    "\u0152uvre",
    "\U0001f600.clicked",
    "x",
    "a.b.c",
    "nightly",
)
"""Names that people choose."""


def test_names_like_auditctls_own_are_refused_in_every_spelling(conn: psycopg.Connection, login: MakeLogin) -> None:
    with connect(login("web", roles=["auditctl_app"]).dsn) as session:
        accepted = []
        for name in (*RESERVED, *REFUSED):
            try:
                session.execute("select auditctl.record_event(%s)", [name])
            except psycopg.Error as error:
                assert error.sqlstate in ("42501", "22023"), (name, error)
            else:
                accepted.append(name)
    assert accepted == []


def test_honest_names_in_every_script_are_recorded(conn: psycopg.Connection, login: MakeLogin) -> None:
    with connect(login("web", roles=["auditctl_app"]).dsn) as session:
        for name in HONEST:
            session.execute("select auditctl.record_event(%s)", [name])
    recorded = [target for (target,) in conn.execute("select target from auditctl.event order by event_id")]
    assert recorded[-len(HONEST) :] == [unicodedata.normalize("NFKC", name) for name in HONEST]


def test_spellings_of_one_name_are_one_target_and_found_by_each(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    spellings = (
        "rechnung.gepr\u00fcft",
        "rechnung.gepru\u0308ft",
        "\uff52echnung.gepr\u00fcft",
        "rechnung\u2024gepr\u00fcft",
    )
    apply(db, 'table = []\n[[event]]\nname = "rechnung.gepru\u0308ft"\nlabel = "Rechnung"')
    for name in spellings:
        conn.execute("select auditctl.record_event(%s)", [name])
    for name in (*spellings, "Rechnung"):
        found = documents(auditctl("log", "--target", name, "--format", "jsonl", check=0).out)
        assert [event["target"] for event in found] == ["Rechnung"] * 4
    assert conn.execute("select name from auditctl.event_type").fetchall() == [("rechnung.gepr\u00fcft",)]


def test_event_types_have_such_names_whoever_writes_them(db: str, conn: psycopg.Connection) -> None:
    for name in ("\u0430uditctl.role", "auditctl.*", "auditct1*", "cust\u043emer.*"):
        with pytest.raises(AuditctlError):
            apply(db, f'table = []\n[[event]]\nname = "{name}"')
        with pytest.raises(psycopg.Error):
            conn.execute("insert into auditctl.event_type (name) values (%s)", [name])
    conn.execute("insert into auditctl.event_type (name, enabled) values ('gepru\u0308ft.*', false)")
    assert conn.execute("select auditctl.record_event('gepr\u00fcft.x')").fetchone() == (None,)


def test_summaries_and_ids_stay_as_they_are_given(conn: psycopg.Connection) -> None:
    conn.execute("select auditctl.record_event('x', 'e\u0301', 'a\u0430')")
    query = "select target_id, context ->> 'summary' from auditctl.event where target = 'x'"
    assert conn.execute(query).fetchone() == ("e\u0301", "a\u0430")
