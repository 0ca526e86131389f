"""`auditctl keygen`: makes the keys that seal a log."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import click

from auditctl.cli.known_values import FILES, complete
from auditctl.cli.printing import print_text
from auditctl.cli.session import Session, pass_session
from auditctl.evidence import key_files


@click.command(short_help="Make the keys that seal a log.")
@click.option(
    "--output",
    "path",
    metavar="FILE",
    required=True,
    shell_complete=complete(FILES),
    help="The file of the private keys; FILE.pub gets the public keys.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="The name of the log, without spaces and plus, which later keys must bear, too. Default: HOST/auditctl.",
)
@click.option("--ml-dsa", is_flag=True, help="Add a key for ML-DSA-44, which quantum computers are not known to break.")
@pass_session
def keygen(session: Session, path: str, name: str | None, ml_dsa: bool) -> None:
    """Make the keys that seal a log, and never overwrite any. It needs no database.

    Only you may read the private keys. Keep them on the machine that seals, not on the server of the database, with a
    copy in a safe place. Give FILE.pub to everybody who verifies.

    \b
    Examples:
      auditctl keygen --output seal.key --name example.com/billing
    """
    is_named = name is not None
    if name is None:
        name = f"{re.sub(r'[^A-Za-z0-9.-]', '-', socket.gethostname()) or 'localhost'}/auditctl"
    made = key_files.create(Path(path), name, with_ml_dsa=ml_dsa)
    for verifier in made.verifiers:
        print_text(str(verifier))
    if not is_named:
        session.say(f"The log is called {name}, for no --name was given; once it is sealed, its name stays.")
    session.say(f"Wrote the private keys to {path}, and the public keys to {path}{key_files.PUBLIC_SUFFIX}.")
