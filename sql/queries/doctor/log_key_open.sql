-- Policies that let somebody see the secrets of reading: there should be none.
select
    quote_ident(p.polname) || ' on audit.log_key' as object,
    quote_ident(p.polname) as policy
from pg_policy as p
where p.polrelid = to_regclass('audit.log_key')
order by 1
