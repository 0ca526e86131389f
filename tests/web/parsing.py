"""Reads pages as a browser does: what stands in the rows of the log, in messages, and where links lead."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass(slots=True)
class Element:
    """A part of a page.

    Attributes:
        tag: Its name.
        attributes: Its attributes.
        text: All text inside, as written.
    """

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Document(HTMLParser):
    """A page, parsed strictly: `errors` says which elements do not close as they opened.

    Attributes:
        elements: Every element, in order.
        errors: What is no good HTML.
    """

    elements: list[Element] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    opened: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.errors.append(f"<{tag}> has an attribute twice")
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self.opened.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.opened.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.opened or self.opened[-1].tag != tag:
            self.errors.append(f"</{tag}> closes {self.opened[-1].tag if self.opened else 'nothing'}")
        else:
            self.opened.pop()

    def handle_data(self, data: str) -> None:
        if any("unseen" in element.attributes.get("class", "").split() for element in self.opened):
            return  # said to screen readers alone
        for element in self.opened:
            element.text += data


def parsed(text: str) -> Document:
    """Parse a page."""
    document = Document()
    document.feed(text)
    document.close()
    document.errors += [f"<{element.tag}> is not closed" for element in document.opened]
    return document


def listed(text: str) -> list[dict[str, str]]:
    """The rows of the log: the event's number as `event_id`, its time whole, and each cell by its label."""
    rows: list[dict[str, str]] = []
    for element in parsed(text).elements:
        if "data-event" in element.attributes:
            rows.append({"event_id": element.attributes["data-event"]})
        elif element.tag == "td" and "data-label" in element.attributes and "role" in element.attributes:
            rows[-1][element.attributes["data-label"]] = element.text
        elif element.tag == "time":
            rows[-1]["created_on"] = element.attributes["datetime"]
    return rows


def numbers(text: str) -> list[int]:
    """The numbers of the events in the rows of the log."""
    return [int(row["event_id"]) for row in listed(text)]


def link(text: str, rel: str) -> str | None:
    """Where the link of a relation leads, None without one."""
    found = [some.attributes["href"] for some in parsed(text).elements if some.attributes.get("rel") == rel]
    return found[0] if found else None


def alerts(text: str) -> list[str]:
    """What a page says is wrong, the white space of the template taken away."""
    return [" ".join(some.text.split()) for some in parsed(text).elements if some.attributes.get("role") == "alert"]
