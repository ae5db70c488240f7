"""`python -m windmill`, for where the command `windmill` is not installed."""

import sys

try:
    from windmill.cli.main import main
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] == "windmill":
        raise
    sys.exit(f"this Python lacks {error.name}: run `make setup`, then .venv/bin/python -m windmill")

if __name__ == "__main__":
    sys.exit(main())
