"""PostgreSQL-Audit, which SQLAlchemy applications use; set up as its documentation recommends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import orm

from bench.contenders.contender import APPLICATION, Log

if TYPE_CHECKING:
    from bench.subject import Subject


@dataclass(frozen=True, slots=True)
class PostgresqlAudit:
    """Nobody is named: its table `transaction` stays empty, which is the cheapest it can do.

    Attributes:
        per_statement: Whether its triggers fire once for each statement, with transition tables, as it does by default.
    """

    name: str
    title: str
    per_statement: bool
    login: str = APPLICATION
    session: tuple[str, ...] = ()

    def set_up(self, dsn: str, subjects: Sequence[Subject]) -> Log:
        from postgresql_audit import VersioningManager

        parameters = conninfo_to_dict(dsn)
        engine = sqlalchemy.create_engine("postgresql+psycopg://", connect_args=parameters)
        base = orm.declarative_base()
        manager = VersioningManager(use_statement_level_triggers=self.per_statement)
        manager.init(base)
        try:
            orm.configure_mappers()
            with engine.begin() as conn:
                base.metadata.create_all(conn)
                for subject in subjects:
                    conn.execute(manager.build_audit_table_query(sqlalchemy.table(subject.name)))
        finally:
            manager.remove_listeners()
            engine.dispose()
        return Log(events=("activity",), others=("transaction",))
