-- What the coverage guard runs as a superuser to take new tables in, after guard.sql and as that runs: it reads the rows that
-- a table is created with, and makes way for capture triggers that a command creates.

do $auditctl$
begin
    if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user) then
        return;
    end if;
    create unlogged table if not exists auditctl_guard.aside (
        xact xid8 not null, relation regclass not null, trigger name not null, constraint aside_pkey primary key (xact, relation, trigger)
    );
    comment on table auditctl_guard.aside is 'Capture triggers that have another name while a command creates one of their name; others see no row';
    comment on column auditctl_guard.aside.xact is 'The transaction';
    comment on column auditctl_guard.aside.relation is 'The table';
    comment on column auditctl_guard.aside.trigger is 'The trigger''s own name';
    execute pg_catalog.format('alter table auditctl_guard.aside owner to %I', session_user);

    execute $function$
create or replace function auditctl_guard.read_new_rows(p_relation regclass) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $body$
-- auditctl_owner may not read the table, and a grant would show in its privileges. So a superuser reads the rows, and
-- nothing else: the table is one that a query created, with no default, check, policy or generated column.
declare
    v_row text := 'r';
    v_name text;
    v_pages bigint;
    v_step bigint;
begin
    if not exists (
        select
        from pg_event_trigger_ddl_commands() as command
        join pg_class as c on command.classid = 'pg_class'::regclass and c.oid = command.objid
        where c.oid = p_relation and command.command_tag in ('CREATE TABLE AS', 'SELECT INTO') and c.relkind = 'r' and not c.relrowsecurity
    ) then
        raise exception '% was not created by this command', p_relation using errcode = 'insufficient_privilege';
    end if;
    perform auditctl_guard.require_owners_rights('auditctl_internal.record_new_rows(regclass, anyarray)');
    -- The query finds the table by its name: another table or view of that name would run its owner's code. The command has
    -- the table to itself, and with this lock nobody renames its schema either.
    perform from pg_namespace as n join pg_class as c on c.relnamespace = n.oid where c.oid = p_relation for key share of n;
    select format('%I.%I', n.nspname, c.relname)
    into v_name
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_relation;
    if to_regclass(v_name) is distinct from p_relation then
        raise exception '% was renamed meanwhile', v_name using errcode = 'serialization_failure', hint = 'Try again.';
    end if;
    -- A column of the name would be meant, and not the row.
    while exists (select from pg_attribute as a where a.attrelid = p_relation and a.attname = v_row) loop
        v_row := v_row || '_';
    end loop;
    -- About 8 MB at a time.
    v_pages := pg_relation_size(p_relation) / current_setting('block_size')::bigint;
    v_step := greatest(1, 8388608 * v_pages / greatest(pg_table_size(p_relation), 1));
    for v_page in 0..v_pages - 1 by v_step loop
        execute format(
            'select auditctl_internal.record_new_rows($1, array(select %1$I from only %2$s as %1$I where %1$I.ctid >= $2 and %1$I.ctid < $3))',
            v_row, v_name
        )
        using p_relation, format('(%s,0)', v_page)::tid, format('(%s,0)', v_page + v_step)::tid;
    end loop;
end
$body$
    $function$;
    comment on function auditctl_guard.read_new_rows(regclass) is
        'Passes the rows that a table was created with to auditctl_internal.record_new_rows. Only for use in an event trigger';

    execute $function$
create or replace function auditctl_guard.audited_table(p_name text, p_schemas name[]) returns regclass
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_parts text[];
begin
    v_parts := parse_ident(p_name);
    return (
        select c.oid::regclass
        from unnest(case cardinality(v_parts) when 1 then p_schemas else array[v_parts[1]::name] end) with ordinality as s (name, position)
        -- Found by both: tenants have hundreds of tables of one name.
        cross join lateral (select n.oid from pg_namespace as n where n.nspname = s.name offset 0) as n
        join pg_class as c on c.relname = v_parts[cardinality(v_parts)] and c.relnamespace = n.oid
        where c.relhastriggers and (
            exists (select from auditctl.capture as k where k.relation = c.oid::regclass and k.being_changed_by is null)
            or exists (select from auditctl.capture as k where c.oid = any (k.members::oid[]) and k.being_changed_by is null)
        )
        order by s.position
        limit 1
    );
exception when invalid_parameter_value then
    return null;
end
$body$
    $function$;
    comment on function auditctl_guard.audited_table(text, name[]) is
        'The table with capture triggers of its own that a name means in these schemas; null if there is none';

    execute $function$
create or replace function auditctl_guard.put_aside(p_relation regclass, p_trigger text, p_parent regclass) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_target text;
    v_trigger record;
    v_renamed auditctl_guard.aside[];
