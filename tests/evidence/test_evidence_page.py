"""The vectors of docs/explanation/evidence.md, and the session by which psql alone verifies a block."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from auditctl.evidence import canonical
from auditctl.evidence.leaf import Salter, event_leaf
from tests.support import sealing
from tests.support.verifying import fill

if TYPE_CHECKING:
    import psycopg

PAGE = Path(__file__).resolve().parents[2] / "docs/explanation/evidence.md"


def test_the_vectors_are_those_of_the_code() -> None:
    text = PAGE.read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(.*)` \| `(.*)` \|$", text, re.MULTILINE)
    assert tuple(name for name, _, _ in rows) == canonical.COLUMNS
    values = [None if value == "None" else value for _, value, _ in rows]
    fields = canonical.from_row(values)
    assert [field.hex() if field is not None else "null" for field in fields] == [data for _, _, data in rows]
    secret, salt, leaf = re.findall(r"`([0-9a-f]{64})`", text)
    computed = Salter(bytes.fromhex(secret)).salt(fields[0] or b"", fields[1] or b"")
    assert (computed.hex(), event_leaf(fields, computed)[0].hex()) == (salt, leaf)


def test_psql_alone_verifies_a_block(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    fill(db)
    conn.execute("insert into item select n, 'v' from generate_series(1, 9) as n")
    keys = sealing.make_keys(tmp_path)
    sealing.seal(db, keys)
    conn.execute("update item set v = 'w'")
    sealing.seal(db, keys)
    (statement,) = re.findall(r"^(select place.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    for block in (1, 2):
        query = statement.replace("(1)", f"({block})")
        leaves = conn.execute(query.encode()).fetchall()
        assert len(leaves) >= 10
        assert {is_as_sealed for _, _, is_as_sealed in leaves} == {True}
    number = leaves[3][1]
    conn.execute("alter table auditctl.event disable trigger user")
    conn.execute("update auditctl.event set actor = 'x' where event_id = %s", [number])
    assert [row[1] for row in conn.execute(query.encode()).fetchall() if not row[2]] == [number]
