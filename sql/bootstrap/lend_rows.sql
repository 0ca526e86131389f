-- What baseline and reconcile read audited tables with: the rights of the login that installs, and nothing but the rows of
-- one table. Runs as that login, at every install. A superuser's is in auditctl_guard, as lend is.

reset role;

do $install$
declare
    v_is_superuser constant boolean := (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user);
    v_schema constant text := case when v_is_superuser then 'auditctl_guard' else 'auditctl_internal' end;
begin
    -- What a superuser or another login installed stays.
    if not v_is_superuser and exists (
        select
        from pg_catalog.pg_proc as p
        where p.pronamespace = 'auditctl_internal'::pg_catalog.regnamespace and p.proname = 'lend_rows'
            and not pg_catalog.pg_has_role(session_user, p.proowner, 'MEMBER')
        union all
        select
        from pg_catalog.pg_namespace as n
        join pg_catalog.pg_roles as r on r.oid = n.nspowner
        where n.nspname = 'auditctl_guard' and r.rolsuper
    ) then
        return;
    end if;
    execute pg_catalog.replace($function$
create or replace function auditctl_internal.lend_rows(p_relation oid, p_first bigint, p_end bigint) returns setof record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set row_security = off
set constraint_exclusion = off
as $auditctl$
-- As lend: auditctl_owner may call this, so it reads PostgreSQL's catalog alone, and calls no function that anybody could
-- replace. It is stable, and so reads in the snapshot of the query that calls it.
declare
    v_name text;
    v_columns text;
begin
    select
        format('%I.%I', n.nspname, c.relname), (
            select string_agg(
                -- A value whose type is not PostgreSQL's own is lent as its text, which output functions alone write.
                case
                    when a.atttypid < 16384 then format('t.%I', a.attname)
                    else format('case when num_nulls(t.%1$I) = 0 then format(''%%s'', t.%1$I) end', a.attname)
                end, ', ' order by a.attnum
            )
            from pg_attribute as a
            -- A virtual generated column is computed when it is read.
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'
        )
    into v_name, v_columns
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_relation and c.relkind = 'r' and c.relpersistence <> 't' and c.relowner <> to_regrole('auditctl_owner')
        and n.nspname not in ('information_schema', 'auditctl', 'auditctl_internal', 'auditctl_triggers', 'auditctl_guard')
        and not n.nspname ^@ 'pg_';
    if v_name is null or v_columns is null or to_regclass(v_name) is distinct from p_relation::regclass then
        raise exception 'relation % is not a table whose rows can be lent', coalesce(p_relation::text, 'null')
            using errcode = 'insufficient_privilege';
    end if;
    -- Planning a query runs what the table's owner put into indexes, statistics and constraints. Others than those who have these
    -- rights need lend's task read, which checks that, and whose lock keeps it as it is.
    if not pg_has_role(session_user, current_user, 'MEMBER') and not exists (
        select from pg_locks as l
        where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.relation = p_relation and l.granted
            and l.database = (select d.oid from pg_database as d where d.datname = current_database())
            and l.mode = 'ShareUpdateExclusiveLock'
    ) then
        raise exception '% must be locked before its rows are lent', v_name using errcode = 'object_not_in_prerequisite_state';
    end if;
    return query execute format('select %s from only %s as t', v_columns, v_name) || case
        when p_end is not null then format(' where t.ctid >= ''(%s,0)''::tid and t.ctid < ''(%s,0)''::tid', p_first, p_end) else ''
    end;
end
$auditctl$
    $function$, 'auditctl_internal.lend_rows', v_schema || '.lend_rows');
    execute pg_catalog.format('alter function %s.lend_rows(oid, bigint, bigint) owner to session_user', v_schema);
    execute pg_catalog.format('revoke execute on function %s.lend_rows(oid, bigint, bigint) from public', v_schema);
    execute pg_catalog.format('grant execute on function %s.lend_rows(oid, bigint, bigint) to auditctl_owner', v_schema);
    execute pg_catalog.format(
        'comment on function %s.lend_rows(oid, bigint, bigint) is %L', v_schema,
        'The rows of a table, or those in some of its pages, with the rights of the login that installed auditctl'
    );
    if v_is_superuser then
        drop function if exists auditctl_internal.lend_rows(oid, bigint, bigint);
    end if;
end
$install$;

set local role auditctl_owner;
