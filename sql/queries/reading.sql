-- For the transaction that reads the log. REPEATABLE READ, whatever the login's default: a reader in a SERIALIZABLE one
-- could make an application's SERIALIZABLE write fail. Text as UTF-8 whatever the session says; and no compiling of the
-- query, which takes longer than a page does.
set transaction isolation level repeatable read, read only;

select
    pg_catalog.set_config('client_encoding', 'UTF8', true),
    pg_catalog.set_config('jit', 'off', true)
