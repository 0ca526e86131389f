-- The state that the coverage guard compares with: columns and rules at the last change of capture.

create or replace function auditctl_internal.current_columns(p_root oid, p_members regclass[]) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select
            jsonb_object_agg(
                auditctl_internal.registered_name(site.relation), (
                    select
                        coalesce(
                            jsonb_object_agg(
                                a.attnum, jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid))
                            ), '{}'
                        )
                    from pg_attribute as a
                    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
                    where a.attrelid = site.relation and a.attnum > 0 and not a.attisdropped
                )
            )
        from unnest(p_root || p_members::oid[]) as site (relation)
        join pg_class as c on c.oid = site.relation
        where site.relation = p_root or not c.relispartition
    );
end
$auditctl$;
comment on function auditctl_internal.current_columns is
    'The columns of the table and of each child by number, each with name, type and default';

create or replace function auditctl_internal.table_identity(p_relation oid) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select format(
            '%s %s %s', case
                when has_function_privilege('pg_control_system()', 'execute') then (select c.system_identifier from pg_control_system() as c)
            end, d.oid, p_relation
        )
        from pg_database as d
        where d.datname = current_database()
    );
end
$auditctl$;
comment on function auditctl_internal.table_identity is 'The physical table: cluster, database and object id';

create or replace function auditctl_internal.has_same_numbers(p_capture auditctl.capture) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        -- A dump numbers columns anew if one was dropped. pg_upgrade preserves all numbers, but not the cluster's identifier.
        select coalesce(
            p_capture.columns_of = auditctl_internal.table_identity(p_capture.relation)
            or split_part(p_capture.columns_of, ' ', 3) = p_capture.relation::oid::text and auditctl_internal.displacement() is null, false
        )
    );
end
$auditctl$;
comment on function auditctl_internal.has_same_numbers is
    'Whether the numbers in auditctl.capture.columns are those of the table: it is physically the same as when they were stored';

create or replace function auditctl_internal.digest(p_text text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return encode(sha256(convert_to(p_text, getdatabaseencoding())), 'hex');
end
$auditctl$;
comment on function auditctl_internal.digest is 'The SHA-256 of a text''s bytes, in hexadecimal digits';

create or replace function auditctl_internal.current_rules(p_root oid, p_members regclass[]) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
begin
    return (
        select
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'name', r.rulename, 'event', r.ev_type, 'fires', r.ev_enabled,
                        -- The text with the relations that it names now: another table may have taken a name.
                        'text', auditctl_internal.digest(
                            concat_ws(' ', pg_get_ruledef(r.oid), (
                                select string_agg(distinct d.refobjid::text, ' ')
                                from pg_depend as d
                                where d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
                            ))
                        ),
                        'tree', auditctl_internal.digest(concat_ws(' ', r.ev_class, r.ev_qual, r.ev_action))
                    )
                    order by r.ev_class, r.rulename
                ), '[]'
            )
        from pg_rewrite as r
        where r.ev_class = any (p_root || p_members::oid[]) and r.is_instead and r.ev_type in ('2', '3', '4') and r.ev_enabled <> 'D'
    );
end
$auditctl$;
comment on function auditctl_internal.current_rules is
    'The INSTEAD rules that divert writes from the table, and so from its triggers: name, event (2 update, 3 insert, 4 delete), when it fires, and digests of its text and of its tree in the catalog';

create or replace function auditctl_internal.new_rules(p_before jsonb, p_now jsonb) returns setof text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return query
    -- A rule that was renamed, or whose text changed because what it names was renamed, has the same tree; after an upgrade
    -- of the server, it has the same text.
    select now.name
    from jsonb_to_recordset(p_now) as now (name text, event text, fires text, "text" text, tree text)
    cross join lateral (
        select count(*) as of_event, coalesce(bool_or(
            before.fires in (now.fires, 'A') and (before.tree = now.tree or before.text = now.text)
        ), false) as has_this
        from jsonb_to_recordset(p_before) as before (event text, fires text, "text" text, tree text)
        where before.event = now.event
    ) as known
    cross join lateral (
        select count(*) as of_event
        from jsonb_to_recordset(p_now) as other (event text)
        where other.event = now.event
    ) as present
    where not known.has_this or present.of_event > known.of_event
    order by known.has_this, now.name;
end
$auditctl$;
comment on function auditctl_internal.new_rules is
    'The names of the rules among p_now that p_before, an earlier result of auditctl_internal.current_rules, lacks or has with another content';

create or replace function auditctl_internal.key_index_names(p_root oid, p_members regclass[]) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return array(
        select k.name from auditctl_internal.key_indexes(p_root || p_members::oid[]) as k where not k.is_primary order by k.name
    );
end
$auditctl$;
comment on function auditctl_internal.key_index_names is 'The unique indexes of a table and its members that may identify rows: to drop one may change a key';

