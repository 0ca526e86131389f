-- Where reads are recorded: the state of the policies, and what the coverage guard does for them.

create or replace function auditctl.read_faults(p_relation regclass) returns table (fault text)
language sql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
    with found as (
        select s.*, c.relrowsecurity, c.relforcerowsecurity
        from auditctl.read_site as s
        join pg_class as c on c.oid = s.relation
        where s.relation = p_relation
    ),

    wanted as (
        select f.relation, 'auditctl_read'::name as policy, 'r'::"char" as command, false as is_permissive,
            format('( SELECT auditctl.record_read(%L::regclass) AS record_read)', f.relation::text) as using_text, null::text as check_text
        from found as f
        union all
        select f.relation, 'auditctl_open', '*', true, 'true', 'true' from found as f where not f.had_row_security
    )

    select
        case
            when p.oid is null then format('policy %s is gone', w.policy)
            else format('policy %s is defined differently', w.policy)
        end
    from wanted as w
    left join pg_policy as p on p.polrelid = w.relation and p.polname = w.policy
    where p.oid is null
        or (p.polcmd, p.polpermissive, p.polroles) is distinct from (w.command, w.is_permissive, '{0}'::oid[])
        or pg_get_expr(p.polqual, p.polrelid) is distinct from w.using_text
        or pg_get_expr(p.polwithcheck, p.polrelid) is distinct from w.check_text
    union all
    select 'row security is off' from found as f where not f.relrowsecurity
    union all
    select 'row security is not forced on the owner' from found as f where f.read_force and not f.relforcerowsecurity
$auditctl$;
revoke execute on function auditctl.read_faults from public;
grant execute on function auditctl.read_faults to auditctl_reader;
comment on function auditctl.read_faults is
    'What keeps the reads of a table from being recorded, or its rows from being seen as before: a phrase for each; nothing where its reads are not audited';

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
comment on function auditctl.own_policies is 'The policies of a table that are not auditctl''s: the permissive or the restrictive ones';

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
    'Before the policies are put on a table: from now on record_read knows it, and how its row security was is kept';

create or replace function auditctl_internal.release_row_security(p_relation regclass) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    update auditctl.read_site set had_row_security = true where relation = p_relation and not had_row_security
$auditctl$;
comment on function auditctl_internal.release_row_security is
    'From now on row security is the table''s own: its policies decide who sees what, and it stays when reading is no longer audited';

create or replace function auditctl_internal.unregister_read(p_relation regclass) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    delete from auditctl.read_site where relation = p_relation
$auditctl$;
comment on function auditctl_internal.unregister_read is 'After the policies are off a table: record_read does nothing for it any more';

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
        raise exception 'its policy % would come into force', (auditctl.own_policies(p_member, false))[1]
            using errcode = 'insufficient_privilege';
    end if;
    perform auditctl_internal.register_read(p_member, p_capture.relation, p_capture.target, p_capture.read_query, p_capture.read_force);
    if exists (select from auditctl.read_faults(p_member)) then
        perform auditctl_internal.put_read_policy(p_member, p_capture.read_force);
    end if;
end
$auditctl$;
comment on function auditctl_internal.attach_read_policies is
    'Puts the policies of reading on a new partition or child; raises where the installing login may not, or a dormant policy forbids it';

create or replace function auditctl_internal.unseen_parent(p_relations regclass[]) returns table (relation regclass, parent regclass)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select i.inhrelid::regclass, i.inhparent::regclass
    from pg_inherits as i
    where i.inhrelid = any (p_relations::oid[]) and not exists (select from auditctl.read_site as s where s.relation = i.inhparent)
$auditctl$;
comment on function auditctl_internal.unseen_parent is
    'Tables through which others can be read without an event: for a query of a parent, the parent''s policies alone count';

