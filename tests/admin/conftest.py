"""A database with tables of an application, and an administrator who neither owns nor may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from tests.fixtures.databases import Login, MakeLogin

SHOP = """
    create schema shop authorization {0};
    set role {0};
    create table shop.cart (id integer primary key, item text, card text);
    create table shop."My Bag" ("The Id" integer primary key, "user" text);
    create table shop.visit (id integer, day date) partition by range (day);
    create table shop.visit_2026 partition of shop.visit for values from ('2026-01-01') to ('2027-01-01');
    insert into shop.cart values (1, 'tea', 'secret');
"""


@pytest.fixture
def shopkeeper(db: str, login: MakeLogin) -> Login:
    """The owner of the application's tables."""
    made = login("shopkeeper")
    with connect(db) as session:
        session.execute(SHOP.format(made.name).encode())
    return made


@pytest.fixture
def administrator(shopkeeper: Login, login: MakeLogin) -> Login:
    """A member of auditctl_admin, without any right on the tables."""
    return login("administrator", roles=["auditctl_admin"])
