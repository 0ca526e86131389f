-- Begins a transaction that reads the log and its archived months. The lock is taken before the snapshot: so the snapshot has
-- each month either in the table or as dropped, and none is dropped while it is read. The session may be idle while files are.
set transaction isolation level repeatable read, read only;

lock table auditctl.activity in access share mode;

select
    pg_catalog.set_config('client_encoding', 'UTF8', true),
    pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true)
