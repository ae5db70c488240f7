"""`python -m dev.farm`."""

import sys

from dev.farm.cli import main

if __name__ == "__main__":
    sys.exit(main())
