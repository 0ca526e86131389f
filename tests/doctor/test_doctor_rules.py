"""`auditctl doctor` on rules: what they no longer fit, and what they cover and capture does not."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, LiteralString

import pytest

from auditctl.doctor.model import Finding, Severity
from tests.capture.test_images import events
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.capturing import apply, audit
from tests.support.doctoring import UNGUARDED, examine_and_repair, found

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

CRITICAL, WARNING, NOTICE = Severity.CRITICAL, Severity.WARNING, Severity.NOTICE
APPLY = "auditctl apply --yes"

TABLES = """
    create schema app;
    create table app.card (id int primary key, number text, pin text);
    create table app.other (id int primary key, v text);
    create table app.bare (v text, w text);
    create table app.parted (id int primary key) partition by range (id);
    create table app.parted_1 partition of app.parted for values from (0) to (10)
"""


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute(TABLES)
    audit(dsn, "app.card", mask=("number", "pin"), label="It's a card")
    audit(dsn, "app.other", "app.parted")


db_template = begin_with(prepare, fixture="patient")


@pytest.fixture
def patient(db: str) -> str:
    """The DSN of a database with audited tables, in which nothing is wrong."""
    return db


def broken(rule: str, problem: str, remedy: str) -> Finding:
    meaning = f"The rule {rule} cannot be applied, and no other rule is applied until it is fixed: {problem}."
    return Finding(CRITICAL, "rule_broken", rule, meaning, remedy)


def test_a_rule_whose_table_is_gone_is_found(patient: str, auditctl: RunAuditctl) -> None:
    gone = broken("app.other", "name: there is no table app.other", "auditctl disable app.other")
    before = found(patient)
    with connect(patient) as conn:
        conn.execute(UNGUARDED.format("drop table app.other").encode())
    unknown = [finding for finding in found(patient) if finding not in before]
    assert unknown[0] == gone
    assert {finding.check for finding in unknown[1:]} <= {"function_unknown"}
    auditctl("disable", "app.other", check=0)
    assert found(patient) == before


def test_a_rule_that_masks_a_column_which_is_gone_is_stated_again_without_it(
    patient: str, auditctl: RunAuditctl
) -> None:
    problem = "mask: app.card has no column pin"
    remedy = """auditctl enable app.card --mask number --label 'It'"'"'s a card'"""
    examine_and_repair(patient, "alter table app.card drop column pin", [broken("app.card", problem, remedy)], auditctl)


def test_a_masked_column_that_was_renamed_stays_masked_by_the_remedy(patient: str, auditctl: RunAuditctl) -> None:
    problem = "mask: app.card has no column pin; did you mean the pin?"
    remedy = """auditctl enable app.card --mask number --mask 'the pin' --label 'It'"'"'s a card'"""
    examine_and_repair(
        patient, 'alter table app.card rename pin to "the pin"', [broken("app.card", problem, remedy)], auditctl
    )
    with connect(patient) as conn:
        conn.execute("insert into app.card values (1, '4111', '1234')")
        assert events(conn, "app.card") == [
            ("CREATE", "1", None, '{"id": 1, "number": {"$masked": true}, "the pin": {"$masked": true}}'),
        ]


def test_a_hidden_column_that_cannot_be_followed_has_no_remedy_that_shows_it(
    patient: str, auditctl: RunAuditctl
) -> None:
    with connect(patient) as conn:
        anew = "drop table app.card; create table app.card (id int primary key, number text, code text)"
        conn.execute(UNGUARDED.format(anew).encode())
    remedies = [finding.remedy for finding in found(patient) if finding.check == "rule_broken"]
    command = """auditctl enable app.card --mask number --mask NEW_NAME --label 'It'"'"'s a card'"""
    assert remedies == [f"Enable the table again with the column that has the data now: {command}"]
    refused = auditctl(*shlex.split(command)[1:], dsn=patient, check=4)
    assert refused.err.startswith("error: --mask: app.card has no column NEW_NAME\n")


def test_a_masked_column_that_became_the_key_breaks_no_rule_and_stays_hidden(patient: str) -> None:
    with connect(patient) as conn:
        key = "alter table app.card drop constraint card_pkey, add primary key (number)"
        conn.execute(UNGUARDED.format(key).encode())
        assert [finding.object for finding in found(patient) if finding.check == "rule_broken"] == []
        apply(patient)
        conn.execute("insert into app.card values (1, '4111', '1234')")
        ((key,),) = conn.execute("select target_id from auditctl.event where target = 'app.card'").fetchall()
        assert key.startswith("hidden:")


def test_a_broken_rule_hides_no_other_finding(patient: str, auditctl: RunAuditctl) -> None:
    remedy = """auditctl enable app.card --mask number --label 'It'"'"'s a card'"""
    examine_and_repair(
        patient,
        "alter table app.card drop column pin; drop trigger auditctl_delete on app.other; "
        "alter table app.card disable trigger auditctl_create",
        [
            broken("app.card", "mask: app.card has no column pin", remedy),
            Finding(
                CRITICAL, "trigger_missing", "app.other",
                "No delete of app.other leaves an event: the trigger is gone.", APPLY,
            ),
            Finding(
                CRITICAL, "trigger_silent", "auditctl_create on app.card",
                "Writes to app.card may leave no event: the trigger is switched off.",
                APPLY,
            ),
        ],
        auditctl,
    )  # fmt: skip


def test_a_new_table_that_a_glob_covers_is_found(patient: str, auditctl: RunAuditctl) -> None:
    apply(patient, '[[table]]\nname = "app.card"\n[[table]]\nname = "app.o*"\nactions = ["create", "delete"]\n')
    examine_and_repair(
        patient,
        "create table app.offer (id int primary key)",
        [
            Finding(
                CRITICAL, "table_uncaptured", "app.offer",
                "No insert or delete of app.offer leaves an event, although the rule app.o* covers it.", APPLY,
            )
        ],
        auditctl,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("new", "relation", "target", "actions"),
    [
        (
            "create table app.parted_2 partition of app.parted for values from (10) to (20)",
            "app.parted_2", "app.parted", "truncate",
        ),
        (
            "create table app.heir () inherits (app.other)",
            "app.heir", "app.other", "insert, update, delete or truncate",
        ),
    ],
    ids=["partition", "child"],
)  # fmt: skip
def test_a_new_part_of_an_audited_table_is_found(
    patient: str, auditctl: RunAuditctl, new: str, relation: str, target: str, actions: str
) -> None:
    missing = Finding(
        CRITICAL,
        "member_uncaptured",
        relation,
        f"No {actions} of {relation} itself leaves an event, although it belongs to {target}, which is audited.",
        APPLY,
    )
    with connect(patient) as conn:
        conn.execute("create table app.first () inherits (app.other)")
    apply(patient)
    examine_and_repair(patient, new, [missing], auditctl)


KEYLESS = (
    "Events of app.bare do not identify the row: the table has no primary key and no unique index without nulls, "
    "and its rule names no columns."
)


def test_an_audited_table_without_a_key_is_found(patient: str, auditctl: RunAuditctl) -> None:
    command = "auditctl enable app.bare --mask w --key COLUMN"
    remedy = f"Name the columns that identify its rows, or add a primary key: {command}"
    audit(patient, "app.bare", actions=(), mask=("w",))
    assert [finding for finding in found(patient) if finding.check == "table_keyless"] == [
        Finding(NOTICE, "table_keyless", "app.bare", KEYLESS, remedy)
    ]
    with connect(patient) as conn:
        conn.execute("alter table app.bare alter v set not null; create unique index on app.bare (v)")
    assert "table_keyless" not in {finding.check for finding in found(patient)}


def test_the_remedy_for_a_keyless_table_goes_on_hiding_what_its_glob_hides(patient: str, auditctl: RunAuditctl) -> None:
    audit(patient, "app.*", actions=(), mask=("number",))
    (remedy,) = [f.remedy for f in found(patient) if (f.check, f.object) == ("table_keyless", "app.bare")]
    command = remedy.partition(": ")[2].replace("COLUMN", "v")
    assert command == "auditctl enable app.bare --key v"
    auditctl(*command.split()[1:], dsn=patient, check=0)
    with connect(patient) as conn:
        conn.execute("alter table app.bare add number text; insert into app.bare (v, number) values (1, '4111')")
        assert events(conn, "app.bare") == [
            ("CREATE", "1", None, '{"v": "1", "w": null, "number": {"$masked": true}}'),
        ]


@pytest.mark.parametrize("index", ["create index on app.bare (v)", "create unique index on app.bare (w)"])
def test_a_key_that_nobody_can_tell_is_left_to_people(
    patient: str, auditctl: RunAuditctl, index: LiteralString
) -> None:
    audit(patient, "app.bare", actions=(), mask=("w",))
    with connect(patient) as conn:
        conn.execute(index)
        conn.execute("alter table app.bare alter w set not null")
    command = "auditctl enable app.bare --mask w --key COLUMN"
    assert [finding.remedy for finding in found(patient) if finding.check == "table_keyless"] == [
        f"Name the columns that identify its rows, or add a primary key: {command}"
    ]
    auditctl(*command.split()[1:], dsn=patient, check=4)


def test_a_table_that_the_guard_does_not_watch_is_found(patient: str, auditctl: RunAuditctl) -> None:
    examine_and_repair(
        patient,
        "delete from auditctl.capture where target = 'app.other'",
        [
            Finding(
                WARNING, "table_unwatched", "app.other",
                "The owner of app.other can switch its capture off: the coverage guard does not watch it.", APPLY,
            )
        ],
        auditctl,
    )  # fmt: skip


def test_a_table_that_the_guard_knows_otherwise_than_its_rule_says_is_found(
    patient: str, auditctl: RunAuditctl
) -> None:
    examine_and_repair(
        patient,
        "update auditctl.capture set on_drop = 'record' where target = 'app.other'",
        [
            Finding(
                WARNING, "registration_stale", "app.other",
                "app.other is known otherwise than its rule says, and DDL will follow that: The guard knows on_drop = "
                '"record", the rule says "refuse".', APPLY,
            )
        ],
        auditctl,
    )  # fmt: skip


def test_a_foreign_table_is_found(patient: str, auditctl: RunAuditctl) -> None:
    with connect(patient) as conn:
        conn.execute(
            "create foreign data wrapper far; create server far foreign data wrapper far; "
            'create foreign table app."far.off" (id int) server far'
        )
    actions = auditctl("enable", 'app."far.off"', "--actions", "create", dsn=patient)
    assert actions.code == 0
    distant = [finding for finding in found(patient) if finding.check == "table_foreign"]
    assert distant == [
        Finding(
            NOTICE, "table_foreign", 'app."far.off"',
            'Writes to app."far.off" at its own server, and its truncation, leave no event here.',
            """auditctl disable 'app."far.off"'""",
        )
    ]  # fmt: skip


def test_a_trigger_of_someone_elses_function_is_found(patient: str, login: MakeLogin, auditctl: RunAuditctl) -> None:
    mallory = login("mallory")
    with connect(patient) as conn:
        conn.execute(f"create schema theirs authorization {mallory.name}")
    with connect(mallory.dsn) as conn:
        conn.execute(
            "create function theirs.f() returns trigger language plpgsql as $$ begin return null; end $$; "
            "grant execute on function theirs.f() to public; grant usage on schema theirs to public"
        )
    examine_and_repair(
        patient,
        "create trigger swallows before insert on app.other for each row execute function theirs.f(); "
        "create trigger zz after insert on app.other for each row execute function theirs.f()",
        [
            Finding(
                WARNING, "trigger_foreign", "swallows on app.other",
                f"{mallory.name}, who does not own app.other, decides what it stores and can change who is recorded: "
                f"the "
                "trigger swallows runs a function of theirs before the event is made.",
                "alter function theirs.f() owner to postgres;",
            )
        ],
        auditctl,
    )  # fmt: skip
