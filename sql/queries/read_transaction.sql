-- Begins a transaction that reads the log. REPEATABLE READ: a SERIALIZABLE reader could make an application's SERIALIZABLE
-- write fail. Text in UTF-8, whatever the session's encoding.
set transaction isolation level repeatable read, read only;

select pg_catalog.set_config('client_encoding', 'UTF8', true)
