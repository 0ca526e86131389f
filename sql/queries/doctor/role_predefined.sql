-- Members of predefined roles that can bypass the log through writing tables, or through files or programs.
select
    r.rolname || ' in ' || p.rolname as object,
    r.rolname::text as who,
    quote_ident(r.rolname) as role,
    p.rolname::text as predefined,
    case p.rolname
        when 'pg_write_all_data' then 'write to every table, and exhaust or reset every sequence, including that of the log'
        when 'pg_execute_server_program' then 'run programs as the server''s user, who can change the log''s files'
        when 'pg_write_server_files' then 'write files as the server''s user, including those of the log'
        else 'read files as the server''s user, including those of the log'
    end as power,
    case p.rolname when 'pg_read_server_files' then 'notice' else 'warning' end as severity
from pg_auth_members as m
join pg_roles as p on p.oid = m.roleid
join pg_roles as r on r.oid = m.member
where p.rolname in ('pg_write_all_data', 'pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files')
    and not r.rolsuper and r.rolname !~ '^pg_'
group by r.oid, r.rolname, p.rolname
order by 1
