"""Renders the HTML templates. All text is escaped, and characters that reorder or hide text are shown as codes."""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.filesize import decimal

from auditctl import __version__
from auditctl.display import coded, harmless
from auditctl.log.filter_text import text_of
from auditctl.text import iso_utc, plural
from auditctl.web.render import event_columns
from auditctl.web.render.row_ids import row_id

STATIC = Path(__file__).resolve().parents[1] / "static"
_SPACES = ("\n", "\t")


def render(template: str, **context: Any) -> str:
    """Return the text of a template of auditctl/web/templates with a context."""
    return _environment().get_template(template).render(context)


@functools.cache
def _environment() -> Environment:
    """Return what holds the compiled templates: one for all applications of a process."""
    env = Environment(
        loader=PackageLoader("auditctl.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # the files are those of a version: to look at ten of them for each page is work for nothing
    )
    env.filters.update(
        exact=text_of,
        harmless=harmless,
        readable=readable,
        number=number,
        plural=plural,
        size=decimal,
        utc=iso_utc,
        moment=datetime.fromisoformat,
    )
    env.globals.update(
        version=__version__,
        static=_Static(),
        row_id=row_id,
        usual_columns=event_columns.USUAL,
        titles=event_columns.TITLES,
        cell_classes=event_columns.CLASSES,
    )
    return env


class _Static:
    """URLs of static files, each with a hash of its content, so that browsers may cache them."""

    def __init__(self) -> None:
        self._hashes = {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in STATIC.iterdir() if file.is_file()
        }

    def __call__(self, name: str) -> str:
        return f"/static/{name}?v={self._hashes[name]}"


def readable(text: str) -> str:
    """Return the text with every control or format character but newline and tab as its code."""
    if text.isprintable():
        return text
    # A text has few different characters: each is looked at once, however long the text is.
    return text.translate({ord(letter): letter if _is_readable(letter) else coded(letter) for letter in set(text)})


def _is_readable(letter: str) -> bool:
    return letter in _SPACES or letter.isprintable() or unicodedata.category(letter) == "Zs"


def number(value: int) -> str:
    """Return a number with thousands separators."""
    return f"{value:,}"
