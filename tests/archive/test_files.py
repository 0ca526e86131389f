"""The files of an archive, in each kind of place: whole or not there, never replaced, and found again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from auditctl.archive import files
from auditctl.errors import OutputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "database=shop%2F1/month=2026-05"
PATH = f"{FOLDER}/part-0001.parquet"


def put(archive: files.Files, path: str, data: bytes) -> None:
    with archive.write(path) as file:
        file.write(data)


def test_a_place_without_files_is_an_empty_archive(archive_path: str) -> None:
    archive = files.at(archive_path)
    assert (archive.folders(), archive.names(FOLDER), archive.size(PATH)) == ([], [], None)
    with pytest.raises(OutputError, match=r"cannot read .*part-0001.parquet"), archive.open(PATH):
        pass
    archive.remove(PATH)
    archive.clean(FOLDER)


def test_what_was_written_is_found_and_read(archive_path: str) -> None:
    archive = files.at(archive_path)
    contents = {"part-0001.parquet": b"a" * 3_000_000, "_manifest.json": b"{}", "empty": b""}
    for name, data in contents.items():
        put(archive, f"{FOLDER}/{name}", data)
    again = files.at(archive_path)
    assert (again.folders(), again.folders("database=shop%2F1")) == (["database=shop%2F1"], ["month=2026-05"])
    assert (again.names(FOLDER), again.names("database=shop%2F1"), again.folders(FOLDER)) == (sorted(contents), [], [])
    assert {name: again.read(f"{FOLDER}/{name}") for name in contents} == contents
    assert {name: again.size(f"{FOLDER}/{name}") for name in contents} == {
        name: len(data) for name, data in contents.items()
    }
    assert [len(chunk) for chunk in again.chunks(PATH)] == [1 << 20, 1 << 20, 3_000_000 - (2 << 20)]
    assert again.size(FOLDER.partition("/")[0] + "/nothing") is None
    again.remove(PATH)
    assert again.names(FOLDER) == ["_manifest.json", "empty"]


def test_a_file_appears_when_it_is_complete(archive_path: str) -> None:
    archive = files.at(archive_path)
    with archive.write(PATH) as file:
        file.write(b"1")
        assert (archive.names(FOLDER), archive.size(PATH)) == ([], None)
        file.write(b"2")
    assert archive.read(PATH) == b"12"


@pytest.mark.parametrize("data", [b"", b"b", b"b" * (17 << 20)], ids=["empty", "small", "large"])
def test_a_file_is_never_replaced(archive_path: str, data: bytes) -> None:
    archive = files.at(archive_path)
    put(archive, PATH, b"first")
    with pytest.raises(OutputError, match="exists already"):
        put(archive, PATH, data)
    other = f"{FOLDER}/other"
    with pytest.raises(OutputError, match="exists already"), archive.write(other) as file:
        file.write(data)
        put(files.at(archive_path), other, b"faster")
    assert (archive.read(PATH), archive.read(other)) == (b"first", b"faster")
    assert archive.names(FOLDER) == ["other", "part-0001.parquet"]


@pytest.mark.parametrize("data", [b"", b"b", b"b" * (17 << 20)], ids=["empty", "small", "large"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_of_a_file_that_fails(archive_path: str, data: bytes, error: type[BaseException]) -> None:
    archive = files.at(archive_path)
    with pytest.raises(error), archive.write(PATH) as file:
        file.write(data)
        raise error
    assert archive.names(FOLDER) == []
    put(archive, PATH, b"again")
    assert archive.read(PATH) == b"again"


@pytest.mark.parametrize(
    "text",
    [
        "", "gs://bucket/logs", "http://example.com/", "file://elsewhere/logs", "file:logs://", "file:///logs?a=1", "s3://",
        "s3:///logs", "s3://key:secret@bucket/logs", "s3://bucket/../logs", "s3://bucket//logs", "s3://bucket/l?versionId=1",
        "s3://bucket/[a-z]*", "s3://bucket/a%20b", "s3://bucket/ä", "s3://bucket/a\nb", "s3://bucket/logs\n",
    ],
)  # fmt: skip
def test_a_path_that_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        files.at(text)
    assert refused.value.hint != ""
    assert "secret" not in f"{refused.value} {refused.value.hint}"


def test_paths_of_one_folder_are_the_same_archive(tmp_path: object) -> None:
    names = {
        files.at(text).name
        for text in (f"{tmp_path}/a b", f"file://{tmp_path}/a%20b", f"file://localhost{tmp_path}/a b/")
    }
    assert names == {f"{tmp_path}/a b"}
    assert files.at("s3://bucket/logs/").name == "s3://bucket/logs"
    assert files.at("s3://bucket").location(PATH) == f"s3://bucket/{PATH}"


def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        assert files.at(str(tmp_path)).size(name) is None
        with pytest.raises(OutputError, match="not a regular file"):
            files.at(str(tmp_path)).read(name)
