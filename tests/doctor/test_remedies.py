"""No remedy is proposed to somebody who cannot carry it out, nor one that an application would suffer from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from auditctl.doctor import remedies, rights
from auditctl.doctor.model import Finding, Right, Severity
from auditctl.doctor.registry import CHECKS
from auditctl.doctor.rights import SERVICES, Asker, Service
from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.doctoring import found

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import MakeLogin

BY_NAME = {check.name: check for check in CHECKS}


def remedy(check: str, row: dict[str, str], asker: Asker) -> str:
    """The remedy for a finding, as it is proposed to somebody."""
    finding = BY_NAME[check].finding(row)
    return remedies.fit(finding, BY_NAME[check], row, asker).remedy


SUPERUSER = {"object": "boss", "role": "boss"}


def test_only_a_superuser_is_told_to_do_what_only_a_superuser_can() -> None:
    statement = "alter role boss nosuperuser;"
    assert remedy("role_superuser", SUPERUSER, Asker(True, True)) == statement
    assert remedy("role_superuser", SUPERUSER, Asker(False, True)) == f"as a superuser: {statement}"
    repair = {"object": "auditctl.x", "relation": "auditctl.x"}
    for is_owner, start in ((True, "set role auditctl_owner; "), (False, "as a superuser: set role ")):
        assert remedy("log_row_security", repair, Asker(False, is_owner)).startswith(start)


@pytest.mark.parametrize("service", SERVICES, ids=[service.name for service in SERVICES])
def test_nobody_on_a_managed_service_is_told_to_change_what_the_service_needs(service: Service) -> None:
    asker = Asker(False, True, service)
    own = service.own[0].replace("*", "admin")
    text = remedy("role_superuser", {"object": own, "role": own}, asker)
    assert text == (
        f"{service.name} itself needs the role {own}, and nobody else can change it. "
        f'Accept the finding in the file: check = "role_superuser", object = "{own}"'
    )
    other = remedy("role_superuser", SUPERUSER, asker)
    assert other.startswith(f"Nobody but {service.name} is a superuser there: ")
    for check in CHECKS:
        if check.needs is Right.SUPERUSER:
            row = dict.fromkeys(("role", "relations", "database", "name", "kind", "parameter"), "x") | {"object": "x"}
            finding = Finding(Severity.NOTICE, check.name, "x", "m", "alter role x nosuperuser;")
            fitted = remedies.fit(finding, check, row, asker)
            assert not fitted.is_code, check.name


@pytest.mark.parametrize("marker", [service.marker for service in SERVICES])
def test_a_service_is_known_by_its_role_unless_a_superuser_asks(
    db: str, conn: psycopg.Connection, login: MakeLogin, marker: str
) -> None:
    role = sql.Identifier(marker)
    reader = login("reader", roles=["auditctl_reader"])
    conn.execute(sql.SQL("create role {}").format(role))
    try:
        with connect(reader.dsn) as session:
            asker = rights.read(session)
        assert asker.service is not None
        assert asker.service.marker == marker
        assert rights.read(conn) == Asker(True, True)
    finally:
        conn.execute(sql.SQL("drop role {}").format(role))


def test_a_rule_that_routes_rows_is_not_proposed_for_dropping(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table payment (id int primary key, at date);
        create table payment_01 (check (at < '2027-02-01')) inherits (payment);
        create table "pay 02" (like payment);
        create rule first as on insert to payment where at < '2027-02-01'
            do instead insert into payment_01 values (new.*);
        create rule second as on insert to payment where at >= '2027-02-01'
            do instead insert into "pay 02" values (new.*);
        create rule noted as on delete to payment do also insert into "pay 02" values (old.*)
    """)
    audit(db, "payment")
    remedies_of = {finding.object: finding.remedy for finding in found(db) if finding.check.startswith("rule_")}
    audited = "What the rule writes to is audited: accept the finding if an application needs the rule"
    missing = (
        "Audit what the rule writes to, and accept the finding if an application needs the rule: "
        """auditctl enable 'public."pay 02"\'"""
    )
    assert remedies_of == {
        "first on public.payment": audited,
        "second on public.payment": missing,
        "noted on public.payment": missing,
    }
