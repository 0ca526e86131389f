"""Where capture is measured: for each contender a database with the same tables, a writer and a superuser."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self

import psycopg

from auditctl.demo.server import EmbeddedServer
from bench import measure
from bench.contenders.contender import APPLICATION, Contender, Log
from bench.measure import Cost
from bench.subject import Subject

Connection = psycopg.Connection[Any]

PROGRAM = "billing"
"""The writers' application_name: most drivers and frameworks set one."""

SIZE = """
    select sum(pg_total_relation_size(relid))::bigint
    from (select '{table}'::regclass union select relid from pg_partition_tree('{table}')) as part (relid)
"""
TRIGGERS = """
    select tgname, tgenabled::text from pg_trigger where tgrelid = %s::regclass and not tgisinternal
"""
HOW = {"O": "enable", "A": "enable always", "R": "enable replica", "D": "disable"}
"""pg_trigger.tgenabled, as ALTER TABLE spells it."""


class WrongCountError(Exception):
    """A contender did not record what happened, so that its figures mean nothing."""


@dataclass(slots=True)
class Bed:
    """A contender's database.

    Attributes:
        contender: Whose.
        subjects: The tables in it.
        admin: A superuser's session.
        writer: The session whose statements are measured.
        writer_dsn: To open more of its kind.
        log: Where the contender writes to.
    """

    contender: Contender
    subjects: tuple[Subject, ...]
    admin: Connection
    writer: Connection
    writer_dsn: str
    log: Log

    @classmethod
    def make(cls, server: EmbeddedServer, contender: Contender, subjects: Sequence[Subject]) -> Self:
        """Create the database and set the contender up in it."""
        name = f"bench_{contender.name}"
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute(f"create database {name}".encode())
        admin = psycopg.connect(server.dsn(name), autocommit=True)
        for subject in subjects:
            admin.execute(subject.definition.encode())
            admin.execute(f"grant all on {subject.name} to {APPLICATION}".encode())
        log = contender.set_up(server.dsn(name), subjects)
        if "auditctl.event" not in log.events:
            admin.execute(f"grant all on all tables in schema public to {APPLICATION}".encode())
            admin.execute(f"grant all on all sequences in schema public to {APPLICATION}".encode())
        dsn = server.dsn(name, user=contender.login, application_name=PROGRAM)
        bed = cls(contender, tuple(subjects), admin, psycopg.connect(dsn, autocommit=True), dsn, log)
        bed.renew_writer()
        bed.empty()
        return bed

    def renew_writer(self) -> None:
        """Give the writer a session that has run nothing but what names its user."""
        self.writer.close()
        self.writer = psycopg.connect(self.writer_dsn, autocommit=True)
        for statement in self.contender.session:
            self.writer.execute(statement.encode())

    def close(self) -> None:
        """End both sessions."""
        self.writer.close()
        self.admin.close()

    def run(self, statement: str, rows: int) -> Cost:
        """Run the writer's statement over so many rows; return what a row cost."""
        query, pid = statement.encode(), self.writer.info.backend_pid
        busy, started = measure.processor_seconds(pid), time.perf_counter()
        self.writer.execute(query)
        passed = time.perf_counter() - started
        return Cost(passed / rows * 1e6, (measure.processor_seconds(pid) - busy) / rows * 1e6)

    def empty(self) -> None:
        """Empty the tables and the log, and write out what is left, so that no round pays for the one before."""
        self.admin.execute(f"truncate {', '.join(subject.name for subject in self.subjects)}".encode())
        if self.log.tables:
            self.admin.execute(f"truncate {', '.join(self.log.tables)}".encode())
        self.admin.execute("checkpoint")

    def settle(self, subject: Subject) -> None:
        """Vacuum and analyze a table: autovacuum is off."""
        self.admin.execute(f"vacuum (analyze) {subject.name}".encode())

    def fill(self, subject: Subject, rows: int) -> None:
        """Insert rows of which the log knows nothing."""
        triggers = self.admin.execute(TRIGGERS, [subject.name]).fetchall()
        self.admin.execute(f"alter table {subject.name} disable trigger user".encode())
        self.admin.execute(subject.bulk("insert", rows).encode())
        for name, enabled in triggers:
            self.admin.execute(f'alter table {subject.name} {HOW[enabled]} trigger "{name}"'.encode())
        self.settle(subject)

    def require(self, changes: int) -> None:
        """Fail unless the log has one row for each change since it was emptied.

        Raises:
            WrongCountError: It has more or fewer.
        """
        found = sum(self._number(f"select count(*) from {table}") for table in self.log.events)
        if self.log.events and found != changes:
            raise WrongCountError(f"{self.contender.name} recorded {found} of {changes} changes")

    def bytes(self) -> int:
        """The size of the log with all its indexes and partitions."""
        return sum(self._number(SIZE.format(table=table)) for table in self.log.tables)

    def _number(self, query: str) -> int:
        row = self.admin.execute(query.encode()).fetchone()
        return 0 if row is None else int(row[0])


@contextmanager
def beds(
    server: EmbeddedServer, contenders: Sequence[Contender], subjects: Sequence[Subject]
) -> Iterator[dict[str, Bed]]:
    """Make a bed for each contender, by name in their order, and close them at the end of the block."""
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute(f"create role {APPLICATION} login".encode())
    with ExitStack() as stack:
        made = {}
        for contender in contenders:
            made[contender.name] = bed = Bed.make(server, contender, subjects)
            stack.callback(bed.close)
        yield made
