"""The tables of the run through everything, what it writes to them, and what the guard refuses."""

from __future__ import annotations

from typing import LiteralString

TABLES: LiteralString = r"""
    create schema shop;
    create type shop.mood as enum ('ok', 'bad');
    create domain shop.amount as pg_catalog.numeric(10, 2);
    create table shop.customer (
        id pg_catalog.int4 primary key, name pg_catalog.text, card pg_catalog.text, updated_at pg_catalog.timestamptz,
        note pg_catalog.text
    );
    create table shop.price (
        plan pg_catalog.text, currency pg_catalog.text, amount shop.amount, primary key (plan, currency)
    );
    create table shop.salary (id pg_catalog.int4 primary key, amount pg_catalog.numeric);
    create table shop.keyless (a pg_catalog.int4, b pg_catalog.text);
    create table shop.parted (id pg_catalog.int4 primary key, b pg_catalog.text) partition by range (id);
    create table shop.parted_1 partition of shop.parted for values from (0) to (10);
    create table shop.every (
        id pg_catalog.uuid primary key, i pg_catalog.interval, ts pg_catalog.timestamp, tz pg_catalog.timestamptz,
        d pg_catalog.date, t pg_catalog.time, ttz pg_catalog.timetz, b pg_catalog.bytea, f pg_catalog.float8,
        r pg_catalog.float4, n pg_catalog.numeric, ints pg_catalog.int4[], texts pg_catalog.text[], js pg_catalog.json,
        jb pg_catalog.jsonb, ip pg_catalog.inet, bits pg_catalog.varbit, tr pg_catalog.tstzrange, mood shop.mood,
        amount shop.amount, back pg_catalog.text
    );
    grant usage on schema shop to public;
    grant all on all tables in schema shop to public;
"""

WRITES: tuple[LiteralString, ...] = (
    "insert into shop.customer values (7, 'Ann', '4111', pg_catalog.now(), 'x'), (8, 'Bob', '5', null, null)",
    "update shop.customer set name = 'Anna', card = '4222', updated_at = null where id = 7",
    "update shop.customer set id = 9 where id = 8",
    "delete from shop.customer where id = 9",
    "insert into shop.price values ('pro', 'EUR', 12.5), ('a\"b', e'c\\\\d', 1)",
    "update shop.price set amount = 13 where plan = 'pro'",
    "insert into shop.salary values (1, 100.10)",
    "insert into shop.keyless values (1, 'x'); update shop.keyless set b = 'y'",
    "insert into shop.parted values (1, 'x')",
    "insert into shop.every values ("
    "'00000000-0000-0000-0000-000000000001', pg_catalog.make_interval(1, 2, 0, 3, 4, 5, 6.5), '2026-01-02 03:04:05', "
    "'2026-01-02 03:04:05+00', pg_catalog.make_date(2026, 2, 3), '03:04:05', '03:04:05+02', "
    "pg_catalog.decode('00ff5c', 'hex'), 0.1, 0.1, 1.10, array[1, null], array['a', null, e'b\\\\c'], '[1.0]', "
    "'{\"a\": 1.0}', '203.0.113.7', b'101', "
    "pg_catalog.tstzrange('2026-01-02 03:04:05+00', null), 'bad', 1, e'\\\\')",
    "update shop.every set f = f + 1e-16 * 2, i = pg_catalog.make_interval(days => -1), b = null, mood = 'ok', "
    "back = null",
    "alter table shop.customer add column email pg_catalog.text; update shop.customer set email = 'a@b', note = null",
    "alter table shop.customer rename column email to mail; update shop.customer set mail = 'c@d'",
    "create table shop.later (id pg_catalog.int4 primary key); insert into shop.later values (1)",
    "create table shop.parted_2 partition of shop.parted for values from (10) to (20); "
    "insert into shop.parted values (11, 'y')",
    "alter table shop.later rename to newer; insert into shop.newer values (2)",
    "truncate shop.keyless",
)

REFUSED: tuple[LiteralString, ...] = (
    "drop table shop.customer",
    "alter table shop.customer disable trigger auditctl_update",
    "drop trigger auditctl_delete on shop.price",
    "alter table shop.salary disable row level security",
    "create rule r as on insert to shop.customer do instead nothing",
    "delete from auditctl.event",
    "update auditctl.hold set reason = 'x'",
)
