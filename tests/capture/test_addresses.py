"""Addresses have one form: an IPv4 client that reached an IPv6 socket is recorded and found as IPv4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditctl.addresses import parse_address, parse_network
from auditctl.log_import.records import _address
from tests.fixtures.databases import connect
from tests.support.recorded import Recorded, documents, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

MAPPED = ("::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1", "0000::ffff:192.0.2.1")
"""Ways to write 192.0.2.1 as an address of IPv6."""

OTHERS = (
    "::192.0.2.1",
    "64:ff9b::192.0.2.1",
    "2002:c000:201::1",
    "::fffe:192.0.2.1",
    "::ffff:0:192.0.2.1",
    "192.0.2.1",
)
"""Addresses that contain one of IPv4 and are others, and one that is as it should be."""


NETWORKS = {
    "::ffff:192.0.2.0/120": "192.0.2.0/24",
    "::ffff:0:0/96": "0.0.0.0/0",
    "::ffff:192.0.2.7/128": "192.0.2.7/32",
}
WIDER = ("::/0", "::fffe:0:0/95", "2001:db8::/32")


def test_python_and_the_database_agree_on_mapped_addresses(conn: psycopg.Connection) -> None:
    query = "select auditctl_internal.unmapped(%(a)s::text::inet)::text, auditctl_internal.parse_ip(%(a)s::text)::text"
    for address in MAPPED:
        assert str(parse_address(address)) == _address(address) == "192.0.2.1"
        assert conn.execute(query, {"a": address}).fetchone() == ("192.0.2.1/32", "192.0.2.1/32")
    for mapped, network in NETWORKS.items():
        assert str(parse_network(mapped)) == network
        row = conn.execute(query, {"a": mapped}).fetchone()
        assert row is not None
        assert row[0] == network


def test_other_addresses_and_networks_stay_as_they_are(conn: psycopg.Connection) -> None:
    query = "select auditctl_internal.unmapped(%(a)s::inet) = %(a)s::inet"
    for address in (*OTHERS, *WIDER):
        assert conn.execute(query, {"a": address}).fetchone() == (True,)
        assert parse_network(address).version == (6 if ":" in address else 4)


def test_mapped_address_is_recorded_and_found_as_ipv4(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    conn.execute("create table note (id integer primary key); grant insert on note to public")
    auditctl("enable", "note", check=0)
    web = login("web", roles=["auditctl_app"])
    with connect(web.dsn) as session:
        for number, address in enumerate((*MAPPED, " ::ffff:192.0.2.1 ", "2001:db8::1")):
            with session.transaction():
                session.execute("select auditctl.set_context('alice', %s)", [address])
                session.execute("insert into note values (%s)", [number])
        with session.transaction():
            session.execute("select auditctl.set_context('alice', '::ffff:192.0.2.1')")
            session.execute("select auditctl.record_event('auth.login')")
    auditctl("record", "auth.login", "", "in", "--actor", "a", "--ip", MAPPED[0], dsn=web.dsn, check=0)

    def found(address: str) -> list[str]:
        out = auditctl("log", "--ip", address, "--format", "jsonl", check=0).out
        return [event["ip_address"] for event in documents(out)]

    for address in ("192.0.2.1", "192.0.2.0/24", "::ffff:192.0.2.0/120", *MAPPED):
        assert found(address) == ["192.0.2.1"] * 7, address
    assert found("2001:db8::/32") == ["2001:db8::1"]


def test_the_summary_of_old_months_finds_it_by_each_form(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    record(conn, Recorded(ip="192.0.2.1"))
    for address in ("192.0.2.1", *MAPPED, "::ffff:192.0.2.0/120"):
        assert len(auditctl("log", "--ip", address, "--format", "jsonl", check=0).out.splitlines()) == 1
