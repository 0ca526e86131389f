"""`auditctl prove` and `auditctl verify-proof`: a proof that an event is in the sealed log, and its check anywhere."""

from __future__ import annotations

from pathlib import Path

import click

from auditctl.archive import extra
from auditctl.cli.known_values import FILES, FOLDERS, complete
from auditctl.cli.printing import print_text
from auditctl.cli.session import READER, Session, pass_session
from auditctl.cli.verify import policy_option, public_key_option, read_policy, read_text
from auditctl.display import harmless
from auditctl.errors import OutputError, UsageError
from auditctl.evidence import proof
from auditctl.evidence.canonical import COLUMNS, UNITS, to_text
from auditctl.evidence.checkpoint import EvidenceError
from auditctl.evidence.proof import Disclosure, Proof
from auditctl.evidence.prover import prove_event


@click.command(short_help="Write a proof that an event is in the sealed log.")
@click.argument("event_id", metavar="EVENT_ID", type=click.IntRange(min=1))
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    shell_complete=complete(FILES),
    help="The file, such as 57.tlog-proof; it must not exist.",
)
@click.option(
    "--archive",
    metavar="PATH",
    shell_complete=complete(FOLDERS),
    help="Prove an archived event, by what the archive has itself.",
)
@click.option("--database", metavar="NAME", help="Of an archive, the database that the event comes from.")
@pass_session
def prove(session: Session, event_id: int, output: Path, archive: str | None, database: str | None) -> None:
    """Write a proof that an event is in the sealed log, as c2sp.org/tlog-proof has it.

    The file has the whole event, but for erased values: give it only to people who may see that.

    With --archive PATH it needs no database: the proof is by the checkpoint of the event's month.

    \b
    Examples:
      auditctl prove 57 --output 57.tlog-proof
      auditctl prove 57 --output 57.tlog-proof --archive /mnt/archive
    """
    if archive is not None:
        text = _prove_archived(event_id, archive, database)
    elif database is not None:
        raise UsageError("--database needs --archive", hint="Name the archive: --archive PATH")
    else:
        with session.connect(READER) as conn:
            text = str(prove_event(conn, event_id))
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{output} exists", hint="Name another file.") from error
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror}") from error
    session.say(f"event {event_id} is proven by {output}")


def _prove_archived(event_id: int, path: str, database: str | None) -> str:
    with extra.required():
        from auditctl.archive import files, prover
    return str(prover.prove_event(files.at(path), event_id, database))


@click.command("verify-proof", short_help="Check a proof, without a database.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path), shell_complete=complete(FILES))
@public_key_option
@policy_option
@pass_session
def verify_proof(session: Session, file: Path, public_key: Path | None, policy_file: Path | None) -> None:
    """Check a proof, without a database, and print what it proves.

    It exits with 3 if the proof does not hold. One of --public-key and --policy is needed.

    \b
    Example:
      auditctl verify-proof 57.tlog-proof --public-key seal.key.pub
    """
    policy = read_policy(public_key, policy_file)
    if policy is None:
        raise UsageError("no key is given", hint="Pass --public-key FILE or --policy FILE.")
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceError(
            "the text is not a proof of inclusion", hint="Pass the whole file, as prove wrote it."
        ) from error
    except OSError:
        text = read_text(file)
    checked = Proof.parse(text)
    event, checkpoint, signed = proof.check(checked, policy)
    for line in _lines(event):
        print_text(harmless(line))
    print_text(f"leaf: {event.leaf().hex()}, at place {checked.index} of {checkpoint.size}, counted from 0")
    print_text(f"log: {harmless(checkpoint.origin)}, root {checkpoint.root.hex()}")
    print_text(f"signed by: {', '.join(signed)}")
    session.say("the event is in the log that was signed")


def _lines(event: Disclosure) -> list[str]:
    erased = {unit for unit, item in zip(UNITS, event.erased, strict=True) if item is not None}
    lines = []
    for column, value in zip(COLUMNS, event.fields, strict=True):
        text = "(erased)" if column in erased else to_text(column, value)
        if text is not None:
            lines.append(f"{column}: {text}")
    return lines
