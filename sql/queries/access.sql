-- Each login that may do something with the log, and each chain of roles by which it may. `power` is read, administer, name, own
-- (act as auditctl_owner) or table (own audited tables); `links` has each membership from the login's own to the one that gives
-- the power: role, member, since, granted_by, and whether the member has to grant the role to itself first.
-- `how` is what gives the power where that is not a role of auditctl: an attribute, or a privilege that was granted directly.
with recursive owned as (
    select c.relowner as owner, array_agg(c.oid::regclass::text order by c.oid::regclass::text) as tables
      from pg_class as c
     where c.oid in (
               select t.tgrelid
                 from pg_trigger as t
                 join pg_proc as f on f.oid = t.tgfoid
                where f.pronamespace = to_regnamespace('auditctl_triggers')
           )
     group by c.relowner
),

privilege as (
    select acl.grantee, string_agg(distinct format('SELECT on %s', c.oid::regclass), ', ') as how, min(acl.grantor) as grantor
      from pg_class as c
     cross join lateral (
               select * from aclexplode(c.relacl)
               union all
               select column_acl.* from pg_attribute as a, aclexplode(a.attacl) as column_acl where a.attrelid = c.oid
           ) as acl
     where acl.privilege_type = 'SELECT' and acl.grantee <> c.relowner
       and (
           c.oid = 'auditctl.activity'::regclass
           or c.oid in (select tree.relid from pg_partition_tree('auditctl.event') as tree)
       )
       and acl.grantee <> all (
           array['auditctl_reader', 'auditctl_admin', 'auditctl_owner', 'auditctl_backup', 'auditctl_app']::regrole[]::oid[]
       )
     group by acl.grantee
),

root (power, role, how, grantor, tables) as (
    select named.power, to_regrole(named.role)::oid, null::text, null::oid, null::text[]
      from (
               values ('read', 'auditctl_reader'), ('read', 'auditctl_backup'), ('read', 'pg_read_all_data'),
                      -- As the server's own user, one reads or changes the files of the log.
                      ('read', 'pg_read_server_files'), ('own', 'pg_write_server_files'), ('own', 'pg_execute_server_program'),
                      ('administer', 'auditctl_admin'), ('name', 'auditctl_app'), ('own', 'auditctl_owner')
           ) as named (power, role)
    union all
    select 'read', p.grantee, p.how, p.grantor, null from privilege as p
    union all
    select 'table', owned.owner, null, null, owned.tables from owned
    union all
    select 'own', r.oid, case when r.rolsuper then 'superuser' else 'CREATEROLE' end, null, null
      from pg_roles as r
     where r.rolsuper or r.rolcreaterole and current_setting('server_version_num')::integer < 160000
    union all
    -- It copies the whole server, and does not pass to members.
    select 'read', r.oid, 'REPLICATION', null, null from pg_roles as r where r.rolreplication and not r.rolsuper
),

chain (power, role, how, tables, member, links) as (
    select root.power, root.role, root.how, root.tables, root.role, '[]'::jsonb || case
               when root.grantor is null then '[]'
               else jsonb_build_array(jsonb_build_object(
                   'role', root.how, 'member', coalesce(grantee.rolname, 'PUBLIC'), 'since', null,
                   'granted_by', pg_get_userbyid(root.grantor), 'takes', false
               ))
           end
      from root
      left join pg_roles as grantee on grantee.oid = root.role
    union all
    select chain.power, chain.role, chain.how, chain.tables, m.member, jsonb_build_object(
               'role', role.rolname, 'member', member.rolname,
               'since', coalesce(
                   known.occurred_at, registered.since,
                   case when current_setting('track_commit_timestamp')::boolean then pg_xact_commit_timestamp(m.xmin) end
               ),
               'granted_by', coalesce(known.actor, grantor.rolname), 'takes', not usable.is_usable
           ) || chain.links
      from chain
      join pg_auth_members as m on m.roleid = chain.member
      join pg_roles as role on role.oid = m.roleid
      join pg_roles as member on member.oid = m.member
      left join pg_roles as grantor on grantor.oid = m.grantor
     cross join lateral (
               -- Before PostgreSQL 16 each membership may be used.
               select coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
                      or coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) as is_usable
           ) as usable
      left join auditctl.member as registered on registered.role = role.rolname and registered.login = member.rolname
      left join lateral (
               select e.occurred_at, coalesce(e.actor, e.db_user) as actor
                 from auditctl.event as e
                where e.target = 'auditctl.role' and e.target_id = role.rolname and e.action = 'EVENT'
                  and e.new_values ->> 'login' = member.rolname and e.new_values -> 'member' = 'true'
                order by e.occurred_at desc
                limit 1
           ) as known on true
     -- One that may only grant the role can grant it to itself.
     where (usable.is_usable or m.admin_option) and chain.how is distinct from 'REPLICATION'
)

select
    coalesce(r.rolname::text, 'PUBLIC') as login,
    chain.member = 0 as is_public,
    chain.power,
    chain.how,
    chain.links,
    coalesce(chain.tables, '{}') as tables
from chain
left join pg_roles as r on r.oid = chain.member
where r.rolcanlogin or chain.member = 0
order by array_position(array['read', 'administer', 'name', 'own', 'table'], chain.power), 1, 2, jsonb_array_length(chain.links), chain.links::text
