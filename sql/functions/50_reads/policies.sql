-- Where reads are recorded: the state of the read policies, and how the coverage guard maintains them.

create or replace function auditctl.read_faults(p_relation regclass) returns table (fault text)
language sql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
    with site as (
        select s.*, c.relrowsecurity, c.relforcerowsecurity
        from auditctl.read_site as s
        join pg_class as c on c.oid = s.relation
        where s.relation = p_relation
    ),

    expected as (
        select f.relation, 'auditctl_read'::name as policy, 'r'::"char" as command, false as is_permissive,
            -- The first part runs once in a statement, and costs a row nothing unless a subtransaction wrote the event. The
            -- second runs for the rows that a cursor reads after a rollback undid that event, and records the read again.
            format(
                '((pg_xact_status(( SELECT auditctl.record_read(%1$L::regclass) AS record_read)) IS DISTINCT FROM ''aborted''::text)'
                ' OR (pg_xact_status(auditctl.record_read(%1$L::regclass)) IS DISTINCT FROM ''aborted''::text))', f.relation::text
            ) as using_text, null::text as check_text
        from site as f
        union all
        select f.relation, 'auditctl_open', '*', true, 'true', 'true' from site as f where not f.had_row_security
    )

    select
        case
            when p.oid is null then format('policy %s is gone', w.policy)
            else format('policy %s is defined differently', w.policy)
        end
    from expected as w
    left join pg_policy as p on p.polrelid = w.relation and p.polname = w.policy
    where p.oid is null
        or (p.polcmd, p.polpermissive, p.polroles) is distinct from (w.command, w.is_permissive, '{0}'::oid[])
        or pg_get_expr(p.polqual, p.polrelid) is distinct from w.using_text
        or pg_get_expr(p.polwithcheck, p.polrelid) is distinct from w.check_text
    union all
    select 'row security is off' from site as f where not f.relrowsecurity
    union all
    select 'row security is not forced on the owner' from site as f where f.read_force and not f.relforcerowsecurity
$auditctl$;
revoke execute on function auditctl.read_faults from public;
grant execute on function auditctl.read_faults to auditctl_reader;
comment on function auditctl.read_faults is
    'The faults that prevent reads of a table from being recorded, or rows from being visible as before: a phrase for each; empty if its reads are not audited';

create or replace function auditctl.own_policies(p_relation regclass, p_permissive boolean) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(p.polname::text order by p.polname), '{}')
    from pg_policy as p
    where p.polrelid = p_relation and p.polpermissive = p_permissive and p.polname not in ('auditctl_read', 'auditctl_open')
$auditctl$;
revoke execute on function auditctl.own_policies from public;
grant execute on function auditctl.own_policies to auditctl_reader;
comment on function auditctl.own_policies is 'The permissive or the restrictive policies of a table, without those of auditctl';

create or replace function auditctl_internal.register_read(
    p_relation regclass, p_root regclass, p_target text, p_query boolean, p_force boolean
) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    delete from auditctl.read_site as s where not exists (select from pg_class as c where c.oid = s.relation);
    insert into auditctl.read_site (relation, root, target, read_query, read_force, had_row_security, had_force)
    select c.oid, p_root, p_target, p_query, p_force, c.relrowsecurity, c.relforcerowsecurity
    from pg_class as c
    where c.oid = p_relation
    on conflict (relation) do update
    set root = excluded.root, target = excluded.target, read_query = excluded.read_query, read_force = excluded.read_force;
$auditctl$;
comment on function auditctl_internal.register_read is
    'Registers a table before its read policies are created, so that record_read knows it, and stores the previous state of its row security';

create or replace function auditctl_internal.release_row_security(p_relation regclass) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    update auditctl.read_site set had_row_security = true where relation = p_relation and not had_row_security
$auditctl$;
comment on function auditctl_internal.release_row_security is
    'Marks row security as the table''s own: its own policies decide who sees which rows, and it stays enabled when reads are no longer audited';

create or replace function auditctl_internal.unregister_read(p_relation regclass) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    delete from auditctl.read_site where relation = p_relation
$auditctl$;
comment on function auditctl_internal.unregister_read is 'Unregisters a table after its read policies were dropped, so that record_read ignores it';

create or replace function auditctl_internal.attach_read_policies(p_member regclass, p_capture auditctl.capture) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_opens constant boolean := (select not c.relrowsecurity from pg_class as c where c.oid = p_member);
begin
    if (select c.relkind = 'f' from pg_class as c where c.oid = p_member) then
        return;
    end if;
    if v_opens and auditctl.own_policies(p_member, false) <> '{}' then
        raise exception 'its policy % would take effect', (auditctl.own_policies(p_member, false))[1]
            using errcode = 'insufficient_privilege';
    end if;
    perform auditctl_internal.register_read(p_member, p_capture.relation, p_capture.target, p_capture.read_query, p_capture.read_force);
    if exists (select from auditctl.read_faults(p_member)) then
        perform auditctl_internal.put_read_policy(p_member, p_capture.read_force);
    end if;
end
$auditctl$;
comment on function auditctl_internal.attach_read_policies is
    'Creates the read policies on a new partition or child; raises if the installing login may not, or if a dormant policy would take effect';

