"""Names in filters over an archive, without a server: they mean what they mean in the database."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from auditctl.archive import archive, engines, files, names
from auditctl.archive.names import ArchiveNames
from auditctl.archive.search import ArchiveSelection, Search
from auditctl.errors import UsageError
from auditctl.log.filter_values import Reason
from auditctl.log.filters import Filters
from auditctl.log.selection import Order
from tests.log.test_filters import found
from tests.support.archived import archive_month
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

    Texts = dict[str, str | list[str]]

pytestmark = pytest.mark.slow

ALICE = Recorded()
LOG = (
    ALICE,
    replace(ALICE, target_id="8", actor="Bob", new='{"Status": "x", "nested": {"deep": 1}}'),
    replace(ALICE, actor=None, kind="system", target="billing.invoice", target_id='[7, "a"]'),
    replace(ALICE, actor="dana", kind="database", db_user="dana", target="crm.customer", target_id="A-1"),
    replace(ALICE, actor="bad\nname", target="billing.old", target_id="07"),
    replace(ALICE, actor="carol", target="sign.in", action="EVENT", target_id=None, old=None),
    replace(ALICE, actor="CAROL", target="sign.in", action="EVENT", target_id="6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
)

TARGETS = """
    insert into auditctl.target (target, label, key_columns, key_types) values
    ('billing.customer', 'Customer', '{id}', array[row('integer'::regtype, -1, null, false)::auditctl.key_type]),
    ('billing.old', 'Customer', '{id}', array[row('integer'::regtype, -1, null, false)::auditctl.key_type]),
    ('billing.invoice', null, '{n,line}', array[row('integer'::regtype, -1, null, false)::auditctl.key_type,
                                                row('text'::regtype, -1, null, false)::auditctl.key_type]),
    ('crm.customer', null, '{code}', array[row('text'::regtype, -1, null, true)::auditctl.key_type]),
    ('sign.in', null, '{id}', array[row('uuid'::regtype, -1, null, false)::auditctl.key_type])
