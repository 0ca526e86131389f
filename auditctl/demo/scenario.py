"""Runs a day at the sample company: what its people and programs do, and what the database refuses.

Runs the statements and yields a description of each. Prints nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, LiteralString

from auditctl import database
from auditctl.errors import DatabaseError
from auditctl.integrations.psycopg import acting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditctl.database import Connection
    from auditctl.demo.company import Company


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the web application.

    Attributes:
        name: As the application knows them.
        ip: The address of their browser.
    """

    name: str
    ip: str


ALICE: Final = Person("alice", "203.0.113.7")
BOB: Final = Person("bob", "203.0.113.24")
CAROL: Final = Person("carol", "2001:db8::c4")


@dataclass(frozen=True, slots=True)
class Act:
    """What a person or program did.

    Attributes:
        who: The person, program or login.
        place: The address, or the program.
        deed: The action, as the rest of a sentence.
    """

    who: str
    place: str
    deed: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a login tried.

    Attributes:
        login: The login.
        statements: The statements that it ran.
        answer: The server's error; None where it did not refuse.
        sqlstate: The error's code; None likewise.
    """

    login: str
    statements: tuple[LiteralString, ...]
    answer: str | None = None
    sqlstate: str | None = None


def day(company: Company) -> Iterator[Act]:
    """Run the day, one act after the other; each is complete when it is yielded.

    Raises:
        DatabaseError: The server refused a statement that it should not.
    """
    for act in (*_OFFICE, _psql, _nightly):
        yield act(company)


def attempts(company: Company) -> Iterator[Attempt]:
    """Try to change the log with each login that reads or writes it, and to change a price without an actor.

    Yields:
        Each attempt with its outcome; in a sound store all have an error.
    """
    yield _try(company.web, "billing_web", "update auditctl.event set actor = 'bob' where actor = 'alice'")
    yield _try(company.auditor, "auditor", "delete from auditctl.event where db_user = 'dana'")
    yield _try(
        company.dba, "dana", "set role auditctl_owner", "update auditctl.event set actor = 'alice' where actor = 'dana'"
    )
    yield _try(company.dba, "dana", "set role auditctl_owner", "truncate auditctl.event")
    yield _try(company.job, "billing_job", "update billing.plan set price = 0")


def read_false_claim(company: Company) -> int:
    """Return the event_id of the change by a login that claimed to be another user.

    Raises:
        DatabaseError: The log cannot be read.
    """
    with database.connect_store(company.auditor) as conn:
        row = conn.execute("select max(event_id) from auditctl.activity where context ? 'claimed_actor'").fetchone()
    return 0 if row is None else row[0]


@contextmanager
def _request(company: Company, person: Person, request_id: str, reason: str | None = None) -> Iterator[Connection]:
    """One request to the web application: a transaction in the name of its user."""
    with (
        database.connect(company.web) as conn,
        database.transaction(conn),
        acting(conn, person.name, person.ip, reason=reason, request_id=request_id),
    ):
        yield conn


def _signs_up(company: Company) -> Act:
    with _request(company, ALICE, "req-1041") as conn:
        row = conn.execute(
            "insert into billing.customer (name, email, country, card_number)"
            " values ('Lindgren & Söner AB', 'faktura@lindgren-soner.example', 'SE', '6011111111111117') returning id"
        ).fetchone()
        conn.execute("insert into billing.subscription (customer_id, plan_code, seats) values (%s, 'team', 3)", row)
    return Act(ALICE.name, ALICE.ip, "signs up a customer, who subscribes to plan team")


def _corrects(company: Company) -> Act:
    with _request(company, ALICE, "req-1042", "customer called") as conn:
        conn.execute(
            "update billing.customer set email = 'rechnung@hofladen-brandt.example', card_number = '4000056655665556',"
            " updated_at = now() where id = 1"
        )
    return Act(ALICE.name, ALICE.ip, "corrects a customer's e-mail and card number")


def _touches(company: Company) -> Act:
    with _request(company, ALICE, "req-1043") as conn:
        conn.execute("update billing.customer set updated_at = now() where id = 3")
    return Act(ALICE.name, ALICE.ip, "saves a customer unchanged: only updated_at moves, which is no event")


def _gets_paid(company: Company) -> Act:
    with _request(company, BOB, "req-1044") as conn:
        conn.execute("update billing.invoice set status = 'paid' where id = 2")
        conn.execute("update billing.customer set balance = balance - 40.00, updated_at = now() where id = 2")
    return Act(BOB.name, BOB.ip, "books a payment: an invoice, and the customer's balance")


def _raises_price(company: Company) -> Act:
    with _request(company, BOB, "req-1045", "new price list") as conn:
        conn.execute("update billing.plan set price = 34.00 where code = 'team'")
    return Act(BOB.name, BOB.ip, "raises the price of plan team")


def _renames_plan(company: Company) -> Act:
    with _request(company, BOB, "req-1046", "new price list") as conn:
        conn.execute("update billing.plan set code = 'business', name = 'Business' where code = 'team'")
    return Act(BOB.name, BOB.ip, "gives plan team the new key business; its subscriptions follow by cascade")


def _thinks_better(company: Company) -> Act:
    with (
        database.connect(company.web) as conn,
        conn.transaction(force_rollback=True),
        acting(conn, BOB.name, BOB.ip, request_id="req-1047"),
    ):
        conn.execute("delete from billing.invoice")
    return Act(BOB.name, BOB.ip, "deletes all invoices and rolls back, which leaves nothing")


def _forgets(company: Company) -> Act:
    with _request(company, CAROL, "req-1048", "asked to be forgotten") as conn:
        conn.execute("delete from billing.customer where id = 4")
    return Act(CAROL.name, CAROL.ip, "deletes a customer; the subscription goes by cascade")


def _grows(company: Company) -> Act:
    with _request(company, CAROL, "req-1049") as conn:
        conn.execute("update billing.subscription set seats = 15, plan_code = 'business' where id = 3")
    return Act(CAROL.name, CAROL.ip, "changes a subscription's plan and seats")


_OFFICE: Final[tuple[Callable[[Company], Act], ...]] = (
    _signs_up, _corrects, _touches, _gets_paid, _raises_price, _renames_plan, _thinks_better, _forgets, _grows,
)  # fmt: skip


def _psql(company: Company) -> Act:
    with database.connect(company.dba) as conn:
        conn.execute("set auditctl.actor = 'alice'")
        conn.execute("update billing.invoice set amount = 118.80 where id = 3")
    return Act("dana", "psql", "cuts an invoice to a tenth, and claims to be alice")


def _nightly(company: Company) -> Act:
    with database.connect(company.job) as conn, database.transaction(conn):
        conn.execute(
            "insert into billing.invoice (subscription_id, amount)"
            " select s.id, p.price * s.seats from billing.subscription as s"
            " join billing.plan as p on p.code = s.plan_code where s.status = 'active' order by s.id"
        )
    return Act("System", "nightly-billing", "writes the invoices of the month, for nobody in particular")


def _try(dsn: str, login: str, *statements: LiteralString) -> Attempt:
    try:
        with database.connect(dsn) as conn:
            for statement in statements:
                conn.execute(statement)
    except DatabaseError as error:
        return Attempt(login, statements, str(error), error.sqlstate)
    return Attempt(login, statements)
