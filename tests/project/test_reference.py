"""The reference of SQL: its objects as the catalog has them, errors as they are raised, settings all named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.fixtures.databases import connect
from tests.project.test_docs import END, ROOT, START, code_of
from tests.support import sql_reference

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

INTERNAL = "UA000"
"""What functions raise to undo their own work, and catch."""

REFERENCE = ROOT / "docs" / "reference"


def compare(page: str, generated: str, update: bool) -> None:
    text = (REFERENCE / page).read_text("utf-8")
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2]
    wanted = f"{before}{START}\n{generated}\n{END}{after}"
    if update:
        (REFERENCE / page).write_text(wanted, "utf-8")
    else:
        assert text == wanted, "run: make docs"


def test_page_of_sql_objects_is_what_the_catalog_says(conn: psycopg.Connection[Any], update_golden: bool) -> None:
    compare("sql.md", sql_reference.objects(conn), update_golden)


def test_every_object_and_column_of_a_view_that_people_use_has_a_comment(conn: psycopg.Connection[Any]) -> None:
    relations = conn.execute(sql_reference.RELATIONS).fetchall()
    functions = conn.execute(sql_reference.FUNCTIONS).fetchall()
    assert [name for name, _, comment, _ in relations if not comment] == []
    assert [name for name, *_, comment, _ in functions if not comment] == []
    assert [f"{row[0]}.{column[0]}" for row in relations if row[1] for column in row[3] if not column[2]] == []


def test_page_of_errors_shows_what_is_raised(
    db: str, owner: Login, login: MakeLogin, auditctl: RunAuditctl, update_golden: bool
) -> None:
    web = login("web", roles=["auditctl_app"])
    with connect(db) as conn:
        conn.execute(sql_reference.SHOP)
        for name in ("invoice", "payment", "refund"):
            conn.execute(f"alter table billing.{name} owner to {owner.name}".encode())
        conn.execute(f"grant usage, create on schema billing to {owner.name}, {web.name}".encode())
        conn.execute(f"grant insert on all tables in schema billing to {web.name}".encode())
        auditctl("enable", "billing.invoice", check=0)
        auditctl("enable", "billing.payment", "--require-actor", check=0)
        auditctl("enable", "billing.refund", "--require-reason", check=0)
        auditctl("hold", "add", "billing.invoice", "--yes", "--reason", "case", check=0)
        logins = {"owner": owner.name, "app": web.name, "superuser": "current_user"}
        logins["superuser"] = conn.execute("select quote_ident(current_user)").fetchone()[0]  # type: ignore[index]
        compare("errors.md", sql_reference.errors(conn, logins), update_golden)


def test_every_sqlstate_of_auditctl_is_on_the_page_of_errors() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "sql").rglob("*.*"))
    assert set(re.findall(r"\bUA\d{3}\b", sources)) - {INTERNAL} == set(sql_reference.ERRORS)


def test_every_setting_is_on_the_page_of_settings() -> None:
    documented = code_of(REFERENCE / "settings.md")
    python = "".join(path.read_text("utf-8") for path in (ROOT / "auditctl").rglob("*.py"))
    sql = "".join(path.read_text("utf-8") for path in (ROOT / "sql").rglob("*.*"))
    variables = set(re.findall(r"\benviron(?:\.get\(|\[)\"([A-Z_]+)\"", python)) - {"TERM", "REMOTE_ADDR"}
    variables = {name for name in variables if not name.startswith("_")}
    session = set(re.findall(r"(?:current_setting|set_config)\('(auditctl\.[a-z_]+)'", sql + python))
    django = set(re.findall(r"\"(AUDITCTL_[A-Z_]+)\"", python))
    assert variables | session | django <= documented
