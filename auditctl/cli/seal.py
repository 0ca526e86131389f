"""`auditctl seal`: seals what was committed, so that later changes of it are found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

from auditctl import metrics, place
from auditctl.cli import progress, seal_service
from auditctl.cli.known_values import FILES, complete
from auditctl.cli.options import table_or_json
from auditctl.cli.printing import print_json, print_text
from auditctl.cli.session import ADMIN, Session, pass_session
from auditctl.errors import UsageError
from auditctl.evidence import key_files
from auditctl.evidence.checkpoint import EvidenceError
from auditctl.evidence.sealer import Sealed, Sealer
from auditctl.evidence.sealing_keys import SealingKeys
from auditctl.reason import require_reason
from auditctl.text import plural

_key_path = click.Path(path_type=Path)


@click.command(short_help="Seal what was committed, so that later changes of it are found.")
@click.option(
    "--key",
    metavar="FILE",
    type=_key_path,
    required=True,
    shell_complete=complete(FILES),
    help="The private keys, as keygen wrote them.",
)
@click.option(
    "--every", metavar="TIME", callback=seal_service.parse_every, help="Stay, and seal this often: 1s, 30s, 5m."
)
@click.option(
    "--previous-key",
    metavar="FILE",
    type=_key_path,
    shell_complete=complete(FILES),
    help="Change the key: the key so far, which signs the change, too.",
)
@click.option("--replace-lost-key", is_flag=True, help="Change the key without the one so far; verify reports that.")
@click.option("--continue-from-fork", is_flag=True, help="Go on although the log is not the one that was sealed.")
@click.option("--reason", metavar="TEXT", help="Why, with one of the two options before: part of the sealed record.")
@table_or_json("How to print the blocks.")
@pass_session
def seal(
    session: Session, key: Path, every: timedelta | None, previous_key: Path | None, replace_lost_key: bool,
    continue_from_fork: bool, reason: str | None, output: str,
) -> None:  # fmt: skip
    """Seal what was committed since the last time, so that later changes of it are found.

    It appends a block with the hashes of the events and a record of the state of capture to a tree, signs the tree's
    size and root, and writes this checkpoint also beside the key, as FILE.checkpoint. Writers never wait for it, and it
    waits for no transaction. It may be stopped at any point and run again. If nothing happened, it writes nothing. If
    another seal is running, the exit code is 5.

    With --every it stays as a service until Ctrl-C or SIGTERM, which end it with exit code 0. Errors are reported and
    do not end it. A second one beside it waits, and takes over when the first has ended.

    If the log is not an extension of the checkpoint beside the key, the exit code is 3, and nothing is sealed.

    \b
    Examples:
      auditctl seal --key seal.key
      auditctl seal --key seal.key --every 30s
      auditctl seal --key new.key --previous-key seal.key
    """
    _require_compatible({
        "--every": every is not None,
        "--previous-key": previous_key is not None,
        "--replace-lost-key": replace_lost_key,
        "--continue-from-fork": continue_from_fork,
    })  # fmt: skip
    why = _required_reason(reason, replace_lost_key or continue_from_fork)
    keys = SealingKeys(
        key_files.read(key), key_files.read(previous_key) if previous_key else None,
        lost_key_reason=why if replace_lost_key else None, fork_reason=why if continue_from_fork else None,
    )  # fmt: skip
    if every is None:
        with _sealer(session, keys) as sealer:
            _run(session, sealer, output)
    else:
        seal_service.repeat(
            session,
            every,
            lambda: _sealer(session, keys),
            lambda sealer: _run(session, sealer, output, is_service=True),
        )


def _require_compatible(options: Mapping[str, bool]) -> None:
    """Raise UsageError if options are given that exclude each other."""
    once = [name for name, is_given in options.items() if is_given and name != "--every"]
    if options["--every"] and once:
        raise UsageError(f"{once[0]} is for one run", hint="Run it without --every first.")
    if options["--previous-key"] and options["--replace-lost-key"]:
        raise UsageError(
            "--previous-key and --replace-lost-key exclude each other", hint="Name the key if you have it."
        )


def _required_reason(reason: str | None, is_required: bool) -> str | None:
    if is_required:
        if reason is None:
            raise UsageError("this takes a reason", hint="Add --reason TEXT: it becomes part of the sealed record.")
        require_reason(reason)
    elif reason is not None:
        raise UsageError(
            "--reason is for --replace-lost-key and --continue-from-fork alone", hint="Sealing as such needs no reason."
        )
    return reason


@contextmanager
def _sealer(session: Session, keys: SealingKeys) -> Iterator[Sealer]:
    with session.connect(ADMIN) as reader, session.connect(ADMIN) as writer:
        place.require(reader)
        yield Sealer(reader, writer, keys)


def _run(session: Session, sealer: Sealer, output: str, *, is_service: bool = False) -> None:
    """Seal what there is, and print each block."""
    sealed: list[Sealed] = []
    with progress.counter(session, "events") as show:
        for block in _blocks(sealer):
            sealed.append(block)
            show(sum(one.events for one in sealed), f"sealed in {plural(len(sealed), 'block')}")
            if output == "table":
                print_text(_sentence(block))
    if output == "json" and (sealed or not is_service):
        print_json([dataclasses.asdict(block) for block in sealed])
    if not sealed and not is_service:
        session.say("Nothing to seal.")
    if not is_service:
        metrics.record_run(sealer.writer, "seal", 0)


def _blocks(sealer: Sealer) -> Iterator[Sealed]:
    try:
        yield from sealer.run()
    except EvidenceError:
        metrics.record_run(sealer.writer, "seal", 1)
        raise


def _sentence(block: Sealed) -> str:
    events = f", {block.first_event_id} to {block.last_event_id}" if block.events else ""
    return f"Block {block.number}: {plural(block.events, 'event')}{events}; tree of {block.tree_size:,} leaves."
