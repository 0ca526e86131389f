"""`/access` lists who may do what; administrators plan and make a grant or a revocation there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from psycopg.sql import SQL, Identifier
from starlette.responses import RedirectResponse, Response

from auditctl import access as access_list
from auditctl import reason
from auditctl.access import MEANINGS, POWERS, Access, Power, Review
from auditctl.capture import roles
from auditctl.database import Connection
from auditctl.errors import AuditctlError
from auditctl.names import GRANTABLE_ROLES
from auditctl.text import in_quotes
from auditctl.web import error_pages
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit

_LOGIN = "select from pg_roles where rolname = %s"


@dataclass(frozen=True, slots=True)
class Change:
    """A grant or a revocation of one of auditctl's roles.

    Attributes:
        is_grant: Whether the login becomes a member; else its own membership ends.
        role: The role, as `auditctl grant` names it.
        login: The login.
    """

    is_grant: bool
    role: str
    login: str

    @property
    def power(self) -> Power:
        """What the role gives."""
        return POWERS[self.role]

    def statement(self, conn: Connection) -> str:
        """The SQL statement."""
        text = SQL("grant {} to {}" if self.is_grant else "revoke {} from {}")
        return text.format(Identifier(GRANTABLE_ROLES[self.role]), Identifier(self.login)).as_string(conn)

    def others(self, review: Review) -> tuple[Access, ...]:
        """How else the login may do the same, without this membership."""
        role = GRANTABLE_ROLES[self.role]
        return tuple(one for one in review.chains(self.login, self.power) if one.through != (role,))

    def is_made(self, review: Review) -> bool:
        """Whether nothing has to change."""
        role = GRANTABLE_ROLES[self.role]
        return any(one.through == (role,) for one in review.chains(self.login, self.power)) is self.is_grant


def access(visit: Visit) -> Response:
    """Show who may do what, and to those who may grant something a form."""
    with visit.connection() as conn:
        review = access_list.read(conn)
        may_grant = access_list.grantable(conn) if visit.visitor.is_admin else ()
    return visit.page(
        "access.html",
        review=review,
        shown=access_list.shown,
        powers=[(power, MEANINGS[power], [one for one in review.access if one.power is power]) for power in Power],
        may_grant=may_grant,
        shorts={name: short for short, name in GRANTABLE_ROLES.items()},
        messages=visit.signed_in.take_messages(),
    )


def plan(visit: Visit) -> Response:
    """Show what a grant or a revocation would change, without making it."""
    change = _change(visit)
    with visit.connection() as conn:
        change = _exact(conn, change)
        try:
            roles.require_login(conn, change.login, is_grant=change.is_grant)
        except AuditctlError as error:
            return _plan_page(visit, conn, change, error, is_possible=False)
        return _plan_page(visit, conn, change)


def apply(visit: Visit) -> Response:
    """Make the grant or the revocation, which is recorded."""
    change = _change(visit)
    why = visit.one(visit.form, "reason", "").strip() or None
    if why:
        reason.require_reason(why)
    with visit.connection() as conn:
        change = _exact(conn, change)
        try:
            with reason.stated(conn, why):
                is_changed = (roles.grant if change.is_grant else roles.revoke)(conn, change.role, change.login)
        except AuditctlError as error:
            return _plan_page(visit, conn, change, error)
    verb, preposition = ("Granted", "to") if change.is_grant else ("Revoked", "from")
    message = f"{verb} {change.role} {preposition} {change.login}." if is_changed else "Nothing had to be done."
    visit.signed_in.notify(message)
    return RedirectResponse(visit.url("/access"), 303)


def _change(visit: Visit) -> Change:
    form = visit.form
    kind, role, login = visit.one(form, "change"), visit.one(form, "role"), visit.one(form, "login")
    if kind not in ("grant", "revoke"):
        raise BadRequest(f"{in_quotes(kind)} is not grant or revoke.")
    if role not in GRANTABLE_ROLES:
        raise BadRequest(f"{in_quotes(role)} is not a role.", hint=f"Roles: {', '.join(GRANTABLE_ROLES)}.")
    return Change(kind == "grant", role, login)


def _exact(conn: Connection, change: Change) -> Change:
    """Return the change without blanks around its login, unless a login has them: it is another one."""
    name = change.login.strip()
    if name == change.login or "\0" in name or conn.execute(_LOGIN, [change.login]).rowcount:
        return change
    return replace(change, login=name)


def _plan_page(
    visit: Visit, conn: Connection, change: Change, trouble: AuditctlError | None = None, *, is_possible: bool = True
) -> Response:
    review = access_list.read(conn)
    return visit.page(
        "access_plan.html",
        error_pages.status_of(trouble) if trouble else 200,
        change=change,
        statement=change.statement(conn),
        is_made=change.is_made(review),
        others=change.others(review),
        meaning=MEANINGS[change.power],
        trouble=trouble,
        is_possible=is_possible,
        reason=visit.one(visit.form, "reason", ""),
    )
