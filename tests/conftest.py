"""What all tests share: the fixtures, the environment they run in, and the option that rewrites goldens."""

from __future__ import annotations

import gc
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings

if TYPE_CHECKING:
    from types import FrameType

pytest.register_assert_rewrite("tests.support.doctoring")

FIXTURES = (
    "server", "maintenance", "sessions", "store_state", "databases", "clones", "templates", "command",
    "machine", "logs", "web", "object_store", "engines",
)  # fmt: skip

pytest_plugins = [f"tests.fixtures.{name}" for name in FIXTURES]

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

IGNORED_IN_THE_BACKGROUND = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
"""Signals that scripts and nohup have their background jobs ignore, and that tests send to what they start."""

MOST_CORES = 8
"""How many cores the tests use: each worker has a server of its own."""

QUICK_CASES = 1
"""How many cases of a test on a database are quick: `make test` shall end within minutes."""

KEPT = ("AUDITCTL_TEST_BINDIR", "AUDITCTL_TEST_CHROMIUM", "AUDITCTL_TEST_SCREENSHOTS", "AUDITCTL_TEST_SLOW_MS")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the code generates into tests/golden and the documentation, instead of comparing",
    )


def pytest_configure(config: pytest.Config) -> None:
    gc.set_threshold(500_000, 50, 100)  # collecting tests makes no garbage, and each worker collects all of them
    for name in list(os.environ):
        if name.startswith(FOREIGN) and name not in KEPT:
            del os.environ[name]
    # Ended by a build server's time limit, the run still stops its database server and removes the folder.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for number in IGNORED_IN_THE_BACKGROUND:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, ignore)


def pytest_xdist_auto_num_workers() -> int:
    """Two workers for a core, or nearly: a test waits two fifths of its time, for its server or by intention."""
    return min(os.cpu_count() or 1, MOST_CORES) * 3 // 2 + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what takes long in all: further cases of a test on a database, and tests in a browser."""
    cases: Counter[str] = Counter()
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        cases[test := item.nodeid.partition("[")[0]] += 1
        if "browser" in fixtures or ("server" in fixtures and cases[test] > QUICK_CASES):
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, and less often: what is loaded and collected by now stays.

    To look through all of it again and again took a sixth of the time of Python.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def ignore(_number: int, _frame: FrameType | None) -> None:
    """Ignore a signal in this process alone: processes that it starts inherit `SIG_IGN`, but no handler."""


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether goldens are to be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))
