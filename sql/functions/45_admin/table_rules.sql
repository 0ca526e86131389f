-- How a migration states the rule of a table, by one statement that can stand in a script: the rule, and its capture with it.

create or replace function auditctl_internal.concerned_tables(p_name text) returns oid[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_parts constant text[] := auditctl_internal.name_parts(p_name);
    v_tables oid[] := array[auditctl_internal.named_relation(p_name)];
begin
    if auditctl_internal.is_glob(p_name) then
        v_tables := array(
            select c.oid
            from pg_class as c
            join pg_namespace as n on n.oid = c.relnamespace
            cross join auditctl_internal.name_parts(auditctl.qualified(n.nspname, c.relname)) as own
            where c.relkind in ('r', 'p', 'f') and not auditctl_internal.is_system_schema(n.nspname)
                and auditctl_internal.part_covers(v_parts[1], own[1]) and auditctl_internal.part_covers(v_parts[2], own[2])
        );
    end if;
    return array(select r.oid from auditctl_internal.related_relations(array_remove(v_tables, null)) as r (oid) order by r.oid);
end
$auditctl$;
comment on function auditctl_internal.concerned_tables is 'The tables that a name or glob matches, with their parents, partitions and children; for a glob without those of PostgreSQL and auditctl';

create or replace function auditctl_internal.due_captures(p_relations oid[]) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select
            coalesce(
                jsonb_agg(
                    to_jsonb(rule) || jsonb_build_object(
                        'relation', c.oid::bigint, 'exclude', coalesce(rule.exclude, '{}'), 'mask', coalesce(rule.mask, '{}'),
                        'target', auditctl.qualified(n.nspname, c.relname)
                    ) order by c.oid
                ), '[]'
            )
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        cross join lateral auditctl_internal.rule_in_force(n.nspname, c.relname) as rule
        where c.oid = any (p_relations) and c.relkind in ('r', 'p', 'f') and c.relpersistence <> 't' and rule.actions <> '{}'
            and not auditctl_internal.is_system_schema(n.nspname)
            -- As join_tables decides it.
            and (rule.name = auditctl.qualified(n.nspname, c.relname) or not exists (
                select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.objsubid = 0 and d.deptype = 'e'
            ))
            and not ((c.relispartition or rule.name <> auditctl.qualified(n.nspname, c.relname)) and exists (
                select from auditctl_internal.ancestors(c.oid) as a where (auditctl_internal.table_rule(a)).actions <> '{}'
            ))
    );
end
$auditctl$;
comment on function auditctl_internal.due_captures is
    'How the stored rules want tables captured, each by its object id, target and keys; not those that are captured through a parent, or that no rule covers';

create or replace function auditctl_internal.cover(p_relations oid[], p_targets text[] default '{}') returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_due constant jsonb := auditctl_internal.due_captures(p_relations);
    v_covered constant oid[] := array(select (d ->> 'relation')::oid from jsonb_array_elements(v_due) as d);
    v_stopped constant oid[] := array(
        select unnest(k.relation::oid || k.members::oid[])
        from auditctl.capture as k
        where k.relation::oid = any (p_relations) and k.relation::oid <> all (v_covered)
    );
    v_functions constant text[] := array(
        select distinct p.proname
        from pg_trigger as t
        join pg_proc as p on p.oid = t.tgfoid
        where t.tgrelid = any (p_relations) and p.pronamespace = 'auditctl_triggers'::regnamespace
    );
    v_changed jsonb;
begin
    -- Others that are related need not be administrable.
    select coalesce(jsonb_agg(d order by (d ->> 'relation')::bigint), '[]')
    into v_changed
    from jsonb_array_elements(v_due) as d
    left join auditctl.capture as k on k.relation = (d ->> 'relation')::oid
    where d ->> 'target' = any (p_targets) or k.relation is null
        or to_jsonb(k) <> to_jsonb(k) || (select jsonb_object_agg(s, d -> s) from unnest(auditctl_internal.shared_columns()) as s);
    perform auditctl.change_capture(v_changed, v_stopped, null, v_functions);
    if v_stopped <> '{}' and v_covered <> '{}' then
        -- A child without a rule of its own is a member of its parent from now on.
        perform auditctl.change_capture(v_due, '{}', null, v_functions);
    end if;
end
$auditctl$;
comment on function auditctl_internal.cover is 'Makes the capture of these tables what the stored rules say, also of the named ones if their rules are the same';

