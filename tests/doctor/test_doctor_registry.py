"""The registry of checks is whole: each has its query, its test, its row in the reference, and says what it means."""

from __future__ import annotations

import re
from pathlib import Path

from auditctl import resources
from auditctl.cli.doctor import EPILOG
from auditctl.doctor.registry import CHECKS

ROOT = Path(__file__).resolve().parents[2]
NAMES = [check.name for check in CHECKS]


def test_no_two_checks_have_one_name() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_each_check_has_its_query_or_compares_with_the_rules() -> None:
    files = sorted(file.stem for file in (resources.folder("sql") / "queries" / "doctor").iterdir())
    assert files == sorted({check.query_name or check.name for check in CHECKS if check.find is None})
    for check in CHECKS:
        if check.find is None:
            assert check.query.startswith("-- "), check.name
            assert re.search(r"\bas object\b", check.query), check.name


def test_each_check_has_a_test_of_what_it_finds() -> None:
    files = [*Path(__file__).parent.glob("test_doctor_*.py"), *(ROOT / "tests" / "archive").glob("test_*.py")]
    tests = "\n".join(file.read_text("utf-8") for file in files)
    tested = set(re.findall(r"Finding\(\s*[^,]+,\s*\"(\w+)\"", tests))
    assert sorted(tested) == sorted(NAMES)


def test_each_check_has_a_row_in_the_reference_and_in_the_help() -> None:
    reference = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
    for check in CHECKS:
        assert f"| `{check.name}` | {check.severity} | " in reference
        assert f"  {check.name} " in EPILOG
        assert check.title in EPILOG


def test_each_check_says_what_it_means_in_one_sentence() -> None:
    for check in CHECKS:
        assert not check.title.endswith("."), check.name
        assert check.meaning.endswith((".", "{reason}")), check.name
        assert ". " not in check.meaning, check.name
        assert check.remedy, check.name
