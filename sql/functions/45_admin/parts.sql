-- The typed parts from which an administrator's change of capture is built: names, words and rules. Nothing in them is SQL.

create or replace function auditctl_internal.require_sound_keys(p_keys jsonb) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_key text;
begin
    -- A rule's keys, and of which type their columns are: the row's type checks the rest.
    select k.key
    into v_key
    from jsonb_each(p_keys) as k
    -- A rule that does not state what it hides takes that from another; a capture always states it.
    where k.value = 'null' and (k.key not in ('label', 'exclude', 'mask') or not p_keys ? 'name' and k.key <> 'label')
        or jsonb_typeof(k.value) = 'array' and exists (
            select from jsonb_array_elements(k.value) as e where jsonb_typeof(e) <> 'string' or e = '""'
        )
        or jsonb_typeof(k.value) not in ('array', 'string', 'boolean', 'null') and k.key <> 'position'
    limit 1;
    if found then
        raise exception 'not a rule: %', v_key using errcode = 'invalid_parameter_value';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_sound_keys is 'Raises 22023 for a value that no key of a rule has, such as a list with a null';

create or replace function auditctl_internal.shared_columns() returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array_agg(c.attname::text order by c.attnum)
    from pg_attribute as c
    join pg_attribute as r on r.attname = c.attname
    where c.attrelid = 'auditctl.capture'::regclass and c.attnum > 0 and not c.attisdropped
        and r.attrelid = 'auditctl.rule'::regclass and r.attnum > 0 and not r.attisdropped
$auditctl$;
comment on function auditctl_internal.shared_columns() is 'The keys of a rule that decide how its tables are captured: columns of auditctl.capture and of auditctl.rule';

create or replace function auditctl_internal.require_capturable(p_relation oid) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name text;
    v_kind "char";
begin
    select auditctl.qualified(n.nspname, c.relname), c.relkind
    into v_name, v_kind
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_relation;
    if not found then
        raise exception 'there is no relation %', coalesce(p_relation::text, 'null') using errcode = 'undefined_table';
    end if;
    if v_kind not in ('r', 'p', 'f') or exists (
        select
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.oid = p_relation and (
            c.relpersistence = 't' or c.relowner = 'auditctl_owner'::regrole or auditctl_internal.is_system_schema(n.nspname)
        )
    ) then
        raise exception '% is not a table that can be audited', v_name using errcode = 'insufficient_privilege';
    end if;
    perform auditctl_internal.require_administrable(array[v_name]);
end
$auditctl$;
comment on function auditctl_internal.require_capturable is
    'Raises 42501 unless a relation is a table that administrators may audit: no system table, view or temporary table, none of the store';

create or replace function auditctl_internal.stated_capture(p_part jsonb) returns auditctl.capture
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation oid;
    v_keys jsonb;
    v_capture auditctl.capture;
    v_known auditctl.capture;
begin
    if jsonb_typeof(p_part -> 'relation') is distinct from 'number' then
        raise exception 'a capture needs the object id of its table' using errcode = 'invalid_parameter_value';
    end if;
    v_relation := (p_part ->> 'relation')::bigint::oid;
    perform auditctl_internal.require_capturable(v_relation);
    v_keys := (select jsonb_object_agg(k.key, k.value) from jsonb_each(p_part) as k where k.key = any (auditctl_internal.shared_columns()));
    if v_keys is null or not v_keys ?& auditctl_internal.shared_columns() then
        raise exception 'a capture needs every key of a rule' using errcode = 'invalid_parameter_value';
    end if;
    perform auditctl_internal.require_sound_keys(v_keys);
    v_capture := jsonb_populate_record(null::auditctl.capture, v_keys);
    v_capture.relation := v_relation;
    v_capture.target := auditctl_internal.registered_name(v_relation);
    v_capture.members := '{}';
    if v_capture.actions = '{}' or v_capture.actions && '{EVENT}' or v_capture.on_drop not in ('refuse', 'record') then
        raise exception 'not a rule of %', v_capture.target using errcode = 'invalid_parameter_value';
    end if;
    if exists (
        select
        from pg_partition_ancestors(v_relation) as ancestor (oid)
        join auditctl.capture as k on k.relation = ancestor.oid
        where ancestor.oid <> v_relation
    ) then
        raise exception '% is a partition of a table that is audited already', v_capture.target using errcode = 'invalid_parameter_value';
    end if;
    -- Reads are recorded by policies: only who may change the row security of a table may begin or end that.
    select k.* into v_known from auditctl.capture as k where k.relation = v_relation;
    if ('READ' = any (v_capture.actions)) is distinct from coalesce('READ' = any (v_known.actions), false)
        or (v_capture.read_query, v_capture.read_force) is distinct from (
            coalesce(v_known.read_query, false), coalesce(v_known.read_force, false)
        )
    then
        perform auditctl_internal.refuse_policies(v_capture.target);
    end if;
    return v_capture;
end
$auditctl$;
comment on function auditctl_internal.stated_capture is
    'How an administrator wants a table captured, given its object id and the keys of a rule; raises where that is not for administrators, or is no rule';

create or replace function auditctl_internal.refuse_policies(p_target text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    raise exception 'administrators may not begin or end the recording of reads of %, which is a matter of its row security', p_target
        using errcode = 'insufficient_privilege',
            hint = 'Use a superuser, or the login that ran `auditctl install`.';
end
$auditctl$;
comment on function auditctl_internal.refuse_policies is 'Raises 42501 about the policies that record reads';

create or replace function auditctl_internal.require_reachable(p_relation oid) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_targets constant text[] := array(select k.target from auditctl.capture as k where p_relation = any (k.relation::oid || k.members::oid[]));
    v_above oid;
begin
    -- A partition or child counts as the table that it is audited through.
    if v_targets <> '{}' then
        perform auditctl_internal.require_administrable(v_targets);
        return;
    end if;
    with recursive above as (
        select p_relation as relation
        union
        select i.inhparent from above as a join pg_inherits as i on i.inhrelid = a.relation
    )

    select a.relation
    into v_above
    from above as a
    where a.relation <> p_relation and auditctl_internal.is_administrable(auditctl_internal.registered_name(a.relation))
    limit 1;
    perform auditctl_internal.require_capturable(coalesce(v_above, p_relation));
end
$auditctl$;
comment on function auditctl_internal.require_reachable is
    'Raises 42501 unless administrators may change the capture of a table, or of one that it is a partition or child of';

create or replace function auditctl_internal.require_stoppable(p_relations oid[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation oid;
begin
    foreach v_relation in array p_relations loop
        if exists (select from auditctl.read_site as s where v_relation in (s.relation::oid, s.root::oid)) then
            perform auditctl_internal.refuse_policies(coalesce(auditctl_internal.registered_name(v_relation), v_relation::text));
        end if;
        perform auditctl_internal.require_reachable(v_relation);
    end loop;
end
$auditctl$;
comment on function auditctl_internal.require_stoppable is 'Raises 42501 unless administrators may end the capture of these relations';
