"""What is on a page, as somebody reads it without a browser: its forms, tables and text. It must be good HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.web.parsing import parsed

if TYPE_CHECKING:
    from tests.web.parsing import Element

Fields = dict[str, list[str]]
"""What a form sends, by name."""


@dataclass
class Document:
    """A page.

    Attributes:
        text: All text, spaces made one.
        rows: The cells of every row of every table, each as text.
        forms: The action of each form, and what it sends as it stands.
        links: The text and address of each link.
        alerts: The text of what a screen reader says at once.
    """

    text: str
    rows: list[list[str]] = field(default_factory=list)
    forms: list[tuple[str, Fields]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)

    def form(self, action: str, field: str = "") -> Fields:
        """The one form that is sent to an address, of several that with a field."""
        found = [fields for address, fields in self.forms if address == action and (not field or field in fields)]
        assert len(found) == 1, f"{len(found)} forms for {action}: {self.text}"
        return found[0]


def read(html: str) -> Document:
    """Read a page, which must be good HTML."""
    page = parsed(html)
    assert page.errors == []
    document = Document(_text(page.elements[0]))
    for element in page.elements:
        match element.tag:
            case "form":
                document.forms.append((element.attributes.get("action", ""), {}))  # a dialog's has none
            case "input" | "textarea":
                _send(document, element)
            case "tr":
                document.rows.append([])
            case "td" | "th":
                document.rows[-1].append(_text(element))
            case "a":
                document.links.append((_text(element), element.attributes["href"]))
        if element.attributes.get("role") == "alert":
            document.alerts.append(_text(element))
    return document


def _text(element: Element) -> str:
    return " ".join(element.text.split())


def _send(document: Document, element: Element) -> None:
    values = element.attributes
    name = values.get("name", "")
    if element.tag == "textarea":
        document.forms[-1][1][name] = [element.text]
    elif name and (values.get("type") not in ("checkbox", "radio") or "checked" in values):
        document.forms[-1][1].setdefault(name, []).append(values.get("value", ""))
