"""`/config` and `/config.toml`: the tables, their state and their rules. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response

from auditctl import table_names
from auditctl.capture import event_types, roles, rule_store, stored_file, table_status
from auditctl.capture.rule_keys import Rule
from auditctl.capture.table_status import STATES, TableStatus
from auditctl.database import Connection
from auditctl.durations import format_keep
from auditctl.log import target_names
from auditctl.retention import holds, times
from auditctl.text import in_quotes
from auditctl.web.errors import BadRequest
from auditctl.web.render.row_ids import row_id
from auditctl.web.request import Visit
from auditctl.web.views.config.table_changes import ApplyRules

PARAMETERS = frozenset({"find", "state", "only"})
MAX_TABLES = 500
"""Maximum number of tables on a page; a search finds the others."""


@dataclass(frozen=True, slots=True)
class TableList:
    """The tables of the database that a search finds.

    Attributes:
        tables: Those that match, by name; at most `MAX_TABLES`, and beyond that those that were just changed.
        matching: How many match.
        counts: How many tables are in each state, the worst first.
        with_log: The names among them that the log has events for.
    """

    tables: tuple[TableStatus, ...]
    matching: int
    counts: dict[str, int]
    with_log: frozenset[str]

    @property
    def needs_apply(self) -> bool:
        """Whether a table is not captured as its rule says."""
        return any(self.counts.get(state) for state in ("missing", "disabled", "outdated"))


def config(visit: Visit) -> Response:
    """Show the tables, the rules, the event types and how long events are kept."""
    parameters = visit.parameters
    if any(not value for _, value in visit.request.query_params.multi_items()):
        return RedirectResponse(visit.url("/config", parameters), 303)
    find, state = visit.one(parameters, "find", ""), visit.one(parameters, "state", "")
    only = visit.one(parameters, "only", "").strip()
    if state and state not in STATES:
        raise BadRequest(f"There is no state {in_quotes(state)}.", hint=f"States: {', '.join(STATES)}.")
    changed = visit.signed_in.take_changed()
    with visit.connection() as conn:
        allowed = roles.read_authority(conn)
        names = frozenset(target.name for target in target_names.read(conn))
        listed = _list(conn, find, state, only, names, changed)
        stored, types, retention = rule_store.read(conn), event_types.status(conn), times.read(conn)
        in_force = holds.read(conn)
        text = stored_file.read(conn)
    return visit.page(
        "config.html",
        listed=listed,
        find=find,
        only=only,
        state=state,
        authority=allowed,
        messages=visit.signed_in.take_messages(),
        others=_other_rules(stored),
        changed=changed,
        types=types,
        names=names,
        holds=in_force,
        times={target: format_keep(keep) for target, keep in retention.by_target.items()},
        toml=text,
        apply_all=ApplyRules(),
    )


def toml(visit: Visit) -> Response:
    """Send the configuration as a file that `auditctl apply` accepts."""
    with visit.connection() as conn:
        text = stored_file.read(conn)
    headers = {"Content-Disposition": 'attachment; filename="audit.toml"'}
    return Response(text, media_type="application/toml", headers=headers)


def _list(
    conn: Connection, find: str, state: str, only: str, names: frozenset[str], changed: frozenset[str]
) -> TableList:
    rows = table_status.read(conn, include_unaudited=True, only=(only,) if only else ())
    counted = Counter(row.state for row in rows)
    matches = [row for row in rows if state in ("", row.state) and _matches(row, find.casefold())]
    shown = [row for number, row in enumerate(matches) if number < MAX_TABLES or row_id("table", row.table) in changed]
    with_log = frozenset(row.table for row in shown if row.table in names)
    counts = {name: counted[name] for name in STATES if counted[name]}
    return TableList(tuple(shown), len(matches), counts, with_log)


def _matches(row: TableStatus, text: str) -> bool:
    places = (row.table, row.label or "", row.rule.name if row.rule else "", row.reason)
    return any(text in place.casefold() for place in places)


def _other_rules(stored: Sequence[Rule]) -> list[Rule]:
    """Return the rules that no table in the list shows: globs, and rules that exempt a table from one."""
    return [rule for rule in stored if not rule.actions or table_names.parse(rule.name).is_glob]
