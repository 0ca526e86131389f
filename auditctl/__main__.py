"""Runs the command line, as `auditctl` and as `python -m auditctl`."""

from __future__ import annotations

import sys
from typing import NoReturn


def run() -> NoReturn:
    """Load the command line and run it; end without a traceback where Ctrl-C comes while it loads."""
    try:
        from auditctl.cli.main import main

        main()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    run()
