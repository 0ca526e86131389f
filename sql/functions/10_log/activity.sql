-- The log in readable form.

create or replace function auditctl.long_sentence(p_action auditctl.action, p_old jsonb, p_new jsonb) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    -- More columns than a table can have.
    v_most constant integer := 2000;
    v_count bigint;
    v_parts text[];
begin
    -- Each value is expanded once: looking keys up, and decompressing the value for each, takes far longer.
    if p_action = 'UPDATE' then
        select array_agg(part.text order by pair.key collate "C", part.place), (select count(*) from jsonb_object_keys(p_new))
        into v_parts, v_count
        from (
            select key, o.value as old, n.value as new
            from jsonb_each(p_new) as n
            left join jsonb_each(p_old) as o using (key)
            order by key collate "C"
            limit v_most
        ) as pair
        cross join lateral unnest(auditctl.column_changes(pair.key, pair.old, pair.new)) with ordinality as part (text, place);
    else
        select array_agg(pair.key || ': ' || auditctl.shown(auditctl.short_text(pair.value)) order by pair.key collate "C"), max(pair.count)
        into v_parts, v_count
        from (
            select value.key, value.value, count(*) over () as count
            from jsonb_each(case p_action when 'DELETE' then p_old else p_new end) as value
            where value.value <> 'null'
            order by value.key collate "C"
            limit v_most
        ) as pair;
    end if;
    if p_action = 'UPDATE' and v_parts is null then
        return 'no column changed';
    end if;
    return concat(array_to_string(v_parts, '; '), case when v_count > v_most then format('; %s more columns', v_count - v_most) end);
end
$auditctl$;
revoke execute on function auditctl.long_sentence from public;
grant execute on function auditctl.long_sentence to auditctl_reader;
comment on function auditctl.long_sentence is 'auditctl.details of a large event whose values are objects; takes time in proportion to its size';

create or replace function auditctl.shown_action(p_action auditctl.action, p_context jsonb) returns text
-- Stable, as the text of an enum's value is: PostgreSQL would not inline an immutable function that uses it.
language sql stable parallel safe
-- No application can write that key: see auditctl_internal.own_keys.
return case when p_action = 'CREATE' and p_context operator(pg_catalog.?) 'baseline' then 'BASELINE' else p_action::text end;
revoke execute on function auditctl.shown_action from public;
grant execute on function auditctl.shown_action to auditctl_reader;
comment on function auditctl.shown_action is
    'The action as events are counted and filtered by it: BASELINE for a row that was there before it was audited, which nobody created';

create or replace function auditctl.sentence(p_action auditctl.action, p_old jsonb, p_new jsonb, p_context jsonb)
returns table (details text)
language sql stable parallel safe
begin atomic
-- A set-returning function is inlined into the query that reads the log; a scalar one with a subquery is not.
-- Expanding keys in a select list costs half as much as jsonb_each_text in a FROM clause. An offset has each value's text
-- made once, and not for each mention.
select case
    -- A value as short as this is not stored out of line.
    when p_action in ('CREATE', 'UPDATE', 'DELETE') and least(pg_catalog.pg_column_size(p_old), pg_catalog.pg_column_size(p_new)) < 32
        and (p_old = '{"$erased": true}' or p_new = '{"$erased": true}')
        then '(erased)'
    when (pg_catalog.pg_column_size(p_old) > 1500 or pg_catalog.pg_column_size(p_new) > 1500) and p_action in ('CREATE', 'UPDATE', 'DELETE')
        then case when auditctl.shown_action(p_action, p_context) = 'BASELINE' then 'was there: ' else '' end
            || auditctl.long_sentence(p_action, p_old, p_new)
    when p_action = 'UPDATE' then coalesce(nullif(pg_catalog.array_to_string(array(
        select case
            when pg_catalog.octet_length(pair.old) > 100 or pg_catalog.octet_length(pair.new) > 100 or pair.new like '{%' or pair.new like '[%'
                or pair.old is not distinct from pair.new
                then nullif(pg_catalog.array_to_string(auditctl.column_changes(pair.key, p_old -> pair.key, p_new -> pair.key), '; '), '')
            else pair.key || ': ' || auditctl.shown(pair.old) || (' ' || pg_catalog.chr(8594) || ' ') || auditctl.shown(pair.new)
        end
        from (
            select name.key, p_old ->> name.key as old, p_new ->> name.key as new
            from (select pg_catalog.jsonb_object_keys(p_new) as key) as name
            offset 0
        ) as pair
        order by pair.key collate "C"
    ), '; '), ''), 'no column changed')
    when p_action = 'CREATE' then case when p_context operator(pg_catalog.?) 'baseline' then 'was there: ' else '' end || pg_catalog.array_to_string(array(
        select pair.key || ': ' || auditctl.shown(pair.text)
        from (
            select name.key, p_new ->> name.key as text
            from (select pg_catalog.jsonb_object_keys(p_new) as key) as name
            offset 0
        ) as pair
        where pair.text is not null
        order by pair.key collate "C"
    ), '; ')
    when p_action = 'DELETE' then pg_catalog.array_to_string(array(
        select pair.key || ': ' || auditctl.shown(pair.text)
        from (
            select name.key, p_old ->> name.key as text
            from (select pg_catalog.jsonb_object_keys(p_old) as key) as name
            offset 0
        ) as pair
        where pair.text is not null
        order by pair.key collate "C"
    ), '; ')
    when p_action = 'TRUNCATE' then 'all rows removed'
    when p_action = 'READ' then coalesce(nullif(p_context ->> 'summary', ''), 'read')
    else coalesce(nullif(p_context ->> 'summary', ''), 'recorded')
