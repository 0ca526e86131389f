-- How many locks one transaction may take, which is seven tenths of what the server's lock table has left now, and how
-- many seconds a statement waits for a lock.
select
    (
        0.7 * (
            pg_catalog.current_setting('max_locks_per_transaction')::bigint * (
                pg_catalog.current_setting('max_connections')::bigint + pg_catalog.current_setting('max_prepared_transactions')::bigint
            ) - (select pg_catalog.count(*) from pg_catalog.pg_locks as l where not l.fastpath)
        )
    )::bigint as room,
    coalesce(nullif(extract(epoch from pg_catalog.current_setting('lock_timeout')::interval), 0)::float8, 'infinity') as seconds