create or replace function auditctl_internal.table_shape(p_root oid, p_members regclass[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_sites constant oid[] := p_root || p_members::oid[];
    -- A partition is recorded by the functions of its root, which are generated from the root's columns.
    v_roots oid[] := array[p_root];
    v_shape text;
begin
    if p_members <> '{}' then
        v_roots := array(select c.oid from pg_class as c where c.oid = any (v_sites) and (c.oid = p_root or not c.relispartition));
    end if;
    select string_agg(fact.fact, ';' order by fact.fact collate "C")
    into v_shape
    from (
        select format(
            'table %s %I.%I %s %s %s %s', c.oid, n.nspname, c.relname, c.relkind, c.relowner, c.relispartition,
            case when c.oid = p_root then pg_partition_root(c.oid) end
        )
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.oid = any (v_sites)
        union all
        select format('parent %s %s', i.inhrelid, i.inhparent) from pg_inherits as i where i.inhrelid = any (v_sites)
        union all
        select format(
            'column %s %s %I %s %s %s %s %s', a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attgenerated,
            a.attisdropped
        )
        from pg_attribute as a
        where a.attrelid = any (v_roots) and a.attnum > 0
        union all
        select format('default %s %s', d.adrelid, d.oid) from pg_attrdef as d where d.adrelid = any (v_roots)
        union all
        select format('key %s %s %s %s', k.relation, k.name, k.columns, k.rank)
        from auditctl_internal.key_indexes(v_roots) as k
        union all
        -- A row of the catalog that was changed has another xmin or, in the same transaction, another ctid.
        select format('rule %s %s %s', r.oid, r.xmin, r.ctid) from pg_rewrite as r where r.ev_class = any (v_sites)
    ) as fact (fact);
    return auditctl_internal.digest(v_shape);
end
$auditctl$;
comment on function auditctl_internal.table_shape is
    'A digest of what capture depends on in a table and its members: while it is the same, so is what the functions of capture should be';

create or replace function auditctl_internal.trigger_shape(p_root oid, p_members regclass[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_sites constant oid[] := p_root || p_members::oid[];
    v_shape text;
begin
    -- A row of the catalog that was changed has another xmin or, in the same transaction, another ctid.
    select string_agg(fact.fact, ';' order by fact.fact collate "C")
    into v_shape
    from (
        select format('trigger %s %s %s %s %s %s', t.tgrelid, t.tgname, t.xmin, t.ctid, p.xmin, p.ctid)
        from pg_trigger as t
        -- A partition's clone calls the function of its root's trigger.
        left join pg_proc as p on p.oid = t.tgfoid and t.tgparentid = 0
        where t.tgrelid = any (v_sites) and t.tgname ^@ 'auditctl_'
        union all
        select format('policy %s %s %s', p.oid, p.xmin, p.ctid) from pg_policy as p where p.polrelid = any (v_sites)
        union all
        select format('security %s %s %s', c.oid, c.relrowsecurity, c.relforcerowsecurity) from pg_class as c where c.oid = any (v_sites)
    ) as fact (fact);
    return auditctl_internal.digest(v_shape);
end
$auditctl$;
comment on function auditctl_internal.trigger_shape is
    'A digest of what capture itself has on a table and its members: while it is the same, triggers, functions and policies are as they were';

create or replace function auditctl_internal.current_shape(p_root oid, p_members regclass[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return auditctl_internal.table_shape(p_root, p_members) || auditctl_internal.trigger_shape(p_root, p_members);
end
$auditctl$;
comment on function auditctl_internal.current_shape is
    'What auditctl.capture.shape has for the present state of a table and its members';

create or replace function auditctl_internal.begin_change(p_relations regclass[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    update auditctl.capture_change set changed_at = clock_timestamp();
    update auditctl.capture set being_changed_by = pg_current_xact_id()
    where relation::oid in (select auditctl_internal.related_relations(p_relations::oid[]));
$auditctl$;
comment on function auditctl_internal.begin_change is
    'Begins a change of capture on these relations: the guard ignores them until auditctl_internal.end_change in the same transaction';

create or replace function auditctl_internal.end_change() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
    with present as (
        select k.relation, auditctl_internal.current_members(k.relation) as members
        from auditctl.capture as k
        join pg_class as c on c.oid = k.relation
        where k.being_changed_by = pg_current_xact_id()
    )

    update auditctl.capture as k
    set
        members = present.members,
        columns = auditctl_internal.current_columns(present.relation, present.members),
        columns_of = auditctl_internal.table_identity(present.relation),
        rules = auditctl_internal.current_rules(present.relation, present.members),
        key_indexes = auditctl_internal.key_index_names(present.relation, present.members),
        shape = auditctl_internal.current_shape(present.relation, present.members),
        detached = '{}',
        being_changed_by = null
    from present
    where present.relation = k.relation;
    -- A table that was not locked, for want of a privilege, may have been dropped meanwhile.
    delete from auditctl.capture where being_changed_by = pg_current_xact_id();
$auditctl$;
comment on function auditctl_internal.end_change is 'Ends a change of capture: stores the present state of the tables, with which the guard compares';
