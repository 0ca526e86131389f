"""Programs in Go that check evidence with golang.org/x/mod, which is not ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

GO_PATH = Path("/usr/share/gocode")


def build(source: Path, folder: Path) -> Path:
    """Build a program in a folder, and return it; skip the test where Go or the library is missing."""
    if shutil.which("go") is None or not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("needs Go with golang.org/x/mod: apt-get install golang-go golang-golang-x-mod-dev")
    program = folder / source.stem
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(GO_PATH), "GOCACHE": str(folder / "cache")}
    subprocess.run(["go", "build", "-o", program, source], env=environment, check=True, timeout=500)
    return program


def accepts(program: Path, *arguments: str | Path) -> bool:
    """Return whether a program accepts what it is given."""
    return subprocess.run([program, *arguments], timeout=60, capture_output=True).returncode == 0
