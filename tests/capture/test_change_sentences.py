"""What was changed of the configuration, in words, from the old and the new values of an event."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from auditctl.actions import DEFAULT, Action
from auditctl.capture import change_sentences, rule_keys
from auditctl.capture.change_sentences import sentences
from auditctl.capture.rule_keys import Kind, Rule

CUSTOMER = Rule("billing.customer", DEFAULT, label="Customer", exclude=("noted",))
LABELS = {"billing.customer": "Customer"}


def row(rule: Rule, **others: Any) -> dict[str, Any]:
    """A row of auditctl.rule, as an event has it."""
    return rule.row() | {"position": 1, "set_by": "dana", "set_at": "2026-10-14T14:01:08+00:00", **others}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            None,
            CUSTOMER,
            [
                "added a rule that records CREATE, UPDATE, DELETE and TRUNCATE of Customer",
                "excluded noted of Customer",
                "stated the label Customer of billing.customer",
            ],
        ),
        (CUSTOMER, replace(CUSTOMER, mask=("card_number",)), ["masked card_number of Customer"]),
        (replace(CUSTOMER, mask=("a", "b")), replace(CUSTOMER, mask=("b",)), ["unmasked a of Customer"]),
        (
            replace(CUSTOMER, exclude=("a",), mask=("b",)),
            replace(CUSTOMER, exclude=("b",), mask=("a",)),
            [
                "excluded b of Customer",
                "no longer excluded a of Customer",
                "masked a of Customer",
                "unmasked b of Customer",
            ],
        ),
        (
            Rule("billing.invoice", DEFAULT),
            Rule("billing.invoice", (Action.CREATE, Action.UPDATE, Action.READ)),
            ["began recording READ of billing.invoice", "stopped recording DELETE and TRUNCATE of billing.invoice"],
        ),
        (CUSTOMER, None, ["removed the rule that records CREATE, UPDATE, DELETE and TRUNCATE of Customer"]),
        (None, Rule("billing.temp", ()), ["left out billing.temp"]),
        (Rule("billing.temp", ()), None, ["no longer left out billing.temp"]),
        (CUSTOMER, replace(CUSTOMER, require_reason=True), ["required a reason for writes to Customer"]),
        (replace(CUSTOMER, on_drop="record"), CUSTOMER, ["chose to refuse a drop of Customer"]),
        (CUSTOMER, replace(CUSTOMER, exclude=None), ["no longer excluded noted of Customer"]),
        (
            replace(CUSTOMER, exclude=()),
            replace(CUSTOMER, exclude=None),
            ["changed how excluded columns are stated for Customer"],
        ),
        (CUSTOMER, replace(CUSTOMER, label="Client"), ["stated the label Client of billing.customer"]),
        (replace(CUSTOMER, label=None), CUSTOMER, ["stated the label Customer of billing.customer"]),
        (CUSTOMER, replace(CUSTOMER, name="crm.customer"), ["renamed the rule billing.customer to crm.customer"]),
        (CUSTOMER, CUSTOMER, ["changed a row of auditctl.rule"]),
    ],
)
def test_a_change_of_a_rule_is_said_key_by_key(before: Rule | None, after: Rule | None, said: list[str]) -> None:
    old, new = (row(rule) if rule else None for rule in (before, after))
    assert list(sentences("auditctl.rule", old, new, {})) == said


def test_a_rule_that_only_moved_is_said_to_have_moved() -> None:
    glob = Rule("billing.*", DEFAULT)
    said = sentences("auditctl.rule", row(glob), row(glob, position=2), {})
    assert said == ("moved the rule billing.* among the others",)


def test_every_key_of_a_rule_has_its_words() -> None:
    assert change_sentences.PHRASES.keys() == {key.name for key in rule_keys.KEYS}
    for key in rule_keys.KEYS:
        if key.kind is Kind.SWITCH:
            assert all(change_sentences.PHRASES[key.name]), key.name


TIME = {"target": "billing.customer", "keep": "10 years", "until": None}
HOLD = {"hold_id": 3, "target": "billing.customer", "target_id": "7", "reason": "case 31", "released_at": None}
TYPE = {"name": "auth.login", "label": None, "enabled": True}


@pytest.mark.parametrize(
    ("subject", "before", "after", "said"),
    [
        ("event_type", None, TYPE, "stated that EVENT of auth.login is recorded"),
        ("event_type", TYPE, TYPE | {"enabled": False}, "stopped recording EVENT of auth.login"),
        ("event_type", TYPE | {"enabled": False}, TYPE, "began recording EVENT of auth.login"),
        ("event_type", TYPE, TYPE | {"label": "Sign-in"}, "stated the label Sign-in of auth.login"),
        ("event_type", TYPE | {"label": "Sign-in"}, TYPE, "removed the label Sign-in of auth.login"),
        ("event_type", TYPE | {"label": "Sign-in"}, None, "removed the type of Sign-in"),
        ("retention", None, TIME, "set the time to keep Customer to 10 years"),
        ("retention", None, TIME | {"target": "*", "keep": None}, "set the time to keep every event to forever"),
        ("retention", TIME, TIME | {"until": "2026-10-14"}, "ended the time to keep Customer, 10 years"),
        (
            "retention",
            TIME | {"until": "2026-10-14"},
            TIME | {"until": "2026-10-14", "noticed_at": "2026-10-15"},
            "noticed that the time to keep Customer, 10 years, had ended",
        ),
        ("hold", None, HOLD, "placed hold 3 on Customer 7: case 31"),
        (
            "hold",
            HOLD,
            HOLD | {"released_at": "2026-10-14", "release_reason": "closed"},
            "released hold 3 on Customer 7: closed",
        ),
        ("role", None, {"role": "auditctl_reader", "login": "carol", "member": True}, "granted reader to carol"),
        ("role", None, {"role": "auditctl_app", "login": "carol", "member": False}, "revoked app from carol"),
        ("administration", None, {"patterns": ["billing.*", "crm.*"]}, "limited administrators to billing.* and crm.*"),
        ("administration", {"patterns": []}, None, "removed the limit of administrators"),
        (
            "archiving",
            None,
            {"location": "/cold", "keep_hot": "6 months"},
            "had months that ended more than 6 months ago archived to /cold",
        ),
        (
            "archiving",
            {"location": "/cold", "keep_hot": None},
            {"location": None, "keep_hot": "1 year"},
            "had months that ended more than 1 year ago archived where one was archived last",
        ),
        ("archiving", {"location": "/cold", "keep_hot": None}, None, "no longer stated where months are archived"),
        ("accepted_finding", None, {"name": "owner a.b", "reason": "ours"}, "accepted the finding owner a.b: ours"),
        ("actor_source", {"name": "app.user"}, None, "no longer let the setting app.user name users"),
        ("hold", None, {"$erased": True}, "changed a row of auditctl.hold"),
        ("rule", None, {"name": {"$sha256": "0", "$bytes": 9}, "actions": 7}, "changed a row of auditctl.rule"),
    ],
)
def test_other_changes_are_said_too(
    subject: str, before: dict[str, Any] | None, after: dict[str, Any] | None, said: str
) -> None:
    assert sentences(f"auditctl.{subject}", before, after, LABELS) == (said,)
