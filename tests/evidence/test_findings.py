"""What the commands of evidence say: findings by kind, and a hint with each error."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from auditctl.evidence import findings
from auditctl.evidence.checkpoint import EvidenceError
from auditctl.evidence.findings import Finding, Report
from auditctl.resources import folder
from tests.support.verifying import Log, sealed_log

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl

log = sealed_log

PACKAGE = folder("sql").parent / "auditctl"


def calls(name: str) -> list[tuple[str, ast.Call]]:
    """The calls of a name in the package, with the place of each."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                found.append((f"{file.name}:{node.lineno}", node))
    return found


def test_each_error_of_evidence_says_what_to_do() -> None:
    assert "Get it anew" in EvidenceError("x").hint
    assert EvidenceError("x", hint="y").hint == "y"


def test_each_kind_of_finding_has_a_place_in_the_order() -> None:
    made = {call.args[0].value for _, call in calls("Finding") if isinstance(call.args[0], ast.Constant)}
    assert made <= set(findings.KINDS)
    files = ("evidence/chain.py", "archive/month_check.py", "archive/event_comparison.py")
    text = "".join((PACKAGE / name).read_text("utf-8") for name in files)
    assert set(re.findall(r'_find\(\s*"(\w+)"', text)) | made == set(findings.KINDS)


def test_findings_stand_by_kind_after_a_line_with_their_numbers(log: Log) -> None:
    numbers = (log.event(4), log.event(8))
    log.conn.execute("update auditctl.event set actor = 'eve' where event_id = %s", [numbers[1]])
    log.conn.execute("delete from auditctl.event where event_id = %s", [numbers[0]])
    done = log.auditctl("verify", check=3)
    lines = [line for line in done.out.splitlines() if not line.startswith("note: ")][3:]
    kinds = [line.partition(":")[0] for line in lines]
    assert lines[0].startswith("found: altered 1, missing 1, capture ")
    assert kinds == ["found", "altered", "missing", *["capture"] * (len(kinds) - 3)]
    assert "docs/" not in done.err
    assert "auditctl reconcile" in done.err
    assert log.verify()["counts"]["altered"] == 1


def test_findings_beyond_the_limit_are_counted_beside_their_kind() -> None:
    report = Report()
    for number in range(findings.MAX_FINDINGS + 3):
        report.add(Finding("missing", "x", number))
    report.add(Finding("altered", "y"))
    assert report.counts() == {"altered": 1, "missing": findings.MAX_FINDINGS + 3}


def test_keygen_says_which_name_it_took_and_seal_that_a_key_is_the_public_one(
    tmp_path: Path, auditctl: RunAuditctl, db: str
) -> None:
    key = tmp_path / "seal.key"
    made: Any = auditctl("keygen", "--output", key, check=0)
    name = made.out.partition("+")[0]
    assert f"The log is called {name}" in made.err
    assert "its name stays" in made.err
    refused = auditctl("seal", "--key", f"{key}.pub", check=2)
    assert f"{key}.pub has the public keys" in refused.err
    assert f"hint: Pass the file of the private keys: {key}\n" in refused.err
