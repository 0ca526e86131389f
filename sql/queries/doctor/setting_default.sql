-- Roles and databases whose sessions start with triggers or event triggers off, and the whole server.
select
    found.name || case found.kind when 'system' then '' else ' for ' || found.subject end as object,
    found.name as parameter,
    found.setting,
    found.place,
    case found.kind when 'system' then 'alter system reset ' || found.name || '; select pg_reload_conf();' end as remedy
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
) as found
where found.name = 'session_replication_role' and found.setting <> 'origin'
    or found.name = 'event_triggers' and found.setting not in ('on', 'true', 'yes', '1')
order by 1
