"""Runs the suite without auditctl and with it, explains the differences, and compares the log with the tables.

`make test-regress` runs it all; ARGS names scripts, of which each needs those that the suite's schedule says it needs.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psycopg

from auditctl.demo.binaries import read_version
from tests.every_version import FETCHED, fetch, find
from tests.regress import suite, truth
from tests.regress.compare import Difference, differences
from tests.regress.explanations import Explainer
from tests.regress.source import Source, prepare

RULES = """
[[table]]
name = "*.*"
auto = true
on_drop = "record"
"""

RESULTS = FETCHED / "regress" / "results"
"""Where what the scripts wrote stays, in a folder for each way."""


def main() -> int:
    """Run the scripts that the arguments name, or all; `--guard` runs them with the guard alone, without a rule."""
    # So that the server ends also if `timeout` ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    names = [argument for argument in sys.argv[1:] if argument != "--guard"]
    major = int(os.environ.get("VERSION") or 15)
    source_folder = os.environ.get("SOURCE")
    bindir = _programs(major)
    source = prepare(major, bindir, Path(source_folder) if source_folder else None)
    scripts = names or suite.schedule(source)
    with suite.running(bindir, source) as run:
        _run(run, scripts, "without")
    rules = None if "--guard" in sys.argv else RULES
    with suite.running(bindir, source) as run:
        _audit(run, rules)
        _run(run, scripts, "with")
        shutil.copy(run.server.log, RESULTS / "with")
        faults = _check(run) if rules else []
    reasons, unexplained = explain(source, scripts)
    print(f"\nPostgreSQL {read_version(bindir)}: {sum(reasons.values())} differences that are explained")
    for reason, number in reasons.most_common():
        print(f"{number:6}  {reason}")
    for problem in (*unexplained, *faults):
        print(f"\n{problem}")
    print(f"\n{len(unexplained)} differences that are not explained, {len(faults)} faults of the log")
    return int(bool(unexplained or faults))


def explain(source: Source, scripts: list[str]) -> tuple[Counter[str], list[Difference]]:
    """Explain how the results in the two folders differ; return the reasons with their numbers, and what is left."""
    reasons: Counter[str] = Counter()
    unexplained = []
    for name in scripts:
        explainer = Explainer()
        results = [(RESULTS / way / f"{name}.out").read_text(errors="replace") for way in ("without", "with")]
        for difference in differences(name, source.script(name).decode(errors="replace"), *results):
            found, left = explainer.explain(difference)
            reasons.update(found)
            if left is not None:
                unexplained.append(left)
    return reasons, unexplained


def _programs(major: int) -> Path:
    """The programs of a version whose headers are there, which Debian's packages of the server lack."""
    if named := os.environ.get("AUDITCTL_TEST_BINDIR"):
        return Path(named)
    bindir = find(major)
    if bindir is not None:
        headers = subprocess.run(
            [bindir / "pg_config", "--includedir-server"], capture_output=True, text=True, check=False
        )
        if Path(headers.stdout.strip(), "postgres.h").exists():
            return bindir
    return FETCHED / str(major) / "bin" if (FETCHED / str(major)).exists() else fetch(major)


def _run(run: suite.Run, scripts: list[str], way: str) -> None:
    folder = RESULTS / way
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in scripts:
        seconds = run.script(name)
        print(f"{way:8} {name} {seconds:.1f} s", flush=True)
        shutil.copy(run.result(name), folder)


def _audit(run: suite.Run, rules: str | None) -> None:
    """Install auditctl, and apply the rules if there are any."""
    auditctl = [sys.executable, "-m", "auditctl", "--dsn", run.dsn]
    subprocess.run([*auditctl, "install"], check=True)
    if rules is not None:
        subprocess.run([*auditctl, "apply", "-", "--yes"], input=rules, text=True, check=True)


def _check(run: suite.Run) -> list[str]:
    """Compare the log with the tables, and the tables with the rules; return what is wrong."""
    with psycopg.connect(run.dsn, autocommit=True) as conn:
        verdicts = truth.compare(conn)
    print(f"\n{sum(verdict.events for verdict in verdicts)} events of {len(verdicts)} tables that exist; compared:")
    for compared, number in Counter(verdict.compared for verdict in verdicts).most_common():
        print(f"{number:6}  {compared}")
    command = [sys.executable, "-m", "auditctl", "--dsn", run.dsn, "check"]
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    faults = [f"{verdict.target}: {verdict.fault}" for verdict in verdicts if verdict.fault]
    return [*faults, *([f"auditctl check: {check.stdout}{check.stderr}"] if check.returncode else [])]


if __name__ == "__main__":
    sys.exit(main())
