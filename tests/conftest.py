"""What all tests share: the fixtures, the environment they run in, and the option that rewrites goldens."""

from __future__ import annotations

import os
import signal

import pytest

pytest_plugins = [f"tests.fixtures.{name}" for name in ("server", "databases", "command", "machine")]

FOREIGN = ("PG", "AUDITCTL_")
"""Prefixes of the developer's own settings, which no test may see."""

KEPT = ("AUDITCTL_TEST_BINDIR",)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the code generates into tests/golden and the documentation, instead of comparing",
    )


def pytest_configure(config: pytest.Config) -> None:
    for name in list(os.environ):
        if name.startswith(FOREIGN) and name not in KEPT:
            del os.environ[name]
    # Ended by a build server's time limit, the run still stops its database server and removes the folder.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether goldens are to be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))
