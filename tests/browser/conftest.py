"""What all tests in a browser share: the browser itself, and a log that none of them changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.archive import Archive, opened, usual
from tests.fixtures.browser import MISSING, browse, browser, free_windows

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer

__all__ = ["archive", "browse", "browser", "free_windows"]


@pytest.fixture(scope="package")
def archive(server: EmbeddedServer, template: NoopExecutor, passwords_asked: None) -> Iterator[Archive]:
    """A served log of a company, for tests that only read."""
    with opened(server, template.template_dbname, usual) as ready:
        yield ready


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say once, in the summary, that there is no browser, and not once for each test."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and report.longrepr[2].endswith(MISSING):
        report.longrepr = (__file__, 1, report.longrepr[2])
    return report
