"""Says in one line what to do with a Python that lacks the libraries. Imports none of them."""

import sys
from collections.abc import Callable
from importlib.util import find_spec

LIBRARIES = (
    "aio_pika",
    "aiormq",
    "aiohttp",
    "asyncpg",
    "httptools",
    "numpy",
    "orjson",
    "PIL",
    "prometheus_client",
    "dotenv",
    "requests",
    "tqdm",
    "uvloop",
    "yarl",
)
"""The modules of the dependencies in pyproject.toml."""


def require_libraries(find: Callable[[str], object | None] = find_spec) -> None:
    """If a program is starting and libraries are missing, exit with the remedy; code that only imports a package gets
    Python's own error. `python -m` imports the package of the program first, with `-m` in place of its path."""
    if sys.argv[0] != "-m":
        return
    if missing := next((name for name in LIBRARIES if not find(name)), None):
        sys.exit(f"this Python lacks {missing}: run `make setup`, then .venv/bin/python -m {_program()}")


def _program() -> str:
    """What follows -m, which `sys.argv` does not say yet."""
    words = iter(sys.orig_argv)
    return next((next(words, "") for word in words if word == "-m"), "")
