"""`/config/plan` shows what a change would do; `/config/apply` does exactly that, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import compare_digest

from psycopg import errors
from starlette.responses import RedirectResponse, Response

from auditctl import reason
from auditctl.capture import apply as capture_apply
from auditctl.capture import roles, table_keys
from auditctl.capture.plan import Plan
from auditctl.capture.statements import script
from auditctl.capture.uncovered import UncoverError
from auditctl.database import Connection
from auditctl.errors import AuditctlError, ConfigurationError, UsageError
from auditctl.web import error_pages
from auditctl.web.errors import WebError
from auditctl.web.request import Visit
from auditctl.web.views.config import changes, forms
from auditctl.web.views.config.request import ChangeRequest

LOCK_TIMEOUT = "5s"
LOCKED = errors.LockNotAvailable.sqlstate
MAX_SQL = 1_000_000
"""Maximum number of characters of SQL on a page; the changes themselves are always shown in full."""

_HINTS = {
    LOCKED: "Another session has locked the table, or is changing the configuration, and did not finish within 5 "
    "seconds. Try again in a quieter moment, or wait longer on the command line: "
    "auditctl enable TABLE --lock-timeout 1min",
    errors.DeadlockDetected.sqlstate: "Another session locked the same tables in another order. Try again.",
}
"""What to do, by SQLSTATE, where the library's hint names options that a page does not have."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an approved plan was not carried out.

    Attributes:
        message: What happened.
        hint: What to do.
        status: The status code of the answer.
    """

    message: str
    hint: str
    status: int


def plan(visit: Visit) -> Response:
    """Show what a change would do, without doing it."""
    change = changes.posted(visit)
    with visit.connection() as conn:
        try:
            change = change.completed(conn)
            return _plan_page(visit, conn, change, capture_apply.preview(conn, change.desired()))
        except (ConfigurationError, UsageError) as error:
            return _problems_page(visit, conn, change, error)


def apply(visit: Visit) -> Response:
    """Do what was shown if the plan is still the same; else show the new plan."""
    change = changes.posted(visit)
    seen = visit.one(visit.form, "shown").encode()
    may_uncover = visit.one(visit.form, "uncover", "") == "1"
    why = _reason(visit)
    approved = False

    def approve(planned: Plan) -> bool:
        nonlocal approved
        approved = compare_digest(planned.fingerprint.encode(), seen)
        return approved

    with visit.connection(has_time_limit=False) as conn, reason.stated(conn, why):
        try:
            applied = capture_apply.carry_out(
                conn, change.desired(), lock_timeout=LOCK_TIMEOUT, approve=approve, uncover=lambda _: may_uncover
            )
        except UncoverError as error:
            trouble = Trouble(str(error), "Check the box below the plan if you mean it.", 422)
            return _plan_page(visit, conn, change, capture_apply.preview(conn, change.desired()), trouble)
        except (ConfigurationError, UsageError) as error:
            return _problems_page(visit, conn, change, error)
        except WebError:
            raise
        except AuditctlError as error:
            return _plan_page(visit, conn, change, capture_apply.preview(conn, change.desired()), _trouble(error))
        if not approved and not applied.is_empty:
            message = "The database changed after the plan was shown."
            trouble = Trouble(message, "This is the plan now.", 409)
            return _plan_page(visit, conn, change, applied, trouble)
    message = change.outcome(applied) if approved else "Nothing had to be done: the database already matches."
    visit.signed_in.notify(message, change.rows)
    fragment = "".join(f"#{row}" for row in change.rows[:1])
    return RedirectResponse(f"{visit.url('/config')}{fragment}", 303)


def _reason(visit: Visit) -> str | None:
    """Return the form's reason; None for an empty one."""
    text = visit.one(visit.form, "reason", "").strip()
    if text:
        reason.require_reason(text)
    return text or None


def _plan_page(
    visit: Visit, conn: Connection, change: ChangeRequest, planned: Plan, trouble: Trouble | None = None
) -> Response:
    statements = "\n".join(script(planned))
    keyless = planned.unaccepted_keyless
    return visit.page(
        "config_plan.html",
        trouble.status if trouble else 200,
        change_request=change,
        plan=planned,
        keyless=table_keys.warning(keyless) if keyless else "",
        keyed="\n".join(table_keys.remedy(keyless[0], planned.coverings)) if keyless else "",
        trouble=trouble,
        reason=visit.one(visit.form, "reason", ""),
        problems=(),
        script=statements[:MAX_SQL],
        is_cut=len(statements) > MAX_SQL,
        authority=roles.read_authority(conn, planned),
    )


def _problems_page(
    visit: Visit, conn: Connection, change: ChangeRequest, error: ConfigurationError | UsageError
) -> Response:
    """Show why the rules do not fit the database: with the form that states them, if there is one."""
    problems = error.problems if isinstance(error, ConfigurationError) else (f"{error}. {error.hint}".strip(),)
    if change.has_form:
        return forms.again(visit, conn, change, problems)
    return visit.page(
        "config_plan.html",
        422,
        change_request=change,
        plan=None,
        keyless="",
        trouble=None,
        problems=problems,
        script="",
        is_cut=False,
        authority=roles.read_authority(conn),
    )


def _trouble(error: AuditctlError) -> Trouble:
    state = getattr(error, "sqlstate", None) or ""
    return Trouble(str(error), _HINTS.get(state, error.hint), error_pages.status_of(error))
