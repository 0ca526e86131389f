"""Reads and writes [archive] in the configuration file: where months are archived, and which ones stay."""

from __future__ import annotations

from auditctl import durations
from auditctl.archive import files
from auditctl.archive.settings import Settings
from auditctl.capture.config.fields import Fields
from auditctl.capture.config.toml import Section
from auditctl.errors import UsageError

KEYS = ("to", "keep_hot")


def read(document: Fields) -> Settings | None:
    """Return what the file states; None without the section, and for a mistake in it."""
    section = document.section("archive")
    if section is None:
        return None
    before = len(document.problems)
    section.known(KEYS)
    to, keep_hot = section.text("to"), section.text("keep_hot")
    if to is not None:
        try:
            files.require_absolute(to)
        except UsageError as error:
            section.problem("to", f"{error}. {error.hint}")
    if keep_hot is not None:
        keep_hot = _time(section, keep_hot)
    return Settings(to, keep_hot) if len(document.problems) == before else None


def sections(settings: Settings) -> list[tuple[str, Section]]:
    """Return [archive] with its header; empty where nothing is stated."""
    values = {"to": settings.to, "keep_hot": settings.keep_hot}
    stated: Section = {name: value for name, value in values.items() if value is not None}
    return [("[archive]", stated)] if stated else []


def _time(section: Fields, text: str) -> str | None:
    try:
        keep = durations.parse_keep(text)
    except UsageError as error:
        section.problem("keep_hot", f"{error}. {error.hint}")
        return None
    if keep is None:
        section.problem("keep_hot", "forever would archive nothing. Write days, weeks, months or years: 6 months.")
    return keep
