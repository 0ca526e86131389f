"""How a schema editor of Django ends, with capture in step or with its transaction rolled back."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest

from auditctl.integrations.django.revisions import following


class Editor:
    """As much of a schema editor as its end needs; its statements fail with an error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error, self.executed, self.ended = error, list[str](), list[Any]()
        self.deferred_sql = ["create index"]
        self.connection = MagicMock()
        self.connection.cursor().__enter__().fetchone.return_value = (False,)

    def __enter__(self) -> Editor:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.ended.append(kind)

    def execute(self, statement: str, _params: None) -> None:
        self.executed.append(statement.split("\n")[0])
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [RuntimeError("refused"), KeyboardInterrupt()])
def test_an_error_while_capture_follows_leaves_the_transaction_by_that_error(error: BaseException) -> None:
    editor = following(Editor)(error)
    with pytest.raises(type(error)), editor:
        pass
    assert editor.ended == [type(error)]


def test_what_django_deferred_comes_before_capture_follows_and_only_once() -> None:
    editor = following(Editor)(None)
    with editor:
        pass
    assert (editor.executed, editor.deferred_sql, editor.ended) == (["create index", "do $auditctl$"], [], [None])
