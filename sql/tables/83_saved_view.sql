-- Filters that people saved under a name, each login its own.

create table auditctl.saved_view (
    owner text not null,
    owner_id oid not null,
    person text not null,
    name text not null,
    filters jsonb not null,
    saved_at timestamptz not null default pg_catalog.now(),
    constraint saved_view_pkey primary key (owner, person, name),
    constraint saved_view_name_is_not_empty check (name <> ''),
    constraint saved_view_filters_are_texts check (
        pg_catalog.jsonb_typeof(filters) = 'object'
        and not pg_catalog.jsonb_path_exists(filters, 'strict $.* ? (@.type() != "string" && @.type() != "array")')
        and not pg_catalog.jsonb_path_exists(filters, 'strict $.* ? (@.type() == "array")[*] ? (@.type() != "string")')
    )
);
comment on table auditctl.saved_view is 'Filters under a name: each login has its own, through functions alone; no configuration, and so not recorded';
comment on column auditctl.saved_view.owner is 'The login that saved it';
comment on column auditctl.saved_view.owner_id is 'The object id of that login: a view does not pass to a later login of the same name';
comment on column auditctl.saved_view.person is 'The name that a proxy gave the visitor of the page; empty for the login itself';
comment on column auditctl.saved_view.name is 'The name that view save gives it';
comment on column auditctl.saved_view.filters is 'The filters as given, by name: a text, or an array of texts for a filter that may be repeated';
comment on column auditctl.saved_view.saved_at is 'When it was saved, or replaced';
