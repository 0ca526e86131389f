"""An archived event as a relation of SQL, so that the server makes of it what it makes of an event of the table."""

from __future__ import annotations

from psycopg.sql import SQL, Composable, Literal

from auditctl.archive.texts import ArchivedEvent

_SOURCE = SQL("""(
    select
        {event_id}::bigint as event_id,
        timestamptz 'epoch' + {seconds} * interval '1 second' + {microseconds} * interval '1 microsecond' as created_on,
        {ip_address}::inet as ip_address,
        {user}::text as user_name,
        {target}::text as target,
        {target_id}::text as target_id,
        {action}::auditctl.action as action,
        {details}::text as details,
        {reason}::text as reason,
        {old_values}::jsonb as old_values,
        {new_values}::jsonb as new_values,
        {db_user}::text as db_user,
        {actor_kind}::auditctl.actor_kind as actor_kind,
        {xact_id}::xid8 as xact_id,
        {context}::jsonb as context,
        {actor}::text as actor,
        {target_name}::text as target_name
) as activity""")


def of(event: ArchivedEvent) -> Composable:
    """Return a relation with the columns of view auditctl.activity, whose only row is the event."""
    seconds, microseconds = divmod(event.position[0], 1_000_000)
    names = ("event_id", "ip_address", "user", "target", "target_id", "action", "details", "reason", "old_values",
             "new_values", "db_user", "actor_kind", "xact_id", "context", "target_name")  # fmt: skip
    return _SOURCE.format(
        **{name: Literal(event.texts[name]) for name in names},
        actor=Literal(event.values["actor"]), seconds=Literal(seconds), microseconds=Literal(microseconds),
    )  # fmt: skip
