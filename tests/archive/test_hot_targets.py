"""The database and the readers of files agree on which events stay when their month is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from auditctl.archive import hot_targets

if TYPE_CHECKING:
    import psycopg

COLD = [
    f"auditctl.{name}"
    for name in ("ddl_statement", "export", "lookup", "refusal", "role_statement", "session", "sign_in")
]
STAYS = {
    **dict.fromkeys(("auditctl.rule", "auditctl.ddl", "auditctl.lookups", "auditctl.", "auditctl.é"), True),
    **dict.fromkeys(COLD, False),
    **dict.fromkeys(
        ("auditctl", "AUDITCTL.rule", "auditctl_x.rule", "auditctlx", "shop.auditctl.rule", "shop.item"), False
    ),
}


def test_database_python_and_engine_agree_on_what_stays(conn: psycopg.Connection) -> None:
    names = list(STAYS)
    rows = conn.execute("select t, auditctl.stays_hot(t) from unnest(%s::text[]) as t", [names]).fetchall()
    assert dict(rows) == STAYS
    assert {target: hot_targets.stays_hot(target) for target in names} == STAYS
    events = ibis.memtable(pa.table({"target": names}))
    found = events.filter(hot_targets.condition(events)).target.to_pyarrow().to_pylist()
    assert found == [target for target, stays in STAYS.items() if stays]
