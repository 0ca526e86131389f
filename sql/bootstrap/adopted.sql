-- Repairs the rows of a restored store. Runs as auditctl_owner, at the end of an adoption.

do $auditctl$
declare
    v_table text;
    v_column record;
    v_largest bigint;
    v_number bigint;
    v_steps jsonb := '[]';
begin
    -- A restore of data alone puts the dumped row beside that of install: the older one is the dumped one.
    delete from auditctl.log_key as k where k.ctid <> (select o.ctid from auditctl.log_key as o order by o.made_at, o.ctid limit 1);
    get diagnostics v_number = row_count;
    delete from auditctl.capture_change as k where k.ctid <> (select o.ctid from auditctl.capture_change as o order by o.ctid limit 1);
    delete from auditctl.import_horizon as k where k.ctid <> (select o.ctid from auditctl.import_horizon as o order by o.pruned_before desc, o.ctid limit 1);
    if v_number > 0 then
        v_steps := v_steps || to_jsonb('second key for lines in the server''s log removed'::text);
    end if;
    -- What was restored without its tables, and object ids of another database.
    delete from auditctl.read_site as s where not exists (select from pg_class as c where c.oid = s.relation);
    delete from auditctl.capture as k where not exists (select from pg_class as c where c.oid = k.relation);
    get diagnostics v_number = row_count;
    if v_number > 0 then
        v_steps := v_steps || to_jsonb(format('capture forgotten of tables that were not restored: %s', v_number));
    end if;
    update auditctl.capture set detached = '{}', being_changed_by = null where detached <> '{}' or being_changed_by is not null;
    if coalesce(current_setting('auditctl.is_same_cluster', true), '') <> 'true' then
        update auditctl.saved_view as v set owner_id = r.oid from pg_roles as r where r.rolname = v.owner and r.oid <> v.owner_id;
    end if;
    -- Numbers of this cluster's transactions begin anew: upkeep counts all of them again.
    delete from auditctl.transaction_count;
    perform auditctl_internal.prune_views();
    for v_column in
        select c.oid::regclass as relation, a.attname as name, pg_get_serial_sequence(c.oid::regclass::text, a.attname)::regclass as sequence
        from pg_class as c
        join pg_attribute as a on a.attrelid = c.oid and a.attidentity <> '' and not a.attisdropped
        where c.relnamespace = 'auditctl'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        order by 1
    loop
        execute format('select max(%I) from %s', v_column.name, v_column.relation) into v_largest;
        execute format('select case when is_called then last_value else 0 end from %s', v_column.sequence) into v_number;
        if v_largest > v_number then
            perform setval(v_column.sequence, v_largest);
            v_steps := v_steps || to_jsonb(format('numbers of %s go on after %s', v_column.relation, v_largest));
        end if;
    end loop;
    perform set_config('auditctl.steps', (coalesce(nullif(current_setting('auditctl.steps', true), ''), '[]')::jsonb || v_steps)::text, true);
end
$auditctl$;
