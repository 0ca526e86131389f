-- The log in readable form.

create or replace function auditctl.shorten(p_value text) returns text
language sql immutable parallel safe
return case
    -- Looking at the start alone costs the same for any length; no character takes more than four bytes.
    when pg_catalog.octet_length(p_value) > 2000 then pg_catalog.left(p_value, 99) || pg_catalog.chr(8230)
    when p_value = '{"$masked": true}' then '***'
    when p_value = '{"$erased": true}' then '(erased)'
    when p_value like '{"$json": %}' then pg_catalog.substr(p_value, 11, least(pg_catalog.length(p_value) - 11, 100))
    when p_value like '{"$head": "%", "$bytes": %, "$sha256": %}' or p_value like '{"$bytes": %, "$sha256": %}' then pg_catalog.concat(
        case when p_value ^@ '{"$head": ' then pg_catalog.substr(p_value, 12, 80) || pg_catalog.chr(8230) || ' ' end,
        '(' || pg_catalog.split_part(pg_catalog.split_part(p_value, '"$bytes": ', 2), ',', 1) || ' bytes)'
    )
    -- A value may end within a character, on which PostgreSQL raises an error. Three more bytes complete any character.
    when pg_catalog.length(p_value || '   ') > 103 then pg_catalog.left(p_value || '   ', 99) || pg_catalog.chr(8230)
    else p_value
end;
revoke execute on function auditctl.shorten from public;
grant execute on function auditctl.shorten to auditctl_reader;
comment on function auditctl.shorten is 'A long, masked, erased or large value as auditctl.details shows it';

create or replace function auditctl.shown(p_value text) returns text
language sql immutable parallel safe
return coalesce(
    case when pg_catalog.octet_length(p_value) > 100 or p_value like '{"$%' then auditctl.shorten(p_value) else p_value end, 'null'
);
revoke execute on function auditctl.shown from public;
grant execute on function auditctl.shown to auditctl_reader;
comment on function auditctl.shown is 'A recorded value as auditctl.details shows it: at most 100 characters; the word null for null';

create or replace function auditctl.short_text(p_value jsonb) returns text
language sql immutable parallel safe
-- Writing a large document takes a hundred times as long as reading it.
return case
    when pg_catalog.pg_column_size(p_value) > 102400 and pg_catalog.jsonb_typeof(p_value) = 'array'
        then pg_catalog.concat('[', pg_catalog.chr(8230), '] (', pg_catalog.pg_column_size(p_value), ' bytes)')
    when pg_catalog.pg_column_size(p_value) > 102400 and pg_catalog.jsonb_typeof(p_value) = 'object'
        then pg_catalog.concat('{', pg_catalog.chr(8230), '} (', pg_catalog.pg_column_size(p_value), ' bytes)')
    else p_value operator(pg_catalog.#>>) '{}'
end;
revoke execute on function auditctl.short_text from public;
grant execute on function auditctl.short_text to auditctl_reader;
comment on function auditctl.short_text is 'The text of a recorded value; of a document above 100 kB only its kind and its size as stored';

create or replace function auditctl.long_sentence(p_action auditctl.action, p_old jsonb, p_new jsonb) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    -- A stored value is decompressed for each operator. A variable with the result of one is not.
    v_old constant jsonb := p_old || '{}';
    v_new constant jsonb := p_new || '{}';
begin
    return (
        select
            coalesce(string_agg(
                concat(
                    pair.key, ': ', case p_action when 'UPDATE' then auditctl.shown(pair.old_text) || ' ' || chr(8594) || ' ' end,
                    auditctl.shown(case p_action when 'DELETE' then pair.old_text else pair.new_text end)
                ), '; ' order by pair.key collate "C"
            ), '')
        -- Each subquery with an offset evaluates its expressions once.
        from (
            select value.key, auditctl.short_text(value.old) as old_text, auditctl.short_text(value.new) as new_text
            from (
                select keys.key, v_old -> keys.key as old, v_new -> keys.key as new
                from (select jsonb_object_keys(case p_action when 'DELETE' then v_old else v_new end) as key) as keys
                offset 0
            ) as value
            offset 0
        ) as pair
        where p_action = 'UPDATE' or num_nonnulls(pair.old_text, pair.new_text) > 0
    );
end
$auditctl$;
revoke execute on function auditctl.long_sentence from public;
grant execute on function auditctl.long_sentence to auditctl_reader;
comment on function auditctl.long_sentence is 'auditctl.details of a large event whose values are objects; takes time in proportion to its size';

create or replace function auditctl.shown_action(p_action auditctl.action, p_context jsonb) returns text
language sql immutable parallel safe
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
-- Expanding keys in a select list costs half as much as jsonb_each_text in a FROM clause.
select case
    -- A value as short as this is not stored out of line.
    when p_action in ('CREATE', 'UPDATE', 'DELETE') and least(pg_catalog.pg_column_size(p_old), pg_catalog.pg_column_size(p_new)) < 32
        and (p_old = '{"$erased": true}' or p_new = '{"$erased": true}')
        then '(erased)'
    when (pg_catalog.pg_column_size(p_old) > 1500 or pg_catalog.pg_column_size(p_new) > 1500) and p_action in ('CREATE', 'UPDATE', 'DELETE')
        then case when auditctl.shown_action(p_action, p_context) = 'BASELINE' then 'was there: ' else '' end
            || auditctl.long_sentence(p_action, p_old, p_new)
    when p_action = 'UPDATE' then pg_catalog.array_to_string(array(
        select pair.key || ': ' || auditctl.shown(p_old ->> pair.key) || ' ' || pg_catalog.chr(8594) || ' ' || auditctl.shown(p_new ->> pair.key)
        from (select pg_catalog.jsonb_object_keys(p_new) as key) as pair
        order by pair.key collate "C"
    ), '; ')
    when p_action = 'CREATE' then case when p_context operator(pg_catalog.?) 'baseline' then 'was there: ' else '' end || pg_catalog.array_to_string(array(
        select pair.key || ': ' || auditctl.shown(p_new ->> pair.key)
        from (select pg_catalog.jsonb_object_keys(p_new) as key) as pair
        where p_new ->> pair.key is not null
        order by pair.key collate "C"
    ), '; ')
    when p_action = 'DELETE' then pg_catalog.array_to_string(array(
        select pair.key || ': ' || auditctl.shown(p_old ->> pair.key)
        from (select pg_catalog.jsonb_object_keys(p_old) as key) as pair
        where p_old ->> pair.key is not null
        order by pair.key collate "C"
    ), '; ')
    when p_action = 'TRUNCATE' then 'all rows removed'
    when p_action = 'READ' then coalesce(p_context ->> 'summary', 'read')
    else coalesce(p_context ->> 'summary', 'recorded')
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
