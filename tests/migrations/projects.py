"""A project with Alembic: its folder, its models, and the commands that a developer runs in it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Column, Integer, MetaData, Table, Text

ENV = """
from alembic import context
from sqlalchemy import create_engine, pool

import auditctl.integrations.alembic

config = context.config
options = dict(target_metadata=config.attributes["metadata"], include_schemas=True, **config.attributes["options"])
if context.is_offline_mode():
    context.configure(url="postgresql://", literal_binds=True, dialect_opts={"paramstyle": "named"}, **options)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(config.attributes["url"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, **options)
        with context.begin_transaction():
            context.run_migrations()
"""

TEMPLATE = '''"""${message}"""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''


def url(dsn: str, driver: str = "psycopg") -> URL:
    """The URL of a DSN for SQLAlchemy."""
    known = {name: str(value) for name, value in conninfo_to_dict(dsn).items()}
    query = {"host": known["host"], "port": known["port"]}
    return URL.create(f"postgresql+{driver}", known["user"], None, None, None, known["dbname"], query)


class Project:
    """A project in a folder, for the database of a DSN."""

    def __init__(self, folder: Path, dsn: str, **options: Any) -> None:
        self.folder = folder
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_text(ENV)
        (folder / "script.py.mako").write_text(TEMPLATE)
        (folder / "alembic.ini").write_text(f"[alembic]\nscript_location = {folder}\npath_separator = os\n")
        self.metadata = MetaData()
        self.options = options
        self.dsn = dsn
        self.revisions = 0

    def table(self, name: str, *columns: Any, schema: str | None = "shop", **options: Any) -> Table:
        """Declare a model with a key, in place of the one of that name."""
        key = f"{schema}.{name}" if schema else name
        if key in self.metadata.tables:
            self.metadata.remove(self.metadata.tables[key])
        own = [Column(column, Text) if isinstance(column, str) else column for column in columns]
        return Table(name, self.metadata, Column("id", Integer, primary_key=True), *own, schema=schema, **options)

    def config(self, out: io.StringIO | None = None) -> Config:
        """What a command of Alembic gets."""
        config = Config(self.folder / "alembic.ini", stdout=io.StringIO(), output_buffer=out)
        config.attributes.update(url=url(self.dsn), metadata=self.metadata, options=self.options)
        return config

    def revise(self) -> str:
        """Let autogenerate write a revision; its text."""
        self.revisions += 1
        made: Any = command.revision(self.config(), "next", autogenerate=True, rev_id=f"{self.revisions:04}")
        return Path(made.path).read_text()

    def write(self, upgrade: str, downgrade: str = "pass") -> None:
        """Write a revision by hand."""
        self.revisions += 1
        number = f"{self.revisions:04}"
        before = f"{self.revisions - 1:04}" if self.revisions > 1 else None
        text = f"from alembic import op\nimport sqlalchemy as sa\nrevision = {number!r}\ndown_revision = {before!r}\n"
        text += f"def upgrade():\n    {upgrade}\ndef downgrade():\n    {downgrade}\n"
        (self.folder / "versions" / f"{number}.py").write_text(text)

    def rewrite(self, number: int, upgrade: str, downgrade: str = "pass") -> None:
        """Write the newest revision again."""
        self.revisions = number - 1
        self.write(upgrade, downgrade)

    @property
    def login(self) -> str:
        """The login that migrates."""
        return str(conninfo_to_dict(self.dsn)["user"])

    def upgrade(self, revision: str = "head") -> None:
        """Run `alembic upgrade`."""
        command.upgrade(self.config(), revision)

    def downgrade(self, revision: str = "-1") -> None:
        """Run `alembic downgrade`."""
        command.downgrade(self.config(), revision)

    def check(self) -> None:
        """Run `alembic check`, which raises where autogenerate would write something."""
        command.check(self.config())

    def script(self, revisions: str = "head") -> str:
        """Run `alembic upgrade --sql`."""
        out = io.StringIO()
        command.upgrade(self.config(out), revisions, sql=True)
        return out.getvalue()

    def script_back(self, revisions: str) -> str:
        """Run `alembic downgrade --sql`, with `from:to`."""
        out = io.StringIO()
        command.downgrade(self.config(out), revisions, sql=True)
        return out.getvalue()
