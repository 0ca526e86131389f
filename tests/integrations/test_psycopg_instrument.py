"""What psycopg alone has: pipelines of the application, cursors of other classes, connections that threads share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditctl import acting_as
from auditctl.errors import TransactionRequired
from auditctl.integrations.psycopg import instrument
from tests.fixtures import templates
from tests.integrations.recorded import THING, Who

if TYPE_CHECKING:
    from tests.fixtures.databases import Login

db_template = templates.begin_with(templates.audited(THING, "thing"))


@pytest.mark.parametrize("autocommit", [False, True])
def test_pipelines_and_cursors_of_other_classes_carry_the_user(web: Login, who: Who, *, autocommit: bool) -> None:
    with psycopg.connect(web.dsn, autocommit=autocommit) as app:
        instrument(app)
        factories: list[Any] = [psycopg.ClientCursor, psycopg.Cursor, psycopg.RawCursor]
        for factory in factories:
            app.cursor_factory = factory
            with app.pipeline():
                with acting_as("alice"):
                    app.execute("insert into thing (v) values ('of alice')")
                    assert app.execute("select 1").fetchone() == (1,)
                with acting_as("bob"):
                    app.execute("insert into thing (v) values ('of bob')")
                app.execute("insert into thing (v) values ('of nobody')")
            with acting_as("carol"):
                app.execute("insert into thing (v) values ('of carol')")
    assert [who.did(f"of {name}") for name in ("alice", "bob", "nobody", "carol")] == [
        ["alice"] * 3, ["bob"] * 3, ["System"] * 3, ["carol"] * 3,
    ]  # fmt: skip


def test_threads_that_share_a_connection_each_keep_their_own_user(web: Login, who: Who) -> None:
    with psycopg.connect(web.dsn, autocommit=True) as app:
        instrument(app)

        def write(name: str) -> None:
            for _ in range(30):
                with acting_as(name):
                    app.execute("insert into thing (v) values (%s)", [name])

        threads = [threading.Thread(target=write, args=[f"user {number}"]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert who.counted() == {f"user {number}": 30 for number in range(4)}


def test_a_text_that_writes_and_ends_a_transaction_is_refused(web: Login, who: Who) -> None:
    with psycopg.connect(web.dsn, autocommit=True) as app:
        instrument(app)
        with acting_as("alice"), pytest.raises(TransactionRequired, match="several statements"):
            app.execute("insert into thing (v) values ('x'); commit; insert into thing (v) values ('y')")
    assert who.counted() == {}