"""

ALIKE: tuple[Texts, ...] = (
    {"target": "Customer"},
    {"target": "CUSTOMER"},
    {"target": ["billing.*", "sign.in"]},
    {"target": "invoice"},
    {"target": '"billing".old'},
    {"target": "billing.customer", "id": "007"},
    {"target": "Customer", "id": "7"},
    {"target": "invoice", "id": '["007","a"]'},
    {"target": "crm.customer", "id": "a-1"},
    {"target": "sign.in", "id": "{6F9619FF8B86D011B42D00CF4FC964FF}"},
    {"id": "7"},
    {"id": '[7,"a"]'},
    {"user": "alice"},
    {"user": "ALICE"},
    {"user": "bob"},
    {"user": "Carol"},
    {"user": "@dana"},
    {"user": "login:web"},
    {"user": "application:carol"},
    {"user": "bad\\nname"},
    {"user": "nobody"},
    {"user": ["System", "bob"]},
    {"not-user": ["alice", "nobody"]},
    {"column": "Status"},
    {"column": "balance", "target": "Customer"},
    {"became": "balance=12.5"},
    {"xact": "700"},
    {"reason": "x"},
    {"target": "custmer"},
    {"target": "customer.*"},
    {"target": "crm.customer", "column": "statu"},
    {"column": "deep"},
    {"target": "billing.customer", "id": "seven"},
    {"target": "invoice", "id": "7"},
)
"""Filters that find the same events in the archive as in the database, or are errors in both."""


@contextmanager
def opened(folder: Path, database: str | None = None) -> Iterator[Search]:
    with engines.session() as engine:
        yield Search(archive.read(files.at(str(folder)), database), engine)


def in_archive(search: Search, texts: Texts) -> list[int]:
    given = {name: [some] if isinstance(some, str) else some for name, some in texts.items()}
    predicates = names.resolve(Filters.parse(given), search).archive_predicates()
    return [event.position[1] for event in search.events(ArchiveSelection(predicates, Order.ASC))]


def outcome(call: object, *arguments: object, **texts: object) -> tuple[list[int] | None, str]:
    try:
        return call(*arguments, **texts), ""  # type: ignore[operator]
    except UsageError as error:
        return None, str(error).replace("the log knows", "the archive knows")


def test_names_mean_what_they_mean_in_the_database(conn: psycopg.Connection, tmp_path: Path) -> None:
    record(conn, *LOG)
    conn.execute(TARGETS)
    archive_month(conn, tmp_path, "2026-03")
    with opened(tmp_path) as search:
        for texts in ALIKE:
            expected, error = outcome(found, conn, **{**texts, "until": "2026-04-01"})
            selected, message = outcome(in_archive, search, texts)
            assert (selected, message.replace(f" {tmp_path}", "")) == (expected, error), texts


def test_what_nothing_has_is_suggested_from_the_archive(conn: psycopg.Connection, tmp_path: Path) -> None:
    record(conn, *LOG)
    conn.execute(TARGETS)
    archive_month(conn, tmp_path, "2026-03")
    with opened(tmp_path) as search:
        known = ArchiveNames(search)

        def suggested(**texts: str) -> str:
            return Filters.parse({name: [text] for name, text in texts.items()}).resolve(known).suggest(known)

        assert suggested(target="crm.customer", id="A1") == "Did you mean the key 'A-1'?"
        assert suggested(target="billing.customer", id="7") == ""
        assert suggested(user="alcie") == "Did you mean alice?"
        assert suggested(user="alice") == ""
        doubts = Filters.parse({"not-user": ["alcie", "alice"]}).resolve(known).doubts(known)
        assert doubts == ("Nobody is called alcie: nothing is excluded. Did you mean alice?",)
        with pytest.raises(UsageError) as caught:
            known.find_targets(["zebra"])
        assert caught.value.hint.startswith("It knows: Customer, ")
        with pytest.raises(UsageError) as caught:
            known.require_columns(["nothing like it"], ("billing.customer",))
        assert caught.value.hint == "Events have: Status, balance, id, nested."


def test_an_archive_without_months_knows_no_names(tmp_path: Path) -> None:
    with opened(tmp_path) as search:
        assert in_archive(search, {"user": "alice", "id": "7", "xact": "7", "reason": "x"}) == []
        with pytest.raises(UsageError, match="knows no table 'a'") as caught:
            in_archive(search, {"target": "a"})
        assert caught.value.hint == "It is empty."


def test_transactions_of_several_clusters_and_databases_are_told_apart(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    adoption = replace(ALICE, action="EVENT", target="auditctl.store", old=None, new='{"found": {}}', xact=900)
    first, _, second = record(conn, ALICE, adoption, ALICE)
    archive_month(conn, tmp_path, "2026-03")
    with opened(tmp_path) as search:
        with pytest.raises(UsageError, match="transactions 700 of 2 clusters") as caught:
            in_archive(search, {"xact": "700"})
        assert f"700@{second} or 700@{first}" in caught.value.hint
        assert in_archive(search, {"xact": f"700@{first}"}) == [first]
        assert in_archive(search, {"xact": f"700@{second}"}) == [second]
    archive_month(conn, tmp_path, "2026-03", database="other")
    with opened(tmp_path) as search, pytest.raises(UsageError) as caught:
        in_archive(search, {"xact": f"700@{first}"})
    assert caught.value.hint == "Choose one with --database: other, shop."
    with opened(tmp_path, "other") as search:
        assert in_archive(search, {"xact": f"700@{first}"}) == [first]


def test_lower_case_is_that_of_each_database() -> None:
    (predicate,) = Filters({}, {"reason": (Reason("ÄB", frozenset({"ascii"})),)}).archive_predicates()
    assert predicate.accepts is not None
    found = {
        (database, text): predicate.accepts({"context": f'{{"reason": "{text}"}}', "database": database})
        for database in ("ascii", "other")
        for text in ("äb", "Äb", "x")
    }
    assert [key for key, is_found in found.items() if is_found] == [("ascii", "Äb"), ("other", "äb"), ("other", "Äb")]
