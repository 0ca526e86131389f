-- Records reads. PostgreSQL has no trigger for them, so a row security policy calls auditctl.record_read, once for each
-- statement and table. It writes an event, and a line to the server's log, which remains if the event is rolled back.

create or replace function auditctl_internal.new_key() returns bytea
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Each has 122 random bits from the server's strong source.
    select sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
$auditctl$;
comment on function auditctl_internal.new_key is 'A secret of 32 random bytes';

create or replace function auditctl_internal.query_text() returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_limit constant integer := 10240;
    v_text text := auditctl_internal.readable(current_query());
begin
    v_text := left(v_text, v_limit);
    while octet_length(v_text) > v_limit loop
        v_text := left(v_text, length(v_text) - (octet_length(v_text) - v_limit + 3) / 4);
    end loop;
    return v_text;
end
$auditctl$;
comment on function auditctl_internal.query_text is 'The text that the client sent, cut at 10 kB between two characters';

create or replace function auditctl_internal.may_select(p_relation regclass) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- The role that the session has set may have been dropped: by object id that is not an error.
    select coalesce(has_any_column_privilege(session_user, p_relation, 'SELECT'), false)
        or coalesce(has_any_column_privilege(to_regrole(quote_ident(current_setting('role')))::oid, p_relation, 'SELECT'), false)
$auditctl$;
comment on function auditctl_internal.may_select is 'Whether the login, or the role it has set, may itself read any column of a table';

create or replace function auditctl_internal.identify_reader() returns auditctl.identity
language plpgsql volatile
as $auditctl$
-- Called only by auditctl_internal.insert_read, whose search_path is pinned.
begin
    return auditctl_internal.session_identity();
exception when others then
    return auditctl_internal.identify();
end
$auditctl$;
comment on function auditctl_internal.identify_reader is
    'Who reads: the same as auditctl_internal.identify(), cheaper for nearly all sessions; never raises';

create or replace function auditctl_internal.insert_read(
    p_relation regclass, p_target text, p_leaf text, p_query text, p_recorded boolean
) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_who constant auditctl.identity := auditctl_internal.identify_reader();
    v_at constant timestamptz := clock_timestamp();
    v_about constant jsonb := jsonb_strip_nulls(
        jsonb_build_object(
            'leaf', p_leaf, 'query', p_query, 'indirect',
            -- The second check is needed only for the few sessions that fail the first.
            case
                when not has_any_column_privilege(session_user, p_relation, 'SELECT') and not auditctl_internal.may_select(p_relation) then true
            end
        )
    );
    v_event_id bigint;
    v_line jsonb;
