-- Addresses in one form. A server that listens on IPv6 names an IPv4 client ::ffff:192.0.2.1 (RFC 4291, 2.5.5.2), which is
-- the same client as 192.0.2.1 and must be found under that address. Other addresses that contain one of IPv4 are not meant:
-- those of NAT64 and 6to4 belong to a translator or a tunnel, and ::192.0.2.1 is an address of its own that nobody is given.

create or replace function auditctl_internal.unmapped(p_address inet) returns inet
language sql immutable
as $auditctl$
    select
        case
            when p_address operator(pg_catalog.<<=) '::ffff:0:0/96'::inet
                then pg_catalog.set_masklen(
                    '0.0.0.0'::inet operator(pg_catalog.+) (
                        pg_catalog.set_masklen(p_address, 128) operator(pg_catalog.-) '::ffff:0:0'::inet
                    ), pg_catalog.masklen(p_address) operator(pg_catalog.-) 96
                )
            else p_address
        end
$auditctl$;
comment on function auditctl_internal.unmapped is
    'The address or network, of IPv4 if it is one of IPv4 that is mapped into IPv6; all else as it is. Inlined';

create or replace function auditctl_internal.parse_ip(p_text text) returns inet
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_address inet;
begin
    v_address := btrim(p_text)::inet;
    -- A network is not an address.
    return case
        when masklen(v_address) = case family(v_address) when 4 then 32 else 128 end then auditctl_internal.unmapped(v_address)
    end;
exception when others then
    return null;
end
$auditctl$;
comment on function auditctl_internal.parse_ip is 'The address; null if the text is a network or not an address; never raises';
