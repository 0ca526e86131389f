-- READ, business events and retention, and events that cost less.

-- What follows stands in sql/schema, as it is now.

create or replace function audit.record_event(
    p_target text,
    p_target_id text default null,
    p_summary text default null,
    p_data jsonb default null,
    p_action audit.action default 'EVENT'
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if p_action is null or p_action not in ('EVENT', 'READ') then
        raise exception 'record_event cannot record %: row changes are recorded by capture alone', coalesce(p_action::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Use action EVENT or READ.';
    end if;
    perform audit.require_target(p_target);
    if octet_length(p_target_id) > 10240 then
        raise exception 'record_event takes a target_id of at most 10 kB'
            using errcode = 'invalid_parameter_value', hint = 'Give the key that tells the object from others.';
    end if;
    if octet_length(p_summary) > 65536 then
        raise exception 'record_event takes a summary of at most 64 kB'
            using errcode = 'invalid_parameter_value', hint = 'Say it in one sentence; give the rest as data.';
    end if;
    if octet_length(p_data::text) > 1048576 then
        raise exception 'record_event takes data of at most 1 MB'
            using errcode = 'invalid_parameter_value', hint = 'Record where the data can be found, or a digest of it.';
    end if;
    if not coalesce((audit.deciding_type(p_target)).enabled, true) then
        return null;
    end if;
    return audit.insert_event(p_target, p_target_id, p_action, null, p_data, p_summary);
end
$auditctl$;

comment on function audit.record_event(text, text, text, jsonb, audit.action) is
    'Records a business event or a read, under the same rules of who as any other event; returns its event_id, or null where its type is switched off';

create or replace function audit.record_rule() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform audit.insert_event(
        format('%s.%s', tg_table_schema, tg_table_name),
        case tg_op when 'DELETE' then old.name else new.name end,
        case tg_op when 'INSERT' then 'CREATE' else tg_op end::audit.action,
        case when tg_op <> 'INSERT' then to_jsonb(old) end,
        case when tg_op <> 'DELETE' then to_jsonb(new) end,
        null
    );
    return null;
end
$auditctl$;

comment on function audit.record_rule() is 'Records every change of a rule or an event type, whoever makes it and however';

-- The kinds of business events that somebody said something about: what people see of them, and which are switched off.

create table audit.event_type (
    name text not null,
    label text,
    enabled boolean not null default true,
    set_by text not null default session_user,
    set_at timestamptz not null default pg_catalog.now(),
    constraint event_type_pkey primary key (name),
    constraint event_type_name_is_not_empty check (name <> ''),
    constraint event_type_label_is_not_empty check (label <> ''),
    constraint event_type_label_is_of_one_type check (label is null or name !~ '[*?]')
);

comment on table audit.event_type is 'Business events that the configuration names; one that is not here is recorded under its own name';

comment on column audit.event_type.name is 'The target that audit.record_event is called with, or a glob: * stands for any characters, ? for one';

comment on column audit.event_type.label is 'What people see as the target; null for the name itself';

comment on column audit.event_type.enabled is 'Whether such events are recorded; of several that fit, the name itself counts, else the longest glob';

comment on column audit.event_type.set_by is 'The login that stated it';

comment on column audit.event_type.set_at is 'When it was stated';

grant select on audit.event_type to audit_reader;

alter table audit.event_type enable row level security;

create policy event_type_is_read_by_whoever_may on audit.event_type for select using (true);

create trigger event_type_recorded after insert or update or delete on audit.event_type
for each row execute function audit.record_rule();

alter table audit.event_type enable always trigger event_type_recorded;

create function audit.deciding_type(p_target text) returns audit.event_type
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_type audit.event_type;
begin
    select t.* into v_type
    from audit.event_type as t
    where t.name = p_target
        or p_target like translate(regexp_replace(t.name, '([\\%_])', '\\\1', 'g'), '*?', '%_')
    order by t.name = p_target desc, length(t.name) desc, t.name collate "C"
    limit 1;
    return v_type;
end
$auditctl$;

revoke execute on function audit.deciding_type(text) from public;

grant execute on function audit.deciding_type(text) to audit_reader;

comment on function audit.deciding_type(text) is
    'The event type that says whether events of a target are recorded: of that very name, else the longest glob that fits; null where nothing is said';

create function audit.names_actor() returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select audit.holds_app_role()
$auditctl$;

revoke execute on function audit.names_actor() from public;

grant execute on function audit.names_actor() to audit_app, audit_admin;

comment on function audit.names_actor() is 'Whether the user that this session names is believed: whether its login was granted audit_app';

create or replace function audit.sentence(p_action audit.action, p_old jsonb, p_new jsonb, p_context jsonb)
returns table (details text)
language sql stable parallel safe
begin atomic
-- A set-returning function is inlined into the query that reads the log, a scalar one with a subquery is not; and
-- keys expanded in a select list cost half of what jsonb_each_text costs in a FROM clause.
select case p_action
    when 'UPDATE' then pg_catalog.array_to_string(array(
        select pair.key || ': ' || audit.shown(p_old ->> pair.key) || ' ' || pg_catalog.chr(8594) || ' ' || audit.shown(p_new ->> pair.key)
        from (select pg_catalog.jsonb_object_keys(p_new) as key) as pair
        order by pair.key collate "C"
    ), '; ')
    when 'CREATE' then pg_catalog.array_to_string(array(
        select pair.key || ': ' || audit.shown(p_new ->> pair.key)
        from (select pg_catalog.jsonb_object_keys(p_new) as key) as pair
        where p_new ->> pair.key is not null
        order by pair.key collate "C"
    ), '; ')
    when 'DELETE' then pg_catalog.array_to_string(array(
        select pair.key || ': ' || audit.shown(p_old ->> pair.key)
        from (select pg_catalog.jsonb_object_keys(p_old) as key) as pair
        where p_old ->> pair.key is not null
        order by pair.key collate "C"
    ), '; ')
    when 'TRUNCATE' then 'all rows removed'
    when 'READ' then coalesce(p_context ->> 'summary', 'read')
    else coalesce(p_context ->> 'summary', 'recorded')
end;
end;

create or replace view audit.activity as
select
    event.event_id,
    event.occurred_at as created_on,
    event.ip as ip_address,
    coalesce(event.actor, 'System') as user_name,
    coalesce(case when target.target is null then event_type.label else target.label end, event.target) as target,
    event.target_id,
    event.action,
    (select sentence.details from audit.sentence(event.action, event.old_values, event.new_values, event.context) as sentence) as details,
    event.old_values,
    event.new_values,
    event.db_user,
    event.actor_kind,
    event.xact_id,
    event.context,
    event.actor,
    event.target as target_name
from audit.event as event
left join audit.target as target on target.target = event.target
left join audit.event_type as event_type on event_type.name = event.target;

comment on view audit.activity is 'The log as people read it: the label for the name, System for nobody, and a sentence of what happened';

comment on column audit.activity.target is 'The label of the table or event type, or its name';

-- How much the log holds.

create function audit.statistics(
    p_partition regclass,
    p_since timestamptz default null,
    p_until timestamptz default null,
    p_targets text[] default null,
    p_actions audit.action[] default null,
    p_recent timestamptz default null,
    p_percent double precision default 100
)
returns table (
    target text, month text, action audit.action, events bigint, weight bigint, oldest timestamptz, newest timestamptz,
    recent_events bigint, recent_weight bigint, other_events bigint, other_weight bigint
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- One pass over one partition, which a reader cannot name in a query of its own. Sizes are taken without reading what
-- lies out of line: a row's header and its columns of fixed length are 68 bytes.
begin
    if not exists (select from pg_partition_tree('audit.event') as t where t.relid = p_partition and t.isleaf) then
        raise exception '% is no partition of the log', p_partition using errcode = 'invalid_parameter_value';
    end if;
    return query execute format(
        $query$
        select
            e.target, coalesce(to_char(e.month, 'YYYY-MM'), e.month::text), e.action,
            count(*) filter (where e.chosen), coalesce(sum(e.weight) filter (where e.chosen), 0)::bigint,
            min(e.occurred_at) filter (where e.chosen), max(e.occurred_at) filter (where e.chosen),
            count(*) filter (where e.chosen and e.occurred_at >= $5),
            coalesce(sum(e.weight) filter (where e.chosen and e.occurred_at >= $5), 0)::bigint,
            count(*) filter (where not e.chosen), coalesce(sum(e.weight) filter (where not e.chosen), 0)::bigint
        from (
            select
                r.target, r.action, r.occurred_at, date_trunc('month', r.occurred_at at time zone 'UTC') as month,
                ($1 is null or r.occurred_at >= $1) and ($2 is null or r.occurred_at < $2)
                and ($3 is null or r.target = any ($3)) and ($4 is null or r.action = any ($4)) as chosen,
                68 + pg_column_size(r.target) + pg_column_size(r.actor_kind) + pg_column_size(r.db_user)
                + coalesce(pg_column_size(r.actor), 0) + coalesce(pg_column_size(r.ip), 0)
                + coalesce(pg_column_size(r.target_id), 0) + coalesce(pg_column_size(r.context), 0)
                + coalesce(pg_column_size(r.old_values), 0) + coalesce(pg_column_size(r.new_values), 0) as weight
            from only %s as r %s
        ) as e
        group by e.target, e.month, e.action
        $query$,
        p_partition,
        case when p_percent < 100 then format('tablesample system (%s) repeatable (0)', p_percent) else '' end
    ) using p_since, p_until, p_targets, p_actions, p_recent;
end
$auditctl$;

revoke execute on function audit.statistics(
    regclass, timestamptz, timestamptz, text[], audit.action[], timestamptz, double precision
) from public;

grant execute on function audit.statistics(
    regclass, timestamptz, timestamptz, text[], audit.action[], timestamptz, double precision
) to audit_reader;

comment on function audit.statistics(regclass, timestamptz, timestamptz, text[], audit.action[], timestamptz, double precision) is
    'Counts the events of one partition, or of a sample of its pages, by target, month and action; weight is their bytes in the table, other is what is not asked for';
