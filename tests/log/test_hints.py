"""What a hint recommends is accepted: every value that one names is given back to what refused the first."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from auditctl import actions, durations, table_names
from auditctl.cli import record as record_command
from auditctl.errors import UsageError
from auditctl.log import filter_values, times
from auditctl.log.record import require_json
from auditctl.log.selection import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.command import RunAuditctl

TIMES = (
    "20261126", "2026-W48", "2026-W48-4", "2026W484", "tomorrow", "26.11.2026", "2026-13-01", "200y", "999999d",
    "7 days ago", "2026", "24:61", "2026-11-26T25:00", "0001-01-01T00:00+01:00",
)  # fmt: skip
"""Times as people write them, which are refused."""

EXAMPLE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?|\b[0-9]+[mhdw]\b")


def refusal(parse: Callable[[str], object], text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("text", TIMES)
def test_times_that_a_hint_recommends_are_times(text: str) -> None:
    recommended = EXAMPLE.findall(refusal(times.parse, text).hint)
    assert recommended
    for example in recommended:
        times.parse(example)


def test_date_in_another_notation_is_recommended_as_the_same_date() -> None:
    assert refusal(times.parse, "20261126").hint == "For UTC write 2026-11-26."
    assert refusal(times.parse, "2026-W48-4").hint == "For UTC write 2026-11-26."


RECOMMENDED: tuple[tuple[Callable[[str], object], str, str], ...] = (
    (filter_values.network, "here", r"[0-9a-f:.]+(?:/[0-9]+)?(?=,| or|\.$)|2001[^ ]*(?=\.$)"),
    (filter_values.user, "actor:", r"actor:NAME"),
    (filter_values.action, "explode", r"[A-Z]{3,}"),
    (filter_values.pair, "x", r"(?<=: )\S+"),
    (Cursor.parse, "x", r"[0-9]{4}\S+$"),
    (table_names.parse, "a.b.c", r'"my\.schema"\.table'),
    (record_command._address, "10.0.0.0/8", r"[0-9a-f:.]+[0-9](?= |\.$)"),
    (durations.parse_keep, "soon", r"[0-9]+ days|forever"),
    (durations.parse_keep, "0 days", r"[0-9]+ days|forever"),
    (durations.parse_keep, "9999999 years", r"forever"),
    (lambda text: require_json(text, "data"), "{a: 1}", r"(?<=')\{.*\}(?=')"),
    (lambda text: actions.parse_actions([text]), "explode", r"(?<= )[a-z]+(?=,|$)"),
)
"""What refuses a text, such a text, and the examples in its hint."""


@pytest.mark.parametrize(
    ("parse", "text", "examples"), RECOMMENDED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_values_that_a_hint_recommends_are_accepted(parse: Callable[[str], object], text: str, examples: str) -> None:
    found = re.findall(examples, refusal(parse, text).hint)
    assert found
    for example in found:
        parse(example)


def test_addresses_in_hints_are_those_of_documentation() -> None:
    hint = refusal(filter_values.network, "here").hint
    assert ip_address("203.0.113.7").is_global is False
    assert "203.0.113.7" in hint


@pytest.mark.parametrize(("command", "option"), [("INSERT", "create"), ("select", "read")])
def test_commands_of_sql_lead_to_the_actions_that_record_them(command: str, option: str) -> None:
    for parse in (filter_values.action, lambda text: actions.parse_actions([text])):
        assert str(refusal(parse, command)).endswith(f"; did you mean {option}?")
        parse(option)


def test_misspelt_command_leads_to_the_one_that_is_meant(auditctl: RunAuditctl) -> None:
    refused = auditctl("instal", check=2)
    assert refused.err == "error: No such command 'instal'. Did you mean install?\nhint: See: auditctl --help\n"
    assert auditctl("zzz", check=2).err == "error: No such command 'zzz'.\nhint: See: auditctl --help\n"
