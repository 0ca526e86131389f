"""The documentation: what the code can tell is generated into it, what it says of commands and files is true."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from psycopg.conninfo import make_conninfo

from auditctl import errors
from auditctl.actions import ACTIONS
from auditctl.capture.config import document, event_types, tables
from auditctl.cli.main import COMMANDS, INTERRUPTED, cli
from auditctl.web.routes import ROUTES
from tests.fixtures.databases import GUARD_OFF, connect
from tests.support import reference
from tests.support.reference import EXIT_CODES

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.fixtures.command import RunAuditctl

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"commands.md": reference.generated, "configuration.md": reference.rule_keys}
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.joinpath("docs").rglob("*.md")])
START, END = "<!-- generated: make docs -->\n", "<!-- end of generated -->\n"

SHOP = """
    create role dana login superuser; create role billing_web login; create role auditor login;
    create schema billing;
    create table billing.customer (
        id integer primary key, name text not null, balance numeric(12, 2) not null default 0,
        card_number text, updated_at timestamptz not null default now()
    );
    create table billing.invoice (
        id integer primary key, customer_id integer not null references billing.customer, amount numeric(12, 2) not null
    );
    insert into billing.customer values (7, 'Hofladen Brandt', 10.00, '4242424242424242');
    grant usage on schema billing to billing_web;
    grant select, insert, update, delete on all tables in schema billing to billing_web;
"""
READING = ("log", "show", "history", "export")
LOGINS = {"record": "billing_web"}

CATALOG = """
    select c.relname, a.attname from pg_class as c join pg_attribute as a on a.attrelid = c.oid
     where c.relnamespace = 'auditctl'::regnamespace and c.relkind in ('p', 'r', 'v') and not c.relispartition
       and a.attnum > 0 and not a.attisdropped and c.relname <> 'alembic_version'
"""
FUNCTIONS = """
    select distinct p.proname
      from pg_proc as p, unnest(array['auditctl_reader', 'auditctl_app', 'auditctl_admin']) as role
     where p.pronamespace = 'auditctl'::regnamespace and has_function_privilege(role, p.oid, 'execute')
"""


def _codes_of(error: type[errors.AuditctlError]) -> set[int]:
    return {error.exit_code}.union(*(_codes_of(child) for child in error.__subclasses__()))


def fenced(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def code_of(page: Path) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", page.read_text("utf-8")))


def typed_commands(page: Path) -> list[list[str]]:
    """The words of each auditctl command in a page's shell blocks and examples of output."""
    text = "\n".join(block for language in ("sh", "console") for block in fenced(page, language))
    lines = [line.removeprefix("$ ") for line in text.replace("\\\n", " ").splitlines()]
    found = [match[0] for line in lines if (match := re.search(r"\bauditctl (?!=).*", line))]
    return [_until_shell(shlex.split(line, comments=True)) for line in found if not line.startswith("auditctl:")]


def _until_shell(words: list[str]) -> list[str]:
    end = next(
        (index for index, word in enumerate(words) if word in ("|", ">", ">>", "2>", "<", "&&", "||", ";")), None
    )
    return words[1:end]


@pytest.mark.parametrize(("page", "generated"), GENERATED.items())
def test_a_generated_part_says_what_the_code_says(page: str, generated: Callable[[], str], update_golden: bool) -> None:
    text = (ROOT / "docs" / "reference" / page).read_text("utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    wanted = f"{before}{START}\n{generated()}\n{END}{after}"
    if update_golden:
        (ROOT / "docs" / "reference" / page).write_text(wanted, "utf-8")
    else:
        assert text == wanted, "run: make docs"


def normal(output: str) -> list[str]:
    """Lines of output without what differs from run to run: times, transactions, sizes, space at the end."""
    for volatile in (
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z)?", r"\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d:\d\d(?= UTC)",
        r"(?<=xact_id     )\d+", r"[\d,]+(?= bytes)",
    ):  # fmt: skip
        output = re.sub(volatile, "?", output)
    return [line.rstrip() for line in output.splitlines()]


def work(dsn: str) -> None:
    """What happens between the set-up and the reading; the application's part is the README's own code."""
    sql, python = fenced(ROOT / "README.md", "sql")[0], fenced(ROOT / "README.md", "python")[0]
    web = make_conninfo(dsn, user="billing_web", application_name="billing-web")
    with connect(web) as conn:
        conn.execute(sql.encode())
        exec(python, {"dsn": web})
        conn.execute("update billing.invoice set amount = 13.00 where id = 1")
    with connect(make_conninfo(dsn, user="dana")) as conn:
        conn.execute("update billing.customer set name = 'Hofladen Brandt GmbH' where id = 7")


