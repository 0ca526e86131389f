-- Relations that are not audited and that a search path finds before an audited table of the same name. The paths are those
-- that are set for the server, the database, and logins; $user counts where a login has a schema of its name.
with path as (
    select 0::oid as role, s.reset_val as value
    from pg_settings as s
    where s.name = 'search_path'
    union all
    select r.setrole, substr(setting.value, length('search_path=') + 1)
    from pg_db_role_setting as r
    cross join unnest(r.setconfig) as setting (value)
    where setting.value ^@ 'search_path=' and r.setdatabase in (0, (select d.oid from pg_database as d where d.datname = current_database()))
),

place as (
    select distinct path.role, path.value, part.position, n.oid as schema, case part.name when '$user' then login.rolname end as login
    from path
    cross join regexp_split_to_table(path.value, ',') with ordinality as written (name, position)
    cross join lateral (select btrim(btrim(written.name), '"') as name, written.position) as part
    left join pg_roles as login on part.name = '$user' and login.rolcanlogin and path.role in (0, login.oid)
    join pg_namespace as n on n.nspname = coalesce(login.rolname, part.name)
),

audited as (
    select k.relation::oid as relation from auditctl.capture as k
)

select distinct on (auditctl.qualified(fn.nspname, f.relname))
    auditctl.qualified(fn.nspname, f.relname) as object,
    auditctl.qualified(fn.nspname, f.relname) as "table",
    auditctl.qualified(sn.nspname, s.relname) as target,
    coalesce(earlier.login, pg_roles.rolname, 'Everybody')::text as who
from place as earlier
join place as later
    on later.role = earlier.role and later.value = earlier.value and later.position > earlier.position
join pg_class as s on s.relnamespace = later.schema and s.oid in (select audited.relation from audited)
join pg_class as f on f.relnamespace = earlier.schema and f.relname = s.relname and f.relkind in ('r', 'p', 'f', 'v', 'm')
join pg_namespace as fn on fn.oid = f.relnamespace
join pg_namespace as sn on sn.oid = s.relnamespace
left join pg_roles on pg_roles.oid = earlier.role
where not exists (
        with recursive ancestor as (
            select f.oid as relation
            union
            select i.inhparent from ancestor as a join pg_inherits as i on i.inhrelid = a.relation
        )

        select from ancestor where ancestor.relation in (select audited.relation from audited)
    )
    and not (f.relkind = 'v' and auditctl.is_audited_view(f.oid))
    -- A relation with a rule of its own is deliberately not audited.
    and not exists (select from auditctl.rule as rule where rule.name = auditctl.qualified(fn.nspname, f.relname))
order by auditctl.qualified(fn.nspname, f.relname), target, who