end;
end;
revoke execute on function auditctl.sentence from public;
grant execute on function auditctl.sentence to auditctl_reader;
comment on function auditctl.sentence is 'auditctl.details as a set of one row, for use in a FROM clause';

create or replace function auditctl.details(p_action auditctl.action, p_old jsonb, p_new jsonb, p_context jsonb default null) returns text
language sql stable parallel safe
return (select sentence.details from auditctl.sentence(p_action, p_old, p_new, p_context) as sentence);
revoke execute on function auditctl.details from public;
grant execute on function auditctl.details to auditctl_reader;
comment on function auditctl.details is
    'What happened, as one sentence, such as: balance: 10.00 -> 12.50; status: active -> closed (with a real arrow)';

create or replace view auditctl.activity as
select
    event.event_id,
    event.occurred_at as created_on,
    event.ip as ip_address,
    coalesce(event.actor, 'System') as user_name,
    coalesce(case when target.target is null then event_type.label else target.label end, event.target) as target,
    event.target_id,
    event.action,
    (select sentence.details from auditctl.sentence(event.action, event.old_values, event.new_values, event.context) as sentence) as details,
    event.context ->> 'reason' as reason,
    event.old_values,
    event.new_values,
    event.db_user,
    event.actor_kind,
    event.xact_id,
    event.context,
    event.actor,
    event.target as target_name
from auditctl.event as event
left join auditctl.target as target on target.target = event.target
left join auditctl.event_type as event_type on event_type.name = event.target;
comment on view auditctl.activity is 'The log in readable form: labels instead of names, System where there is no actor, and a sentence about what happened';
comment on column auditctl.activity.event_id is 'The number of the event; later events mostly have higher ones';
comment on column auditctl.activity.created_on is 'When the change was captured';
comment on column auditctl.activity.ip_address is 'The address that the change came from';
comment on column auditctl.activity.user_name is 'The actor, or System; actor_kind distinguishes a person of that name from the system';
comment on column auditctl.activity.target is 'The label of the table or event type, or its name';
comment on column auditctl.activity.target_id is 'The key of the row: the value of one column, a JSON array of several; null without a key';
comment on column auditctl.activity.action is 'CREATE, READ, UPDATE, DELETE, TRUNCATE, or EVENT for a business event';
comment on column auditctl.activity.details is 'What happened, in one sentence';
comment on column auditctl.activity.reason is 'Why, as the application or the command states it: the key reason of the context';
comment on column auditctl.activity.old_values is 'The values before: the whole row of a delete, the changed columns of an update';
comment on column auditctl.activity.new_values is 'The values after: the whole row of a create, the changed columns of an update; the data of a business event';
comment on column auditctl.activity.db_user is 'The login of the session';
comment on column auditctl.activity.actor_kind is 'Whether an application named the actor, the login is the actor, or an application named nobody';
comment on column auditctl.activity.xact_id is 'The transaction; unique within a cluster';
comment on column auditctl.activity.context is 'Further facts as a JSON object, such as reason, request id and application name';
comment on column auditctl.activity.actor is 'The actor; null for the system';
comment on column auditctl.activity.target_name is 'schema.table as events record it, regardless of the label';

grant select on auditctl.activity to auditctl_reader;
