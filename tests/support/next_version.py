"""A version of auditctl that comes after this one: a copy of sql/ and migrations/ that a test changes.

It has a second revision (a new table, a renamed column, data), and functions and views that differ in each way that
`create or replace` does not cover.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditctl import names, resources, revision, store
from auditctl.capture import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pytest

REVISION = "0002"

MIGRATION = '''
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        create table auditctl.note (rule text not null, constraint note_pkey primary key (rule));
        comment on table auditctl.note is 'What is new';
        insert into auditctl.note select r.name from auditctl.rule as r;
        alter table auditctl.capture_change rename column changed_at to changed_on
    """)
'''

RENAMED = ("update auditctl.capture_change set changed_at =", "update auditctl.capture_change set changed_on =")
"""The column that the revision renames, where the guard's functions use it."""

CHANGES = (
    # A signature, of a function that capture calls.
    ("function auditctl_internal.record_carefully(\n", "function auditctl_internal.record_carefully(p_form integer,\n"),
    ("perform auditctl_internal.record_carefully(\n", "perform auditctl_internal.record_carefully(2,\n"),
    # A function that capture calls goes, and another takes its place.
    ("record_update", "record_change"),
    # A view's column.
    ("    event.xact_id,\n", "    event.xact_id as transaction_id,\n"),
    ("auditctl.activity.xact_id is", "auditctl.activity.transaction_id is"),
    # A parameter's name, on which a generated column or a body might rely.
    ("auditctl_internal.is_glob(p_name text)", "auditctl_internal.is_glob(p_glob text)"),
    ("select regexp_replace(p_name, ", "select regexp_replace(p_glob, "),
    # What a function returns, on which a function of a later file stands.
    ("auditctl.shown(p_value text) returns text", "auditctl.shown(p_value text) returns varchar"),
    RENAMED,
)
"""Texts of sql/, and what stands there in the next version."""


@dataclass(frozen=True, slots=True)
class NextVersion:
    """The folder with the copies of sql/ and migrations/."""

    folder: Path

    def change(self, before: str, after: str) -> None:
        """Replace a text wherever it occurs in functions and templates."""
        changed = False
        for file in sorted((self.folder / "sql").rglob("*.sql*")):
            text = file.read_text("utf-8")
            if before in text:
                file.write_text(text.replace(before, after), "utf-8")
                changed = True
        assert changed, before

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        (self.folder / path).write_text(text, "utf-8")


def make(folder: Path, changes: Sequence[tuple[str, str]] = CHANGES) -> NextVersion:
    """Copy this version into a folder, and change it."""
    for name in ("sql", "migrations"):
        shutil.copytree(resources.folder(name), folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    version = NextVersion(folder)
    version.write("migrations/versions/0002_next.py", MIGRATION)
    for before, after in changes:
        version.change(before, after)
    return version


@contextmanager
def running(version: NextVersion, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process be that version inside the block, as far as the store is concerned."""
    with monkeypatch.context() as patch:
        patch.setattr(resources, "_PACKAGE", version.folder / "auditctl")
        for module in (names, store, revision):
            patch.setattr(module, "STORE_REVISION", REVISION)
        render._environment.cache_clear()
        yield
    render._environment.cache_clear()
