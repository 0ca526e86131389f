"""Metrics for monitoring, as Prometheus text: the registry of their names, and the record of the tool's own runs.

Values come from auditctl.metrics (sql/functions/60_upkeep/metrics.sql), which never reads the log itself. The only
module that knows prometheus-client, which is part of the extra `web`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import DatabaseError, UsageError

PREFIX = "auditctl_"
VISITORS = "signed_in_visitors"
"""Only the page knows it."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric.

    Attributes:
        name: Its name without the prefix; one that ends in `_total` is a counter, any other a gauge.
        help: What it is, as a sentence without a subject.
        labels: The names of its labels, whose values the database returns in this order, separated by blanks.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()


METRICS = (
    Metric("up", "1: the database answered and has the store in its place."),
    Metric("events", "Events of a day (UTC) that is over, as upkeep counted them; 8 days.", ("class", "day")),
    Metric("event_bytes", "Bytes of the events of that day in the table.", ("class", "day")),
    Metric("log_bytes", "Size of the log with its indexes and large values, in bytes."),
    Metric("log_inserts_total", "Rows inserted into the log since the statistics were reset, also if rolled back."),
    Metric("default_partition_bytes", "Size of the DEFAULT partition; it should be small and without events."),
    Metric("default_partition_events", "Events in the DEFAULT partition, which await a move; 10000 for more."),
    Metric("months_ahead", "Months to come that have a partition."),
    Metric("last_run_timestamp_seconds", "When a command ran last as an administrator.", ("run",)),
    Metric("last_sound_run_timestamp_seconds", "When it last found nothing, or did everything.", ("run",)),
    Metric("last_run_sound", "1: the last run found nothing, or did everything; 0: it did not.", ("run",)),
    Metric("last_run_findings", "How much the last run found or could not do.", ("run",)),
    Metric("sealed_timestamp_seconds", "When the last block was sealed; none in a log that was never sealed."),
    Metric("sealed_leaves", "Leaves of the tree of sealed events and blocks."),
    Metric("refused_total", "Refused attempts: change, of events; ddl, which would have silenced capture.", ("kind",)),
    Metric("archived_months", "Months in files: kept, in the database, too; dropped, in files alone.", ("state",)),
    Metric("archived_events", "Events of these months.", ("state",)),
    Metric("archived_until_timestamp_seconds", "End of the newest month in files; none if nothing was archived."),
    Metric("unarchived_months", "Months that are not in files and should be: older than one that is, or late."),
    Metric("audited_tables", "Tables with capture, without their partitions and children."),
    Metric("holds", "Legal holds in force."),
    Metric("guard_enabled", "1: the coverage guard is on; 0: it is not."),
    Metric(VISITORS, "Sessions of visitors of the page; only in the page's own metrics."),
)  # fmt: skip
"""Every metric; documentation, alert rules and dashboard are tested against it."""


def require_library() -> None:
    """Raise `UsageError` unless prometheus-client is installed.

    Raises:
        UsageError: It is missing.
    """
    if find_spec("prometheus_client") is None:
        raise UsageError(
            "metrics need prometheus_client, which is not installed", hint="Run: pip install 'auditctl[web]'"
        )


def read(conn: Connection) -> list[tuple[str, str | None, float]]:
    """Return the values: name without prefix, labels separated by blanks, value.

    Raises:
        DatabaseError: The login may not read them.
    """
    rows = conn.execute("select name, label, value from auditctl.metrics()").fetchall()
    return [("up", None, 1.0), *rows]


def render(values: Iterable[tuple[str, str | None, float]]) -> str:
    """Return values as Prometheus text (version 0.0.4), in the order of the registry."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector(list(values)))
    return generate_latest(registry).decode()


class _Collector:
    """Gives prometheus-client the values of one scrape."""

    def __init__(self, values: list[tuple[str, str | None, float]]) -> None:
        self._values = values

    def collect(self):  # type: ignore[no-untyped-def]
        """Yield each metric that has values."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for metric in METRICS:
            found = [(label, value) for name, label, value in self._values if name == metric.name]
            if not found:
                continue
            kind = CounterMetricFamily if metric.name.endswith("_total") else GaugeMetricFamily
            family = kind(PREFIX + metric.name, metric.help, labels=metric.labels)
            for label, value in found:
                family.add_metric((label or "").split(" ")[: len(metric.labels)], value)
            yield family


def record_run(conn: Connection, run: str, findings: int) -> None:
    """Note that a command ran and how much it found, where the login may and the server can write.

    A standby and a login that is not an administrator leave no note. That a note fails, because another session is
    writing it, fails nothing else.
    """
    parameters: Mapping[str, object] = {"run": run, "is_sound": findings == 0, "findings": findings}
    try:
        with database.errors_translated():
            (may_record,) = conn.execute(
                "select has_function_privilege(p.oid, 'execute') and not pg_is_in_recovery() "
                "and current_setting('transaction_read_only') = 'off' "
                "from pg_proc as p where p.pronamespace = 'auditctl'::regnamespace and p.proname = 'record_run'"
            ).fetchone() or (False,)
            if may_record:
                conn.execute("select auditctl.record_run(%(run)s, %(is_sound)s, %(findings)s)", parameters)
    except DatabaseError as error:
        if error.sqlstate != database.LOCKED:
            raise
