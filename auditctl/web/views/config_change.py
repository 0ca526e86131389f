"""`/config/plan` and `/config/apply`: what a change would do, and doing exactly that, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import compare_digest

from starlette.responses import RedirectResponse, Response

from auditctl.capture import authority, installer, script, subject
from auditctl.database import Connection
from auditctl.errors import AuditctlError, ConfigurationError, UsageError
from auditctl.plan import Plan
from auditctl.web import failures, wanted
from auditctl.web.errors import WebError
from auditctl.web.views import config_form
from auditctl.web.visit import Visit
from auditctl.web.wanted import Kind, Wanted

LOCK_TIMEOUT = "5s"
LOCKED = "55P03"

_HINTS = {
    LOCKED: "Another session uses the table, or changes the configuration, and did not let go for 5 seconds. Try again in "
    "a quieter moment, or let the command line wait longer: auditctl enable --lock-timeout 1min",
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
    asked = wanted.of(visit)
    with visit.connection() as conn:
        try:
            if asked.kind is Kind.ENABLE:
                asked = asked.ordered_as(subject.read(conn, asked.table).rule)
            return _shown(visit, conn, asked, installer.preview(conn, asked.wish()))
        except (ConfigurationError, UsageError) as error:
            return _refused(visit, conn, asked, error)


def apply(visit: Visit) -> Response:
    """Do what was shown, if that is still what it takes; else show what it takes now."""
    asked = wanted.of(visit)
    seen = visit.one(visit.form, "shown").encode()
    approved = False

    def approve(planned: Plan) -> bool:
        nonlocal approved
        approved = compare_digest(planned.fingerprint.encode(), seen)
        return approved

    with visit.connection(is_unhurried=True) as conn:
        try:
            done = installer.carry_out(conn, asked.wish(), lock_timeout=LOCK_TIMEOUT, approve=approve)
        except (ConfigurationError, UsageError) as error:
            return _refused(visit, conn, asked, error)
        except WebError:
            raise
        except AuditctlError as error:
            return _shown(visit, conn, asked, installer.preview(conn, asked.wish()), _trouble(error))
        if not approved and not done.is_empty:
            message = "The database changed after the plan was shown."
            trouble = Trouble(message, "This is what it takes now.", 409)
            return _shown(visit, conn, asked, done, trouble)
    visit.signed_in.said.append(_said(asked, done) if approved else "Nothing had to be done: all is as you asked.")
    return RedirectResponse(visit.url("/config"), 303)


def _shown(visit: Visit, conn: Connection, asked: Wanted, planned: Plan, trouble: Trouble | None = None) -> Response:
    return visit.page(
        "config_plan.html",
        trouble.status if trouble else 200,
        asked=asked,
        plan=planned,
        trouble=trouble,
        problems=(),
        script="\n".join(script.statements(planned)),
        authority=authority.read(conn),
    )


def _refused(visit: Visit, conn: Connection, asked: Wanted, error: ConfigurationError | UsageError) -> Response:
    """Show why the rules do not fit: beside the form that states them, or where the stored ones do not, alone."""
    problems = error.problems if isinstance(error, ConfigurationError) else (f"{error}. {error.hint}".strip(),)
    if asked.kind is not Kind.APPLY:
        return config_form.again(visit, conn, asked, problems)
    return visit.page(
        "config_plan.html",
        422,
        asked=asked,
        plan=None,
        trouble=None,
        problems=problems,
        script="",
        authority=authority.read(conn),
    )


def _trouble(error: AuditctlError) -> Trouble:
    state = getattr(error, "sqlstate", None) or ""
    return Trouble(str(error), _HINTS.get(state, error.hint), failures.status_of(error))


def _said(asked: Wanted, done: Plan) -> str:
    number = len(done.pending) + len(done.retention.differences)
    where = f" to {asked.table}" if asked.table else ""
    if number:
        return f"Applied {number} change{'s' if number > 1 else ''}{where}."
    if done.restated:
        return f"Stored the rule of {asked.table}. No trigger had to change."
    return "No trigger had to change. The audited tables were registered anew."
