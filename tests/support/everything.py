"""One run through the tool's commands and the store's functions, whose outcome can be compared."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from auditctl.web.settings import Settings
from tests.fixtures.databases import connect
from tests.fixtures.web import Client, nameless, served
from tests.support.everything_served import opened
from tests.support.everything_written import REFUSED, TABLES, WRITES
from tests.support.retaining import LONG_AGO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.fixtures.command import RunAuditctl

LOGS = Path(__file__).parents[1] / "logs"

FUNCTIONS: tuple[LiteralString, ...] = (
    "select auditctl.record_event('billing.invoice', '1', 'sent', '{\"a\": [1.0]}')",
    "select auditctl.record_event('telemetry.ping')",
    "select auditctl.record_event(e'x\\\\y_z%.\"q\"')",
    "select auditctl.target_pattern(e'a.b*c?d[e]f[!g]\\\\h+(i)')",
    "select auditctl.is_meant('shop.*', 'shop.customer'), auditctl.is_meant('shopx*', 'shop.customer')",
    'select auditctl.canonical_target(\'"shop"."customer"\')',
    "select n.target from auditctl.target_names('shop.newer') as n order by 1",
    "select k.target_id from auditctl.object_keys('shop.customer', '9') as k order by 1",
    "select h.event_id from auditctl.history('shop.customer', '9') as h order by 1",
    "select h.event_id from auditctl.history('shop.price', '[\"pro\", \"EUR\"]') as h order by 1",
    "select d.name from auditctl.deciding_type('telemetry.ping') as d",
    "select auditctl.kept_since('shop.customer') > '-infinity', auditctl.kept_since('auditctl.role') > '-infinity'",
    "select auditctl.details('UPDATE', '{\"a\": \"x\"}', '{\"a\": null}')",
    "select m.step, m.partition, m.dropped, m.kept, m.reason from auditctl.maintenance_due() as m",
    "select a.target, a.details, a.old_values::text, a.new_values::text, a.target_id from auditctl.activity as a "
    "where a.target_name like 'shop.%' order by a.event_id",
)

CONTEXT: LiteralString = """
    select auditctl.set_context('alice', '::ffff:203.0.113.7', e'{"reason": "it''s \\\\\\\\ 100%"}', null, false)
"""

FILTERS: tuple[tuple[str, ...], ...] = (
    ("--since", "24h", "--until", "2099-01-01"), ("--target", "shop.*"), ("--target", "Customer", "--id", "9"),
    ("--target", "shop.price", "--id", '["pro", "EUR"]'), ("--user", "alice"), ("--user", "System"),
    ("--user", "login:postgres"), ("--action", "delete", "--action", "read"), ("--column", "name"),
    ("--ip", "203.0.113.0/24"), ("--ip", "203.0.113.7"), ("--context", "reason=it's \\ 100%"), ("--xact", "1"),
    ("--target", "shop.cust*", "--user", "alice", "--action", "update", "--column", "card"),
)  # fmt: skip

RULES = r"""
[[table]]
name = "shop.customer"
label = "Customer"
exclude = ["updated_at"]
mask = ["card"]

[[table]]
name = "shop.salary"
actions = ["create", "update", "delete", "truncate", "read"]
require_actor = true
read_query = true

[[table]]
name = "shop.keyless"
key = ["a"]
keep = "800 days"

[[table]]
name = "shop.*"

[[event]]
name = "billing.invoice"
label = "It's \\ an invoice"

[[event]]
name = "telemetry.*"
enabled = false

[retention]
keep = "400 days"

[[retention.target]]
name = "kept.*"
keep = "forever"
"""

OLD: LiteralString = """
    insert into auditctl.event (occurred_at, actor, actor_kind, target, target_id, action, new_values)
    select '2020-01-15 12:00+00'::timestamptz + i * interval '1 hour', 'alice', 'application', t, i::text, 'CREATE',
           '{}'
    from generate_series(1, 4) as i
    cross join unnest('{shop.customer,shop.price,kept.x,gone.y,shop.keyless}'::text[]) as t
    order by t, i
"""

REMAINING: LiteralString = """
    select target, target_id from auditctl.event where occurred_at < '2021-01-01' order by target, target_id