def prepare(dsn: str, auditctl: RunAuditctl) -> None:
    """What the quickstart did before a page that does not begin with it."""
    for command in (
        "install",
        "enable billing.customer --label Customer",
        "grant app billing_web",
        "grant reader auditor",
    ):
        auditctl(*command.split(), dsn=dsn, check=0)


def typed(block: str) -> list[tuple[str, str]]:
    """Each command of a console block, with the output that is shown below it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md", "docs/how-to/business-events.md"])
def test_output_in_the_documentation_is_real(
    page: str, empty_db: str, role_names: list[str], auditctl: RunAuditctl, update_golden: bool, tmp_path: Path
) -> None:
    role_names += ["dana", "billing_web", "auditor"]
    with connect(empty_db) as conn:
        conn.execute(SHOP)
    if page == "docs/how-to/business-events.md":
        prepare(make_conninfo(empty_db, user="dana"), auditctl)
        (tmp_path / "audit.toml").write_text(fenced(ROOT / page, "toml")[0], "utf-8")
    events: list[Callable[[], None]] = [lambda: work(empty_db)]
    text = (ROOT / page).read_text("utf-8")
    is_real = True
    for command, shown in [pair for block in fenced(ROOT / page, "console") for pair in typed(block)]:
        words = shlex.split(command)
        if words[0] != "auditctl":
            continue
        if words[1] in READING and events:
            events.pop()()
        if words[1] == "check":
            with connect(empty_db) as conn:
                conn.execute(GUARD_OFF)
                conn.execute("alter table billing.invoice disable trigger auditctl_update")
        login = "auditor" if words[1] in READING else LOGINS.get(words[1], "dana")
        done = auditctl(*words[1:], dsn=make_conninfo(empty_db, user=login), env={"COLUMNS": "100"})
        real = "".join(f"{line.rstrip()}\n" for line in (done.out + done.err).splitlines())
        is_real = is_real and normal(real) == normal(shown)
        assert is_real or update_golden, f"run: make docs\n$ {command}\n{real}"
        text = text.replace(f"$ {command}\n{shown}", f"$ {command}\n{real}")
    if not is_real:  # then all of it, so that the times on a page fit together
        (ROOT / page).write_text(text, "utf-8")


def test_every_exit_code_is_documented() -> None:
    assert set(EXIT_CODES) == _codes_of(errors.AuditctlError) | {0, INTERRUPTED}


def test_every_command_and_option_has_a_help_text() -> None:
    context = click.Context(cli, **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help, name
        for option in command.params:
            assert not isinstance(option, click.Option) or option.help, f"{name} {option.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, link


@pytest.mark.parametrize(
    "page", sorted(ROOT.joinpath("docs").rglob("*.md")), ids=lambda page: str(page.relative_to(ROOT))
)
def test_files_that_the_documentation_names_exist(page: Path) -> None:
    named = {
        code for code in code_of(page) if re.fullmatch(r"(auditctl|bench|docs|migrations|sql|tests)/[\w./-]+", code)
    }
    assert {path for path in named if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_documentation_are_understood(page: Path) -> None:
    for words in typed_commands(page):
        name = next((word for word in words if word in COMMANDS), None)
        if name is None:
            assert set(words) <= {"--help", "--version"}, words
            continue
        before, after = words[: words.index(name)], words[words.index(name) + 1 :]
        context = cli.make_context("auditctl", [*before, name])
        command = cli.get_command(context, name)
        assert command is not None, words
        if "--help" not in after:
            command.make_context(name, after, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_configuration_files_in_the_documentation_are_valid(page: Path) -> None:
    for block in fenced(page, "toml"):
        if "[[table]]" in block or "[defaults]" in block:
            assert document.load(block, page.name).problems == ()
        tomllib.loads(block)


def test_every_key_of_the_configuration_file_is_documented() -> None:
    documented = code_of(ROOT / "docs" / "reference" / "configuration.md")
    assert documented >= {
        *document.SECTIONS,
        *tables.KEYS,
        *event_types.KEYS,
        "actions",
        *(captured.option for captured in ACTIONS),
    }


def test_every_address_of_the_page_is_documented() -> None:
    assert {route.path for route in ROUTES} <= code_of(ROOT / "docs" / "how-to" / "web.md")


def test_schema_page_names_every_table_column_function_and_role(conn: psycopg.Connection[Any]) -> None:
    documented = code_of(ROOT / "docs" / "reference" / "schema.md")
    columns = conn.execute(CATALOG).fetchall()
    functions = {f"auditctl.{name}" for (name,) in conn.execute(FUNCTIONS)}
    named = {word.partition("(")[0] for word in documented}
    assert {f"auditctl.{table}" for table, _ in columns} <= named
    assert {column for _, column in columns} <= named
    assert functions <= named
    assert {"auditctl_owner", "auditctl_admin", "auditctl_reader", "auditctl_app", "UA001", "UA002"} <= named
