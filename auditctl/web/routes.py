"""The registry of routes: one row each. To add one, see CONTRIBUTING.md."""

from __future__ import annotations

from auditctl.web.route import Access, Route
from auditctl.web.settings import Auth
from auditctl.web.views import (
    config,
    config_change,
    config_form,
    doctor,
    event,
    export,
    health,
    history,
    log,
    overview,
    sign_in,
    suggest,
)

ROUTES = (
    Route("/", log.log, parameters=log.PARAMETERS),
    Route("/events/{event_id}", event.event),
    Route("/history", history.history, parameters=history.PARAMETERS),
    Route("/overview", overview.overview, parameters=overview.PARAMETERS),
    Route("/suggest", suggest.suggest, parameters=suggest.PARAMETERS),
    Route("/export.csv", export.export, parameters=export.PARAMETERS, is_recorded=True),
    Route("/export.jsonl", export.export, parameters=export.PARAMETERS, is_recorded=True),
    Route("/login", sign_in.form, access=Access.EVERYONE, parameters=frozenset({"next"}), auth=Auth.PASSWORD),
    Route("/login", sign_in.sign_in, methods=("POST",), access=Access.EVERYONE, auth=Auth.PASSWORD),
    Route("/logout", sign_in.sign_out, methods=("POST",), auth=Auth.PASSWORD),
    Route("/config", config.config, access=Access.ADMIN, parameters=config.PARAMETERS),
    Route("/config.toml", config.toml, access=Access.ADMIN),
    Route("/config/table", config_form.table, access=Access.ADMIN, parameters=config_form.PARAMETERS),
    Route("/config/disable", config_form.disable, access=Access.ADMIN, parameters=config_form.PARAMETERS),
    Route("/config/plan", config_change.plan, methods=("POST",), access=Access.ADMIN),
    Route("/config/apply", config_change.apply, methods=("POST",), access=Access.ADMIN),
    Route("/doctor", doctor.doctor, access=Access.ADMIN, parameters=doctor.PARAMETERS),
    Route("/healthz", health.health, access=Access.EVERYONE),
)
"""Every route; a path is asked in the methods of its rows and no other."""
