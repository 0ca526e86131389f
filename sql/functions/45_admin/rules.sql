-- How administrators change stored rules, and the types of business events.

create or replace function auditctl_internal.require_same_order(p_new auditctl.rule[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if array(
        select r.name from auditctl.rule as r where not auditctl_internal.is_administrable(r.name) order by r.position, r.name
    ) is distinct from array(
        select r.name from unnest(p_new) as r where not auditctl_internal.is_administrable(r.name) order by r.position, r.name
    ) then
        raise exception 'administrators may not add, remove or reorder the rules of other tables' using errcode = 'insufficient_privilege';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_same_order is 'Raises 42501 unless the rules outside of the limit of administrators are the stored ones, in their order';

create or replace function auditctl_internal.write_rules(p_rules jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_part jsonb;
    v_rule auditctl.rule;
    v_rules auditctl.rule[] := '{}';
    v_columns constant text[] := array(
        select a.attname from pg_attribute as a
        where a.attrelid = 'auditctl.rule'::regclass and a.attnum > 0 and not a.attisdropped and a.attname not in ('set_by', 'set_at')
    );
    v_list constant text := (select string_agg(quote_ident(c), ', ') from unnest(v_columns) as c);
    v_new constant text := (select string_agg('excluded.' || quote_ident(c), ', ') from unnest(v_columns) as c);
    v_known constant text := (select string_agg('known.' || quote_ident(c), ', ') from unnest(v_columns) as c);
begin
    for v_part in select p from jsonb_array_elements(p_rules) as p loop
        perform auditctl_internal.require_sound_keys(v_part);
        if not v_part ?& v_columns or (select count(*) from jsonb_object_keys(v_part)) <> cardinality(v_columns) then
            raise exception 'a rule needs every key, and no other' using errcode = 'invalid_parameter_value';
        end if;
        v_rule := jsonb_populate_record(null::auditctl.rule, v_part || jsonb_build_object('set_by', session_user, 'set_at', now()));
        v_rules := v_rules || v_rule;
        continue when exists (
            select from auditctl.rule as r
            where r.name = v_rule.name and to_jsonb(r) - '{set_by,set_at,position}'::text[] = to_jsonb(v_rule) - '{set_by,set_at,position}'::text[]
        );
        perform auditctl_internal.require_administrable(array[v_rule.name]);
        if (auditctl_internal.name_parts(v_rule.name))[1] ~ '^(pg_.*|information_schema|auditctl|auditctl_(internal|triggers|guard))$'
            or octet_length(v_rule.name) > 400 or octet_length(v_rule.label) > 10000
        then
            raise exception 'not a rule: %', left(v_rule.name, 100) using errcode = 'invalid_parameter_value';
        end if;
    end loop;
    if (select count(distinct r.name) from unnest(v_rules) as r) <> cardinality(v_rules) then
        raise exception 'two rules have the same name' using errcode = 'invalid_parameter_value';
    end if;
    perform auditctl_internal.require_same_order(v_rules);
    delete from auditctl.rule as r where r.name not in (select n.name from unnest(v_rules) as n);
    execute format(
        'insert into auditctl.rule as known (%1$s, set_by, set_at) select %1$s, session_user, now() from unnest($1) '
        'on conflict (name) do update set (%1$s, set_by, set_at) = row(%2$s, session_user, now()) where row(%3$s) is distinct from row(%2$s)',
        v_list, v_new, v_known
    )
    using v_rules;
end
$auditctl$;
comment on function auditctl_internal.write_rules is
    'Makes the stored rules those given, as an administrator may: rules outside of the limit must be as they are';

create or replace function auditctl_internal.write_event_types(p_types jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if exists (select from auditctl.administration) and not pg_has_role(session_user, 'auditctl_owner', 'MEMBER') then
        raise exception 'administrators who are limited to tables may not change the types of business events'
            using errcode = 'insufficient_privilege';
    end if;
    delete from auditctl.event_type as t
    where t.name not in (select n.name from jsonb_to_recordset(p_types) as n (name text) where n.name is not null);
    insert into auditctl.event_type as known (name, label, enabled)
    select n.name, n.label, n.enabled
    from jsonb_to_recordset(p_types) as n (name text, label text, enabled boolean)
    on conflict (name) do update
    set (label, enabled, set_by, set_at) = row(excluded.label, excluded.enabled, session_user, now())
    where (known.label, known.enabled) is distinct from (excluded.label, excluded.enabled);
end
$auditctl$;
comment on function auditctl_internal.write_event_types is 'Makes the stored types of business events those given; not for administrators who are limited to tables';
