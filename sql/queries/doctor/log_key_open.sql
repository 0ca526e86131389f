-- Policies that let somebody see the secret keys of read logging: there should be none.
select
    quote_ident(p.polname) || ' on auditctl.log_key' as object,
    quote_ident(p.polname) as policy
from pg_policy as p
where p.polrelid = to_regclass('auditctl.log_key')
order by 1
