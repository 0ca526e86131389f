"""The registry of routes: one row for each. To add one, see CONTRIBUTING.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from starlette.responses import Response

from auditctl.log.formats import EXPORTS
from auditctl.web.render.filter_chips import FILTER_NAMES
from auditctl.web.request import Visit
from auditctl.web.settings import Auth
from auditctl.web.views import (
    access,
    check,
    doctor,
    event,
    export,
    health,
    history,
    log,
    login,
    metrics,
    overview,
    retention,
    saved_views,
    suggest,
    transactions,
)
from auditctl.web.views.config import add_form, change, event_form, form, forms, tables, tables_form
from auditctl.web.views.config import history as config_history

MAX_FORM = 1 << 20
"""Bytes."""


class Access(Enum):
    """Who may use a route."""

    EVERYONE = auto()
    READER = auto()
    ADMIN = auto()


@dataclass(frozen=True, slots=True)
class Route:
    """A page, or a part of one.

    Attributes:
        path: Below the root path, with parameters in Starlette's notation.
        view: Returns the response; runs in its own thread and may wait for the database.
        methods: The allowed HTTP methods.
        access: Who may use it.
        parameters: The allowed names in the query.
        is_recorded: Whether a GET leaves an event, so that pages of other sites may not send it.
        shows_log: Whether it shows events, so that it must record who looks at what (`auditctl.web.lookup.look`).
        has_file: Whether its form has a file.
        max_body: How many bytes a posted form may have.
        auth: The only kind of sign-in that has this route; None for both.
    """

    path: str
    view: Callable[[Visit], Response]
    methods: tuple[str, ...] = ("GET",)
    access: Access = Access.READER
    parameters: frozenset[str] = frozenset()
    is_recorded: bool = False
    shows_log: bool = False
    has_file: bool = False
    max_body: int = MAX_FORM
    auth: Auth | None = None


ROUTES = (
    Route("/", log.log, parameters=log.PARAMETERS, shows_log=True),
    Route("/events/{event_id}", event.event, shows_log=True),
    Route("/transactions", transactions.transactions, parameters=transactions.PARAMETERS, shows_log=True),
    Route("/transactions/{xact}", transactions.opened, parameters=FILTER_NAMES, shows_log=True),
    Route("/views", saved_views.save, methods=("POST",)),
    Route("/views/drop", saved_views.drop, methods=("POST",)),
    Route("/history", history.history, parameters=history.PARAMETERS, shows_log=True),
    Route("/overview", overview.overview, parameters=overview.PARAMETERS, shows_log=True),
    Route("/suggest", suggest.suggest, parameters=suggest.PARAMETERS),
    *(Route(f"/export.{row.name}", export.export, parameters=export.PARAMETERS, is_recorded=True) for row in EXPORTS),
    Route("/check", check.check, parameters=check.PARAMETERS),
    Route("/check", check.upload, methods=("POST",), has_file=True, max_body=check.MAX_FILE),
    Route("/manifest.json", check.download, parameters=check.MANIFEST_PARAMETERS),
    Route("/login", login.form, access=Access.EVERYONE, parameters=frozenset({"next"}), auth=Auth.PASSWORD),
    Route("/login", login.sign_in, methods=("POST",), access=Access.EVERYONE, auth=Auth.PASSWORD),
    Route("/logout", login.sign_out, methods=("POST",), auth=Auth.PASSWORD),
    Route("/access", access.access),
    Route("/access/plan", access.plan, methods=("POST",), access=Access.ADMIN),
    Route("/access/apply", access.apply, methods=("POST",), access=Access.ADMIN),
    Route("/retention", retention.retention),
    Route("/retention/change", retention.form, access=Access.ADMIN, parameters=retention.PARAMETERS),
    Route("/retention/change", retention.edit, methods=("POST",), access=Access.ADMIN),
    Route("/retention/plan", retention.plan, methods=("POST",), access=Access.ADMIN),
    Route("/retention/apply", retention.apply, methods=("POST",), access=Access.ADMIN),
    Route("/config", tables.config, access=Access.ADMIN, parameters=tables.PARAMETERS),
    Route("/config.toml", tables.toml, access=Access.ADMIN),
    Route("/config/history", config_history.history, parameters=config_history.PARAMETERS),
    Route("/config/add", add_form.add, access=Access.ADMIN, parameters=add_form.PARAMETERS),
    Route("/config/table", form.table, access=Access.ADMIN, parameters=form.PARAMETERS),
    Route("/config/disable", form.disable, access=Access.ADMIN, parameters=form.DISABLE_PARAMETERS),
    Route("/config/tables", tables_form.tables, access=Access.ADMIN, parameters=tables_form.PARAMETERS),
    Route("/config/event", event_form.event, access=Access.ADMIN, parameters=event_form.PARAMETERS),
    Route("/config/edit", forms.edit, methods=("POST",), access=Access.ADMIN),
    Route("/config/plan", change.plan, methods=("POST",), access=Access.ADMIN),
    Route("/config/apply", change.apply, methods=("POST",), access=Access.ADMIN),
    Route("/doctor", doctor.doctor, access=Access.ADMIN, parameters=doctor.PARAMETERS),
    Route("/healthz", health.health, access=Access.EVERYONE),
    Route("/metrics", metrics.metrics, access=Access.EVERYONE),
)
"""Every route. A path has the methods of its rows and no other."""
