"""The registry of routes: one row each. To add one, see CONTRIBUTING.md."""

from __future__ import annotations

from auditctl.log.formats import EXPORTS
from auditctl.web.route import Access, Route
from auditctl.web.settings import Auth
from auditctl.web.views import doctor, event, export, health, history, log, login, overview, suggest
from auditctl.web.views.config import change, form, tables

ROUTES = (
    Route("/", log.log, parameters=log.PARAMETERS),
    Route("/events/{event_id}", event.event),
    Route("/history", history.history, parameters=history.PARAMETERS),
    Route("/overview", overview.overview, parameters=overview.PARAMETERS),
    Route("/suggest", suggest.suggest, parameters=suggest.PARAMETERS),
    *(Route(f"/export.{row.name}", export.export, parameters=export.PARAMETERS, is_recorded=True) for row in EXPORTS),
    Route("/login", login.form, access=Access.EVERYONE, parameters=frozenset({"next"}), auth=Auth.PASSWORD),
    Route("/login", login.sign_in, methods=("POST",), access=Access.EVERYONE, auth=Auth.PASSWORD),
    Route("/logout", login.sign_out, methods=("POST",), auth=Auth.PASSWORD),
    Route("/config", tables.config, access=Access.ADMIN, parameters=tables.PARAMETERS),
    Route("/config.toml", tables.toml, access=Access.ADMIN),
    Route("/config/table", form.table, access=Access.ADMIN, parameters=form.PARAMETERS),
    Route("/config/disable", form.disable, access=Access.ADMIN, parameters=form.PARAMETERS),
    Route("/config/plan", change.plan, methods=("POST",), access=Access.ADMIN),
    Route("/config/apply", change.apply, methods=("POST",), access=Access.ADMIN),
    Route("/doctor", doctor.doctor, access=Access.ADMIN, parameters=doctor.PARAMETERS),
    Route("/healthz", health.health, access=Access.EVERYONE),
)
"""Every route; a path is asked in the methods of its rows and no other."""
