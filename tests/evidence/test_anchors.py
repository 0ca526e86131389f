"""Anchors: copies of checkpoints elsewhere, which show that a tree forked; timestamps by an authority."""

from __future__ import annotations

import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.errors import OutputError, UsageError
from auditctl.evidence import note, timestamps
from auditctl.evidence.checkpoint import Checkpoint
from tests.fixtures.databases import connect, fresh_database
from tests.support import sealing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditctl.demo.server import EmbeddedServer
    from auditctl.evidence.sealing_keys import SealingKeys
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin


@pytest.fixture
def keys(db: str, tmp_path: Path) -> SealingKeys:
    made = sealing.make_keys(tmp_path)
    sealing.seal(db, made)
    return made


def seal_more(db: str, conn: psycopg.Connection, keys: SealingKeys) -> str:
    """Seal an event; return the checkpoint."""
    conn.execute("select auditctl.record_event('note', '1')")
    sealing.seal(db, keys)
    (text,) = conn.execute("select note from auditctl.checkpoint order by tree_size desc limit 1").fetchone() or ("",)
    return str(text)


def forged(keys: SealingKeys, size: int) -> str:
    return note.sign(str(Checkpoint(sealing.ORIGIN, size, b"\1" * 32)), keys.keys.signers)


def test_a_name_that_ends_as_a_folder_makes_one(keys: SealingKeys, tmp_path: Path, auditctl: RunAuditctl) -> None:
    auditctl("checkpoint", "--output", f"{tmp_path}/new/anchors/", check=0)
    (file,) = (tmp_path / "new" / "anchors").iterdir()
    assert file.read_text() == (tmp_path / "seal.key.checkpoint").read_text()
    (tmp_path / "taken").write_text("x")
    refused = auditctl("checkpoint", "--output", f"{tmp_path}/taken/anchors/", check=2)
    assert "cannot make the folder" in refused.err


def test_folder_gets_a_file_for_each_tree_and_none_is_overwritten(
    db: str, conn: psycopg.Connection, keys: SealingKeys, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    folder = tmp_path / "anchors"
    folder.mkdir()
    texts = []
    for _ in range(2):
        texts.append(seal_more(db, conn, keys))
        auditctl("checkpoint", "--output", folder, check=0)
        assert "there already" in auditctl("checkpoint", "--output", folder, check=0).err
    sizes = [int(text.split("\n")[1]) for text in texts]
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        f"test.example-log-{size}.checkpoint": text for size, text in zip(sizes, texts, strict=True)
    }
    (folder / "test.example-log-900.checkpoint").write_text(forged(keys, 900))
    assert "forked" in auditctl("checkpoint", "--output", folder, check=3).err
    (folder / "test.example-log-900.checkpoint").unlink()
    last = folder / f"test.example-log-{sizes[-1]}.checkpoint"
    last.write_text(forged(keys, sizes[-1]))
    assert "forked" in auditctl("checkpoint", "--output", folder, check=3).err
    assert last.read_text() == forged(keys, sizes[-1])


