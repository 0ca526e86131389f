-- For the transaction that reads the log: text as UTF-8 whatever the session says; and no compiling of the query,
-- which takes longer than a page does.
select
    pg_catalog.set_config('client_encoding', 'UTF8', true),
    pg_catalog.set_config('jit', 'off', true)
