"""A log that was restored in another cluster: transactions of both have one number, and are never shown as one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.web import Client

PAIR = "transactions 700 of 2 clusters"


def write(conn: psycopg.Connection, *numbers: int) -> None:
    """Record an event of each transaction."""
    for number in numbers:
        conn.execute(
            "insert into auditctl.event (xact_id, actor_kind, action, target, target_id) "
            "values (%s::text::xid8, 'system', 'CREATE', 'public.item', %s)",
            [number, number],
        )


def adopt(conn: psycopg.Connection) -> None:
    """Record an adoption, as `auditctl adopt` does."""
    conn.execute(
        "select auditctl_internal.insert_event('auditctl.store', '0001', 'EVENT', null, %s, 'store adopted')",
        [json.dumps({"found": "was restored from a dump", "steps": []})],
    )


@pytest.fixture
def ids(conn: psycopg.Connection) -> list[int]:
    """The events of transaction 700 of the first cluster, of the second one, and of 701 and 702 of one each."""
    write(conn, 700, 700, 701)
    adopt(conn)
    write(conn, 700, 702)
    rows = conn.execute("select event_id from auditctl.event where target = 'public.item' order by event_id").fetchall()
    return [number for (number,) in rows]


def selected(auditctl: RunAuditctl, *options: str) -> list[int]:
    out = auditctl("export", "--format", "jsonl", "--order", "asc", *options, check=0).out
    return [json.loads(line)["event_id"] for line in out.splitlines()]


def test_a_number_of_two_clusters_is_refused_and_each_can_be_named(ids: list[int], auditctl: RunAuditctl) -> None:
    for command in ("log", "export"):
        refused = auditctl(command, "--xact", "700", check=2)
        assert PAIR in refused.err
        assert f"hint: Name an event of the one you mean: 700@{ids[3]} or 700@{ids[1]}\n" in refused.err
    assert selected(auditctl, "--xact", f"700@{ids[3]}") == [ids[3]]
    for event in ids[:2]:
        assert selected(auditctl, "--xact", f"700@{event}") == ids[:2]


def test_a_number_of_one_cluster_is_found_as_ever(ids: list[int], auditctl: RunAuditctl) -> None:
    assert selected(auditctl, "--xact", "701") == [ids[2]]
    assert selected(auditctl, "--xact", "702") == [ids[4]]
    assert selected(auditctl, "--xact", "703") == []


def test_a_log_of_one_cluster_needs_no_event(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    write(conn, 700, 700)
    assert len(selected(auditctl, "--xact", "700")) == 2


def test_the_page_leads_from_an_event_to_the_transaction_of_its_cluster(ids: list[int], reader: Client) -> None:
    assert f'href="/?xact=700%40{ids[0]}"' in reader.get(f"/events/{ids[0]}").text
    page = reader.get("/", params={"xact": f"700@{ids[3]}"})
    assert page.status_code == 200
    assert f"/events/{ids[3]}" in page.text
    assert f"/events/{ids[0]}" not in page.text
    assert PAIR in reader.get("/", params={"xact": "700"}).text


def test_the_page_of_a_log_of_one_cluster_names_the_number_alone(conn: psycopg.Connection, reader: Client) -> None:
    write(conn, 700)
    row = conn.execute("select event_id from auditctl.event where target = 'public.item'").fetchone()
    assert row is not None
    assert 'href="/?xact=700"' in reader.get(f"/events/{row[0]}").text
