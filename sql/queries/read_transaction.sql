-- Begins a transaction that reads the log. REPEATABLE READ: a SERIALIZABLE reader could make an application's SERIALIZABLE
-- write fail. Text in UTF-8, whatever the session's encoding. No JIT: compiling takes longer than reading a page.
set transaction isolation level repeatable read, read only;

select
    pg_catalog.set_config('client_encoding', 'UTF8', true),
    pg_catalog.set_config('jit', 'off', true)
