-- The state of capture, of the guard and of who may change them: one row for each item, as text that depends on no object id.
-- `xmin` is that of the catalog's row, so that what was switched off and on again differs. Calls nothing of the store.
with schema as (
    select n.oid, n.nspname, n.nspowner, n.nspacl, n.xmin
    from pg_namespace as n
    where n.nspname in ('auditctl', 'auditctl_internal', 'auditctl_triggers', 'auditctl_guard')
),

relation as (
    select c.oid, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity, c.relpersistence, c.relispartition, c.relpartbound, c.xmin
    from pg_class as c
    where c.relnamespace in (select s.oid from schema as s) and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
),

function as (
    select p.oid, p.proowner, p.proacl, p.prokind, p.xmin from pg_proc as p where p.pronamespace in (select s.oid from schema as s)
),

captured as (
    -- Audited tables, their partitions and children; what calls the store's functions on them.
    select distinct t.tgrelid as oid
    from pg_trigger as t
    where t.tgfoid in (select f.oid from function as f) and t.tgrelid not in (select r.oid from relation as r)
),

item as (
    select 'schema' as kind, s.nspname::text as name, null as definition, null as enabled, s.nspowner as owner, s.nspacl as acl, s.xmin, null as calls
    from schema as s
    union all
    select
        'table', r.oid::regclass::text,
        concat_ws(
            ' ', r.relkind, r.relpersistence, r.relforcerowsecurity, r.relispartition, pg_get_expr(r.relpartbound, r.oid),
            (
                select string_agg(
                    concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attacl::text, pg_get_expr(d.adbin, d.adrelid)),
                    ', ' order by a.attnum
                )
                from pg_attribute as a
                left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
                where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
            ),
            (
                select string_agg(concat_ws(' ', k.conname, pg_get_constraintdef(k.oid)), ', ' order by k.conname)
                from pg_constraint as k
                where k.conrelid = r.oid and k.contype = 'c'
            )
        ),
        case when r.relrowsecurity then 'row security' end, r.relowner, r.relacl, r.xmin, null
    from relation as r
    union all
    select 'audited table', c.oid::regclass::text, null, null, c.relowner, null, null, null from captured join pg_class as c on c.oid = captured.oid
    union all
    select
        'trigger', concat_ws(' on ', quote_ident(t.tgname), t.tgrelid::regclass::text), pg_get_triggerdef(t.oid), t.tgenabled::text, null, null, t.xmin,
        t.tgfoid::regproc::text
    from pg_trigger as t
    -- Before PostgreSQL 15, triggers of partitions are internal.
    where (not t.tgisinternal or t.tgparentid <> 0 and t.tgfoid in (select f.oid from function as f))
        and (t.tgfoid in (select f.oid from function as f) or t.tgrelid in (select r.oid from relation as r))
    union all
    select
        'rule', concat_ws(' on ', quote_ident(w.rulename), w.ev_class::regclass::text), pg_get_ruledef(w.oid), w.ev_enabled::text, null, null, w.xmin,
        null
    from pg_rewrite as w
    where w.ev_class in (select r.oid from relation as r) or w.ev_class in (select c.oid from captured as c)
    union all
    select
        'policy', concat_ws(' on ', quote_ident(p.polname), p.polrelid::regclass::text),
        concat_ws(
            ' ', p.polcmd, p.polpermissive,
            array(select case u when 0 then 'public' else pg_get_userbyid(u)::text end from unnest(p.polroles) as u order by 1)::text,
            'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)
        ),
        null, null, null, p.xmin, null
    from pg_policy as p
    where p.polrelid in (select r.oid from relation as r)
        or exists (
            select
            from pg_depend as d
            where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_proc'::regclass and d.refobjid in (select f.oid from function as f)
        )
    union all
    select 'function', f.oid::regprocedure::text, case when f.prokind <> 'a' then pg_get_functiondef(f.oid) end, null, f.proowner, f.proacl, f.xmin, null
    from function as f
    union all
    select
        'event trigger', e.evtname::text, concat_ws(' ', e.evtevent, e.evtfoid::regprocedure, e.evttags::text), e.evtenabled::text, e.evtowner, null, e.xmin,
        null
    from pg_event_trigger as e
    union all
    select
        'member', format('%s of %s', pg_get_userbyid(m.member), pg_get_userbyid(m.roleid)),
        concat_ws(' ', pg_get_userbyid(m.grantor), m.admin_option, to_jsonb(m) ->> 'inherit_option', to_jsonb(m) ->> 'set_option'),
        null, null, null, m.xmin, null
    from pg_auth_members as m
    where pg_get_userbyid(m.roleid) in ('auditctl_owner', 'auditctl_admin', 'auditctl_reader', 'auditctl_app', 'auditctl_backup')
    union all
    select 'superuser', r.rolname::text, null, case when r.rolcanlogin then 'login' end, null, null, null, null from pg_roles as r where r.rolsuper
    union all
    select
        'setting', concat_ws(' ', split_part(v.setting, '=', 1), 'of', case s.setrole when 0 then 'everybody' else pg_get_userbyid(s.setrole)::text end),
        v.setting, case s.setdatabase when 0 then 'in every database' end, null, null, s.xmin, null
    from pg_db_role_setting as s
    cross join lateral unnest(s.setconfig) as v (setting)
    where s.setdatabase in (0, (select d.oid from pg_database as d where d.datname = current_database()))
        and v.setting ~ '^(session_replication_role|event_triggers|auditctl[.][^=]*)='
    union all
    select 'setting', s.name || ' of the server', s.setting, null, null, null, null, null
    from pg_settings as s
    where s.name in ('session_replication_role', 'event_triggers') and s.source in ('configuration file', 'command line')
)

select
    item.kind,
    item.name,
    left(encode(sha256(convert_to(item.definition, 'UTF8')), 'hex'), 40) as digest,
    item.enabled,
    pg_get_userbyid(item.owner)::text as owner,
    (select string_agg(a::text, ' ' order by a::text) from unnest(item.acl) as a) as acl,
    item.xmin::text::bigint as xmin,
    item.calls
from item
