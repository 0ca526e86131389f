"""Finds relations of a catalog by the names that rules use, and suggests names for unknown ones. Pure."""

from __future__ import annotations

from functools import cached_property

from auditctl import table_names
from auditctl.capture import validate
from auditctl.capture.model import Catalog, Relation
from auditctl.names import TRIGGER_SCHEMA
from auditctl.table_names import Pattern, commented_target, qualified
from auditctl.text import did_you_mean

_MAX_SUGGESTED = 20
"""For how many unknown names similar ones are searched: that takes longer than all the rest."""


class KnownRelations:
    """The relations of a catalog by their names, and the catalog's advice for names that it does not know."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._suggested = 0

    @cached_property
    def _by_table(self) -> dict[str, list[Relation]]:
        relations: dict[str, list[Relation]] = {}
        for relation in self._catalog.relations:
            relations.setdefault(relation.table, []).append(relation)
        return relations

    @cached_property
    def _by_identity(self) -> dict[tuple[str, str], Relation]:
        return {relation.identity: relation for relation in self._catalog.relations}

    @cached_property
    def _by_target(self) -> dict[str, Relation]:
        targets: dict[str, Relation] = {}
        for relation in self._catalog.relations:
            if not relation.parents and (target := installed_target(relation, self._catalog)):
                targets.setdefault(target, relation)
        return targets

    def find(self, pattern: Pattern) -> list[Relation]:
        """Return the relations that a name without wildcards means; without a schema, by the search path."""
        if pattern.schema is not None:
            relation = self._by_identity.get((pattern.schema.text, pattern.table.text))
            return [] if relation is None else [relation]
        matches = self._by_table.get(pattern.table.text, [])
        return [r for r in matches if r.is_visible] or matches

    def renamed(self, name: str) -> Relation | None:
        """Return the relation whose triggers or policies record under a name."""
        return self._by_target.get(name)

    def matches_any(self, pattern: Pattern) -> bool:
        """Return whether a glob matches a relation."""
        return any(pattern.matches(*relation.identity) for relation in self._catalog.relations)

    def advice(self, name: str) -> str:
        """Return the end of a message that suggests a name; empty if none is similar, or after many suggestions."""
        self._suggested += 1
        if self._suggested > _MAX_SUGGESTED:
            return ""
        pattern = table_names.parse(name)
        if pattern.schema is None and any(r.schema == pattern.table.text for r in self._catalog.relations):
            return f"; {name} is a schema: for all its tables write {name}.*"
        sound = [r for r in self._catalog.relations if validate.refusal(r) is None]
        # Compared without the schema, which would make all its tables look similar.
        near = [r for r in sound if pattern.schema is None or pattern.schema.matches(r.schema)]
        tables = {r.table: qualified(*r.identity) for r in near}
        before = "; did you mean "
        return did_you_mean(pattern.table.text, tables, before=before) or did_you_mean(
            name, [qualified(*r.identity) for r in sound], before=before, cutoff=0.8
        )


def installed_target(relation: Relation, catalog: Catalog) -> str | None:
    """Return the name under which a relation's triggers or policies record, or None if it has none of ours."""
    for trigger in relation.triggers:
        schema, name = trigger.function
        function = catalog.functions.get(name)
        if schema == TRIGGER_SCHEMA and function is not None:
            return commented_target(function.comment)
    return relation.reading.target if relation.reading else None
