"""How the command starts: what loads with the package, and what Ctrl-C does while the rest loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

INTERRUPTED_WHILE_LOADING = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from auditctl.__main__ import run
run()
"""


@pytest.mark.parametrize("module", ["auditctl.cli.main", "click", "auditctl.errors"])
def test_an_interrupt_while_the_command_loads_shows_no_traceback(module: str) -> None:
    code = INTERRUPTED_WHILE_LOADING.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted\n")


def test_an_application_loads_no_driver_that_it_does_not_use() -> None:
    loaded = "sorted({'psycopg', 'click', 'alembic'} & sys.modules.keys())"
    code = f"import sys; from auditctl import acting_as; print({loaded})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_the_package_has_no_other_names() -> None:
    import auditctl

    with pytest.raises(AttributeError, match="module 'auditctl' has no attribute 'nothing'"):
        auditctl.nothing  # noqa: B018
