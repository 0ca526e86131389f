"""`/config/plan` and `/config/apply`: what a change would do, and doing exactly that, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import compare_digest

from starlette.responses import RedirectResponse, Response

from auditctl.capture import apply as capture_apply
from auditctl.capture import authority, script, table_details
from auditctl.capture.plan import Plan
from auditctl.database import Connection
from auditctl.errors import AuditctlError, ConfigurationError, UsageError
from auditctl.text import plural
from auditctl.web import error_pages
from auditctl.web.errors import WebError
from auditctl.web.request import Visit
from auditctl.web.views.config import form, request
from auditctl.web.views.config.request import ChangeKind, ChangeRequest

LOCK_TIMEOUT = "5s"
LOCKED = "55P03"
MOST_SQL = 1_000_000
"""How many characters of SQL a page shows; the changes themselves are always shown in full."""

MOST_SAID = 5
"""How many messages wait for a page that says them."""

_HINTS = {
    LOCKED: "Another session uses the table, or changes the configuration, and did not let go for 5 seconds. Try again "
    "in a quieter moment, or let the command line wait longer: auditctl enable --lock-timeout 1min",
    "40P01": "Another session wanted the same tables in another order. Try again.",
}
"""What to do, by SQLSTATE, where the library speaks of options that a page has not."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a plan that was approved was not carried out.

    Attributes:
        message: What happened.
        hint: What to do.
        status: The status code of the answer.
    """

    message: str
    hint: str
    status: int


def plan(visit: Visit) -> Response:
    """Show what a change would do, and do nothing."""
    asked = request.posted(visit)
    with visit.connection() as conn:
        try:
            if asked.kind is ChangeKind.ENABLE:
                asked = asked.ordered_as(table_details.read(conn, asked.table).rule)
            return _shown(visit, conn, asked, capture_apply.preview(conn, asked.desired()))
        except (ConfigurationError, UsageError) as error:
            return _refused(visit, conn, asked, error)


def apply(visit: Visit) -> Response:
    """Do what was shown, if that is still what it takes; else show what it takes now."""
    asked = request.posted(visit)
    seen = visit.one(visit.form, "shown").encode()
    approved = False

    def approve(planned: Plan) -> bool:
        nonlocal approved
        approved = compare_digest(planned.fingerprint.encode(), seen)
        return approved

    with visit.connection(has_time_limit=False) as conn:
        try:
            done = capture_apply.carry_out(conn, asked.desired(), lock_timeout=LOCK_TIMEOUT, approve=approve)
        except (ConfigurationError, UsageError) as error:
            return _refused(visit, conn, asked, error)
        except WebError:
            raise
        except AuditctlError as error:
            return _shown(visit, conn, asked, capture_apply.preview(conn, asked.desired()), _trouble(error))
        if not approved and not done.is_empty:
            message = "The database changed after the plan was shown."
            trouble = Trouble(message, "This is what it takes now.", 409)
            return _shown(visit, conn, asked, done, trouble)
    said = visit.signed_in.messages
    said.append(_said(asked, done) if approved else "Nothing had to be done: all is as you asked.")
    del said[:-MOST_SAID]
    return RedirectResponse(visit.url("/config"), 303)


def _shown(
    visit: Visit, conn: Connection, asked: ChangeRequest, planned: Plan, trouble: Trouble | None = None
) -> Response:
    statements = "\n".join(script.statements(planned))
    return visit.page(
        "config_plan.html",
        trouble.status if trouble else 200,
        asked=asked,
        plan=planned,
        trouble=trouble,
        problems=(),
        script=statements[:MOST_SQL],
        is_cut=len(statements) > MOST_SQL,
        authority=authority.read(conn, planned),
    )


def _refused(visit: Visit, conn: Connection, asked: ChangeRequest, error: ConfigurationError | UsageError) -> Response:
    """Show why the rules do not fit: beside the form that states them, or where the stored ones do not, alone."""
    problems = error.problems if isinstance(error, ConfigurationError) else (f"{error}. {error.hint}".strip(),)
    if asked.kind is not ChangeKind.APPLY:
        return form.again(visit, conn, asked, problems)
    return visit.page(
        "config_plan.html",
        422,
        asked=asked,
        plan=None,
        trouble=None,
        problems=problems,
        script="",
        is_cut=False,
        authority=authority.read(conn),
    )


def _trouble(error: AuditctlError) -> Trouble:
    state = getattr(error, "sqlstate", None) or ""
    return Trouble(str(error), _HINTS.get(state, error.hint), error_pages.status_of(error))


def _said(asked: ChangeRequest, done: Plan) -> str:
    number = len(done.pending) + len(done.retention.differences)
    where = f" to {asked.table}" if asked.table else ""
    if number:
        return f"Applied {plural(number, 'change')}{where}."
    if done.restated:
        return f"Stored the rule of {asked.table}. No trigger had to change."
    return "No trigger had to change. The audited tables were registered anew."
