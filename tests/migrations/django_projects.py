"""A project with Django: its settings, its models, and the commands that a developer runs in it, in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """
SECRET_KEY = "x"
DATABASES = {databases!r}
INSTALLED_APPS = ["auditctl.integrations.django", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""

RUN = """
import json, sys, django
from django.core.management import CommandError, call_command
from auditctl.cli.main import main
django.setup()
for words in json.load(sys.stdin):
    print("$", *words, flush=True)
    if words[0] != "auditctl":
        call_command(*words)
        continue
    try:
        main(words[1:])
    except SystemExit as end:
        if end.code:
            raise
"""


def database(dsn: str) -> dict[str, str]:
    """The entry of DATABASES for a DSN."""
    known = conninfo_to_dict(dsn)
    names = {"NAME": "dbname", "USER": "user", "HOST": "host", "PORT": "port"}
    return {"ENGINE": "django.db.backends.postgresql"} | {key: str(known[name]) for key, name in names.items()}


class Project:
    """A project in a folder, for the database of a DSN, with an application `shop`."""

    def __init__(self, folder: Path, dsn: str, **databases: object) -> None:
        self.folder = folder
        (folder / "shop" / "migrations").mkdir(parents=True)
        (folder / "shop" / "__init__.py").touch()
        (folder / "shop" / "migrations" / "__init__.py").touch()
        (folder / "config.py").write_text(SETTINGS.format(databases={"default": database(dsn), **databases}))

    def models(self, text: str) -> None:
        """Write the models."""
        (self.folder / "shop" / "models.py").write_text("from django.db import models\n\n" + text)

    def run(self, *commands: str) -> str:
        """Run commands of Django, and of auditctl; what they printed. Fails with that if one of them fails."""
        done = self.attempt(*commands)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, *commands: str) -> subprocess.CompletedProcess[str]:
        """Run commands, one of which may fail."""
        env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config", "PYTHONPATH": str(self.folder), "PYTHONWARNINGS": ""}
        words = json.dumps([[w.replace("\0", " ") for w in command.split(" ")] for command in commands])
        return subprocess.run(
            [sys.executable, "-c", RUN],
            input=words,
            env=env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=100,
        )

    def migration(self, number: int) -> str:
        """The text of a migration."""
        return next((self.folder / "shop" / "migrations").glob(f"{number:04}_*.py")).read_text()
