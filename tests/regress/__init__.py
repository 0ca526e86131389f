"""PostgreSQL's own regression suite, with and without auditctl: `make test-regress`."""
