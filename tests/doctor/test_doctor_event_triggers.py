"""The doctor finds event triggers whose functions others can change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditctl.doctor.model import Finding, Severity
from tests.support.doctoring import examine_and_repair

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin


def test_an_event_trigger_that_a_login_can_change_is_found(db: str, login: MakeLogin, auditctl: RunAuditctl) -> None:
    eve = login("eve")
    examine_and_repair(
        db,
        f"""
        create schema tools;
        create function tools.note() returns event_trigger language plpgsql as 'begin end';
        alter function tools.note() owner to {eve.name};
        create event trigger noting on ddl_command_end execute function tools.note()
        """,
        [
            Finding(
                Severity.WARNING, "event_trigger_other", "noting",
                f"{eve.name} can act as whoever runs DDL, the coverage guard included: it owns tools.note(), which "
                "event trigger noting runs with their rights, so that administrators may not change capture.",
                "alter function tools.note() security definer set search_path = pg_catalog, pg_temp;",
            )
        ],
        auditctl,
    )  # fmt: skip
