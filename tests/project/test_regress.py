"""The comparison of PostgreSQL's regression suite with and without auditctl: what it finds and what it explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.regress.compare import Difference, differences
from tests.regress.explanations import Explainer
from tests.regress.source import Source
from tests.regress.truth import Contradiction, count, replay

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """-- A comment

create table a (id integer);
copy a from stdin;
1
\\.
select * from a;
\\d a
"""

BEFORE = """-- A comment
create table a (id integer);
copy a from stdin;
select * from a;
 id
----
  1
(1 row)

\\d a
 Table "public.a"
"""

TRIGGER = "    auditctl_create AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION auditctl_triggers.public__a__create()"


def compared(after: str) -> list[tuple[list[str], Difference | None]]:
    explainer = Explainer()
    return [explainer.explain(difference) for difference in differences("a", SCRIPT, BEFORE, after)]


def test_equal_answers_differ_in_nothing() -> None:
    assert compared(BEFORE) == []


def test_an_answer_that_differs_is_left_with_its_statement() -> None:
    after = BEFORE.replace("  1\n(1 row)", "(0 rows)")
    ((reasons, left),) = compared(after)
    assert reasons == []
    assert left is not None
    assert left.statement.endswith("copy a from stdin;\nselect * from a;")
    assert (left.removed, left.added) == (("  1", "(1 row)"), ("(0 rows)",))


def test_listed_capture_triggers_are_explained_and_other_triggers_are_not() -> None:
    ((reasons, left),) = compared(f"{BEFORE}Triggers firing always:\n{TRIGGER}\n")
    assert (len(reasons), left) == (1, None)
    ((reasons, left),) = compared(f"{BEFORE}{TRIGGER}\n    other AFTER INSERT ON a\n")
    assert left is not None
    assert left.added == ("    other AFTER INSERT ON a",)


def test_what_follows_from_a_refusal_is_explained_in_the_same_script_only() -> None:
    explainer = Explainer()
    rule = "create rule r as on insert to a do instead nothing;"
    refused = Difference("a", rule, (), ("ERROR:  refused: public.a is audited",))
    missing = Difference("a", "drop rule r on a;", (), ('ERROR:  rule "r" for relation "a" does not exist',))
    assert [explainer.explain(difference)[1] for difference in (refused, missing)] == [None, None]
    assert Explainer().explain(missing)[1] == missing


def test_events_add_up_to_rows() -> None:
    events = [
        ("CREATE", "1", "1", None, None, {"id": 1, "v": "x"}),
        ("CREATE", "2", "2", "public.b", None, {"id": 2, "v": "y"}),
        ("UPDATE", "1", "3", None, {"id": 1}, {"id": 3}),
        ("TRUNCATE", None, None, "public.b", None, None),
    ]
    assert replay(events) == [{"id": 3, "v": "x"}]
    assert count(events) == 1


def test_an_event_of_a_row_that_was_never_created_is_a_contradiction() -> None:
    with pytest.raises(Contradiction, match="no such row 1"):
        replay([("DELETE", "1", "1", None, {"id": 1}, None)])


def test_a_script_is_read_from_its_template_where_it_has_one(tmp_path: Path) -> None:
    source = Source(tmp_path, tmp_path)
    for file, text in {"sql/a.sql": "select 1;", "input/b.source": "load '@libdir@/regress@DLSUFFIX@';"}.items():
        (source.suite / file).parent.mkdir(parents=True)
        (source.suite / file).write_text(text)
    assert source.script("a") == b"select 1;"
    assert source.script("b") == b"load '@libdir@/regress.so';"
