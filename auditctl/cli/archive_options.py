"""The options of commands that read an archive, alone or together with the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from auditctl.archive import extra
from auditctl.archive.engines import BY_NAME, ENGINES
from auditctl.cli.known_values import FOLDERS, complete
from auditctl.cli.printing import print_warning
from auditctl.errors import UsageError
from auditctl.log.archived_months import month_ranges
from auditctl.log.columns import DATABASE, Columns

if TYPE_CHECKING:
    from auditctl.archive.access import ArchiveAccess
    from auditctl.archive.search import Search


@dataclass(frozen=True, slots=True)
class ArchiveChoice:
    """Where a command reads.

    Attributes:
        path: The archive; None for the log, or for where the log says that its months are.
        everywhere: Whether to read the log and its archived months.
        engine: The engine that reads the files.
        database: The only database of the archive to read; None for all.
    """

    path: str | None = None
    everywhere: bool = False
    engine: str = ENGINES[0].name
    database: str | None = None

    @property
    def is_alone(self) -> bool:
        """Whether to read the archive alone, and to connect to no server."""
        return self.path is not None and not self.everywhere

    @property
    def is_used(self) -> bool:
        """Whether to read an archive at all."""
        return self.path is not None or self.everywhere

    @contextmanager
    def open(self) -> Iterator[Search]:
        """Open the archive alone.

        Raises:
            UsageError: The path is none, or the engine is not installed.
            ArchiveError: The archive is not as it should be.
        """
        from auditctl.archive import archive, engines, files
        from auditctl.archive.search import Search

        found = archive.read(files.at(self.path or ""), self.database)
        if not found.months:
            # One that nobody wrote to yet is empty; so looks one whose path is not quite right.
            print_warning(f"{found.name} has no archived month; name the folder in which database=NAME is")
        if months := sorted({key.month for key in found.without_manifest}):
            print_warning(
                f"{month_ranges(months)} of {found.name} {'is' if len(months) == 1 else 'are'} not read without a"
                " manifest: a month is being archived, or was not copied whole"
            )
        with engines.session(self.engine) as engine:
            yield Search(found, engine)

    def access(self) -> ArchiveAccess:
        """Return how the archived months of a log are read. Raises UsageError if the engine is not installed."""
        from auditctl.archive import engines
        from auditctl.archive.access import ArchiveAccess

        return ArchiveAccess(self.path, partial(engines.session, self.engine))

    def require_columns(self, columns: Columns | None) -> None:
        """Make sure that the column of archives is not chosen without one. Raises UsageError."""
        if not self.is_alone and DATABASE in (columns or ()):
            raise UsageError(f"the column {DATABASE} is of archives alone", hint="Add --archive PATH, or leave it out.")

    def refuse(self, given: Mapping[str, bool], why: str, hint: str = "") -> None:
        """Refuse options that have no meaning here.

        Args:
            given: Whether each option is given.
            why: What does not go with it, as the end of a sentence.
            hint: What to do instead.

        Raises:
            UsageError: One is given.
        """
        for name, is_given in given.items():
            if is_given:
                raise UsageError(f"{name} does not go with {why}", hint=hint)


def archive_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options, passed to the command as the `ArchiveChoice` in the argument `choice`."""

    @wraps(command)
    def with_choice(*args: Any, **kwargs: Any) -> Any:
        path, everywhere = kwargs.pop("archive_path"), kwargs.pop("everywhere")
        engine, database = kwargs.pop("engine"), kwargs.pop("database")
        if (engine or database) and not (path or everywhere):
            raise UsageError(f"{'--engine' if engine else '--database'} needs --archive PATH")
        if database is not None and everywhere:
            raise UsageError(
                "--database does not go with --everywhere", hint="It reads the months of the database that --dsn names."
            )
        choice = ArchiveChoice(path, everywhere, engine or ENGINES[0].name, database)
        with extra.required() if choice.is_used else nullcontext():
            return command(*args, choice=choice, **kwargs)

    for option in reversed(_OPTIONS):
        with_choice = option(with_choice)
    return with_choice


def _complete_databases(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the databases of the archive, if it is a folder."""
    from auditctl.archive import layout

    path = Path(context.params.get("archive_path") or "")
    names = layout.databases(entry.name for entry in path.iterdir()) if path.is_dir() else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete) and name.isprintable()]


_OPTIONS = (
    click.option(
        "--archive", "archive_path", metavar="PATH", shell_complete=complete(FOLDERS),
        help="Read this archive, and connect to no server.",
    ),
    click.option(
        "--everywhere", is_flag=True,
        help="Read the log together with its archived months, in one order: those of --archive, else from where they "
        "were written to.",
    ),
    click.option(
        "--engine", type=click.Choice(list(BY_NAME)),
        help=f"What reads the files: {', '.join(f'{row.name} ({row.help})' for row in ENGINES)}. "
        f"Default: {ENGINES[0].name}.",
    ),
    click.option(
        "--database", metavar="NAME", shell_complete=_complete_databases,
        help="With --archive, only this database; without, all that it has.",
    ),
)  # fmt: skip
