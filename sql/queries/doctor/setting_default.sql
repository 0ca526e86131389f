-- Roles and databases whose sessions start with triggers or event triggers off, or the whole server if all sessions do.
select
    configured.name || case configured.kind when 'system' then '' else ' for ' || configured.subject end as object,
    configured.name as parameter,
    configured.setting,
    configured.place,
    case configured.kind when 'system' then 'alter system reset ' || configured.name || '; select pg_reload_conf();' end as remedy
from (
    select
        'role' as kind,
        split_part(item, '=', 1) as name,
        split_part(item, '=', 2) as setting,
        concat_ws(' in database ', 'role ' || pg_get_userbyid(nullif(s.setrole, 0)), d.datname) as subject,
        case
            when s.setrole = 0 then 'database ' || quote_ident(d.datname)
            else 'role ' || quote_ident(pg_get_userbyid(s.setrole)) || coalesce(' in database ' || quote_ident(d.datname), '')
        end as place
    from pg_db_role_setting as s
    left join pg_database as d on d.oid = s.setdatabase
    cross join lateral unnest(s.setconfig) as item
    union all
    select 'system', p.name, p.setting, '', 'system'
    from pg_settings as p
    where p.source in ('configuration file', 'command line')
) as configured
where configured.name = 'session_replication_role' and configured.setting <> 'origin'
    or configured.name = 'event_triggers' and configured.setting not in ('on', 'true', 'yes', '1')
order by 1
