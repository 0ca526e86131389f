"""What is on a page, as somebody reads it who has no browser: its forms, its tables, and its text."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

Fields = dict[str, list[str]]
"""What a form sends, by name."""

BLOCKS = ("p", "li", "dd", "dt", "td", "th", "h1", "h2", "pre", "div", "label", "option", "button")

SILENT = ("script", "style", "template", "title")


@dataclass
class Document:
    """A page.

    Attributes:
        text: All that is visible, spaces made one.
        rows: The cells of every row of every table, each as text.
        forms: The action of each form, and what it sends as it stands.
        links: The text and address of each link.
        alerts: The text of what a screen reader says at once.
    """

    text: str = ""
    rows: list[list[str]] = field(default_factory=list)
    forms: list[tuple[str, Fields]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)

    def form(self, action: str) -> Fields:
        """The one form that is sent to an address."""
        found = [fields for address, fields in self.forms if address == action]
        assert len(found) == 1, f"{len(found)} forms for {action}: {self.text}"
        return found[0]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.document = Document()
        self._pieces: list[str] = []
        self._silent = 0
        self._starts: list[tuple[str, int]] = []
        self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        match tag:
            case "form":
                self.document.forms.append((values["action"], {}))
            case "input" if values.get("type") != "checkbox" or "checked" in values:
                self._send(values.get("name", ""), values.get("value", ""))
            case "textarea":
                self._textarea = values["name"]
                self._send(self._textarea, "")
            case "tr":
                self.document.rows.append([])
            case "a":
                self.document.links.append(("", values["href"]))
        if tag in ("a", "td", "th") or values.get("role") == "alert":
            self._starts.append(("alert" if values.get("role") == "alert" else tag, len(self._pieces)))
        if tag in BLOCKS:
            self._pieces.append(" ")
        self._silent += tag in SILENT

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in SILENT
        self._textarea = "" if tag == "textarea" else self._textarea
        if self._starts and (self._starts[-1][0] == tag or (self._starts[-1][0] == "alert" and tag == "div")):
            kind, start = self._starts.pop()
            text = " ".join("".join(self._pieces[start:]).split())
            if kind == "alert":
                self.document.alerts.append(text)
            elif kind == "a":
                self.document.links[-1] = (text, self.document.links[-1][1])
            else:
                self.document.rows[-1].append(text)

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.document.forms[-1][1][self._textarea] = [data]
        elif not self._silent:
            self._pieces.append(data)

    def _send(self, name: str, value: str) -> None:
        if name:
            self.document.forms[-1][1].setdefault(name, []).append(value)

    def close(self) -> None:
        super().close()
        self.document.text = " ".join("".join(self._pieces).split())


def read(html: str) -> Document:
    """Read a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.document
