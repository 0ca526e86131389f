"""An archive in S3: what goes wrong there, what is left of it, and how engines read the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auditctl.archive import files, parts
from auditctl.archive.layout import MonthKey
from auditctl.errors import AuditctlError, OutputError
from tests.fixtures.object_store import ENVIRONMENT
from tests.fixtures.web import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

KEY = MonthKey("a shop", "2026-05")
PATH = KEY.path("part-0001.parquet")
LARGE = b"b" * (17 << 20)


def uploads(s3: Any, bucket: str) -> list[str]:
    return [upload["Key"] for upload in s3.list_multipart_uploads(bucket)]


def write(archive: files.Files, path: str = PATH) -> None:
    with archive.write(path) as file:
        file.write(b"data")


def test_an_interrupted_upload_is_aborted(s3: Any, bucket: str) -> None:
    archive = files.at(f"s3://{bucket}/logs")
    with pytest.raises(KeyboardInterrupt), archive.write(PATH) as file:
        file.write(LARGE)
        assert uploads(s3, bucket) == [f"logs/{PATH}"]
        raise KeyboardInterrupt
    assert (uploads(s3, bucket), s3.find(bucket)) == ([], [])


def test_an_upload_that_comes_second_is_aborted(s3: Any, bucket: str) -> None:
    archive = files.at(f"s3://{bucket}/logs")
    with pytest.raises(OutputError, match="exists already"), archive.write(PATH) as file:
        file.write(LARGE)
        write(archive)
    assert (uploads(s3, bucket), archive.read(PATH)) == ([], b"data")


def test_uploads_of_a_killed_writer_are_aborted_in_one_folder_only(s3: Any, bucket: str) -> None:
    archive = files.at(f"s3://{bucket}/logs")
    for key in (f"logs/{PATH}", "logs/other", f"logs/{KEY.folder}1/part-0001.parquet"):
        s3.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
    archive.clean(KEY.folder)
    assert uploads(s3, bucket) == ["logs/other", f"logs/{KEY.folder}1/part-0001.parquet"]


def test_more_files_than_a_page_has_are_listed(s3: Any, bucket: str) -> None:
    from moto.s3.models import s3_backends

    backend = s3_backends["123456789012"]["aws"]
    names = [f"part-{number:04}.parquet" for number in range(1, 2102)]
    for name in names:
        backend.put_object(bucket, f"logs/{KEY.path(name)}", b"")
    backend.put_object(bucket, f"logs/{KEY.folder}/", b"")  # as consoles make one for a folder
    assert files.at(f"s3://{bucket}/logs").names(KEY.folder) == names


def test_engines_read_through_its_filesystem(s3: Any, bucket: str) -> None:
    archive = files.at(f"s3://{bucket}/logs")
    table = pa.table({"number": list(range(50_000))})
    with archive.write(PATH) as file:
        pq.write_table(table, file, row_group_size=5_000)
    with archive.open(PATH) as file:
        assert pq.read_table(file).equals(table)
    engine = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    engine.register_filesystem(archive.filesystem)
    rows = engine.execute(
        "select count(*), max(number), min(database), min(month) from read_parquet(?, hive_partitioning = true,"
        " hive_types_autocast = false) where number >= 49000",
        [[archive.location(PATH)]],
    )
    assert rows.fetchall() == [(1000, 49_999, "a shop", "2026-05")]


def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed(s3: Any, bucket: str) -> None:
    archive = files.at(f"s3://{bucket}/logs")
    table = pa.table({"number": list(range(3_000_000))})
    with archive.write(PATH) as file:
        pq.write_table(table, file, compression="none", use_dictionary=False)
    with pytest.raises(OSError, match="no longer exists"), archive.open(PATH) as file:
        file.read(10)
        s3.pipe_file(f"{bucket}/logs/{PATH}", b"x" * s3.size(f"{bucket}/logs/{PATH}"))
        file.seek(20 << 20)
        file.read(10)


ACTIONS: list[Callable[[files.Files], object]] = [
    lambda archive: archive.folders(),
    lambda archive: archive.names(KEY.folder),
    lambda archive: archive.size(PATH),
    lambda archive: archive.read(PATH),
    lambda archive: list(parts.read(archive, PATH)),
    write,
    lambda archive: archive.remove(PATH),
    lambda archive: archive.clean(KEY.folder),
]
"""Everything that is done with files."""


def failures(archive: files.Files) -> set[tuple[str, str]]:
    """Do everything; return the reasons and hints, which name the place and tell no secret."""
    found = set()
    for action in ACTIONS:
        with pytest.raises(AuditctlError) as failure:
            action(archive)
        message, hint = str(failure.value), failure.value.hint
        assert archive.name in message
        assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in message + hint
        found.add((message.rpartition(": ")[2], hint))
    return found


def test_a_bucket_that_does_not_exist_is_no_empty_archive(s3: Any) -> None:
    assert failures(files.at("s3://not-there/logs")) == {
        ("the bucket does not exist", "Create the bucket, or correct the path.")
    }


def test_an_unknown_access_key_is_an_error_of_every_action(s3: Any, s3_server: str, bucket: str) -> None:
    archive = files.at(f"s3://{bucket}/logs")
    httpx.post(f"{s3_server}/moto-api/reset-auth", content="0", timeout=PATIENCE_SECONDS)
    try:
        found = failures(archive)
    finally:
        httpx.post(f"{s3_server}/moto-api/reset-auth", content="1000000000", timeout=PATIENCE_SECONDS)
    # An answer to HEAD has no text.
    assert {reason for reason, _ in found} == {"access is denied", "the access key is not known there"}


def test_a_server_that_is_gone_is_an_error_of_every_action(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    type(s3).clear_instance_cache()
    ((reason, hint),) = failures(files.at("s3://bucket/logs"))
    assert (reason, hint) == (
        "the server cannot be reached",
        "Check the network, AWS_ENDPOINT_URL and AWS_REGION, then run it again.",
    )


def test_missing_credentials_are_an_error_of_every_action(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    type(s3).clear_instance_cache()
    ((reason, hint),) = failures(files.at("s3://bucket/logs"))
    assert (reason, hint.partition(",")[0]) == (
        "credentials are incomplete",
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    type(s3).clear_instance_cache()
    ((reason, _),) = failures(files.at("s3://bucket/logs"))
    assert reason == "credentials are missing"
