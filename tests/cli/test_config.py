"""The configuration file: every mistake is reported at once, with file and key path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl.actions import Action
from auditctl.capture import rule_store
from auditctl.capture.config import document
from auditctl.capture.model import EventType
from auditctl.capture.rule_keys import Rule
from auditctl.errors import ConfigurationError
from tests.fixtures.databases import connect, fresh_database
from tests.support.capturing import apply, pending, triggers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

HINT = "hint: List the tables with: auditctl tables --all"

FIVE_MISTAKES = """
[[table]]
name = "public.customer"
exlude = ["updated_at"]
actions = ["create", "updat"]
require_actor = "yes"

[[table]]
name = "public.custmer"

[[table]]
name = "public.note"
mask = ["boddy"]
"""

PROBLEMS = [
    pytest.param(
        "colour = 1",
        "colour: unknown key; keys are defaults, table, event, retention, archive, admin, doctor",
        id="unknown key at the top",
    ),
    pytest.param("defaults = 1", "defaults: must be a table: [defaults]", id="defaults of another type"),
    pytest.param("[defaults]\nmask = []", "defaults.mask: unknown key; keys are actions", id="unknown default"),
    pytest.param(
        '[defaults]\nactions = ["updat"]',
        "defaults.actions[0]: unknown action updat; did you mean update?",
        id="unknown action by default",
    ),
    pytest.param("table = 1", "table: must be written as [[table]], once for each table", id="table of another type"),
    pytest.param('[table]\nname = "a"', "table: must be written as [[table]], once for each table", id="one bracket"),
    pytest.param("[[table]]", "table[0].name: is missing", id="no name"),
    pytest.param("[[table]]\nname = 7", "table[0].name: must be a string such as schema.table", id="name of a number"),
    pytest.param('[[table]]\nname = "a.b.c"', "table[0].name: 'a.b.c' is not a table name", id="three parts"),
    pytest.param('[[table]]\nname = ""', "table[0].name: '' is not a table name", id="empty name"),
    pytest.param(
        '[[table]]\nname = "a\\u0000b"', "table[0].name: a table's name cannot contain a NUL byte", id="NUL in a name"
    ),
    pytest.param(
        f'[[table]]\nname = "{"é" * 32}"',
        f"table[0].name: {'é' * 32!r} is too long: a name has at most 63 bytes",
        id="name of 64 bytes",
    ),
    pytest.param(
        '[[table]]\nname = "customer"\nactions = "create"',
        "table[0].actions: must be a list of create, update, delete, truncate, read",
        id="actions as one word",
    ),
    pytest.param(
        '[[table]]\nname = "customer"\nactions = ["event"]',
        "table[0].actions[0]: unknown action event; actions are create, update, delete, truncate, read",
        id="an action that is not captured",
    ),
    pytest.param(
        '[[table]]\nname = "customer"\nlabel = " "', "table[0].label: must be a string that is not empty", id="no label"
    ),
    pytest.param(
        '[[table]]\nname = "customer"\nmask = ["card", 1]',
        "table[0].mask: must be a list of column names",
        id="a column that is no name",
    ),
    pytest.param(
        '[[table]]\nname = "customer"\nmask = ["card", "card"]', "table[0].mask: names card twice", id="twice a column"
    ),
    pytest.param(
        '[[table]]\nname = "customer"\nmask = ["card"]\nexclude = ["card"]',
        "table[0].mask[0]: card is already excluded",
        id="excluded and masked",
    ),
    pytest.param(
        '[[table]]\nname = "customer"\nkey = ["id"]',
        "table[0].key: public.customer has a primary key (id); key is only for tables without one",
        id="key beside a primary key",
    ),
    pytest.param(
        '[[table]]\nname = "customer"\n[[table]]\nname = "CUSTOMER"',
        "table[1].name: public.customer has a rule already",
        id="a table under two names",
    ),
    pytest.param(
        '[[table]]\nname = "customer"\nlabel = "Person"\n[[table]]\nname = "note"\nlabel = "Person"',
        "table[1].label: Person is already used for public.customer",
        id="a label of two tables",
    ),
    pytest.param(
        '[[table]]\nname = "customer"\n[[table]]\nname = "note"\nlabel = "public.customer"',
        "table[1].label: public.customer is already used for public.customer",
        id="another table's name as label",
    ),
    pytest.param(
        '[[table]]\nname = "public.*"\nlabel = "All"',
        "table[0].label: a label belongs to one table, and public.* is a glob",
        id="label of a glob",
    ),
    pytest.param(
        '[[table]]\nname = "public.*"\nmask = ["nope"]',
        "table[0].mask[0]: no table of public.* has a column nope",
        id="column that no table has",
    ),
]


@pytest.fixture
def customer(conn: psycopg.Connection) -> None:
    conn.execute("create table customer (id int primary key, card text); create table note (body text)")


@pytest.mark.usefixtures("customer")
def test_five_mistakes_are_reported_together(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    (tmp_path / "audit.toml").write_text(FIVE_MISTAKES)
    expected = [
        "error: audit.toml: table[0].exlude: unknown key; did you mean exclude?",
        "error: audit.toml: table[0].actions[1]: unknown action updat; did you mean update?",
        "error: audit.toml: table[0].require_actor: must be true or false",
        "error: audit.toml: table[1].name: there is no table public.custmer; did you mean public.customer?",
        "error: audit.toml: table[2].mask[0]: public.note has no column boddy; did you mean body?",
        HINT,
    ]
    for command in (["plan"], ["apply", "--yes"], ["check"]):
        done = auditctl(*command, "audit.toml", check=4)
        assert (done.out, done.err.splitlines()) == ("", expected)
    assert triggers(conn) == []


@pytest.fixture(scope="module")
def customers(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    with fresh_database(server, "mistakes", template.template_dbname) as dsn:
        with connect(dsn) as conn:
            conn.execute("create table customer (id int primary key, card text); create table note (body text)")
        yield dsn


@pytest.mark.parametrize(("text", "problem"), PROBLEMS)
def test_a_mistake_is_named_with_its_place(customers: str, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        pending(customers, text)
    assert error.value.problems == (f"audit.toml: {problem}",)


@pytest.mark.parametrize("text", ["[[table]]\nname\n", "a = 1\na = 2\n", "[[table]\n"])
def test_what_is_no_toml_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^audit\.toml: .* \(at line \d, column \d+\)$") as error:
        document.load(text, "audit.toml")
    assert error.value.hint == "The file must be TOML: https://toml.io"


def test_a_file_that_cannot_be_read_is_named(auditctl: RunAuditctl, tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('label = "Straße"'.encode("latin-1"))
    (tmp_path / "folder").mkdir()
    nowhere = {"AUDITCTL_DSN": "host=/nonexistent"}
    for file, reason in (
        ("latin.toml", "it is not UTF-8 text"),
        ("folder", "Is a directory"),
        ("missing.toml", "No such file or directory"),
        ("latin.toml/x", "Not a directory"),
    ):
        done = auditctl("apply", file, env=nowhere, check=2)
        assert done.err == f"error: cannot read {file}: {reason}\nhint: Give a TOML file, or - for stdin.\n"


def test_rules_survive_being_written_and_read() -> None:
    written = (
        Rule("public.plain", (Action.CREATE, Action.UPDATE, Action.DELETE, Action.TRUNCATE)),
        Rule("public.none", ()),
        Rule('public."dot.ted ""q"" \\ \t\n\x01\x7f 😀"', (Action.DELETE,), label="a \"label\" # é'''\\"),
        Rule("public.*", (Action.CREATE,), exclude=("a b", '"'), mask=("x",), key=("k", "[l]"), require_actor=True),
    )
    assert document.load(document.dump(written), "x") == document.Document(written)
    assert document.load(document.dump(()), "x") == document.Document(())
    types = (EventType("auth.login", 'a "label" #'), EventType('w "x" \\ 😀 *', enabled=False))
    assert document.load(document.dump(written, types), "x") == document.Document(written, event_types=types)
    assert document.load(document.dump((), types), "x") == document.Document((), event_types=types)
    assert document.load("table = []\nevent = []", "x") == document.Document((), event_types=())
    assert document.load("table = []", "x") == document.Document(())


@pytest.mark.usefixtures("customer")
def test_a_rule_is_stored_as_the_file_states_it(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    apply(
        db,
        """
        [[table]]
        name = "CUSTOMER"
        label = "Customer"
        actions = ["update", "create"]
        exclude = ["card"]
        require_actor = true
        [[table]]
        name = "note"
        key = ["body"]
        """,
    )
    assert rule_store.read(conn) == (
        Rule("public.customer", (Action.CREATE, Action.UPDATE), "Customer", ("card",), require_actor=True),
        Rule("public.note", (Action.CREATE, Action.UPDATE, Action.DELETE, Action.TRUNCATE), key=("body",)),
    )
    assert auditctl("config", check=0).out == (
        "[defaults]\n"
        'actions = ["create", "update", "delete", "truncate"]\n'
        "\n"
        "[[table]]\n"
        'name = "public.customer"\n'
        'label = "Customer"\n'
        'actions = ["create", "update"]\n'
        'exclude = ["card"]\n'
        "require_actor = true\n"
        "\n"
        "[[table]]\n"
        'name = "public.note"\n'
        'key = ["body"]\n'
    )
