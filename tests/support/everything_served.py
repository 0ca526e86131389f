"""Every page of the web page, opened once by a superuser; what each shows can be compared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auditctl.web.routes import ROUTES
from tests.web.documents import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.fixtures.web import Client

PAGES = (
    "/", "/?target=shop.*&action=update&pictures=1&since=2020-01-01", "/?user=alice&limit=5",
    "/?columns=user,old_values&user=alice", "/?ip=203.0.113.0/24",
    "/?target=shop.price&id=%5B%22pro%22%2C%22EUR%22%5D", "/?context=reason%3Dit%27s+%5C+100%25", "/?since=never",
    "/?group=transaction&limit=5", "/transactions", "/transactions?rows=2&user=alice", "/transactions/7",
    "/events/20", "/events/999999", "/history?target=Customer&id=9", "/overview?since=2020-01-01&target=shop.*",
    "/suggest?user=al", "/export.csv?target=shop.*", "/export.csv-excel?user=alice", "/export.jsonl?user=alice",
    "/export.ocsf?user=alice",
    f"/check?sha256={'0' * 64}", "/manifest.json?export=20", "/login",
    "/config", "/config?find=shop", "/config.toml", "/config/table?table=shop.customer",
    "/config/disable?table=shop.customer", "/config/add?type=event", "/config/tables?schema=shop&all=1",
    "/config/event?target=auth.login", "/config/history", "/retention/change?change=hold&back=config",
    "/access", "/retention", "/doctor?severity=critical", "/healthz", "/metrics",
)  # fmt: skip
VARYING = re.compile(
    r'name="(?:csrf|shown)" value="[^"]*"|\d+(?:\.\d+)? m?s\b|\d{2}(?::|%3A)\d{2}(?:(?::|%3A)\d{2}(?:\.\d+)?)?Z?|'
    r"(?<=Transaction</dt><dd data-copy>)\d+|(?<=/transactions/)\d+|(?<=Transaction )\d+|(?<=after=)\d+|"
    r'(?<=Transaction"><span>)\d+|'
    r"(?<=xact=)\d+|(?<=\"time\":)\d+|(?<=\"xact_id\":)\d+|"
    r'<svg\b.*?</svg>|<table>.*?</table>|<div class="levels".*?</div>|'
    r"\b\d+(?:\.\d+)? (?:bytes|[kMG]B)\b",
    re.DOTALL,
)
"""Tokens, times, transactions and sizes; and what a chart draws, which depends on the minute."""


def opened(client: Client, login: str) -> Iterator[tuple[str, str]]:
    """Open each page and change one rule; the address, and what came of it."""
    signed_in = client.sign_in(login)
    assert signed_in.headers.get("location") == "/", read(signed_in.text).alerts
    yield "sign in", _outcome(signed_in)
    for path in PAGES:
        yield path, _outcome(client.get(path))
    fields = {**read(client.get("/config/table?table=shop.parted").text).form("/config/plan"), "label": ["Party"]}
    planned = client.post("/config/plan", data=fields)
    yield "/config/plan", _outcome(planned)
    yield "/config/edit", _outcome(client.post("/config/edit", data=read(planned.text).form("/config/apply")))
    yield "/config/apply", _outcome(client.post("/config/apply", data=read(planned.text).form("/config/apply")))
    yield "/config", _outcome(client.get("/config"))
    grant = {"change": "grant", "role": "reader", "login": login}
    planned = client.form("/access/plan", grant, source="/access")
    yield "/access/plan", _outcome(planned)
    yield "/access/apply", _outcome(client.post("/access/apply", data=read(planned.text).form("/access/apply")))
    keep = {"change": "keep", "target": "shop.customer", "keep": "20 years"}
    planned = client.form("/retention/plan", keep, source="/retention")
    yield "/retention/plan", _outcome(planned)
    yield (
        "/retention/apply",
        _outcome(client.post("/retention/apply", data=read(planned.text).form("/retention/apply"))),
    )
    for path, filters in (("/views", {"user": "alice"}), ("/views", {"user": "bob"}), ("/views/drop", {})):
        yield path, _outcome(client.form(path, {"view": "it's \\ a view", **filters}, source="/"))
        yield "/?view", _outcome(client.get("/?view=it's \\ a view"))
    yield "/logout", _outcome(client.form("/logout", {}, source="/"))
    assert {route.path.replace("{event_id}", "20").replace("{xact}", "7") for route in ROUTES} <= {
        *(path.partition("?")[0] for path in PAGES),
        "/config/plan", "/config/edit", "/config/apply", "/access/plan", "/access/apply",
        "/retention/plan", "/retention/apply", "/views", "/views/drop", "/logout",
    }  # fmt: skip


def _outcome(answer: httpx.Response) -> str:
    return VARYING.sub("", f"{answer.status_code} {answer.headers.get('location')}\n{answer.text}")