create or replace function auditctl_internal.lock_tables(p_relations oid[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation oid;
begin
    -- Tables come before rows, as in DDL.
    foreach v_relation in array p_relations loop
        perform auditctl_internal.borrow('lock', v_relation, 'access share');
    end loop;
end
$auditctl$;
comment on function auditctl_internal.lock_tables is 'Keeps these tables from being changed by DDL of other sessions until the transaction ends';

create or replace function auditctl_internal.begin_rule(
    p_table text, p_schemas name[], out name text, out relation oid, out relations oid[]
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform auditctl.lock_rules();
    name := auditctl_internal.rule_name(p_table, p_schemas);
    relation := auditctl_internal.named_relation(name);
    relations := auditctl_internal.concerned_tables(name);
    perform auditctl_internal.require_administrable(array[name]);
    perform auditctl_internal.lock_tables(relations);
    perform auditctl_internal.follow_tables(relations);
end
$auditctl$;
comment on function auditctl_internal.begin_rule is
    'What comes before the rule of a table or glob changes: locks, rights, and capture in step; returns its name, its table, and all tables that it concerns';

create or replace function auditctl.audit_table(
    p_table text, p_rule jsonb default '{}', p_before text default null, p_is_restored boolean default false,
    p_schemas name[] default null
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
declare
    v_name text;
    v_relation oid;
    v_relations oid[];
    v_stated jsonb;
    v_rule auditctl.rule;
    v_missing text[];
begin
    select b.name, b.relation, b.relations into v_name, v_relation, v_relations from auditctl_internal.begin_rule(p_table, p_schemas) as b;
    v_stated := auditctl_internal.stated_rule(v_name, p_rule);
    v_rule := jsonb_populate_record(null::auditctl.rule, v_stated);
    if p_is_restored and v_relation is not null then
        -- Of columns that are to be added again, hidden ones are hidden as soon as they are there.
        v_missing := auditctl_internal.pick_names(coalesce(v_rule.exclude, '{}') || coalesce(v_rule.mask, '{}') || v_rule.key, auditctl_internal.column_names(v_relation), false);
        v_stated := v_stated || jsonb_build_object(
            'exclude', case when v_rule.exclude is not null then auditctl_internal.pick_names(v_rule.exclude, v_missing, false) end,
            'mask', case when v_rule.mask is not null then auditctl_internal.pick_names(v_rule.mask, v_missing, false) end,
            'key', case when v_rule.key && v_missing then '{}' else v_rule.key end
        );
    end if;
    perform auditctl_internal.require_fitting_rule(jsonb_populate_record(null::auditctl.rule, v_stated), v_relation);
    perform auditctl_internal.write_rules(auditctl_internal.rules_with(v_stated, auditctl.canonical_target(p_before)));
    perform auditctl_internal.cover(v_relations, array[v_name]);
    if v_missing <> '{}' then
        update auditctl.capture
        set
            former_exclude = auditctl_internal.pick_names(v_rule.exclude, v_missing, true),
            former_mask = auditctl_internal.pick_names(v_rule.mask, v_missing, true)
        where relation = v_relation;
    end if;
end
$auditctl$;
revoke execute on function auditctl.audit_table from public;
grant execute on function auditctl.audit_table to auditctl_admin;
comment on function auditctl.audit_table is
    'States the rule of a table or glob and begins, changes or ends capture at once, in this transaction: the keys of the rule that differ from the default; the glob that it comes before; whether columns that it hides may be added later; the schemas to look in';

create or replace function auditctl.unaudit_table(p_table text, p_schemas name[] default null) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
declare
    v_name text;
    v_relation oid;
    v_relations oid[];
    v_rules jsonb;
    v_glob text;
begin
    select b.name, b.relation, b.relations into v_name, v_relation, v_relations from auditctl_internal.begin_rule(p_table, p_schemas) as b;
    if not exists (select from auditctl.rule as r where r.name = v_name) then
        v_glob := (auditctl_internal.table_rule(v_relation)).name;
        if v_glob is null then
            raise notice '% is not audited', v_name;
            return;
        end if;
        raise exception '% has no rule of its own: % covers it', v_name, v_glob
            using errcode = 'invalid_parameter_value', hint = 'To leave the table out, audit it with an empty list of actions.';
    end if;
    select coalesce(jsonb_agg(to_jsonb(r) - '{set_by,set_at}'::text[]), '[]') into v_rules from auditctl.rule as r where r.name <> v_name;
    perform auditctl_internal.write_rules(v_rules);
    perform auditctl_internal.cover(v_relations);
end
$auditctl$;
revoke execute on function auditctl.unaudit_table from public;
grant execute on function auditctl.unaudit_table to auditctl_admin;
comment on function auditctl.unaudit_table is
    'Removes the rule of a table or glob, in this transaction: another rule that matches covers the table from now on, or capture ends and the log stays';

create or replace function auditctl.release_table(p_table text, p_reason text, p_schemas name[] default null) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name constant text := auditctl_internal.rule_name(p_table, p_schemas);
begin
    if auditctl_internal.audited_through(auditctl_internal.named_relation(v_name)) is not null then
        perform auditctl.release(v_name, p_reason);
    end if;
end
$auditctl$;
revoke execute on function auditctl.release_table from public;
grant execute on function auditctl.release_table to auditctl_admin;
comment on function auditctl.release_table is
    'As auditctl.release, for a migration that drops a table wherever it runs: does nothing where no rule covers the table';
