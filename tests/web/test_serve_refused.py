"""What `auditctl serve` refuses before it listens, with a hint; and what it says about itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo

from tests.fixtures.web import PASSWORD, nameless

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

TLS = Path(__file__).parent / "tls"
CERTIFICATE, KEY = TLS / "certificate.pem", TLS / "key.pem"


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused starts no server, and so needs no process of its own."""
    monkeypatch.setattr("tests.fixtures.command.PROCESSES", ())


def test_a_port_that_is_taken_is_said_to_be(auditctl: RunAuditctl) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = auditctl("serve", "--port", str(port), check=1)
    assert done.err.splitlines() == [
        f"error: cannot listen on 127.0.0.1 port {port}: Address already in use",
        "hint: Choose another with --host and --port.",
    ]


@pytest.mark.parametrize(
    "host", ["256.1.1.1.1", "no such host", "", "x" * 300, "\u00fc" * 70, "http://localhost", "::g"]
)
def test_a_host_that_is_none_is_refused(auditctl: RunAuditctl, host: str) -> None:
    done = auditctl("serve", "--port", "0", "--host", host, check=2)
    shown = repr(host) if len(host) < 300 else f"'{host[:100]}…' (300 characters)"
    assert done.err.splitlines() == [
        f"error: {shown} is not an address of this machine", "hint: For example: --host 127.0.0.1"
    ]  # fmt: skip


def test_an_address_of_another_machine_cannot_be_listened_on(auditctl: RunAuditctl) -> None:
    done = auditctl("serve", "--port", "0", "--host", "192.0.2.1", check=1)
    assert done.err.startswith("error: cannot listen on 192.0.2.1 port 0: ")


@pytest.mark.parametrize("dsn", ["host=127.0.0.1", "postgresql://db.example", "user=ann", "dbname=''", ""])
def test_a_dsn_that_names_no_database_is_refused(auditctl: RunAuditctl, dsn: str) -> None:
    done = auditctl("serve", "--port", "0", dsn=dsn, check=2)
    assert done.err.splitlines() == [
        "error: the DSN does not name a database", "hint: For example: --dsn postgresql://db.example/app"
    ]  # fmt: skip


def test_a_dsn_that_cannot_be_read_is_not_repeated(auditctl: RunAuditctl) -> None:
    done = auditctl("serve", "--port", "0", dsn=f"postgresql://u:{PASSWORD}@tpw@host/x", check=5)
    assert done.err.startswith("error: the DSN is not a valid connection string or URI\nhint: ")
    assert PASSWORD not in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tls-cert", str(CERTIFICATE)], "--tls-cert and --tls-key must be given together"),
        (["--tls-key", str(KEY)], "--tls-cert and --tls-key must be given together"),
        (["--auth", "proxy"], "--auth proxy needs --trusted-proxy"),
        (["--trusted-proxy", "everyone"], "write an address or a network such as 10.0.0.0/24"),
        (["--trusted-proxy", "10.0.0.1/8"], "write an address or a network such as 10.0.0.0/24"),
        (["--root-path", "audit"], "'audit' is not a path; write it as /audit"),
        (["--root-path", "//evil.example"], "'//evil.example' is not a path; write it as /audit"),
        (["--root-path", "/a?b"], "'/a?b' is not a path; write it as /audit"),
        (["--root-path", "/a\r\nX: y"], "is not a path; write it as /audit"),
        (["--root-path", "/../x"], "is not a path; write it as /audit"),
        (["--port", "65536"], "65536 is not in the range 0<=x<=65535"),
        (["--auth", "none"], "'none' is not one of 'password', 'proxy'"),
        (["--idle-timeout", "0"], "0 is not in the range 1<=x<=1440"),
        (["--user-header", "X Remote"], "'X Remote' is not a header name"),
        (["--user-header", ""], "'' is not a header name"),
    ],
)
def test_options_that_mean_nothing_are_refused(auditctl: RunAuditctl, arguments: list[str], message: str) -> None:
    done = auditctl("serve", "--port", "0", *arguments, check=2)
    assert message in done.err
    assert done.err.splitlines()[-1].startswith("hint: ")


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        (Path("/nonexistent/web.crt"), KEY, "cannot read /nonexistent/web.crt: No such file or directory"),
        (CERTIFICATE, Path("/nonexistent/web.key"), "cannot read /nonexistent/web.key: No such file or directory"),
        (TLS, KEY, f"cannot read {TLS}: Is a directory"),
        (KEY, CERTIFICATE, f"{KEY} and {CERTIFICATE} are not a certificate and its key: "),
        (Path(__file__), KEY, f"{__file__} and {KEY} are not a certificate and its key: "),
        (CERTIFICATE, CERTIFICATE, f"{CERTIFICATE} and {CERTIFICATE} are not a certificate and its key: "),
        (Path("/dev/null"), Path("/dev/null"), "/dev/null and /dev/null are not a certificate and its key: "),
    ],
)
def test_a_certificate_or_key_that_is_none_is_refused(
    auditctl: RunAuditctl, certificate: Path, key: Path, message: str
) -> None:
    done = auditctl("serve", "--port", "0", "--tls-cert", certificate, "--tls-key", key, check=2)
    assert done.err.startswith(f"error: {message}")
    assert done.err.splitlines()[-1].startswith("hint: ")


def test_a_login_that_reads_for_all_has_to_be_able_to(auditctl: RunAuditctl, login: MakeLogin, db: str) -> None:
    proxied = ("serve", "--port", "0", "--auth", "proxy", "--trusted-proxy", "127.0.0.1")
    stranger = login("stranger")
    done = auditctl(*proxied, dsn=stranger.dsn)
    assert done.code != 0
    assert done.err.splitlines()[-2:] == [
        f"error: {stranger.name} may not read the log.",
        f"hint: Ask the DBA for: auditctl grant reader {stranger.name}",
    ]
    assert auditctl(*proxied, dsn=make_conninfo(db, user="no_such_login")).code == 5


@pytest.mark.parametrize("module", ["starlette", "uvicorn", "python_multipart"])
def test_without_the_extra_it_says_what_to_install(db: str, module: str) -> None:
    start = f"import sys; sys.modules[{module!r}] = None; from auditctl.cli.main import main; main(['serve'])"
    environment = {**os.environ, "AUDITCTL_DSN": nameless(db)}
    done = subprocess.run([sys.executable, "-c", start], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"error: the web page needs {module}, which is not installed", "hint: Run: pip install 'auditctl[web]'"
    ]  # fmt: skip


def test_its_help_says_who_signs_in_and_how_to_start(auditctl: RunAuditctl) -> None:
    done = auditctl("serve", "--help", check=0)
    for text in ("until Ctrl-C", "database login and password", "--trusted-proxy", "Examples:", "--root-path"):
        assert text in done.out
    assert "serve" in auditctl("--help", check=0).out
