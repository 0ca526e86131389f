-- What administrators may change, and what one transaction may do although the coverage guard refuses it.

create table auditctl.administration (
    name text not null default 'tables',
    patterns text[] not null,
    set_by text not null default session_user,
    set_at timestamptz not null default pg_catalog.now(),
    constraint administration_pkey primary key (name),
    constraint administration_is_one_row check (name = 'tables')
);
comment on table auditctl.administration is
    'The limit of administrators, [admin] in the file: without a row, they may change capture of all tables; with a coverage guard only a superuser changes it, without one the login that installed auditctl';
comment on column auditctl.administration.name is 'Always tables';
comment on column auditctl.administration.patterns is 'Names and globs of the tables, each with its schema; empty for none';
comment on column auditctl.administration.set_by is 'The login that set it';
comment on column auditctl.administration.set_at is 'When it was set';

create table auditctl.release (
    relation regclass not null,
    xact xid8 not null,
    is_used boolean not null default false,
    constraint release_pkey primary key (relation, xact)
);
comment on table auditctl.release is 'Audited tables on which the guard lets one command pass, in one transaction; its event says who released it and why';
comment on column auditctl.release.relation is 'The audited table';
comment on column auditctl.release.xact is 'The transaction, which alone sees a row that counts';
comment on column auditctl.release.is_used is 'Whether a command has used it; the next one of that table ends it';
