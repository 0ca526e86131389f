CREATE OR REPLACE FUNCTION audit_triggers.shop__plain__create()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
    v_new jsonb;
    v_target_id text;
    v_actor text;
    v_actor_kind text;
    v_ip inet;
    v_context jsonb;
    v_setting text;
begin
    begin
        if has_column_privilege(tg_relid, '4'::smallint, 'select') is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        v_new := jsonb_build_object(
                'id', audit.typed(new.id, null::pg_catalog.int4),
                'name', audit.typed(new.name, null::pg_catalog.text),
                'price', audit.typed(new.price, null::pg_catalog."numeric")
            );
        v_target_id := audit.typed(new.id, null::pg_catalog.int4)::text;
        if audit.is_application() then
            v_actor := audit.claimed_actor();
            v_actor_kind := case when v_actor is null then 'system' else 'application' end;
            v_ip := audit.claimed_ip();
            v_setting := current_setting('auditctl.context', true);
            v_context := audit.context(v_setting);
        elsif audit.is_database() then
            v_actor := session_user;
            v_actor_kind := 'database';
            v_ip := inet_client_addr();
            v_setting := current_setting('auditctl.context', true);
            v_context := audit.context(v_setting);
        else
            select i.actor, i.actor_kind, i.ip, i.context
            into v_actor, v_actor_kind, v_ip, v_context
            from audit.identify() as i;
        end if;
    exception when others then
        v_new := audit.row_image(new, tg_relid, '{}'::text[], '{}'::text[], '{id,name,price}'::text[]);
        v_target_id := audit.row_key(new, tg_relid, '{id}'::text[]);
        select i.actor, i.actor_kind, i.ip, i.context
        into v_actor, v_actor_kind, v_ip, v_context
        from audit.identify() as i;
    end;
    if false and v_actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.plain'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select audit.set_context(''alice'', ''203.0.113.7'')';
    end if;
    if false and (tg_table_schema, tg_table_name) <> ('shop', 'plain') then
        v_context := coalesce(v_context, '{}') || jsonb_build_object('partition', tg_table_schema || '.' || tg_table_name);
    end if;

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, new_values, context)
    values (v_actor, v_actor_kind, v_ip, 'shop.plain', v_target_id, 'CREATE', v_new, v_context);
    return null;
end
$function$
;
alter function audit_triggers.shop__plain__create() owner to audit_owner;
revoke execute on function audit_triggers.shop__plain__create() from public;
comment on function audit_triggers.shop__plain__create() is 'auditctl: create of shop.plain';

CREATE OR REPLACE FUNCTION audit_triggers.shop__plain__delete()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
    v_old jsonb;
    v_target_id text;
    v_actor text;
    v_actor_kind text;
    v_ip inet;
    v_context jsonb;
    v_setting text;
begin
    begin
        if has_column_privilege(tg_relid, '4'::smallint, 'select') is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        v_old := jsonb_build_object(
                'id', audit.typed(old.id, null::pg_catalog.int4),
                'name', audit.typed(old.name, null::pg_catalog.text),
                'price', audit.typed(old.price, null::pg_catalog."numeric")
            );
        v_target_id := audit.typed(old.id, null::pg_catalog.int4)::text;
        if audit.is_application() then
            v_actor := audit.claimed_actor();
            v_actor_kind := case when v_actor is null then 'system' else 'application' end;
            v_ip := audit.claimed_ip();
            v_setting := current_setting('auditctl.context', true);
            v_context := audit.context(v_setting);
        elsif audit.is_database() then
            v_actor := session_user;
            v_actor_kind := 'database';
            v_ip := inet_client_addr();
            v_setting := current_setting('auditctl.context', true);
            v_context := audit.context(v_setting);
        else
            select i.actor, i.actor_kind, i.ip, i.context
            into v_actor, v_actor_kind, v_ip, v_context
            from audit.identify() as i;
        end if;
    exception when others then
        v_old := audit.row_image(old, tg_relid, '{}'::text[], '{}'::text[], '{id,name,price}'::text[]);
        v_target_id := audit.row_key(old, tg_relid, '{id}'::text[]);
        select i.actor, i.actor_kind, i.ip, i.context
        into v_actor, v_actor_kind, v_ip, v_context
        from audit.identify() as i;
    end;
    if false and v_actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.plain'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select audit.set_context(''alice'', ''203.0.113.7'')';
    end if;
    if false and (tg_table_schema, tg_table_name) <> ('shop', 'plain') then
        v_context := coalesce(v_context, '{}') || jsonb_build_object('partition', tg_table_schema || '.' || tg_table_name);
    end if;

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, old_values, context)
    values (v_actor, v_actor_kind, v_ip, 'shop.plain', v_target_id, 'DELETE', v_old, v_context);
    return null;
