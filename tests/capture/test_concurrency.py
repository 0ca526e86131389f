"""Sessions that write at once, with savepoints and rollbacks: the log holds exactly what they committed, in order."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.support.capturing import audit
from tests.support.replaying import replay, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.replaying import Row

pytestmark = pytest.mark.slow  # sessions wait for each other

SESSIONS = 4
TRANSACTIONS = 200
SHARED = 12
"""Rows that all sessions update; each also has rows of its own."""

TABLES = ("public.account", "public.entry")

SCHEMA = """
    create table account (id int primary key, balance int not null);
    create table entry (id text, shop int, n int not null, primary key (id, shop)) partition by list (shop);
    create table entry_0 partition of entry for values in (0);
    create table entry_1 partition of entry for values in (1);
    insert into account select i, 0 from generate_series(1, 12) as i
"""

LOG = """
    select xact_id::text, target, action::text, target_id, old_values, new_values
      from auditctl.event where target = any (%s) order by event_id
"""

Change = tuple[str, str, str | None, Any, Any]


@dataclass
class Writer:
    """A session and its own book of what it committed.

    Attributes:
        conn: The session.
        name: Its number.
        chance: Decides everything it does.
        committed: The changes of each transaction in their order.
        entries: Its own rows: key and number.
    """

    conn: psycopg.Connection
    name: int
    chance: random.Random
    committed: dict[str, list[Change]] = field(default_factory=dict)
    entries: dict[tuple[str, int], int] = field(default_factory=dict)
    made: int = 0

    def transact(self) -> None:
        """Carry out one transaction, and enter it in the book if it was committed."""
        entries, made = dict(self.entries), []
        is_kept = self.chance.random() < 0.8
        try:
            with self.conn.transaction(force_rollback=not is_kept):
                row = self.conn.execute("select pg_current_xact_id()::text").fetchone()
                accounts = sorted(self.chance.sample(range(1, SHARED + 1), self.chance.randint(0, 3)))
                for account in accounts:  # in one order, so that nobody waits in a circle
                    made += self.block(self.pay, account)
                for _ in range(self.chance.randint(1, 4)):
                    made += self.block(self.keep)
        except psycopg.errors.SerializationFailure:
            is_kept = False
        if is_kept and row is not None:
            self.committed[row[0]] = made
        else:
            self.entries = entries

    def block(self, work: Callable[..., list[Change]], *arguments: int) -> list[Change]:
        """Do some work, now and then inside a savepoint, which is taken back every other time."""
        kind = self.chance.choice(("plain", "kept", "taken back"))
        if kind == "plain":
            return work(*arguments)
        entries = dict(self.entries)
        with self.conn.transaction(force_rollback=kind == "taken back"):
            made = work(*arguments)
        if kind == "kept":
            return made
        self.entries = entries
        return []

    def pay(self, account: int) -> list[Change]:
        """Change a row that other sessions change too."""
        amount = self.chance.randint(-3, 3)
        row = self.conn.execute(
            "update account set balance = balance + %s where id = %s returning balance", [amount, account]
        ).fetchone()
        assert row is not None
        old, new = {"balance": row[0] - amount}, {"balance": row[0]}
        return [("public.account", "UPDATE", str(account), old, new)] if amount else []

    def keep(self) -> list[Change]:
        """Create, change, move or delete a row of its own."""
        key = self.chance.choice(sorted(self.entries)) if self.entries else None
        todo = self.chance.choice(("create", "update", "move", "delete")) if key else "create"
        if key is None or todo == "create":
            self.made += 1
            key = (f"{self.name}-{self.made}", self.made % 2)
            return [self.add(key, self.made)]
        if todo == "update":
            number = self.entries[key]
            self.conn.execute("update entry set n = n + 1 where (id, shop) = (%s, %s)", key)
            self.entries[key] = number + 1
            return [("public.entry", "UPDATE", text(key), {"n": number}, {"n": number + 1})]
        number = self.entries.pop(key)
        gone: Change = ("public.entry", "DELETE", text(key), image(key, number), None)
        if todo == "delete":
            self.conn.execute("delete from entry where (id, shop) = (%s, %s)", key)
            return [gone]
        self.conn.execute("update entry set shop = 1 - shop where (id, shop) = (%s, %s)", key)
        moved = (key[0], 1 - key[1])
        self.entries[moved] = number
        return [gone, ("public.entry", "CREATE", text(moved), None, image(moved, number))]

    def add(self, key: tuple[str, int], number: int) -> Change:
        self.conn.execute("insert into entry values (%s, %s, %s)", [*key, number])
        self.entries[key] = number
        return ("public.entry", "CREATE", text(key), None, image(key, number))


def text(key: tuple[str, int]) -> str:
    return f'["{key[0]}", {key[1]}]'


def image(key: tuple[str, int], number: int) -> dict[str, Any]:
    return {"id": key[0], "shop": key[1], "n": number}


def write(dsn: str, level: IsolationLevel, number: int) -> Writer:
    """Carry out all transactions of one session."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.isolation_level = level
        writer = Writer(conn, number, random.Random(number))
        for _ in range(TRANSACTIONS):
            writer.transact()
    return writer


@pytest.mark.parametrize(
    "level",
    [IsolationLevel.READ_COMMITTED, IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE],
    ids=lambda level: level.name.lower().replace("_", " "),
)
def test_the_log_of_sessions_that_write_at_once_is_what_each_of_them_committed(
    db: str, conn: psycopg.Connection, level: IsolationLevel
) -> None:
    conn.execute(SCHEMA)
    audit(db, *TABLES)
    before: list[Row] = rows(conn, "public.account")
    with ThreadPoolExecutor(SESSIONS) as pool:
        writers = list(pool.map(lambda number: write(db, level, number), range(SESSIONS)))

    books: dict[str, list[Change]] = {}
    for writer in writers:
        assert len(writer.committed) > TRANSACTIONS // 4
        books |= {transaction: made for transaction, made in writer.committed.items() if made}
    found: dict[str, list[Change]] = {}
    for transaction, *change in conn.execute(LOG, [list(TABLES)]):
        found.setdefault(transaction, []).append((change[0], change[1], change[2], change[3], change[4]))
    assert found == books

    # The log in its order, over all sessions, also leads to the rows that are there.
    assert replay(conn, "public.account", before) == rows(conn, "public.account")
    assert replay(conn, "public.entry", key=("id", "shop")) == rows(conn, "public.entry")
    kept = {key: number for writer in writers for key, number in writer.entries.items()}
    assert {(row["id"], row["shop"]): row["n"] for _, row in rows(conn, "public.entry")} == kept