begin
    -- Only a command that ends, and puts them back, makes way.
    perform from pg_event_trigger_ddl_commands();
    if to_regprocedure('auditctl_internal.displacement()') is null or auditctl_internal.displacement() is not null then
        return;
    end if;
    -- Whoever calls this has the table to himself already, and gains nothing: under the other name the triggers fire as before.
    if not exists (
        select from pg_locks as l where l.pid = pg_backend_pid() and l.relation = p_relation and l.mode = 'AccessExclusiveLock' and l.granted
        union all
        select from pg_class as c where c.oid = p_relation and c.relkind = 'f' and pg_has_role(session_user, c.relowner, 'MEMBER')
    ) then
        raise exception '% is not locked', p_relation using errcode = 'insufficient_privilege';
    end if;
    -- One with a rule of its own cannot become a part of another. PostgreSQL would name the trigger that is in the way.
    v_target := (
        select k.target from auditctl.capture as k join auditctl.rule as r on r.name = k.target where p_trigger is null and k.relation = p_relation
    );
    if exists (
        select from pg_trigger as own join pg_trigger as parents on parents.tgname = own.tgname
        where v_target is not null and own.tgrelid = p_relation and parents.tgrelid = p_parent
            and own.tgname in ('auditctl_create', 'auditctl_update', 'auditctl_delete')
    ) then
        raise exception '% cannot become a partition of %: both are audited, and it has a rule of its own', p_relation, p_parent
            using errcode = 'UA003', hint = format(
                'An administrator must first run: %s. Then %s records its rows.', auditctl_internal.command_line('disable', v_target), p_parent
            );
    end if;
    update auditctl.capture set being_changed_by = pg_current_xact_id()
    where being_changed_by is null and (relation = p_relation or p_relation::oid = any (members::oid[]))
        and (p_trigger is not null or not exists (select from auditctl.rule as r where r.name = target));
    if not found then
        return;
    end if;
    for v_trigger in
        with recursive own as (
            select t.oid, t.tgrelid, t.tgname
            from pg_trigger as t
            join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = to_regnamespace('auditctl_triggers')
            where t.tgrelid = p_relation and t.tgparentid = 0 and t.tgname = coalesce(p_trigger, t.tgname)
                and t.tgname in ('auditctl_create', 'auditctl_update', 'auditctl_delete', 'auditctl_truncate')
            union all
            -- Before 15, a clone does not get the name with the trigger that it was cloned from.
            select t.oid, t.tgrelid, t.tgname
            from own
            join pg_trigger as t on t.tgparentid = own.oid
            where current_setting('server_version_num')::integer < 150000
        )

        select own.tgrelid::regclass as relation, own.tgname as trigger from own
    loop
        execute format('alter trigger %I on %s rename to %I', v_trigger.trigger, v_trigger.relation, v_trigger.trigger || '_aside');
        -- Not before: the end of that command would put them back.
        v_renamed := v_renamed || row(pg_current_xact_id(), v_trigger.relation, v_trigger.trigger)::auditctl_guard.aside;
    end loop;
    insert into auditctl_guard.aside select r.* from unnest(v_renamed) as r;
    update auditctl.capture set being_changed_by = null
    where being_changed_by = pg_current_xact_id() and (relation = p_relation or p_relation::oid = any (members::oid[]));
end
$body$
    $function$;
    comment on function auditctl_guard.put_aside(regclass, text, regclass) is
        'Gives the capture triggers of a table, or one of them, another name until the end of the command, which creates one of that name; raises UA003 for a table with a rule of its own that becomes a partition of this parent';

    execute $function$
create or replace function auditctl_guard.put_back() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_relations constant oid[] := array(select distinct a.relation::oid from auditctl_guard.aside as a where a.xact = pg_current_xact_id());
    v_concerned regclass[];
    v_attached oid[];
    v_trigger record;
begin
    if v_relations = '{}' then
        return;
    end if;
    -- The tables, and those that they are part of by now.
    with recursive ancestor as (
        select r.relation, r.relation as parent from unnest(v_relations) as r (relation)
        union
        select a.relation, i.inhparent from ancestor as a join pg_inherits as i on i.inhrelid = a.parent
    )

    select
        array_agg(distinct k.relation) filter (where k.being_changed_by is null),
        array_agg(a.relation) filter (
            where a.parent <> a.relation and exists (select from auditctl.capture as own where own.relation::oid = a.relation)
        )
    into v_concerned, v_attached
    from ancestor as a
    join auditctl.capture as k on k.relation::oid = a.parent;
    update auditctl.capture set being_changed_by = pg_current_xact_id() where relation = any (v_concerned);
    for v_trigger in
        with back as (
            delete from auditctl_guard.aside as a where a.xact = pg_current_xact_id() returning a.relation, a.trigger
        )

        select
            back.relation, back.trigger, back.relation::oid = any (v_attached) is true as is_attached,
            exists (
                select
                from pg_trigger as t
                join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = to_regnamespace('auditctl_triggers')
                where t.tgrelid = back.relation and t.tgname = back.trigger and t.tgparentid = 0
            ) as is_made_again,
            exists (
                select from pg_trigger as t where t.tgrelid = back.relation and t.tgname = back.trigger || '_aside' and t.tgparentid <> 0
            ) as is_clone
        from back
        order by is_clone
    loop
        if v_trigger.is_attached then
            execute format('drop trigger %I on %s', v_trigger.trigger || '_aside', v_trigger.relation);
            continue;
        elsif v_trigger.is_made_again then
            -- That of a dump has the place in it that it should have; which function it calls, the guard knows better.
            execute format('drop trigger %I on %s', v_trigger.trigger, v_trigger.relation);
        end if;
        if exists (select from pg_trigger as t where t.tgrelid = v_trigger.relation and t.tgname = v_trigger.trigger || '_aside') then
            execute format('alter trigger %I on %s rename to %I', v_trigger.trigger || '_aside', v_trigger.relation, v_trigger.trigger);
        end if;
    end loop;
    update auditctl.capture set being_changed_by = null where relation = any (v_concerned);
