-- Settings under which a crash may lose or damage committed events.
select
    p.name as object,
    p.name,
    -- A setting from the command line cannot be changed in SQL.
    case when p.source = 'command line' then 'Start the server without -c ' || p.name || '=off.' end as remedy
from pg_settings as p
where p.name in ('fsync', 'full_page_writes') and p.setting = 'off'
order by 1
