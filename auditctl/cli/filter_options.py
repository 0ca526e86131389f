"""Adds the options of filters to a command, one for each row of the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import click

from auditctl.cli import known_values
from auditctl.cli.known_values import VIEWS, Values, complete
from auditctl.cli.session import READER, Session
from auditctl.errors import UsageError
from auditctl.log.filters import BY_NAME, FILTERS, ZONE, ZONE_HELP, Filter, Filters


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each filter, passed to the command as one `Filters` in the argument `filters`."""
    return _with_options(command, FILTERS)


def some_filter_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of some filters only."""
    return lambda command: _with_options(command, [BY_NAME[name] for name in names])


def _with_options(command: Callable[..., Any], rows: Sequence[Filter]) -> Callable[..., Any]:
    @wraps(command)
    def with_filters(*args: Any, **kwargs: Any) -> Any:
        # Every option is accepted several times, so that a repeated one is an error and not silently the last.
        texts = {row.name: kwargs.pop(_parameter(row)) for row in rows} | {ZONE: kwargs.pop(f"filter_{ZONE}")}
        view = kwargs.pop("view")
        if view is not None:
            _require_server(kwargs)
            texts = _with_view(view, texts)
        return command(*args, filters=Filters.parse(texts), **kwargs)

    decorated: Callable[..., Any] = zone_option(view_option(with_filters))
    for row in reversed(rows):
        text = f"{row.help} Repeatable." if row.repeatable else row.help
        option = click.option(
            f"--{row.name}",
            _parameter(row),
            metavar=row.metavar,
            multiple=True,
            help=text,
            shell_complete=complete(known_values.FILTERS.get(row.name, Values())),
        )
        decorated = option(decorated)
    return decorated


zone_option = click.option(
    f"--{ZONE}",
    f"filter_{ZONE}",
    metavar="ZONE",
    multiple=True,
    help=ZONE_HELP,
    shell_complete=known_values.complete_zones,
)

clock_option = click.option(
    f"--{ZONE}",
    "zone",
    metavar="ZONE",
    help="Time zone of the times that people read, such as Europe/Berlin.",
    shell_complete=known_values.complete_zones,
)

view_option = click.option(
    "--view",
    metavar="NAME",
    shell_complete=complete(VIEWS),
    help="The filters of this saved view; a filter given beside it replaces the view's own of that name. "
    "See the command view.",
)


def _require_server(options: Mapping[str, Any]) -> None:
    if options.get("archive_path") is not None and not options.get("everywhere"):
        raise UsageError(
            "--view does not go with --archive, which connects to no server",
            hint="Saved views are in the database. Give the filters themselves: auditctl view show NAME",
        )


def _with_view(name: str, texts: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    from auditctl.log import saved_views  # needed by few commands

    session = click.get_current_context().find_object(Session) or Session("")
    with session.connect(READER) as conn:
        return saved_views.find(conn, name).narrowed(conn, texts, tuple(texts))


def _parameter(row: Filter) -> str:
    return f"filter_{row.name.replace('-', '_')}"
