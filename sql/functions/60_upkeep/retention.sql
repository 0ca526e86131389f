-- How long events are kept. A longer time still counts for a while after it was shortened, so that others can notice.

create or replace function auditctl_internal.guard_retention() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- What a dump holds is restored as it was.
    if tg_op = 'INSERT' and new.since < now() and auditctl_internal.displacement() is not null then
        return new;
    end if;
    if tg_op = 'INSERT' then
        new.set_by := session_user;
        -- The current time, not the start of the transaction: a transaction open for days would leave no time to notice.
        new.since := clock_timestamp();
        new.until := null;
        new.ended_in := null;
        new.noticed_at := null;
        return new;
    end if;
    if tg_op = 'UPDATE' and old.until is null and new.until is not null
        and to_jsonb(new) - 'until' = to_jsonb(old) - 'until'
    then
        new.until := clock_timestamp();
        new.ended_in := pg_current_xact_id();
        return new;
    end if;
    if tg_op = 'UPDATE' and auditctl_internal.is_notice(to_jsonb(old), to_jsonb(new), 'until', old.ended_in) then
        new.noticed_at := greatest(clock_timestamp(), old.until);
        return new;
    end if;
    raise exception '% on %.% refused: retention times stay on record', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Set another time with: select auditctl.set_retention(target, keep)';
end
$auditctl$;
comment on function auditctl_internal.guard_retention is
    'Allows adding and ending a retention time and noticing its end, with the current time and login, and nothing else';

create or replace function auditctl_internal.record_statement() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- For auditctl.retention and auditctl.hold: the column that names the object is the trigger's argument.
begin
    -- A row that a dump holds was recorded when it was written.
    if tg_op = 'INSERT' and coalesce(to_jsonb(new) ->> 'since', to_jsonb(new) ->> 'placed_at')::timestamptz < now()
        and auditctl_internal.displacement() is not null
    then
        return null;
    end if;
    perform auditctl_internal.insert_event(
        format('%s.%s', tg_table_schema, tg_table_name),
        to_jsonb(new) ->> tg_argv[0],
        case tg_op when 'INSERT' then 'CREATE' else 'UPDATE' end::auditctl.action,
        case when tg_op = 'UPDATE' then to_jsonb(old) end,
        to_jsonb(new),
        null
    );
    return null;
end
$auditctl$;
comment on function auditctl_internal.record_statement is 'Records every change to a retention time or a hold, whichever login or statement makes it';

create or replace function auditctl.retention_grace() returns interval
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select interval '7 days'
$auditctl$;
revoke execute on function auditctl.retention_grace from public;
grant execute on function auditctl.retention_grace to auditctl_reader;
comment on function auditctl.retention_grace is 'How long a retention time still counts after maintain first saw that it was shortened';

