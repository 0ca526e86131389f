-- Triggers on audited tables that run before capture and whose function belongs to neither the table's owner nor a
-- superuser: the function's owner can change or suppress rows, and set the actor of the session.
select
    quote_ident(t.tgname) || ' on ' || t.tgrelid::regclass as object,
    t.tgrelid::regclass::text as relation,
    quote_ident(t.tgname) as trigger,
    f.oid::regprocedure::text as function,
    quote_ident(writer.rolname) as writer,
    quote_ident(pg_get_userbyid(c.relowner)) as owner
from pg_trigger as t
join pg_class as c on c.oid = t.tgrelid
join pg_proc as f on f.oid = t.tgfoid
join pg_roles as writer on writer.oid = f.proowner
where not t.tgisinternal and t.tgparentid = 0 and t.tgenabled <> 'D'
    and f.pronamespace <> to_regnamespace('auditctl_triggers')
    -- BEFORE, or a name that comes before ours: triggers fire in the order of their names' bytes.
    and (t.tgtype & 2 <> 0 or t.tgname::text collate "C" < 'auditctl_')
    and f.proowner <> c.relowner and not writer.rolsuper
    and t.tgrelid in (
        select ours.tgrelid from pg_trigger as ours join pg_proc as capture on capture.oid = ours.tgfoid
        where capture.pronamespace = to_regnamespace('auditctl_triggers')
    )
order by t.tgrelid::regclass::text, t.tgname
