"""The examples: each starts as its users start it, its log says who did what, and nothing is left of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from auditctl.demo.process import choose_port
from tests.fixtures.web import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "examples.md"

NONSENSE = {"PGSERVICE": "none", "PGOPTIONS": "-c none=1", "PGPORT": "x", "AUDITCTL_DSN": "none", "FLASK_ENV_FILE": "x"}
"""Settings of the user's own, which would disturb it."""


@dataclass(frozen=True, slots=True)
class Example:
    """A shop that serves.

    Attributes:
        process: What started it.
        url: The address of the shop.
        page: The address of the page.
        text: What it printed.
    """

    process: subprocess.Popen[str]
    url: str
    page: str
    text: str

    def match(self, pattern: str) -> str:
        hit = re.search(pattern, self.text)
        assert hit is not None, self.text
        return hit[1]


def command(name: str, port: int, page_port: int) -> list[str]:
    """The command that `make example-NAME` runs, without what installs it."""
    make = ["make", "--no-print-directory", "-n", "-o", ".venv/.ready-test", f"example-{name}"]
    ports = [f"PORT={port}", f"PAGE_PORT={page_port}"]
    line = subprocess.run([*make, *ports], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = shlex.split(line.splitlines()[-1])
    assert words[0] == ".venv/bin/python"
    return [sys.executable, *words[1:]]


@contextmanager
def run_example(name: str, temp: Path, until: str) -> Iterator[Example]:
    """A shop from its start until it has printed a text; afterwards nothing of it may be left."""
    port, page_port = choose_port(), choose_port()
    before = set(temp.iterdir())
    with subprocess.Popen(
        command(name, port, page_port), cwd=ROOT, env={**os.environ, **NONSENSE, "TMPDIR": str(temp)}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines = []
        children: list[psutil.Process] = []
        try:
            for line in process.stdout:
                lines.append(line)
                if until in line:
                    break
            children = psutil.Process(process.pid).children(recursive=True)
            url, page = (f"http://127.0.0.1:{number}" for number in (port, page_port))
            yield Example(process, url, page, "".join(lines))
        finally:
            process.send_signal(signal.SIGINT)  # without effect if it has ended
            process.stdout.read()
    assert [child for child in children if child.is_running()] == []
    assert set(temp.iterdir()) == before


def end_of(example: Example, *, by: signal.Signals | None = None) -> tuple[int, str]:
    """The exit code and the last line of a shop that ends; `by` a signal, or because a program of it does."""
    if by is None:
        (served,) = (p for p in psutil.Process(example.process.pid).children() if "serve" in p.cmdline())
        served.kill()
    else:
        example.process.send_signal(by)
    assert example.process.stdout is not None
    rest = example.process.stdout.read().splitlines()
    return example.process.wait(30), rest[-1]


def commands_of_page(name: str) -> str:
    """The commands of the page that go to a shop."""
    chapter = next(part for part in PAGE.read_text("utf-8").split("\n## ") if part.lower().startswith(name))
    (block,) = re.findall(r"^```sh\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL)
    return str(block)


def events(example: Example, auditctl: RunAuditctl, *targets: str) -> list[tuple[str | None, ...]]:
    """What the log of a shop says of labels, oldest first, read by the command that it prints."""
    (assignment,) = shlex.split(example.match(r"export (AUDITCTL_DSN=.*)"))
    words = [word for target in targets for word in ("--target", target)]
    lines = auditctl("export", *words, "--format", "jsonl", dsn=assignment.partition("=")[2], check=0).out.splitlines()
    rows = [json.loads(line) for line in lines]
    names = ("target", "action", "user", "ip_address", "reason")
    return [(*(row[name] for name in names), (row["context"] or {}).get("request_id")) for row in rows]


def test_every_shop_has_a_target_of_make_and_a_chapter() -> None:
    from examples.shops import SHOPS

    targets = re.findall(r"^example-(\w+):.*## ", ROOT.joinpath("Makefile").read_text(), re.MULTILINE)
    assert targets == list(SHOPS)
    assert all(f"`make example-{name}`" in PAGE.read_text("utf-8") for name in SHOPS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "fastapi",
            [
                ("Order", "CREATE", "alice", "203.0.113.7", None, "4f2a"),
                ("Product", "UPDATE", "alice", "203.0.113.7", None, "4f2a"),
                ("Order", "UPDATE", "bob", "203.0.113.24", "ticket 4711", "4f2b"),
            ],
        ),
        (
            "flask",
            [
                ("Staff", "CREATE", "add-staff", None, "opens the shop", None),
                ("Product", "UPDATE", "alice", "127.0.0.1", None, "4f2a"),
                ("Order", "CREATE", "alice", "127.0.0.1", None, "4f2a"),
                ("Order", "UPDATE", "alice", "127.0.0.1", "ticket 4711", "4f2b"),
            ],
        ),
    ],
)
def test_commands_of_the_page_are_in_the_log_of_the_shop(
    name: str, expected: list[tuple[str | None, ...]], auditctl: RunAuditctl, temp: Path, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: apt-get install curl")
    with run_example(name, temp, "Ctrl-C") as example:
        script = re.sub(r"http://127\.0\.0\.1:80\d\d", example.url, commands_of_page(name))
        if "PASSWORD" in script:
            script = script.replace("PASSWORD", example.match(r"password (\S+) at"))
        done = subprocess.run(
            ["bash", "-e", "-c", script.replace("curl ", "curl --fail-with-body ")], cwd=tmp_path, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        with Client(base_url=example.url) as stranger:
            assert stranger.put("/products/1/price", json={"price": "1.00"}).status_code == 401
            assert stranger.get("/products").json()[0]["price"] == "24.00"
        assert events(example, auditctl, "shop.*") == expected
        with Client(base_url=example.page) as browser:
            assert browser.sign_in("auditor", example.match(r"auditor +(\S+)\n")).status_code == 303
            assert "ticket 4711" in browser.get("/").text
        ends: dict[str, Callable[[], tuple[int, str]]] = {
            "fastapi": lambda: end_of(example, by=signal.SIGINT),
            "flask": lambda: end_of(example),
        }
        assert ends[name]() == {
            "fastapi": (0, "Stopped: no process is left, and no file."),
            "flask": (1, "error: the page ended with exit code -9; see its messages above"),
        }[name]  # fmt: skip


def test_forms_of_django_are_in_its_log(auditctl: RunAuditctl, temp: Path) -> None:
    with run_example("django", temp, "Ctrl-C") as example, DjangoClient(base_url=example.url) as browser:
        password = example.match(r"password (\S+)\n")
        assert browser.fill("/login/", username="alice", password=password).status_code == 302
        assert browser.fill("/shop/product/add/", name="Teapot", price="24.00", stock="12").status_code == 302
        assert browser.fill("/shop/order/add/", product="1", quantity="2", status="open").status_code == 302
        without = browser.fill("/shop/order/1/change/", product="1", quantity="2", status="refunded")
        assert "A refund needs a reason." in without.text
        refund = {"product": "1", "quantity": "2", "status": "refunded", "reason": "ticket 4711"}
        assert browser.fill("/shop/order/1/change/", **refund).status_code == 302
        assert browser.get("/static/admin/css/base.css").status_code == 200
        assert events(example, auditctl, "Product", "Order") == [
            ("Product", "CREATE", "alice", "127.0.0.1", None, "4f2a"),
            ("Order", "CREATE", "alice", "127.0.0.1", None, "4f2a"),
            ("Order", "UPDATE", "alice", "127.0.0.1", "ticket 4711", "4f2a"),
        ]
        assert events(example, auditctl, "User") == [("User", "CREATE", "shop_owner", None, None, None)]
        assert end_of(example, by=signal.SIGTERM) == (0, "Stopped: no process is left, and no file.")


class DjangoClient(Client):
    """A browser that sends Django's forms."""

    def fill(self, path: str, **fields: str) -> httpx.Response:
        """Send a form with its token."""
        self.get(path)
        data = {"csrfmiddlewaretoken": self.cookies["csrftoken"], **fields}
        return self.post(path, data=data, headers={"X-Request-ID": "4f2a"})


def test_interrupted_start_leaves_nothing(temp: Path) -> None:
    with run_example("django", temp, "Starting PostgreSQL") as example:
        assert end_of(example, by=signal.SIGINT) == (130, "interrupted")


def test_port_in_use_is_an_error_before_anything_starts(temp: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for ports, variable in (((port, choose_port()), "PORT"), ((choose_port(), port), "PAGE_PORT")):
            done = subprocess.run(command("flask", *ports), cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 1
            assert done.stdout == ""
            assert done.stderr.splitlines() == [
                f"error: cannot listen on 127.0.0.1 port {port}: Address already in use",
                f"hint: Choose another: make example-flask {variable}=NUMBER",
            ]
