"""The shops: what makes the tables of each, what is audited, and how it is served."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

OWNER = "shop_owner"
WEB = "shop_web"


@dataclass(frozen=True, slots=True)
class Step:
    """A command that prepares a shop.

    Attributes:
        login: Who runs it.
        words: The words of the command, for Python.
        before_auditing: Whether it runs before anything is audited.
    """

    login: str
    words: tuple[str, ...]
    before_auditing: bool = False


@dataclass(frozen=True, slots=True)
class Shop:
    """A small application.

    Attributes:
        title: What it shows.
        port: Where it listens unless another port is chosen.
        folder: Where its files are, and where its commands run.
        rules: The configuration file of its log.
        schema: The script that makes its tables; None where a step does.
        steps: What else prepares it.
        serve: The words that serve it, for Python; `{port}` stands for the port.
        ready: A path that answers without a sign-in.
        sign_in: How one signs in, for people; `{password}` stands for the password of its users.
    """

    title: str
    port: int
    folder: Path
    rules: Path
    schema: Path | None
    steps: tuple[Step, ...]
    serve: tuple[str, ...]
    ready: str
    sign_in: str


def environment(login: str, password: str, key: str, host: str, port: int, database: str) -> dict[str, str]:
    """Return the environment of a shop's programs: libpq's variables, and its secrets.

    Args:
        login: The login that they use.
        password: The password of the people who use the shop.
        key: What the shop signs cookies with.
        host: The folder of the server's socket.
        port: The number of the socket.
        database: The database.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "FLASK_", "DJANGO_"))}
    return own | {
        "PGHOST": host, "PGPORT": str(port), "PGDATABASE": database, "PGUSER": login,
        "FLASK_SECRET_KEY": key, "SECRET_KEY": key,
        "STAFF_PASSWORD": password, "DJANGO_SUPERUSER_PASSWORD": password,
    }  # fmt: skip


SHOPS = {
    "fastapi": Shop(
        title="FastAPI and SQLAlchemy",
        port=8001,
        folder=FOLDER / "fastapi_shop",
        rules=FOLDER / "shop.toml",
        schema=FOLDER / "shop.sql",
        steps=(),
        # By default uvicorn itself would replace the address of the proxy, by which the shop knows it.
        serve=("uvicorn", "app:app", "--host=127.0.0.1", "--port={port}", "--no-proxy-headers", "--log-level=warning"),
        ready="/products",
        sign_in="You are the proxy that signs users in: curl -H 'X-Remote-User: alice' ...",
    ),
    "flask": Shop(
        title="Flask and psycopg",
        port=8002,
        folder=FOLDER / "flask_shop",
        rules=FOLDER / "shop.toml",
        schema=FOLDER / "shop.sql",
        steps=(Step(WEB, ("flask", "--app", "app", "add-staff", "alice", "--reason=opens the shop")),),
        serve=("waitress", "--host=127.0.0.1", "--port={port}", "app:app"),
        ready="/products",
        sign_in="Sign in as alice, password {password} at /login",
    ),
    "django": Shop(
        title="Django and its admin",
        port=8003,
        folder=FOLDER / "django_shop",
        rules=FOLDER / "django_shop" / "audit.toml",
        schema=None,
        steps=(
            Step(OWNER, ("manage", "migrate", "--verbosity=0"), before_auditing=True),
            Step(OWNER, ("manage", "createsuperuser", "--noinput", "-v0", "--username=alice", "--email=")),
        ),
        serve=("waitress", "--host=127.0.0.1", "--port={port}", "wsgi:application"),
        ready="/login/",
        sign_in="Sign in as alice, password {password}",
    ),
}  # fmt: skip
