"""Mistakes in [[event]] are reported with their place, as those in [[table]] are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl.errors import ConfigurationError
from tests.fixtures.databases import connect, fresh_database
from tests.support.capturing import pending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer

PROBLEMS = [
    pytest.param("[event]", "event: must be written as [[event]], once for each event", id="one bracket around event"),
    pytest.param("[[event]]", "event[0].name: is missing", id="event without a name"),
    pytest.param(
        "[[event]]\nname = 1", "event[0].name: must be a string such as billing.plan_change", id="event of a number"
    ),
    pytest.param(
        '[[event]]\nname = "a"\nenable = true', "event[0].enable: unknown key; did you mean enabled?", id="event's key"
    ),
    pytest.param(
        '[[event]]\nname = "a"\nenabled = "no"', "event[0].enabled: must be true or false", id="enabled as text"
    ),
    pytest.param(
        '[[event]]\nname = "a"\n[[event]]\nname = "a"', "event[1].name: a is already in event[0]", id="event twice"
    ),
    pytest.param(
        f'[[event]]\nname = "{"é" * 251}"', "event[0].name: is longer than 500 bytes", id="event name of 502 bytes"
    ),
    pytest.param(
        '[[event]]\nname = "a\\u200b"',
        "event[0].name: 'a\\u200b' has invisible characters, or spaces at its start or end",
        id="event name with what is not seen",
    ),
    pytest.param(
        '[[event]]\nname = "auth.[lr]*"',
        "event[0].name: auth.[lr]*: in a glob of event types, * stands for any characters and ? for one; "
        "brackets do not work",
        id="brackets in a glob of events",
    ),
    pytest.param(
        '[[event]]\nname = "Auditctl.role"\nenabled = false',
        "event[0].name: Auditctl.role belongs to auditctl itself; of its events, only auditctl.lookup and "
        "auditctl.session can be switched off",
        id="events of auditctl itself",
    ),
    pytest.param(
        '[[event]]\nname = "auth.*"\nlabel = "Access"',
        "event[0].label: a label belongs to one type, and auth.* is a glob",
        id="label of a glob of events",
    ),
    pytest.param(
        '[[event]]\nname = "a"\nlabel = "X"\n[[event]]\nname = "b"\nlabel = "X"',
        "event[1].label: X is already used for a",
        id="label of two event types",
    ),
    pytest.param(
        '[[event]]\nname = "a"\nlabel = "b"\n[[event]]\nname = "b"',
        "event[0].label: b is already used for b",
        id="another event type's name as label",
    ),
    pytest.param(
        '[[table]]\nname = "customer"\nlabel = "Person"\n[[event]]\nname = "a"\nlabel = "Person"',
        "event[0].label: Person is already used for public.customer",
        id="a table's label for an event type",
    ),
    pytest.param(
        '[[table]]\nname = "customer"\n[[event]]\nname = "public.customer"\nlabel = "Person"',
        "event[0].label: public.customer is an audited table, whose label stands in its [[table]]",
        id="label of an event type that is a table",
    ),
]


@pytest.fixture(scope="module")
def customers(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with a table, which the mistakes leave as it is."""
    with fresh_database(server, "mistakes", template.template_dbname) as dsn:
        with connect(dsn) as conn:
            conn.execute("create table customer (id int primary key)")
        yield dsn


@pytest.mark.parametrize(("text", "problem"), PROBLEMS)
def test_a_mistake_is_named_with_its_place(customers: str, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        pending(customers, text if "[[table]]" in text else f"table = []\n{text}")
    assert error.value.problems == (f"audit.toml: {problem}",)


def test_a_file_about_events_alone_must_say_that_it_means_no_table(customers: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        pending(customers, '[[event]]\nname = "auth.login"')
    assert error.value.problems == (
        "audit.toml: table: is missing, which would end all auditing; if you mean that, begin the file with: "
        "table = []",
    )