def test_file_is_replaced_only_by_an_extension_of_it(
    db: str, conn: psycopg.Connection, keys: SealingKeys, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    file = tmp_path / "last.checkpoint"
    auditctl("checkpoint", "--output", file, check=0)
    text = seal_more(db, conn, keys)
    auditctl("checkpoint", "--output", file, check=0)
    assert file.read_text() == text == auditctl("checkpoint", "--output", "-", check=0).out
    for other in (forged(keys, 1), forged(keys, 900), "no note", text.replace(sealing.ORIGIN, "another.example/log")):
        file.write_text(other)
        auditctl("checkpoint", "--output", file, check=3)
        assert file.read_text() == other


def test_second_database_takes_anchors_from_a_login_that_may_only_add(
    db: str,
    conn: psycopg.Connection,
    keys: SealingKeys,
    server: EmbeddedServer,
    login: MakeLogin,
    auditctl: RunAuditctl,
) -> None:
    anchorer = login("anchorer")
    with fresh_database(server, "anchors") as other:
        auditctl("checkpoint", "--to-dsn", other, check=0)
        with connect(other) as session:
            session.execute(f"grant usage on schema auditctl_anchor to {anchorer.name}".encode())
            session.execute(f"grant select, insert on auditctl_anchor.checkpoint to {anchorer.name}".encode())
            text = seal_more(db, conn, keys)
            auditctl("checkpoint", "--to-dsn", anchorer.at(other), check=0)
            assert "there already" in auditctl("checkpoint", "--to-dsn", anchorer.at(other), check=0).err
            rows = session.execute(
                "select note, added_by from auditctl_anchor.checkpoint order by tree_size"
            ).fetchall()
            assert rows[1] == (text, anchorer.name)
            for statement in ("delete from auditctl_anchor.checkpoint", "truncate auditctl_anchor.checkpoint"):
                with pytest.raises(psycopg.Error) as error:
                    session.execute(statement.encode())
                assert error.value.sqlstate == "UA001"
            session.execute(
                "insert into auditctl_anchor.checkpoint (origin, tree_size, note) values (%s, 900, %s)",
                [sealing.ORIGIN, forged(keys, 900)],
            )
        assert "forked" in auditctl("checkpoint", "--to-dsn", anchorer.at(other), check=3).err


def test_log_that_was_never_sealed_and_no_place_are_errors(db: str, auditctl: RunAuditctl, tmp_path: Path) -> None:
    assert "not sealed" in auditctl("checkpoint", "--output", tmp_path, check=6).err
    auditctl("checkpoint", check=2)
    auditctl("checkpoint", "--output", "-", "--timestamp", "http://127.0.0.1/", check=2)


AUTHORITY = """
[ca]
default_ca = none
[ext]
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = config
[config]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
certs = {folder}/ca.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


@contextmanager
def authority(folder: Path) -> Iterator[str]:
    """A timestamp authority made with openssl, on loopback."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    (folder / "tsa.conf").write_text(AUTHORITY.format(folder=folder))
    (folder / "serial").write_text("01\n")
    key = ("-newkey", "rsa:2048", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2")
    openssl("req", *key, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=tsa")
    openssl(
        "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "2", "-out", "tsa.pem",
        "-extfile", "tsa.conf", "-extensions", "ext", "-days", "2",
    )  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/replay" or not (folder / "answer.tsr").exists():
                (folder / "query.tsq").write_bytes(query)
                openssl(
                    "ts", "-reply", "-config", "tsa.conf", "-section", "config", "-queryfile", "query.tsq",
                    "-out", "answer.tsr",
                )  # fmt: skip
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"nothing" if self.path == "/wrong" else (folder / "answer.tsr").read_bytes())

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")
def test_timestamp_verifies_with_openssl_and_one_for_something_else_is_refused(
    db: str, conn: psycopg.Connection, keys: SealingKeys, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    folder = tmp_path / "tsa"
    folder.mkdir()
    file = tmp_path / "last.checkpoint"
    with authority(folder) as url:
        auditctl("checkpoint", "--output", file, "--timestamp", url, check=0)
        stamped = tmp_path / "last.checkpoint.tsr"
        verify = ["openssl", "ts", "-verify", "-in", str(stamped), "-CAfile", str(folder / "ca.pem"), "-data"]
        assert subprocess.run([*verify, str(file)], capture_output=True, timeout=60).returncode == 0
        before = stamped.read_bytes()
        auditctl("checkpoint", "--output", file, "--timestamp", url, check=0)
        assert stamped.read_bytes() == before
        with pytest.raises(OutputError, match="for something else"):
            timestamps.request(f"{url}/replay", b"other")
        with pytest.raises(OutputError, match="does not answer"):
            timestamps.request(f"{url}/wrong", b"other")
        seal_more(db, conn, keys)
    assert "cannot get" in auditctl("checkpoint", "--output", file, "--timestamp", url, check=1).err
    with pytest.raises(UsageError):
        timestamps.request("file:///etc/passwd", b"x")