create or replace function auditctl.target_pattern(p_glob text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Escapes characters that are special in a regular expression but not in a glob; brackets too, unless they enclose a set.
    -- In e'' a backslash means the same under each standard_conforming_strings of a session.
    select
        '^' || replace(replace(replace(
            regexp_replace(
                p_glob,
                case when p_glob ~ e'^([^][]|\\[[^][]+\\])*$' then e'([\\\\.+(){}^$|])' else e'([][\\\\.+(){}^$|])' end,
                e'\\\\\\1', 'g'
            ), '[!', '[^'
        ), '*', '.*'), '?', '.') || '$'
$auditctl$;
revoke execute on function auditctl.target_pattern from public;
grant execute on function auditctl.target_pattern to auditctl_reader;
comment on function auditctl.target_pattern is 'The regular expression for a glob over targets: *, ?, [abc] and [!abc]';

create or replace function auditctl.kindred_targets(p_target text) returns setof text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive kin as (
        select p_target as target
        union
        select case when r.old_target = k.target then r.new_target else r.old_target end
        from kin as k
        join auditctl.rename as r on k.target in (r.old_target, r.new_target)
    )

    select k.target from kin as k
$auditctl$;
revoke execute on function auditctl.kindred_targets from public;
grant execute on function auditctl.kindred_targets to auditctl_reader;
comment on function auditctl.kindred_targets is 'A target and every other name that its table has ever had';

create or replace function auditctl.is_meant(p_glob text, p_target text) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select exists (
        select from auditctl.kindred_targets(p_target) as k (target) where k.target = p_glob or k.target ~ auditctl.target_pattern(p_glob)
    )
$auditctl$;
revoke execute on function auditctl.is_meant from public;
grant execute on function auditctl.is_meant to auditctl_reader;
comment on function auditctl.is_meant is 'Whether a name or glob matches a target, under any name that its table has ever had';

create or replace function auditctl.kept_since(p_target text) returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- The longest time that matches the target counts; for auditctl's own events the longest of all.
    select
        coalesce(
            min(
                case
                    when r.keep is null then '-infinity'::timestamptz
                    else (now() at time zone 'UTC' - r.keep::interval) at time zone 'UTC'
                end
            ) filter (where r.target = '*' or p_target like 'auditctl.%' or auditctl.is_meant(r.target, p_target)), '-infinity'
        )
    from auditctl.retention as r
    where (r.until is null or r.noticed_at is null or r.noticed_at > now() - auditctl.retention_grace())
        and exists (select from auditctl.retention as whole where whole.target = '*' and whole.until is null)
$auditctl$;
revoke execute on function auditctl.kept_since from public;
grant execute on function auditctl.kept_since to auditctl_reader;
comment on function auditctl.kept_since is 'The time since which a target''s events must be kept now; -infinity to keep all of them';

create or replace function auditctl_internal.upkeep_target(p_target text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if coalesce(p_target, '') = '' or octet_length(p_target) > 500 then
        raise exception 'a target has 1 to 500 bytes'
            using errcode = 'invalid_parameter_value', hint = 'Name a target such as billing.invoice, a glob over targets, or * for every event.';
    end if;
    -- It would match no event: only a table may have such a name, which has quotes then.
    if p_target <> btrim(p_target, e' \t\r\n\u00a0\u200b\u2060\ufeff') and not exists (select from auditctl.target as t where t.target = p_target) then
        raise exception 'the target has blanks at its start or end: %', to_json(p_target)
            using errcode = 'invalid_parameter_value', hint = 'Leave them out, or write a table''s name in quotes as in SQL.';
    end if;
    return auditctl.canonical_target(p_target);
end
$auditctl$;
comment on function auditctl_internal.upkeep_target is
    'The target that a hold or a retention time names, as events have it; raises for a text that no event could match';

create or replace function auditctl_internal.time_to_keep(p_keep text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    -- As auditctl.durations.parse_keep reads it.
    v_parts constant text[] := regexp_match(
        lower(p_keep collate "C"), e'^[ \t\r\n]*(?:forever|0*([1-9][0-9]{0,5})[ \t\r\n]*(day|week|month|year)s?)[ \t\r\n]*$'
    );
    v_keep constant text := v_parts[1] || ' ' || v_parts[2] || case when v_parts[1] <> '1' then 's' else '' end;
begin
    if p_keep is not null and v_parts is null then
        raise exception 'not a retention time: %', to_json(p_keep)
            using errcode = 'invalid_parameter_value', hint = 'Write days, weeks, months or years, such as 400 days, or forever.';
    end if;
    -- PostgreSQL's times start in 4713 BC.
    if v_keep::interval > interval '5000 years' then
        raise exception 'the retention time is too long: %', to_json(p_keep)
            using errcode = 'invalid_parameter_value', hint = 'To keep everything, write forever.';
    end if;
    return v_keep;
end
$auditctl$;
comment on function auditctl_internal.time_to_keep is 'A time that somebody wrote, as the store has it, such as 400 days; null for null and for forever; raises for any other text';

create or replace function auditctl.set_retention(p_target text, p_keep text) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_keep constant text := auditctl_internal.time_to_keep(p_keep);
    v_current auditctl.retention;
    v_target constant text := auditctl_internal.upkeep_target(p_target);
begin
    perform '' ~ auditctl.target_pattern(v_target);
    lock table auditctl.retention in share row exclusive mode;
    select r.* into v_current from auditctl.retention as r where r.target = v_target and r.until is null;
    if found and v_current.keep is not distinct from v_keep and (p_keep is not null or v_target = '*')
        or v_current.retention_id is null and p_keep is null and v_target <> '*'
    then
        return false;
    end if;
    if p_keep is not null and v_target <> '*' and not exists (
        select from auditctl_internal.known_targets('-infinity', 'infinity') as k (target) where auditctl.is_meant(v_target, k.target)
    ) then
        raise notice 'the log knows no target %', to_json(v_target)
            using hint = 'The time counts for events still to come. Targets are names such as billing.invoice, not labels.';
    end if;
    update auditctl.retention set until = now() where retention_id = v_current.retention_id;
    if p_keep is not null or v_target = '*' then
        insert into auditctl.retention (target, keep) values (v_target, v_keep);
    end if;
    return true;
end
$auditctl$;
revoke execute on function auditctl.set_retention from public;
grant execute on function auditctl.set_retention to auditctl_admin;
comment on function auditctl.set_retention is
    'Sets how long a target''s events are kept, such as 400 days or forever; null removes its own time. Returns whether anything changed';

create or replace function auditctl_internal.unnoticed() returns table (relation text, object text, reason text)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select 'auditctl.retention', r.target, format('Retention of %s is no longer %s.', r.target, coalesce(r.keep, 'forever'))
    from auditctl.retention as r
    where r.until is not null and r.noticed_at is null and r.ended_in is distinct from pg_current_xact_id_if_assigned()
    union all
    select 'auditctl.hold', h.hold_id::text, format('Hold %s was released.', h.hold_id)
    from auditctl.hold as h
    where h.released_at is not null and h.noticed_at is null and h.released_in is distinct from pg_current_xact_id_if_assigned()
$auditctl$;
comment on function auditctl_internal.unnoticed is 'The retention times and holds that were ended, and that upkeep has not seen so far';

create or replace function auditctl_internal.notice_ends() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_reasons constant jsonb := (select jsonb_agg(u.reason order by u.relation, u.object) from auditctl_internal.unnoticed() as u);
begin
    if v_reasons is null then
        return null;
    end if;
    update auditctl.retention set noticed_at = now()
    where until is not null and noticed_at is null and ended_in is distinct from pg_current_xact_id();
    update auditctl.hold set noticed_at = now()
    where released_at is not null and noticed_at is null and released_in is distinct from pg_current_xact_id();
    return jsonb_build_object('step', 'notice', 'partition', 'auditctl.retention', 'reasons', v_reasons, 'grace', auditctl.retention_grace());
end
$auditctl$;
comment on function auditctl_internal.notice_ends is
    'Records that upkeep has seen which retention times and holds were ended, from when on they count only for auditctl.retention_grace(); null for none';