begin
    if p_recorded then
        insert into auditctl.event (occurred_at, actor, actor_kind, ip, target, action, context)
        values (
            v_at, v_who.actor, v_who.actor_kind, v_who.ip, p_target, 'READ',
            -- An application may not set these keys.
            nullif((coalesce(v_who.context, '{}') - 'query') || v_about, '{}')
        )
        returning event_id into v_event_id;
    end if;
    v_line := jsonb_build_object(
        'v', 1, 'target', p_target, 'actor', v_who.actor, 'actor_kind', v_who.actor_kind, 'ip', v_who.ip,
        'db_user', session_user,
        'xact_id', case when p_recorded then pg_current_xact_id()::text else pg_current_xact_id_if_assigned()::text end,
        'at', to_char(v_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'recorded', p_recorded, 'event_id', v_event_id, 'leaf', p_leaf
    );
    return case when p_query is null then v_line else v_line || jsonb_build_object('query', p_query) end;
end
$auditctl$;
comment on function auditctl_internal.insert_read is
    'Inserts the event of a read if the transaction may write; returns the content of the line for the server''s log';

create or replace function auditctl_internal.read_mark(p_key bytea, p_relation regclass, p_recorded boolean, p_xact text) returns text
language plpgsql stable
as $auditctl$
-- Called only by auditctl.record_read, whose search_path is pinned. Nobody can forge a mark: that takes the key, and it
-- differs for each session and statement.
begin
    return p_xact || ' ' || encode(
        sha256(
            p_key || convert_to(
                concat_ws(' ', pg_backend_pid(), extract(epoch from statement_timestamp()), p_relation::oid, p_recorded, p_xact), 'UTF8'
            )
        ), 'hex'
    );
end
$auditctl$;
comment on function auditctl_internal.read_mark is
    'The setting that says which transaction or subtransaction wrote the event of a read in this statement; without a number if there is only a line in the server''s log';

create or replace function auditctl.record_read(p_relation regclass) returns xid8
language plpgsql volatile security definer
-- A policy names it a second time, for the rows that follow a rollback: not what the planner should expect.
cost 0.1
set search_path = pg_catalog, pg_temp
-- Settings such as enable_seqscan = off make the queries below seem expensive, and planning takes longer than they do.
set jit = off
set plan_cache_mode = force_generic_plan
as $auditctl$
-- Anybody can call this, as policies run with the reader's rights. It takes only the table from the caller.
declare
    v_recorded constant boolean := current_setting('transaction_read_only') = 'off';
    v_setting constant text := 'auditctl.read_' || p_relation::oid;
    v_mark text := nullif(current_setting(v_setting, true), '');
    v_site record;
    v_line jsonb;
    v_at timestamptz;
    v_event_id bigint;
    v_top bigint;
    v_xact bigint;
begin
    select s.target, s.root::oid <> s.relation::oid as is_leaf, s.read_query, k.inner_key, k.outer_key, k.mark_key
    into v_site
    from auditctl.read_site as s
    cross join auditctl.log_key as k
    where s.relation = p_relation;
    if not found then
        return null;
    end if;
    -- A self-join, an UPDATE or an upsert calls this several times. A rollback undoes the event, and then its mark counts
    -- no more, even if a session puts it back.
    if v_mark = auditctl_internal.read_mark(v_site.mark_key, p_relation, v_recorded, split_part(v_mark, ' ', 1)) then
        v_xact := nullif(split_part(v_mark, ' ', 1), '');
        if v_xact is null then
            return null;
        elsif pg_xact_status(v_xact::text::xid8) <> 'aborted' then
            return nullif(v_xact::text::xid8, pg_current_xact_id());
        end if;
    end if;
    v_line := auditctl_internal.insert_read(
        p_relation, v_site.target, case when v_site.is_leaf then auditctl_internal.registered_name(p_relation) end,
        case when v_site.read_query then auditctl_internal.query_text() end, v_recorded
    );
    raise log 'auditctl read: %', v_line || jsonb_build_object(
        'mac', encode(sha256(v_site.outer_key || sha256(v_site.inner_key || convert_to(v_line::text, 'UTF8'))), 'hex')
    );
    v_xact := null;
    if v_recorded then
        -- A row has the number of the subtransaction that wrote it, without the epoch: what a rollback to a savepoint undoes
        -- has another number than the transaction, never a lower one.
        v_at := v_line ->> 'at';
        v_event_id := v_line ->> 'event_id';
        v_top := pg_current_xact_id()::text;
        select e.xmin::text into v_xact from auditctl.event as e where e.occurred_at = v_at and e.event_id = v_event_id;
        v_xact := v_top + (v_xact - v_top % 4294967296 + 4294967296) % 4294967296;
    end if;
    perform set_config(
        v_setting, auditctl_internal.read_mark(v_site.mark_key, p_relation, v_recorded, coalesce(v_xact::text, '')), true
    );
    return case when v_xact <> v_top then v_xact::text::xid8 end;
end
$auditctl$;
grant execute on function auditctl.record_read to public;
comment on function auditctl.record_read is
    'Records that this statement reads a table, once; called by the policy auditctl_read. Returns the subtransaction that wrote the event, null if only the whole transaction can undo it, or if the table''s reads are not audited';

create or replace function auditctl.verify_read_line(p_json text) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_line jsonb;
begin
    if octet_length(p_json) <= 262144 then
        v_line := p_json::jsonb;
    end if;
    -- The line must be unchanged to the byte, so that no key can appear twice in it.
    return coalesce(
        jsonb_typeof(v_line) = 'object' and v_line::text = p_json and v_line ->> 'mac' = (
            select encode(sha256(k.outer_key || sha256(k.inner_key || convert_to((v_line - 'mac')::text, 'UTF8'))), 'hex')
            from auditctl.log_key as k
        ), false
    );
exception when others then
    return false;
end
$auditctl$;
revoke execute on function auditctl.verify_read_line from public;
grant execute on function auditctl.verify_read_line to auditctl_admin;
comment on function auditctl.verify_read_line is
    'Whether the JSON of a line "auditctl read: ..." in the server''s log was written by auditctl.record_read of this database, and not by somebody with RAISE LOG';
