"""What all tests share: the fixtures, the environment they run in, and the option that rewrites goldens."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, Phase, settings

pytest.register_assert_rewrite("tests.support.doctoring")

pytest_plugins = [f"tests.fixtures.{name}" for name in ("server", "databases", "command", "machine", "logs", "web")]

FOREIGN = ("PG", "AUDITCTL_")
"""Prefixes of the developer's own settings, which no test may see."""

# A run tries the same examples each time and reports the first that fails as it is. `--hypothesis-profile=search
# --timeout=0` tries others, more of them, and looks for the smallest that fails, which takes its time.
settings.register_profile(
    "same",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "search", settings.get_profile("same"), derandomize=False, max_examples=1000, phases=tuple(Phase)
)
settings.load_profile("same")

KEPT = ("AUDITCTL_TEST_BINDIR", "AUDITCTL_TEST_CHROMIUM", "AUDITCTL_TEST_SCREENSHOTS")


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