end
$function$
;
alter function audit_triggers.shop__plain__delete() owner to audit_owner;
revoke execute on function audit_triggers.shop__plain__delete() from public;
comment on function audit_triggers.shop__plain__delete() is 'auditctl: delete of shop.plain';

CREATE OR REPLACE FUNCTION audit_triggers.shop__plain__truncate()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
    v_actor text;
    v_actor_kind text;
    v_ip inet;
    v_context jsonb;
    v_setting text;
begin
    begin
        if audit.is_application() then
            v_actor := audit.claimed_actor();
            v_actor_kind := case when v_actor is null then 'system' else 'application' end;
            v_ip := audit.claimed_ip();
            v_setting := current_setting('auditctl.context', true);
            v_context := audit.context(v_setting);
        elsif audit.is_database() then
            v_actor := session_user;
            v_actor_kind := 'database';
            v_ip := inet_client_addr();
            v_setting := current_setting('auditctl.context', true);
            v_context := audit.context(v_setting);
        else
            select i.actor, i.actor_kind, i.ip, i.context
            into v_actor, v_actor_kind, v_ip, v_context
            from audit.identify() as i;
        end if;
    exception when others then
        select i.actor, i.actor_kind, i.ip, i.context
        into v_actor, v_actor_kind, v_ip, v_context
        from audit.identify() as i;
    end;
    if false and v_actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.plain'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select audit.set_context(''alice'', ''203.0.113.7'')';
    end if;
    if false and (tg_table_schema, tg_table_name) <> ('shop', 'plain') then
        v_context := coalesce(v_context, '{}') || jsonb_build_object('partition', tg_table_schema || '.' || tg_table_name);
    end if;

    insert into audit.event (actor, actor_kind, ip, target, action, context)
    values (v_actor, v_actor_kind, v_ip, 'shop.plain', 'TRUNCATE', v_context);
    return null;
end
$function$
;
alter function audit_triggers.shop__plain__truncate() owner to audit_owner;
revoke execute on function audit_triggers.shop__plain__truncate() from public;
comment on function audit_triggers.shop__plain__truncate() is 'auditctl: truncate of shop.plain';

CREATE OR REPLACE FUNCTION audit_triggers.shop__plain__update()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
    v_old jsonb;
    v_new jsonb;
    v_target_id text;
    v_previous_target_id text;
    v_actor text;
    v_actor_kind text;
    v_ip inet;
    v_context jsonb;
    v_setting text;
