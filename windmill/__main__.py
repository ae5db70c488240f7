"""`python -m windmill`, for where the command `windmill` is not installed."""

import sys

from windmill.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
