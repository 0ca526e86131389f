"""What people write for retention and holds means the same in a file, on the command line and in SQL, or is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl import durations
from auditctl.capture.config import document
from auditctl.errors import UsageError
from tests.support.retaining import fill

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

TIMES = {
    "400 days": "400 days", " 400 days": "400 days", "400  DAYS\n": "400 days", "400\tdays": "400 days",
    "400days": "400 days", "007 days": "7 days", "1 years": "1 year", "400 day": "400 days", "12 months": "12 months",
    "forever": None, " Forever ": None, "400 day\u017f": "", "4 wee\u212as": "", "400\u00a0days": "",
    "\u00a04 days": "",
    "400\u200bdays": "", "\u0664\u0660\u0660 days": "", "\uff14 days": "", "0 days": "", "00 days": "",
    "1000000 days": "",
    "-5 days": "", "+5 days": "", "5.5 days": "", "1e2 days": "", "400 d": "", "400": "", "days": "", "": "", " ": "",
    "infinity": "", "P1Y": "", "1 day 2 hours": "", "'400 days'": "", "400 days%": "", "400 days\\": "",
    "9 years" * 999: "",
}  # fmt: skip
"""Times to keep events, and what the store has then: None for ever, and nothing where the text is refused."""

BLANK = (" a.b", "a.b ", "\ta.b", "a.b\n", "\u00a0a.b", "a.b\u00a0", "a.b\u200b", "\ufeffa.b", " ", "\u00a0", " a.*")


@pytest.mark.parametrize("text", TIMES, ids=lambda text: ascii(text)[:30])
def test_a_time_is_read_alike_in_a_file_and_in_sql(conn: psycopg.Connection, text: str) -> None:
    if TIMES[text] == "":
        with pytest.raises(UsageError):
            durations.parse_keep(text)
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            conn.execute("select auditctl.set_retention('a.b', %s)", [text])
        return
    assert durations.parse_keep(text) == TIMES[text]
    conn.execute("select auditctl.set_retention('a.b', %s)", [text])
    assert conn.execute("select keep from auditctl.retention where target = 'a.b'").fetchall() == [(TIMES[text],)]


def test_a_target_with_blanks_around_it_keeps_nothing_and_is_refused_everywhere(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    for name in BLANK:
        for query in ("select auditctl.set_retention(%s, 'forever')", "select auditctl.place_hold(%s, null, 'x')"):
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="blanks at its start or end"):
                conn.execute(query.encode(), [name])
        assert auditctl("hold", "add", name, "--yes", "--reason", "x").code == 2
        toml = f'[retention]\n[[retention.target]]\nname = {json.dumps(name)}\nkeep = "forever"\n'
        assert document.load(toml, "audit.toml").problems[-1].startswith("audit.toml: retention.target[0].name: ")


def test_a_table_whose_name_ends_in_a_blank_is_held(conn: psycopg.Connection) -> None:
    conn.execute("insert into auditctl.target (target) values ('public.x ')")
    for name in ("public.x ", '"public"."x "'):
        conn.execute("select auditctl.place_hold(%s, null, 'x')", [name])
        conn.execute("select auditctl.set_retention(%s, 'forever')", [name])
    assert conn.execute("select distinct target from auditctl.hold").fetchall() == [("public.x ",)]


def test_a_time_for_a_target_that_the_log_does_not_know_is_stored_with_a_notice(conn: psycopg.Connection) -> None:
    said: list[str | None] = []
    conn.add_notice_handler(lambda notice: said.append(notice.message_primary))
    fill(conn, "2026-11-01", "shop.order")
    for name in ("shop.order", "shop.*", "shop.ordre", "*"):
        conn.execute("select auditctl.set_retention(%s, '2 years')", [name])
    assert said == ['the log knows no target "shop.ordre"']
    assert conn.execute("select count(*) from auditctl.retention where until is null").fetchone() == (4,)
