"""Keys that are hard to write in a link, a form or a command: empty, long, of any characters; each finds its row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auditctl.log.filter_text import text_of
from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit
from tests.support.recorded import ids
from tests.web import documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.web import Client

pytestmark = pytest.mark.slow

LONG = "ü" * 700
KEYS = (
    "", " ", "-1", "--help", "a/b", "100%", "%41", "a?b=c", "a#b", "a+b", "a b", "a&id=c", "..", ".", "'", '"', "\\",
    "\t", "a\nb", "a\r\nb", "\x01\x1b[31m", "\u202eabc", "\u05d0", "é", "e\u0301", "😀", "null", "[1]", "{}", "System",
    "*", LONG, LONG + "x",
)  # fmt: skip


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("create table word (id text primary key)")
        conn.execute("create table pair (a text, b text, primary key (a, b))")
        audit(dsn, "word", "pair")
        for key in KEYS:
            conn.execute("insert into word values (%s)", [key])
        conn.execute("insert into pair values (%s, 'x'), ('', '')", [LONG])


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with a row, and its event, for each key."""
    with prepared(server, template, prepare) as name:
        yield name


def expected(conn: psycopg.Connection, key: str, target: str = "public.word") -> list[int]:
    query = "select event_id from auditctl.event where target = %s and action = 'CREATE' and new_values ->> %s = %s"
    return [row[0] for row in conn.execute(query, [target, "id" if target == "public.word" else "a", key]).fetchall()]


def test_each_key_finds_its_row_and_no_other(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    for key in KEYS:
        one = expected(conn, key)
        assert len(one) == 1
        for words in (
            ["log", f"--id={text_of(key)}", "--target", "word", "--format", "jsonl"],
            ["history", "--format", "jsonl", "--", "word", key],
        ):
            assert (key, ids(auditctl(*words, check=0).out)) == (key, one)


def test_an_empty_key_is_not_the_same_as_none(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (one,) = expected(conn, "")
    assert ids(auditctl("log", "--id", "", "--format", "jsonl", check=0).out) == [one]
    assert ids(auditctl("export", "--id", "", "--format", "jsonl", check=0).out) == [one]
    assert auditctl("hold", "add", "word", "--id", "", "--reason", "x", check=0).err.endswith("keeps 1 event now.\n")
    assert conn.execute("select target_id from auditctl.hold").fetchall() == [("",)]


def test_a_key_that_is_stored_shortened_is_found_in_full(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    stored = conn.execute("select target_id from auditctl.event where target_id ~ 'sha256:' order by 1").fetchall()
    assert len(stored) == 3
    pair = json.dumps([LONG, "x"])
    (one,) = expected(conn, LONG, "public.pair")
    for key in (pair, pair.replace(", ", ","), json.dumps([LONG, "x"], ensure_ascii=False)):
        assert ids(auditctl("history", "pair", key, "--format", "jsonl", check=0).out) == [one]
        assert ids(auditctl("log", "--id", key, "--format", "jsonl", check=0).out) == [one]
        assert auditctl("hold", "add", "pair", "--id", key, "--reason", "x", check=0).err.endswith("1 event now.\n")
    for (short,) in stored:
        assert len(ids(auditctl("log", "--id", short, "--format", "jsonl", check=0).out)) == 1


@pytest.mark.parametrize("key", ['["\\ud800", "x"]', '["\\u0000", "x"]', "[1e999999, 1]", "[NaN, 1]", "[" * 900])
def test_a_text_that_jsonb_refuses_is_searched_for_as_it_is(
    auditctl: RunAuditctl, conn: psycopg.Connection, key: str
) -> None:
    conn.execute(
        "insert into auditctl.event (actor_kind, target, target_id, action) values ('system', 'a.b', %s, 'EVENT')",
        [key],
    )
    assert len(ids(auditctl("log", "--target", "a.b", "--id", key, "--format", "jsonl", check=0).out)) == 1
    assert "is not a key of public.pair" in auditctl("log", "--target", "pair", "--id", key, check=2).err


def test_every_link_of_an_event_leads_to_its_row(reader: Client, conn: psycopg.Connection) -> None:
    for key in KEYS:
        (one,) = expected(conn, key)
        page = documents.read(reader.get(f"/events/{one}").text)
        (history,) = [address for text, address in page.links if text == "History of this object"]
        answer = reader.get(history)
        assert answer.status_code == 200
        assert answer.text.count('data-event="') == 1
        assert f'data-event="{one}"' in answer.text


def test_links_of_a_filtered_page_keep_the_key(reader: Client, conn: psycopg.Connection) -> None:
    for key in KEYS:
        (one,) = expected(conn, key)
        answer = reader.get("/", params={"target": "word", "id": text_of(key)})
        assert answer.status_code == 200
        assert (key, answer.text.count('class="event"'), f'data-event="{one}"' in answer.text) == (key, 1, True)
        document = documents.read(answer.text)
        exported = reader.get("/export.jsonl", params=document.form("/", "form"))
        assert (key, ids(exported.text)) == (key, [one])
        links = dict(document.links)
        assert reader.get(links["Last 24 hours"]).text.count('class="event"') == 1


def test_the_form_keeps_an_empty_key_and_ignores_empty_fields(reader: Client, conn: psycopg.Connection) -> None:
    (one,) = expected(conn, "")
    everything = documents.read(reader.get("/").text).form("/", "form")
    assert everything["id"] == [""]
    assert reader.get("/", params=everything, follow_redirects=True).url.query == b""
    answer = reader.get("/", params={**everything, "target": "word", "empty": "id"}, follow_redirects=True)
    assert (answer.url.params["target"], answer.url.params["id"]) == ("word", "")
    assert answer.text.count('class="event"') == 1
    assert "Target ID: (empty)" in documents.read(answer.text).text
    again = documents.read(answer.text).form("/", "form")
    assert again["empty"] == ["id"]
    assert f'data-event="{one}"' in reader.get("/", params=again, follow_redirects=True).text
    typed = reader.get("/", params={**again, "id": "a/b"}, follow_redirects=True)
    assert [one for one in typed.url.params.get_list("id") if one] == ["a/b"]
    assert reader.get("/overview", params={"id": "", "target": "word"}).status_code == 200
