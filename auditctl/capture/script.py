"""A plan as SQL for people to read and run: the statements of its changes, each under the role that it needs."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg.sql import SQL, Literal

from auditctl.capture.plan import Plan
from auditctl.database import SEARCH_PATH


def statements(planned: Plan) -> Iterator[str]:
    """Yield the script piece by piece, without line ends; nothing where no trigger and no time has to change."""
    if planned.is_done:
        return
    yield f"begin;\nset local search_path = {SEARCH_PATH};\n"
    for change in planned.pending:
        for statement in change.statements:
            role = "set role auditctl_owner;\n" if statement.as_owner else "reset role;\n"
            yield f"{role}{statement.sql};\n"
    for difference in planned.retention.differences:
        words = [SQL("null") if word is None else Literal(word) for word in (difference.target, difference.after)]
        call = SQL("select auditctl.set_retention({}, {})").format(*words).as_string(None)
        yield f"set role auditctl_owner;\n{call};\n"
    yield "reset role;\ncommit;"
