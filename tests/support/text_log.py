"""Lines of a server's log as text, and as services wrap it, of what `tests.support.server_log.line` makes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

DEBIAN = "%m [%p] %q%u@%d "
RDS = "%t:%r:%u@%d:[%p]:"
CLOUD = "%m [%p]: [%l-1] db=%d,user=%u "
PARTS = ("detail", "hint", "context", "statement")


def prefixed(fields: dict[str, Any], prefix: str) -> str:
    """What log_line_prefix prints for a line."""
    time, zone = fields["timestamp"].rsplit(" ", 1)
    values = {
        "m": fields["timestamp"], "t": f"{time[:19]} {zone}", "p": fields["pid"], "u": fields["user"],
        "d": fields["dbname"], "r": f"{fields['remote_host']}({fields['remote_port']})", "h": fields["remote_host"],
        "l": fields["line_num"], "a": fields["application_name"], "c": fields["session_id"], "q": "", "%": "%",
        "e": fields.get("state_code", "00000"), "s": fields["session_start"], "i": fields["ps"],
    }  # fmt: skip
    parts = prefix.split("%")
    text = parts[0]
    rest = iter(parts[1:])
    for part in rest:
        if part == "":
            text += "%" + next(rest, "")
            continue
        pad = part[: len(part) - len(part.lstrip("-0123456789"))]
        letter, after = part[len(pad)], part[len(pad) + 1 :]
        width = int(pad or 0)
        value = str(values[letter])
        text += (value.ljust(-width) if width < 0 else value.rjust(width)) + after
    return text


def text_of(fields: dict[str, Any], prefix: str) -> str:
    """The lines of one record, as the server writes them to stderr."""
    start = prefixed(fields, prefix)
    message = str(fields["message"]).replace("\n", "\n\t")
    lines = [f"{start}{fields['error_severity']}:  {message}\n"]
    for part in PARTS:
        if part in fields:
            lines.append(f"{start}{part.upper()}:  " + str(fields[part]).replace("\n", "\n\t") + "\n")
    return "".join(lines)


def as_text(lines: Iterable[dict[str, Any]], prefix: str = DEBIAN) -> bytes:
    """The lines as the server writes them to stderr."""
    return "".join(text_of(fields, prefix) for fields in lines).encode()


def as_rds(lines: Iterable[dict[str, Any]]) -> bytes:
    """The lines as Amazon RDS has them."""
    return as_text(lines, RDS)


def as_syslog(lines: Iterable[dict[str, Any]], prefix: str = DEBIAN) -> bytes:
    """The lines as rsyslog writes them, each message's further lines after a line of another program."""
    text = ""
    for fields in lines:
        head = f"{'2026-11-24T08:00:00.000000+00:00'} db1 postgres[{fields['pid']}]: "
        for number, line in enumerate(text_of(fields, prefix).splitlines(), 1):
            text += f"{head}[{fields['line_num']}-{number}] {line}\n".replace("\t", "#011")
            text += "2026-11-24T08:00:00.000000+00:00 db1 sshd[9]: authentication failed for user\n"
    return text.encode()


def as_cloud_sql(lines: Iterable[dict[str, Any]]) -> bytes:
    """The lines as Cloud SQL logs them: each line of text is an entry, those of pgaudit are audit logs."""
    entries: list[dict[str, Any]] = []
    for fields in lines:
        common = {
            "insertId": f"s={fields['pid']};i={fields['line_num']}", "resource": {"type": "cloudsql_database"},
            "timestamp": fields["timestamp"].replace(" UTC", "Z").replace(" ", "T"),
        }  # fmt: skip
        if fields["message"].startswith("AUDIT: "):
            kind, statement, part, audit_class, command, object_type, name, query, _ = fields["message"][7:].split(",")
            request = {
                "@type": "type.googleapis.com/google.cloud.sql.audit.v1.PgAuditEntry", "auditClass": audit_class,
                "auditType": kind, "chunkCount": "1", "chunkIndex": "1", "command": command, "object": name,
                "objectType": object_type, "database": fields["dbname"], "databaseSessionId": 2209692,
                "parameter": "[not logged]", "statement": query, "statementId": int(statement),
                "substatementId": int(part), "user": fields["user"],
            }  # fmt: skip
            entries.append({**common, "protoPayload": {"request": request, "methodName": "cloudsql.instances.query"}})
            continue
        for number, line in enumerate(text_of(fields, CLOUD).splitlines()):
            entries.append({**common, "insertId": f"{common['insertId']}.{number}", "textPayload": line})
    return "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries).encode()


def as_azure(lines: Iterable[dict[str, Any]]) -> bytes:
    """The lines as Azure's diagnostic settings store them."""
    text = ""
    for fields in lines:
        properties = {
            "timestamp": fields["timestamp"], "processId": fields["pid"], "errorLevel": fields["error_severity"],
            "sqlerrcode": fields.get("state_code", "00000"),
            "message": prefixed(fields, DEBIAN) + f"{fields['error_severity']}:  {fields['message']}",
        }  # fmt: skip
        record = {"properties": properties, "time": "2026-11-24T08:00:00Z", "category": "PostgreSQLLogs"}
        text += json.dumps(record) + "\n"
    return text.encode()


def as_cloudnative_pg(lines: Iterable[dict[str, Any]]) -> bytes:
    """The lines as CloudNativePG's pods print them."""
    text = '{"level":"info","ts":"2026-11-24T08:00:00Z","logger":"instance-manager","msg":"authentication failed"}\n'
    for fields in lines:
        record = {
            "log_time": fields["timestamp"], "user_name": fields["user"], "database_name": fields["dbname"],
            "process_id": str(fields["pid"]), "connection_from": f"{fields['remote_host']}:{fields['remote_port']}",
            "session_id": fields["session_id"], "session_line_num": str(fields["line_num"]),
            "command_tag": fields["ps"],
            "session_start_time": fields["session_start"], "virtual_transaction_id": fields["vxid"],
            "transaction_id": "0", "error_severity": fields["error_severity"],
            "sql_state_code": fields.get("state_code", "00000"), "application_name": fields["application_name"],
        }  # fmt: skip
        record |= {
            name: fields[part] for name, part in {"context": "context", "query": "statement"}.items() if part in fields
        }
        wrapper: dict[str, Any] = {"level": "info", "ts": "2026-11-24T08:00:00Z", "logger": "postgres", "msg": "record"}
        if fields["message"].startswith("AUDIT: "):
            names = "audit_type statement_id substatement_id class command object_type object_name statement parameter"
            audit = dict(zip(names.split(), fields["message"][7:].split(","), strict=True))
            wrapper |= {"logger": "pgaudit", "record": {**record, "audit": audit}}
        else:
            wrapper["record"] = {**record, "message": fields["message"]}
        text += json.dumps(wrapper, separators=(",", ":")) + "\n"
    return text.encode()
