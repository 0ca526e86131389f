"""`auditctl check-export`: whether an exported file is as it was exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from auditctl.cli import progress
from auditctl.cli.known_values import FILES, complete
from auditctl.cli.options import table_or_json
from auditctl.cli.printing import print_json, print_text
from auditctl.cli.session import READER, Session, pass_session
from auditctl.cli.verify import policy_option, public_key_option, read_policy
from auditctl.display import harmless
from auditctl.errors import DriftError, UsageError
from auditctl.evidence import exported_event, row_check
from auditctl.evidence.checkpoint import EvidenceError
from auditctl.evidence.policy import Policy
from auditctl.log import exported, exported_file
from auditctl.log.exported import RecordedExport
from auditctl.log.exported_file import File
from auditctl.log.formats import BY_NAME, Format
from auditctl.text import plural

ALTERED = DriftError.exit_code


@dataclass(frozen=True, slots=True)
class _Checked:
    """What a check found.

    Attributes:
        file: What is in the file.
        manifest: The manifest; None without one.
        export: What the log has of the export; None where it has nothing or was not asked.
        findings: What differs, each as a sentence.
        rows: What a comparison of its rows with the sealed log found; None without one.
        obstacle: Why no such file has proofs of its rows; empty if it may have.
    """

    file: File
    manifest: Mapping[str, Any] | None
    export: RecordedExport | None
    findings: tuple[str, ...]
    rows: row_check.Checked | None = None
    obstacle: str = ""


@click.command("check-export")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path), shell_complete=complete(FILES))
@click.option(
    "--manifest", "manifest_path", metavar="FILE", type=click.Path(path_type=Path), shell_complete=complete(FILES),
    help="The manifest. Default: FILE.manifest.json.",
)  # fmt: skip
@click.option(
    "--proofs", "proofs_path", metavar="FILE", type=click.Path(path_type=Path), shell_complete=complete(FILES),
    help="The proofs of its rows. Default: FILE.proofs.",
)  # fmt: skip
@public_key_option
@policy_option
@click.option("--log/--no-log", "asks_log", default=None, help="Compare with the log, too. Default: with --dsn.")
@table_or_json("How to print it.")
@pass_session
@click.pass_context
def check_export(
    context: click.Context, session: Session, file: Path, manifest_path: Path | None, proofs_path: Path | None,
    public_key: Path | None, policy_file: Path | None, asks_log: bool | None, output: str,
) -> None:  # fmt: skip
    """Say whether FILE is as auditctl export wrote it. Exits with 3 if it is not.

    By its manifest, no database is needed: one altered byte, a missing or an additional row, or an altered manifest is
    found. Somebody who can write both files can make them fit each other, so with --dsn (or --log) both are compared
    with what the log has of the export, too. The log alone is enough, without a manifest. A file that was compressed by
    gzip since may stay so.

    Where export wrote FILE.proofs, each row is compared with the sealed log, too, also without a database: the first
    row that does not belong to it is named. With --public-key or --policy, the log is the one that these keys signed.

    \b
    Examples:
      auditctl check-export november.csv
      auditctl check-export november.csv.gz --manifest november.csv.manifest.json --format json
      auditctl check-export november.csv --public-key seal.key.pub
      auditctl --dsn service=app check-export november.csv
    """
    is_logged = bool(session.dsn) if asks_log is None else asks_log
    proofs = _Proofs(proofs_path, read_policy(public_key, policy_file))
    checked = _check(session, file, manifest_path, proofs, is_logged=is_logged)
    if output == "json":
        print_json(_document(file, checked, is_logged=is_logged))
    else:
        for sentence in checked.findings or _sentences(file, checked):
            print_text(harmless(sentence))  # the manifest may be anybody's: it adds no line
    if not checked.findings:
        session.say(_proof(checked, is_logged=is_logged))
    else:
        context.exit(ALTERED)


@dataclass(frozen=True, slots=True)
class _Proofs:
    """What rows are compared with.

    Attributes:
        path: The file of their proofs; None for the one beside the file.
        policy: The keys that count; None for any.
    """

    path: Path | None
    policy: Policy | None


def _check(session: Session, file: Path, manifest_path: Path | None, proofs: _Proofs, *, is_logged: bool) -> _Checked:
    found = manifest_path or exported.find_manifest(file)
    manifest = None if found is None else exported.read_manifest(found)
    if manifest is None and not is_logged:
        raise UsageError(
            f"{file} has no manifest {file}{exported.SUFFIX}",
            hint="Name it with --manifest, or compare with the log alone: --log",
        )
    total = 0 if manifest is None else manifest["file"]["bytes"]
    with progress.bar(session, "Reading") as show:
        content = exported_file.examine(file, lambda size: show(size, max(size, total)))
    findings = [] if manifest is None else list(exported.differences(manifest, content))
    export = None
    if is_logged:
        with session.connect(READER) as conn:
            number = None if manifest is None else manifest["export"]["event_id"]
            if number is None:  # also of a read-only server, which records nothing
                exports = exported.of_content(exported.recorded(conn, sha256=content.sha256), content)
            else:
                exports = exported.recorded(conn, event_id=number)
        findings += exported.differences_from_log(manifest, content, exports)
        export = exports[0] if exports else None
    written = manifest["file"] if manifest is not None else export.request if export is not None else None
    rows, obstacle = None, ""
    if written is not None and not content.damage:
        form, columns = BY_NAME.get(str(written.get("format"))), exported.columns_of(written)
        obstacle = "" if form is None else exported_event.obstacle(form, columns)
        if form is None or obstacle:
            _require_no_policy(file, proofs, obstacle)
        else:
            rows = _check_rows(session, file, form, written, manifest, proofs)
        findings += rows.findings if rows is not None else []
    return _Checked(content, manifest, export, tuple(dict.fromkeys(findings)), rows, obstacle)


def _require_no_policy(file: Path, proofs: _Proofs, reason: str = "") -> None:
    """Raise UsageError if keys were named, as the file has no proofs."""
    if proofs.policy is not None:
        raise UsageError(
            f"{file} has no proofs {file}{exported.PROOFS_SUFFIX}",
            hint=reason or "Name them with --proofs. export --manifest writes them for CSV and jsonl of a sealed log.",
        )


def _check_rows(
    session: Session, file: Path, form: Format, written: Mapping[str, Any], manifest: Mapping[str, Any] | None,
    proofs: _Proofs,
) -> row_check.Checked | None:  # fmt: skip
    """Compare rows with the sealed log; None without proofs."""
    digest = exported.proofs_digest(manifest)
    path = proofs.path or (exported.find_proofs(file) if manifest is None or digest else None)
    if path is None:
        _require_no_policy(file, proofs)
        return None
    content = exported_file.examine(path)
    if content.damage:
        raise EvidenceError(f"the compressed file of proofs is damaged or cut off: {content.damage}")
    with (
        exported_file.lines_of(file) as lines,
        exported_file.lines_of(path) as proof_lines,
        progress.counter(session, "rows") as show,
    ):
        checked = row_check.check(
            lines, form, proof_lines, proofs.policy, lambda rows, _: show(rows, "compared"),
            is_safe=form.has_header and not written.get("raw"), columns=exported.columns_of(written),
        )  # fmt: skip
    if digest not in (None, content.sha256):
        checked.findings.append(f"The proofs were altered: their SHA-256 is {content.sha256}, not {digest}.")
    return checked


def _sentences(file: Path, checked: _Checked) -> list[str]:
    rows = list(row_check.sentences(checked.rows)) if checked.rows is not None else [checked.obstacle]
    return [_sentence(file, checked), *filter(None, rows)]


def _sentence(file: Path, checked: _Checked) -> str:
    if checked.export is not None:
        return f"{file} is {checked.export.sentence}. It is unaltered."
    manifest = checked.manifest or {}
    export, facts = manifest["export"], manifest["file"]
    return (
        f"{file} is export {export['event_id']} by {export.get('actor') or export.get('login')} on {export.get('at')}: "
        f"{plural(facts['rows'], 'event')}, {manifest.get('selection')}. File and manifest fit each other."
    )


def _proof(checked: _Checked, *, is_logged: bool) -> str:
    if checked.rows is not None and not checked.rows.signed_by:
        return "Nobody's signature was checked: anybody can make proofs. Pass --public-key FILE or --policy FILE."
    if checked.rows is not None and not is_logged:
        keys = ", ".join(checked.rows.signed_by)
        return f"Of each row that is proved, {keys} signed every column but details; labels are not signed."
    if checked.export is None:
        return "Somebody who can write both files can make them fit each other: compare with the log, too, by --dsn."
    if checked.manifest is not None and "manifest" not in checked.export.facts:
        return "The log has no digest of this manifest: what it says about coverage is not confirmed."
    return "It is what the log has: its proof is as good as that of the log."


def _document(file: Path, checked: _Checked, *, is_logged: bool) -> dict[str, Any]:
    export = checked.export
    return {
        "file": str(file), "bytes": checked.file.size, "sha256": checked.file.sha256,
        "is_unaltered": not checked.findings, "findings": list(checked.findings),
        "has_manifest": checked.manifest is not None, "is_compared_with_log": is_logged,
        "rows": None if checked.rows is None else checked.rows.as_dict(),
        "not_proved": checked.obstacle or None,
        "export": None if export is None else {
            "event_id": export.event_id, "end_id": export.end_id, "login": export.login, "user": export.user,
            "facts": dict(export.facts), "request": dict(export.request),
        },
    }  # fmt: skip