create or replace function auditctl_internal.renew_reading(p_capture auditctl.capture) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_found record;
begin
    if not 'READ' = any (p_capture.actions) then
        return;
    end if;
    update auditctl.read_site set target = p_capture.target where root = p_capture.relation and target <> p_capture.target;
    -- Whoever drops the policy that lets everybody through means his own. Without one nobody means that all is hidden.
    update auditctl.read_site as s set had_row_security = true
    where s.relation = any (p_capture.relation || p_capture.members) and not s.had_row_security
        and not exists (select from pg_policy as p where p.polrelid = s.relation and p.polname = 'auditctl_open')
        and auditctl.own_policies(s.relation, true) || auditctl.own_policies(s.relation, false) <> '{}';
    select site.relation, coalesce(fault.fault, 'its reads are not recorded') as fault
    into v_found
    from unnest(p_capture.relation || p_capture.members) as site (relation)
    join pg_class as c on c.oid = site.relation and c.relkind <> 'f'
    left join auditctl.read_site as s on s.relation = site.relation
    left join lateral auditctl.read_faults(site.relation) as fault on true
    where s.relation is null or fault.fault is not null
    union all
    select u.relation, format('whoever reads %s reads it, too, and leaves no event', auditctl_internal.registered_name(u.parent))
    from auditctl_internal.unseen_parent(p_capture.relation || p_capture.members) as u
    limit 1;
    if found then
        raise exception 'refused: reads of % are audited, and this would mean that %', auditctl_internal.registered_name(v_found.relation), v_found.fault
            using errcode = 'UA003',
                hint = 'To stop recording reads, the login that installed auditctl, or a superuser, runs first: '
                    || auditctl_internal.command_line('disable', p_capture.target) || ' --actions read. If it was so before: auditctl apply';
    end if;
end
$auditctl$;
comment on function auditctl_internal.renew_reading is
    'After DDL on a table whose reads are audited: follows its name, hands row security over, and raises UA003 on what would silence its reads';

create or replace function auditctl_internal.warn_of_open_policy(p_relations oid[], p_command text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_open record;
    v_is_meant constant boolean := p_command like '% POLICY' or current_query() ~* 'enable\s+row\s+level\s+security';
begin
    if not v_is_meant then
        return;
    end if;
    for v_open in
        select auditctl_internal.registered_name(s.relation) as name, p.policy, p.is_permissive
        from auditctl.read_site as s
        join auditctl.capture as k on k.relation = s.root and k.being_changed_by is distinct from pg_current_xact_id()
        left join lateral (
            select own.polname as policy, own.polpermissive as is_permissive
            from pg_policy as own
            where own.polrelid = s.relation and own.polname not in ('auditctl_read', 'auditctl_open') and p_command like '% POLICY'
        ) as p on true
        where s.relation = any (p_relations) and not s.had_row_security and (p.policy is not null or p_command not like '% POLICY')
    loop
        raise warning '%', case
                when v_open.policy is null then format('row security of %s was on already, to record reads, and lets every row through', v_open.name)
                when v_open.is_permissive then format('policy %s has no effect: row security of %s is on to record reads, and lets every row through', v_open.policy, v_open.name)
                else format('policy %s is in force at once: row security of %s is on to record reads', v_open.policy, v_open.name)
            end
            using hint = format('For row security of its own: drop policy auditctl_open on %s. Its reads stay recorded.', v_open.name);
    end loop;
end
$auditctl$;
comment on function auditctl_internal.warn_of_open_policy is
    'Warns whoever gives a table row security of its own while auditctl''s policy lets every row through';

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
    'The tables whose reads are audited and whose policies a DDL command was about; null for none. Inside an event trigger only';

create or replace function auditctl_internal.drifted_reads() returns oid[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(s.relation::oid), '{}')
    from auditctl.read_site as s
    join auditctl.capture as k on k.relation = s.root
    where k.being_changed_by is distinct from pg_current_xact_id() and exists (select from auditctl.read_faults(s.relation))
$auditctl$;
comment on function auditctl_internal.drifted_reads is 'The tables whose reads are audited and that are not what auditctl.read_site says';
