-- Makes the tables of the log's months as a DBA has set up the log: in the same tablespace, with the same settings.

create or replace function auditctl_internal.storage_clause(p_like regclass, p_model regclass) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- States everything, so that what the session prefers (default_tablespace, default_table_access_method) does not count.
    select concat_ws(' ', 'using ' || quote_ident(a.amname), 'with (' || o.options || ')', 'tablespace ' || quote_ident(s.spcname))
    from pg_class as l
    cross join pg_class as m
    cross join pg_database as d
    left join pg_am as a on a.oid = coalesce(nullif(l.relam, 0), m.relam)
    join pg_tablespace as s on s.oid = coalesce(nullif(l.reltablespace, 0), d.dattablespace)
    cross join lateral (
        select string_agg(format('%s%s=%L', e.prefix, split_part(e.option, '=', 1), substr(e.option, strpos(e.option, '=') + 1)), ', ') as options
        from (
            select '' as prefix, unnest(m.reloptions) as option
            union all
            select 'toast.', unnest(t.reloptions) from pg_class as t where t.oid = m.reltoastrelid
        ) as e
    ) as o
    where l.oid = p_like and m.oid = p_model and d.datname = current_database()
$auditctl$;
comment on function auditctl_internal.storage_clause is
    'The end of a CREATE TABLE: tablespace of p_like, storage parameters of p_model, and access method of either';

create or replace function auditctl_internal.follow_settings(p_from regclass, p_to regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_statement text;
begin
    for v_statement in
        select format('alter column %I set statistics %s', a.attname, a.attstattarget)
        from pg_attribute as a
        where a.attrelid = p_from and a.attnum > 0 and not a.attisdropped and a.attstattarget >= 0
        union all
        select format('alter column %I set (%s)', a.attname, array_to_string(a.attoptions, ', '))
        from pg_attribute as a
        where a.attrelid = p_from and a.attnum > 0 and not a.attisdropped and a.attoptions is not null
        union all
        select case c.relreplident when 'f' then 'replica identity full' when 'n' then 'replica identity nothing' end
        from pg_class as c
        where c.oid = p_from and c.relreplident in ('f', 'n')
        union all
        select format('replica identity using index %I', twin.relname)
        from pg_index as x
        join pg_index as y on y.indrelid = p_to and y.indkey = x.indkey and y.indclass = x.indclass and y.indisunique
        join pg_class as twin on twin.oid = y.indexrelid
        where x.indrelid = p_from and x.indisreplident
    loop
        execute format('alter table only %s %s', p_to, v_statement);
    end loop;
    for v_statement in
        select format(
            'grant %s on %s to %s%s', p.privilege_type, p_to, case p.grantee when 0 then 'public' else p.grantee::regrole::text end,
            case when p.is_grantable then ' with grant option' else '' end
        )
        from pg_class as c
        cross join lateral aclexplode(c.relacl) as p
        where c.oid = p_from and c.relispartition and p.grantee <> c.relowner
    loop
        execute v_statement;
    end loop;
end
$auditctl$;
comment on function auditctl_internal.follow_settings is
    'Gives a table what LIKE does not copy: statistics targets, options of columns, replica identity, and a partition''s privileges';

create or replace function auditctl_internal.make_table(p_name text, p_like regclass, p_model regclass) returns regclass
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- For indexes in the database's own tablespace.
set default_tablespace = ''
as $auditctl$
declare
    v_relation regclass;
begin
    begin
        execute format(
            'create table auditctl.%I (like %s including all excluding identity excluding generated) %s',
            p_name, p_like, auditctl_internal.storage_clause(p_like, p_model)
        );
    exception when insufficient_privilege then
        raise exception 'auditctl.%: %', p_name, sqlerrm
            using errcode = 'insufficient_privilege',
                hint = 'Months are made where the log is. As superuser: grant create on tablespace NAME to auditctl_owner';
    end;
    v_relation := format('auditctl.%I', p_name)::regclass;
    execute format('alter table %s owner to auditctl_owner', v_relation);
    perform auditctl_internal.follow_settings(p_model, v_relation);
    if p_like <> p_model then
        perform auditctl_internal.follow_settings(p_like, v_relation);
    end if;
    perform auditctl_internal.summarize_later(v_relation);
    return v_relation;
end
$auditctl$;
comment on function auditctl_internal.make_table is
    'Creates a table for events like p_like, with its indexes; what only a partition can have (storage parameters) as in p_model';
