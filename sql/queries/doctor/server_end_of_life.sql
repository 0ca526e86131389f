-- A server whose major version gets no more fixes, from https://www.postgresql.org/support/versioning/
select
    'PostgreSQL ' || series.major as object,
    series.last::text as last,
    'https://www.postgresql.org/docs/current/upgrading.html' as page
from (
    values
    (14, date '2026-11-12'),
    (15, date '2027-11-11'),
    (16, date '2028-11-09'),
    (17, date '2029-11-08'),
    (18, date '2030-11-14')
) as series (major, last)
where series.major = current_setting('server_version_num')::integer / 10000
    and series.last < coalesce(%(today)s::date, current_date)
