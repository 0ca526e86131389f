"""What was taken from others is what they published, and nothing comes from anywhere else."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent.parent / "auditctl" / "web"
OWN = {
    "app.js", "charts.css", "check.js", "config.css", "copy.js", "icon.svg", "keys.js", "menus.js", "pictures.js",
    "share.js", "style.css",
}  # fmt: skip


def vendored() -> dict[str, dict[str, str]]:
    return tomllib.loads((WEB / "vendored.toml").read_text("utf-8"))


def test_each_file_has_the_checksum_that_stands_beside_its_license() -> None:
    for name, entry in vendored().items():
        content = (WEB / "static" / name).read_bytes()
        assert (name, hashlib.sha256(content).hexdigest()) == (name, entry["sha256"])
        assert "Zero-Clause BSD" in (WEB / "static" / entry["license_file"]).read_text("utf-8")


def test_every_static_file_is_ours_or_named_as_another_s() -> None:
    licenses = {entry["license_file"] for entry in vendored().values()}
    found = {file.name for file in (WEB / "static").iterdir()}
    assert found - OWN == {*vendored(), *licenses}


def test_no_page_and_no_file_of_ours_names_another_host() -> None:
    sources = [*(WEB / "templates").glob("*.html"), *(WEB / "static" / name for name in OWN)]
    for file in sources:
        if file.exists():
            hosts = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"']*", file.read_text("utf-8"))
            assert (file.name, [host for host in hosts if "www.w3.org" not in host]) == (file.name, [])