begin
    begin
        if has_column_privilege(tg_relid, '4'::smallint, 'select') is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        if audit.typed(old.id, null::pg_catalog.int4) is distinct from new.id
            or audit.typed(old.name, null::pg_catalog.text) collate "C" is distinct from new.name collate "C" then
            if audit.typed(old.id, null::pg_catalog.int4) is distinct from new.id then
                if v_new is null then
                    v_old := jsonb_build_object('id', audit.typed(old.id, null::pg_catalog.int4));
                    v_new := jsonb_build_object('id', audit.typed(new.id, null::pg_catalog.int4));
                else
                    v_old := v_old || jsonb_build_object('id', audit.typed(old.id, null::pg_catalog.int4));
                    v_new := v_new || jsonb_build_object('id', audit.typed(new.id, null::pg_catalog.int4));
                end if;
            end if;
            if audit.typed(old.name, null::pg_catalog.text) collate "C" is distinct from new.name collate "C" then
                if v_new is null then
                    v_old := jsonb_build_object('name', audit.typed(old.name, null::pg_catalog.text));
                    v_new := jsonb_build_object('name', audit.typed(new.name, null::pg_catalog.text));
                else
                    v_old := v_old || jsonb_build_object('name', audit.typed(old.name, null::pg_catalog.text));
                    v_new := v_new || jsonb_build_object('name', audit.typed(new.name, null::pg_catalog.text));
                end if;
            end if;
        end if;
        if record_image_ne(row(old.price), row(new.price)) then
            if record_image_ne(row(old.price), row(new.price)) then
                if v_new is null then
                    v_old := jsonb_build_object('price', audit.typed(old.price, null::pg_catalog."numeric"));
                    v_new := jsonb_build_object('price', audit.typed(new.price, null::pg_catalog."numeric"));
                else
                    v_old := v_old || jsonb_build_object('price', audit.typed(old.price, null::pg_catalog."numeric"));
                    v_new := v_new || jsonb_build_object('price', audit.typed(new.price, null::pg_catalog."numeric"));
                end if;
            end if;
        end if;
        if v_new is null then
            return null;
        end if;
        v_target_id := audit.typed(new.id, null::pg_catalog.int4)::text;
        if audit.typed(old.id, null::pg_catalog.int4) is distinct from new.id then
            v_previous_target_id := audit.typed(old.id, null::pg_catalog.int4)::text;
        end if;
        if audit.is_application() then
            v_actor := audit.claimed_actor();
            v_actor_kind := case when v_actor is null then 'system' else 'application' end;
            v_ip := audit.claimed_ip();
            v_setting := current_setting('auditctl.context', true);
            v_context := audit.context(v_setting);
        elsif audit.is_database() then
            v_actor := session_user;
            v_actor_kind := 'database';
            v_ip := inet_client_addr();
            v_setting := current_setting('auditctl.context', true);
            v_context := audit.context(v_setting);
        else
            select i.actor, i.actor_kind, i.ip, i.context
            into v_actor, v_actor_kind, v_ip, v_context
            from audit.identify() as i;
        end if;
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_target_id
        into v_old, v_new, v_target_id, v_previous_target_id
        from audit.compare_rows(
            old, new, tg_relid, '{}'::text[], '{}'::text[], '{id,name,price}'::text[], '{id}'::text[]
        ) as c;
        if v_new = '{}' then
            return null;
        end if;
        select i.actor, i.actor_kind, i.ip, i.context
        into v_actor, v_actor_kind, v_ip, v_context
        from audit.identify() as i;
    end;
    if false and v_actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.plain'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select audit.set_context(''alice'', ''203.0.113.7'')';
    end if;
    if false and (tg_table_schema, tg_table_name) <> ('shop', 'plain') then
        v_context := coalesce(v_context, '{}') || jsonb_build_object('partition', tg_table_schema || '.' || tg_table_name);
    end if;
    if v_previous_target_id is not null then
        v_context := coalesce(v_context, '{}') || jsonb_build_object('previous_target_id', v_previous_target_id);
    end if;

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
    values (v_actor, v_actor_kind, v_ip, 'shop.plain', v_target_id, 'UPDATE', v_old, v_new, v_context);
    return null;
end
$function$
;
alter function audit_triggers.shop__plain__update() owner to audit_owner;
revoke execute on function audit_triggers.shop__plain__update() from public;
comment on function audit_triggers.shop__plain__update() is 'auditctl: update of shop.plain';

create trigger auditctl_create AFTER INSERT ON shop.plain FOR EACH ROW EXECUTE FUNCTION audit_triggers.shop__plain__create();
alter table shop.plain enable always trigger auditctl_create;
create trigger auditctl_delete AFTER DELETE ON shop.plain FOR EACH ROW EXECUTE FUNCTION audit_triggers.shop__plain__delete();
alter table shop.plain enable always trigger auditctl_delete;
create trigger auditctl_truncate AFTER TRUNCATE ON shop.plain FOR EACH STATEMENT EXECUTE FUNCTION audit_triggers.shop__plain__truncate();
alter table shop.plain enable always trigger auditctl_truncate;
create trigger auditctl_update AFTER UPDATE ON shop.plain FOR EACH ROW EXECUTE FUNCTION audit_triggers.shop__plain__update();
alter table shop.plain enable always trigger auditctl_update;
insert into audit.rule (name, position, actions) values ('shop.plain', 0, '{CREATE,UPDATE,DELETE,TRUNCATE}');
insert into audit.target (target, key_columns) values ('shop.plain', '{id}');
insert into audit.capture (relation, target, actions, exclude, mask, key, require_actor, columns)
values (
    'shop.plain', 'shop.plain', '{CREATE,UPDATE,DELETE,TRUNCATE}', '{}', '{}', '{}', false,
    '{"shop.plain": {"1": ["id", "integer", null], "2": ["name", "text", null], "3": ["price", "numeric", null]}}'
);
