"""What crosses the wire is compressed, and tells nobody what is in a page."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from auditctl.web.auth import cookies
from auditctl.web.middleware import Compression
from tests.fixtures.web import CSRF
from tests.support.recorded import bulk

if TYPE_CHECKING:
    import psycopg
    from starlette.types import Message, Receive, Scope, Send

    from tests.fixtures.web import Client


def test_500_events_take_less_than_60_kb_and_an_export_a_fifth(reader: Client, conn: psycopg.Connection) -> None:
    bulk(conn, 500)
    for path in ("/?limit=500", "/export.csv?target=bulk.row"):
        with reader.stream("GET", path) as answer:
            text = "".join(answer.iter_text())
            assert answer.headers["content-encoding"] == "gzip"
            assert "Accept-Encoding" in answer.headers["vary"]
            assert answer.num_bytes_downloaded < min(60_000, len(text) / 5)
    for refusal in ("identity", "gzip;q=0", "br, GZIP ; q=0.0, identity"):
        plain = reader.get("/export.csv?target=bulk.row", headers={"accept-encoding": refusal})
        assert (plain.text, "content-encoding" in plain.headers) == (text, False), refusal
    assert reader.get("/", headers={"accept-encoding": "gzip;q=0.5"}).headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_page_of_another_site_gets_a_compressed_answer(reader: Client, site: str) -> None:
    answer = reader.get("/?user=guess", headers={"sec-fetch-site": site})
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers


def test_a_form_carries_its_token_as_another_text_each_time(reader: Client) -> None:
    tokens = [CSRF.findall(reader.get("/check").text) for _ in range(2)]
    masked = [token for page in tokens for token in page]
    assert len(set(masked)) == len(masked) > 2
    assert len({cookies.unmasked(token) for token in masked}) == 1


def test_what_is_not_a_masked_token_is_none() -> None:
    for text in ("", "a", "AAAA", "\N{SNOWMAN}", "====", "/w==", "\ud800", "_w-_" * 31):
        assert cookies.unmasked(text) == "", text


def test_a_stream_that_is_cut_off_has_no_end_when_compressed() -> None:
    sent: list[Message] = []

    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"event " * 1000, "more_body": True})

    async def take(message: Message) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "headers": [(b"accept-encoding", b"gzip")]}
    anyio.run(Compression(broken), scope, receive, take)
    assert all(message["more_body"] for message in sent[1:])
    with pytest.raises(EOFError):
        gzip.decompress(b"".join(message["body"] for message in sent[1:]))
