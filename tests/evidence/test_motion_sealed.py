"""What DDL makes of audited tables between two seals is announced: names, schemas, parents, partitions and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditctl import database
from auditctl.evidence import verifier
from auditctl.evidence.verifier import Choice
from tests.support import sealing
from tests.support.capturing import apply

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

pytestmark = pytest.mark.slow

TABLES = """
    create schema shop; create schema stock;
    create table shop.base (id int primary key, v text, secret text);
    create table shop.child (primary key (id)) inherits (shop.base);
    create table shop."Odd Child" (primary key (id)) inherits (shop.base);
    create table shop.parted (id int) partition by list (id);
    create table shop.part_1 partition of shop.parted for values in (1);
    create table shop.lone (id int primary key, secret text)
"""

RULES = """
[[table]]
name = "shop.*"
mask = ["secret"]
[[table]]
name = "stock.*"
"""

MOTIONS = (
    "alter table shop.base rename to root",
    "alter table shop.child rename to leaf",
    'alter table shop."Odd Child" rename to "Odder Child"',
    "alter table shop.root rename v to w; alter table shop.root add x int",
    "alter table shop.leaf no inherit shop.root",
    "alter table shop.leaf inherit shop.root",
    "alter table shop.root set schema stock",
    "alter table shop.leaf set schema stock",
    "alter table shop.parted rename to divided",
    "alter table shop.divided detach partition shop.part_1",
    "alter table shop.part_1 rename to piece",
    "alter table shop.divided attach partition shop.piece for values in (1)",
    "alter table shop.piece set schema stock",
    "alter schema shop rename to store",
    "alter table store.divided set schema stock",
    "alter table store.lone rename secret to hidden",
    "alter table store.lone set schema stock; alter table stock.lone rename to single",
    "create table stock.other (like stock.root); alter table stock.leaf inherit stock.other",
    "alter schema stock rename to depot",
    'drop table store."Odder Child"',
    "drop table depot.leaf",
)


def test_tables_that_are_renamed_moved_and_joined_between_seals_verify(
    db: str, conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    keys = sealing.make_keys(tmp_path)
    with sealing.sealer(db, keys) as sealer, database.connect_store(db) as reader:
        list(sealer.run())
        conn.execute(TABLES)
        apply(db, RULES)
        for motion in MOTIONS:
            list(sealer.run())
            conn.execute(motion.encode())
        report = verifier.verify(reader, Choice(), lambda *_: None)
        assert report.findings == []
        list(sealer.run())
        report = verifier.verify(reader, Choice(), lambda *_: None)
    assert report.findings == []
