"""`python -m examples fastapi`: starts a shop. Ctrl-C ends it in one line, also while it loads."""

import sys

try:
    from examples.launcher import main
except KeyboardInterrupt:
    sys.stderr.write("interrupted\n")
    sys.exit(130)

main(prog_name="python -m examples")
