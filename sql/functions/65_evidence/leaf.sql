-- The leaf of an event, as auditctl/evidence/leaf.py computes it, for who verifies a block with psql alone. They consist of
-- PostgreSQL's own functions; docs/explanation/evidence.md specifies the bytes.

create or replace function auditctl.event_salt(p_secret bytea, p_event_id bigint, p_occurred_at timestamptz) returns bytea
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- HMAC-SHA256: the secret, filled up with zeros to 64 bytes, with each byte xor 0x36 and 0x5c.
    select sha256(k.outer_pad || sha256(k.inner_pad || int8send(p_event_id) || timestamptz_send(p_occurred_at)))
    from (
        select
            string_agg(set_byte(E'\\x00', 0, b.value # 54), ''::bytea order by b.place) as inner_pad,
            string_agg(set_byte(E'\\x00', 0, b.value # 92), ''::bytea order by b.place) as outer_pad
        from (
            select s.place, case when s.place < octet_length(p_secret) then get_byte(p_secret, s.place) else 0 end as value
            from generate_series(0, 63) as s (place)
        ) as b
    ) as k
$auditctl$;
revoke execute on function auditctl.event_salt from public;
grant execute on function auditctl.event_salt to auditctl_reader;
comment on function auditctl.event_salt is 'The salt of an event, derived from the secret of its block by HMAC-SHA256 over identity and time';

create or replace function auditctl.event_leaf(p_event auditctl.event, p_salt bytea) returns bytea
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
    select sha256(
        E'\\x00'::bytea || convert_to(E'auditctl event v1\n', 'UTF8')
        || int8send(p_event.event_id) || timestamptz_send(p_event.occurred_at) || xid8send(p_event.xact_id)
        || (
            select string_agg(int4send(octet_length(f.value)) || f.value, ''::bytea order by f.place)
            from (
                values
                (1, convert_to(p_event.actor_kind::text, 'UTF8')),
                (2, convert_to(p_event.action::text, 'UTF8')),
                (3, convert_to(p_event.target, 'UTF8'))
            ) as f (place, value)
        )
        || set_byte(E'\\x00', 0, coalesce(sum(1 << u.place) filter (where u.value is not null), 0)::integer)
        || coalesce(
            string_agg(sha256(substr(s.salts, 16 * u.place + 1, 16) || u.value), ''::bytea order by u.place)
            filter (where u.value is not null),
            ''
        )
    )
    from (select sha512(p_salt || E'\\x01') || sha512(p_salt || E'\\x02')) as s (salts)
    cross join (
        values
        (0, convert_to(p_event.actor, 'UTF8')),
        (1, inet_send(p_event.ip)),
        (2, convert_to(p_event.db_user, 'UTF8')),
        (3, convert_to(p_event.target_id, 'UTF8')),
        (4, convert_to(p_event.old_values::text, 'UTF8')),
        (5, convert_to(p_event.new_values::text, 'UTF8')),
        (6, convert_to(p_event.context::text, 'UTF8'))
    ) as u (place, value)
    group by s.salts
$auditctl$;
revoke execute on function auditctl.event_leaf from public;
grant execute on function auditctl.event_leaf to auditctl_reader;
comment on function auditctl.event_leaf is 'The leaf hash of an event with its salt, as it stands in the hashes of its block';
