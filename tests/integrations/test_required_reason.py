"""A table that requires a reason, through each driver and SQLAlchemy: what refuses a write says what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from auditctl import acting_as
from auditctl.integrations.sqlalchemy import instrument
from tests.fixtures import templates
from tests.fixtures.databases import connect
from tests.integrations import drivers, shop
from tests.integrations.recorded import THING, Who
from tests.support.capturing import audit

if TYPE_CHECKING:
    from tests.fixtures.databases import Login


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute(THING)
        audit(dsn, "thing", require_reason=True)


db_template = templates.begin_with(prepare)


class Shop:
    """An application on SQLAlchemy."""

    def __init__(self, kind: str, web: Login) -> None:
        self._app = shop.Application(kind, web)
        instrument(self._app.engine)

    def add(self, value: str) -> None:
        try:
            self._app.run(lambda session: session.add(shop.Thing(v=value)))
        finally:
            self._app.sync.dispose()


class Client:
    """An application on a driver."""

    def __init__(self, kind: str, web: Login) -> None:
        self._app = drivers.Application(kind, web)

    def add(self, value: str) -> None:
        async def write() -> None:
            async with self._app.opened():
                self._app.instrument()
                async with self._app.session() as session:
                    await session.add(value)

        asyncio.run(write())


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it, as the framework's error names the driver's."""
    while error is not None:
        yield error
        error = getattr(error, "orig", None) or error.__cause__


@pytest.mark.parametrize(
    ("application", "kind"),
    [*((Client, kind) for kind in drivers.KINDS), *((Shop, kind) for kind in shop.KINDS)],
)
def test_write_without_a_reason_fails_with_what_to_do_and_passes_with_one(
    application: type[Client] | type[Shop], kind: str, web: Login, who: Who
) -> None:
    app = application(kind, web)
    with (
        pytest.raises(Exception, match="thing refused: no reason is given") as refused,
        acting_as("alice"),
    ):
        app.add("without")
    errors = list(causes(refused.value))
    assert 'acting_as("alice", reason="ticket 4711")' in str(errors[-1])
    assert "UA004" in [getattr(error, "sqlstate", None) for error in errors]
    with acting_as("alice", reason="ticket 4711"):
        app.add("with")
    assert who.facts() == [("with", "alice", None, "ticket 4711", None)]
