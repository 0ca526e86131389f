"""Speaks HTTP byte by byte, as no browser and no library would."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from urllib.parse import urlsplit

REFUSED_UNREAD = b"Invalid HTTP request received."
"""What the server says to what is no HTTP; it reaches none of our code."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        status: Its code.
        headers: Its headers.
        body: Its content.
    """

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def is_ours(self) -> bool:
        """Whether our code gave it."""
        is_plain = self.headers.get_content_type() == "text/plain"
        return not (self.status == 400 and is_plain and self.body in (REFUSED_UNREAD, b""))


@dataclass(frozen=True, slots=True)
class Message:
    """A request, as bytes.

    Attributes:
        method: Such as GET.
        target: What stands after it, percent-encoded as it is sent.
        headers: Names and values, sent as they are.
        body: The content.
    """

    method: str
    target: str
    headers: tuple[tuple[str, bytes], ...] = ()
    body: bytes = b""

    def encoded(self) -> bytes:
        """The bytes on the wire."""
        lines = [f"{self.method} {self.target} HTTP/1.1".encode("latin-1"), b"Connection: close"]
        if all(name != "Host" for name, _ in self.headers):
            lines.append(b"Host: log.example")
        lines += [name.encode() + b": " + value for name, value in self.headers]
        if self.body:
            lines.append(b"Content-Length: %d" % len(self.body))
        return b"\r\n".join([*lines, b"", self.body])


def exchange(url: str, message: Message) -> Answer:
    """Send a request on a connection of its own; the answer."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
        connection.sendall(message.encoded())
        answer = HTTPResponse(connection, method=message.method)
        answer.begin()
        return Answer(answer.status, answer.headers, answer.read())
