"""Runs the command line as `python -m auditctl`."""

from auditctl.cli.main import main

main()
