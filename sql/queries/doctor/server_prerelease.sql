-- A server that is not a release.
select
    'PostgreSQL ' || server.version as object,
    'https://www.postgresql.org/download/' as page
from (select coalesce(%(server_version)s::text, current_setting('server_version')) as version) as server
where server.version ~ '^[0-9]+(devel|alpha|beta|rc)'
