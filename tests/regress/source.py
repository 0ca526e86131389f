"""Where the server's regression suite comes from: the source of PostgreSQL, which Debian's or Ubuntu's archive offers.

What is fetched and compiled stays in `.postgresql/`, as the programs of other versions do. Only the files of the suite
are unpacked, and only its C functions are compiled, against the headers of the server that runs it.
"""

from __future__ import annotations

import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.every_version import FETCHED

DEBIAN = "http://deb.debian.org/debian"
UBUNTU = "http://archive.ubuntu.com/ubuntu"
SUITES = {
    14: (UBUNTU, "jammy-updates"),
    15: (DEBIAN, "bookworm"),
    16: (UBUNTU, "noble-updates"),
    17: (DEBIAN, "trixie"),
    18: (DEBIAN, "sid"),
}
"""The archive that has the source of each version, and its suite."""

KEYS = {DEBIAN: "debian-archive-keyring", UBUNTU: "ubuntu-archive-keyring"}
"""The file in /usr/share/keyrings that an archive's signature is checked with."""

PARTS = ("src/test/regress", "contrib/spi")
"""What is unpacked: the suite, and two modules that it loads."""

MODULES = ("src/test/regress/regress.c", "contrib/spi/refint.c", "contrib/spi/autoinc.c")


@dataclass(frozen=True, slots=True)
class Source:
    """The suite of one version, ready to run.

    Attributes:
        folder: The unpacked source of PostgreSQL, with at least `PARTS`.
        libraries: The folder with the compiled C functions.
    """

    folder: Path
    libraries: Path

    @property
    def suite(self) -> Path:
        """The folder with sql/, data/ and the schedule."""
        return self.folder / "src/test/regress"

    def script(self, name: str) -> bytes:
        """Return a script. PostgreSQL 14 has some as templates, with marks such as `@libdir@` for the folders."""
        template = self.suite / "input" / f"{name}.source"
        script = template if template.exists() else self.suite / "sql" / f"{name}.sql"
        return script.read_bytes().replace(b"@DLSUFFIX@", b".so")


def prepare(major: int, bindir: Path, folder: Path | None) -> Source:
    """Return the suite for a server; fetch and compile what is missing.

    Args:
        major: The server's version.
        bindir: The server's programs, whose installation has the headers.
        folder: The source of PostgreSQL where it is there already; None fetches it.

    Raises:
        subprocess.CalledProcessError: The archive's keys, the source in it, or the server's headers are missing.
    """
    folder = folder or _unpack(major)
    libraries = FETCHED / "regress" / str(major)
    libraries.mkdir(parents=True, exist_ok=True)
    headers = _output(bindir / "pg_config", "--includedir-server")
    for module in MODULES:
        library = libraries / Path(module).with_suffix(".so").name
        if not library.exists():
            flags = ["-shared", "-fPIC", "-O1", "-w", f"-I{headers}"]
            subprocess.run(["cc", *flags, "-o", library, folder / module], check=True)
    return Source(folder, libraries)


def _output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _unpack(major: int) -> Path:
    home = FETCHED / "source" / str(major)
    if not (found := list(home.glob("postgresql-*/src/test/regress"))):
        print(f"Fetching the source of PostgreSQL {major} from {SUITES[major][0]} ...", flush=True)
        _download(major, home)
        (archive,) = (file for end in ("gz", "bz2") for file in home.glob(f"*.orig.tar.{end}"))
        with tarfile.open(archive) as tar:
            parts = [m for m in tar.getmembers() if m.name.partition("/")[2].startswith(PARTS)]
            tar.extractall(home, members=parts, filter="data")
        archive.unlink()
        found = list(home.glob("postgresql-*/src/test/regress"))
    return found[0].parents[2]


def _download(major: int, home: Path) -> None:
    """Fetch the source by apt, with lists of its own: this machine's configuration is not changed."""
    (home / "lists/partial").mkdir(parents=True, exist_ok=True)
    sources = home / "sources.list"
    archive, suite = SUITES[major]
    keys = f"/usr/share/keyrings/{KEYS[archive]}.gpg"
    sources.write_text(f"deb-src [signed-by={keys}] {archive} {suite} main\n")
    options = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": home / "lists",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Cache::pkgcache": "",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "--quiet=2", *(f"--option={name}={value}" for name, value in options.items())]
    subprocess.run([*apt, "update"], check=True, cwd=home)
    subprocess.run([*apt, "source", "--download-only", f"postgresql-{major}"], check=True, cwd=home)
