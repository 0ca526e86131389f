"""Every filter of the registry opens the page, with a chip and a form field that come from its row."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from auditctl.log.filters import FILTERS, FieldKind, Filter
from auditctl.log.histogram import counts
from tests.fixtures.templates import begin_with, recording
from tests.support.recorded import Recorded

if TYPE_CHECKING:
    from tests.fixtures.web import Client

CHIP = re.compile(r"<li><span>([^<]*): <b>([^<]*)</b></span>")


# A log that knows the table and the column of the registry's examples.
db_template = begin_with(recording(Recorded()))


@pytest.mark.parametrize("row", FILTERS, ids=lambda row: row.name)
def test_every_filter_opens_the_log_with_a_chip(reader: Client, row: Filter) -> None:
    answer = reader.get("/", params={row.name: row.example})
    assert answer.status_code == 200
    chips = [(unescape(label), unescape(value)) for label, value in CHIP.findall(answer.text)]
    assert chips == [(row.label, row.example)]


@pytest.mark.parametrize("row", FILTERS, ids=lambda row: row.name)
def test_every_filter_draws_the_charts_of_counted_events(
    reader: Client, row: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "MAX_FETCHED", 0)
    assert reader.get("/overview", params={row.name: row.example}).status_code == 200


@pytest.mark.parametrize("row", FILTERS, ids=lambda row: row.name)
def test_every_filter_has_one_field_with_its_label(reader: Client, row: Filter) -> None:
    text = reader.get("/").text
    fields = re.findall(rf'<input(?![^>]*type="hidden")[^>]* name="{row.name}"[^>]*>', text)
    if row.field.kind is FieldKind.CHECKBOXES:
        assert f"<legend>{row.label}</legend>" in text
        assert len(fields) == len(row.field.choices)
    else:
        assert f'<label for="f-{row.name}">{row.label}</label>' in text
        assert len(fields) == 1
