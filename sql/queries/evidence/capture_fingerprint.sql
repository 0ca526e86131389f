-- What changes whenever the state of capture does (capture_state.sql), for far less: a change of a catalog's row gives it
-- another xmin or place. Only compared with what the same session read before.
select array[
    (select concat(count(*), ' ', sum(hashtextextended(concat(t.oid, t.xmin, t.ctid, t.tgenabled), 0))) from pg_trigger as t where not t.tgisinternal or t.tgparentid <> 0),
    (select concat(count(*), ' ', sum(hashtextextended(concat(p.oid, p.xmin, p.ctid), 0))) from pg_proc as p where p.oid >= 16384),
    (select concat(count(*), ' ', sum(hashtextextended(concat(c.oid, c.xmin, c.ctid), 0))) from pg_class as c where c.oid >= 16384 and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')),
    (select string_agg(concat_ws(' ', n.oid, n.xmin, n.nspname), ',' order by n.oid) from pg_namespace as n),
    (
        select concat(count(*), ' ', sum(hashtextextended(concat(a.attrelid, a.attnum, a.xmin, a.ctid), 0)))
        from pg_class as c
        join pg_attribute as a on a.attrelid = c.oid
        where c.relnamespace = 'auditctl'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    ),
    (select concat(count(*), ' ', sum(hashtextextended(concat(d.oid, d.xmin, d.ctid), 0))) from pg_attrdef as d),
    (select concat(count(*), ' ', sum(hashtextextended(concat(k.oid, k.xmin, k.ctid), 0))) from pg_constraint as k where k.contype = 'c'),
    (select concat(count(*), ' ', sum(hashtextextended(concat(w.oid, w.xmin, w.ctid), 0))) from pg_rewrite as w where w.oid >= 16384),
    (select concat(count(*), ' ', sum(hashtextextended(concat(p.oid, p.xmin, p.ctid), 0))) from pg_policy as p),
    (select string_agg(concat_ws(' ', e.oid, e.xmin, e.ctid), ',' order by e.oid) from pg_event_trigger as e),
    (select string_agg(concat_ws(' ', m.roleid, m.member, m.grantor, m.xmin, m.ctid), ',' order by m.ctid) from pg_auth_members as m),
    (select string_agg(concat_ws(' ', r.oid, r.rolname, r.rolsuper, r.rolcanlogin), ',' order by r.oid) from pg_roles as r),
    (select string_agg(concat_ws(' ', s.setdatabase, s.setrole, s.xmin, s.ctid), ',' order by s.ctid) from pg_db_role_setting as s),
    (select string_agg(concat_ws(' ', s.name, s.setting, s.source), ',' order by s.name) from pg_settings as s where s.name in ('session_replication_role', 'event_triggers'))
]::text as fingerprint
