-- Which database this is, and how it compares text: what an archive has to know of where its events come from.
select
    jsonb_build_object(
        'system_identifier', c.system_identifier::text,
        'database_oid', d.oid::bigint,
        'server_version', current_setting('server_version_num')::integer,
        'lower_is_ascii', lower(chr(196)) = chr(196)
    )
from pg_control_system() as c
join pg_database as d on d.datname = current_database()