"""

VARYING = re.compile(
    r"\b[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4}, [0-9:]{8} UTC|"
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}(?:\.[0-9]+)?(?:Z|[+-][0-9:]+)?|[0-9]{4}-[0-9]{2}-[0-9]{2}|"
    r"\b[0-9]{4}-[0-9]{2}\b|event_[0-9]{4}_[0-9]{2}|[0-9]+(?= \()|\b(?:[0-9a-f]{32}){1,2}\b|"
    r"[0-9]+(?='?::oid)|[0-9]+(?='+, (?:old|new), )|"
    r"(?<=\"snapshot\": \")[0-9/:,]+|(?<=\"bytes\": )[0-9]+|(?<=\"time\":)[0-9]+|(?<=\"xact_id\":)[0-9]+|"
    r"(?<=,application,)[0-9]+|(?<=,database,)[0-9]+|(?<=,system,)[0-9]+|(?<=xact_id) +[0-9]+"
)


ENDED = re.compile(r"(ended_in\W+(?:null → )?)[0-9]+|[0-9,]+ (?=bytes)")
"""Numbers of transactions, and sizes."""


@dataclass(frozen=True, slots=True)
class Everything:
    """The run, in a database whose sessions have any settings.

    Attributes:
        dsn: The database, as a superuser.
        app: An application's login, `reader` a reader's, and `boss` a superuser's, who the server asks for a password.
        folder: Where files go.
        auditctl: The command line.
        steps: What came of each step so far, by its number and name, without what differs from run to run.
        sober: Options of a session that may write, whatever the database's settings say.
    """

    dsn: str
    app: str
    reader: str
    boss: str
    folder: Path
    auditctl: RunAuditctl
    steps: dict[str, str] = field(default_factory=dict)
    sober: str = (
        "-c default_transaction_read_only=off -c transaction_read_only=off -c default_tablespace= -c row_security=on "
        "-c client_encoding=utf8 -c restrict_nonsystem_relation_kind= -c application_name=app"
    )

    def run(self) -> dict[str, str]:
        for part in (self.set_up, self.change, self.read, self.serve, self.import_log, self.upkeep, self.examine):
            part()
        return self.steps

    def add(self, name: str, text: str) -> None:
        self.steps[f"{len(self.steps) + 1} {name}"] = VARYING.sub("<t>", ENDED.sub(r"\1", text))

    def session(self, login: str = "") -> psycopg.Connection:
        """A session as applications have one: with the database's settings, but allowed to write."""
        return connect(make_conninfo(self.dsn, options=self.sober, **({"user": login} if login else {})))

    def command(self, *words: str | Path, login: str = "", shown: Callable[[str], str] = str) -> None:
        dsn = make_conninfo(self.dsn, user=login) if login else self.dsn
        done = self.auditctl(*words, dsn=dsn)
        name = " ".join(map(str, words)).replace(str(self.folder), "")
        self.add(name, f"{done.code}\n{shown(done.out)}\n{done.err}")

    def query(self, session: psycopg.Connection, *statements: LiteralString, keep: bool = True) -> None:
        for statement in statements:
            try:
                cursor = session.execute(statement)
                text = repr(cursor.fetchall()) if cursor.description else cursor.statusmessage or ""
            except psycopg.Error as error:
                text = f"{error.sqlstate} {error.diag.message_primary} {error.diag.message_hint}"
            if keep:
                self.add(statement[:60], text)

    def set_up(self) -> None:
        self.command("install")
        self.command("install")
        with self.session() as session:
            session.execute(TABLES)
        self.command("enable", "shop.customer", "--mask", "card", "--exclude", "updated_at", "--label", "Customer")
        self.command("enable", "shop.salary", "--actions", "update,read", "--require-actor")
        self.command("enable", "shop.p*")
        self.command("disable", "shop.price", "--actions", "truncate")
        file = self.folder / "rules.toml"
        file.write_text(RULES)
        self.command("plan", file)
        self.command("plan", "--sql", file)
        self.command("check", file)
        self.command("apply", "--yes", file)
        self.command("check", file)
        self.command("plan")
        self.command("config")
        self.command("grant", "app", self.app)
        self.command("grant", "reader", self.reader)

    def change(self) -> None:
        with self.session(self.app) as session:
            session.execute(CONTEXT)
            session.execute("set role none")
            for statement in WRITES:
                if "alter" in statement or "create" in statement:
                    with self.session() as owner:
                        self.query(owner, statement)
                else:
                    self.query(session, statement)
            self.query(
                session, "select amount from shop.salary where id = 1", "select auditctl.record_event('auth.login')"
            )
        with self.session(self.app) as session:
            self.query(session, "update shop.salary set amount = 1", "insert into shop.customer values (1)")
        with self.session() as session:
            self.query(session, *REFUSED, *FUNCTIONS)
        data = ("--data", '{"a": "\\\\ \\u00e4"}')
        self.command(
            "record", "billing.invoice", "1", "sent", *data, "--actor", "bob", "--ip", "203.0.113.9", login=self.app
        )
        self.command("events", "--format", "json")

    def read(self) -> None:
        for filters in FILTERS:
            self.command("log", *filters, "--format", "jsonl", login=self.reader)
        for output in ("table", "json", "csv"):
            self.command("log", "--target", "shop.*", "--limit", "5", "--format", output, login=self.reader)
        self.command("show", "20", login=self.reader)
        self.command("history", "Customer", "9", login=self.reader)
        self.command("history", "shop.newer", "1", "--format", "csv", login=self.reader)
        for words in (("--format", "csv"), ("--format", "jsonl", "--order", "desc"), ("--raw", "--user", "alice")):
            self.command("export", *words, login=self.reader)
        self.command("stats", "--format", "json", login=self.reader, shown=events_alone)
        self.command("tables", "--all", "--format", "json", login=self.reader)

    def serve(self) -> None:
        with served(Settings(nameless(self.dsn))) as url, Client(base_url=url) as client:
            for address, text in opened(client, self.boss):
                self.add(f"page {address}", text)

    def import_log(self) -> None:
        name = str(conninfo_to_dict(self.dsn)["dbname"])
        for source in sorted(LOGS.glob("pgaudit.*")):
            file = self.folder / source.name
            file.write_text(source.read_text("utf-8").replace("recorded", name), "utf-8")
            self.command("import-log", "--all-tables", "--query", file)
        self.command("log", "--action", "read", "--user", "login:reader", "--format", "jsonl")

    def upkeep(self) -> None:
        with self.session() as session:
            for setting in ("DateStyle = 'ISO'", "TimeZone = 'UTC'", "search_path = pg_catalog"):
                session.execute(f"set {setting}")
            session.execute("select auditctl_internal.create_partition('2020-01-01')")
            session.execute(OLD)
            self.command("hold", "add", "shop.cust*", "--reason", "case 7")
            self.command("hold", "add", "shop.price", "--id", "2", "--reason", "case 8")
            self.command("hold", "add", "gone.y", "--id", "3", "--reason", "case \\ 9")
            self.command("hold", "list", "--format", "json")
            view = ("--target", "shop.*", "--user", "alice", "--since", "2020-01-01")
            self.command("view", "save", "it's \\ a view", *view)
            self.command("view", "show", "it's \\ a view")
            self.command("log", "--view", "it's \\ a view")
            self.command("view", "drop", "it's \\ a view")
            session.execute("set session_replication_role = origin")
            session.execute(LONG_AGO)
            self.command("maintain", "--dry-run", "--format", "json")
            self.command("maintain")
            self.query(session, REMAINING)
            self.archive(session)
            self.command("hold", "release", "1", "--reason", "closed")
            self.command("maintain")
            self.query(session, REMAINING)
            self.command("hold", "list", "--all")

    def archive(self, session: psycopg.Connection) -> None:
        words = ("archive", "--to", cold := self.folder / "cold", "--before", "2020-02-01", "--format", "json")
        self.command(*words, shown=archived_alone)
        self.command("maintain", shown=lambda text: text.partition(" dropped")[0])
        self.command("restore-archive", "2020-01", "--from", cold, shown=lambda text: text.partition(" from ")[0])
        self.query(session, REMAINING)

    def examine(self) -> None:
        self.command("doctor", "--format", "json", shown=findings_alone)
        self.command("revoke", "reader", self.reader)
        self.command("check")
        self.command("config")


def events_alone(text: str) -> str:
    """Statistics without sizes, which depend on how values are compressed."""
    groups: Sequence[dict[str, Any]] = json.loads(text)["groups"] if text else ()
    return repr([(group["target"], group["label"], group["action"], group["events"]) for group in groups])


def archived_alone(text: str) -> str:
    """Archived months without their numbers, digests and sizes."""
    return repr([(one["month"], one["rows"], one["files"]) for one in json.loads(text or "[]")])


def findings_alone(text: str) -> str:
    """Findings without those about the settings themselves."""
    found = json.loads(text) if text else []
    return repr([(one["check"], one["object"], one["remedy"]) for one in found if one["check"] != "setting_default"])