end
$body$
    $function$;
    comment on function auditctl_guard.put_back() is
        'Gives capture triggers back the name that auditctl_guard.put_aside took; drops those of a table that is part of an audited one now';

    execute $function$
create or replace function auditctl_guard.make_way(p_command text, p_text text, p_schemas name[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
declare
    -- Without a backslash, which means another thing in some sessions.
    c_space constant text := '(?:[[:space:]]|/[*](?:[^*]|[*]+[^*/])*[*]+/|--[^' || chr(10) || ']*' || chr(10) || ')+';
    c_word constant text := '(?:"(?:[^"]|"")+"|[^[:space:]".,;()]+)';
    c_name constant text := '(' || c_word || '(?:[[:space:]]*[.][[:space:]]*' || c_word || ')?)';
    v_found text[];
    v_relation regclass;
    v_kind "char";
    v_until constant timestamptz := clock_timestamp()
        + least(current_setting('deadlock_timeout')::interval, nullif(current_setting('lock_timeout')::interval, interval '0'));
begin
    -- At the end of the command the triggers are put back, unless somebody switched that off.
    if exists (select from pg_event_trigger as e where e.evtname = 'auditctl_guard_ddl' and e.evtenabled = 'D') then
        return;
    end if;
    for v_found in
        select regexp_matches(p_text, case p_command
            when 'ALTER TABLE' then '(?:' || c_name || c_space || ')?attach' || c_space || 'partition' || c_space || c_name
            else 'create trigger "?(auditctl_[a-z]+)"? after [a-z]+ on (?:only )?' || c_name
        end, 'gi')
    loop
        v_relation := auditctl_guard.audited_table(v_found[2], p_schemas);
        -- Others get PostgreSQL's refusal.
        if exists (select from pg_class as c where c.oid = v_relation and pg_has_role(current_user, c.relowner, 'USAGE')) then
            -- Partitions, too, as their clones change with a trigger: all tables before a row of the store. PostgreSQL locks
            -- no foreign table so.
            v_kind := (select c.relkind from pg_class as c where c.oid = v_relation);
            -- All or none at first: to attach an index, PostgreSQL locks a partition and then its parent, and a restore with
            -- several jobs does that beside this.
            while v_kind <> 'f' loop
                begin
                    execute format(
                        'lock table %s %s in access exclusive mode%s', case when v_kind <> 'p' then 'only' end, v_relation,
                        case when clock_timestamp() < v_until then ' nowait' end
                    );
                    exit;
                exception when lock_not_available then
                    if clock_timestamp() >= v_until then
                        raise;
                    end if;
                    perform pg_sleep(0.01);
                end;
            end loop;
            perform auditctl_guard.put_aside(
                v_relation, case p_command when 'CREATE TRIGGER' then v_found[1] end,
                case p_command when 'ALTER TABLE' then auditctl_guard.audited_table(v_found[1], p_schemas) end
            );
        end if;
    end loop;
end
$body$
    $function$;
    comment on function auditctl_guard.make_way(text, text, name[]) is
        'Puts capture triggers aside that a command would find in its way: those of a table that becomes a partition, as it gets those of its parent, and one that a dump creates again';
    execute $function$
create or replace function auditctl_guard.guard_start() returns event_trigger
language plpgsql
as $body$
-- With the search path of the command, in which it finds its tables: every other name has its schema.
declare
    v_context pg_catalog.text;
begin
    get diagnostics v_context = pg_context;
    if pg_catalog.texticregexeq(
        pg_catalog.concat(v_context, ' ', pg_catalog.current_query()), 'attach[[:space:]/-]|create trigger "?auditctl_'
    ) and pg_catalog.has_schema_privilege('auditctl_guard', 'usage') then
        -- What the guard itself does has nothing in its way.
        if auditctl_guard.has_pass() then
            return;
        end if;
        perform auditctl_guard.make_way(
            tg_tag, pg_catalog.concat(v_context, ' ', pg_catalog.current_query()), pg_catalog.current_schemas(true)
        );
    end if;
end
$body$
    $function$;
    comment on function auditctl_guard.guard_start() is 'The coverage guard, before each CREATE TRIGGER and ALTER TABLE';
end
$auditctl$;