create or replace function auditctl_internal.unseen_parent(p_relations regclass[]) returns table (relation regclass, parent regclass)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select i.inhrelid::regclass, i.inhparent::regclass
    from pg_inherits as i
    where i.inhrelid = any (p_relations::oid[]) and not exists (select from auditctl.read_site as s where s.relation = i.inhparent)
$auditctl$;
comment on function auditctl_internal.unseen_parent is
    'The tables that can be read through a parent without an event: a query of a parent applies only the parent''s policies';

create or replace function auditctl_internal.renew_reading(p_capture auditctl.capture) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_problem record;
begin
    if not 'READ' = any (p_capture.actions) then
        return;
    end if;
    update auditctl.read_site set target = p_capture.target where root = p_capture.relation and target <> p_capture.target;
    -- Dropping the policy that lets every row through hands row security to the table's own policies, if it has any.
    update auditctl.read_site as s set had_row_security = true
    where s.relation = any (p_capture.relation || p_capture.members) and not s.had_row_security
        and not exists (select from pg_policy as p where p.polrelid = s.relation and p.polname = 'auditctl_open')
        and auditctl.own_policies(s.relation, true) || auditctl.own_policies(s.relation, false) <> '{}';
    select site.relation, coalesce(fault.fault, 'its reads are not recorded') as fault
    into v_problem
    from unnest(p_capture.relation || p_capture.members) as site (relation)
    join pg_class as c on c.oid = site.relation and c.relkind <> 'f'
    left join auditctl.read_site as s on s.relation = site.relation
    left join lateral auditctl.read_faults(site.relation) as fault on true
    where s.relation is null or fault.fault is not null
    union all
    select u.relation, format('a query of %s would also read it, without an event', auditctl_internal.registered_name(u.parent))
    from auditctl_internal.unseen_parent(p_capture.relation || p_capture.members) as u
    limit 1;
    if found and not auditctl_internal.use_release(p_capture.relation) then
        raise exception 'refused: reads of % are audited, and this would mean that %', auditctl_internal.registered_name(v_problem.relation), v_problem.fault
            using errcode = 'UA003',
                hint = 'To stop recording reads, the login that installed auditctl or a superuser must first run: '
                    || auditctl_internal.command_line('disable', p_capture.target) || ' --actions read. If it was like this before: auditctl apply';
    end if;
end
$auditctl$;
comment on function auditctl_internal.renew_reading is
    'Runs after DDL on a table whose reads are audited: follows a rename, hands row security over, and raises UA003 on changes that would disable its recording';

create or replace function auditctl_internal.warn_of_open_policy(p_relations oid[], p_command text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_open record;
    v_is_relevant constant boolean := p_command like '% POLICY' or current_query() ~* 'enable[[:space:]]+row[[:space:]]+level[[:space:]]+security';
begin
    if not v_is_relevant or not exists (select from auditctl.read_site as s where s.relation = any (p_relations)) then
        return;
    end if;
    for v_open in
        select auditctl_internal.registered_name(s.relation) as name, s.relation, p.policy, p.is_permissive
        from auditctl.read_site as s
        join auditctl.capture as k on k.relation = s.root and k.being_changed_by is distinct from pg_current_xact_id()
        left join lateral (
            select own.polname as policy, own.polpermissive as is_permissive
            from pg_policy as own
            where own.polrelid = s.relation and own.polname not in ('auditctl_read', 'auditctl_open') and p_command like '% POLICY'
        ) as p on true
        where s.relation = any (p_relations) and not s.had_row_security and (p.policy is not null or p_command not like '% POLICY')
        order by name, policy
    loop
        raise warning '%', case
                when v_open.policy is null then format('row security of %s was on already, to record reads, and lets every row through', v_open.name)
                when v_open.is_permissive then format('policy %s has no effect: row security of %s is on to record reads, and lets every row through', v_open.policy, v_open.name)
                else format('policy %s takes effect at once: row security of %s is on to record reads', v_open.policy, v_open.name)
            end
            using hint = format('For row security of its own: drop policy auditctl_open on %s. Its reads stay recorded.', v_open.relation);
    end loop;
end
$auditctl$;
comment on function auditctl_internal.warn_of_open_policy is
    'Warns a session that gives a table row security of its own while auditctl''s policy lets every row through';

create or replace function auditctl_internal.policied_relations() returns oid[]
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array_agg(p.polrelid)
    from pg_event_trigger_ddl_commands() as command
    join pg_policy as p on p.oid = command.objid
    join auditctl.read_site as s on s.relation::oid = p.polrelid
    where command.classid = 'pg_policy'::regclass
$auditctl$;
comment on function auditctl_internal.policied_relations is
    'The tables with audited reads whose policies a DDL command changed; null if there are none. Only for use in an event trigger';

create or replace function auditctl_internal.drifted_reads() returns oid[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(s.relation::oid), '{}')
    from auditctl.read_site as s
    join auditctl.capture as k on k.relation = s.root
    where k.being_changed_by is distinct from pg_current_xact_id() and exists (select from auditctl.read_faults(s.relation))
$auditctl$;
comment on function auditctl_internal.drifted_reads is 'The tables with audited reads whose state differs from auditctl.read_site';
